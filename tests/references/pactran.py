"""PACTran: losses from PAC-Bayes bounds, lower is better.

Ding, N., Chen, X., Levinboim, T., Changpinyo, S., & Soricut, R. (2022). PACTran:
PAC-Bayesian metrics for estimating the transferability of pretrained models to
classification tasks. ECCV 2022. arXiv:2203.05126.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import digamma, gammaln, logsumexp, softmax

__all__ = [
    "pactran_dirichlet",
    "pactran_gamma",
    "pactran_gaussian",
    "penalised_cross_entropy",
]

# Added by the published program inside logarithms and to the prior.
TINY = 1e-10


def pactran_dirichlet(source_proba, y, alpha=1.0, sweeps=10):
    """Variational free energy of P(y|z) with a Dirichlet prior, over n K.

    Prior a_y = alpha n_y/n for every source class z. Starting from q = theta, each
    sweep sets A_yz = a_y + sum of q_iz over i with y_i = y, then
    q_iz proportional to theta_iz exp(psi(A_{y_i z}) - psi(sum_y A_yz)).
    With log B(a) = sum_y log Gamma(a_y) - log Gamma(sum_y a_y), the loss is

    (sum_z [log B(a) - log B(A_z)] + sum_iz q_iz log(q_iz/theta_iz)) / (n K)

    at the last q and the A of the same sweep, from which that q was computed.
    """
    labels, n = np.unique(y), len(y)
    log_theta = np.log(source_proba + TINY)
    prior = np.array([alpha * np.mean(y == label) + TINY for label in labels])
    q = source_proba
    for _ in range(sweeps):
        A = _prior_plus_counts(prior, q, y)
        logits = log_theta + digamma(A)[np.searchsorted(labels, y)]
        logits = logits - digamma(A.sum(axis=0))
        log_q = logits - logsumexp(logits, axis=1, keepdims=True)
        q = np.exp(log_q)
    loss = np.sum(q * (log_q - log_theta))
    for z in range(source_proba.shape[1]):
        loss += _log_beta(prior) - _log_beta(A[:, z])
    return loss / (n * len(labels))


def pactran_gamma(source_proba, y, alpha=1.0, sweeps=10):
    """Variational free energy of rates with a Gamma prior, over n K, plus one.

    Shape a_y = alpha n_y/n and rate 1 for every source class. Sweeps as for Dirichlet
    with q_iz proportional to theta_iz exp(psi(A_{y_i z})), and
    l_i = sum_z theta_iz sum_y A_yz. The loss is

    (sum_yz [log Gamma(a_y) - log Gamma(A_yz)] + sum_iz q_iz log(q_iz/theta_iz)
    + sum_i [log l_i - 1]) / (n K) + 1.

    q and A are those of the same sweep, and so is l, from the A before the last q.
    """
    labels, n = np.unique(y), len(y)
    log_theta = np.log(source_proba + TINY)
    prior = np.array([alpha * np.mean(y == label) + TINY for label in labels])
    q = source_proba
    for _ in range(sweeps):
        A = _prior_plus_counts(prior, q, y)
        rates = source_proba @ A.sum(axis=0)
        logits = log_theta + digamma(A)[np.searchsorted(labels, y)]
        log_q = logits - logsumexp(logits, axis=1, keepdims=True)
        q = np.exp(log_q)
    loss = np.sum(q * (log_q - log_theta)) + np.sum(np.log(rates) - 1)
    for k in range(len(labels)):
        for z in range(source_proba.shape[1]):
            loss += gammaln(prior[k]) - gammaln(A[k, z])
    return loss / (n * len(labels)) + 1


def pactran_gaussian(X, y, lam=1.0, spread=None):
    """F + (K d/(2 lam n)) s^2 log((lam n/(K d)) trace(h)), with s^2 = spread/d.

    F is the least `penalised_cross_entropy` and h a diagonal of second derivatives at
    that minimum, as the published program has it: sum_i x_ij^2 p_ik (1 - p_ik)
    + 1/(lam n) for weights, sum_i p_ik (1 - p_ik) for biases. (The cross-entropy is
    summed here and the penalty is not.) `spread` is 100 lam by default; the program
    also reports 10 lam.
    """
    spread = 100 * lam if spread is None else spread
    F, h = penalised_cross_entropy(X, y, lam)
    n, d = X.shape
    K = len(np.unique(y))
    flatness = np.log(lam * n / (K * d) * h + TINY)
    return F + K * d / (2 * lam * n) * spread / d * flatness


def penalised_cross_entropy(X, y, lam):
    """min over W, b of the mean cross-entropy + ||W||^2/(2 lam n), and trace(h).

    Features are centred; the bias is free. The published program starts at random and
    stops after 100 iterations of L-BFGS; here the minimum is reached.
    """
    X = X - X.mean(axis=0)
    n, d = X.shape
    one_hot = np.array([y == label for label in np.unique(y)]).T.astype(float)
    K = one_hot.shape[1]

    def loss_and_gradient(theta):
        W, b = theta[: d * K].reshape(d, K), theta[d * K :]
        logits = X @ W + b
        log_p = logits - logsumexp(logits, axis=1, keepdims=True)
        loss = -np.sum(one_hot * log_p) / n + np.sum(W**2) / (2 * lam * n)
        residual = (np.exp(log_p) - one_hot) / n
        gradient = X.T @ residual + W / (lam * n)
        return loss, np.concatenate([gradient.ravel(), residual.sum(axis=0)])

    found = minimize(
        loss_and_gradient,
        np.zeros(d * K + K),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 20000, "maxfun": 40000, "ftol": 1e-15, "gtol": 1e-9},
    )
    W, b = found.x[: d * K].reshape(d, K), found.x[d * K :]
    p = softmax(X @ W + b, axis=1)
    h = np.sum((X**2).T @ (p * (1 - p)) + 1 / (lam * n)) + np.sum(p * (1 - p))
    return found.fun, h


def _prior_plus_counts(prior, q, y):
    labels = np.unique(y)
    A = np.zeros((len(labels), q.shape[1]))
    for k, label in enumerate(labels):
        A[k] = prior[k] + q[y == label].sum(axis=0)
    return A


def _log_beta(a):
    return np.sum(gammaln(a)) - gammaln(np.sum(a))
