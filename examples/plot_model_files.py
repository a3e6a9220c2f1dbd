"""
Does a smaller model file make worse features?
==============================================

Models arrive as files: ``.onnx``, ``.tflite``, and the latter often with weights
rounded to 8 bits. Is the layer that one would choose the same? The extractors for files
read any tensor inside, so that all of them can stand in one table.

Needs: onnx, onnxruntime, ai_edge_litert

The files are made here, from one network of scikit-learn. With models of your own, the
first half of this page is not needed: pass the path of the file.
"""

# sphinx_gallery_thumbnail_path = "images/plot_model_files.png"

# %%
# A network that tells the digits 0 to 4 apart. The task is to tell 5 to 9 apart.

import tempfile
from pathlib import Path

import numpy as np
from sklearn.neural_network import MLPClassifier

from sklearn_transrate.datasets import load_digits_sources, load_digits_target

source = load_digits_sources(["digits"], n_copies=3, random_state=0)["digits"]
target = load_digits_target(random_state=0)
network = MLPClassifier(
    (64, 64, 64), tol=0.01, n_iter_no_change=5, max_iter=300, random_state=0
).fit(source.X, source.y)
weights = [w.astype(np.float32) for w in network.coefs_]
biases = [b.astype(np.float32) for b in network.intercepts_]
n_layers, n_inputs = len(weights), len(weights[0])
images = target.X_train.astype(np.float32)
folder = Path(tempfile.mkdtemp())

# %%
# As an ONNX file: a multiplication and a rectifier for each layer.

from onnx import TensorProto, helper, numpy_helper, save


def write_onnx(path):
    nodes, constants, x = [], [], "pixels"
    for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
        constants += [numpy_helper.from_array(w, f"w{i}")]
        constants += [numpy_helper.from_array(b, f"b{i}")]
        is_last = i == n_layers - 1
        made = "logits" if is_last else f"sum{i + 1}"
        nodes.append(helper.make_node("Gemm", [x, f"w{i}", f"b{i}"], [made]))
        if not is_last:
            x = f"hidden{i + 1}"
            nodes.append(helper.make_node("Relu", [made], [x]))
    kind = TensorProto.FLOAT
    given = helper.make_tensor_value_info("pixels", kind, ["n", n_inputs])
    returned = helper.make_tensor_value_info("logits", kind, ["n", 5])
    graph = helper.make_graph(nodes, "digits", [given], [returned], constants)
    opset = [helper.make_opsetid("", 17)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)


write_onnx(folder / "digits.onnx")

# %%
# As TensorFlow Lite files, once with weights of 32 bits and once of 8. The package that
# runs them also brings the format's classes, so TensorFlow is not needed.

import flatbuffers
from ai_edge_litert import schema_py_generated as schema


class TfliteFile:
    """Tensors and fully connected layers, in the order in which they are added."""

    def __init__(self):
        self.tensors, self.steps, self.buffers = [], [], [schema.BufferT()]

    def tensor(self, name, shape, kind="FLOAT32", values=None, scale=None):
        tensor = schema.TensorT()
        tensor.name, tensor.shape = name, [abs(size) for size in shape]
        tensor.type = getattr(schema.TensorType, kind)
        if -1 in shape:
            tensor.shapeSignature = list(shape)
        if values is not None:
            tensor.buffer = len(self.buffers)
            self.buffers.append(schema.BufferT())
            self.buffers[-1].data = np.frombuffer(values.tobytes(), np.uint8)
        if scale is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = np.float32([scale])
            tensor.quantization.zeroPoint = np.int64([0])
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def weight(self, name, values, bits):
        if bits == 32:
            return self.tensor(name, values.shape, values=values)
        scale = np.abs(values).max() / 127
        rounded = np.rint(values / scale).astype(np.int8)
        return self.tensor(name, values.shape, "INT8", rounded, scale)

    def dense(self, x, name, w, b, bits, rectify):
        step = schema.OperatorT()
        step.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
        step.builtinOptions = schema.FullyConnectedOptionsT()
        kinds = schema.ActivationFunctionType
        step.builtinOptions.fusedActivationFunction = (
            kinds.RELU if rectify else kinds.NONE
        )
        # The weights of this format are transposed.
        kernel = self.weight(f"{name}.w", np.ascontiguousarray(w.T), bits)
        bias = self.tensor(f"{name}.b", b.shape, values=b)
        step.inputs = [x, kernel, bias]
        step.outputs = [self.tensor(name, (-1, len(b)))]
        self.steps.append(step)
        return step.outputs[0]

    def save(self, path, first, last):
        graph, model = schema.SubGraphT(), schema.ModelT()
        graph.tensors, graph.operators = self.tensors, self.steps
        graph.inputs, graph.outputs = [first], [last]
        code = schema.OperatorCodeT()
        code.builtinCode = schema.BuiltinOperator.FULLY_CONNECTED
        code.deprecatedBuiltinCode, code.version = code.builtinCode, 9
        model.version, model.subgraphs = 3, [graph]
        model.operatorCodes, model.buffers = [code], self.buffers
        builder = flatbuffers.Builder()
        builder.Finish(model.Pack(builder), b"TFL3")
        path.write_bytes(builder.Output())


