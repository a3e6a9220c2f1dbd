"""The published algorithms as their authors run them, in our words.

`tests.references` holds definitions, written to be read. What is here is written the
way the published programs compute, with the same NumPy calls for the same work, so
that being faster than it means something.
"""

from __future__ import annotations

import numpy as np
from sklearn.covariance import LedoitWolf

__all__ = [
    "h_score_by_pinv",
    "logme_by_gram_svd",
    "logme_by_svd",
    "shrunk_h_score_by_pinv",
]


def logme_by_svd(X, y, max_iter=11, tol=1e-2):
    """LogME by a singular value decomposition of the features and a fixed point.

    You, K., Liu, Y., Wang, J., & Long, M. (2021). arXiv:2102.11005.
    """
    U, singular, _ = np.linalg.svd(X, full_matrices=False)
    return _mean_evidence(U, singular, X.shape[1], y, max_iter, tol)


def logme_by_gram_svd(X, y, max_iter=11, tol=1e-2):
    """LogME by a decomposition of X'X, for n > d, as in a later program of theirs."""
    V, squares, _ = np.linalg.svd(X.T @ X, full_matrices=True)
    singular = np.sqrt(squares)
    return _mean_evidence(X @ V / singular, singular, X.shape[1], y, max_iter, tol)


def _mean_evidence(U, singular, n_features, y, max_iter, tol):
    eigenvalues = singular**2
    scores = []
    for label in np.unique(y):
        t = (y == label).astype(np.float64)
        energies = (U.T @ t) ** 2
        outside = t @ t - energies.sum()
        scores.append(
            _evidence(eigenvalues, energies, outside, len(y), n_features, max_iter, tol)
        )
    return float(np.mean(scores))


def _evidence(eigenvalues, energies, outside, n, d, max_iter, tol):
    """Log evidence a sample after MacKay's iteration for alpha and beta."""
    alpha, beta = 1.0, 1.0
    for _ in range(max_iter):
        ratio = alpha / beta
        gamma = np.sum(eigenvalues / (eigenvalues + ratio))
        length = np.sum(eigenvalues * energies / (eigenvalues + ratio) ** 2)
        error = np.sum(energies * (ratio / (eigenvalues + ratio)) ** 2) + outside
        alpha, beta = gamma / length, (n - gamma) / error
        if abs(alpha / beta - ratio) <= tol * ratio:
            break
    log_det = np.sum(np.log(alpha + beta * eigenvalues))
    log_det += (d - len(eigenvalues)) * np.log(alpha)
    return 0.5 / n * (
        n * np.log(beta) + d * np.log(alpha) - n * np.log(2 * np.pi)
        - beta * error - alpha * length - log_det
    )  # fmt: skip


def h_score_by_pinv(X, y):
    """H-score by the pseudo-inverse of the covariance and a matrix of class means.

    Bao, Y., et al. (2019). https://doi.org/10.1109/ICIP.2019.8803726
    """
    inverse = np.linalg.pinv(_covariance(X), rcond=1e-15)
    return float(np.trace(inverse @ _covariance(_class_means(X, y))))


def shrunk_h_score_by_pinv(X, y):
    """The same with scikit-learn's Ledoit-Wolf covariance.

    Ibrahim, S., Ponomareva, N., & Mazumder, R. (2022). arXiv:2110.06893. Their S_B
    divides by n - 1, here taken back to n.
    """
    fitted = LedoitWolf().fit(X)
    inverse = np.linalg.pinv(fitted.covariance_, rcond=1e-15)
    between = (1 - fitted.shrinkage_) * _covariance(_class_means(X, y))
    return float(np.trace(inverse @ between)) * (len(y) - 1) / len(y)


def _covariance(rows):
    deviations = rows - rows.mean(axis=0, keepdims=True)
    return deviations.T @ deviations / (len(rows) - 1)


def _class_means(X, y):
    means = np.zeros_like(X)
    for label in np.unique(y):
        means[y == label] = X[y == label].mean(axis=0)
    return means
