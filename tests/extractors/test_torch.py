from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import threading
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from sklearn_transrate import TransferSelector
from sklearn_transrate.exceptions import LayerNotFoundError, TransRateWarning
from sklearn_transrate.metrics import leep_score
from sklearn_transrate.testing import check_extractor

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch import nn  # noqa: E402

from sklearn_transrate.extractors import _torch_modules  # noqa: E402
from sklearn_transrate.extractors.torch import TorchExtractor  # noqa: E402

# What the issue promises, in the type that the model computes in.
TOLERANCE = 1e-5
RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(10, 3, 8, 8)).astype(np.float32)
TOKENS = RNG.integers(1, 20, size=(10, 6))
MASK = np.ones((10, 6), dtype=int)
MASK[::2, 4:] = 0
SERIES = RNG.normal(size=(10, 2, 20)).astype(np.float32)
TABLE = RNG.normal(size=(10, 4)).astype(np.float32)
LABELS = np.arange(10) % 2


def seeded(build):
    torch.manual_seed(0)
    return build()


class Residual(nn.Module):
    """As in torchvision, one activation module runs twice, and in place."""

    def __init__(self, width):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x):
        out = self.conv2(self.relu(self.bn1(self.conv1(x))))
        return self.relu(out + x)


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3)
        self.layer1 = nn.Sequential(Residual(6), Residual(6))
        self.layer2 = nn.Sequential(Residual(6))
        self.dropout = nn.Dropout(0.5)
        self.unused = nn.Linear(2, 2)
        self.fc = nn.Linear(6, 4)
        self.runs = []

    def forward(self, x):
        self.runs.append(len(x))
        x = self.layer2(self.layer1(self.stem(x)))
        return self.fc(self.dropout(x.mean(dim=(2, 3))))


class Encoder(nn.Module):
    """A transformer with padding, which returns a mapping, as its kind does."""

    def __init__(self, nested=False):
        super().__init__()
        self.embed = nn.Embedding(20, 8)
        self.position = nn.Embedding(6, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 3, enable_nested_tensor=nested)

    def forward(self, input_ids, attention_mask=None):
        padding = None if attention_mask is None else attention_mask == 0
        x = self.embed(input_ids) + self.position(torch.arange(6)[None])
        return {
            "loss": x.sum(),
            "states": self.encoder(x, src_key_padding_mask=padding),
        }


class Waves(nn.Module):
    """Convolutions over time, whose channels come first, then a recurrent layer."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(2, 5, 3)
        self.act = nn.GELU()
        self.norm = nn.LayerNorm(5)
        self.rnn = nn.LSTM(5, 7, batch_first=True)

    def forward(self, x):
        x = self.act(self.conv(x))
        return self.rnn(self.norm(x.transpose(1, 2)))


@dataclass
class Answer:
    scores: object
    label: str = "none"


class Grid(nn.Module):
    """Channels last throughout, as in some vision transformers."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 6, 4, 4)
        self.norm = nn.LayerNorm(6)
        self.mix = nn.Sequential(nn.Linear(6, 12), nn.GELU(), nn.Linear(12, 6))

    def forward(self, x):
        x = self.norm(self.patches(x).permute(0, 2, 3, 1))
        return Answer(x + self.mix(x))


def resnet():
    return seeded(ResNet)


def tokens(rows=slice(None)):
    return {"input_ids": TOKENS[rows], "attention_mask": MASK[rows]}


def activations(model, names, *args, **kwargs):
    """What the modules return, read by hooks that the test writes itself."""
    found = {}

    def keep(name, module, args, output):
        output = output[0] if isinstance(output, tuple) else output
        found.setdefault(name, output.detach().clone())

    handles = [
        model.get_submodule(name).register_forward_hook(partial(keep, name))
        for name in names
    ]
    training = model.training
    model.eval()
    with torch.no_grad():
        model(*args, **kwargs)
    model.train(training)
    for handle in handles:
        handle.remove()
    return found


def features_of(extractor, X, layers=None):
    parts = [features for features, _ in extractor.iter_features(X, layers=layers)]
    return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}


def hooks_of(model):
    return [
        (name, len(part._forward_hooks), len(part._forward_pre_hooks))
        for name, part in model.named_modules()
    ]


