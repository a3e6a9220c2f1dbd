"""Features to measure on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

__all__ = ["labelled_batches", "labelled_features", "one_batch"]


def labelled_features(n_samples, n_features, n_classes, *, dtype=np.float64, seed=0):
    """Gaussian classes with means half a standard deviation long, in mixed order.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
        Classes as equal in size as they can be.
    """
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n_samples) % n_classes)
    means = 0.5 * rng.standard_normal((n_classes, n_features))
    X = rng.standard_normal((n_samples, n_features))
    for start in range(0, n_samples, 4096):  # no second array of that size
        X[start : start + 4096] += means[y[start : start + 4096]]
    return X.astype(dtype, copy=False), y


def one_batch(number, n_samples, n_features, n_classes):
    """The same kind of data in float32, as one batch of an endless stream."""
    rng = np.random.default_rng([17, number])
    y = rng.integers(n_classes, size=n_samples)
    X = rng.standard_normal((n_samples, n_features), dtype=np.float32)
    X[:, :1] += y[:, None]
    return X, y


def labelled_batches(
    n_samples, n_features, n_classes, batch_size=4096
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield batches that together hold so many samples; none is kept."""
    for number, start in enumerate(range(0, n_samples, batch_size)):
        rows = min(batch_size, n_samples - start)
        yield one_batch(number, rows, n_features, n_classes)
