"""Strategies draw what they promise, and draw everything that they promise."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_transrate.testing._data import (
    LABEL_KINDS,
    as_inputs,
    label_values,
    made_cases,
    make_labelled_features,
)
from sklearn_transrate.testing.strategies import (
    feature_batches,
    labelled_features,
    orthogonal_matrices,
)

# -- what every draw has -------------------------------------------------------


@given(labelled_features())
def test_features_are_finite_rows_with_a_hashable_label_each(data):
    X, y = data
    assert X.ndim == 2
    assert len(X) == len(y) >= 2
    assert X.shape[1] >= 1
    assert np.isfinite(X).all()
    assert len(set(y.tolist())) >= 2


@given(st.integers(2, 9), st.integers(1, 7), st.integers(2, 5), st.data())
def test_ranges_are_kept(n, d, k, draw):
    X, y = draw.draw(
        labelled_features(
            min_samples=n,
            max_samples=n + 3,
            min_features=d,
            max_features=d + 1,
            min_classes=k,
            max_classes=k,
            dtypes=["float32"],
        )
    )
    assert n <= len(X) <= n + 3
    assert d <= X.shape[1] <= d + 1
    assert len(set(y.tolist())) == min(k, len(X))
    assert X.dtype == np.float32


@given(feature_batches(max_batches=4))
def test_batches_hold_at_least_one_row_each(batches):
    assert 1 <= len(batches) <= 4
    assert all(len(X) == len(y) >= 1 for X, y in batches)


@given(st.data())
def test_batches_put_together_are_what_was_cut(draw):
    whole = draw.draw(labelled_features())
    batches = draw.draw(feature_batches(st.just(whole)))
    for i in range(2):
        joined = np.concatenate([batch[i] for batch in batches])
        assert joined.tolist() == whole[i].tolist()


@given(st.integers(1, 9).flatmap(orthogonal_matrices))
def test_rotations_keep_lengths(Q):
    np.testing.assert_allclose(Q.T @ Q, np.eye(len(Q)), atol=1e-13)


@given(labelled_features(inputs="source_proba"))
def test_probabilities_sum_to_one(data):
    assert data[0].shape[1] >= 2
    assert (data[0] >= 0).all()
    np.testing.assert_allclose(data[0].sum(axis=1), 1.0, rtol=1e-6)


@given(labelled_features(inputs="source_labels"))
def test_source_labels_are_one_column_of_whole_numbers(data):
    assert data[0].shape == (len(data[1]), 1)
    assert data[0].dtype.kind == "i"


# -- what some draw has --------------------------------------------------------


def seen_in_some(strategy, traits):
    """Names of the traits that at least one of many examples has."""
    seen = set()

    @settings(max_examples=400, derandomize=True, deadline=None, database=None)
    @given(strategy)
    def look(example):
        seen.update(name for name, has in traits.items() if has(example))

    look()
    return seen


FEATURES = {
    "n > d": lambda X: len(X) > X.shape[1] > 3,
    "n < d": lambda X: 3 < len(X) < X.shape[1],
    "n = d": lambda X: 3 < len(X) == X.shape[1],
    "constant": lambda X: min(X.shape) > 1 and np.ptp(X[:, -1]) == 0 < np.ptp(X),
    "duplicated": lambda X: X.shape[1] > 2 and np.ptp(X[:, :2] - X[:, :1]) == 0,
    "half precision": lambda X: X.dtype == np.float16,
    "single precision": lambda X: X.dtype == np.float32,
    "offset": lambda X: (
        X.size > 9 and abs(X.mean(dtype=float)) > 20 * X.std(dtype=float)
    ),
    "small": lambda X: 0 < np.abs(X).max() < 0.1,
    "large": lambda X: np.abs(X).max() > 1e4,
}
LABELS = {
    "strings": lambda y: y.dtype.kind == "U",
    "negative": lambda y: y.dtype.kind == "i" and y.min() < 0,
    "gaps": lambda y: y.dtype.kind == "i" and y.max() > len(y),
    "of several types": lambda y: len({type(label) for label in y.tolist()}) > 2,
    "many": lambda y: len(set(y.tolist())) == 6,
    "one sample": lambda y: len(y) > 9 and 1 in Counter(y.tolist()).values(),
    "equally many samples": lambda y: (
        len(y) > 9 and len(set(Counter(y.tolist()).values())) == 1
    ),
}


def test_features_and_labels_of_every_description_are_drawn():
    traits = {name: lambda d, has=has: has(d[0]) for name, has in FEATURES.items()}
    traits |= {name: lambda d, has=has: has(d[1]) for name, has in LABELS.items()}
    assert seen_in_some(labelled_features(), traits) == set(traits)


def test_batches_of_one_row_and_of_one_class_are_drawn():
    traits = {
        "one batch": lambda batches: len(batches) == 1,
        "one row": lambda batches: any(len(y) == 1 for _, y in batches[1:]),
        "one class": lambda batches: any(
            len(y) > 1 == len(set(y.tolist())) for _, y in batches
        ),
    }
    assert seen_in_some(feature_batches(), traits) == set(traits)


def test_both_rotations_and_reflections_are_drawn():
    traits = {
        sign: lambda Q, sign=sign: np.linalg.det(Q) * sign > 0 for sign in (1, -1)
    }
    assert seen_in_some(orthogonal_matrices(3), traits) == {1, -1}


# -- made data -----------------------------------------------------------------


@pytest.mark.parametrize("kind", LABEL_KINDS)
def test_labels_of_a_kind_are_distinct(kind):
    values = label_values(kind, 12)
    assert len(set(values)) == 12
    assert len(set(map(str, values))) == 12


def test_made_features_depend_on_the_seed_alone():
    first, again, other = (make_labelled_features(s, 9, 2, 3) for s in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    assert (first[0] != other[0]).any()


def test_more_classes_than_samples_are_left_out():
    assert len(set(make_labelled_features(0, 3, 1, 8)[1].tolist())) == 3


@pytest.mark.parametrize("inputs", ["features", "source_proba", "source_labels"])
def test_made_cases_cover_every_task(inputs):
    cases = made_cases(inputs)
    tasks = {case.task for case in cases}
    assert tasks == {"classification", "multilabel", "regression"}
    assert all(len(case.X) == len(case.y) for case in cases)


def test_constant_features_still_make_probabilities():
    proba = as_inputs("source_proba", np.full((4, 2), 7.0))
    np.testing.assert_allclose(proba, 1 / 3)
