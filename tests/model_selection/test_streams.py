"""Batches in a selector: loaders, lists of batches, functions, and generators."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA

from sklearn_transrate import TransferSelector
from sklearn_transrate.exceptions import TransRateWarning
from sklearn_transrate.extractors import FeatureExtractor

X, y = load_iris(return_X_y=True)
ORDER = np.random.RandomState(0).permutation(len(y))
X, y = X[ORDER], y[ORDER]
pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn_transrate.exceptions.UnstableRankingWarning"
)


class Powers(FeatureExtractor):
    """Two layers; counts the rows of every pass."""

    layers_ = ["first", "second"]

    def __init__(self, power=1, layers="all", batch_size="auto"):
        self.power = power
        self.layers = layers
        self.batch_size = batch_size

    def _forward(self, X_batch, layers):
        rows = np.asarray(X_batch)
        return {"first": rows**self.power, "second": rows ** (self.power + 1)}


class Loader:
    """Like a data loader: read as often as one likes, without items."""

    def __init__(self, *, labelled=True, rng=None, size=40):
        self.labelled, self.rng, self.size = labelled, rng, size
        self.n_passes = 0

    def __len__(self):
        return -(-len(y) // self.size)

    def __iter__(self):
        self.n_passes += 1
        order = np.arange(len(y)) if self.rng is None else self.rng.permutation(len(y))
        for start in range(0, len(y), self.size):
            rows = order[start : start + self.size]
            yield (X[rows], y[rows]) if self.labelled else X[rows]


def batches(size=40):
    return ((X[i : i + size], y[i : i + size]) for i in range(0, len(y), size))


def selector(n_extractors=2, **params):
    found = [(f"powers{k}", Powers(k)) for k in range(1, n_extractors + 1)]
    return TransferSelector(found, **params)


def assert_same_table(found, wanted):
    assert found["candidate"].tolist() == wanted["candidate"].tolist()
    for metric in wanted.metrics:
        for column in (f"score_{metric}", f"std_error_{metric}"):
            np.testing.assert_allclose(found[column], wanted[column], rtol=1e-9)
    assert found["n_samples"].tolist() == wanted["n_samples"].tolist()


@pytest.fixture(scope="module")
def wanted():
    return selector(scoring=["transrate", "logme"]).fit(X, y).results_


@pytest.mark.parametrize(
    ("stream", "labels"),
    [
        pytest.param(Loader(), None, id="loader"),
        pytest.param(Loader(), y, id="loader and the same labels"),
        pytest.param(Loader(labelled=False), y, id="loader without labels"),
        pytest.param(list(batches()), None, id="list of batches"),
        pytest.param(batches, None, id="function"),
        pytest.param(partial(batches, 7), None, id="function of small batches"),
        pytest.param(
            [(a.tolist(), b.tolist()) for a, b in batches()], None, id="lists"
        ),
    ],
)
def test_batches_give_the_table_of_the_rows(stream, labels, wanted):
    fitted = selector(scoring=["transrate", "logme"]).fit(stream, labels)
    assert_same_table(fitted.results_, wanted)
    found, expected = (
        table.compare("powers1 / first", "powers2 / second").std_error
        for table in (fitted.results_, wanted)
    )
    assert found == pytest.approx(expected)
    assert fitted.classes_.tolist() == [0, 1, 2]
    assert fitted.transform(X).shape == X.shape


def test_a_generator_serves_all_layers_of_one_extractor():
    found = selector(1).fit(batches())
    wanted = selector(1).fit(X, y)
    assert_same_table(found.results_, wanted.results_)
    rows = (X_batch for X_batch, _ in batches())
    assert_same_table(selector(1).fit(rows, y).results_, wanted.results_)


def test_a_generator_for_several_extractors_is_refused_with_a_remedy():
    with pytest.raises(ValueError, match=r"read only once.*'powers2'.*a function that"):
        selector().fit(batches())


def test_each_extractor_reads_a_loader_once():
    loader = Loader(labelled=False)
    selector(3).fit(loader, y)
    assert loader.n_passes == 3


def test_labels_travel_with_shuffled_rows():
    wanted = selector(scoring="logme").fit(X, y).results_
    loader = Loader(rng=np.random.RandomState(0))
    with pytest.warns(TransRateWarning, match="shuffle=False"):
        found = selector(scoring="logme").fit(loader).results_
    np.testing.assert_allclose(found["score_logme"], wanted["score_logme"], rtol=1e-9)
    assert "rank_low_logme" not in found.columns
    alone = selector(1, scoring="logme").fit(loader).results_
    assert "rank_low_logme" in alone.columns


def test_labels_beside_a_loader_that_shuffles_are_refused():
    loader = Loader(rng=np.random.RandomState(0))
    with pytest.raises(ValueError, match="a loader that shuffles"):
        selector(error_score="raise").fit(loader, y)


@pytest.mark.parametrize(("n", "reason"), [(100, "more rows"), (151, "drop_last")])
def test_labels_of_other_rows_are_refused(n, reason):
    labels = np.resize(y, n)
    with pytest.raises(ValueError, match=reason):
        selector().fit(Loader(labelled=False), labels)


def test_batches_without_labels_are_refused():
    with pytest.raises(ValueError, match="pass the labels of all rows as y"):
        selector().fit(Loader(labelled=False))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"cv": 3}, "cv=None"),
        ({"max_samples": 50}, "max_samples=None"),
        ({"memory": "folder"}, "memory=None"),
        ({"std_error": "jackknife"}, "std_error='jackknife'"),
        ({"scoring": lambda estimator, X, y: 0.0}, "take all rows at once"),
    ],
)
def test_what_batches_cannot_give_is_refused(params, message):
    with pytest.raises(ValueError, match=message):
        selector(**params).fit(Loader())


def test_extractors_that_take_all_rows_are_refused_by_name():
    with pytest.raises(ValueError, match="'pca'"):
        TransferSelector([("pca", PCA(2)), ("powers", Powers())]).fit(Loader())


def test_blocks_of_rows_are_known_beside_labels():
    params = {"std_error": "jackknife", "scoring": "h_score"}
    found = selector(**params).fit(Loader(labelled=False), y).results_
    assert_same_table(found, selector(**params).fit(X, y).results_)


def test_weights_go_with_labels():
    weight = np.linspace(0.1, 1.0, len(y))
    found = selector().fit(Loader(), y, sample_weight=weight).results_
    assert_same_table(found, selector().fit(X, y, sample_weight=weight).results_)
    with pytest.raises(ValueError, match="sample_weight"):
        selector().fit(Loader(), sample_weight=weight)


def test_values_whose_first_batch_looks_like_classes_are_refused():
    values = np.r_[np.zeros(40), np.linspace(0, 1, len(y) - 40)]
    pairs = [(X[i : i + 40], values[i : i + 40]) for i in range(0, len(y), 40)]
    with pytest.raises(ValueError, match="task='regression'"):
        selector(scoring="logme").fit(pairs)
    found = selector(scoring="logme").fit(pairs[1:])
    assert np.isfinite(found.results_["score_logme"]).all()


def test_features_of_what_can_be_read_twice_are_returned():
    assert selector().fit_transform(Loader()).shape == X.shape
    with pytest.raises(ValueError, match="read twice"):
        selector(1).fit_transform(batches())


def test_processes_read_loaders_of_their_own(wanted):
    found = selector(scoring=["transrate", "logme"], n_jobs=2).fit(list(batches()))
    assert_same_table(found.results_, wanted)
    assert selector(1, n_jobs=2).fit(batches()).best_name_ == "powers1"
