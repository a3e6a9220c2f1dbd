"""Statistics of finished candidates on disk, so that a killed ranking resumes."""

from __future__ import annotations

import os
import re
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.base import clone

from sklearn_transrate.exceptions import CorruptStatisticsError, TransRateWarning
from sklearn_transrate.model_selection._candidates import Source, fingerprint
from sklearn_transrate.statistics import (
    Statistic,
    cheapest_cover,
    load_statistics,
    save_statistics,
)

__all__ = ["Saved", "Shelf", "StatisticsStore", "by_fold"]

# Where a file says which work it is the result of; it may have been renamed.
MADE_FOR = "made_for"
# Seconds after which an unfinished file has nobody who still writes to it.
ABANDONED = 3600.0
MOST_BYTES = 10 * 2**30
_OURS = re.compile(r"[0-9a-f]{32}\.npz")


@dataclass(frozen=True)
class Saved:
    """What is on disk of one layer.

    Attributes
    ----------
    statistics : dict of {name: Statistic}
        By fold and number, such as "0.1".
    facts : dict
        Times in seconds, and the number of features.
    values : dict of {metric: ndarray}
        What every unit contributes to a score.
    """

    statistics: dict[str, Statistic]
    facts: dict[str, float]
    values: dict[str, np.ndarray]


class StatisticsStore:
    """A folder with one file for each layer, named by what made it.

    The name is a hash of the extractor's fingerprint, which has its model and
    preprocessing, of the layer, and of the data. Several processes may use the folder
    at the same time: a file is there whole or not at all. Above `MOST_BYTES` in all,
    the files that were not used for longest are removed, but none that this store used.

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

    def shelf(self, source: Source, required: Iterable[Statistic]) -> Shelf:
        """Return what is saved of an unfitted source, or may be."""
        return Shelf(self, source, required)

    def path(self, *made_of: Any) -> Path:
        """Return the file of what was made of the data, and of this."""
        return self.folder / f"{joblib.hash((self._data, *made_of))}.npz"

    def load(self, path: Path, name: str):
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
                f"{error} Candidate {name!r} is computed again.",
                TransRateWarning,
                stacklevel=2,
            )
            return None
        with suppress(OSError):  # Another process may have removed it.
            os.utime(path)
        return statistics, facts

    def save(self, path: Path, name: str, statistics, facts: dict) -> bool:
        """Save statistics; say so, and go on, where that fails."""
        self._used.add(path)
        try:
            save_statistics(path, statistics, metadata={MADE_FOR: path.stem, **facts})
        except (TypeError, OSError) as error:  # labels that no file holds; a full disk
            warnings.warn(
                f"Candidate {name!r} cannot be resumed: {error}",
                TransRateWarning,
                stacklevel=2,
            )
            return False
        return True

    def clean_up(self) -> None:
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


class Shelf:
    """The saved layers of one source.

    Parameters
    ----------
    store : StatisticsStore
        Where they are.
    source : Source
        Unfitted: a fitted extractor may have another fingerprint.
    required : iterable of Statistic
        What a layer must have to be of use.
    """

    def __init__(
        self, store: StatisticsStore, source: Source, required: Iterable[Statistic]
    ) -> None:
        self._store, self._source, self._required = store, source, list(required)
        model, choice = _identify(source)
        self._model = model
        self._choice = store.path(model, "layers", choice)
        self._read: dict[str | None, Saved | None] = {}

    def layers(self) -> list[str | None] | None:
        """Return the layers that the source is known to choose; None if it is not."""
        if not self._source.is_layered:
            return [None]
        found = self._store.load(self._choice, self._source.name)
        return None if found is None else found[1].get("layers")

    def missing(self, layers: Iterable[str | None]) -> list[str | None]:
        """Return the layers of which something is missing."""
        return [layer for layer in layers if self.find(layer) is None]

    def find(self, layer: str | None) -> Saved | None:
        """Return what is saved of a layer; None if that is not enough."""
        if layer not in self._read:
            self._read[layer] = self._load(layer)
        saved = self._read[layer]
        if saved is None:
            return None
        enough = all(
            any(statistic.covers(wanted) for statistic in fold)
            for fold in by_fold(saved.statistics).values()
            for wanted in self._required
        )
        return saved if enough else None

    def save(self, layers: Sequence[str | None], found: Mapping, facts, values) -> None:
        """Save some of the source's layers, with what was saved of them before.

        Parameters
        ----------
        layers : sequence of str or None
            All that the source chooses.
        found : mapping of {layer: {name: Statistic}}
            The new ones.
        facts : mapping of {layer: dict}
            Times and widths.
        values : mapping of {(layer, metric): ndarray}
            What every unit contributes to a score.
        """
        is_saved = True
        for layer, statistics in found.items():
            own = {key: cells for (name, key), cells in values.items() if name == layer}
            new = Saved(statistics, facts[layer], own)
            is_saved &= self._save(layer, _joined(new, self._read.get(layer)))
        if is_saved and self._source.is_layered:
            facts = {"layers": list(layers)}
            self._store.save(self._choice, self._source.name, {}, facts)
        if is_saved:
            self._store.clean_up()

    def _load(self, layer: str | None) -> Saved | None:
        path = self._store.path(self._model, layer)
        found = self._store.load(path, self._source.candidate(layer))
        if found is None:
            return None
        statistics, facts = found
        values = {
            key: np.array(cells, dtype=np.float64)
            for key, cells in facts.pop("values", ())
        }
        return Saved(statistics.get(layer, {}), facts, values)

    def _save(self, layer: str | None, saved: Saved) -> bool:
        # By the seven digits that errors need.
        values = [
            [key, np.round(cells, _decimals(cells)).tolist()]
            for key, cells in saved.values.items()
        ]
        return self._store.save(
            self._store.path(self._model, layer),
            self._source.candidate(layer),
            {layer: saved.statistics},
            {**saved.facts, "values": values},
        )


def by_fold(named: Mapping[str, Statistic]) -> dict[str, list[Statistic]]:
    """Return the statistics of each fold, which come by names such as "0.1"."""
    folds: dict[str, list[Statistic]] = {}
    for key, statistic in named.items():
        folds.setdefault(key.partition(".")[0], []).append(statistic)
    return folds


def _identify(source: Source) -> tuple[str, Any]:
    """Return what an extractor is but for its choice of layers, and that choice."""
    extractor = source.extractor
    has_choice = source.is_layered and hasattr(extractor, "get_params")
    if not has_choice or "layers" not in extractor.get_params(deep=False):
        return fingerprint(extractor), None
    return fingerprint(clone(extractor).set_params(layers="all")), extractor.layers


def _joined(new: Saved, old: Saved | None) -> Saved:
    """Add what an older run knew and a newer did not ask for."""
    if old is None:
        return new
    statistics = {}
    for fold, own in by_fold(new.statistics).items():
        earlier = by_fold(old.statistics).get(fold, [])
        both = cheapest_cover([*own, *earlier])
        statistics |= {f"{fold}.{k}": statistic for k, statistic in enumerate(both)}
    return Saved(statistics, new.facts, old.values | new.values)


def _decimals(cells: np.ndarray) -> int:
    largest = float(np.abs(cells).max(initial=0.0))
    if not 0.0 < largest < np.inf:
        return 0
    return 7 - int(np.floor(np.log10(largest)))


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
