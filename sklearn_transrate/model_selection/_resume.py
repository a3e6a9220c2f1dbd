"""Statistics of finished candidates on disk, so that a killed ranking resumes."""

from __future__ import annotations

import os
import re
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import joblib

from sklearn_transrate.exceptions import CorruptStatisticsError, TransRateWarning
from sklearn_transrate.model_selection._candidates import Source, fingerprint
from sklearn_transrate.statistics import load_statistics, save_statistics

__all__ = ["StatisticsStore"]

# Where a file says which work it is the result of; it may have been renamed.
MADE_FOR = "made_for"
# Seconds after which an unfinished file has nobody who still writes to it.
ABANDONED = 3600.0
MOST_BYTES = 10 * 2**30
_OURS = re.compile(r"[0-9a-f]{32}\.npz")


class StatisticsStore:
    """A folder with one file for each extractor, named by what made it.

    The name is a hash of the extractor's fingerprint, which has its model, layers and
    preprocessing, and of the data. Several processes may use the folder at the same
    time: a file is there whole or not at all. Above `MOST_BYTES` in all, the files that
    were not used for longest are removed, but none that this store used.

    Parameters
    ----------
    memory : str, path-like or joblib.Memory
        The folder, or a memory whose folder is used.
    data : object
        Everything but the extractor that the statistics depend on; hashed.
    """

    def __init__(self, memory: Any, data: Any) -> None:
        location = getattr(memory, "location", memory)
        if not isinstance(location, str | os.PathLike):
            raise TypeError(
                "Expected 'memory' to be a folder or a joblib.Memory with a location, "
                f"got {memory!r}."
            )
        self.folder = Path(location)
        self._data = joblib.hash((data, _files_in(data)))
        self._used: set[Path] = set()

    def path(self, source: Source) -> Path:
        """Return where the statistics of an unfitted source are, or would be."""
        key = joblib.hash((self._data, fingerprint(source.extractor)))
        return self.folder / f"{key}.npz"

    def load(self, path: Path, source: Source):
        """Return saved statistics and facts; None if there are none to use."""
        self._used.add(path)
        try:
            statistics, facts = load_statistics(path)
            if facts.pop(MADE_FOR, None) != path.stem:
                raise CorruptStatisticsError(
                    f"Cannot use saved statistics from {os.fspath(path)!r}: they were "
                    "made from other data, or by another candidate."
                )
        except FileNotFoundError:
            return None
        except (CorruptStatisticsError, OSError) as error:
            warnings.warn(
                f"{error} Candidate {source.name!r} is computed again.",
                TransRateWarning,
                stacklevel=2,
            )
            return None
        with suppress(OSError):  # Another process may have removed it.
            os.utime(path)
        return statistics, facts

    def save(self, path: Path, source: Source, statistics, facts: dict) -> None:
        """Save the statistics of a source; a ranking goes on where that fails."""
        try:
            save_statistics(path, statistics, metadata={MADE_FOR: path.stem, **facts})
            self._clean_up()
        except (TypeError, OSError) as error:  # labels that no file holds; a full disk
            warnings.warn(
                f"Candidate {source.name!r} cannot be resumed: {error}",
                TransRateWarning,
                stacklevel=2,
            )

    def _clean_up(self) -> None:
        """Remove what killed writers left behind, and what is too much."""
        for leftover in self.folder.glob("*.npz.*.partial"):
            with suppress(OSError):  # Its writer, or another ranking, is done with it.
                if time.time() - leftover.stat().st_mtime > ABANDONED:
                    leftover.unlink()
        self._remove_surplus()

    def _remove_surplus(self) -> None:
        files = []
        for file in self.folder.iterdir():
            if _OURS.fullmatch(file.name):
                with suppress(OSError):
                    status = file.stat()
                    files.append((status.st_mtime, status.st_size, file))
        surplus = sum(size for _, size, _ in files) - MOST_BYTES
        for _, size, file in sorted(files):
            if surplus <= 0:
                return
            if file not in self._used:
                with suppress(OSError):  # Gone already, or open on Windows.
                    file.unlink()
                surplus -= size


def _files_in(data: Any) -> list:
    """Return size and time of the files that inputs are paths of."""
    X = data[0] if isinstance(data, tuple) else data
    if not hasattr(X, "__len__") or not hasattr(X, "__iter__") or hasattr(X, "keys"):
        return []
    if getattr(X, "ndim", 1) != 1:
        return []
    found = []
    for path in X:
        if not isinstance(path, str | os.PathLike):
            return []
        with suppress(OSError, ValueError):  # Any text may be asked for.
            status = os.stat(path)
            found.append((os.fspath(path), status.st_size, status.st_mtime_ns))
    return found
