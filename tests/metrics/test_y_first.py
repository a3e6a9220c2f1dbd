"""Metrics under scikit-learn's own make_scorer."""

from __future__ import annotations

import inspect
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.metrics import make_scorer, silhouette_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.metadata_routing import get_routing_for_object

from sklearn_transrate.exceptions import SwappedArgumentsError, UnknownMetricError
from sklearn_transrate.metrics import (
    FeaturesAsPredictions,
    LogME,
    TransferScorer,
    h_score,
    logme_score,
    transrate_score,
    y_first,
)

X, y = load_iris(return_X_y=True)
WEIGHTS = np.random.default_rng(0).uniform(0.1, 2.0, len(y))
CV = StratifiedKFold(3)


# -- y_first -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (transrate_score, transrate_score(X, y)),
        ("logme", logme_score(X, y)),
        (LogME(), logme_score(X, y)),
        (silhouette_score, silhouette_score(X, y)),
    ],
)
def test_labels_come_first(metric, expected):
    score = y_first(metric)(y, X)
    assert score == pytest.approx(expected, rel=1e-12)
    assert type(score) is float
    assert y_first(metric)(y_true=y, y_pred=X) == score


def test_keyword_arguments_are_passed_on():
    turned = y_first(transrate_score)
    assert turned(y, X, eps=0.5) == transrate_score(X, y, eps=0.5)
    weighted = transrate_score(X, y, sample_weight=WEIGHTS)
    assert turned(y, X, sample_weight=WEIGHTS) == weighted


@pytest.mark.parametrize("width", [1, 4])
def test_features_first_are_refused(width):
    with pytest.raises(SwappedArgumentsError, match=r"labels first.*\(150,\)"):
        y_first(transrate_score)(X[:, :width], y)


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        (transrate_score, "transrate_score"),
        ("shrunk_h_score", "shrunk_h_score"),
        (LogME(), "logme"),
    ],
)
def test_turned_metrics_have_a_name(metric, name):
    turned = y_first(metric)
    assert turned.__name__ == name
    assert repr(turned) == f"y_first({name})"
    assert name in repr(make_scorer(turned))


def test_signature_names_nothing_that_sklearn_would_take_for_metadata():
    def without_weights(X, y, *, eps=1.0):
        return 0.0

    names = list(inspect.signature(y_first(transrate_score)).parameters)
    assert names == ["y_true", "y_pred", "sample_weight", "kwargs"]
    names = list(inspect.signature(y_first(without_weights)).parameters)
    assert names == ["y_true", "y_pred", "kwargs"]


def test_make_scorer_requests_no_other_metadata_than_weights():
    scorer = make_scorer(y_first(transrate_score), eps=0.5)
    requested = get_routing_for_object(scorer).score.requests
    assert set(requested) <= {"sample_weight"}


def test_turned_metrics_can_be_pickled():
    turned = pickle.loads(pickle.dumps(y_first(h_score)))
    assert turned(y, X) == h_score(X, y)


def test_what_is_no_metric_is_refused():
    with pytest.raises(UnknownMetricError):
        y_first("no such metric")
    with pytest.raises(TypeError, match="metric's name"):
        y_first(3)


# -- make_scorer in searches ---------------------------------------------------


def test_grid_search_with_make_scorer_finds_what_our_scorer_finds():
    pipeline = make_pipeline(PCA(svd_solver="full"), FeaturesAsPredictions())
    results = []
    for scoring in (
        make_scorer(y_first(transrate_score)),
        TransferScorer("transrate"),
    ):
        search = GridSearchCV(
            pipeline,
            {"pca__n_components": [1, 2, 3]},
            scoring=scoring,
            cv=CV,
            error_score="raise",
        ).fit(X, y)
        results.append(search.cv_results_["mean_test_score"])
    assert_allclose(results[0], results[1], rtol=1e-12)
    assert len(np.unique(results[0])) == 3


def test_make_scorer_in_other_processes():
    pipeline = make_pipeline(PCA(2, svd_solver="full"), FeaturesAsPredictions())
    scoring = make_scorer(y_first("logme"))
    options = {"scoring": scoring, "cv": CV, "error_score": "raise"}
    here = cross_val_score(pipeline, X, y, **options)
    there = cross_val_score(pipeline, X, y, n_jobs=2, **options)
    assert_allclose(there, here, rtol=1e-12)


def test_make_scorer_passes_weights():
    pipeline = make_pipeline(PCA(2, svd_solver="full"), FeaturesAsPredictions())
    pipeline.fit(X, y)
    scorer = make_scorer(y_first(transrate_score), eps=0.5)
    with config_context(enable_metadata_routing=True):
        scorer.set_score_request(sample_weight=True)
        score = scorer(pipeline, X, y, sample_weight=WEIGHTS)
    Z = pipeline[0].transform(X)
    assert score == transrate_score(Z, y, eps=0.5, sample_weight=WEIGHTS)


def test_make_scorer_on_predicted_labels_is_refused():
    # One-dimensional predictions of a classifier are no features.
    from sklearn.naive_bayes import GaussianNB

    model = GaussianNB().fit(X, y)
    with pytest.raises(ValueError, match="2D array"):
        make_scorer(y_first(transrate_score))(model, X, y)


# -- FeaturesAsPredictions -----------------------------------------------------


@pytest.mark.parametrize("convert", [np.asarray, np.ndarray.tolist, sparse.csr_matrix])
def test_predictions_are_the_same_object(convert):
    features = convert(X)
    assert FeaturesAsPredictions().fit(features).predict(features) is features


def test_frames_keep_their_names():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("abcd"))
    step = FeaturesAsPredictions().fit(frame)
    assert_array_equal(step.feature_names_in_, list("abcd"))
    assert step.predict(frame) is frame
    with pytest.raises(ValueError, match="feature names"):
        step.predict(frame[["b", "a", "c", "d"]])


def test_missing_values_pass_through():
    features = np.where(X > 7, np.nan, X)
    assert FeaturesAsPredictions().fit(features).predict(features) is features


def test_wrong_widths_and_unfitted_steps_are_refused():
    step = FeaturesAsPredictions()
    with pytest.raises(NotFittedError):
        step.predict(X)
    with pytest.raises(ValueError, match="expecting 4 features"):
        clone(step).fit(X).predict(X[:, :2])
