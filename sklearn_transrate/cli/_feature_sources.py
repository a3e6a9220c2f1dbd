"""Files of features and labels: which of their arrays are which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sklearn_transrate._lib.optional import import_optional
from sklearn_transrate._lib.text import nearest_names

if TYPE_CHECKING:
    import numpy as np

    from sklearn_transrate.extractors import PrecomputedFeatures

__all__ = [
    "FRAMES",
    "LABEL_NAMES",
    "FeatureSource",
    "find_label_name",
    "list_feature_files",
    "name_files",
    "open_features",
    "read_frame",
    "read_labels",
]

ARRAYS = (".npy", ".npz", ".safetensors")
FRAMES = (".csv", ".parquet")
LABEL_NAMES = ("y", "label", "labels", "target", "targets")
# What a source model says of its own classes: no features, unless somebody asks.
SOURCE_PREDICTIONS = ("p", "proba", "probabilities", "logits")
NUMBERS = "fiub"


class FeatureSource(NamedTuple):
    """Features of one file, and the labels beside them.

    Attributes
    ----------
    extractor : PrecomputedFeatures
        The chosen arrays; its layers.
    n_rows : int
        Rows that each of them has.
    labels : ndarray or None
        Labels in the same file.
    """

    extractor: PrecomputedFeatures
    n_rows: int
    labels: np.ndarray | None


def open_features(
    path: Path, wanted: Sequence[str] = (), label_name: str | None = None
) -> FeatureSource:
    """Find features, and labels if there are some, in a file.

    Parameters
    ----------
    path : Path
        An .npy, .npz or .safetensors file, whose numbers stay on disk, or a table.
    wanted : sequence of str, default=()
        Arrays, or columns, that are the features: names or patterns.
    label_name : str, default=None
        Array or column of the labels.

    Returns
    -------
    source : FeatureSource
    """
    if path.suffix in FRAMES:
        return _from_frame(path, wanted, label_name)
    from sklearn_transrate._lib.array_files import list_arrays
    from sklearn_transrate.extractors import PrecomputedFeatures

    arrays = list_arrays(path)
    label = find_label_name(path, arrays, label_name)
    rows = {
        name: array.shape[0]
        for name, array in arrays.items()
        if name != label and len(array.shape) > 1 and array.dtype.kind in NUMBERS
    }
    chosen = _choose(path, list(rows), wanted)
    counts = {name: rows[name] for name in chosen}
    if len(set(counts.values())) > 1:
        raise ValueError(
            f"Expected arrays with the same number of rows in {str(path)!r}, got "
            f"{counts}. Choose among them with --features."
        )
    # The array of an .npy file has no name of its own.
    layers = "all" if path.suffix == ".npy" else chosen
    labels = None if label is None else arrays[label].open()
    return FeatureSource(
        PrecomputedFeatures(path, layers=layers), counts[chosen[0]], labels
    )


def _from_frame(
    path: Path, wanted: Sequence[str], label_name: str | None
) -> FeatureSource:
    from sklearn_transrate.extractors import PrecomputedFeatures

    frame = read_frame(path)
    label = find_label_name(path, frame, label_name)
    numeric = [name for name in frame if frame[name].dtype.kind in NUMBERS]
    columns = _choose(path, [name for name in numeric if name != label], wanted)
    labels = None if label is None else frame[label].to_numpy()
    return FeatureSource(
        PrecomputedFeatures(frame[columns].to_numpy()), len(frame), labels
    )


def _choose(path: Path, names: list[str], wanted: Sequence[str]) -> list[str]:
    """Return the names that the patterns want; without patterns, those of features."""
    if not wanted:
        own = [name for name in names if name.lower() not in SOURCE_PREDICTIONS]
        wanted = own or names
    chosen = []
    for pattern in wanted:
        if pattern in names:
            found = [pattern]
        else:
            found = [name for name in names if fnmatchcase(name, pattern)]
        if not found:
            raise ValueError(
                f"Found no features {pattern!r} in {str(path)!r}: "
                f"{nearest_names(pattern, names)}. Name them with --features."
            )
        chosen += found
    if not chosen:
        raise ValueError(
            f"Expected at least one array of numbers of shape (n, n_features), or "
            f"column of numbers, in {str(path)!r}, found none. Save features with "
            "numpy.savez."
        )
    return list(dict.fromkeys(chosen))


def find_label_name(
    path: Path, names: Mapping[str, Any], wanted: str | None
) -> str | None:
    """Return what the labels in a file are called, or None where there are none."""
    if wanted is None:
        usual = {name: name.lower() for name in map(str, names)}
        found = (
            name for known in LABEL_NAMES for name in usual if usual[name] == known
        )
        return next(found, None)
    if wanted not in names:
        raise ValueError(
            f"Found no labels {wanted!r} in {str(path)!r}: "
            f"{nearest_names(wanted, [str(name) for name in names])}. Name them with "
            "--label-name."
        )
    return wanted


def read_labels(path: Path, label_name: str | None = None) -> np.ndarray:
    """Read the labels of a file that holds them, alone or among other things.

    Parameters
    ----------
    path : Path
        An .npy, .npz or .safetensors file, a table, or text with one label a line.
    label_name : str, default=None
        Array or column of the labels.

    Returns
    -------
    labels : ndarray of shape (n,) or (n, n_outputs)
    """
    import numpy as np

    if path.suffix == ".txt":
        return np.array(path.read_text(encoding="utf-8-sig").splitlines())
    if path.suffix in FRAMES:
        columns: Any = read_frame(path)
    else:
        from sklearn_transrate._lib.array_files import list_arrays

        columns = list_arrays(path)
    name = find_label_name(path, columns, label_name)
    if name is None:
        if len(list(columns)) != 1:
            raise ValueError(
                f"Expected one array of labels in {str(path)!r}, or one called "
                f"{', '.join(LABEL_NAMES)}, found {sorted(map(str, columns))}. Say "
                "which with --label-name."
            )
        (name,) = columns
    column = columns[name]
    labels = np.asarray(column.open() if hasattr(column, "open") else column)
    return labels.ravel() if labels.shape[1:] == (1,) else labels


def read_frame(path: Path) -> Any:
    """Read a table by pandas."""
    pandas = import_optional(
        "pandas", extra="frame", purpose=f"A {path.suffix} file of features or labels"
    )
    try:
        if path.suffix == ".csv":
            return pandas.read_csv(path)
        return pandas.read_parquet(path)
    except (pandas.errors.ParserError, pandas.errors.EmptyDataError) as error:
        raise ValueError(
            f"Expected a table with one header line in {str(path)!r}, but it could not "
            f"be read: {error}"
        ) from error


def list_feature_files(places: Sequence[Path], leave_out: Path | None) -> list[Path]:
    """Return all files of features in folders, beside those that are named."""
    found: list[Path] = []
    for place in places:
        inside = sorted(place.rglob("*")) if place.is_dir() else [place]
        if place.is_dir():
            inside = [path for path in inside if path.suffix in ARRAYS + FRAMES]
        found += [
            path for path in inside if leave_out is None or not path.samefile(leave_out)
        ]
    return list(dict.fromkeys(found))


def name_files(paths: Sequence[Path]) -> dict[str, Path]:
    """Name files by their stems, or by their paths where stems are the same.

    Examples
    --------
    >>> list(name_files([Path("a/vit.npz"), Path("a/resnet.npz")]))
    ['vit', 'resnet']
    >>> list(name_files([Path("a/vit.npz"), Path("b/vit.npz")]))
    ['a/vit', 'b/vit']
    """
    for name_of in (
        lambda path: path.stem,
        lambda path: path.with_suffix("").as_posix(),
        lambda path: path.as_posix(),
    ):
        named = {name_of(path): path for path in paths}
        if len(named) == len(paths):
            break
    return named
