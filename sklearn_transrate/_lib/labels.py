"""Labels of any hashable kind, as sorted distinct values and integer codes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import numpy as np

__all__ = ["encode_labels", "labels_to_array", "sorted_labels"]


def sorted_labels(labels: Iterable[Hashable]) -> list[Hashable]:
    """Sort labels; kinds that do not compare are grouped by type, then by repr."""
    labels = list(labels)
    try:
        return sorted(labels)
    except TypeError:
        return sorted(labels, key=lambda label: (type(label).__name__, repr(label)))


def encode_labels(y: Sequence[Hashable]) -> tuple[list[Hashable], np.ndarray]:
    """Return the distinct labels in order, and the position of each in them.

    Parameters
    ----------
    y : sequence of hashable
        An array, a column or a list; its items may be of mixed kinds.

    Returns
    -------
    labels : list
        Distinct labels as Python objects, ordered by `sorted_labels`.
    codes : ndarray of shape (n_samples,), dtype intp
        ``labels[codes[i]] == y[i]``.
    """
    array = y if isinstance(y, np.ndarray) else _column(y)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(
            f"Expected labels of shape (n_samples,), got shape {array.shape}. "
            "Pass one label per row."
        )
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise ValueError("Input y contains NaN. Drop the rows without a label.")
    if array.dtype.kind != "O":
        labels, codes = np.unique(array, return_inverse=True)
        return labels.tolist(), codes.reshape(-1)
    items = [_plain(item) for item in array]
    if any(item is None or item != item for item in items):
        raise ValueError("Input y contains NaN. Drop the rows without a label.")
    labels = sorted_labels(dict.fromkeys(items))
    position = {label: i for i, label in enumerate(labels)}
    return labels, np.fromiter((position[item] for item in items), np.intp, len(items))


def labels_to_array(labels: Sequence[Hashable]) -> np.ndarray:
    """Return labels as an array, of objects if they share no plain type."""
    if len({type(label) for label in labels}) <= 1 and isinstance(
        labels[0] if labels else 0, bool | int | float | str
    ):
        return np.asarray(labels)
    array = np.empty(len(labels), dtype=object)
    array[:] = labels
    return array


def _column(y: Sequence[Hashable]) -> np.ndarray:
    """Turn a list or a frame's column into a 1-d array, tuples kept whole."""
    if hasattr(y, "to_numpy"):
        return y.to_numpy()
    items = list(y)
    if items and all(isinstance(item, int | float | np.generic) for item in items):
        return np.asarray(items)
    if items and all(isinstance(item, list | np.ndarray) for item in items):
        return np.asarray(items)
    column = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        column[i] = item
    return column


def _plain(item: Hashable) -> Hashable:
    return item.item() if isinstance(item, np.generic) else item