# -- values --------------------------------------------------------------------


def test_convolutions_are_averaged_over_positions():
    model = resnet()
    names = ["stem", "layer1.0.bn1", "layer1.0", "layer1", "layer2.0"]
    expected = activations(model, names, torch.from_numpy(IMAGES))
    features = features_of(TorchExtractor(model, names), IMAGES)
    assert list(features) == names
    for name in names:
        wanted = expected[name].numpy().mean(axis=(2, 3))
        assert_allclose(features[name], wanted, atol=TOLERANCE)
        assert features[name].dtype == np.float32


def test_values_are_those_before_a_module_works_in_place():
    model = resnet()
    features = features_of(
        TorchExtractor(model, ["layer1.0.bn1", "layer1.0.relu"], pooling="flatten"),
        IMAGES,
    )
    assert (features["layer1.0.bn1"] < 0).any()
    assert_array_equal(
        features["layer1.0.relu"], np.maximum(features["layer1.0.bn1"], 0)
    )


def test_flattened_features_are_not_overwritten_by_the_next_batch():
    model = nn.Sequential(nn.Flatten(), nn.ReLU(inplace=True))
    X = TABLE.copy()
    (first, _), (second, _) = TorchExtractor(
        model, "0", pooling="flatten", batch_size=5
    ).iter_features(X)
    assert_array_equal(np.concatenate([first["0"], second["0"]]), TABLE)
    assert_array_equal(X, TABLE)


def test_padding_enters_no_feature_of_a_transformer():
    model = seeded(Encoder)
    names = [f"encoder.layers.{i}" for i in range(3)]
    both = {name: torch.from_numpy(value) for name, value in tokens().items()}
    expected = activations(model, names, **both)
    features = features_of(TorchExtractor(model, names), tokens())
    for name in names:
        for row, length in enumerate(MASK.sum(axis=1)):
            wanted = expected[name][row, :length].numpy().mean(axis=0)
            assert_allclose(features[name][row], wanted, atol=TOLERANCE)


@pytest.mark.parametrize("pooling", ["cls", "last_token", "max"])
def test_tokens_are_pooled_by_rule(pooling):
    model = seeded(Encoder)
    both = {name: torch.from_numpy(value) for name, value in tokens().items()}
    states = activations(model, ["encoder.layers.1"], **both)["encoder.layers.1"]
    features = TorchExtractor(model, "encoder.layers.1", pooling).fit_transform(
        tokens()
    )
    for row, length in enumerate(MASK.sum(axis=1)):
        real = states[row, :length].numpy()
        wanted = {"cls": real[0], "last_token": real[-1], "max": real.max(axis=0)}
        assert_allclose(features[row], wanted[pooling], atol=TOLERANCE)


def test_layers_of_a_transformer_run_where_torch_would_fuse_them():
    model = seeded(Encoder)
    extractor = TorchExtractor(model, "blocks").fit(tokens())
    assert extractor.selected_layers_ == [f"encoder.layers.{i}" for i in range(3)]
    assert torch.backends.mha.get_fastpath_enabled()
    with torch.no_grad():
        own = model.eval()(
            torch.from_numpy(TOKENS), attention_mask=torch.from_numpy(MASK)
        )
    wanted = own["states"][1].numpy().mean(axis=0)
    assert_allclose(extractor.transform(tokens())[1, -8:], wanted, atol=TOLERANCE)


def test_nested_tensors_do_not_come_up():
    plain, nested = seeded(Encoder), seeded(lambda: Encoder(nested=True))
    assert_array_equal(
        TorchExtractor(nested, "blocks").transform(tokens()),
        TorchExtractor(plain, "blocks").transform(tokens()),
    )


def test_channels_first_of_time_series_are_told_from_tokens():
    model = seeded(Waves)
    names = ["conv", "act", "norm", "rnn"]
    expected = activations(model, names, torch.from_numpy(SERIES))
    features = features_of(TorchExtractor(model, names), SERIES)
    for name, axis in [("conv", 2), ("act", 2), ("norm", 1), ("rnn", 1)]:
        wanted = expected[name].numpy().mean(axis=axis)
        assert_allclose(features[name], wanted, atol=TOLERANCE)


