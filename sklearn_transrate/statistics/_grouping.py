"""The rows of a batch gathered by class, and the checks that go with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["BLOCK_ROWS", "checked_weights", "class_groups"]

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
