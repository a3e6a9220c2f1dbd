"""Against what Keras itself predicts, layer by layer."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from sklearn_transrate.exceptions import LayerNotFoundError, MissingDependencyError
from sklearn_transrate.extractors.keras import KerasExtractor
from sklearn_transrate.metrics import LEEP
from sklearn_transrate.model_selection import TransferSelector
from sklearn_transrate.testing import check_extractor

# The one backend that is always there; its variable chooses another.
os.environ.setdefault("KERAS_BACKEND", "numpy")
keras = pytest.importorskip("keras", reason="needs keras, to make and run models")

from keras import layers as L  # noqa: E402

pytestmark = pytest.mark.filterwarnings(
    # Of Keras itself, with NumPy since 2.4.
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)
# What compilers round differently in single precision, as a part of the largest number.
TOLERANCE = 1e-5
IMAGES = np.random.default_rng(0).normal(size=(7, 8, 8, 3)).astype(np.float32)


def residual_network(seed=0, **head):
    keras.utils.set_random_seed(seed)
    pixels = keras.Input((8, 8, 3), name="pixels")
    x = L.Conv2D(4, 3, 2, "same", activation="relu", name="stem")(pixels)
    y = L.Conv2D(4, 3, padding="same", name="conv")(x)
    y = L.BatchNormalization(name="norm")(y)
    x = L.ReLU(name="block")(L.Add(name="sum")([x, y]))
    x = L.Dropout(0.5, name="dropout")(x)
    x = L.GlobalAveragePooling2D(name="mean")(x)
    x = L.Dense(**{"units": 3, "activation": "softmax", "name": "head"} | head)(x)
    model = keras.Model(pixels, x)
    rng = np.random.default_rng(seed)
    # Statistics as training leaves them: those of the start would change nothing.
    weights = [np.abs(rng.normal(0.5, 0.3, w.shape)) for w in model.get_weights()]
    model.get_layer("norm").set_weights([w for w in weights if w.shape == (4,)][:4])
    return model


def outputs_of(model, X, names):
    """What Keras computes, one layer at a time."""
    parts = {n: keras.Model(model.input, model.get_layer(n).output) for n in names}
    return {n: np.asarray(part.predict(X, verbose=0)) for n, part in parts.items()}


def assert_close(found, expected):
    expected = np.asarray(expected)
    assert_allclose(found, expected, rtol=0, atol=TOLERANCE * np.abs(expected).max())


def pooled(activation):
    return activation.mean(axis=(1, 2)) if activation.ndim == 4 else activation


@pytest.fixture(scope="module")
def model():
    return residual_network()


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("keras") / "net.keras"
    model.save(path)
    return path


# -- values --------------------------------------------------------------------


def test_every_layer_equals_what_keras_predicts(model):
    names = ["stem", "conv", "norm", "sum", "block", "dropout", "mean", "head"]
    extractor = KerasExtractor(model, "*").fit(IMAGES)
    assert extractor.layers_ == [*names, "proba"]
    features, _ = next(extractor.iter_features(IMAGES))
    for layer, activation in outputs_of(model, IMAGES, names).items():
        assert_close(features[layer], pooled(activation))
    assert_close(features["proba"], model.predict(IMAGES, verbose=0))


def test_laws(model):
    check_extractor(KerasExtractor(model, "*", batch_size=3), IMAGES)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("all", ["stem", "conv", "norm", "sum", "block", "mean"]),
        ("last", ["mean"]),
        ("blocks", ["stem", "mean"]),
        (-1, ["proba"]),
        (["head", "s*"], ["head", "stem", "sum"]),
    ],
)
def test_layers_are_chosen_by_word_glob_and_index(model, layers, expected):
    assert KerasExtractor(model, layers).selected_layers_ == expected


def test_an_unknown_layer_is_answered_with_the_nearest(model):
    with pytest.raises(LayerNotFoundError, match=r"Nearest names: .*'block'"):
        KerasExtractor(model, "blok").fit(IMAGES)


@pytest.mark.parametrize("units", [1, 4])
@pytest.mark.parametrize("activation", [None, "sigmoid"])
def test_probabilities_are_made_of_what_the_head_gives(units, activation):
    model = residual_network(units=units, activation=activation)
    scores = np.asarray(model.predict(IMAGES, verbose=0), dtype=float)
    extractor = KerasExtractor(model, "proba")
    assert extractor.with_layer("last").selected_layers_ == ["mean"]
    if units == 1:
        positive = scores if activation else 1 / (1 + np.exp(-scores))
        expected = np.hstack([1 - positive, positive])
    else:
        odds = np.exp(scores)
        expected = scores if activation else odds / odds.sum(axis=1, keepdims=True)
    assert_close(extractor.fit_transform(IMAGES), expected)


def test_a_rectified_end_is_no_head():
    model = residual_network(activation="relu")
    extractor = KerasExtractor(model, "last")
    assert extractor.selected_layers_ == ["head"]
    assert "proba" not in extractor.layers_


def test_the_output_head_is_a_layer(model):
    proba = KerasExtractor(model, "head").fit_transform(IMAGES)
    assert np.isfinite(LEEP().score(proba, [0, 1, 0, 1, 0, 1, 0]))


def test_the_rule_of_pooling_is_told(model):
    extractor = KerasExtractor(model, ["block", "mean"]).fit(IMAGES)
    assert extractor.pooling_ == {"block": "mean", "mean": "flatten"}
    flat = KerasExtractor(model, "block", "flatten").fit_transform(IMAGES)
    assert_close(flat, outputs_of(model, IMAGES, ["block"])["block"].reshape(7, -1))


def test_the_user_may_say_where_channels_are(model):
    extractor = KerasExtractor(model, "block", data_format="channels_first")
    expected = outputs_of(model, IMAGES, ["block"])["block"].mean(axis=(2, 3))
    assert_close(extractor.fit_transform(IMAGES), expected)


class Counts(L.Layer):
    """Counts its calls."""

    calls = 0

    def call(self, inputs):
        type(self).calls += 1
        return inputs + 1.0


def test_one_run_a_batch_gives_all_layers_and_ends_at_the_last():
    if keras.backend.backend() != "numpy":
        pytest.skip("other backends trace a layer once, and run what they compiled")
    pixels = keras.Input((4,))
    x = L.Dense(3, name="early")(pixels)
    model = keras.Model(pixels, L.Dense(2, name="late")(Counts(name="counts")(x)))
    X = np.ones((7, 4))
    whole = KerasExtractor(model, "*", batch_size=3).fit(X)
    for extractor, calls in ((whole, 3), (whole.with_layer("early"), 0)):
        Counts.calls = 0
        extractor.transform(X)
        assert Counts.calls == calls


def test_the_model_stays_as_it_is(model):
    before = [np.array(w) for w in model.get_weights()]
    nodes = {layer.name: len(layer._inbound_nodes) for layer in model.layers}
    KerasExtractor(model, "*").fit(IMAGES).transform(IMAGES)
    for old, new in zip(before, model.get_weights(), strict=True):
        assert_array_equal(old, new)
    assert nodes == {layer.name: len(layer._inbound_nodes) for layer in model.layers}


# -- graphs --------------------------------------------------------------------


@pytest.fixture(scope="module")
def nested():
    pixels = keras.Input((8, 8, 3), name="pixels")
    base = residual_network()
    base = keras.Model(base.inputs, base.get_layer("mean").output, name="base")
    x = L.Rescaling(2.0, name="scale")(pixels)
    return keras.Model(pixels, L.Dense(2, name="head")(base(x, training=False)))


def test_layers_of_a_model_that_is_a_layer_are_layers(nested):
    extractor = KerasExtractor(nested, "*").fit(IMAGES)
    assert extractor.layers_[:3] == ["scale", "base/stem", "base/conv"]
    assert extractor.layers_[-4:] == ["base/mean", "base", "head", "proba"]
    features, _ = next(extractor.iter_features(IMAGES))
    alone, _ = next(KerasExtractor(residual_network()).iter_features(2 * IMAGES))
    assert len(alone) == 6
    for layer, rows in alone.items():
        assert_close(features[f"base/{layer}"], rows)
    assert_close(features["head"], nested.predict(IMAGES, verbose=0))
    check_extractor(KerasExtractor(nested, ["base/block", "head"]), IMAGES)


def test_a_layer_inside_a_model_ends_the_run():
    if keras.backend.backend() != "numpy":
        pytest.skip("other backends trace a layer once, and run what they compiled")
    hidden = keras.Input((3,))
    x = L.Dense(3, name="early")(hidden)
    inner = keras.Model(hidden, Counts(name="counts")(x), name="inner")
    model = keras.Sequential([keras.Input((3,)), inner, L.Dense(2)])
    X = np.ones((5, 3))
    extractor = KerasExtractor(model, "inner/*").fit(X)
    for layer, calls in (("inner/early", 0), ("inner/counts", 1)):
        Counts.calls = 0
        extractor.with_layer(layer).transform(X)
        assert Counts.calls == calls


def test_a_sequential_model_and_a_shared_layer():
    dense = L.Dense(3, name="dense", activation="tanh")
    model = keras.Sequential([keras.Input((3,)), dense, dense, L.Dense(2, name="out")])
    X = IMAGES.reshape(-1, 3)[:9]
    features, _ = next(KerasExtractor(model, "*").iter_features(X))
    assert list(features) == ["dense", "dense@2", "out", "proba"]
    kernel, bias = (np.asarray(w) for w in dense.get_weights())
    once = np.tanh(X @ kernel + bias)
    assert_close(features["dense"], once)
    assert_close(features["dense@2"], np.tanh(once @ kernel + bias))


def test_several_inputs_and_outputs_have_names():
    left, right = keras.Input((4,), name="left"), keras.Input((6, 2), name="right")
    x, state = L.GRU(3, return_sequences=True, return_state=True, name="gru")(right)
    y = L.Dense(3, name="map")(left)
    z = L.Concatenate(name="both")([y, state])
    model = keras.Model([left, right], [L.Dense(2, name="a")(z), x])
    rng = np.random.default_rng(0)
    X = {"left": rng.normal(size=(5, 4)), "right": rng.normal(size=(5, 6, 2))}
    extractor = KerasExtractor(model, "*").fit(X)
    assert set(extractor.layers_) == {"map", "gru", "gru:1", "both", "a", "proba"}
    features, _ = next(extractor.iter_features(X))
    a, tokens = model.predict([X["left"], X["right"]], verbose=0)
    assert_close(features["a"], a)
    assert_close(features["gru"], tokens.mean(axis=1))
    assert_close(features["gru:1"], tokens[:, -1])
    # Only the inputs that a layer needs are given to its model.
    assert extractor.with_layer("map").transform(X).shape == (5, 3)
    with pytest.raises(ValueError, match=r"inputs named \['left', 'right'\], got"):
        extractor.fit({"left": X["left"], "wrong": X["right"]})
    check_extractor(extractor, X)


def test_padding_enters_no_mean():
    tokens = keras.Input((5,), dtype="int32", name="tokens")
    mask = keras.Input((5,), dtype="int32", name="padding_mask")
    x = L.Embedding(9, 4, name="words")(tokens)
    gate = keras.ops.expand_dims(keras.ops.cast(mask, "float32"), -1)
    model = keras.Model([tokens, mask], L.Multiply(name="gated")([x, gate]))
    rng = np.random.default_rng(0)
    X = {
        "tokens": rng.integers(0, 9, (6, 5)),
        "padding_mask": (np.arange(5) < [[1], [2], [3], [4], [5], [2]]).astype(int),
    }
    table = np.asarray(model.get_layer("words").get_weights()[0])
    expected = [
        table[row[real == 1]].mean(axis=0)
        for row, real in zip(X["tokens"], X["padding_mask"], strict=True)
    ]
    assert_close(KerasExtractor(model, "gated").fit_transform(X), expected)


def test_half_precision_comes_as_numbers():
    pixels = keras.Input((4,))
    dense = L.Dense(3, dtype="mixed_bfloat16", name="half")
    model = keras.Model(pixels, L.Dense(2)(dense(pixels)))
    X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    features = KerasExtractor(model, "half").fit_transform(X)
    kernel, _ = dense.get_weights()
    assert features.dtype == np.float32
    assert_allclose(features, X @ np.asarray(kernel), atol=0.03)


# -- inputs --------------------------------------------------------------------


def test_images_are_cast_and_transposed_to_what_the_model_declares(model):
    expected = KerasExtractor(model).fit_transform(IMAGES)
    for X in (
        IMAGES.astype(np.float64),
        IMAGES.transpose(0, 3, 1, 2),
        list(IMAGES),
        {"pixels": IMAGES},
    ):
        assert_array_equal(KerasExtractor(model).fit(X).transform(X), expected)
    with pytest.raises(
        ValueError, match=r"'pixels' .* shape \(b, 8, 8, 3\), got \(1, 9"
    ):
        KerasExtractor(model).fit(np.zeros((2, 9, 9, 3)))


def test_pictures_and_paths_are_opened(model, tmp_path):
    image = pytest.importorskip("PIL.Image", reason="needs pillow, to make pictures")
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    pictures = [image.fromarray(p) for p in pixels]
    paths = [str(tmp_path / f"{i}.png") for i in range(4)]
    for picture, path in zip(pictures, paths, strict=True):
        picture.save(path)
    extractor = KerasExtractor(model, "block")
    for X in (pictures, paths):
        assert_array_equal(extractor.transform(X), extractor.transform(pixels))
        scaled = clone(extractor).set_params(preprocess=scale).fit(X).transform(X)
        assert_close(scaled, extractor.transform(pixels / 255))


def scale(picture):
    return np.asarray(picture) / 255


def test_streams_bring_their_labels(model):
    stream = iter([(IMAGES[:4], [0, 1, 0, 1]), (IMAGES[4:], [1, 1, 1])])
    labels = [y for _, y in KerasExtractor(model).iter_features(stream)]
    assert labels == [[0, 1, 0, 1], [1, 1, 1]]


# -- objects -------------------------------------------------------------------


def test_models_come_as_objects_and_paths(model, path):
    expected = KerasExtractor(model).fit_transform(IMAGES)
    for given in (path, str(path)):
        assert_close(KerasExtractor(given).fit_transform(IMAGES), expected)


def test_clones_share_the_model_and_pickles_hold_it(model, path):
    extractor = KerasExtractor(model, "blocks").fit(IMAGES)
    assert clone(extractor).model is model
    copy = pickle.loads(pickle.dumps(extractor))
    assert_close(copy.transform(IMAGES), extractor.transform(IMAGES))
    assert len(pickle.dumps(KerasExtractor(path).fit(IMAGES))) < 1500


def test_the_fingerprint_tells_what_decides_the_features(model, path):
    base = KerasExtractor(model).fingerprint()
    assert KerasExtractor(model, batch_size=2).fit(IMAGES).fingerprint() == base
    assert KerasExtractor(path).fingerprint() == KerasExtractor(path).fingerprint()
    others = [
        KerasExtractor(residual_network(seed=1)),
        KerasExtractor(model, "last"),
        KerasExtractor(model, pooling="max"),
        KerasExtractor(model, preprocess=scale),
    ]
    assert len({base, *(other.fingerprint() for other in others)}) == len(others) + 1


def test_weights_that_are_trained_further_change_the_fingerprint():
    model = residual_network()
    extractor = KerasExtractor(model)
    before = extractor.fingerprint()
    model.get_layer("stem").set_weights(
        [np.asarray(w) + 1 for w in model.get_layer("stem").get_weights()]
    )
    assert extractor.fingerprint() != before


def test_the_selector_ranks_the_layers_of_one_model(model):
    y = np.arange(60) % 2
    X = np.random.default_rng(0).normal(size=(60, 8, 8, 3)) + y[:, None, None, None]
    selector = TransferSelector([("net", KerasExtractor(model))]).fit(X, y)
    assert len(selector.results_) == 6
    assert selector.best_estimator_.selected_layers_ == [selector.best_layer_]


SCRIPT = """
import sys
import numpy as np
sys.path.insert(0, {root!r})
from tests.extractors.test_keras import IMAGES, KerasExtractor, keras, residual_network
model = residual_network()
features, _ = next(KerasExtractor(model, "*").iter_features(IMAGES))
assert keras.backend.backend() == {backend!r}
expected = model.predict(IMAGES, verbose=0)
np.testing.assert_allclose(features["head"], expected, rtol=0, atol=1e-5)
stem = keras.Model(model.input, model.get_layer("stem").output)
expected = stem.predict(IMAGES, verbose=0).mean(axis=(1, 2))
np.testing.assert_allclose(features["stem"], expected, rtol=0, atol=1e-5)
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "tensorflow", "torch"])
def test_other_backends_give_what_they_predict(backend):
    if find_spec(backend) is None:
        pytest.skip(f"needs {backend}")
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(root=root, backend=backend)],
        capture_output=True,
        text=True,
        env=os.environ | {"KERAS_BACKEND": backend},
    )
    assert run.returncode == 0, run.stderr


