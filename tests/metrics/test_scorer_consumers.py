"""Scorers in everything of scikit-learn that takes `scoring`, checked by value.

Errors are raised everywhere: by default searches turn them into NaN and take the
first candidate.
"""

from __future__ import annotations

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import RFECV, SequentialFeatureSelector
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import get_scorer, silhouette_score
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

from sklearn_transrate.metrics import (
    TransferScorer,
    TransRate,
    TransRateScorer,
    logme_score,
    make_transfer_scorer,
    transrate_score,
    transrate_scorer,
)

VERSION = parse_version(sklearn.__version__)
# Before 1.7 searches pass weights to scorers under metadata routing only.
WEIGHTS_WITHOUT_ROUTING = parse_version("1.7") <= VERSION

X, y = load_iris(return_X_y=True)
# Two columns that say nothing, for those that look at columns.
NOISE = np.random.default_rng(0).normal(size=(len(y), 2))
X_NOISY = np.c_[X[:, 2:], NOISE]
WEIGHTS = np.random.default_rng(1).uniform(0.1, 2.0, len(y))
CV = StratifiedKFold(3, shuffle=True, random_state=0)
STRICT = {"cv": CV, "error_score": "raise"}


def extractor():
    return PCA(2, svd_solver="full")


def held_out_scores(estimator, score=transrate_score, weights=None, X=X):
    """The scores of a cross-validation, by hand."""
    scores = []
    for train, test in CV.split(X, y):
        Z = clone(estimator).fit(X[train], y[train]).transform(X[test])
        weighted = {} if weights is None else {"sample_weight": weights[test]}
        scores.append(score(Z, y[test], **weighted))
    return np.array(scores)


def split_scores(results, name="score"):
    """The scores of all candidates of a search, one row for each split."""
    return np.array([results[f"split{i}_test_{name}"] for i in range(3)])


SCORERS = {
    "transrate": (
        TransRateScorer(eps=0.1),
        lambda Z, y: transrate_score(Z, y, eps=0.1),
    ),
    "logme": (TransferScorer("logme"), logme_score),
    "function": (TransferScorer(silhouette_score), silhouette_score),
    "loss": (
        make_transfer_scorer(lambda Z, y: Z.var(), greater_is_better=False),
        lambda Z, y: -Z.var(),
    ),
}
every_scorer = pytest.mark.parametrize(
    ("scorer", "score"), SCORERS.values(), ids=SCORERS.keys()
)
routing = pytest.mark.parametrize("enabled", [False, True], ids=["plain", "routing"])


# -- searches ------------------------------------------------------------------


@routing
@every_scorer
def test_grid_search_of_a_transformer(scorer, score, enabled):
    grid = {"n_components": [1, 2, 3]}
    with config_context(enable_metadata_routing=enabled):
        search = GridSearchCV(extractor(), grid, scoring=scorer, **STRICT).fit(X, y)
    expected = np.column_stack(
        [held_out_scores(PCA(n, svd_solver="full"), score) for n in (1, 2, 3)]
    )
    assert_allclose(split_scores(search.cv_results_), expected, rtol=1e-9)
    assert search.best_index_ == expected.mean(axis=0).argmax()
    assert search.score(X, y) == pytest.approx(score(search.transform(X), y))


@routing
def test_grid_search_of_a_pipeline_with_a_head(enabled):
    model = make_pipeline(StandardScaler(), extractor(), GaussianNB())
    grid = {"pca__n_components": [1, 2]}
    with config_context(enable_metadata_routing=enabled):
        search = GridSearchCV(model, grid, scoring=TransRateScorer(), **STRICT)
        search.fit(X, y)
    expected = [
        held_out_scores(make_pipeline(StandardScaler(), PCA(n, svd_solver="full")))
        for n in (1, 2)
    ]
    assert_allclose(split_scores(search.cv_results_), np.transpose(expected), rtol=1e-9)


def test_grid_search_over_whole_extractors():
    candidates = [StandardScaler(), extractor(), "passthrough"]
    model = make_pipeline("passthrough", GaussianNB())
    search = GridSearchCV(
        model, {"passthrough": candidates}, scoring=TransferScorer("logme"), **STRICT
    ).fit(X, y)
    expected = [
        held_out_scores(make_pipeline(candidate), logme_score)
        for candidate in candidates
    ]
    assert_allclose(split_scores(search.cv_results_), np.transpose(expected), rtol=1e-9)


