"""Influence of rows on LogME.

The evidence is at its maximum over both precisions, and its error term at its minimum
over the weights of the model, so none of their changes counts: what is left is each
row's leverage, its squared residual, and the number of samples.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sklearn_transrate._lib import linalg
from sklearn_transrate.metrics._influence_resolvent import row_blocks
from sklearn_transrate.statistics import ClassMoments, TargetMoments

__all__ = ["logme_influence"]

# Search of the ratio of precisions: a grid, then bisections of the slope's sign.
GRID_SIZE = 257
BISECTIONS = 60
# Share of a target's energy below which an error is that of a perfect fit.
PERFECT = 1e-12


class _Model(NamedTuple):
    """Spectrum of Z'Z with Z = U s^1/2 V', and targets along U."""

    eigenvalues: np.ndarray  # (rank,)
    basis: np.ndarray  # V, (n_features, rank)
    along: np.ndarray  # U't, (rank, n_targets)
    lengths: np.ndarray  # t't, (n_targets,)


def logme_influence(moments: ClassMoments | TargetMoments, X, y) -> np.ndarray:
    """Influence of rows on the mean over targets of the evidence a sample.

    Parameters
    ----------
    moments : ClassMoments or TargetMoments
        Of all rows.
    X, y
        Rows with positions of their classes, or with values.

    Returns
    -------
    influence : ndarray of shape (n_samples,)
        NaN where a target is fitted perfectly, which rounding explains.
    """
    of_classes = isinstance(moments, ClassMoments)
    model = _of_classes(moments) if of_classes else _of_targets(moments)
    n = moments.total_weight
    lengths = np.maximum(model.lengths, np.finfo(np.float64).tiny)
    outside = lengths - (model.along**2).sum(axis=0)
    outside = np.maximum(outside, np.finfo(np.float64).eps * lengths)
    values = np.zeros(X.shape[0])
    if len(model.eigenvalues):
        ratio = _best_ratio(model, outside, n)
    else:
        ratio = np.ones(len(lengths))
    shrunk = ratio / (model.eigenvalues[:, None] + ratio)
    error = outside + np.einsum("rt,rt->t", shrunk, model.along**2)
    # Rounding decides how well a perfect fit is explained.
    error[error < PERFECT * lengths] = np.nan
    level = 1.0 - np.log(shrunk).sum(axis=0) / n
    # Weights along V: (s + r)^-1 s^1/2 U't.
    root = np.sqrt(model.eigenvalues)[:, None]
    weights = root / (model.eigenvalues[:, None] + ratio) * model.along
    factors = (1.0 / (model.eigenvalues[:, None] + ratio)).mean(axis=1)
    for block, rows in row_blocks(X):
        inside = rows @ model.basis
        leverage = inside**2 @ factors
        outer = np.einsum("ij,ij->i", rows, rows) - np.einsum(
            "ij,ij->i", inside, inside
        )
        # Rows that were seen have nothing outside the basis but rounding.
        is_new = outer > 1e-9 * np.einsum("ij,ij->i", rows, rows)
        leverage += np.where(is_new, outer, 0.0) * (1.0 / ratio).mean()
        residuals = inside @ weights
        if of_classes:
            residuals[np.arange(len(rows)), y[block]] -= 1.0
        else:
            residuals -= y[block]
        misfit = n * (residuals**2 @ (1.0 / error)) / len(error)
        values[block] = 0.5 * (level.mean() - leverage - misfit)
    return values


def _best_ratio(model: _Model, outside, n) -> np.ndarray:
    """Return alpha / beta of each target at the largest evidence."""
    s, energies = model.eigenvalues[:, None], model.along**2
    grid = np.linspace(np.log(s[0, 0]) - 40.0, np.log(s[-1, 0]) + 40.0, GRID_SIZE)
    shrunk = np.exp(grid) / (s + np.exp(grid))
    errors = outside + shrunk.T @ energies
    evidence = np.log(shrunk).sum(axis=0)[:, None] / n - np.log(errors)
    step = grid[1] - grid[0]
    low = grid[evidence.argmax(axis=0)] - step
    high = low + 2.0 * step
    for _ in range(BISECTIONS):
        middle = (low + high) / 2.0
        shrunk = np.exp(middle) / (s + np.exp(middle))
        error = outside + np.einsum("rt,rt->t", shrunk, energies)
        moved = np.einsum("rt,rt,rt->t", shrunk, 1.0 - shrunk, energies) / error
        rises = (1.0 - shrunk).sum(axis=0) / n > moved
        low, high = np.where(rises, middle, low), np.where(rises, high, middle)
    return np.exp((low + high) / 2.0)


def _of_classes(moments: ClassMoments) -> _Model:
    sums = np.sqrt(moments.counts)[:, None] * moments.means
    values, basis = _spectrum(moments.within(), sums)
    products = moments.counts[:, None] * moments.means  # t'Z of one-hot targets
    along = (products @ basis / np.sqrt(values)).T
    return _Model(values, basis, along, moments.counts)


def _of_targets(moments: TargetMoments) -> _Model:
    d, weight = moments.n_features, moments.total_weight
    mean, target_mean = moments.means
    joint, last = moments.joint(), np.sqrt(weight) * np.append(mean, target_mean)
    if joint.is_dense:
        whole = joint.dense() + np.multiply.outer(last, last)
        values, basis = linalg.eigh_psd(np.asfortranarray(whole[:d, :d]))
        products, lengths = whole[d:, :d], np.diagonal(whole)[d:]
    else:
        rows = np.concatenate([joint.factor(), last[None]])
        values, basis = _thin_spectrum(rows[:, :d])
        products = rows[:, d:].T @ rows[:, :d]
        lengths = np.einsum("ij,ij->j", rows[:, d:], rows[:, d:])
    return _Model(values, basis, (products @ basis / np.sqrt(values)).T, lengths)


def _spectrum(scatter, extra) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues of a scatter and of rows, and their eigenvectors."""
    if not scatter.is_dense:
        return _thin_spectrum(np.concatenate([extra, scatter.factor()]))
    gram = linalg.add_gram(scatter.triangle().copy(order="F"), extra)
    return linalg.eigh_psd(gram)


def _thin_spectrum(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values, vectors = linalg.eigh_psd(linalg.gram_of_rows(rows))
    return values, rows.T @ vectors / np.sqrt(values)
