"""Pooling: an activation of any shape becomes one vector of features per sample."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

__all__ = ["check_mask", "pool", "pooled_width", "resolve_pooling"]

_RULES = ("auto", "mean", "max", "cls", "last_token", "flatten")


def resolve_pooling(shape: tuple[int, ...], how: str = "auto") -> str:
    """Say what a pooling rule does to an activation of that shape.

    Parameters
    ----------
    shape : tuple of int
        Shape of the activation, the batch first.
    how : {"auto", "mean", "max", "cls", "last_token", "flatten"}, default="auto"
        The rule.

    Returns
    -------
    rule : str
        A rule other than "auto". It is "flatten", which changes nothing, for shapes
        (b,) and (b, d): these are features already, whatever the rule.

    Raises
    ------
    ValueError
        If there is no such rule, or if it needs tokens and there are none.

    Examples
    --------
    >>> resolve_pooling((8, 512, 7, 7)), resolve_pooling((8, 768))
    ('mean', 'flatten')
    """
    if how not in _RULES:
        raise ValueError(
            f"Expected 'pooling' to be one of {', '.join(map(repr, _RULES))}, got "
            f"{how!r}."
        )
    if len(shape) == 0:
        raise ValueError(
            "Expected an activation with one row per sample, got a single number. "
            "Choose a layer before the samples are summed up."
        )
    if len(shape) <= 2:
        return "flatten"
    if how in ("cls", "last_token") and len(shape) != 3:
        raise ValueError(
            f"Pooling {how!r} needs an activation of shape (b, tokens, features), got "
            f"{tuple(shape)}. Use 'mean', 'max' or 'flatten' for this layer."
        )
    return "mean" if how == "auto" else how


def pooled_width(shape: tuple[int, ...], how: str = "auto") -> int:
    """Return how many features `pool` makes of an activation of that shape.

    Examples
    --------
    >>> pooled_width((8, 512, 7, 7)), pooled_width((8, 512, 7, 7), "flatten")
    (512, 25088)
    """
    rule = resolve_pooling(shape, how)
    if rule == "flatten":
        return prod(shape[1:])
    return shape[2] if len(shape) == 3 else shape[1]


def pool(activation: Any, how: str = "auto", mask: Any = None) -> np.ndarray:
    """Turn an activation into features, one row per sample.

    Parameters
    ----------
    activation : array of shape (b,), (b, d), (b, tokens, d) or (b, channels, ...)
        Three axes are read as tokens, four or more as channels and positions.
    how : {"auto", "mean", "max", "cls", "last_token", "flatten"}, default="auto"
        "mean" and "max" go over tokens, or over all positions of each channel.
        "cls" is the first token, "last_token" the last one. "flatten" keeps every
        number. "auto" is the mean. Shapes (b,) and (b, d) are left as they are.
    mask : array of shape (b, tokens), default=None
        Non-zero where a token is real, zero where it is padding. Padding enters no
        feature, on whichever side it stands.

    Returns
    -------
    features : ndarray of shape (b, n_features)
        Of the activation's own type; means of integers are float64. It may share
        memory with the activation.

    Raises
    ------
    ValueError
        If the rule does not suit the shape, the mask does not fit, or a sample has
        no real token.

    Notes
    -----
    Means of float16 are accumulated in float32. Cost: one pass over the activation.

    Examples
    --------
    >>> import numpy as np
    >>> tokens = np.array([[[1.0, 2.0], [3.0, 4.0], [9.0, 9.0]]])
    >>> pool(tokens, "mean", mask=[[1, 1, 0]])
    array([[2., 3.]])
    """
    activation = np.asarray(activation)
    rule = resolve_pooling(activation.shape, how)
    if mask is not None and activation.ndim > 2:
        return _pool_masked(activation, rule, check_mask(mask, activation.shape, rule))
    if rule == "flatten":
        return activation.reshape(len(activation), prod(activation.shape[1:]))
    axes = 1 if activation.ndim == 3 else tuple(range(2, activation.ndim))
    if rule == "mean":
        return activation.mean(axis=axes)
    if rule == "max":
        return activation.max(axis=axes)
    return activation[:, 0 if rule == "cls" else -1]


def check_mask(mask: Any, shape: tuple[int, ...], rule: str) -> np.ndarray:
    """Return a mask as booleans, or say why it does not suit an activation.

    Parameters
    ----------
    mask : array of shape (b, tokens)
        Non-zero where a token is real.
    shape : tuple of int
        Shape of the activation.
    rule : str
        A rule as `resolve_pooling` gives it.

    Returns
    -------
    mask : ndarray of bool of shape (b, tokens)
    """
    mask = np.asarray(mask) != 0
    if len(shape) != 3 or mask.shape != tuple(shape[:2]):
        raise ValueError(
            "Expected a mask of shape (b, tokens) for an activation of shape (b, "
            f"tokens, features), got {mask.shape} for {tuple(shape)}."
        )
    if rule == "flatten" and not mask.all():
        raise ValueError(
            "Pooling 'flatten' would keep the padding as features. Use 'mean', "
            "'max', 'cls' or 'last_token' for samples of different lengths."
        )
    empty = np.flatnonzero(~mask.any(axis=1))
    if len(empty):
        raise ValueError(
            f"Row {empty[0]} of the batch is all padding, so there is nothing to pool. "
            "Give every sample a real token, or leave such samples out."
        )
    return mask


def _pool_masked(tokens: np.ndarray, rule: str, mask: np.ndarray) -> np.ndarray:
    if rule == "flatten":
        return tokens.reshape(len(tokens), prod(tokens.shape[1:]))
    if rule == "mean":
        return tokens.mean(axis=1, where=mask[:, :, None])
    if rule == "max":
        return tokens.max(axis=1, where=mask[:, :, None], initial=_lowest(tokens.dtype))
    # argmax finds the first real token; of the reversed mask, the last one.
    first = mask.argmax(axis=1)
    last = mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)
    return tokens[np.arange(len(tokens)), first if rule == "cls" else last]


def _lowest(dtype: np.dtype) -> Any:
    if dtype.kind == "f":
        return -np.inf
    return False if dtype.kind == "b" else np.iinfo(dtype).min
