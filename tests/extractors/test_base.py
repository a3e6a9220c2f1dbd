from __future__ import annotations

import pickle
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from sklearn_transrate.exceptions import LayerNotFoundError
from sklearn_transrate.extractors import FeatureExtractor, model_attribute


class Convolutions:
    """A model of images with channels, tokens and a head; it counts its runs."""

    names = ("conv", "tokens", "head")

    def __init__(self):
        self.runs = []

    def __call__(self, images):
        images = np.asarray(images, dtype=np.float32)
        self.runs.append(len(images))
        flat = images.reshape(len(images), -1)
        return {
            "conv": np.stack([images, -images], axis=1),
            "tokens": np.stack([flat, flat + 1, flat + 2], axis=1),
            "head": flat[:, :2],
        }


class ImageExtractor(FeatureExtractor):
    def __init__(self, model, layers="all", pooling="auto", batch_size="auto"):
        self.model = model
        self.layers = layers
        self.pooling = pooling
        self.batch_size = batch_size

    @model_attribute
    def layers_(self):
        return list(self.model.names)

    def _feature_layers(self):
        return self.layers_[:-1]

    def _forward(self, X_batch, layers):
        return self.model(X_batch)


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(size=(10, 2, 3)).astype(np.float32)


@pytest.fixture
def extractor():
    return ImageExtractor(Convolutions())


# -- batches -------------------------------------------------------------------


def test_all_layers_of_a_batch_come_from_one_run(extractor, images):
    batches = list(
        extractor.iter_features(images, layers=["conv", "head"], batch_size=4)
    )
    assert extractor.model.runs == [4, 4, 2]
    assert all(list(features) == ["conv", "head"] for features, _ in batches)


def test_transform_runs_the_model_once_per_batch(extractor, images):
    extractor.set_params(batch_size=5).transform(images)
    assert extractor.model.runs == [5, 5]


def test_fit_runs_the_model_on_one_row(extractor, images):
    extractor.fit(images)
    assert extractor.model.runs == [1]


def test_nothing_runs_before_the_first_batch_is_asked_for(extractor, images):
    batches = extractor.iter_features(images, batch_size=2)
    assert extractor.model.runs == []
    next(batches)
    assert extractor.model.runs == [2]


@given(st.integers(1, 12))
def test_features_do_not_depend_on_the_batch_size(batch_size):
    images = np.random.default_rng(0).normal(size=(10, 2, 3))
    extractor = ImageExtractor(Convolutions(), batch_size=batch_size)
    assert_array_equal(
        extractor.transform(images),
        ImageExtractor(Convolutions()).transform(images),
    )


def test_layers_stand_side_by_side_in_the_chosen_order(extractor, images):
    extractor.set_params(layers=["head", "conv"])
    head = images.reshape(10, -1)[:, :2]
    average = images.mean(axis=(1, 2))
    features = extractor.fit_transform(images)
    np.testing.assert_allclose(
        features, np.column_stack([head, average, -average]), rtol=1e-6
    )
    assert list(extractor.get_feature_names_out()) == [
        "head_0",
        "head_1",
        "conv_0",
        "conv_1",
    ]


def test_pooling_is_applied_to_each_layer(extractor, images):
    extractor.set_params(pooling="max")
    features, _ = next(extractor.iter_features(images))
    flat = images.reshape(10, -1)
    assert_array_equal(
        features["conv"], np.column_stack([flat.max(axis=1), (-flat).max(axis=1)])
    )
    assert_array_equal(features["tokens"], flat + 2)


def test_the_type_of_the_model_is_kept(extractor, images):
    assert extractor.transform(images).dtype == np.float32


def test_labels_travel_with_their_rows(extractor, images):
    labels = pd.Series(list("abcdefghij"), index=range(10, 0, -1))
    parts = [y for _, y in extractor.iter_features(images, labels, batch_size=3)]
    assert np.concatenate(parts).tolist() == list("abcdefghij")


def test_there_are_no_labels_unless_given(extractor, images):
    assert [y for _, y in extractor.iter_features(images)] == [None]


def test_a_loader_gives_the_same_as_its_rows(extractor, images):
    loader = [(images[:7], [0] * 7), (images[7:], [1] * 3)]
    assert_array_equal(extractor.transform(iter(loader)), extractor.transform(images))
    labels = [y for _, y in extractor.iter_features(iter(loader))]
    assert labels == [[0] * 7, [1] * 3]


def test_lists_of_arrays_are_rows(extractor, images):
    assert_array_equal(
        extractor.fit_transform(list(images)), extractor.fit_transform(images)
    )
    assert not hasattr(extractor, "n_features_in_")


