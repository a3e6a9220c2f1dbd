"""Ridge regressions of all rows but one, for every row and many ridges at once.

With centred features Z, hat matrix H and leverage h, leaving row i out turns its
residual e_i into e_i / (1 - h_i). The intercept is part of H, so that the mean moves
too. Everything is read from one eigendecomposition, on the thin side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax

from sklearn_transrate._lib import linalg
from sklearn_transrate._lib.labels import encode_labels
from sklearn_transrate.statistics import ClassMoments, RowSample, TargetMoments

__all__ = [
    "Choice",
    "Regression",
    "Targets",
    "accuracy",
    "choose",
    "class_log_likelihood",
    "held_out_predictions",
    "left_over",
    "ridge_regression",
]

BLOCK_ROWS = 2048
# Predictions this close tie: rounding must not choose between classes or ridges.
TIE = 1e-9
# Smallest share of a target's variance that counts as noise, as in LogME.
NOISE_FLOOR = np.finfo(np.float64).eps


class Targets(NamedTuple):
    """What is predicted: one-hot classes, indicators or values."""

    rows: Callable[[slice], np.ndarray]
    mean: np.ndarray
    energies: np.ndarray  # squared lengths once centred
    are_classes: bool

    def varying(self, total: float) -> np.ndarray:
        """Which targets are more than a constant and its rounding."""
        rounding = 64.0 * np.finfo(np.float64).eps * self.mean
        return self.energies > total * rounding**2


class Regression(NamedTuple):
    """Ridge regressions of all targets, in an eigenbasis.

    In feature space, for n > d, the hat matrix without its mean is
    ``T (s + ridge)^-1 T'`` with T = Zc V. In sample space what it leaves over is
    ``U ridge / (s + ridge) U'``, a sum of positive terms: where n <= d small ridges
    leave next to nothing over, and 1 - h would be rounding.
    """

    eigenvalues: np.ndarray  # s, (r,)
    coefficients: np.ndarray  # T' W Yc, or U' W^1/2 Yc: (r, n_targets)
    rows: Callable[[slice], np.ndarray]  # a block of Zc, or of U
    basis: np.ndarray | None  # V; None in sample space
    targets: Targets
    weights: np.ndarray

    @property
    def unit(self) -> float:
        """What ridges are relative to: the mean of s, each weighed by its share.

        Directions without variance, and those that only rounding made, do not count.
        """
        total = self.eigenvalues.sum()
        return float(self.eigenvalues @ self.eigenvalues / total) if total > 0 else 1.0

    def factors(self, ridges: np.ndarray) -> np.ndarray:
        """Return what each direction counts for at each ridge, (r, n_ridges)."""
        sums = self.eigenvalues[:, None] + ridges
        return ridges / sums if self.basis is None else 1.0 / sums

    def coordinates(self, block: slice) -> np.ndarray:
        """Return a block of U, or of T."""
        rows = self.rows(block)
        return rows if self.basis is None else rows @ self.basis

    def shares(self, block: slice, squares: np.ndarray) -> np.ndarray:
        """Return 1 - u h for rows of leverage h of which a weight u is left out."""
        weights = self.weights[block, None]
        left_out = np.minimum(weights, 1.0)
        if self.basis is None:
            return (1.0 - left_out / weights) + left_out / weights * squares
        return 1.0 - left_out * (1.0 / self.weights.sum() + squares)

    def residuals(self, block: slice, products: np.ndarray) -> np.ndarray:
        """Return residuals of the full fit, (b, n_ridges, n_targets)."""
        if self.basis is None:
            return products / np.sqrt(self.weights[block, None, None])
        return (self.targets.rows(block) - self.targets.mean)[:, None] - products

    def blocks(self) -> Iterator[slice]:
        for start in range(0, len(self.weights), BLOCK_ROWS):
            yield slice(start, start + BLOCK_ROWS)


def ridge_regression(
    moments: ClassMoments | TargetMoments, rows: RowSample
) -> Regression:
    """Solve all ridges at once: one eigendecomposition, on the thin side."""
    X = rows.features
    weights = np.ones(len(X)) if rows.weights is None else rows.weights
    targets = _targets(moments, rows.targets, weights)
    mean = moments.mean if targets.are_classes else moments.means[0]

    def centred(block):
        return X[block].astype(np.float64) - mean

    if len(X) > X.shape[1]:
        gram, cross = _scatters(moments)
        s, basis = np.linalg.eigh(gram)
        return Regression(
            np.maximum(s, 0.0), basis.T @ cross, centred, basis, targets, weights
        )
    roots = np.sqrt(weights)[:, None]
    gram = linalg.gram_of_rows(roots * centred(slice(None)))
    # The direction of the mean is fitted exactly: move it to the end, and drop it.
    height = 2.0 * np.trace(gram) or 1.0
    linalg.add_gram(gram, np.sqrt(height / weights.sum()) * roots.T)
    s, U = np.linalg.eigh(gram)
    s, U = np.maximum(s[:-1], 0.0), U[:, :-1]
    coefficients = U.T @ (roots * (targets.rows(slice(None)) - targets.mean))
    return Regression(s, coefficients, U.__getitem__, None, targets, weights)


def _targets(moments, values, weights) -> Targets:
    """Describe one-hot classes, made a block at a time, or numeric targets."""
    if isinstance(moments, ClassMoments):
        codes = encode_labels(values)[1]
        mean, identity = moments.priors, np.eye(len(moments.priors))
        energies = weights.sum() * mean * (1.0 - mean)
        return Targets(lambda block: identity[codes[block]], mean, energies, True)
    values = np.asarray(values, dtype=np.float64).reshape(len(weights), -1)
    mean = moments.means[1]
    energies = weights @ (values - mean) ** 2
    return Targets(values.__getitem__, mean, energies, False)


def _scatters(moments: ClassMoments | TargetMoments):
    """Lower triangle of the features' scatter, and their products with targets."""
    if isinstance(moments, ClassMoments):
        gram = moments.within().triangle().copy(order="F")
        linalg.add_gram(gram, moments.between_rows())
        return gram, (moments.counts[:, None] * (moments.means - moments.mean)).T
    d, joint = moments.n_features, moments.joint().triangle()
    return joint[:d, :d], joint[d:, :d].T


