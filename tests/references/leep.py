"""Scores that read the source model's own classes: NCE, LEEP, and N-LEEP.

Tran, A. T., Nguyen, C. V., & Hassner, T. (2019). Transferability and hardness of
supervised classification tasks. ICCV 2019. https://doi.org/10.1109/ICCV.2019.00148
Nguyen, C. V., Hassner, T., Seeger, M., & Archambeau, C. (2020). LEEP: a new measure to
evaluate transferability of learned representations. ICML 2020, PMLR 119, 7294-7305.
Li, Y., Jia, X., Sang, R., Zhu, Y., Green, B., Wang, L., & Gong, B. (2021). Ranking
neural checkpoints. CVPR 2021. arXiv:2011.11200.
"""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

__all__ = ["expected_probability", "leep", "mixture_responsibilities", "nce", "nleep"]


def nce(source_labels, y):
    """sum_{y,z} P(y, z) log P(y|z), minus the conditional entropy, in nats."""
    n = len(y)
    score = 0.0
    for z in np.unique(source_labels):
        p_z = np.sum(source_labels == z) / n
        for label in np.unique(y):
            p_yz = np.sum((source_labels == z) & (y == label)) / n
            if p_yz > 0:
                score += p_yz * np.log(p_yz / p_z)
    return score


def leep(source_proba, y):
    """(1/n) sum_i log sum_z P(y_i|z) theta_iz.

    P(y, z) = (1/n) sum over i with y_i = y of theta_iz, and P(y|z) = P(y, z)/P(z). A
    source class that no sample has any mass on is left out (the published programs
    divide zero by zero there).
    """
    return np.mean(np.log(_own_class_probabilities(source_proba, y)))


def expected_probability(source_proba, y):
    """LEEP without its logarithm, in (0, 1], as several programs compute it."""
    return np.mean(_own_class_probabilities(source_proba, y))


def nleep(X, y, n_components=None, seed=0):
    """LEEP of the responsibilities of a Gaussian mixture; see there."""
    return leep(mixture_responsibilities(X, y, n_components, seed), y)


def mixture_responsibilities(X, y, n_components=None, seed=0, variance=0.8):
    """P(component | z_i) under full-covariance Gaussians fitted to reduced features.

    Principal components that keep 80 percent of the variance, then a mixture of
    `n_components` Gaussians, 5 times the number of classes unless given.
    """
    if n_components is None:
        n_components = 5 * len(np.unique(y))
    reduced = PCA(n_components=variance, svd_solver="full").fit_transform(X)
    mixture = GaussianMixture(n_components, random_state=seed).fit(reduced)
    return mixture.predict_proba(reduced)


def _own_class_probabilities(source_proba, y):
    """sum_z P(y_i|z) theta_iz for every sample."""
    n, n_source = source_proba.shape
    conditional = {}
    for label in np.unique(y):
        for z in range(n_source):
            p_z = np.sum(source_proba[:, z]) / n
            p_yz = np.sum(source_proba[y == label, z]) / n
            conditional[label, z] = p_yz / p_z if p_z > 0 else 0.0
    probabilities = np.zeros(n)
    for i in range(n):
        for z in range(n_source):
            probabilities[i] += conditional[y[i], z] * source_proba[i, z]
    return probabilities
