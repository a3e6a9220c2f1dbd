"""Against LiteRT itself, keeping all tensors of models that are made here."""

from __future__ import annotations

import pickle
import sys
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from sklearn_transrate.exceptions import LayerNotFoundError, MissingDependencyError
from sklearn_transrate.extractors.litert import LiteRTExtractor
from sklearn_transrate.metrics import LEEP
from sklearn_transrate.model_selection import TransferSelector
from sklearn_transrate.testing import check_extractor

interpreters = pytest.importorskip(
    "ai_edge_litert.interpreter", reason="needs ai-edge-litert, to run models"
)

from tests.extractors.tflite_models import (  # noqa: E402
    Graph,
    quantised_network,
    residual_network,
    schema,
)

# What other kernels round differently in single precision, as a part of the largest
# number of a layer.
TOLERANCE = 1e-5

rng = np.random.default_rng(0)
IMAGES = rng.normal(size=(7, 8, 8, 3)).astype(np.float32)
STORED = {
    "int8": rng.integers(-128, 128, (7, 8, 8, 3), dtype=np.int8),
    "uint8": rng.integers(0, 256, (7, 8, 8, 3), dtype=np.uint8),
    "float32": np.clip(IMAGES / 2, -1, 1),
}


def tensors_of(content, X, *, debug=True):
    """Run the whole model; {name: (tensor, scale, zero point)}."""
    plain = interpreters.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    kwargs = {"experimental_op_resolver_type": plain} if debug else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        interpreter = interpreters.Interpreter(
            model_content=content, experimental_preserve_all_tensors=debug, **kwargs
        )
    (entry,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(entry["index"], X.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(entry["index"], X)
    interpreter.invoke()
    details = (
        interpreter.get_tensor_details() if debug else interpreter.get_output_details()
    )
    found = {}
    for tensor in details:
        try:
            value = interpreter.get_tensor(tensor["index"])
        except ValueError:  # Scratch memory of an operation.
            continue
        found[tensor["name"]] = (value, *tensor["quantization"])
    return found


def pooled(activation):
    return activation.mean(axis=(1, 2)) if activation.ndim == 4 else activation


def assert_close(found, expected):
    assert_allclose(found, expected, rtol=0, atol=TOLERANCE * np.abs(expected).max())


@pytest.fixture(scope="module")
def content():
    return residual_network()


@pytest.fixture(scope="module")
def path(content, tmp_path_factory):
    path = tmp_path_factory.mktemp("litert") / "net.tflite"
    path.write_bytes(content)
    return path


# -- values --------------------------------------------------------------------


def test_every_layer_equals_what_the_interpreter_computes(content):
    extractor = LiteRTExtractor(content, "*").fit(IMAGES)
    features, _ = next(extractor.iter_features(IMAGES))
    expected = tensors_of(content, IMAGES)
    assert list(features) == ["stem", "inner", "block", "mean", "logits", "proba"]
    for layer, rows in features.items():
        assert_close(rows, pooled(expected[layer][0]))


@pytest.mark.parametrize("dtype", STORED)
def test_quantised_activations_are_real_numbers(dtype):
    content, X = quantised_network(dtype), STORED[dtype]
    extractor = LiteRTExtractor(content, "*").fit(X)
    features, _ = next(extractor.iter_features(X))
    expected = tensors_of(content, X)
    assert {"conv", "mean", "real"} <= set(features)
    for layer, rows in features.items():
        assert rows.dtype == np.float32
        stored, scale, zero = expected[layer]
        if layer == "conv":
            assert stored.dtype == np.dtype(dtype if dtype != "float32" else "int8")
            real = (stored.astype(np.int64) - zero) * np.float64(scale)
            # Kernels may round a half up or down: one step, before the mean of 16.
            assert_allclose(rows, pooled(real), rtol=0, atol=scale / 8)
            assert real.std() > 10 * scale
    assert_allclose(features["mean"], features["real"], rtol=1e-6)
    outputs = tensors_of(content, X, debug=False)
    assert_array_equal(features["real"], outputs["real"][0])


def test_real_numbers_are_quantised_for_a_quantised_input():
    content, stored = quantised_network("int8"), STORED["int8"]
    real = (stored.astype(np.float64) + 1) / 127.5
    extractor = LiteRTExtractor(content, "*")
    assert_array_equal(extractor.transform(real), extractor.transform(stored))
    outside = np.where(real > 0.9, 7.0, real)
    clipped = np.where(real > 0.9, 127, stored).astype(np.int8)
    assert_array_equal(extractor.transform(outside), extractor.transform(clipped))


def test_flattened_activations_are_as_the_interpreter_gives_them(content):
    features = LiteRTExtractor(content, "block", "flatten").fit_transform(IMAGES)
    assert_close(features, tensors_of(content, IMAGES)["block"][0].reshape(7, -1))


def test_the_user_may_say_where_channels_are(content):
    extractor = LiteRTExtractor(content, "block", data_format="channels_first")
    expected = tensors_of(content, IMAGES)["block"][0].mean(axis=(2, 3))
    assert_close(extractor.fit_transform(IMAGES), expected)


def test_models_with_a_fixed_batch_run_as_often_as_is_needed(content):
    expected = LiteRTExtractor(content, "*").fit_transform(IMAGES)
    for size in (1, 3):
        fixed = LiteRTExtractor(residual_network(batch=size), "*")
        assert_close(fixed.fit_transform(IMAGES), expected)
    check_extractor(fixed, IMAGES[:5])


def test_laws(content):
    check_extractor(LiteRTExtractor(content, "*", batch_size=3), IMAGES)


@pytest.mark.parametrize("dtype", STORED)
def test_laws_of_quantised_models(dtype):
    check_extractor(LiteRTExtractor(quantised_network(dtype), "*"), STORED[dtype])


# -- layers --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("all", ["stem", "inner", "block", "mean"]),
        ("last", ["mean"]),
        ("blocks", ["stem", "mean"]),
        (-1, ["proba"]),
        (["proba", "?n*"], ["proba", "inner"]),
    ],
)
def test_layers_are_chosen_by_word_glob_and_index(content, layers, expected):
    assert LiteRTExtractor(content, layers).selected_layers_ == expected


