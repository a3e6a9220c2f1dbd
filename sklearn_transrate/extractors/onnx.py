"""Tensors inside an ONNX model, by ONNX Runtime. Needs onnxruntime."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_transrate._lib.optional import import_optional
from sklearn_transrate.extractors._named_inputs import InputSpec, trial_inputs
from sklearn_transrate.extractors._network import (
    Network,
    NetworkExtractor,
    describe,
    open_model_bytes,
)
from sklearn_transrate.extractors._onnx_file import OnnxNode, cut_model, read_graph
from sklearn_transrate.extractors._onnx_tensors import (
    has_rows,
    input_spec,
    layouts,
    real_tensors,
)

__all__ = ["OnnxExtractor"]

_MOST_SESSIONS = 2
_ERRORS_ONLY = 3


class OnnxExtractor(NetworkExtractor):
    """Tensors inside an ONNX model, by ONNX Runtime.

    The chosen tensors become the outputs of a copy of the graph from which everything
    that they do not need is cut: one run gives all of them, and ends at the last.

    Parameters
    ----------
    model : path, bytes, ModelProto or onnxruntime.InferenceSession
        The model. A session lends its options and providers, too.
    layers : str, int, or list of these, default="all"
        Tensors to extract, by the names that they have in the graph, by index or by
        glob. "all" means those that are no output heads, "last" the last of them, and
        "blocks" the last tensor of each block: where the network is one tensor wide.
        Heads (the final linear map and what follows it element by element) come by
        their names, an index or a glob; "proba" is the softmax of such a head, where
        the model has one.
    pooling : {"auto", "mean", "max", "cls", "last_token", "flatten"}, default="auto"
        How an activation becomes one vector per sample. "auto" is the mean over
        positions or tokens. Tokens that an input called "attention_mask" marks as
        padding are left out.
    preprocess : callable, default=None
        Turns one sample of `X`, such as a picture or a text, into an array or a dict
        of arrays. Paths of pictures are opened first.
    batch_size : int or "auto", default=64
        Rows per run; "auto" is 64. Models with a fixed batch size run as often as is
        needed.
    data_format : {"auto", "channels_first", "channels_last"}, default="auto"
        Where the channels of activations with four axes and more are. "auto" follows
        convolutions and transpositions through the graph; where these say nothing, the
        channels come first.
    providers : list, default=None
        Execution providers for ONNX Runtime, best first. None means those of the
        session, or the CPU.

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
        By `fit` and `transform`, if the file is no ONNX model, or names, shapes or
        numbers of the inputs are not what the model wants.

    See Also
    --------
    MLPExtractor : The same for networks of scikit-learn, without ONNX.

    Notes
    -----
    Activations of quantised operations are extracted as the real numbers that they
    stand for. Arrays are cast to the types that the model declares, if that keeps
    their numbers, and images are transposed where only that fits. Cost: one session
    per choice of layers, of which two are kept; then that of the plain model up to
    the last chosen tensor. Reading the graph costs one session without optimisation.

    Pickles hold the path or the bytes, and make their sessions anew; the options of a
    session that was passed are not pickled.

    Examples
    --------
    >>> from sklearn_transrate.extractors.onnx import OnnxExtractor
    >>> extractor = OnnxExtractor("resnet50.onnx", layers="blocks")
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
        providers=None,
    ):
        self.model = model
        self.layers = layers
        self.pooling = pooling
        self.preprocess = preprocess
        self.batch_size = batch_size
        self.data_format = data_format
        self.providers = providers

    def _read_network(self) -> Network:
        return self._tensors.network

    @property
    def _tensors(self) -> _Tensors:
        return self._remember("tensors", self._read_tensors)

    def _read_tensors(self) -> _Tensors:
        content = self._content()
        try:
            graph = read_graph(content)
        except ValueError as error:
            raise ValueError(f"{self._title()} is no ONNX model: {error}.") from error
        candidates, dequantisers = real_tensors(graph)
        wanted = list(candidates.values())
        probe = self._start(content, wanted, dequantisers, optimise=False)
        declared = {entry.name: entry for entry in probe.get_outputs()}
        inputs = [input_spec(entry) for entry in probe.get_inputs()]
        known = {
            name: has_rows(declared[real], probe.get_inputs())
            for name, real in candidates.items()
        }
        ranks = {name: len(declared[real].shape) for name, real in candidates.items()}
        unsure = [name for name, answer in known.items() if answer is None]
        if unsure:
            ranks |= self._ranks_by_a_run(content, unsure, inputs)
        ranks = {
            name: ranks[name]
            for name in known
            if ranks[name] and known[name] is not False
        }
        network = describe(
            inputs,
            graph.nodes,
            graph.inputs,
            graph.outputs,
            ranks,
            formats=layouts(graph.nodes),
        )
        layers = {name: candidates[name] for name in ranks}
        images = {
            name
            for name, real in layers.items()
            if ranks[name] > 3 and declared[real].type == "tensor(float)"
        }
        return _Tensors(network, layers, images, dequantisers, graph.external_files)

    def _ranks_by_a_run(
        self, content: bytes, names: list[str], inputs: list[InputSpec]
    ) -> dict[str, int]:
        """Return numbers of axes, 0 for tensors without a row for every sample.

        Of models that cannot run on the inputs of a trial, nothing is returned.
        """
        measures = {
            f"{name}/shape": OnnxNode("Shape", (name,), (f"{name}/shape",))
            for name in names
        }
        session = self._start(content, list(measures), measures)
        feeds = trial_inputs(inputs)
        needed = [entry.name for entry in session.get_inputs()]
        try:
            shapes = session.run(None, {name: feeds[name] for name in needed})
        except Exception:  # Of any kind, as the numbers of a trial mean nothing.
            return {}
        n_rows = {len(array) for array in feeds.values()}
        return {
            name: len(shape) if len(shape) and shape[0] in n_rows else 0
            for name, shape in zip(names, shapes, strict=True)
        }

    @contextmanager
    def _open(self, layers: Sequence[str]) -> Iterator[Callable]:
        yield partial(_run, self._session_for(tuple(layers)), list(layers))

    def _session_for(self, layers: tuple[str, ...]) -> Any:
        tensors = self._tensors
        sessions = self._remember("sessions", dict)
        key = (layers, self.pooling, self.data_format, repr(self.providers))
        if key not in sessions:
            while len(sessions) >= _MOST_SESSIONS:
                sessions.pop(next(iter(sessions)))
            extra = dict(tensors.dequantisers)
            wanted = []
            for layer in layers:
                made = tensors.made[layer]
                if layer in tensors.images and self._averages_channels_first(layer):
                    # Where the runtime is at it, this costs next to nothing.
                    mean = f"{made}/mean"
                    extra[mean] = OnnxNode("GlobalAveragePool", (made,), (mean,))
                    made = mean
                wanted.append(made)
            sessions[key] = self._start(self._content(), wanted, extra)
        return sessions[key]

    def _averages_channels_first(self, layer: str) -> bool:
        data_format = self._format_of_images(self._network, layer)
        return self.pooling in ("auto", "mean") and data_format == "channels_first"

    def _start(
        self,
        content: bytes,
        wanted: list[str],
        dequantisers: dict[str, OnnxNode],
        optimise: bool = True,
    ) -> Any:
        runtime = _runtime()
        options = self._options(runtime)
        if not optimise:
            level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
            options.graph_optimization_level = level
        content = cut_model(content, wanted, dequantisers)
        try:
            return runtime.InferenceSession(
                content, options, providers=self._providers()
            )
        except Exception as error:
            raise ValueError(
                f"ONNX Runtime cannot load {self._title()}: {error}"
            ) from error

    def _options(self, runtime: Any) -> Any:
        options = runtime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        folder = self._folder()
        if folder:
            key = "session.model_external_initializers_file_folder_path"
            options.add_session_config_entry(key, folder)
        return options

    def _providers(self) -> list:
        if self.providers is not None:
            return list(self.providers)
        if _is_session(self.model):
            return self.model.get_providers()
        return ["CPUExecutionProvider"]

    # -- the model -------------------------------------------------------------

    def _source(self) -> Any:
        """Return the path or the bytes behind the model."""
        if _is_session(self.model):
            return _source_of_session(self.model)
        return self.model

    def _content(self) -> bytes:
        source = self._source()
        if hasattr(source, "SerializeToString"):
            return source.SerializeToString()
        return open_model_bytes(source, "an .onnx file")

    def _folder(self) -> str | None:
        source = self._source()
        if not isinstance(source, str | os.PathLike):
            return None
        return str(Path(source).resolve().parent)

    def _title(self) -> str:
        source = self._source()
        is_path = isinstance(source, str | os.PathLike)
        return repr(os.fspath(source)) if is_path else "The model"

    def _digest(self) -> str:
        return self._remember("digest", self._hash_files)

    def _hash_files(self) -> str:
        digest = hashlib.sha256(self._content())
        folder = self._folder()
        for name in self._tensors.external_files if folder else ():
            with open(Path(folder, name), "rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if _is_session(self.model):
            state["model"] = _source_of_session(self.model)
            if self.providers is None:
                state["providers"] = self.model.get_providers()
        return state


@dataclass(frozen=True)
class _Tensors:
    """What `OnnxExtractor` knows of a graph.

    `made` has the tensor of real numbers of each layer; `images` are the layers of
    four axes and more in single precision.
    """

    network: Network
    made: dict[str, str]
    images: set[str]
    dequantisers: dict[str, OnnxNode]
    external_files: list[str]


def _runtime() -> Any:
    return import_optional("onnxruntime", extra="onnx", purpose="OnnxExtractor")


def _is_session(model: Any) -> bool:
    return hasattr(model, "get_providers") and hasattr(model, "run")


def _source_of_session(session: Any) -> Any:
    path = getattr(session, "_model_path", None)
    content = getattr(session, "_model_bytes", None)
    if not path and not content:
        raise TypeError(
            "This InferenceSession does not tell which model it was made from. Pass "
            "the path or the bytes of the model."
        )
    return path or content


def _run(session: Any, layers: list[str], inputs: dict) -> dict[str, np.ndarray]:
    feeds = {entry.name: inputs[entry.name] for entry in session.get_inputs()}
    return dict(zip(layers, session.run(None, feeds), strict=True))
