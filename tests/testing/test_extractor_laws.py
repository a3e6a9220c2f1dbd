"""Each law of extractors catches the mistake that it says it catches."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from sklearn_transrate.extractors import FeatureExtractor
from sklearn_transrate.extractors._batching import count_rows, take_rows
from sklearn_transrate.testing import check_extractor
from sklearn_transrate.testing._checks import EXTRACTOR_LAWS


class Weights:
    """A model: what it multiplies by."""

    def __init__(self):
        self.matrix = np.random.default_rng(0).standard_normal((3, 4))


class TwoLayers(FeatureExtractor):
    """A product and its absolute value: keeps every law."""

    layers_ = ["linear", "rectified"]

    def __init__(self, model, layers="all", batch_size="auto"):
        self.model = model
        self.layers = layers
        self.batch_size = batch_size

    def _forward(self, X_batch, layers):
        linear = np.asarray(X_batch, dtype=float) @ self.model.matrix
        return {"linear": linear, "rectified": np.abs(linear)}


# -- layers --------------------------------------------------------------------


class NumbersForNames(TwoLayers):
    layers_ = [0, 1]


class NameTwice(TwoLayers):
    layers_ = ["linear", "rectified", "linear"]


class PassForEachLayer(TwoLayers):
    def iter_features(self, X, y=None, *, layers=None, batch_size=None):
        for layer in self._select(self.layers if layers is None else layers):
            yield from super().iter_features(X, y, layers=layer, batch_size=batch_size)


class DependsOnTheOtherLayers(TwoLayers):
    def _forward(self, X_batch, layers):
        features = super()._forward(X_batch, layers)
        return {name: rows / len(layers) for name, rows in features.items()}


class LayersChangePlaces(TwoLayers):
    def transform(self, X):
        features = super().transform(X)
        return np.roll(features, features.shape[1] // 2, axis=1)


class WithLayerKeepsAll(TwoLayers):
    def with_layer(self, layer):
        return self


# -- rows ----------------------------------------------------------------------


class NormalisesByTheBatch(TwoLayers):
    def _forward(self, X_batch, layers):
        X_batch = np.asarray(X_batch, dtype=float)
        return super()._forward(X_batch - X_batch.mean(axis=0), layers)


class DropsTheLastBatch(TwoLayers):
    def iter_features(self, X, y=None, *, layers=None, batch_size=None):
        n = count_rows(X) if hasattr(X, "__len__") else 0
        if isinstance(batch_size, int) and batch_size < n:
            n -= n % batch_size
            X, y = take_rows(X, 0, n), None if y is None else y[:n]
        return super().iter_features(X, y, layers=layers, batch_size=batch_size)


class LabelsStayBehind(TwoLayers):
    def iter_features(self, X, y=None, *, layers=None, batch_size=None):
        for features, labels in super().iter_features(
            X, y, layers=layers, batch_size=batch_size
        ):
            yield features, None if labels is None else [y[0]] * len(labels)


class InventsLabels(TwoLayers):
    def iter_features(self, X, y=None, **kwargs):
        if y is None and hasattr(X, "__len__"):
            y = np.zeros(count_rows(X))
        return super().iter_features(X, y, **kwargs)


class DividesByZero(TwoLayers):
    def _forward(self, X_batch, layers):
        features = super()._forward(X_batch, layers)
        features["rectified"][:, 0] = np.inf
        return features


class SameNameForAllColumns(TwoLayers):
    def get_feature_names_out(self, input_features=None):
        return np.array(["f"] * len(super().get_feature_names_out()), dtype=object)


class Dropout(TwoLayers):
    def _forward(self, X_batch, layers):
        features = super()._forward(X_batch, layers)
        kept = np.random.default_rng().random(4) < 0.5
        return {name: rows * kept for name, rows in features.items()}


class RemembersRows(TwoLayers):
    def transform(self, X):
        self.first_ = getattr(self, "first_", np.asarray(X, dtype=float)[0])
        return super().transform(np.asarray(X, dtype=float) - np.asarray(X)[0])


class LearnsTheMean(TwoLayers):
    def fit(self, X, y=None):
        self.mean_ = np.mean(X, axis=0)
        return super().fit(X, y)

    def _forward(self, X_batch, layers):
        return super()._forward(X_batch - getattr(self, "mean_", 0.0), layers)


class ScalesInPlace(TwoLayers):
    def _forward(self, X_batch, layers):
        if X_batch.flags.writeable:
            X_batch *= 2.0
        return super()._forward(X_batch, layers)


class NeedsWriteableInputs(TwoLayers):
    def _forward(self, X_batch, layers):
        X_batch[:0] = 0.0
        return super()._forward(X_batch, layers)


# -- objects -------------------------------------------------------------------


class CopiesTheModel(TwoLayers):
    _shared_params = ("model",)

    def __sklearn_clone__(self):
        return copy.deepcopy(self)


class ForgetsItsLayers(TwoLayers):
    def __sklearn_clone__(self):
        return type(self)(self.model)


class HoldsAHook(TwoLayers):
    def transform(self, X):
        self.hook_ = lambda rows: rows
        return super().transform(X)


class PickledUntrained(TwoLayers):
    def __setstate__(self, state):
        super().__setstate__(state)
        self.model.matrix = np.ones((3, 4))


CAUGHT = {
    "check_layer_names": [NumbersForNames, NameTwice],
    "check_one_pass": [PassForEachLayer, DependsOnTheOtherLayers],
    "check_with_layer": [LayersChangePlaces, WithLayerKeepsAll],
    "check_batch_sizes": [
        NormalisesByTheBatch,
        DropsTheLastBatch,
        LabelsStayBehind,
        InventsLabels,
    ],
    "check_widths": [DividesByZero, SameNameForAllColumns],
    "check_features_deterministic": [Dropout, RemembersRows],
    "check_fit_learns_nothing": [LearnsTheMean],
    "check_inputs_not_changed": [ScalesInPlace, NeedsWriteableInputs],
    "check_clone_shares_model": [CopiesTheModel],
    "check_extractor_pickle": [HoldsAHook, PickledUntrained],
}
LAWS = {law.__name__: law for law in EXTRACTOR_LAWS}
X = np.random.default_rng(1).standard_normal((7, 3))


@pytest.mark.parametrize("layers", ["all", "last", ["rectified", "linear"]])
@pytest.mark.parametrize("inputs", [X, X.astype(np.float32), X.tolist()])
def test_an_extractor_that_keeps_the_laws_passes(layers, inputs):
    check_extractor(TwoLayers(Weights(), layers=layers), inputs)
    check_extractor(TwoLayers(Weights(), layers), inputs, list("abcabca"))


@pytest.mark.parametrize(
    ("law", "kind"),
    [
        pytest.param(LAWS[name], kind, id=f"{name}-{kind.__name__}")
        for name, kinds in CAUGHT.items()
        for kind in kinds
    ],
)
def test_the_mistake_is_caught(law, kind):
    law(TwoLayers(Weights()), X, np.arange(7))
    with pytest.raises(
        AssertionError, match=f"{law.__name__} fails for {kind.__name__}"
    ):
        law(kind(Weights()), X, np.arange(7))


def test_a_clone_that_forgets_a_parameter_is_caught():
    with pytest.raises(AssertionError, match="expected layers=\\['linear'\\]"):
        LAWS["check_clone_shares_model"](
            ForgetsItsLayers(Weights(), layers=["linear"]), X, np.arange(7)
        )


def test_every_law_is_seen_to_fail():
    assert set(CAUGHT) == set(LAWS)


def test_all_laws_in_one_call_find_it_too():
    with pytest.raises(AssertionError, match="check_one_pass fails for Normalises"):
        check_extractor(NormalisesByTheBatch(Weights()), X)
