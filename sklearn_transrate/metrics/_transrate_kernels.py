"""Coding rates of features and of what labels leave unexplained, from moments.

The kernels behind `TransRate`: moments in, rates out. All work on the smaller of the
feature and the sample side.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg import blas
from sklearn.preprocessing import normalize as normalize_rows

from sklearn_transrate._lib import linalg
from sklearn_transrate.metrics._coding_rate import (
    distortion,
    rate_of_spectrum,
    rate_of_triangle,
)
from sklearn_transrate.statistics import ClassMoments, RowSample, TargetMoments

__all__ = [
    "Distortion",
    "Rates",
    "class_rates",
    "class_triangles",
    "pooled_rates",
    "projected_rates",
    "projected_spectra",
    "total_and_left",
    "unit_rows",
]

# Rows put together for one update of the total scatter.
UPDATE_ROWS = 4096


@dataclass(frozen=True)
class Distortion:
    """How the absolute distortion follows from the total scatter.

    Attributes
    ----------
    eps : float or "auto"
        As the user gave it.
    unit : str
        What a float is measured in.
    needs_rank : bool
        Whether the caller wants the rank as well.
    """

    eps: float | str
    unit: str
    needs_rank: bool

    @property
    def reads_rank(self) -> bool:
        """Whether the rank has to be computed."""
        return self.needs_rank or self.eps == "auto" or self.unit == "mean_eigenvalue"


@dataclass(frozen=True)
class Rates:
    """Coding rates in nats, before they are combined.

    Attributes
    ----------
    total : float
        R(Z).
    classes : ndarray of shape (n_classes,) or (1,)
        Rate of each class, or the one rate that is left given the labels.
    eps : float
        Absolute distortion; 0 if it is relative to features without variance.
    rank : int or None
        Rank of the total, where it was needed.
    """

    total: float
    classes: np.ndarray
    eps: float
    rank: int | None


def _offsets(moments: ClassMoments, origin: bool) -> np.ndarray:
    """Class means from the reference point, times the root of the counts."""
    if origin:
        return np.sqrt(moments.counts)[:, None] * moments.means
    return moments.between_rows()


def _each_triangle(moments: ClassMoments, offsets: np.ndarray) -> Iterator[np.ndarray]:
    """Yield each class's scatter about the reference point, on its smaller side.

    A dense one is overwritten by the next.
    """
    scratch = None
    for k, offset in enumerate(offsets):
        scatter = moments.class_scatter(k)
        if scatter.is_dense:
            if scratch is None:
                scratch = np.empty_like(scatter.triangle(), order="F")
            scratch[...] = scatter.triangle()
            yield blas.dsyr(1.0, offset, lower=1, a=scratch, overwrite_a=1)
        else:
            yield linalg.gram_of_rows(np.vstack([scatter.factor(), offset]))


def _dense_total(moments: ClassMoments, offsets: np.ndarray) -> np.ndarray:
    """Sum the class scatters about the reference point, in feature space."""
    total = linalg.empty_triangle(moments.n_features)
    pending, n_pending = [offsets], len(offsets)
    for k in range(len(offsets)):
        scatter = moments.class_scatter(k)
        if scatter.is_dense:
            total += scatter.triangle()
            continue
        pending.append(scatter.factor())
        n_pending += len(pending[-1])
        if n_pending >= UPDATE_ROWS:
            linalg.add_gram(total, np.concatenate(pending))
            pending, n_pending = [], 0
    if pending:
        linalg.add_gram(total, np.concatenate(pending))
    return total


def _thin_total(
    moments: ClassMoments, offsets: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the total in sample space, and the classes, its diagonal blocks.

    The rows of class k are its factor and its offset, so one product serves all.
    """
    rows, ends = [], []
    for k, offset in enumerate(offsets):
        rows += [moments.class_scatter(k).factor(), offset[None]]
        ends.append(len(rows[-2]) + 1)
    gram = linalg.gram_of_rows(np.concatenate(rows))
    stops = np.cumsum(ends)
    blocks = [
        gram[stop - size : stop, stop - size : stop].copy(order="F")
        for stop, size in zip(stops, ends, strict=True)
    ]
    return gram, blocks


def _thin_rank(gram: np.ndarray, moments: ClassMoments) -> int:
    """Rank of a total in sample space, about the mean.

    The offsets of all classes are dependent: their sum, weighted by the roots of
    the counts, is zero. Filling in that one known direction lets the cheap
    certificate of full rank apply.
    """
    null = np.zeros(len(gram))
    sizes = [moments.class_scatter(k).n_rows + 1 for k in range(len(moments.counts))]
    null[np.cumsum(sizes) - 1] = np.sqrt(moments.priors)
    filled = blas.dsyr(np.trace(gram) / len(gram), null, lower=1, a=gram)
    return linalg.effective_rank(filled) - 1


def class_triangles(
    moments: ClassMoments, origin: bool
) -> tuple[np.ndarray, Iterable[np.ndarray], bool]:
    """Second moments about one common point: of all, of each class; and if thin.

    All on the smaller of their sides. A class's matrix may be overwritten by the
    next one's.
    """
    offsets = _offsets(moments, origin)
    thin = moments.n_samples <= moments.n_features and not any(
        moments.class_scatter(k).is_dense for k in range(len(offsets))
    )
    if thin:
        return *_thin_total(moments, offsets), thin
    return _dense_total(moments, offsets), _each_triangle(moments, offsets), thin


