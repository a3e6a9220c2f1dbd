"""Closed-form influence against derivatives by the rows' weights, and the jackknife."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_iris, make_classification

from sklearn_transrate import TransRate, get_metric, get_metric_names
from sklearn_transrate.metrics import HScore, LogME, RidgeLOO
from sklearn_transrate.uncertainty import jackknife, pseudo_values, standard_error

# Central differences of a step h are off by O(h^2) and by rounding over h.
STEP = 1e-4
NUMERICAL = {"rtol": 2e-5, "atol": 2e-6}

FORMS = {
    "default": TransRate(),
    "no_rank": TransRate(normalize=None),
    "by_width": TransRate(normalize="n_features"),
    "uniform": TransRate(class_weight="uniform"),
    "absolute": TransRate(eps=0.3),
    "trace": TransRate(eps=0.02, eps_unit="trace"),
    "mean_eigenvalue": TransRate(eps=0.3, eps_unit="mean_eigenvalue"),
    "listing": TransRate.from_form("listing"),
    "definition": TransRate.from_form("definition", eps=0.1),
    "pooled": TransRate(covariance="pooled"),
    "pooled_absolute": TransRate(covariance="pooled", eps=0.3, normalize=None),
    "protocol": TransRate.from_form("protocol", eps=0.01),
    "protocol_uniform": TransRate.from_form("protocol", class_weight="uniform"),
    "protocol_absolute": TransRate(row_norm="l2", eps=0.01),
    "protocol_pooled": TransRate(row_norm="l2", covariance="pooled"),
    "projected": TransRate.from_form("projected", eps=0.01),
    "projected_auto": TransRate(projection="between"),
    "projected_uniform": TransRate(projection="between", class_weight="uniform"),
    "projected_absolute": TransRate(projection="between", eps=0.1, normalize=None),
    "projected_units": TransRate(projection="between", row_norm="l2"),
    "predictive": TransRate.from_form("predictive"),
    "predictive_fixed": TransRate.from_form("predictive", eps=0.5),
}
LINEAR = {
    "h_score": HScore(),
    "h_score_fixed": HScore(shrinkage=0.3),
    "h_score_chosen": HScore(shrinkage="ledoit_wolf"),
    "logme": LogME(),
}
VALUES = {
    "logme": LogME(),
    "default": TransRate(),
    "absolute": TransRate(eps=0.3),
    "protocol": TransRate.from_form("protocol", eps=0.01),
}
SHAPES = {"long": (60, 5), "wide": (24, 40)}


def classes(n_samples, n_features):
    return make_classification(
        n_samples=n_samples,
        n_features=n_features,
        n_informative=4,
        n_redundant=0,
        n_classes=3,
        n_clusters_per_class=1,
        class_sep=0.5,
        flip_y=0.2,
        weights=[0.5, 0.3, 0.2],
        shift=0.5,
        random_state=1,
    )


def numerical(metric, X, y, weights):
    """Derivatives of the score by each row's weight, times the total weight."""
    slopes = np.empty(len(X))
    for i in range(len(X)):
        scores = []
        for step in (STEP, -STEP):
            moved = weights.copy()
            moved[i] += step
            scores.append(metric.score(X, y, sample_weight=moved))
        slopes[i] = (scores[0] - scores[1]) / (2.0 * STEP)
    return weights.sum() * slopes


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("name", {**FORMS, **LINEAR})
def test_closed_form_is_the_derivative(name, weighted, shape):
    metric = {**FORMS, **LINEAR}[name]
    if shape == "wide" and name in ("h_score",):
        pytest.skip("at its bound whatever the weights")
    X, y = classes(*SHAPES[shape])
    weights = np.ones(len(X))
    if weighted:
        weights = np.random.default_rng(0).uniform(0.5, 2.0, len(X))
    found = metric.fit(X, y, sample_weight=weights).influence(X, y)
    if name == "logme" and np.isnan(found).any():
        assert shape == "wide"
        pytest.skip("a perfect fit: rounding decides")
    expected = numerical(metric, X, y, weights)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found / scale, expected / scale, **NUMERICAL)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["regression", "multilabel"])
@pytest.mark.parametrize("name", VALUES)
def test_so_it_is_for_values_and_indicators(name, kind, shape):
    metric = VALUES[name]
    X, _ = classes(*SHAPES[shape])
    rng = np.random.default_rng(0)
    y = X[:, :2] + rng.standard_normal((len(X), 2))
    if kind == "multilabel":
        y = (y > 0.3).astype(int)
    weights = rng.uniform(0.5, 2.0, len(X))
    found = metric.fit(X, y, sample_weight=weights).influence(X, y)
    if name == "logme" and np.isnan(found).any():
        assert shape == "wide"
        pytest.skip("a perfect fit: rounding decides")
    expected = numerical(metric, X, y, weights)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found / scale, expected / scale, **NUMERICAL)


