from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from sklearn_transrate import TransferSelector
from sklearn_transrate.exceptions import LayerNotFoundError
from sklearn_transrate.metrics import leep_score
from sklearn_transrate.testing import check_extractor

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
timm = pytest.importorskip("timm", reason="timm is not installed")

from sklearn_transrate.extractors.timm import TimmExtractor  # noqa: E402

# What the issue promises, in the type that the model computes in.
TOLERANCE = 1e-5
RNG = np.random.default_rng(0)
PREPARED = RNG.normal(size=(5, 3, 64, 64)).astype(np.float32)
PIXELS = RNG.integers(0, 256, size=(4, 50, 70, 3), dtype=np.uint8)
LABELS = np.array([0, 1, 0, 1, 1])


def create(name, **params):
    torch.manual_seed(0)
    return timm.create_model(name, num_classes=params.pop("num_classes", 6), **params)


def vit():
    return create("vit_tiny_patch16_224", img_size=64, depth=3)


def swin():
    return create(
        "swin_tiny_patch4_window7_224", img_size=64, window_size=4, depths=(1, 1, 1, 1)
    )


def resnet():
    return create("resnet10t")


def intermediates(model, X):
    """What timm itself returns of its stages or blocks, as maps of channels."""
    model = copy.deepcopy(model).eval()
    with torch.no_grad():
        maps = model.forward_intermediates(
            torch.from_numpy(X), intermediates_only=True, output_fmt="NCHW"
        )
    return [m.numpy() for m in maps]


# -- values --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "names"),
    [
        (resnet, ["act1", "layer1", "layer2", "layer3", "layer4"]),
        (swin, [f"layers.{i}" for i in range(4)]),
        (lambda: create("convnext_atto"), [f"stages.{i}" for i in range(4)]),
    ],
)
def test_stages_are_those_of_timm(build, names):
    model = build()
    maps = intermediates(model, PREPARED)[-len(names) :]  # Some begin with the stem.
    wanted = [m.mean(axis=(2, 3)) for m in maps]
    extractor = TimmExtractor(model, names).fit(PREPARED)
    assert set(extractor.pooling_.values()) == {"mean"}
    features = extractor.transform(PREPARED)
    assert_allclose(features, np.concatenate(wanted, axis=1), atol=TOLERANCE)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_blocks_of_a_vision_transformer_are_those_of_timm(pooling):
    model = vit()
    with torch.no_grad():
        maps = (
            copy.deepcopy(model)
            .eval()
            .forward_intermediates(
                torch.from_numpy(PREPARED),
                intermediates_only=True,
                output_fmt="NLC",
                return_prefix_tokens=True,
            )
        )
    tokens = [torch.cat([first, rest], dim=1).numpy() for rest, first in maps]
    wanted = [t.mean(axis=1) if pooling == "mean" else t[:, 0] for t in tokens]
    extractor = TimmExtractor(model, "blocks", pooling).fit(PREPARED)
    assert extractor.selected_layers_ == [f"blocks.{i}" for i in range(3)]
    assert_allclose(
        extractor.transform(PREPARED), np.concatenate(wanted, axis=1), atol=TOLERANCE
    )


def test_the_last_layer_is_what_the_head_reads():
    model = create("efficientnet_b0")
    with torch.no_grad():
        own = copy.deepcopy(model).eval()
        maps = own.forward_features(torch.from_numpy(PREPARED))
        wanted = own.forward_head(maps, pre_logits=True).numpy()
    features = TimmExtractor(model, "last").fit_transform(PREPARED)
    assert_allclose(features, wanted, atol=TOLERANCE)


# -- layers --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "params", "blocks"),
    [
        ("resnet10t", {}, [f"layer{i}.0" for i in (1, 2, 3, 4)]),
        (
            "convnext_atto",
            {},
            [f"stages.{i}.blocks.{j}" for i in (0, 1) for j in (0, 1)]
            + [f"stages.2.blocks.{j}" for j in range(6)],
        ),
        ("mixer_s32_224", {"img_size": 64}, [f"blocks.{i}" for i in range(8)]),
        (
            "mobilenetv3_small_050",
            {},
            ["blocks.0.0", "blocks.1.0", "blocks.1.1", "blocks.2.0", "blocks.2.1"],
        ),
    ],
)
def test_blocks_are_found(name, params, blocks):
    extractor = TimmExtractor(create(name, **params), "blocks").fit(PREPARED)
    assert extractor.selected_layers_[: len(blocks)] == blocks


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("resnet10t", "fc"),
        ("swin_tiny_patch4_window7_224", "head.fc"),
        ("deit_tiny_distilled_patch16_224", "head_dist"),
    ],
)
def test_heads_come_only_by_name(name, head):
    params = {"img_size": 64} if "224" in name else {}
    if "swin" in name:
        params["window_size"] = 4
    model = create(name, **params)
    chosen = TimmExtractor(model).fit(PREPARED).selected_layers_
    assert not {head, "head", "output", "proba"} & set(chosen)
    last = TimmExtractor(model, "last").fit(PREPARED).transform(PREPARED)
    assert last.shape[1] > 6
    assert TimmExtractor(model, head).fit_transform(PREPARED).shape == (5, 6)


def test_leep_reads_the_source_models_probabilities():
    extractor = TimmExtractor(resnet(), ["output", "proba"]).fit(PREPARED)
    logits, proba = np.split(extractor.transform(PREPARED), 2, axis=1)
    exponents = np.exp(logits)
    wanted = exponents / exponents.sum(axis=1, keepdims=True)
    assert_allclose(proba, wanted, atol=TOLERANCE)
    only = extractor.with_layer("proba")
    selector = TransferSelector([("resnet", only)], scoring="leep")
    selector.fit(PREPARED, LABELS)
    assert selector.best_score_ == pytest.approx(leep_score(proba, LABELS))


