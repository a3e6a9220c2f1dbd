"""The inverse of a second moment plus a multiple of the identity, applied to rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.linalg import blas, lapack

from sklearn_transrate._lib import linalg
from sklearn_transrate._lib.arrays import take_dense
from sklearn_transrate.statistics import Scatter

__all__ = ["Resolvent", "blocks_of", "row_blocks"]

# Rows that are turned into float64 at a time.
BLOCK_ROWS = 4096


def row_blocks(X) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield consecutive rows as float64 arrays that the caller owns."""
    for start in range(0, X.shape[0], BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        yield block, take_dense(X, block)


def blocks_of(X, chosen: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield chosen rows likewise, with their numbers."""
    for start in range(0, len(chosen), BLOCK_ROWS):
        index = chosen[start : start + BLOCK_ROWS]
        yield index, np.array(take_dense(X, index))


class Resolvent:
    """The matrix ``A = (M + eps I)^-1`` of a second moment M.

    Parameters
    ----------
    scatter : Scatter
        M times the weight, or a part of it.
    weight : float
        What the scatter is divided by.
    eps : float
        Positive.
    extra : ndarray of shape (n_rows, n_features), default=None
        Rows whose outer products are the rest of it.
    """

    def __init__(self, scatter: Scatter, weight, eps, extra=None) -> None:
        self.weight, self.eps = weight, eps
        self._factor = None
        if scatter.is_dense:
            triangle = scatter.triangle().copy(order="F")
            if extra is not None:
                linalg.add_gram(triangle, extra)
        else:
            self._factor = scatter.factor()
            if extra is not None:
                self._factor = np.concatenate([self._factor, extra])
            triangle = linalg.gram_of_rows(self._factor)
        self.trace = float(np.trace(triangle)) / weight
        triangle[np.diag_indices(len(triangle))] += weight * eps
        self._root = linalg.cholesky(triangle, overwrite=True)

    def explained(self) -> float:
        """Trace of A M: the number of directions that stand out from eps."""
        size = len(self._root)
        if size == 0:
            return 0.0
        inverse, _ = lapack.dtrtri(self._root, lower=1)
        inverse = np.tril(inverse)
        return size - self.weight * self.eps * float(np.vdot(inverse, inverse))

    def quadratic(self, rows: np.ndarray) -> np.ndarray:
        """Return x' A x for each row x."""
        half = self._halves(rows)
        squares = np.einsum("ij,ij->j", half, half)
        if self._factor is None:
            return self.weight * squares
        return (np.einsum("ij,ij->i", rows, rows) - squares) / self.eps

    def dot(self, rows: np.ndarray) -> np.ndarray:
        """Return A x for each row x, as rows."""
        half = self._halves(rows)
        if len(self._root) == 0:
            return rows / self.eps
        whole = blas.dtrsm(1.0, self._root, half, lower=1, trans_a=1).T
        if self._factor is None:
            return self.weight * whole
        return (rows - whole @ self._factor) / self.eps

    def _halves(self, rows: np.ndarray) -> np.ndarray:
        right = rows.T if self._factor is None else self._factor @ rows.T
        if 0 in right.shape:
            return right
        return blas.dtrsm(1.0, self._root, right, lower=1)
