"""Features that are not NumPy's: the same scores, computed by their own library."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from sklearn import config_context

from sklearn_transrate._lib import array_api
from sklearn_transrate._lib.array_api import device_namespace
from sklearn_transrate.exceptions import (
    MissingDependencyError,
    SaturatedScoreWarning,
    SwappedArgumentsError,
    UndefinedMetricWarning,
)
from sklearn_transrate.metrics import (
    HScore,
    TransRate,
    coding_rate,
    h_score,
    logme_score,
    transrate_score,
)

pytest.importorskip("array_api_compat", reason="needs array-api-compat")

# Sums in another order, eigenvalues for Cholesky factors.
AGREEMENT = 1e-9
SINGLE_PRECISION = 1e-4
SHAPES = [(90, 6), (20, 40), (45, 15)]
RELATIVE = {"estimate": "plug_in"}
FORMS = {
    "out of sample": {},
    "out of sample, one distortion": {"eps": 0.3, "estimate": "leave_one_out"},
    "relative": RELATIVE,
    "listing": {"eps": 1e-4, "class_weight": "uniform", "normalize": None},
    "definition": {"eps": 1e-2, "normalize": None},
    "by width": {"normalize": "n_features", "eps": 0.1, "eps_unit": "trace"},
    "protocol": {"eps": 1e-4, "eps_unit": "trace", "row_norm": "l2"},
    "pooled": {"covariance": "pooled"},
}


@pytest.fixture(params=["array_api_strict", "torch", "jax"])
def to_library(request):
    """A function that makes an array of some library in double precision."""
    library = pytest.importorskip(
        request.param, reason=f"needs {request.param}", exc_type=ImportError
    )
    if request.param == "torch":
        yield lambda array: library.from_numpy(np.array(array))
    elif request.param == "jax":
        before = library.config.jax_enable_x64
        library.config.update("jax_enable_x64", True)
        yield importlib.import_module("jax.numpy").asarray
        library.config.update("jax_enable_x64", before)
    else:
        yield library.asarray


@pytest.fixture(autouse=True)
def _dispatching(monkeypatch):
    """As under scikit-learn's array_api_dispatch, whose own setup is another's."""
    monkeypatch.setattr(array_api, "get_config", lambda: {"array_api_dispatch": True})


@pytest.fixture
def never_numpy(monkeypatch):
    """Let no features through to NumPy's code."""

    def refuse(*args, **kwargs):
        raise AssertionError("left the device")

    monkeypatch.setattr("sklearn_transrate.metrics._base.check_features", refuse)
    monkeypatch.setattr("sklearn_transrate.metrics._coding_rate.check_features", refuse)


