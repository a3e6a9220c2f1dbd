"""Leave-one-out neighbours: against the definition, published values and ties."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import r2_score
from sklearn.neighbors import KNeighborsRegressor

from sklearn_transrate.exceptions import UndefinedMetricWarning
from sklearn_transrate.metrics import (
    NearestNeighborsProbe,
    get_metric,
    nearest_neighbors_score,
)
from sklearn_transrate.metrics import _knn as module
from tests.golden import golden, load_inputs
from tests.references.nearest_neighbors import cosine, euclidean

INPUTS = load_inputs()
DISTANCES = {"cosine": cosine, "euclidean": euclidean}


def literal_accuracy(X, y, k, metric):
    """The vote of the k nearest others; ties go to the nearer voters, then half."""
    credits = []
    for i in range(len(X)):
        others = [(DISTANCES[metric](X[i], X[j]), j) for j in range(len(X)) if j != i]
        votes, reach = defaultdict(int), defaultdict(float)
        for distance, j in sorted(others)[:k]:
            votes[y[j]] += 1
            # Cosine distances are half the squared distances of unit rows.
            reach[y[j]] += distance if metric == "cosine" else distance**2
        best = [c for c in votes if votes[c] == max(votes.values())]
        nearest = min(reach[c] for c in best)
        winners = [c for c in best if np.isclose(reach[c], nearest, rtol=1e-9)]
        credits.append(winners.count(y[i]) / len(winners))
    return np.mean(credits)


def without_equal_distances(name):
    return name not in {"sklearn_digits", "sklearn_iris", "sklearn_wine"}


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("k", [1, 4, 5])
@pytest.mark.parametrize(
    "name",
    ["n200_d16_k5", "n40_d64_k4", "imbalanced_n300_d20_k6", "nonneg_n500_d96_k8"],
)
def test_vote_is_that_of_the_definition(name, k, metric):
    X, y = INPUTS[name]["X"], INPUTS[name]["y"]
    expected = literal_accuracy(X, y, k, metric)
    got = nearest_neighbors_score(X, y, n_neighbors=k, metric=metric)
    assert got == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", golden("knn1_loo_percent"))
def test_one_neighbour_gives_the_published_values(name):
    X, y = INPUTS[name]["X"], INPUTS[name]["y"]
    got = nearest_neighbors_score(X, y, n_neighbors=1, metric="euclidean")
    published = golden("knn1_loo_percent")[name] / 100
    # The two nearest rows may be equally far in data of few distinct values.
    slack = 1e-12 if without_equal_distances(name) else 2 / len(y)
    assert got == pytest.approx(published, abs=slack)


# For two classes the program returns the F1 of one of them, not the accuracy.
MANY_CLASSES = [n for n in golden("knn3_loo_f1micro") if max(INPUTS[n]["y"]) > 1]


@pytest.mark.parametrize("name", MANY_CLASSES)
def test_three_neighbours_differ_from_the_published_values_in_ties_only(name):
    X, y = INPUTS[name]["X"].astype(float), INPUTS[name]["y"]
    squares = np.sum((X[:, None] - X) ** 2, axis=2)
    np.fill_diagonal(squares, np.inf)
    order = np.sort(squares, axis=1)
    voters = y[np.argsort(squares, axis=1)[:, :3]]
    three_labels = [len(set(labels)) == 3 for labels in voters.tolist()]
    equal = np.isclose(order[:, 2], order[:, 3], rtol=1e-12)
    tied = np.sum(three_labels | equal)
    got = nearest_neighbors_score(X, y, n_neighbors=3, metric="euclidean")
    published = golden("knn3_loo_f1micro")[name]  # single precision
    assert abs(got - published) <= tied / len(y) + 1e-6


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_values_are_predicted_by_the_mean_of_the_neighbours(metric):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4))
    Y = X[:, :2] + rng.standard_normal((60, 2))
    predictions = []
    for i in range(60):
        kept = np.arange(60) != i
        model = KNeighborsRegressor(7, metric=metric).fit(X[kept], Y[kept])
        predictions.append(model.predict(X[[i]])[0])
    got = nearest_neighbors_score(X, Y, n_neighbors=7, metric=metric)
    assert got == pytest.approx(r2_score(Y, predictions), rel=1e-9)


def test_indicators_are_values_of_zero_and_one():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((40, 3))
    Y = (X[:, :2] > 0).astype(int)
    got = nearest_neighbors_score(X, Y, metric="euclidean")
    assert got == nearest_neighbors_score(X, Y, metric="euclidean", task="regression")
    assert got > 0.3


def test_equally_many_votes_go_to_the_nearer_label():
    X = np.array([[0.0], [1.0], [3.0], [10.0], [10.5]])
    # Two neighbours of the first row: the label at 1 wins over the label at 3.
    y = ["near", "near", "far", "far", "far"]
    for renamed in (y, [{"near": "z", "far": "a"}[label] for label in y]):
        got = nearest_neighbors_score(X, renamed, n_neighbors=2, metric="euclidean")
        # 0: near wins. 1: near (at 1) wins over far (at 2). 2: {1, 0} are near: wrong.
        # 3: {4 far, 2 far}; 4: {3 far, 2 far}.
        assert got == pytest.approx(4 / 5)


def test_labels_that_tie_in_all_respects_share_the_credit():
    X = np.array([[0.0, 1.0], [0.0, -1.0], [0.0, 0.0]])
    y = ["a", "b", "a"]
    # The row in the middle has a and b at the same distance; the first row finds the
    # middle nearer, the second too.
    got = nearest_neighbors_score(X, y, n_neighbors=2, metric="euclidean")
    assert got == pytest.approx((1.0 + 0.0 + 0.5) / 3)


def test_rows_as_far_as_the_last_neighbour_share_its_vote():
    # Around the first row, at equal distance: one of its class and two of the other.
    X = np.array([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    y = np.array([0, 0, 1, 1])
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]):
        metric = NearestNeighborsProbe(n_neighbors=1, metric="euclidean")
        # Row 0 sees a third of its class: the other class wins. All others are
        # nearest to row 0.
        assert metric.score(X[order], y[order]) == pytest.approx(1 / 4)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_order_of_rows_and_names_of_labels_do_not_matter(metric):
    rng = np.random.default_rng(2)
    X = rng.integers(1, 4, size=(80, 2)).astype(float)  # many ties
    y = rng.integers(4, size=80)
    expected = nearest_neighbors_score(X, y, metric=metric)
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(80)
        names = np.random.default_rng(seed).permutation(["d", "zebra", "a", "cat"])
        got = nearest_neighbors_score(X[order], names[y[order]], metric=metric)
        assert got == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("name", INPUTS)
def test_blocks_do_not_matter(name, metric, monkeypatch):
    X, y = INPUTS[name]["X"], INPUTS[name]["y"]
    expected = nearest_neighbors_score(X, y, metric=metric)
    monkeypatch.setattr(module, "BLOCK_SIZE", 7 * len(X))
    got = nearest_neighbors_score(X, y, metric=metric)
    assert got == pytest.approx(expected, abs=1e-12)


def test_single_precision_with_an_offset_does_not_collapse():
    X, y = INPUTS["n200_d16_k5"]["X"], INPUTS["n200_d16_k5"]["y"]
    moved = (X + 1e4).astype(np.float32)
    expected = nearest_neighbors_score(X, y, n_neighbors=1, metric="euclidean")
    got = nearest_neighbors_score(moved, y, n_neighbors=1, metric="euclidean")
    assert expected == pytest.approx(0.87)
    assert got == pytest.approx(expected, abs=0.02)
    # The angles of these rows differ by less than single precision can tell.
    moved = moved.astype(np.float64)
    literal = literal_accuracy(moved - moved.mean(axis=0) + 1e4, y, 5, "cosine")
    got = nearest_neighbors_score(moved, y)
    assert got == pytest.approx(literal, abs=0.02)


def test_a_large_offset_takes_no_digits_from_angles():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((40, 5))
    X = np.round(X * 2.0**20) / 2.0**20 + 2.0**20
    y = rng.integers(3, size=40)
    units = X / np.linalg.norm(X, axis=1, keepdims=True)
    gaps = np.sum((units[:, None].astype(np.longdouble) - units) ** 2, axis=2)
    np.fill_diagonal(gaps, np.inf)
    expected = np.mean(y[np.argmin(gaps, axis=1)] == y)
    assert nearest_neighbors_score(X, y, n_neighbors=1) == pytest.approx(expected)


@pytest.mark.parametrize("scale", [1e-160, 1e-6, 1e6, 1e160])
def test_scale_does_not_matter(scale):
    X, y = INPUTS["k2_n150_d12"]["X"], INPUTS["k2_n150_d12"]["y"]
    for metric in ("cosine", "euclidean"):
        if metric == "euclidean" and scale in (1e-160, 1e160):
            continue  # their squares leave the range of floats
        got = nearest_neighbors_score(scale * X, y, metric=metric)
        assert got == nearest_neighbors_score(X, y, metric=metric)


def test_zero_rows_are_at_right_angles_to_all_others():
    X = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [1.0, 0.1], [-1.0, 0.0]])
    y = ["zero", "zero", "right", "right", "left"]
    # The left row is nearest to the zero rows: opposite rows are farther.
    got = nearest_neighbors_score(X, y, n_neighbors=1)
    assert got == pytest.approx(4 / 5)


def test_constant_features_give_the_vote_of_all():
    X = np.ones((10, 3))
    y = np.array([0] * 7 + [1] * 3)
    for metric in ("cosine", "euclidean"):
        assert nearest_neighbors_score(X, y, metric=metric) == pytest.approx(0.7)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("values", [False, True])
def test_a_weight_counts_as_so_many_rows(metric, values):
    rng = np.random.default_rng(4)
    X, times = rng.standard_normal((40, 3)), rng.integers(0, 4, size=40)
    y = X[:, :2] + 0.1 * rng.standard_normal((40, 2))
    y = y if values else (y[:, 0] > 0).astype(int)
    weighted = nearest_neighbors_score(X, y, metric=metric, sample_weight=times)
    repeated = nearest_neighbors_score(
        np.repeat(X, times, axis=0), np.repeat(y, times, axis=0), metric=metric
    )
    assert weighted == pytest.approx(repeated, rel=1e-9)


def test_fractional_weights_interpolate():
    X, y = INPUTS["k2_n150_d12"]["X"], INPUTS["k2_n150_d12"]["y"]
    ones = nearest_neighbors_score(X, y, sample_weight=np.ones(150))
    close = nearest_neighbors_score(X, y, sample_weight=np.full(150, 1 - 1e-9))
    assert ones == nearest_neighbors_score(X, y)
    assert close == pytest.approx(ones)


def test_singletons_cannot_win_their_own_vote():
    X = np.random.default_rng(5).standard_normal((6, 2))
    assert nearest_neighbors_score(X, list("abcdef")) == 0.0


def test_fewer_rows_than_neighbours_all_vote():
    X, y = [[0.0], [1.0], [5.0]], ["a", "a", "b"]
    many = nearest_neighbors_score(X, y, n_neighbors=50, metric="euclidean")
    assert many == nearest_neighbors_score(X, y, n_neighbors=2, metric="euclidean")


def test_standard_error_is_that_of_a_share():
    case = INPUTS["k2_n150_d12"]
    probe = NearestNeighborsProbe().fit(case["X"], case["y"])
    share = probe.score_
    assert probe.std_error_ == pytest.approx(np.sqrt(share * (1 - share) / 150))


def test_evaluation_of_kept_rows_finds_the_task_by_itself():
    rng = np.random.default_rng(6)
    X = rng.standard_normal((30, 3))
    for y in (X[:, 0], X[:, :2], (X[:, :2] > 0).astype(int), rng.integers(3, size=30)):
        probe = NearestNeighborsProbe()
        rows = probe.required_statistics()["rows"].from_batch(X, y)
        assert probe.evaluate(rows).score == probe.score(X, y)


def test_constant_targets_give_nan_with_a_reason():
    X = np.random.default_rng(7).standard_normal((5, 2))
    with pytest.warns(UndefinedMetricWarning, match="constant"):
        assert np.isnan(nearest_neighbors_score(X, np.full(5, 0.3)))


def test_one_row_gives_nan_with_a_reason():
    with pytest.warns(UndefinedMetricWarning, match="one sample"):
        assert np.isnan(nearest_neighbors_score([[1.0, 2.0]], [0.5]))


def test_inputs_are_not_overwritten():
    X = np.array([[3.0, 4.0], [0.0, 0.0], [1.0, 1.0]])
    before = X.copy()
    nearest_neighbors_score(X, [0, 1, 0])
    nearest_neighbors_score(X, [0, 1, 0], metric="euclidean")
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("k", [0, -1, 2.5, "five", None, True])
def test_number_of_neighbours_that_is_no_count_is_refused(k):
    with pytest.raises(ValueError, match="'n_neighbors' to be a positive whole"):
        nearest_neighbors_score([[0.0], [1.0]], [0, 1], n_neighbors=k)


def test_unknown_metric_is_refused():
    with pytest.raises(ValueError, match="'metric' to be one of"):
        nearest_neighbors_score([[0.0], [1.0]], [0, 1], metric="l1")


def test_registered_by_name():
    probe = get_metric("nearest_neighbors", n_neighbors=3)
    assert repr(probe) == "NearestNeighborsProbe(n_neighbors=3)"
    assert probe.invariances == {"padding", "rotation", "scale"}
    assert "translation" in NearestNeighborsProbe(metric="euclidean").invariances


@pytest.mark.parametrize(("n", "d"), [(60, 8), (20, 90)])
def test_sparse_features_score_as_dense_ones(n, d):
    rng = np.random.default_rng(20)
    X = rng.standard_normal((n, d)) * (rng.random((n, d)) < 0.3)
    y = np.arange(n) % 3
    X[:, 0] += y
    expected = nearest_neighbors_score(X, y)
    got = nearest_neighbors_score(sparse.csr_matrix(X), y)
    assert got == pytest.approx(expected, rel=1e-7)
