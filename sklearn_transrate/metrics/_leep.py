"""LEEP: the log likelihood of target labels read through a source classifier.

Nguyen, C. V., Hassner, T., Seeger, M., & Archambeau, C. (2020). Needs how much
probability each source class has on each target class, and then every row again.
"""

from __future__ import annotations

import numpy as np

from sklearn_transrate._lib.labels import encode_labels
from sklearn_transrate._lib.probabilities import normalized_probabilities
from sklearn_transrate.metrics._base import MetricResult, TransferMetric
from sklearn_transrate.statistics import JointTable, RowSample

__all__ = ["LEEP", "class_log_likelihoods", "leep_score"]


# -- kernel --------------------------------------------------------------------


def class_log_likelihoods(joint: JointTable, proba, y, weights=None) -> np.ndarray:
    """Each class's share of the mean over i of log sum_z P(y_i | z) theta_iz."""
    conditional = joint.conditional()
    classes, codes = encode_labels(y)
    ends = np.cumsum(np.bincount(codes, minlength=len(classes)))
    groups = np.split(np.argsort(codes, kind="stable"), ends[:-1])
    sums = np.zeros(len(classes))
    for k, members in enumerate(groups):
        row = conditional[:, k]
        likelihood = normalized_probabilities(proba[members]) @ row
        # Rounding may carry a certain label above one.
        logs = np.log(np.minimum(likelihood, 1.0))
        sums[k] = logs.sum() if weights is None else weights[members] @ logs
    return sums / joint.total_weight


# -- function ------------------------------------------------------------------


def leep_score(source_proba, y, *, sample_weight=None):
    """Log expected empirical prediction.

    How probable the target labels are if each sample first draws a source class from
    the source model's output, and then a target class from those seen with it.
    Higher is better.

    Parameters
    ----------
    source_proba : array-like of shape (n_samples, n_source_classes)
        Probabilities from the source model's output head, one distribution a row. Rows
        are scaled to sum to 1 if they are within 0.01 of it.
    y : array-like of shape (n_samples,)
        Target class labels. Any hashable labels; at least two classes.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; a weight of 2 counts as two equal rows.

    Returns
    -------
    score : float
        Between minus the entropy of `y` and 0, in nats a sample; 0 when the source
        classes that a sample may have all belong to its own target class.

    Raises
    ------
    ValueError
        If rows are not probabilities (logits need a softmax first), or if arguments
        are swapped, empty, not finite or of different lengths.

    Warns
    -----
    UndefinedMetricWarning
        If `y` has one class; the score is then 0.

    See Also
    --------
    LEEP : The same as an object, for streams and selectors.
    nce_score : For source labels without probabilities.
    nleep_score : For layers without source classes.

    Notes
    -----
    ``(1/n) sum_i log sum_z P(y_i | z) theta_iz`` with source probabilities theta and
    P(y | z) their mean over the samples of class y, over their mean over all. A source
    class without any probability is left out. Cost: O(n s) for s source classes, in
    two looks at the rows, which are kept. It misleads where source classes are many
    and samples few, and across target tasks, whose entropies differ.

    References
    ----------
    .. [1] Nguyen, C. V., Hassner, T., Seeger, M., & Archambeau, C. (2020). LEEP: A new
       measure to evaluate transferability of learned representations. ICML, PMLR 119,
       7294-7305. https://doi.org/10.48550/arXiv.2002.12462

    Examples
    --------
    >>> from sklearn_transrate.metrics import leep_score
    >>> proba = [[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8]]
    >>> round(leep_score(proba, ["a", "a", "b", "b"]), 4)
    -0.474
    """
    return LEEP().score(source_proba, y, sample_weight)


# -- the object ----------------------------------------------------------------


class LEEP(TransferMetric):
    """LEEP as an object, for streams and selectors.

    Attributes
    ----------
    score_ : float
        LEEP of all rows seen, in nats.
    parts_ : dict
        "class_scores", what each target class contributes, in the order of
        `classes_`; they sum to the score.
    classes_ : ndarray of shape (n_classes,)
        Labels seen, sorted.
    n_samples_seen_ : int
        Number of rows seen.
    n_features_in_ : int
        Number of source classes.

    See Also
    --------
    leep_score : The same as a function.

    References
    ----------
    .. [1] Nguyen, C. V., Hassner, T., Seeger, M., & Archambeau, C. (2020). LEEP: A new
       measure to evaluate transferability of learned representations. ICML, PMLR 119,
       7294-7305. https://doi.org/10.48550/arXiv.2002.12462

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_transrate.metrics import LEEP
    >>> X, y = load_iris(return_X_y=True)
    >>> source = LogisticRegression(max_iter=1000).fit(X, X[:, 0] > 5.8)
    >>> metric = LEEP().fit(source.predict_proba(X), y)
    >>> round(metric.score_, 4)
    -0.7163
    """

    inputs = "source_proba"
    requires = {"joint": JointTable.empty(), "rows": RowSample.empty()}
    bounds = (-np.inf, 0.0)
    invariances = frozenset({"duplication", "padding"})
    n_passes = 2
    one_class_score = 0.0

    def _summarise(self, X, y, weights, task=None):
        statistics, task = super()._summarise(X, y, weights, task)
        statistics["joint"].check()
        return statistics, task

    def _evaluate(self, joint, rows) -> MetricResult:
        shares = class_log_likelihoods(joint, rows.features, rows.targets, rows.weights)
        return MetricResult(float(shares.sum()), parts={"class_scores": shares})
