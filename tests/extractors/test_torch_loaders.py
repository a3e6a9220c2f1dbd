"""Torch's datasets and data loaders in a selector."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch.utils.data import (  # noqa: E402
    DataLoader,
    Dataset,
    IterableDataset,
    TensorDataset,
)

from sklearn_transrate import TransferSelector  # noqa: E402
from sklearn_transrate.extractors.torch import TorchExtractor  # noqa: E402

torch.manual_seed(0)
ROWS = torch.randn(60, 6)
LABELS = torch.arange(60) % 3
ROWS += LABELS[:, None]
DATA = TensorDataset(ROWS, LABELS)


class Named(Dataset):
    """Items as those of Hugging Face, with a label in each."""

    def __len__(self):
        return len(ROWS)

    def __getitem__(self, i):
        return {"input": ROWS[i], "labels": LABELS[i]}


class Endless(IterableDataset):
    """Samples one by one."""

    def __iter__(self):
        return zip(ROWS, LABELS, strict=True)


def network(seed):
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4), torch.nn.ReLU()
    )


class ByName(torch.nn.Module):
    """The same, with an input that has a name."""

    def __init__(self, seed):
        super().__init__()
        self.body = network(seed)

    def forward(self, input):
        return self.body(input)


def ranked(X, y=None, module=network, **params):
    found = [(f"net{k}", TorchExtractor(module(k), "blocks")) for k in (0, 1)]
    return TransferSelector(found, scoring="logme", **params).fit(X, y)


@pytest.fixture(scope="module")
def wanted():
    return ranked(ROWS, LABELS.numpy()).results_["score_logme"]


@pytest.mark.parametrize(
    ("stream", "y"),
    [
        pytest.param(DataLoader(DATA, batch_size=16), None, id="loader"),
        pytest.param(DataLoader(DATA, batch_size=16), LABELS.numpy(), id="loader, y"),
        pytest.param(DataLoader(ROWS, batch_size=16), LABELS, id="loader of inputs"),
        pytest.param(DATA, None, id="dataset"),
        pytest.param(DATA, LABELS.numpy(), id="dataset and labels"),
        pytest.param(Endless(), None, id="iterable dataset"),
        pytest.param(list(DataLoader(DATA, batch_size=7)), None, id="list of batches"),
    ],
)
def test_every_kind_of_loader_gives_the_same_scores(stream, y, wanted):
    selector = ranked(stream, y)
    np.testing.assert_allclose(selector.results_["score_logme"], wanted, rtol=1e-5)
    assert selector.transform(ROWS).shape[0] == 60


def test_loaders_that_shuffle_pair_rows_with_their_labels(wanted):
    loader = DataLoader(DATA, batch_size=16, shuffle=True)
    with pytest.warns(UserWarning, match="shuffle=False"):
        found = ranked(loader).results_
    np.testing.assert_allclose(found["score_logme"], wanted, rtol=1e-5)


def test_labels_may_be_among_the_named_inputs():
    wanted = ranked({"input": ROWS}, LABELS.numpy(), ByName).results_["score_logme"]
    loader = DataLoader(Named(), batch_size=16)
    found = ranked(loader, module=ByName).results_["score_logme"]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_one_generator_serves_all_layers():
    extractor = TorchExtractor(network(0), "blocks")
    batches = ((ROWS[i : i + 9], LABELS[i : i + 9]) for i in range(0, 60, 9))
    found = TransferSelector([("net", extractor)], scoring="logme").fit(batches)
    wanted = TransferSelector([("net", extractor)], scoring="logme")
    wanted = wanted.fit(ROWS, LABELS.numpy()).results_["score_logme"]
    np.testing.assert_allclose(found.results_["score_logme"], wanted, rtol=1e-5)
    assert len(wanted) > 1
