"""A plain function of features and labels, under the metrics' contract."""

from __future__ import annotations

from sklearn_transrate.metrics._base import MetricResult, TransferMetric
from sklearn_transrate.statistics import RowSample

__all__ = ["FunctionMetric"]


class FunctionMetric(TransferMetric):
    """A metric made of a function, which sees all rows at once.

    Parameters
    ----------
    func : callable (X, y, **kwargs) -> float
        Features and labels in, one number out.
    greater_is_better : bool, default=True
        If not, the score is minus the function's value.
    kwargs : dict, default=None
        Further arguments of the function.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.metrics import silhouette_score
    >>> from sklearn_transrate.metrics import FunctionMetric
    >>> X, y = load_iris(return_X_y=True)
    >>> round(FunctionMetric(silhouette_score).score(X, y), 4)
    0.5035
    """

    requires = {"rows": RowSample.empty()}
    tasks = ("classification", "multilabel", "regression")

    def __init__(self, func, *, greater_is_better=True, kwargs=None):
        self.func = func
        self.greater_is_better = greater_is_better
        self.kwargs = kwargs

    def _evaluate(self, rows) -> MetricResult:
        kwargs = dict(self.kwargs or {})
        if rows.weights is not None:
            kwargs["sample_weight"] = rows.weights
        value = float(self.func(rows.features, rows.targets, **kwargs))
        return MetricResult(value if self.greater_is_better else -value)
