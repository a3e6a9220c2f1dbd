from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import sparse

from sklearn_transrate.extractors._named_inputs import (
    InputSpec,
    check_input_names,
    match_inputs,
    prepare,
    run_in_chunks,
    trial_inputs,
)

FLOATS = InputSpec("x", np.dtype(np.float32), (None, 3))
IMAGES = InputSpec("image", np.dtype(np.float32), (None, 3, 5, 4))
PIXELS = InputSpec("pixels", np.dtype(np.uint8), (None, 2), 0.5, 10)
TOKENS = InputSpec("ids", np.dtype(np.int64), (None, None))


def matched(value, spec):
    return match_inputs(value, [spec])[spec.name]


@given(st.integers(1, 9), st.integers(1, 9))
def test_chunks_give_what_the_whole_gives(n_rows, size):
    rows = np.arange(n_rows * 2.0).reshape(n_rows, 2)
    sizes = []

    def run(inputs):
        sizes.append(len(inputs["x"]))
        return {"double": inputs["x"] * 2, "sum": inputs["x"].sum(axis=1)}

    outputs = run_in_chunks(run, {"x": rows}, size)
    assert_array_equal(outputs["double"], rows * 2)
    assert_array_equal(outputs["sum"], rows.sum(axis=1))
    assert sizes == [size] * -(-n_rows // size)


@pytest.mark.parametrize(
    "container",
    [np.asarray, list, pd.DataFrame, sparse.csr_array, lambda rows: {"x": rows}],
)
def test_rows_come_in_any_container(container):
    rows = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    array = matched(container(rows), FLOATS)
    assert array.dtype == np.float32
    assert_array_equal(array, rows)


def test_columns_of_different_kinds_are_numbers_all_the_same():
    frame = pd.DataFrame({"a": [1, 2], "b": [True, False], "c": [0.5, 1.5]})
    assert_array_equal(
        matched(frame.astype(object), FLOATS), [[1, 1, 0.5], [2, 0, 1.5]]
    )


def test_images_are_transposed_only_where_nothing_else_fits():
    last = np.arange(120.0).reshape(2, 5, 4, 3)
    first = last.transpose(0, 3, 1, 2)
    assert_array_equal(matched(last, IMAGES), first)
    assert_array_equal(matched(first, IMAGES), first)
    both = InputSpec("image", np.dtype(np.float32), (None, 3, None, None))
    square = np.arange(54.0).reshape(2, 3, 3, 3)
    assert_array_equal(matched(square, both), square)
    with pytest.raises(ValueError, match=r"shape \(b, 3, 5, 4\), got \(2, 4, 5, 3\)"):
        matched(np.zeros((2, 4, 5, 3)), IMAGES)


def test_real_numbers_are_quantised_and_stored_ones_are_not():
    real = np.array([[-5.0, 0.0], [0.24, 0.26], [122.5, 999.0]])
    assert_array_equal(matched(real, PIXELS), [[0, 10], [10, 11], [255, 255]])
    stored = np.array([[0, 255]], dtype=np.uint8)
    assert matched(stored, PIXELS) is stored


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=5))
def test_whole_numbers_are_cast_to_integers(values):
    spec = InputSpec("ids", np.dtype(np.int32), (None, 1))
    for dtype in (np.int64, np.float64):
        array = matched(np.array(values, dtype), spec)
        assert array.dtype == np.int32
        assert_array_equal(array[:, 0], values)


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf, 2.0**40])
def test_numbers_that_an_integer_cannot_hold_are_refused(value):
    spec = InputSpec("ids", np.dtype(np.int32), (None, 1))
    with pytest.raises(ValueError, match="'ids' of the model expects int32, got"):
        matched(np.array([[1.0], [value]]), spec)


@pytest.mark.parametrize(
    "value", [["a", "b"], np.array([["a"]]), np.array([[None, {}, 1]], dtype=object)]
)
def test_what_is_no_number_is_shown(value):
    with pytest.raises(TypeError, match=r"(?s)expects float32, got .* 'preprocess'"):
        matched(value, FLOATS)


def test_texts_are_passed_to_models_of_texts():
    spec = InputSpec("text", np.dtype(object), (None, 1))
    assert matched(["a", "b"], spec).tolist() == [["a"], ["b"]]


def test_samples_of_different_shapes_are_named():
    with pytest.raises(
        ValueError, match=r"one shape in a batch, got \[\(2,\), \(3,\)\]"
    ):
        matched([np.zeros(3), np.zeros(2)], FLOATS)


def test_names_are_compared():
    specs = [FLOATS, TOKENS]
    check_input_names({"ids": 1, "x": 2}, specs)
    for wrong in ({"x": 1}, {"x": 1, "ids": 2, "more": 3}):
        with pytest.raises(ValueError, match=r"Expected inputs named \['x', 'ids'\]"):
            check_input_names(wrong, specs)
    with pytest.raises(ValueError, match=r"2 inputs, .* but X is one ndarray"):
        check_input_names(np.zeros((2, 3)), specs)


def test_a_function_sees_one_sample_at_a_time():
    seen = []

    def lengths(sample):
        seen.append(sample)
        return {"ids": np.array([len(sample), 1]), "x": np.zeros(3)}

    batch = prepare(["one", "three"], lengths)
    inputs = match_inputs(batch, [FLOATS, TOKENS])
    assert seen == ["one", "three"]
    assert_array_equal(inputs["ids"], [[3, 1], [5, 1]])
    assert inputs["x"].shape == (2, 3)
    rows = np.arange(6.0).reshape(2, 3)
    assert_array_equal(np.stack(prepare(rows, np.negative)), -rows)
    assert prepare(rows, None) is rows


def test_inputs_of_a_trial_fit_what_is_declared():
    inputs = trial_inputs([IMAGES, TOKENS, InputSpec("s", np.dtype(np.int8))])
    assert {name: array.shape for name, array in inputs.items()} == {
        "image": (5, 3, 5, 4),
        "ids": (5, 7),
        "s": (5,),
    }
    assert match_inputs({"ids": inputs["ids"]}, [TOKENS])["ids"].all()