def features(n, d):
    rng = np.random.default_rng(0)
    y = rng.choice(3, size=n, p=[0.6, 0.3, 0.1])
    y[:3] = 0, 1, 2
    X = rng.standard_normal((n, d)) * np.linspace(0.3, 2, d) + y[:, None]
    return X + 100.0, y


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("weighted", [False, True])
def test_transrate_is_the_same(to_library, form, shape, weighted, request):
    X, y = features(*shape)
    weights = np.arange(len(y)) % 3 + (y == 2) if weighted else None
    expected = transrate_score(X, y, sample_weight=weights, **FORMS[form])
    request.getfixturevalue("never_numpy")
    score = transrate_score(to_library(X), y, sample_weight=weights, **FORMS[form])
    assert type(score) is float
    assert score == pytest.approx(expected, rel=AGREEMENT, abs=1e-13)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("shrinkage", [None, "ledoit_wolf", 0.3, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.filterwarnings(
    "ignore::sklearn_transrate.exceptions.SaturatedScoreWarning"
)
def test_h_score_is_the_same(to_library, shrinkage, shape, weighted, request):
    X, y = features(*shape)
    weights = np.arange(len(y)) % 3 + 0.5 if weighted else None
    expected = h_score(X, y, shrinkage=shrinkage, sample_weight=weights)
    request.getfixturevalue("never_numpy")
    score = h_score(to_library(X), y, shrinkage=shrinkage, sample_weight=weights)
    assert score == pytest.approx(expected, rel=AGREEMENT)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_logme_is_the_same(to_library, shape, weighted, request):
    X, y = features(*shape)
    if len(X) < shape[1]:  # a perfect fit would be scored by its rounding errors
        X = X[:, :8] @ np.random.default_rng(1).standard_normal((8, shape[1]))
    weights = np.arange(len(y)) % 3 + 0.5 if weighted else None
    expected = logme_score(X, y, sample_weight=weights)
    request.getfixturevalue("never_numpy")
    score = logme_score(to_library(X), y, sample_weight=weights)
    assert score == pytest.approx(expected, rel=AGREEMENT)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("params", [{}, {"eps": 0.1}, {"assume_centered": True}])
def test_coding_rate_is_the_same(to_library, params, shape, request):
    X, _ = features(*shape)
    expected = coding_rate(X, **params)
    request.getfixturevalue("never_numpy")
    rate = coding_rate(to_library(X), **params)
    assert rate == pytest.approx(expected, rel=AGREEMENT)


def test_labels_may_be_names_or_on_the_device(to_library):
    X, y = features(60, 5)
    expected = transrate_score(X, y, **RELATIVE)
    names = np.array(["ant", "bee", "cat"])[y]
    for labels in (names, names.tolist(), to_library(y), y.tolist()):
        score = transrate_score(to_library(X), labels, **RELATIVE)
        assert score == pytest.approx(expected, rel=AGREEMENT)


def test_single_precision_stays_single(to_library):
    X, y = features(90, 6)
    score = transrate_score(to_library(X.astype(np.float32)), y, **RELATIVE)
    assert score == pytest.approx(
        transrate_score(X, y, **RELATIVE), rel=SINGLE_PRECISION
    )


def test_whole_numbers_are_features_too(to_library):
    X, y = features(90, 6)
    X = np.rint(10 * (X - 100.0)).astype(np.int64)
    score = h_score(to_library(X), y)
    assert score == pytest.approx(h_score(X, y), rel=SINGLE_PRECISION)


def test_classes_are_put_through_in_blocks(to_library, monkeypatch):
    X, y = features(90, 6)
    expected = transrate_score(X, y, **RELATIVE)
    monkeypatch.setattr(array_api, "BLOCK_NUMBERS", 1)
    score = transrate_score(to_library(X), y, **RELATIVE)
    assert score == pytest.approx(expected, rel=AGREEMENT)


def test_constant_features_score_zero(to_library):
    X, y = np.ones((6, 3)), [0, 0, 0, 1, 1, 1]
    assert transrate_score(to_library(X), y, **RELATIVE) == 0.0
    assert transrate_score(to_library(X), y, covariance="pooled") == 0.0
    assert transrate_score(to_library(X), y, eps=1.0) == 0.0
    assert h_score(to_library(X), y) == 0.0
    assert coding_rate(to_library(X)) == 0.0


# -- what is refused, and what is said -------------------------------------------------


def test_warnings_are_the_same(to_library):
    X, y = features(20, 40)
    with pytest.warns(SaturatedScoreWarning, match="20 samples are too few for 40"):
        HScore().score(to_library(X), y)
    with pytest.warns(UndefinedMetricWarning, match="one class"):
        assert TransRate().score(to_library(X), np.zeros(20, dtype=int)) == 0.0


def test_features_that_are_none_are_refused(to_library):
    X, y = features(20, 4)
    bad = X.copy()
    bad[3, 1] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity"):
        transrate_score(to_library(bad), y)
    with pytest.raises(ValueError, match=r"\(n_samples, n_features\)"):
        coding_rate(to_library(X[:, 0]))
    with pytest.raises(SwappedArgumentsError):
        transrate_score(to_library(y), X)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        transrate_score(to_library(X), y[:-1])
    with pytest.raises(ValueError, match="none of them 0"):
        coding_rate(to_library(np.empty((0, 3))))
    with pytest.raises(ValueError, match="positive weight"):
        transrate_score(to_library(X), y, sample_weight=np.zeros(20))
    with pytest.raises(ValueError, match="real features"):
        transrate_score(to_library(X + 1j), y)


def test_parameters_are_checked_on_devices_too(to_library):
    X, y = features(20, 4)
    with pytest.raises(ValueError, match="Expected 'normalize' to be one of"):
        transrate_score(to_library(X), y, normalize="trace")
    with pytest.raises(ValueError, match="Expected 'shrinkage'"):
        h_score(to_library(X), y, shrinkage=2.0)
    with pytest.raises(ValueError, match="Expected 'eps' to be positive"):
        coding_rate(to_library(X), eps=-1.0)


@pytest.mark.parametrize(
    "params",
    [
        {"projection": "between"},
        {"covariance": 0.5},
        {"covariance": "pooled", "correction": "analytic"},
        {"correction": "permutation"},
    ],
    ids=str,
)
def test_forms_without_a_device_kernel_say_so(to_library, params):
    X, y = features(20, 4)
    with pytest.raises(ValueError, match="Pass NumPy arrays"):
        TransRate(**params).score(to_library(X), y)


def test_values_as_targets_are_refused_on_devices(to_library):
    X, y = features(20, 4)
    with pytest.raises(ValueError, match="Pass NumPy arrays for other targets"):
        transrate_score(to_library(X), y + 0.5)


# -- who computes ----------------------------------------------------------------------


def test_numpy_stays_with_numpy():
    X, _ = features(20, 4)
    assert device_namespace(X, purpose="A test") is None
    assert device_namespace(X.tolist(), purpose="A test") is None


def test_main_memory_is_numpys_unless_scikit_learn_dispatches(to_library, monkeypatch):
    monkeypatch.undo()
    X, y = features(20, 4)
    assert device_namespace(to_library(X), purpose="A test") is None
    assert transrate_score(to_library(X), y, **RELATIVE) == transrate_score(
        X, y, **RELATIVE
    )


def test_other_devices_are_computed_on_without_being_asked(monkeypatch):
    strict = pytest.importorskip("array_api_strict", reason="needs array-api-strict")
    monkeypatch.undo()
    monkeypatch.setattr(
        array_api, "_is_in_main_memory", lambda X: "device1" not in repr(X)
    )
    X, y = features(30, 4)
    elsewhere = strict.asarray(X, device=strict.Device("device1"))
    score = transrate_score(elsewhere, y, **RELATIVE)
    assert score == pytest.approx(transrate_score(X, y, **RELATIVE), rel=AGREEMENT)


def test_the_missing_package_is_named(monkeypatch, to_library):
    X, y = features(20, 4)
    elsewhere = to_library(X)
    monkeypatch.setitem(__import__("sys").modules, "array_api_compat", None)
    with pytest.raises(MissingDependencyError, match=r"sklearn-transrate\[array-api\]"):
        transrate_score(elsewhere, y)


def test_scikit_learns_setting_is_what_is_read(monkeypatch):
    monkeypatch.undo()
    assert array_api.get_config is __import__("sklearn").get_config
    with config_context(array_api_dispatch=False):
        assert not array_api.get_config()["array_api_dispatch"]
