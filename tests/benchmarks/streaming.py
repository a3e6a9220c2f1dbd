"""Batches against one shot."""

from __future__ import annotations

from collections.abc import Iterator

from sklearn_transrate.metrics import LogME, TransRate
from tests.benchmarks.claims import Claim, at_most
from tests.benchmarks.data import labelled_features
from tests.benchmarks.settings import Settings
from tests.benchmarks.timing import Contestant

__all__ = ["streaming"]

SHAPES = ((32_768, 512, 10), (16_384, 768, 100), (8192, 2048, 100))
BATCH_SIZES = (256, 1024, 4096, 8192)
METRICS = {"TransRate": TransRate, "LogME": LogME}
SLOWER = 1.3


def streaming(settings: Settings) -> Iterator[Claim]:
    """Time `partial_fit` over batches of several sizes, and `fit` of all rows."""
    for full in SHAPES:
        shape = settings.shape(*full)
        X, y = labelled_features(*shape)
        for name, metric in METRICS.items():
            if name == "LogME" and full != SHAPES[0]:
                continue  # its eigendecomposition is the same either way
            settings.tell(f"{name} of batches {shape}")
            sizes = {f"batches of {size}": settings.size(size) for size in BATCH_SIZES}
            race = settings.race(
                ours=_in_batches(metric, X, y, len(y)),
                **{
                    label: _in_batches(metric, X, y, size)
                    for label, size in sizes.items()
                },
            )
            bound = settings.bound(at_most(SLOWER))
            for label in sizes:
                yield Claim(
                    f"{name}, {label}",
                    "one shot",
                    shape,
                    race.ratio(label, "ours"),
                    bound=bound,
                    ours=race.seconds(label),
                    other=race.seconds("ours"),
                    of_minima=race.ratio_of_minima(label, "ours"),
                )


def _in_batches(metric, X, y, size) -> Contestant:
    def run():
        fitted = metric()
        for start in range(0, len(y), size):
            rows = slice(start, start + size)
            fitted.partial_fit(X[rows], y[rows])
        return fitted.score_

    return Contestant(run)