def test_channels_last_of_images_are_told_from_channels_first():
    model = seeded(Grid)
    names = ["patches", "norm", "mix.0", "mix"]
    expected = activations(model, names, torch.from_numpy(IMAGES))
    features = features_of(TorchExtractor(model, [*names, "output"]), IMAGES)
    for name, axes in [("patches", (2, 3)), ("norm", (1, 2)), ("mix.0", (1, 2))]:
        wanted = expected[name].numpy().mean(axis=axes)
        assert_allclose(features[name], wanted, atol=TOLERANCE)
    assert features["output"].shape == (10, 6)


def test_pooling_says_what_it_chose():
    extractor = TorchExtractor(resnet(), ["layer1", "fc"])
    assert not hasattr(extractor, "pooling_")
    assert extractor.fit(IMAGES).pooling_ == {"layer1": "mean", "fc": "flatten"}
    extractor.set_params(pooling="max").fit(IMAGES)
    assert extractor.pooling_ == {"layer1": "max", "fc": "flatten"}


@pytest.mark.parametrize("batch_size", [1, 3, 10, 64, "auto"])
def test_batches_of_any_size_give_the_same(batch_size):
    model = resnet()
    whole = TorchExtractor(model, "blocks").transform(IMAGES)
    parts = TorchExtractor(model, "blocks", batch_size=batch_size).transform(IMAGES)
    assert_allclose(parts, whole, atol=TOLERANCE)


def test_a_module_that_runs_twice_gives_what_it_returned_first():
    layer = nn.Linear(4, 4)
    model = seeded(lambda: nn.Sequential(layer, nn.Tanh(), layer))
    features = TorchExtractor(model, "0").transform(TABLE)
    assert_allclose(
        features, layer(torch.from_numpy(TABLE)).detach().numpy(), atol=TOLERANCE
    )


# -- one pass ------------------------------------------------------------------


def test_all_layers_come_from_one_pass():
    model = resnet()
    extractor = TorchExtractor(model, batch_size=4).fit(IMAGES)
    model.runs.clear()
    assert len(extractor.selected_layers_) > 10
    extractor.transform(IMAGES)
    assert model.runs == [4, 4, 2]


def test_fit_runs_the_model_on_three_rows():
    model = resnet()
    TorchExtractor(model).fit(IMAGES)
    assert model.runs == [3]


@pytest.mark.parametrize(
    ("layer", "ran"), [("stem", 0), ("layer1.0", 0), ("layer1", 0), ("layer2", 1)]
)
def test_the_pass_ends_at_the_layer_that_is_asked_for(layer, ran):
    model = resnet()
    extractor = TorchExtractor(model).fit(IMAGES).with_layer(layer)
    count = []
    model.layer2[0].conv1.register_forward_hook(lambda *_: count.append(1))
    assert extractor.module is model
    extractor.transform(IMAGES)
    assert len(count) == ran
    count.clear()
    model(torch.from_numpy(IMAGES))
    assert len(count) == 1


def test_the_output_needs_the_whole_pass():
    model = resnet()
    with torch.no_grad():
        logits = model.eval()(torch.from_numpy(IMAGES)).numpy()
    features = features_of(TorchExtractor(model, ["output", "fc", "stem"]), IMAGES)
    assert_allclose(features["output"], logits, atol=TOLERANCE)
    assert_allclose(features["fc"], logits, atol=TOLERANCE)


# -- the model is left as it was -----------------------------------------------


def test_the_model_is_left_as_it_was():
    model = resnet()
    model.train()
    model.layer1[0].eval()
    model.stem.requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    flags = [part.training for part in model.modules()]
    hooks = hooks_of(model)
    extractor = TorchExtractor(model).fit(IMAGES)
    first = extractor.transform(IMAGES)
    assert_array_equal(extractor.transform(IMAGES), first)
    assert [part.training for part in model.modules()] == flags
    assert hooks_of(model) == hooks
    assert all(map(torch.equal, before.values(), model.state_dict().values()))
    assert model(torch.from_numpy(IMAGES)).requires_grad


class Broken(nn.Sequential):
    def forward(self, x):
        super().forward(x)
        if len(x) != 3:
            raise KeyError("broken")
        return x