def left_over(model: Regression, ridges: np.ndarray):
    """Share of each row's target that its own fit leaves over, and squared errors.

    The first is (n_samples, n_ridges); the second, of leave-one-out predictions,
    (n_ridges, n_targets).
    """
    factors = model.factors(ridges)
    n_targets = len(model.targets.mean)
    shares = np.empty((len(model.weights), len(ridges)))
    errors = np.zeros((len(ridges), n_targets))
    for block in model.blocks():
        T = model.coordinates(block)
        shares[block] = model.shares(block, (T * T) @ factors)
        for group in np.array_split(np.arange(len(ridges)), 1 + n_targets // 64):
            # Several ridges side by side: one wide product in place of thin ones.
            shrunk = factors[:, group, None] * model.coefficients[:, None, :]
            products = T @ shrunk.reshape(T.shape[1], -1)
            products = products.reshape(len(T), -1, n_targets)
            residuals = model.residuals(block, products)
            residuals /= shares[block][:, group, None]
            errors[group] += np.einsum(
                "i,ilk,ilk->lk", model.weights[block], residuals, residuals
            )
    return shares, errors


class Choice(NamedTuple):
    """The ridge of each target, and how well it does."""

    index: np.ndarray
    r2: float
    variances: np.ndarray  # of the leave-one-out errors


def choose(model: Regression, errors: np.ndarray) -> Choice:
    """Take the largest ridge with the least squared error; ridges descend."""
    total = model.weights.sum()
    energies, varying = model.targets.energies, model.targets.varying(total)
    if model.targets.are_classes:
        errors = errors.mean(axis=1, keepdims=True)
        energies, varying = energies.mean(keepdims=True), np.array([True])
    index = (errors <= errors.min(axis=0) * (1.0 + TIE)).argmax(axis=0)
    least = np.take_along_axis(errors, index[None], axis=0)[0]
    r2 = np.mean(1.0 - least[varying] / energies[varying])
    least = np.maximum(least, NOISE_FLOOR * energies)[varying]
    return Choice(index, float(r2), least / total)


def held_out_predictions(model: Regression, ridges, shares, chosen):
    """Yield blocks of targets and of what is predicted for them when left out."""
    slopes = model.factors(ridges[chosen]) * model.coefficients
    if model.basis is not None:
        slopes = model.basis @ slopes
    for block in model.blocks():
        products = (model.rows(block) @ slopes)[:, None]
        residuals = model.residuals(block, products)[:, 0] / shares[block][:, chosen]
        Y = model.targets.rows(block)
        yield block, Y, Y - residuals


def accuracy(model, predictions):
    """Weighted share of rows whose own class is predicted, and its standard error.

    Classes that tie share the vote, whatever they are called.
    """
    credits = np.empty(len(model.weights))
    for block, Y, P in predictions:
        losing = P.max(axis=1, keepdims=True) - TIE > P
        credits[block] = (~losing & (Y > 0)).sum(axis=1) / (~losing).sum(axis=1)
    total = model.weights.sum()
    mean = model.weights @ credits / total
    spread = model.weights @ (credits - mean) ** 2 / total
    return float(mean), float(np.sqrt(spread / total))


def class_log_likelihood(model, predictions, variance) -> float:
    """Log probability of the own class: Gaussians about the corners of the simplex."""
    total = 0.0
    for block, Y, P in predictions:
        log_posterior = log_softmax(P / variance, axis=1)
        total += model.weights[block] @ log_posterior[Y > 0]
    return float(total / model.weights.sum())
