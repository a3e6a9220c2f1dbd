"""The coding rate: its definition, its limits, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_transrate.metrics import coding_rate
from sklearn_transrate.metrics._coding_rate import rate_of_spectrum
from tests.references import transrate as definition

CLOSED_FORM = 1e-9
# The definition subtracts log-determinants that agree in their first digits.
CANCELLATION = 1e-13


def features(seed, n, d):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) * np.linspace(0.1, 2.0, d) + 3.0


@given(
    st.integers(0, 2**16), st.integers(2, 30), st.integers(1, 30), st.floats(1e-4, 1e2)
)
def test_definition_gives_the_same_about_the_mean_and_about_the_origin(seed, n, d, eps):
    X = features(seed, n, d)
    for centred, Z in [(False, X - X.mean(axis=0)), (True, X)]:
        rate = coding_rate(X, eps=eps, assume_centered=centred)
        expected = definition.coding_rate(Z, eps)
        assert rate == pytest.approx(expected, rel=CLOSED_FORM, abs=CANCELLATION * d)


@pytest.mark.parametrize("shape", [(40, 5), (5, 40), (12, 12)])
def test_spectrum_gives_the_same(shape):
    X = features(0, *shape)
    eigenvalues = np.linalg.eigvalsh(np.cov(X.T, bias=True)).clip(0)
    expected = rate_of_spectrum(eigenvalues, 0.3)
    assert coding_rate(X, eps=0.3) == pytest.approx(expected, rel=CLOSED_FORM)


@pytest.mark.parametrize("shape", [(40, 5), (5, 40)])
def test_auto_is_a_tenth_of_the_mean_non_zero_eigenvalue(shape):
    X = features(0, *shape)
    covariance = np.cov(X.T, bias=True)
    rank = np.linalg.matrix_rank(covariance)
    eps = 0.1 * np.trace(covariance) / rank
    expected = coding_rate(X, eps=eps)
    assert coding_rate(X) == pytest.approx(expected, rel=CLOSED_FORM)


@given(st.integers(0, 2**16), st.floats(1e-6, 1e6))
def test_auto_does_not_see_the_scale(seed, scale):
    X = features(seed, 12, 5)
    assert coding_rate(scale * X) == pytest.approx(coding_rate(X), rel=CLOSED_FORM)


def test_units_of_features_are_squared_units_of_the_distortion():
    X = features(0, 20, 4)
    scaled = coding_rate(10.0 * X, eps=100.0)
    assert scaled == pytest.approx(coding_rate(X, eps=1.0), rel=CLOSED_FORM)


def test_one_feature_of_known_variance():
    # (1/2) log(1 + variance / eps), with variance 1 and eps 1.
    assert coding_rate([[-1.0], [1.0]], eps=1.0) == pytest.approx(0.5 * np.log(2.0))


def test_a_coarser_distortion_takes_fewer_nats():
    X = features(0, 20, 4)
    rates = [coding_rate(X, eps=eps) for eps in (1e-3, 1e-2, 0.1, 1.0, 10.0)]
    assert rates == sorted(rates, reverse=True)
    assert len(set(rates)) == len(rates)


@pytest.mark.parametrize("eps", [0.1, "auto"])
def test_constant_features_take_no_nats(eps):
    assert coding_rate(np.full((5, 3), 7.0), eps=eps) == 0.0


@pytest.mark.parametrize("eps", [0.0, -1.0, np.nan, np.inf, "big"])
def test_distortion_must_be_positive(eps):
    with pytest.raises(ValueError, match="Expected 'eps' to be positive or 'auto'"):
        coding_rate([[1.0], [2.0]], eps=eps)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[1.0], [np.nan]], "contains NaN"),
        ([[1.0], [np.inf]], "contains infinity"),
        (np.empty((0, 3)), "0 sample"),
        ([1.0, 2.0], "Expected 2D array"),
    ],
)
def test_features_must_be_finite_and_two_dimensional(X, message):
    with pytest.raises(ValueError, match=message):
        coding_rate(X)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64])
def test_other_dtypes_are_computed_in_double_precision(dtype):
    X = np.round(100 * features(0, 20, 4)).astype(dtype)
    assert coding_rate(X, eps=1.0) == coding_rate(X.astype(float), eps=1.0)
