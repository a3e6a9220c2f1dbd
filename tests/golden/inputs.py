"""The twenty inputs on which the authors' programs were run.

Every generated input is one row of ``_RECIPES``. Features and labels come from
generator draws and element-wise arithmetic, rounded to six decimals, so they are the
same bits everywhere; `test_inputs` compares them with the digests kept in
``golden.json``. Source probabilities are renormalised after rounding and may differ
in the last bit.
"""

from __future__ import annotations

import hashlib

import numpy as np
from sklearn import datasets

__all__ = ["digest", "load_inputs"]

N_SOURCE_CLASSES = 7

# name: (seed, rows of each class, features, options of `_blobs`)
_RECIPES = {
    "n200_d16_k5": (0, [40] * 5, 16, {}),
    "n40_d64_k4": (1, [10] * 4, 64, {}),
    "imbalanced_n300_d20_k6": (2, [150, 80, 40, 20, 8, 2], 20, {}),
    "string_labels_n120_d10_k3": (3, [50, 40, 30], 10, {}),
    "k2_n150_d12": (4, [90, 60], 12, {"spread": 0.5}),
    "k20_n400_d32": (5, [20] * 20, 32, {"spread": 1.5, "decay": 2.0}),
    "scale1e-3_n200_d16_k5": (0, [40] * 5, 16, {"scale": 1e-3}),
    "scale1e3_n200_d16_k5": (0, [40] * 5, 16, {"scale": 1e3}),
    "shift10_n200_d16_k5": (0, [40] * 5, 16, {"shift": 10.0}),
    "anisotropic_n600_d80_k10": (6, [60] * 10, 80, {"decay": 6.0}),
    "nonneg_n500_d96_k8": (7, [100, 90, 80, 70, 60, 50, 30, 20], 96, {"spread": 0.7}),
    "float32_n200_d16_k5": (0, [40] * 5, 16, {}),
    "rankdef_n120_d17_k4": (8, [30] * 4, 12, {}),
    "singleton_n90_d9_k4": (9, [30, 30, 29, 1], 9, {}),
    "regression_n240_d14_q2": (10, [60] * 4, 14, {}),
}


def load_inputs():
    """Every input by name.

    Returns
    -------
    inputs : dict of str to dict
        Each with ``X`` (n, d), ``y`` (n,) of 0..K-1, ``classes`` (the K labels that
        those integers stand for), ``probs`` (n, 7) source-class probabilities and
        ``t`` (n,) or (n, q) regression targets or None.
    """
    inputs = {name: _blobs(*recipe) for name, recipe in _RECIPES.items()}
    _name_the_classes(inputs["string_labels_n120_d10_k3"], ["zebra", "ant", "mole"])
    _cut_below_zero(inputs["nonneg_n500_d96_k8"])
    _to_float32(inputs["float32_n200_d16_k5"])
    _append_redundant_columns(inputs["rankdef_n120_d17_k4"])
    _add_targets(inputs["regression_n240_d14_q2"], seed=110)
    for name in ("digits", "iris", "wine", "breast_cancer"):
        inputs["sklearn_" + name] = _bundled(getattr(datasets, "load_" + name)())
    inputs["sklearn_diabetes"] = _binned(datasets.load_diabetes())
    return inputs


def digest(array):
    """Sixteen hexadecimal digits that depend on dtype, shape and every bit."""
    array = np.ascontiguousarray(array)
    header = str(array.dtype) + str(array.shape)
    return hashlib.sha256(header.encode() + array.tobytes()).hexdigest()[:16]


def _blobs(seed, counts, d, options):
    """Gaussian classes, means of size `spread`, coordinates shrinking by e^-decay."""
    spread, decay = options.get("spread", 1.0), options.get("decay", 0.0)
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    y = y[rng.permutation(len(y))]
    means = spread * rng.standard_normal((len(counts), d))
    deviations = np.exp(-decay * np.arange(d) / max(d - 1, 1))
    X = (means[y] + rng.standard_normal((len(y), d))) * deviations
    X = np.round(X + options.get("shift", 0.0), 6) * options.get("scale", 1.0)
    probs = _source_probabilities(rng, y)
    return {
        "X": X,
        "y": y,
        "classes": list(range(len(counts))),
        "probs": probs,
        "t": None,
    }


def _source_probabilities(rng, y):
    """Rows on the simplex in which source class y mod 7 is favoured by e^2."""
    weights = rng.standard_exponential((len(y), N_SOURCE_CLASSES))
    weights[np.arange(len(y)), y % N_SOURCE_CLASSES] *= np.exp(2.0)
    probs = np.round(weights / weights.sum(axis=1, keepdims=True), 6)
    probs = np.maximum(probs, 1e-6)
    return probs / probs.sum(axis=1, keepdims=True)


def _name_the_classes(case, names):
    classes, y = np.unique(np.array(names)[case["y"]], return_inverse=True)
    case.update(y=y.astype(np.int64), classes=classes.tolist())


def _cut_below_zero(case):
    case["X"] = np.maximum(case["X"], 0)


def _to_float32(case):
    case["X"] = case["X"].astype(np.float32)


def _append_redundant_columns(case):
    """Repeat four columns and add a constant one."""
    X = case["X"]
    case["X"] = np.hstack([X, X[:, :4], np.full((len(X), 1), 2.5)])


def _add_targets(case, seed):
    X = case["X"]
    noise = np.random.default_rng(seed).standard_normal((len(X), 2))
    case["t"] = np.round(X[:, :2] * 1.5 - 0.5 * X[:, 2:4] + noise, 6)


def _bundled(bunch):
    """A classification set that scikit-learn ships."""
    y = bunch.target.astype(np.int64)
    probs = _source_probabilities(np.random.default_rng(200 + len(y)), y)
    classes = np.unique(y).tolist()
    X = np.asarray(bunch.data, float)
    return {"X": X, "y": y, "classes": classes, "probs": probs, "t": None}


def _binned(bunch):
    """A regression set whose targets, cut at the quintiles, serve as labels."""
    t = np.asarray(bunch.target, float)
    y = np.searchsorted(np.quantile(t, [0.2, 0.4, 0.6, 0.8]), t).astype(np.int64)
    probs = _source_probabilities(np.random.default_rng(300), y)
    X = np.asarray(bunch.data, float)
    return {"X": X, "y": y, "classes": list(range(5)), "probs": probs, "t": t}
