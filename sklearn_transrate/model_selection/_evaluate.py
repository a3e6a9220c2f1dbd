"""One extractor: its features, its statistics, its scores, and its failure."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import clone

from sklearn_transrate._lib.engines import map_rows
from sklearn_transrate._lib.sklearn_compat import _safe_indexing
from sklearn_transrate._lib.validation import check_features
from sklearn_transrate.metrics._sparse import dense_equivalent
from sklearn_transrate.model_selection._candidates import Source
from sklearn_transrate.model_selection._plan import Plan
from sklearn_transrate.model_selection._stability import nearby_scores
from sklearn_transrate.model_selection._units import Values, make_keeper, metric_key
from sklearn_transrate.statistics import Statistic, accumulate
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
    """

    records: list[dict[str, Any]]
    extractor: Any = None
    features: Any = None
    error: Exception | None = None
    nearby: dict[str, tuple[float, float] | None] = field(default_factory=dict)
    values: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)


@dataclass
class _Pass:
    """Statistics of one source by layer and fold, and what they cost."""

    statistics: dict[str | None, dict[str, Statistic]]
    facts: dict[str, Any] = field(default_factory=dict)
    extractor: Any = None
    features: Any = None
    values: Values = field(default_factory=dict)

    def own_values(self, layer, scoring) -> np.ndarray | None:
        """Return what each unit contributes to a score, if that is known."""
        if scoring.metric is None:
            return None
        return self.values.get((layer, metric_key(scoring.metric)))


def evaluate_source(
    source: Source, X, y, plan: Plan, fit_params=None, context=None
) -> Evaluation:
    """Score every layer of one extractor.

    Parameters
    ----------
    source : Source
        A named extractor, owned by this call.
    X, y
        Inputs and checked labels.
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
        done, store = None, plan.store
        if store is not None:
            # Before the source is fitted: a fitted one has another fingerprint.
            path = store.path(source)
            saved = store.load(path, source)
            done = None if saved is None else _resumed(*saved)
        if done is None:
            keeper = make_keeper(plan, len(y))
            done = _run(source, X, y, plan, fit_params or {}, context, keeper)
            if keeper is not None:
                done.values = keeper.values(
                    {layer: list(s.values()) for layer, s in done.statistics.items()}
                )
            if store is not None:
                store.save(path, source, done.statistics, _saved_facts(done))
        records = [
            _record(source, layer, done, X, y, plan) for layer in done.statistics
        ]
        nearby = {
            source.candidate(layer): nearby_scores(
                plan.decisive or plan.scorings[0], _by_fold(named).values()
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
        if (found := done.own_values(layer, scoring)) is not None
    }
    return Evaluation(records, done.extractor, done.features, None, nearby, values)


def _resumed(statistics, facts) -> _Pass:
    values = {
        (layer, key): np.array(cells, dtype=np.float64)
        for layer, key, cells in facts.get("values", ())
    }
    return _Pass(statistics, facts, values=values)


def _saved_facts(done: _Pass) -> dict[str, Any]:
    """Facts as JSON holds them; values by the seven digits that errors need."""
    values = [
        [layer, key, np.round(cells, _decimals(cells)).tolist()]
        for (layer, key), cells in done.values.items()
    ]
    return {**done.facts, "values": values}


def _decimals(cells: np.ndarray) -> int:
    largest = float(np.abs(cells).max(initial=0.0))
    if not 0.0 < largest < np.inf:
        return 0
    return 7 - int(np.floor(np.log10(largest)))


def _run(source, X, y, plan, fit_params, context, keeper=None) -> _Pass:
    empty = dict(enumerate(plan.required))
    if source.is_layered:
        return _run_layers(source, X, y, plan, fit_params, context, empty, keeper)
    start = time.perf_counter()
    extractor, Z, fitted = _fit_transform(source.extractor, X, y, fit_params, context)
    end = time.perf_counter()
    facts = {"fit_time": fitted - start, "transform_time": end - fitted}
    if plan.splits is None or source.is_pretrained:
        rows = [(slice(None), Z)]
    else:
        rows = _held_out(source, X, y, plan, fit_params)
    statistics: dict[str, Statistic] = {}
    for fold, (index, features) in enumerate(rows):
        weight = None if plan.sample_weight is None else plan.sample_weight[index]
        width = features.shape[1] if len(features.shape) > 1 else 1
        features = _checked(features, source.name, plan, whole=True)
        batch = (features, y[index]) if weight is None else (features, y[index], weight)
        for key, statistic in accumulate([batch], empty)[None].items():
            statistics[f"{fold}.{key}"] = statistic
        # Folds are scored one by one, and so have no common units.
        if keeper is not None and isinstance(index, slice):
            keeper.add(None, features, y, weight, index)
    facts["widths"] = [[None, width]]
    return _Pass(
        {None: statistics}, facts, extractor, Z if plan.keep_features else None
    )


def _run_layers(source, X, y, plan, fit_params, context, empty, keeper) -> _Pass:
    """Take all layers from one pass, a batch at a time."""
    start = time.perf_counter()
    with _propagate(context, source.extractor):
        extractor = source.extractor.fit(X, y, **fit_params.get("fit", {}))
    fitted = time.perf_counter()
    if hasattr(extractor, "lazy_features"):
        lazy = extractor.lazy_features(X)
        if lazy is not None:
            return _run_blocks(source, lazy, y, plan, empty, extractor)
    batch_size = None if plan.batch_size == "auto" else plan.batch_size
    clock = {"spent": 0.0}
    widths: dict[str, int] = {}

    def batches() -> Iterator[tuple]:
        position = 0
        stream = iter(extractor.iter_features(X, y, batch_size=batch_size))
        while True:
            before = time.perf_counter()
            item = next(stream, None)
            clock["spent"] += time.perf_counter() - before
            if item is None:
                return
            features, labels = item
            features = {
                layer: _checked(Z, f"{source.name} / {layer}", plan, whole=False)
                for layer, Z in features.items()
            }
            widths.update({layer: Z.shape[1] for layer, Z in features.items()})
            rows = slice(position, position + len(labels))
            position = rows.stop
            if context is not None:
                context.advance(position)
            whole = plan.sample_weight
            weight = None if whole is None else whole[rows]
            for layer, Z in features.items() if keeper is not None else ():
                keeper.add(layer, Z, y[rows], weight, rows)
            yield (features, labels) if weight is None else (features, labels, weight)

    filled = accumulate(batches(), empty)
    if not filled:
        raise ValueError(
            f"Expected features from {source.name!r}, got no batch. Choose at least "
            "one layer and pass at least one sample."
        )
    statistics = {
        layer: {f"0.{key}": statistic for key, statistic in named.items()}
        for layer, named in filled.items()
    }
    facts = {
        "fit_time": fitted - start,
        "transform_time": clock["spent"],
        "widths": list(map(list, widths.items())),
    }
    return _Pass(statistics, facts, extractor)


def _run_blocks(source, features, y, plan, empty, extractor) -> _Pass:
    """Summarise dask arrays block by block, on the workers that hold them."""
    start = time.perf_counter()
    checked = {
        layer: map_rows(
            partial(check_features, name=_subject(f"{source.name} / {layer}")), array
        )
        for layer, array in features.items()
    }
    weight = () if plan.sample_weight is None else (plan.sample_weight,)
    filled = accumulate([(checked, y, *weight)], empty)
    statistics = {
        layer: {f"0.{key}": statistic for key, statistic in named.items()}
        for layer, named in filled.items()
    }
    facts = {
        "fit_time": 0.0,
        "transform_time": time.perf_counter() - start,
        "widths": [[layer, array.shape[1]] for layer, array in features.items()],
    }
    return _Pass(statistics, facts, extractor)


def _fit_transform(extractor, X, y, fit_params, context=None):
    """Fit and transform, by fit_transform where there is one.

    The two may differ, as in target encoders that cross-fit: what `fit_transform`
    returns is what the next step of a pipeline would be trained on.
    """
    with _propagate(context, extractor):
        if hasattr(extractor, "fit_transform"):
            Z = extractor.fit_transform(X, y, **fit_params.get("fit_transform", {}))
            return extractor, Z, time.perf_counter()
        extractor.fit(X, y, **fit_params.get("fit", {}))
    fitted = time.perf_counter()
    return extractor, extractor.transform(X, **fit_params.get("transform", {})), fitted


def _held_out(source, X, y, plan, fit_params):
    """Yield each fold's rows and their features by a copy fitted on the others."""
    n_samples = len(y)
    for train, test in plan.splits:
        own = {
            key: value[train] if _is_per_row(value, n_samples) else value
            for key, value in fit_params.get("fit", {}).items()
        }
        extractor = clone(source.extractor)
        extractor.fit(_safe_indexing(X, train), y[train], **own)
        yield test, extractor.transform(_safe_indexing(X, test))


