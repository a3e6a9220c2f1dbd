"""What importing the package costs on top of scikit-learn."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import numpy as np

from tests.benchmarks.claims import Claim, at_most
from tests.benchmarks.settings import Settings

__all__ = ["startup"]

MODULES = {"ours": "sklearn_transrate", "sklearn": "sklearn"}
TIMED_IMPORT = """
import time
start = time.{clock}()
import {module}
print(time.{clock}() - start)
"""
CLOCK_NAMES = {"cpu": "process_time", "wall": "perf_counter"}


def startup(settings: Settings) -> Iterator[Claim]:
    """Import both in fresh processes, in turns."""
    settings.tell("imports in fresh processes")
    for module in MODULES.values():  # so that both have their bytecode
        import_seconds(module, settings.clock)
    times = {
        name: np.array(
            [
                import_seconds(module, settings.clock)
                for _ in range(max(3, settings.repeats))
            ]
        )
        for name, module in MODULES.items()
    }
    yield Claim(
        "import sklearn_transrate: extra time",
        "import sklearn",
        value=float(np.median(times["ours"] - times["sklearn"])),
        unit="s",
        bound=settings.bound(at_most(0.5)),
        ours=float(times["ours"].min()),
        other=float(times["sklearn"].min()),
    )


def import_seconds(module: str, clock: str = "cpu") -> float:
    """Return how long a fresh process takes to import a module."""
    code = TIMED_IMPORT.format(module=module, clock=CLOCK_NAMES[clock])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return float(done.stdout)