def test_the_model_is_left_as_it_was_after_an_error():
    model = Broken(nn.Linear(4, 4), nn.Dropout())
    hooks = hooks_of(model)
    extractor = TorchExtractor(model, "*").fit(TABLE)
    with pytest.raises(KeyError, match="broken"):
        extractor.transform(TABLE)
    assert all(part.training for part in model.modules())
    assert hooks_of(model) == hooks
    assert torch.is_grad_enabled()


def test_the_model_is_left_as_it_was_when_a_loop_ends_early():
    model = resnet()
    hooks = hooks_of(model)
    stream = TorchExtractor(model, "stem", batch_size=2).iter_features(IMAGES)
    next(stream)
    # Between two batches the model is its owner's, and runs to its end.
    assert hooks_of(model) == hooks
    assert model.training
    assert model(torch.from_numpy(IMAGES)).shape == (10, 4)
    assert len(next(stream)[0]["stem"]) == 2


def test_two_passes_over_one_model_do_not_meet():
    model = resnet()
    early = TorchExtractor(model, "stem", batch_size=2)
    late = TorchExtractor(model, "fc", batch_size=2)
    together = [
        (a["stem"], b["fc"])
        for (a, _), (b, _) in zip(
            early.iter_features(IMAGES), late.iter_features(IMAGES), strict=True
        )
    ]
    for rows, part in zip(
        zip(*together, strict=True),
        (early.transform(IMAGES), late.transform(IMAGES)),
        strict=True,
    ):
        assert_array_equal(np.concatenate(rows), part)


