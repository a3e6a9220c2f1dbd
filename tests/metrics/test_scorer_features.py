"""Which features are scored: what enters the last predictor, unless told otherwise."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import DBSCAN, KMeans
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import RFE, SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_transrate.exceptions import LayerNotFoundError
from sklearn_transrate.extractors import MLPExtractor
from sklearn_transrate.metrics import FeaturesAsPredictions, TransRateScorer
from sklearn_transrate.metrics._scorer_features import as_matrix, take_features
from sklearn_transrate.model_selection import TransferSelector

X, y = load_iris(return_X_y=True)
SCALED = StandardScaler().fit_transform(X)
CV = StratifiedKFold(3)


def pca(n):
    return PCA(n, svd_solver="full")


def searched(estimator, **grid):
    return GridSearchCV(estimator, grid, cv=CV, scoring=lambda *_: 1.0).fit(X, y)


class Stateless(TransformerMixin, BaseEstimator):
    """Has nothing to fit, and no attribute that says it was fitted."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X * 2


class Sampler(BaseEstimator):
    """Resamples training rows, and only them."""

    def fit_resample(self, X, y):
        return X, y


class PipelineWithSampler(Pipeline):
    """Stands for a pipeline of imbalanced-learn: steps may be samplers."""

    def _validate_steps(self):
        pass

    def fit(self, X, y=None):
        for _, step in self.steps[:-1]:
            if hasattr(step, "transform"):
                X = step.fit_transform(X, y)
        self.steps[-1][1].fit(X, y)
        return self


class Layered(TransformerMixin, BaseEstimator):
    """An extractor of two layers."""

    def __init__(self, layer="deep"):
        self.layer = layer

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def with_layer(self, layer):
        if layer not in ("shallow", "deep"):
            raise ValueError(f"no layer {layer!r}")
        return Layered(layer).fit(None)

    def transform(self, X):
        return X[:, :1] if self.layer == "shallow" else X[:, :3]


# -- "auto" --------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        RidgeClassifier(),
        GaussianNB(),
        LinearDiscriminantAnalysis(),
        KMeans(3, n_init=1, random_state=0),
        VotingClassifier([("nb", GaussianNB())]),
        StackingClassifier([("nb", GaussianNB())], cv=2),
        FeaturesAsPredictions(),
    ],
    ids=lambda head: type(head).__name__,
)
def test_heads_are_scored_by_what_enters_them(head):
    model = make_pipeline(StandardScaler(), head).fit(X, y)
    assert_array_equal(take_features(model, X), SCALED)
    assert take_features(head, X) is X


def test_transformers_are_scored_by_what_they_make():
    reduced = pca(2).fit(SCALED)
    assert_array_equal(take_features(reduced, SCALED), reduced.transform(SCALED))
    model = make_pipeline(StandardScaler(), pca(2)).fit(X)
    assert_array_equal(take_features(model, X), model.transform(X))
    union = FeatureUnion([("a", pca(1)), ("b", pca(2))]).fit(X)
    assert take_features(union, X).shape == (150, 3)


def test_pipeline_of_one_predictor_is_scored_by_its_input():
    assert take_features(make_pipeline(GaussianNB()).fit(X, y), X) is X


@pytest.mark.parametrize("nothing", ["passthrough", None])
def test_steps_that_do_nothing_are_skipped(nothing):
    scaler, head = StandardScaler().fit(X), GaussianNB().fit(X, y)
    for steps in ([nothing, scaler, nothing, head], [scaler, nothing]):
        model = Pipeline([(f"s{i}", step) for i, step in enumerate(steps)])
        assert_array_equal(take_features(model, X), SCALED)
    assert take_features(Pipeline([("a", nothing)]), X) is X


def test_nested_pipelines_are_looked_into():
    inner = make_pipeline(pca(3), GaussianNB())
    model = make_pipeline(StandardScaler(), inner).fit(X, y)
    assert_array_equal(take_features(model, X), inner[0].transform(SCALED))


def test_pipelines_as_steps_are_transformed_whole():
    model = make_pipeline(make_pipeline(StandardScaler(), pca(3)), GaussianNB())
    model.fit(X, y)
    assert_array_equal(take_features(model, X), model[0].transform(X))


def test_finished_searches_are_looked_into():
    model = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis())
    assert_allclose(take_features(searched(model), X), SCALED)
    assert take_features(searched(pca(1), n_components=[2]), X).shape == (150, 2)
    nested = make_pipeline(StandardScaler(), searched(GaussianNB()))
    nested[0].fit(X)
    assert_array_equal(take_features(nested, X), SCALED)


