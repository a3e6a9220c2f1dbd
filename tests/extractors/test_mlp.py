from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array, estimator_checks, get_tags
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

from sklearn_transrate.exceptions import LayerNotFoundError
from sklearn_transrate.extractors import MLPExtractor

# Products of matrices round differently for batches of other sizes.
BATCH_RTOL = 1e-12

X, y = load_iris(return_X_y=True)


def fitted(model, X=X, y=y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y)


def classifier(activation="relu", y=y, X=X, hidden=(6, 5)):
    network = MLPClassifier(hidden, activation=activation, max_iter=30, random_state=0)
    return fitted(network, X, y)


def regressor(**params):
    return MLPRegressor(hidden_layer_sizes=(4,), max_iter=5, random_state=0, **params)


@pytest.fixture(scope="module")
def mlp():
    return classifier()


@pytest.fixture
def extractor(mlp):
    return MLPExtractor(mlp)


LITERAL = {
    "identity": lambda value: value,
    "logistic": lambda value: 1 / (1 + np.exp(-value)),
    "tanh": np.tanh,
    "relu": lambda value: value if value > 0 else 0.0,
}


def literal_hidden_layers(network, rows):
    """One sample, one unit at a time, as the definition says."""
    activation = LITERAL[network.activation]
    layers = []
    for row in rows:
        values, of_row = list(row), []
        for coefs, intercepts in zip(
            network.coefs_[:-1], network.intercepts_[:-1], strict=True
        ):
            values = [
                activation(sum(v * w for v, w in zip(values, column, strict=True)) + b)
                for column, b in zip(coefs.T, intercepts, strict=True)
            ]
            of_row.append(values)
        layers.append(of_row)
    return [np.array(layer) for layer in zip(*layers, strict=True)]


# -- values --------------------------------------------------------------------