def write_tflite(path, bits):
    file = TfliteFile()
    first = x = file.tensor("pixels", (-1, n_inputs))
    for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
        is_last = i == n_layers - 1
        name = "logits" if is_last else f"hidden{i + 1}"
        x = file.dense(x, name, w, b, bits, rectify=not is_last)
    file.save(path, first, x)


write_tflite(folder / "digits.tflite", bits=32)
write_tflite(folder / "digits-8bit.tflite", bits=8)
for path in sorted(folder.iterdir()):
    print(f"{path.name:18} {path.stat().st_size:7,} bytes")

# %%
# Both extractors offer every tensor that depends on the input, by the name that the
# file gives it, from one run of the model.

from sklearn_transrate import TransferSelector
from sklearn_transrate.extractors.litert import LiteRTExtractor
from sklearn_transrate.extractors.onnx import OnnxExtractor

extractors = [
    ("onnx", OnnxExtractor(folder / "digits.onnx", layers="hidden*")),
    ("tflite", LiteRTExtractor(folder / "digits.tflite", layers="hidden*")),
    ("8 bits", LiteRTExtractor(folder / "digits-8bit.tflite", layers="hidden*")),
]
selector = TransferSelector(extractors, scoring="transrate")
selector.fit(images, target.y_train).results_

# %%
# And in use: the accuracy of a linear head on images that nobody has seen.

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def accuracy(row):
    extractor = selector.named_extractors_[row["extractor"]].with_layer(row["layer"])
    head = make_pipeline(extractor, StandardScaler(), LogisticRegression(max_iter=1000))
    head.fit(images, target.y_train)
    return head.score(target.X_test.astype(np.float32), target.y_test)


rows = selector.results_.to_records()
accuracies = [accuracy(row) for row in rows]

# %%

import matplotlib.pyplot as plt

styles = {
    "onnx": ("#0072B2", "o", "-"),
    "tflite": ("#009E73", "s", "--"),
    "8 bits": ("#D55E00", "^", ":"),
}
fig, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
columns = {
    "TransRate, nats": selector.results_["score_transrate"],
    "accuracy of a linear head": np.array(accuracies),
}
for ax, (label, values) in zip(axes, columns.items(), strict=True):
    for name, (color, marker, line) in styles.items():
        own = values[selector.results_["extractor"] == name]
        ax.plot([1, 2, 3], own, color=color, marker=marker, linestyle=line, label=name)
    ax.set(xlabel="hidden layer", ylabel=label, xticks=[1, 2, 3])
    ax.spines[["top", "right"]].set_visible(False)
axes[0].legend()
plt.show()

# %%
# The format makes no difference, and eight bits make little. TransRate names the second
# layer; a head does better on the third, but by less than one image in a hundred, so
# that either will do.

# %%
# When the answer would differ
# ----------------------------
#
# * **If activations are rounded as well**, with scales from too few images, layers with
#   rare large values suffer most. The table above would tell: rank the file that will
#   be shipped, not the one it was made from.
# * **If a converter fused layers**, some names are gone: ``extractor.layers_`` lists
#   what is left.
# * **If the head alone is trained**, an 8-bit file costs little here; if the network
#   will be trained on, start from the floats.
