"""NCE: how much the source labels leave to be said about the target labels.

Tran, A. T., Nguyen, C. V., & Hassner, T. (2019). Needs how often each source label
occurs with each target label, and nothing of the features.
"""

from __future__ import annotations

import numpy as np
from scipy.special import xlogy

from sklearn_transrate._lib.validation import refuse_swapped
from sklearn_transrate.metrics._base import MetricResult, TransferMetric
from sklearn_transrate.statistics import JointTable

__all__ = ["NCE", "nce_score"]


# -- kernel --------------------------------------------------------------------


def _nce_from_joint(joint: JointTable) -> np.ndarray:
    """Each target class's share of the sum over z of P(y, z) log P(y | z)."""
    return xlogy(joint.sums, joint.conditional()).sum(axis=0) / joint.total_weight


# -- function ------------------------------------------------------------------


def nce_score(source_labels, y, *, sample_weight=None):
    """Negative conditional entropy of the target labels given the source labels.

    How well the target class can be told from the class that the source model
    names. Higher is better.

    Parameters
    ----------
    source_labels : array-like of shape (n_samples,) or (n_samples, n_source_classes)
        Label that the source model gives each sample, of any hashable kind; or its
        probabilities or logits, of which the largest counts. Equally large ones share
        the sample.
    y : array-like of shape (n_samples,)
        Target class labels. Any hashable labels; at least two classes.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; a weight of 2 counts as two equal rows.

    Returns
    -------
    score : float
        Between minus the entropy of `y` and 0, in nats; 0 when every source label
        occurs with a single target class.

    Raises
    ------
    ValueError
        If arguments are swapped, empty or of different lengths, if a label is missing,
        or if a single column of `source_labels` holds fractions.

    Warns
    -----
    UndefinedMetricWarning
        If `y` has one class; the score is then 0.

    See Also
    --------
    NCE : The same as an object, for streams and selectors.
    leep_score : Takes the probabilities themselves into account.

    Notes
    -----
    ``sum over y, z of P(y, z) log P(y | z)`` with frequencies for probabilities. Cost:
    O(n) for labels, O(n s) for scores of s source classes; one pass. It misleads where
    source labels are many and samples few, for labels that occur once explain
    themselves, and across target tasks, whose entropies differ.

    References
    ----------
    .. [1] Tran, A. T., Nguyen, C. V., & Hassner, T. (2019). Transferability and
       hardness of supervised classification tasks. ICCV, 1395-1405.
       https://doi.org/10.1109/ICCV.2019.00148

    Examples
    --------
    >>> from sklearn_transrate.metrics import nce_score
    >>> source_labels = ["cat", "cat", "dog", "dog", "dog", "fox"]
    >>> y = ["tame", "tame", "tame", "tame", "wild", "wild"]
    >>> round(nce_score(source_labels, y), 4)
    -0.3183
    """
    return NCE().score(source_labels, y, sample_weight)


# -- the object ----------------------------------------------------------------


class NCE(TransferMetric):
    """Negative conditional entropy as an object, for streams and selectors.

    Attributes
    ----------
    score_ : float
        NCE of all rows seen, in nats.
    parts_ : dict
        "class_scores", what each target class contributes, in the order of
        `classes_`; they sum to the score.
    classes_ : ndarray of shape (n_classes,)
        Labels seen, sorted.
    n_samples_seen_ : int
        Number of rows seen.
    n_features_in_ : int
        Columns of the source model's output; 1 for labels.

    See Also
    --------
    nce_score : The same as a function.

    References
    ----------
    .. [1] Tran, A. T., Nguyen, C. V., & Hassner, T. (2019). Transferability and
       hardness of supervised classification tasks. ICCV, 1395-1405.
       https://doi.org/10.1109/ICCV.2019.00148

    Examples
    --------
    >>> from sklearn_transrate.metrics import NCE
    >>> proba = [[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8]]
    >>> metric = NCE().fit(proba, ["a", "b", "b", "b"])
    >>> round(metric.score_, 4)
    -0.3466
    """

    inputs = "source_labels"
    requires = {"joint": JointTable.empty(source="labels")}
    bounds = (-np.inf, 0.0)
    invariances = frozenset({"duplication"})
    one_class_score = 0.0

    def _check(self, X, y, sample_weight):
        refuse_swapped(X, y, name=type(self).__name__)
        X = _columns(X)
        if X.shape[1] != 1:
            return super()._check(X, y, sample_weight)
        # Labels need not be numbers; a column of zeros stands in for them.
        stand_in = np.zeros((len(X), 1))
        _, y, sample_weight = super()._check(stand_in, y, sample_weight)
        return X, y, sample_weight

    def _see(self, X, y, sample_weight, **how):
        return super()._see(_columns(X), y, sample_weight, **how)

    def _summarise(self, X, y, weights, task=None):
        statistics, task = super()._summarise(X, y, weights, task)
        statistics["joint"].check()
        return statistics, task

    def _evaluate(self, joint) -> MetricResult:
        shares = _nce_from_joint(joint)
        return MetricResult(float(shares.sum()), parts={"class_scores": shares})


def _columns(X):
    """Return labels as a single column; anything wider as it is."""
    if not hasattr(X, "shape") and hasattr(X, "__array__"):
        X = np.asarray(X)
    elif not hasattr(X, "shape"):
        X = list(X)
        if X and isinstance(X[0], list | np.ndarray):
            return np.asarray(X)
        numbers = all(isinstance(label, int | float | np.number) for label in X)
        X = np.asarray(X) if numbers else np.fromiter(X, dtype=object, count=len(X))
    if len(X.shape) > 1:
        return X
    return (X.to_numpy() if hasattr(X, "to_numpy") else X)[:, None]