def test_searches_in_other_processes_find_the_same():
    grid = {"n_components": [1, 2]}
    scoring = {
        "transrate": TransRateScorer(),
        "lambda": TransferScorer(lambda Z, y: Z.std()),
    }
    results = [
        GridSearchCV(
            extractor(), grid, scoring=scoring, refit="lambda", n_jobs=n_jobs, **STRICT
        )
        .fit(X, y)
        .cv_results_
        for n_jobs in (1, 2)
    ]
    for name in scoring:
        assert_allclose(*(split_scores(r, name) for r in results), rtol=1e-12)


def test_randomized_search():
    search = RandomizedSearchCV(
        extractor(),
        {"n_components": [1, 2, 3, 4]},
        n_iter=2,
        random_state=0,
        scoring=TransRateScorer(),
        **STRICT,
    ).fit(X, y)
    for i, params in enumerate(search.cv_results_["params"]):
        expected = held_out_scores(PCA(**params, svd_solver="full"))
        assert_allclose(split_scores(search.cv_results_)[:, i], expected, rtol=1e-9)


@pytest.mark.parametrize("kind", [HalvingGridSearchCV, HalvingRandomSearchCV])
def test_halving_searches(kind):
    search = kind(
        make_pipeline(StandardScaler(), extractor(), RidgeClassifier()),
        {"pca__n_components": [1, 2, 4]},
        scoring=TransferScorer("logme"),
        factor=2,
        min_resources=60,
        random_state=0,
        **STRICT,
    ).fit(X, y)
    last = search.cv_results_["iter"] == search.n_iterations_ - 1
    assert 0 < last.sum() < 3
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_score_ == search.cv_results_["mean_test_score"][last].max()


def test_parameters_of_the_scorer_can_be_searched():
    inner = GridSearchCV(
        extractor(), {"n_components": [2]}, scoring=transrate_scorer(), **STRICT
    )
    outer = GridSearchCV(
        inner,
        {"scoring__eps": [0.01, 1.0]},
        scoring=lambda search, X, y: search.scoring.eps,
        **STRICT,
    ).fit(X, y)
    assert outer.cv_results_["mean_test_score"].tolist() == [0.01, 1.0]
    assert outer.best_estimator_.best_score_ == pytest.approx(
        held_out_scores(extractor(), lambda Z, y: transrate_score(Z, y, eps=1.0)).mean()
    )
    assert inner.scoring.eps == "auto"


# -- several metrics -----------------------------------------------------------


@routing
def test_scorers_stand_beside_sklearns_own(enabled):
    model = make_pipeline(StandardScaler(), extractor(), GaussianNB())
    scoring = {
        "transrate": TransRateScorer(),
        "logme": TransferScorer("logme"),
        "accuracy": "accuracy",
    }
    with config_context(enable_metadata_routing=enabled):
        search = GridSearchCV(
            model,
            {"pca__n_components": [1, 2]},
            scoring=scoring,
            refit="transrate",
            **STRICT,
        ).fit(X, y)
        checked = cross_validate(model, X, y, scoring=scoring, **STRICT)
    reduced = make_pipeline(StandardScaler(), extractor())
    for name, score in [("transrate", transrate_score), ("logme", logme_score)]:
        expected = held_out_scores(reduced, score)
        assert_allclose(split_scores(search.cv_results_, name)[:, 1], expected)
        assert_allclose(checked[f"test_{name}"], expected)
    assert checked["test_accuracy"].min() > 0.8


@routing
def test_one_scorer_of_several_metrics(enabled):
    scoring = make_transfer_scorer(["transrate", "logme"])
    with config_context(enable_metadata_routing=enabled):
        search = GridSearchCV(
            extractor(),
            {"n_components": [1, 2]},
            scoring=scoring,
            refit="logme",
            **STRICT,
        ).fit(X, y)
        checked = cross_validate(extractor(), X, y, scoring=scoring, **STRICT)
    for name, score in [("transrate", transrate_score), ("logme", logme_score)]:
        expected = held_out_scores(extractor(), score)
        assert_allclose(split_scores(search.cv_results_, name)[:, 1], expected)
        assert_allclose(checked[f"test_{name}"], expected)


def test_several_metrics_where_one_number_is_wanted():
    with pytest.raises(ValueError, match="must return a number"):
        cross_val_score(
            extractor(), X, y, scoring=TransferScorer(["transrate", "logme"]), **STRICT
        )


