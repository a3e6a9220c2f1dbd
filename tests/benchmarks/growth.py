"""How time grows with samples, features, classes and candidates."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from sklearn_transrate import TransferSelector
from sklearn_transrate.metrics import TransRate
from tests.benchmarks.claims import Claim, at_most
from tests.benchmarks.data import labelled_features
from tests.benchmarks.settings import Settings

__all__ = ["growth", "slope"]

N_SAMPLES = (4000, 8000, 16_000, 32_000, 64_000)
N_FEATURES = (64, 128, 256, 512, 1024)
N_CLASSES = (2, 8, 32, 128, 512)
N_CANDIDATES = (2, 4, 8, 16, 32)
# No more than proportional, with room for the noise of a fitted line.
LINEAR = 1.05


def slope(x, seconds) -> float:
    """Return the power of x that time grows with: the slope on logarithmic axes."""
    return float(np.polyfit(np.log(x), np.log(seconds), 1)[0])


def growth(settings: Settings) -> Iterator[Claim]:
    """Time TransRate at five sizes along each axis."""
    metric = TransRate()
    bound = settings.bound(at_most(LINEAR))

    def score(*full):
        shape = settings.shape(*full)
        X, y = labelled_features(*shape)
        return shape, lambda: metric.score(X, y)

    def rank(n_candidates):
        shape = settings.shape(2000, 128, 10)
        X, y = labelled_features(*shape)
        names = [(f"candidate{i}", "passthrough") for i in range(n_candidates)]
        selector = TransferSelector(names, refit=False)
        return shape, lambda: selector.fit(X, y)

    yield from _series(settings, "n", N_SAMPLES, lambda n: score(n, 256, 10), bound)
    yield from _series(settings, "d", N_FEATURES, lambda d: score(8000, d, 10))
    yield from _series(settings, "K", N_CLASSES, lambda K: score(16_000, 256, K))
    yield from _series(settings, "candidates", N_CANDIDATES, rank, bound)


def _series(
    settings: Settings, axis: str, sizes, make: Callable, bound=None
) -> Iterator[Claim]:
    settings.tell(f"growth in {axis}")
    made = {size: make(size) for size in sizes}
    # In turns, so that a slow minute does not bend the curve.
    race = settings.race(**{str(size): run for size, (_, run) in made.items()})
    times = [race.seconds(str(size)) for size in sizes]
    for size, seconds in zip(sizes, times, strict=True):
        shape = made[size][0]
        # What was measured, which --scale may have made smaller.
        at = dict(zip("ndK", shape, strict=True)).get(axis, size)
        what = f"{axis} = {at}"
        yield Claim(what, shape=shape, ours=seconds, series=f"time, {axis}", at=at)
    rounds = np.array([race.times[str(size)] for size in sizes])
    value = float(np.median([slope(sizes, column) for column in rounds.T]))
    yield Claim(f"growth in {axis}: power", value=value, unit="", bound=bound)
