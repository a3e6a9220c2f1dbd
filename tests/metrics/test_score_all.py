"""Many metrics at once, and what they share."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.metrics import silhouette_score

from sklearn_transrate.exceptions import SwappedArgumentsError, UnknownMetricError
from sklearn_transrate.metrics import (
    HScore,
    LogME,
    TransRate,
    get_metric,
    score_all,
)
from sklearn_transrate.statistics import ClassMoments

X, y = load_iris(return_X_y=True)


def test_each_score_is_that_of_the_metric_alone():
    names = ["transrate", "logme", "h_score", "shrunk_h_score"]
    scores = score_all(X, y, names)
    assert list(scores) == names
    for name in names:
        assert scores[name] == pytest.approx(get_metric(name).score(X, y), rel=1e-12)


def test_every_statistic_is_made_once(monkeypatch):
    made = []
    original = ClassMoments.from_batch.__func__

    def counting(cls, *args, **config):
        made.append(config)
        return original(cls, *args, **config)

    monkeypatch.setattr(ClassMoments, "from_batch", classmethod(counting))
    score_all(X, y, {"a": TransRate.from_form("relative"), "b": LogME(), "c": HScore()})
    assert made == [{"scatter": "class", "norms": False}]


def test_weights_reach_every_metric():
    weight = np.random.default_rng(0).integers(0, 3, len(y))
    rows = np.repeat(np.arange(len(y)), weight)
    weighted = score_all(X, y, sample_weight=weight)
    repeated = score_all(X[rows], y[rows])
    assert weighted == pytest.approx(repeated, rel=1e-9)


def test_functions_and_names_of_ones_own():
    scores = score_all(X, y, {"tight": TransRate(eps=1e-4), "gap": silhouette_score})
    assert scores["gap"] == pytest.approx(silhouette_score(X, y))
    assert scores["tight"] == TransRate(eps=1e-4).score(X, y)


def test_regression_targets_go_to_the_metrics_that_take_them():
    target = X[:, :2] @ [1.0, 2.0]
    scores = score_all(X[:, 2:], target, ["transrate", "logme"])
    assert all(np.isfinite(score) for score in scores.values())
    with pytest.raises(ValueError, match="regression"):
        score_all(X, target, ["h_score"])


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        ((y, X), SwappedArgumentsError, "Swap"),
        ((X, y, ["nothing"]), UnknownMetricError, "nothing"),
        ((X, y, []), ValueError, "at least one"),
        ((X[:0], y[:0]), ValueError, "0 sample"),
        ((X, y[:-1]), ValueError, "inconsistent"),
    ],
)
def test_wrong_arguments_get_a_clear_error(args, error, message):
    with pytest.raises(error, match=message):
        score_all(*args)
