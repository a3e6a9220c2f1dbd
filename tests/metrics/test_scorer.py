"""Scorers as objects: values, parameters, weights, copies, what searches look for."""

from __future__ import annotations

import pickle
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib.externals.loky.backend import reduction as loky
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.metrics import check_scoring, davies_bouldin_score, silhouette_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.metadata_routing import get_routing_for_object

from sklearn_transrate.exceptions import SwappedArgumentsError, UnknownMetricError
from sklearn_transrate.metrics import (
    FunctionMetric,
    HScore,
    LogME,
    TransferMetric,
    TransferScorer,
    TransRate,
    TransRateScorer,
    h_score,
    logme_score,
    transrate_score,
)

X, y = load_iris(return_X_y=True)
WEIGHTS = np.random.default_rng(0).uniform(0.1, 2.0, len(y))
HEAD = make_pipeline(StandardScaler(), RidgeClassifier()).fit(X, y)
SCALED = HEAD[0].transform(X)
SCORERS = [
    TransRateScorer(),
    TransRateScorer(eps=0.01, normalize=None, features="input"),
    TransferScorer(),
    TransferScorer("h_score", features="transform"),
    TransferScorer(LogME(task="classification")),
    TransferScorer(transrate_score),
    TransferScorer(["transrate", HScore(shrinkage=0.5)]),
]


def weighted_spread(X, y, sample_weight=None):
    """A function that takes weights."""
    return np.average(X.var(axis=1), weights=sample_weight)


def feature_sum(X, y):
    """A function that takes none."""
    return X.sum()


# -- values --------------------------------------------------------------------


def test_score_is_the_metric_of_what_enters_the_head():
    assert TransRateScorer()(HEAD, X, y) == transrate_score(SCALED, y)
    assert TransferScorer("logme")(HEAD, X, y) == logme_score(SCALED, y)


def test_default_metric_is_logme():
    assert TransferScorer()(HEAD, X, y) == logme_score(SCALED, y)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("h_score", h_score(SCALED, y)),
        (HScore(shrinkage="ledoit_wolf"), h_score(SCALED, y, shrinkage="ledoit_wolf")),
        (silhouette_score, silhouette_score(SCALED, y)),
        (partial(transrate_score, eps=0.5), transrate_score(SCALED, y, eps=0.5)),
        (lambda Z, labels: Z[labels == 1].sum(), SCALED[y == 1].sum()),
        (
            FunctionMetric(davies_bouldin_score, greater_is_better=False),
            -davies_bouldin_score(SCALED, y),
        ),
    ],
    ids=["name", "metric", "function", "partial", "lambda", "negated"],
)
def test_metric_is_a_name_a_metric_or_a_function(metric, expected):
    score = TransferScorer(metric)(HEAD, X, y)
    assert score == pytest.approx(expected, rel=1e-12)
    assert type(score) is float


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("eps", 0.3),
        ("class_weight", "uniform"),
        ("normalize", None),
        ("row_norm", "l2"),
        ("projection", "between"),
        ("eps_unit", "trace"),
        ("covariance", "pooled"),
    ],
)
def test_every_parameter_of_transrate_reaches_it(name, value):
    params = {"eps": 0.1, name: value}
    Z, labels = SCALED[20:], y[20:]  # classes of different sizes
    score = TransRateScorer(**params)(HEAD, X[20:], labels)
    assert score == transrate_score(Z, labels, **params)
    assert score != transrate_score(Z, labels, eps=0.1)


def test_parameters_are_those_of_transrate():
    own = {"features", "layer"}
    params = TransRateScorer().get_params()
    assert {k: v for k, v in params.items() if k not in own} == TransRate().get_params()


def test_regression_targets_reach_metrics_that_take_them():
    X, y = load_diabetes(return_X_y=True)
    model = make_pipeline(StandardScaler(), Ridge()).fit(X, y)
    Z, task = model[0].transform(X), "regression"
    logme = TransferScorer(LogME(task=task))
    assert logme(model, X, y) == logme_score(Z, y, task=task)
    transrate = TransRateScorer(task=task, covariance="pooled")
    expected = transrate_score(Z, y, task=task, covariance="pooled")
    assert transrate(model, X, y) == expected
    with pytest.raises(ValueError, match="regression"):
        TransferScorer("h_score")(model, X, np.sqrt(y))


