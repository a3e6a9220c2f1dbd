"""Functions that make scorers: what they make, and what they refuse."""

from __future__ import annotations

import pickle
from functools import partial

import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.metrics import davies_bouldin_score, silhouette_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_transrate.exceptions import UnknownMetricError
from sklearn_transrate.metrics import (
    HScore,
    TransferScorer,
    TransRate,
    TransRateScorer,
    get_metric_names,
    get_transfer_scorer,
    get_transfer_scorer_names,
    h_score,
    make_transfer_scorer,
    transrate_score,
    transrate_scorer,
)

X, y = load_iris(return_X_y=True)
HEAD = make_pipeline(StandardScaler(), GaussianNB()).fit(X, y)
SCALED = HEAD[0].transform(X)


# -- make_transfer_scorer ------------------------------------------------------


def test_parameters_reach_a_named_metric():
    scorer = make_transfer_scorer("transrate", eps=0.5)
    assert scorer(HEAD, X, y) == transrate_score(SCALED, y, eps=0.5)
    assert repr(scorer) == "TransferScorer(metric=TransRate(eps=0.5))"


def test_parameters_override_those_of_a_named_form():
    scorer = make_transfer_scorer("shrunk_h_score", shrinkage=0.25)
    assert scorer(HEAD, X, y) == h_score(SCALED, y, shrinkage=0.25)


def test_parameters_reach_a_metric_and_leave_the_given_one():
    metric = HScore(shrinkage=0.5)
    scorer = make_transfer_scorer(metric, shrinkage=0.25)
    assert scorer(HEAD, X, y) == h_score(SCALED, y, shrinkage=0.25)
    assert metric.shrinkage == 0.5


def test_parameters_reach_a_function():
    scorer = make_transfer_scorer(silhouette_score, metric="manhattan")
    expected = silhouette_score(SCALED, y, metric="manhattan")
    assert scorer(HEAD, X, y) == pytest.approx(expected)


def test_losses_are_negated():
    scorer = make_transfer_scorer(davies_bouldin_score, greater_is_better=False)
    assert scorer(HEAD, X, y) == pytest.approx(-davies_bouldin_score(SCALED, y))


def test_several_metrics_make_a_scorer_of_dicts():
    scorer = make_transfer_scorer(["transrate", silhouette_score])
    assert set(scorer(HEAD, X, y)) == {"transrate", "silhouette_score"}


def test_features_and_layer_are_the_scorers():
    scorer = make_transfer_scorer("logme", features="input", layer=2)
    assert (scorer.features, scorer.layer) == ("input", 2)


@pytest.mark.parametrize(
    "scorer",
    [
        make_transfer_scorer("transrate", eps=0.5),
        make_transfer_scorer(silhouette_score, metric="cosine"),
        make_transfer_scorer(davies_bouldin_score, greater_is_better=False),
        make_transfer_scorer(partial(silhouette_score, metric="cosine")),
    ],
    ids=lambda scorer: scorer.__name__,
)
def test_made_scorers_can_be_copied(scorer):
    for copied in (clone(scorer), pickle.loads(pickle.dumps(scorer))):
        assert copied(HEAD, X, y) == scorer(HEAD, X, y)


@pytest.mark.parametrize(
    ("metric", "error"),
    [("transrate", TypeError), (transrate_score, TypeError), (TransRate(), ValueError)],
)
def test_unknown_parameters_fail_before_the_search(metric, error):
    with pytest.raises(error, match="epsilon"):
        make_transfer_scorer(metric, epsilon=0.5)


def test_parameters_of_several_metrics_are_refused():
    with pytest.raises(TypeError, match=r"\['eps'\].*TransRate\(eps=0.01\)"):
        make_transfer_scorer(["transrate", "logme"], eps=0.5)


@pytest.mark.parametrize("metric", ["transrate", HScore(), ["logme", "h_score"]])
def test_metrics_are_never_losses(metric):
    with pytest.raises(ValueError, match="better when greater"):
        make_transfer_scorer(metric, greater_is_better=False)


def test_what_is_no_metric_is_refused():
    with pytest.raises(TypeError, match="metric's name"):
        make_transfer_scorer(3)
    with pytest.raises(TypeError, match=r"TransRate\(\) instead"):
        make_transfer_scorer(TransRate)
    with pytest.raises(UnknownMetricError, match="logme"):
        make_transfer_scorer("logmee")


# -- by name -------------------------------------------------------------------


def test_names_of_scorers_are_names_of_metrics():
    assert get_transfer_scorer_names() == get_metric_names()


@pytest.mark.parametrize("name", get_transfer_scorer_names())
def test_every_name_makes_a_new_scorer(name):
    scorer = get_transfer_scorer(name)
    assert isinstance(scorer, TransferScorer)
    assert scorer.__name__ == name
    assert scorer is not get_transfer_scorer(name)


def test_unknown_names_fail_before_the_search():
    with pytest.raises(UnknownMetricError, match="'transrate'"):
        get_transfer_scorer("transrte")


def test_transrate_scorer_is_the_class_by_another_name():
    scorer = transrate_scorer(eps=0.5, features="input")
    assert isinstance(scorer, TransRateScorer)
    assert scorer(HEAD, X, y) == transrate_score(X, y, eps=0.5)
    with pytest.raises(TypeError, match="epsilon"):
        transrate_scorer(epsilon=0.5)
