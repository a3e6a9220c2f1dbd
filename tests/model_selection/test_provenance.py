"""What results say of the run that made them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import sparse
from sklearn.decomposition import PCA

from sklearn_transrate import TransferSelector
from sklearn_transrate.model_selection._provenance import fingerprint_data

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 5))
y = np.arange(200) % 3


def facts_of(X, y, **params):
    candidates = [("raw", "passthrough"), ("pca", PCA(2))]
    return TransferSelector(candidates, **params).fit(X, y).results_.metadata


def test_results_say_how_they_were_made():
    facts = facts_of(X, y, max_samples=60, random_state=0)
    assert facts["scoring"] == {"transrate": "TransRate()"}
    assert facts["parameters"]["extractors"]["pca"] == "PCA(n_components=2)"
    assert facts["parameters"]["max_samples"] == "60"
    assert facts["data"]["shape"] == [200, 5]
    assert facts["data"]["n_classes"] == 3
    assert facts["data"]["samples_per_class"] == "66 to 67"
    assert {"python", "sklearn", "numpy"} <= set(facts["versions"])


def test_facts_are_plain_enough_for_a_file():
    facts = facts_of(X, y)
    assert json.loads(json.dumps(facts)) == facts


def test_the_same_data_have_the_same_fingerprint():
    assert facts_of(X, y)["data"] == facts_of(X.copy(), y.copy())["data"]


@pytest.mark.parametrize(
    "other",
    [(X + 1e-9, y), (X, (y + 1) % 3), (X[:, ::-1], y), (X.astype(np.float32), y)],
    ids=["values", "labels", "columns", "type"],
)
def test_other_data_have_another_fingerprint(other):
    assert fingerprint_data(*other) != fingerprint_data(X, y)


def test_texts_and_sparse_rows_count():
    texts = np.array(["a", "b"] * 100, dtype=object)
    assert fingerprint_data(texts, y) == fingerprint_data(texts.tolist(), y)
    assert fingerprint_data(texts[::-1], y) != fingerprint_data(texts, y)
    assert fingerprint_data(sparse.csr_matrix(X), y) == fingerprint_data(X, y)


def test_objects_that_know_only_their_place_do_not_count():
    images = [object() for _ in y]
    assert fingerprint_data(images, y) == fingerprint_data([object() for _ in y], y)


def test_long_descriptions_are_cut():
    splits = [(np.arange(100), np.arange(100, 200))]
    text = facts_of(X, y, cv=splits)["parameters"]["cv"]
    assert text.startswith("[(array([")
    assert len(text) == 300
