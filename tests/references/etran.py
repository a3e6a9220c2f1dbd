"""ETran: energy, discriminant and regression scores.

Gholami, M., Akbari, M., Wang, X., Kamranian, B., & Zhang, Y. (2023). ETran:
energy-based transferability estimation. ICCV 2023.
arXiv:2308.02027.
"""

from __future__ import annotations

import numpy as np

from tests.references.sfda import (
    discriminant_posterior,
    own_class,
    sfda_shrinkage,
    softmax,
)

__all__ = [
    "combine_over_models",
    "energy_score",
    "lda_score",
    "nearest_mean_score",
    "regression_score",
]


def energy_score(Z):
    """Mean over the lowest n/200 samples of log sum_j exp(z_ij).

    The labels play no part. The number of samples is rounded down, so that the score
    is undefined (NaN) below 200 samples.
    """
    energies = []
    for z in Z:
        energies.append(z.max() + np.log(np.sum(np.exp(z - z.max()))))
    lowest = sorted(energies)[: len(Z) // 200]
    return np.mean(lowest) if lowest else np.nan


def lda_score(Z, y):
    """Mean posterior of the own class, shrinkage as in SFDA, as the paper describes.

    The published program does something else; see `nearest_mean_score`.
    """
    return np.mean(own_class(discriminant_posterior(Z, y, sfda_shrinkage(Z, y)), y))


def nearest_mean_score(Z, y):
    """What the published `LDA_Score` returns: discriminant analysis with S = I.

    The program takes all eigenvectors U that a symmetric solver finds for the
    non-symmetric S^-1 S_B, and uses U U^T in place of S^-1. The solver's vectors are
    orthonormal, so U U^T is the identity whatever the matrix.
    """
    scores = []
    for label in np.unique(y):
        mean = Z[y == label].mean(axis=0)
        prior = np.mean(y == label)
        scores.append(Z @ mean - mean @ mean / 2 + np.log(prior))
    return np.mean(own_class(softmax(np.column_stack(scores)), y))


def regression_score(Z, targets):
    """Minus the mean squared residual of least squares without an intercept.

    The mean is over samples and target columns. Z has full column rank.
    """
    U, singular_values, Vt = np.linalg.svd(Z, full_matrices=False)
    coefficients = Vt.T @ np.diag(1 / singular_values) @ U.T @ targets
    return -np.mean((Z @ coefficients - targets) ** 2)


def combine_over_models(energies, scores):
    """0.15 energy + 0.85 score, each scaled to [0, 1] over the models."""

    def scaled(values):
        values = np.asarray(values, dtype=float)
        return (values - values.min()) / (values.max() - values.min())

    return 0.15 * scaled(energies) + 0.85 * scaled(scores)
