"""Statistics on disk: an .npz of plain arrays with a JSON header, no pickles."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_transrate.exceptions import CorruptStatisticsError
from sklearn_transrate.statistics._base import Statistic
from sklearn_transrate.statistics._moments import ClassMoments
from sklearn_transrate.statistics._rows import RowSample
from sklearn_transrate.statistics._targets import TargetMoments

__all__ = ["FORMAT_VERSION", "load_statistics", "save_statistics"]

FORMAT = "sklearn-transrate statistics"
FORMAT_VERSION = 1
_TYPES = {kind.__name__: kind for kind in (ClassMoments, RowSample, TargetMoments)}
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
        If labels are of a kind that neither numpy nor JSON can hold.
    """
    arrays: dict[str, np.ndarray] = {}
    entries = []
    for layer, named in statistics.items():
        for name, statistic in named.items():
            number = len(entries)
            labels = {}
            for key, array in statistic.to_arrays().items():
                if array.dtype == object:
                    labels[key] = _plain_labels(array)
                else:
                    arrays[f"{number}/{key}"] = array
            entries.append(
                {
                    "layer": layer,
                    "name": name,
                    "type": type(statistic).__name__,
                    "labels": labels,
                }
            )
    header = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "entries": entries,
        "metadata": dict(metadata or {}),
    }
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent, suffix=".partial")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, header=np.array(json.dumps(header)), **arrays)
        os.replace(scratch, path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
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
    metadata : dict

    Raises
    ------
    CorruptStatisticsError
        If the file is truncated, foreign or of a newer format.
    FileNotFoundError
        If there is no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            header = json.loads(str(archive["header"]))
            if header.get("format") != FORMAT:
                raise CorruptStatisticsError(
                    f"{os.fspath(path)!r} is not of this kind."
                )
            if header["version"] > FORMAT_VERSION:
                raise CorruptStatisticsError(
                    f"{os.fspath(path)!r} has format version {header['version']}, this "
                    f"release reads up to {FORMAT_VERSION}. Update sklearn-transrate."
                )
            arrays = {key: archive[key] for key in archive.files if key != "header"}
    except FileNotFoundError:
        raise
    except CorruptStatisticsError:
        raise
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        zipfile.BadZipFile,
    ) as e:
        raise CorruptStatisticsError(
            f"Cannot read saved statistics from {os.fspath(path)!r}: {e}. The file is "
            "truncated or was not written by save_statistics. Delete it."
        ) from e
    statistics: dict[Hashable, dict[str, Statistic]] = {}
    for number, entry in enumerate(header["entries"]):
        prefix = f"{number}/"
        own = {
            key.removeprefix(prefix): value
            for key, value in arrays.items()
            if key.startswith(prefix)
        }
        for key, labels in entry["labels"].items():
            own[key] = np.array(labels + [None], dtype=object)[:-1]
        statistic = _TYPES[entry["type"]].from_arrays(own)
        statistics.setdefault(entry["layer"], {})[entry["name"]] = statistic
    return statistics, header["metadata"]


def _plain_labels(array: np.ndarray) -> list:
    for label in array:
        if not isinstance(label, _JSON_LABELS):
            raise TypeError(
                f"Cannot save the label {label!r} of type {type(label).__name__}. "
                "Expected strings, numbers or booleans; map the labels to one of them."
            )
    return array.tolist()
