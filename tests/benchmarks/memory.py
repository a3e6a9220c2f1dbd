"""Peak resident memory, each measured in a process of its own.

Run as ``python -m tests.benchmarks.memory CASE [NUMBER ...]``, this module is such a
process: it does the work of one case and prints what it took.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sklearn_transrate.metrics import TransRate
from sklearn_transrate.statistics import accumulate
from tests.benchmarks.claims import Claim, at_most
from tests.benchmarks.data import labelled_batches, one_batch
from tests.benchmarks.settings import Settings

__all__ = ["Measured", "measure", "memory", "peak_memory"]

ROOT = Path(__file__).parents[2]
# (n, d, K) of the file that is larger than what may be resident, and that limit.
FILE_SHAPE, FILE_LIMIT = (1_000_000, 768, 100), 1500
# Many classes, each far smaller than the feature space.
MANY_CLASSES, MANY_LIMIT = (50_000, 2048, 1000), 2000
FLAT_SAMPLES = (20_000, 40_000, 80_000, 160_000)
FLAT = 1.05
# Seconds after which a case is given up.
PATIENCE = 300
BATCH = 4096
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)
# Seconds between two looks at the private memory, which has no high-water mark.
LOOK = 0.005


class Measured(NamedTuple):
    """What one case took, in a process of its own.

    Attributes
    ----------
    peak : float
        Largest resident memory in MB, pages of mapped files included: the system can
        take those back at any time, and reads them again where they are needed.
    private : float or None
        Largest resident memory without such pages, where the system tells.
    seconds : float
        Processor time.
    score : float
    """

    peak: float
    private: float | None
    seconds: float
    score: float


def memory(settings: Settings) -> Iterator[Claim]:
    """Measure peaks: flat in n, thin for many classes, and below a large file."""
    yield from _flat(settings)
    shape = settings.shape(*MANY_CLASSES)
    settings.tell(f"memory of many classes {shape}")
    found = measure("stream", *shape)
    bound = settings.bound(at_most(MANY_LIMIT))
    yield _claim("many small classes", "resident", shape, found.peak, found, bound)
    if settings.large:
        yield from _large_file(settings)


def _flat(settings: Settings) -> Iterator[Claim]:
    peaks = []
    for full in FLAT_SAMPLES:
        shape = settings.shape(full, 512, 20)
        settings.tell(f"memory of a stream {shape}")
        found = measure("stream", *shape)
        peaks.append(found.peak)
        yield Claim(
            "stream",
            shape=shape,
            ours=found.seconds,
            peak=found.peak,
            series="memory, n",
            at=full,
        )
    yield Claim(
        "stream: peak of the longest",
        "the shortest",
        value=peaks[-1] / peaks[0],
        bound=settings.bound(at_most(FLAT)),
    )


def _large_file(settings: Settings) -> Iterator[Claim]:
    shape = settings.shape(*FILE_SHAPE)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "features.bin"
        settings.tell(f"writing a file of features {shape}")
        labels = write_features(path, *shape)
        np.save(Path(folder) / "labels.npy", labels)
        for case in ("partial_fit", "accumulate"):
            settings.tell(f"memory of {case} from a memory map {shape}")
            found = measure(case, *shape, folder)
            bound = settings.bound(at_most(FILE_LIMIT))
            what = f"memory map, {case}"
            yield _claim(what, "resident", shape, found.peak, found, bound)
            if found.private is not None:
                yield _claim(what, "of that, private", shape, found.private, found)


def _claim(what, against, shape, value, found, bound=None) -> Claim:
    return Claim(
        what,
        against,
        shape,
        value,
        unit="MB",
        bound=bound,
        ours=found.seconds,
        peak=found.peak,
    )


def write_features(path: Path, n_samples: int, n_features: int, n_classes: int):
    """Write float32 features block by block and return their labels."""
    labels = np.empty(n_samples, dtype=np.int64)
    with path.open("wb") as file:
        for number, start in enumerate(range(0, n_samples, BATCH)):
            rows = min(BATCH, n_samples - start)
            X, labels[start : start + rows] = one_batch(
                number, rows, n_features, n_classes
            )
            X.tofile(file)
    return labels


def measure(case: str, *arguments) -> Measured:
    """Run one case in a fresh process."""
    command = [sys.executable, "-m", "tests.benchmarks.memory", case]
    done = subprocess.run(
        [*command, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        cwd=ROOT,
        env={**os.environ, **ONE_THREAD},
    )
    if done.returncode:
        raise RuntimeError(f"Measuring {case} {arguments} failed:\n{done.stderr}")
    return Measured(**json.loads(done.stdout))


def peak_memory() -> float:
    """Return the largest resident memory of this process so far, in MB.

    Pages of mapped files count while they are mapped.
    """
    status = _status()
    if "VmHWM" in status:
        # The kernel's other counter, which `resource` reads, starts at what the
        # parent had when it made this process.
        return status["VmHWM"]
    import resource

    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


@contextmanager
def _watch_private_memory() -> Iterator[list[float]]:
    """Collect the private resident memory in MB, by looking at it all the time."""
    seen, done = [], threading.Event()

    def look():
        while not done.wait(LOOK):
            seen.append(_status()["RssAnon"])

    watcher = threading.Thread(target=look)
    if "RssAnon" in _status():
        watcher.start()
    try:
        yield seen
    finally:
        done.set()
        if watcher.is_alive():
            watcher.join()


def _status() -> dict[str, float]:
    """Return what Linux tells of this process's memory, in MB."""
    path = Path("/proc/self/status")
    if not path.exists():
        return {}
    lines = (line.split() for line in path.read_text().splitlines())
    return {words[0][:-1]: int(words[1]) / 1024 for words in lines if words[-1] == "kB"}


# -- the cases, each in a process of its own ---------------------------------------


def _stream(n_samples, n_features, n_classes) -> float:
    metric = TransRate()
    for X, y in labelled_batches(n_samples, n_features, n_classes, BATCH):
        metric.partial_fit(X, y)
    return metric.score_


def _file_batches(n_samples, n_features, folder):
    labels = np.load(Path(folder) / "labels.npy")
    path = Path(folder) / "features.bin"
    X = np.memmap(path, dtype=np.float32, mode="r", shape=(n_samples, n_features))
    for start in range(0, n_samples, BATCH):
        yield X[start : start + BATCH], labels[start : start + BATCH]


def _partial_fit(n_samples, n_features, n_classes, folder) -> float:
    metric = TransRate()
    for X, y in _file_batches(n_samples, n_features, folder):
        metric.partial_fit(X, y)
    return metric.score_


def _accumulate(n_samples, n_features, n_classes, folder) -> float:
    metric = TransRate()
    batches = _file_batches(n_samples, n_features, folder)
    return metric.evaluate(
        accumulate(batches, metric.required_statistics())[None]
    ).score


CASES = {"stream": _stream, "partial_fit": _partial_fit, "accumulate": _accumulate}


def _main(case, *arguments) -> None:
    numbers = [int(text) if text.isdigit() else text for text in arguments]
    start = time.process_time()
    with _watch_private_memory() as private:
        score = CASES[case](*numbers)
    seconds = time.process_time() - start
    found = Measured(peak_memory(), max(private, default=None), seconds, score)
    print(json.dumps(found._asdict()))


if __name__ == "__main__":
    _main(*sys.argv[1:])
