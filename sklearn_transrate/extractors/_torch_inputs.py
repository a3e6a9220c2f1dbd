"""Inputs of torch models: images, paths, rows of a mapping, and torch datasets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePath
from typing import Any

import numpy as np

from sklearn_transrate._lib.optional import import_optional
from sklearn_transrate.extractors._batching import (
    count_rows,
    rows_per_batch,
    take_rows,
)
from sklearn_transrate.extractors._torch_tensors import (
    as_tensor,
    first_tensor,
    map_tensors,
    stack_samples,
)

__all__ = [
    "Inputs",
    "as_samples",
    "as_tensors",
    "first_rows",
    "open_image",
    "repeat_rows",
    "rows_or_batches",
    "without_labels",
]

_IMAGE_SUFFIXES = {
    ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp",
}  # fmt: skip
_LABELS = ("label", "labels")


@dataclass(frozen=True)
class Inputs:
    """What a module is called with.

    Attributes
    ----------
    args, kwargs : tuple, dict
        Tensors, on the device of the module.
    mask : ndarray of bool of shape (b, tokens), or None
        True where a token is real.
    """

    args: tuple = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    mask: np.ndarray | None = None


def as_tensors(X_batch: Any, preprocess: Callable | None = None) -> Any:
    """Turn a batch into what a module is called with.

    Parameters
    ----------
    X_batch : tensor, array, frame, mapping of them, or list of samples
        Samples are arrays, tensors, PIL images, paths of images, or mappings or
        tuples of these.
    preprocess : callable, default=None
        Turns one sample into a tensor, as torchvision's transforms do, or into a
        mapping or a tuple of tensors. Paths of images are opened first, and a mapping
        with a single entry is that entry.

    Returns
    -------
    batch : tensor, or a mapping or tuple of tensors
    """
    if isinstance(X_batch, Mapping):
        X_batch = without_labels(X_batch)
    if preprocess is not None:
        samples = [open_image(_only_value(sample)) for sample in as_samples(X_batch)]
        return stack_samples([_as_numbers(preprocess(sample)) for sample in samples])
    if isinstance(X_batch, Mapping):
        return {key: as_tensors(value) for key, value in X_batch.items()}
    if _holds_objects(X_batch):
        samples = map(open_image, as_samples(X_batch))
        return stack_samples([_as_numbers(sample) for sample in samples])
    return as_tensor(X_batch)


def as_samples(X_batch: Any) -> list:
    """Return the rows of a batch one by one.

    Those of a mapping are mappings. Of a frame with a single column of text or
    objects they are its values.
    """
    if isinstance(X_batch, Mapping):
        columns = {key: as_samples(value) for key, value in X_batch.items()}
        rows = zip(*columns.values(), strict=True)
        return [dict(zip(columns, row, strict=True)) for row in rows]
    if hasattr(X_batch, "to_numpy"):
        X_batch = X_batch.to_numpy()
        if X_batch.ndim == 2 and X_batch.shape[1] == 1 and X_batch.dtype.kind in "OUST":
            X_batch = X_batch[:, 0]
    return list(X_batch)


def open_image(sample: Any) -> Any:
    """Return the image that a path leads to, in colour; anything else as it is.

    Parameters
    ----------
    sample : path, str or anything else
        Text is a path if it ends like the name of an image file.

    Returns
    -------
    sample : PIL.Image.Image, or `sample` itself
    """
    if not isinstance(sample, str | os.PathLike):
        return sample
    suffix = PurePath(sample).suffix.lower()
    if isinstance(sample, str) and suffix not in _IMAGE_SUFFIXES:
        return sample
    image = import_optional("PIL.Image", extra="torch", purpose="Reading images")
    with image.open(os.fspath(sample)) as opened:
        return opened.convert("RGB")


def without_labels(X_batch: Mapping) -> dict:
    """Return the entries of a mapping that are inputs."""
    return {key: value for key, value in X_batch.items() if key not in _LABELS}


def rows_or_batches(X: Any, y: Any, batch_size: Any) -> Any:
    """Return what a torch dataset stands for; anything else as it is.

    Parameters
    ----------
    X : torch Dataset, torch IterableDataset, or anything else
        A dataset gives samples, or pairs of a sample and its label.
    y : array-like or None
        Labels from elsewhere, which replace those of the dataset.
    batch_size : int, "auto" or None
        Rows per batch. With None there are no batches, only rows.

    Returns
    -------
    X : sequence of samples without labels, or stream of (samples, labels)
        A stream, where labels come from the dataset or it cannot be indexed.
    """
    from torch.utils.data import Dataset, IterableDataset

    if not isinstance(X, Dataset):
        return X
    size = rows_per_batch(None) if batch_size == "auto" else batch_size
    if isinstance(X, IterableDataset):
        return X if size is None else _batches(iter(X), size)
    if y is not None or size is None:
        return _Rows(X)
    return _batches((X[i] for i in range(len(X))), size)


def first_rows(X_batch: Any, n_rows: int) -> Any:
    """Return up to so many rows of a batch; None where it has none.

    What has no rows to count is returned as it is.
    """
    try:
        given = count_rows(X_batch)
    except TypeError:
        return X_batch
    return take_rows(X_batch, 0, min(given, n_rows)) if given else None


def repeat_rows(inputs: Inputs, n_rows: int) -> tuple[Inputs, int]:
    """Repeat the last row until there are at least so many; return how many."""
    given = first_tensor([*inputs.args, inputs.kwargs])
    n_given = n_rows if given is None else len(given)
    if n_given >= n_rows:
        return inputs, n_given
    rows = [min(i, n_given - 1) for i in range(n_rows)]

    def repeat(tensor: Any) -> Any:
        return tensor[rows] if tensor.ndim and len(tensor) == n_given else tensor

    mask = None if inputs.mask is None else inputs.mask[rows]
    args, kwargs = map_tensors(repeat, (inputs.args, dict(inputs.kwargs)))
    return Inputs(args, kwargs, mask), n_rows


class _Rows:
    """The samples of a dataset, without their labels."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, i: int) -> Any:
        return _split(self._dataset[i])[0]


