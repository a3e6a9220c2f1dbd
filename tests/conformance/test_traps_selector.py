"""Traps of meta-estimators, each with the line that springs it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from sklearn_transrate import TransferSelector, TransRate, transrate_score

X, y = load_iris(return_X_y=True)


class Extractor(TransformerMixin, BaseEstimator):
    """A transformer without output names that counts its transforms."""

    counts = {"transform": 0}

    def __init__(self, power=1):
        self.power = power

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        type(self).counts["transform"] += 1
        return X**self.power


class Boom(Extractor):
    def fit(self, X, y=None):
        raise TypeError("boom")


class Recorder(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None, sample_weight=None):
        self.sample_weight_ = sample_weight
        return self

    def transform(self, X):
        return X


def test_all_candidates_failing_raises_the_first_error():
    with pytest.raises(TypeError, match="boom") as caught:
        TransferSelector([("a", Boom()), ("b", Boom())]).fit(X, y)
    assert "All 2 candidates failed" in caught.value.__notes__[0]


def test_folds_are_stratified():
    assert TransferSelector([("p", PCA(2))], cv=3).fit(X, y).best_score_ > 0


def test_nothing_is_held_out_unless_asked():
    selector = TransferSelector([("p", PCA(2))]).fit(X, y)
    assert np.isclose(
        selector.best_score_, transrate_score(PCA(2).fit_transform(X), y), rtol=1e-12
    )


def test_the_winner_is_not_transformed_twice():
    Extractor.counts["transform"] = 0
    TransferSelector([("a", Extractor(2)), ("b", Extractor(4))]).fit_transform(X, y)
    assert Extractor.counts["transform"] == 2


def test_candidates_of_the_user_are_not_fitted():
    pca = PCA()
    TransferSelector([("p", pca)]).fit(X, y)
    assert not hasattr(pca, "components_")


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_pretrained_models_are_not_copied(n_jobs):
    frozen = FrozenEstimator(PCA(2).fit(X))
    selector = TransferSelector([("e", frozen), ("r", "passthrough")], n_jobs=n_jobs)
    assert selector.fit(X, y).named_extractors_["e"] is frozen


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_candidates_that_work_in_place_change_nothing(n_jobs):
    before = X.copy()
    selector = TransferSelector(
        [("s", StandardScaler(copy=False)), ("p", PCA())], n_jobs=n_jobs
    ).fit(before, y)
    np.testing.assert_array_equal(before, X)
    assert np.isclose(
        selector.results_["score_transrate"][1],
        transrate_score(PCA().fit_transform(X), y),
    )


def test_set_output_does_not_reach_a_frozen_model():
    pca = PCA(2).fit(X)
    selector = TransferSelector([("e", FrozenEstimator(pca))])
    selector.set_output(transform="default")
    pytest.importorskip("pandas")
    selector.set_output(transform="pandas").fit(X, y)
    assert type(pca.transform(X)) is np.ndarray
    assert list(selector.transform(X).columns) == ["pca0", "pca1"]


def test_output_names_exist_only_where_the_winner_has_them():
    selector = TransferSelector([("e", Extractor())])
    assert not hasattr(selector, "get_feature_names_out")
    assert not hasattr(selector.fit(X, y), "get_feature_names_out")


def test_tags_of_no_children_promise_nothing():
    assert not get_tags(
        TransferSelector([("raw", "passthrough")])
    ).input_tags.one_d_array


@pytest.mark.parametrize("names", [("raw", "rotated"), ("rotated", "raw")])
def test_ties_by_rounding_go_to_the_first_listed(names):
    candidates = {"raw": "passthrough", "rotated": PCA()}
    selector = TransferSelector([(name, candidates[name]) for name in names])
    assert selector.fit(X, y).best_name_ == names[0]


def test_metadata_arrive_inside_a_pipeline():
    weight = np.linspace(1.0, 2.0, len(y))
    with config_context(enable_metadata_routing=True):
        pipe = make_pipeline(
            TransferSelector(
                [("r", Recorder().set_fit_request(sample_weight=True))],
                scoring=TransRate().set_score_request(sample_weight=True),
            ),
            LogisticRegression(max_iter=500).set_fit_request(sample_weight=True),
        ).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(pipe[0].best_estimator_.sample_weight_, weight)
    assert np.isclose(
        pipe[0].best_score_, transrate_score(X, y, sample_weight=weight), rtol=1e-12
    )


def test_names_of_parameters_are_refused_for_candidates():
    with pytest.raises(ValueError, match="conflict"):
        TransferSelector([("memory", PCA())]).fit(X, y)
