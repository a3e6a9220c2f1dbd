"""What extractors of model files and graphs have in common."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import joblib
import numpy as np
from scipy.special import expit, softmax

from sklearn_transrate.exceptions import LayerNotFoundError
from sklearn_transrate.extractors._base import FeatureExtractor, model_attribute
from sklearn_transrate.extractors._batching import is_stream
from sklearn_transrate.extractors._dataflow import (
    Operation,
    block_tensors,
    copied_tensors,
    final_activation,
    head_tensors,
)
from sklearn_transrate.extractors._named_inputs import (
    InputSpec,
    check_input_names,
    match_inputs,
    prepare,
    run_in_chunks,
)
from sklearn_transrate.extractors._pooling import pool, resolve_pooling
from sklearn_transrate.extractors._torch_modules import function_digest

__all__ = ["Network", "NetworkExtractor", "describe", "open_model_bytes"]

_FORMATS = ("auto", "channels_first", "channels_last")
_MASKS = ("attention_mask", "input_mask", "padding_mask")
_PROBA = "proba"
_ROWS = 64


@dataclass(frozen=True)
class Network:
    """What a model says about itself before it runs.

    Attributes
    ----------
    inputs : list of InputSpec
        Its inputs.
    layers : list of str
        Names of all layers, in forward order.
    heads : set of str
        Those that are output heads.
    blocks : list of str
        The last layer of each block.
    copies : set of str
        Layers that have the numbers of another.
    formats : dict of {layer: str}
        "channels_first" or "channels_last" where the model tells; else it is
        `default_format` for four axes and more.
    default_format : str
        Of the layers that `formats` does not have.
    scores : str or None
        The head that ends in logits or probabilities, if there is just one.
    activation : {"softmax", "logsoftmax", "sigmoid"} or None
        What it went through at last.
    """

    inputs: list[InputSpec]
    layers: list[str]
    heads: set[str] = field(default_factory=set)
    blocks: list[str] = field(default_factory=list)
    copies: set[str] = field(default_factory=set)
    formats: Mapping[str, str] = field(default_factory=dict)
    default_format: str = "channels_first"
    scores: str | None = None
    activation: str | None = None

    @property
    def has_proba(self) -> bool:
        """Whether probabilities of classes are a layer beside those of the model."""
        return self.scores is not None and _PROBA not in self.layers

    @property
    def rows_at_a_time(self) -> int | None:
        """Number of rows that every input must have; None if any number."""
        sizes = {spec.shape[0] for spec in self.inputs if spec.shape}
        return next(iter(sizes)) if len(sizes) == 1 else None


class NetworkExtractor(FeatureExtractor):
    """Base class of extractors of models that name their inputs and tensors.

    A subclass has the parameters `model`, `layers`, `pooling`, `preprocess`,
    `batch_size` and `data_format`, and defines `_read_network`, `_open` and
    `_digest`.
    """

    _shared_params = ("model", "preprocess")

    # -- for subclasses --------------------------------------------------------

    def _read_network(self) -> Network:
        """Describe the model."""
        raise NotImplementedError

    def _open(self, layers: Sequence[str]) -> AbstractContextManager[Callable]:
        """Give a function from a dict of inputs to {layer: activation}."""
        raise NotImplementedError

    def _digest(self) -> str:
        """Return a hash of the model."""
        raise NotImplementedError

    # -- layers ----------------------------------------------------------------

    @property
    def _network(self) -> Network:
        return self._remember("network", self._read_network)

    @model_attribute
    def layers_(self) -> list[str]:
        """Names of all layers, in forward order."""
        network = self._network
        return [*network.layers, _PROBA] if network.has_proba else list(network.layers)

    def _feature_layers(self) -> list[str]:
        network = self._network
        own = [name for name in network.layers if name not in network.copies]
        features = [name for name in own if name not in network.heads]
        return features or own

    def _select(self, selector: Any) -> list[str]:
        items = selector if isinstance(selector, list | tuple) else [selector]
        if not any(isinstance(item, str) and item == "blocks" for item in items):
            return super()._select(selector)
        network = self._network
        blocks = [name for name in network.blocks if name not in network.heads]
        if not blocks:
            raise LayerNotFoundError(
                "The model has no place where it is one layer wide, so 'blocks' "
                "chooses none. Name layers, or pass 'all'."
            )
        chosen = []
        for item in items:
            chosen.extend(blocks if item == "blocks" else [item])
        return super()._select(chosen)

    # -- a pass ----------------------------------------------------------------

    def _check_input(self, X: Any, layers: Sequence[str], *, reset: bool) -> None:
        if self.data_format not in _FORMATS:
            raise ValueError(
                f"Expected 'data_format' to be one of {', '.join(map(repr, _FORMATS))}"
                f", got {self.data_format!r}."
            )
        if self.preprocess is not None and not callable(self.preprocess):
            raise TypeError(
                "Expected 'preprocess' to be a function of a sample, got "
                f"{type(self.preprocess).__name__}."
            )
        resolve_pooling((1, 1), self.pooling)
        super()._check_input(X, layers, reset=reset)
        if not is_stream(X) and self.preprocess is None:
            check_input_names(X, self._network.inputs)

    def _resolve_batch_size(self, batch_size: Any, layers: Sequence[str]) -> Any:
        # The size of the inputs does not tell that of the activations.
        return _ROWS if isinstance(batch_size, str) else batch_size

    @contextmanager
    def _session(self, layers: Sequence[str]) -> Iterator[Callable]:
        network = self._network
        own = list(layers)
        if network.has_proba and _PROBA in own:
            own.remove(_PROBA)
            own.extend({network.scores} - set(own))
        with self._open(own) as run:
            yield partial(self._run_batch, network, run, layers)

    def _forward(self, X_batch: Any, layers: Sequence[str]) -> Mapping[str, np.ndarray]:
        with self._session(layers) as forward:
            return forward(X_batch)

    def _run_batch(
        self, network: Network, run: Callable, layers: Sequence[str], X_batch: Any
    ) -> dict[str, np.ndarray]:
        X_batch = prepare(X_batch, self.preprocess)
        inputs = match_inputs(X_batch, network.inputs)
        size = network.rows_at_a_time
        outputs = run(inputs) if size is None else run_in_chunks(run, inputs, size)
        mask = next((inputs[name] for name in _MASKS if name in inputs), None)
        features = {
            layer: self._pool_layer(network, layer, activation, mask)
            for layer, activation in outputs.items()
            if layer in layers
        }
        if network.has_proba and _PROBA in layers:
            scores = outputs[network.scores]
            features[_PROBA] = _probabilities(scores, network.activation)
            self._note_pooling(_PROBA, "flatten")
        return features

    def _pool_layer(
        self, network: Network, layer: str, activation: np.ndarray, mask: Any
    ) -> np.ndarray:
        rule = resolve_pooling(activation.shape, self.pooling)
        self._note_pooling(layer, rule)
        if activation.ndim != 3 and rule == "flatten":
            return pool(activation, rule)
        if activation.ndim > 3:
            if self._format_of_images(network, layer) == "channels_last":
                activation = np.moveaxis(activation, -1, 1)
            return pool(activation, rule)
        if network.formats.get(layer) == "channels_first" and rule != "flatten":
            # Never because the user says so: tokens have three axes, too.
            activation = activation.swapaxes(1, 2)
        if mask is not None and mask.shape == activation.shape[:2]:
            return pool(activation, rule, mask)
        return pool(activation, rule)

    def _format_of_images(self, network: Network, layer: str) -> str:
        if self.data_format != "auto":
            return self.data_format
        return network.formats.get(layer, network.default_format)

    def _note_pooling(self, layer: str, rule: str) -> None:
        known = vars(self).get("pooling_", {})
        if known.get(layer) != rule:  # Never so after fit: it changes nothing then.
            self.pooling_ = known | {layer: rule}

    # -- identity --------------------------------------------------------------

    def fingerprint(self) -> str:
        """Return a hash of everything that decides the features.

        Returns
        -------
        fingerprint : str
            The same in every process, for the same model, layers, pooling and
            preprocessing.
        """
        kind = type(self).__name__
        how = (self.pooling, self.data_format, function_digest(self.preprocess))
        made_of = (kind, self._digest(), self._select(self.layers), how)
        return joblib.hash(made_of)

    def _remember(self, key: Any, make: Callable) -> Any:
        """Return what was made before from this very model, or make it."""
        of = _version(self.model)
        cache = vars(self).get("_made")
        if cache is None or not _is_same(cache["of"], of):
            cache = self._made = {"of": of}
        if key not in cache:
            cache[key] = make()
        return cache[key]

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        if not isinstance(self.model, bytes | bytearray | memoryview):
            return super().__repr__(N_CHAR_MAX)
        shell = object.__new__(type(self))
        vars(shell).update(vars(self), model=_Short(len(self.model)))
        return super(NetworkExtractor, shell).__repr__(N_CHAR_MAX)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        state.pop("_made", None)
        return state


class _Short:
    """Stands for the bytes of a model where a person reads."""

    def __init__(self, size: int):
        self.size = size

    def __repr__(self) -> str:
        return f"<model of {self.size:,} bytes>"


def describe(
    inputs: list[InputSpec],
    operations: Sequence[Operation],
    sources: Sequence[str],
    outputs: Sequence[str],
    ranks: Mapping[str, int],
    **formats: Any,
) -> Network:
    """Find heads and blocks among the layers of a model.

    Parameters
    ----------
    inputs : list of InputSpec
        What the model declares.
    operations : sequence of Operation
        In an order in which they can run.
    sources, outputs : sequence of str
        Names of the tensors that are its inputs and outputs.
    ranks : mapping of {layer: int}
        The layers in forward order, each with its number of axes.
    **formats : dict
        `formats` and `default_format` of the network.

    Returns
    -------
    network : Network
    """
    flat = [name for name in outputs if ranks.get(name) == 2]
    heads = head_tensors(operations, flat, sources).intersection(ranks)
    scores = [name for name in flat if name in heads]
    (scores,) = scores if len(scores) == 1 else [None]
    blocks = block_tensors(operations, sources, outputs)
    return Network(
        inputs,
        list(ranks),
        heads,
        [name for name in blocks if name in ranks],
        copied_tensors(operations),
        scores=scores,
        activation=scores and final_activation(operations, scores),
        **formats,
    )


def open_model_bytes(model: Any, kind: str) -> bytes:
    """Return the bytes of a model that is a path, or bytes already.

    Parameters
    ----------
    model : path, bytes
        What the user gave.
    kind : str
        What the file should be, for errors: "an .onnx file".

    Returns
    -------
    content : bytes

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    TypeError
        If it is neither.
    """
    if isinstance(model, bytes | bytearray | memoryview):
        return bytes(model)
    if not isinstance(model, str | os.PathLike):
        raise TypeError(
            f"Expected 'model' to be the path of {kind} or its bytes, got "
            f"{type(model).__name__}."
        )
    path = os.fspath(model)
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"Expected 'model' to be the path of {kind}, but there is no file {path!r}."
        )
    with open(path, "rb") as file:
        return file.read()


def _version(model: Any) -> Any:
    """Return what tells whether a model is still the one that was read."""
    if isinstance(model, str | os.PathLike) and os.path.isfile(model):
        status = os.stat(model)
        return (os.fspath(model), status.st_mtime_ns, status.st_size)
    return model


def _is_same(left: Any, right: Any) -> bool:
    return left is right or (
        isinstance(left, tuple) and isinstance(right, tuple) and left == right
    )


def _probabilities(scores: np.ndarray, activation: str | None) -> np.ndarray:
    """Return probabilities of classes, in two columns for one score."""
    if activation == "logsoftmax":
        return np.exp(scores)
    if scores.shape[1] > 1:
        return softmax(scores, axis=1) if activation is None else scores
    positive = expit(scores) if activation is None else scores
    return np.concatenate([1 - positive, positive], axis=1)
