"""TransferSelector: what a user types, and what comes back."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import silhouette_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler, TargetEncoder

from sklearn_transrate import TransferSelector, make_transfer_selector
from sklearn_transrate.exceptions import CandidateFailedWarning, UnknownMetricError
from sklearn_transrate.extractors import MLPExtractor, PrecomputedFeatures
from sklearn_transrate.metrics import (
    HScore,
    LogME,
    TransferScorer,
    TransRate,
    TransRateScorer,
    h_score,
    logme_score,
    transrate_score,
)

X, y = load_iris(return_X_y=True)
DIGITS, DIGIT_LABELS = load_digits(return_X_y=True)


class Failing(TransformerMixin, BaseEstimator):
    """A candidate that cannot be had."""

    def fit(self, X, y=None):
        raise RuntimeError("out of memory")

    def transform(self, X):
        raise AssertionError("never fitted")


class Counting(TransformerMixin, BaseEstimator):
    """A candidate that counts its passes, over all copies."""

    passes = 0

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        type(self).passes += 1
        return np.asarray(X) ** 2


@pytest.fixture(scope="module")
def mlp():
    return MLPClassifier((24, 12), max_iter=40, random_state=0, tol=1.0).fit(
        DIGITS / 16, DIGIT_LABELS % 2
    )


def two():
    return [("raw", "passthrough"), ("pca", PCA(2))]


# -- choosing ------------------------------------------------------------------


def test_scores_are_the_metric_of_each_candidates_features():
    selector = TransferSelector(two(), scoring=["transrate", "logme"]).fit(X, y)
    for name, features in (("raw", X), ("pca", PCA(2).fit_transform(X))):
        row = list(selector.results_["candidate"]).index(name)
        for metric, function in (
            ("transrate", transrate_score),
            ("logme", logme_score),
        ):
            expected = function(features, y)
            assert selector.results_[f"score_{metric}"][row] == pytest.approx(
                expected, rel=1e-9
            )


def test_winner_is_the_best_score_and_transforms():
    selector = TransferSelector(two()).fit(X, y)
    scores = dict(
        zip(
            selector.results_["candidate"],
            selector.results_["score_transrate"],
            strict=True,
        )
    )
    assert selector.best_name_ == max(scores, key=scores.get)
    assert selector.best_score_ == max(scores.values())
    assert selector.best_index_ == list(scores).index(selector.best_name_)
    assert selector.best_layer_ is None
    expected = selector.best_estimator_.transform(X)
    np.testing.assert_array_equal(selector.transform(X), expected)


def test_first_of_several_metrics_decides_unless_refit_names_another():
    scoring = {"a": HScore(), "b": LogME()}
    first = TransferSelector(two(), scoring=scoring).fit(X, y)
    second = TransferSelector(two(), scoring=scoring, refit="b").fit(X, y)
    assert first.best_score_ == first.results_["score_a"].max()
    assert second.best_score_ == second.results_["score_b"].max()
    assert isinstance(second.scorer_, LogME)


def test_refit_may_be_a_function_of_the_table():
    def narrowest(results):
        return int(np.argmin(results["n_features"]))

    selector = TransferSelector(two(), refit=narrowest).fit(X, y)
    assert selector.best_name_ == "pca"
    assert selector.transform(X).shape == (150, 2)


def test_without_refit_there_is_a_table_and_no_transform():
    selector = TransferSelector(two(), refit=False).fit(X, y)
    assert len(selector.results_) == 2
    with pytest.raises(AttributeError, match="refit=False"):
        selector.transform(X)
    with pytest.raises(ValueError, match="refit"):
        selector.fit_transform(X, y)


@pytest.mark.parametrize(
    "scoring",
    [
        "transrate",
        TransRate(),
        transrate_score,
        TransRateScorer(),
        {"mine": transrate_score},
        [TransRate()],
        TransferScorer("transrate", features="transform"),
        lambda estimator, X, y: transrate_score(estimator.transform(X), y),
    ],
    ids=["name", "metric", "function", "scorer", "dict", "list", "layer", "callable"],
)
def test_scoring_takes_every_form_and_gives_the_same_number(scoring):
    selector = TransferSelector([("pca", PCA(2))], scoring=scoring).fit(X, y)
    expected = transrate_score(PCA(2).fit_transform(X), y)
    assert selector.best_score_ == pytest.approx(expected, rel=1e-9)
    assert selector.score(X, y) == pytest.approx(expected, rel=1e-9)


def test_any_function_of_features_and_labels_is_a_metric():
    selector = TransferSelector(two(), scoring=silhouette_score).fit(X, y)
    assert selector.results_.metrics == ["silhouette_score"]
    assert selector.best_score_ == pytest.approx(
        max(silhouette_score(X, y), silhouette_score(PCA(2).fit_transform(X), y))
    )


def test_a_scorer_of_several_metrics_fills_several_columns():
    scorer = TransferScorer(["transrate", "logme"])
    selector = TransferSelector(two(), scoring=scorer).fit(X, y)
    assert selector.results_.metrics == ["transrate", "logme"]


def test_sample_weight_goes_to_the_metric():
    weight = np.random.default_rng(0).integers(1, 4, len(y)).astype(float)
    selector = TransferSelector([("raw", "passthrough")]).fit(
        X, y, sample_weight=weight
    )
    repeated = np.repeat(np.arange(len(y)), weight.astype(int))
    assert selector.best_score_ == pytest.approx(
        transrate_score(X[repeated], y[repeated]), rel=1e-9
    )


def test_max_samples_scores_a_stratified_part_and_fits_the_winner_to_all():
    selector = TransferSelector([("pca", PCA(2))], max_samples=60, random_state=0).fit(
        X, y
    )
    assert selector.results_["n_samples"][0] == 60
    np.testing.assert_allclose(
        selector.best_estimator_.mean_, X.mean(axis=0), rtol=1e-12
    )
    again = TransferSelector([("pca", PCA(2))], max_samples=60, random_state=0)
    assert again.fit(X, y).best_score_ == selector.best_score_


def test_held_out_scores_do_not_reward_fitting_the_labels():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 60, (300, 1)).astype(str).astype(object)
    labels = rng.integers(0, 2, 300)
    learns = [("encoded", TargetEncoder())]

    class Leaky(TransformerMixin, BaseEstimator):
        def fit(self, X, y):
            self.encoder_ = TargetEncoder().fit(X, y)
            return self

        def fit_transform(self, X, y):
            return self.fit(X, y).transform(X)

        def transform(self, X):
            return self.encoder_.transform(X)

    leaky = TransferSelector([("leaky", Leaky())], scoring="h_score").fit(noise, labels)
    honest = TransferSelector(
        [("leaky", Leaky())],
        scoring="h_score",
        cv=StratifiedKFold(5, shuffle=True, random_state=0),
    ).fit(noise, labels)
    crossfit = TransferSelector(learns, scoring="h_score").fit(noise, labels)
    assert honest.best_score_ < leaky.best_score_ / 2
    assert crossfit.best_score_ < leaky.best_score_ / 2


def test_texts_are_inputs_too():
    texts = ["good fine nice", "bad poor awful", "nice good", "awful bad"] * 5
    labels = ["plus", "minus"] * 10
    selector = TransferSelector(
        [("counts", CountVectorizer()), ("tfidf", TfidfVectorizer())],
        scoring="shrunk_h_score",
    ).fit(texts, labels)
    assert selector.transform(texts).shape[0] == 20
    assert list(selector.classes_) == ["minus", "plus"]


# -- layers --------------------------------------------------------------------


def test_each_layer_is_a_candidate_and_the_winner_is_restricted_to_it(mlp):
    inputs = DIGITS / 16
    selector = TransferSelector(
        [("net", MLPExtractor(mlp)), ("raw", "passthrough")]
    ).fit(inputs, DIGIT_LABELS)
    layers = MLPExtractor(mlp).fit(inputs)
    assert list(selector.results_["candidate"]) == [
        *(f"net / {layer}" for layer in layers.selected_layers_),
        "raw",
    ]
    for layer in layers.selected_layers_:
        row = list(selector.results_["layer"]).index(layer)
        features = layers.with_layer(layer).transform(inputs)
        assert selector.results_["score_transrate"][row] == pytest.approx(
            transrate_score(features, DIGIT_LABELS), rel=1e-9
        )
    chosen = TransferSelector(
        [("net", MLPExtractor(mlp))], refit=lambda results: 1
    ).fit(inputs, DIGIT_LABELS)
    assert chosen.best_layer_ == layers.selected_layers_[1]
    np.testing.assert_allclose(
        chosen.transform(inputs),
        layers.with_layer(chosen.best_layer_).transform(inputs),
    )


def test_layers_take_weights_batch_by_batch(mlp):
    weight = np.random.default_rng(1).integers(0, 3, len(DIGITS)).astype(float)
    selector = TransferSelector([("net", MLPExtractor(mlp))], batch_size=100)
    selector.fit(DIGITS / 16, DIGIT_LABELS, sample_weight=weight)
    layer = selector.best_layer_
    features = MLPExtractor(mlp).fit(DIGITS / 16).with_layer(layer)
    assert selector.best_score_ == pytest.approx(
        transrate_score(
            features.transform(DIGITS / 16), DIGIT_LABELS, sample_weight=weight
        ),
        rel=1e-9,
    )


def test_precomputed_features_are_ranked_by_row_number(tmp_path):
    np.save(tmp_path / "wide.npy", np.hstack([X, X**2]))
    rows = np.arange(len(y))
    selector = TransferSelector(
        [
            ("plain", PrecomputedFeatures(X)),
            ("wide", PrecomputedFeatures(tmp_path / "wide.npy")),
        ]
    ).fit(rows, y)
    scores = dict(
        zip(
            selector.results_["extractor"],
            selector.results_["score_transrate"],
            strict=True,
        )
    )
    assert scores["plain"] == pytest.approx(transrate_score(X, y), rel=1e-12)
    assert scores["wide"] == pytest.approx(
        transrate_score(np.hstack([X, X**2]), y), rel=1e-12
    )


# -- inside scikit-learn -------------------------------------------------------


def test_works_as_the_first_step_of_a_pipeline():
    pipe = make_pipeline(TransferSelector(two()), LogisticRegression(max_iter=1000))
    assert pipe.fit(X, y).score(X, y) > 0.9
    assert pipe[:-1].transform(X).shape[0] == len(X)


def test_candidates_are_tuned_from_outside():
    pipe = Pipeline(
        [
            ("select", TransferSelector(two())),
            ("head", LogisticRegression(max_iter=1000)),
        ]
    )
    search = GridSearchCV(
        pipe,
        {"select__pca__n_components": [1, 3], "select__raw": ["passthrough", "drop"]},
        cv=3,
        error_score="raise",
    ).fit(X, y)
    assert set(search.best_params_) == {"select__pca__n_components", "select__raw"}


def test_grid_search_maximises_the_selectors_own_score():
    search = GridSearchCV(
        TransferSelector([("pca", PCA())]),
        {"pca__n_components": [1, 2, 3]},
        cv=StratifiedKFold(3),
        error_score="raise",
    ).fit(X, y)
    assert search.cv_results_["mean_test_score"].max() == search.best_score_


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_set_output_gives_named_columns(container):
    pytest.importorskip(container)
    selector = TransferSelector([("pca", PCA(2))]).set_output(transform=container)
    frame = selector.fit_transform(X, y)
    assert list(frame.columns) == ["pca0", "pca1"]
    assert list(selector.transform(X).columns) == ["pca0", "pca1"]
    assert list(selector.get_feature_names_out()) == ["pca0", "pca1"]


def test_callbacks_see_every_candidate():
    callback = pytest.importorskip("sklearn.callback", reason="scikit-learn >= 1.9")
    pytest.importorskip("rich")
    selector = TransferSelector(two()).set_callbacks(callback.ProgressBar())
    assert selector.fit(X, y).best_name_ in {"raw", "pca"}


def test_html_diagram_shows_the_candidates():
    html = TransferSelector(two())._repr_html_()
    assert "passthrough" in html
    assert "PCA" in html


def test_clones_pickles_and_parameters_survive():
    selector = TransferSelector(two(), scoring=["transrate", LogME()])
    copy = clone(selector).set_params(pca__n_components=3, raw="drop", refit="logme")
    assert selector.extractors[1][1].n_components == 2
    fitted = pickle.loads(pickle.dumps(copy.fit(X, y)))
    np.testing.assert_array_equal(fitted.transform(X), copy.transform(X))
    assert fitted.results_ == copy.results_


def test_two_processes_give_the_same_table():
    one = TransferSelector(two()).fit(X, y)
    both = TransferSelector(two(), n_jobs=2).fit(X, y)
    np.testing.assert_array_equal(
        one.results_["score_transrate"], both.results_["score_transrate"]
    )
    assert one.best_name_ == both.best_name_


def test_cv_results_have_the_names_of_scikit_learns_searches():
    selector = TransferSelector(two(), scoring=["transrate", "logme"]).fit(X, y)
    table = selector.cv_results_
    assert {"params", "mean_fit_time", "rank_test_logme"} <= set(table)
    assert all(len(column) == 2 for column in table.values())
    one = TransferSelector(two()).fit(X, y).cv_results_
    assert one["mean_test_score"].shape == (2,)


def test_made_selectors_name_candidates_after_their_classes():
    selector = make_transfer_selector(PCA(2), PCA(3), "passthrough", scoring="logme")
    assert [name for name, _ in selector.extractors] == [
        "pca-1",
        "pca-2",
        "passthrough",
    ]
    assert selector.fit(X, y).scorer_.__class__ is LogME


# -- what goes wrong -----------------------------------------------------------


def test_one_failing_candidate_becomes_a_row_with_its_error():
    selector = TransferSelector([("bad", Failing()), *two()])
    with pytest.warns(CandidateFailedWarning, match=r"'bad' failed.*out of memory"):
        selector.fit(X, y)
    row = selector.results_[0]
    assert row["status"] == "failed"
    assert "RuntimeError: out of memory" in row["error"]
    assert np.isnan(row["score_transrate"])
    assert selector.best_name_ in {"raw", "pca"}


def test_error_score_raise_stops_at_the_first_failure():
    with pytest.raises(RuntimeError, match="out of memory"):
        TransferSelector([("bad", Failing()), *two()], error_score="raise").fit(X, y)


def test_one_failing_metric_leaves_the_others():
    def broken(features, labels):
        raise ValueError("no such thing")

    selector = TransferSelector(two(), scoring=["logme", broken]).fit(X, y)
    assert np.isfinite(selector.results_["score_logme"]).all()
    assert np.isnan(selector.results_["score_broken"]).all()
    assert "no such thing" in selector.results_["error"][0]
    assert (selector.results_["status"] == "ok").all()


def test_features_that_are_not_finite_are_a_failure_of_their_candidate():
    class Infinite(Counting):
        def transform(self, X):
            return np.full((len(X), 2), np.inf)

    with pytest.warns(CandidateFailedWarning, match=r"'inf'.*infinity"):
        TransferSelector([("inf", Infinite()), *two()]).fit(X, y)


@pytest.mark.parametrize(
    ("extractors", "error", "message"),
    [
        ([], ValueError, "at least one"),
        ("pca", TypeError, r"list of \(name, transformer\)"),
        ([PCA()], ValueError, "pairs"),
        ([("pca", PCA)], TypeError, r"Pass PCA\(\)"),
        ([("pca", "transform")], ValueError, "'passthrough', 'drop'"),
        ([("head", LogisticRegression())], TypeError, "'fit' and 'transform'"),
        ([(1, PCA())], TypeError, "string"),
        ([("a", PCA()), ("a", PCA())], ValueError, "unique"),
        ([("a__b", PCA())], ValueError, "__"),
        ([("a", "drop")], ValueError, "not 'drop'"),
    ],
)
def test_wrong_candidates_get_a_clear_error(extractors, error, message):
    with pytest.raises(error, match=message):
        TransferSelector(extractors).fit(X, y)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"scoring": "transrat"}, UnknownMetricError, "Did you mean 'transrate'"),
        ({"scoring": []}, ValueError, "at least one metric"),
        ({"scoring": ["logme", LogME()]}, ValueError, "distinct names"),
        ({"scoring": TransRate}, TypeError, r"Pass TransRate\(\)"),
        ({"scoring": 3}, TypeError, "TransferMetric or a callable"),
        ({"refit": "accuracy"}, ValueError, "one of"),
        ({"max_samples": 0}, ValueError, "max_samples"),
        ({"max_samples": 1.5}, ValueError, "share"),
        ({"memory": 3}, TypeError, "folder"),
    ],
)
def test_wrong_parameters_get_a_clear_error(params, error, message):
    with pytest.raises(error, match=message):
        TransferSelector(two(), **params).fit(X, y)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (y[:10], "inconsistent"),
        (None, "requires y to be passed"),
        (X[:, 0], "looks like a regression target"),
    ],
)
def test_wrong_labels_get_a_clear_error(labels, message):
    with pytest.raises(ValueError, match=message):
        TransferSelector(two(), scoring="h_score").fit(X, labels)


def test_unknown_layer_is_named_with_the_nearest_ones(mlp):
    selector = TransferSelector([("net", MLPExtractor(mlp, layers="hiden_1"))])
    with pytest.raises(ValueError, match=r"'hiden_1' is not in the model.*hidden_1"):
        selector.fit(DIGITS / 16, DIGIT_LABELS)


def test_metadata_without_routing_is_refused():
    with pytest.raises(TypeError, match="groups"):
        TransferSelector(two()).fit(X, y, groups=y)


# -- price ---------------------------------------------------------------------


def test_each_candidate_makes_one_pass_for_all_metrics():
    Counting.passes = 0
    TransferSelector(
        [("a", Counting()), ("b", Counting())],
        scoring=["transrate", "logme", "shrunk_h_score", h_score],
    ).fit_transform(X, y)
    assert Counting.passes == 2


def test_inputs_are_not_changed_and_candidates_not_fitted():
    before = X.copy()
    candidates = [
        ("scale", StandardScaler(copy=False)),
        ("unit", Normalizer(copy=False)),
    ]
    TransferSelector(candidates).fit(before, y)
    np.testing.assert_array_equal(before, X)
    assert not hasattr(candidates[0][1], "mean_")


def test_frozen_models_are_used_as_they_are():
    model = FrozenEstimator(PCA(2).fit(X))
    selector = TransferSelector([("frozen", model)]).fit(X, y)
    assert selector.best_estimator_ is model