def test_errors_come_from_the_call_rather_than_the_first_batch(extractor, images):
    with pytest.raises(LayerNotFoundError, match=r"'convv'.*'conv'"):
        extractor.iter_features(images, layers="convv")
    with pytest.raises(ValueError, match="10 rows in X and 2 in y"):
        extractor.iter_features(images, [0, 1])
    with pytest.raises(ValueError, match="'batch_size' to be at least 1"):
        extractor.iter_features(images, batch_size=0)


def test_a_model_that_mixes_samples_up_is_refused(extractor, images):
    extractor.model = lambda batch: {"conv": np.zeros((3, 2)), "tokens": batch}
    extractor.model.names = Convolutions.names
    with pytest.raises(ValueError, match="'conv' gave 3 rows for 10 samples"):
        extractor.transform(images)
    with pytest.raises(ValueError, match="'conv' gave 3 rows for 5 samples"):
        list(extractor.iter_features(iter([(images[:5], [0] * 5)])))


def test_a_forward_that_forgets_a_layer_is_named(extractor, images):
    extractor.model = lambda batch: {"head": batch}
    extractor.model.names = Convolutions.names
    with pytest.raises(RuntimeError, match=r"ImageExtractor\._forward .* \['conv', "):
        extractor.transform(images)


def test_no_rows_are_refused(extractor):
    for method in (extractor.fit, extractor.transform):
        with pytest.raises(ValueError, match="at least one row"):
            method(np.empty((0, 2, 3)))


def test_a_session_lasts_one_pass(images):
    events = []

    class WithHooks(ImageExtractor):
        @contextmanager
        def _session(self, layers):
            events.append(f"open {layers}")
            try:
                yield self.model
            finally:
                events.append("close")

    extractor = WithHooks(Convolutions(), layers="conv", batch_size=4)
    extractor.transform(images)
    batches = extractor.iter_features(images)
    next(batches)
    batches.close()
    assert events == ["open ['conv']", "close"] * 2


# -- layers --------------------------------------------------------------------


def test_layers_are_known_before_fit(extractor):
    assert extractor.layers_ == ["conv", "tokens", "head"]
    assert extractor.selected_layers_ == ["conv", "tokens"]
    assert ImageExtractor(Convolutions(), layers="last").selected_layers_ == ["tokens"]


def test_a_choice_that_does_not_fit_breaks_neither_dir_nor_repr(extractor, images):
    extractor.set_params(layers="nothing")
    assert "layers_" in dir(extractor)
    assert "nothing" in repr(extractor)
    assert extractor._repr_html_()
    with pytest.raises(AttributeError, match="'nothing' is not in the model"):
        _ = extractor.selected_layers_
    for method in (extractor.fit, extractor.transform):
        with pytest.raises(LayerNotFoundError, match="'nothing' is not in the model"):
            method(images)


def test_one_layer_is_split_off_with_the_same_model(extractor, images):
    extractor.set_output(transform="pandas").fit(images)
    only = extractor.with_layer("conv")
    assert only is not extractor
    assert type(only) is ImageExtractor
    assert only.model is extractor.model
    assert only.layers == ["conv"]
    frame = only.transform(images)
    assert list(frame.columns) == ["conv_0", "conv_1"]
    assert_array_equal(frame, extractor.transform(images)[["conv_0", "conv_1"]])
    assert extractor.selected_layers_ == ["conv", "tokens"]


def test_splitting_off_leaves_later_settings_apart(extractor, images):
    only = extractor.set_output(transform="pandas").with_layer("head")
    extractor.set_output(transform="default")
    assert isinstance(only.transform(images), pd.DataFrame)


def test_one_layer_may_be_an_index_but_not_several(extractor):
    assert extractor.with_layer(-1).selected_layers_ == ["head"]
    with pytest.raises(ValueError, match=r"one layer, but '\*' chooses \['conv', "):
        extractor.with_layer("*")


# -- scikit-learn --------------------------------------------------------------


def test_cloning_shares_the_model(extractor, images):
    copy = clone(extractor.set_output(transform="pandas").fit(images))
    assert copy is not extractor
    assert copy.model is extractor.model
    assert copy.get_params() == extractor.get_params()
    assert isinstance(copy.transform(images), pd.DataFrame)


def test_cloning_copies_everything_else(extractor):
    layers = ["conv", "head"]
    copy = clone(extractor.set_params(layers=layers))
    assert copy.layers == layers
    assert copy.layers is not layers


def test_cloning_forgets_what_fit_saw():
    extractor = ImageExtractor(Convolutions()).fit(np.ones((3, 4)))
    assert extractor.n_features_in_ == 4
    assert not hasattr(clone(extractor), "n_features_in_")


class Estimator(FunctionTransformer):
    names = Convolutions.names


