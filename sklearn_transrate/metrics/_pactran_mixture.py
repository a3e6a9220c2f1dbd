"""PACTran on source probabilities: Dirichlet and Gamma priors on P(y | z).

Ding, N., et al. (2022). A target label is drawn from one of the source classes; the
free energy of the best factorised posterior bounds how badly that explains the labels.
Needs the joint table of source and target classes, and then every row again.
"""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from scipy.special import digamma, gammaln

from sklearn_transrate._lib.labels import encode_labels
from sklearn_transrate._lib.probabilities import normalized_probabilities
from sklearn_transrate.metrics._base import MetricResult, TransferMetric
from sklearn_transrate.statistics import JointTable, RowSample

__all__ = ["PACTranDirichlet", "PACTranGamma"]

# Least logarithm of a source class's weight in a class, relative to the largest one:
# what a row has there must not vanish below the smallest float.
SMALLEST_LOG = -700.0


# -- kernel --------------------------------------------------------------------


def _by_class(rows: RowSample) -> list[tuple[np.ndarray, np.ndarray]]:
    """Probabilities and weights of each class, in the order of the classes."""
    classes, codes = encode_labels(rows.targets)
    ends = np.cumsum(np.bincount(codes, minlength=len(classes)))
    weights = np.ones(len(codes)) if rows.weights is None else rows.weights
    return [
        (normalized_probabilities(rows.features[members]), weights[members])
        for members in np.split(np.argsort(codes, kind="stable"), ends[:-1])
    ]


def _sweep(groups, log_weights) -> tuple[np.ndarray, float]:
    """Assign rows to source classes, q_iz proportional to theta_iz w_yz.

    Returns the sums of q over each class, (n_classes, n_source_classes), and the sum
    of q log(q / theta). Neither needs q itself: with c_i the sum of theta_iz w_yz,
    ``sum_i q_iz = w_yz sum_i theta_iz / c_i`` and ``log(q / theta) = log w - log c``.
    """
    top = log_weights.max(axis=1)
    relative = np.maximum(log_weights - top[:, None], SMALLEST_LOG)
    sums = np.exp(relative)
    divergence = 0.0
    for k, (theta, weights) in enumerate(groups):
        c = theta @ sums[k]
        sums[k] *= theta.T @ (weights / c)
        divergence -= float(weights @ np.log(c))
    return sums, divergence + float(np.vdot(sums, relative))


def _mixture_loss(joint: JointTable, rows: RowSample, alpha, n_sweeps, gamma) -> float:
    """Free energy over n K after the sweeps; each starts from the sums of the last."""
    n, (n_source, n_classes) = joint.total_weight, joint.sums.shape
    prior = alpha * joint.counts / n
    groups = _by_class(rows)
    sums = joint.sums.T
    for _ in range(n_sweeps):
        posterior = prior[:, None] + sums
        totals = posterior.sum(axis=0)
        log_weights = digamma(posterior) - (0.0 if gamma else digamma(totals))
        sums, loss = _sweep(groups, log_weights)
    loss += n_source * gammaln(prior).sum() - gammaln(posterior).sum()
    if not gamma:
        loss += gammaln(totals).sum() - n_source * gammaln(prior.sum())
        return loss / (n * n_classes)
    rates = sum(float(weights @ np.log(theta @ totals)) for theta, weights in groups)
    return (loss + rates - n) / (n * n_classes) + 1.0


# -- the objects ---------------------------------------------------------------


class _MixturePACTran(TransferMetric):
    """What the two priors share."""

    inputs = "source_proba"
    requires = {"joint": JointTable.empty(), "rows": RowSample.empty()}
    invariances = frozenset({"padding"})
    n_passes = 2
    _gamma = False

    def __init__(self, *, alpha=1.0, n_sweeps=10):
        self.alpha = alpha
        self.n_sweeps = n_sweeps

    def _summarise(self, X, y, weights, task=None):
        statistics, task = super()._summarise(X, y, weights, task)
        statistics["joint"].check()
        return statistics, task

    def _evaluate(self, joint, rows) -> MetricResult:
        if not (isinstance(self.alpha, Real) and 0.0 < self.alpha < np.inf):
            raise ValueError(
                f"Expected 'alpha' to be a positive number, got {self.alpha!r}."
            )
        if not (isinstance(self.n_sweeps, Integral) and self.n_sweeps >= 1):
            raise ValueError(
                f"Expected 'n_sweeps' to be a positive integer, got {self.n_sweeps!r}."
            )
        loss = _mixture_loss(joint, rows, self.alpha, self.n_sweeps, self._gamma)
        return MetricResult(float(-loss))


class PACTranDirichlet(_MixturePACTran):
    """PACTran with a Dirichlet prior, as an object for streams and selectors.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the prior, in samples for each source class.
    n_sweeps : int, default=10
        Updates of the posterior, 10 as published. With a few hundred it has converged,
        and the score is a bound of the log evidence.

    Attributes
    ----------
    score_ : float
        Minus the free energy of all rows seen, in nats a sample and class.
    parts_ : dict
        Empty.
    classes_ : ndarray of shape (n_classes,)
        Labels seen, sorted.
    n_samples_seen_ : int
        Number of rows seen.
    n_features_in_ : int
        Number of source classes.

    See Also
    --------
    pactran_score : The same as a function, with formulas.
    PACTranGamma : Another prior.

    References
    ----------
    .. [1] Ding, N., Chen, X., Levinboim, T., Changpinyo, S., & Soricut, R. (2022).
       PACTran: PAC-Bayesian metrics for estimating the transferability of pretrained
       models to classification tasks. ECCV, 252-268.
       https://doi.org/10.1007/978-3-031-19830-4_15

    Examples
    --------
    >>> from sklearn_transrate.metrics import PACTranDirichlet
    >>> proba = [[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8]]
    >>> round(PACTranDirichlet().fit(proba, ["a", "a", "b", "b"]).score_, 4)
    -0.3802
    """

    bounds = (-np.inf, 0.0)


class PACTranGamma(_MixturePACTran):
    """PACTran with a Gamma prior, as an object for streams and selectors.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the prior, in samples for each source class.
    n_sweeps : int, default=10
        Updates of the posterior, 10 as published.

    Attributes
    ----------
    score_ : float
        Minus the loss on all rows seen, in nats a sample and class.
    parts_ : dict
        Empty.
    classes_ : ndarray of shape (n_classes,)
        Labels seen, sorted.
    n_samples_seen_ : int
        Number of rows seen.
    n_features_in_ : int
        Number of source classes.

    See Also
    --------
    pactran_score : The same as a function, with formulas.
    PACTranDirichlet : Another prior.

    References
    ----------
    .. [1] Ding, N., Chen, X., Levinboim, T., Changpinyo, S., & Soricut, R. (2022).
       PACTran: PAC-Bayesian metrics for estimating the transferability of pretrained
       models to classification tasks. ECCV, 252-268.
       https://doi.org/10.1007/978-3-031-19830-4_15

    Examples
    --------
    >>> from sklearn_transrate.metrics import PACTranGamma
    >>> proba = [[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8]]
    >>> round(PACTranGamma().fit(proba, ["a", "a", "b", "b"]).score_, 4)
    -1.2562
    """

    _gamma = True
