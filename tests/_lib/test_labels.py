"""Labels of any hashable kind, encoded and brought back."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_transrate._lib.labels import (
    encode_labels,
    labels_to_array,
    sorted_labels,
)

PLAIN = st.one_of(
    st.integers(-(10**6), 10**6),
    st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=5),
    st.booleans(),
    st.floats(-1e6, 1e6),
    st.tuples(st.integers(0, 3), st.text("ab", max_size=2)),
    st.binary(max_size=3),
)


def objects(items):
    array = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        array[i] = item
    return array


# -- encoding ------------------------------------------------------------------


@given(st.lists(PLAIN, max_size=20))
def test_every_label_is_found_under_its_code(items):
    labels, codes = encode_labels(objects(items))
    assert [labels[code] for code in codes] == items
    assert len(labels) == len(set(items)) == len(set(labels))
    assert codes.dtype == np.intp


@given(st.lists(st.integers(-9, 9), max_size=20), st.permutations(range(20)))
def test_the_order_of_labels_does_not_depend_on_that_of_rows(items, order):
    shuffled = [items[i] for i in order if i < len(items)]
    assert encode_labels(np.array(items, int))[0] == sorted(set(items))
    assert encode_labels(np.array(shuffled, int))[0] == sorted(set(items))


@given(st.lists(PLAIN, unique=True, max_size=8).flatmap(st.permutations))
def test_sorting_labels_that_do_not_compare_is_repeatable(items):
    assert sorted_labels(items) == sorted_labels(sorted_labels(items))
    assert sorted_labels(items[::-1]) == sorted_labels(items)


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (["b", "a", "b"], ["a", "b"]),
        (("b", "a", "b"), ["a", "b"]),
        (np.array(["b", "a", "b"]), ["a", "b"]),
        (np.array([["b"], ["a"], ["b"]]), ["a", "b"]),
        ([True, False, True], [False, True]),
        ([2, -1, 2], [-1, 2]),
        ([2.5, -1, 2.5], [-1.0, 2.5]),
        (range(3), [0, 1, 2]),
        ([b"b", b"a", b"b"], [b"a", b"b"]),
        ([("x", 2), ("x", 1), ("x", 2)], [("x", 1), ("x", 2)]),
        ([Fraction(1, 2), Fraction(1, 3), 1], [Fraction(1, 3), Fraction(1, 2), 1]),
        ([Decimal("0.5"), Decimal("0.25")], [Decimal("0.25"), Decimal("0.5")]),
        (np.array([3, 1], dtype=np.uint8), [1, 3]),
        ([], []),
    ],
)
def test_labels_are_sorted_python_objects(y, expected):
    labels, codes = encode_labels(y)
    assert labels == expected
    assert [type(label) for label in labels] == [type(label) for label in expected]
    flat = np.asarray(y).ravel() if isinstance(y, np.ndarray) else y
    assert [labels[code] for code in codes] == list(flat)


def test_columns_of_frames_are_labels():
    pandas = pytest.importorskip("pandas")
    for column in (
        pandas.Series(["b", "a", "b"]),
        pandas.Series(["b", "a", "b"], dtype="category"),
        pandas.Series([2, 1, 2], dtype="Int64"),
        pandas.Series(["b", "a", "b"], index=[7, 7, 3]),
    ):
        labels, codes = encode_labels(column)
        assert labels == sorted(set(column))
        assert codes.tolist() == [1, 0, 1]


def test_labels_that_compare_equal_have_one_code():
    labels, codes = encode_labels(objects([True, 1, 1.0, 0, False, np.int64(1)]))
    assert labels == [0, 1]
    assert codes.tolist() == [1, 1, 1, 0, 0, 1]


def test_a_number_and_its_text_have_two():
    assert len(encode_labels([1, "1"])[0]) == 2


@pytest.mark.parametrize(
    "y",
    [
        [1.0, float("nan")],
        np.array([1.0, np.nan]),
        ["a", None],
        objects(["a", float("nan")]),
        objects([None, None]),
    ],
)
def test_a_missing_label_is_refused(y):
    with pytest.raises(ValueError, match="y contains NaN"):
        encode_labels(y)


def test_a_missing_label_in_a_frame_is_refused():
    pandas = pytest.importorskip("pandas")
    for column in (
        pandas.Series(["a", None]),
        pandas.Series([1.0, None]),
        pandas.Series([1, None], dtype="Int64"),
        pandas.Series(["a", None], dtype="category"),
    ):
        with pytest.raises(ValueError, match="y contains NaN"):
            encode_labels(column)


@pytest.mark.parametrize("y", [[[1, 2], [3, 4]], np.zeros((2, 2)), np.zeros((1, 1, 1))])
def test_several_labels_a_row_are_refused(y):
    with pytest.raises(ValueError, match=r"labels of shape \(n_samples,\), got shape"):
        encode_labels(y)


# -- arrays --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        ([0, 5], "i"),
        (["a", "bcd"], "U"),
        ([True, False], "b"),
        ([0.5, 1.0], "f"),
        ([1, "a"], "O"),
        ([True, 2], "O"),
        ([("a", 1), ("b", 2)], "O"),
        ([b"a"], "O"),
        ([2**70], "O"),
    ],
)
def test_an_array_of_labels_gives_the_same_labels_back(labels, kind):
    array = labels_to_array(labels)
    assert array.dtype.kind == kind
    assert array.shape == (len(labels),)
    assert array.tolist() == labels
    assert [type(label) for label in array.tolist()] == [type(x) for x in labels]


def test_no_labels_make_an_empty_array():
    assert labels_to_array([]).shape == (0,)
