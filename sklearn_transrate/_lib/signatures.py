"""What a function's signature says."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature

__all__ = ["has_parameter"]


def has_parameter(function: Callable, name: str) -> bool:
    """Whether a function names a parameter; False where its signature is hidden.

    Examples
    --------
    >>> has_parameter(sorted, "key"), has_parameter(sorted, "weight")
    (True, False)
    """
    try:
        return name in signature(function).parameters
    except (TypeError, ValueError):  # compiled callables may have none
        return False
