"""Influence of rows on TransRate: coding rates of all, of classes, of residuals.

A rate is half of log det(I + M / eps), so its derivative along a change of M is half
the trace of (M + eps I)^-1 times it. One more row x of class k changes the total by
x x' - C, its class by (x x' - M_k) / p_k, every class through the mean that it is
measured from, the weights of the classes, and a relative eps through the trace.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sklearn_transrate._lib import linalg
from sklearn_transrate.metrics._influence_resolvent import (
    Resolvent,
    blocks_of,
    row_blocks,
)
from sklearn_transrate.statistics import ClassMoments, Scatter, TargetMoments

__all__ = ["Moved", "class_influence", "left_influence"]


class Moved(NamedTuple):
    """Influence of rows, and its gradient with respect to them where it was wanted."""

    values: np.ndarray
    gradients: np.ndarray | None


def _nothing(X, gradients: bool) -> Moved:
    return Moved(np.zeros(X.shape[0]), np.zeros(X.shape) if gradients else None)


def class_influence(
    moments: ClassMoments,
    X,
    codes,
    *,
    eps,
    is_relative: bool,
    rates,
    class_weight: str,
    origin: bool = False,
    gradients: bool = False,
) -> Moved:
    """Influence on the total's rate less the mean of the classes' rates.

    Parameters
    ----------
    moments : ClassMoments
        With a scatter for each class.
    X, codes
        Rows and positions of their classes.
    eps : float
        Absolute distortion.
    is_relative : bool
        Whether eps is a multiple of the total's trace.
    rates : ndarray of shape (n_classes,)
        Rates of the classes.
    class_weight : {"prior", "uniform"}
        How they are averaged.
    origin : bool, default=False
        Whether rows are measured from the origin rather than from their mean.
    gradients : bool, default=False
        Whether gradients are wanted.
    """
    moved = _nothing(X, gradients)
    priors, counts = moments.priors, moments.counts
    if class_weight == "prior":
        shares = priors
        moved.values[:] = rates @ priors - rates[codes]
    else:
        shares = np.full(len(priors), 1.0 / len(priors))
    centre = 0.0 if origin else moments.mean
    deviations = moments.means - centre
    along, surplus = np.zeros(moments.n_features), 0.0
    for k, share in enumerate(shares):
        offset = np.sqrt(counts[k]) * deviations[k : k + 1]
        inverse = Resolvent(moments.class_scatter(k), counts[k], eps, offset)
        explained = inverse.explained()
        surplus -= share * explained
        if not origin:  # the mean, which all classes are measured from, moves as well
            along += share * inverse.dot(deviations[k : k + 1])[0]
        ratio = share / priors[k]
        for index, rows in blocks_of(X, np.flatnonzero(codes == k)):
            rows -= centre
            quadratic = inverse.quadratic(rows)
            moved.values[index] -= 0.5 * ratio * (quadratic - explained)
            if gradients:
                moved.gradients[index] -= ratio * inverse.dot(rows)
    extra = np.sqrt(moments.total_weight) * moments.mean[None] if origin else None
    total = Resolvent(moments.total(), moments.total_weight, eps, extra)
    surplus += total.explained()
    _add_total(moved, X, total, surplus, centre, along, is_relative)
    return moved


def _add_total(moved, X, total, surplus, centre, along, is_relative) -> None:
    """Add the total's rate, a vector's product with rows, and the change of eps."""
    explained = total.explained()
    per_square = 0.5 * surplus / total.trace if is_relative else 0.0
    for block, rows in row_blocks(X):
        rows -= centre
        squares = np.einsum("ij,ij->i", rows, rows)
        values = 0.5 * (total.quadratic(rows) - explained) + rows @ along
        moved.values[block] += values - per_square * (squares - total.trace)
        if moved.gradients is not None:
            moved.gradients[block] += total.dot(rows) + along - 2.0 * per_square * rows


def left_influence(
    moments: ClassMoments | TargetMoments,
    X,
    targets,
    *,
    eps,
    is_relative: bool,
    gradients: bool = False,
) -> Moved:
    """Influence on the total's rate less that of what a linear model leaves.

    The model minimises what it leaves, so that its own change has no effect: a row
    counts by its residual alone.

    Parameters
    ----------
    moments : ClassMoments or TargetMoments
        Of all rows.
    X, targets
        Rows with positions of their classes, or with values.
    eps, is_relative, gradients
        As in `class_influence`.
    """
    moved = _nothing(X, gradients)
    centre, total, left, predict = _total_and_left(moments)
    weight = moments.total_weight
    inverse = Resolvent(left, weight, eps)
    explained = inverse.explained()
    for block, rows in row_blocks(X):
        rows -= centre
        rows -= predict(targets[block])
        moved.values[block] -= 0.5 * (inverse.quadratic(rows) - explained)
        if gradients:
            moved.gradients[block] -= inverse.dot(rows)
    whole = Resolvent(total, weight, eps)
    surplus = whole.explained() - explained
    _add_total(moved, X, whole, surplus, centre, np.zeros(X.shape[1]), is_relative)
    return moved


def _total_and_left(moments):
    """Return the mean, two scatters, and what rows less the mean are predicted as."""
    if isinstance(moments, ClassMoments):
        deviations = moments.means - moments.mean
        return moments.mean, moments.total(), moments.within(), deviations.__getitem__
    d, joint = moments.n_features, moments.joint()
    mean, target_mean = moments.means
    total, left = Scatter(d), Scatter(d)
    if joint.is_dense:
        whole = joint.dense()
        values, vectors = linalg.eigh_psd(np.asfortranarray(whole[d:, d:]))
        coefficients = (vectors / values) @ vectors.T @ whole[d:, :d]
        residual = whole[:d, :d] - whole[:d, d:] @ coefficients
        for scatter, matrix in ((total, whole[:d, :d]), (left, residual)):
            scatter.add_triangle(np.asfortranarray(matrix), joint.n_rows)
    else:
        rows = joint.factor()
        gram = linalg.add_gram(
            linalg.empty_triangle(moments.n_targets), rows[:, d:].copy()
        )
        values, vectors = linalg.eigh_psd(gram)
        coefficients = (vectors / values) @ vectors.T @ (rows[:, d:].T @ rows[:, :d])
        total.add(rows[:, :d].copy())
        left.add(rows[:, :d] - rows[:, d:] @ coefficients)
    return mean, total, left, lambda y: (y - target_mean) @ coefficients