def test_an_unknown_layer_is_answered_with_the_nearest(content):
    with pytest.raises(LayerNotFoundError, match="Nearest names: 'block'"):
        LiteRTExtractor(content, "blok").fit(IMAGES)


def test_the_rule_of_pooling_is_told(content):
    extractor = LiteRTExtractor(content, ["block", "mean"]).fit(IMAGES)
    assert extractor.pooling_ == {"block": "mean", "mean": "flatten"}


def models_run(extractor, X):
    """The models that are given to interpreters, and how often these run."""
    models, runs = [], []

    class Watched(interpreters.Interpreter):
        def __init__(self, *, model_content, **kwargs):
            models.append(model_content)
            super().__init__(model_content=model_content, **kwargs)

        def invoke(self):
            runs.append(tuple(self.get_input_details()[0]["shape"]))
            super().invoke()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interpreters, "Interpreter", Watched)
        extractor.transform(X)
    return models, runs


def test_an_early_layer_ends_the_run_and_drops_other_weights():
    content = residual_network(classes=5000)
    whole = LiteRTExtractor(content, "*")
    early = whole.with_layer("stem")
    # The layers with positions are averaged by an operation each.
    for extractor, n_operations in ((whole, 6 + 3), (early, 1 + 1)):
        assert extractor.layers_
        (model,), _ = models_run(extractor, IMAGES)
        graph = schema.Model.GetRootAsModel(model, 0).Subgraphs(0)
        assert graph.OperatorsLength() == n_operations
        assert (len(model) > 80_000) == (extractor is whole)


def test_one_run_a_batch_gives_all_layers(content):
    extractor = LiteRTExtractor(content, "*", batch_size=3).fit(IMAGES)
    _, runs = models_run(extractor, IMAGES)
    assert [shape[0] for shape in runs] == [3, 3, 1]


def test_the_output_head_is_a_layer(content):
    proba = LiteRTExtractor(content, "proba").fit_transform(IMAGES)
    assert_close(proba, tensors_of(content, IMAGES, debug=False)["proba"][0])
    assert np.isfinite(LEEP().score(proba, [0, 1, 0, 1, 0, 1, 0]))


