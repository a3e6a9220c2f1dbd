"""Against ONNX Runtime itself, on graphs that are extended by the onnx package."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from sklearn_transrate.exceptions import LayerNotFoundError, MissingDependencyError
from sklearn_transrate.extractors import MLPExtractor
from sklearn_transrate.extractors.onnx import OnnxExtractor
from sklearn_transrate.metrics import LEEP
from sklearn_transrate.model_selection import TransferSelector
from sklearn_transrate.testing import check_extractor

onnx = pytest.importorskip("onnx", reason="needs onnx, to make models")
ort = pytest.importorskip("onnxruntime", reason="needs onnxruntime, to run models")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

# What fusions of operations round differently in single precision, as a part of the
# largest number of a layer: sums of terms that cancel have no digits of their own.
TOLERANCE = 1e-5
CPU = ["CPUExecutionProvider"]


class Graph:
    """Nodes and weights, written down one after the other."""

    def __init__(self, seed=0):
        self.nodes, self.weights = [], {}
        self.rng = np.random.default_rng(seed)

    def add(self, kind, inputs, output, **attributes):
        self.nodes.append(
            helper.make_node(
                kind, inputs, [output], name=f"node/{output}", **attributes
            )
        )
        return output

    def weight(self, name, *shape, scale=0.4):
        values = self.rng.normal(0, scale, shape).astype(np.float32)
        return self.constant(name, values)

    def constant(self, name, values):
        self.weights[name] = np.asarray(values)
        return name

    def model(self, inputs, outputs, opset=17):
        graph = helper.make_graph(
            self.nodes,
            "test",
            [declare(*entry) for entry in inputs],
            [declare(*entry) for entry in outputs],
            [numpy_helper.from_array(v, name) for name, v in self.weights.items()],
        )
        opsets = [helper.make_opsetid("", opset)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        onnx.checker.check_model(model)
        return model


def declare(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def conv(graph, x, name, channels, stride=1):
    graph.weight(f"{name}.w", *channels, 3, 3)
    graph.weight(f"{name}.b", channels[0])
    inputs = [x, f"{name}.w", f"{name}.b"]
    return graph.add("Conv", inputs, name, pads=[1] * 4, strides=[stride] * 2)


def residual_network(batch="n"):
    g = Graph()
    x = g.add("Relu", [conv(g, "image", "stem", (8, 3), 2)], "stem.relu")
    for i in (1, 2):
        y = g.add("Relu", [conv(g, x, f"block{i}.conv1", (8, 8))], f"block{i}.relu1")
        y = conv(g, y, f"block{i}.conv2", (8, 8))
        x = g.add("Add", [x, y], f"block{i}.sum")
        x = g.add("Relu", [x], f"block{i}")
    x = g.add("GlobalAveragePool", [x], "pool")
    x = g.add("Flatten", [x], "flat")
    g.weight("head.w", 8, 5)
    g.weight("head.b", 5)
    x = g.add("Gemm", [x, "head.w", "head.b"], "logits")
    g.add("Softmax", [x], "proba")
    return g.model([("image", [batch, 3, 12, 12])], [("proba", [batch, 5])])


def encoder():
    """Tokens and a mask, with sizes computed as exporters do."""
    g = Graph(1)
    g.weight("table", 20, 6, scale=1.0)
    g.weight("position", 16, 6)
    x = g.add("Gather", ["table", "input_ids"], "words")
    g.add("Shape", ["input_ids"], "shape")
    g.add("Gather", ["shape", g.constant("one", np.int64(1))], "length")
    g.add("Range", [g.constant("zero", np.int64(0)), "length", "one"], "places")
    g.add("Gather", ["position", "places"], "positions")
    x = g.add("Add", [x, "positions"], "embedded")
    g.add("Cast", ["attention_mask"], "mask.float", to=TensorProto.FLOAT)
    g.constant("axes", np.array([1], np.int64))
    g.add("Unsqueeze", ["mask.float", "axes"], "mask.row")
    g.add("Sub", ["mask.row", g.constant("f1", np.float32(1))], "mask.gap")
    g.add("Mul", ["mask.gap", g.constant("big", np.float32(1e4))], "mask.bias")
    for i in (0, 1):
        for part in "qkv":
            g.add("MatMul", [x, g.weight(f"{part}{i}.w", 6, 6)], f"layer{i}.{part}")
        g.add("Transpose", [f"layer{i}.k"], f"layer{i}.kt", perm=[0, 2, 1])
        g.add("MatMul", [f"layer{i}.q", f"layer{i}.kt"], f"layer{i}.scores")
        g.add("Add", [f"layer{i}.scores", "mask.bias"], f"layer{i}.masked")
        g.add("Softmax", [f"layer{i}.masked"], f"layer{i}.attention", axis=-1)
        g.add("MatMul", [f"layer{i}.attention", f"layer{i}.v"], f"layer{i}.mixed")
        x = g.add("Add", [x, f"layer{i}.mixed"], f"layer{i}")
    tokens = ["n", "t"]
    return g.model(
        [
            ("input_ids", tokens, TensorProto.INT64),
            ("attention_mask", tokens, TensorProto.INT64),
        ],
        [("layer1", ["n", "t", 6])],
    )


def outputs_of(model, inputs, names):
    """What ONNX Runtime computes, without its optimisations, for the whole graph."""
    extended = onnx.ModelProto()
    extended.CopyFrom(model)
    del extended.graph.output[:]
    extended.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(extended.SerializeToString(), options, CPU)
    return dict(zip(names, session.run(None, inputs), strict=True))


def assert_close(found, expected):
    expected = np.asarray(expected)
    assert_allclose(found, expected, rtol=0, atol=TOLERANCE * np.abs(expected).max())


def pooled(activation):
    if activation.ndim == 3:
        return activation.mean(axis=1)
    return activation.mean(axis=(2, 3)) if activation.ndim == 4 else activation


@pytest.fixture(scope="module")
def model():
    return residual_network()


@pytest.fixture(scope="module")
def content(model):
    return model.SerializeToString()


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(5).normal(size=(7, 3, 12, 12)).astype(np.float32)


@pytest.fixture(scope="module")
def path(content, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "net.onnx"
    path.write_bytes(content)
    return path


@pytest.fixture
def tokens():
    rng = np.random.default_rng(3)
    mask = (np.arange(9) < rng.integers(1, 10, size=6)[:, None]).astype(np.int64)
    return {"input_ids": rng.integers(0, 20, (6, 9)), "attention_mask": mask}


# -- values --------------------------------------------------------------------


def test_every_layer_equals_what_the_runtime_computes(model, content, images):
    extractor = OnnxExtractor(content, layers="*").fit(images)
    expected = outputs_of(model, {"image": images}, extractor.layers_)
    features, _ = next(extractor.iter_features(images))
    assert list(features) == extractor.layers_
    for layer, activation in expected.items():
        assert_close(features[layer], pooled(activation))


def test_layers_are_the_tensors_of_the_graph(content):
    extractor = OnnxExtractor(content)
    assert extractor.layers_[:3] == ["stem", "stem.relu", "block1.conv1"]
    assert extractor.layers_[-3:] == ["flat", "logits", "proba"]
    assert extractor.selected_layers_ == extractor.layers_[:-2]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("last", ["flat"]),
        ("blocks", ["stem.relu", "block1", "flat"]),
        (["proba", "blocks"], ["proba", "stem.relu", "block1", "flat"]),
        ("block?", ["block1", "block2"]),
        (-1, ["proba"]),
    ],
)
def test_layers_are_chosen_by_word_glob_and_index(content, layers, expected):
    assert OnnxExtractor(content, layers).selected_layers_ == expected


def test_an_unknown_layer_is_answered_with_the_nearest(content):
    with pytest.raises(LayerNotFoundError, match=r"Nearest names: .*'block1'"):
        OnnxExtractor(content, "blok1").fit(np.zeros((1, 3, 12, 12)))


def test_laws(content, images):
    check_extractor(OnnxExtractor(content, "*", batch_size=3), images)
    check_extractor(OnnxExtractor(content), images)


def test_flattened_activations_are_as_the_runtime_gives_them(model, content, images):
    features = OnnxExtractor(content, "block1", "flatten").fit_transform(images)
    expected = outputs_of(model, {"image": images}, ["block1"])["block1"]
    assert_close(features, expected.reshape(7, -1))


def test_the_rule_of_pooling_is_told(content, images):
    extractor = OnnxExtractor(content, ["block1", "flat"]).fit(images)
    assert extractor.pooling_ == {"block1": "mean", "flat": "flatten"}


def test_means_are_taken_where_the_runtime_is_at_it(content, images):
    for pooling, shape in (("auto", (1, 1)), ("max", (6, 6)), ("flatten", (6, 6))):
        extractor = OnnxExtractor(content, "block1", pooling).fit(images)
        session = extractor._session_for(("block1",))
        (activation,) = session.run(None, {"image": images})
        assert activation.shape == (7, 8, *shape)


def test_an_early_layer_ends_the_run(content, images):
    early = OnnxExtractor(content).with_layer("stem.relu")
    assert sorted(tensors_run(early, images)) == ["stem", "stem.relu"]
    whole = OnnxExtractor(content, "*")
    assert sorted(tensors_run(whole, images)) == sorted(whole.layers_)


def tensors_run(extractor, X):
    """The tensors that are made by the session that the extractor runs."""
    made = []
    start = ort.InferenceSession

    def watch(content, *args, **kwargs):
        model = onnx.load_from_string(content)
        names = [name for node in model.graph.node for name in node.output]
        made[:] = [name for name in names if not name.endswith("/mean")]
        assert {w.name for w in model.graph.initializer} <= {
            name for node in model.graph.node for name in node.input
        }
        return start(content, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ort, "InferenceSession", watch)
        extractor.transform(X)
    return made


def test_one_run_a_batch_gives_all_layers(content, images, monkeypatch):
    extractor = OnnxExtractor(content, "*", batch_size=3).fit(images)
    runs, run = [], ort.InferenceSession.run

    def count(self, names, feeds, *args):
        runs.append(len(feeds["image"]))
        return run(self, names, feeds, *args)

    monkeypatch.setattr(ort.InferenceSession, "run", count)
    extractor.transform(images)
    assert runs == [3, 3, 1]


def test_the_output_head_is_a_layer(content, images):
    session = ort.InferenceSession(content, providers=CPU)
    proba = OnnxExtractor(content, "proba").fit_transform(images)
    assert_close(proba, session.run(None, {"image": images})[0])
    assert np.isfinite(LEEP().score(proba, [0, 1, 0, 1, 0, 1, 0]))


@pytest.mark.parametrize("width", [1, 4])
def test_probabilities_are_made_of_logits(width):
    g = Graph()
    g.add("Relu", [g.add("MatMul", ["x", g.weight("w", 3, 6)], "hidden")], "relu")
    g.add("MatMul", ["relu", g.weight("v", 6, width, scale=2.0)], "logits")
    model = g.model([("x", ["n", 3])], [("logits", ["n", width])])
    X = np.random.default_rng(0).normal(size=(5, 3))
    extractor = OnnxExtractor(model.SerializeToString(), ["proba", "logits"]).fit(X)
    features, _ = next(extractor.iter_features(X))
    logits = features["logits"].astype(float)
    if width == 1:
        logits = np.hstack([np.zeros_like(logits), logits])
    odds = np.exp(logits)
    assert_close(features["proba"], odds / odds.sum(axis=1, keepdims=True))
    assert extractor.layers_ == ["hidden", "relu", "logits", "proba"]
    assert OnnxExtractor(model.SerializeToString()).selected_layers_ == [
        "hidden",
        "relu",
    ]
    check_extractor(extractor, X)


# -- text ----------------------------------------------------------------------


def test_padding_enters_no_mean(tokens):
    model = encoder()
    extractor = OnnxExtractor(model.SerializeToString(), "layer1").fit(tokens)
    expected = outputs_of(model, tokens, ["layer1"])["layer1"]
    mask = tokens["attention_mask"]
    means = [row[real == 1].mean(axis=0) for row, real in zip(expected, mask, strict=1)]
    assert_close(extractor.transform(tokens), means)


def test_sizes_and_positions_are_no_layers():
    extractor = OnnxExtractor(encoder().SerializeToString())
    names = set(extractor.layers_)
    assert not names & {"shape", "length", "places", "positions"}
    assert {"words", "embedded", "layer0", "layer0.attention"} <= names


def test_blocks_are_found_beside_a_mask_that_all_of_them_read():
    extractor = OnnxExtractor(encoder().SerializeToString(), "blocks")
    assert extractor.selected_layers_ == ["layer0", "layer1"]


def test_an_early_layer_needs_only_its_own_inputs(tokens):
    extractor = OnnxExtractor(encoder().SerializeToString(), "words").fit(tokens)
    assert extractor.transform(tokens).shape == (6, 6)


def tokenise(text):
    ids = np.array([len(word) for word in text.split()])
    return {"input_ids": ids, "attention_mask": np.ones_like(ids)}


def test_texts_go_through_preprocess():
    texts = ["a bb ccc", "ddd ee f", "g g g"]
    extractor = OnnxExtractor(
        encoder().SerializeToString(), "layer1", preprocess=tokenise
    )
    features = extractor.fit(texts).transform(texts)
    plain = OnnxExtractor(encoder().SerializeToString(), "layer1")
    ids = np.array([[1, 2, 3], [3, 2, 1], [1, 1, 1]])
    tokens = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    assert_array_equal(features, plain.transform(tokens))
    check_extractor(extractor, texts)


# -- inputs --------------------------------------------------------------------


def test_images_are_cast_and_transposed_to_what_the_model_declares(content, images):
    expected = OnnxExtractor(content).fit_transform(images)
    for X in (
        images.astype(np.float64),
        images.transpose(0, 2, 3, 1),
        {"image": images},
        list(images),
        list(images.transpose(0, 2, 3, 1)),
    ):
        assert_array_equal(OnnxExtractor(content).fit(X).transform(X), expected)


def test_pictures_and_paths_go_through_preprocess(content, tmp_path):
    image = pytest.importorskip("PIL.Image", reason="needs pillow, to make pictures")
    pixels = np.random.default_rng(0).integers(0, 256, (4, 12, 12, 3), dtype=np.uint8)
    pictures = [image.fromarray(p) for p in pixels]
    paths = []
    for i, picture in enumerate(pictures):
        paths.append(str(tmp_path / f"{i}.png"))
        picture.save(paths[-1])

    def scale(picture):
        return np.asarray(picture) / 255

    plain = OnnxExtractor(content)
    for X in (pictures, paths):
        assert_array_equal(plain.transform(X), plain.transform(pixels))
        scaled = OnnxExtractor(content, preprocess=scale).fit(X).transform(X)
        assert_array_equal(scaled, plain.transform(pixels / 255))
    with pytest.raises(TypeError, match="Turn texts, paths and pictures into arrays"):
        plain.fit(["a text", "another"])


def test_streams_bring_their_labels(content, images):
    stream = iter([(images[:4], [0, 1, 0, 1]), (images[4:], [1, 1, 1])])
    parts = list(OnnxExtractor(content, "flat").iter_features(stream))
    assert [labels for _, labels in parts] == [[0, 1, 0, 1], [1, 1, 1]]
    whole = OnnxExtractor(content, "flat").fit_transform(images)
    rows = np.concatenate([features["flat"] for features, _ in parts])
    assert_close(rows, whole)


def test_models_with_a_fixed_batch_run_as_often_as_is_needed(content, images):
    fixed = OnnxExtractor(residual_network(batch=2).SerializeToString(), "*")
    expected = OnnxExtractor(content, "*").fit_transform(images)
    assert_close(fixed.fit_transform(images), expected)
    check_extractor(fixed, images)


def test_wrong_names_of_inputs_are_named(tokens):
    extractor = OnnxExtractor(encoder().SerializeToString())
    wrong = {"ids": tokens["input_ids"], "attention_mask": tokens["attention_mask"]}
    with pytest.raises(ValueError, match=r"inputs named \['input_ids', .* got \['ids'"):
        extractor.fit(wrong)
    with pytest.raises(
        ValueError, match=r"2 inputs, .* X is one ndarray\. Pass a dict"
    ):
        extractor.fit(tokens["input_ids"])


def test_wrong_shapes_are_named(content):
    with pytest.raises(
        ValueError, match=r"'image' .* shape \(b, 3, 12, 12\), got \(1,"
    ):
        OnnxExtractor(content).fit(np.zeros((2, 3, 8, 8)))


def test_numbers_that_would_change_by_a_cast_are_refused(tokens):
    extractor = OnnxExtractor(encoder().SerializeToString())
    whole = {name: array.astype(np.float64) for name, array in tokens.items()}
    assert_array_equal(
        extractor.fit(whole).transform(whole), extractor.transform(tokens)
    )
    whole["input_ids"] = whole["input_ids"] + 0.5
    with pytest.raises(ValueError, match=r"'input_ids' .* expects int64, got numbers"):
        extractor.transform(whole)


def test_columns_of_a_frame_are_inputs_of_their_own():
    g = Graph()
    g.add("Concat", ["age", "size"], "both", axis=1)
    g.add("MatMul", ["both", g.weight("w", 2, 3)], "hidden")
    g.add("Relu", ["hidden"], "out")
    model = g.model([("age", ["n", 1]), ("size", ["n", 1])], [("out", ["n", 3])])
    frame = pd.DataFrame({"size": [1.0, 2.0, 3.0], "age": [5, 6, 7]})
    features = OnnxExtractor(model.SerializeToString(), "both").fit_transform(frame)
    assert_array_equal(features, frame[["age", "size"]].to_numpy())


# -- graphs --------------------------------------------------------------------


def test_channels_are_followed_through_convolutions_and_transpositions():
    g = Graph()
    g.add("Conv", ["signal", g.weight("w", 4, 2, 3)], "conv")
    g.add("Relu", ["conv"], "relu")
    g.add("Transpose", ["relu"], "tokens", perm=[0, 2, 1])
    g.add("Tanh", ["tokens"], "tanh")
    model = g.model([("signal", ["n", 2, 9])], [("tanh", ["n", 7, 4])])
    X = np.random.default_rng(0).normal(size=(5, 2, 9)).astype(np.float32)
    features, _ = next(OnnxExtractor(model.SerializeToString()).iter_features(X))
    expected = outputs_of(model, {"signal": X}, ["relu", "tanh"])
    assert_close(features["relu"], expected["relu"].mean(axis=2))
    assert_close(features["tanh"], expected["tanh"].mean(axis=1))


def test_the_user_may_say_where_channels_are(content, images):
    extractor = OnnxExtractor(content, "block1", data_format="channels_last")
    assert extractor.fit_transform(images).shape == (7, 6)
    with pytest.raises(ValueError, match="'data_format' to be one of 'auto'"):
        OnnxExtractor(content, data_format="NCHW").fit(images)


def test_tensors_without_a_row_for_every_sample_are_no_layers():
    g = Graph()
    g.add("Relu", ["x"], "kept")
    g.add("Transpose", ["kept"], "turned", perm=[1, 0, 2])
    g.constant("any", np.array([-1, 3]))
    g.add("Reshape", ["turned", "any"], "flat")
    g.add("Shape", ["x"], "size")
    g.add("Reshape", ["flat", "size"], "wrong")
    g.add("MatMul", ["wrong", g.weight("w", 3, 3)], "mixed")
    g.add("ReduceMean", ["mixed"], "number", keepdims=0)
    g.add("Add", ["mixed", "number"], "out")
    g.add("Reshape", ["out", "any"], "tokens")
    model = g.model([("x", ["n", 4, 3])], [("out", ["n", 4, 3]), ("tokens", [None, 3])])
    extractor = OnnxExtractor(model.SerializeToString(), "*")
    assert extractor.layers_ == ["kept", "wrong", "mixed", "out"]
    assert extractor.fit_transform(np.ones((2, 4, 3))).shape == (2, 12)


def test_a_trial_that_fails_leaves_the_decision_to_the_data():
    g = Graph()
    g.constant("sixes", np.array([-1, 6]))
    g.add("Reshape", ["x", "sixes"], "rows")
    g.add("Relu", ["rows"], "out")
    model = g.model([("x", ["n", "pairs", 2])], [("out", [None, 6])])
    extractor = OnnxExtractor(model.SerializeToString(), "*")
    assert extractor.layers_ == ["rows", "out"]
    assert extractor.fit_transform(np.ones((5, 3, 2))).shape == (5, 12)
    with pytest.raises(ValueError, match="'rows' gave 2 rows for 1 samples"):
        extractor.fit(np.ones((5, 6, 2)))


def test_branches_keep_what_they_read_from_outside():
    g = Graph()
    g.add("MatMul", ["x", g.weight("w", 3, 3)], "hidden")
    g.add("ReduceSum", ["x"], "total", keepdims=0)
    g.add("Greater", ["total", g.constant("zero", np.float32(0))], "is_large")
    branches = {
        f"{name}_branch": helper.make_graph(
            [helper.make_node(kind, ["hidden"], [name])],
            name,
            [],
            [declare(name, None)],
        )
        for name, kind in (("then", "Neg"), ("else", "Abs"))
    }
    for graph in branches.values():
        graph.output[0].CopyFrom(declare(graph.output[0].name, ["n", 3]))
    g.add("If", ["is_large"], "chosen", **branches)
    g.add("Relu", ["chosen"], "out")
    model = g.model([("x", ["n", 3])], [("out", ["n", 3])])
    X = np.random.default_rng(0).normal(1, 1, (4, 3)).astype(np.float32)
    features = OnnxExtractor(model.SerializeToString(), "chosen").fit_transform(X)
    assert_close(features, -(X @ g.weights["w"]))


def test_weights_in_files_beside_the_model_are_found(model, images, tmp_path):
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    path = tmp_path / "large.onnx"
    onnx.save(
        copy, path, save_as_external_data=True, location="weights", size_threshold=0
    )
    assert (tmp_path / "weights").stat().st_size > 1000
    extractor = OnnxExtractor(path, "*").fit(images)
    expected = OnnxExtractor(model.SerializeToString(), "*").fit_transform(images)
    assert_close(extractor.transform(images), expected)
    before = OnnxExtractor(path).fingerprint()
    weights = bytearray((tmp_path / "weights").read_bytes())
    weights[100] ^= 1
    (tmp_path / "weights").write_bytes(weights)
    assert OnnxExtractor(path).fingerprint() != before


@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
def test_quantised_activations_are_real_numbers(model, content, images, tmp_path, form):
    quantization = pytest.importorskip(
        "onnxruntime.quantization", reason="needs the quantiser of ONNX Runtime"
    )

    class Reader(quantization.CalibrationDataReader):
        batches = iter([{"image": images}])

        def get_next(self):
            return next(self.batches, None)

    source, path = tmp_path / "float.onnx", tmp_path / "int8.onnx"
    source.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantization.quantize_static(
            source, path, Reader(), quant_format=quantization.QuantFormat[form]
        )
    extractor = OnnxExtractor(path, "*").fit(images)
    features, _ = next(extractor.iter_features(images))
    quantised = onnx.load(path)
    scales = {w.name: numpy_helper.to_array(w) for w in quantised.graph.initializer}
    compared = 0
    for node in quantised.graph.node:
        if node.op_type != "QLinearConv":
            continue
        stored = outputs_of(quantised, {"image": images}, [node.output[0]])
        scale, zero = scales[node.input[6]], scales[node.input[7]]
        real = (stored[node.output[0]].astype(np.float32) - zero) * scale
        assert_close(features[node.output[0]], pooled(real))
        compared += 1
    assert compared == (5 if form == "QOperator" else 0)
    exact = OnnxExtractor(content, "flat").fit_transform(images)
    name = next(n for n in reversed(extractor.layers_) if features[n].shape == (7, 8))
    spread = exact.std()
    assert all(rows.dtype == np.float32 for rows in features.values())
    assert_allclose(features[name], exact, atol=0.2 * spread)
    assert not np.array_equal(features[name], exact)


def test_networks_of_scikit_learn_give_what_they_give_here():
    skl2onnx = pytest.importorskip("skl2onnx", reason="needs skl2onnx, to convert")
    X, y = load_digits(return_X_y=True)
    X = X.astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlp = MLPClassifier((16, 9), max_iter=4, random_state=0).fit(X, y)
        converted = skl2onnx.to_onnx(mlp, X[:1], options={"zipmap": False})
    extractor = OnnxExtractor(converted.SerializeToString(), "*").fit(X)
    features, _ = next(extractor.iter_features(X, batch_size=len(X)))
    expected, _ = next(MLPExtractor(mlp, "*").iter_features(X, batch_size=len(X)))
    for layer, rows in expected.items():
        assert any(
            found.shape == rows.shape and np.allclose(found, rows, rtol=1e-4, atol=1e-4)
            for found in features.values()
        ), layer
    (last,) = OnnxExtractor(converted.SerializeToString(), "last").selected_layers_
    assert_close(features[last], expected["hidden_2"])


# -- objects -------------------------------------------------------------------


def test_models_come_as_paths_bytes_protos_and_sessions(path, model, content, images):
    session = ort.InferenceSession(path, providers=CPU)
    of_bytes = ort.InferenceSession(content, providers=CPU)
    expected = OnnxExtractor(content).fit_transform(images)
    for given in (path, str(path), bytearray(content), model, session, of_bytes):
        assert_array_equal(OnnxExtractor(given).fit_transform(images), expected)


def test_a_person_is_not_shown_the_weights(content):
    text = repr(OnnxExtractor(content, layers="last"))
    assert f"<model of {len(content):,} bytes>" in text
    assert "layers='last'" in text


def test_clones_share_the_session_and_pickles_make_it_anew(path, images):
    session = ort.InferenceSession(path, providers=CPU)
    extractor = OnnxExtractor(session, "blocks").fit(images)
    assert clone(extractor).model is session
    copy = pickle.loads(pickle.dumps(extractor))
    assert Path(copy.model) == path
    assert copy.providers == CPU
    assert_array_equal(copy.transform(images), extractor.transform(images))
    assert len(pickle.dumps(extractor)) < 2000


def test_the_fingerprint_is_the_same_in_every_process(path):
    code = (
        "from sklearn_transrate.extractors.onnx import OnnxExtractor; "
        f"print(OnnxExtractor({str(path)!r}, 'blocks').fingerprint())"
    )
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert run.stdout.strip() == OnnxExtractor(path, "blocks").fingerprint()


def test_the_fingerprint_tells_what_decides_the_features(path, content):
    def scaled(batch):
        return batch / 2

    def doubled(batch):
        return batch * 2

    base = OnnxExtractor(content).fingerprint()
    assert OnnxExtractor(path).fingerprint() == base
    assert OnnxExtractor(content, batch_size=3).fingerprint() == base
    assert OnnxExtractor(content).fit(np.ones((2, 3, 12, 12))).fingerprint() == base
    others = [
        OnnxExtractor(residual_network("m").SerializeToString()),
        OnnxExtractor(content, "last"),
        OnnxExtractor(content, pooling="max"),
        OnnxExtractor(content, data_format="channels_last"),
        OnnxExtractor(content, preprocess=scaled),
        OnnxExtractor(content, preprocess=doubled),
    ]
    assert len({base, *(other.fingerprint() for other in others)}) == len(others) + 1


def test_another_file_at_the_same_path_is_read_again(content, images, tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    extractor = OnnxExtractor(path).fit(images)
    assert "block1" in extractor.layers_
    path.write_bytes(encoder().SerializeToString())
    assert "layer1" in extractor.layers_


def test_the_selector_ranks_the_layers_of_one_model(content):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 60)
    X = rng.normal(size=(60, 3, 12, 12)) + y[:, None, None, None]
    selector = TransferSelector([("net", OnnxExtractor(content, "blocks"))]).fit(X, y)
    assert selector.best_layer_ in ("stem.relu", "block1", "flat")
    best = selector.best_estimator_
    assert best.selected_layers_ == [selector.best_layer_]
    assert_close(
        best.transform(X[:3]),
        OnnxExtractor(content, selector.best_layer_).transform(X[:3]),
    )


# -- errors --------------------------------------------------------------------


@pytest.mark.parametrize("junk", [b"", b"not a model", bytes(range(256)), b"\x08\x07"])
def test_what_is_no_model_is_named(junk, tmp_path):
    path = tmp_path / "junk.onnx"
    path.write_bytes(junk)
    extractor = OnnxExtractor(path)
    with pytest.raises(ValueError, match=r"junk\.onnx' is no ONNX model: it"):
        extractor.fit(np.zeros((2, 3)))
    assert not hasattr(extractor, "layers_")


def test_a_damaged_model_is_named(content, tmp_path):
    path = tmp_path / "cut.onnx"
    path.write_bytes(content[:-100])
    with pytest.raises(ValueError, match=r"cut\.onnx"):
        OnnxExtractor(path).fit(np.zeros((2, 3, 12, 12)))


def test_a_missing_file_and_a_wrong_kind_are_told(content, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*gone\.onnx"):
        OnnxExtractor(tmp_path / "gone.onnx").fit(np.zeros((2, 3)))
    with pytest.raises(
        TypeError, match=r"path of an \.onnx file or its bytes, got int"
    ):
        OnnxExtractor(3).fit(np.zeros((2, 3)))
    with pytest.raises(TypeError, match="'preprocess' to be a function"):
        OnnxExtractor(content, preprocess=3).fit(np.zeros((2, 3)))


def test_without_the_package_the_remedy_is_told(content, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependencyError, match=r"sklearn-transrate\[onnx\]"):
        OnnxExtractor(content).fit(np.zeros((2, 3, 12, 12)))
