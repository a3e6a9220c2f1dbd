"""Mistakes that are easy to make when scikit-learn meets metrics of features.

Each test is named after what it catches. Tests run on every supported version of
scikit-learn, and with `error_score="raise"`: the default turns errors into NaN.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import config_context
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import UndefinedMetricWarning, UnsetMetadataPassedError
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_transrate.metrics
from sklearn_transrate.exceptions import SwappedArgumentsError
from sklearn_transrate.metrics import (
    TransferMetric,
    TransferScorer,
    TransRateScorer,
    get_metric,
    get_metric_names,
    get_transfer_scorer,
    transrate_score,
    transrate_scorer,
    y_first,
)

X, y = load_iris(return_X_y=True)
CV = StratifiedKFold(3)
WEIGHTS = np.random.default_rng(0).uniform(0.1, 2.0, len(y))
FEATURE_METRICS = ["transrate", "logme", "h_score", "shrunk_h_score"]


def test_scorer_that_is_only_right_on_the_newest_sklearn():
    search = GridSearchCV(
        PCA(svd_solver="full"),
        {"n_components": [1, 3]},
        # Absolute and not per direction, so that more directions are better.
        scoring=TransRateScorer(eps=1e-4, normalize=None),
        cv=CV,
        error_score="raise",
    ).fit(X, y)
    assert search.best_params_ == {"n_components": 3}
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("width", [4, 1])
def test_swapped_arguments(width):
    with pytest.raises(SwappedArgumentsError, match="Swap the arguments"):
        transrate_score(y, X[:, :width])
    with pytest.raises(SwappedArgumentsError, match="Swap the arguments"):
        y_first(transrate_score)(X[:, :width], y)


@pytest.mark.parametrize("name", FEATURE_METRICS)
def test_one_class_passing_for_a_score(name):
    metric = get_metric(name)
    with pytest.warns(UndefinedMetricWarning, match="one class"):
        score = metric.score(X, np.zeros(len(y)))
    np.testing.assert_equal(score, metric.one_class_score)


def test_one_class_of_transrate_is_zero():
    with pytest.warns(UndefinedMetricWarning, match="one class"):
        assert transrate_score(X, np.zeros(len(y))) == 0


@pytest.mark.parametrize(
    "head",
    [LinearDiscriminantAnalysis(), KMeans(3, n_init=1, random_state=0), GaussianNB()],
    ids=lambda head: type(head).__name__,
)
def test_scoring_the_heads_output_instead_of_its_input(head):
    model = make_pipeline(StandardScaler(), head).fit(X, y)
    expected = transrate_score(StandardScaler().fit_transform(X), y)
    assert TransRateScorer()(model, X, y) == pytest.approx(expected)


def test_pipeline_of_one_step_without_features():
    model = make_pipeline(RidgeClassifier()).fit(X, y)
    assert TransRateScorer()(model, X, y) == transrate_score(X, y)


@pytest.mark.parametrize("scorer", [TransRateScorer(), TransferScorer(transrate_score)])
def test_several_metrics_with_weights(scorer):
    search = GridSearchCV(
        RidgeClassifier(),
        {"alpha": [1.0]},
        scoring={"t": scorer, "a": "accuracy"},
        refit="t",
        cv=CV,
        error_score="raise",
    ).fit(X, y, sample_weight=WEIGHTS)
    assert search.best_score_ > 0


def test_weights_silently_dropped_under_routing():
    model = RidgeClassifier().set_fit_request
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(
            model(sample_weight=True), {"alpha": [1.0]}, scoring=TransRateScorer()
        )
        with pytest.raises(UnsetMetadataPassedError, match="TransRateScorer"):
            search.fit(X, y, sample_weight=WEIGHTS)


def test_scorer_without_a_name():
    plt = pytest.importorskip("matplotlib.pyplot")
    from sklearn.model_selection import LearningCurveDisplay

    LearningCurveDisplay.from_estimator(
        PCA(2), X, y, scoring=TransRateScorer(), cv=CV, shuffle=True, random_state=0
    )
    plt.close("all")


def test_shared_mutable_scorer():
    assert transrate_scorer() is not transrate_scorer()
    assert get_transfer_scorer("transrate") is not get_transfer_scorer("transrate")
    shared = [
        name
        for name, value in vars(sklearn_transrate.metrics).items()
        if isinstance(value, TransferScorer | TransferMetric)
    ]
    assert shared == []


def test_setting_a_searchs_scorer_changes_one_scorer_only():
    one, other = transrate_scorer(), transrate_scorer()
    GridSearchCV(PCA(), {}, scoring=one).set_params(scoring__eps=0.5)
    assert (one.eps, other.eps, transrate_scorer().eps) == (0.5, "auto", "auto")


def test_ranking_values_that_are_not_comparable():
    assert "not comparable" in " ".join(TransRateScorer.__doc__.split())
    scores = [TransRateScorer(eps=eps).score_features(X, y) for eps in (1.0, 0.1, 0.01)]
    assert scores == sorted(scores)


@pytest.mark.parametrize("name", FEATURE_METRICS)
def test_half_precision(name):
    half = X.astype(np.float16)
    metric = get_metric(name)
    assert metric.score(half, y) == metric.score(half.astype(np.float64), y)


def test_every_metric_of_features_is_looked_at():
    assert set(FEATURE_METRICS) <= set(get_metric_names())
