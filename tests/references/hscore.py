"""H-score, and the same with a shrunken covariance.

Bao, Y., Li, Y., Huang, S.-L., Zhang, L., Zheng, L., Zamir, A., & Guibas, L. (2019).
An information-theoretic approach to transferability in task transfer learning.
ICIP 2019, 2309-2313. https://doi.org/10.1109/ICIP.2019.8803726
Ibrahim, S., Ponomareva, N., & Mazumder, R. (2022). Newer is not always better:
rethinking transferability metrics, their peculiarities, stability and performance.
ECML PKDD 2022. arXiv:2110.06893.
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "between_class_covariance",
    "covariance",
    "h_score",
    "ledoit_wolf_shrinkage",
    "shrunk_h_score",
]


def covariance(Z):
    """(1/n) sum_i (z_i - mean)(z_i - mean)^T."""
    deviations = Z - Z.mean(axis=0)
    return deviations.T @ deviations / len(Z)


def between_class_covariance(Z, y):
    """sum_k (n_k/n) (mean_k - mean)(mean_k - mean)^T."""
    between = np.zeros((Z.shape[1], Z.shape[1]))
    for label in np.unique(y):
        Z_k = Z[y == label]
        deviation = Z_k.mean(axis=0) - Z.mean(axis=0)
        between += len(Z_k) / len(Z) * np.outer(deviation, deviation)
    return between


def h_score(Z, y, rcond=1e-15):
    """trace(pinv(S) S_B), the covariance's pseudo-inverse times the between-class one.

    Both divide by n (the ratio is the same with n - 1). `rcond` is the fraction of
    the largest singular value below which a direction counts as absent: the published
    program's 1e-15 keeps directions made of rounding errors.
    """
    inverse = np.linalg.pinv(covariance(Z), rcond, hermitian=True)
    return np.trace(inverse @ between_class_covariance(Z, y))


def ledoit_wolf_shrinkage(Z):
    """The share of the identity that Ledoit and Wolf (2004) estimate.

    With S = covariance(Z), m = trace(S)/d, <A, B> = trace(A B^T)/d and
    ||A||^2 = <A, A>: delta^2 = ||S - m I||^2,
    b^2 = min(delta^2, (1/n^2) sum_i ||x_i x_i^T - S||^2), share = b^2/delta^2.

    https://doi.org/10.1016/S0047-259X(03)00096-4
    """
    n, d = Z.shape
    X = Z - Z.mean(axis=0)
    S = X.T @ X / n
    distance = np.sum((S - np.trace(S) / d * np.eye(d)) ** 2) / d
    spread = 0.0
    for x in X:
        spread += np.sum((np.outer(x, x) - S) ** 2) / d
    spread = min(distance, spread / n**2)
    return spread / distance if distance > 0 else 0.0


def shrunk_h_score(Z, y, shrinkage=None):
    """(1 - a) trace(S_a^-1 S_B) with S_a = (1 - a) S + a (trace(S)/d) I.

    `shrinkage` a is Ledoit and Wolf's by default. S and S_B divide by n. The published
    program divides S_B by n - 1 instead (and S by n), which multiplies its value by
    n/(n - 1).
    """
    d = Z.shape[1]
    a = ledoit_wolf_shrinkage(Z) if shrinkage is None else shrinkage
    S = covariance(Z)
    S_a = (1 - a) * S + a * np.trace(S) / d * np.eye(d)
    return (1 - a) * np.trace(np.linalg.inv(S_a) @ between_class_covariance(Z, y))
