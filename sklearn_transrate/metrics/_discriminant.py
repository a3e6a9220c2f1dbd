"""Linear discriminant analysis with shrinkage, from class moments.

What SFDA, PED, ETran and NCTI share. The posterior of a class needs the inverse of the
within-class covariance on the class means only, so there is one factorisation, on the
thin side, and no eigenvectors of pairs of matrices.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from numbers import Real
from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh, lapack
from scipy.special import softmax

from sklearn_transrate._lib import linalg
from sklearn_transrate._lib.labels import encode_labels
from sklearn_transrate.exceptions import SaturatedScoreWarning
from sklearn_transrate.statistics import ClassMoments, RowSample, Scatter

__all__ = [
    "Discriminant",
    "Rows",
    "check_shrinkage",
    "resolve_shrinkage",
    "warn_if_saturated",
]

SHRINKAGES = ("published", "relative")
BLOCK_ROWS = 4096
# The published smallest shrinkage.
LEAST_SHRINKAGE = 1e-10
# Share of a vector's length, or of the variance, that rounding may have made.
ROUNDING = 1e-12
# From here on a mean posterior says nothing where features separate all samples.
SATURATION = 0.99


class Rows(NamedTuple):
    """Blocks of rows about a fixed origin, with codes and weights.

    Attributes
    ----------
    read : callable
        Takes a slice and returns these rows less `origin`, as a new float64 array.
    origin : ndarray of shape (n_features,)
        Close to the rows, so that differences from it are exact.
    codes : ndarray of shape (n_samples,)
        Positions of the labels among the sorted classes.
    weights : ndarray of shape (n_samples,)
        Positive.
    """

    read: Callable[[slice], np.ndarray]
    origin: np.ndarray
    codes: np.ndarray
    weights: np.ndarray

    @classmethod
    def from_sample(cls, rows: RowSample, origin: np.ndarray) -> Rows:
        """Read kept rows a block at a time."""
        X = rows.features
        weights = np.ones(len(X)) if rows.weights is None else rows.weights
        codes = encode_labels(rows.targets)[1]

        def read(block):
            return X[block].astype(np.float64) - origin

        return cls(read, origin, codes, weights)

    def blocks(self) -> Iterator[slice]:
        """Yield slices that cover all rows."""
        for start in range(0, len(self.codes), BLOCK_ROWS):
            yield slice(start, start + BLOCK_ROWS)

    def mapped(self, change: Callable[[np.ndarray, slice], np.ndarray]) -> Rows:
        """Return rows that are changed whenever they are read."""
        return self._replace(read=lambda block: change(self.read(block), block))

    def moments(self) -> ClassMoments:
        """Return the class moments of these rows about the origin."""
        moments = ClassMoments.empty(scatter="pooled")
        for block in self.blocks():
            moments.update(self.read(block), self.codes[block], self.weights[block])
        return moments

    def mean(self, values: np.ndarray) -> float:
        """Return the weighted mean of one value a row."""
        return float(self.weights @ values / self.weights.sum())


class Discriminant(NamedTuple):
    """Scores of classes, linear in the features.

    Attributes
    ----------
    centre : ndarray of shape (n_features,)
        Point that features are measured from.
    slopes : ndarray of shape (n_features, n_classes)
        ``S^-1 (m_k - centre)``, with S the shrunk within-class covariance.
    intercepts : ndarray of shape (n_classes,)
        ``log(n_k / n) - (m_k - centre)' S^-1 (m_k - centre) / 2``.
    """

    centre: np.ndarray
    slopes: np.ndarray
    intercepts: np.ndarray

    @classmethod
    def from_moments(
        cls, moments: ClassMoments, shrinkage: float, origin: np.ndarray | float = 0.0
    ) -> Discriminant:
        """Fit to moments; S = (1 - a) S_W + a (trace(S_W) / d) I for shrinkage a.

        Rows will be measured from `origin`, which the moments were not. Where rows do
        not vary within classes the limit of small variances is taken.
        """
        n, d = moments.total_weight, moments.n_features
        within, offsets = moments.within(), moments.means - moments.mean
        spread = float(np.vdot(moments.between_rows(), moments.between_rows()))
        variance = max(within.trace(), ROUNDING**2 * spread) / (n * d)
        if variance == 0.0:
            slopes = np.zeros((d, len(offsets)))
        elif shrinkage == 1.0:
            slopes = offsets.T / variance
        else:
            ridge = shrinkage * variance * n / (1.0 - shrinkage)
            slopes = _solve(within, ridge, offsets.T) * (n / (1.0 - shrinkage))
        intercepts = np.log(moments.priors) - 0.5 * np.einsum(
            "kj,jk->k", offsets, slopes
        )
        return cls(moments.mean - origin, slopes, intercepts)

    def posterior(self, rows: np.ndarray) -> np.ndarray:
        """Return the probability of each class, (n_rows, n_classes)."""
        return softmax((rows - self.centre) @ self.slopes + self.intercepts, axis=1)

    def own_class(self, rows: Rows, soften: bool = False) -> np.ndarray:
        """Return the probability of each row's class, after a second softmax or not."""
        found = np.empty(len(rows.codes))
        for block in rows.blocks():
            posterior = self.posterior(rows.read(block))
            if soften:
                posterior = softmax(posterior, axis=1)
            codes = rows.codes[block]
            found[block] = posterior[np.arange(len(codes)), codes]
        return found


