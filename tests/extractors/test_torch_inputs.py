from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch import nn  # noqa: E402
from torch.utils.data import (  # noqa: E402
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
)

from sklearn_transrate import TransferSelector  # noqa: E402
from sklearn_transrate.exceptions import MissingDependencyError  # noqa: E402
from sklearn_transrate.extractors.torch import TorchExtractor  # noqa: E402

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(9, 4)).astype(np.float32)
LABELS = list("abcabcabc")
PIXELS = RNG.integers(0, 256, size=(5, 8, 6, 3), dtype=np.uint8)
ROUNDING = 1e-6


@pytest.fixture
def extractor():
    """Of a layer that changes nothing, so that its features are the inputs."""
    return TorchExtractor(nn.Identity(), "output", "flatten", batch_size=4)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.Tanh())


class Pairs(Dataset):
    """Samples with labels, as people write them."""

    def __init__(self, kind=tuple):
        self.kind = kind

    def __len__(self):
        return len(TABLE)

    def __getitem__(self, i):
        if not 0 <= i < len(TABLE):
            raise IndexError(i)
        if self.kind is dict:
            return {"x": TABLE[i], "label": LABELS[i]}
        return TABLE[i] if self.kind is None else (TABLE[i], LABELS[i])


class Stream(IterableDataset):
    def __iter__(self):
        return iter(zip(torch.from_numpy(TABLE), range(9), strict=True))


def collected(extractor, X, y=None):
    parts = list(extractor.iter_features(X, y))
    features = np.concatenate([next(iter(features.values())) for features, _ in parts])
    labels = [label for _, some in parts for label in ([] if some is None else some)]
    return features, labels


# -- arrays --------------------------------------------------------------------


@pytest.mark.parametrize(
    "container",
    [
        torch.from_numpy,
        list,
        lambda X: X.tolist(),
        lambda X: [torch.from_numpy(row) for row in X],
        sparse.csr_array,
        np.asfortranarray,
        lambda X: X.astype(">f4"),
        lambda X: X.astype(np.float64),
    ],
)
def test_numbers_may_come_in_any_container(network, container):
    expected = TorchExtractor(network).transform(TABLE)
    extractor = TorchExtractor(network, batch_size=4).fit(container(TABLE))
    assert_allclose(extractor.transform(container(TABLE)), expected, atol=ROUNDING)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_and_columns_are_numbers(network, library):
    frames = pytest.importorskip(library, reason=f"{library} is not installed")
    expected = TorchExtractor(network).transform(TABLE)
    frame = frames.DataFrame({f"c{i}": TABLE[:, i] for i in range(4)})
    assert_allclose(TorchExtractor(network).fit_transform(frame), expected)
    series = frames.Series("c", list(TABLE)) if library == "polars" else None
    if series is None:
        series = frames.Series(list(TABLE), index=range(9, 0, -1))
    assert_allclose(TorchExtractor(network).fit_transform(series), expected)


def test_read_only_inputs_are_neither_written_to_nor_warned_of(network):
    X = TABLE.copy()
    X.flags.writeable = False
    model = nn.Sequential(nn.ReLU(inplace=True), network)
    features = TorchExtractor(model, "0").transform(X)
    assert_array_equal(X, TABLE)
    assert_array_equal(features, np.maximum(TABLE, 0))
    tensor = torch.from_numpy(TABLE.copy())
    TorchExtractor(model, "0").transform(tensor)
    assert_array_equal(tensor, TABLE)


@pytest.mark.parametrize("dtype", [np.int32, np.uint16, np.int64, np.uint32, np.uint64])
def test_integers_stay_integers(dtype):
    embedding = nn.Embedding(10, 3)
    ids = np.arange(8, dtype=dtype).reshape(4, 2)
    features = TorchExtractor(nn.Sequential(embedding), "0").transform(ids)
    wanted = embedding(torch.arange(8).reshape(4, 2)).mean(dim=1)
    assert_allclose(features, wanted.detach(), atol=ROUNDING)


def test_mappings_are_passed_by_name():
    class Sum(nn.Module):
        def forward(self, left, *, right):
            return left - right

    both = {"right": TABLE, "left": (TABLE * 3).tolist(), "label": LABELS}
    features = TorchExtractor(Sum(), "output", batch_size=4).fit_transform(both)
    assert_allclose(features, TABLE * 2, rtol=1e-6)


def test_tuples_are_passed_in_order():
    model = nn.Bilinear(4, 4, 2)
    X = list(zip(TABLE, TABLE[::-1].copy(), strict=True))
    wanted = model(torch.from_numpy(TABLE), torch.from_numpy(TABLE[::-1].copy()))
    features = TorchExtractor(model, "output").fit_transform(X)
    assert_allclose(features, wanted.detach(), atol=ROUNDING)


def test_samples_of_several_shapes_are_refused(extractor):
    with pytest.raises(ValueError, match=r"one shape in a batch, got \(3,\) and \(4,"):
        extractor.transform([np.zeros(3), np.zeros(4)])


@pytest.mark.parametrize("texts", [["good", "bad"], np.array(["good", "bad"])])
def test_text_is_refused(extractor, texts):
    with pytest.raises(TypeError, match=r"got <U\d such as 'good'.*'preprocess'"):
        extractor.transform(texts)


def test_nothing_gives_no_features(extractor):
    for method in (extractor.fit, extractor.transform):
        with pytest.raises(ValueError, match="at least one row in X, got none"):
            method(np.empty((0, 4)))
    assert list(extractor.iter_features(np.empty((0, 4)))) == []


# -- images --------------------------------------------------------------------


@pytest.fixture
def images():
    pil = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    return [pil.fromarray(pixels) for pixels in PIXELS]


