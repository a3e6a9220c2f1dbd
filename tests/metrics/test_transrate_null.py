"""What TransRate finds in unrelated labels, and scores from which it is taken."""

from __future__ import annotations

import numpy as np
import pytest

from sklearn_transrate.metrics import TransRate
from sklearn_transrate.metrics._transrate_kernels import Distortion, pooled_rates
from sklearn_transrate.metrics._transrate_null import expected_rate
from sklearn_transrate.statistics import ClassMoments, TargetMoments

ROUNDING = 1e-9


def noise(n_samples, n_features, n_classes=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features)) * np.linspace(0.1, 2, n_features)
    return X, np.arange(n_samples) % n_classes


@pytest.mark.parametrize("shape", [(60, 5), (40, 90)])
@pytest.mark.parametrize("eps", [0.01, 1.0])
def test_the_formula_is_that_of_the_hat_matrix(shape, eps):
    X, y = noise(*shape)
    n = len(X)
    Z = X - X.mean(axis=0)
    hat = Z @ np.linalg.solve(Z.T @ Z + n * eps * np.eye(Z.shape[1]), Z.T)
    expected = -0.5 * 3 * np.log1p(-np.trace(hat) / (n - 1))
    for kind in ("pooled", "class"):
        moments = ClassMoments.from_batch(X, y, scatter=kind)
        assert expected_rate(moments, eps) == pytest.approx(expected, rel=ROUNDING)
    targets = TargetMoments.from_batch(X, np.eye(4)[y])
    assert expected_rate(targets, eps) == pytest.approx(expected, rel=ROUNDING)


@pytest.mark.parametrize("shape", [(200, 20), (100, 300)])
def test_the_formula_is_the_mean_over_permutations(shape):
    X, y = noise(*shape)
    rng = np.random.default_rng(1)
    rates = []
    for _ in range(60):
        moments = ClassMoments.from_batch(X, rng.permutation(y), scatter="pooled")
        found = pooled_rates(moments, Distortion(1.0, "absolute", False))
        rates.append(found.total - found.classes[0])
    spread = np.std(rates) / np.sqrt(len(rates))
    # To first order only: a few per cent are left, as Jensen says.
    assert expected_rate(moments, 1.0) == pytest.approx(
        np.mean(rates), rel=0.05, abs=4 * spread
    )


@pytest.mark.parametrize("covariance", ["class", "pooled"])
@pytest.mark.parametrize("shape", [(120, 10), (80, 200)])
def test_permutations_take_away_what_noise_is_given(covariance, shape):
    X, y = noise(*shape)
    plain = TransRate(estimate="plug_in", covariance=covariance)
    corrected = TransRate(
        covariance=covariance, correction="permutation", random_state=0
    )
    assert abs(corrected.score(X, y)) < 0.3 * plain.score(X, y)


def test_what_is_subtracted_is_among_the_parts():
    X, y = noise(60, 5)
    for form in ({"covariance": "pooled", "correction": "analytic"},):
        metric = TransRate(**form).fit(X, y)
        plain = TransRate(covariance="pooled").fit(X, y)
        assert metric.parts_["correction"] > 0
        assert metric.score_ == pytest.approx(
            plain.score_ - metric.parts_["correction"]
        )


def test_permutations_of_wide_rows_are_scored_as_they_are():
    X, y = noise(30, 70)
    metric = TransRate(correction="permutation", random_state=3).fit(X, y)
    orders = np.random.RandomState(3)
    plain = TransRate(estimate="plug_in")
    rates = [plain.score(X, y[orders.permutation(30)]) for _ in range(5)]
    assert metric.parts_["correction"] == pytest.approx(np.mean(rates), rel=ROUNDING)


def test_permutations_repeat_with_a_seed():
    X, y = noise(50, 6)
    scores = {
        TransRate(correction="permutation", random_state=0).score(X, y)
        for _ in range(2)
    }
    assert len(scores) == 1


def test_the_protocol_can_be_corrected():
    X, y = noise(60, 8)
    metric = TransRate.from_form("protocol", correction="permutation", random_state=0)
    assert metric.score(X, y) < TransRate.from_form("protocol").score(X, y)


def test_the_formula_is_for_one_covariance():
    with pytest.raises(ValueError, match="covariance='pooled'"):
        TransRate(correction="analytic").score(*noise(30, 3))


def test_constant_features_stay_at_zero():
    X, y = np.ones((20, 3)), np.arange(20) % 2
    for correction in ("analytic", "permutation"):
        metric = TransRate(covariance="pooled", correction=correction, random_state=0)
        assert metric.score(X, y) == 0.0