def _batches(items: Iterator, size: int) -> Iterator[tuple[list, list | None]]:
    while taken := list(islice(items, size)):
        samples, labels = zip(*map(_split, taken), strict=True)
        has_labels = labels[0] is not None
        yield list(samples), [_plain(label) for label in labels] if has_labels else None


def _only_value(sample: Any) -> Any:
    """Return the input in a sample that has a single one, whatever it is called."""
    if isinstance(sample, Mapping):
        inputs = without_labels(sample)
        return next(iter(inputs.values())) if len(inputs) == 1 else inputs
    return sample


def _split(item: Any) -> tuple[Any, Any]:
    """Take a dataset's item apart into inputs and label."""
    if isinstance(item, Mapping):
        labels = [item[key] for key in _LABELS if key in item]
        return without_labels(item), labels[0] if labels else None
    if not isinstance(item, tuple | list):
        return item, None
    *inputs, label = item if len(item) > 1 else (*item, None)
    return inputs[0] if len(inputs) == 1 else tuple(inputs), label


def _plain(label: Any) -> Any:
    return label.tolist() if hasattr(label, "tolist") else label


def _holds_objects(X_batch: Any) -> bool:
    if isinstance(X_batch, list | tuple):
        return True
    dtypes = getattr(X_batch, "dtypes", None)  # Of a frame, there are several.
    dtype = getattr(X_batch, "dtype", None)
    if dtype is None and dtypes is not None and hasattr(X_batch, "to_numpy"):
        dtype = X_batch.to_numpy().dtype
    return getattr(dtype, "kind", "O" if hasattr(X_batch, "to_numpy") else "f") in "OUS"


def _as_numbers(sample: Any) -> Any:
    """Turn an image into a float tensor of shape (channels, height, width)."""
    if not hasattr(sample, "getbands"):
        return sample
    if sample.mode not in ("L", "RGB"):
        sample = sample.convert("RGB")
    pixels = np.asarray(sample, dtype=np.float32) / 255
    return as_tensor(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1))