def class_rates(
    moments: ClassMoments, distort: Distortion, *, origin: bool = False
) -> Rates:
    """Rates of all features and of each class, about one common point.

    The point is the global mean, or the origin.
    """
    total, classes, thin = class_triangles(moments, origin)
    rank = None
    if distort.reads_rank:
        if not np.trace(total) > 0:
            rank = 0
        elif thin and not origin:
            rank = _thin_rank(total, moments)
        else:
            rank = linalg.effective_rank(total)
    weight = moments.total_weight
    eps = distortion(distort.eps, distort.unit, total, weight, rank)
    if eps == 0:
        return Rates(0.0, np.zeros(len(moments.counts)), eps, rank)
    rate = rate_of_triangle(total, weight, eps)
    rates = [
        rate_of_triangle(triangle, count, eps)
        for triangle, count in zip(classes, moments.counts, strict=True)
    ]
    return Rates(rate, np.array(rates), eps, rank)


def _total_and_within(moments: ClassMoments) -> tuple[np.ndarray, np.ndarray]:
    """Triangles of the total scatter and of the one within classes, on one side."""
    total = moments.total()
    if total.is_dense:
        return total.triangle().copy(order="F"), moments.within().dense()
    return linalg.gram_of_rows(total.factor()), linalg.gram_of_rows(
        moments.within().factor()
    )


def _total_and_residual(moments: TargetMoments) -> tuple[np.ndarray, np.ndarray]:
    """The same for numeric targets: what their best linear prediction leaves."""
    d, joint = moments.n_features, moments.joint()
    if joint.is_dense:
        whole = joint.dense()
        values, vectors = linalg.eigh_psd(np.asfortranarray(whole[d:, d:]))
        explained = (whole[:d, d:] @ vectors) / np.sqrt(values)
        total = np.asfortranarray(whole[:d, :d])
        return total, total - explained @ explained.T
    rows = joint.factor()
    values, vectors = linalg.eigh_psd(
        linalg.add_gram(linalg.empty_triangle(moments.n_targets), rows[:, d:])
    )
    basis = (rows[:, d:] @ vectors) / np.sqrt(values)
    residual = rows[:, :d] - basis @ (basis.T @ rows[:, :d])
    return linalg.gram_of_rows(rows[:, :d]), linalg.gram_of_rows(residual)


def total_and_left(
    moments: ClassMoments | TargetMoments,
) -> tuple[np.ndarray, np.ndarray]:
    """Scatters of the features, and of what a linear model of the labels leaves."""
    if isinstance(moments, ClassMoments):
        return _total_and_within(moments)
    return _total_and_residual(moments)


def pooled_rates(moments: ClassMoments | TargetMoments, distort: Distortion) -> Rates:
    """Rates of all features, and of what a linear model of the labels leaves.

    For classes the linear model of one-hot labels predicts class means, so what it
    leaves is the scatter within classes, pooled.
    """
    total, residual = total_and_left(moments)
    weight = moments.total_weight
    rank = linalg.effective_rank(total) if distort.reads_rank else None
    eps = distortion(distort.eps, distort.unit, total, weight, rank)
    if eps == 0:
        return Rates(0.0, np.zeros(1), eps, rank)
    left = rate_of_triangle(np.asfortranarray(residual), weight, eps)
    return Rates(rate_of_triangle(total, weight, eps), np.array([left]), eps, rank)


def projected_spectra(
    moments: ClassMoments, origin: bool
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Spectra after projecting features on the between-class directions.

    With P the pseudo-inverse of the total covariance times the between-class one:
    the singular values of (total P), which is the between-class covariance, and of
    (class P). All have rank below the number of classes, so everything is done on
    an orthonormal basis of the class means' span.
    """
    weight = moments.total_weight
    offsets = _offsets(moments, origin)
    # offsets / sqrt(weight) = triangular @ basis.T
    basis, triangular = np.linalg.qr(offsets.T / np.sqrt(weight))
    between = triangular @ triangular.T
    covariance = moments.total().dense() / weight
    if origin:
        covariance += np.multiply.outer(moments.mean, moments.mean)
    solved = _solve_psd(covariance, basis)
    spectra = []
    for k, count in enumerate(moments.counts):
        product = moments.class_scatter(k).dot(solved) / count
        spectra.append(np.linalg.svd(product @ between, compute_uv=False))
    return np.linalg.svd(between, compute_uv=False), spectra


def _solve_psd(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve with the pseudo-inverse, by Cholesky where the matrix is definite."""
    triangle = np.asfortranarray(np.tril(matrix))
    if linalg.effective_rank(triangle) == len(triangle):
        factor = linalg.cholesky(triangle)
        half = blas.dtrsm(1.0, factor, right, lower=1)
        return blas.dtrsm(1.0, factor, half, lower=1, trans_a=1)
    values, vectors = linalg.eigh_psd(triangle)
    return vectors @ ((vectors.T @ right) / values[:, None])


def projected_rates(
    moments: ClassMoments, distort: Distortion, *, origin: bool = False
) -> Rates:
    """Rates after projecting features on the directions that separate class means."""
    eigenvalues, spectra = projected_spectra(moments, origin)
    floor = linalg.rank_tolerance(eigenvalues.max(initial=0.0), moments.n_features)
    rank = int(np.sum(eigenvalues > floor))
    eps = distortion(distort.eps, distort.unit, np.diag(eigenvalues), 1.0, rank)
    if eps == 0:
        return Rates(0.0, np.zeros(len(spectra)), eps, rank)
    rates = np.array([rate_of_spectrum(values, eps) for values in spectra])
    return Rates(rate_of_spectrum(eigenvalues, eps), rates, eps, rank)


def unit_rows(rows: RowSample) -> np.ndarray:
    """Rows scaled to unit length, centred, and scaled once more; zero rows stay."""
    Z = normalize_rows(np.asarray(rows.features, dtype=np.float64))
    Z -= np.average(Z, axis=0, weights=rows.weights)
    return normalize_rows(Z, copy=False)
