"""LogME: the maximum of the evidence, and how near the published programs come."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes

from sklearn_transrate.exceptions import SwappedArgumentsError, UndefinedMetricWarning
from sklearn_transrate.metrics import LogME, logme_score
from sklearn_transrate.metrics._logme import _max_evidence
from sklearn_transrate.statistics import ClassMoments
from tests.golden import golden, load_inputs
from tests.references import logme as definition

INPUTS = load_inputs()
CLOSED_FORM = 1e-9
# Two searches for one maximum: it is flat, so both find its height to the last digits.
SEARCH = 1e-8
SINGLE_PRECISION = 1e-6
# How far below the maximum the published iterations stop: usually, and on inputs where
# they creep.
STOPS_BELOW = {"logme_tllib": 1e-4, "logme_icml": 1e-3}
CREEPS = {
    "n40_d64_k4": 0.02,
    "anisotropic_n600_d80_k10": 1e-3,
    "sklearn_wine": 2e-3,
    "sklearn_breast_cancer": 2e-4,
    "singleton_n90_d9_k4": 3e-3,
    "shift10_n200_d16_k5": 2e-3,
}
# One program adds 1e-5 to denominators, which beside features of 1e3 is not little.
WRONG_UNITS = {("logme_icml", "scale1e3_n200_d16_k5")}
GOLDEN = [
    pytest.param(program, name, id=f"{program}-{name}")
    for program in ("logme_tllib", "logme_icml")
    for name in golden(program)
    if (program, name) not in WRONG_UNITS
]


def columns(case):
    return case["X"].astype(float), definition.target_columns(case["y"])


def random_features(seed, n, d, n_classes=3):
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, n)])
    means = rng.standard_normal((n_classes, d))
    return means[y] + rng.standard_normal((len(y), d)), y


# -- the authors' numbers --------------------------------------------------------------


@pytest.mark.parametrize(("program", "name"), GOLDEN)
def test_published_programs_stop_just_below(program, name):
    X, y = INPUTS[name]["X"], INPUTS[name]["y"]
    score, published = logme_score(X, y), golden(program)[name]
    rounding = SINGLE_PRECISION if X.dtype == np.float32 else CLOSED_FORM
    assert score >= published - rounding * abs(published)
    rtol = max(STOPS_BELOW[program], CREEPS.get(name, 0))
    assert score == pytest.approx(published, rel=rtol)


@pytest.mark.parametrize("name", INPUTS)
def test_the_published_iteration_arrives_here_when_it_is_not_stopped(name):
    Z, targets = columns(INPUTS[name])
    expected = definition.logme_fixed_point(Z, targets)
    # Covariances of condition 1e11 and more cost the iteration's solver its digits.
    stiff = {"sklearn_wine", "sklearn_breast_cancer"}
    rtol = 1e-8 if name in stiff else CLOSED_FORM
    score = logme_score(INPUTS[name]["X"], INPUTS[name]["y"])
    assert score == pytest.approx(expected, rel=rtol, abs=1e-13)


@pytest.mark.parametrize(
    "name", ["n40_d64_k4", "singleton_n90_d9_k4", "rankdef_n120_d17_k4", "sklearn_iris"]
)
def test_no_search_finds_more_evidence(name):
    searched = definition.logme(*columns(INPUTS[name]))
    score = logme_score(INPUTS[name]["X"], INPUTS[name]["y"])
    assert score == pytest.approx(searched, rel=SEARCH)


@given(
    st.integers(0, 2**16),
    st.integers(4, 20),
    st.integers(1, 20),
    st.floats(-8, 8),
    st.floats(-8, 8),
)
def test_no_prior_and_no_noise_explain_the_targets_better(seed, n, d, alpha, beta):
    X, y = random_features(seed, n, d)
    at_random = [
        definition.log_evidence(X, t, np.exp(alpha), np.exp(beta)) / len(y)
        for t in definition.target_columns(y).T
    ]
    evidences = LogME().fit(X, y).parts_["evidences"]
    assert np.all(evidences >= np.array(at_random) - CLOSED_FORM)


@given(
    st.integers(0, 2**16),
    st.integers(1, 30),
    st.sampled_from([0.1, 1.0, 5.0, 12.0]),
    st.sampled_from([-0.5, 0.0, 0.5, 1.0]),
    st.floats(-14, 3),
)
@example(seed=109, rank=7, spread=5.0, slope=1.0, log_out=0.0)  # two peaks, one narrow
def test_no_ratio_of_precisions_gives_more_evidence(seed, rank, spread, slope, log_out):
    rng = np.random.default_rng(seed)
    eigenvalues = np.sort(np.exp(spread * rng.standard_normal(rank)))
    # Cubes make some directions stand out, and with them several local maxima.
    energies = rng.exponential(size=(rank, 4)) ** 3 * eigenvalues[:, None] ** slope
    outside = 10.0**log_out * energies.sum(axis=0)
    n = rank + 20
    fine = np.linspace(np.log(eigenvalues[0]) - 40, np.log(eigenvalues[-1]) + 40, 4000)
    shrunk = np.exp(fine)[:, None] / (eigenvalues + np.exp(fine)[:, None])
    error = outside + shrunk @ energies
    evidence = np.log(shrunk).sum(axis=1)[:, None] / n - np.log(2 * np.pi * error / n)
    searched = 0.5 * (evidence.max(axis=0) - 1.0)
    found = _max_evidence(eigenvalues, energies, outside, n)
    assert np.all(found >= searched - 1e-12 * np.abs(searched))
    assert found == pytest.approx(searched, abs=1e-3)


@pytest.mark.parametrize("name", ["regression_n240_d14_q2", "sklearn_diabetes"])
@pytest.mark.parametrize("program", ["logme_regression", "logme_regression_icml"])
def test_published_regression_gives_the_same(program, name):
    case = INPUTS[name]
    published = golden(program)[name]
    score = logme_score(case["X"], case["t"], task="regression")
    assert score >= published - CLOSED_FORM * abs(published)
    assert score == pytest.approx(published, rel=1e-4)


def test_published_program_is_wrong_for_fewer_samples_than_features():
    # It leaves (d - rank)/2 log alpha out of the evidence.
    case = INPUTS["n40_d64_k4"]
    assert golden("logme_fixed_point")["n40_d64_k4"] > 2
    assert logme_score(case["X"], case["y"]) == pytest.approx(-0.016653, abs=1e-6)


def test_published_program_is_wrong_for_features_of_another_size():
    case = INPUTS["scale1e3_n200_d16_k5"]
    score = logme_score(case["X"], case["y"])
    assert score == pytest.approx(logme_score(case["X"] / 1e3, case["y"]), abs=1e-12)
    assert golden("logme_icml")["scale1e3_n200_d16_k5"] < score - 0.2


# -- what it is the maximum of ---------------------------------------------------------


@pytest.mark.parametrize("shape", [(60, 5), (10, 40), (12, 12)])
def test_score_is_the_mean_over_classes(shape):
    X, y = random_features(1, *shape)
    metric = LogME().fit(X, y)
    evidences = metric.parts_["evidences"]
    assert evidences.shape == metric.classes_.shape
    assert metric.score_ == pytest.approx(evidences.mean())
    alone = logme_score(X, (y == 1).astype(float), task="regression")
    assert evidences[1] == pytest.approx(alone, rel=CLOSED_FORM)


@pytest.mark.parametrize("shape", [(60, 5), (10, 40)])
def test_classes_are_their_indicator_columns(shape):
    X, y = random_features(1, *shape)
    indicators = np.eye(3, dtype=int)[y]
    by_label = logme_score(X, indicators, task="multilabel")
    assert logme_score(X, y) == pytest.approx(by_label, rel=CLOSED_FORM)
    assert logme_score(X, indicators) == by_label


def test_a_column_of_zeros_adds_nothing():
    X, y = random_features(1, 30, 4)
    padded = np.hstack([X, np.zeros((len(X), 3))])
    expected = pytest.approx(logme_score(X, y), rel=CLOSED_FORM)
    assert logme_score(padded, y) == expected


def test_features_without_anything_explain_by_noise_alone():
    # The evidence of t ~ N(0, mean(t^2)) at its best variance.
    y = np.array([0, 0, 0, 1])
    share = np.array([3 / 4, 1 / 4])
    expected = np.mean(-0.5 * (np.log(2 * np.pi * share) + 1))
    assert logme_score(np.zeros((4, 2)), y) == pytest.approx(expected)


def test_targets_within_reach_score_by_the_rounding_level():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 3))
    t = X @ np.array([1.0, -2.0, 0.5])
    score = logme_score(X, t, task="regression")
    assert np.isfinite(score)
    assert score > logme_score(X, t + 1e-3 * rng.standard_normal(50)) > 0


def test_scale_of_the_target_shifts_the_density():
    X, t = load_diabetes(return_X_y=True)
    shifted = logme_score(X, 10.0 * t, task="regression") + np.log(10.0)
    assert shifted == pytest.approx(logme_score(X, t, task="regression"))


# -- invariances and streams -----------------------------------------------------------


@given(st.integers(0, 2**16), st.floats(1e-8, 1e8))
def test_neither_scale_nor_rotation_is_seen(seed, scale):
    X, y = random_features(seed, 20, 4)
    rotation = np.linalg.qr(np.random.default_rng(seed).standard_normal((4, 4)))[0]
    expected = pytest.approx(logme_score(X, y), abs=CLOSED_FORM)
    assert logme_score(scale * X @ rotation, y) == expected


def test_the_offset_is_seen_and_said_so():
    X, y = random_features(2, 60, 4)
    assert "translation" not in LogME().invariances
    assert logme_score(X + 10.0, y) != pytest.approx(logme_score(X, y), abs=1e-3)


@pytest.mark.parametrize("shape", [(60, 5), (20, 40)])
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_batches_and_merges_give_the_same(shape, task):
    X, y = random_features(3, *shape)
    targets = y if task == "classification" else X[:, 0] + 0.1 * y
    whole = logme_score(X, targets, task=task)
    metric = LogME(task=task)
    for rows in np.array_split(np.arange(len(X)), 6):
        metric.partial_fit(X[rows], targets[rows])
    assert metric.score_ == pytest.approx(whole, abs=SEARCH)
    halves = [LogME(task=task).fit(X[i::2], targets[i::2]) for i in range(2)]
    assert halves[0].merge(halves[1]).score_ == pytest.approx(whole, abs=SEARCH)


def test_moments_of_each_class_serve_as_well():
    X, y = random_features(3, 60, 5)
    result = LogME().evaluate(ClassMoments.from_batch(X, y, scatter="class"))
    assert result.score == pytest.approx(logme_score(X, y), rel=CLOSED_FORM)


def test_weights_count_as_repeated_rows():
    X, y = random_features(3, 20, 4)
    weights = np.arange(len(y)) % 3
    repeated = np.repeat(np.arange(len(y)), weights)
    expected = pytest.approx(logme_score(X[repeated], y[repeated]), rel=CLOSED_FORM)
    assert logme_score(X, y, sample_weight=weights) == expected


def test_single_precision_is_close():
    X, y = random_features(3, 60, 5)
    low = logme_score(X.astype(np.float32), y)
    assert low == pytest.approx(logme_score(X, y), rel=SINGLE_PRECISION)


# -- edges and errors ------------------------------------------------------------------

GOOD_X, GOOD_Y = [[0.0, 1.0], [1.0, 3.0], [2.0, 1.0]], [0, 1, 0]


def test_one_class_is_undefined():
    with pytest.warns(UndefinedMetricWarning, match="one class"):
        assert np.isnan(logme_score([[1.0], [2.0]], ["cat", "cat"]))


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (GOOD_X, [0, 1], r"inconsistent numbers of samples: \[3, 2\]"),
        ([[0.0], [np.nan], [1.0]], GOOD_Y, "contains NaN"),
        (GOOD_X, [0.0, np.nan, 1.0], "y contains NaN"),
        (np.empty((0, 2)), [], r"0 sample\(s\)"),
        (GOOD_X, None, "Pass one label per row of X"),
    ],
)
def test_features_and_targets_must_fit_together(X, y, message):
    with pytest.raises(ValueError, match=message):
        logme_score(X, y)


def test_targets_first_are_refused_with_the_remedy():
    with pytest.raises(SwappedArgumentsError, match=r"Swap the arguments.*y_first"):
        logme_score(GOOD_Y, GOOD_X)


def test_unknown_tasks_are_refused():
    with pytest.raises(ValueError, match=r"'task' to be 'auto' or one of .*'ranking'"):
        logme_score(GOOD_X, GOOD_Y, task="ranking")


def test_streams_of_other_tasks_are_not_merged():
    left = LogME(task="regression").fit(GOOD_X, GOOD_Y)
    right = LogME().fit(GOOD_X, GOOD_Y)
    with pytest.raises(
        ValueError, match=r"Expected another LogME\(task='regression'\)"
    ):
        left.merge(right)
