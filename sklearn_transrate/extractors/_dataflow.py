"""A network as a list of operations on named tensors: what depends on what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = [
    "Operation",
    "block_tensors",
    "copied_tensors",
    "data_tensors",
    "final_activation",
    "head_tensors",
    "needed_operations",
]

# These read the sizes of a tensor, never its numbers.
_SIZE_READERS = {"Shape", "Size", "SHAPE", "RANK"}
# These change nothing when a model is not trained.
_INERT = {
    "ActivityRegularization", "AlphaDropout", "Dropout", "GaussianDropout",
    "GaussianNoise", "Identity", "SpatialDropout1D", "SpatialDropout2D",
    "SpatialDropout3D",
}  # fmt: skip
# What follows a linear map in a head. A rectifier does not: logits are never cut off.
_AFTER_LINEAR = {
    "Add", "Cast", "DequantizeLinear", "Div", "Exp", "Flatten", "Identity",
    "LogSoftmax", "Mul", "Neg", "QLinearAdd", "QLinearSigmoid", "QLinearSoftmax",
    "QuantizeLinear", "Reshape", "Sigmoid", "Softmax", "Squeeze", "Sub",
    "ADD", "CAST", "DEQUANTIZE", "DIV", "EXP", "LOGISTIC", "LOG_SOFTMAX", "MUL", "NEG",
    "QUANTIZE", "RESHAPE", "SOFTMAX", "SQUEEZE", "SUB",
    "Dropout",
}  # fmt: skip
_PROBABILITIES = {
    "Softmax": "softmax", "QLinearSoftmax": "softmax", "SOFTMAX": "softmax",
    "LogSoftmax": "logsoftmax", "LOG_SOFTMAX": "logsoftmax",
    "Sigmoid": "sigmoid", "QLinearSigmoid": "sigmoid", "LOGISTIC": "sigmoid",
}  # fmt: skip
_COPIES = _INERT | {
    "Cast", "DequantizeLinear", "Flatten", "Identity", "QuantizeLinear", "Reshape",
    "Squeeze", "CAST", "DEQUANTIZE", "QUANTIZE", "RESHAPE", "SQUEEZE",
}  # fmt: skip
_LINEAR = {
    "FusedGemm", "FusedMatMul", "Gemm", "MatMul", "MatMulInteger", "QGemm",
    "QLinearMatMul", "DynamicQuantizeMatMul", "MatMulNBits",
    "BATCH_MATMUL", "FULLY_CONNECTED",
    "Dense", "EinsumDense",
}  # fmt: skip
_CONVOLUTIONS = {
    "Conv", "ConvInteger", "ConvTranspose", "FusedConv", "QLinearConv",
    "CONV_2D", "CONV_3D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV",
    "Conv1D", "Conv2D", "Conv3D", "DepthwiseConv1D", "DepthwiseConv2D",
    "SeparableConv1D", "SeparableConv2D", "Conv2DTranspose",
}  # fmt: skip
_WEIGHTED = _LINEAR | _CONVOLUTIONS | {
    "Attention", "GRU", "LSTM", "MultiHeadAttention", "RNN",
    "UNIDIRECTIONAL_SEQUENCE_LSTM", "Bidirectional", "Functional", "Sequential",
}  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """One step of a network.

    Attributes
    ----------
    kind : str
        What it computes, as the format calls it: "Conv", "FULLY_CONNECTED".
    inputs : tuple of str
        Names of the tensors that it reads, weights included.
    outputs : tuple of str
        Names of the tensors that it makes.
    """

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def data_tensors(
    operations: Sequence[Operation], sources: Iterable[str]
) -> dict[str, Operation]:
    """Return the tensors whose numbers depend on those of the sources.

    Constants, dequantised weights and sizes of tensors are no such.

    Parameters
    ----------
    operations : sequence of Operation
        In an order in which they can run.
    sources : iterable of str
        Names of the inputs.

    Returns
    -------
    tensors : dict of {name: Operation}
        In that order, without the sources, each with what makes it.

    Examples
    --------
    >>> size = Operation("Shape", ("x",), ("n",))
    >>> data_tensors([size, Operation("Relu", ("x",), ("y",))], ["x"]).keys()
    dict_keys(['y'])
    """
    found: dict[str, Operation] = {}
    carried = set(sources)
    for operation in operations:
        if operation.kind in _SIZE_READERS or carried.isdisjoint(operation.inputs):
            continue
        made = [name for name in operation.outputs if name]
        carried.update(made)
        found.update(dict.fromkeys(made, operation))
    return found


def needed_operations(
    operations: Sequence[Operation], wanted: Iterable[str]
) -> tuple[list[int], set[str]]:
    """Return which operations must run for some tensors, and all that these read.

    Parameters
    ----------
    operations : sequence of Operation
        In an order in which they can run.
    wanted : iterable of str
        Names of tensors.

    Returns
    -------
    positions : list of int
        Increasing.
    tensors : set of str
        `wanted`, and every input of these operations.
    """
    tensors, positions = set(wanted), []
    for i in reversed(range(len(operations))):
        if not tensors.isdisjoint(operations[i].outputs):
            positions.append(i)
            tensors.update(operations[i].inputs)
    return positions[::-1], tensors


def copied_tensors(operations: Sequence[Operation]) -> set[str]:
    """Return the tensors that have the numbers of another, as dropout leaves them."""
    inert = (step for step in operations if step.kind in _INERT)
    return {name for step in inert for name in step.outputs}


def head_tensors(
    operations: Sequence[Operation], outputs: Iterable[str], sources: Iterable[str]
) -> set[str]:
    """Return the tensors that belong to output heads.

    A head is a final linear map and what follows it element by element, such as
    logits and their softmax. Of a network that ends otherwise, such as an encoder
    with a normalised embedding, no tensor is a head.

    Parameters
    ----------
    operations : sequence of Operation
        In an order in which they can run.
    outputs : iterable of str
        The outputs of the network that could be heads.
    sources : iterable of str
        Its inputs.

    Returns
    -------
    tensors : set of str

    Examples
    --------
    >>> steps = [
    ...     Operation("Gemm", ("x", "v"), ("hidden",)),
    ...     Operation("Relu", ("hidden",), ("features",)),
    ...     Operation("Gemm", ("features", "w"), ("logits",)),
    ...     Operation("Softmax", ("logits",), ("proba",)),
    ... ]
    >>> sorted(head_tensors(steps, ["proba"], ["x"]))
    ['logits', 'proba']
    """
    made_by = data_tensors(operations, sources)
    heads: set[str] = set()
    for output in outputs:
        heads.update(_head_behind(output, made_by))
    return heads


def _head_behind(tensor: str, made_by: dict[str, Operation]) -> list[str]:
    passed: list[str] = []
    is_probability = False
    while tensor in made_by:
        operation = made_by[tensor]
        passed.append(tensor)
        if operation.kind in _LINEAR:
            return passed
        if operation.kind in _CONVOLUTIONS:
            return passed if is_probability else []
        is_probability |= "softmax" in _PROBABILITIES.get(operation.kind, "")
        before = [name for name in operation.inputs if name in made_by]
        if operation.kind not in _AFTER_LINEAR or len(before) != 1:
            break
        tensor = before[0]
    return passed if is_probability else []


def final_activation(operations: Sequence[Operation], output: str) -> str | None:
    """Say which of softmax, log-softmax and sigmoid an output of a head went through.

    Parameters
    ----------
    operations : sequence of Operation
        In an order in which they can run.
    output : str
        Name of the output.

    Returns
    -------
    activation : {"softmax", "logsoftmax", "sigmoid"} or None
    """
    made_by = {name: step for step in operations for name in step.outputs}
    while output in made_by:
        step = made_by[output]
        if step.kind in _PROBABILITIES:
            return _PROBABILITIES[step.kind]
        if step.kind not in _COPIES:
            return None
        output = step.inputs[0]
    return None


def block_tensors(
    operations: Sequence[Operation], sources: Iterable[str], outputs: Iterable[str]
) -> list[str]:
    """Return the tensors at which the network is one tensor wide, one per block.

    Every path from an input to the outputs passes through such a tensor: the sum at
    the end of a residual block, or the output of any layer of a plain chain. Of those
    between two weighted operations only the last is taken, as in convolution,
    normalisation, activation.

    Parameters
    ----------
    operations : sequence of Operation
        In an order in which they can run.
    sources : iterable of str
        The inputs; a tensor counts that is such a place for one of them, so that a
        mask that all blocks read does no harm.
    outputs : iterable of str
        The outputs.

    Returns
    -------
    tensors : list of str
        In the order of the operations.
    """
    outputs = list(outputs)
    chosen = {
        tensor
        for source in sources
        for tensor in _last_of_each_run(operations, source, outputs)
    }
    order = (name for operation in operations for name in operation.outputs)
    return [name for name in order if name in chosen]


def _last_of_each_run(
    operations: Sequence[Operation], source: str, outputs: list[str]
) -> list[str]:
    carried = data_tensors(operations, [source])
    steps = [o for o in operations if any(carried.get(name) is o for name in o.outputs)]
    useful = set(needed_operations(steps, outputs)[0])
    steps = [step for i, step in enumerate(steps) if i in useful]
    last_use = {name: i for i, step in enumerate(steps) for name in step.inputs}
    last_use.update(dict.fromkeys(outputs, len(steps)))

    last: list[str] = []
    alive, weights_since = {source}, False
    for i, step in enumerate(steps):
        alive.update(name for name in step.outputs if name in last_use)
        alive = {name for name in alive if last_use.get(name, -1) > i}
        weights_since |= step.kind in _WEIGHTED
        if len(alive) != 1 or alive.isdisjoint(step.outputs):
            continue
        if weights_since:
            last.append(*alive)
        elif last and step.kind not in _INERT:
            last[-1] = next(iter(alive))
        weights_since = False
    return last
