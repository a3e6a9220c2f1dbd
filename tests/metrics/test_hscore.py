"""H-score and its shrunk form: the programs, the definitions, and their bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.covariance import LedoitWolf, ledoit_wolf_shrinkage
from sklearn.cross_decomposition import CCA

from sklearn_transrate.exceptions import (
    SaturatedScoreWarning,
    SwappedArgumentsError,
    UndefinedMetricWarning,
)
from sklearn_transrate.metrics import HScore, h_score
from sklearn_transrate.statistics import ClassMoments
from sklearn_transrate.testing._metric_laws import check_batches
from tests.golden import golden, load_inputs
from tests.references import hscore as definition

INPUTS = load_inputs()
CLOSED_FORM = 1e-9
SINGLE_PRECISION = 1e-6
SHRUNK = {"shrinkage": "ledoit_wolf"}
# Fewer samples than features: see the tests of saturation.
SATURATED = "n40_d64_k4"


def tolerance(X):
    return SINGLE_PRECISION if X.dtype == np.float32 else CLOSED_FORM


def random_features(seed, n, d, n_classes=3):
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, n)])
    means = 0.5 * rng.standard_normal((n_classes, d))
    return means[y] + rng.standard_normal((len(y), d)) + 1.0, y


# -- the authors' numbers --------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in golden("hscore") if n != SATURATED])
def test_published_program_gives_the_same(name):
    X, y = INPUTS[name]["X"], INPUTS[name]["y"]
    expected = golden("hscore")[name]
    assert h_score(X, y) == pytest.approx(expected, rel=tolerance(X))


def test_published_program_is_at_its_bound_where_ours_says_so():
    case = INPUTS[SATURATED]
    with pytest.warns(SaturatedScoreWarning, match="40 samples are too few for 64"):
        score = h_score(case["X"], case["y"])
    assert score == pytest.approx(golden("hscore")[SATURATED], rel=CLOSED_FORM)
    assert score == pytest.approx(3)


@pytest.mark.parametrize("name", golden("hscore_regularized"))
def test_published_shrunk_program_differs_by_its_mixed_denominators(name):
    # It divides S by n and S_B by n - 1.
    X, y = INPUTS[name]["X"], INPUTS[name]["y"]
    expected = golden("hscore_regularized")[name] * (len(y) - 1) / len(y)
    assert h_score(X, y, **SHRUNK) == pytest.approx(expected, rel=tolerance(X))


def test_a_published_program_leaves_its_bounds():
    # It multiplies element by element before the trace.
    case = INPUTS["sklearn_iris"]
    published = golden("hscore_stable_transfer_elementwise_bug")["sklearn_iris"]
    assert published > 2
    assert 0 <= h_score(case["X"], case["y"]) <= 2


# -- the definitions -------------------------------------------------------------------


@given(st.integers(0, 2**16), st.integers(30, 60), st.integers(1, 10))
def test_definition_gives_the_same(seed, n, d):
    X, y = random_features(seed, n, d)
    expected = definition.h_score(X, y)
    assert h_score(X, y) == pytest.approx(expected, rel=CLOSED_FORM)


@given(st.integers(0, 2**16), st.integers(2, 30), st.integers(2, 30))
def test_definition_of_the_shrunk_form_gives_the_same(seed, n, d):
    X, y = random_features(seed, n, d)
    expected = definition.shrunk_h_score(X, y)
    score = h_score(X, y, **SHRUNK)
    assert score == pytest.approx(expected, rel=1e-7, abs=CLOSED_FORM)


@pytest.mark.parametrize("shape", [(40, 6), (10, 40), (20, 20)])
@pytest.mark.parametrize("shrinkage", [1e-3, 0.3, 0.9])
def test_any_amount_of_shrinkage_gives_the_same(shape, shrinkage):
    X, y = random_features(0, *shape)
    expected = definition.shrunk_h_score(X, y, shrinkage)
    score = h_score(X, y, shrinkage=shrinkage)
    assert score == pytest.approx(expected, rel=CLOSED_FORM)


@pytest.mark.parametrize("shape", [(40, 6), (10, 40), (20, 20)])
def test_the_amount_of_shrinkage_is_ledoit_and_wolfs(shape):
    X, y = random_features(0, *shape)
    metric = HScore(**SHRUNK).fit(X, y)
    amount = metric.parts_["shrinkage"]
    assert amount == pytest.approx(definition.ledoit_wolf_shrinkage(X), rel=CLOSED_FORM)
    assert amount == pytest.approx(LedoitWolf().fit(X).shrinkage_, rel=CLOSED_FORM)


def test_score_is_the_sum_of_squared_canonical_correlations():
    X, y = random_features(1, 80, 5)
    targets = np.eye(3)[y][:, 1:]
    left, right = CCA(2, tol=1e-12, max_iter=10_000).fit_transform(X, targets)
    squared = [np.corrcoef(left[:, j], right[:, j])[0, 1] ** 2 for j in range(2)]
    assert h_score(X, y) == pytest.approx(sum(squared), rel=1e-6)


def test_features_equal_to_the_labels_reach_the_bound():
    y = np.array([0, 0, 1, 2, 2, 2, 3])
    assert h_score(np.eye(4)[y], y) == pytest.approx(3, rel=1e-12)


def test_two_classes_by_hand():
    # One feature: the share of its variance between the classes, 4 of 5.
    X, y = [[-3.0], [-1.0], [1.0], [3.0]], [0, 0, 1, 1]
    assert h_score(X, y) == pytest.approx(0.8)


def test_noise_scores_near_its_expectation():
    rng = np.random.default_rng(0)
    n, d, n_classes = 2000, 50, 5
    y = rng.integers(0, n_classes, n)
    expected = (n_classes - 1) * d / (n - 1)
    assert h_score(rng.standard_normal((n, d)), y) == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize("params", [{}, SHRUNK, {"shrinkage": 0.5}], ids=str)
def test_classes_add_up_to_the_score(params):
    X, y = random_features(1, 80, 5)
    metric = HScore(**params).fit(X, y)
    scores = metric.parts_["class_scores"]
    assert scores.shape == metric.classes_.shape
    assert scores.min() >= 0
    assert scores.sum() == pytest.approx(metric.score_)


# -- shrinkage and saturation ----------------------------------------------------------


def test_shrinking_takes_from_the_score():
    X, y = random_features(2, 60, 5)
    amounts = (None, 0.1, 0.5, 0.9, 1.0)
    scores = [h_score(X, y, shrinkage=amount) for amount in amounts]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] == 0.0


def test_no_shrinkage_is_the_limit_of_little():
    X, y = random_features(2, 60, 5)
    assert h_score(X, y, shrinkage=0.0) == h_score(X, y)
    little = h_score(X, y, shrinkage=1e-9)
    assert little == pytest.approx(h_score(X, y), rel=1e-7)


@pytest.mark.parametrize("shape", [(20, 60), (57, 60)])
def test_labels_of_few_samples_do_not_matter_and_a_warning_says_so(shape):
    X, y = random_features(3, *shape)
    for labels in (y, np.random.default_rng(0).permutation(y)):
        with pytest.warns(SaturatedScoreWarning, match="shrinkage='ledoit_wolf'"):
            assert h_score(X, labels) == pytest.approx(2)


def test_the_shrunk_form_still_tells_labels_from_noise_there():
    X, y = random_features(3, 40, 60)
    shuffled = np.random.default_rng(0).permutation(y)
    assert h_score(X, y, **SHRUNK) > 1.5 * h_score(X, shuffled, **SHRUNK)


# One feature whose variance and mean variance differ in the last digit, or do not, by
# the order of the rows.
ONE_FEATURE = [-0.25612286, -1.42929597, -0.85721004, -0.6243682, -0.37026869]
ONE_FEATURE += [0.48186476, 1.2203916, -0.14745362, 1.5996155]
ONE_FEATURE_CLASSES = [0, 1, 0, 1, 0, 0, 0, 1, 0]


def test_batches_of_one_feature_give_the_score_of_all():
    X, y = np.array(ONE_FEATURE)[:, None], np.array(ONE_FEATURE_CLASSES)
    check_batches(HScore(**SHRUNK), X, y, random_state=0)


@given(st.integers(0, 2**16), st.floats(1e-6, 1e6), st.floats(-1e3, 1e3))
def test_one_feature_is_not_shrunk(seed, scale, offset):
    X, y = random_features(seed, 12, 1)
    assert ledoit_wolf_shrinkage(X) == 0.0  # scikit-learn's
    metric = HScore(**SHRUNK).fit(scale * (X + offset), y)
    assert metric.parts_["shrinkage"] == 0.0
    assert metric.score_ == pytest.approx(h_score(X, y), rel=1e-6)


@given(st.integers(0, 2**16), st.integers(2, 12), st.floats(-1e3, 1e3))
def test_a_covariance_that_is_a_multiple_of_the_identity_is_not_shrunk(seed, d, offset):
    rng = np.random.default_rng(seed)
    centred = rng.standard_normal((30, d))
    centred -= centred.mean(axis=0)
    white = np.linalg.qr(centred)[0] + offset
    metric = HScore(**SHRUNK).fit(white, rng.permutation(np.arange(30) % 3))
    assert metric.parts_["shrinkage"] == 0.0


def test_redundant_features_do_not_saturate():
    X, y = random_features(3, 40, 5)
    redundant = np.hstack([X] * 12 + [np.ones((len(X), 4))])
    assert redundant.shape[1] > len(X)
    assert h_score(redundant, y) == pytest.approx(h_score(X, y), rel=1e-6)


@pytest.mark.parametrize("shrinkage", [-0.1, 1.1, np.nan, "oas", [0.5]])
def test_other_shrinkage_is_refused(shrinkage):
    with pytest.raises(ValueError, match="'ledoit_wolf' or a number between 0 and 1"):
        h_score([[0.0], [1.0], [3.0]], [0, 1, 1], shrinkage=shrinkage)


# -- invariances and streams -----------------------------------------------------------


@given(st.integers(0, 2**16), st.floats(1e-6, 1e6), st.floats(-1e3, 1e3))
def test_no_invertible_map_is_seen(seed, scale, offset):
    X, y = random_features(seed, 30, 4)
    rng = np.random.default_rng(seed)
    mixing = np.eye(4) + 0.2 * rng.standard_normal((4, 4))
    moved = scale * ((X + offset) @ mixing)
    assert h_score(moved, y) == pytest.approx(h_score(X, y), rel=1e-6)


@given(st.integers(0, 2**16), st.floats(1e-6, 1e6), st.floats(-1e3, 1e3))
def test_the_shrunk_form_sees_neither_scale_nor_offset_nor_rotation(
    seed, scale, offset
):
    X, y = random_features(seed, 30, 4)
    rotation = np.linalg.qr(np.random.default_rng(seed).standard_normal((4, 4)))[0]
    moved = scale * (X + offset) @ rotation
    expected = pytest.approx(h_score(X, y, **SHRUNK), rel=1e-7, abs=1e-12)
    assert h_score(moved, y, **SHRUNK) == expected


@pytest.mark.parametrize("params", [{}, SHRUNK], ids=str)
def test_batches_and_merges_give_the_same(params):
    X, y = random_features(4, 60, 5)
    whole = h_score(X, y, **params)
    metric = HScore(**params)
    for rows in np.array_split(np.arange(len(X)), 6):
        metric.partial_fit(X[rows], y[rows])
    assert metric.score_ == pytest.approx(whole, rel=CLOSED_FORM)
    halves = [HScore(**params).fit(X[i::2], y[i::2]) for i in range(2)]
    assert halves[0].merge(halves[1]).score_ == pytest.approx(whole, rel=CLOSED_FORM)


def test_shrinkage_needs_moments_that_know_the_norms():
    X, y = random_features(4, 60, 5)
    plain = ClassMoments.from_batch(X, y, scatter="pooled")
    assert HScore().evaluate(plain).score == pytest.approx(h_score(X, y))
    with pytest.raises(ValueError, match="Expected a statistic that covers"):
        HScore(**SHRUNK).evaluate(plain)


def test_metrics_of_other_parameters_are_not_merged():
    X, y = random_features(4, 60, 5)
    with pytest.raises(ValueError, match=r"Expected another HScore\(\) to merge with"):
        HScore().fit(X, y).merge(HScore(**SHRUNK).fit(X, y))


@pytest.mark.parametrize("params", [{}, SHRUNK], ids=str)
def test_weights_count_as_repeated_rows(params):
    X, y = random_features(4, 40, 4)
    weights = np.arange(len(y)) % 3
    repeated = np.repeat(np.arange(len(y)), weights)
    expected = h_score(X[repeated], y[repeated], **params)
    weighted = h_score(X, y, sample_weight=weights, **params)
    assert weighted == pytest.approx(expected, rel=CLOSED_FORM)


def test_single_precision_is_close():
    X, y = random_features(4, 60, 5)
    low = h_score(X.astype(np.float32), y)
    assert low == pytest.approx(h_score(X, y), rel=SINGLE_PRECISION)


# -- edges and errors ------------------------------------------------------------------

GOOD_X, GOOD_Y = [[0.0, 1.0], [1.0, 3.0], [2.0, 1.0]], [0, 1, 0]


@pytest.mark.parametrize("params", [{}, SHRUNK], ids=str)
def test_one_class_scores_zero_with_a_warning(params):
    with pytest.warns(UndefinedMetricWarning, match=r"one class \('cat'\)"):
        assert h_score([[1.0], [2.0]], ["cat", "cat"], **params) == 0.0


@pytest.mark.parametrize("params", [{}, SHRUNK], ids=str)
def test_constant_features_score_zero(params):
    assert h_score(np.full((6, 3), 7.0), [0, 0, 0, 1, 1, 1], **params) == 0.0


def test_classes_of_one_sample_count():
    X, y = random_features(5, 40, 4)
    y[0] = 99
    assert h_score(X, y) == pytest.approx(definition.h_score(X, y), rel=CLOSED_FORM)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (GOOD_X, [0, 1], r"inconsistent numbers of samples: \[3, 2\]"),
        ([[0.0], [np.nan], [1.0]], GOOD_Y, "contains NaN"),
        (GOOD_X, [0.0, np.nan, 1.0], "y contains NaN"),
        (np.empty((0, 2)), [], r"0 sample\(s\)"),
        (GOOD_X, None, "Pass one label per row of X"),
        (GOOD_X, [0.5, 1.5, 2.5], "compares classes, but y looks like a regression"),
    ],
)
def test_features_and_labels_must_fit_together(X, y, message):
    with pytest.raises(ValueError, match=message):
        h_score(X, y)


def test_labels_first_are_refused_with_the_remedy():
    with pytest.raises(SwappedArgumentsError, match=r"Swap the arguments.*y_first"):
        h_score(GOOD_Y, GOOD_X)