# -- cross-validation and curves -----------------------------------------------


@every_scorer
def test_cross_validation(scorer, score):
    expected = held_out_scores(extractor(), score)
    scores = cross_val_score(extractor(), X, y, scoring=scorer, **STRICT)
    assert_allclose(scores, expected, rtol=1e-9)
    results = cross_validate(
        extractor(), X, y, scoring=scorer, return_train_score=True, **STRICT
    )
    assert_allclose(results["test_score"], expected, rtol=1e-9)
    assert np.isfinite(results["train_score"]).all()


def test_learning_curve():
    sizes, _, scores = learning_curve(
        extractor(),
        X,
        y,
        scoring=TransRateScorer(),
        train_sizes=[0.5, 1.0],
        shuffle=True,
        random_state=0,
        **STRICT,
    )
    assert sizes.tolist() == [50, 100]
    assert_allclose(scores[-1], held_out_scores(extractor()), rtol=1e-9)


def test_validation_curve():
    _, scores = validation_curve(
        extractor(),
        X,
        y,
        param_name="n_components",
        param_range=[1, 2],
        scoring=TransRateScorer(),
        **STRICT,
    )
    assert_allclose(scores[1], held_out_scores(extractor()), rtol=1e-9)


def test_permutation_test():
    score, permuted, p_value = permutation_test_score(
        extractor(),
        X,
        y,
        scoring=TransRateScorer(),
        cv=CV,
        n_permutations=10,
        random_state=0,
    )
    assert score == pytest.approx(held_out_scores(extractor()).mean())
    assert permuted.max() < score
    assert p_value == pytest.approx(1 / 11)


# -- choosing columns ----------------------------------------------------------


@pytest.mark.parametrize("name", ["transrate", "logme"])
def test_sequential_selection_takes_the_best_column_each_time(name):
    scorer, score = SCORERS[name]
    selector = SequentialFeatureSelector(
        GaussianNB(), n_features_to_select=2, scoring=scorer, cv=CV
    ).fit(X_NOISY, y)

    def value(columns):
        subset = X_NOISY[:, columns]
        return np.mean([score(subset[test], y[test]) for _, test in CV.split(X, y)])

    chosen = []
    for _ in range(2):
        rest = [j for j in range(X_NOISY.shape[1]) if j not in chosen]
        chosen.append(max(rest, key=lambda j: value([*chosen, j])))
    assert selector.get_support(indices=True).tolist() == sorted(chosen)
    assert chosen[0] < 2


def test_recursive_elimination():
    selector = RFECV(RidgeClassifier(), scoring=TransferScorer("logme"), cv=CV)
    selector.fit(X_NOISY, y)
    scores = [
        logme_score(X_NOISY[test], y[test]) for _, test in CV.split(X_NOISY, y)
    ]  # the last size is all columns
    assert_allclose(selector.cv_results_["mean_test_score"][-1], np.mean(scores))
    assert selector.get_support()[:2].all()


def test_permutation_importance():
    model = make_pipeline(StandardScaler(), GaussianNB()).fit(X_NOISY, y)
    result = permutation_importance(
        model, X_NOISY, y, scoring=TransRateScorer(), n_repeats=3, random_state=0
    )
    assert result.importances_mean[:2].min() > result.importances_mean[2:].max()


def test_permutation_importance_of_several_metrics():
    model = make_pipeline(StandardScaler(), GaussianNB()).fit(X_NOISY, y)
    scoring = {"transrate": TransRateScorer(), "logme": TransferScorer("logme")}
    results = permutation_importance(
        model, X_NOISY, y, scoring=scoring, n_repeats=3, random_state=0
    )
    alone = permutation_importance(
        model, X_NOISY, y, scoring=scoring["logme"], n_repeats=3, random_state=0
    )
    assert_allclose(results["logme"].importances, alone.importances)


# -- sample weights, by value --------------------------------------------------


@pytest.mark.parametrize("several", [False, True])
def test_weights_of_a_search_without_routing(several):
    scorer = TransRateScorer()
    scoring = {"t": scorer, "accuracy": "accuracy"} if several else scorer
    search = GridSearchCV(
        GaussianNB(),
        {"var_smoothing": [1e-9]},
        scoring=scoring,
        refit="t" if several else True,
        **STRICT,
    ).fit(X, y, sample_weight=WEIGHTS)
    weights = WEIGHTS if WEIGHTS_WITHOUT_ROUTING else None
    expected = held_out_scores(PCA(4, svd_solver="full"), weights=weights)
    found = split_scores(search.cv_results_, "t" if several else "score")[:, 0]
    assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.skipif(not WEIGHTS_WITHOUT_ROUTING, reason="1.6 never asks the scorer")