@pytest.mark.parametrize("activation", LITERAL)
def test_hidden_layers_equal_the_literal_definition(activation):
    network = classifier(activation)
    features, _ = next(MLPExtractor(network).iter_features(X[:9]))
    expected = literal_hidden_layers(network, X[:9])
    assert list(features) == ["hidden_1", "hidden_2"]
    for found, wanted in zip(features.values(), expected, strict=True):
        assert_allclose(found, wanted, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("activation", LITERAL)
@pytest.mark.parametrize("labels", [y, y == 0, np.array(list("cab"))[y]])
def test_output_equals_predict_proba(activation, labels):
    network = classifier(activation, labels)
    proba = MLPExtractor(network, layers="output").fit_transform(X)
    assert_array_equal(proba, network.predict_proba(X))
    assert proba.shape == (150, len(network.classes_))


def test_output_of_several_labels_equals_predict_proba():
    X, labels = make_multilabel_classification(random_state=0)
    network = fitted(MLPClassifier((4,), max_iter=5, random_state=0), X, labels)
    extractor = MLPExtractor(network, layers="output").fit(X)
    assert_array_equal(extractor.transform(X), network.predict_proba(X))


@pytest.mark.parametrize("targets", [X[:, 0], X[:, :2]])
def test_output_of_a_regressor_is_what_it_predicts(targets):
    network = fitted(regressor(), X, targets)
    extractor = MLPExtractor(network, layers="output").fit(X)
    assert_array_equal(extractor.transform(X), network.predict(X).reshape(len(X), -1))
    assert len(extractor.get_feature_names_out()) == extractor.transform(X).shape[1]


def test_output_of_a_poisson_regressor_is_what_it_predicts():
    if "loss" not in MLPRegressor().get_params():
        pytest.skip("scikit-learn before 1.7 has no other losses")
    network = fitted(regressor(loss="poisson"))
    extractor = MLPExtractor(network, layers="output")
    assert_array_equal(extractor.fit_transform(X)[:, 0], network.predict(X))


def test_large_activations_do_not_overflow(mlp):
    network = pickle.loads(pickle.dumps(mlp))
    network.coefs_[-1] *= 1e4
    proba = MLPExtractor(network, layers="output").fit_transform(X)
    assert_allclose(proba.sum(axis=1), 1)


@given(st.integers(1, 160))
def test_batches_of_any_size_give_the_same(batch_size):
    extractor = MLPExtractor(NETWORK, layers="*")
    whole = extractor.transform(X)
    parts = extractor.set_params(batch_size=batch_size).transform(X)
    assert_allclose(parts, whole, rtol=BATCH_RTOL)


NETWORK = classifier("tanh")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_type_that_the_network_computes_in_is_kept(dtype):
    network = classifier(X=X.astype(dtype))
    assert network.coefs_[0].dtype == dtype
    features = MLPExtractor(network, layers="*").fit_transform(X.astype(dtype))
    assert features.dtype == dtype


@pytest.mark.parametrize("activation", LITERAL)
def test_neither_the_input_nor_the_weights_are_written_to(activation):
    network = classifier(activation)
    before = pickle.dumps((network.coefs_, network.intercepts_))
    rows = X.copy()
    MLPExtractor(network, layers="*").fit(rows).transform(rows)
    assert_array_equal(rows, X)
    assert pickle.dumps((network.coefs_, network.intercepts_)) == before


def test_a_layer_is_not_changed_by_what_is_done_to_an_earlier_one():
    network = classifier("identity", hidden=(4, 4))
    network.coefs_[1][:] = np.eye(4)
    network.intercepts_[1][:] = 0
    features, _ = next(MLPExtractor(network).iter_features(X))
    features["hidden_1"][:] = 7
    assert not (features["hidden_2"] == 7).any()


class Counting(np.ndarray):
    """Weights that count their products."""

    products = 0

    def __rmatmul__(self, other):
        type(self).products += 1
        return other @ self.view(np.ndarray)


@pytest.mark.parametrize(
    ("layers", "products"),
    [("hidden_1", 1), ("hidden_2", 2), ("all", 2), ("output", 3), ("*", 3)],
)
def test_one_pass_ends_at_the_deepest_layer(mlp, layers, products, monkeypatch):
    network = pickle.loads(pickle.dumps(mlp))
    network.coefs_ = [coefs.view(Counting) for coefs in network.coefs_]
    monkeypatch.setattr(Counting, "products", 0)
    MLPExtractor(network, layers=layers, batch_size=50).transform(X)
    assert Counting.products == 3 * products


# -- layers --------------------------------------------------------------------


def test_all_means_the_hidden_layers(extractor):
    assert extractor.layers_ == ["hidden_1", "hidden_2", "output"]
    assert extractor.selected_layers_ == ["hidden_1", "hidden_2"]
    assert extractor.fit_transform(X).shape == (150, 11)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("last", ["hidden_2"]),
        ("hidden_*", ["hidden_1", "hidden_2"]),
        (-1, ["output"]),
        (["output", "hidden_1"], ["output", "hidden_1"]),
        (["all", "output"], ["hidden_1", "hidden_2", "output"]),
    ],
)
def test_layers_are_chosen_by_word_glob_index_and_list(mlp, layers, expected):
    assert MLPExtractor(mlp, layers).fit(X).selected_layers_ == expected


def test_an_unknown_layer_is_answered_with_the_nearest(mlp):
    with pytest.raises(LayerNotFoundError, match=r"'hidden_9' .* all 3\."):
        MLPExtractor(mlp, "hidden_9").fit(X)


def test_a_network_without_hidden_layers_has_its_output():
    network = classifier(hidden=())
    assert MLPExtractor(network, "output").fit_transform(X).shape == (150, 3)
    with pytest.raises(LayerNotFoundError, match="no feature layer for 'all'"):
        MLPExtractor(network).fit(X)


def test_one_layer_is_split_off(extractor):
    only = extractor.fit(X).with_layer("hidden_2")
    assert only.model is extractor.model
    assert only.n_features_in_ == 4
    assert_array_equal(only.transform(X), extractor.transform(X)[:, 6:])


