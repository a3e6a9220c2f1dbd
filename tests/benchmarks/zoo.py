"""Every registered metric on features of real networks, with what each one reached.

The zoo is not part of the repository; see `shared`. ``truth.json`` there has, for each
track, data set and candidate, the test accuracy of a linear head ("linear") and, for
some, of fine-tuning ("ft"). ``TRACK/DATASET/CANDIDATE.npz`` has features Z, labels y
and, of models with a head, their source probabilities P.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import weightedtau

from sklearn_transrate.metrics import TransferMetric, get_metric, get_metric_names
from tests.benchmarks.settings import Settings
from tests.benchmarks.shared import SHARED, shared_folder
from tests.benchmarks.tables import Table

__all__ = [
    "Agreement",
    "agreements",
    "score_candidate",
    "zoo_folder",
    "zoo_table",
    "zoo_truth",
]

# Rankings of fewer candidates say nothing.
FEWEST = 4
# Of one data set, whose features are kept while metrics take turns.
MOST_CANDIDATES = 32


class Agreement(NamedTuple):
    """How well one metric ranks the candidates of one data set.

    `weighted_kendall` is NaN where the metric cannot be asked of enough candidates, or
    gives all of them the same score.
    """

    metric: str
    track: str
    dataset: str
    truth: str
    weighted_kendall: float
    seconds: float


def zoo_folder() -> Path | None:
    """Return where the zoo lies, or None."""
    return shared_folder("zoo")


def zoo_truth() -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """Return what each candidate reached: facts by track, data set and candidate."""
    return json.loads((zoo_folder() / "truth.json").read_text(encoding="utf-8"))


def score_candidate(
    metric: TransferMetric, track: str, dataset: str, candidate: str
) -> float | None:
    """Return a metric's score of one candidate, or None where it has none."""
    try:
        return _score(metric, zoo_folder() / track / dataset / f"{candidate}.npz")
    except ValueError:  # the other metrics are still worth their table
        return None


def agreements(
    metrics: Iterable[str] | None = None,
    tracks: Iterable[str] | None = None,
    settings: Settings | None = None,
) -> Iterator[Agreement]:
    """Score all candidates and compare the ranking with the truth.

    Parameters
    ----------
    metrics : iterable of str, default=None
        Registered names; None takes all.
    tracks : iterable of str, default=None
        None takes all.
    settings : Settings, default=None
        Whose clock to read, and whether to tell of progress.

    Yields
    ------
    agreement : Agreement
        For each metric, data set and kind of truth.
    """
    settings = settings or Settings(quiet=True)
    truth = zoo_truth()
    metrics = list(metrics or get_metric_names())
    for track in tracks or truth:
        for dataset, candidates in truth[track].items():
            settings.tell(f"{track} / {dataset}")
            for metric in metrics:
                yield from _compare(metric, track, dataset, candidates, settings)
            _load.cache_clear()


def zoo_table(settings: Settings | None = None) -> Table:
    """Return each metric's mean weighted Kendall correlation on each track.

    Raises
    ------
    FileNotFoundError
        Where there is no zoo.
    """
    if zoo_folder() is None:
        raise FileNotFoundError(
            f"Expected features of real networks in ${SHARED}/zoo, found none. Set "
            f"{SHARED} to the folder that has them."
        )
    return tabulate(list(agreements(settings=settings)))


def tabulate(found: list[Agreement]) -> Table:
    """Put means over data sets into one row a metric, the best first."""
    columns = list(dict.fromkeys((one.track, one.truth) for one in found))
    rows = []
    for metric in dict.fromkeys(one.metric for one in found):
        own = [one for one in found if one.metric == metric]
        means = [
            _mean(one.weighted_kendall for one in own if (one.track, one.truth) == key)
            for key in columns
        ]
        # Each track counts once, whatever the number of its data sets.
        rows.append([metric, *means, _mean(means), sum(one.seconds for one in own)])
    rows.sort(key=lambda row: -np.nan_to_num(row[-2], nan=-2.0))
    heads = [f"{track} ({truth})" for track, truth in columns]
    return Table(
        "Weighted Kendall correlation with the accuracy reached: mean over data sets",
        ["metric", *heads, "mean", "seconds"],
        [[None if cell != cell else cell for cell in row] for row in rows],
    )


def _compare(metric, track, dataset, candidates, settings) -> Iterator[Agreement]:
    scores, start = {}, settings.now()
    for name in candidates:
        path = zoo_folder() / track / dataset / f"{name}.npz"
        try:
            score = _score(get_metric(metric), path)
        except ValueError as error:  # the other metrics are still worth their table
            settings.tell(f"{metric} of {path.stem}: {error}")
            continue
        if score is not None:
            scores[name] = score
    seconds = settings.now() - start
    for truth in ("linear", "ft"):
        known = [name for name in scores if truth in candidates[name]]
        if not any(truth in facts for facts in candidates.values()):
            continue
        tau = _weighted_kendall(
            [scores[name] for name in known],
            [candidates[name][truth] for name in known],
        )
        # The time is that of the candidates, not of the truths.
        yield Agreement(metric, track, dataset, truth, tau, seconds)
        seconds = 0.0


def _weighted_kendall(scores, accuracies) -> float:
    if len(scores) < FEWEST or len(set(scores)) == 1 or not np.isfinite(scores).all():
        return np.nan
    return float(weightedtau(scores, accuracies)[0])


def _score(metric: TransferMetric, path: Path) -> float | None:
    """Return a metric's score of one candidate, or None where it has no input."""
    features, labels, probabilities = _load(path)
    kinds = {statistic.inputs for statistic in metric.required_statistics().values()}
    if kinds == {"features"}:
        X = features
    elif probabilities is None:
        return None
    elif kinds == {"source_labels"}:
        X = probabilities.argmax(axis=1)
    else:
        X = probabilities
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a score is saturated shows in its rank
        return metric.score(X, labels)


@lru_cache(maxsize=MOST_CANDIDATES)
def _load(path: Path):
    with np.load(path) as arrays:
        probabilities = None
        if "P" in arrays and arrays["P"].size:
            # Stored in half precision; rows add up to one only nearly.
            probabilities = arrays["P"].astype(np.float64)
            probabilities /= probabilities.sum(axis=1, keepdims=True)
        return arrays["Z"].astype(np.float32), arrays["y"], probabilities


def _mean(values: Iterable[float]) -> float:
    known = [value for value in values if value == value]
    return float(np.mean(known)) if known else np.nan