@pytest.mark.parametrize("several", [False, True])
def test_functions_without_weights_are_left_alone(several):
    scorer = TransferScorer(silhouette_score)
    scoring = {"s": scorer, "t": TransRateScorer()} if several else scorer
    search = GridSearchCV(
        GaussianNB(),
        {"var_smoothing": [1e-9]},
        scoring=scoring,
        refit="s" if several else True,
        **STRICT,
    )
    with pytest.warns(UserWarning, match="does not support sample_weight"):
        search.fit(X, y, sample_weight=WEIGHTS)
    found = split_scores(search.cv_results_, "s" if several else "score")[:, 0]
    expected = [silhouette_score(X[test], y[test]) for _, test in CV.split(X, y)]
    assert_allclose(found, expected, rtol=1e-9)


def weighted_consumers():
    """Every consumer that routes weights, as a function that gives the scores."""
    params = {"sample_weight": WEIGHTS}
    grid = {"var_smoothing": [1e-9]}

    def search(model, scorer):
        found = GridSearchCV(model, grid, scoring=scorer, **STRICT)
        return split_scores(found.fit(X, y, **params).cv_results_)[:, 0]

    def search_in_a_dict(model, scorer):
        accuracy = get_scorer("accuracy").set_score_request(sample_weight=False)
        scoring = {"t": scorer, "accuracy": accuracy}
        found = GridSearchCV(model, grid, scoring=scoring, refit="t", **STRICT)
        return split_scores(found.fit(X, y, **params).cv_results_, "t")[:, 0]

    def validate(model, scorer):
        checked = cross_validate(model, X, y, scoring=scorer, params=params, **STRICT)
        return checked["test_score"]

    def values(model, scorer):
        return cross_val_score(model, X, y, scoring=scorer, params=params, **STRICT)

    def learn(model, scorer):
        model.set_partial_fit_request(sample_weight=False)
        options = {"train_sizes": [1.0], "params": params, **STRICT}
        return learning_curve(model, X, y, scoring=scorer, **options)[2][0]

    def curve(model, scorer):
        step = {"param_name": "var_smoothing", "param_range": [1e-9]}
        options = {**step, "params": params, **STRICT}
        return validation_curve(model, X, y, scoring=scorer, **options)[1][0]

    def permute(model, scorer):
        options = {"n_permutations": 1, "params": params, "cv": CV}
        return permutation_test_score(model, X, y, scoring=scorer, **options)[0]

    def eliminate(_, scorer):
        model = RidgeClassifier().set_fit_request(sample_weight=False)
        found = RFECV(model, scoring=scorer, cv=CV, min_features_to_select=4)
        return found.fit(X, y, **params).cv_results_["mean_test_score"]

    return [
        search, search_in_a_dict, validate, values, learn, curve, permute, eliminate
    ]  # fmt: skip


every_consumer = pytest.mark.parametrize(
    "consumer", weighted_consumers(), ids=lambda consumer: consumer.__name__
)


@every_consumer
def test_requested_weights_reach_the_scorer(consumer):
    with config_context(enable_metadata_routing=True):
        model = GaussianNB().set_fit_request(sample_weight=False)
        scorer = TransRateScorer().set_score_request(sample_weight=True)
        found = consumer(model, scorer)
    expected = held_out_scores(PCA(4, svd_solver="full"), weights=WEIGHTS)
    # Some give the mean of the splits.
    expected = expected if np.size(found) == 3 else expected.mean()
    assert_allclose(found, expected, rtol=1e-9)


@every_consumer
def test_weights_that_nobody_decided_on_are_an_error(consumer):
    with config_context(enable_metadata_routing=True):
        model = GaussianNB().set_fit_request(sample_weight=False)
        with pytest.raises(UnsetMetadataPassedError, match="or not requested"):
            consumer(model, TransRateScorer())


def test_unwanted_weights_stay_away():
    with config_context(enable_metadata_routing=True):
        model = GaussianNB().set_fit_request(sample_weight=True)
        scorer = TransRateScorer().set_score_request(sample_weight=False)
        found = cross_val_score(
            model, X, y, scoring=scorer, params={"sample_weight": WEIGHTS}, **STRICT
        )
    assert_allclose(found, held_out_scores(PCA(4, svd_solver="full")), rtol=1e-9)


