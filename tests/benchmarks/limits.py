"""What no implementation can leave out: the BLAS and LAPACK calls alone.

Each function returns a contestant that makes exactly these calls, on the same shapes,
with every buffer allocated, every row gathered and every matrix copied beforehand.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import blas, lapack

from tests.benchmarks.timing import Contestant

__all__ = ["h_score_limit", "logme_limit", "transrate_limit"]


def transrate_limit(X, y) -> Contestant:
    """One symmetric update with all rows, and a Cholesky factor of each scatter.

    Where n <= d the update is n x n and its diagonal blocks are the classes'. Where
    a class has fewer rows than features, its own update is on that thinner side.
    """
    n, d = X.shape
    counts = np.bincount(y)
    rows = np.asarray(X, dtype=np.float64)[np.argsort(y, kind="stable")]
    if n <= d:
        updates = [_Update(rows, by_rows=True)]
        return _contestant(updates, [n, *counts])
    by_class = np.split(rows, np.cumsum(counts)[:-1])
    dense = [_Update(block, by_rows=False) for block in by_class if len(block) > d]
    thin = [block for block in by_class if len(block) <= d]
    updates = dense + [_Update(block, by_rows=True) for block in thin]
    if thin:
        updates.append(_Update(np.concatenate(thin), by_rows=False))
    return _contestant(updates, [d, *np.minimum(counts, d)])


def h_score_limit(X, y) -> Contestant:
    """One symmetric update, one Cholesky factor, one triangular solve of K columns."""
    size, update = _total_update(X)
    offsets = np.asfortranarray(X[: len(np.unique(y)), :size].T, dtype=np.float64)
    return _contestant([update], [size], offsets)


def logme_limit(X) -> Contestant:
    """One symmetric update and one symmetric eigendecomposition."""
    size, update = _total_update(X)
    matrix = np.empty((size, size), order="F")

    def prepare():
        np.copyto(matrix, _definite(size))

    def run():
        update.run()
        return lapack.dsyevd(matrix, compute_v=1, lower=1, overwrite_a=1)[0]

    return Contestant(run, prepare)


class _Update:
    """A symmetric rank-n update into a buffer of its own."""

    def __init__(self, rows, *, by_rows):
        self.rows = np.ascontiguousarray(rows)
        self.trans = int(by_rows)
        size = len(rows) if by_rows else rows.shape[1]
        self.out = np.zeros((size, size), order="F")

    def run(self):
        blas.dsyrk(
            1.0, self.rows.T, trans=self.trans, beta=0.0, c=self.out, lower=1,
            overwrite_c=1,
        )  # fmt: skip


def _total_update(X):
    n, d = X.shape
    return min(n, d), _Update(np.asarray(X, dtype=np.float64), by_rows=n <= d)


def _contestant(updates, sizes, right=None) -> Contestant:
    matrices = [np.empty((size, size), order="F") for size in sizes]

    def prepare():
        for matrix in matrices:
            np.copyto(matrix, _definite(len(matrix)))

    def run():
        for update in updates:
            update.run()
        for matrix in matrices:
            lapack.dpotrf(matrix, lower=1, clean=0, overwrite_a=1)
        if right is not None:
            blas.dtrsm(1.0, matrices[0], right, lower=1)

    return Contestant(run, prepare)


def _definite(size):
    """A well-conditioned matrix without zeros; its numbers do not change the work."""
    return np.eye(size) + 1.0 / (1.0 + np.add.outer(np.arange(size), np.arange(size)))
