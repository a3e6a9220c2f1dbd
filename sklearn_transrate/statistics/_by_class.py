"""Sums over the rows of one batch, class by class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sklearn_transrate._lib.arrays import take_dense
from sklearn_transrate.statistics._scatter import (
    Scatter,
    centred_factor,
    dense_scatter,
    row_buffer,
)

__all__ = ["BLOCK_ROWS", "checked_weights", "sum_by_class"]

# Rows gathered at a time where classes are small: enough for one efficient
# rank-n update, little enough to stay near the cache.
BLOCK_ROWS = 4096


def checked_weights(sample_weight: Any, n_samples: int) -> np.ndarray | None:
    """Return weights as float64 after checking them, or None."""
    if sample_weight is None:
        return None
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (n_samples,):
        raise ValueError(
            f"Expected 'sample_weight' of shape ({n_samples},), got {weights.shape}."
        )
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("Expected finite, non-negative values in 'sample_weight'.")
    return weights


def class_groups(
    codes: np.ndarray, sizes: np.ndarray, max_rows: int
) -> Iterator[list[tuple[int, np.ndarray]]]:
    """Yield consecutive classes with their row numbers, whole classes at a time.

    As many as fit into `max_rows`, and at least one.
    """
    rows = np.split(np.argsort(codes, kind="stable"), np.cumsum(sizes)[:-1])
    group, n_rows = [], 0
    for k, index in enumerate(rows):
        if group and n_rows + len(index) > max_rows:
            yield group
            group, n_rows = [], 0
        group.append((k, index))
        n_rows += len(index)
    if group:
        yield group


def sum_by_class(
    X,
    codes: np.ndarray,
    sizes: np.ndarray,
    weights: np.ndarray | None,
    origin: np.ndarray,
    scatter: str,
) -> tuple[np.ndarray, list[Scatter], np.ndarray]:
    """Return class means, measured from `origin`, and centred second moments.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        Features.
    codes, sizes : ndarray
        Class number of each row, and number of rows of each class.
    weights : ndarray of shape (n_samples,) or None
        Positive weights.
    origin : ndarray of shape (n_features,)
        A point near the features.
    scatter : {"class", "pooled", "diagonal"}
        Which second moments.

    Returns
    -------
    deviations : ndarray of shape (n_classes, n_features)
    scatters : list of Scatter
        One for each class, or one for all; empty for the diagonal kind.
    variances : ndarray of shape (n_classes, n_features)
        Sums of squares; of no rows but for the diagonal kind.
    """
    n_classes, d = len(sizes), X.shape[1]
    deviations = np.empty((n_classes, d))
    variances = np.empty((n_classes if scatter == "diagonal" else 0, d))
    n_matrices = {"class": n_classes, "pooled": 1, "diagonal": 0}[scatter]
    scatters = [Scatter(d) for _ in range(n_matrices)]
    # A pooled scatter that ends up dense takes whole blocks, one update each.
    in_blocks = scatter == "pooled" and X.shape[0] - n_classes >= d
    buffer, n_large = None, int(np.sum(sizes > d)) if scatter == "class" else 0
    # One allocation for all of them comes in huge pages, which fault rarely.
    triangles = iter(np.zeros((n_large, d, d)))
    for group in class_groups(codes, sizes, BLOCK_ROWS if in_blocks else 0):
        index = np.concatenate([rows for _, rows in group])
        if scatter == "class" and len(index) > d:
            if buffer is None:  # page faults cost more than what it is for
                buffer = row_buffer(d, int(sizes.max()))
            k, w = group[0][0], None if weights is None else weights[index]
            triangle = next(triangles).T
            base, step, triangle = dense_scatter(X, index, w, buffer, triangle)
            deviations[k] = (base - origin) + step
            scatters[k].add_triangle(triangle, len(index))
            continue
        block = take_dense(X, index)
        stops = np.cumsum([len(rows) for _, rows in group])
        for (k, own), rows in zip(group, np.split(block, stops), strict=False):
            w = None if weights is None else weights[own]
            base, mean = _measure(rows, w)
            deviations[k] = (base - origin) + mean
            if in_blocks:
                _centre(rows, mean, w)
            elif scatter == "diagonal":
                _centre(rows, mean, w)
                variances[k] = np.einsum("ij,ij->j", rows, rows)
            else:
                matrix = scatters[k if scatter == "class" else 0]
                matrix.add(centred_factor(rows, mean, w))
        if in_blocks:
            scatters[0].add(block)
    return deviations, scatters, variances


def _measure(rows: np.ndarray, weights: np.ndarray | None):
    """Measure rows from the first of them, in place; return it and their mean.

    Such distances are as exact as the data, whatever the offset, and so is their
    mean.
    """
    base = rows[0].copy()
    rows -= base
    if weights is None:
        return base, np.full(len(rows), 1.0 / len(rows)) @ rows
    return base, weights @ rows / weights.sum()


def _centre(rows: np.ndarray, mean: np.ndarray, weights: np.ndarray | None) -> None:
    rows -= mean
    if weights is not None:
        rows *= np.sqrt(weights)[:, None]
