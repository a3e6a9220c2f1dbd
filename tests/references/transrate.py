"""TransRate and the coding rate it is made of.

Huang, L.-K., Huang, J., Rong, Y., Yang, Q., & Wei, Y. (2022). Frustratingly easy
transferability estimation. ICML 2022, PMLR 162, 9201-9225.
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "between_class_spectra",
    "centralized_spectra",
    "coding_rate",
    "coding_rate_from_eigenvalues",
    "transrate_centralized",
    "transrate_definition",
    "transrate_from_eigenvalues",
    "transrate_listing",
    "transrate_projected",
]


def coding_rate(Z, eps=1e-4):
    """R(Z, eps) = (1/2) log det(I + Z^T Z / (n eps)), about the origin, in nats."""
    n, d = Z.shape
    _, rate = np.linalg.slogdet(np.eye(d) + 1 / (n * eps) * Z.T @ Z)
    return 0.5 * rate


def transrate_listing(Z, y, eps=1e-4):
    """R(Z, eps) - (1/K) sum_k R(Z_k, eps), about the global mean.

    The ten lines printed in the paper: every class counts 1/K, whatever its size.
    """
    Z = Z - np.mean(Z, axis=0, keepdims=True)
    classes = np.unique(y)
    rate_total = coding_rate(Z, eps)
    rate_classes = 0.0
    for label in classes:
        rate_classes += coding_rate(Z[(y == label).flatten()], eps)
    return rate_total - rate_classes / len(classes)


def transrate_definition(Z, y, eps=1e-4):
    """R(Z, eps) - sum_k (n_k/n) R(Z_k, eps), about the global mean.

    The definition in the paper's text. Equal to the listing when all classes have the
    same size.
    """
    Z = Z - Z.mean(axis=0)
    score = coding_rate(Z, eps)
    for label in np.unique(y):
        Z_k = Z[y == label]
        score -= len(Z_k) / len(Z) * coding_rate(Z_k, eps)
    return score


def transrate_centralized(Z, y, eps=1e-4, unit_trace=True, per_rank=True):
    """The authors' layer-selection protocol: scores of `centralized_spectra`."""
    total, classes, counts, rank = centralized_spectra(Z, y)
    if unit_trace:
        classes = [spectrum / total.sum() for spectrum in classes]
        total = total / total.sum()
    return transrate_from_eigenvalues(
        total, classes, counts, eps, rank if per_rank else 1
    )


def transrate_projected(Z, y, eps=1e-4, unit_trace=True, per_rank=True):
    """The authors' source- and model-selection protocol: `between_class_spectra`.

    The published program divides zero by zero for a class of one sample and returns
    NaN. Here that class has a zero spectrum, as the formula says.
    """
    total, classes, counts, rank = between_class_spectra(Z, y)
    if unit_trace:
        classes = [spectrum / total.sum() for spectrum in classes]
        total = total / total.sum()
    return transrate_from_eigenvalues(
        total, classes, counts, eps, rank if per_rank else 1
    )


def transrate_from_eigenvalues(total, classes, counts, eps, rank=1):
    """[sum_i log(1 + l_i/eps) - sum_k (n_k/n) sum_i log(1 + l_ki/eps)] / (2 rank)."""
    score = coding_rate_from_eigenvalues(total, eps)
    for spectrum, count in zip(classes, counts, strict=True):
        weight = count / np.sum(counts)
        score -= weight * coding_rate_from_eigenvalues(spectrum, eps)
    return score / rank


def coding_rate_from_eigenvalues(eigenvalues, eps):
    """(1/2) sum_i log(1 + l_i/eps)."""
    rate = 0.0
    for eigenvalue in eigenvalues:
        rate += 0.5 * np.log(1 + eigenvalue / eps)
    return rate


def centralized_spectra(Z, y):
    """Spectra of second moments of rows that are scaled, centred, and scaled again.

    z <- z/||z||, minus the mean, z <- z/||z||. Class moments are about the same origin
    as the total, so their average with the class priors is the total, and every trace
    is one. The published program has no guard for a row of zeros; here it stays zero.

    Returns
    -------
    total, classes, counts, rank
        Eigenvalues of Z^T Z / n and of Z_k^T Z_k / n_k, the n_k, and the rank of
        Z^T Z / n as `numpy.linalg.matrix_rank` counts it.
    """
    Z = _unit_rows(Z)
    Z = _unit_rows(Z - Z.mean(axis=0))
    moment = Z.T @ Z / len(Z)
    classes, counts = [], []
    for label in np.unique(y):
        Z_k = Z[y == label]
        classes.append(_eigenvalues(Z_k.T @ Z_k / len(Z_k)))
        counts.append(len(Z_k))
    return _eigenvalues(moment), classes, counts, np.linalg.matrix_rank(moment)


def between_class_spectra(Z, y, rcond=1e-15):
    """Spectra of covariances projected on the directions between classes.

    P = pinv(S) S_B with the total covariance S and the between-class covariance S_B.
    The total's spectrum is the singular values of S P, each class's the singular
    values of S_k P with the covariance S_k about the class's own mean. All covariances
    divide by the number of samples.

    Returns
    -------
    total, classes, counts, rank
        Singular values in descending order, class sizes, and the rank of S P.
    """
    n, d = Z.shape
    mean = Z.mean(axis=0)
    total = (Z - mean).T @ (Z - mean) / n
    between = np.zeros((d, d))
    within, counts = [], []
    for label in np.unique(y):
        Z_k = Z[y == label]
        mean_k = Z_k.mean(axis=0)
        between += len(Z_k) / n * np.outer(mean_k - mean, mean_k - mean)
        within.append((Z_k - mean_k).T @ (Z_k - mean_k) / len(Z_k))
        counts.append(len(Z_k))
    projection = np.linalg.pinv(total, rcond) @ between
    projected = total @ projection
    classes = [_singular_values(covariance @ projection) for covariance in within]
    rank = np.linalg.matrix_rank(projected)
    return _singular_values(projected), classes, counts, rank


def _unit_rows(Z):
    rows = []
    for z in Z:
        norm = np.sqrt(np.sum(z**2))
        rows.append(z / norm if norm > 0 else z)
    return np.array(rows)


def _eigenvalues(symmetric):
    return np.maximum(np.linalg.eigvalsh(symmetric)[::-1], 0.0)


def _singular_values(matrix):
    return np.linalg.svd(matrix, compute_uv=False)
