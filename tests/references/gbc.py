"""Gaussian Bhattacharyya coefficient: how much the classes overlap.

Pandy, M., Agostinelli, A., Uijlings, J., Ferrari, V., & Mensink, T. (2022).
Transferability estimation using Bhattacharyya class separability. CVPR 2022.
arXiv:2111.12780.
"""

from __future__ import annotations

import numpy as np

__all__ = ["FLOOR", "gbc_diagonal", "gbc_isotropic", "gbc_spherical"]

# The published program's smallest variance, in the features' own units.
FLOOR = 1e-4


def gbc_diagonal(Z, y, floor=FLOOR):
    """-sum over ordered pairs k != l of exp(-D(k, l)), one variance a dimension.

    D(k, l) = (1/8) sum_j (mean_kj - mean_lj)^2/s_j
    + (1/2) sum_j [log s_j - (1/2) log s_kj - (1/2) log s_lj], s_j = (s_kj + s_lj)/2.
    Variances divide by n_k and are at least `floor`.
    """
    return -_sum_over_pairs(_gaussians(Z, y, floor), _diagonal_distance)


def gbc_spherical(Z, y, floor=FLOOR):
    """The same with one variance a class, and the log term counted once.

    The variance is the mean over dimensions of the floored variances. A d-dimensional
    Gaussian with one variance would count the log term d times: `gbc_isotropic`.
    """
    return -_sum_over_pairs(_gaussians(Z, y, floor), _spherical_distance)


def gbc_isotropic(Z, y, floor=FLOOR):
    """`gbc_spherical` with the log term d times: the coefficient of real densities."""

    def distance(a, b):
        d = len(a[0])
        one_variance = (
            (mean, np.full(d, variances.mean())) for mean, variances in (a, b)
        )
        return _diagonal_distance(*one_variance)

    return -_sum_over_pairs(_gaussians(Z, y, floor), distance)


def _gaussians(Z, y, floor):
    classes = []
    for label in np.unique(y):
        Z_k = Z[y == label]
        classes.append((Z_k.mean(axis=0), np.maximum(Z_k.var(axis=0), floor)))
    return classes


def _sum_over_pairs(classes, distance):
    total = 0.0
    for k in range(len(classes)):
        for l in range(len(classes)):  # noqa: E741
            if k != l:
                total += np.exp(-distance(classes[k], classes[l]))
    return total


def _diagonal_distance(a, b):
    (mean_a, var_a), (mean_b, var_b) = a, b
    distance = 0.0
    for j in range(len(mean_a)):
        s = (var_a[j] + var_b[j]) / 2
        distance += (mean_a[j] - mean_b[j]) ** 2 / s / 8
        distance += (np.log(s) - np.log(var_a[j]) / 2 - np.log(var_b[j]) / 2) / 2
    return distance


def _spherical_distance(a, b):
    (mean_a, var_a), (mean_b, var_b) = a, b
    one_a, one_b = var_a.mean(), var_b.mean()
    s = (one_a + one_b) / 2
    spread = np.sum((mean_a - mean_b) ** 2) / s / 8
    return spread + (np.log(s) - np.log(one_a) / 2 - np.log(one_b) / 2) / 2