def _solve(scatter: Scatter, ridge: float, B: np.ndarray) -> np.ndarray:
    """Solve (scatter + ridge I) X = B, or by the pseudo-inverse where ridge is 0."""
    if scatter.is_dense:
        triangle = scatter.triangle().copy(order="F")
        if ridge > 0:
            triangle[np.diag_indices(len(triangle))] += ridge
            factor = linalg.cholesky(triangle)
            if factor is not None:
                return lapack.dpotrs(factor, B, lower=1)[0]
            triangle[np.diag_indices(len(triangle))] -= ridge
        eigenvalues, vectors = linalg.eigh_psd(triangle)
    else:
        rows = scatter.factor()
        eigenvalues, left = linalg.eigh_psd(linalg.gram_of_rows(rows))
        vectors = rows.T @ (left / np.sqrt(eigenvalues))
    along = vectors.T @ B
    solved = vectors @ (along / (eigenvalues + ridge)[:, None])
    if ridge > 0:
        # What the rows do not span. Twice: the rounding of one projection, over a
        # small ridge, would outweigh the rest.
        beyond = B - vectors @ along
        beyond -= vectors @ (vectors.T @ beyond)
        lengths = np.einsum("ij,ij->j", B, B) * ROUNDING**2
        beyond[:, np.einsum("ij,ij->j", beyond, beyond) <= lengths] = 0.0
        solved += beyond / ridge
    return solved


# -- how far to shrink ---------------------------------------------------------


def check_shrinkage(shrinkage) -> None:
    """Raise unless `resolve_shrinkage` understands it."""
    is_share = isinstance(shrinkage, Real) and 0.0 < shrinkage <= 1.0
    if not is_share and shrinkage not in SHRINKAGES:
        raise ValueError(
            f"Expected 'shrinkage' to be one of {SHRINKAGES} or a number above 0 and "
            f"up to 1, got {shrinkage!r}."
        )


def resolve_shrinkage(moments: ClassMoments, shrinkage: str | float) -> float:
    """Return the weight of the scaled identity.

    ``exp(-5 s)``, at least 1e-10, with s the leading eigenvalue of the within-class
    covariance: in the features' own units and estimated as the authors do
    ("published"), or exactly and in units of the trace ("relative"). A number is
    taken as it is.
    """
    if not isinstance(shrinkage, str):
        return float(shrinkage)
    within = moments.within()
    if not within.trace() > 0:
        return LEAST_SHRINKAGE
    if shrinkage == "relative":
        leading = _leading_eigenvalue(within) / within.trace()
    else:
        leading = _leading_estimate(within) / moments.total_weight
    return float(max(np.exp(-5.0 * leading), LEAST_SHRINKAGE))


def _leading_eigenvalue(scatter: Scatter) -> float:
    triangle = (
        scatter.triangle()
        if scatter.is_dense
        else linalg.gram_of_rows(scatter.factor())
    )
    last = len(triangle) - 1
    return float(
        eigh(triangle, lower=True, eigvals_only=True, subset_by_index=[last] * 2)[0]
    )


def _leading_estimate(scatter: Scatter, rounds: int = 3) -> float:
    """Six steps of power iteration from the row sums, up to a tenth too small."""
    dot = scatter.dot
    if scatter.is_dense:
        dense = scatter.dense()
        dot = dense.__matmul__
    x = dot(np.ones(scatter.n_features))
    if not np.linalg.norm(x) > ROUNDING * scatter.trace():
        # Features with a constant sum, such as probabilities: no start to iterate on.
        return _leading_eigenvalue(scatter)
    for _ in range(rounds):
        y = dot(x)
        y /= np.linalg.norm(y)
        x = dot(y)
        x /= np.linalg.norm(x)
    return float(x @ dot(y))


# -- when it says nothing ------------------------------------------------------


def warn_if_saturated(name: str, posterior: float, n_samples: int, width: int) -> None:
    """Warn if a mean posterior is at its bound because the features are too wide.

    Parameters
    ----------
    name : str
        Of the metric.
    posterior : float
        Mean posterior of the own class.
    n_samples, width : int
        Number of rows, and of features or components that were used.
    """
    if n_samples - 1 <= width and posterior > SATURATION:
        warnings.warn(
            f"{name} is at its bound, and would be for other labels: {n_samples} "
            f"samples are too few for {width} features. Use RidgeLOO, LogME or "
            "HScore(shrinkage='ledoit_wolf'), or more samples.",
            SaturatedScoreWarning,
            stacklevel=5,
        )
