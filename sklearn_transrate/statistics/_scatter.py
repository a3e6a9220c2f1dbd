"""One scatter matrix, kept on the thinner of its two sides.

A scatter is a sum of centred outer products. While fewer independent rows than
features have been seen it is kept as a *factor* F with ``F.T @ F`` equal to it;
from then on as a dense matrix, and a few rows that wait for it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.linalg import blas

from sklearn_transrate._lib import linalg
from sklearn_transrate._lib.arrays import take_dense

__all__ = [
    "Scatter",
    "centred_factor",
    "dense_scatter",
    "row_buffer",
    "sum_of_scatters",
]

# Rows that are centred and summed while they are in the cache: each update passes over
# the matrix once more, so not too few of them either.
BUFFER_BYTES = 2**22
BUFFER_ROWS = 256
# Rows that wait for a dense matrix, which is passed over once for all of them: at most
# so many, and at most half as many as the matrix has.
WAITING_ROWS = 256
# Factor rows of many scatters that are added in one update.
SUM_ROWS = 4096


def centred_factor(
    rows: np.ndarray, mean: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Return m - 1 rows whose gram matrix is the centred scatter of m rows.

    A Householder reflection maps the direction of the (square-rooted) weights,
    along which centred rows sum to zero, onto the first row, which is dropped. A
    class of m samples therefore has m - 1 factor rows however it was merged, and
    the factor has full row rank unless the data themselves are degenerate.

    Parameters
    ----------
    rows : ndarray of shape (m, n_features)
        Float64 rows; overwritten.
    mean : ndarray of shape (n_features,)
        Their (weighted) mean.
    weights : ndarray of shape (m,), default=None
        Positive weights; None means 1 for each row.

    Returns
    -------
    factor : ndarray of shape (m - 1, n_features)
    """
    if weights is None:
        # For equal weights the reflection only moves the point that is subtracted.
        rows[1:] -= mean + (rows[0] - mean) / (np.sqrt(len(rows)) + 1.0)
        return rows[1:]
    root = np.sqrt(weights)
    unit = root / np.sqrt(root @ root)
    rows -= mean
    rows *= root[:, None]
    rows[1:] -= np.multiply.outer(unit[1:] / (1.0 + unit[0]), rows[0])
    return rows[1:]


