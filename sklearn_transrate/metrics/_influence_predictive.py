"""Influence of rows on TransRate out of sample.

A row moves the mean of what all rows gain by its own gain and, through the scatter,
the class means, the counts and the distortion, by what it changes of the others'. The
latter is one backward pass over the rows that were seen: derivatives of all gains by
those few matrices, which every row is then multiplied with.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sklearn_transrate._lib import linalg
from sklearn_transrate.metrics._influence_resolvent import row_blocks
from sklearn_transrate.metrics._transrate_predictive import (
    SMALLEST_REST,
    class_factors,
    class_numbers,
)
from sklearn_transrate.statistics import ClassMoments, RowSample

__all__ = ["predictive_influence"]


def predictive_influence(
    moments: ClassMoments, rows: RowSample, X, codes, *, eps: float, is_relative: bool
) -> np.ndarray:
    """Influence of rows on the information at one distortion.

    Parameters
    ----------
    moments : ClassMoments
        With the scatter within classes.
    rows : RowSample
        The same samples, or some of them.
    X, codes
        Rows and positions of their classes.
    eps : float
        Absolute distortion; infinite where nothing is gained at any.
    is_relative : bool
        Whether it is a multiple of the total's trace.
    """
    values = np.zeros(X.shape[0])
    if not np.isfinite(eps):
        return values
    model = _Model(moments, rows, eps)
    n, counts = model.n, model.counts
    slopes = model.slopes()
    trace = moments.total().trace() / n
    # What another row changes whatever it looks like, and by its class.
    level = n * slopes.by_n - slopes.score - n * slopes.by_ridge * eps
    by_class = level - (slopes.chances * n / counts - slopes.chances.sum())
    by_class -= n * slopes.by_factor / np.maximum(counts - 1.0, SMALLEST_REST) ** 2
    for block, raw in row_blocks(X):
        own = codes[block]
        raw -= moments.mean
        Z = raw @ model.basis
        apart = Z - model.centres[own]
        values[block] = model.gains(Z, own).gains + by_class[own]
        values[block] -= n * np.einsum("ij,ij->i", apart @ slopes.by_scatter, apart)
        moved = slopes.by_means[own] * (n / counts[own])[:, None]
        values[block] += np.einsum("ij,ij->i", apart, moved)
        if is_relative:
            squares = np.einsum("ij,ij->i", raw, raw)
            per_eps = n * slopes.by_ridge * (n - 1.0) * eps / n
            values[block] -= per_eps * (squares / trace - 1.0)
    return values


class _Gains(NamedTuple):
    """Gains of rows, and what their derivatives are made of."""

    gains: np.ndarray
    chances: np.ndarray  # posterior of each class; zeros where nothing can be gained
    distances: np.ndarray
    products: np.ndarray
    leverages: np.ndarray
    factors: np.ndarray
    rest: np.ndarray


class _Slopes(NamedTuple):
    """Derivatives of the score."""

    score: float
    by_n: float
    chances: np.ndarray  # mean posterior by class
    by_factor: np.ndarray  # by n_k / (n_k - 1)
    by_scatter: np.ndarray  # minus the derivative
    by_ridge: float  # likewise, by the multiple of the identity
    by_means: np.ndarray


class _Model:
    """Rows on the principal axes within classes, and classes there."""

    def __init__(self, moments: ClassMoments, rows: RowSample, eps: float) -> None:
        total = moments.total()
        self.counts, self.n = moments.counts, moments.total_weight
        self.codes = class_numbers(rows, moments.classes)
        X = rows.features.astype(np.float64) - moments.mean
        weights = np.ones(len(X)) if rows.weights is None else rows.weights
        self.shares = (
            weights * class_factors(self.codes, weights, self.counts)[self.codes]
        )
        if total.is_dense:
            values, self.basis = linalg.eigh_all(moments.within().triangle())
        else:
            inside = moments.within().factor()
            factor = np.concatenate([inside, moments.between_rows()])
            values, vectors = linalg.eigh_psd(linalg.gram_of_rows(factor))
            basis = factor.T @ vectors / np.sqrt(values)
            factor = inside @ basis
            within = linalg.add_gram(linalg.empty_triangle(len(values)), factor)
            values, vectors = linalg.eigh_all(within)
            self.basis = basis @ vectors
        self.X = X @ self.basis
        self.centres = (moments.means - moments.mean) @ self.basis
        # The inverse of scatter plus (n - 1) eps, diagonal here.
        self.inverse = 1.0 / (np.maximum(values, 0.0) + (self.n - 1.0) * eps)

    def gains(self, Z: np.ndarray, own: np.ndarray) -> _Gains:
        """Gains of rows that are among those of their classes."""
        index, counts = np.arange(len(Z)), self.counts
        scaled = self.centres * self.inverse
        inner, between = Z @ scaled.T, self.centres @ scaled.T
        squares = (Z**2 @ self.inverse)[:, None]
        plain = squares - 2.0 * inner + np.diagonal(between)
        leverages = np.maximum(plain[index, own], 0.0)
        products = squares - inner[index, own][:, None] - inner + between[own]
        factors = counts[own] / np.maximum(counts[own] - 1.0, SMALLEST_REST)
        rest = np.maximum(1.0 - factors * leverages, SMALLEST_REST)
        distances = plain + (factors / rest)[:, None] * products**2
        distances[index, own] = factors**2 * leverages / rest
        log_priors = np.log(counts / self.n)
        log_odds = log_priors - 0.5 * (self.n - 1.0) * distances
        top = log_odds.max(axis=1, keepdims=True)
        chances = np.exp(log_odds - top)
        evidence = top[:, 0] + np.log(chances.sum(axis=1))
        chances /= chances.sum(axis=1, keepdims=True)
        gained = log_odds[index, own] - evidence - log_priors[own]
        alone = counts[own] <= 1.0
        gained[alone], chances[alone] = 0.0, 0.0
        return _Gains(gained, chances, distances, products, leverages, factors, rest)

    def slopes(self) -> _Slopes:
        """Derivatives of the score by everything but the rows' shares."""
        own, shares, centres = self.codes, self.shares, self.centres
        g = self.gains(self.X, own)
        index = np.arange(len(own))
        # By the log density of each class: of the own one, less the posterior.
        by_density = -g.chances
        by_density[index, own] += g.chances.sum(axis=1)
        by_density *= shares[:, None]
        by_distance = -0.5 * (self.n - 1.0) * by_density
        by_own = by_distance[index, own].copy()
        others = by_distance
        others[index, own] = 0.0
        f, rest, h = g.factors, g.rest, g.leverages
        ratio = others * g.products * (f / rest)[:, None]  # half of that by products
        squared = np.einsum("ij,ij->i", others, g.products**2) / rest**2
        by_leverage = f**2 * (squared + by_own / rest**2)
        by_factor = squared + by_own * h * f * (2.0 - f * h) / rest**2
        apart = self.X - centres[own]
        # Sums over classes k of (z - mean_k), weighed one way and the other.
        near = others.sum(axis=1)[:, None] * self.X - others @ centres
        far = ratio.sum(axis=1)[:, None] * self.X - ratio @ centres
        curved = self.X.T @ near - centres.T @ (others.T @ self.X)
        curved += centres.T @ (others.sum(axis=0)[:, None] * centres)
        curved += 2.0 * far.T @ apart + apart.T @ (by_leverage[:, None] * apart)
        by_scatter = self.inverse[:, None] * (curved + curved.T) / 2.0 * self.inverse
        by_means = -2.0 * (
            others.T @ self.X - others.sum(axis=0)[:, None] * centres + ratio.T @ apart
        )
        hot = np.zeros((len(self.counts), len(own)))
        hot[own, index] = 1.0
        by_means -= 2.0 * (hot @ (far + by_leverage[:, None] * apart))
        return _Slopes(
            float(shares @ g.gains),
            float(np.vdot(by_density, -0.5 * g.distances)),
            shares @ g.chances,
            hot @ by_factor,
            by_scatter,
            float(np.trace(by_scatter)),
            by_means * self.inverse,
        )