def test_weights_under_another_name():
    with config_context(enable_metadata_routing=True):
        scorer = TransRateScorer().set_score_request(sample_weight="importance")
        found = cross_val_score(
            extractor(), X, y, scoring=scorer, params={"importance": WEIGHTS}, **STRICT
        )
    assert_allclose(found, held_out_scores(extractor(), weights=WEIGHTS), rtol=1e-9)


def test_weights_of_permutation_importance():
    model = make_pipeline(StandardScaler(), GaussianNB()).fit(X, y)

    def importances(scorer, **weights):
        return permutation_importance(
            model, X, y, scoring=scorer, n_repeats=2, random_state=0, **weights
        ).importances

    weighted = importances(TransRateScorer(), sample_weight=WEIGHTS)
    by_hand = importances(
        lambda model, X, y: transrate_score(
            model[0].transform(X), y, sample_weight=WEIGHTS
        )
    )
    assert_allclose(weighted, by_hand, rtol=1e-9)
    assert not np.allclose(weighted, importances(TransRateScorer()))


def test_routed_weights_reach_sequential_selection():
    # Weight on the first two classes alone, which column 0 separates and 1 does not.
    columns = np.c_[np.where(y == 0, 1.0, -1.0), np.where(y == 2, 5.0, -5.0)]
    columns = columns + 0.1 * NOISE
    weights = np.where(y == 2, 1e-6, 1.0)
    with config_context(enable_metadata_routing=True):
        scorer = TransRateScorer(eps=0.1).set_score_request(sample_weight=True)
        selector = SequentialFeatureSelector(
            GaussianNB().set_fit_request(sample_weight=False),
            n_features_to_select=1,
            scoring=scorer,
            cv=CV,
        )
        weighted = clone(selector).fit(columns, y, sample_weight=weights)
        unweighted = selector.fit(columns, y)
    assert_array_equal(weighted.get_support(), [True, False])
    assert_array_equal(unweighted.get_support(), [False, True])


# -- displays, monitors, no targets --------------------------------------------


def test_learning_curve_display_is_named_after_the_metric():
    plt = pytest.importorskip("matplotlib.pyplot")
    from sklearn.model_selection import LearningCurveDisplay

    display = LearningCurveDisplay.from_estimator(
        extractor(), X, y, scoring=TransRateScorer(), train_sizes=[0.5, 1.0], **STRICT
    )
    assert "transrate" in display.ax_.get_ylabel().lower()
    plt.close("all")


def test_validation_curve_display_is_named_after_the_metric():
    plt = pytest.importorskip("matplotlib.pyplot")
    from sklearn.model_selection import ValidationCurveDisplay

    display = ValidationCurveDisplay.from_estimator(
        extractor(),
        X,
        y,
        param_name="n_components",
        param_range=[1, 2],
        scoring=TransferScorer("logme"),
        **STRICT,
    )
    assert "logme" in display.ax_.get_ylabel().lower()
    plt.close("all")


@pytest.mark.parametrize(
    "scoring",
    [
        {"transrate": TransRateScorer(), "logme": TransferScorer("logme")},
        make_transfer_scorer(["transrate", "logme"]),
    ],
    ids=["dict", "several"],
)
def test_scoring_monitor_logs_every_iteration(scoring):
    callback = pytest.importorskip("sklearn.callback")
    monitor = callback.ScoringMonitor(scoring=scoring)
    model = LogisticRegression(max_iter=500).set_callbacks(monitor).fit(X, y)
    rows = monitor.get_logs().data
    assert len(rows) > model.n_iter_[0]
    assert {row["transrate"] for row in rows} == {transrate_score(X, y)}
    assert {row["logme"] for row in rows} == {logme_score(X, y)}


def test_missing_targets_are_named_in_the_error():
    search = GridSearchCV(
        extractor(),
        {"n_components": [1]},
        scoring=TransRateScorer(),
        error_score="raise",
    )
    with pytest.raises(ValueError, match="TransRateScorer requires y"):
        search.fit(X)


def test_drawing_a_search_leaves_the_scorer_out():
    search = GridSearchCV(extractor(), {}, scoring=TransferScorer(TransRate()))
    assert "TransferScorer" in search._repr_html_()