def test_frozen_estimators_are_looked_into():
    model = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis()).fit(X, y)
    assert_array_equal(take_features(FrozenEstimator(model), X), SCALED)
    wrapped = make_pipeline(FrozenEstimator(model[0]), FrozenEstimator(model[1]))
    assert_array_equal(take_features(wrapped, X), SCALED)
    assert_array_equal(take_features(FrozenEstimator(searched(model)), X), SCALED)


def test_recursive_elimination_is_scored_by_what_it_selects():
    model = make_pipeline(
        StandardScaler(), RFE(RidgeClassifier(), n_features_to_select=2)
    ).fit(X, y)
    assert_array_equal(take_features(model, X), SCALED[:, model[-1].support_])
    assert take_features(SelectKBest(k=1).fit(X, y), X).shape == (150, 1)


def test_samplers_are_skipped():
    model = PipelineWithSampler(
        [("scale", StandardScaler()), ("sample", Sampler()), ("nb", GaussianNB())]
    ).fit(X, y)
    for features in ("auto", "sample", 1):
        assert_array_equal(take_features(model, X, features), SCALED)


def test_stateless_last_transformer_is_no_unfitted_pipeline():
    # model[:-1].transform would warn, or raise, that it was not fitted.
    model = make_pipeline(Stateless(), GaussianNB()).fit(X, y)
    assert_array_equal(take_features(model, X), X * 2)


def test_unfitted_transformers_say_so():
    with pytest.raises(NotFittedError):
        take_features(make_pipeline(StandardScaler(), GaussianNB()), X)


def test_selector_of_layers_is_a_transformer_of_its_own():
    class Selector(Layered):
        best_layer_ = "deep"
        best_estimator_ = Layered("shallow")

    assert take_features(Selector(), X).shape == (150, 3)


def test_estimators_that_do_neither_are_refused():
    with pytest.raises(TypeError, match=r"'transform' or 'predict', got DBSCAN\(\)"):
        take_features(DBSCAN().fit(X), X)


# -- told otherwise ------------------------------------------------------------


def test_input():
    model = make_pipeline(StandardScaler(), GaussianNB()).fit(X, y)
    assert take_features(model, X, "input") is X


def test_transform_of_a_head_that_has_one():
    model = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis()).fit(X, y)
    assert_array_equal(take_features(model, X, "transform"), model.transform(X))
    assert take_features(searched(model), X, "transform").shape == (150, 2)
    with pytest.raises(TypeError, match="no 'transform'"):
        take_features(GaussianNB().fit(X, y), X, "transform")


@pytest.mark.parametrize(
    ("features", "width"),
    [("scale", 4), ("pca", 3), ("first", 1), (0, 4), (1, 3), (-2, 1), (np.int64(1), 3)],
)
def test_output_of_a_step_by_name_or_position(features, width):
    model = Pipeline(
        [
            ("scale", StandardScaler()),
            ("pca", pca(3)),
            ("first", pca(1)),
            ("nb", GaussianNB()),
        ]
    ).fit(X, y)
    for estimator in (model, searched(model), FrozenEstimator(model)):
        assert take_features(estimator, X, features).shape == (150, width)


def test_output_of_a_step_of_a_nested_pipeline():
    inner = Pipeline([("pca", pca(3)), ("first", pca(1))])
    model = Pipeline([("scale", StandardScaler()), ("in", inner), ("nb", GaussianNB())])
    model.fit(X, y)
    expected = inner[0].transform(SCALED)
    assert_array_equal(take_features(model, X, "in__pca"), expected)
    assert take_features(model, X, "in").shape == (150, 1)


def test_callable_is_free():
    model = make_pipeline(StandardScaler(), GaussianNB()).fit(X, y)
    features = take_features(model, X, lambda model, X: model.predict_proba(X))
    assert_array_equal(features, model.predict_proba(X))


