"""LogME: the evidence of a Bayesian linear model of the targets.

You, K., Liu, Y., Wang, J., & Long, M. (2021). Needs the second moments of features
about the origin and their sums over each class, or their products with the targets.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sklearn_transrate.metrics._array_api import DeviceScoreMixin, spectrum_on_device
from sklearn_transrate.metrics._base import MetricResult, TransferMetric
from sklearn_transrate.metrics._influence_logme import logme_influence
from sklearn_transrate.metrics._target_energies import (
    spectrum_of_classes,
    spectrum_of_targets,
)
from sklearn_transrate.statistics import ClassMoments, Statistic, TargetMoments

__all__ = ["LogME", "logme_score"]

# Smallest share of a target's energy that counts as noise; below it, rounding would
# decide how well a perfect fit is explained.
NOISE_FLOOR = np.finfo(np.float64).eps
# Search of the prior precision: a grid over the whole range that can matter, then
# Newton steps from its peaks. Near a maximum the evidence is flat: what is missing is
# the square of the distance.
GRID_SIZE = 513
MAX_STEPS = 60
CLOSE = 1e-7


# -- kernels -------------------------------------------------------------------


def _evidence(log_det, error, n_samples):
    """Log evidence a sample at the best noise level, beta = n_samples / error.

    `log_det` is the sum of log(r / (s + r)) over eigenvalues s at r = alpha / beta;
    `error` is residual and penalty together, a sum of positive terms, so that nothing
    cancels.
    """
    return 0.5 * (log_det / n_samples - np.log(2.0 * np.pi * error / n_samples) - 1.0)


def _max_evidence(eigenvalues, energies, outside, n_samples) -> np.ndarray:
    """Maximise the evidence over the ratio of precisions, for each target.

    `energies` is the squared length of each target along each left singular vector,
    (rank, n_targets); `outside` the squared length that no feature reaches.
    """
    if len(eigenvalues) == 0:
        return _evidence(0.0, outside, n_samples)
    grid = np.linspace(
        np.log(eigenvalues[0]) - 40.0, np.log(eigenvalues[-1]) + 40.0, GRID_SIZE
    )
    # One grid for all targets makes their errors a product of matrices.
    ratio = np.exp(grid)[:, None]
    shrunk = ratio / (eigenvalues + ratio)
    log_dets = np.log(shrunk).sum(axis=1, keepdims=True)
    values = _evidence(log_dets, outside + shrunk @ energies, n_samples)
    step = grid[1] - grid[0]
    peak, target = _peaks(values, step**2)
    energies, outside = energies[:, target], outside[target]
    ratio = np.exp(_climb(grid[peak], step, eigenvalues, energies, outside, n_samples))
    shrunk = ratio / (eigenvalues[:, None] + ratio)
    error = outside + np.einsum("rt,rt->t", shrunk, energies)
    best = values.max(axis=0)
    found = _evidence(np.log(shrunk).sum(axis=0), error, n_samples)
    np.maximum.at(best, target, found)
    return best


def _peaks(values, gain):
    """Return row and column of the local maxima that may be the highest of a column.

    The evidence's second derivative is below 9/8, so that no top is higher than its
    nearest grid point by more than the squared step: most columns have one.
    """
    beside = np.pad(values, ((1, 1), (0, 0)), constant_values=-np.inf)
    rises, falls = values > beside[:-2], values >= beside[2:]
    return np.nonzero(rises & falls & (values >= values.max(axis=0) - gain))


def _climb(start, width, eigenvalues, energies, outside, n_samples) -> np.ndarray:
    """Return where the evidence's slope vanishes within a width of the start.

    Newton's method on log(alpha / beta), for all targets at once; where it leaves the
    bracket that the sign of the slope keeps, the bracket is halved instead.
    """
    at, left, right = start, start - width, start + width
    for _ in range(MAX_STEPS):
        ratio = np.exp(at)
        shrunk = ratio / (eigenvalues[:, None] + ratio)
        curved = shrunk * (1.0 - shrunk)
        # Derivatives of shrunk are curved and curved (1 - 2 shrunk).
        weighted = curved * energies
        error = outside + np.einsum("rt,rt->t", shrunk, energies)
        first = weighted.sum(axis=0) / error
        second = first - 2.0 * np.einsum("rt,rt->t", shrunk, weighted) / error
        slope = (len(eigenvalues) - shrunk.sum(axis=0)) / n_samples - first
        curvature = -curved.sum(axis=0) / n_samples - second + first**2
        left, right = np.where(slope > 0, at, left), np.where(slope > 0, right, at)
        newton = at - slope / np.where(curvature < 0, curvature, -1.0)
        inside = (curvature < 0) & (left <= newton) & (newton <= right)
        step = np.where(inside, newton, (left + right) / 2.0) - at
        at = at + step
        if np.abs(step).max() < CLOSE:
            break
    return at


def _logme_from_moments(moments: ClassMoments | TargetMoments) -> np.ndarray:
    """Return the maximal log evidence a sample of each target."""
    if isinstance(moments, ClassMoments):
        eigenvalues, energies, lengths = spectrum_of_classes(moments)
    else:
        eigenvalues, energies, lengths = spectrum_of_targets(moments)
    return _evidence_of_spectrum(eigenvalues, energies, lengths, moments.total_weight)


def _evidence_of_spectrum(eigenvalues, energies, lengths, n_samples) -> np.ndarray:
    lengths = np.maximum(lengths, np.finfo(np.float64).tiny)
    outside = np.maximum(lengths - energies.sum(axis=0), NOISE_FLOOR * lengths)
    return _max_evidence(eigenvalues, energies, outside, n_samples)


# -- function ------------------------------------------------------------------


def logme_score(X, y, *, task="auto", sample_weight=None):
    """Logarithm of the maximum evidence of a linear model.

    How probable the targets are under a Bayesian linear model of the features whose
    prior and noise are fitted to them. Higher is better; it asks how well a linear
    head would do, and punishes features that need large weights for it.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Features from one layer of a source model. Not centred: a constant feature
        serves as the intercept.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Class labels, 0/1 indicators of several labels, or real values.
    task : {"auto", "classification", "multilabel", "regression"}, default="auto"
        What `y` holds. "auto" takes whole numbers, strings and booleans as classes,
        0/1 matrices as labels, and anything else as values.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; a weight of 2 counts as two equal rows.

    Returns
    -------
    score : float
        Mean over targets of the log evidence a sample, in nats (a log density, so of
        any sign). Comparable only for the same targets.

    Raises
    ------
    ValueError
        If arguments are swapped, empty, not finite or of different lengths.

    See Also
    --------
    LogME : The same as an object, for streams and selectors.

    Notes
    -----
    For a target t, ``t = Z w + noise`` with w of precision alpha and noise of
    precision beta. At the best beta the evidence depends on alpha / beta alone, and
    its maximum is found to about ten digits rather than by the published fixed
    point; directions that the features do not span cancel, so it is right for
    n < d as well. A target that is fitted perfectly is taken to have noise at the
    rounding level. Cost: O(n d min(n, d)) and one symmetric eigendecomposition on
    the smaller side.

    References
    ----------
    .. [1] You, K., Liu, Y., Wang, J., & Long, M. (2021). LogME: Practical assessment
       of pre-trained models for transfer learning. ICML, PMLR 139, 12133-12143.
       https://doi.org/10.48550/arXiv.2102.11005

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate.metrics import logme_score
    >>> X, y = load_iris(return_X_y=True)
    >>> round(logme_score(X, y), 4)
    -0.1601
    """
    return LogME(task=task).score(X, y, sample_weight)


# -- the object ----------------------------------------------------------------


class LogME(DeviceScoreMixin, TransferMetric):
    """LogME as an object, for streams and selectors.

    Parameters
    ----------
    task : {"auto", "classification", "multilabel", "regression"}, default="auto"
        What `y` holds; "auto" looks at the first batch.

    Attributes
    ----------
    score_ : float
        LogME of all rows seen, in nats.
    parts_ : dict
        "evidences", the log evidence a sample of each class or target.
    classes_ : ndarray of shape (n_classes,)
        Labels seen, sorted; only for classification.
    n_samples_seen_ : int
        Number of rows seen.
    n_features_in_ : int
        Width of the features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where they all are strings.

    See Also
    --------
    logme_score : The same as a function.

    References
    ----------
    .. [1] You, K., Liu, Y., Wang, J., & Long, M. (2021). LogME: Practical assessment
       of pre-trained models for transfer learning. ICML, PMLR 139, 12133-12143.
       https://doi.org/10.48550/arXiv.2102.11005

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_transrate.metrics import LogME
    >>> X, y = load_diabetes(return_X_y=True)
    >>> round(LogME(task="regression").fit(X, y).score_, 4)
    -6.5236
    """

    requires = {"moments": ClassMoments.empty(scatter="pooled")}
    tasks = ("classification", "multilabel", "regression")
    invariances = frozenset({"rotation", "scale", "padding"})
    accepts_sparse = True

    def __init__(self, *, task="auto"):
        self.task = task

    def required_statistics(
        self, task: str = "classification"
    ) -> Mapping[str, Statistic]:
        """Return the empty statistics that this metric needs for a task.

        Parameters
        ----------
        task : {"classification", "multilabel", "regression"}
            What kind of target y is.

        Returns
        -------
        statistics : mapping of {name: Statistic}
        """
        if task == "classification":
            return self.requires
        return {"moments": TargetMoments.empty()}

    def _score_on_device(self, grouped) -> float:
        n_samples = grouped.counts.sum()
        evidences = _evidence_of_spectrum(*spectrum_on_device(grouped), n_samples)
        return float(evidences.mean())

    def _evaluate(self, moments) -> MetricResult:
        evidences = _logme_from_moments(moments)
        return MetricResult(float(evidences.mean()), parts={"evidences": evidences})

    def _influence(self, X, y, parts, moments) -> np.ndarray:
        return logme_influence(moments, X, y)
