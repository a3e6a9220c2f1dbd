"""Influence of rows on the H-score, shrunk or not.

The score is tr(P B) with P = (C + r I)^-1, total covariance C, between-class
covariance B and ridge r. One more row x of class k, at b from its class mean, changes C
by x x' - C, B by d d' - B + b d' + d b' with d the offset of the class, and r through
the mean variance and, where the data choose it, the amount of shrinkage.
"""

from __future__ import annotations

import numpy as np

from sklearn_transrate._lib import linalg
from sklearn_transrate.metrics._influence_resolvent import Resolvent, row_blocks
from sklearn_transrate.statistics import ClassMoments, Scatter

__all__ = ["h_score_influence"]


def h_score_influence(
    moments: ClassMoments, X, codes, *, amount: float, is_chosen: bool
) -> np.ndarray:
    """Influence of rows, with that on the shrinkage included.

    Parameters
    ----------
    moments : ClassMoments
        Of all rows; with norms if the shrinkage is chosen by the data.
    X, codes
        Rows and positions of their classes.
    amount : float
        Shrinkage that was used.
    is_chosen : bool
        Whether it is Ledoit and Wolf's.
    """
    total, d = moments.total(), moments.n_features
    trace = total.trace() / moments.total_weight
    if not trace > 0 or amount == 1.0:
        return np.zeros(X.shape[0])
    mean, priors = moments.mean, moments.priors
    offsets = moments.means - mean
    odds = amount / (1.0 - amount)
    ridge = odds * trace / d
    solved = _solve(total, moments.total_weight, ridge, offsets)  # rows P d_k
    explained = np.einsum("kj,kj->k", offsets, solved)
    score = float(priors @ explained)
    # tr(P B P), and tr(P B P C) = tr(P B) - r tr(P B P).
    by_ridge = float(priors @ np.einsum("kj,kj->k", solved, solved))
    by_total = score - ridge * by_ridge
    shrinkage = _Shrinkage(moments, total) if is_chosen and amount > 0 else None
    weighted = np.sqrt(priors)[:, None] * solved
    values = np.empty(X.shape[0])
    for block, rows in row_blocks(X):
        rows -= mean
        own = codes[block]
        projected = rows @ weighted.T
        quadratic = np.einsum("ij,ij->i", projected, projected)
        towards = np.einsum("ij,ij->i", rows, solved[own]) - explained[own]
        values[block] = by_total - quadratic + explained[own] - score + 2.0 * towards
        squares = np.einsum("ij,ij->i", rows, rows)
        moved = odds * (squares - trace) / d
        if shrinkage is not None:
            moved += trace / d / (1.0 - amount) ** 2 * shrinkage.moved(rows, squares)
        values[block] -= by_ridge * moved
    return values


def _solve(total: Scatter, weight: float, ridge: float, rows) -> np.ndarray:
    """Return (C + ridge I)^-1 times rows, or the pseudo-inverse without a ridge."""
    if ridge > 0:
        return Resolvent(total, weight, ridge).dot(rows)
    if total.is_dense:
        values, vectors = linalg.eigh_psd(total.triangle())
    else:
        factor = total.factor()
        values, vectors = linalg.eigh_psd(linalg.gram_of_rows(factor))
        vectors = factor.T @ vectors / np.sqrt(values)
    return weight * ((rows @ vectors) / values) @ vectors.T


class _Shrinkage:
    """How a row moves the amount that Ledoit and Wolf's rule shrinks by.

    The amount is noise over spread, with noise (m - F) / n and spread F - d v^2, where
    m is the mean of |x|^4, F the squared norm of C and v the mean variance.
    """

    def __init__(self, moments: ClassMoments, total: Scatter) -> None:
        self.n, self.d = moments.total_weight, moments.n_features
        self.total, self.norms = total, moments.norm_moments()
        self.variance = total.trace() / self.n / self.d
        triangle = (
            total.triangle() if total.is_dense else linalg.gram_of_rows(total.factor())
        )
        self.square = linalg.frobenius_norm(triangle) ** 2 / self.n**2
        self.spread = self.square - self.d * self.variance**2
        self.noise = (self.norms.fourth / self.n - self.square) / self.n

    def moved(self, rows: np.ndarray, squares: np.ndarray) -> np.ndarray:
        """Return the influence of centred rows, given their squared lengths."""
        quadratic = np.einsum("ij,ji->i", rows, self.total.dot(rows.T)) / self.n
        square = 2.0 * (quadratic - self.square)
        fourth = squares**2 - self.norms.fourth / self.n
        fourth -= 4.0 / self.n * (rows @ self.norms.third)  # the mean moves
        noise = (fourth - square) / self.n - self.noise
        spread = square - 2.0 * self.variance * (squares - self.d * self.variance)
        return (noise - self.noise / self.spread * spread) / self.spread