def _is_per_row(value, n_samples: int) -> bool:
    return hasattr(value, "__len__") and len(value) == n_samples


def _propagate(context, extractor):
    if context is None or not hasattr(extractor, "set_callbacks"):
        return nullcontext()
    return context.propagate_callback_context(extractor)


def _checked(Z, name: str, plan: Plan, *, whole: bool):
    """Return features as finite and 2-d, sparse only where that is enough."""
    if hasattr(Z, "to_numpy"):
        Z = Z.to_numpy()
    if not sparse.issparse(Z):
        Z = np.asarray(Z)
        Z = Z[:, None] if Z.ndim == 1 else Z
    Z = check_features(Z, name=_subject(name), accept_sparse=True)
    metrics = [s.metric for s in plan.scorings if s.metric is not None]
    return dense_equivalent(Z, metrics, whole=whole)


def _subject(name: str) -> str:
    return f"Scoring of candidate {name!r}"


def _record(source, layer, done: _Pass, X, y, plan: Plan) -> dict[str, Any]:
    """Score one layer; a metric that fails leaves NaN and its reason."""
    named = done.statistics[layer]
    folds = _by_fold(named)
    start = time.perf_counter()
    scores, problems = {}, []
    for scoring in plan.scorings:
        try:
            score, std_error = _score(scoring, folds, done.extractor, layer, X, y, plan)
            values = done.own_values(layer, scoring)
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
        else len(y),
        "n_features": dict(map(tuple, done.facts["widths"]))[layer],
        "fit_time": done.facts["fit_time"],
        "transform_time": done.facts["transform_time"],
        "score_time": time.perf_counter() - start,
        "status": "ok",
        "error": "; ".join(f"{name}: {_text(error)}" for name, error in problems),
    }


def _by_fold(named: dict[str, Statistic]) -> dict[str, list[Statistic]]:
    folds: dict[str, list[Statistic]] = {}
    for key, statistic in named.items():
        folds.setdefault(key.partition(".")[0], []).append(statistic)
    return folds


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
