"""Inputs by name, such as a tokenizer's, in a selector."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_iris

from sklearn_transrate import TransferSelector
from sklearn_transrate.extractors import FeatureExtractor

X, y = load_iris(return_X_y=True)
NAMED = {"sepals": X[:, :2], "petals": X[:, 2:]}


class Parts(FeatureExtractor):
    """Its inputs are its layers."""

    layers_ = ["sepals", "petals"]

    def __init__(self, layers="all", batch_size=40):
        self.layers = layers
        self.batch_size = batch_size

    def _forward(self, X_batch, layers):
        return X_batch


@pytest.mark.parametrize("max_samples", [None, 90])
def test_rows_of_every_input_are_ranked(max_samples):
    selector = TransferSelector(
        [("iris", Parts())], max_samples=max_samples, random_state=0
    ).fit(NAMED, y)
    assert selector.best_layer_ == "petals"
    assert set(selector.results_["n_samples"]) == {max_samples or len(y)}
    np.testing.assert_array_equal(selector.transform(NAMED), NAMED["petals"])


def test_other_numbers_of_labels_are_refused():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        TransferSelector([("iris", Parts())]).fit(NAMED, y[:-1])
