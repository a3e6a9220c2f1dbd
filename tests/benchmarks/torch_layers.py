"""Ranking the layers of a torch model, against running the model once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import numpy as np

from sklearn_transrate import TransferSelector
from sklearn_transrate.metrics import get_metric
from sklearn_transrate.statistics import accumulate, cheapest_cover
from tests.benchmarks.claims import Claim, at_most
from tests.benchmarks.settings import Settings
from tests.benchmarks.timing import Race

__all__ = ["torch_layers"]

N_BLOCKS = 20
BATCH_SIZE = 64
METRICS = ["transrate", "logme"]
# A pass with its hooks and pooling, in plain passes.
MOST_PASSES = 1.15


def torch_layers(settings: Settings) -> Iterator[Claim]:
    """Rank 20 layers by a selector, run the model once, and score ready features."""
    if find_spec("torch") is None:
        yield Claim(_what("torch model"), "skipped: torch is not installed")
        return
    for name, build in {"ResNet": _resnet, "transformer": _transformer}.items():
        settings.tell(f"{N_BLOCKS} layers of a {name}")
        with _one_thread():
            yield _claim(settings, name, *build(settings))


def _what(name: str) -> str:
    return f"selector over {N_BLOCKS} layers of a {name}, less the scoring"


def _claim(settings: Settings, name: str, model, X: np.ndarray, width: int) -> Claim:
    from sklearn_transrate.extractors.torch import TorchExtractor

    y = np.arange(len(X)) % 10
    extractor = TorchExtractor(model, "blocks", batch_size=BATCH_SIZE, device="cpu")
    batches = [
        ({layer: rows.copy() for layer, rows in features.items()}, labels)
        for features, labels in extractor.iter_features(X, y)
    ]
    assert len(batches[0][0]) == N_BLOCKS
    selector = TransferSelector([(name, extractor)], scoring=METRICS, refit=False)
    race = settings.race(
        ours=lambda: selector.fit(X, y),
        plain=_plain_pass(model, X),
        scoring=lambda: _score(batches),
    )
    ours, plain = race.seconds("ours") - race.seconds("scoring"), race.seconds("plain")
    return Claim(
        _what(name),
        "one plain forward pass",
        (len(X), width, 10),
        _passes(race),
        bound=settings.bound(at_most(MOST_PASSES)),
        ours=ours,
        other=plain,
        of_minima=ours / plain,
    )


def _passes(race: Race) -> float:
    spent = race.times["ours"] - race.times["scoring"]
    return float(np.nanmedian(spent / race.times["plain"]))


def _plain_pass(model, X: np.ndarray) -> Callable[[], None]:
    import torch

    def run() -> None:
        with torch.inference_mode():
            for start in range(0, len(X), BATCH_SIZE):
                model(torch.from_numpy(X[start : start + BATCH_SIZE]))

    model.eval()
    return run


def _score(batches) -> dict:
    metrics = [get_metric(name) for name in METRICS]
    required = cheapest_cover(
        wanted for metric in metrics for wanted in metric.required_statistics().values()
    )
    filled = accumulate(batches, dict(enumerate(required)))
    return {
        layer: [metric.evaluate(list(named.values())).score for metric in metrics]
        for layer, named in filled.items()
    }


@contextmanager
def _one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


# -- models --------------------------------------------------------------------


def _resnet(settings: Settings) -> tuple:
    """Residual blocks of 64 channels on maps of 16 x 16."""
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.steps = nn.Sequential(
                nn.Conv2d(width, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
                nn.Conv2d(width, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
            )

        def forward(self, x):
            return torch.relu(x + self.steps(x))

    width = settings.size(64, 8)
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, width, 4, stride=2, padding=1),
        nn.Sequential(*[Block(width) for _ in range(N_BLOCKS)]),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, 100),
    )
    return model, _images(settings.size(384, 32)), width


def _transformer(settings: Settings) -> tuple:
    """Transformer blocks of 192 features on 24 patches."""
    import torch
    from torch import nn

    width = settings.size(192, 24) // 24 * 24
    torch.manual_seed(0)
    block = nn.TransformerEncoderLayer(width, 3, 4 * width, batch_first=True)
    model = nn.Sequential(
        nn.Unflatten(2, (8, 4)),
        nn.Flatten(3),
        nn.Flatten(1, 2),
        nn.Linear(128, width),
        nn.TransformerEncoder(block, N_BLOCKS, enable_nested_tensor=False),
    )
    return model, _images(settings.size(384, 32)), width


def _images(n: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, 3, 32, 32)).astype(np.float32)