def test_string_labels():
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    assert TransRateScorer()(HEAD, X, names) == transrate_score(SCALED, y)


# -- kinds of features ---------------------------------------------------------


@pytest.mark.parametrize("convert", [sparse.csr_matrix, sparse.csc_array])
def test_sparse_features_score_as_dense_ones(convert):
    Z = np.where(X > 2, X, 0.0)
    for metric in ("transrate", silhouette_score):
        scorer = TransferScorer(metric, features="input")
        expected = scorer(HEAD, Z, y)
        assert scorer(HEAD, convert(Z), y) == pytest.approx(expected, rel=1e-9)


def test_metrics_that_take_sparse_features_get_them():
    class CountNonzero(TransferMetric):
        accepts_sparse = True

        def score(self, X, y, sample_weight=None):
            return X.nnz

    Z = sparse.csr_matrix(np.where(X > 2, X, 0.0))
    assert TransferScorer(CountNonzero()).score_features(Z, y) == Z.nnz


def test_one_dimensional_features_become_a_column():
    pd = pytest.importorskip("pandas")
    expected = transrate_score(X[:, 2:3], y)
    scorer = TransRateScorer()
    assert scorer.score_features(X[:, 2], y) == expected
    assert scorer.score_features(X[:, 2].tolist(), y) == expected
    assert scorer.score_features(pd.Series(X[:, 2]), y) == expected


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_score_as_arrays(library):
    frames = pytest.importorskip(library)
    names = list("abcd")
    frame = frames.DataFrame(dict(zip(names, X.T, strict=True)))
    model = make_pipeline(
        StandardScaler().set_output(transform=library), RidgeClassifier()
    ).fit(frame, y)
    for scorer in (TransRateScorer(), TransferScorer(silhouette_score)):
        expected = scorer.score_features(SCALED, y)
        assert scorer(model, frame, frames.Series(y)) == pytest.approx(expected)


# -- several metrics -----------------------------------------------------------


class CountingPCA(PCA):
    """Counts its transforms."""

    n_transforms = 0

    def transform(self, X):
        type(self).n_transforms += 1
        return super().transform(X)


def test_several_metrics_cost_one_transform():
    model = make_pipeline(CountingPCA(2), RidgeClassifier()).fit(X, y)
    Z = model[0].transform(X)
    CountingPCA.n_transforms = 0
    scores = TransferScorer(["transrate", "logme", silhouette_score])(model, X, y)
    assert CountingPCA.n_transforms == 1
    assert scores == {
        "transrate": transrate_score(Z, y),
        "logme": logme_score(Z, y),
        "silhouette_score": pytest.approx(silhouette_score(Z, y)),
    }


def test_a_dict_names_forms_of_one_metric():
    forms = {"tight": TransRate(eps=1e-4), "loose": TransRate(eps=1.0)}
    scores = TransferScorer(forms)(HEAD, X, y)
    assert scores == {
        k: transrate_score(SCALED, y, eps=m.eps) for k, m in forms.items()
    }


def test_one_metric_in_a_list_gives_a_dict_still():
    assert set(TransferScorer(["logme"])(HEAD, X, y)) == {"logme"}


def test_forms_of_one_metric_need_names():
    with pytest.raises(ValueError, match=r"distinct names.*'transrate', 'transrate'"):
        TransferScorer([TransRate(eps=1), TransRate(eps=2)])(HEAD, X, y)


def test_no_metric_at_all_is_refused():
    with pytest.raises(ValueError, match="at least one metric"):
        TransferScorer([])(HEAD, X, y)


# -- the metric itself ---------------------------------------------------------


