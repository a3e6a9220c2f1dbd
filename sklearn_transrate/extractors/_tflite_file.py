"""The graph in a .tflite file, read and rewritten with the schema of LiteRT."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_transrate._lib.optional import import_optional
from sklearn_transrate.extractors._dataflow import Operation, needed_operations

__all__ = ["Tensor", "TfliteGraph", "cut_model", "read_graph"]

_IDENTIFIER = b"TFL3"
_STORED_OUTSIDE = 1  # Offsets up to this mean that a buffer is inside the tables.
_DTYPES = {
    "FLOAT32": np.float32,
    "FLOAT16": np.float16,
    "FLOAT64": np.float64,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "BOOL": np.bool_,
    "STRING": np.object_,
}


@dataclass(frozen=True)
class Tensor:
    """A tensor as the file declares it.

    Attributes
    ----------
    name : str
        Its name; with the number of the tensor, if several have that name.
    dtype : numpy.dtype or None
        Its type; None for one that numpy lacks.
    shape : tuple of (int or None)
        Its shape; None where the file leaves a size open.
    scales, zero_points : ndarray
        Of a quantised tensor: real = (stored - zero point) * scale. Empty otherwise.
    axis : int
        Along which scales differ, where there are several.
    """

    name: str
    dtype: np.dtype | None
    shape: tuple[int | None, ...]
    scales: np.ndarray
    zero_points: np.ndarray
    axis: int

    def dequantise(self, stored: np.ndarray) -> np.ndarray:
        """Return the real numbers that stored ones stand for, in single precision."""
        if stored.dtype.kind == "f":
            return stored.astype(np.float32, copy=False)
        scales, zeros = self.scales, self.zero_points
        if len(scales) > 1:
            shape = [1] * stored.ndim
            shape[self.axis] = -1
            scales, zeros = scales.reshape(shape), zeros.reshape(shape)
        # Differences of 16-bit integers need more than that.
        return ((stored.astype(np.int32) - zeros) * scales).astype(np.float32)


@dataclass(frozen=True)
class TfliteGraph:
    """What a .tflite file says about its tensors, without their numbers.

    Attributes
    ----------
    operations : list of Operation
        In the order in which they run.
    tensors : dict of {name: Tensor}
        All of them.
    inputs : dict of {name: str}
        Names of inputs by the signature, or of their tensors, to those of tensors.
    outputs : list of str
        Names of tensors.
    """

    operations: list[Operation]
    tensors: dict[str, Tensor]
    inputs: dict[str, str]
    outputs: list[str]


def read_graph(content: bytes) -> TfliteGraph:
    """Read the operations of a model.

    Parameters
    ----------
    content : bytes
        The content of a .tflite file.

    Returns
    -------
    graph : TfliteGraph

    Raises
    ------
    ValueError
        If this is no such model.
    """
    if content[4:8] != _IDENTIFIER:
        raise ValueError("it does not have the mark of such files")
    schema = _schema()
    try:
        model = schema.Model.GetRootAsModel(content, 0)
        graph = model.Subgraphs(0)
        tensors = list(_tensors(schema, graph))
        names = [tensor.name for tensor in tensors]
        kinds = list(_kinds(schema, model))
        operations = [
            Operation(
                kinds[operator.OpcodeIndex()],
                tuple(names[i] for i in operator.InputsAsNumpy() if i >= 0),
                tuple(names[i] for i in operator.OutputsAsNumpy()),
            )
            for operator in map(graph.Operators, range(graph.OperatorsLength()))
        ]
        inputs = {names[i]: names[i] for i in graph.InputsAsNumpy()}
        outputs = [names[i] for i in graph.OutputsAsNumpy()]
        signature = dict(_signature(model, names))
    except Exception as error:  # A damaged table leads anywhere.
        raise ValueError(f"it is damaged ({error})") from error
    if set(signature.values()) == set(inputs):
        inputs = signature
    by_name = dict(zip(names, tensors, strict=True))
    return TfliteGraph(operations, by_name, inputs, outputs)


def cut_model(
    content: bytes, wanted: Sequence[str], averaged: Collection[str] = ()
) -> bytes:
    """Return a model that computes some tensors, and nothing that these do not need.

    Parameters
    ----------
    content : bytes
        The content of a .tflite file.
    wanted : sequence of str
        Names of tensors, which become the outputs, in this order.
    averaged : collection of str, default=()
        Those of them to replace by their means over all axes but the first and the
        last: floats of four axes and more, or what stands for them in 8 bits.

    Returns
    -------
    content : bytes
    """
    graph = read_graph(content)
    positions, needed = needed_operations(graph.operations, wanted)
    schema = _schema()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    main = model.subgraphs[0]
    numbers = {name: i for i, name in enumerate(graph.tensors)}
    main.operators = [main.operators[i] for i in positions]
    main.outputs = np.array([numbers[name] for name in wanted], np.int32)
    names = list(graph.tensors)
    kept = [i for i in main.inputs if names[i] in needed]
    main.inputs = np.array(kept, np.int32)
    model.signatureDefs = None
    _drop_buffers(model, {numbers[name] for name in needed})
    for i, name in enumerate(wanted):
        if name in averaged:
            main.outputs[i] = _add_mean(schema, model, numbers[name])
    for buffer in model.buffers:
        if buffer.offset > _STORED_OUTSIDE:
            stored = content[buffer.offset : buffer.offset + buffer.size]
            buffer.data = np.frombuffer(stored, np.uint8)
            buffer.offset = buffer.size = 0
    builder = import_optional(
        "flatbuffers", extra="litert", purpose="LiteRTExtractor"
    ).Builder(len(content))
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


def _add_mean(schema: Any, model: Any, number: int) -> int:
    """Add the mean over the positions of a tensor; return the new tensor's number."""
    tensors = model.subgraphs[0].tensors
    source = tensors[number]
    if source.type != schema.TensorType.FLOAT32:
        number = _add_float(schema, model, "DEQUANTIZE", [number], source)
    axes = schema.TensorT()
    axes.name, axes.type = f"{len(tensors)}/axes", schema.TensorType.INT32
    axes.shape, axes.buffer = [len(source.shape) - 2], len(model.buffers)
    values = np.arange(1, len(source.shape) - 1, dtype=np.int32)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    model.buffers.append(buffer)
    tensors.append(axes)
    mean = schema.TensorT()
    ones = [1] * axes.shape[0]
    mean.shape = [source.shape[0], *ones, source.shape[-1]]
    if source.shapeSignature is not None:
        mean.shapeSignature = [source.shapeSignature[0], *ones, source.shape[-1]]
    options = schema.ReducerOptionsT()
    options.keepDims = True
    inputs = [number, len(tensors) - 1]
    return _add_float(schema, model, "MEAN", inputs, mean, options)


