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
    metric : TransferMetric or None
        Scores features, from statistics.
    scorer : callable (estimator, X, y) -> float or None
        Scores the fitted candidate itself, in a pass of its own.
    """

    name: str
    metric: TransferMetric | None = None
    scorer: Callable | None = None

    def required(self, y) -> Iterable[Statistic]:
        """Return the empty statistics that the metric needs for these targets."""
        if self.metric is None:
            return ()
        return self.metric.required_statistics(self.metric.resolve_task(y)).values()

    @property
    def consumer(self) -> Any:
        """The object whose metadata request counts."""
        return self.metric if self.metric is not None else self.scorer


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
        named = [_one(value, name=str(name)) for name, value in scoring.items()]
    elif isinstance(scoring, list | tuple):
        named = [_one(value) for value in scoring]
    else:
        named = [_one(scoring)]
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


def _one(value: Any, name: str | None = None) -> Scoring:
    if (
        isinstance(value, TransferScorer)
        and value.features == "auto"
        and not value.layer
    ):
        # The features of a candidate are what it makes, so the metric is enough.
        value = value.get_metric()
    if isinstance(value, (str, TransferMetric, type)):
        metric = resolve_metric(value)
        if not isinstance(value, str):
            metric = clone(metric)
        return Scoring(name or metric_name(value), metric=metric)
    if not callable(value):
        resolve_metric(value)  # raises
    label = name or getattr(value, "__name__", type(value).__name__)
    if _takes_estimator(value):
        return Scoring(label, scorer=value)
    return Scoring(label, metric=FunctionMetric(value))


def _takes_estimator(function: Callable) -> bool:
    """Whether a callable is a scorer (estimator, X, y) rather than a metric (X, y)."""
    if isinstance(function, TransferScorer) or hasattr(function, "_score_func"):
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
