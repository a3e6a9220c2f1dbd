"""Extracting features by the command line, as a user runs it."""

from __future__ import annotations

import importlib
import json
import os
from importlib.util import find_spec

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_transrate import cli
from sklearn_transrate._lib.array_files import list_arrays
from sklearn_transrate.cli._feature_files import FeatureWriter
from sklearn_transrate.cli._model_sources import read_inputs
from tests.test_cli import run

pytest.importorskip("typer", reason="needs the cli extra")
pytest.importorskip("rich", reason="needs the cli extra")

RNG = np.random.default_rng(0)
# What compilers round differently in single precision.
TOLERANCE = 1e-5


def stored(path):
    """Every array of a file, read by our own reader."""
    return {name: np.array(array.open()) for name, array in list_arrays(path).items()}


def extract(*arguments):
    """What extract lists on standard output; it must have succeeded."""
    done = run("extract", *map(str, arguments), "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def extract_here(capsys, *arguments):
    """The same in this process, where torchvision was helped to import."""
    assert cli.main(["extract", *map(str, arguments), "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


# -- the file that is written ----------------------------------------------------------


@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
def test_layers_come_back_as_they_were_written(tmp_path, ending):
    layers = {"/a/b": RNG.normal(size=(7, 3)), "y": np.float32(RNG.normal(size=(7, 2)))}
    path = tmp_path / f"features{ending}"
    with FeatureWriter(path, 7) as writer:
        for start in (0, 4):
            batch = {name: rows[start : start + 4] for name, rows in layers.items()}
            assert writer.write(batch) == min(start + 4, 7)
        assert not path.exists()
        writer.finish(np.arange(7))
    found = stored(path)
    assert list(found) == ["/a/b", "y", "label"]
    for name, rows in layers.items():
        assert_array_equal(found[name], rows)
        assert found[name].dtype == rows.dtype
    assert_array_equal(found["label"], np.arange(7))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    if ending == ".npz":
        with np.load(path) as archive:
            assert_array_equal(archive["/a/b"], layers["/a/b"])


def test_safetensors_own_reader_agrees(tmp_path):
    library = pytest.importorskip("safetensors.numpy", reason="needs safetensors")
    rows = RNG.normal(size=(5, 4)).astype(np.float16)
    with FeatureWriter(tmp_path / "f.safetensors", 5) as writer:
        writer.write({"layer": rows})
        writer.finish(np.arange(5))
    found = library.load_file(tmp_path / "f.safetensors")
    assert_array_equal(found["layer"], rows)
    assert_array_equal(found["y"], np.arange(5))


def test_labels_may_be_texts(tmp_path):
    with FeatureWriter(tmp_path / "f.npz", 2) as writer:
        writer.write({"layer": np.eye(2)})
        writer.finish(np.array(["cat", "dog"]))
    assert stored(tmp_path / "f.npz")["y"].tolist() == ["cat", "dog"]


def write_all(path, n_rows, *batches, dtype=None):
    """Write batches of a layer called 'a', and finish."""
    with FeatureWriter(path, n_rows, dtype) as writer:
        for rows in batches:
            writer.write({"a": rows})
        writer.finish()


def test_nothing_is_left_of_a_failed_extraction(tmp_path):
    path = tmp_path / "f.npz"
    path.write_bytes(b"from before")
    with pytest.raises(ValueError, match="Expected 3 features of layer 'a'"):
        write_all(path, 4, np.ones((2, 3)), np.ones((2, 5)))
    assert path.read_bytes() == b"from before"
    assert len(list(tmp_path.iterdir())) == 1


def test_missing_rows_are_an_error(tmp_path):
    with pytest.raises(ValueError, match="Expected 4 rows, got 2"):
        write_all(tmp_path / "f.npy", 4, np.ones((2, 3)))


def test_values_that_half_precision_cannot_hold_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"values up to 1e\+05, which float16 cannot"):
        write_all(tmp_path / "f.npy", 1, np.array([[1e5]]), dtype="float16")


# -- inputs ----------------------------------------------------------------------------


def test_texts_are_lines(tmp_path):
    (tmp_path / "t.txt").write_text("one\n\nthree\n", encoding="utf-8")
    assert read_inputs(tmp_path / "t.txt").X == ["one", "", "three"]


def test_subfolders_of_images_are_classes(tmp_path):
    for name in ("cat/b.png", "cat/a.JPG", "dog/c.webp", "dog/notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    inputs = read_inputs(tmp_path)
    assert [path.name for path in inputs.X] == ["a.JPG", "b.png", "c.webp"]
    assert inputs.labels.tolist() == ["cat", "cat", "dog"]
    (tmp_path / "loose.png").touch()
    with pytest.raises(ValueError, match="found 1 and 3 of them"):
        read_inputs(tmp_path)


def test_a_folder_without_images_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="found none"):
        read_inputs(tmp_path)


def test_columns_of_a_table_are_texts_or_numbers(tmp_path):
    pandas = pytest.importorskip("pandas", reason="needs the frame extra")
    path = tmp_path / "t.csv"
    frame = pandas.DataFrame({"id": [1, 2], "text": ["a", "b"], "label": ["x", "y"]})
    frame.to_csv(path, index=False)
    inputs = read_inputs(path)
    assert inputs.X == ["a", "b"]
    assert inputs.labels.tolist() == ["x", "y"]
    assert read_inputs(path, column="id").X == [1, 2]
    with pytest.raises(ValueError, match="Found no inputs 'txt'"):
        read_inputs(path, column="txt")
    frame[["id", "label"]].assign(more=0.5).to_csv(path, index=False)
    assert_array_equal(read_inputs(path).X, [[1, 0.5], [2, 0.5]])


def test_arrays_stay_on_disk(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.ones((3, 2)), y=np.arange(3))
    inputs = read_inputs(tmp_path / "a.npz")
    assert isinstance(inputs.X, np.memmap)
    assert_array_equal(inputs.labels, np.arange(3))


# -- frameworks ------------------------------------------------------------------------


def test_onnx_file(tmp_path):
    pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    network = pytest.importorskip("tests.extractors.test_onnx").residual_network()
    from sklearn_transrate.extractors.onnx import OnnxExtractor

    images = RNG.normal(size=(150, 3, 12, 12)).astype(np.float32)
    (tmp_path / "net.onnx").write_bytes(network.SerializeToString())
    np.savez(tmp_path / "images.npz", X=images, y=np.arange(150) % 3)
    arguments = [tmp_path / "net.onnx", tmp_path / "images.npz", "--batch-size", 64]
    arguments += ["--layers", "block1", "pool", "--out", tmp_path / "features.npz"]
    listed = extract(*arguments)
    assert [row["layer"] for row in listed] == ["block1", "pool"]
    assert {row["n_samples"] for row in listed} == {150}
    found = stored(tmp_path / "features.npz")
    assert_array_equal(found.pop("y"), np.arange(150) % 3)
    direct = OnnxExtractor(network, layers=["block1", "pool"]).fit(images)
    assert_allclose(
        np.hstack(list(found.values())), direct.transform(images), atol=TOLERANCE
    )
    ranked = run("rank", str(tmp_path / "features.npz"), "--format", "csv", "--quiet")
    assert "features / pool,features,pool," in ranked.stdout


def test_litert_file(tmp_path):
    pytest.importorskip("ai_edge_litert.interpreter", reason="needs LiteRT")
    models = pytest.importorskip("tests.extractors.tflite_models")
    images = RNG.normal(size=(9, 8, 8, 3)).astype(np.float32)
    (tmp_path / "net.tflite").write_bytes(models.residual_network())
    np.save(tmp_path / "images.npy", images)
    path = tmp_path / "features.npy"
    arguments = [f"litert:{tmp_path / 'net.tflite'}", tmp_path / "images.npy"]
    (row,) = extract(*arguments, "--layers", "mean", "--out", path)
    assert (row["layer"], row["dtype"]) == ("mean", "float32")
    from sklearn_transrate.extractors.litert import LiteRTExtractor

    direct = LiteRTExtractor(tmp_path / "net.tflite", layers="mean").fit(images)
    assert_allclose(np.load(path), direct.transform(images), atol=TOLERANCE)


@pytest.mark.filterwarnings(
    # Of Keras itself, with NumPy since 2.4.
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)
def test_keras_file(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", os.environ.get("KERAS_BACKEND", "numpy"))
    keras = pytest.importorskip("keras", reason="needs keras")
    pixels = keras.Input((6,))
    hidden = keras.layers.Dense(5, activation="relu", name="hidden")(pixels)
    model = keras.Model(pixels, keras.layers.Dense(2, name="head")(hidden))
    model.save(tmp_path / "net.keras")
    X = RNG.normal(size=(11, 6)).astype(np.float32)
    np.save(tmp_path / "X.npy", X)
    path = tmp_path / "features.safetensors"
    arguments = [tmp_path / "net.keras", tmp_path / "X.npy", "--dtype", "float16"]
    (row,) = extract(*arguments, "--layers", "hidden", "--out", path)
    assert row == {
        "layer": "hidden",
        "n_samples": 11,
        "n_features": 5,
        "dtype": "float16",
    }
    kernel, bias = model.get_layer("hidden").get_weights()
    expected = np.maximum(X @ kernel + bias, 0)
    assert_allclose(stored(path)["hidden"], expected, atol=5e-3)


@pytest.mark.skipif(not find_spec("transformers"), reason="needs transformers")
def test_texts_by_transformers(tmp_path, capsys):
    importlib.import_module("tests.extractors.conftest")  # Helps torchvision.
    made = pytest.importorskip("tests.extractors.test_transformers")
    made.bert().save_pretrained(tmp_path / "bert")
    made.tokenizer(pad_token="<pad>").save_pretrained(tmp_path / "bert")
    (tmp_path / "texts.txt").write_text("\n".join(made.TEXTS), encoding="utf-8")
    (tmp_path / "labels.txt").write_text("\n".join("abbab"), encoding="utf-8")
    path = tmp_path / "f.npz"
    arguments = [f"transformers:{tmp_path / 'bert'}", tmp_path / "texts.txt"]
    arguments += ["--labels", tmp_path / "labels.txt", "--device", "cpu"]
    rows = extract_here(
        capsys, *arguments, "--layers", "hidden_states.*", "--out", path
    )
    assert [row["n_features"] for row in rows] == [16] * 4
    assert stored(path)["y"].tolist() == list("abbab")


@pytest.mark.skipif(not find_spec("timm"), reason="needs timm")
def test_images_by_timm(tmp_path, capsys):
    pytest.importorskip("PIL", reason="needs pillow")
    from PIL import Image

    importlib.import_module("tests.extractors.conftest")  # Helps torchvision.
    made = pytest.importorskip("tests.extractors.test_timm")
    model = made.resnet()
    folder = tmp_path / "model"
    folder.mkdir()
    config = {"architecture": "resnet10t", "num_classes": 6}
    (folder / "config.json").write_text(json.dumps(config))
    made.torch.save(model.state_dict(), folder / "pytorch_model.bin")
    for number in range(4):
        place = tmp_path / "photos" / ("cat" if number < 2 else "dog")
        place.mkdir(parents=True, exist_ok=True)
        pixels = RNG.integers(0, 256, size=(40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"{number}.png")
    path = tmp_path / "f.npz"
    arguments = [f"timm:local-dir:{folder}", tmp_path / "photos", "--out", path]
    (row,) = extract_here(capsys, *arguments, "--layers", "layer4", "--device", "cpu")
    assert (row["n_samples"], row["n_features"]) == (4, 512)
    assert stored(path)["y"].tolist() == ["cat", "cat", "dog", "dog"]


def test_image_folders_are_refused_where_nobody_knows_how_to_prepare_them(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"")
    (tmp_path / "a.png").touch()
    out = str(tmp_path / "f.npz")
    done = run("extract", str(tmp_path / "net.onnx"), str(tmp_path), "--out", out)
    assert done.returncode == 2
    assert "Save prepared images with numpy.save" in done.stderr


@pytest.mark.skipif(find_spec("timm") is not None, reason="timm is there")
def test_a_missing_framework_is_told_with_its_remedy(tmp_path):
    (tmp_path / "a.png").touch()
    out = str(tmp_path / "f.npz")
    done = run("extract", "timm:resnet18", str(tmp_path), "--out", out)
    assert (done.returncode, done.stdout) == (1, "")
    assert "pip install 'sklearn-transrate[timm]'" in done.stderr
    assert done.stderr.count("\n") == 1
