"""What a person may change about a run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from tests.benchmarks.claims import Bound
from tests.benchmarks.timing import CLOCKS, Contestant, Race, race

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """How long to measure, by which clock, and how large.

    Attributes
    ----------
    repeats : int
        Rounds of each comparison.
    budget : float
        Seconds after which a slow contestant is not run again.
    clock : {"cpu", "wall"}
        Time of this process, which busy neighbours disturb less, or time that passes.
        With one BLAS thread they agree on an idle machine.
    scale : float
        Factor on the numbers of samples, features and classes. Requirements are for
        the full sizes: at any other scale nothing is required.
    large : bool
        Whether to run what needs gigabytes of disk or minutes of time.
    quiet : bool
        Whether to keep progress to oneself.
    """

    repeats: int = 7
    budget: float = 40.0
    clock: str = "cpu"
    scale: float = 1.0
    large: bool = False
    quiet: bool = False

    def size(self, number: int, least: int = 1) -> int:
        """Scale one number of samples, features or classes."""
        return max(least, round(number * self.scale))

    def shape(
        self, n_samples: int, n_features: int, n_classes: int
    ) -> tuple[int, int, int]:
        """Scale a problem; every class keeps at least two samples."""
        n = self.size(n_samples, 8)
        return n, self.size(n_features, 2), min(self.size(n_classes, 2), n // 2)

    def bound(self, bound: Bound) -> Bound | None:
        """Return a requirement, or None where it is not meant for this size."""
        return bound if self.scale == 1 else None

    def now(self) -> float:
        """Read the clock."""
        return CLOCKS[self.clock]()

    def race(self, **contestants: Contestant | Callable[[], object]) -> Race:
        """Time contestants in turns."""
        return race(
            contestants, repeats=self.repeats, budget=self.budget, clock=self.now
        )

    def tell(self, text: str) -> None:
        """Say on standard error what is being measured."""
        if not self.quiet:
            print(f"  {text} ...", file=sys.stderr, flush=True)
