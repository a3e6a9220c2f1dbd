"""LogME: the evidence of a Bayesian linear model of the targets.

You, K., Liu, Y., Wang, J., & Long, M. (2021). Needs the second moments of features
about the origin and their sums over each class, or their products with the targets.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sklearn_transrate._lib import linalg
from sklearn_transrate.metrics._base import MetricResult, TransferMetric
from sklearn_transrate.statistics import ClassMoments, Statistic, TargetMoments

__all__ = ["LogME", "logme_score"]

# Smallest share of a target's energy that counts as noise; below it, rounding would
# decide how well a perfect fit is explained.
NOISE_FLOOR = np.finfo(np.float64).eps
# Search of the prior precision: a coarse grid over the whole range that can matter,
# then golden sections of the best cell.
GRID_SIZE = 129
REFINEMENTS = 60


# -- kernels -------------------------------------------------------------------


def _evidence(ratio, eigenvalues, energies, outside, n_samples) -> np.ndarray:
    """Log evidence a sample, at the best noise level, for each ratio and target.

    `ratio` is alpha / beta of shape (m, n_targets); `energies` the squared length of
    each target along each left singular vector, (rank, n_targets); `outside` the
    squared length that no feature reaches.
    """
    shrunk = ratio[:, None, :] / (eigenvalues[None, :, None] + ratio[:, None, :])
    # Residual and penalty together; a sum of positive terms, so nothing cancels.
    error = outside + np.einsum("mrt,rt->mt", shrunk, energies)
    log_det = np.log(shrunk).sum(axis=1)
    return 0.5 * (log_det / n_samples - np.log(2.0 * np.pi * error / n_samples) - 1.0)


def _max_evidence(eigenvalues, energies, outside, n_samples) -> np.ndarray:
    """Maximise the evidence over the ratio of precisions, for each target."""
    if len(eigenvalues) == 0:
        return -0.5 * (np.log(2.0 * np.pi * outside / n_samples) + 1.0)

    def objective(log_ratio):
        return _evidence(np.exp(log_ratio), eigenvalues, energies, outside, n_samples)

    low = np.log(eigenvalues[0]) - 40.0
    high = np.log(eigenvalues[-1]) + 40.0
    grid = np.linspace(low, high, GRID_SIZE)
    values = np.concatenate(
        [objective(np.full((1, len(outside)), point)) for point in grid]
    )
    best = grid[values.argmax(axis=0)]
    step = grid[1] - grid[0]
    left, right = best - step, best + step
    section = (np.sqrt(5.0) - 1.0) / 2.0
    for _ in range(REFINEMENTS):
        inner = np.stack(
            [right - section * (right - left), left + section * (right - left)]
        )
        rises = np.diff(objective(inner), axis=0)[0] > 0
        left = np.where(rises, inner[0], left)
        right = np.where(rises, right, inner[1])
    found = objective(((left + right) / 2.0)[None])[0]
    return np.maximum(found, values.max(axis=0))


def _spectrum_of_classes(moments: ClassMoments):
    """Eigenvalues of Z'Z, energies of one-hot targets along them, their lengths."""
    scatter = moments.within()
    sums = np.sqrt(moments.counts)[:, None] * moments.means
    if scatter.is_dense:
        gram = scatter.triangle().copy(order="F")
        linalg.add_gram(gram, sums)
        eigenvalues, vectors = linalg.eigh_psd(gram)
        along = vectors.T @ sums.T / np.sqrt(eigenvalues)[:, None]
    else:
        # Rows of [factor; sums] have the gram matrix of Z; a one-hot target is the
        # root of its count times the row of its class.
        rows = np.concatenate([sums, scatter.factor()])
        eigenvalues, vectors = linalg.eigh_psd(linalg.gram_of_rows(rows))
        along = vectors[: len(sums)].T
    return eigenvalues, along**2 * moments.counts, moments.counts


def _spectrum_of_targets(moments: TargetMoments):
    """The same for numeric targets."""
    d = moments.n_features
    mean, target_mean = moments.means
    root = np.sqrt(moments.total_weight)
    last = root * np.concatenate([mean, target_mean])
    joint = moments.joint()
    if joint.is_dense:
        gram = joint.triangle().copy(order="F")
        linalg.add_gram(gram, last[None])
        eigenvalues, vectors = linalg.eigh_psd(gram[:d, :d])
        along = vectors.T @ gram[d:, :d].T / np.sqrt(eigenvalues)[:, None]
        lengths = np.diagonal(gram)[d:]
    else:
        rows = np.concatenate([joint.factor(), last[None]])
        eigenvalues, vectors = linalg.eigh_psd(linalg.gram_of_rows(rows[:, :d]))
        along = vectors.T @ rows[:, d:]
        lengths = np.einsum("ij,ij->j", rows[:, d:], rows[:, d:])
    return eigenvalues, along**2, lengths


def _logme_from_moments(moments: ClassMoments | TargetMoments) -> np.ndarray:
    """Return the maximal log evidence a sample of each target."""
    if isinstance(moments, ClassMoments):
        eigenvalues, energies, lengths = _spectrum_of_classes(moments)
    else:
        eigenvalues, energies, lengths = _spectrum_of_targets(moments)
    lengths = np.maximum(lengths, np.finfo(np.float64).tiny)
    outside = np.maximum(lengths - energies.sum(axis=0), NOISE_FLOOR * lengths)
    return _max_evidence(eigenvalues, energies, outside, moments.total_weight)


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


class LogME(TransferMetric):
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

    def _evaluate(self, moments) -> MetricResult:
        evidences = _logme_from_moments(moments)
        return MetricResult(float(evidences.mean()), parts={"evidences": evidences})
