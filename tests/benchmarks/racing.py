"""What a race saves on features of real networks, and what it loses.

Every candidate of a data set is taken for a model of its own, and every row of its
features for one forward pass. The winner is the candidate that scores best on all rows.
Layers of one network come from one pass, so what racing them costs is told apart.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from sklearn_transrate import HalvingTransferSelector
from sklearn_transrate.extractors import PrecomputedFeatures
from sklearn_transrate.metrics import get_metric
from tests.benchmarks.claims import Claim, at_most
from tests.benchmarks.settings import Settings
from tests.benchmarks.shared import SHARED
from tests.benchmarks.zoo import zoo_folder, zoo_truth

__all__ = ["Outcome", "outcomes", "racing"]

METRIC = "transrate"
N_ORDERS = 3
# Rows passed through whole models, on average.
MOST_PASSED = 0.35


class Outcome(NamedTuple):
    """One race.

    `pass_share` is the share of forward passes, `score_lost` and `accuracy_lost` are
    what the race's winner has less than that of all rows.
    """

    track: str
    dataset: str
    pass_share: float
    is_kept: bool
    score_lost: float
    accuracy_lost: float


def racing(settings: Settings) -> Iterator[Claim]:
    """Race the candidates of every track, in several orders of the rows."""
    if zoo_folder() is None:
        yield Claim("racing", f"skipped: no features of networks in ${SHARED}/zoo")
        return
    found = list(outcomes(settings))
    for track in dict.fromkeys(one.track for one in found):
        own = [one for one in found if one.track == track]
        share = float(np.mean([one.pass_share for one in own]))
        yield Claim(f"rows passed, {track}", f"{len(own)} races", value=share, unit="")
    layers = [one for one in found if "layers" in one.track]
    models = [one for one in found if one not in layers]
    yield from _claims("models", models, settings.bound(at_most(MOST_PASSED)))
    yield from _claims("layers", layers, None)


def _claims(kind: str, found: list[Outcome], bound) -> Iterator[Claim]:
    for what, values, limit in (
        ("rows passed", [one.pass_share for one in found], bound),
        ("winner of all rows kept", [one.is_kept for one in found], None),
        ("score lost", [one.score_lost for one in found], None),
        ("linear accuracy lost", [one.accuracy_lost for one in found], None),
    ):
        if values:
            mean, against = float(np.mean(values)), f"{len(found)} races"
            yield Claim(f"{what}, {kind}", against, value=mean, unit="", bound=limit)


def outcomes(settings: Settings, tracks=None, **params) -> Iterator[Outcome]:
    """Yield the outcome of every race; `params` are those of the selector."""
    pairs = [
        (track, dataset)
        for track, datasets in zoo_truth().items()
        for dataset in datasets
        if tracks is None or track in tracks
    ]
    # The texts come last and are the fastest, for a dry run.
    for track, dataset in pairs[::-1][: settings.size(len(pairs))]:
        settings.tell(f"racing {track} / {dataset}")
        features, labels = _read(track, dataset, settings)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what few rows look like
            scores = {
                name: get_metric(METRIC).score(Z, labels)
                for name, Z in features.items()
            }
            for order in range(settings.size(N_ORDERS)):
                selector = HalvingTransferSelector(
                    [(name, PrecomputedFeatures(Z)) for name, Z in features.items()],
                    scoring=METRIC,
                    random_state=order,
                    refit=False,
                    **params,
                ).fit(np.arange(len(labels)), labels)
                yield _outcome(track, dataset, selector, scores)


def _outcome(track: str, dataset: str, selector, scores) -> Outcome:
    best, chosen = max(scores, key=scores.get), selector.best_name_
    results = selector.results_
    row = results["extractor"].tolist().index(best)
    accuracies = zoo_truth()[track][dataset]
    return Outcome(
        track,
        dataset,
        selector.pass_share_,
        not results["dropped_by"][row],
        scores[best] - scores[chosen],
        accuracies[best]["linear"] - accuracies[chosen]["linear"],
    )


def _read(track: str, dataset: str, settings: Settings):
    features = {}
    for name in zoo_truth()[track][dataset]:
        with np.load(zoo_folder() / track / dataset / f"{name}.npz") as arrays:
            n_rows = settings.size(len(arrays["y"]), 200)
            features[name] = arrays["Z"][:n_rows].astype(np.float32)
            labels = arrays["y"][:n_rows]
    return features, labels
