"""Benchmarks that fail or take too long leave a line in the table, not a traceback."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from tests.benchmarks.claims import Claim, at_least
from tests.benchmarks.settings import Settings

__all__ = ["attempt"]


def attempt(
    name: str,
    benchmark: Callable[[Settings], Iterable[Claim]],
    settings: Settings,
    deadline: float = np.inf,
) -> Iterator[Claim]:
    """Yield what a benchmark measures, and a line on what ended it early.

    Parameters
    ----------
    name : str
        What to call it.
    benchmark : callable Settings -> iterable of Claim
        Measures one claim after another.
    settings : Settings
        Passed on.
    deadline : float
        By the monotonic clock. No measurement is begun after it; one that runs is
        not interrupted.
    """
    if time.monotonic() > deadline:
        yield _line(name, "not begun: time is up")
        return
    try:
        for claim in benchmark(settings):
            yield claim
            if time.monotonic() > deadline:
                yield _line(name, "cut short: time is up")
                return
    except Exception as error:
        settings.tell(f"{name} failed: {type(error).__name__}: {error}")
        reason = str(error).strip().splitlines() or [""]
        yield _line(name, f"failed: {type(error).__name__}: {reason[-1][:80]}")


def _line(name: str, reason: str) -> Claim:
    return Claim(name, reason, value=np.nan, bound=at_least(0), unit="")
