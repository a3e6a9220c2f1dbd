"""Hypothesis strategies: labelled features, the same in batches, rotations.

Sizes, seeds and kinds are drawn, and a generator makes the arrays of them: quick,
well conditioned, and small when a failing case is reduced. Needs the `testing` extra.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_transrate._lib.optional import import_optional
from sklearn_transrate.testing._data import (
    CLASS_SIZES,
    LABEL_KINDS,
    as_inputs,
    make_labelled_features,
)
from sklearn_transrate.testing._law import random_batches, random_orthogonal

__all__ = ["feature_batches", "labelled_features", "orthogonal_matrices"]

MAX_SEED = 2**32 - 1


def labelled_features(
    *,
    min_samples: int = 2,
    max_samples: int = 40,
    min_features: int = 1,
    max_features: int = 24,
    min_classes: int = 2,
    max_classes: int = 6,
    sizes: Sequence[str] = CLASS_SIZES,
    labels: Sequence[str] = LABEL_KINDS,
    dtypes: Sequence[str] = ("float64", "float32", "float16"),
    offsets: Sequence[float] = (0.0, 1.0, 100.0),
    scales: Sequence[float] = (1.0, 1e-3, 1e3),
    degenerate: bool = True,
    inputs: str = "features",
):
    """Strategy for features and class labels.

    Parameters
    ----------
    min_samples, max_samples, min_features, max_features : int
        Ranges of the shape; n > d, n < d and n = d are all tried.
    min_classes, max_classes : int
        Range of the number of classes; each occurs, if there are as many samples.
    sizes : sequence of {"balanced", "imbalanced", "singletons"}
        Class sizes: all equal, each half of the one before, or all but the first of
        one sample.
    labels : sequence of {"integers", "gaps", "negative", "strings", "mixed"}
        Kinds of labels.
    dtypes : sequence of str
        Of the features.
    offsets, scales : sequence of float
        Features are ``scale * (offset + standard)``; half precision takes less.
    degenerate : bool, default=True
        Whether features may be constant or equal to one another.
    inputs : {"features", "source_proba", "source_labels"}, default="features"
        Turns the features into probabilities or one column of source labels.

    Returns
    -------
    strategy : SearchStrategy of (X, y)
        Arrays of shape (n_samples, n_features) and (n_samples,).

    Examples
    --------
    >>> from hypothesis import given
    >>> from sklearn_transrate.metrics import h_score
    >>> from sklearn_transrate.testing.strategies import labelled_features
    >>> @given(labelled_features(min_samples=30, max_features=5, dtypes=["float64"]))
    ... def test_there_is_nothing_below_zero(data):
    ...     assert h_score(*data) >= 0
    """
    st = _hypothesis("labelled_features")

    def shape(n: int, d: int, relation: str) -> tuple[int, int]:
        low, high = sorted((n, d))
        n, d = {"n > d": (high, low), "n < d": (low, high)}.get(relation, (low, low))
        return (
            min(max(n, min_samples), max_samples),
            min(max(d, min_features), max_features),
        )

    largest = max(max_samples, max_features)
    shapes = st.builds(
        shape,
        st.integers(1, largest),
        st.integers(1, largest),
        st.sampled_from(["n > d", "n < d", "n = d"]),
    )
    flags = st.booleans() if degenerate else st.just(False)

    def build(shape, seed, n_classes, **kinds):
        X, y = make_labelled_features(seed, *shape, n_classes, **kinds)
        return as_inputs(inputs, X), y

    return st.builds(
        build,
        shapes,
        _seeds(st),
        st.integers(min_classes, max_classes),
        sizes=st.sampled_from(list(sizes)),
        labels=st.sampled_from(list(labels)),
        dtype=st.sampled_from(list(dtypes)),
        offset=st.sampled_from(list(offsets)),
        scale=st.sampled_from(list(scales)),
        separation=st.sampled_from([1.0, 0.0, 10.0]),
        constant=flags,
        duplicated=flags,
    )


def feature_batches(data=None, *, max_batches: int = 6, **kwargs: Any):
    """Strategy for features and labels that come in batches.

    Parameters
    ----------
    data : SearchStrategy of (X, y), default=None
        What to cut; `labelled_features` of the keyword arguments if None.
    max_batches : int, default=6
        Largest number of batches; any may hold a single row, or a single class.
    **kwargs : dict
        Passed to `labelled_features`.

    Returns
    -------
    strategy : SearchStrategy of list of (X, y)
        Concatenated, the batches are what was cut.

    Examples
    --------
    >>> from hypothesis import given
    >>> from sklearn_transrate.metrics import TransRate
    >>> from sklearn_transrate.testing.strategies import feature_batches
    >>> @given(feature_batches(labels=["strings"]))
    ... def test_every_row_is_counted(batches):
    ...     metric = TransRate()
    ...     for X, y in batches:
    ...         metric.partial_fit(X, y)
    ...     assert metric.n_samples_seen_ == sum(len(y) for _, y in batches)
    """
    st = _hypothesis("feature_batches")
    data = labelled_features(**kwargs) if data is None else data

    def cut(data, seed):
        return random_batches(np.random.default_rng(seed), *data, largest=max_batches)

    return st.builds(cut, data, _seeds(st))


def orthogonal_matrices(size: int):
    """Strategy for rotations and reflections, evenly distributed.

    Parameters
    ----------
    size : int
        Number of rows and of columns.

    Returns
    -------
    strategy : SearchStrategy of ndarray of shape (size, size)

    Examples
    --------
    >>> import numpy as np
    >>> from hypothesis import given
    >>> from sklearn_transrate.testing.strategies import orthogonal_matrices
    >>> @given(orthogonal_matrices(3))
    ... def test_lengths_stay(Q):
    ...     np.testing.assert_allclose(Q.T @ Q, np.eye(3), atol=1e-14)
    """
    st = _hypothesis("orthogonal_matrices")
    return st.builds(
        lambda seed: random_orthogonal(np.random.default_rng(seed), size), _seeds(st)
    )


def _hypothesis(name: str):
    return import_optional(
        "hypothesis.strategies", extra="testing", purpose=f"{__name__}.{name}"
    )


def _seeds(st):
    return st.integers(0, MAX_SEED)
