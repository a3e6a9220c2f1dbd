"""What is refused, and how it is said."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import DataConversionWarning

from sklearn_transrate._lib.validation import (
    check_features,
    check_targets,
    infer_task,
    refuse_swapped,
)
from sklearn_transrate.exceptions import SwappedArgumentsError

ALL_TASKS = ("classification", "multilabel", "regression")
X = np.arange(6.0).reshape(3, 2)


# -- the order of the arguments ------------------------------------------------


@pytest.mark.parametrize("y", [np.arange(3), [0, 1, 2], ["a", "b", "c"]])
@pytest.mark.parametrize("features", [X, X.tolist(), sparse.csr_array(X)])
def test_labels_before_features_are_refused(y, features):
    refuse_swapped(features, y, name="TransRate")
    with pytest.raises(SwappedArgumentsError, match=r"TransRate expected .*Swap"):
        refuse_swapped(y, features, name="TransRate")


def test_the_message_has_both_shapes_and_the_way_out():
    with pytest.raises(SwappedArgumentsError, match=r"\(3,\) and \(3, 2\).*y_first"):
        refuse_swapped([0, 1, 2], X, name="TransRate")


@pytest.mark.parametrize(
    ("features", "y"),
    [(X, X), (X, None), ([[1, 2], [3]], [0, 1]), ([0, 1], [0, 1]), (X, X[:, :1])],
)
def test_anything_else_is_left_to_other_checks(features, y):
    refuse_swapped(features, y, name="TransRate")


# -- features ------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "uint8", "?"])
def test_features_keep_their_type_and_memory(dtype):
    features = X.astype(dtype)
    checked = check_features(features, name="TransRate")
    assert checked.dtype == dtype
    assert np.shares_memory(checked, features)


def test_lists_become_arrays():
    np.testing.assert_array_equal(check_features(X.tolist(), name="TransRate"), X)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([[np.nan, 1.0]], "X contains NaN"),
        ([[np.inf, 1.0]], "infinity"),
        ([1.0, 2.0], "Expected 2D array"),
        (np.empty((0, 2)), "minimum of 1 is required by TransRate"),
        (np.empty((2, 0)), "minimum of 1 is required by TransRate"),
        (np.zeros((2, 2, 2)), r"(?i)dim"),
        ([["a", "b"]], "string"),
        (np.array([[1j, 2.0]]), "Complex data not supported"),
    ],
)
def test_what_are_no_features_is_refused_by_name(features, message):
    with pytest.raises(ValueError, match=message):
        check_features(features, name="TransRate")


def test_sparse_features_are_taken_only_where_they_are_welcome():
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        check_features(sparse.csr_array(X), name="TransRate")
    checked = check_features(sparse.coo_array(X), name="TransRate", accept_sparse=True)
    assert checked.format == "csr"


# -- targets -------------------------------------------------------------------


@pytest.mark.parametrize(
    "y",
    [
        [0, 1, 0],
        ["a", "b", "a"],
        ("a", "b", "a"),
        np.array([0.0, 1.0, 0.0]),
        [True] * 3,
    ],
)
def test_one_label_a_row_is_taken(y):
    assert check_targets(y, X, name="TransRate").tolist() == list(y)


def test_labels_of_several_kinds_stay_what_they_are():
    assert check_targets(["1", 1, 2.5], X, name="TransRate").tolist() == ["1", 1, 2.5]


def test_a_column_is_taken_with_scikit_learns_warning():
    with pytest.warns(DataConversionWarning, match="column-vector"):
        y = check_targets(np.array([[0], [1], [0]]), X, name="TransRate")
    assert y.shape == (3,)


def test_several_columns_are_taken_only_where_they_are_welcome():
    y = np.array([[0, 1], [1, 1], [0, 0]])
    checked = check_targets(y, X, name="LogME", multi_output=True)
    np.testing.assert_array_equal(checked, y)
    with pytest.raises(ValueError, match="1d array"):
        check_targets(y, X, name="TransRate")


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "TransRate requires y to be passed, but the target y is None"),
        ([0, 1], "inconsistent numbers of samples"),
        ([0.0, np.nan, 1.0], "y contains NaN or infinity"),
        ([0.0, np.inf, 1.0], "y contains NaN or infinity"),
    ],
)
def test_targets_that_do_not_fit_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        check_targets(y, X, name="TransRate")


def test_missing_values_among_several_targets_are_refused():
    y = np.array([[0.0, np.nan], [1.0, 1.0], [0.0, 0.0]])
    with pytest.raises(ValueError, match="NaN"):
        check_targets(y, X, name="LogME", multi_output=True)


# -- tasks ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "task"),
    [
        ([0, 1, 2], "classification"),
        ([0.0, 1.0, 2.0], "classification"),
        (["a", "b", "c"], "classification"),
        ([True, False, True], "classification"),
        ([0.5, 1.0, 2.0], "regression"),
        ([[0, 1], [1, 1]], "multilabel"),
        ([[0.0, 1.0], [1.0, 1.0]], "multilabel"),
        ([[0, 2], [1, 1]], "regression"),
        ([[0.5, 0.0], [1.0, 1.0]], "regression"),
    ],
)
def test_the_task_is_read_off_the_targets(y, task):
    assert infer_task(np.array(y), "auto", ALL_TASKS, name="LogME") == task


def test_what_the_user_says_comes_first():
    y = np.array([1, 2, 3])
    assert infer_task(y, "regression", ALL_TASKS, name="LogME") == "regression"


def test_a_task_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match=r"LogME expected 'task' .* got 'ranking'"):
        infer_task(np.array([1, 2]), "ranking", ALL_TASKS, name="LogME")


@pytest.mark.parametrize("y", [[0.5, 1.5], [[0, 1], [1, 0]]])
def test_a_task_that_the_metric_has_no_meaning_for_is_refused(y):
    with pytest.raises(ValueError, match=r"TransRate compares classes, .*LogME"):
        infer_task(np.array(y), "auto", ("classification",), name="TransRate")
