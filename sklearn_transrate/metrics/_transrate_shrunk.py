"""Coding rates with covariances between those of each class and one for all.

A class with fewer samples than the features have directions has too small a rate by
itself; one covariance for all classes sees no difference between them. A share of
each lies between.
"""

from __future__ import annotations

import numpy as np

from sklearn_transrate._lib import linalg
from sklearn_transrate.metrics._coding_rate import distortion, rate_of_triangle
from sklearn_transrate.metrics._transrate_kernels import Distortion, Rates
from sklearn_transrate.statistics import ClassMoments

__all__ = ["shrunk_rates"]


def shrunk_rates(moments: ClassMoments, share: float, distort: Distortion) -> Rates:
    """Rates of all features, and of each class with a share of the pooled covariance.

    Parameters
    ----------
    moments : ClassMoments
        With a scatter for each class.
    share : float
        0 leaves each class its own second moment about the global mean, 1 gives all
        classes the covariance pooled within them.
    distort : Distortion
        How coarsely to code.
    """
    total, within, classes = _one_space(moments)
    weight = moments.total_weight
    rank = linalg.effective_rank(total) if distort.reads_rank else None
    eps = distortion(distort.eps, distort.unit, total, weight, rank)
    if eps == 0:
        return Rates(0.0, np.zeros(len(classes)), eps, rank)
    rates = [
        rate_of_triangle(
            np.asfortranarray((1.0 - share) * own + (share * count / weight) * within),
            count,
            eps,
        )
        for own, count in zip(classes, moments.counts, strict=True)
    ]
    return Rates(rate_of_triangle(total, weight, eps), np.array(rates), eps, rank)


def _one_space(moments: ClassMoments) -> tuple[np.ndarray, np.ndarray, list]:
    """Scatters of all, within classes and of each, all in as few axes as they span."""
    offsets = moments.between_rows()
    scatters = [moments.class_scatter(k) for k in range(len(offsets))]
    if any(s.is_dense for s in scatters) or moments.n_samples > moments.n_features:
        classes = [
            linalg.add_gram(scatter.triangle().copy(order="F"), offset[None])
            for scatter, offset in zip(scatters, offsets, strict=True)
        ]
        return np.asfortranarray(sum(classes)), moments.within().triangle(), classes
    factors = [s.factor() for s in scatters]
    rows = np.concatenate([*factors, offsets])
    values, vectors = linalg.eigh_psd(linalg.gram_of_rows(rows))
    turned = vectors * np.sqrt(values)
    stops = np.cumsum([len(factor) for factor in factors])
    parts = np.split(turned[: stops[-1]], stops[:-1])
    inside = [_gram(part) for part in parts]
    classes = [
        linalg.add_gram(own.copy(order="F"), offset[None])
        for own, offset in zip(inside, turned[stops[-1] :], strict=True)
    ]
    return np.asfortranarray(np.diag(values)), sum(inside), classes


def _gram(rows: np.ndarray) -> np.ndarray:
    return linalg.add_gram(linalg.empty_triangle(rows.shape[1]), rows)