def test_get_metric_gives_what_statistics_can_be_put_in():
    assert isinstance(TransferScorer("logme").get_metric(), LogME)
    assert TransRateScorer(eps=0.2).get_metric().eps == 0.2
    assert TransferScorer(silhouette_score).get_metric().func is silhouette_score
    with pytest.raises(ValueError, match=r"several metrics.*get_metrics"):
        TransferScorer(["logme", "transrate"]).get_metric()


def test_wrong_metrics_are_refused():
    with pytest.raises(UnknownMetricError, match="transrate"):
        TransferScorer("trans_rate")(HEAD, X, y)
    with pytest.raises(TypeError, match=r"TransRate\(\) instead"):
        TransferScorer(TransRate)(HEAD, X, y)
    with pytest.raises(TypeError, match="metric's name"):
        TransferScorer(3)(HEAD, X, y)


def test_function_that_returns_no_number_is_refused():
    with pytest.raises(TypeError):
        TransferScorer(lambda Z, y: {"a": 1})(HEAD, X, y)


# -- targets and weights -------------------------------------------------------


@pytest.mark.parametrize("scorer", [TransRateScorer(), TransferScorer()])
def test_missing_targets_are_a_value_error(scorer):
    with pytest.raises(ValueError, match=f"{type(scorer).__name__} requires y"):
        scorer(HEAD, X)


def test_labels_in_place_of_features_are_refused():
    with pytest.raises(SwappedArgumentsError):
        TransRate().score(y, X)


@pytest.mark.parametrize("name", ["transrate", "logme", "h_score"])
def test_weights_count_as_repetition(name):
    twice = np.r_[np.arange(len(y)), np.arange(40)]
    counts = np.bincount(twice).astype(float)
    scorer = TransferScorer(name)
    assert scorer(HEAD, X, y, sample_weight=counts) == pytest.approx(
        scorer(HEAD, X[twice], y[twice]), rel=1e-9
    )


def test_weights_reach_the_metric():
    weighted = TransRateScorer()(HEAD, X, y, sample_weight=WEIGHTS)
    assert weighted == transrate_score(SCALED, y, sample_weight=WEIGHTS)
    assert weighted != TransRateScorer()(HEAD, X, y)


def test_weights_reach_functions_that_take_them():
    score = TransferScorer(weighted_spread)(HEAD, X, y, sample_weight=WEIGHTS)
    assert score == pytest.approx(weighted_spread(SCALED, y, WEIGHTS))


def test_weights_that_a_function_cannot_take_are_refused():
    with pytest.raises(TypeError, match="'feature_sum' takes no sample_weight"):
        TransferScorer(feature_sum)(HEAD, X, y, sample_weight=WEIGHTS)


@pytest.mark.parametrize(
    ("metric", "accepted"),
    [
        ("logme", True),
        (TransRate(), True),
        (transrate_score, True),
        (partial(transrate_score, eps=1.0), True),
        (weighted_spread, True),
        (feature_sum, False),
        (silhouette_score, False),
        (FunctionMetric(feature_sum), False),
        (max, False),
        (["logme", "transrate"], True),
        (["logme", feature_sum], False),
    ],
)
def test_scorer_says_whether_it_takes_weights(metric, accepted):
    assert TransferScorer(metric)._accept_sample_weight() is accepted


# -- parameters and copies -----------------------------------------------------


@pytest.mark.parametrize("scorer", SCORERS, ids=range(len(SCORERS)))
@pytest.mark.parametrize(
    "copy",
    [
        clone,
        lambda s: pickle.loads(pickle.dumps(s)),
        lambda s: pickle.loads(loky.dumps(s)),
    ],
    ids=["clone", "pickle", "loky"],
)
def test_copies_score_alike(scorer, copy):
    model = PCA(2).fit(X) if scorer.features == "transform" else HEAD
    copied = copy(scorer)
    assert copied is not scorer
    assert type(copied) is type(scorer)
    assert repr(copied) == repr(scorer)
    assert copied(model, X, y) == scorer(model, X, y)


def test_lambdas_travel_to_other_processes():
    scorer = TransferScorer(lambda Z, y: Z[0, 0])
    travelled = pickle.loads(loky.dumps(scorer))
    assert travelled(HEAD, X, y) == SCALED[0, 0]


