"""One extractor in a race: more rows every round, fewer layers, no row twice."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sklearn_transrate.exceptions import TransRateWarning
from sklearn_transrate.model_selection._candidates import Source
from sklearn_transrate.model_selection._features import checked_features
from sklearn_transrate.model_selection._plan import Plan
from sklearn_transrate.model_selection._units import (
    N_BLOCKS,
    Keeper,
    KeptBlocks,
    KeptRows,
    metric_key,
)
from sklearn_transrate.statistics import Statistic, accumulate
from sklearn_transrate.uncertainty._inputs import error_of_mean

__all__ = ["Racer", "Standing"]


@dataclass
class Standing:
    """Where a candidate stands after a round.

    Attributes
    ----------
    record : dict
        Its row in the table.
    values : dict
        By name of a scoring, one value for each row, or block of rows, whose mean is
        the score.
    growth : float
        How much higher the deciding score is than on half of the rows.
    error : Exception or None
        What ended it.
    """

    record: dict[str, Any]
    values: dict[str, np.ndarray] = field(default_factory=dict)
    growth: float = np.nan
    error: Exception | None = None


class Racer:
    """An extractor, what it has seen by layer, and which layers still run.

    Parameters
    ----------
    source : Source
        A named extractor, owned by this object.
    plan : Plan
        What all racers have in common.
    n_samples : int
        Rows that there are in all.
    """

    def __init__(self, source: Source, plan: Plan, n_samples: int) -> None:
        self.source, self.plan = source, plan
        self.extractor: Any = None
        # None until the first round tells which layers there are.
        self.layers: list[str | None] | None = None
        self.n_rows = 0
        self._statistics: dict[str | None, dict[Any, Statistic]] = {}
        self._widths: dict[str | None, int] = {}
        self._seconds = {"fit_time": 0.0, "transform_time": 0.0, "score_time": 0.0}
        self._keeper = _make_keeper(plan, n_samples)

    @property
    def is_running(self) -> bool:
        """Whether any layer still runs."""
        return self.layers is None or bool(self.layers)

    def drop(self, layer: str | None) -> None:
        """Leave a layer out of all further rounds, and forget its rows."""
        self.layers.remove(layer)
        self._statistics.pop(layer, None)
        self._keeper.forget(layer)

    def advance(
        self, X, y, weight, params: Mapping[str, Any], context, *, is_last: bool
    ) -> list[Standing]:
        """Pass rows that are new through the extractor, and score all rows seen.

        Parameters
        ----------
        X, y, weight
            The new rows, in random order.
        params : mapping of method name to dict
            Routed metadata of these rows.
        context : Progress or None
            Who is told of every batch.
        is_last : bool
            Whether warnings about scores are passed on: those of few rows pass by.

        Returns
        -------
        standings : list of Standing
            One for each layer that runs.
        """
        try:
            batches = self._batches(X, y, weight, params, context)
            filled = accumulate(batches, dict(enumerate(self.plan.required)))
            if not filled:
                raise ValueError(
                    f"Expected features from {self.source.name!r}, got no batch. "
                    "Choose at least one layer and pass at least one sample."
                )
        except Exception as error:
            if self.plan.raise_errors:
                raise
            return self._failed(error)
        for layer, statistics in filled.items():
            own = self._statistics.setdefault(layer, statistics)
            if own is not statistics:
                for name, statistic in own.items():
                    statistic.absorb(statistics[name])
        self.layers = list(self._statistics)
        with warnings.catch_warnings():
            if not is_last:
                warnings.simplefilter("ignore", TransRateWarning)
            return self._standings()

    # -- features --------------------------------------------------------------

    def _batches(self, X, y, weight, params, context) -> Iterable[tuple]:
        """Yield features by layer, with labels and weights, noting each row."""
        extract = self._layered if self.source.is_layered else self._whole
        for features, rows in extract(X, y, params, context):
            labels, own = y[rows], None if weight is None else weight[rows]
            checked = {}
            for layer, Z in features.items():
                name = self.source.candidate(layer)
                Z = checked_features(Z, name, self.plan.scorings, whole=False)
                self._widths[layer], checked[layer] = Z.shape[1], Z
                seen = slice(self.n_rows, self.n_rows + len(labels))
                self._keeper.add(layer, Z, labels, own, seen)
            self.n_rows += len(labels)
            if context is not None:
                context.advance(rows.stop)
            yield (checked, labels) if own is None else (checked, labels, own)

    def _layered(self, X, y, params, context):
        if self.extractor is None:
            with self._timed("fit_time"), _told(context, self.source.extractor):
                extractor = self.source.extractor.fit(X, y, **params.get("fit", {}))
            self.extractor = extractor
        size = None if self.plan.batch_size == "auto" else self.plan.batch_size
        stream = iter(
            self.extractor.iter_features(X, y, layers=self.layers, batch_size=size)
        )
        stop = 0
        while True:
            with self._timed("transform_time"):
                item = next(stream, None)
            if item is None:
                return
            features, labels = item
            start, stop = stop, stop + len(labels)
            yield features, slice(start, stop)

    def _whole(self, X, y, params, context):
        first, extractor = self.extractor is None, self.source.extractor
        # Later rounds only transform, and tell of no fitting.
        with _told(context if first else None, extractor):
            if first and hasattr(extractor, "fit_transform"):
                with self._timed("fit_time"):
                    own = params.get("fit_transform", {})
                    Z = extractor.fit_transform(X, y, **own)
            else:
                if first:
                    with self._timed("fit_time"):
                        extractor.fit(X, y, **params.get("fit", {}))
                with self._timed("transform_time"):
                    Z = extractor.transform(X, **params.get("transform", {}))
        self.extractor = extractor
        yield {None: Z}, slice(0, len(y))

    def _timed(self, name: str) -> _Timed:
        return _Timed(self._seconds, name)

    # -- scores ----------------------------------------------------------------

    def _standings(self) -> list[Standing]:
        """Score every layer that runs; one that cannot be scored stops."""
        start = time.perf_counter()
        values = self._keeper.values(
            {layer: list(named.values()) for layer, named in self._statistics.items()}
        )
        standings = [self._standing(layer, values) for layer in self.layers]
        self._seconds["score_time"] += time.perf_counter() - start
        for layer, standing in zip(list(self.layers), standings, strict=True):
            standing.record |= self._seconds
            if standing.error is not None:
                self.drop(layer)
        return standings

    def _standing(self, layer, all_values) -> Standing:
        statistics = list(self._statistics[layer].values())
        record, values, problems = self._record(layer), {}, {}
        record["n_samples"] = statistics[0].n_samples
        for scoring in self.plan.scorings:
            name, score, std_error = scoring.name, np.nan, np.nan
            try:
                result = scoring.metric.evaluate(statistics)
                score, std_error = float(result.score), float(result.std_error)
                found = all_values.get((layer, metric_key(scoring.metric)))
                if found is not None:
                    values[name], std_error = found, error_of_mean(found)
            except Exception as error:
                if self.plan.raise_errors:
                    raise
                problems[name] = error
            record[f"score_{name}"], record[f"std_error_{name}"] = score, std_error
        record["error"] = "; ".join(f"{n}: {_text(e)}" for n, e in problems.items())
        if len(problems) == len(self.plan.scorings):
            error = next(iter(problems.values()))
            record |= {"status": "failed", "error": _text(error)}
            return Standing(record, error=error)
        deciding = self.plan.decisive
        half = self._keeper.half_score(layer, deciding.metric)
        return Standing(record, values, record[f"score_{deciding.name}"] - half)

    def _record(self, layer) -> dict[str, Any]:
        return {
            "candidate": self.source.candidate(layer),
            "extractor": self.source.name,
            "layer": layer,
            "n_features": self._widths.get(layer),
            "status": "ok",
            "error": "",
        }

    def _failed(self, error: Exception) -> list[Standing]:
        """Stop altogether."""
        layers = [None] if self.layers is None else self.layers
        outcome = {"status": "failed", "error": _text(error)}
        standings = [
            Standing(self._record(layer) | outcome, error=error) for layer in layers
        ]
        self.layers = []
        return standings


class _Timed:
    """Adds the time that passes inside to a sum."""

    def __init__(self, seconds: dict[str, float], name: str) -> None:
        self._seconds, self._name = seconds, name

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *error: Any) -> None:
        self._seconds[self._name] += time.perf_counter() - self._start


def _make_keeper(plan: Plan, n_samples: int) -> Keeper:
    """Rows where what decides has a closed form, else blocks of rows."""
    metrics = [scoring.metric for scoring in plan.scorings]
    if plan.std_error == "auto" and plan.decisive.metric._has_influence:
        return KeptRows([metric for metric in metrics if metric._has_influence])
    # Rows come in random order: dealt in turn, the blocks are even in every round.
    return KeptBlocks(metrics, plan.required, np.arange(n_samples) % N_BLOCKS)


def _told(context, extractor):
    if context is None or not hasattr(extractor, "set_callbacks"):
        return nullcontext()
    return context.propagate_callback_context(extractor)


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