def row_buffer(n_features: int, n_rows: int) -> np.ndarray:
    """Return scratch space for `dense_scatter`, for classes of at most `n_rows`."""
    fitting = max(BUFFER_ROWS, BUFFER_BYTES // (8 * n_features))
    return np.empty((max(1, min(n_rows, fitting)), n_features))


def dense_scatter(
    X: np.ndarray,
    index: np.ndarray,
    weights: np.ndarray | None = None,
    buffer: np.ndarray | None = None,
    triangle: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean of chosen rows, in two parts, and their scatter.

    Rows pass once through a buffer that stays in the cache. They are measured from
    the mean of the first bufferful, and what that is off by is taken back at the
    end: a correction no larger than the scatter, so no digits are lost.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        All rows.
    index : ndarray of shape (m,)
        Numbers of the chosen ones.
    weights : ndarray of shape (m,), default=None
        Their positive weights; None means 1 for each row.
    buffer : ndarray of shape (n_rows, n_features), default=None
        Scratch space, to be used again for the next class; see `row_buffer`.
    triangle : ndarray of shape (n_features, n_features), default=None
        In Fortran order, zero above the diagonal; to be filled and returned.

    Returns
    -------
    base, step : ndarray of shape (n_features,)
        The mean is their sum, which need not be a float64 number.
    triangle : ndarray of shape (n_features, n_features)
        Lower triangle of the scatter.
    """
    n_features = X.shape[1]
    if triangle is None:
        triangle = linalg.empty_triangle(n_features)
    sums = np.zeros(n_features)
    if buffer is None:
        buffer = row_buffer(n_features, len(index))
    ones, origin = np.ones(len(buffer)), None
    for start in range(0, len(index), len(buffer)):
        chosen = index[start : start + len(buffer)]
        rows = buffer[: len(chosen)]
        if isinstance(X, np.ndarray) and X.dtype == np.float64:
            np.take(X, chosen, axis=0, out=rows, mode="clip")
        elif isinstance(X, np.ndarray):
            rows[:] = X[chosen]
        else:
            rows[:] = take_dense(X, chosen)
        if origin is None:
            # By way of one row, which makes the mean as exact as the data.
            first = rows[0].copy()
            rows -= first
            origin = first + (ones[: len(rows)] @ rows) / len(rows)
            rows -= origin - first
        else:
            rows -= origin
        w = ones[: len(rows)] if weights is None else weights[start:][: len(rows)]
        sums += w @ rows
        if weights is not None:
            rows *= np.sqrt(w)[:, None]
        linalg.add_gram(triangle, rows, keep=start > 0)
    total = float(len(index)) if weights is None else float(weights.sum())
    step = sums / total
    triangle = blas.dsyr(-total, step, lower=1, a=triangle, overwrite_a=1)
    return origin, step, triangle


class Scatter:
    """A positive semi-definite matrix that grows by rows, dense or as a factor.

    Parameters
    ----------
    n_features : int
        Order of the matrix.
    """

    __slots__ = ("_chunks", "_triangle", "n_features", "n_rows")

    def __init__(self, n_features: int) -> None:
        self.n_features = n_features
        self.n_rows = 0
        self._chunks: list[np.ndarray] = []
        self._triangle: np.ndarray | None = None

    def __getstate__(self):
        # What other processes hand over may be read-only, to which nothing is added.
        if self.is_dense:
            self._add_chunks()
        return super().__getstate__()

    @property
    def is_dense(self) -> bool:
        """Whether the matrix is dense; otherwise it is kept as a factor."""
        return self._triangle is not None

    def add(self, rows: np.ndarray) -> None:
        """Add ``rows.T @ rows``; `rows` must belong to the caller alone."""
        if len(rows) == 0:
            return
        self.n_rows += len(rows)
        self._chunks.append(rows)
        if self._triangle is not None:
            waiting = sum(map(len, self._chunks))
            if waiting >= min(WAITING_ROWS, self.n_features // 2):
                self._add_chunks()
        elif self.n_rows >= self.n_features:
            self._triangle = linalg.empty_triangle(self.n_features)
            self._add_chunks()

    def add_triangle(self, triangle: np.ndarray, n_rows: int) -> None:
        """Add a dense scatter; the triangle must belong to the caller alone."""
        self.n_rows += n_rows
        if self._triangle is not None:
            self._triangle += triangle
            return
        self._triangle = triangle
        self._add_chunks()

    def _add_chunks(self) -> np.ndarray:
        """Let no row wait, and return the dense matrix."""
        chunks, self._chunks = self._chunks, []
        if chunks:
            linalg.add_gram(self._triangle, _joined(chunks))
        return self._triangle

    def absorb(self, other: Scatter, rows: np.ndarray | None = None) -> None:
        """Add another scatter, and rows as well; shares no array with them."""
        extra = np.empty((0, self.n_features)) if rows is None else rows
        if other._triangle is None:
            self.add(np.concatenate([other.factor(), extra]))
            return
        triangle = other._add_chunks()
        if self._triangle is None:
            self.add_triangle(triangle.copy(order="F"), other.n_rows)
        else:
            self.add_triangle(triangle, other.n_rows)
        self.add(extra.copy())

    def copy(self) -> Scatter:
        """Return an equal scatter that shares no array with this one."""
        new = Scatter(self.n_features)
        new.absorb(self)
        return new

    def factor(self) -> np.ndarray:
        """Return F of shape (n_rows, n_features) with F.T @ F equal to the scatter."""
        if self._triangle is not None:
            raise ValueError("A dense scatter has no factor.")
        if not self._chunks:
            return np.empty((0, self.n_features))
        self._chunks = [_joined(self._chunks)]
        return self._chunks[0]

    def triangle(self) -> np.ndarray:
        """Return the lower triangle of the matrix; a fresh array if it is thin."""
        if self._triangle is not None:
            return self._add_chunks()
        triangle = linalg.empty_triangle(self.n_features)
        return linalg.add_gram(triangle, self.factor())

    def dense(self) -> np.ndarray:
        """Return the full symmetric matrix, as a new array."""
        return linalg.mirror(self.triangle())

    def dot(self, vector: np.ndarray) -> np.ndarray:
        """Return the product with a vector, or with the columns of a matrix."""
        if self._triangle is None:
            factor = self.factor()
            return factor.T @ (factor @ vector)
        if vector.ndim == 1:
            return blas.dsymv(1.0, self._add_chunks(), vector, lower=1)
        return self.dense() @ vector

    def trace(self) -> float:
        """Return the trace."""
        if self._triangle is not None:
            return float(np.trace(self._add_chunks()))
        factor = self.factor()
        return float(np.vdot(factor, factor))

    def to_array(self) -> np.ndarray:
        """Return what `from_array` needs: the factor, or the full matrix."""
        return self.dense() if self.is_dense else self.factor().copy()

    @classmethod
    def from_array(cls, array: np.ndarray, n_rows: int) -> Scatter:
        """Rebuild a scatter from the result of `to_array`."""
        scatter = cls(array.shape[1])
        scatter.n_rows = n_rows
        if len(array) == n_rows and n_rows < array.shape[1]:
            scatter._chunks = [np.array(array, dtype=np.float64)] if n_rows else []
        else:
            scatter._triangle = np.asfortranarray(np.tril(array), dtype=np.float64)
        return scatter


def sum_of_scatters(scatters: Iterable[Scatter], n_features: int) -> Scatter:
    """Return the sum of scatters; thin ones by the thousand rows."""
    total, pending, n_pending = Scatter(n_features), [], 0
    for scatter in scatters:
        if scatter.is_dense:
            total.absorb(scatter)
            continue
        pending.append(scatter.factor())
        n_pending += len(pending[-1])
        if n_pending >= SUM_ROWS:
            total.add(np.concatenate(pending))
            pending, n_pending = [], 0
    if pending:
        total.add(np.concatenate(pending))
    return total


def _joined(chunks: list[np.ndarray]) -> np.ndarray:
    # Each update passes over the whole matrix, however few rows it adds.
    return chunks[0] if len(chunks) == 1 else np.concatenate(chunks)
