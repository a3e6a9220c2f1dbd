"""Functions that make scorers: by name, or from a metric and its parameters."""

from __future__ import annotations

from inspect import signature
from typing import Any

from sklearn.base import clone

from sklearn_transrate.metrics._base import TransferMetric
from sklearn_transrate.metrics._function import FunctionMetric
from sklearn_transrate.metrics._registry import (
    get_metric,
    get_metric_names,
    resolve_metric,
)
from sklearn_transrate.metrics._scorer import (
    TransferScorer,
    TransRateScorer,
    holds_several,
)

__all__ = [
    "get_transfer_scorer",
    "get_transfer_scorer_names",
    "make_transfer_scorer",
    "transrate_scorer",
]


def make_transfer_scorer(
    score_func_or_metric,
    *,
    features="auto",
    layer=None,
    greater_is_better=True,
    **kwargs,
) -> TransferScorer:
    """Scorer from a metric or a function of features and labels.

    What scikit-learn's `make_scorer` is for functions of labels and predictions.

    Parameters
    ----------
    score_func_or_metric : str, TransferMetric, callable, list or dict
        As `metric` of `TransferScorer`; functions are called with features and
        labels, such as `sklearn.metrics.silhouette_score`.
    features : {"auto", "input", "transform"}, str, int or callable, default="auto"
        Which features to score, as in `TransferScorer`.
    layer : str or int, default=None
        Layer of the extractor that makes the features.
    greater_is_better : bool, default=True
        If not, the sign of the function's value is changed. Metrics are better when
        greater.
    **kwargs : dict
        Parameters of the metric or the function.

    Returns
    -------
    scorer : TransferScorer

    Raises
    ------
    TypeError
        If the function, or the metric of that name, has no such parameter.
    ValueError
        If the metric object has no such parameter, or a metric rather than a function
        is to be better when smaller.
    UnknownMetricError
        If no metric of that name is registered.

    See Also
    --------
    TransferScorer : What is made.
    y_first : Turn a metric's arguments around for scikit-learn's `make_scorer`.

    Examples
    --------
    >>> from sklearn.metrics import davies_bouldin_score
    >>> from sklearn_transrate.metrics import make_transfer_scorer
    >>> make_transfer_scorer("transrate", eps=0.01)
    TransferScorer(metric=TransRate(eps=0.01))
    >>> scorer = make_transfer_scorer(davies_bouldin_score, greater_is_better=False)
    >>> scorer.__name__
    'davies_bouldin_score'
    """
    metric = score_func_or_metric
    if holds_several(metric):
        if kwargs:
            raise TypeError(
                f"Expected no parameters for several metrics, got {sorted(kwargs)}. "
                "Pass metrics that have them, such as TransRate(eps=0.01)."
            )
    elif isinstance(resolve_metric(metric), TransferMetric):
        metric = _with_params(metric, kwargs)
    else:
        metric = _from_function(metric, greater_is_better, kwargs)
    if not greater_is_better and not isinstance(metric, FunctionMetric):
        raise ValueError(
            f"Expected greater_is_better=True for {metric!r}: metrics of transfer are "
            "better when greater. Only functions may be better when smaller."
        )
    return TransferScorer(metric, features=features, layer=layer)


def _with_params(metric: str | TransferMetric, params: dict) -> Any:
    """Return a metric with parameters set; the one given stays as it is."""
    if not params:
        return metric
    if isinstance(metric, str):
        return get_metric(metric, **params)
    return clone(metric).set_params(**params)


def _from_function(function, greater_is_better: bool, kwargs: dict) -> Any:
    if greater_is_better and not kwargs:
        return function
    if kwargs:
        # A wrong name must fail here; in a search it would make every score NaN.
        signature(function).bind_partial(**kwargs)
    return FunctionMetric(
        function, greater_is_better=greater_is_better, kwargs=kwargs or None
    )


def transrate_scorer(**params) -> TransRateScorer:
    """New scorer by TransRate.

    Scorers have parameters that can be set, so none is shared: call this, or the
    class, for each use.

    Parameters
    ----------
    **params : dict
        Parameters of `TransRateScorer`.

    Returns
    -------
    scorer : TransRateScorer

    See Also
    --------
    TransRateScorer : What is made.
    get_transfer_scorer : The same for any metric.

    Examples
    --------
    >>> from sklearn_transrate.metrics import transrate_scorer
    >>> transrate_scorer(eps=0.01)
    TransRateScorer(eps=0.01)
    """
    return TransRateScorer(**params)


def get_transfer_scorer(name: str) -> TransferScorer:
    """New scorer by a metric's name.

    Parameters
    ----------
    name : str
        One of `get_transfer_scorer_names`.

    Returns
    -------
    scorer : TransferScorer

    Raises
    ------
    UnknownMetricError
        If no metric of that name is registered.

    See Also
    --------
    make_transfer_scorer : The same with parameters of the metric.

    Examples
    --------
    >>> from sklearn_transrate.metrics import get_transfer_scorer
    >>> get_transfer_scorer("transrate")
    TransferScorer(metric='transrate')
    """
    get_metric(name)
    return TransferScorer(name)


def get_transfer_scorer_names() -> list[str]:
    """Names that `get_transfer_scorer` knows.

    Returns
    -------
    names : list of str
        Sorted; those of `get_metric_names`.

    See Also
    --------
    get_transfer_scorer : A scorer by one of them.

    Examples
    --------
    >>> from sklearn_transrate.metrics import get_transfer_scorer_names
    >>> "logme" in get_transfer_scorer_names()
    True
    """
    return get_metric_names()
