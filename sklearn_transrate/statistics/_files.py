"""Statistics on disk: an .npz of plain arrays with a JSON header, no pickles."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_transrate.exceptions import CorruptStatisticsError
from sklearn_transrate.statistics._base import Statistic
from sklearn_transrate.statistics._joint import JointTable
from sklearn_transrate.statistics._moments import ClassMoments
from sklearn_transrate.statistics._rows import RowSample
from sklearn_transrate.statistics._targets import TargetMoments

__all__ = ["FORMAT_VERSION", "load_statistics", "save_statistics"]

FORMAT = "sklearn-transrate statistics"
FORMAT_VERSION = 1
_TYPES = {
    kind.__name__: kind for kind in (ClassMoments, JointTable, RowSample, TargetMoments)
}
_JSON_LABELS = (str, int, float, bool)


def save_statistics(
    path: str | os.PathLike,
    statistics: Mapping[Hashable, Mapping[str, Statistic]],
    *,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write statistics to one file, all or nothing.

    Parameters
    ----------
    path : str or path-like
        Where to write. The file appears under this name only once it is complete.
    statistics : mapping of {layer: {name: Statistic}}
        As `accumulate` returns them.
    metadata : mapping, default=None
        Facts to keep beside them; anything that JSON can hold.

    Raises
    ------
    TypeError
        If labels are of a kind that neither numpy nor JSON can hold, if metadata are
        not plain, or if a statistic is not one of this package's.

    See Also
    --------
    load_statistics : Read them back.
    """
    arrays: dict[str, np.ndarray] = {}
    entries = []
    for layer, named in statistics.items():
        for name, statistic in named.items():
            entry, own = _entry(layer, name, statistic)
            arrays |= {f"{len(entries)}/{key}": array for key, array in own.items()}
            entries.append(entry)
    header = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "entries": entries,
        "metadata": dict(metadata or {}),
    }
    arrays["header"] = np.array(json.dumps(header))
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
    try:
        with scratch.open("xb") as file:
            np.savez(file, **arrays)
        os.replace(scratch, path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def load_statistics(
    path: str | os.PathLike,
) -> tuple[dict[Hashable, dict[str, Statistic]], dict[str, Any]]:
    """Read what `save_statistics` wrote.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    statistics : dict of {layer: {name: Statistic}}
        As they were saved.
    metadata : dict
        What was kept beside them.

    Raises
    ------
    CorruptStatisticsError
        If the file is truncated, foreign or of a newer format.
    FileNotFoundError
        If there is no such file.

    See Also
    --------
    save_statistics : Write them.
    """
    with open(path, "rb") as file:
        try:
            with np.load(file, allow_pickle=False) as archive:
                header = json.loads(str(archive["header"]))
                _check_header(header)
                statistics: dict[Hashable, dict[str, Statistic]] = {}
                for number, entry in enumerate(header["entries"]):
                    statistic = _read_entry(archive, number, entry)
                    statistics.setdefault(entry["layer"], {})[entry["name"]] = statistic
                return statistics, header["metadata"]
        except MemoryError:
            raise
        # Damaged bytes make zip, npy and JSON readers raise errors of any kind.
        except Exception as error:
            raise CorruptStatisticsError(
                f"Cannot read saved statistics from {os.fspath(path)!r}: {error} "
                "Expected a whole file that save_statistics of this release, or an "
                "older one, wrote. Accumulate the statistics again."
            ) from error


def _entry(layer, name, statistic) -> tuple[dict, dict[str, np.ndarray]]:
    """Split a statistic into what the header says of it and its arrays."""
    kind = type(statistic).__name__
    if _TYPES.get(kind) is not type(statistic):
        raise TypeError(
            f"Cannot save a {kind}, only {sorted(_TYPES)}. Save what its to_arrays() "
            "returns instead."
        )
    state = statistic.to_arrays()
    labels = {k: _plain_labels(a) for k, a in state.items() if a.dtype == object}
    own = {key: array for key, array in state.items() if key not in labels}
    return {"layer": layer, "name": name, "type": kind, "labels": labels}, own


def _plain_labels(array: np.ndarray) -> list:
    for label in array:
        if not isinstance(label, _JSON_LABELS):
            raise TypeError(
                f"Cannot save the label {label!r} of type {type(label).__name__}. "
                "Expected strings, numbers or booleans; map the labels to one of them."
            )
    return array.tolist()


def _check_header(header: dict) -> None:
    if header["format"] != FORMAT:
        raise ValueError(f"Its header names the format {header['format']!r}.")
    if header["version"] > FORMAT_VERSION:
        raise ValueError(
            f"It has format version {header['version']}, and this release reads up to "
            f"{FORMAT_VERSION}. Update sklearn-transrate."
        )


def _read_entry(archive: Mapping, number: int, entry: dict) -> Statistic:
    prefix = f"{number}/"
    state = {
        key.removeprefix(prefix): archive[key]
        for key in archive
        if key.startswith(prefix)
    }
    for key, labels in entry["labels"].items():
        state[key] = np.empty(len(labels), dtype=object)
        state[key][:] = labels
    return _TYPES[entry["type"]].from_arrays(state)
