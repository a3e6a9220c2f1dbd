from __future__ import annotations

import contextlib
from collections import OrderedDict

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch import nn  # noqa: E402
from torch.nn.utils import parametrizations  # noqa: E402

from sklearn_transrate.extractors._torch_modules import (  # noqa: E402
    block_names,
    evaluating,
    module_digest,
    named_layers,
)


class Block(nn.Module):
    """Several parts, and none of them a stack."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
        self.norm = nn.LayerNorm(2)

    def forward(self, x):
        return self.norm(x + self.mix(x))


class Stage(nn.Module):
    def __init__(self, depth):
        super().__init__()
        self.downsample = nn.Sequential(nn.LayerNorm(2), nn.Linear(2, 2))
        self.blocks = nn.Sequential(*[Block() for _ in range(depth)])

    def forward(self, x):
        return self.blocks(self.downsample(x))


def model_of(**parts):
    model = nn.Module()
    for name, part in parts.items():
        setattr(model, name, part)
    return model


def names(module):
    return [name for name, _ in named_layers(module)]


# -- names ---------------------------------------------------------------------


def test_parts_come_before_the_whole():
    model = model_of(stem=nn.Linear(2, 2), body=nn.Sequential(Block()))
    assert names(model) == [
        "stem",
        "body.0.mix.0",
        "body.0.mix.1",
        "body.0.mix",
        "body.0.norm",
        "body.0",
        "body",
    ]


def test_lists_of_modules_never_run():
    model = model_of(
        several=nn.ModuleList([nn.Linear(2, 2)]),
        named=nn.ModuleDict({"left": nn.Tanh()}),
        weights=nn.ParameterList([torch.ones(2)]),
    )
    assert names(model) == ["several.0", "named.left"]


def test_a_module_with_two_paths_has_the_first():
    shared = nn.ReLU()
    assert names(model_of(a=shared, b=nn.Sequential(shared))) == ["a", "b"]


def test_parametrizations_of_weights_are_no_layers():
    linear = parametrizations.weight_norm(nn.Linear(2, 2))
    assert names(model_of(linear=linear)) == ["linear"]


# -- blocks --------------------------------------------------------------------


def test_blocks_stand_in_containers():
    for container in (
        nn.Sequential(Block(), Block()),
        nn.ModuleList([Block(), Block()]),
        nn.ModuleDict(OrderedDict([("0", Block()), ("1", Block())])),
    ):
        model = model_of(stem=nn.Linear(2, 2), layers=container, fc=nn.Linear(2, 2))
        assert block_names(model) == ["layers.0", "layers.1"]


def test_blocks_of_several_groups_come_in_order():
    model = model_of(layer1=nn.Sequential(Block()), layer2=nn.Sequential(Block()))
    assert block_names(model) == ["layer1.0", "layer2.0"]


def test_stages_are_taken_apart():
    model = model_of(stages=nn.Sequential(Stage(2), Stage(3)), head=nn.Linear(2, 2))
    assert block_names(model) == [
        *[f"stages.0.blocks.{i}" for i in range(2)],
        *[f"stages.1.blocks.{i}" for i in range(3)],
    ]


def test_a_backbone_in_a_sequence_is_looked_into():
    backbone = model_of(layers=nn.Sequential(Block(), Block()))
    model = nn.Sequential(backbone, nn.Linear(2, 2))
    assert block_names(model) == ["0.layers.0", "0.layers.1"]


def test_without_blocks_runs_of_layers_end_before_weights():
    features = nn.Sequential(
        nn.Conv2d(1, 2, 3),
        nn.BatchNorm2d(2),
        nn.ReLU(),
        nn.Conv2d(2, 2, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(),
        nn.Identity(),
    )
    model = model_of(
        resize=nn.Upsample(8), features=features, mixed=Block(), pool=nn.MaxPool2d(2)
    )
    assert block_names(model) == ["features.2", "features.5", "pool"]
    assert block_names(nn.Sequential(nn.ReLU())) == []


# -- running -------------------------------------------------------------------


class Frozen(nn.Module):
    """Stays in evaluation mode whatever it is told."""

    def train(self, mode=True):
        super().train(False)
        return self


class Merging(nn.Module):
    """Does more in `train` than set a flag, as adapters do that merge weights."""

    merged = False

    def train(self, mode=True):
        self.merged = not mode
        return super().train(mode)


def test_flags_come_back_whatever_train_does():
    model = model_of(frozen=Frozen(), merging=Merging(), drop=nn.Dropout())
    model.train()
    flags = [part.training for part in model.modules()]
    with evaluating(model):
        assert not any(part.training for part in model.modules())
        assert model.merging.merged
        assert not torch.is_grad_enabled()
    assert [part.training for part in model.modules()] == flags == [1, 0, 1, 1]
    assert not model.merging.merged


def test_flags_come_back_where_only_a_part_trains():
    model = model_of(a=nn.Dropout(), b=nn.Dropout()).eval()
    model.b.train()
    with contextlib.suppress(KeyError), evaluating(model):
        assert not model.b.training
        raise KeyError
    assert [part.training for part in model.modules()] == [False, False, True]
    assert torch.is_grad_enabled()


# -- identity ------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.weight.data.add_(1e-6),
        lambda model: model.bias.data.neg_(),
        lambda model: model.double(),
        lambda model: model.register_buffer("more", torch.zeros(0)),
        lambda model: model.add_module("act", nn.ReLU()),
    ],
)
def test_digests_differ_with_weights_types_and_parts(change):
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    mark = module_digest(model)
    assert module_digest(model) == mark
    change(model)
    assert module_digest(model) != mark


def test_weights_of_all_types_have_a_digest():
    model = nn.Module()
    for i, dtype in enumerate(
        (torch.bfloat16, torch.bool, torch.int8, torch.complex64, torch.float64)
    ):
        model.register_buffer(f"b{i}", torch.ones(2, 3).to(dtype))
    model.register_buffer("one", torch.tensor(3))
    model.get_extra_state = lambda: {"step": 3}
    mark = module_digest(model)
    model.one += 1
    assert module_digest(model) != mark
