"""One pass of an extractor: from inputs to statistics of its layers, or from a disk."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import clone

from sklearn_transrate._lib.engines import map_rows
from sklearn_transrate._lib.sklearn_compat import _safe_indexing
from sklearn_transrate._lib.validation import check_features
from sklearn_transrate.model_selection._candidates import Source
from sklearn_transrate.model_selection._features import checked_features, subject_of
from sklearn_transrate.model_selection._plan import Plan
from sklearn_transrate.model_selection._resume import Shelf
from sklearn_transrate.model_selection._units import Keeper, Values, make_keeper
from sklearn_transrate.statistics import Statistic, accumulate

__all__ = ["Pass", "run_source"]


@dataclass
class Pass:
    """What one source gave.

    Attributes
    ----------
    statistics : dict of {layer: {name: Statistic}}
        Names are those of a fold and of a statistic, such as "0.1".
    facts : dict of {layer: dict}
        ``fit_time`` and ``transform_time`` in seconds, those of the pass that the
        layer came from, and ``width``, its number of features.
    extractor : transformer or None
        Fitted; None if everything came from a disk.
    features : ndarray or None
        What it made of the rows, where they were wanted and it has no layers.
    values : dict of {(layer, metric): ndarray}
        What every unit contributes to a score.
    labels : ndarray or None
        Of the rows in the order of the pass, where they came with the batches.
    """

    statistics: dict[str | None, dict[str, Statistic]] = field(default_factory=dict)
    facts: dict[str | None, dict[str, float]] = field(default_factory=dict)
    extractor: Any = None
    features: Any = None
    values: Values = field(default_factory=dict)
    labels: np.ndarray | None = None


def run_source(source: Source, X, y, plan: Plan, fit_params, context) -> Pass:
    """Return statistics of every layer; those that are not saved come from one pass.

    Parameters
    ----------
    source : Source
        A named extractor, owned by this call.
    X, y
        Inputs and checked labels; or a `LabelledStream`, and None.
    plan : Plan
        What to do.
    fit_params : mapping of method name to dict
        Routed metadata for "fit", "transform" and "fit_transform".
    context : Progress or None
        Who is told of every batch.
    """
    # Before the source is fitted: a fitted one has another fingerprint.
    shelf = None if plan.store is None else plan.store.shelf(source, plan.required)
    layers = None if shelf is None else shelf.layers()
    extractor, seconds = None, 0.0
    if source.is_layered and (layers is None or shelf.missing(layers)):
        extractor, seconds = _fit_layered(source, X, y, fit_params, context)
        layers = None if shelf is None else list(extractor.selected_layers_)
    missing = None if shelf is None else shelf.missing(layers)
    done = Pass(extractor=extractor)
    if missing is None or missing:
        keeper = make_keeper(plan, X.n_rows if y is None else len(y))
        if source.is_layered:
            done = _run_layers(source, extractor, X, y, plan, context, keeper, missing)
            for facts in done.facts.values():
                facts["fit_time"] = seconds
        else:
            done = _run_whole(source, X, y, plan, fit_params, context, keeper)
        _note_values(done, keeper)
        if shelf is not None:
            shelf.save(layers, done.statistics, done.facts, done.values)
    return done if shelf is None else _completed(done, shelf, layers)


def _note_values(done: Pass, keeper: Keeper | None) -> None:
    if keeper is not None:
        done.values = keeper.values(
            {layer: list(named.values()) for layer, named in done.statistics.items()}
        )


def _completed(done: Pass, shelf: Shelf, layers: Sequence[str | None]) -> Pass:
    """Add the layers that were saved before, all in order."""
    computed = done.statistics
    done.statistics = {}
    for layer in layers:
        if layer in computed:
            done.statistics[layer] = computed[layer]
            continue
        saved = shelf.find(layer)
        done.statistics[layer], done.facts[layer] = saved.statistics, saved.facts
        done.values |= {(layer, key): cells for key, cells in saved.values.items()}
    return done


def _run_whole(source, X, y, plan, fit_params, context, keeper) -> Pass:
    """Fit and transform what takes all rows at once."""
    start = time.perf_counter()
    extractor, Z, fitted = _fit_transform(source.extractor, X, y, fit_params, context)
    end = time.perf_counter()
    if plan.splits is None or source.is_pretrained:
        rows = [(slice(None), Z)]
    else:
        rows = _held_out(source, X, y, plan, fit_params)
    empty = dict(enumerate(plan.required))
    statistics: dict[str, Statistic] = {}
    for fold, (index, features) in enumerate(rows):
        weight = None if plan.sample_weight is None else plan.sample_weight[index]
        width = features.shape[1] if len(features.shape) > 1 else 1
        features = checked_features(features, source.name, plan.scorings, whole=True)
        batch = (features, y[index]) if weight is None else (features, y[index], weight)
        for key, statistic in accumulate([batch], empty)[None].items():
            statistics[f"{fold}.{key}"] = statistic
        # Folds are scored one by one, and so have no common units.
        if keeper is not None and isinstance(index, slice):
            keeper.add(None, features, y, weight, index)
    facts = {
        "fit_time": fitted - start,
        "transform_time": end - fitted,
        "width": width,
    }
    features = Z if plan.keep_features else None
    return Pass({None: statistics}, {None: facts}, extractor, features)


def _fit_layered(source, X, y, fit_params, context) -> tuple[Any, float]:
    start = time.perf_counter()
    with _propagate(context, source.extractor):
        extractor = source.extractor.fit(X, y, **fit_params.get("fit", {}))
    return extractor, time.perf_counter() - start


def _run_layers(source, extractor, X, y, plan, context, keeper, only) -> Pass:
    """Take layers from one pass, a batch at a time; all that it offers if only=None."""
    if hasattr(extractor, "lazy_features"):
        lazy = extractor.lazy_features(X)
        if lazy is not None:
            wanted = {k: v for k, v in lazy.items() if only is None or k in only}
            return _run_blocks(source, wanted, y, plan, extractor)
    options = {} if only is None else {"layers": list(only)}
    options["batch_size"] = None if plan.batch_size == "auto" else plan.batch_size
    clock = {"spent": 0.0}
    widths: dict[str, int] = {}
    seen: list[np.ndarray] = []

    def batches() -> Iterator[tuple]:
        position = 0
        stream = iter(extractor.iter_features(X, y, **options))
        while True:
            before = time.perf_counter()
            item = next(stream, None)
            clock["spent"] += time.perf_counter() - before
            if item is None:
                return
            features, labels = item
            features = {
                layer: checked_features(
                    Z, f"{source.name} / {layer}", plan.scorings, whole=False
                )
                for layer, Z in features.items()
            }
            widths.update({layer: Z.shape[1] for layer, Z in features.items()})
            rows = slice(position, position + len(labels))
            position = rows.stop
            if context is not None:
                context.advance(position)
            whole = plan.sample_weight
            weight = None if whole is None else whole[rows]
            own = labels if y is None else y[rows]
            if y is None:
                seen.append(labels)
            for layer, Z in features.items() if keeper is not None else ():
                keeper.add(layer, Z, own, weight, rows)
            yield (features, labels) if weight is None else (features, labels, weight)

    filled = accumulate(batches(), dict(enumerate(plan.required)))
    if not filled:
        raise ValueError(
            f"Expected features from {source.name!r}, got no batch. Choose at least "
            "one layer and pass at least one sample."
        )
    done = Pass(_first_fold(filled), _facts(clock["spent"], widths), extractor)
    done.labels = np.concatenate(seen) if seen else None
    return done


def _run_blocks(source, features, y, plan, extractor) -> Pass:
    """Summarise dask arrays block by block, on the workers that hold them."""
    start = time.perf_counter()
    checked = {
        layer: map_rows(
            partial(check_features, name=subject_of(f"{source.name} / {layer}")), array
        )
        for layer, array in features.items()
    }
    weight = () if plan.sample_weight is None else (plan.sample_weight,)
    filled = accumulate([(checked, y, *weight)], dict(enumerate(plan.required)))
    widths = {layer: array.shape[1] for layer, array in features.items()}
    facts = _facts(time.perf_counter() - start, widths)
    return Pass(_first_fold(filled), facts, extractor)


def _first_fold(filled) -> dict[str, dict[str, Statistic]]:
    return {
        layer: {f"0.{key}": statistic for key, statistic in named.items()}
        for layer, named in filled.items()
    }


def _facts(seconds: float, widths: dict[str, int]) -> dict[str, dict[str, float]]:
    return {
        layer: {"fit_time": 0.0, "transform_time": seconds, "width": width}
        for layer, width in widths.items()
    }


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
