"""Rows of dense and of sparse features alike."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
from scipy import sparse

__all__ = ["as_rows", "release_pages", "take_dense"]


def as_rows(X: Any):
    """Return features as an array, or as a CSR matrix if they are sparse."""
    return X.tocsr() if sparse.issparse(X) else np.asarray(X)


def take_dense(X, index) -> np.ndarray:
    """Return chosen rows as a new float64 array; `index` numbers them, or slices."""
    rows = X[index]
    if sparse.issparse(rows):
        return rows.astype(np.float64).toarray()
    return rows.astype(np.float64, copy=isinstance(index, slice))


def release_pages(array: Any) -> None:
    """Let go of the pages of a read-only memory map, which is read again if needed.

    Otherwise all that was read of a file stays resident until memory is short.
    """
    mapped = getattr(array, "_mmap", None)
    # A copy-on-write map would lose what was written to it.
    if mapped is not None and array.mode == "r" and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)
