"""The graph of layers behind a Keras model, and models that end at some of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sklearn_transrate.extractors._dataflow import Operation, needed_operations

__all__ = ["KerasGraph", "Tap", "read_graph"]

# What an activation is called as an operation of its own; others are no head's.
_ACTIVATIONS = {
    "softmax": "Softmax",
    "log_softmax": "LogSoftmax",
    "sigmoid": "Sigmoid",
    "linear": "Identity",
}
_LAYOUT_CHANGES = {"Dense", "Flatten", "Permute", "Reshape"}


@dataclass
class KerasGraph:
    """What a Keras model says about its layers.

    Attributes
    ----------
    model : keras.Model
        The functional model.
    operations : list of Operation
        In the order in which they run.
    inputs : dict of {name: KerasTensor}
        By the names of the input layers.
    outputs : list of str
        Names of tensors.
    tensors : dict of {name: KerasTensor}
        The outputs of all layers.
    inner : set of str
        Those inside a model that is a layer.
    formats : dict of {name: str}
        Where channels are, as far as the layers tell.
    """

    model: Any
    operations: list[Operation] = field(default_factory=list)
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    tensors: dict[str, Any] = field(default_factory=dict)
    inner: set[str] = field(default_factory=set)
    formats: dict[str, str] = field(default_factory=dict)


def read_graph(model: Any) -> KerasGraph:
    """Read the layers of a functional or sequential model.

    Parameters
    ----------
    model : keras.Model
        The model; it is not changed.

    Returns
    -------
    graph : KerasGraph

    Raises
    ------
    TypeError
        If it is no model, or one without a graph of layers.
    ValueError
        If it is not built.
    """
    functional = _functional(model)
    if functional is None:
        kind = type(model).__name__
        if not hasattr(model, "predict_on_batch"):
            raise TypeError(
                f"Expected 'model' to be a Keras model or its path, got {kind}."
            )
        if hasattr(model, "add") and hasattr(model, "pop"):
            raise ValueError(
                "This sequential model is not built, so its layers have no inputs yet. "
                "Call it once, or start it with keras.Input."
            )
        raise TypeError(
            f"Expected a functional or sequential model, got {kind}, whose layers run "
            "where its own code says. Pass the functional model that it holds."
        )
    graph = KerasGraph(functional)
    names: dict[int, str] = {}
    for tensor in functional.inputs:
        graph.inputs[tensor.name] = tensor
        names[id(tensor)] = tensor.name
    _read_nodes(graph, functional, names, "")
    graph.outputs = [names[id(tensor)] for tensor in functional.outputs]
    return graph


def _functional(model: Any) -> Any:
    model = getattr(model, "_functional", model)
    return model if hasattr(model, "_nodes_by_depth") else None


def _titled_nodes(model: Any, prefix: str) -> Iterator[tuple[Any, str]]:
    """Yield the calls of layers in forward order, with a name for each."""
    calls: Counter[str] = Counter()
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            if node.is_input:
                continue
            name = node.operation.name
            calls[name] += 1
            again = f"@{calls[name]}" if calls[name] > 1 else ""
            yield node, f"{prefix}{name}{again}"


def _names_of(node: Any, title: str) -> list[str]:
    return [f"{title}:{i}" if i else title for i in range(len(node.output_tensors))]


def _read_nodes(graph: KerasGraph, model: Any, names: dict, prefix: str) -> None:
    for node, title in _titled_nodes(model, prefix):
        made = _names_of(node, title)
        read = tuple(names[id(tensor)] for tensor in node.input_tensors)
        inner = _functional(node.operation)
        if inner is None:
            _note(graph, node.operation, read, made)
        else:
            given = zip(inner.inputs, read, strict=True)
            known = {id(tensor): name for tensor, name in given}
            _read_nodes(graph, inner, known, f"{title}/")
            for tensor, name in zip(inner.outputs, made, strict=True):
                last = known[id(tensor)]
                graph.operations.append(Operation("Identity", (last,), (name,)))
                if last in graph.formats:
                    graph.formats[name] = graph.formats[last]
        for name, tensor in zip(made, node.output_tensors, strict=True):
            graph.tensors[name] = tensor
            names[id(tensor)] = name
        if prefix:
            graph.inner.update(made)


def _note(
    graph: KerasGraph, layer: Any, read: tuple[str, ...], made: list[str]
) -> None:
    """Note what a layer does: its activation is an operation after its own."""
    kind = type(layer).__name__
    activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
    after = _ACTIVATIONS.get(activation, "Relu")
    if kind == "Activation":
        graph.operations.append(Operation(after, read, tuple(made)))
    elif after == "Identity" or len(made) > 1:
        graph.operations.append(Operation(kind, read, tuple(made)))
    else:
        linear = f"{made[0]}/linear"
        graph.operations.append(Operation(kind, read, (linear,)))
        graph.operations.append(Operation(after, (linear,), tuple(made)))
    known = next((graph.formats[name] for name in read if name in graph.formats), None)
    known = None if kind in _LAYOUT_CHANGES else known
    known = getattr(layer, "data_format", None) or known
    if known:
        graph.formats.update(dict.fromkeys(made, known))


class Tap:
    """A model whose outputs are some layers of another, with which it shares weights.

    Parameters
    ----------
    keras : module
        Keras.
    graph : KerasGraph
        The graph of the other model.
    layers : sequence of str
        Names of tensors.
    """

    def __init__(self, keras: Any, graph: KerasGraph, layers: Sequence[str]) -> None:
        _, needed = needed_operations(graph.operations, layers)
        self._names = [name for name in graph.inputs if name in needed]
        if graph.inner.isdisjoint(layers):
            inputs = [graph.inputs[name] for name in self._names]
            outputs = [graph.tensors[name] for name in layers]
            inputs = inputs[0] if len(inputs) == 1 else inputs
            self._model = keras.Model(inputs, outputs)
        else:
            self._model = _step_model(keras, graph, layers, needed, self._names)

    def __call__(self, inputs: dict) -> list:
        feeds = [inputs[name] for name in self._names]
        outputs = self._model.predict_on_batch(feeds[0] if len(feeds) == 1 else feeds)
        return outputs if isinstance(outputs, list | tuple) else [outputs]


def _step_model(
    keras: Any, graph: KerasGraph, layers: Sequence[str], needed: set, inputs: list
) -> Any:
    """Return a model that calls the needed layers one after the other.

    A functional model cannot have outputs inside a model that is a layer: their
    tensors do not hang together.
    """

    class StepModel(keras.Model):
        def __init__(self):
            super().__init__()
            self.tapped = graph.model
            self.built = True

        def call(self, given):
            given = given if isinstance(given, list | tuple) else [given]
            pairs = zip(inputs, given, strict=True)
            values = {id(graph.inputs[name]): value for name, value in pairs}
            taken: dict[str, Any] = {}
            _run_nodes(keras, graph.model, values, "", needed, taken)
            return [taken[name] for name in layers]

    return StepModel()


def _run_nodes(
    keras: Any, model: Any, values: dict, prefix: str, needed: set, taken: dict
) -> None:
    for node, title in _titled_nodes(model, prefix):
        made = _names_of(node, title)
        inner = _functional(node.operation)
        if inner is not None:
            given = zip(inner.inputs, node.input_tensors, strict=True)
            known = {id(t): values[id(x)] for t, x in given if id(x) in values}
            _run_nodes(keras, inner, known, f"{title}/", needed, taken)
            outputs = [known.get(id(tensor)) for tensor in inner.outputs]
        elif needed.isdisjoint(made):
            continue
        else:
            args, kwargs = node.arguments.fill_in(values)
            outputs = keras.tree.flatten(node.operation(*args, **kwargs))
        for name, tensor, value in zip(made, node.output_tensors, outputs, strict=True):
            if value is not None:
                values[id(tensor)] = taken[name] = value
