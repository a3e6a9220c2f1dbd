"""The rows of a batch gathered by class, and the checks that go with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["BLOCK_ROWS", "checked_weights", "class_blocks"]

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


def class_blocks(
    X: np.ndarray, codes: np.ndarray, sizes: np.ndarray
) -> Iterator[tuple[np.ndarray, list[tuple[int, slice, np.ndarray]]]]:
    """Yield float64 copies of rows sorted by class, whole classes at a time."""
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(sizes)
    first = 0
    while first < len(sizes):
        start = ends[first] - sizes[first]
        last = first + 1
        while last < len(sizes) and ends[last] - start <= BLOCK_ROWS:
            last += 1
        index = order[start : ends[last - 1]]
        block = X[index].astype(np.float64, copy=False)
        segments = [
            (
                k,
                slice(ends[k] - sizes[k] - start, ends[k] - start),
                index[ends[k] - sizes[k] - start : ends[k] - start],
            )
            for k in range(first, last)
        ]
        yield block, segments
        first = last