def test_requests_survive_copying():
    with config_context(enable_metadata_routing=True):
        scorer = TransRateScorer().set_score_request(sample_weight="w")
    for copied in (clone(scorer), pickle.loads(pickle.dumps(scorer))):
        assert copied.get_metadata_routing().score.requests == {"sample_weight": "w"}


@settings(max_examples=30, deadline=None)
@given(
    eps=st.one_of(st.just("auto"), st.floats(1e-6, 1e6)),
    features=st.sampled_from(["auto", "input", "transform", "pca", -1, 0]),
    layer=st.one_of(st.none(), st.text(min_size=1), st.integers()),
)
def test_parameters_round_trip(eps, features, layer):
    params = {"eps": eps, "features": features, "layer": layer}
    scorer = TransRateScorer(**params)
    assert scorer.get_params().items() >= params.items()
    assert clone(scorer).get_params() == scorer.get_params()
    assert TransRateScorer().set_params(**params).get_params() == scorer.get_params()


def test_parameters_of_a_nested_metric_can_be_set():
    scorer = TransferScorer(TransRate()).set_params(metric__eps=0.5, features="input")
    assert scorer(HEAD, X, y) == transrate_score(X, y, eps=0.5)


def test_scoring_leaves_no_trace_on_the_metric():
    metric = TransRate()
    TransferScorer(metric)(HEAD, X, y)
    assert vars(metric) == vars(TransRate())


def test_repr_shows_what_was_chosen():
    assert repr(TransRateScorer(eps=0.01)) == "TransRateScorer(eps=0.01)"
    assert repr(TransferScorer("transrate", layer="layer3")) == (
        "TransferScorer(layer='layer3', metric='transrate')"
    )


@pytest.mark.parametrize(
    ("scorer", "name"),
    [
        (TransRateScorer(), "transrate"),
        (TransferScorer("logme"), "logme"),
        (TransferScorer(TransRate(eps=1)), "transrate"),
        (TransferScorer(silhouette_score), "silhouette_score"),
        (TransferScorer(partial(silhouette_score, metric="l1")), "silhouette_score"),
        (TransferScorer(FunctionMetric(feature_sum)), "feature_sum"),
        (TransferScorer(["logme", "transrate"]), "logme, transrate"),
        (TransferScorer("no such metric"), "no such metric"),
    ],
)
def test_name_is_the_metrics(scorer, name):
    assert scorer.__name__ == name
    assert type(scorer).__name__.endswith("Scorer")


def test_scorer_is_a_scorer_to_sklearn():
    scorer = TransRateScorer()
    assert check_scoring(PCA(), scoring=scorer) is scorer


def test_scorer_has_a_notebook_view():
    assert "TransRateScorer" in TransRateScorer()._repr_html_()


# -- metadata routing ----------------------------------------------------------


def test_weights_are_to_be_asked_for():
    request = get_routing_for_object(TransRateScorer())
    assert request.score.requests == {"sample_weight": None}


@pytest.mark.parametrize("alias", [True, False, None, "weights"])
def test_request_is_set_and_kept(alias):
    scorer = TransRateScorer()
    with config_context(enable_metadata_routing=True):
        assert scorer.set_score_request(sample_weight=alias) is scorer
        assert scorer.set_score_request() is scorer
    request = scorer.get_metadata_routing()
    assert request.score.requests == {"sample_weight": alias}
    assert request is not scorer.get_metadata_routing()


def test_requests_without_routing_are_refused():
    with pytest.raises(RuntimeError, match="enable_metadata_routing=True"):
        TransRateScorer().set_score_request(sample_weight=True)


def test_request_of_a_wrong_kind_is_refused():
    with (
        config_context(enable_metadata_routing=True),
        pytest.raises(ValueError, match="alias"),
    ):
        TransRateScorer().set_score_request(sample_weight=3)


def test_get_features_gives_what_is_scored():
    assert_array_equal(TransRateScorer().get_features(HEAD, X), SCALED)
