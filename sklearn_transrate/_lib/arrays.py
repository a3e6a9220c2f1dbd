"""Rows of dense and of sparse features alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

__all__ = ["as_rows", "take_dense"]


def as_rows(X: Any):
    """Return features as an array, or as a CSR matrix if they are sparse."""
    return X.tocsr() if sparse.issparse(X) else np.asarray(X)


def take_dense(X, index) -> np.ndarray:
    """Return chosen rows as a new float64 array; `index` numbers them, or slices."""
    rows = X[index]
    if sparse.issparse(rows):
        return rows.astype(np.float64).toarray()
    return rows.astype(np.float64, copy=isinstance(index, slice))
