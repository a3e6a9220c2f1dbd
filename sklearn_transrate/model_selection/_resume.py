"""Statistics of finished candidates on disk, so that a killed ranking resumes."""

from __future__ import annotations

import os
import time
import warnings
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


class StatisticsStore:
    """A folder with one file for each extractor, named by what made it.

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
        self._data = joblib.hash(data)

    def path(self, source: Source) -> Path:
        """Return where the statistics of an unfitted source are, or would be."""
        key = joblib.hash((self._data, fingerprint(source.extractor)))
        return self.folder / f"{key}.npz"

    def load(self, path: Path, source: Source):
        """Return saved statistics and facts; None if there are none to use."""
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
        """Remove what writers left behind that were killed long ago."""
        for leftover in self.folder.glob("*.npz.*.partial"):
            if time.time() - leftover.stat().st_mtime > ABANDONED:
                leftover.unlink(missing_ok=True)
