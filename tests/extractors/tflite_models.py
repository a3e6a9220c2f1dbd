"""TensorFlow Lite models written down operation by operation, without TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

REASON = "needs ai-edge-litert, to make and run models"
flatbuffers = pytest.importorskip("flatbuffers", reason=REASON)
schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason=REASON)

TYPES = {
    "float16": schema.TensorType.FLOAT16,
    "float32": schema.TensorType.FLOAT32,
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
    "int32": schema.TensorType.INT32,
    "int64": schema.TensorType.INT64,
}


class Graph:
    """Tensors and operations, in the order in which they are added."""

    def __init__(self, seed=0):
        self.rng = np.random.default_rng(seed)
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.buffers = [schema.BufferT()]
        self.model.operatorCodes = []
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.numbers = {}

    def tensor(self, name, shape, dtype="float32", scale=None, zero=0, *, axis=0):
        """Add an activation; a size of None is left open."""
        entry = schema.TensorT()
        entry.name, entry.type = name, TYPES[dtype]
        entry.shape = [1 if size is None else size for size in shape]
        if None in shape:
            entry.shapeSignature = [-1 if size is None else size for size in shape]
        if scale is not None:
            entry.quantization = schema.QuantizationParametersT()
            entry.quantization.scale = np.atleast_1d(np.float32(scale))
            zeros = np.broadcast_to(zero, np.shape(entry.quantization.scale))
            entry.quantization.zeroPoint = zeros.astype(np.int64)
            entry.quantization.quantizedDimension = axis
        self.numbers[name] = len(self.graph.tensors)
        self.graph.tensors.append(entry)
        return name

    def constant(self, name, values, scale=None, *, axis=0):
        values = np.asarray(values)
        self.tensor(name, values.shape, str(values.dtype), scale, axis=axis)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self.graph.tensors[-1].buffer = len(self.model.buffers)
        self.model.buffers.append(buffer)
        return name

    def weight(self, name, *shape, scale=0.3):
        return self.constant(name, self.rng.normal(0, scale, shape).astype(np.float32))

    def add(self, kind, inputs, output, options=None):
        operator = schema.OperatorT()
        operator.opcodeIndex = self._code(getattr(schema.BuiltinOperator, kind))
        operator.inputs = [self.numbers[name] for name in inputs]
        operator.outputs = [self.numbers[output]]
        if options is not None:
            title = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, title)
            operator.builtinOptions = options
        self.graph.operators.append(operator)
        return output

    def _code(self, number):
        for i, code in enumerate(self.model.operatorCodes):
            if code.builtinCode == number:
                return i
        code = schema.OperatorCodeT()
        code.builtinCode = number
        code.deprecatedBuiltinCode = min(number, 127)
        code.version = 1
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1

    def content(self, inputs, outputs, signature=None):
        self.graph.inputs = [self.numbers[name] for name in inputs]
        self.graph.outputs = [self.numbers[name] for name in outputs]
        self.model.subgraphs = [self.graph]
        if signature:
            self.model.signatureDefs = [self._signature(signature, outputs)]
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _signature(self, inputs, outputs):
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = "serving_default", 0
        signature.inputs = [self._entry(*pair) for pair in inputs.items()]
        signature.outputs = [self._entry(name, name) for name in outputs]
        return signature

    def _entry(self, name, tensor):
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name, self.numbers[tensor]
        return entry


def conv_options(stride=1, relu=True):
    options = schema.Conv2DOptionsT()
    options.padding = schema.Padding.SAME
    options.strideW = options.strideH = stride
    options.dilationHFactor = options.dilationWFactor = 1
    if relu:
        options.fusedActivationFunction = schema.ActivationFunctionType.RELU
    return options


def mean_options():
    options = schema.ReducerOptionsT()
    options.keepDims = False
    return options


def softmax_options():
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    return options


def residual_network(batch=None, channels=4, classes=3):
    """Pixels, a stem, one residual block, a mean over positions, and a head."""
    g = Graph()
    g.tensor("image", (batch, 8, 8, 3))
    _conv(g, "image", "stem", (channels, 3, 3, 3), (batch, 4, 4, channels), stride=2)
    _conv(g, "stem", "inner", (channels, 3, 3, channels), (batch, 4, 4, channels))
    g.tensor("block", (batch, 4, 4, channels))
    g.add("ADD", ["stem", "inner"], "block", schema.AddOptionsT())
    g.tensor("mean", (batch, channels))
    g.add(
        "MEAN", ["block", g.constant("axes", np.int32([1, 2]))], "mean", mean_options()
    )
    g.tensor("logits", (batch, classes))
    g.weight("head.w", classes, channels)
    g.weight("head.b", classes)
    options = schema.FullyConnectedOptionsT()
    g.add("FULLY_CONNECTED", ["mean", "head.w", "head.b"], "logits", options)
    g.tensor("proba", (batch, classes))
    g.add("SOFTMAX", ["logits"], "proba", softmax_options())
    return g.content(["image"], ["proba"], {"pixels": "image"})


def _conv(g, x, name, kernel, shape, stride=1):
    g.weight(f"{name}.w", *kernel)
    g.weight(f"{name}.b", kernel[0])
    g.tensor(name, shape)
    g.add("CONV_2D", [x, f"{name}.w", f"{name}.b"], name, conv_options(stride))


def quantised_network(dtype="int8", batch=None):
    """A convolution and a mean in integers, between integers or floats.

    With uint8 the input is pixels; with float32 it is quantised inside.
    """
    g = Graph(1)
    inner = {
        "name": "image",
        "scale": 1 / 127.5,
        "zero": -1 if dtype != "uint8" else 127,
    }
    kind = "uint8" if dtype == "uint8" else "int8"
    shape = (batch, 8, 8, 3)
    if dtype == "float32":
        g.tensor("image", shape)
        inner["name"] = "quantised"
    g.tensor(inner["name"], shape, kind, inner["scale"], inner["zero"])
    if dtype == "float32":
        g.add("QUANTIZE", ["image"], "quantised")
    if kind == "uint8":
        weights = g.rng.integers(1, 256, (4, 3, 3, 3), dtype=np.uint8)
        g.constant("w", weights)
        entry = g.graph.tensors[-1]
        entry.quantization = schema.QuantizationParametersT()
        entry.quantization.scale = np.float32([0.01])
        entry.quantization.zeroPoint = np.int64([128])
        scales = np.float32([0.01])
    else:
        weights = g.rng.integers(-127, 128, (4, 3, 3, 3), dtype=np.int8)
        scales = np.float32([0.004, 0.006, 0.008, 0.01])
        g.constant("w", weights, scales)
    bias = g.rng.integers(-500, 500, 4).astype(np.int32)
    g.constant("b", bias, np.float32(inner["scale"]) * scales)
    zero = 0 if kind == "uint8" else -128
    g.tensor("conv", (batch, 4, 4, 4), kind, 0.02, zero)
    g.add("CONV_2D", [inner["name"], "w", "b"], "conv", conv_options(2))
    g.tensor("mean", (batch, 4), kind, 0.01, zero)
    g.add(
        "MEAN", ["conv", g.constant("axes", np.int32([1, 2]))], "mean", mean_options()
    )
    g.tensor("real", (batch, 4))
    g.add("DEQUANTIZE", ["mean"], "real")
    return g.content(["image"], ["real"])
