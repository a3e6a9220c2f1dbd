"""CSV, JSON and frames give back what they were given."""

from __future__ import annotations

import io
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sklearn_transrate.exceptions import MissingDependencyError
from sklearn_transrate.results import TransferResults
from sklearn_transrate.results._files import plain_facts, read_csv

# Whatever an extractor may be called and an error may say; lone surrogates are no
# text that a file can hold.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.one_of(st.none(), st.floats())
counts = st.one_of(st.none(), st.integers(0, 2**40))


@st.composite
def tables(draw):
    names = draw(st.lists(texts.filter(bool), unique=True, max_size=5))

    def column(cells):
        return draw(st.lists(cells, min_size=len(names), max_size=len(names)))

    columns = {"candidate": names, "extractor": column(texts)}
    columns["layer"] = column(st.one_of(st.none(), texts))
    for metric in draw(st.lists(st.sampled_from(["a", "logme", "x y"]), unique=True)):
        columns[f"score_{metric}"] = column(numbers)
        columns[f"std_error_{metric}"] = column(numbers)
    columns["score_transrate"] = column(numbers)
    columns["n_samples"], columns["n_features"] = column(counts), column(counts)
    columns["score_time"] = column(numbers)
    columns["status"] = column(st.sampled_from(["ok", "failed", "cancelled"]))
    columns["error"] = column(texts)
    columns["size, in MB"] = column(numbers)
    columns["family"] = column(texts)
    return TransferResults(columns)


@pytest.fixture
def results():
    return TransferResults(
        {
            "candidate": ["r50 / layer3", "vit"],
            "layer": ["layer3", None],
            "score_logme": [0.1 + 0.2, math.nan],
            "n_features": [512, None],
            "fit_time": [1e-9, math.inf],
            "error": ["", 'ValueError: "a",\r\n\tb; \r c'],
        },
        metadata={"version": "0.1", "eps": 0.1},
    )


@given(tables())
@example(TransferResults({"candidate": ["a\rb", "c"], "score_a": [1, 2]}))
def test_csv_gives_back_an_equal_table(table):
    assert TransferResults.from_csv(table.to_csv()) == table


@given(tables())
def test_json_gives_back_an_equal_table(table):
    assert TransferResults.from_json(table.to_json()) == table


@given(tables())
def test_records_give_back_an_equal_table(table):
    records = table.to_records()
    if records:
        assert TransferResults.from_records(records) == table


@given(tables())
def test_a_pandas_frame_gives_back_an_equal_table(table):
    assert TransferResults.from_frame(table.to_frame()) == table


def test_a_polars_frame_gives_back_an_equal_table(results):
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({name: results[name].tolist() for name in results})
    assert TransferResults.from_frame(frame) == results


def test_pandas_reads_our_csv_and_we_read_what_pandas_writes(results):
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_csv(io.StringIO(results.to_csv()))
    assert TransferResults.from_frame(frame) == results
    # With the index, as most people write it, and in pandas' own words for missing.
    assert TransferResults.from_csv(results.to_frame().to_csv()) == results
    assert TransferResults.from_frame(frame.convert_dtypes()) == results


def test_frame_counts_are_integers_where_all_are_known(results):
    known = results[:1].to_frame()
    assert known["n_features"].tolist() == [512]
    assert known["n_features"].dtype == np.int64
    assert results.to_frame()["n_features"].dtype == np.float64


def test_without_pandas_the_message_says_what_to_install(results, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingDependencyError, match=r"sklearn-transrate\[frame\]"):
        results.to_frame()


@pytest.mark.parametrize("name", ["csv", "json"])
def test_files_hold_the_text_and_are_read_from_anywhere(results, tmp_path, name):
    write = getattr(results, f"to_{name}")
    read = getattr(TransferResults, f"from_{name}")
    path = tmp_path / f"results.{name}"
    assert write(path) is None
    assert path.read_bytes().decode() == write()
    assert read(path) == read(str(path)) == read(write()) == results
    with path.open(encoding="utf-8", newline="") as file:
        assert read(file) == results


def test_html_is_written_as_it_is_returned(results, tmp_path):
    path = tmp_path / "results.html"
    assert results.to_html(str(path)) is None
    assert path.read_text(encoding="utf-8") == results.to_html()