@pytest.mark.parametrize("name", {**FORMS, **LINEAR})
def test_the_standard_error_is_that_of_leaving_rows_out(name):
    metric = {**FORMS, **LINEAR}[name]
    X, y = classes(400, 5)
    closed = standard_error(metric, X, y, method="influence")
    resampled = jackknife(metric, X, y, n_blocks=len(X)).std_error
    # They agree up to terms in 1 / n.
    assert closed == pytest.approx(resampled, rel=0.08)


def test_columns_of_zeros_have_no_influence():
    X, y = classes(60, 5)
    padded = np.hstack([X, np.zeros((60, 3))])
    for metric in (TransRate(), LogME(), HScore(), TransRate.from_form("predictive")):
        plain = pseudo_values(metric, X, y)
        np.testing.assert_allclose(pseudo_values(metric, padded, y), plain, rtol=1e-9)


@pytest.mark.parametrize("name", ["default", "protocol", "predictive", "logme"])
def test_batches_have_the_influence_of_the_whole(name):
    metric = {**FORMS, **LINEAR}[name]
    X, y = classes(90, 5)
    for start in range(0, 90, 30):
        metric.fit(X[:30], y[:30]) if start == 0 else metric.partial_fit(
            X[start : start + 30], y[start : start + 30]
        )
    whole = metric.influence(X, y)
    parts = [metric.influence(X[i : i + 40], y[i : i + 40]) for i in range(0, 90, 40)]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["default", "pooled", "h_score_chosen", "logme"])
def test_sparse_rows_are_rows(name):
    metric = {**FORMS, **LINEAR}[name]
    X, y = classes(60, 5)
    X[np.abs(X) < 0.5] = 0.0
    dense = pseudo_values(metric, X, y)
    found = pseudo_values(metric, sparse.csr_array(X), y)
    np.testing.assert_allclose(found, dense, rtol=1e-9)


@pytest.mark.parametrize("name", ["default", "protocol", "h_score", "logme"])
def test_labels_may_be_words(name):
    metric = {**FORMS, **LINEAR}[name]
    X, y = classes(60, 5)
    words = np.array(["c", "a", "b"])[y]
    np.testing.assert_allclose(
        metric.fit(X, words).influence(X, words), metric.fit(X, y).influence(X, y)
    )


def test_scaling_the_weights_changes_nothing():
    X, y = classes(60, 5)
    weights = np.random.default_rng(0).uniform(0.5, 2.0, 60)
    for metric in (TransRate.from_form("relative"), HScore()):
        one, other = (
            standard_error(metric, X, y, sample_weight=scale * weights)
            for scale in (1.0, 10.0)
        )
        assert one == pytest.approx(other)


def test_a_score_at_its_bound_does_not_move():
    X, y = classes(24, 40)
    with pytest.warns(match="at its bound"):
        values = pseudo_values(HScore(), X, y)
    np.testing.assert_allclose(values, 2.0)


def test_constant_features_do_not_move():
    X, y = np.ones((20, 3)), np.arange(20) % 2
    for metric in (TransRate(), HScore(shrinkage="ledoit_wolf")):
        assert np.all(metric.fit(X, y).influence(X, y) == 0.0)


def test_a_perfect_fit_has_no_error_that_could_be_told():
    X, y = np.eye(6), np.arange(6) % 2
    fine = 1e3 * np.eye(6)[:, :2] + np.eye(2)[y]
    assert np.isnan(standard_error(LogME(task="regression"), fine, fine[:, 0]))
    assert np.isfinite(standard_error(LogME(), X[:, :2], y))


def test_every_metric_has_a_standard_error():
    X, y = load_iris(return_X_y=True)
    for name in get_metric_names():
        metric = get_metric(name)
        if metric.inputs != "features" or not metric._has_influence:
            continue
        assert 0.0 < standard_error(metric, X, y) < np.inf, name


def test_without_closed_form_the_jackknife_is_named():
    X, y = load_iris(return_X_y=True)
    metric = RidgeLOO().fit(X, y)
    with pytest.raises(ValueError, match="no closed form"):
        metric.influence(X, y)
    with pytest.raises(ValueError, match="no closed form"):
        pseudo_values(metric, X, y, method="influence")
    assert len(pseudo_values(metric, X, y, n_blocks=10)) == 10


def test_it_comes_after_fit_and_of_the_same_kind_of_rows():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="not fitted"):
        TransRate().influence(X, y)
    metric = TransRate().fit(X[:100], y[:100])
    with pytest.raises(ValueError, match="labels that were seen in fit, got 2"):
        metric.influence(X, y)
    with pytest.raises(ValueError, match="expecting 4 features"):
        metric.influence(X[:100, :3], y[:100])
    wide = sparse.csr_array(sparse.random(10, 40, density=0.3, random_state=0))
    turned = TransRate().fit(wide, y[40:60:2])
    with pytest.raises(ValueError, match="turned the axes"):
        turned.influence(wide, y[40:60:2])