def test_sizes_constants_and_integers_are_no_layers():
    g = Graph()
    g.tensor("x", (None, 6))
    g.tensor("shape", (2,), "int32")
    options = schema.ShapeOptionsT()
    options.outType = schema.TensorType.INT32
    g.add("SHAPE", ["x"], "shape", options)
    g.constant("half", g.rng.normal(size=(4, 6)).astype(np.float16))
    g.tensor("weights", (4, 6))
    g.add("DEQUANTIZE", ["half"], "weights")
    g.constant("b", np.zeros(4, np.float32))
    g.tensor("hidden", (None, 4))
    options = schema.FullyConnectedOptionsT()
    g.add("FULLY_CONNECTED", ["x", "weights", "b"], "hidden", options)
    g.tensor("relu", (None, 4))
    g.add("RELU", ["hidden"], "relu")
    g.tensor("winner", (None,), "int64")
    g.constant("axis", np.int32(1))
    options = schema.ArgMaxOptionsT()
    options.outputType = schema.TensorType.INT64
    g.add("ARG_MAX", ["relu", "axis"], "winner", options)
    content = g.content(["x"], ["relu", "winner", "shape"])
    X = IMAGES.reshape(-1, 6)[:9]
    extractor = LiteRTExtractor(content, "*").fit(X)
    assert extractor.layers_ == ["hidden", "relu"]
    assert_close(extractor.transform(X)[:, 4:], tensors_of(content, X)["relu"][0])


def test_tensors_of_one_name_are_told_apart():
    g = Graph()
    g.tensor("x", (None, 3))
    g.tensor("same", (None, 3))
    g.add("RELU", ["x"], "same")
    g.numbers["first"] = g.numbers["same"]
    g.tensor("same", (None, 3))
    g.add("NEG", ["first"], "same")
    extractor = LiteRTExtractor(g.content(["x"], ["same"]), "*")
    assert extractor.layers_ == ["same", "same:2"]
    X = IMAGES.reshape(-1, 3)[:4]
    expected = np.hstack([np.maximum(X, 0), -np.maximum(X, 0)])
    assert_array_equal(extractor.fit_transform(X), expected)


# -- inputs --------------------------------------------------------------------


def test_tensors_without_a_row_for_every_sample_are_no_layers():
    g = Graph()
    g.tensor("x", (None, 4, 3))
    options = schema.ReshapeOptionsT()
    options.newShape = [-1, 3]
    g.tensor("rows", (None, 3))
    g.constant("rows.shape", np.int32([-1, 3]))
    g.add("RESHAPE", ["x", "rows.shape"], "rows", options)
    g.tensor("out", (None, 4, 3))
    options = schema.ReshapeOptionsT()
    options.newShape = [-1, 4, 3]
    g.constant("out.shape", np.int32([-1, 4, 3]))
    g.add("RESHAPE", ["rows", "out.shape"], "out", options)
    extractor = LiteRTExtractor(g.content(["x"], ["out"]), "*")
    assert extractor.layers_ == ["out"]
    X = IMAGES.reshape(-1, 4, 3)[:6]
    assert_close(extractor.fit_transform(X), X.mean(axis=1))


def two_inputs():
    g = Graph()
    for name in ("left", "right", "sum", "relu"):
        g.tensor(name, (None, 5))
    g.add("ADD", ["left", "right"], "sum", schema.AddOptionsT())
    g.add("RELU", ["sum"], "relu")
    return g.content(["left", "right"], ["relu"], {"a": "left", "b": "right"})


def test_inputs_have_the_names_of_the_signature():
    X = {"b": IMAGES.reshape(7, -1)[:6, :5], "a": np.ones((6, 5))}
    extractor = LiteRTExtractor(two_inputs(), "sum")
    assert_close(extractor.fit_transform(X), X["a"] + X["b"])
    with pytest.raises(
        ValueError, match=r"inputs named \['a', 'b'\], got \['left', 'b'"
    ):
        extractor.fit({"left": X["a"], "b": X["b"]})
    with pytest.raises(ValueError, match=r"2 inputs, .* Pass a dict with an array"):
        extractor.fit(X["a"])
    check_extractor(extractor, X)


def test_images_are_cast_and_transposed_to_what_the_model_declares(content):
    expected = LiteRTExtractor(content).fit_transform(IMAGES)
    for X in (
        IMAGES.astype(np.float64),
        IMAGES.transpose(0, 3, 1, 2),
        list(IMAGES),
        {"pixels": IMAGES},
    ):
        assert_array_equal(LiteRTExtractor(content).fit(X).transform(X), expected)
    with pytest.raises(
        ValueError, match=r"expects shape \(b, 8, 8, 3\), got \(1, 9, 9"
    ):
        LiteRTExtractor(content).fit(np.zeros((2, 9, 9, 3)))


