"""Kept rows: all of them, or a sample that depends on nothing but their content."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_transrate.statistics import RowSample
from sklearn_transrate.testing import assert_statistics_equal
from sklearn_transrate.testing._data import label_values
from sklearn_transrate.testing.strategies import feature_batches, labelled_features


def numbered_rows(n):
    return np.arange(float(n))[:, None], np.arange(n) % 3


# -- all rows ------------------------------------------------------------------


@given(feature_batches())
def test_all_rows_are_kept_in_order_and_in_their_dtype(batches):
    sample = RowSample.empty()
    for X, y in batches:
        sample.update(X, y)
    X, y = (np.concatenate(column) for column in zip(*batches, strict=True))
    np.testing.assert_array_equal(sample.features, X)
    assert sample.features.dtype == X.dtype
    assert sample.targets.tolist() == y.tolist()
    assert sample.weights is None
    assert sample.n_samples == sample.n_kept == len(X)
    assert sample.n_features == X.shape[1]


def test_the_callers_arrays_are_copied():
    X, y = np.zeros((2, 1)), np.array([0, 1])
    sample = RowSample.from_batch(X, y)
    X[:], y[:] = 7.0, 7
    assert sample.features.tolist() == [[0.0], [0.0]]
    assert sample.targets.tolist() == [0, 1]


def test_targets_may_have_several_columns():
    sample = RowSample.from_batch([[0.0], [1.0]], [[1, 0], [0, 1]])
    sample.update([[2.0]], [[0.5, 0.5]])
    assert sample.targets.tolist() == [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]


def test_an_empty_sample_has_no_width():
    sample = RowSample.empty()
    assert sample.n_features is None
    assert sample.n_kept == 0
    assert sample.features.shape == (0, 0)
    assert sample.classes == []


# -- labels of several kinds ---------------------------------------------------


def test_a_number_and_its_text_stay_apart_across_batches():
    sample = RowSample.from_batch([[0.0]], ["1"]).update([[1.0]], [1])
    assert sample.targets.tolist() == ["1", 1]
    assert len(sample.classes) == 2


def test_labels_that_compare_equal_are_one_class_across_batches():
    sample = RowSample.from_batch([[0.0]], [True]).update([[1.0]], [1])
    sample.update([[2.0]], [1.0]).update([[3.0]], np.array([1, "a"], dtype=object)[:1])
    assert sample.classes == [1]


def test_numbers_of_several_types_stay_numbers():
    sample = RowSample.from_batch([[0.0]], [1]).update([[1.0]], [0.5])
    assert sample.targets.dtype == np.float64


def test_long_labels_are_not_cut_to_the_length_of_the_first():
    sample = RowSample.from_batch([[0.0]], ["a"]).update([[1.0]], ["abc"])
    assert sample.targets.tolist() == ["a", "abc"]


def test_labels_may_be_tuples():
    y = np.empty(3, dtype=object)
    y[:] = [("left", 1), ("right", 2), ("left", 1)]
    sample = RowSample.from_batch([[0.0], [1.0], [2.0]], y)
    assert sample.classes == [("left", 1), ("right", 2)]


# -- weights -------------------------------------------------------------------


def test_rows_of_no_weight_are_dropped():
    sample = RowSample.from_batch([[0.0], [1.0], [2.0]], [0, 1, 2], [1.0, 0.0, 3.0])
    assert sample.features[:, 0].tolist() == [0.0, 2.0]
    assert sample.weights.tolist() == [1.0, 3.0]
    assert sample.n_samples == 2


def test_rows_without_weights_count_once_beside_weighted_ones():
    plain = RowSample.from_batch([[0.0]], [0])
    weighted = RowSample.from_batch([[1.0]], [1], [2.5])
    assert plain.merge(weighted).weights.tolist() == [1.0, 2.5]
    assert weighted.merge(plain).weights.tolist() == [2.5, 1.0]
    assert plain.weights is None


# -- bounded samples -----------------------------------------------------------


@given(
    feature_batches(max_features=3),
    st.integers(1, 12),
    st.integers(-(2**63), 2**63 - 1),
)
def test_a_sample_depends_on_neither_order_nor_batches(batches, bound, seed):
    X, y = (np.concatenate(column) for column in zip(*batches, strict=True))
    whole = RowSample.from_batch(X, y, max_samples=bound, seed=seed)
    streamed = RowSample.empty(max_samples=bound, seed=seed)
    for batch in reversed(batches):
        streamed.update(*batch)
    assert_statistics_equal(streamed, whole)
    assert whole.n_kept == min(bound, len(X))
    assert whole.n_samples == len(X)


@given(labelled_features(labels=["integers"]), st.integers(1, 12))
def test_a_sample_depends_on_no_dtype(data, bound):
    X, y = data
    wide = RowSample.from_batch(
        X.astype(np.float64), y.astype(float), max_samples=bound
    )
    narrow = RowSample.from_batch(X, y, max_samples=bound)
    np.testing.assert_array_equal(wide.features, narrow.features)


@given(
    labelled_features(labels=["integers"], degenerate=False),
    st.integers(1, 12),
    st.sampled_from(["gaps", "negative", "strings", "mixed"]),
)
def test_a_sample_depends_on_no_names_of_labels(data, bound, kind):
    X, y = data
    values = label_values(kind, int(y.max()) + 1)
    named = np.empty(len(y), dtype=object)
    for i, code in enumerate(y):
        named[i] = values[code]
    plain = RowSample.from_batch(X, y, max_samples=bound)
    renamed = RowSample.from_batch(X, named, max_samples=bound)
    np.testing.assert_array_equal(renamed.features, plain.features)
    if len(np.unique(X, axis=0)) == len(X):
        assert renamed.targets.tolist() == [values[code] for code in plain.targets]


def test_equal_rows_of_different_labels_are_told_apart_by_label():
    X, y = np.zeros((4, 1)), np.array(["d", "a", "c", "b"])
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]):
        sample = RowSample.from_batch(X, y[order], max_samples=2)
        assert sorted(sample.targets) == ["a", "b"]


def test_a_smaller_sample_is_part_of_a_larger_one():
    X, y = numbered_rows(100)
    small = RowSample.from_batch(X, y, max_samples=10)
    large = RowSample.from_batch(X, y, max_samples=30)
    assert set(small.features[:, 0]) <= set(large.features[:, 0])


def test_the_seed_chooses_among_samples():
    X, y = numbered_rows(50)
    chosen = {
        tuple(RowSample.from_batch(X, y, max_samples=5, seed=seed).features[:, 0])
        for seed in range(20)
    }
    assert len(chosen) == 20


def test_every_row_is_as_likely_as_any_other():
    X, y = numbered_rows(20)
    times = np.zeros(20)
    for seed in range(2000):
        sample = RowSample.from_batch(X, y, max_samples=5, seed=seed)
        times[sample.features[:, 0].astype(int)] += 1
    # Each is binomial with mean 500 and standard deviation 19; five of them.
    assert np.abs(times - 500).max() < 97


def test_equal_rows_of_different_weight_are_told_apart_by_weight():
    X, y, weights = np.zeros((3, 1)), np.zeros(3, int), np.array([3.0, 1.0, 2.0])
    for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
        sample = RowSample.from_batch(X, y, weights[order], max_samples=2)
        assert sorted(sample.weights) == [1.0, 2.0]


# -- what is refused -----------------------------------------------------------


@pytest.mark.parametrize(
    ("X", "y"), [([[0.0], [1.0]], [0]), ([0.0, 1.0], [0, 1]), ([[0.0]], [0, 1])]
)
def test_rows_and_targets_that_do_not_go_together_are_refused(X, y):
    with pytest.raises(ValueError, match="one target per row of a 2-d array"):
        RowSample.from_batch(X, y)


def test_other_shapes_are_refused():
    sample = RowSample.from_batch([[0.0, 1.0]], [0])
    with pytest.raises(ValueError, match=r"features of shape \('n_samples', 2\)"):
        sample.update([[0.0]], [0])
    with pytest.raises(ValueError, match=r"targets of shape \('n_samples',\)"):
        sample.update([[0.0, 1.0]], [[0, 1]])
    assert sample.n_samples == 1


def test_samples_of_other_kinds_are_refused():
    with pytest.raises(ValueError, match="different kinds"):
        RowSample.empty().merge(RowSample.empty(max_samples=3))
    assert not RowSample.empty().covers(RowSample.empty(max_samples=3))
