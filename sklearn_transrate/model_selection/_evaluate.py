"""One extractor: its features, its statistics, its scores, and its failure."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sklearn_transrate.model_selection._candidates import Source
from sklearn_transrate.model_selection._pass import Pass, run_source
from sklearn_transrate.model_selection._plan import Plan
from sklearn_transrate.model_selection._resume import by_fold
from sklearn_transrate.model_selection._stability import nearby_scores
from sklearn_transrate.model_selection._units import metric_key
from sklearn_transrate.uncertainty._inputs import error_of_mean

__all__ = ["Evaluation", "cancelled", "evaluate_source"]

_INTERRUPTED = "KeyboardInterrupt: fit was interrupted before this was done"


@dataclass
class Evaluation:
    """What came of one source.

    Attributes
    ----------
    records : list of dict
        One flat record for each layer.
    extractor : transformer or None
        The source's extractor, fitted; None if its statistics were resumed.
    features : ndarray or None
        What it made of the rows, where they were wanted and not layered.
    error : Exception or None
        What ended it.
    nearby : dict
        By candidate, its scores at distortions around the metric's own.
    values : dict
        By candidate and name of a scoring, one value for each row, or block of rows,
        whose mean is the score.
    labels : ndarray or None
        Of the rows, where they came with the batches of a stream.
    """

    records: list[dict[str, Any]]
    extractor: Any = None
    features: Any = None
    error: Exception | None = None
    nearby: dict[str, tuple[float, float] | None] = field(default_factory=dict)
    values: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)
    labels: np.ndarray | None = None


def evaluate_source(
    source: Source, X, y, plan: Plan, fit_params=None, context=None
) -> Evaluation:
    """Score every layer of one extractor.

    Parameters
    ----------
    source : Source
        A named extractor, owned by this call.
    X, y
        Inputs and checked labels; or a `LabelledStream`, and None.
    plan : Plan
        What to do.
    fit_params : mapping of method name to dict, default=None
        Routed metadata for "fit", "transform" and "fit_transform".
    context : Progress, default=None
        Who is told of every batch.

    Returns
    -------
    evaluation : Evaluation
        With the error in place of scores, if there was one.
    """
    try:
        done = run_source(source, X, y, plan, fit_params or {}, context)
        records = [
            _record(source, layer, done, X, y, plan) for layer in done.statistics
        ]
        nearby = {
            source.candidate(layer): nearby_scores(
                plan.decisive or plan.scorings[0], by_fold(named).values()
            )
            for layer, named in done.statistics.items()
        }
    except Exception as error:
        if plan.raise_errors:
            raise
        return Evaluation([_failure(source, error)], error=error)
    values = {
        (source.candidate(layer), scoring.name): found
        for layer in done.statistics
        for scoring in plan.scorings
        if (found := _own_values(done, layer, scoring)) is not None
    }
    return Evaluation(
        records, done.extractor, done.features, None, nearby, values, done.labels
    )


def _own_values(done: Pass, layer, scoring) -> np.ndarray | None:
    """Return what each unit contributes to a score, if that is known."""
    if scoring.metric is None:
        return None
    return done.values.get((layer, metric_key(scoring.metric)))


def _record(source, layer, done: Pass, X, y, plan: Plan) -> dict[str, Any]:
    """Score one layer; a metric that fails leaves NaN and its reason."""
    named, facts = done.statistics[layer], done.facts[layer]
    folds = by_fold(named)
    start = time.perf_counter()
    scores, problems = {}, []
    for scoring in plan.scorings:
        try:
            score, std_error = _score(scoring, folds, done.extractor, layer, X, y, plan)
            values = _own_values(done, layer, scoring)
            if values is not None:
                std_error = error_of_mean(values)
        except Exception as error:
            if plan.raise_errors or len(plan.scorings) == 1:
                raise
            score, std_error = np.nan, np.nan
            problems.append((scoring.name, error))
        scores[f"score_{scoring.name}"] = score
        scores[f"std_error_{scoring.name}"] = std_error
    if len(problems) == len(plan.scorings):
        raise problems[0][1]
    return {
        "candidate": source.candidate(layer),
        "extractor": source.name,
        "layer": layer,
        **scores,
        "n_samples": sum(statistics[0].n_samples for statistics in folds.values())
        if named
        else len(done.labels if y is None else y),
        "n_features": facts["width"],
        "fit_time": facts["fit_time"],
        "transform_time": facts["transform_time"],
        "score_time": time.perf_counter() - start,
        "status": "ok",
        "error": "; ".join(f"{name}: {_text(error)}" for name, error in problems),
    }


def _score(scoring, folds, extractor, layer, X, y, plan) -> tuple[float, float]:
    if scoring.metric is not None:
        results = [scoring.metric.evaluate(statistics) for statistics in folds.values()]
        std_error = results[0].std_error if len(results) == 1 else np.nan
        return float(np.mean([result.score for result in results])), float(std_error)
    if layer is not None:
        extractor = extractor.with_layer(layer)
    params = {}
    if plan.sample_weight is not None:
        params["sample_weight"] = plan.sample_weight
    return float(scoring.consumer(extractor, X, y, **params)), np.nan


def cancelled(source: Source) -> dict[str, Any]:
    """Return the record of a source that was not done when fit was interrupted."""
    return _without_score(source, "cancelled", _INTERRUPTED)


def _failure(source: Source, error: Exception) -> dict[str, Any]:
    return _without_score(source, "failed", _text(error))


def _without_score(source: Source, status: str, reason: str) -> dict[str, Any]:
    return {
        "candidate": source.name,
        "extractor": source.name,
        "layer": None,
        "status": status,
        "error": reason,
    }


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
