"""Curves over the distortion: the score at each point, in every form."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sklearn_transrate.metrics import TransRate

# Eigenvalues against Cholesky factors and SVDs: what rounding leaves of either.
AGREEMENT = 1e-9
FORMS = {
    "relative": TransRate.from_form("relative"),
    "listing": TransRate.from_form("listing"),
    "definition": TransRate.from_form("definition"),
    "protocol": TransRate.from_form("protocol"),
    "projected": TransRate.from_form("projected"),
    "predictive": TransRate.from_form("predictive"),
    "pooled": TransRate(covariance="pooled"),
    "shrunk": TransRate(covariance=0.5),
    "corrected": TransRate.from_form("corrected"),
    "by width": TransRate(normalize="n_features"),
    "unit rows, pooled": TransRate(row_norm="l2", covariance="pooled"),
}
# Dense, thin, and classes of either kind, with a dead column.
SHAPES = [(90, 6), (20, 40), (40, 15)]


def features(n, d, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.choice(3, size=n, p=[0.6, 0.3, 0.1])
    y[:6] = [0, 1, 2, 0, 1, 2]
    X = rng.standard_normal((n, d)) * np.linspace(0.3, 2, d) + y[:, None]
    X[:, -1] = 7.0
    return X, y


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("unit", ["absolute", "trace", "mean_eigenvalue"])
def test_each_point_is_the_score_at_that_distortion(form, unit, shape):
    X, y = features(*shape)
    metric = clone(FORMS[form]).fit(X, y)
    eps = np.array([1e-3, 0.5, 3e-2])
    curve = metric.eps_curve(eps, eps_unit=unit)
    single = clone(metric)
    if metric.estimate == "leave_one_out":
        # This form takes absolute distortions only.
        sizes = np.linalg.eigvalsh(np.cov(X.T, bias=True))
        mean = sizes.sum() / np.linalg.matrix_rank(np.cov(X.T))
        scale = {"absolute": 1.0, "trace": sizes.sum(), "mean_eigenvalue": mean}[unit]
        alone = [clone(metric).set_params(eps=e * scale).score(X, y) for e in eps]
    else:
        alone = [single.set_params(eps=e, eps_unit=unit).score(X, y) for e in eps]
    np.testing.assert_allclose(curve.scores, alone, rtol=AGREEMENT, atol=1e-13)
    assert curve.eps.tolist() == eps.tolist()
    assert curve.eps_unit == unit


@pytest.mark.parametrize("form", FORMS)
def test_the_default_stands_where_the_metric_itself_is(form):
    X, y = features(60, 8)
    metric = clone(FORMS[form]).fit(X, y)
    curve = metric.eps_curve()
    assert len(curve.eps) == 50
    at_default = metric.eps_curve([curve.default_eps])
    assert at_default.scores[0] == pytest.approx(metric.score_, rel=AGREEMENT)
    for unit in ("absolute", "trace", "mean_eigenvalue"):
        own = metric.eps_curve([1.0], eps_unit=unit).default_eps
        same = metric.eps_curve([own], eps_unit=unit)
        assert same.scores[0] == pytest.approx(metric.score_, rel=AGREEMENT)


def test_values_as_targets_have_a_curve():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 5))
    y = X @ rng.standard_normal((5, 2)) + rng.standard_normal((50, 2))
    metric = TransRate(normalize=None).fit(X, y)
    curve = metric.eps_curve([0.1])
    assert curve.scores[0] == pytest.approx(metric.score_, rel=AGREEMENT)


def test_weighted_rows_have_the_curve_of_repeated_ones():
    X, y = features(40, 5)
    weights = np.arange(40) % 3
    weighted = TransRate.from_form("relative").fit(X, y, weights).eps_curve().scores
    repeated = TransRate.from_form("relative").fit(
        np.repeat(X, weights, 0), np.repeat(y, weights)
    )
    np.testing.assert_allclose(weighted, repeated.eps_curve().scores, rtol=AGREEMENT)


def test_a_stream_has_the_curve_of_the_whole():
    X, y = features(70, 8)
    metric = TransRate.from_form("relative")
    for rows in np.array_split(np.arange(70), 6):
        metric.partial_fit(X[rows], y[rows])
    whole = TransRate.from_form("relative").fit(X, y).eps_curve().scores
    np.testing.assert_allclose(metric.eps_curve().scores, whole, rtol=AGREEMENT)
    assert metric.score_ == pytest.approx(
        TransRate.from_form("relative").score(X, y), rel=AGREEMENT
    )


@pytest.mark.parametrize("unit", [None, "absolute", "trace"])
def test_constant_features_score_zero_everywhere(unit):
    metric = TransRate.from_form("relative").fit(np.ones((6, 3)), [0, 0, 0, 1, 1, 1])
    curve = metric.eps_curve(eps_unit=unit)
    assert curve.scores.tolist() == [0.0] * 50


def test_finer_coding_takes_more_nats():
    X, y = features(60, 8)
    curve = TransRate.from_form("definition").fit(X, y).eps_curve()
    assert (np.diff(curve.eps) > 0).all()
    assert (np.diff(curve.scores) < 0).all()


@pytest.mark.parametrize("eps", [[0.0], [-1.0], [np.nan], [np.inf], 0.1, [[0.1]]])
def test_distortions_that_are_none_are_refused(eps):
    metric = TransRate.from_form("relative").fit(*features(20, 3))
    with pytest.raises(ValueError, match="Expected 'eps' as a 1-d array of positive"):
        metric.eps_curve(eps)


def test_unknown_units_are_refused():
    with pytest.raises(ValueError, match="Expected 'eps_unit' to be one of"):
        TransRate.from_form("relative").fit(*features(20, 3)).eps_curve(eps_unit="nats")


def test_a_metric_without_data_has_no_curve():
    with pytest.raises(NotFittedError):
        TransRate.from_form("relative").eps_curve()