def test_bytes_that_no_encoding_can_write_do_not_lose_the_file(tmp_path):
    table = TransferResults({"candidate": ["a"], "score_a": [1], "error": ["\udcff"]})
    table.to_csv(tmp_path / "results.csv")
    again = TransferResults.from_csv(tmp_path / "results.csv")
    assert again["error"].tolist() == ["\\udcff"]


def test_a_spreadsheets_byte_order_mark_is_no_part_of_the_first_name(results, tmp_path):
    path = tmp_path / "results.csv"
    path.write_text(results.to_csv(), encoding="utf-8-sig", newline="")
    assert TransferResults.from_csv(path) == results


def test_csv_is_what_it_looks_like():
    table = TransferResults({"candidate": ["a"], "score_b": [0.1], "n_samples": [50]})
    assert table.to_csv() == (
        "candidate,extractor,layer,score_b,std_error_b,rank_b,n_samples,n_features,"
        "fit_time,transform_time,score_time,status,error\n"
        "a,,,0.1,,1,50,,,,,ok,\n"
    )


def test_last_years_csv_with_two_columns_is_enough():
    table = TransferResults.from_csv("candidate,score_logme\nvit,0.5\nr50,0.75\n")
    assert table.best()["candidate"] == "r50"


def test_json_is_valid_without_nan(results):
    document = json.loads(results.to_json(), parse_constant=pytest.fail)
    assert document["format"] == "sklearn_transrate.results"
    assert document["version"] == 1
    assert document["columns"]["score_logme"] == [0.1 + 0.2, None]
    assert document["columns"]["n_features"] == [512, None]
    assert document["columns"]["fit_time"] == [1e-9, "inf"]


def test_metadata_survive_json(results):
    facts = {
        "versions": {"numpy": "2.0", 3: True},
        "shape": (2, 3),
        "error_score": math.nan,
        "seeds": np.arange(3),
        "eps": np.float32(0.5),
        "memory": None,
    }
    table = TransferResults(dict(results), metadata=facts)
    assert table.metadata == {
        "versions": {"numpy": "2.0", "3": True},
        "shape": [2, 3],
        "error_score": "nan",
        "seeds": [0, 1, 2],
        "eps": 0.5,
        "memory": None,
    }
    assert TransferResults.from_json(table.to_json()).metadata == table.metadata


def test_facts_added_later_are_saved_too(results):
    results.metadata["seed"] = np.int64(7)
    assert TransferResults.from_json(results.to_json()).metadata["seed"] == 7


def test_a_fact_that_json_cannot_hold_is_named():
    with pytest.raises(
        TypeError, match=r"metadata\['steps'\]\[1\] is of type Path|Posix"
    ):
        plain_facts({"steps": ["a", Path()]})


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"version": 2}, "format version 2.*reads versions up to 1.*pip install -U"),
        ({"version": "new"}, "whole number, got 'new'"),
        ({"format": "other"}, "'format' must be 'sklearn_transrate.results'"),
        ({"columns": [1]}, "must be JSON objects"),
        ({"metadata": [1]}, "must be JSON objects"),
    ],
)
def test_json_of_another_kind_is_refused(results, change, match):
    document = json.loads(results.to_json()) | change
    with pytest.raises(ValueError, match=match):
        TransferResults.from_json(json.dumps(document))


@pytest.mark.parametrize("text", ["{", "{}", '{"a": [1]}'])
def test_json_that_is_no_table_is_refused(text):
    with pytest.raises(ValueError, match="JSON"):
        TransferResults.from_json(text)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("\n", "empty"),
        ("a,a\n1,2\n", "names a column twice"),
        ("a;b\n1;2,5\n", "Row 1 of the CSV has 2 cells, but its header names 1"),
        ('a\n"' + "x" * 200_000 + '"\n', "not a readable CSV"),
    ],
)
def test_csv_that_is_no_table_is_refused(text, match):
    with pytest.raises(ValueError, match=match):
        read_csv(text)


def test_a_missing_file_is_reported_as_such(tmp_path):
    with pytest.raises(FileNotFoundError):
        TransferResults.from_csv(str(tmp_path / "nothing.csv"))


def test_other_sources_are_refused():
    with pytest.raises(TypeError, match="got int"):
        TransferResults.from_json(3)
