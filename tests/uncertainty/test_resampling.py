"""Resamples are merged from blocks, and are what scores of chosen rows would be."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_iris, make_classification

from sklearn_transrate import TransRate
from sklearn_transrate.metrics import HScore, LogME, RidgeLOO
from sklearn_transrate.statistics import ClassMoments
from sklearn_transrate.statistics._blocks import StatisticBlocks, number_blocks
from sklearn_transrate.uncertainty import bootstrap, jackknife

# Merges round differently from one pass over the rows.
MERGED = {"rel": 1e-9, "abs": 1e-11}


@pytest.fixture(scope="module")
def data():
    return make_classification(
        n_samples=120, n_features=8, n_informative=5, n_classes=3, random_state=0
    )


@pytest.mark.parametrize(
    "metric", [TransRate(), HScore(), LogME(), RidgeLOO()], ids=repr
)
def test_leaving_single_rows_out_is_scoring_the_others(data, metric):
    X, y = (part[:40] for part in data)
    found = jackknife(metric, X, y, n_blocks=40)
    expected = [
        metric.score(np.delete(X, i, axis=0), np.delete(y, i)) for i in range(len(X))
    ]
    assert sorted(found.replicates) == pytest.approx(sorted(expected), **MERGED)
    assert found.score == pytest.approx(metric.score(X, y), **MERGED)


def test_of_a_mean_the_jackknife_is_the_textbook_error(data):
    X, y = data
    column = X[:, 0]
    found = jackknife(lambda X, y: X[:, 0].mean(), X, y, n_blocks=len(X))
    assert found.std_error == pytest.approx(column.std(ddof=1) / np.sqrt(len(X)))
    assert found.bias == pytest.approx(0.0, abs=1e-12)
    assert sorted(found.values) == pytest.approx(sorted(column))


def test_of_a_variance_the_jackknife_knows_the_bias(data):
    X, y = data
    found = jackknife(lambda X, y: X[:, 0].var(), X, y, n_blocks=len(X))
    assert found.score - found.bias == pytest.approx(X[:, 0].var(ddof=1))


def test_values_have_the_score_as_their_mean(data):
    found = jackknife("transrate", *data)
    assert found.values.mean() == pytest.approx(found.score)
    assert len(found.values) == 32


def test_weights_count_as_rows(data):
    X, y = data
    twice = np.where(np.arange(len(X)) < 30, 2.0, 1.0)
    weighted = jackknife("transrate", X, y, sample_weight=twice)
    assert weighted.score == pytest.approx(
        TransRate().score(np.vstack([X, X[:30]]), np.concatenate([y, y[:30]]))
    )


def test_rows_without_weight_are_not_dealt(data):
    X, y = data
    weights = np.ones(len(X))
    weights[10:60] = 0.0
    kept = weights > 0
    found = jackknife("transrate", X, y, sample_weight=weights)
    expected = jackknife("transrate", X[kept], y[kept])
    assert found.replicates == pytest.approx(expected.replicates)


def test_bootstrap_and_jackknife_agree(data):
    error = jackknife("logme", *data, n_blocks=60).std_error
    scores = bootstrap("logme", *data, n_blocks=60, n_resamples=400)
    # Each is off by about a tenth of its size.
    assert scores.std(ddof=1) == pytest.approx(error, rel=0.35)


def test_the_same_number_draws_the_same_rows(data):
    X, y = data
    one, other = (bootstrap("h_score", Z, y, n_resamples=5) for Z in (X, 2.0 * X))
    assert one == pytest.approx(other)
    moved = bootstrap("h_score", X, y, n_resamples=5, random_state=1)
    assert not np.allclose(one, moved)


@pytest.mark.parametrize("n_blocks", [1, 2.5])
def test_blocks_are_counted(n_blocks):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="whole number of at least 2"):
        jackknife("logme", X, y, n_blocks=n_blocks)


def test_rows_are_dealt_evenly():
    codes = np.repeat([0, 1, 2], [50, 7, 43])
    rng = np.random.RandomState(0)
    for given in (None, codes):
        blocks = number_blocks(100, 8, rng, given)
        sizes = np.bincount(blocks)
        assert len(sizes) == 8
        assert set(sizes) == {12, 13}
    for k in range(3):
        assert np.ptp(np.bincount(blocks[codes == k], minlength=8)) <= 1


def test_more_blocks_than_rows_are_single_rows():
    blocks = number_blocks(5, 8, np.random.RandomState(0))
    assert sorted(blocks) == [0, 1, 2, 3, 4]


def test_batches_fill_the_same_blocks(data):
    X, y = data
    numbers = number_blocks(len(X), 7, np.random.RandomState(3))
    empty = {"moments": ClassMoments.empty()}
    whole = StatisticBlocks.from_rows(X, y, numbers, empty)
    parts = StatisticBlocks(empty, 7)
    for start in range(0, len(X), 50):
        batch = slice(start, start + 50)
        parts.update(X[batch], y[batch], numbers[batch])
    for one, other in zip(whole.leave_one_out(), parts.leave_one_out(), strict=True):
        assert one["moments"].means == pytest.approx(other["moments"].means)
        assert one["moments"].n_samples == other["moments"].n_samples < len(X)
    assert parts.whole()["moments"].n_samples == len(X)
