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

__all__ = ["STD_ERRORS", "Keeper", "Values", "make_keeper", "metric_key", "shared"]

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


def make_keeper(plan, n_samples: int) -> Keeper | None:
    """Return what a plan asks for; None if nothing is to be kept."""
    metrics = [s.metric for s in plan.scorings if s.metric is not None]
    if plan.std_error == "jackknife" and metrics:
        return _Blocks(metrics, plan.required, n_samples)
    closed = [metric for metric in metrics if metric._has_influence]
    return _Rows(closed) if plan.std_error == "auto" and closed else None


def metric_key(metric) -> str:
    """Name a metric by its class and parameters."""
    made_of = (type(metric).__qualname__, metric.get_params())
    try:
        return joblib.hash(made_of)
    except pickle.PicklingError:  # a function of somebody's session
        return repr(made_of)


class _Rows:
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
        for layer, batches in self._kept.items():
            X = _stacked(batches)
            targets, weights = zip(*self._targets[layer], strict=True)
            y, weights = np.concatenate(targets), _joined(weights)
            if weights is not None and not weights.all():
                seen = np.flatnonzero(weights)
                X, y, weights = X[seen], y[seen], weights[seen]
            for metric in self.metrics:
                found = _quietly(
                    metric._evaluate_by_row, statistics[layer], X, y, weights
                )
                if found is not None:
                    values[layer, metric_key(metric)] = found[1]
        return values


class _Blocks:
    """Statistics of blocks of rows, the same ones for every candidate."""

    def __init__(self, metrics, required, n_samples: int) -> None:
        self.metrics, self._empty = metrics, dict(enumerate(required))
        rng = np.random.RandomState(0)
        self._numbers = number_blocks(n_samples, N_BLOCKS, rng)
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


def _joined(weights: Sequence[np.ndarray | None]) -> np.ndarray | None:
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
