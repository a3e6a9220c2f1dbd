"""Baselines: what they return, for every kind of target."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

from sklearn_transrate.exceptions import UndefinedMetricWarning
from sklearn_transrate.metrics import Constant, FeatureWidth, ModelSize, get_metric
from sklearn_transrate.testing import check_transfer_metric

X = np.random.default_rng(0).standard_normal((12, 5))
TARGETS = {
    "classification": np.arange(12) % 3,
    "regression": np.linspace(0.1, 0.7, 12),
    "multilabel": np.eye(4, dtype=int)[np.arange(12) % 4],
}


@pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize(
    ("metric", "expected"),
    [(Constant(), 0.0), (FeatureWidth(), 5.0), (ModelSize(11.7e6), 11.7e6)],
    ids=["constant", "width", "size"],
)
def test_every_kind_of_target_has_a_score(metric, expected, y):
    assert metric.score(X, y) == expected
    streamed = clone(metric)
    for start in (0, 4, 8):
        streamed.partial_fit(X[start : start + 4], y[start : start + 4])
    assert streamed.score_ == expected
    assert streamed.n_samples_seen_ == 12


def test_width_counts_columns_of_zeros_and_of_sparse_features():
    wide = np.hstack([X, np.zeros((12, 30))])
    y = TARGETS["classification"]
    assert FeatureWidth().score(wide, y) == 35.0
    assert FeatureWidth().score(sparse.csr_array(wide), y) == 35.0
    assert FeatureWidth().fit(sparse.csr_array(wide), y).score_ == 35.0


def test_strings_are_labels_too():
    assert FeatureWidth().score(X, np.array(list("abc"))[np.arange(12) % 3]) == 5.0


@pytest.mark.parametrize(
    "metric",
    [Constant(), FeatureWidth(), ModelSize(3)],
    ids=["constant", "width", "size"],
)
def test_laws_hold(metric):
    check_transfer_metric(metric)


def test_one_class_cannot_be_compared():
    with pytest.warns(UndefinedMetricWarning, match="FeatureWidth compares classes"):
        assert np.isnan(FeatureWidth().score(X, np.zeros(12, dtype=int)))


@pytest.mark.parametrize("size", [0, -1.0, np.inf, np.nan, "large", None])
def test_sizes_that_are_none_are_refused(size):
    with pytest.raises(ValueError, match="'n_parameters' to be a positive number"):
        ModelSize(size).score(X, TARGETS["classification"])


def test_the_names_make_the_metrics():
    assert isinstance(get_metric("constant"), Constant)
    assert isinstance(get_metric("n_features"), FeatureWidth)