def test_wrong_steps_are_refused():
    model = make_pipeline(StandardScaler(), pca(2), GaussianNB()).fit(X, y)
    with pytest.raises(ValueError, match=r"'pcb'.*nearest of 3: 'pca'"):
        take_features(model, X, "pcb")
    with pytest.raises(ValueError, match=r"one of 3 steps, got 3"):
        take_features(model, X, 3)
    with pytest.raises(ValueError, match=r"one of 3 steps, got -4"):
        take_features(model, X, -4)
    with pytest.raises(ValueError, match=r"'deep', but the estimator is a PCA"):
        take_features(model, X, "pca__deep")
    with pytest.raises(ValueError, match="but the estimator is a GaussianNB"):
        take_features(GaussianNB().fit(X, y), X, "pca")
    with pytest.raises(TypeError, match=r"GaussianNB\(\), which has no 'transform'"):
        take_features(model, X, "gaussiannb")


@pytest.mark.parametrize("features", [1.0, None, True, ["pca"]])
def test_wrong_kinds_are_refused(features):
    with pytest.raises(TypeError, match="Expected 'features' to be 'auto'"):
        take_features(pca(2).fit(X), X, features)


# -- layers --------------------------------------------------------------------


@pytest.mark.parametrize("features", ["auto", "transform", "layered", -1])
def test_layer_of_the_extractor(features):
    model = make_pipeline(StandardScaler(), Layered()).fit(X)
    expected = take_features(model, X, features)
    assert_array_equal(expected, SCALED[:, :3])
    chosen = take_features(model, X, features, layer="shallow")
    assert_array_equal(chosen, SCALED[:, :1])
    assert model[-1].layer == "deep"


@pytest.mark.parametrize(
    "estimator",
    [
        Layered().fit(X),
        FrozenEstimator(Layered().fit(X)),
        make_pipeline(Layered(), GaussianNB()).fit(X, y),
        make_pipeline(FrozenEstimator(Layered().fit(X)), GaussianNB()).fit(X, y),
        make_pipeline("passthrough", make_pipeline(Layered(), GaussianNB())).fit(X, y),
        make_pipeline(make_pipeline(Layered(), None), GaussianNB()).fit(X, y),
        searched(Layered()),
        searched(make_pipeline(Layered(), GaussianNB())),
    ],
    ids=lambda estimator: repr(estimator).replace("\n", "")[:40],
)
def test_layer_wherever_the_extractor_is(estimator):
    assert take_features(estimator, X, layer="shallow").shape == (150, 1)


def test_layer_of_a_named_step_before_others():
    model = make_pipeline(Layered(), StandardScaler(), GaussianNB()).fit(X, y)
    assert take_features(model, X, "layered", layer="shallow").shape == (150, 1)
    with pytest.raises(TypeError, match=r"StandardScaler\(\), without.*name the"):
        take_features(model, X, layer="shallow")


def test_layers_of_nothing_are_refused():
    with pytest.raises(TypeError, match="the input itself is without"):
        take_features(GaussianNB().fit(X, y), X, layer="shallow")
    with pytest.raises(ValueError, match="features='input', got 'shallow'"):
        take_features(Layered().fit(X), X, "input", layer="shallow")
    with pytest.raises(ValueError, match="Choose the layer where they are made"):
        take_features(Layered().fit(X), X, lambda *_: X, layer="shallow")


def test_unknown_layers_are_the_extractors_to_refuse():
    with pytest.raises(ValueError, match="no layer 'bottom'"):
        take_features(Layered().fit(X), X, layer="bottom")


# -- as_matrix -----------------------------------------------------------------


def test_matrices_are_not_copied():
    assert as_matrix(X) is X


def test_lists_of_numbers_become_a_column():
    assert_array_equal(as_matrix([1.0, 2.0]), [[1.0], [2.0]])


# -- our own extractors and selectors ------------------------------------------


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_layers_of_a_trained_network():
    network = MLPClassifier((6, 5), max_iter=50, random_state=0).fit(X, y)
    extractor = MLPExtractor(network, layers="all").fit(X)
    widths = dict(zip(extractor.layers_, (6, 5, 3), strict=True))
    model = make_pipeline(extractor, GaussianNB()).fit(X, y)
    for layer, width in widths.items():
        assert take_features(model, X, layer=layer).shape == (150, width)
    assert_array_equal(take_features(model, X), extractor.transform(X))
    with pytest.raises(LayerNotFoundError):
        take_features(model, X, layer="pooling")


def test_selector_is_scored_by_its_winner():
    selector = TransferSelector([("raw", "passthrough"), ("pca", pca(2))]).fit(X, y)
    assert selector.best_name_ == "raw"
    assert_array_equal(take_features(selector, X), selector.transform(X))
    assert TransRateScorer()(selector, X, y) == pytest.approx(selector.best_score_)
