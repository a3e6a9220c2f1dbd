"""Tensors inside a TensorFlow Lite model, by LiteRT. Needs ai-edge-litert."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from sklearn_transrate._lib.optional import import_optional
from sklearn_transrate.extractors._dataflow import data_tensors
from sklearn_transrate.extractors._named_inputs import InputSpec, trial_inputs
from sklearn_transrate.extractors._network import (
    Network,
    NetworkExtractor,
    describe,
    open_model_bytes,
)
from sklearn_transrate.extractors._tflite_file import (
    Tensor,
    TfliteGraph,
    cut_model,
    read_graph,
)

__all__ = ["LiteRTExtractor"]

_MOST_MODELS = 2
_AVERAGED = ("float32", "int8", "uint8")


class LiteRTExtractor(NetworkExtractor):
    """Tensors inside a TensorFlow Lite model, by LiteRT.

    The chosen tensors become the outputs of a copy of the graph from which everything
    that they do not need is cut: one run gives all of them, and ends at the last.

    Parameters
    ----------
    model : path or bytes
        A .tflite file, of floating-point or quantised operations.
    layers : str, int, or list of these, default="all"
        Tensors to extract, by the names that they have in the graph, by index or by
        glob. "all" means those that are no output heads, "last" the last of them, and
        "blocks" the last tensor of each block: where the network is one tensor wide.
        Heads (the final linear map and what follows it element by element) come by
        their names, an index or a glob; "proba" is the softmax of such a head, where
        the model has one.
    pooling : {"auto", "mean", "max", "cls", "last_token", "flatten"}, default="auto"
        How an activation becomes one vector per sample. "auto" is the mean over
        positions or tokens.
    preprocess : callable, default=None
        Turns one sample of `X`, such as a picture or a text, into an array or a dict
        of arrays. Paths of pictures are opened first.
    batch_size : int or "auto", default=64
        Rows per run; "auto" is 64. Models with a fixed batch size, as most have, run
        as often as is needed.
    data_format : {"auto", "channels_first", "channels_last"}, default="auto"
        Where the channels of activations with four axes and more are; "auto" is last,
        as the operations of LiteRT have it.
    n_threads : int, default=None
        Threads for the interpreter; None leaves it to LiteRT.

    Attributes
    ----------
    layers_ : list of str
        All tensors of real numbers that depend on the data and have one row per
        sample, in the order of the graph. Known before `fit`.
    selected_layers_ : list of str
        Those that `layers` chooses.
    pooling_ : dict of {layer: str}
        The rule that `pooling` came to.
    n_features_in_ : int
        Width of the `X` that `fit` saw, only where that was two-dimensional.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Column names of that `X`, where it had any.

    Raises
    ------
    FileNotFoundError
        By `fit` and `transform`, if there is no such file.
    TypeError
        By `fit` and `transform`, if `model` or `X` is of the wrong kind.
    ValueError
        By `fit` and `transform`, if the file is no such model, or names, shapes or
        numbers of the inputs are not what the model wants.

    See Also
    --------
    MLPExtractor : Layers of scikit-learn's own neural networks.

    Notes
    -----
    Quantised activations are extracted as the real numbers that they stand for, in
    single precision. Real numbers are quantised for a quantised input; an `X` of the
    very type of that input, such as pixels in uint8, is taken as quantised already.
    Of a model with several signatures, the first graph is used.

    Cost: that of the plain model up to the last chosen tensor, and a fresh interpreter
    for each pass, as interpreters must not be shared by threads.

    Examples
    --------
    >>> from sklearn_transrate.extractors.litert import LiteRTExtractor
    >>> extractor = LiteRTExtractor("mobilenet.tflite", layers="blocks")
    >>> extractor.fit(images)  # doctest: +SKIP
    >>> features = extractor.transform(images)  # doctest: +SKIP
    """

    def __init__(
        self,
        model,
        layers="all",
        pooling="auto",
        *,
        preprocess=None,
        batch_size=64,
        data_format="auto",
        n_threads=None,
    ):
        self.model = model
        self.layers = layers
        self.pooling = pooling
        self.preprocess = preprocess
        self.batch_size = batch_size
        self.data_format = data_format
        self.n_threads = n_threads

    @property
    def _graph(self) -> TfliteGraph:
        return self._remember("graph", self._read_graph)

    def _read_graph(self) -> TfliteGraph:
        try:
            return read_graph(self._content())
        except ValueError as error:
            raise ValueError(
                f"{self._title()} is no TensorFlow Lite model: {error}."
            ) from error

    def _read_network(self) -> Network:
        graph = self._graph
        operations, tensors = graph.operations, graph.tensors
        sources = list(graph.inputs.values())
        inputs = [_spec(name, tensors[t]) for name, t in graph.inputs.items()]
        batch = {tensors[name].shape[0] for name in sources if tensors[name].shape}
        ranks = {
            name: len(tensors[name].shape)
            for name in data_tensors(operations, sources)
            if _is_layer(tensors[name], batch)
        }
        if None in batch:
            ranks = self._without_wrong_rows(ranks, trial_inputs(inputs))
        return describe(
            inputs,
            operations,
            sources,
            graph.outputs,
            ranks,
            default_format="channels_last",
        )

    def _without_wrong_rows(
        self, ranks: dict[str, int], inputs: dict[str, np.ndarray]
    ) -> dict[str, int]:
        """Leave out tensors that have not one row per sample in a trial run."""
        numbers = {name: i for i, name in enumerate(self._graph.tensors)}
        n_rows = {len(array) for array in inputs.values()}
        kind = _runtime().OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        interpreter = self._start(
            self._content(),
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=kind,
        )
        try:
            _feed(interpreter, self._input_names(), inputs)
            interpreter.invoke()
            details = {e["index"]: e for e in interpreter.get_tensor_details()}
        except (RuntimeError, ValueError):  # The numbers of a trial mean nothing.
            return ranks
        shapes = {name: details[numbers[name]]["shape"] for name in ranks}
        return {
            name: len(shape)
            for name, shape in shapes.items()
            if len(shape) and shape[0] in n_rows
        }

    @contextmanager
    def _open(self, layers: Sequence[str]) -> Iterator[Callable]:
        interpreter = self._start(self._cut(tuple(layers)))
        wanted = [self._graph.tensors[layer] for layer in layers]
        yield partial(_run, interpreter, self._input_names(), wanted)

    def _start(self, content: bytes, **options: Any) -> Any:
        try:
            interpreter = _runtime().Interpreter(
                model_content=content, num_threads=self.n_threads, **options
            )
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"LiteRT cannot load {self._title()}: {error}") from error
        return interpreter

    def _input_names(self) -> list[str | None]:
        """Return the name of the input that each tensor is, by its number."""
        names = {tensor: name for name, tensor in self._graph.inputs.items()}
        return [names.get(tensor) for tensor in self._graph.tensors]

    def _cut(self, layers: tuple[str, ...]) -> bytes:
        models = self._remember("models", dict)
        # Where the interpreter is at it, means cost next to nothing.
        averaged = tuple(layer for layer in layers if self._averages(layer))
        key = (layers, averaged)
        if key not in models:
            while len(models) >= _MOST_MODELS:
                models.pop(next(iter(models)))
            models[key] = cut_model(self._content(), layers, averaged)
        return models[key]

    def _averages(self, layer: str) -> bool:
        tensor = self._graph.tensors[layer]
        is_image = tensor.dtype.name in _AVERAGED and len(tensor.shape) > 3
        data_format = self._format_of_images(self._network, layer)
        is_mean = self.pooling in ("auto", "mean")
        return is_image and is_mean and data_format == "channels_last"

    def _content(self) -> bytes:
        return open_model_bytes(self.model, "a .tflite file")

    def _title(self) -> str:
        is_path = isinstance(self.model, str | os.PathLike)
        return repr(os.fspath(self.model)) if is_path else "The model"

    def _digest(self) -> str:
        return self._remember(
            "digest", lambda: hashlib.sha256(self._content()).hexdigest()
        )


def _runtime() -> Any:
    return import_optional(
        "ai_edge_litert.interpreter", extra="litert", purpose="LiteRTExtractor"
    )


def _feed(interpreter: Any, names: list[str | None], inputs: dict) -> None:
    feeds = [(e, inputs[names[e["index"]]]) for e in interpreter.get_input_details()]
    if any(tuple(entry["shape"]) != array.shape for entry, array in feeds):
        for entry, array in feeds:
            interpreter.resize_tensor_input(entry["index"], array.shape)
        interpreter.allocate_tensors()
    interpreter.reset_all_variables()
    for entry, array in feeds:
        interpreter.set_tensor(entry["index"], array)


def _run(
    interpreter: Any, names: list[str | None], layers: list[Tensor], inputs: dict
) -> dict[str, np.ndarray]:
    _feed(interpreter, names, inputs)
    interpreter.invoke()
    return {
        tensor.name: tensor.dequantise(interpreter.get_tensor(entry["index"]))
        for tensor, entry in zip(layers, interpreter.get_output_details(), strict=True)
    }


def _spec(name: str, tensor: Tensor) -> InputSpec:
    if tensor.dtype is None:
        raise ValueError(
            f"Input {name!r} of the model is of a type that has no array. Convert the "
            "model with inputs of floats or integers."
        )
    if len(tensor.scales) != 1:
        return InputSpec(name, tensor.dtype, tensor.shape or None)
    scale, zero = float(tensor.scales[0]), int(tensor.zero_points[0])
    return InputSpec(name, tensor.dtype, tensor.shape or None, scale, zero)


def _is_layer(tensor: Tensor, batch: set) -> bool:
    """Tell whether a tensor holds real numbers, and may have one row per sample."""
    if tensor.dtype is None or not tensor.shape:
        return False
    is_real = tensor.dtype.kind == "f" or len(tensor.scales) > 0
    # Where the file leaves a size open, it may hold 1 in its place.
    allowed = batch | {None, 1} if None in batch else batch
    return is_real and tensor.shape[0] in allowed
