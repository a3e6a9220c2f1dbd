"""Moments from their definitions: two passes, plain loops, extended precision."""

from __future__ import annotations

import numpy as np

__all__ = ["class_moments", "norm_moments", "scatter_about", "weighted_mean"]


def weighted_mean(rows, weights):
    """sum_i w_i x_i / sum_i w_i."""
    rows, weights = rows.astype(np.longdouble), np.asarray(weights, np.longdouble)
    return (weights[:, None] * rows).sum(axis=0) / weights.sum()


def scatter_about(rows, point, weights):
    """sum_i w_i (x_i - point)(x_i - point)^T."""
    total = np.zeros((rows.shape[1], rows.shape[1]), np.longdouble)
    for row, weight in zip(rows.astype(np.longdouble), weights, strict=True):
        total += weight * np.outer(row - point, row - point)
    return total


def class_moments(X, y, weights=None):
    """Return {label: (weight, mean, scatter)} of the rows of positive weight."""
    weights = np.ones(len(X)) if weights is None else weights
    found = {}
    for label in dict.fromkeys(y.tolist()):
        chosen = np.array([other == label for other in y.tolist()]) & (weights > 0)
        if not chosen.any():
            continue
        rows, w = X[chosen], weights[chosen]
        mean = weighted_mean(rows, w)
        found[label] = w.sum(), mean, scatter_about(rows, mean, w)
    return found


def norm_moments(X, weights):
    """sum_i w_i |z_i|^2 z_i and sum_i w_i |z_i|^4, with z from the mean."""
    rows = X.astype(np.longdouble) - weighted_mean(X, weights)
    squares = (rows**2).sum(axis=1)
    third = (weights * squares) @ rows
    return third, (weights * squares) @ squares
