"""Functions called where the data are: on the workers of dask and of ray.

Neither is imported before something of theirs is at hand, which says by its type
whose it is.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from sklearn_transrate._lib.optional import import_optional

__all__ = ["Engine", "engine_of", "is_lazy", "map_rows", "row_blocks"]

# Results that one task merges: few enough to hold at once, many enough that the
# tree stays flat.
FAN_IN = 4
_OWNERS = {"dask": "dask", "dask_expr": "dask", "distributed": "dask", "ray": "ray"}


class Engine(NamedTuple):
    """How to call functions on workers.

    Attributes
    ----------
    call : callable (function, *arguments) -> handle
        Arguments may be handles; the function gets what they stand for.
    fetch : callable handle -> value
        Bring one value here.
    """

    call: Callable[..., Any]
    fetch: Callable[[Any], Any]

    def fold(self, merge: Callable, handles: Sequence[Any]) -> Any:
        """Merge what handles stand for in a tree, in order, and fetch the root.

        Parameters
        ----------
        merge : callable (*values) -> value
            Merges up to four neighbours. It must not change them: a worker that is
            lost makes others run it again.
        handles : sequence of handles
            At least one.

        Returns
        -------
        value : object
        """
        handles = list(handles)
        while len(handles) > 1:
            handles = [
                self.call(merge, *handles[i : i + FAN_IN])
                for i in range(0, len(handles), FAN_IN)
            ]
        return self.fetch(handles[0])


def engine_of(value: Any) -> Engine | None:
    """Return who holds a value: None for what is in this process.

    Parameters
    ----------
    value : object
        A dask collection, a dask delayed value, a future of dask.distributed, a
        reference to an object of ray, or anything else.

    Returns
    -------
    engine : Engine or None
    """
    owner = _OWNERS.get(type(value).__module__.partition(".")[0])
    return None if owner is None else {"dask": _dask, "ray": _ray}[owner]()


def is_lazy(array: Any) -> bool:
    """Whether this is a dask array or frame: rows in blocks, with a shape."""
    return hasattr(array, "shape") and engine_of(array) is not None


def row_blocks(
    features: Any, y: Any, sample_weight: Any = None
) -> tuple[Engine, list[tuple]]:
    """Cut rows along the blocks of a dask array.

    Parameters
    ----------
    features : dask array or frame, or mapping of {layer: dask array}
        Rows; of several, the first one's blocks count.
    y, sample_weight : array-like or dask array
        What belongs to the rows. Arrays in this process are cut and sent along.

    Returns
    -------
    engine : Engine
        Whom to call.
    batches : list of tuple
        ``(features, y)`` or ``(features, y, sample_weight)`` of each block; handles,
        or mappings of handles.

    Raises
    ------
    ValueError
        If rows and labels differ in number, or in their blocks where the numbers of
        rows are not known.
    """
    layers = features if isinstance(features, Mapping) else {None: features}
    arrays = {layer: _as_array(array) for layer, array in layers.items()}
    chunks = next(iter(arrays.values())).chunks[0]
    blocks = {
        layer: _blocks(array, chunks, f"layer {layer!r}" if layer else "X")
        for layer, array in arrays.items()
    }
    rows = zip(*blocks.values(), strict=True)
    by_layer = [dict(zip(blocks, row, strict=True)) for row in rows]
    columns: list[list] = [
        by_layer if isinstance(features, Mapping) else blocks[None],
        _blocks(y, chunks, "y"),
    ]
    if sample_weight is not None:
        columns.append(_blocks(sample_weight, chunks, "sample_weight"))
    return _dask(), list(zip(*columns, strict=True))


def map_rows(function: Callable, array: Any, **options: Any) -> Any:
    """Apply a function to the blocks of a dask array; it keeps their rows.

    Parameters
    ----------
    function : callable ndarray -> ndarray
        Called where the block is.
    array : dask array
        Blocks are whole along every axis but the first.
    **options : dict
        For dask's ``map_blocks``, where shape or type change.

    Returns
    -------
    mapped : dask array
    """
    whole = _as_array(array)
    return whole.map_blocks(
        partial(_unless_empty, function),
        **{"dtype": whole.dtype, "meta": whole._meta} | options,
    )


def _unless_empty(function: Callable, block: Any) -> Any:
    return function(block) if len(block) else block


def _as_array(X: Any) -> Any:
    """Return a dask array whose blocks hold whole rows."""
    array = X.to_dask_array() if hasattr(X, "to_dask_array") else X
    return array.rechunk(dict.fromkeys(range(1, array.ndim), -1))


def _blocks(column: Any, chunks: tuple, name: str) -> list[Any]:
    """Cut one column of a table along the chunks of its rows."""
    if engine_of(column) is None:
        return _pieces(column, chunks, name)
    array = _as_array(column)
    known = not np.isnan([*array.chunks[0], *chunks]).any()
    if known and sum(array.chunks[0]) != sum(chunks):
        _refuse_length(sum(chunks), sum(array.chunks[0]), name)
    if known:
        array = array.rechunk({0: chunks})
    elif len(array.chunks[0]) != len(chunks):
        raise ValueError(
            f"Expected {name} in {len(chunks)} blocks, like the features, whose "
            f"numbers of rows are not known; got {len(array.chunks[0])}. Call "
            "compute_chunk_sizes() on both."
        )
    return list(array.to_delayed().reshape(-1))


def _pieces(column: Any, chunks: tuple, name: str) -> list[Any]:
    column = column.to_numpy() if hasattr(column, "to_numpy") else column
    if np.isnan(chunks).any():
        raise ValueError(
            f"Expected {name} as a dask array, because the blocks of the features "
            "have unknown numbers of rows. Or call compute_chunk_sizes() on them."
        )
    if len(column) != sum(chunks):
        _refuse_length(sum(chunks), len(column), name)
    ends = np.cumsum(chunks)
    return [column[end - size : end] for end, size in zip(ends, chunks, strict=True)]


def _refuse_length(n_rows: int, length: int, name: str) -> None:
    raise ValueError(
        f"Expected one entry of {name} for each row, got {length} for {n_rows} rows."
    )


def _dask() -> Engine:
    delayed = import_optional(
        "dask", extra="dask", purpose="Work on dask's collections"
    ).delayed

    def call(function, *arguments):
        return delayed(function, pure=False)(*arguments)

    return Engine(call, lambda handle: handle.compute())


def _ray() -> Engine:
    ray = import_optional("ray", extra="ray", purpose="Work on ray's objects")
    remote: dict[Hashable, Any] = {}

    def call(function, *arguments):
        if function not in remote:
            remote[function] = ray.remote(function)
        return remote[function].remote(*arguments)

    return Engine(call, ray.get)
