"""PARC: against the definition, the published values, and ties."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, spearmanr
from sklearn.datasets import load_iris

from sklearn_transrate.exceptions import UndefinedMetricWarning
from sklearn_transrate.metrics import PARC, get_metric, parc_score
from sklearn_transrate.metrics import _parc as module
from tests.golden import golden, load_inputs
from tests.references.parc import parc as literal_parc

INPUTS = load_inputs()
# Inputs on which rounding treats all pairs of equal labels alike in the program.
WHOLE_TIES = [
    "n40_d64_k4",
    "k2_n150_d12",
    "nonneg_n500_d96_k8",
    "rankdef_n120_d17_k4",
    "singleton_n90_d9_k4",
    "regression_n240_d14_q2",
    "sklearn_breast_cancer",
]
SMALL = [name for name in INPUTS if len(INPUTS[name]["y"]) <= 240]
ROUNDING = 1e-9


def dissimilarities(X, Y):
    """Upper triangles of 1 - Pearson, from standardised features and label vectors."""
    Z = (X - X.mean(axis=0)) / np.where(X.std(axis=0) > 0, X.std(axis=0), 1)
    upper = np.triu_indices(len(X), 1)
    return (1 - np.corrcoef(Z))[upper], (1 - np.corrcoef(Y))[upper]


@pytest.mark.parametrize("name", WHOLE_TIES)
def test_published_values_are_reproduced_where_ties_are_whole(name):
    got = parc_score(INPUTS[name]["X"], INPUTS[name]["y"])
    assert got == pytest.approx(golden("parc")[name], rel=ROUNDING)


@pytest.mark.parametrize("name", sorted(set(golden("parc")) - set(WHOLE_TIES)))
def test_published_values_are_off_by_few_points_elsewhere(name):
    got = parc_score(INPUTS[name]["X"], INPUTS[name]["y"])
    assert 1e-3 < abs(got - golden("parc")[name]) < 3


@pytest.mark.parametrize("name", SMALL)
def test_score_is_that_of_the_definition(name):
    X, y = INPUTS[name]["X"].astype(float), INPUTS[name]["y"]
    assert parc_score(X, y) == pytest.approx(literal_parc(X, y), rel=1e-6)


def test_for_classes_it_is_a_mann_whitney_statistic():
    X, y = INPUTS["n200_d16_k5"]["X"], INPUTS["n200_d16_k5"]["y"]
    features, labels = dissimilarities(X, y[:, None] == np.arange(5))
    unlike = labels > 0.5
    n_unlike, n_like = unlike.sum(), (~unlike).sum()
    share = mannwhitneyu(features[unlike], features[~unlike]).statistic
    share /= n_unlike * n_like
    n = len(unlike)
    expected = (share - 0.5) * np.sqrt(12 * n_unlike * n_like / (n**2 - 1))
    assert parc_score(X, y) == pytest.approx(100 * expected, rel=1e-7)


def test_indicators_are_compared_by_their_correlation():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 5))
    Y = (X[:, :4] + 0.5 * rng.standard_normal((60, 4)) > 0).astype(int)
    kept = (Y.sum(axis=1) > 0) & (Y.sum(axis=1) < 4)
    X, Y = X[kept], Y[kept]
    features, labels = dissimilarities(X, Y)
    expected = 100 * spearmanr(features, np.round(labels, 10)).statistic
    assert parc_score(X, Y) == pytest.approx(expected, rel=1e-7)
    assert expected > 5


def test_rows_without_any_label_are_alike_and_unlike_all_others():
    rng = np.random.default_rng(1)
    X = np.vstack([rng.standard_normal((10, 3)) + c for c in ([9, 0, 0], [0, 9, 0])])
    Y = np.repeat([[0, 0, 0], [1, 0, 1]], 10, axis=0)
    as_classes = parc_score(X, np.repeat([0, 1], 10))
    assert parc_score(X, Y) == pytest.approx(as_classes)
    assert parc_score(X, Y) > 80


def test_one_hot_indicators_score_as_classes():
    X, y = INPUTS["imbalanced_n300_d20_k6"]["X"], INPUTS["imbalanced_n300_d20_k6"]["y"]
    one_hot = (y[:, None] == np.arange(6)).astype(int)
    assert parc_score(X, one_hot) == pytest.approx(parc_score(X, y), rel=ROUNDING)


@pytest.mark.parametrize("name", ["sklearn_iris", "imbalanced_n300_d20_k6"])
def test_codes_of_the_labels_do_not_matter(name):
    # They move the published value by up to three points.
    X, y = INPUTS[name]["X"], INPUTS[name]["y"]
    expected = parc_score(X, y)
    for seed in range(3):
        codes = np.random.default_rng(seed).permutation(50)[y] - 25
        assert parc_score(X, codes) == pytest.approx(expected, rel=ROUNDING)


def test_equal_rows_tie_in_any_order():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((8, 3))[rng.integers(8, size=60)]
    y = rng.integers(3, size=60)
    expected = parc_score(X, y)
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(60)
        assert parc_score(X[order], y[order]) == pytest.approx(expected, rel=1e-12)


def test_units_and_origins_of_features_do_not_matter():
    X, y = INPUTS["n200_d16_k5"]["X"], INPUTS["n200_d16_k5"]["y"]
    expected = parc_score(X, y)
    rng = np.random.default_rng(3)
    moved = X * rng.uniform(1e-6, 1e6, 16) + rng.uniform(-1e6, 1e6, 16)
    assert parc_score(moved, y) == pytest.approx(expected, rel=1e-6)
    single = (X + 10).astype(np.float32)
    assert parc_score(single, y) == pytest.approx(expected, abs=0.01)


def test_blocks_do_not_matter(monkeypatch):
    X, y = INPUTS["n200_d16_k5"]["X"], INPUTS["n200_d16_k5"]["y"]
    expected = parc_score(X, y)
    monkeypatch.setattr(module, "BLOCK_SIZE", 7 * 200)
    assert parc_score(X, y) == pytest.approx(expected, rel=1e-12)


def test_a_weight_counts_as_so_many_rows():
    X, y = INPUTS["k2_n150_d12"]["X"], INPUTS["k2_n150_d12"]["y"]
    times = np.arange(150) % 4
    weighted = parc_score(X, y, sample_weight=times)
    repeated = parc_score(np.repeat(X, times, axis=0), np.repeat(y, times))
    assert weighted == pytest.approx(repeated, rel=ROUNDING)
    halves = parc_score(X, y, sample_weight=np.full(150, 0.5))
    assert halves == pytest.approx(parc_score(X, y), rel=1e-4)


def test_a_sample_is_close_and_depends_on_the_seed_only():
    X, y = INPUTS["sklearn_digits"]["X"], INPUTS["sklearn_digits"]["y"]
    whole = parc_score(X, y)
    order = np.random.default_rng(4).permutation(len(y))
    seen = {}
    for seed in range(3):
        seen[seed] = parc_score(X, y, max_samples=400, random_state=seed)
        again = parc_score(X[order], y[order], max_samples=400, random_state=seed)
        assert again == pytest.approx(seen[seed], rel=1e-12)
        assert seen[seed] == pytest.approx(whole, abs=4)
    assert len(set(seen.values())) == 3
    assert parc_score(X, y, max_samples=400) == seen[0]


def test_batches_share_one_sample():
    X, y = INPUTS["sklearn_digits"]["X"], INPUTS["sklearn_digits"]["y"]
    metric = PARC(max_samples=100)
    for start in range(0, len(y), 500):
        metric.partial_fit(X[start : start + 500], y[start : start + 500])
    assert metric.score_ == pytest.approx(parc_score(X, y, max_samples=100))
    assert metric.n_samples_seen_ == len(y)


@pytest.mark.parametrize(
    ("X", "y"),
    [
        (np.ones((6, 3)), [0, 1] * 3),  # constant features
        (np.arange(6.0)[:, None], [0, 1] * 3),  # rows of one feature do not vary
        (np.eye(4, 3), list("abcd")),  # no two samples of a class
        (np.ones((1, 3)) * [[1], [2]], [0, 1]),  # a single pair
    ],
)
def test_pairs_that_are_all_alike_give_nan_with_a_reason(X, y):
    with pytest.warns(UndefinedMetricWarning, match="equally unlike"):
        assert np.isnan(parc_score(X, y))


def test_constant_features_are_left_out_of_the_standardisation():
    X, y = INPUTS["sklearn_iris"]["X"], INPUTS["sklearn_iris"]["y"]
    zeros = np.hstack([X - X.mean(axis=0), np.zeros((150, 1))])
    constant = np.hstack([X, np.full((150, 1), 1e9 / 7)])
    assert parc_score(constant, y) == pytest.approx(parc_score(zeros, y), rel=1e-7)


def test_inputs_are_not_overwritten():
    X = INPUTS["k2_n150_d12"]["X"].copy()
    before = X.copy()
    parc_score(X, INPUTS["k2_n150_d12"]["y"])
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("bound", [1, 0, 2.5, "all", True])
def test_bound_that_is_no_count_is_refused(bound):
    with pytest.raises(ValueError, match="'max_samples' to be None or a whole"):
        parc_score([[0.0], [1.0], [2.0]], [0, 1, 1], max_samples=bound)


def test_generators_are_refused_as_random_state():
    with pytest.raises(ValueError, match="'random_state' to be None or a whole"):
        parc_score([[0.0], [1.0]], [0, 1], random_state=np.random.RandomState(0))


def test_continuous_targets_are_refused():
    with pytest.raises(ValueError, match="regression"):
        parc_score([[0.0, 1.0], [1.0, 0.5], [2.0, 0.1]], [0.1, 0.2, 0.7])


def test_registered_by_name():
    assert repr(get_metric("parc", max_samples=99)) == (
        "PARC(max_samples=99, random_state=0)"
    )
    assert PARC(max_samples=99).invariances == frozenset()


def test_a_bounded_sample_gives_the_same_for_labels_of_any_names():
    X, y = load_iris(return_X_y=True)
    X = X + 1e-3 * np.random.default_rng(0).standard_normal(X.shape)  # no equal rows
    names = np.array(["rose", "anemone", "iris"])
    expected = parc_score(X, y, max_samples=60)
    assert parc_score(X, names[y], max_samples=60) == expected
