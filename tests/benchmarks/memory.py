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
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sklearn_transrate.metrics import TransRate
from sklearn_transrate.statistics import accumulate
from tests.benchmarks.claims import Claim, at_most
from tests.benchmarks.data import labelled_batches, one_batch
from tests.benchmarks.settings import Settings

__all__ = ["memory", "peak_memory"]

ROOT = Path(__file__).parents[2]
# (n, d, K) of the file that is larger than what may be resident, and that limit.
FILE_SHAPE, FILE_LIMIT = (1_000_000, 768, 100), 1500
# Many classes, each far smaller than the feature space.
MANY_CLASSES, MANY_LIMIT = (50_000, 2048, 1000), 2000
FLAT_SAMPLES = (20_000, 40_000, 80_000, 160_000)
FLAT = 1.05
BATCH = 4096


def memory(settings: Settings) -> Iterator[Claim]:
    """Measure peaks: flat in n, thin for many classes, and below a large file."""
    yield from _flat(settings)
    shape = settings.shape(*MANY_CLASSES)
    settings.tell(f"memory of many classes {shape}")
    peak, seconds, _ = measure("stream", *shape)
    yield _peak_claim("many small classes", shape, peak, seconds, MANY_LIMIT, settings)
    if settings.large:
        yield from _large_file(settings)


def _flat(settings: Settings) -> Iterator[Claim]:
    peaks = []
    for full in FLAT_SAMPLES:
        shape = settings.shape(full, 512, 20)
        settings.tell(f"memory of a stream {shape}")
        peak, seconds, _ = measure("stream", *shape)
        peaks.append(peak)
        yield Claim(
            "stream", shape=shape, ours=seconds, peak=peak, series="memory, n", at=full
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
            peak, seconds, score = measure(case, *shape, folder)
            claim = _peak_claim(
                f"memmap, {case}", shape, peak, seconds, FILE_LIMIT, settings
            )
            yield claim
            if not np.isfinite(score):
                raise AssertionError(f"Expected a finite score of {case}, got {score}.")


def _peak_claim(what, shape, peak, seconds, limit, settings) -> Claim:
    return Claim(
        what,
        "resident memory",
        shape,
        peak,
        unit="MB",
        bound=settings.bound(at_most(limit)),
        ours=seconds,
        peak=peak,
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


def measure(case: str, *arguments) -> tuple[float, float, float]:
    """Run one case in a fresh process.

    Returns
    -------
    peak : float
        Largest resident memory in MB.
    seconds : float
        How long it took.
    score : float
    """
    command = [sys.executable, "-m", "tests.benchmarks.memory", case]
    done = subprocess.run(
        [*command, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    if done.returncode:
        raise RuntimeError(f"Measuring {case} {arguments} failed:\n{done.stderr}")
    found = json.loads(done.stdout)
    return found["peak"], found["seconds"], found["score"]


def peak_memory() -> float:
    """Return the largest resident memory of this process so far, in MB.

    Pages of mapped files count while they are mapped.
    """
    status = Path("/proc/self/status")
    if status.exists():
        # The kernel's other counter, which `resource` reads, starts at what the
        # parent had when it made this process.
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    import resource

    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


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
    score = CASES[case](*numbers)
    seconds = time.process_time() - start
    print(json.dumps({"peak": peak_memory(), "seconds": seconds, "score": score}))


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _main(*sys.argv[1:])
