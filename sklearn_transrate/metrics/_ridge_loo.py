"""Leave-one-out ridge regression: how well a linear head predicts unseen rows.

Closed form of Allen, D. M. (1974) and Golub, G. H., Heath, M., & Wahba, G. (1979).
Needs the second moments of the features and a second look at the rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np

from sklearn_transrate.exceptions import UndefinedMetricWarning
from sklearn_transrate.metrics._base import MetricResult, TransferMetric
from sklearn_transrate.metrics._leave_one_out import (
    accuracy,
    choose,
    class_log_likelihood,
    held_out_predictions,
    left_over,
    ridge_regression,
)
from sklearn_transrate.statistics import (
    ClassMoments,
    RowSample,
    Statistic,
    TargetMoments,
)

__all__ = ["RidgeLOO", "ridge_loo_score"]

OUTPUTS = ("auto", "accuracy", "r2", "log_likelihood")
# Relative ridges. Finer steps rank models no better; below 1e-8, rounding would show.
RIDGES = 10.0 ** np.arange(1.0, -8.5, -1.0)


# -- function ------------------------------------------------------------------


def ridge_loo_score(
    X, y, *, output="auto", ridges=None, task="auto", sample_weight=None
):
    """Leave-one-out score of ridge regression, in closed form.

    How well would a linear head, trained on all other samples, predict each one?
    Higher is better. It sees labels that the model was not fitted to, so it neither
    saturates where n < d nor rewards wide features for being wide.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Features from one layer of a source model.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Class labels, 0/1 indicators of several labels, or real values.
    output : {"auto", "accuracy", "r2", "log_likelihood"}, default="auto"
        What to report of the held-out predictions; "auto" is the accuracy for
        classes, where it ranks models best, and R2 otherwise.
    ridges : float or array-like of float, default=None
        Ridges to choose from, relative to the mean eigenvalue of the features'
        scatter; by default, the ten decades from 1e-8 to 10.
    task : {"auto", "classification", "multilabel", "regression"}, default="auto"
        What `y` holds. "auto" takes whole numbers, strings and booleans as classes,
        0/1 matrices as labels, and anything else as values.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; a weight of 2 counts as two equal rows, of which one at
        a time is left out.

    Returns
    -------
    score : float
        Accuracy between 0 and 1; or R2, at most 1 and negative where the mean would
        have done better; or log-likelihood, in nats a sample, at most 0 for classes
        and a log density (of any sign) for values. Best is the upper end.

    Raises
    ------
    ValueError
        If arguments are swapped, empty, not finite or of different lengths, if a
        ridge is not positive, or if `output` does not fit the task.

    Warns
    -----
    UndefinedMetricWarning
        If `y` holds one class or constant values only, or `X` a single row; the
        score is then NaN.

    See Also
    --------
    RidgeLOO : The same as an object, for streams and selectors.
    logme_score : The evidence of the same linear model, from moments alone.
    linear_probe_score : Logistic regression, cross-validated by fitting again.

    Notes
    -----
    The targets Y are one-hot for classes. With centred features Z = U S V', the ridge
    l predicts ``m + U S^2 / (S^2 + l) U' Y``, and leaving row i out, which moves the
    means too, turns its residual e_i into ``e_i / (1 - h_i)`` with leverage ``h_i =
    1/n + sum_j u_ij^2 s_j^2 / (s_j^2 + l)`` [1]_. So one eigendecomposition serves
    every ridge and every row [2]_. The ridge with the least squared error is used,
    one for all classes, or one for each value. The mean eigenvalue that ridges are
    relative to weighs each eigenvalue by its share of the variance. The
    log-likelihood of classes puts an equal Gaussian of the held-out error's variance
    about each one-hot target; that of values is Gaussian too.

    Cost: O(n d min(n, d)) time, and O(n d n_classes) for each ridge; memory beside
    the rows is O(min(n, d)^2 + n).

    It misleads where rows come in near copies (frames of a film), since the copy of
    the row that is left out stays; and features that say nothing score below chance
    for equal classes, because leaving a row out makes its own class the rarest.

    References
    ----------
    .. [1] Allen, D. M. (1974). The relationship between variable selection and data
       augmentation and a method for prediction. Technometrics, 16(1), 125-127.
       https://doi.org/10.1080/00401706.1974.10489157
    .. [2] Golub, G. H., Heath, M., & Wahba, G. (1979). Generalized cross-validation
       as a method for choosing a good ridge parameter. Technometrics, 21(2),
       215-223. https://doi.org/10.1080/00401706.1979.10489751

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes, load_wine
    >>> from sklearn_transrate.metrics import ridge_loo_score
    >>> X, y = load_wine(return_X_y=True)
    >>> round(ridge_loo_score(X, y), 4)
    0.9831
    >>> X, y = load_diabetes(return_X_y=True)
    >>> round(ridge_loo_score(X, y, task="regression"), 4)
    0.4941
    """
    metric = RidgeLOO(output=output, ridges=ridges, task=task)
    return metric.score(X, y, sample_weight)


# -- the object ----------------------------------------------------------------


class RidgeLOO(TransferMetric):
    """Leave-one-out ridge regression as an object, for streams and selectors.

    Parameters
    ----------
    output : {"auto", "accuracy", "r2", "log_likelihood"}, default="auto"
        What to report of the held-out predictions; "auto" is the accuracy for
        classes and R2 otherwise.
    ridges : float or array-like of float, default=None
        Ridges to choose from, relative to the mean eigenvalue of the scatter.
    task : {"auto", "classification", "multilabel", "regression"}, default="auto"
        What `y` holds; "auto" looks at the first batch.

    Attributes
    ----------
    score_ : float
        Score of all rows seen.
    std_error_ : float
        Standard error of the accuracy, as of a mean over rows; NaN for the others.
    parts_ : dict
        "ridge", the relative ridge used (an array, one a target, for values); "r2".
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
    ridge_loo_score : The same as a function.

    References
    ----------
    .. [1] Golub, G. H., Heath, M., & Wahba, G. (1979). Generalized cross-validation
       as a method for choosing a good ridge parameter. Technometrics, 21(2),
       215-223. https://doi.org/10.1080/00401706.1979.10489751

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate.metrics import RidgeLOO
    >>> X, y = load_iris(return_X_y=True)
    >>> metric = RidgeLOO(output="r2").fit(X, y)
    >>> round(metric.score_, 4)
    0.5704
    """

    requires = {
        "moments": ClassMoments.empty(scatter="pooled"),
        "rows": RowSample.empty(),
    }
    tasks = ("classification", "multilabel", "regression")
    invariances = frozenset({"padding", "rotation", "scale", "translation"})
    n_passes = 2
    accepts_sparse = True

    def __init__(self, *, output="auto", ridges=None, task="auto"):
        self.output = output
        self.ridges = ridges
        self.task = task

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest possible score of this output."""
        if self.output == "accuracy":
            return (0.0, 1.0)
        return (-np.inf, np.inf if self.output == "log_likelihood" else 1.0)

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
        return {"moments": TargetMoments.empty(), "rows": RowSample.empty()}

    def _evaluate(self, moments, rows) -> MetricResult:
        output, relative = self._checked(isinstance(moments, ClassMoments))
        model = ridge_regression(moments, rows)
        varying = model.targets.varying(model.weights.sum())
        if len(model.weights) == 1 or not varying.any():
            return self._undefined(len(model.weights))
        ridges = relative * model.unit
        shares, errors = left_over(model, ridges)
        choice = choose(model, errors)
        used = relative[choice.index]
        parts = {
            "ridge": float(used[0]) if model.targets.are_classes else used,
            "r2": choice.r2,
        }
        if output == "r2":
            return MetricResult(choice.r2, parts=parts)
        if not model.targets.are_classes:
            densities = -0.5 * (np.log(2.0 * np.pi * choice.variances) + 1.0)
            return MetricResult(float(densities.mean()), parts=parts)
        predictions = held_out_predictions(model, ridges, shares, choice.index)
        if output == "accuracy":
            return MetricResult(*accuracy(model, predictions), parts)
        score = class_log_likelihood(model, predictions, choice.variances[0])
        return MetricResult(score, parts=parts)

    def _checked(self, is_classes):
        if self.output not in OUTPUTS:
            raise ValueError(
                f"Expected 'output' to be one of {OUTPUTS}, got {self.output!r}."
            )
        if self.output == "accuracy" and not is_classes:
            raise ValueError(
                "Expected class labels for output='accuracy', got values or "
                "indicators. Use output='r2'."
            )
        output = self.output
        if output == "auto":
            output = "accuracy" if is_classes else "r2"
        if self.ridges is None:
            return output, RIDGES
        relative = np.unique(np.asarray(self.ridges, dtype=np.float64))[::-1]
        if relative.size == 0 or not (np.isfinite(relative) & (relative > 0)).all():
            raise ValueError(
                f"Expected 'ridges' to be positive numbers, got {self.ridges!r}."
            )
        return output, relative

    def _undefined(self, n_rows) -> MetricResult:
        reason = "the targets are constant" if n_rows > 1 else "there is one sample"
        reason = (
            f"RidgeLOO predicts each target from the others, but {reason}. The score "
            "is set to NaN."
        )
        warnings.warn(reason, UndefinedMetricWarning, stacklevel=5)
        return MetricResult(np.nan, parts={"reason": reason})