def test_a_grid_search_chooses_among_layers(mlp):
    pipeline = Pipeline(
        [("features", MLPExtractor(mlp)), ("head", LogisticRegression())]
    )
    grid = {"features__layers": ["hidden_1", "last", ["hidden_1", "output"]]}
    search = GridSearchCV(pipeline, grid, cv=3, error_score="raise").fit(X, y)
    assert len(set(search.cv_results_["mean_test_score"])) > 1
    assert search.best_estimator_["features"].model is mlp


def test_frames_are_named_by_layer(extractor):
    frame = pd.DataFrame(X, index=range(150, 0, -1))
    out = extractor.set_params(layers=["hidden_2", "output"])
    out = out.set_output(transform="pandas").fit_transform(frame)
    assert list(out.index) == list(frame.index)
    assert list(out.columns) == [f"hidden_2_{i}" for i in range(5)] + [
        f"output_{i}" for i in range(3)
    ]


def test_names_are_known_before_fit(extractor):
    assert len(extractor.get_feature_names_out()) == 11


# -- pipelines -----------------------------------------------------------------


def test_earlier_steps_transform_the_input_first():
    pipeline = fitted(make_pipeline(StandardScaler(), MLPClassifier((5,), max_iter=9)))
    scaled = pipeline[0].transform(X)
    extractor = MLPExtractor(pipeline, ["hidden_1", "output"])
    features = extractor.fit_transform(X)
    assert_array_equal(features, MLPExtractor(pipeline[1], "*").transform(scaled))
    assert_array_equal(features[:, 5:], pipeline.predict_proba(X))


@pytest.mark.parametrize("start", [[], ["passthrough"], [StandardScaler()]])
def test_pipelines_may_be_short_or_nested(start):
    inner = make_pipeline(StandardScaler(), MLPClassifier((5,), max_iter=9))
    pipeline = fitted(make_pipeline(*start, inner))
    proba = MLPExtractor(pipeline, "output").fit_transform(X)
    assert_array_equal(proba, pipeline.predict_proba(X))


def test_a_pipeline_of_the_network_alone(mlp):
    proba = MLPExtractor(Pipeline([("net", mlp)]), "output").fit_transform(X)
    assert_array_equal(proba, mlp.predict_proba(X))


def test_a_pipeline_takes_what_its_first_step_takes():
    texts, labels = ["good film", "bad film", "good", "bad"], [1, 0, 1, 0]
    pipeline = make_pipeline(CountVectorizer(), MLPClassifier((3,), max_iter=9))
    fitted(pipeline, texts, labels)
    extractor = MLPExtractor(pipeline, "output", batch_size=3).fit(texts)
    assert_allclose(extractor.transform(texts), pipeline.predict_proba(texts))
    assert not hasattr(extractor, "n_features_in_")


def test_steps_that_work_in_place_do_not_reach_the_input():
    scaler = StandardScaler(copy=False)
    pipeline = fitted(make_pipeline(scaler, MLPClassifier((5,), max_iter=9)), X.copy())
    rows = X.copy()
    MLPExtractor(pipeline).fit(rows).transform(rows)
    assert_array_equal(rows, X)


# -- inputs --------------------------------------------------------------------


@pytest.mark.parametrize("container", ["csr_matrix", "csc_array", "dok_matrix"])
def test_sparse_inputs_are_multiplied_as_they_are(mlp, container):
    extractor = MLPExtractor(mlp, "*", batch_size=40)
    rows = getattr(sparse, container)(X)
    assert_allclose(extractor.fit(rows).transform(rows), extractor.transform(X))


def test_streams_and_lists_give_the_same(extractor):
    whole = extractor.fit(X).transform(X)
    stream = iter([(X[:100], y[:100]), (X[100:], y[100:])])
    assert_allclose(extractor.transform(stream), whole, rtol=BATCH_RTOL)
    assert_array_equal(extractor.transform(X.tolist()), whole)


def test_memory_maps_are_read_in_batches(extractor, tmp_path):
    np.save(tmp_path / "X.npy", X)
    rows = np.load(tmp_path / "X.npy", mmap_mode="r")
    extractor.set_params(batch_size=40)
    assert_array_equal(extractor.fit(rows).transform(rows), extractor.transform(X))


