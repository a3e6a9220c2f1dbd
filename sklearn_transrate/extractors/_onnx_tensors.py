"""What the tensors of an ONNX graph hold: types, scales, and where channels are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_transrate.extractors._dataflow import data_tensors
from sklearn_transrate.extractors._named_inputs import InputSpec
from sklearn_transrate.extractors._onnx_file import OnnxGraph, OnnxNode

__all__ = [
    "has_rows",
    "input_spec",
    "layouts",
    "real_tensors",
]


_DTYPES = {
    "tensor(float16)": np.dtype(np.float16),
    "tensor(float)": np.dtype(np.float32),
    "tensor(double)": np.dtype(np.float64),
    "tensor(int8)": np.dtype(np.int8),
    "tensor(int16)": np.dtype(np.int16),
    "tensor(int32)": np.dtype(np.int32),
    "tensor(int64)": np.dtype(np.int64),
    "tensor(uint8)": np.dtype(np.uint8),
    "tensor(uint16)": np.dtype(np.uint16),
    "tensor(uint32)": np.dtype(np.uint32),
    "tensor(uint64)": np.dtype(np.uint64),
    "tensor(bool)": np.dtype(np.bool_),
    "tensor(string)": np.dtype(object),
}
# Which inputs of a quantised operation are scale and zero point of its output.
_SCALES = {
    "QuantizeLinear": (1, 2),
    "QLinearConv": (6, 7),
    "QLinearMatMul": (6, 7),
    "QLinearAdd": (6, 7),
    "QLinearMul": (6, 7),
    "QGemm": (7, 8),
    "QLinearAveragePool": (3, 4),
    "QLinearGlobalAveragePool": (3, 4),
    "QLinearLeakyRelu": (3, 4),
    "QLinearSigmoid": (3, 4),
    "QLinearSoftmax": (3, 4),
    "QLinearConcat": (0, 1),
}
_MOVES_ONLY = {"Flatten", "MaxPool", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}
_CHANNELS_FIRST = {
    "AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "FusedConv",
    "GlobalAveragePool", "GlobalMaxPool", "InstanceNormalization", "LRN", "MaxPool",
    "QLinearAveragePool", "QLinearConv", "QLinearGlobalAveragePool",
}  # fmt: skip
_LAYOUT_CHANGES = {"Flatten", "Gather", "Gemm", "MatMul", "Reshape", "Squeeze"}


def input_spec(entry: Any) -> InputSpec:
    if entry.type not in _DTYPES:
        raise ValueError(
            f"Input {entry.name!r} of the model is of type {entry.type}, which has no "
            "array. Convert the model with plain tensors as inputs."
        )
    shape = tuple(n if isinstance(n, int) else None for n in entry.shape)
    return InputSpec(entry.name, _DTYPES[entry.type], shape or None)


def real_tensors(graph: OnnxGraph) -> tuple[dict[str, str], dict[str, OnnxNode]]:
    """Return the tensors that depend on data, and what makes quantised ones real.

    The former name the tensor of real numbers of each: itself, or one that a node of
    the latter makes.
    """
    made_by = data_tensors(graph.nodes, graph.inputs)
    scales: dict[str, tuple[str, ...]] = {}
    real: dict[str, str] = {}
    dequantisers: dict[str, OnnxNode] = {}
    for name, node in made_by.items():
        if node.kind in _SCALES:
            scale, zero = _SCALES[node.kind]
            scales[name] = node.inputs[scale : zero + 1]
        elif node.kind in _MOVES_ONLY and node.inputs[0] in scales:
            scales[name] = scales[node.inputs[0]]
        if node.kind == "QuantizeLinear":
            continue  # Its real numbers are another tensor already.
        real[name] = name
        if name in scales:
            real[name] = f"{name}/real"
            dequantisers[real[name]] = OnnxNode(
                "DequantizeLinear", (name, *scales[name]), (real[name],)
            )
    return real, dequantisers


def has_rows(entry: Any, inputs: Sequence[Any]) -> bool | None:
    """Tell whether a tensor holds a row of real numbers for every sample.

    None where the inference of shapes does not tell: then only a run does.
    """
    dtype = _DTYPES.get(entry.type)
    if dtype is None or dtype.kind != "f":
        return False
    shapes = [i.shape for i in inputs if i.shape]
    batch = {shape[0] for shape in shapes}
    first = entry.shape[0] if entry.shape else None
    if first is None or isinstance(first, int) or first in batch:
        return None if first is None else first in batch
    # The name of another size, such as the number of tokens, or an expression.
    return False if first in {n for shape in shapes for n in shape[1:]} else None


def layouts(nodes: Sequence[OnnxNode]) -> dict[str, str]:
    """Follow where the channels are from convolutions through the graph."""
    formats: dict[str, str] = {}
    for node in nodes:
        known = next((formats[n] for n in node.inputs if n in formats), None)
        if node.kind in _CHANNELS_FIRST:
            known = "channels_first"
        elif node.kind == "Transpose" and known:
            known = _transposed(known, node.permutation)
        elif node.kind in _LAYOUT_CHANGES:
            known = None
        if known:
            formats.update(dict.fromkeys(node.outputs, known))
    return formats


def _transposed(data_format: str, permutation: tuple[int, ...] | None) -> str | None:
    last = len(permutation or ()) - 1
    if data_format == "channels_first" and last > 0 and permutation[last] == 1:
        return "channels_last"
    if data_format == "channels_last" and last > 0 and permutation[1] == last:
        return "channels_first"
    return None
