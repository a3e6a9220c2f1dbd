"""Two or more ways to compute the same thing, timed in turns within one run.

A machine shared with others is faster in one minute than in the next, so times of
different minutes do not compare. Times of neighbouring calls do: what counts is the
median of the ratios within each round.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["CLOCKS", "Contestant", "Race", "race"]

CLOCKS = {"cpu": time.process_time, "wall": time.perf_counter}


@dataclass(frozen=True)
class Contestant:
    """One way to compute something.

    Attributes
    ----------
    run : callable () -> result
        What is timed.
    prepare : callable () -> None
        Called before each run, outside the timing.
    warm_up : bool
        Whether to run once untimed first, so that imports and first allocations do
        not count. Not for contestants that take a minute.
    """

    run: Callable[[], Any]
    prepare: Callable[[], object] = lambda: None
    warm_up: bool = True


@dataclass(frozen=True)
class Race:
    """Times of each contestant by round, NaN where it did not run, and results."""

    times: dict[str, np.ndarray]
    results: dict[str, Any] = field(default_factory=dict)

    def seconds(self, name: str) -> float:
        """Return the shortest time of a contestant."""
        return float(np.nanmin(self.times[name]))

    def ratio(self, slow: str, fast: str) -> float:
        """Return how many times longer one takes: the median over the rounds."""
        return float(np.nanmedian(self.times[slow] / self.times[fast]))

    def ratio_of_minima(self, slow: str, fast: str) -> float:
        """Return how many times longer one takes at its best."""
        return self.seconds(slow) / self.seconds(fast)


def race(
    contestants: Mapping[str, Contestant | Callable[[], Any]],
    *,
    repeats: int,
    budget: float = np.inf,
    clock: Callable[[], float] = time.perf_counter,
) -> Race:
    """Run all contestants in turns.

    Parameters
    ----------
    contestants : mapping of str to Contestant or callable
        Who goes first changes from round to round.
    repeats : int
        Number of rounds.
    budget : float, default=inf
        Seconds after which a contestant sits out the remaining rounds. Everybody
        runs in the first.
    clock : callable () -> float, default=time.perf_counter
        What to read before and after.

    Returns
    -------
    race : Race
    """
    entered = {
        name: given if isinstance(given, Contestant) else Contestant(given)
        for name, given in contestants.items()
    }
    times = {name: np.full(repeats, np.nan) for name in entered}
    results = {}
    for contestant in entered.values():
        if contestant.warm_up:
            contestant.prepare()
            contestant.run()
    order = list(entered)
    with _no_garbage_collection():
        for turn in range(repeats):
            for name in order[turn % len(order) :] + order[: turn % len(order)]:
                if np.nansum(times[name]) > budget:
                    continue
                contestant = entered[name]
                contestant.prepare()
                start = clock()
                results[name] = contestant.run()
                times[name][turn] = clock() - start
    return Race(times, results)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Keep Python from tidying up at anybody's expense."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