@pytest.fixture
def paths(images, tmp_path):
    found = [tmp_path / f"{i}.png" for i in range(len(images))]
    for image, path in zip(images, found, strict=True):
        image.save(path)
    return found


def channels_first(pixels):
    return (pixels.transpose(0, 3, 1, 2) / 255).reshape(len(pixels), -1)


def test_images_become_numbers_between_0_and_1(extractor, images):
    features = extractor.fit_transform(images)
    assert_allclose(features, channels_first(PIXELS), rtol=1e-6)


@pytest.mark.parametrize("kind", [list, np.array, tuple])
def test_paths_are_opened(extractor, paths, kind):
    expected = channels_first(PIXELS)
    assert_allclose(extractor.fit_transform(paths), expected, rtol=1e-6)
    names = kind([str(path) for path in paths])
    assert_allclose(extractor.fit_transform(names), expected, rtol=1e-6)


def test_grey_images_have_one_channel(extractor, images):
    grey = [image.convert("L") for image in images]
    features = extractor.fit_transform(grey)
    assert_allclose(features, np.stack([np.asarray(g).ravel() for g in grey]) / 255)
    palette = [image.convert("P") for image in images]
    assert extractor.fit_transform(palette).shape == (5, 144)


def test_preprocessing_is_of_one_sample(extractor, images, paths):
    seen = []

    def small(image):
        seen.append(image.size)
        return image.resize((2, 2))

    extractor.set_params(preprocess=small)
    features = extractor.fit_transform(paths)
    assert features.shape == (5, 12)
    assert set(seen) == {(6, 8)}
    assert_array_equal(features, extractor.transform(images))
    assert_array_equal(
        features, extractor.transform({"image": images, "label": [0] * 5})
    )


def test_preprocessing_may_return_a_mapping():
    class Named(nn.Module):
        def forward(self, left, right):
            return left + right

    extractor = TorchExtractor(
        Named(), "output", preprocess=lambda row: {"left": row, "right": row}
    )
    assert_array_equal(extractor.fit_transform(TABLE), TABLE * 2)
    extractor.set_params(preprocess=lambda row: {"left": row["a"], "right": row["b"]})
    assert_array_equal(extractor.fit_transform({"a": TABLE, "b": TABLE}), TABLE * 2)


def test_images_need_pillow(extractor, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "PIL.Image", None)
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(MissingDependencyError, match="Reading images needs PIL"):
        extractor.transform(["a.png"])


# -- datasets, loaders and streams ---------------------------------------------


@pytest.mark.parametrize("kind", [tuple, dict])
def test_datasets_bring_their_labels(extractor, kind):
    extractor.set_params(preprocess=np.asarray)
    features, labels = collected(extractor, Pairs(kind))
    assert_array_equal(features, TABLE)
    assert labels == LABELS
    assert_array_equal(extractor.fit(Pairs(kind)).transform(Pairs(kind)), TABLE)


def test_datasets_of_samples_alone_have_no_labels(extractor):
    for dataset in (Pairs(None), TensorDataset(torch.from_numpy(TABLE))):
        features, labels = collected(extractor, dataset)
        assert_array_equal(features, TABLE)
        assert labels == []


def test_labels_from_elsewhere_replace_those_of_a_dataset(extractor):
    features, labels = collected(extractor, Subset(Pairs(), range(5)), np.arange(5))
    assert_array_equal(features, TABLE[:5])
    assert labels == [0, 1, 2, 3, 4]


def test_items_with_several_inputs_keep_them_all():
    tensor = torch.from_numpy(TABLE)
    dataset = TensorDataset(tensor, tensor, torch.arange(9))
    model = nn.Bilinear(4, 4, 2)
    features, labels = collected(TorchExtractor(model, "output"), dataset)
    assert_allclose(features, model(tensor, tensor).detach(), atol=ROUNDING)
    assert labels == list(range(9))


def test_iterable_datasets_are_cut_into_batches(extractor):
    parts = list(extractor.iter_features(Stream()))
    assert [len(labels) for _, labels in parts] == [4, 4, 1]
    features, labels = collected(extractor.fit(Stream()), Stream())
    assert_array_equal(features, TABLE)
    assert labels == list(range(9))


def test_loaders_keep_their_batches(extractor):
    dataset = TensorDataset(torch.from_numpy(TABLE), torch.arange(9))
    loader = DataLoader(dataset, batch_size=2)
    parts = list(extractor.iter_features(loader))
    assert [len(labels) for _, labels in parts] == [2, 2, 2, 2, 1]
    assert_array_equal(extractor.fit(loader).transform(loader), TABLE)


def test_generators_bring_their_labels(network):
    extractor = TorchExtractor(network)

    def batches():
        for start in range(0, 9, 2):
            rows = slice(start, start + 2)
            yield {"input": TABLE[rows]}, LABELS[rows]

    features, labels = collected(extractor, batches())
    assert_allclose(features, extractor.transform(TABLE)[:, :3], atol=ROUNDING)
    assert labels == LABELS


def test_an_empty_stream_gives_nothing(extractor):
    assert list(extractor.iter_features(iter([]))) == []


def test_a_stream_is_read_as_it_is_needed(extractor):
    read = []

    def batches():
        for i in range(5):
            read.append(i)
            yield TABLE[:2], LABELS[:2]

    stream = extractor.iter_features(batches())
    next(stream)
    assert read == [0]  # The one that tells about the layers is not lost.
    assert len(list(stream)) == 4


def test_a_selector_takes_a_dataset(network):
    labels = np.array(LABELS)
    selector = TransferSelector([("network", TorchExtractor(network))])
    selector.fit(Pairs(), labels)
    scores = selector.results_["score_transrate"]
    selector.fit(TABLE, labels)
    assert_allclose(scores, selector.results_["score_transrate"])
