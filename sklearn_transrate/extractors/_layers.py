"""Choosing layers: by name, index, glob, "last", "all", or a list of these."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from numbers import Integral
from typing import Any

import numpy as np

from sklearn_transrate.exceptions import LayerNotFoundError

__all__ = ["select_layers"]


def select_layers(
    selector: Any, available: Sequence[str], features: Sequence[str] | None = None
) -> list[str]:
    """Resolve a choice of layers to their names.

    Parameters
    ----------
    selector : str, int, or list of these
        A name as the model gives it; a glob such as ``"block*"``; an index into
        `available`, negative from the end; ``"all"`` or ``"last"``. A layer that is
        really called so wins over what a word or a pattern would mean.
    available : sequence of str
        Names of all layers, in forward order.
    features : sequence of str, default=None
        The layers among which ``"all"`` and ``"last"`` choose, where some of
        `available` are no features, such as output heads. None means all.

    Returns
    -------
    names : list of str
        In the order of the selectors, globs in forward order, each name once.

    Raises
    ------
    LayerNotFoundError
        If a selector matches no layer.
    TypeError
        If a selector is neither text nor an integer.
    ValueError
        If the list of selectors is empty.

    Examples
    --------
    >>> available = ["stem", "block1", "block2", "head"]
    >>> select_layers("block*", available)
    ['block1', 'block2']
    >>> select_layers([-1, "stem"], available)
    ['head', 'stem']
    >>> select_layers("last", available, features=["stem", "block1", "block2"])
    ['block2']
    """
    available = list(available)
    features = available if features is None else list(features)
    if isinstance(selector, list | tuple | np.ndarray):
        items = list(selector)
    else:
        items = [selector]
    if not items:
        raise ValueError(
            "Expected at least one layer, got an empty list. Pass names, or 'all'."
        )
    chosen = [name for item in items for name in _resolve(item, available, features)]
    return list(dict.fromkeys(chosen))


def _resolve(item: Any, available: list[str], features: list[str]) -> list[str]:
    if isinstance(item, str):
        return _resolve_text(str(item), available, features)
    if isinstance(item, Integral) and not isinstance(item, bool | np.bool_):
        return [_layer_at(int(item), available)]
    raise TypeError(
        "Expected a layer as a name, a glob, an index, 'last' or 'all', got "
        f"{item!r} of type {type(item).__name__}. Pass one of these, or a list of them."
    )


def _resolve_text(text: str, available: list[str], features: list[str]) -> list[str]:
    if text in available:
        return [text]
    if text in ("all", "last"):
        if not features:
            raise LayerNotFoundError(
                f"The model has no feature layer for {text!r} to choose. Name one of "
                f"the {len(available)} in extractor.layers_."
            )
        return features if text == "all" else features[-1:]
    matches = [name for name in available if fnmatchcase(name, text)]
    if not matches:
        raise LayerNotFoundError(_not_found(text, available))
    return matches


def _layer_at(index: int, available: list[str]) -> str:
    if not -len(available) <= index < len(available):
        raise LayerNotFoundError(
            f"Layer index {index} is out of range. Expected {-len(available)} to "
            f"{len(available) - 1}: see extractor.layers_ for all {len(available)}."
        )
    return available[index]


def _not_found(text: str, available: list[str]) -> str:
    if any(letter in text for letter in "*?["):
        problem = f"No layer matches {text!r}."
    else:
        problem = f"Layer {text!r} is not in the model."
    near = set(get_close_matches(text, available, n=3))
    names = ", ".join(repr(name) for name in available if name in near)
    hint = f" Nearest names: {names}." if names else ""
    return f"{problem}{hint} See extractor.layers_ for all {len(available)}."
