"""What people see: in a terminal, in a notebook, on GitHub."""

from __future__ import annotations

import math
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_transrate._lib.text import display_width
from sklearn_transrate.results import TransferResults

TERMINAL = 100

TERMINAL_TABLE = """
TransferResults: 4 candidates (1 failed), 2 metrics; best 'r50 / l3' by transrate (0.2231)

rank  candidate  layer        transrate    logme  samples  features     time
   1  r50 / l3   l3              0.2231  -0.2500      500      1024   11.1 s
   2  r50 / l4   l4     0.1987 ± 0.0041    1.500      500      2048   12.3 s
   -  vit        -                    -        -      500       768  10.0 ms

failed:
  bert: RuntimeError: no weights
"""  # noqa: E501

MARKDOWN_TABLE = r"""
| rank | candidate | layer   |      x | samples | features |   time |
| ---: | --------- | ------- | -----: | ------: | -------: | -----: |
|    1 | b\|c      | -       | 0.7500 |       - |        - | 250 ms |
|    2 | a_1       | \_in_it | 0.5000 |       - |        - | 2.00 s |
"""


def zoo(n_ok, n_failed=0, *, metrics=("logme",), name="model {}"):
    """Candidates listed worst first, then those that failed."""
    n_rows = n_ok + n_failed
    scores = [0.01 * row for row in range(n_ok)] + [None] * n_failed
    errors = [""] * n_ok + [f"ValueError: reason {row}" for row in range(n_failed)]
    columns = {"candidate": [name.format(row) for row in range(n_rows)]}
    columns |= {f"score_{metric}": scores for metric in metrics}
    return TransferResults(columns | {"error": errors, "n_features": [64] * n_rows})


class TableReader(HTMLParser):
    """Cells, tags and attributes of a page; the tags must close in order."""

    void = frozenset({"meta"})

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.rows, self.caption = [], [], [], ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data
        elif self.open and self.open[-1] == "caption":
            self.caption += data


def test_the_first_line_says_how_many_and_which_is_best():
    first = repr(zoo(3, 2, metrics=["logme", "leep"])).splitlines()[0]
    assert first == (
        "TransferResults: 5 candidates (2 failed), 2 metrics; "
        "best 'model 2' by logme (0.02000)"
    )
    assert repr(zoo(1)).startswith("TransferResults: 1 candidate, 1 metric; best")


def test_a_table_without_a_score_says_so():
    assert repr(zoo(0)) == "TransferResults: 0 candidates, 1 metric"
    assert repr(zoo(0, 1)).splitlines() == [
        "TransferResults: 1 candidate (1 failed), 1 metric; none has a logme score",
        "",
        "failed:",
        "  model 0: ValueError: reason 0",
    ]


def test_the_terminal_table_as_a_whole():
    results = TransferResults(
        {
            "candidate": ["r50 / l4", "vit", "r50 / l3", "bert"],
            "layer": ["l4", None, "l3", None],
            "score_transrate": [0.19871, None, 0.22314, None],
            "std_error_transrate": [0.00412, None, None, None],
            "score_logme": [1.5, None, -0.25, None],
            "n_samples": [500, 500, 500, None],
            "n_features": [2048, 768, 1024, None],
            "fit_time": [0.0, None, 0.001, None],
            "transform_time": [12.0, 0.01, 11.0, None],
            "score_time": [0.35, None, 0.1, None],
            "error": ["", "", "", "RuntimeError: no weights\nTraceback"],
        }
    )
    assert repr(results) == TERMINAL_TABLE.strip("\n")


def test_long_tables_show_the_best_and_count_the_rest():
    lines = repr(zoo(50)).splitlines()
    assert lines[3].split()[:3] == ["1", "model", "49"]
    assert lines[22].split()[:3] == ["20", "model", "30"]
    assert lines[23:] == ["... 30 more"]


def test_some_failures_are_shown_however_many_succeed():
    lines = repr(zoo(50, 9)).splitlines()
    assert "... 35 more" in lines
    assert lines[-6:] == [
        *(f"  model {50 + row}: ValueError: reason {row}" for row in range(5)),
        "  ... 4 more failed",
    ]


def test_failures_have_the_room_that_successes_leave():
    text = repr(zoo(2, 18))
    assert "more" not in text
    assert "reason 17" in text


def test_cancelled_candidates_are_told_from_failed_ones():
    results = TransferResults(
        {
            "candidate": ["late", "bad", "good"],
            "score_x": [None, None, 1.0],
            "status": ["cancelled", "failed", "ok"],
            "error": ["KeyboardInterrupt: stopped", "ValueError: no", ""],
        }
    )
    lines = str(results).splitlines()
    assert lines[0].startswith(
        "TransferResults: 3 candidates (1 failed, 1 cancelled), 1 metric; best 'good'"
    )
    assert lines[-3:] == [
        "failed or cancelled:",
        "  bad: ValueError: no",
        "  late: KeyboardInterrupt: stopped",
    ]
    assert results.sort()["candidate"].tolist() == ["good", "bad", "late"]


def test_a_result_counts_more_than_a_later_interruption():
    done = TransferResults.from_records(
        [{"candidate": "a", "score_x": 2.0, "status": "ok"}], metrics=["x"]
    )
    late = TransferResults.from_records(
        [{"candidate": "a", "status": "cancelled", "error": "stopped"}], metrics=["x"]
    )
    merged = done.merge(late)
    assert merged["status"].tolist() == ["ok"]
    assert merged["score_x"].tolist() == [2.0]


