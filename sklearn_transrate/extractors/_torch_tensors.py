"""Tensors: from what people pass, out of what modules return, and pooled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any

import numpy as np
from scipy import sparse

from sklearn_transrate.extractors._pooling import check_mask, resolve_pooling

__all__ = ["as_tensor", "first_tensor", "map_tensors", "pool_tensor", "stack_samples"]

_EXACT_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "bool")


def first_tensor(output: Any) -> Any:
    """Return the tensor that a module's output is about, or None.

    Parameters
    ----------
    output : tensor, tuple, list, mapping or dataclass
        What `forward` returned. Of several, the first counts, as in the outputs of
        attention and recurrent layers; single numbers, such as a loss, do not.

    Returns
    -------
    tensor : torch.Tensor or None
    """
    if hasattr(output, "detach") and hasattr(output, "layout"):
        is_plain = not output.is_nested and not output.is_sparse
        return output if output.ndim and is_plain else None
    if isinstance(output, Mapping):
        parts = output.values()
    elif isinstance(output, tuple | list):
        parts = output
    elif is_dataclass(output):
        parts = vars(output).values()
    else:
        return None
    return next((t for t in map(first_tensor, parts) if t is not None), None)


def map_tensors(function: Callable, value: Any) -> Any:
    """Apply a function to the tensors in mappings, tuples and lists.

    Anything else stays as it is.
    """
    if isinstance(value, Mapping):
        return {key: map_tensors(function, part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(map_tensors(function, part) for part in value)
    return function(value) if hasattr(value, "detach") else value


def as_tensor(value: Any) -> Any:
    """Return numbers as a tensor of its own memory, on the CPU.

    Parameters
    ----------
    value : tensor, array, frame, sparse matrix or number
        Anything that holds numbers.

    Returns
    -------
    tensor : torch.Tensor
        A copy, because modules may work in place and batches are views of the
        caller's data. A tensor stays on its device.

    Raises
    ------
    TypeError
        If it does not hold numbers.
    """
    import torch

    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if sparse.issparse(value):
        value = value.toarray()
    elif hasattr(value, "to_numpy"):
        value = value.to_numpy()
    array = np.array(value)
    if array.dtype.kind not in "biufc":
        raise TypeError(
            f"Expected numbers, got {array.dtype} such as {_first(array)!r}. Turn "
            "texts and other objects into tensors with 'preprocess'."
        )
    if array.dtype.kind in "iu" and array.dtype.name not in _EXACT_INTEGERS:
        array = array.astype(np.int64)
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=False))


def stack_samples(samples: Sequence[Any]) -> Any:
    """Put samples on top of each other.

    Parameters
    ----------
    samples : sequence of tensors, arrays, numbers, mappings or tuples of them
        All of one kind and shape, one per row.

    Returns
    -------
    batch : tensor, or a mapping or tuple of tensors
        With the rows as its first axis.

    Raises
    ------
    TypeError
        If a sample is something else, such as text.
    ValueError
        If shapes differ.
    """
    import torch

    first = samples[0]
    if isinstance(first, Mapping):
        return {
            key: stack_samples([sample[key] for sample in samples]) for key in first
        }
    if isinstance(first, tuple):
        return tuple(map(stack_samples, zip(*samples, strict=True)))
    tensors = [as_tensor(sample) for sample in samples]
    shapes = sorted({tuple(tensor.shape) for tensor in tensors})
    if len(shapes) > 1:
        raise ValueError(
            f"Expected samples of one shape in a batch, got {shapes[0]} and "
            f"{shapes[1]}. Resize, crop or pad them in 'preprocess'."
        )
    return torch.stack(tensors)


def pool_tensor(
    activation: Any, how: str = "auto", mask: Any = None, channels: str | None = None
) -> tuple[Any, str]:
    """Turn an activation into features where it lies, one row per sample.

    The same as `pool` for arrays, on any device and from any floating type.

    Parameters
    ----------
    activation : torch.Tensor of shape (b, ...)
        What a layer gave.
    how : {"auto", "mean", "max", "cls", "last_token", "flatten"}, default="auto"
        The rule, as for `pool`.
    mask : ndarray of bool of shape (b, tokens), default=None
        True where a token is real. It is left out of account where it does not fit.
    channels : {"first", "last"}, default=None
        Where the features are. None reads three axes as tokens with features last,
        and more as channels first.

    Returns
    -------
    features : torch.Tensor of shape (b, n_features)
        A tensor of its own, float32 where the activation is half precision.
    rule : str
        What was done.
    """
    rule = resolve_pooling(tuple(activation.shape), how)
    if rule == "flatten":
        if mask is not None and activation.ndim == 3 and _fits(mask, activation):
            check_mask(mask, tuple(activation.shape), rule)
        return _own(activation.reshape(len(activation), -1), activation), rule
    if activation.ndim > 3:
        positions = activation.movedim(-1, 1) if channels == "last" else activation
        positions = positions.flatten(2)
        tokens = positions.transpose(1, 2)
    else:
        tokens = activation.transpose(1, 2) if channels == "first" else activation
    if mask is not None and _fits(mask, tokens) and activation.ndim == 3:
        mask = check_mask(mask, tuple(tokens.shape), rule)
        return _own(_pool_masked(tokens, rule, mask), activation), rule
    return _own(_pool(tokens, rule), activation), rule


def _pool(tokens: Any, rule: str) -> Any:
    if rule == "mean":
        return tokens.mean(dim=1, dtype=_accumulator(tokens))
    if rule == "max":
        return tokens.amax(dim=1)
    return tokens[:, 0 if rule == "cls" else -1]


def _pool_masked(tokens: Any, rule: str, mask: np.ndarray) -> Any:
    import torch

    if rule in ("cls", "last_token"):
        first = mask.argmax(axis=1)
        last = mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)
        where = torch.from_numpy(first if rule == "cls" else last).to(tokens.device)
        return tokens[torch.arange(len(tokens), device=tokens.device), where]
    real = torch.from_numpy(mask).to(tokens.device)[:, :, None]
    if rule == "max":
        lowest = _lowest(tokens.dtype)
        return tokens.masked_fill(~real, lowest).amax(dim=1)
    # Filled rather than multiplied: padding may hold NaN.
    sums = tokens.masked_fill(~real, 0).sum(dim=1, dtype=_accumulator(tokens))
    return sums / real.sum(dim=1)


def _own(features: Any, activation: Any) -> Any:
    """Return features that stay when the activation is overwritten."""
    import torch

    if features.dtype in (torch.float16, torch.bfloat16):
        return features.float()
    shares = features.untyped_storage().data_ptr() == (
        activation.untyped_storage().data_ptr()
    )
    return features.clone() if shares else features


def _accumulator(tokens: Any) -> Any:
    import torch

    if tokens.dtype in (torch.float16, torch.bfloat16):
        return torch.float32
    is_number = tokens.dtype.is_floating_point or tokens.dtype.is_complex
    return tokens.dtype if is_number else torch.float64


def _lowest(dtype: Any) -> Any:
    import torch

    if dtype.is_floating_point:
        return -torch.inf
    return False if dtype == torch.bool else torch.iinfo(dtype).min


def _fits(mask: np.ndarray, tokens: Any) -> bool:
    return tuple(mask.shape) == tuple(tokens.shape[:2])


def _first(array: np.ndarray) -> Any:
    return next(iter(array.reshape(-1)[:1].tolist()), None)