def test_pictures_and_paths_are_opened(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="needs pillow, to make pictures")
    pixels = STORED["uint8"]
    pictures = [image.fromarray(p) for p in pixels]
    paths = [tmp_path / f"{i}.png" for i in range(len(pictures))]
    for picture, path in zip(pictures, paths, strict=True):
        picture.save(path)
    extractor = LiteRTExtractor(quantised_network("uint8"))
    expected = extractor.fit_transform(pixels)
    for X in (pictures, paths):
        assert_array_equal(extractor.transform(X), expected)
        mirrored = clone(extractor).set_params(preprocess=mirror)
        assert_array_equal(
            mirrored.transform(X), extractor.transform(pixels[:, :, ::-1])
        )


def mirror(picture):
    return np.asarray(picture)[:, ::-1]


# -- objects -------------------------------------------------------------------


def test_models_come_as_paths_and_bytes(path, content):
    expected = LiteRTExtractor(content).fit_transform(IMAGES)
    for given in (path, str(path), bytearray(content)):
        assert_array_equal(LiteRTExtractor(given).fit_transform(IMAGES), expected)
    assert_array_equal(
        LiteRTExtractor(path, n_threads=2).fit_transform(IMAGES), expected
    )


def test_clones_share_the_model_and_pickles_keep_the_path(path, content):
    extractor = LiteRTExtractor(content).fit(IMAGES)
    assert clone(extractor).model is content
    stored = LiteRTExtractor(path, "blocks").fit(IMAGES)
    copy = pickle.loads(pickle.dumps(stored))
    assert len(pickle.dumps(stored)) < 1500
    assert_array_equal(copy.transform(IMAGES), stored.transform(IMAGES))


def test_the_fingerprint_tells_what_decides_the_features(path, content):
    base = LiteRTExtractor(content).fingerprint()
    assert LiteRTExtractor(path).fit(IMAGES).fingerprint() == base
    others = [
        LiteRTExtractor(residual_network(classes=4)),
        LiteRTExtractor(content, "last"),
        LiteRTExtractor(content, pooling="max"),
        LiteRTExtractor(content, preprocess=mirror),
    ]
    assert len({base, *(other.fingerprint() for other in others)}) == len(others) + 1


def test_the_selector_ranks_the_layers_of_one_model(content):
    y = np.arange(60) % 2
    X = np.random.default_rng(0).normal(size=(60, 8, 8, 3)) + y[:, None, None, None]
    selector = TransferSelector([("net", LiteRTExtractor(content))]).fit(X, y)
    assert len(selector.results_) == 4
    assert selector.best_estimator_.selected_layers_ == [selector.best_layer_]
    assert np.isfinite(selector.transform(X[:2])).all()


# -- errors --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda content: b"", "it does not have the mark"),
        (lambda content: b"not a model", "it does not have the mark"),
        (lambda content: content[:8] + b"\xff" * 40, "it is damaged"),
        (lambda content: content[:60], "it is damaged"),
    ],
)
def test_what_is_no_model_is_named(damage, problem, content, tmp_path):
    path = tmp_path / "junk.tflite"
    path.write_bytes(damage(content))
    extractor = LiteRTExtractor(path)
    with pytest.raises(ValueError, match=rf"junk\.tflite' is no Tensor.*: {problem}"):
        extractor.fit(IMAGES)
    assert not hasattr(extractor, "layers_")


def test_an_unknown_operation_is_told_with_the_file(tmp_path):
    g = Graph()
    g.tensor("x", (None, 3))
    g.tensor("y", (None, 3))
    g.add("CUSTOM", ["x"], "y")
    g.model.operatorCodes[0].customCode = "OfNobody"
    path = tmp_path / "custom.tflite"
    path.write_bytes(g.content(["x"], ["y"]))
    with pytest.raises(
        ValueError, match=r"(?s)cannot load '.*custom\.tflite'.*OfNobody"
    ):
        LiteRTExtractor(path).fit(np.zeros((2, 3)))


def test_a_missing_file_and_a_wrong_kind_are_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*gone\.tflite"):
        LiteRTExtractor(tmp_path / "gone.tflite").fit(IMAGES)
    with pytest.raises(
        TypeError, match=r"path of a \.tflite file or its bytes, got int"
    ):
        LiteRTExtractor(3).fit(IMAGES)


def test_without_the_package_the_remedy_is_told(content, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(MissingDependencyError, match=r"sklearn-transrate\[litert\]"):
        LiteRTExtractor(content).fit(IMAGES)