def test_columns_are_compared_with_those_of_the_network():
    frame = pd.DataFrame(X, columns=list("abcd"))
    network = classifier(X=frame)
    extractor = MLPExtractor(network)
    for rows in (frame[list("bacd")], frame.rename(columns={"a": "z"})):
        for method in (extractor.fit, extractor.transform):
            with pytest.raises(ValueError, match="feature names should match"):
                method(rows)
    assert extractor.fit(frame).transform(frame).shape == (150, 11)


def test_the_width_is_that_of_the_network(extractor):
    for method in (extractor.fit, extractor.transform):
        with pytest.raises(ValueError, match="X has 3 features, but MLPClassifier is"):
            method(X[:, :3])


def test_a_network_that_is_not_fitted_is_named():
    unfitted = MLPExtractor(make_pipeline(StandardScaler(), MLPRegressor()))
    for method in (unfitted.fit, unfitted.transform, unfitted.iter_features):
        with pytest.raises(NotFittedError, match="this MLPRegressor is not fitted"):
            method(X)
    with pytest.raises(NotFittedError, match="Fit it on the source task first"):
        _ = unfitted.layers_
    assert not hasattr(unfitted, "selected_layers_")


@pytest.mark.parametrize("model", [LogisticRegression(), None, MLPClassifier, "mlp"])
def test_other_models_are_refused(model):
    extractor = MLPExtractor(model)
    for method in (extractor.fit, extractor.transform):
        with pytest.raises(TypeError, match="expected a fitted MLPClassifier"):
            method(X)
    assert dir(extractor)


# -- scikit-learn --------------------------------------------------------------


def test_cloning_and_pickling(extractor):
    extractor.fit(X)
    copy = clone(extractor)
    assert copy.model is extractor.model
    assert_array_equal(copy.transform(X), extractor.transform(X))
    copy = pickle.loads(pickle.dumps(extractor))
    assert copy.model is not extractor.model
    assert_array_equal(copy.transform(X), extractor.transform(X))


def test_weights_are_not_offered_to_searches(extractor):
    with pytest.raises(ValueError, match="'model__activation' belongs to a model"):
        extractor.set_params(model__activation="tanh")
    assert extractor.model.activation == "relu"


def test_tags_tell_what_the_input_may_be(mlp):
    assert get_tags(MLPExtractor(mlp)).input_tags.sparse
    centred = make_pipeline(StandardScaler(), mlp)
    assert not get_tags(
        MLPExtractor(make_pipeline(OfAnyWidth(), mlp))
    ).input_tags.sparse
    assert not get_tags(MLPExtractor(centred)).requires_fit


class OfAnyWidth(TransformerMixin, BaseEstimator):
    """Four columns of any table, as scikit-learn's checks vary the width."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        X = check_array(X, estimator=self, input_name="X")
        return X[:, np.arange(4) % X.shape[1]]

    def __sklearn_is_fitted__(self):
        return True


ON_ANY_WIDTH = MLPExtractor(make_pipeline(OfAnyWidth(), NETWORK))


@parametrize_with_checks([ON_ANY_WIDTH])
def test_scikit_learn_checks_pass(estimator, check):
    check(estimator)


# Checks that scikit-learn runs on itself, but not through check_estimator.
MORE_CHECKS = [
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_dataframe_column_names_consistency",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_inplace_ensure_writeable",
]


@pytest.mark.parametrize("name", MORE_CHECKS)
def test_scikit_learn_checks_of_its_own_pass(name):
    getattr(estimator_checks, name)("MLPExtractor", clone(ON_ANY_WIDTH))


def test_what_fails_on_a_bare_network_fails_for_its_width_alone(mlp):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(MLPExtractor(mlp), on_skip=None, on_fail=None)
    failed = [r for r in results if r["status"] == "failed"]
    assert len(failed) < len(results)
    for result in failed:
        assert "expecting 4 features" in "".join(said(result["exception"])), result


def said(error):
    while error is not None:
        yield str(error)
        error = error.__cause__ or error.__context__
