"""Neural-collapse-informed transferability, NCTI.

Wang, Z., Luo, Y., Zheng, L., Huang, Z., & Baktashmotlagh, M. (2023). How far
pre-trained models are from neural collapse on the target dataset informs their
transferability. ICCV 2023. https://doi.org/10.1109/ICCV51070.2023.00511
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh

from tests.references.hscore import between_class_covariance
from tests.references.sfda import (
    discriminant_posterior,
    own_class,
    within_class_covariance,
)

__all__ = ["combine_over_models", "ncti_parts", "principal_components"]


def ncti_parts(X, y, n_components=64):
    """The three parts for one model: spread of means, nearest centre, variability.

    On at most `n_components` principal components, and with linear discriminant
    analysis shrunken by a = exp(-sum of the 32 leading variances):

    1. the nuclear norm of the features projected on the K - 1 discriminant directions,
       scaled so that the shrunken within-class covariance is the identity;
    2. the mean posterior of the own class;
    3. log sum over classes of the nuclear norm of the class's posteriors.

    Variances divide by n - 1, the covariances of the analysis by n. Below 1e-10 the
    published program takes no shrinkage at all, but drops directions without variance.
    """
    Z, variances = principal_components(X, n_components)
    a = np.exp(-np.sum(variances[:32]))
    a = 0.0 if a <= 1e-10 else a
    posterior = discriminant_posterior(Z, y, a)
    by_class = [nuclear_norm(posterior[y == label]) for label in np.unique(y)]
    return (
        nuclear_norm(_discriminant_projection(Z, y, a)),
        np.mean(own_class(posterior, y)),
        np.log(np.sum(by_class)),
    )


def combine_over_models(parts):
    """First part plus second minus third, each scaled to [0, 1] over the models.

    `parts` has a row of three a model; the score of a model depends on the others.
    """
    parts = np.asarray(parts, dtype=float)
    scaled = (parts - parts.min(axis=0)) / (parts.max(axis=0) - parts.min(axis=0))
    return scaled[:, 0] + scaled[:, 1] - scaled[:, 2]


def principal_components(X, n_components):
    """Coordinates along the leading directions, and their variances (n - 1).

    Directions whose deviation is below 1e-10 of the largest are left out.
    """
    deviations = X - X.mean(axis=0)
    _, singular_values, directions = np.linalg.svd(deviations, full_matrices=False)
    kept = np.sum(singular_values > 1e-10 * singular_values[0])
    kept = min(kept, n_components)
    variances = singular_values[:kept] ** 2 / (len(X) - 1)
    return deviations @ directions[:kept].T, variances


def nuclear_norm(matrix):
    """The sum of the singular values."""
    return np.sum(np.linalg.svd(matrix, compute_uv=False))


def _discriminant_projection(Z, y, a):
    """Z times the K - 1 leading w of S_B w = l S w, with w^T S w = 1."""
    within = within_class_covariance(Z, y)
    d = Z.shape[1]
    S = (1 - a) * within + a * np.trace(within) / d * np.eye(d)
    _, directions = eigh(between_class_covariance(Z, y), S)
    n_directions = min(len(np.unique(y)) - 1, d)
    return (Z - Z.mean(axis=0)) @ directions[:, ::-1][:, :n_directions]
