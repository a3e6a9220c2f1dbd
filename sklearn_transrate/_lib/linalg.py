"""Symmetric matrices by their lower triangle: updates, log-determinants, rank.

Everything here works on Fortran-ordered float64 arrays of which only the lower
triangle is meaningful, because that is what BLAS and LAPACK write: mirroring a
matrix that the next call reads half of costs as much memory traffic as making it.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.linalg import blas, eigh, lapack

__all__ = [
    "add_gram",
    "cholesky",
    "effective_rank",
    "eigh_all",
    "eigh_psd",
    "eigvalsh_alive",
    "empty_triangle",
    "frobenius_norm",
    "gram_of_rows",
    "isometric_rows",
    "log_det_identity_plus",
    "mirror",
    "rank_of_eigenvalues",
    "rank_tolerance",
]


def empty_triangle(size: int) -> np.ndarray:
    """Return a zero matrix of shape (size, size) in the layout used here."""
    return np.zeros((size, size), order="F")


def add_gram(
    triangle: np.ndarray, rows: np.ndarray, *, keep: bool = True
) -> np.ndarray:
    """Add ``rows.T @ rows`` to the lower triangle, in place, and return it.

    What the triangle holds is overwritten instead if it is not to be kept.
    """
    if len(rows) == 0:
        if not keep:
            triangle[...] = 0.0
        return triangle
    # The transpose of C-ordered rows is Fortran-ordered, so nothing is copied.
    rows = np.ascontiguousarray(rows, dtype=np.float64)
    beta = 1.0 if keep else 0.0
    return blas.dsyrk(1.0, rows.T, beta=beta, c=triangle, lower=1, overwrite_c=1)


def gram_of_rows(rows: np.ndarray) -> np.ndarray:
    """Return the lower triangle of ``rows @ rows.T``."""
    rows = np.ascontiguousarray(rows, dtype=np.float64)
    if 0 in rows.shape:
        return empty_triangle(len(rows))
    return blas.dsyrk(1.0, rows.T, trans=1, lower=1)


def mirror(triangle: np.ndarray) -> np.ndarray:
    """Return the full symmetric matrix of a lower triangle, as a new array."""
    full = np.tril(triangle)
    full += np.tril(triangle, -1).T
    return full


def cholesky(triangle: np.ndarray, *, overwrite: bool = False) -> np.ndarray | None:
    """Return the lower Cholesky factor, or None if the matrix is not definite."""
    factor, info = lapack.dpotrf(triangle, lower=1, clean=0, overwrite_a=overwrite)
    return factor if info == 0 else None


def log_det_identity_plus(triangle: np.ndarray, scale: float) -> float:
    """Return log det(I + triangle / scale), with a positive `scale`.

    The argument is overwritten: pass a copy of what is still needed.
    """
    size = len(triangle)
    if size == 0:
        return 0.0
    triangle /= scale
    triangle[np.diag_indices(size)] += 1.0
    factor = cholesky(triangle, overwrite=True)
    if factor is None:
        raise ValueError(
            "Expected a positive semi-definite matrix of finite numbers, got one "
            "whose identity-shifted form is not definite. Check the features for "
            "values that overflow when squared."
        )
    return 2.0 * float(np.log(np.diagonal(factor)).sum())


def rank_tolerance(largest: float, size: int) -> float:
    """Return the eigenvalue below which a direction counts as absent.

    The rule of ``numpy.linalg.matrix_rank``, applied to the covariance matrix.
    """
    return largest * size * np.finfo(np.float64).eps


def effective_rank(triangle: np.ndarray) -> int:
    """Return the number of eigenvalues above rounding noise.

    A Cholesky factorisation certifies full rank at a fraction of the cost of the
    eigenvalues, which are computed only when it cannot. Coordinates without any
    variance (dead units) are set aside first.
    """
    triangle = _alive(triangle)
    size = len(triangle)
    if size == 0:
        return 0
    norm = frobenius_norm(triangle)
    shifted = triangle.copy(order="F")
    # Twice the tolerance, and the Frobenius norm in place of the largest
    # eigenvalue: the certificate may only err towards computing the spectrum.
    shifted[np.diag_indices(size)] -= 2.0 * rank_tolerance(norm, size)
    if cholesky(shifted, overwrite=True) is not None:
        return size
    return rank_of_eigenvalues(eigvalsh_alive(triangle))


def eigvalsh_alive(triangle: np.ndarray) -> np.ndarray:
    """Return the eigenvalues, ascending, but for coordinates without any variance.

    Of a positive semi-definite matrix: rounding leaves none below zero.
    """
    triangle = _alive(triangle)
    if len(triangle) == 0:
        return np.empty(0)
    eigenvalues = eigh(triangle, lower=True, eigvals_only=True, check_finite=False)
    return np.maximum(eigenvalues, 0.0)


def rank_of_eigenvalues(eigenvalues: np.ndarray) -> int:
    """Return the number of ascending eigenvalues above rounding noise."""
    if len(eigenvalues) == 0:
        return 0
    floor = rank_tolerance(eigenvalues[-1], len(eigenvalues))
    return int(np.sum(eigenvalues > floor))


def _alive(triangle: np.ndarray) -> np.ndarray:
    """Return the part of a matrix whose diagonal is not zero."""
    alive = np.flatnonzero(np.diagonal(triangle) > 0)
    if len(alive) == len(triangle):
        return triangle
    return triangle[np.ix_(alive, alive)]


def frobenius_norm(triangle: np.ndarray) -> float:
    """Return the Frobenius norm of the symmetric matrix of a lower triangle."""
    lower = np.tril(triangle)
    diagonal = np.diagonal(triangle)
    return float(np.sqrt(2.0 * np.vdot(lower, lower) - diagonal @ diagonal))


def eigh_all(triangle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return all eigenvalues, ascending, and their eigenvectors."""
    # SciPy 1.12 asks LAPACK for too little work space where the size is 1.
    driver = "evd" if len(triangle) > 1 else "ev"
    return eigh(triangle, lower=True, driver=driver, check_finite=False)


def eigh_psd(triangle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the non-zero eigenvalues, ascending, and their eigenvectors."""
    if len(triangle) == 0:
        return np.empty(0), np.empty((0, 0))
    eigenvalues, vectors = eigh_all(triangle)
    kept = eigenvalues > rank_tolerance(max(eigenvalues[-1], 0.0), len(triangle))
    return eigenvalues[kept], vectors[:, kept]


def isometric_rows(X: sparse.csr_matrix | sparse.csr_array) -> np.ndarray:
    """Return dense rows with the inner products of sparse ones.

    At most as many columns as rows: what does not change when the axes turn, or when
    columns of zeros are added, is the same for both.
    """
    X = X.astype(np.float64)
    gram = np.asfortranarray((X @ X.T).toarray())
    factor, pivots, rank, _ = lapack.dpstrf(gram, lower=1, overwrite_a=1)
    rows = np.empty((len(gram), rank))
    rows[pivots - 1] = np.tril(factor)[:, :rank]
    return rows
