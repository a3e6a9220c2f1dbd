"""What is kept of a pass so that its scores have errors: rows, or blocks of them.

Neither needs a second pass of the extractor. Rows serve metrics that know the influence
of a row in closed form, as long as they fit; blocks of statistics serve every metric,
at one evaluation of it for each.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import joblib
import numpy as np
from scipy import sparse

from sklearn_transrate._lib.comparisons import covariance_of_means
from sklearn_transrate.model_selection._scoring import Scoring
from sklearn_transrate.statistics import Statistic
from sklearn_transrate.statistics._blocks import StatisticBlocks, number_blocks
from sklearn_transrate.uncertainty import Jackknife

__all__ = [
    "N_BLOCKS",
    "STD_ERRORS",
    "Keeper",
    "KeptBlocks",
    "KeptRows",
    "Values",
    "make_keeper",
    "metric_key",
    "shared",
]

STD_ERRORS = ("auto", "jackknife", None)
# Memory that rows of one extractor's layers may take together.
MAX_KEPT_BYTES = 2**28
N_BLOCKS = 32

# By layer and metric, one value for each unit, whose mean is the score.
Values = dict[tuple[str | None, str], np.ndarray]


class Keeper(Protocol):
    """What both kinds do."""

    def add(self, layer, Z, y, weight, rows: slice) -> None:
        """Take note of a batch: features, targets and weights of some rows."""

    def values(self, statistics: Mapping[str | None, Sequence[Statistic]]) -> Values:
        """Return what every unit contributes, once all rows were seen."""

    def half_score(self, layer, metric) -> float:
        """Return the mean score of two halves of the rows seen; NaN if unknown."""

    def forget(self, layer) -> None:
        """Let go of a layer."""


def make_keeper(plan, n_samples: int) -> Keeper | None:
    """Return what a plan asks for; None if nothing is to be kept."""
    metrics = [s.metric for s in plan.scorings if s.metric is not None]
    if plan.std_error == "jackknife" and metrics:
        numbers = number_blocks(n_samples, N_BLOCKS, np.random.RandomState(0))
        return KeptBlocks(metrics, plan.required, numbers)
    closed = [metric for metric in metrics if metric._has_influence]
    return KeptRows(closed) if plan.std_error == "auto" and closed else None


def metric_key(metric) -> str:
    """Name a metric by its class and parameters."""
    made_of = (type(metric).__qualname__, metric.get_params())
    try:
        return joblib.hash(made_of)
    except pickle.PicklingError:  # a function of somebody's session
        return repr(made_of)


class KeptRows:
    """Rows of each layer; the largest go where they do not fit."""

    def __init__(self, metrics) -> None:
        self.metrics = metrics
        self._kept: dict[str | None, list[Any]] = {}
        self._targets: dict[str | None, list[Any]] = {}
        self._dropped: set[str | None] = set()

    def add(self, layer, Z, y, weight, rows: slice) -> None:
        if layer in self._dropped:
            return
        if rows.start is not None:  # the extractor may use a batch's memory again
            Z = Z.copy() if sparse.issparse(Z) else np.array(Z)
        self._kept.setdefault(layer, []).append(Z)
        self._targets.setdefault(layer, []).append((y, weight))
        while rows.start is not None and sum(map(_size, self._kept.values())) > (
            MAX_KEPT_BYTES
        ):
            largest = max(self._kept, key=lambda name: _size(self._kept[name]))
            self._dropped.add(largest)
            del self._kept[largest], self._targets[largest]

    def values(self, statistics) -> Values:
        values = {}
        for layer in self._kept:
            X, y, weights = self._joined(layer)
            for metric in self.metrics:
                found = _quietly(
                    metric._evaluate_by_row, statistics[layer], X, y, weights
                )
                if found is not None:
                    values[layer, metric_key(metric)] = found[1]
        return values

    def half_score(self, layer, metric) -> float:
        if layer not in self._kept:
            return np.nan
        X, y, weights = self._joined(layer)
        task, scores = metric.resolve_task(y), []
        for half in (slice(0, None, 2), slice(1, None, 2)):
            weight = None if weights is None else weights[half]
            found = _quietly(_score_rows, metric, X[half], y[half], weight, task)
            scores.append(np.nan if found is None else found)
        return float(np.mean(scores))

    def forget(self, layer) -> None:
        self._kept.pop(layer, None)
        self._targets.pop(layer, None)

    def _joined(self, layer):
        """Return rows, targets and weights of a layer, those of no weight left out."""
        targets, weights = zip(*self._targets[layer], strict=True)
        X, y = _stacked(self._kept[layer]), np.concatenate(targets)
        weights = _concatenated(weights)
        if weights is not None and not weights.all():
            seen = np.flatnonzero(weights)
            X, y, weights = X[seen], y[seen], weights[seen]
        return X, y, weights


class KeptBlocks:
    """Statistics of blocks of rows, the same ones for every candidate."""

    def __init__(self, metrics, required, numbers: np.ndarray) -> None:
        self.metrics, self._empty = metrics, dict(enumerate(required))
        self._numbers = numbers
        self._blocks: dict[str | None, StatisticBlocks] = {}

    def add(self, layer, Z, y, weight, rows: slice) -> None:
        if layer not in self._blocks:
            n_blocks = int(self._numbers.max()) + 1
            self._blocks[layer] = StatisticBlocks(self._empty, n_blocks)
        self._blocks[layer].update(Z, y, self._numbers[rows], weight)

    def values(self, statistics) -> Values:
        values = {}
        for layer, blocks in self._blocks.items():
            replicates: dict[str, list[float]] = {}
            for rest in blocks.leave_one_out() if len(blocks) > 1 else ():
                for metric in self.metrics:
                    found = _quietly(metric.evaluate, rest)
                    score = np.nan if found is None else found.score
                    replicates.setdefault(metric_key(metric), []).append(score)
            for metric in self.metrics:
                found = _quietly(metric.evaluate, statistics[layer])
                key = metric_key(metric)
                if found is not None and key in replicates:
                    scores = np.array(replicates[key])
                    values[layer, key] = Jackknife(found.score, scores).values
        return values

    def half_score(self, layer, metric) -> float:
        scores = []
        for half in self._blocks[layer].halves():
            found = _quietly(metric.evaluate, half)
            scores.append(np.nan if found is None else found.score)
        return float(np.mean(scores))

    def forget(self, layer) -> None:
        self._blocks.pop(layer, None)


def _score_rows(metric, X, y, weights, task) -> float:
    return metric.evaluate(metric._summarise(X, y, weights, task)[0]).score


def _quietly(function, *args):
    """Call a function; None where it fails, as the score itself will, with a reason."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return function(*args)
        except Exception:
            return None


