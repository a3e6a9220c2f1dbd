"""Hooks: many layers from one forward pass, and what a first pass tells about them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from sklearn_transrate.extractors._torch_modules import is_weighted
from sklearn_transrate.extractors._torch_tensors import first_tensor, pool_tensor

__all__ = ["LayerFacts", "Point", "Trace", "capture", "trace"]

# Attributes in which modules without parts tell how many features they make.
_WIDTHS = (
    "out_features", "out_channels", "num_features", "num_channels", "embedding_dim",
    "normalized_shape", "nf",
)  # fmt: skip


@dataclass(frozen=True)
class Point:
    """Where in a model the values of a layer can be read.

    Attributes
    ----------
    module : torch.nn.Module
        What makes them.
    pick : callable
        Takes them from what the module returned.
    asks : mapping
        Keyword arguments that the module must be called with.
    is_late : bool
        Whether the module gives values that another may have made long before.
    """

    module: Any
    pick: Callable[[Any], Any] = first_tensor
    asks: Mapping[str, Any] = field(default_factory=dict)
    is_late: bool = False


@dataclass(frozen=True)
class LayerFacts:
    """What a first pass tells about a layer.

    Attributes
    ----------
    width : int
        Number of features.
    pooling : str
        What was done to get them.
    channels : {"first", "last"} or None
        Where the features are; None where there is nothing to pool.
    twin : str or None
        A layer that finished earlier with the very same values.
    is_head : bool
        Whether it is an output head.
    """

    width: int
    pooling: str
    channels: str | None = None
    twin: str | None = None
    is_head: bool = False


@dataclass(frozen=True)
class Trace:
    """What a first pass tells about a model.

    Attributes
    ----------
    pooling : str
        The rule that was asked for.
    layers : dict of {name: LayerFacts}
        Layers that give a row per sample, in the order in which they finish.
    unusable : dict of {name: str}
        The others, and why they give none.
    ends_in_probabilities : bool
        Whether the model's last module makes probabilities.
    """

    pooling: str
    layers: dict[str, LayerFacts]
    unusable: dict[str, str]
    ends_in_probabilities: bool = False


class _Stop(BaseException):
    """All that was asked for is there. No model catches it by mistake."""


def capture(
    call: Callable[[], Any], points: Mapping[str, Point], take: Callable
) -> dict[str, Any]:
    """Run a model once, up to the last of some layers.

    Parameters
    ----------
    call : callable () -> output
        Runs the model.
    points : mapping of {layer: Point}
        What to read. A module that runs several times counts the first time.
    take : callable (layer, tensor) -> value
        Called while the model runs, before later modules overwrite the tensor.

    Returns
    -------
    values : dict of {layer: value}
        Without layers that did not run. No hook is left, whatever happens.
    """
    found: dict[str, Any] = {}

    def read(module: Any, layers: list[str], args: Any, output: Any) -> None:
        for layer in layers:
            tensor = None if layer in found else points[layer].pick(output)
            if tensor is not None:
                found[layer] = take(layer, tensor)
        if len(found) == len(points):
            raise _Stop

    _run_hooked(call, points, read)
    return found


def _run_hooked(call: Callable, points: Mapping[str, Point], read: Callable) -> None:
    layers_of: dict[Any, list[str]] = {}
    for layer, point in points.items():
        layers_of.setdefault(point.module, []).append(layer)
    handles = []
    thread = threading.get_ident()

    def hook(layers: list[str], module: Any, args: Any, output: Any) -> None:
        if threading.get_ident() == thread:  # Others may use the model meanwhile.
            read(module, layers, args, output)

    try:
        for module, layers in layers_of.items():
            handles.append(module.register_forward_hook(partial(hook, layers)))
            asks = {k: v for name in layers for k, v in points[name].asks.items()}
            if asks:
                ask = partial(_ask, asks, thread)
                handles.append(module.register_forward_pre_hook(ask, with_kwargs=True))
        call()
    except _Stop:
        pass
    finally:
        for handle in handles:
            handle.remove()


def _ask(asks: dict, thread: int, module: Any, args: Any, kwargs: dict) -> Any:
    return (args, kwargs | asks) if threading.get_ident() == thread else None


# -- the first pass ------------------------------------------------------------


def trace(
    call: Callable[[], Any],
    points: Mapping[str, Point],
    root: Any,
    n_rows: int,
    pooling: str,
    mask: Any = None,
) -> Trace:
    """Run a whole model on a few rows to learn about its layers.

    Parameters
    ----------
    call : callable () -> output
        Runs the model.
    points : mapping of {layer: Point}
        All its layers.
    root : torch.nn.Module
        The model.
    n_rows : int
        Number of rows it runs on.
    pooling : str
        The rule.
    mask : ndarray of bool of shape (n_rows, tokens), default=None
        True where a token is real.

    Returns
    -------
    trace : Trace
    """
    tracer = _Tracer(points, n_rows, pooling, mask)
    _run_hooked(call, points, tracer.read)
    return tracer.conclude(root)


@dataclass(frozen=True)
class _Seen:
    """A tensor in the state in which a layer left it."""

    module: Any
    tensor: Any
    version: int
    source: Any = None

    @property
    def key(self) -> tuple[int, int]:
        return id(self.tensor), self.version


class _Tracer:
    def __init__(
        self, points: Mapping[str, Point], n_rows: int, pooling: str, mask: Any
    ) -> None:
        self.points, self.n_rows = points, n_rows
        self.pooling, self.mask = pooling, mask
        self.width: int | None = None
        self.seen: dict[str, _Seen] = {}  # Holds tensors, so that no id comes twice.
        self.facts: dict[str, LayerFacts] = {}
        self.unusable: dict[str, str] = {}
        self.channels: dict[tuple[int, int], str | None] = {}

    def read(self, module: Any, layers: list[str], args: Any, output: Any) -> None:
        self.width = _features_made(module) or self.width
        for layer in layers:
            if layer in self.seen or layer in self.unusable:
                continue
            tensor = self.points[layer].pick(output)
            if tensor is None:
                self.unusable[layer] = "it returned no tensor"
            else:
                source = first_tensor(args)
                self.seen[layer] = _Seen(module, tensor, tensor._version, source)
                self._examine(layer, self.seen[layer])

    def _examine(self, layer: str, seen: _Seen) -> None:
        tensor = seen.tensor
        if len(tensor) != self.n_rows:
            self.unusable[layer] = (
                f"it gave {len(tensor)} rows for {self.n_rows} samples"
            )
            return
        # A tensor that was seen before is what it was then; the width may have changed.
        channels = self.channels.setdefault(seen.key, self._channels(layer, tensor))
        try:
            features, rule = pool_tensor(tensor, self.pooling, self.mask, channels)
        except ValueError as error:
            self.unusable[layer] = f"pooling failed: {error}"
            return
        self.facts[layer] = LayerFacts(features.shape[1], rule, channels)

    def _channels(self, layer: str, tensor: Any) -> str | None:
        """Find the axis of the features: the one as long as the last module says."""
        if tensor.ndim < 3:
            return None
        first, last = tensor.shape[1] == self.width, tensor.shape[-1] == self.width
        if first != last and not self.points[layer].is_late:
            return "first" if first else "last"
        return "last" if tensor.ndim == 3 else "first"

    def conclude(self, root: Any) -> Trace:
        for layer in self.points:
            if layer not in self.facts and layer not in self.unusable:
                self.unusable[layer] = "it did not run"
        earliest: dict[tuple[int, int], str] = {}
        heads, is_probability = self._heads(root)
        layers = {}
        for layer, facts in self.facts.items():
            key = self.seen[layer].key
            twin = earliest.setdefault(key, layer)
            layers[layer] = LayerFacts(
                facts.width,
                facts.pooling,
                facts.channels,
                None if twin == layer else twin,
                key in heads,
            )
        return Trace(self.pooling, layers, self.unusable, is_probability)

    def _heads(self, root: Any) -> tuple[set, bool]:
        """Find a final linear map to one number per class, and what squashes it."""
        from torch.nn import LogSoftmax

        outputs = [s for s in self.seen.values() if s.module is root]
        if not outputs or outputs[0].tensor.ndim != 2:
            return set(), False
        makers: dict[tuple[int, int], _Seen] = {}
        for seen in self.seen.values():
            if _is_leaf(seen.module):
                makers.setdefault(seen.key, seen)  # Others only passed it on.
        heads, is_probability = set(), False
        maker = makers.get(outputs[0].key)
        if maker is not None and isinstance(maker.module, _squashing()):
            heads.add(maker.key)
            is_probability = not isinstance(maker.module, LogSoftmax)
            maker = _maker_of(maker.source, makers)
        if maker is not None and _is_linear(maker.module):
            heads.add(maker.key)
        return heads, is_probability


def _maker_of(tensor: Any, makers: Mapping[tuple, _Seen]) -> _Seen | None:
    return next((s for s in makers.values() if s.tensor is tensor), None)


def _features_made(module: Any) -> int | None:
    if not _is_leaf(module):
        return None
    for name in _WIDTHS:
        size = getattr(module, name, None)
        size = size[-1] if isinstance(size, tuple | list) and size else size
        if isinstance(size, int | np.integer) and not isinstance(size, bool):
            return int(size)
    return None


def _is_leaf(module: Any) -> bool:
    return next(module.children(), None) is None


def _is_linear(module: Any) -> bool:
    from torch.nn import Embedding, EmbeddingBag

    return is_weighted(module) and not isinstance(module, Embedding | EmbeddingBag)


def _squashing() -> tuple[type, ...]:
    from torch import nn

    return nn.Softmax, nn.LogSoftmax, nn.Sigmoid
