"""Metrics and the last step of pipelines pass scikit-learn's own checks."""

from __future__ import annotations

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_transrate.metrics import (
    FeaturesAsPredictions,
    HScore,
    LogME,
    TransferMetric,
    TransRate,
    get_metric,
    get_metric_names,
)

# LEEP and two forms of PACTran take probabilities, which the checks do not make.
BY_NAME = [
    metric
    for metric in map(get_metric, get_metric_names())
    if metric.inputs != "source_proba" and not isinstance(metric, TransRate | HScore)
]
ESTIMATORS = [
    *BY_NAME,
    TransRate.from_form("predictive"),
    TransRate(),
    TransRate(eps=1e-4, normalize=None),
    TransRate(row_norm="l2"),
    TransRate(projection="between"),
    HScore(),
    HScore(shrinkage="ledoit_wolf"),
    FeaturesAsPredictions(),
]
OF_METRICS = {
    "check_n_features_in_after_fitting": (
        "score(X, y) uses nothing learned: one metric scores layers of any width, "
        "whatever it was fitted on"
    ),
}
TWO_DIMENSIONS = "predictions are features, so of two dimensions; the check wants one"
OF_FEATURES_AS_PREDICTIONS = {
    "check_estimator_sparse_array": TWO_DIMENSIONS,
    "check_estimator_sparse_matrix": TWO_DIMENSIONS,
}


def expected_failures(estimator):
    if isinstance(estimator, TransferMetric):
        return OF_METRICS
    return OF_FEATURES_AS_PREDICTIONS


def every_check():
    """Parametrise by a list: pytest warns of the generator of older scikit-learn."""
    mark = parametrize_with_checks(
        ESTIMATORS, expected_failed_checks=expected_failures
    ).mark
    names, values = mark.args
    return pytest.mark.parametrize(names, list(values), **mark.kwargs)


@every_check()
def test_sklearn_compatible(estimator, check):
    check(estimator)


def test_score_of_another_width_is_the_score_of_a_new_metric():
    # The promise behind the one expected failure.
    X, y = [[0.0, 1.0], [1.0, 3.0], [2.0, 0.0], [4.0, 1.0]], [0, 0, 1, 1]
    narrow = [row[:1] for row in X]
    for metric in (TransRate(), LogME(), HScore(shrinkage=0.5)):
        fresh = metric.score(narrow, y)
        assert metric.fit(X, y).score(narrow, y) == fresh
        assert metric.n_features_in_ == 2