def test_threads_share_a_model():
    model = resnet()
    layers = ["stem", "layer1.0", "layer1.1", "layer2", "fc", "proba"] * 2
    expected = {name: TorchExtractor(model, name).transform(IMAGES) for name in layers}
    found = [None] * len(layers)

    def run(i):
        extractor = TorchExtractor(model, layers[i], batch_size=1)
        found[i] = extractor.transform(IMAGES)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(layers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, features in zip(layers, found, strict=True):
        assert_allclose(features, expected[name], atol=TOLERANCE)
    assert model.training


class Cached(nn.Module):
    """Keeps a tensor from its first pass, as rotary embeddings do."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.table = None

    def forward(self, x):
        if self.table is None:
            self.table = torch.ones(4) * 2
        return self.linear(x) * self.table


def test_a_model_can_be_trained_after_a_pass():
    model = Cached()
    TorchExtractor(model).transform(TABLE)
    model(torch.from_numpy(TABLE)).sum().backward()
    assert model.linear.weight.grad is not None


def test_batch_normalisation_and_dropout_are_those_of_evaluation():
    model = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.5))
    model.train()
    features = TorchExtractor(model, "output").transform(TABLE)
    assert_allclose(features, model.eval()(torch.from_numpy(TABLE)).detach())
    assert model[0].num_batches_tracked == 0


# -- layers --------------------------------------------------------------------


def test_layers_are_named_by_their_paths_in_forward_order():
    extractor = TorchExtractor(resnet())
    names = [name for name, _ in ResNet().named_modules() if name]
    assert sorted(extractor.layers_) == sorted([*names, "output", "proba"])
    assert extractor.layers_[-2:] == ["output", "proba"]
    order = ["stem", "layer1.0.conv1", "layer1.0", "layer1.1", "layer1", "fc"]
    assert [name for name in extractor.layers_ if name in order] == order


def test_after_fit_layers_are_those_that_give_a_row_per_sample():
    extractor = TorchExtractor(seeded(Encoder))
    assert "position" in extractor.layers_
    extractor.fit(tokens())
    assert "position" not in extractor.layers_
    assert not any("out_proj" in name for name in extractor.layers_)
    with pytest.raises(LayerNotFoundError, match="it gave 1 rows for 3 samples"):
        extractor.set_params(layers="position").transform(tokens())
    with pytest.raises(LayerNotFoundError, match=r"'unused' gives no .*did not run"):
        TorchExtractor(resnet(), ["stem", "unused"]).transform(IMAGES)


def test_all_leaves_out_heads_and_what_only_passes_on():
    extractor = TorchExtractor(resnet()).fit(IMAGES)
    chosen = extractor.selected_layers_
    for name in ("fc", "output", "proba", "layer1", "layer2", "unused"):
        assert name not in chosen
    assert {"stem", "layer1.0", "layer1.1", "layer2.0", "dropout"} <= set(chosen)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("last", ["dropout"]),
        ("layer?", ["layer1", "layer2"]),
        ("blocks", ["layer1.0", "layer1.1", "layer2.0"]),
        (-1, ["proba"]),
        (["proba", "blocks", "stem"], ["proba", "layer1.0", "layer1.1", "layer2.0"]),
    ],
)
def test_layers_are_chosen_by_word_glob_index_and_list(layers, expected):
    chosen = TorchExtractor(resnet(), layers).fit(IMAGES).selected_layers_
    assert chosen[: len(expected)] == expected
    assert len(chosen) == len(expected) + ("stem" in chosen)


def test_blocks_of_a_plain_chain_end_where_the_next_weights_begin():
    chain = nn.Sequential(
        nn.Flatten(),
        nn.Linear(4, 5),
        nn.BatchNorm1d(5),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(5, 6),
        nn.ReLU(),
        nn.Linear(6, 3),
    )
    extractor = TorchExtractor(chain, "blocks").fit(TABLE)
    assert extractor.selected_layers_ == ["3", "6"]


def test_the_word_blocks_wins_over_a_module_of_that_name():
    model = nn.Module()
    model.blocks = nn.Sequential(
        *[nn.Sequential(nn.Linear(4, 4), nn.Tanh()) for _ in range(2)]
    )
    model.forward = lambda x: model.blocks(x)
    extractor = TorchExtractor(model, "blocks").fit(TABLE)
    assert extractor.selected_layers_ == ["blocks.0.1", "blocks.1.1"]
    assert "blocks" in extractor.layers_


def test_an_encoder_keeps_its_last_layer():
    encoder = nn.Sequential(nn.Linear(4, 5), nn.ReLU())
    assert TorchExtractor(encoder, "last").fit(TABLE).selected_layers_ == ["1"]
    assert TorchExtractor(nn.Linear(4, 2)).fit_transform(TABLE).shape == (10, 2)


def test_an_unknown_layer_is_answered_with_the_nearest():
    model = resnet()
    with pytest.raises(LayerNotFoundError, match=r"'layer9' .*'layer1', 'layer2"):
        TorchExtractor(model, "layer9").iter_features(IMAGES)
    assert model.runs == []


def test_a_name_that_the_model_uses_itself_stays_its_own():
    model = nn.Module()
    model.output = nn.Linear(4, 4)
    model.forward = lambda x: model.output(x) + 1
    extractor = TorchExtractor(model, ["output", "output_"])
    assert extractor.layers_ == ["output", "output_", "proba"]
    features = features_of(extractor, TABLE)
    assert_allclose(features["output_"], features["output"] + 1, atol=TOLERANCE)


# Raised inside torch by the import of its compiler.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_wrappers_are_looked_through():
    model = resnet()
    plain = TorchExtractor(model, "layer1").transform(IMAGES)
    for wrapped in (nn.DataParallel(model), torch.compile(model)):
        extractor = TorchExtractor(wrapped, "layer1")
        assert extractor.module is wrapped
        assert_array_equal(extractor.transform(IMAGES), plain)


def test_no_module_is_refused():
    for wrong in (ResNet, None, {"fc.weight": torch.zeros(1)}):
        with pytest.raises(TypeError, match=r"expected a torch\.nn\.Module, got"):
            TorchExtractor(wrong).fit(IMAGES)
        assert not hasattr(TorchExtractor(wrong), "layers_")
        assert dir(TorchExtractor(wrong))


# -- heads ---------------------------------------------------------------------


def test_proba_is_the_softmax_of_the_output():
    model = resnet()
    logits, proba = (
        TorchExtractor(model, name).fit_transform(IMAGES) for name in ("fc", "proba")
    )
    wanted = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert_allclose(proba, wanted, atol=TOLERANCE)


@pytest.mark.parametrize("end", [nn.Softmax(dim=1), nn.LogSoftmax(dim=1)])
def test_probabilities_are_not_squashed_twice(end):
    linear = nn.Linear(4, 3)
    extractor = TorchExtractor(nn.Sequential(nn.Tanh(), linear, end)).fit(TABLE)
    assert extractor.selected_layers_ == ["0"]
    logits = extractor.with_layer("1").transform(TABLE)
    wanted = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert_allclose(extractor.with_layer("proba").transform(TABLE), wanted, atol=1e-6)


@pytest.mark.parametrize("ends", [(), (nn.Sigmoid(),)])
def test_one_output_makes_two_probabilities(ends):
    model = nn.Sequential(nn.Linear(4, 1), *ends)
    scores = TorchExtractor(model, "0").transform(TABLE)[:, 0]
    proba = TorchExtractor(model, "proba").fit(TABLE).transform(TABLE)
    assert_allclose(proba[:, 1], 1 / (1 + np.exp(-scores)), atol=1e-6)
    assert_allclose(proba.sum(axis=1), 1)


def test_leep_reads_the_source_models_probabilities():
    model = resnet()
    extractor = TorchExtractor(model, "proba")
    selector = TransferSelector([("resnet", extractor)], scoring="leep")
    selector.fit(IMAGES, LABELS)
    assert selector.best_score_ == pytest.approx(
        leep_score(extractor.transform(IMAGES), LABELS)
    )


def test_maps_of_scores_have_no_probabilities():
    model = nn.Sequential(nn.Conv2d(3, 4, 1))
    extractor = TorchExtractor(model, "proba")
    with pytest.raises(LayerNotFoundError, match="'proba' gives no features"):
        extractor.fit(IMAGES)


# -- precision, devices, memory ------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_becomes_float32(dtype):
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    expected = TorchExtractor(model, "1").transform(TABLE)
    features = TorchExtractor(model.to(dtype), "1").transform(TABLE)
    assert features.dtype == np.float32
    assert_allclose(features, expected, atol=0.05)


def test_means_of_half_precision_are_accumulated_in_float32():
    model = nn.Sequential(nn.Identity(), nn.Linear(1, 1)).to(torch.bfloat16)
    tokens = np.ones((3, 4096, 1), dtype=np.float32)
    tokens[:, ::2] = 0.5
    assert_array_equal(TorchExtractor(model, "0").transform(tokens), [[0.75]] * 3)


def test_double_precision_stays():
    model = nn.Sequential(nn.Linear(4, 8)).double()
    X = TABLE.astype(np.float64) + 1e-9
    features = TorchExtractor(model, "0").transform(X)
    assert features.dtype == np.float64
    assert_allclose(features, model(torch.from_numpy(X)).detach(), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["bfloat16", torch.bfloat16])
def test_mixed_precision_leaves_the_weights(dtype):
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh())
    full = TorchExtractor(model, "1").transform(TABLE)
    mixed = TorchExtractor(model, "1", dtype=dtype).transform(TABLE)
    assert model[0].weight.dtype == torch.float32
    assert mixed.dtype == np.float32
    assert 0 < np.abs(mixed - full).max() < 0.02
    auto = TorchExtractor(model, "1", dtype="auto", device="cpu").transform(TABLE)
    assert_array_equal(auto, full)


def test_other_types_and_devices_are_refused():
    model = nn.Linear(4, 2)
    with pytest.raises(ValueError, match=r"'dtype' to be None.*got 'float64'"):
        TorchExtractor(model, dtype="float64").fit(TABLE)
    with pytest.raises(ValueError, match=r"'device' to be 'auto' .*got 'gpu'"):
        TorchExtractor(model, device="gpu").fit(TABLE)
    with pytest.raises(ValueError, match=r"'pooling' to be one of .*got 'median'"):
        TorchExtractor(model, pooling="median").fit(TABLE)
    with pytest.raises(TypeError, match="'preprocess' to be a function"):
        TorchExtractor(model, preprocess=3).fit(TABLE)


def test_the_accelerator_is_used_and_the_model_put_back(monkeypatch):
    # The CPU with a number stands in for another device.
    elsewhere = torch.device("cpu", 0)
    monkeypatch.setattr(_torch_modules, "_accelerator", lambda: elsewhere)
    model = nn.Sequential(nn.Linear(4, 2))
    moves = []
    monkeypatch.setattr(model, "to", moves.append)
    extractor = TorchExtractor(model, "0").fit(TABLE)
    moves.clear()
    extractor.transform(TABLE)
    assert moves == [elsewhere, torch.device("cpu")]
    moves.clear()
    extractor.set_params(device="cpu").transform(TABLE)
    assert moves == []


class Small(nn.Module):
    """A device with room for a few rows."""

    def __init__(self, room, error=torch.OutOfMemoryError):
        super().__init__()
        self.linear = nn.Linear(4, 3)
        self.room, self.error, self.runs = room, error, []

    def forward(self, x):
        self.runs.append(len(x))
        if len(x) > self.room:
            raise self.error("CUDA out of memory. Tried to allocate 2.00 GiB")
        return self.linear(x)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError, MemoryError])
def test_batches_are_halved_when_memory_runs_out(error):
    model = Small(3, error)
    X = RNG.normal(size=(20, 4)).astype(np.float32)
    extractor = TorchExtractor(model, "linear", batch_size=8).fit(X)
    model.runs.clear()
    with pytest.warns(TransRateWarning) as caught:
        batches = list(extractor.iter_features(X, np.arange(20)))
    said = [str(warning.message) for warning in caught]
    assert [text.partition("; no row is lost")[0] for text in said] == [
        "The model ran out of memory on 8 rows at a time and goes on with 4",
        "The model ran out of memory on 4 rows at a time and goes on with 2",
    ]
    assert [len(labels) for _, labels in batches] == [8, 8, 4]
    features = np.concatenate([features["linear"] for features, _ in batches])
    assert_allclose(features, model.linear(torch.from_numpy(X)).detach(), atol=1e-6)
    # What was learned holds for the batches that follow.
    assert model.runs == [8, 4, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]


def test_a_row_that_does_not_fit_is_an_error():
    model = Small(3)
    extractor = TorchExtractor(model).fit(TABLE)
    model.room = 0
    with (
        pytest.warns(TransRateWarning),
        pytest.raises(torch.OutOfMemoryError) as caught,
    ):
        extractor.transform(TABLE)
    assert "single row" in "".join(caught.value.__notes__)


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    extractor = TorchExtractor(Small(3))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        extractor.transform(np.zeros((5, 7), dtype=np.float32))


# -- scikit-learn --------------------------------------------------------------

CASES = {
    "images": (resnet, IMAGES),
    "tokens": (partial(seeded, Encoder), tokens(slice(5))),
    "series": (partial(seeded, Waves), SERIES[:5]),
    "grid": (partial(seeded, Grid), IMAGES[:5]),
    "list": (resnet, list(IMAGES[:5])),
}


@pytest.mark.parametrize("case", CASES)
def test_the_laws_of_extractors_hold(case):
    build, X = CASES[case]
    for layers in ("all", "blocks", ["output", "*"]):
        check_extractor(TorchExtractor(build(), layers, batch_size=4).fit(X), X)


def test_clones_share_the_model_and_pickles_do_not():
    extractor = TorchExtractor(resnet(), ["layer1", "proba"]).fit(IMAGES)
    features = extractor.transform(IMAGES)
    assert clone(extractor).module is extractor.module
    assert "module" in extractor.get_params()
    for twin in (
        pickle.loads(pickle.dumps(extractor)),
        copy.deepcopy(extractor),
        clone(extractor),
    ):
        assert_array_equal(twin.transform(IMAGES), features)
    twin = pickle.loads(pickle.dumps(extractor))
    assert twin.module is not extractor.module
    assert twin.layers_ == extractor.layers_
    with pytest.raises(ValueError, match="shared by all copies"):
        extractor.set_params(module__fc=None)


def test_what_was_learned_is_of_one_model():
    extractor = TorchExtractor(resnet()).fit(IMAGES)
    extractor.set_params(module=nn.Sequential(nn.Flatten(), nn.Linear(192, 3)))
    assert extractor.layers_ == ["0", "1", "output", "proba"]
    assert extractor.transform(IMAGES).shape == (10, 192)


def test_a_selector_ranks_all_layers_in_one_pass():
    model = resnet()
    selector = TransferSelector([("resnet", TorchExtractor(model, batch_size=4))])
    selector.fit(IMAGES, LABELS)
    assert model.runs == [3, 4, 4, 2]
    layers = selector.results_["layer"]
    assert len(layers) == len(TorchExtractor(model).fit(IMAGES).selected_layers_)
    best = selector.best_estimator_
    assert best.module is model
    assert best.layers == [selector.best_layer_]
    width = len(selector.get_feature_names_out())
    assert selector.transform(IMAGES).shape == (10, width)


def test_statistics_are_resumed_by_fingerprint(tmp_path):
    model = resnet()

    def selector(module):
        return TransferSelector(
            [("resnet", TorchExtractor(module, "blocks"))], memory=tmp_path, refit=False
        )

    first = selector(model).fit(IMAGES, LABELS)
    model.runs.clear()
    twin = copy.deepcopy(model)
    again = selector(twin).fit(IMAGES, LABELS)
    assert twin.runs == []
    score = "score_transrate"
    assert_array_equal(again.results_[score], first.results_[score])


def test_pipelines_and_searches_take_layers_as_parameters():
    pipeline = make_pipeline(
        TorchExtractor(resnet()), LogisticRegression(max_iter=1000)
    )
    grid = {"torchextractor__layers": ["stem", "last", "blocks"]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise")
    assert search.fit(IMAGES, LABELS).best_estimator_[0].module is pipeline[0].module
    scores = cross_val_score(pipeline, IMAGES, LABELS, cv=2, error_score="raise")
    assert scores.shape == (2,)


def test_frames_are_named_by_layer():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    model = nn.Sequential(nn.Linear(4, 2), nn.Tanh())
    frame = pandas.DataFrame(TABLE, columns=list("abcd"), index=range(10, 0, -1))
    extractor = TorchExtractor(model).set_output(transform="pandas")
    out = extractor.fit_transform(frame)
    assert list(out.columns) == ["0_0", "0_1", "1_0", "1_1"]
    assert list(out.index) == list(frame.index)
    assert list(extractor.feature_names_in_) == list("abcd")
    with pytest.raises(ValueError, match="feature names should match"):
        extractor.transform(frame[list("bacd")])


# -- identity ------------------------------------------------------------------


def scale(sample):
    return torch.as_tensor(sample) * 2


def test_fingerprints_are_those_of_copies():
    extractor = TorchExtractor(resnet(), preprocess=scale)
    mark = extractor.fingerprint()
    assert extractor.fit(IMAGES).fingerprint() == mark
    assert clone(extractor).fingerprint() == mark
    assert copy.deepcopy(extractor).fingerprint() == mark
    assert pickle.loads(pickle.dumps(extractor)).fingerprint() == mark
    assert clone(extractor).set_params(batch_size=2).fingerprint() == mark
    assert TorchExtractor(resnet(), "all", preprocess=scale).fingerprint() == mark


def test_fingerprints_differ_with_whatever_changes_features():
    marks = {
        TorchExtractor(resnet(), **params).fingerprint()
        for params in (
            {},
            {"layers": "fc"},
            {"pooling": "max"},
            {"dtype": "bfloat16"},
            {"preprocess": scale},
            {"preprocess": lambda sample: sample},
            {"preprocess": nn.Flatten()},
        )
    }
    model = resnet()
    with torch.no_grad():
        model.layer1[0].bn1.running_mean[0] += 1e-3
    marks.add(TorchExtractor(model).fingerprint())
    model = resnet()
    model.layer1[0].relu = nn.GELU()
    marks.add(TorchExtractor(model).fingerprint())
    assert len(marks) == 9


def test_fingerprints_are_the_same_in_every_process():
    code = (
        "import torch\n"
        "from sklearn_transrate.extractors.torch import TorchExtractor\n"
        "torch.manual_seed(0)\n"
        "model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU())\n"
        "mark = TorchExtractor(model, preprocess=lambda x: x * 2).fingerprint()\n"
    )
    here: dict = {}
    exec(code, here)
    there = subprocess.run(
        [sys.executable, "-c", f"{code}print(mark)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.strip() == here["mark"]