def test_parameters_of_a_shared_model_are_out_of_reach():
    extractor = ImageExtractor(Estimator())
    assert not any("__" in name for name in extractor.get_params())
    assert set(extractor.get_params()) == {"model", "layers", "pooling", "batch_size"}
    with pytest.raises(ValueError, match="'model__validate' belongs to a model"):
        extractor.set_params(model__validate=True)
    other = Estimator()
    assert extractor.set_params(model=other).model is other


def test_parameters_of_other_parts_stay_within_reach():
    extractor = ImageExtractor(Convolutions(), pooling=Estimator())
    assert "pooling__validate" in extractor.get_params()
    assert extractor.set_params(pooling__validate=True).pooling.validate


def test_pickling_gives_the_same_features(extractor, images):
    copy = pickle.loads(pickle.dumps(extractor.fit(images)))
    assert_array_equal(copy.transform(images), extractor.transform(images))
    assert list(copy.get_feature_names_out()) == list(extractor.get_feature_names_out())


def test_pretrained_extractors_are_always_fitted(extractor):
    check_is_fitted(extractor)
    assert not get_tags(extractor).requires_fit


def test_transform_changes_nothing_in_the_extractor(extractor, images):
    before = dict(vars(extractor.fit(images)))
    extractor.transform(images)
    assert vars(extractor) == before


def test_names_need_a_fit_where_only_a_run_tells_the_width(extractor, images):
    with pytest.raises(NotFittedError, match="Call fit with an array or a list"):
        extractor.get_feature_names_out()
    extractor.fit(iter([(images, None)]))
    assert extractor.model.runs == []
    with pytest.raises(NotFittedError, match="stream"):
        extractor.get_feature_names_out()
    assert len(extractor.fit(images).get_feature_names_out()) == 2 + 6


def test_a_run_tells_the_width_as_well(extractor, images):
    extractor.transform(iter([(images, None)]))
    assert len(extractor.get_feature_names_out()) == 2 + 6


def test_fitting_again_with_another_pooling_renews_the_names(extractor, images):
    extractor.fit(images)
    extractor.set_params(pooling="flatten").fit(images)
    assert len(extractor.get_feature_names_out()) == 2 * 6 + 3 * 6


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_frames_have_the_names_and_the_index(extractor, images, kind):
    frame = extractor.set_output(transform=kind).fit_transform(images)
    assert list(frame.columns) == list(extractor.get_feature_names_out())
    if kind == "pandas":
        rows = pd.DataFrame(np.ones((3, 2)), index=[5, 6, 7])
        assert list(extractor.fit_transform(rows).index) == [5, 6, 7]


def test_the_width_of_tables_is_kept_and_compared(extractor):
    table = pd.DataFrame(np.ones((3, 4)), columns=list("abcd"))
    extractor.fit(table)
    assert extractor.n_features_in_ == 4
    assert list(extractor.feature_names_in_) == list("abcd")
    with pytest.raises(ValueError, match="feature names should match"):
        extractor.transform(table[list("bacd")])
    with pytest.raises(ValueError, match="should have length equal"):
        extractor.get_feature_names_out(list("abc"))
    with pytest.raises(ValueError, match="not equal to feature_names_in_"):
        extractor.get_feature_names_out(list("bacd"))
    assert len(extractor.get_feature_names_out(list("abcd"))) == 8


def test_tables_of_another_width_are_refused(extractor):
    extractor.fit(np.ones((3, 4)))
    with pytest.raises(ValueError, match="X has 3 features, but ImageExtractor"):
        extractor.transform(np.ones((3, 3)))


def test_fitting_again_forgets_the_first_time(extractor, images):
    extractor.fit(pd.DataFrame(np.ones((3, 4)), columns=list("abcd")))
    extractor.fit(images)
    assert not hasattr(extractor, "n_features_in_")
    assert not hasattr(extractor, "feature_names_in_")
    assert extractor.fit(images).transform(images).shape == (10, 8)


def test_a_grid_search_chooses_among_layers(images):
    y = (images[:, 0, 0] > 0).astype(int)
    pipeline = make_pipeline(ImageExtractor(Convolutions()), KNeighborsClassifier(1))
    grid = {"imageextractor__layers": ["conv", "head", ["conv", "tokens"]]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(images, y)
    model = search.best_estimator_[0].model
    assert model is pipeline[0].model
    assert search.best_params_["imageextractor__layers"] in next(iter(grid.values()))


def test_images_go_through_cross_validation(extractor, images):
    y = np.arange(10) % 2
    pipeline = make_pipeline(extractor, KNeighborsClassifier(1))
    assert cross_val_predict(pipeline, images, y, cv=2).shape == (10,)


def test_a_base_without_forward_says_so(images):
    class Unfinished(FeatureExtractor):
        layers_ = ["a"]

        def __init__(self, layers="all", batch_size="auto"):
            self.layers = layers
            self.batch_size = batch_size

    with pytest.raises(NotImplementedError, match="Unfinished must define '_forward'"):
        Unfinished().transform(images)
