"""Self-challenging Fisher discriminant analysis.

Shao, W., Zhao, X., Ge, Y., Zhang, Z., Yang, L., Wang, X., Shan, Y., & Luo, P. (2022).
Not all models are equal: predicting model transferability in a self-challenging
Fisher space. ECCV 2022. arXiv:2207.03036.
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "discriminant_posterior",
    "leading_eigenvalue_estimate",
    "mix_by_confidence",
    "own_class",
    "sfda",
    "sfda_shrinkage",
    "softmax",
    "within_class_covariance",
]


def sfda(Z, y):
    """Mean posterior of the own class, after mixing by confidence and fitting again.

    1. Linear discriminant analysis with shrinkage a = `sfda_shrinkage`.
    2. `mix_by_confidence`, with the softmax of the posterior as confidence.
    3. Discriminant analysis of the mixed features, with the same a. The score is the
       mean posterior of the own class (the program takes no logarithm).
    """
    a = sfda_shrinkage(Z, y)
    posterior = discriminant_posterior(Z, y, a)
    mixed = mix_by_confidence(Z, y, softmax(posterior))
    return np.mean(own_class(discriminant_posterior(mixed, y, a), y))


def sfda_shrinkage(Z, y):
    """a = max(exp(-5 sigma), 1e-10), sigma the within-class leading eigenvalue."""
    sigma = leading_eigenvalue_estimate(within_class_covariance(Z, y))
    return max(np.exp(-5 * sigma), 1e-10)


def leading_eigenvalue_estimate(A, rounds=3):
    """v^T A w after few rounds of w <- A v/||A v||, v <- A w/||A w||.

    The start v is the row sums of A. With three rounds, as published, the value can be
    ten percent below the largest eigenvalue.
    """
    v = A.sum(axis=1)
    for _ in range(rounds):
        w = A @ v / np.linalg.norm(A @ v)
        v = A @ w / np.linalg.norm(A @ w)
    return v @ A @ w


def within_class_covariance(Z, y):
    """sum_k (n_k/n) S_k, where S_k divides by n_k."""
    within = np.zeros((Z.shape[1], Z.shape[1]))
    for label in np.unique(y):
        Z_k = Z[y == label]
        deviations = Z_k - Z_k.mean(axis=0)
        within += deviations.T @ deviations / len(Z)
    return within


def discriminant_posterior(Z, y, a):
    """softmax over classes k of z^T S^-1 m_k - m_k^T S^-1 m_k/2 + log(n_k/n).

    S = (1 - a) S_W + a (trace(S_W)/d) I.
    """
    n, d = Z.shape
    within = within_class_covariance(Z, y)
    S = (1 - a) * within + a * np.trace(within) / d * np.eye(d)
    scores = []
    for label in np.unique(y):
        mean = Z[y == label].mean(axis=0)
        direction = np.linalg.solve(S, mean)
        prior = np.sum(y == label) / n
        scores.append(Z @ direction - mean @ direction / 2 + np.log(prior))
    return softmax(np.column_stack(scores))


def mix_by_confidence(Z, y, confidence):
    """z_i <- q_i z_i + (1 - q_i) (the mean of the other classes' means).

    q_i is the confidence in the own class.
    """
    classes = np.unique(y)
    means = {label: Z[y == label].mean(axis=0) for label in classes}
    q = own_class(confidence, y)
    mixed = []
    for i in range(len(Z)):
        others = np.mean([means[label] for label in classes if label != y[i]], axis=0)
        mixed.append(q[i] * Z[i] + (1 - q[i]) * others)
    return np.array(mixed)


def own_class(probabilities, y):
    """The entry of every row that belongs to the sample's own class."""
    columns = np.searchsorted(np.unique(y), y)
    return np.array([row[k] for row, k in zip(probabilities, columns, strict=True)])


def softmax(scores):
    """exp(s_k) / sum_l exp(s_l) in every row."""
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)