# -- errors --------------------------------------------------------------------


def test_a_file_that_is_no_model_is_named(tmp_path):
    path = tmp_path / "junk.keras"
    path.write_bytes(b"not a model")
    with pytest.raises(ValueError, match=r"Keras cannot load .*junk\.keras'"):
        KerasExtractor(path).fit(IMAGES)
    with pytest.raises(FileNotFoundError, match=r"no file .*gone\.keras"):
        KerasExtractor(tmp_path / "gone.keras").fit(IMAGES)


def test_models_without_a_graph_are_refused():
    class OfItsOwn(keras.Model):
        def call(self, inputs):
            return inputs

    unbuilt = keras.Sequential([L.Dense(3)])
    for given, kind, problem in (
        (OfItsOwn(), TypeError, "functional or sequential model, got OfItsOwn"),
        (unbuilt, ValueError, r"not built, .* start it with keras\.Input"),
        (3, TypeError, "a Keras model or its path, got int"),
    ):
        extractor = KerasExtractor(given)
        with pytest.raises(kind, match=problem):
            extractor.fit(IMAGES)
        assert not hasattr(extractor, "layers_")


def test_without_the_package_the_remedy_is_told(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(MissingDependencyError, match=r"sklearn-transrate\[keras\]"):
        KerasExtractor(path).fit(IMAGES)


@pytest.mark.skipif(find_spec("tensorflow") is not None, reason="it is installed")
def test_without_a_backend_the_remedy_is_told(path):
    code = (
        "from sklearn_transrate.extractors.keras import KerasExtractor\n"
        f"KerasExtractor({str(path)!r}).fit([[0.0]])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"KERAS_BACKEND": "tensorflow"},
    )
    assert "MissingDependencyError: KerasExtractor needs a backend" in run.stderr
    assert "KERAS_BACKEND" in run.stderr
