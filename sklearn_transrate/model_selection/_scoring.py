"""What `scoring=` may hold, turned into named metrics and scorers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sklearn.base import clone

from sklearn_transrate.metrics import FunctionMetric, TransferMetric, TransferScorer
from sklearn_transrate.metrics._registry import metric_name, resolve_metric
from sklearn_transrate.statistics import Statistic

__all__ = ["Scoring", "resolve_scoring"]


@dataclass(frozen=True)
class Scoring:
    """One named way to score a candidate.

    Attributes
    ----------
    name : str
        Names the columns ``score_<name>`` and ``rank_<name>``.
    consumer : object
        What the user gave; its metadata request counts, and it scores the winner.
    metric : TransferMetric or None
        Scores features, from statistics. Without one, the consumer is a scorer
        ``(estimator, X, y) -> float``, which makes a pass of its own.
    """

    name: str
    consumer: Any
    metric: TransferMetric | None = None

    def required(self, y) -> Iterable[Statistic]:
        """Return the empty statistics that the metric needs for these targets."""
        if self.metric is None:
            return ()
        return self.metric.required_statistics(self.metric.resolve_task(y)).values()


def resolve_scoring(scoring: Any) -> list[Scoring]:
    """Turn what a user gave as `scoring` into named scorings.

    Parameters
    ----------
    scoring : str, TransferMetric, callable, or list or mapping of them
        A callable of two arguments takes features and labels; one of three takes a
        fitted candidate, X and y, as scikit-learn's scorers do.

    Returns
    -------
    scorings : list of Scoring
        At least one, with distinct names.
    """
    if isinstance(scoring, Mapping):
        named = [s for name, value in scoring.items() for s in _read(value, str(name))]
    elif isinstance(scoring, list | tuple):
        named = [s for value in scoring for s in _read(value)]
    else:
        named = _read(scoring)
    if not named:
        raise ValueError(
            f"Expected at least one metric in 'scoring', got {scoring!r}. Pass a name "
            "such as 'transrate'."
        )
    names = [item.name for item in named]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(
            f"Expected distinct names in 'scoring', got {sorted(twice)} more than "
            "once. Pass a dict, which names each: {'tight': TransRate(eps=1e-4), ...}."
        )
    return named


def _read(value: Any, name: str | None = None) -> list[Scoring]:
    if isinstance(value, TransferScorer):
        if value.features != "auto" or value.layer is not None:
            return [Scoring(name or value.__name__, value)]
        # The features of a candidate are what it makes, so the metrics are enough.
        metrics = value.get_metrics()
        single = len(metrics) == 1
        return [
            Scoring(name if name and single else own, value, metric)
            for own, metric in metrics.items()
        ]
    if isinstance(value, str | TransferMetric) or not callable(value):
        metric = resolve_metric(value)
        consumer = metric if isinstance(value, str) else clone(metric)
        return [Scoring(name or metric_name(value), consumer, consumer)]
    resolve_metric(value)  # refuses classes
    label = name or getattr(value, "__name__", type(value).__name__)
    metric = None if _takes_estimator(value) else FunctionMetric(value)
    return [Scoring(label, metric or value, metric)]


def _takes_estimator(function: Callable) -> bool:
    """Whether a callable is a scorer (estimator, X, y) rather than a metric (X, y)."""
    if hasattr(function, "_score_func"):  # made by scikit-learn's make_scorer
        return True
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # compiled callables hide theirs
        return False
    positional = [
        p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    required = [p for p in positional if p.default is p.empty]
    first = positional[0].name if positional else ""
    return len(required) >= 3 or (len(positional) >= 3 and first.startswith("est"))
