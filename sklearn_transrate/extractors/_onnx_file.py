"""The graph in an ONNX file, read and rewritten as bytes, weights left as they lie.

A model is a protocol buffer: fields of a number and a value, in any order, of which
only names and operations matter here. https://onnx.ai/onnx/repo-docs/IR.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sklearn_transrate.extractors._dataflow import (
    Operation,
    needed_operations,
)

__all__ = ["OnnxGraph", "OnnxNode", "cut_model", "encode_node", "read_graph"]

# Field numbers of onnx.proto.
_MODEL_GRAPH, _MODEL_OPSETS = 7, 8
_NODE_INPUT, _NODE_OUTPUT, _NODE_KIND, _NODE_ATTRIBUTE, _NODE_DOMAIN = 1, 2, 4, 5, 7
_ATTRIBUTE_NAME, _ATTRIBUTE_GRAPH, _ATTRIBUTE_INTS, _ATTRIBUTE_GRAPHS = 1, 6, 8, 11
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_INPUT, _GRAPH_OUTPUT = 1, 5, 11, 12
_GRAPH_VALUE_INFO, _GRAPH_SPARSE_INITIALIZER = 13, 15
_TENSOR_NAME, _VALUE_NAME = 8, 1
_TENSOR_EXTERNAL, _ENTRY_KEY, _ENTRY_VALUE = 13, 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class OnnxNode(Operation):
    """An operation of an ONNX graph.

    Attributes
    ----------
    inputs : tuple of str
        Also what its branches and loop bodies read, at the end.
    permutation : tuple of int or None
        Of a Transpose, where it says so.
    """

    permutation: tuple[int, ...] | None = None


@dataclass(frozen=True)
class OnnxGraph:
    """What an ONNX file says about its tensors, without their numbers.

    Attributes
    ----------
    nodes : list of OnnxNode
        In an order in which they can run.
    inputs, outputs : list of str
        Names; weights are no inputs.
    external_files : list of str
        Names of files beside the model that hold weights.
    """

    nodes: list[OnnxNode]
    inputs: list[str]
    outputs: list[str]
    external_files: list[str]


def read_graph(model: bytes) -> OnnxGraph:
    """Read the operations of a model.

    Parameters
    ----------
    model : bytes
        The content of an .onnx file.

    Returns
    -------
    graph : OnnxGraph

    Raises
    ------
    ValueError
        If this is no ONNX model.
    """
    nodes, inputs, outputs, constants = [], [], [], set()
    external: dict[str, None] = {}
    for number, value in _graph_fields(model):
        if number == _GRAPH_NODE:
            nodes.append(_read_node(value))
        elif number == _GRAPH_INPUT:
            inputs.append(_text(value, _VALUE_NAME))
        elif number == _GRAPH_OUTPUT:
            outputs.append(_text(value, _VALUE_NAME))
        elif number == _GRAPH_INITIALIZER:
            constants.add(_text(value, _TENSOR_NAME))
            external.update(dict.fromkeys(_external_files(value)))
    if not nodes or not outputs:
        raise ValueError("it has no graph with operations and outputs")
    inputs = [name for name in inputs if name not in constants]
    return OnnxGraph(nodes, inputs, outputs, list(external))


def cut_model(
    model: bytes, wanted: Sequence[str], extra_nodes: Mapping[str, OnnxNode]
) -> bytes:
    """Return a model that computes some tensors, and nothing that these do not need.

    Parameters
    ----------
    model : bytes
        The content of an .onnx file.
    wanted : sequence of str
        Names of tensors, which become the outputs, in this order.
    extra_nodes : mapping of {name: OnnxNode}
        Operations to add at the end, in order, by their outputs.

    Returns
    -------
    model : bytes
    """
    fields = list(_graph_fields(model))
    nodes = [value for number, value in fields if number == _GRAPH_NODE]
    nodes.extend(memoryview(encode_node(node)) for node in extra_nodes.values())
    positions, needed = needed_operations([_read_node(n) for n in nodes], wanted)
    kept = [(_GRAPH_NODE, nodes[i]) for i in positions]
    known = {
        _text(value, _VALUE_NAME): value
        for number, value in fields
        if number in (_GRAPH_OUTPUT, _GRAPH_VALUE_INFO)
    }
    for number, value in fields:
        if number in (_GRAPH_NODE, _GRAPH_OUTPUT):
            continue
        name = _NAME_FIELDS.get(number)
        if name is None or _text(value, name) in needed:
            kept.append((number, value))
    for name in wanted:
        unknown = _encode(_VALUE_NAME, name.encode())
        kept.append((_GRAPH_OUTPUT, known.get(name, unknown)))
    graph = b"".join(_encode(number, value) for number, value in kept)
    others = (
        _encode(number, value)
        for number, value in _fields(memoryview(model))
        if number != _MODEL_GRAPH
    )
    return b"".join([*others, _encode(_MODEL_GRAPH, graph)])


_NAME_FIELDS = {
    _GRAPH_INITIALIZER: _TENSOR_NAME,
    _GRAPH_INPUT: _VALUE_NAME,
    _GRAPH_VALUE_INFO: _VALUE_NAME,
}


def encode_node(node: OnnxNode) -> bytes:
    """Return a node without attributes as bytes."""
    parts = [_encode(_NODE_INPUT, name.encode()) for name in node.inputs]
    parts += [_encode(_NODE_OUTPUT, name.encode()) for name in node.outputs]
    return b"".join([*parts, _encode(_NODE_KIND, node.kind.encode())])


def _graph_fields(model: bytes) -> Iterator[tuple[int, memoryview]]:
    for number, value in _fields(memoryview(model)):
        if number == _MODEL_GRAPH and isinstance(value, memoryview):
            yield from _fields(value)


def _read_node(node: memoryview) -> OnnxNode:
    inputs, outputs, captured, kind, permutation = [], [], [], "", None
    for number, value in _fields(node):
        if number == _NODE_INPUT:
            inputs.append(_decode(value))
        elif number == _NODE_OUTPUT:
            outputs.append(_decode(value))
        elif number == _NODE_KIND:
            kind = _decode(value)
        elif number == _NODE_ATTRIBUTE:
            if _text(value, _ATTRIBUTE_NAME) == "perm":
                permutation = tuple(_integers(value, _ATTRIBUTE_INTS))
            captured.extend(_read_from_outside(value))
    return OnnxNode(kind, tuple(inputs + captured), tuple(outputs), permutation)


def _read_from_outside(attribute: memoryview) -> Iterator[str]:
    """Yield all names that the graphs in an attribute read, their own included."""
    for number, value in _fields(attribute):
        if number not in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS):
            continue
        for inner, part in _fields(value):
            if inner == _GRAPH_NODE:
                yield from _read_node(part).inputs
            elif inner == _GRAPH_OUTPUT:
                yield _text(part, _VALUE_NAME)


def _external_files(tensor: memoryview) -> Iterator[str]:
    for number, value in _fields(tensor):
        if number == _TENSOR_EXTERNAL and _text(value, _ENTRY_KEY) == "location":
            yield _text(value, _ENTRY_VALUE)


# -- protocol buffers ----------------------------------------------------------


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Yield the number and the value of each field; texts and messages as views."""
    if isinstance(message, int):
        raise ValueError("it has a number where a message should be")
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, position = _varint(message, position)
            yield number, value
            continue
        if wire == _BYTES:
            size, position = _varint(message, position)
        elif wire in (_FIXED32, _FIXED64):
            size = 4 if wire == _FIXED32 else 8
        else:
            raise ValueError("it is no protocol buffer")
        if position + size > len(message):
            raise ValueError("it is cut off, or no protocol buffer")
        yield number, message[position : position + size]
        position += size


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            break
        byte = message[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
    raise ValueError("it is cut off, or no protocol buffer")


def _encode(number: int, value: memoryview | bytes | int) -> bytes:
    if isinstance(value, int):
        return _encode_varint(number << 3 | _VARINT) + _encode_varint(value)
    return b"".join(
        [_encode_varint(number << 3 | _BYTES), _encode_varint(len(value)), value]
    )


def _encode_varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _text(message: memoryview, number: int) -> str:
    found = [value for n, value in _fields(message) if n == number]
    return _decode(found[-1]) if found else ""


def _decode(value: memoryview | int) -> str:
    if isinstance(value, int):
        raise ValueError("it has a number where a name should be")
    return bytes(value).decode()


def _integers(message: memoryview, number: int) -> Iterator[int]:
    for n, value in _fields(message):
        if n != number:
            continue
        if isinstance(value, int):
            yield value
            continue
        position = 0
        while position < len(value):
            item, position = _varint(value, position)
            yield item
