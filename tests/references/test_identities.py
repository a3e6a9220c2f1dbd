"""The definitions obey identities that do not come from any published program."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.covariance import ledoit_wolf_shrinkage

from tests.golden import load_inputs
from tests.references import etran, gbc, hscore, linear_probe, logme, ncti

# Two ways of computing one number differ by rounding only.
ROUNDING = 1e-9

INPUTS = load_inputs()


def test_log_evidence_is_a_gaussian_log_density():
    rng = np.random.default_rng(0)
    Z, t, alpha, beta = rng.standard_normal((12, 5)), rng.standard_normal(12), 0.7, 2.5
    covariance = np.eye(12) / beta + Z @ Z.T / alpha
    expected = multivariate_normal.logpdf(t, np.zeros(12), covariance)
    assert logme.log_evidence(Z, t, alpha, beta) == pytest.approx(expected, rel=1e-12)


def test_maximum_log_evidence_is_attained_where_it_says():
    case = INPUTS["sklearn_iris"]
    t = logme.target_columns(case["y"])[:, 1]
    best, alpha, beta = logme.maximum_log_evidence(case["X"], t)
    attained = logme.log_evidence(case["X"], t, alpha, beta)
    assert attained == pytest.approx(best, rel=ROUNDING)


def test_ledoit_wolf_shrinkage_agrees_with_scikit_learn():
    for name in ("n40_d64_k4", "sklearn_iris", "rankdef_n120_d17_k4"):
        X = INPUTS[name]["X"]
        expected = ledoit_wolf_shrinkage(X)
        assert hscore.ledoit_wolf_shrinkage(X) == pytest.approx(expected, rel=ROUNDING)


def test_leaving_one_out_agrees_with_the_hat_matrix():
    case = INPUTS["regression_n240_d14_q2"]
    X, T, penalty = case["X"], case["t"], 3.0
    centred = X - X.mean(axis=0)
    A = centred.T @ centred + penalty * np.eye(X.shape[1])
    hat = centred @ np.linalg.solve(A, centred.T) + 1 / len(X)
    residuals = (T - hat @ T) / (1 - np.diag(hat))[:, None]
    left_out = linear_probe.leave_one_out_predictions(X, T, penalty)
    np.testing.assert_allclose(T - left_out, residuals, rtol=ROUNDING, atol=1e-12)


def test_ridge_probe_separates_classes_on_an_axis():
    Z, y = np.array([[0.0], [0.1], [1.0], [1.1]]), np.array(["no", "no", "yes", "yes"])
    assert linear_probe.leave_one_out_accuracy(Z, y, 1e-3) == 1.0


def test_regression_score_is_zero_for_targets_in_the_span():
    Z = np.random.default_rng(1).standard_normal((30, 4))
    targets = Z @ np.array([[1.0, 0.0], [2.0, 1.0], [0.0, -1.0], [0.5, 0.5]])
    assert etran.regression_score(Z, targets) == pytest.approx(0, abs=1e-25)
    assert etran.regression_score(Z, targets + Z[:, :1] ** 2) < 0


def test_isotropic_coefficient_counts_the_log_term_once_a_dimension():
    # In one dimension there is nothing to count twice.
    case = INPUTS["n200_d16_k5"]
    one, y = case["X"][:, :1], case["y"]
    assert gbc.gbc_isotropic(one, y) == pytest.approx(gbc.gbc_spherical(one, y))
    assert gbc.gbc_isotropic(case["X"], y) > gbc.gbc_spherical(case["X"], y)


def test_scores_relative_to_other_models_take_zero_to_the_worst():
    parts = [[1.0, 0.2, 3.0], [2.0, 0.8, 1.0], [1.5, 0.5, 2.0]]
    np.testing.assert_allclose(ncti.combine_over_models(parts), [-1, 2, 0.5])
    combined = etran.combine_over_models([1.0, 3.0], [0.2, 0.1])
    np.testing.assert_allclose(combined, [0.85, 0.15])
