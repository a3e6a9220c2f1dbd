"""Batches as people have them become the named arrays that a network declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from sklearn_transrate.extractors._torch_inputs import as_samples, open_image

__all__ = [
    "InputSpec",
    "check_input_names",
    "match_inputs",
    "prepare",
    "run_in_chunks",
    "trial_inputs",
]

_CHANNELS = (1, 3, 4)
# Sizes where a model leaves them open; few others have that number of rows.
_TRIAL_ROWS, _TRIAL_TOKENS, _TRIAL_PIXELS = 5, 7, 224


@dataclass(frozen=True)
class InputSpec:
    """An input as a network declares it.

    Attributes
    ----------
    name : str
        Its name.
    dtype : numpy.dtype
        Its type; object for text.
    shape : tuple of (int or None), or None
        Its shape, the batch first; None where a size, or the whole, is not fixed.
    scale, zero_point : float and int, or None
        Of a quantised input: real value = (stored value - zero_point) * scale.
    """

    name: str
    dtype: np.dtype
    shape: tuple[int | None, ...] | None = None
    scale: float | None = None
    zero_point: int = 0


def check_input_names(X: Any, specs: Sequence[InputSpec]) -> None:
    """Raise if these are not the inputs of the network.

    Parameters
    ----------
    X : mapping of arrays, frame, array or list
        Whole inputs, or a batch of them.
    specs : sequence of InputSpec
        What the network declares.

    Raises
    ------
    ValueError
        If names are missing or unknown, or there is one array for several inputs.
    """
    wanted = [spec.name for spec in specs]
    if isinstance(X, Mapping):
        given = list(X)
    elif len(specs) > 1 and hasattr(X, "columns"):
        given = [str(column) for column in X.columns]
    elif len(specs) == 1:
        return
    else:
        raise ValueError(
            f"The model has {len(specs)} inputs, {wanted}, but X is one "
            f"{type(X).__name__}. Pass a dict with an array for each."
        )
    if set(given) != set(wanted):
        raise ValueError(
            f"Expected inputs named {wanted}, got {given}. Pass a dict with exactly "
            "these names, or rename in 'preprocess'."
        )


def prepare(batch: Any, preprocess: Callable | None) -> Any:
    """Open images by their paths, and apply a function to every sample.

    Parameters
    ----------
    batch : mapping of arrays, frame, array or list
        A batch as the user has it.
    preprocess : callable or None
        Turns a sample into an array, or a dict of arrays.

    Returns
    -------
    batch : mapping of lists, list, or `batch` itself
        For `match_inputs`.
    """
    if preprocess is None:
        is_list = isinstance(batch, list | tuple)
        return [open_image(sample) for sample in batch] if is_list else batch
    samples = [preprocess(open_image(sample)) for sample in as_samples(batch)]
    if samples and isinstance(samples[0], Mapping):
        return {name: [sample[name] for sample in samples] for name in samples[0]}
    return samples


def match_inputs(batch: Any, specs: Sequence[InputSpec]) -> dict[str, np.ndarray]:
    """Return a batch as the network declares its inputs.

    Parameters
    ----------
    batch : mapping of arrays, frame, array or list
        A single array for a network with one input; a mapping, or a frame with a
        column for each, for any number of them.
    specs : sequence of InputSpec
        What the network declares.

    Returns
    -------
    inputs : dict of {name: ndarray}
        Of the declared types. Numbers are cast where that keeps them, and images of
        shape (b, height, width, channels) are transposed where the network wants the
        channels first, or the other way round.

    Raises
    ------
    TypeError
        If inputs are not numbers where the network wants some.
    ValueError
        If names or shapes differ from what the network wants, or numbers would
        change by the cast.
    """
    check_input_names(batch, specs)
    if isinstance(batch, Mapping):
        parts = {spec.name: batch[spec.name] for spec in specs}
    elif len(specs) > 1:
        parts = {spec.name: batch[spec.name].to_numpy()[:, None] for spec in specs}
    else:
        parts = {specs[0].name: batch}
    return {spec.name: _as_declared(parts[spec.name], spec) for spec in specs}


def run_in_chunks(
    run: Callable[[dict[str, np.ndarray]], Mapping[str, np.ndarray]],
    inputs: Mapping[str, np.ndarray],
    size: int,
) -> dict[str, np.ndarray]:
    """Run a network that only takes so many rows at a time.

    Parameters
    ----------
    run : callable
        Takes a dict of inputs with `size` rows and returns a mapping of outputs.
    inputs : mapping of {name: ndarray}
        With any number of rows. The last chunk is filled up with its last row, and
        what comes out for that is dropped.
    size : int
        Rows that the network takes.

    Returns
    -------
    outputs : dict of {name: ndarray}
    """
    n_rows = len(next(iter(inputs.values())))
    parts: dict[str, list[np.ndarray]] = {}
    for start in range(0, n_rows, size):
        rows = np.minimum(np.arange(start, start + size), n_rows - 1)
        outputs = run({name: array[rows] for name, array in inputs.items()})
        for name, array in outputs.items():
            parts.setdefault(name, []).append(array[: n_rows - start])
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def trial_inputs(specs: Sequence[InputSpec]) -> dict[str, np.ndarray]:
    """Return inputs that tell by the sizes of tensors which have a row per sample.

    Ones are tokens that exist, and masks that hide nothing.
    """
    return {spec.name: np.ones(_trial_shape(spec), spec.dtype) for spec in specs}


def _trial_shape(spec: InputSpec) -> list[int]:
    rows, *others = spec.shape or (None,)
    usual = _TRIAL_PIXELS if len(others) == 3 else _TRIAL_TOKENS
    return [rows or _TRIAL_ROWS, *(size or usual for size in others)]


def _as_declared(value: Any, spec: InputSpec) -> np.ndarray:
    array = _cast(_as_array(value), spec)
    shape = spec.shape
    if shape is None:
        return array
    if array.ndim == 1 and len(shape) == 2 and shape[1] in (1, None):
        array = array[:, None]
    for candidate in (array, *_other_layouts(array, shape)):
        if _fits(candidate.shape, shape):
            return np.ascontiguousarray(candidate)
    sizes = ", ".join("any" if size is None else str(size) for size in shape[1:])
    raise ValueError(
        f"Input {spec.name!r} of the model expects shape (b, {sizes}), got "
        f"{array.shape}. Resize or reshape the samples, for example in 'preprocess'."
    )


def _fits(shape: tuple[int, ...], declared: tuple[int | None, ...]) -> bool:
    return len(shape) == len(declared) and all(
        wanted in (None, size)
        for size, wanted in zip(shape[1:], declared[1:], strict=True)
    )


def _other_layouts(array: np.ndarray, shape: tuple[int | None, ...]) -> list:
    if array.ndim != 4 or len(shape) != 4:
        return []
    if shape[1] in _CHANNELS:
        return [array.transpose(0, 3, 1, 2)]
    return [array.transpose(0, 2, 3, 1)] if shape[3] in _CHANNELS else []


def _as_array(value: Any) -> np.ndarray:
    if hasattr(value, "detach"):  # A tensor, maybe on another device.
        return value.detach().cpu().numpy()
    if sparse.issparse(value):
        return value.toarray()
    if hasattr(value, "to_numpy"):
        return value.to_numpy()
    if isinstance(value, list | tuple) and len(value) and np.ndim(value[0]):
        items = [_as_array(item) for item in value]
        if len({item.shape for item in items}) > 1:
            raise ValueError(
                "Expected samples of one shape in a batch, got "
                f"{sorted({item.shape for item in items})}. Resize or pad them in "
                "'preprocess'."
            )
        return np.stack(items)
    return np.asarray(value)


def _cast(array: np.ndarray, spec: InputSpec) -> np.ndarray:
    dtype = spec.dtype
    if dtype.kind == "O" or array.dtype == dtype:
        return array.astype(dtype, copy=False)
    if array.dtype.kind not in "biufO":
        raise TypeError(
            f"Input {spec.name!r} of the model expects {dtype}, got "
            f"{array.dtype.name} such as {_first(array)!r}. Turn texts, paths and "
            "pictures into arrays with 'preprocess'."
        )
    try:
        array = array.astype(np.float64) if array.dtype == object else array
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"Input {spec.name!r} of the model expects {dtype}, got objects such as "
            f"{_first(array)!r}. Turn them into arrays with 'preprocess'."
        ) from error
    if spec.scale:
        return _quantise(array, spec)
    if dtype.kind in "iu":
        _check_integers(array, spec)
    return array.astype(dtype)


def _first(array: np.ndarray) -> Any:
    return array.flat[0] if array.size else None


def _quantise(array: np.ndarray, spec: InputSpec) -> np.ndarray:
    limits = np.iinfo(spec.dtype)
    stored = np.rint(np.asarray(array, np.float64) / spec.scale) + spec.zero_point
    return np.clip(stored, limits.min, limits.max).astype(spec.dtype)


def _check_integers(array: np.ndarray, spec: InputSpec) -> None:
    limits = np.iinfo(spec.dtype)
    is_whole = array.dtype.kind in "biu" or np.array_equal(array, np.rint(array))
    if array.size and not (
        is_whole and limits.min <= array.min() and array.max() <= limits.max
    ):
        raise ValueError(
            f"Input {spec.name!r} of the model expects {spec.dtype}, got numbers from "
            f"{array.min()} to {array.max()} that this type cannot hold. Pass whole "
            "numbers in its range, such as token numbers."
        )