def test_a_failed_candidate_with_a_score_stays_in_its_place():
    results = TransferResults(
        {
            "candidate": ["a", "b"],
            "score_x": [0.5, 0.75],
            "score_y": [0.5, None],
            "status": ["ok", "failed"],
            "error": ["", "ValueError: y is undefined"],
        }
    )
    lines = repr(results).splitlines()
    assert lines[3].split()[:3] == ["1", "b", "-"]
    assert lines[-1] == "  b: ValueError: y is undefined"
    assert (
        TableReader(results.to_html(pictures=False)).rows[1][-1]
        == "failed: ValueError: y is undefined"
    )


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ("\n  ValueError: no\nmore", "ValueError: no"),
        ("\x1b[31mValueError: no\x1b[0m", "ValueError: no"),
        ("Traceback (most recent call last):\n  line\nKeyError: 3\n", "KeyError: 3"),
        ("", "no reason recorded"),
    ],
)
def test_the_line_of_an_error_that_says_most_is_shown(error, shown):
    results = TransferResults(
        {"candidate": ["a"], "score_x": [None], "status": ["failed"], "error": [error]}
    )
    assert repr(results).splitlines()[-1] == f"  a: {shown}"


@pytest.mark.parametrize("n_metrics", [1, 3, 6, 12])
@pytest.mark.parametrize("name", ["m{}", "a/rather/long/path/to/some/module/{}/output"])
def test_lines_fit_a_terminal_and_what_is_missing_is_said(n_metrics, name):
    metrics = [f"metric_{number}" for number in range(n_metrics)]
    lines = repr(zoo(30, metrics=metrics, name=name)).splitlines()
    assert max(map(display_width, lines[1:-1])) <= TERMINAL
    assert all(metric in "".join((lines[2], lines[-1])) for metric in metrics)


def test_long_names_and_errors_are_cut():
    results = TransferResults(
        {
            "candidate": ["encoder." * 20 + "head", "layer." * 30],
            "score_x": [1.0, None],
            "error": ["", "E" * 500],
        }
    )
    lines = repr(results).splitlines()
    assert max(map(len, lines)) <= TERMINAL
    assert "coder.head" in lines[3]


def test_ranks_are_those_of_the_whole_table():
    assert repr(zoo(9)[:1]).splitlines()[-1].split()[0] == "9"


@given(st.lists(st.text(min_size=1, max_size=30), unique=True, min_size=1, max_size=30))
def test_no_name_can_break_a_line_or_a_cell(names):
    numbers = range(len(names))
    results = TransferResults({"candidate": names, "layer": names, "score_x": numbers})
    assert len(repr(results).splitlines()) == 3 + min(len(names), 20) + (
        len(names) > 20
    )
    page = TableReader(results.to_html(pictures=False))
    assert len(page.rows) == 1 + len(names)
    assert {len(row) for row in page.rows} == {7}
    assert len(results.to_markdown().splitlines()) == 2 + len(names)


def test_the_page_is_complete_and_accessible():
    text = zoo(30, 2).to_html(pictures=False)
    page = TableReader(text)
    assert text.startswith("<!DOCTYPE html>")
    assert ("html", {"lang": "en"}) in page.tags
    assert ("meta", {"charset": "utf-8"}) in page.tags
    assert page.caption.startswith("TransferResults: 32 candidates (2 failed)")
    assert len(page.rows) == 33
    scopes = [attrs["scope"] for tag, attrs in page.tags if tag == "th"]
    assert scopes == ["col"] * 8 + ["row"] * 32


def test_failures_are_marked_by_words():
    rows = TableReader(zoo(1, 1).to_html(pictures=False)).rows
    assert rows[0][-1] == "status"
    assert [row[-1] for row in rows[1:]] == ["ok", "failed: ValueError: reason 0"]


def test_where_nothing_failed_there_is_no_status():
    assert TableReader(zoo(2).to_html(pictures=False)).rows[0][-1] == "time"


def test_all_text_is_escaped():
    evil = "<script>alert('&')</script>"
    results = TransferResults(
        {"candidate": [evil], "layer": [evil], f"score_{evil}": [None], "error": [evil]}
    )
    text = results.to_html(pictures=False) + results._repr_html_()
    assert "<script>alert" not in text
    assert TableReader(results.to_html(pictures=False)).rows[1][1:3] == [evil, evil]
    assert "<script" not in results.to_markdown()


def test_the_notebook_shows_twenty_rows_and_counts_the_rest():
    text = zoo(50, 9)._repr_html_()
    rows = TableReader(text).rows
    assert text.startswith("<table")
    assert rows[1][:2] == ["1", "model 49"]
    assert len(rows) == 1 + 20 + 2
    assert rows[-2:] == [["... 35 more"], ["... 4 more failed"]]
    assert len(TableReader(zoo(20)._repr_html_()).rows) == 21


def test_an_empty_table_is_still_a_table():
    assert len(TableReader(zoo(0).to_html(pictures=False)).rows) == 1
    assert len(zoo(0).to_markdown().splitlines()) == 2


def test_markdown_is_a_table_best_first():
    results = TransferResults(
        {
            "candidate": ["a_1", "b|c"],
            "layer": ["_in_it", None],
            "score_x": [0.5, 0.75],
            "transform_time": [2, 0.25],
        }
    )
    assert results.to_markdown() == MARKDOWN_TABLE.lstrip("\n")


def test_total_time_is_unknown_only_where_every_part_is():
    times = {"fit_time": [None, 1.0], "score_time": [None, None]}
    results = TransferResults({"candidate": ["a", "b"], "score_x": [1, 0]} | times)
    assert [row.split()[-1] for row in repr(results).splitlines()[3:]] == ["-", "s"]


def test_rendering_changes_nothing():
    results, same = zoo(5, 2), zoo(5, 2)
    for render in (repr, TransferResults.to_html, TransferResults.to_markdown):
        render(results)
    assert results == same
    assert results["rank_logme"].dtype == np.int64
    assert math.isnan(results["score_logme"][-1])
