"""Rows of any container, a batch at a time, with their labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from numbers import Integral
from typing import Any

import numpy as np
from scipy import sparse

__all__ = [
    "count_rows",
    "is_stream",
    "iter_batches",
    "rows_per_batch",
    "stack_batches",
    "take_rows",
]

_BATCH_BYTES = 2**24
_MOST_ROWS = 4096
_ROWS_OF_UNKNOWN_SIZE = 64


def iter_batches(
    X: Any, y: Any = None, batch_size: int | str = "auto"
) -> Iterator[tuple[Any, Any]]:
    """Cut inputs and labels into batches, in order, without copying the whole.

    Parameters
    ----------
    X : array, memmap, sparse matrix, frame, list, mapping of arrays, or stream
        Anything with a length and items: one row per sample. A mapping, such as a
        tokenizer's output, holds one array per input, all of the same length.
        Anything else that can be iterated over is a stream of batches, such as a
        data loader or a generator: of pairs ``(X_batch, y_batch)``, of one-tuples
        ``(X_batch,)``, or of arrays. Its batches are passed on as they come.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        Labels; not with a stream, which brings its own.
    batch_size : int or "auto", default="auto"
        Rows per batch. "auto" fits as many rows as make up 16 MiB, at least one and
        at most 4096; 64 where the size of a row is not known, as for lists of
        texts. Ignored for streams.

    Returns
    -------
    batches : iterator of (X_batch, y_batch)
        X_batch is of the kind of `X`, and for arrays a view of it. y_batch is an
        array, or a list where `y` is one, or None without labels.

    Raises
    ------
    TypeError
        If `X` or `batch_size` are of the wrong kind.
    ValueError
        If `X` and `y` differ in length, or a stream holds something else.

    Examples
    --------
    >>> list(iter_batches(["a.png", "b.png", "c.png"], [0, 1, 1], batch_size=2))
    [(['a.png', 'b.png'], [0, 1]), (['c.png'], [1])]
    """
    _check_batch_size(batch_size)
    if is_stream(X):
        if y is not None:
            raise ValueError(
                f"Expected no y beside a stream of batches ({type(X).__name__}), which "
                "brings its own labels. Leave y out, or pass X as an array or a list."
            )
        return map(_as_pair, iter(X))
    n_rows = count_rows(X)
    if y is not None and count_rows(y, name="y") != n_rows:
        raise ValueError(
            f"Expected one label per row, got {n_rows} rows in X and "
            f"{count_rows(y, name='y')} in y. Pass the labels of these rows."
        )
    if sparse.issparse(X):
        X = X.tocsr()  # Once, rather than for every batch.
    size = rows_per_batch(_row_bytes(X)) if batch_size == "auto" else int(batch_size)
    return _slices(X, y, n_rows, size)


def is_stream(X: Any) -> bool:
    """Tell whether X yields batches, rather than holding rows to be cut."""
    if isinstance(X, str | bytes) or not isinstance(X, Iterable):
        return False
    holds_rows = hasattr(X, "__len__") and hasattr(X, "__getitem__")
    return not (holds_rows or hasattr(X, "shape"))


def count_rows(X: Any, name: str = "X") -> int:
    """Return the number of rows of anything that is not a stream.

    Parameters
    ----------
    X : array, sparse matrix, frame, list, or mapping of them
        The rows.
    name : str, default="X"
        What to call it in an error.

    Returns
    -------
    n_rows : int
    """
    if _is_mapping(X):
        lengths = {key: count_rows(value, name) for key, value in X.items()}
        if len(set(lengths.values())) != 1:
            raise ValueError(
                f"Expected every entry of {name} to have the same number of rows, got "
                f"{lengths}."
            )
        return next(iter(lengths.values()))
    shape = getattr(X, "shape", None)
    if shape is not None and len(shape):
        return int(shape[0])
    if isinstance(X, str | bytes) or shape is not None or not hasattr(X, "__len__"):
        raise TypeError(
            f"Expected {name} to hold one row per sample, got {type(X).__name__}. "
            "Pass an array, a frame or a list; a single sample goes into a list."
        )
    return len(X)


def take_rows(X: Any, start: int, stop: int) -> Any:
    """Return consecutive rows of anything that `count_rows` counts."""
    if _is_mapping(X):
        return {key: take_rows(value, start, stop) for key, value in X.items()}
    if sparse.issparse(X):
        return X.tocsr()[start:stop]
    if hasattr(X, "iloc"):
        return X.iloc[start:stop]
    if hasattr(X, "shape") or isinstance(X, list | tuple | range):
        return X[start:stop]
    # A dataset whose items are samples need not understand slices.
    return [X[i] for i in range(start, min(stop, len(X)))]


def rows_per_batch(row_bytes: int | None) -> int:
    """Return the batch size that "auto" stands for.

    Parameters
    ----------
    row_bytes : int or None
        Size of a row; None where it is not known.

    Returns
    -------
    n_rows : int

    Examples
    --------
    >>> rows_per_batch(3 * 224 * 224 * 4), rows_per_batch(None)
    (27, 64)
    """
    if row_bytes is None:
        return _ROWS_OF_UNKNOWN_SIZE
    return max(1, min(_MOST_ROWS, _BATCH_BYTES // max(row_bytes, 1)))


def stack_batches(batches: Iterable[np.ndarray], n_rows: int | None) -> np.ndarray:
    """Put batches of rows under each other, in one array made at the start.

    Parameters
    ----------
    batches : iterable of ndarray of shape (b, n_features)
        At least one.
    n_rows : int or None
        Rows of all batches together, where that is known.

    Returns
    -------
    rows : ndarray of shape (n_rows, n_features)
    """
    if n_rows is None:
        parts = list(batches)
        return np.concatenate(parts) if parts else _refuse_no_rows()
    rows, filled = None, 0
    for batch in batches:
        if rows is None:
            rows = np.empty((n_rows, batch.shape[1]), dtype=batch.dtype)
        elif batch.dtype != rows.dtype:
            rows = rows.astype(np.result_type(rows, batch), copy=False)
        rows[filled : filled + len(batch)] = batch
        filled += len(batch)
    return _refuse_no_rows() if rows is None else rows


def _refuse_no_rows() -> np.ndarray:
    raise ValueError("Expected at least one row in X, got none.")


def _is_mapping(X: Any) -> bool:
    # A sparse matrix of keys is a dict, too.
    return isinstance(X, Mapping) and not hasattr(X, "shape")


def _check_batch_size(batch_size: Any) -> None:
    if isinstance(batch_size, str) and batch_size == "auto":
        return
    if not isinstance(batch_size, Integral) or isinstance(batch_size, bool):
        raise TypeError(
            f"Expected 'batch_size' to be an integer or 'auto', got {batch_size!r}."
        )
    if batch_size < 1:
        raise ValueError(f"Expected 'batch_size' to be at least 1, got {batch_size}.")


def _slices(X: Any, y: Any, n_rows: int, size: int) -> Iterator[tuple[Any, Any]]:
    for start in range(0, n_rows, size):
        stop = start + size
        y_batch = None if y is None else _plain_labels(take_rows(y, start, stop))
        yield take_rows(X, start, stop), y_batch


def _as_pair(batch: Any) -> tuple[Any, Any]:
    if not isinstance(batch, tuple | list):
        if hasattr(batch, "shape") or _is_mapping(batch):
            return batch, None
    elif len(batch) == 2:
        return batch[0], _plain_labels(batch[1])
    elif len(batch) == 1:
        return batch[0], None
    length = f" of length {len(batch)}" if hasattr(batch, "__len__") else ""
    raise ValueError(
        "Expected a stream of batches as pairs (X_batch, y_batch), got an item of type "
        f"{type(batch).__name__}{length}. Yield pairs, with None for missing labels, "
        "or pass the rows as a list."
    )


def _plain_labels(y: Any) -> Any:
    """Return labels as an array; lists stay, as numpy would make their types alike."""
    if y is None or isinstance(y, list | tuple):
        return y
    if sparse.issparse(y):
        return y.toarray()
    if hasattr(y, "detach"):  # A tensor, maybe on another device.
        y = y.detach().cpu()
    return y.to_numpy() if hasattr(y, "to_numpy") else np.asarray(y)


def _row_bytes(X: Any) -> int | None:
    if _is_mapping(X):
        sizes = [_row_bytes(value) for value in X.values()]
        return None if None in sizes else sum(sizes)
    if sparse.issparse(X):
        return X.data.nbytes // max(X.shape[0], 1)
    shape = getattr(X, "shape", None)
    dtype = getattr(X, "dtype", np.dtype(np.float64))
    itemsize = getattr(dtype, "itemsize", None)
    if shape is None or itemsize is None or getattr(dtype, "kind", "f") in "OUSM":
        return None
    return int(np.prod(shape[1:], dtype=np.int64)) * itemsize
