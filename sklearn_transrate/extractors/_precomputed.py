"""Features that were computed before: arrays, and files that hold them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import joblib
import numpy as np
from scipy import sparse

from sklearn_transrate._lib.array_files import ArrayOnDisk, list_arrays
from sklearn_transrate._lib.arrays import release_pages
from sklearn_transrate._lib.engines import is_lazy, map_rows
from sklearn_transrate.extractors._base import FeatureExtractor, model_attribute
from sklearn_transrate.extractors._batching import is_stream, rows_per_batch
from sklearn_transrate.extractors._pooling import pool, pooled_width

__all__ = ["PrecomputedFeatures"]

_ONLY_LAYER = "features"
_TEXT_AND_OBJECTS = "OSU"


class PrecomputedFeatures(FeatureExtractor):
    """Features that were computed before, taken by row number.

    `X` is row numbers, so that splits, subsamples and cross-validation work on them
    as on anything else: ``np.arange(n)`` are all rows in order.

    Parameters
    ----------
    features : array-like, path, or dict of {layer: array-like or path}
        Arrays of shape (n, n_features), or activations of shape (n, tokens,
        n_features) or (n, channels, height, width), which are averaged. A path leads
        to an .npy, .npz or .safetensors file. The arrays of one archive are its
        layers; those with one axis, such as labels, or of text are left out. Dask
        arrays stay where they are: selectors summarise their blocks on the workers.
    layers : str, int, or list of these, default="all"
        Layers to take. A single array is called "features".
    batch_size : int or "auto", default="auto"
        Rows per batch. "auto" fits 16 MiB of features, and at most 4096 rows.

    Attributes
    ----------
    layers_ : list of str
        All layers, in the order of the dict or the file. Known before `fit`.
    selected_layers_ : list of str
        Those that `layers` chooses.

    Raises
    ------
    FileNotFoundError
        By `fit` and `transform`, if a file does not exist.
    TypeError
        By `fit` and `transform`, if `X` does not hold integers, or features are no
        numbers.
    ValueError
        By `fit` and `transform`, if a row number is out of range, the chosen layers
        differ in their number of rows, or a file cannot be read. Pickles are never
        loaded.

    See Also
    --------
    MLPExtractor : Features of a network that runs when asked.

    Notes
    -----
    Files are memory-mapped, and only the rows of a batch are read. The members of an
    archive by ``numpy.savez_compressed`` cannot be mapped: each chosen one is held in
    memory during a pass. Pickling this object keeps paths as paths.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_transrate.extractors import PrecomputedFeatures
    >>> features = {"conv": np.eye(4), "head": np.arange(8.0).reshape(4, 2)}
    >>> extractor = PrecomputedFeatures(features, layers="head")
    >>> extractor.fit_transform(np.array([3, 0]))
    array([[6., 7.],
           [0., 1.]])
    """

    _shared_params = ("features",)

    def __init__(self, features, *, layers="all", batch_size="auto"):
        self.features = features
        self.layers = layers
        self.batch_size = batch_size

    @model_attribute
    def layers_(self) -> list[str]:
        """Names of all layers, in order."""
        return list(_list_layers(self.features))

    def _layer_widths(self, layers: Sequence[str]) -> dict[str, int]:
        stored = _list_layers(self.features)
        return {layer: pooled_width(array.shape) for layer, array in stored.items()}

    def _check_input(self, X: Any, layers: Sequence[str], *, reset: bool) -> None:
        stored = _list_layers(self.features)
        n_rows = _count_rows({layer: stored[layer] for layer in layers})
        if not is_stream(X):
            _row_numbers(X, n_rows)
        super()._check_input(X, layers, reset=reset)

    def _resolve_batch_size(self, batch_size: Any, layers: Sequence[str]) -> Any:
        if batch_size != "auto":
            return batch_size
        stored = _list_layers(self.features)
        return rows_per_batch(sum(_row_bytes(stored[layer]) for layer in layers))

    @contextmanager
    def _session(self, layers: Sequence[str]) -> Iterator[Callable]:
        stored = _list_layers(self.features)
        yield partial(_take, {layer: stored[layer].open() for layer in layers})

    def _forward(self, X_batch: Any, layers: Sequence[str]) -> dict[str, np.ndarray]:
        with self._session(layers) as forward:
            return forward(X_batch)

    def lazy_features(self, X) -> dict[str, Any] | None:
        """Return the chosen layers as dask arrays, without computing anything.

        Parameters
        ----------
        X : array-like of int of shape (n_samples,)
            Row numbers.

        Returns
        -------
        features : dict of {layer: dask array of shape (n_samples, n_features)}
            None unless all chosen layers are dask arrays.
        """
        stored = _list_layers(self.features)
        arrays = {layer: stored[layer].open() for layer in self.selected_layers_}
        if is_stream(X) or not all(map(is_lazy, arrays.values())):
            return None
        rows = _row_numbers(X, _count_rows(arrays))
        return {layer: _take_lazily(array, rows) for layer, array in arrays.items()}

    def fingerprint(self) -> str:
        """Return a hash of what would be computed; it changes with the files.

        Returns
        -------
        fingerprint : str
            Of the arrays' numbers, of what dask arrays are made from, and of the
            names, sizes and times of files.
        """
        return joblib.hash((_identity(self.features), self.selected_layers_))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        return tags


def _take(arrays: Mapping[str, Any], X_batch: Any) -> dict[str, np.ndarray]:
    n_rows = _count_rows(arrays)
    rows = _row_numbers(X_batch, n_rows)
    # Indexing by numbers copies, so that nobody can write to the stored features.
    taken = {layer: array[rows] for layer, array in arrays.items()}
    for array in arrays.values():
        release_pages(array)
    return {
        layer: part.toarray() if sparse.issparse(part) else np.asarray(part)
        for layer, part in taken.items()
    }


def _take_lazily(array: Any, rows: np.ndarray) -> Any:
    if not np.array_equal(rows, np.arange(len(array))):
        array = array[rows]
    if array.ndim == 2:
        return array
    return map_rows(
        pool,
        array,
        drop_axis=list(range(2, array.ndim)),
        chunks=(array.chunks[0], (pooled_width(array.shape),)),
        dtype=pool(np.ones((1,) * array.ndim, array.dtype)).dtype,
        meta=np.empty((0, 0)),
    )


def _identity(source: Any) -> Any:
    """Return something that hashes alike wherever the same numbers are meant."""
    if isinstance(source, Mapping):
        return {str(layer): _identity(value) for layer, value in source.items()}
    if isinstance(source, str | os.PathLike):
        status = os.stat(source)
        return os.path.abspath(source), status.st_size, status.st_mtime_ns
    return source.name if is_lazy(source) else source


def _list_layers(features: Any) -> dict[str, ArrayOnDisk]:
    """Describe all layers without reading any numbers from disk."""
    if isinstance(features, Mapping):
        stored = {str(layer): _single(layer, v) for layer, v in features.items()}
    elif isinstance(features, str | os.PathLike):
        stored = _from_file(features)
    else:
        stored = {_ONLY_LAYER: _in_memory(features)}
    if not stored:
        raise ValueError(
            f"Expected at least one layer, got none in {features!r}. Store an array of "
            "shape (n, n_features)."
        )
    for layer, array in stored.items():
        _check_layer(layer, array)
    return stored


def _from_file(path: str | os.PathLike) -> dict[str, ArrayOnDisk]:
    arrays = list_arrays(path)
    if os.fspath(path).endswith(".npy"):
        (array,) = arrays.values()
        return {_ONLY_LAYER: array}
    return {
        name: array
        for name, array in arrays.items()
        if len(array.shape) > 1 and array.dtype.kind not in _TEXT_AND_OBJECTS
    }


def _single(layer: Any, source: Any) -> ArrayOnDisk:
    if not isinstance(source, str | os.PathLike):
        return _in_memory(source)
    arrays = _from_file(source)
    if len(arrays) != 1:
        raise ValueError(
            f"Expected one array with rows of features in {os.fspath(source)!r} for "
            f"layer {layer!r}, got {list(arrays)}. Pass that file alone, and choose "
            "with 'layers'."
        )
    return next(iter(arrays.values()))


def _in_memory(array: Any) -> ArrayOnDisk:
    if is_lazy(array):
        return _on_workers(array)
    array = array.tocsr() if sparse.issparse(array) else np.asarray(array)
    return ArrayOnDisk(array.shape, array.dtype, lambda: array)


def _on_workers(array: Any) -> ArrayOnDisk:
    if np.isnan(array.shape[0]):
        raise ValueError(
            "Expected a dask array with a known number of rows, because row numbers "
            "choose them. Call compute_chunk_sizes() on it."
        )
    return ArrayOnDisk(array.shape, array.dtype, lambda: array)


def _check_layer(layer: str, array: ArrayOnDisk) -> None:
    if len(array.shape) < 2:
        raise ValueError(
            f"Expected layer {layer!r} to have shape (n, n_features), got "
            f"{array.shape}. Reshape a single feature to (n, 1)."
        )
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"Expected layer {layer!r} to hold real numbers, got {array.dtype}. Store "
            "float32 or float16."
        )


def _count_rows(arrays: Mapping[str, Any]) -> int:
    counts = {layer: array.shape[0] for layer, array in arrays.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(
            f"Expected layers with the same number of rows, got {counts}. Row numbers "
            "must mean the same samples everywhere: choose with 'layers'."
        )
    return next(iter(counts.values()))


def _row_bytes(array: ArrayOnDisk) -> int:
    return int(np.prod(array.shape[1:], dtype=np.int64)) * array.dtype.itemsize


def _row_numbers(X: Any, n_rows: int) -> np.ndarray:
    rows = np.asarray(X)
    is_integer = rows.dtype.kind in "iu"
    if not is_integer or (rows.ndim != 1 and rows.shape[1:] != (1,)):
        raise (ValueError if is_integer else TypeError)(
            "PrecomputedFeatures expected row numbers as X, integers of shape (n,) or "
            f"(n, 1), got {rows.dtype} of shape {rows.shape}. The features are stored: "
            f"pass np.arange({n_rows}) for all of them, or a part of that."
        )
    rows = rows.reshape(-1)
    wrong = rows[(rows < 0) | (rows >= n_rows)]
    if len(wrong):
        raise ValueError(
            f"Expected row numbers from 0 to {n_rows - 1}, got {wrong[0]}. Negative "
            "numbers do not count from the end here."
        )
    return rows
