"""Sparse features give what dense ones give, without becoming dense."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import sparse

from sklearn_transrate.exceptions import SaturatedScoreWarning
from sklearn_transrate.metrics import (
    HScore,
    TransRate,
    get_metric,
    get_metric_names,
    score_all,
)

METRICS = [
    *(
        get_metric(name)
        for name in get_metric_names()
        if get_metric(name).accepts_sparse and not name.endswith("h_score")
    ),
    TransRate(covariance="pooled"),
    TransRate(normalize="n_features"),
    TransRate.from_form("listing"),
    TransRate.from_form("protocol"),
    TransRate.from_form("projected"),
    HScore(),
    HScore(shrinkage="ledoit_wolf"),
]


def make(n_samples, n_features):
    rng = np.random.default_rng(n_features)
    X = sparse.csr_array(
        sparse.random(n_samples, n_features, density=0.1, random_state=0)
    )
    return X, rng.integers(0, 3, n_samples)


@pytest.mark.parametrize("shape", [(60, 200), (200, 30)], ids=["wide", "long"])
@pytest.mark.parametrize("metric", METRICS, ids=repr)
def test_sparse_and_dense_agree(metric, shape):
    X, y = make(*shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SaturatedScoreWarning)
        dense = metric.score(X.toarray(), y)
        assert metric.score(X, y) == pytest.approx(dense, rel=1e-9)
        assert metric.fit(X, y).score_ == pytest.approx(dense, rel=1e-9)
        assert metric.n_features_in_ == shape[1]


@pytest.mark.parametrize(
    "metric", [m for m in METRICS if not m.get_params().get("row_norm")], ids=repr
)
def test_streams_of_sparse_batches_agree(metric):
    X, y = make(60, 200)
    stream = type(metric)(**metric.get_params())
    for start in range(0, 60, 25):
        stream.partial_fit(X[start : start + 25], y[start : start + 25])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SaturatedScoreWarning)
        dense = metric.score(X.toarray(), y)
        assert stream.score_ == pytest.approx(dense, rel=1e-9)


def test_a_fit_that_turned_the_axes_takes_no_more_batches():
    X, y = make(60, 200)
    metric = TransRate().fit(X, y)
    with pytest.raises(ValueError, match="partial_fit"):
        metric.partial_fit(X, y)


def test_other_formats_are_taken_too():
    X, y = make(60, 200)
    expected = TransRate().score(X, y)
    for form in ("csc", "coo", "lil"):
        assert TransRate().score(X.asformat(form), y) == pytest.approx(expected)


def test_wide_texts_fit_into_memory_that_dense_ones_would_not():
    X = sparse.csr_array(sparse.random(50, 3_000_000, density=1e-5, random_state=0))
    y = np.arange(50) % 2
    scores = score_all(X, y, ["transrate", "logme"])
    assert all(np.isfinite(score) for score in scores.values())


def test_metrics_that_need_dense_features_say_so():
    X, y = make(60, 20)
    metrics = [get_metric(name) for name in get_metric_names()]
    refusing = [m for m in metrics if m.inputs == "features" and not m.accepts_sparse]
    assert refusing
    for metric in refusing:
        with pytest.raises(TypeError, match=r"dense features.*toarray"):
            metric.score(X, y)
