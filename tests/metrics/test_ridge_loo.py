"""Leave-one-out ridge: the closed form against fitting again without each row."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.special import log_softmax
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from sklearn_transrate.exceptions import UndefinedMetricWarning
from sklearn_transrate.metrics import RidgeLOO, get_metric, ridge_loo_score
from sklearn_transrate.statistics import ClassMoments, RowSample, TargetMoments
from tests.golden import load_inputs

INPUTS = load_inputs()
# Refitting solves other equations; small ridges leave it fewer digits.
REFIT = 1e-8
# The same sums in another order.
ROUNDING = 1e-9


def mean_eigenvalue(X, weights=None):
    """Mean eigenvalue of the scatter, each weighed by its share of the variance."""
    weights = np.ones(len(X)) if weights is None else weights
    Z = (X - np.average(X, axis=0, weights=weights)) * np.sqrt(weights)[:, None]
    s = np.linalg.svd(Z, compute_uv=False) ** 2
    return np.sum(s**2) / np.sum(s)


def refitted_predictions(X, Y, ridge, weights=None):
    """What ridge regression predicts for each row when fitted to the others."""
    predictions = np.empty_like(Y, dtype=float)
    for i in range(len(X)):
        left = np.ones(len(X)) if weights is None else weights.copy()
        left[i] -= min(left[i], 1.0)
        model = Ridge(alpha=ridge, solver="cholesky").fit(X, Y, sample_weight=left)
        predictions[i] = model.predict(X[i : i + 1]).reshape(-1)
    return predictions


def one_hot(y):
    return (y[:, None] == np.unique(y)).astype(float)


def blobs(n, d, n_classes, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % n_classes)
    means = rng.standard_normal((n_classes, d))
    return means[y] + rng.standard_normal((n, d)), y


@pytest.mark.parametrize("ridge", [1e-4, 1e-2, 1.0])
@pytest.mark.parametrize(("n", "d"), [(40, 5), (25, 60), (20, 20)])
def test_classes_are_predicted_as_by_refitting_without_each_row(n, d, ridge):
    X, y = blobs(n, d, 3)
    Y = one_hot(y)
    P = refitted_predictions(X, Y, ridge * mean_eigenvalue(X))
    accuracy = np.mean(P.argmax(axis=1) == y)
    r2 = 1 - np.sum((Y - P) ** 2) / np.sum((Y - Y.mean(axis=0)) ** 2)
    variance = np.mean((Y - P) ** 2)
    likelihood = np.mean(log_softmax(P / variance, axis=1)[np.arange(n), y])
    assert ridge_loo_score(X, y, ridges=ridge) == pytest.approx(accuracy)
    got = ridge_loo_score(X, y, ridges=ridge, output="r2")
    assert got == pytest.approx(r2, rel=REFIT)
    got = ridge_loo_score(X, y, ridges=ridge, output="log_likelihood")
    assert got == pytest.approx(likelihood, rel=REFIT)


@pytest.mark.parametrize(("n", "d"), [(30, 4), (15, 40)])
def test_values_are_predicted_as_by_refitting_without_each_row(n, d):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((n, d)) + 5.0
    Y = X[:, :2] @ rng.standard_normal((2, 3)) + rng.standard_normal((n, 3))
    P = refitted_predictions(X, Y, 0.01 * mean_eigenvalue(X))
    got = ridge_loo_score(X, Y, ridges=0.01)
    assert got == pytest.approx(r2_score(Y, P), rel=REFIT)
    got = ridge_loo_score(X, Y, ridges=0.01, output="log_likelihood")
    variances = np.mean((Y - P) ** 2, axis=0)
    densities = [
        np.mean(-0.5 * np.log(2 * np.pi * v) - (Y[:, k] - P[:, k]) ** 2 / (2 * v))
        for k, v in enumerate(variances)
    ]
    assert got == pytest.approx(np.mean(densities), rel=REFIT)


@pytest.mark.parametrize(("n", "d"), [(30, 4), (15, 40)])
def test_indicators_are_values_of_zero_and_one(n, d):
    rng = np.random.default_rng(2)
    X = rng.standard_normal((n, d))
    Y = (X[:, :3] + 0.5 * rng.standard_normal((n, 3)) > 0).astype(int)
    P = refitted_predictions(X, Y, 0.1 * mean_eigenvalue(X))
    got = ridge_loo_score(X, Y, ridges=0.1)
    assert got == pytest.approx(r2_score(Y, P), rel=REFIT)


@pytest.mark.parametrize(("n", "d"), [(30, 4), (15, 40)])
def test_weights_leave_out_one_unit_at_a_time(n, d):
    X, y = blobs(n, d, 3)
    weights = np.random.default_rng(3).uniform(0.2, 3.0, size=n)
    ridge = 0.01 * mean_eigenvalue(X, weights)
    Y = one_hot(y)
    P = refitted_predictions(X, Y, ridge, weights)
    mean = np.average(Y, axis=0, weights=weights)
    r2 = 1 - np.sum(weights @ (Y - P) ** 2) / np.sum(weights @ (Y - mean) ** 2)
    metric = RidgeLOO(ridges=0.01, output="r2")
    assert metric.score(X, y, weights) == pytest.approx(r2, rel=REFIT)


@pytest.mark.parametrize("output", ["accuracy", "r2", "log_likelihood"])
@pytest.mark.parametrize(("n", "d"), [(30, 4), (12, 40)])
def test_a_weight_of_two_counts_as_two_rows(n, d, output):
    X, y = blobs(n, d, 3)
    counts = 1 + np.arange(n) % 3
    weighted = ridge_loo_score(X, y, output=output, sample_weight=counts)
    repeated = ridge_loo_score(
        np.repeat(X, counts, axis=0), np.repeat(y, counts), output=output
    )
    assert weighted == pytest.approx(repeated, rel=1e-7)


def test_the_ridge_of_least_squared_error_is_used():
    X, y = blobs(60, 30, 4, seed=5)
    ridges = [1e-4, 1e-2, 1.0]
    r2 = {ridge: ridge_loo_score(X, y, output="r2", ridges=ridge) for ridge in ridges}
    metric = RidgeLOO(output="r2", ridges=ridges).fit(X, y)
    assert metric.parts_["ridge"] == max(r2, key=r2.get)
    assert metric.score_ == pytest.approx(max(r2.values()), rel=ROUNDING)


def test_each_value_has_a_ridge_of_its_own():
    rng = np.random.default_rng(6)
    X = rng.standard_normal((50, 20))
    Y = np.column_stack([X[:, 0], X[:, 0] + 5 * rng.standard_normal(50)])
    metric = RidgeLOO().fit(X, Y)
    alone = [RidgeLOO(task="regression").fit(X, Y[:, k]) for k in range(2)]
    assert metric.parts_["ridge"][0] < metric.parts_["ridge"][1]
    assert metric.score_ == pytest.approx(np.mean([m.score_ for m in alone]), rel=1e-9)


def test_units_of_the_values_do_not_matter():
    rng = np.random.default_rng(7)
    X = rng.standard_normal((40, 10))
    Y = X[:, :2] + rng.standard_normal((40, 2))
    assert ridge_loo_score(X, Y * [1e-12, 1e6]) == pytest.approx(
        ridge_loo_score(X, Y), rel=ROUNDING
    )


@pytest.mark.parametrize("name", INPUTS)
def test_the_thin_side_agrees_with_the_other_side(name):
    case = INPUTS[name]
    X, y = case["X"].astype(float), case["y"]
    wide = np.hstack([X, np.zeros((len(X), max(0, len(X) - X.shape[1])))])
    for output in ("accuracy", "r2", "log_likelihood"):
        dense = ridge_loo_score(X, y, output=output)
        # Where a tenth of rounding decides, the smallest ridges have 8 digits.
        assert ridge_loo_score(wide, y, output=output) == pytest.approx(dense, rel=1e-6)


@pytest.mark.parametrize("name", INPUTS)
def test_every_input_has_a_score_within_bounds(name):
    case = INPUTS[name]
    for output in ("accuracy", "r2", "log_likelihood"):
        metric = RidgeLOO(output=output)
        score = metric.score(case["X"], case["y"])
        assert metric.bounds[0] <= score <= metric.bounds[1]
        assert score <= 1.0


@pytest.mark.parametrize("output", ["accuracy", "r2", "log_likelihood"])
def test_scale_offset_and_single_precision_do_not_matter(output):
    X = INPUTS["n200_d16_k5"]["X"]
    y = INPUTS["n200_d16_k5"]["y"]
    expected = ridge_loo_score(X, y, output=output)
    for same in (X * 1e-6, X * 1e6, X + 1e4, -3.0 * X + 7.0):
        assert ridge_loo_score(same, y, output=output) == pytest.approx(
            expected, rel=1e-8
        )
    single = (X + 100.0).astype(np.float32)
    assert ridge_loo_score(single, y, output=output) == pytest.approx(
        expected, rel=2e-4
    )


@pytest.mark.parametrize("shape", [(200, 16), (40, 64)])
def test_rotations_do_not_matter(shape):
    X, y = blobs(*shape, 4)
    rng = np.random.default_rng(8)
    rotation = np.linalg.qr(rng.standard_normal((shape[1], shape[1])))[0]
    expected = ridge_loo_score(X, y, output="r2")
    assert ridge_loo_score(X @ rotation, y, output="r2") == pytest.approx(expected)


@pytest.mark.parametrize(
    "names", [["b", "a", "c", "d", "e"], [7, -3, 100, 0, 5], [(1, 2), None, 3, "x", 4]]
)
def test_names_of_labels_do_not_matter(names):
    X, y = INPUTS["n200_d16_k5"]["X"], INPUTS["n200_d16_k5"]["y"]
    named = [("label", names[k]) if names[k] is None else names[k] for k in y]
    for output in ("accuracy", "log_likelihood"):
        assert ridge_loo_score(X, named, output=output) == pytest.approx(
            ridge_loo_score(X, y, output=output), rel=ROUNDING
        )


def test_classes_that_tie_share_the_vote():
    # Without information every row is predicted to be of the most frequent classes.
    y = np.array([0] * 6 + [1] * 6 + [2] * 3)
    X = np.ones((15, 4))
    # Left out, a row of class 0 makes 1 the most frequent; one of 2 leaves a tie.
    assert ridge_loo_score(X, y) == 0.0
    y = np.array([0] * 6 + [1] * 5 + [2] * 5)
    # Left out, a row of class 0 leaves all three equal.
    assert ridge_loo_score(X.repeat(2, axis=0)[:16], y) == pytest.approx(6 / 3 / 16)


def test_noise_is_not_rewarded_for_being_wide():
    rng = np.random.default_rng(9)
    y = np.arange(100) % 5
    scores = [
        ridge_loo_score(rng.standard_normal((100, d)), y, output="r2")
        for d in (10, 100, 1000)
    ]
    assert max(scores) < 0.05


def test_singleton_class_counts_as_an_error():
    case = INPUTS["singleton_n90_d9_k4"]
    kept = case["y"] != 3
    full = ridge_loo_score(case["X"], case["y"])
    assert np.isfinite(full)
    assert full < 1
    alone = ridge_loo_score(case["X"][kept], case["y"][kept])
    assert full == pytest.approx(alone * 89 / 90, abs=2 / 90)


def test_only_singletons_are_never_predicted():
    X = np.random.default_rng(10).standard_normal((6, 3))
    assert ridge_loo_score(X, list("abcdef")) == 0.0


def test_batches_and_merges_change_nothing():
    X, y = INPUTS["k20_n400_d32"]["X"], INPUTS["k20_n400_d32"]["y"]
    whole = RidgeLOO(output="r2").fit(X, y)
    parts = [RidgeLOO(output="r2").fit(X[i::3], y[i::3]) for i in range(3)]
    merged = parts[0].merge(parts[1]).merge(parts[2])
    streamed = RidgeLOO(output="r2")
    for i in range(0, 400, 70):
        streamed.partial_fit(X[i : i + 70], y[i : i + 70])
    assert merged.score_ == pytest.approx(whole.score_, rel=ROUNDING)
    assert streamed.score_ == pytest.approx(whole.score_, rel=ROUNDING)


def test_statistics_kept_elsewhere_give_the_same_score():
    X, y = INPUTS["sklearn_iris"]["X"], INPUTS["sklearn_iris"]["y"]
    rows = RowSample.from_batch(X, y)
    per_class = ClassMoments.from_batch(X, y, scatter="class")
    assert RidgeLOO().evaluate([per_class, rows]).score == ridge_loo_score(X, y)
    values = X[:, :2]
    kept = [TargetMoments.from_batch(X[:, 2:], values)]
    kept.append(RowSample.from_batch(X[:, 2:], values))
    assert RidgeLOO().evaluate(kept).score == pytest.approx(
        ridge_loo_score(X[:, 2:], values), rel=ROUNDING
    )


def test_standard_error_is_that_of_a_share():
    metric = RidgeLOO().fit(INPUTS["sklearn_iris"]["X"], INPUTS["sklearn_iris"]["y"])
    share = metric.score_
    assert metric.std_error_ == pytest.approx(np.sqrt(share * (1 - share) / 150))


def test_inputs_are_not_overwritten():
    X, y = blobs(20, 30, 3)
    before = X.copy(), y.copy()
    ridge_loo_score(X, y)
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(y, before[1])


@pytest.mark.parametrize("y", [np.zeros(5), np.full(5, 0.3), np.full((5, 2), 1e9 / 7)])
def test_constant_targets_give_nan_with_a_reason(y):
    X = np.random.default_rng(0).standard_normal((5, 2))
    metric = RidgeLOO()
    with pytest.warns(UndefinedMetricWarning):
        assert np.isnan(metric.score(X, y))
    with pytest.warns(UndefinedMetricWarning):
        assert "reason" in metric.fit(X, y).parts_


def test_a_constant_target_beside_others_is_left_out():
    rng = np.random.default_rng(11)
    X = rng.standard_normal((30, 5))
    y = X[:, 0] + rng.standard_normal(30)
    both = np.column_stack([y, np.full(30, 7.1)])
    assert ridge_loo_score(X, both) == pytest.approx(ridge_loo_score(X, y))


def test_one_row_of_values_gives_nan_with_a_reason():
    with pytest.warns(UndefinedMetricWarning, match="one sample"):
        assert np.isnan(ridge_loo_score([[1.0, 2.0]], [0.5]))


def test_a_perfect_linear_target_has_a_finite_likelihood():
    X = np.random.default_rng(12).standard_normal((30, 4))
    score = ridge_loo_score(X, X[:, :2] @ [[1.0, 0.5], [0.2, 2.0]])
    assert 1 - 1e-9 < score <= 1
    assert np.isfinite(
        ridge_loo_score(X, X[:, 0] + 0.1, output="log_likelihood", task="regression")
    )


@pytest.mark.parametrize("ridges", [0.0, -1.0, [], [1.0, np.nan], np.inf])
def test_ridges_that_are_not_positive_are_refused(ridges):
    with pytest.raises(ValueError, match="'ridges' to be positive"):
        ridge_loo_score(*blobs(10, 2, 2), ridges=ridges)


def test_unknown_output_is_refused():
    with pytest.raises(ValueError, match="'output' to be one of"):
        ridge_loo_score(*blobs(10, 2, 2), output="recall")


def test_accuracy_of_values_is_refused():
    with pytest.raises(ValueError, match="class labels for output='accuracy'"):
        ridge_loo_score([[0.0], [1.0], [3.0]], [0.5, 1.5, 0.0], output="accuracy")


def test_registered_by_name():
    assert repr(get_metric("ridge_loo", ridges=0.1)) == "RidgeLOO(ridges=0.1)"


@settings(max_examples=50, deadline=None)
@given(
    n=st.integers(4, 25),
    d=st.integers(1, 25),
    n_classes=st.integers(2, 4),
    seed=st.integers(0, 1000),
    ridge=st.sampled_from([1e-3, 1e-1, 1.0]),
)
def test_closed_form_holds_for_any_shape(n, d, n_classes, seed, ridge):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, d)), rng.integers(n_classes, size=n)
    if len(np.unique(y)) < 2:
        y[0] = y[1] + 1
    X[:, : d // 3] = X[:, :1]
    Y = one_hot(y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the refit, where X is ill-conditioned
        P = refitted_predictions(X, Y, ridge * mean_eigenvalue(X))
    r2 = 1 - np.sum((Y - P) ** 2) / np.sum((Y - Y.mean(axis=0)) ** 2)
    got = ridge_loo_score(X, y, ridges=ridge, output="r2")
    assert got == pytest.approx(r2, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("n", "d"), [(60, 8), (20, 90)])
def test_sparse_features_score_as_dense_ones(n, d):
    rng = np.random.default_rng(20)
    X = rng.standard_normal((n, d)) * (rng.random((n, d)) < 0.3)
    y = np.arange(n) % 3
    X[:, 0] += y
    expected = ridge_loo_score(X, y)
    got = ridge_loo_score(sparse.csr_matrix(X), y)
    assert got == pytest.approx(expected, rel=1e-7)