def _size(batches: Sequence[Any]) -> int:
    return sum(Z.data.nbytes if sparse.issparse(Z) else Z.nbytes for Z in batches)


def _stacked(batches: list[Any]):
    if len(batches) == 1:
        return batches[0]
    if sparse.issparse(batches[0]):
        return sparse.vstack(batches, format="csr")
    return np.concatenate(batches)


def _concatenated(weights: Sequence[np.ndarray | None]) -> np.ndarray | None:
    return None if weights[0] is None else np.concatenate(weights)


def shared(
    scorings: Sequence[Scoring], candidates: Sequence[str], values: Mapping
) -> dict[str, tuple[np.ndarray, float]]:
    """Covariance of the candidates' scores by each scoring, and number of units.

    Parameters
    ----------
    scorings : sequence of Scoring
        Those of the table.
    candidates : sequence of str
        In the order of the table.
    values : mapping of (candidate, scoring name) to ndarray
        What is known.
    """
    found = {}
    for scoring in scorings:
        known = {
            row: values[name, scoring.name]
            for row, name in enumerate(candidates)
            if (name, scoring.name) in values
            and np.isfinite(values[name, scoring.name]).all()
        }
        if not known:
            continue
        n_units = len(next(iter(known.values())))
        rows = [row for row, cells in known.items() if len(cells) == n_units]
        matrix = np.full((len(candidates), len(candidates)), np.nan)
        matrix[np.ix_(rows, rows)] = covariance_of_means(
            np.array([known[row] for row in rows])
        )
        found[scoring.name] = (matrix, float(n_units))
    return found
