"""LogME, the maximum evidence of Bayesian linear regression, and ApproxME.

You, K., Liu, Y., Wang, J., & Long, M. (2021). LogME: practical assessment of
pre-trained models for transfer learning. ICML 2021, PMLR 139, 12133-12143.
You, K., Liu, Y., Zhang, Z., Wang, J., Jordan, M. I., & Long, M. (2022). Ranking and
tuning pre-trained models. Journal of Machine Learning Research 23(209).

For one target column t: w ~ N(0, I/alpha) and t given w ~ N(Z w, I/beta). Features
are not centred and there is no intercept.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

__all__ = [
    "approxme",
    "log_evidence",
    "logme",
    "logme_fixed_point",
    "logme_published",
    "maximum_log_evidence",
    "target_columns",
]


def target_columns(y):
    """One 0/1 column a class, classes in sorted order."""
    return np.column_stack([y == label for label in np.unique(y)]).astype(float)


def logme(Z, columns):
    """Mean over the columns t of max over (alpha, beta) of log p(t) / n.

    The maximum is searched for by `scipy.optimize`, not by the authors' iteration.
    """
    scores = [maximum_log_evidence(Z, t)[0] / len(Z) for t in columns.T]
    return np.mean(scores)


def log_evidence(Z, t, alpha, beta):
    """The log density of t, with w integrated out.

    (n/2) log beta + (d/2) log alpha - (n/2) log 2 pi - (beta/2) ||Z m - t||^2
    - (alpha/2) ||m||^2 - (1/2) log det A, where A = alpha I + beta Z^T Z and
    m = beta A^-1 Z^T t. Equal to log N(t; 0, I/beta + Z Z^T/alpha).
    """
    n, d = Z.shape
    A = alpha * np.eye(d) + beta * Z.T @ Z
    m = beta * np.linalg.solve(A, Z.T @ t)
    return (
        n / 2 * np.log(beta)
        + d / 2 * np.log(alpha)
        - n / 2 * np.log(2 * np.pi)
        - beta / 2 * np.sum((Z @ m - t) ** 2)
        - alpha / 2 * np.sum(m**2)
        - np.linalg.slogdet(A)[1] / 2
    )


def maximum_log_evidence(Z, t):
    """The largest log evidence and the alpha, beta that attain it, by simplex search.

    The search starts from a prior and a noise that fit the sizes of t and Z, and from
    two starts a hundred times stiffer and looser.
    """
    # Features and target in units of their own size, so that starts fit any scale:
    # dividing Z by s multiplies alpha by 1/s^2; dividing t by u adds n log u.
    s, u = np.sqrt(np.mean(Z**2)), np.sqrt(np.mean(t**2))
    best = None
    for start in (0.0, np.log(1e2), -np.log(1e2)):
        found = minimize(
            lambda logs: -log_evidence(Z / s, t / u, *np.exp(logs)),
            x0=[start, 0.0],
            method="Nelder-Mead",
            options={"xatol": 1e-6, "fatol": 1e-9, "maxiter": 2000},
        )
        if best is None or found.fun < best.fun:
            best = found
    alpha, beta = np.exp(best.x)
    return -best.fun - len(t) * np.log(u), alpha * s**2 / u**2, beta / u**2


def logme_fixed_point(Z, columns, max_iter=1000, tol=1e-10):
    """The authors' iteration, run until alpha/beta stands still.

    gamma = sum_i beta s_i/(alpha + beta s_i) over the eigenvalues s_i of Z^T Z,
    alpha <- gamma/||m||^2, beta <- (n - gamma)/||Z m - t||^2, from alpha = beta = 1.
    """
    scores = []
    for t in columns.T:
        alpha, beta, _ = _iterate(Z, t, max_iter, tol)
        scores.append(log_evidence(Z, t, alpha, beta) / len(Z))
    return np.mean(scores)


def logme_published(Z, columns, max_iter=11, tol=1e-2):
    """The numbers of the authors' program: few rounds, and m one round old.

    The iteration stops when alpha/beta moves by less than one percent, and the
    evidence combines the last alpha and beta with the m from before their update. It
    never exceeds the maximum. (Another of the authors' programs also leaves
    (d - rank)/2 log alpha out of the evidence, which matters when n < d.)
    """
    eigenvalues = np.maximum(np.linalg.eigvalsh(Z.T @ Z), 0)
    n, d = Z.shape
    scores = []
    for t in columns.T:
        alpha, beta, m = _iterate(Z, t, max_iter, tol)
        evidence = (
            n / 2 * np.log(beta)
            + d / 2 * np.log(alpha)
            - n / 2 * np.log(2 * np.pi)
            - beta / 2 * np.sum((Z @ m - t) ** 2)
            - alpha / 2 * np.sum(m**2)
            - np.sum(np.log(alpha + beta * eigenvalues)) / 2
        )
        scores.append(evidence / n)
    return np.mean(scores)


def approxme(Z, columns):
    """One step instead of the iteration; the evidence at a fixed ratio alpha/beta.

    alpha/beta = s_1/n with the largest eigenvalue s_1 of Z^T Z, then
    beta = n / (||Z m - t||^2 + (alpha/beta) ||m||^2), which is the best beta for that
    ratio. (ApproxME, from the public code on spiking-network transferability.)
    """
    n, d = Z.shape
    ratio = np.linalg.eigvalsh(Z.T @ Z).max() / n
    scores = []
    for t in columns.T:
        m = np.linalg.solve(ratio * np.eye(d) + Z.T @ Z, Z.T @ t)
        beta = n / (np.sum((Z @ m - t) ** 2) + ratio * np.sum(m**2))
        scores.append(log_evidence(Z, t, ratio * beta, beta) / n)
    return np.mean(scores)


def _iterate(Z, t, max_iter, tol):
    """The last alpha, beta, and the m from which they were computed."""
    n, d = Z.shape
    eigenvalues = np.maximum(np.linalg.eigvalsh(Z.T @ Z), 0)
    alpha, beta = 1.0, 1.0
    for _ in range(max_iter):
        before = alpha / beta
        m = np.linalg.solve(before * np.eye(d) + Z.T @ Z, Z.T @ t)
        gamma = np.sum(eigenvalues / (before + eigenvalues))
        alpha = gamma / np.sum(m**2)
        beta = (n - gamma) / np.sum((Z @ m - t) ** 2)
        if abs(alpha / beta - before) <= tol * before:
            break
    return alpha, beta, m
