"""Layers of a Keras 3 model, on any of its backends. Needs keras."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from sklearn_transrate._lib.optional import import_optional
from sklearn_transrate.exceptions import MissingDependencyError
from sklearn_transrate.extractors._dataflow import data_tensors
from sklearn_transrate.extractors._keras_graph import KerasGraph, Tap, read_graph
from sklearn_transrate.extractors._named_inputs import InputSpec
from sklearn_transrate.extractors._network import (
    Network,
    NetworkExtractor,
    describe,
)

__all__ = ["KerasExtractor"]

_MOST_MODELS = 2


class KerasExtractor(NetworkExtractor):
    """Layers of a functional or sequential Keras 3 model, on any of its backends.

    A model with the chosen layers as its outputs shares the weights of the given one:
    one run in inference mode gives all of them, and ends at the last.

    Parameters
    ----------
    model : keras.Model or path
        A functional or sequential model, or a .keras file. It is shared, never copied
        or changed.
    layers : str, int, or list of these, default="all"
        Layers to extract, by their names, by index or by glob; those of a model that
        is itself a layer are called "model/layer". "all" means those that are no
        output heads, "last" the last of them, and "blocks" the last layer of each
        block: where the network is one tensor wide. Heads (the final dense layer and
        what follows it element by element) come by their names, an index or a glob;
        "proba" is the softmax of such a head, where the model has one.
    pooling : {"auto", "mean", "max", "cls", "last_token", "flatten"}, default="auto"
        How an activation becomes one vector per sample. "auto" is the mean over
        positions or tokens. Tokens that an input called "padding_mask" or
        "attention_mask" marks as padding are left out.
    preprocess : callable, default=None
        Turns one sample of `X`, such as a picture or a text, into an array or a dict
        of arrays. Paths of pictures are opened first.
    batch_size : int or "auto", default=64
        Rows per run; "auto" is 64.
    data_format : {"auto", "channels_first", "channels_last"}, default="auto"
        Where the channels of activations with four axes and more are. "auto" asks the
        layers, and ``keras.config.image_data_format()`` where they do not tell.

    Attributes
    ----------
    layers_ : list of str
        All layers that give real numbers, in forward order. A layer that is called
        again is "name@2" then; one with several outputs is "name", "name:1", ...
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
        By `fit` and `transform`, if `model` has no graph of layers, or `X` is of the
        wrong kind.
    ValueError
        By `fit` and `transform`, if the file is no Keras model, or names, shapes or
        numbers of the inputs are not what the model wants.

    See Also
    --------
    MLPExtractor : The same for networks of scikit-learn, without Keras.

    Notes
    -----
    Cost: that of ``predict_on_batch``, up to the last chosen layer; a model inside
    the model runs to its end. Some backends compile for each number of rows anew.

    Examples
    --------
    >>> from sklearn_transrate.extractors.keras import KerasExtractor
    >>> extractor = KerasExtractor("classifier.keras", layers="blocks")
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
    ):
        self.model = model
        self.layers = layers
        self.pooling = pooling
        self.preprocess = preprocess
        self.batch_size = batch_size
        self.data_format = data_format

    def _keras_model(self) -> Any:
        if isinstance(self.model, str | os.PathLike):
            return self._remember("model", self._load)
        return self.model

    def _load(self) -> Any:
        path = os.fspath(self.model)
        if not os.path.exists(path):
            raise FileNotFoundError(
                "Expected 'model' to be a Keras model or the path of a .keras file, "
                f"but there is no file {path!r}."
            )
        saving = _keras().saving
        try:
            return saving.load_model(path, compile=False)
        except Exception as error:
            raise ValueError(f"Keras cannot load {path!r}: {error}") from error

    @property
    def _graph(self) -> KerasGraph:
        return self._remember("graph", lambda: read_graph(self._keras_model()))

    def _read_network(self) -> Network:
        graph = self._graph
        operations, sources = graph.operations, list(graph.inputs)
        ranks = {
            name: len(graph.tensors[name].shape)
            for name in data_tensors(operations, sources)
            if name in graph.tensors and _is_layer(graph.tensors[name])
        }
        return describe(
            [_spec(name, tensor) for name, tensor in graph.inputs.items()],
            operations,
            sources,
            graph.outputs,
            ranks,
            formats=graph.formats,
            default_format=_keras().config.image_data_format(),
        )

    @contextmanager
    def _open(self, layers: Sequence[str]) -> Iterator[Callable]:
        yield partial(_run, self._tap(tuple(layers)), list(layers))

    def _tap(self, layers: tuple[str, ...]) -> Tap:
        taps = self._remember("taps", dict)
        if layers not in taps:
            while len(taps) >= _MOST_MODELS:
                taps.pop(next(iter(taps)))
            taps[layers] = Tap(_keras(), self._graph, layers)
        return taps[layers]

    def _digest(self) -> str:
        model = self._keras_model()
        digest = hashlib.sha256(model.to_json().encode())
        for weight in model.weights:
            values = np.asarray(_keras().ops.convert_to_numpy(weight))
            digest.update(f"{weight.path} {values.shape} {values.dtype}".encode())
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()


def _keras() -> Any:
    try:
        return import_optional("keras", extra="keras", purpose="KerasExtractor")
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"KerasExtractor needs a backend of Keras, but: {error}. Install "
            "tensorflow, jax or torch, and name it in the variable KERAS_BACKEND."
        ) from error


def _run(tap: Tap, layers: list[str], inputs: dict) -> dict[str, np.ndarray]:
    outputs = [_as_plain(np.asarray(output)) for output in tap(inputs)]
    return dict(zip(layers, outputs, strict=True))


def _as_plain(activation: np.ndarray) -> np.ndarray:
    """Return types that numpy lacks, such as bfloat16, in single precision."""
    is_plain = activation.dtype.kind == "f"
    return activation if is_plain else activation.astype(np.float32)


def _spec(name: str, tensor: Any) -> InputSpec:
    kind = str(tensor.dtype)
    dtype = {"string": "O", "bfloat16": "float32"}.get(kind, kind)
    return InputSpec(name, np.dtype(dtype), tuple(tensor.shape) or None)


def _is_layer(tensor: Any) -> bool:
    return "float" in str(tensor.dtype) and len(tensor.shape) > 0
