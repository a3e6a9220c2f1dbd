"""TransRate out of sample of arrays of other libraries: the same as NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

from sklearn_transrate._lib import array_api
from sklearn_transrate.metrics import TransRate, _array_api_left_out

pytest.importorskip("array_api_compat", reason="needs array-api-compat")
strict = pytest.importorskip("array_api_strict", reason="needs array-api-strict")

AGREEMENT = 1e-9


@pytest.fixture(autouse=True)
def _dispatching(monkeypatch):
    monkeypatch.setattr(array_api, "get_config", lambda: {"array_api_dispatch": True})


def features(n, d, n_classes=3, apart=1.0):
    rng = np.random.default_rng(0)
    y = np.arange(n) % n_classes
    return rng.standard_normal((n, d)) + apart * y[:, None] / n_classes, y


def both(X, y, **params):
    """Scores by NumPy and on the device."""
    metric = TransRate(**params)
    return metric.score(X, y), metric.score(strict.asarray(X), y)


@pytest.mark.parametrize("shape", [(60, 5), (30, 50), (30, 30), (31, 30)])
@pytest.mark.parametrize("n_classes", [2, 7])
def test_agrees_with_numpy_on_either_side(shape, n_classes):
    expected, found = both(*features(*shape, n_classes))
    assert found == pytest.approx(expected, rel=AGREEMENT, abs=1e-13)


def test_rows_go_through_in_blocks(monkeypatch):
    X, y = features(60, 5)
    monkeypatch.setattr(_array_api_left_out, "BLOCK_ROWS", 7)
    expected, found = both(X, y)
    assert expected > 0.01
    assert found == pytest.approx(expected, rel=AGREEMENT)


def test_a_class_of_one_sample_gains_nothing():
    X, y = features(40, 4)
    y[0] = 9
    expected, found = both(X, y)
    assert expected > 0.01
    assert found == pytest.approx(expected, rel=AGREEMENT)


@pytest.mark.parametrize("eps", [1e-3, 0.1, 10.0])
def test_a_fixed_distortion_is_used(eps):
    expected, found = both(*features(60, 5), eps=eps, estimate="leave_one_out")
    assert found == pytest.approx(expected, rel=AGREEMENT)


def test_noise_is_worth_nothing():
    X, y = features(30, 200, apart=0.0)
    assert both(X, y) == (0.0, 0.0)


def test_dependent_features_are_no_rank():
    X, y = features(60, 5)
    expected, found = both(np.hstack([X, X[:, :2], 0 * X]), y)
    assert found == pytest.approx(expected, rel=AGREEMENT)


@pytest.mark.parametrize("weighted", [False, True])
def test_some_of_the_rows_stand_for_all(weighted):
    X, y = features(3000, 4)
    weights = 1.0 + np.arange(len(y)) % 2 if weighted else None
    some = TransRate(max_samples=1000).score(strict.asarray(X), y, weights)
    every = TransRate(max_samples=None).score(strict.asarray(X), y, weights)
    assert some != every
    assert some == pytest.approx(every, abs=0.05)


def test_parameters_of_the_plug_in_are_refused():
    X, y = features(20, 4)
    metric = TransRate(estimate="leave_one_out", correction="permutation")
    with pytest.raises(ValueError, match="describes the plug-in"):
        metric.score(strict.asarray(X), y)