def _add_float(
    schema: Any, model: Any, kind: str, inputs: list, like: Any, options: Any = None
) -> int:
    """Add an operation that makes a float tensor of the shape of another."""
    main = model.subgraphs[0]
    made, code, operator = schema.TensorT(), schema.OperatorCodeT(), schema.OperatorT()
    made.name, made.type = f"{len(main.tensors)}/{kind}", schema.TensorType.FLOAT32
    made.shape, made.shapeSignature = like.shape, like.shapeSignature
    main.tensors.append(made)
    code.builtinCode = getattr(schema.BuiltinOperator, kind)
    code.deprecatedBuiltinCode = code.builtinCode
    # Since version 2, all these operations also take 8-bit integers.
    code.version = 2
    operator.opcodeIndex = len(model.operatorCodes)
    model.operatorCodes.append(code)
    operator.inputs, operator.outputs = inputs, [len(main.tensors) - 1]
    if options is not None:
        operator.builtinOptionsType = schema.BuiltinOptions.ReducerOptions
        operator.builtinOptions = options
    main.operators.append(operator)
    return operator.outputs[0]


def _drop_buffers(model: Any, needed: set[int]) -> None:
    """Empty the buffers that nothing needs; those of other subgraphs stay."""
    main, *others = model.subgraphs
    used = {main.tensors[i].buffer for i in needed}
    used.update(tensor.buffer for graph in others for tensor in graph.tensors)
    used.update(entry.buffer for entry in model.metadata or ())
    for i, buffer in enumerate(model.buffers):
        if i not in used:
            buffer.data, buffer.offset, buffer.size = None, 0, 0


def _schema() -> Any:
    return import_optional(
        "ai_edge_litert.schema_py_generated", extra="litert", purpose="LiteRTExtractor"
    )


def _tensors(schema: Any, graph: Any) -> Iterator[Tensor]:
    types = {
        value: _DTYPES.get(name)
        for name, value in vars(schema.TensorType).items()
        if not name.startswith("_")
    }
    seen: set[str] = set()
    for i in range(graph.TensorsLength()):
        tensor = graph.Tensors(i)
        name = (tensor.Name() or b"").decode() or f"tensor:{i}"
        while name in seen:
            name = f"{name}:{i}"
        seen.add(name)
        dtype = types.get(tensor.Type())
        scales, zeros, axis = _quantisation(tensor.Quantization())
        shape = _shape(tensor)
        dtype = None if dtype is None else np.dtype(dtype)
        yield Tensor(name, dtype, shape, scales, zeros, axis)


def _shape(tensor: Any) -> tuple[int | None, ...]:
    length = tensor.ShapeSignatureLength()
    sizes = tensor.ShapeSignatureAsNumpy() if length else tensor.ShapeAsNumpy()
    if not length and not tensor.ShapeLength():
        return ()
    return tuple(None if size < 0 else int(size) for size in sizes)


def _quantisation(entry: Any) -> tuple[np.ndarray, np.ndarray, int]:
    if entry is None or not entry.ScaleLength():
        return np.empty(0, np.float32), np.empty(0, np.int32), 0
    scales = np.array(entry.ScaleAsNumpy(), np.float32)
    zeros = np.zeros(len(scales), np.int32)
    if entry.ZeroPointLength():
        zeros[:] = entry.ZeroPointAsNumpy()
    return scales, zeros, entry.QuantizedDimension()


def _kinds(schema: Any, model: Any) -> Iterator[str]:
    names = {
        value: name
        for name, value in vars(schema.BuiltinOperator).items()
        if not name.startswith("_")
    }
    for i in range(model.OperatorCodesLength()):
        code = model.OperatorCodes(i)
        # Numbers up to 127 were a byte once, and old files have only that.
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        yield names.get(number, str(number))


def _signature(model: Any, names: list[str]) -> Iterator[tuple[str, str]]:
    """Yield what the signature of the first graph calls its inputs, and tensors."""
    for i in range(model.SignatureDefsLength()):
        signature = model.SignatureDefs(i)
        if signature.SubgraphIndex() == 0:
            for j in range(signature.InputsLength()):
                entry = signature.Inputs(j)
                yield entry.Name().decode(), names[entry.TensorIndex()]
            return
