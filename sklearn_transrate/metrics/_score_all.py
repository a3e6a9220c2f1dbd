"""Many metrics of the same features, from statistics that are accumulated once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sklearn.utils.validation import _check_sample_weight

from sklearn_transrate._lib.validation import (
    check_features,
    check_targets,
    refuse_swapped,
)
from sklearn_transrate.metrics._base import TransferMetric
from sklearn_transrate.metrics._function import FunctionMetric
from sklearn_transrate.metrics._registry import metric_name, resolve_metric
from sklearn_transrate.metrics._sparse import dense_equivalent
from sklearn_transrate.statistics import cheapest_cover

__all__ = ["score_all"]


def score_all(
    X, y, metrics=("transrate", "logme", "shrunk_h_score"), *, sample_weight=None
):
    """Scores of the same features by several metrics.

    Looks at the rows once for all metrics: each statistic that some of them need is
    accumulated once, and a larger one stands in for a smaller one.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Features from one layer of a source model.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Target labels or values.
    metrics : iterable or dict of str, TransferMetric or callable
        Names as `get_metric_names` lists them, metrics, or functions ``(X, y) ->
        float``. A dict names them.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; a weight of 2 counts as two equal rows.

    Returns
    -------
    scores : dict of {str: float}
        Higher is better, for each by its own scale.

    Raises
    ------
    ValueError
        If a metric has no meaning for such targets, or the arguments are swapped,
        empty, not finite or of different lengths.

    See Also
    --------
    TransferSelector : The same for many candidates, as a table.

    Notes
    -----
    Cost: that of the most expensive statistic, and the metrics' own from there.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate.metrics import score_all
    >>> X, y = load_iris(return_X_y=True)
    >>> scores = score_all(X, y, ["transrate", "logme", "h_score"])
    >>> {name: round(score, 4) for name, score in scores.items()}
    {'transrate': 1.0464, 'logme': -0.1601, 'h_score': 1.1919}
    """
    named = _named(metrics)
    refuse_swapped(X, y, name="score_all")
    X = check_features(X, name="score_all", accept_sparse=True)
    several = any(len(metric.tasks) > 1 for metric in named.values())
    y = check_targets(y, X, name="score_all", multi_output=several)
    if sample_weight is not None:
        sample_weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
    X = dense_equivalent(X, list(named.values()))
    required = cheapest_cover(
        wanted
        for metric in named.values()
        for wanted in metric.required_statistics(metric.resolve_task(y)).values()
    )
    filled = [
        empty.from_batch(X, y, sample_weight, **empty.config) for empty in required
    ]
    return {name: metric.evaluate(filled).score for name, metric in named.items()}


def _named(metrics: Iterable | Mapping) -> dict[str, TransferMetric]:
    if isinstance(metrics, str):
        metrics = [metrics]
    if not isinstance(metrics, Mapping):
        metrics = {_name(metric): metric for metric in metrics}
    if not metrics:
        raise ValueError("Expected at least one metric, got none.")
    resolved = {name: resolve_metric(metric) for name, metric in metrics.items()}
    return {
        name: metric if isinstance(metric, TransferMetric) else FunctionMetric(metric)
        for name, metric in resolved.items()
    }


def _name(metric) -> str:
    if isinstance(metric, str | TransferMetric):
        return metric_name(metric)
    return getattr(metric, "__name__", type(metric).__name__)