def test_models_without_classes_have_no_probabilities():
    extractor = TimmExtractor(create("resnet10t", num_classes=0), "proba")
    with pytest.raises(LayerNotFoundError, match="'proba' gives no features"):
        extractor.fit(PREPARED)


def test_a_pass_ends_at_the_layer_that_is_asked_for():
    model = resnet()
    extractor = TimmExtractor(model).fit(PREPARED).with_layer("layer1")
    count = []
    model.layer2.register_forward_hook(lambda *_: count.append(1))
    extractor.transform(PREPARED)
    assert not count
    model(torch.from_numpy(PREPARED))
    assert count


# -- images --------------------------------------------------------------------


def prepared_by_timm(model, images):
    config = timm.data.resolve_model_data_config(model) | {"input_size": (3, 64, 64)}
    transform = timm.data.create_transform(**config)
    return torch.stack([transform(image) for image in images])


@pytest.fixture(scope="module")
def images():
    pil = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    return [pil.fromarray(pixels) for pixels in PIXELS]


def test_images_are_prepared_as_the_model_was_trained(images, tmp_path):
    model = vit()
    ready = prepared_by_timm(model, images)
    assert ready.shape == (4, 3, 64, 64)
    expected = TimmExtractor(model, "blocks").transform(ready)
    paths = [tmp_path / f"{i}.png" for i in range(4)]
    for image, path in zip(images, paths, strict=True):
        image.save(path)
    extractor = TimmExtractor(model, "blocks", batch_size=3).fit(images)
    for X in (
        images,
        [image.convert("RGBA") for image in images],
        paths,
        [str(path) for path in paths],
        PIXELS,
        list(PIXELS),
        PIXELS.transpose(0, 3, 1, 2),
        torch.from_numpy(PIXELS),
        {"image": images, "label": [0] * 4},
        [{"image": image, "label": 0} for image in images],
        ready.numpy(),
    ):
        assert_allclose(extractor.transform(X), expected, atol=TOLERANCE)


def test_grey_models_get_grey_images(images):
    model = create("resnet10t", in_chans=1)
    extractor = TimmExtractor(model, "last").fit(images)
    grey = np.stack([np.asarray(image.convert("L")) for image in images])
    assert_allclose(
        extractor.transform(images), extractor.transform(grey), atol=TOLERANCE
    )


def test_images_may_be_prepared_otherwise(images):
    def shrink(image):
        return image.resize((64, 64))

    model = vit()
    pixels = np.stack([np.asarray(shrink(image)) for image in images]) / 255
    ready = pixels.transpose(0, 3, 1, 2).astype(np.float32)
    wanted = TimmExtractor(model, "last").transform(ready)
    features = TimmExtractor(model, "last", preprocess=shrink).transform(images)
    assert_allclose(features, wanted, atol=TOLERANCE)


def test_what_is_no_image_is_refused():
    extractor = TimmExtractor(resnet())
    for wrong in (list(PREPARED), ["no path"], [None]):
        with pytest.raises(TypeError, match="Expected images, paths of images, or arr"):
            extractor.fit(wrong)


def test_no_model_is_refused():
    for wrong in (None, timm, {"fc": 1}):
        with pytest.raises(TypeError, match="expected a model of timm, or the name"):
            TimmExtractor(wrong).fit(PREPARED)


# -- scikit-learn --------------------------------------------------------------


@pytest.mark.parametrize("build", [resnet, vit, swin])
def test_the_laws_of_extractors_hold(build):
    # Of all layers one in ten, and the heads: each law runs them one by one.
    extractor = TimmExtractor(build()).fit(PREPARED)
    some = [*extractor.layers_[:-2:10], "output", "proba"]
    check_extractor(Some(extractor.model, some).fit(PREPARED), PREPARED)


class Some(TimmExtractor):
    """Offers only the layers that it was made with."""

    @property
    def layers_(self):
        return list(self.layers)


def test_a_model_is_loaded_by_name_once_with_its_weights(monkeypatch):
    asked, model = [], resnet()

    def create_model(name, pretrained=False):
        asked.append((name, pretrained))
        return model

    monkeypatch.setattr(timm, "create_model", create_model)
    extractor = TimmExtractor("resnet10t", "last").fit(PREPARED)
    features = clone(extractor).transform(PREPARED)
    assert asked == [("resnet10t", True)]
    pickled = pickle.dumps(extractor)
    assert len(pickled) < 30_000
    assert_array_equal(pickle.loads(pickled).transform(PREPARED), features)


def test_fingerprints_are_those_of_copies():
    extractor = TimmExtractor(resnet())
    mark = extractor.fingerprint()
    assert extractor.fit(PREPARED).fingerprint() == mark
    assert TimmExtractor(resnet()).fingerprint() == mark
    assert pickle.loads(pickle.dumps(extractor)).fingerprint() == mark
    other = resnet()
    other.pretrained_cfg = other.pretrained_cfg | {"mean": (0.5, 0.5, 0.5)}
    assert TimmExtractor(other).fingerprint() != mark
    assert TimmExtractor(resnet(), preprocess=np.asarray).fingerprint() != mark


def test_a_selector_ranks_blocks_of_several_models(images):
    selector = TransferSelector(
        [
            ("resnet", TimmExtractor(resnet(), "blocks")),
            ("vit", TimmExtractor(vit(), "blocks", "cls")),
        ],
        scoring="lfc",
    ).fit(images, [0, 1, 0, 1])
    assert len(selector.results_) == 7
    assert selector.transform(images).shape[0] == 4
