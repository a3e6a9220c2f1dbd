"""Statistics of finished candidates on disk, so that a killed ranking resumes."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import joblib

from sklearn_transrate.exceptions import CorruptStatisticsError, TransRateWarning
from sklearn_transrate.model_selection._candidates import Source, fingerprint
from sklearn_transrate.statistics import load_statistics, save_statistics

__all__ = ["StatisticsStore"]


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
            return load_statistics(path)
        except FileNotFoundError:
            return None
        except CorruptStatisticsError as error:
            warnings.warn(
                f"{error} Candidate {source.name!r} is computed again.",
                TransRateWarning,
                stacklevel=2,
            )
            return None

    def save(self, path: Path, source: Source, statistics, facts: dict) -> None:
        """Save the statistics of a source."""
        try:
            save_statistics(path, statistics, metadata=facts)
        except TypeError as error:  # labels that no file can hold
            warnings.warn(
                f"Candidate {source.name!r} cannot be resumed: {error}",
                TransRateWarning,
                stacklevel=2,
            )
