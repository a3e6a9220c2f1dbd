"""Columns from anywhere become arrays of one type."""

from __future__ import annotations

import numpy as np
import pytest

from sklearn_transrate.results._columns import (
    find_metrics,
    merge_records,
    plain_cell,
    row_numbers,
    tidy_columns,
)

MINIMAL = {"candidate": ["a", "b"], "score_logme": [0.5, None]}
KNOWN = [
    "candidate",
    "extractor",
    "layer",
    "score_logme",
    "std_error_logme",
    "rank_logme",
    "n_samples",
    "n_features",
    "fit_time",
    "transform_time",
    "score_time",
    "status",
    "error",
]


def test_scoring_time_is_not_a_metric():
    assert find_metrics(["score_b", "score_time", "score_a", "score_"]) == ["b", "a"]


def test_columns_that_are_left_out_are_filled():
    tidy = tidy_columns(MINIMAL)
    assert list(tidy) == KNOWN
    assert tidy["layer"].tolist() == [None, None]
    assert tidy["extractor"].tolist() == ["", ""]
    assert tidy["status"].tolist() == ["ok", "ok"]
    assert tidy["rank_logme"] is None
    for name in ("score_logme", "n_samples", "n_features", "fit_time"):
        assert tidy[name].dtype == np.float64
        assert np.isnan(tidy[name][1])


def test_order_of_the_columns_does_not_depend_on_the_order_received():
    columns = {"zoo": [1, 2], "error": ["", ""], "score_logme": [1, 2], "layer": "ab"}
    columns |= {"layer": ["x", "y"], "candidate": ["a", "b"]}
    assert list(tidy_columns(columns)) == [*KNOWN, "zoo"]


def test_metrics_keep_the_order_received():
    columns = {"candidate": [], "score_b": [], "score_time": [], "score_a": []}
    assert find_metrics(tidy_columns(columns)) == ["b", "a"]


@pytest.mark.parametrize("missing", [None, np.nan, np.float32("nan"), ""])
def test_every_word_for_missing_is_understood(missing):
    names = ("layer", "n_samples", "fit_time", "error")
    tidy = tidy_columns(MINIMAL | {name: [missing, missing] for name in names})
    assert tidy["layer"].tolist() == [None, None]
    assert tidy["error"].tolist() == ["", ""]
    assert np.isnan(tidy["n_samples"]).all()
    assert np.isnan(tidy["fit_time"]).all()


def test_cells_may_be_text_as_in_a_file():
    tidy = tidy_columns({"candidate": ["3"], "score_a": ["-inf"], "n_samples": ["500"]})
    assert tidy["score_a"].tolist() == [-np.inf]
    assert tidy["n_samples"].tolist() == [500.0]


def test_names_that_are_numbers_become_text():
    assert tidy_columns({"candidate": [3], "score_a": [1]})["candidate"].tolist() == [
        "3"
    ]


def test_an_error_without_a_status_means_failed():
    tidy = tidy_columns(MINIMAL | {"error": ["", "ValueError: no"]})
    assert tidy["status"].tolist() == ["ok", "failed"]


def test_a_partly_given_rank_counts_as_missing():
    assert tidy_columns(MINIMAL | {"rank_logme": [1, None]})["rank_logme"] is None
    ranks = tidy_columns(MINIMAL | {"rank_logme": [1, 2.0]})["rank_logme"]
    assert ranks.dtype == np.int64


def test_further_columns_are_numbers_where_every_cell_is_one():
    tidy = tidy_columns(MINIMAL | {"size_mb": ["98.5", None], "family": ["cnn", None]})
    np.testing.assert_array_equal(tidy["size_mb"], [98.5, np.nan])
    assert tidy["family"].tolist() == ["cnn", ""]


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        ({"score_logme": [1]}, "'candidate' is missing"),
        ({"candidate": ["a"], "score_time": [1]}, "no column 'score_<metric>'"),
        (MINIMAL | {"error": [""]}, "'error' has 1 rows, but 'candidate' has 2"),
        ({"candidate": ["a", "a"], "score_b": [1, 2]}, "'a' is listed twice"),
        ({"candidate": ["a", None], "score_b": [1, 2]}, "row 1 has no name"),
        (MINIMAL | {"score_logme": [1, "high"]}, "row 1 is 'high'"),
        (MINIMAL | {"fit_time": [[1], 2]}, r"'fit_time' holds numbers.*\[1\]"),
        (MINIMAL | {"n_samples": [-1, 5]}, "'n_samples' holds counts.*-1.0"),
        (MINIMAL | {"n_features": [1.5, 5]}, "'n_features' holds counts.*1.5"),
        (MINIMAL | {"n_features": [np.inf, 5]}, "'n_features' holds counts.*inf"),
        (MINIMAL | {"rank_logme": [0, 1]}, "1 is the best, but got 0"),
        (MINIMAL | {"status": ["ok", "done"]}, "row 1 has 'done'"),
    ],
)
def test_wrong_columns_are_refused_with_their_name(columns, match):
    with pytest.raises(ValueError, match=match):
        tidy_columns(columns)


@pytest.mark.parametrize("values", ["ab", 3, None, {"a": 1}])
def test_a_column_must_be_a_sequence(values):
    with pytest.raises(TypeError, match="'candidate' must be a sequence"):
        tidy_columns({"candidate": values, "score_a": [1, 2]})


def test_plain_cells_are_pythons_own():
    assert type(plain_cell("n_samples", np.float64(500))) is int
    assert type(plain_cell("score_a", np.float64(500))) is float
    assert np.isnan(plain_cell("n_samples", np.float64("nan")))
    assert plain_cell("layer", None) is None


def test_rows_come_from_numbers_and_masks():
    assert row_numbers([2, 0], 3).tolist() == [2, 0]
    assert row_numbers([], 3).tolist() == []
    assert row_numbers(np.array([True, False, True]), 3).tolist() == [0, 2]


@pytest.mark.parametrize("key", [["a"], [True], [0.5], [[0, 1]]])
def test_other_keys_are_not_rows(key):
    with pytest.raises(TypeError, match="mask of length 3"):
        row_numbers(key, 3)


def test_merged_records_keep_places_and_leave_out_what_is_asked():
    earlier = [{"candidate": "a", "status": "ok", "x": 1, "rank": 1}]
    later = [
        {"candidate": "b", "status": "ok", "x": 3, "rank": 1},
        {"candidate": "a", "status": "ok", "x": 2, "rank": 2},
    ]
    assert merge_records(earlier, later, leave_out={"rank"}) == [
        {"candidate": "a", "status": "ok", "x": 2},
        {"candidate": "b", "status": "ok", "x": 3},
    ]
