"""Made features and labels for the laws: awkward where real data are awkward.

Everything is drawn by one generator from a few plain parameters, so that a failing
case can be written down in one line, and is well conditioned unless asked otherwise.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.special import softmax

__all__ = [
    "CLASS_SIZES",
    "INPUTS",
    "LABEL_KINDS",
    "Case",
    "as_inputs",
    "label_values",
    "made_cases",
    "make_labelled_features",
]

INPUTS = ("features", "source_labels", "source_proba")
CLASS_SIZES = ("balanced", "imbalanced", "singletons")
LABEL_KINDS = ("integers", "gaps", "negative", "strings", "mixed")
# Half precision holds neither large offsets nor large scales.
HALF_PRECISION_OFFSET = 8.0


class Case(NamedTuple):
    """Inputs for a law, with a name for its message."""

    name: str
    task: str
    X: Any
    y: Any


def label_values(kind: str, n_classes: int) -> list:
    """Return distinct labels of a kind, not in sorted order.

    Parameters
    ----------
    kind : {"integers", "gaps", "negative", "strings", "mixed"}
        "integers" are 0, 1, ...; "gaps" and "negative" are integers that no array
        can be indexed by; "mixed" are of types that do not compare.
    n_classes : int
        How many.

    Returns
    -------
    labels : list of hashable
    """
    if kind == "integers":
        return list(range(n_classes))
    if kind == "gaps":
        return [7 * (n_classes - k) ** 2 for k in range(n_classes)]
    if kind == "negative":
        return [3 - 2 * k for k in range(n_classes)]
    if kind == "strings":
        return [f"{'ü' * k}class {n_classes - k}" for k in range(n_classes)]
    # A fraction would make a metric ask whether these are values.
    mixed = ["cat", 7, ("cat", 1), 2.0, b"cat", frozenset({1})]
    return (mixed + [f"cat {k}" for k in range(n_classes)])[:n_classes]


def make_labelled_features(
    seed: int,
    n_samples: int,
    n_features: int,
    n_classes: int,
    *,
    sizes: str = "balanced",
    labels: str = "integers",
    dtype: str = "float64",
    offset: float = 0.0,
    scale: float = 1.0,
    separation: float = 1.0,
    constant: bool = False,
    duplicated: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Make Gaussian classes of different spread.

    Parameters
    ----------
    seed : int
        Of the generator that draws everything.
    n_samples, n_features, n_classes : int
        Sizes; a class more than there are samples is left out.
    sizes : {"balanced", "imbalanced", "singletons"}
        Whether classes are equally large, each half of the one before, or all but
        the first of one sample.
    labels : str
        See `label_values`.
    dtype : str
        Of the features.
    offset, scale : float
        Features are ``scale * (offset + standard)``; half precision takes less.
    separation : float
        Distance of the class means, in standard deviations.
    constant : bool
        Whether the last feature is constant.
    duplicated : bool
        Whether the second feature equals the first.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
    """
    rng = np.random.default_rng(seed)
    n_classes = min(n_classes, n_samples)
    codes = _codes(rng, n_samples, n_classes, sizes)
    X = rng.standard_normal((n_samples, n_features))
    X *= (0.5 + rng.random(n_classes))[codes, None]
    X += (separation * rng.standard_normal((n_classes, n_features)))[codes]
    if duplicated and n_features > 1:
        X[:, 1] = X[:, 0]
    if constant:
        X[:, -1] = 0.0
    if dtype == "float16":
        offset, scale = min(offset, HALF_PRECISION_OFFSET), 1.0
    X = (scale * (offset + X)).astype(dtype)
    values = label_values(labels, n_classes)
    if labels != "mixed":
        return X, np.array(values)[codes]
    y = np.empty(n_samples, dtype=object)
    for i, code in enumerate(codes):
        y[i] = values[code]
    return X, y


def _codes(rng, n_samples: int, n_classes: int, sizes: str) -> np.ndarray:
    """Return class numbers in random order; every class occurs."""
    extra = n_samples - n_classes
    if sizes == "balanced":
        rest = np.arange(extra) % n_classes
    elif sizes == "imbalanced":
        share = 0.5 ** np.arange(n_classes)
        rest = rng.choice(n_classes, extra, p=share / share.sum())
    else:
        rest = np.zeros(extra, dtype=int)
    return rng.permutation(np.concatenate([np.arange(n_classes), rest]))


def as_inputs(kind: str, X: np.ndarray) -> np.ndarray:
    """Turn features into what a metric takes.

    Parameters
    ----------
    kind : {"features", "source_proba", "source_labels"}
        The `inputs` of a metric or a statistic.
    X : ndarray of shape (n_samples, n_features)
        Features.

    Returns
    -------
    inputs : ndarray
        As they are; as probabilities of at least two source classes; or as one
        column of source labels.
    """
    if kind == "features":
        return X
    scores = np.column_stack([np.zeros(len(X)), X - X.mean(axis=0, dtype=np.float64)])
    if kind == "source_proba":
        return softmax(scores / max(scores.std(), 1e-300), axis=1)
    return scores.argmax(axis=1)[:, None]


def made_cases(inputs: str = "features") -> list[Case]:
    """Return the data that laws are checked on unless the caller brings some.

    Parameters
    ----------
    inputs : {"features", "source_proba", "source_labels"}
        What the metric takes.

    Returns
    -------
    cases : list of Case
        Of every task; the first of each is ordinary.
    """
    make = make_labelled_features
    flat = {"constant": True, "duplicated": True}
    made = {
        "ordinary": make(0, 60, 5, 3),
        "classes of one sample": make(1, 40, 4, 6, sizes="singletons", labels="gaps"),
        "imbalanced": make(2, 50, 3, 4, sizes="imbalanced", labels="negative"),
        "fewer samples than features": make(3, 14, 30, 3, labels="strings"),
        "constant and equal features": make(4, 40, 6, 2, **flat),
        "single precision": make(5, 50, 7, 3, dtype="float32", offset=4.0),
        "mixed labels": make(6, 45, 2, 5, labels="mixed"),
    }
    cases = [
        Case(name, "classification", as_inputs(inputs, X), y)
        for name, (X, y) in made.items()
    ]
    for name in ("ordinary", "fewer samples than features"):
        X = made[name][0]
        values = X[:, :2] @ [[1.0, 0.5], [-2.0, 1.0]] + np.sin(X[:, 2:4])
        X = as_inputs(inputs, X)
        cases += [
            Case(name, "regression", X, values[:, 0]),
            Case(f"{name}, two targets", "regression", X, values),
            Case(name, "multilabel", X, (values > 0).astype(int)),
        ]
    return cases
