"""Claims, and the tables that they are printed as."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.benchmarks.claims import Claim, at_least, at_most, claims_table
from tests.benchmarks.growth import slope
from tests.benchmarks.settings import Settings
from tests.benchmarks.tables import Table, render


@pytest.mark.parametrize(
    ("value", "bound", "ok"),
    [
        (20.0, at_least(20), True),
        (19.9, at_least(20), False),
        (1.5, at_most(1.5), True),
        (1.6, at_most(1.5), False),
        (np.nan, at_least(0), False),
        (np.nan, at_most(0), False),
        (None, at_most(0), False),
        (3.0, None, None),
    ],
)
def test_a_requirement_is_met_or_not(value, bound, ok):
    assert Claim("what", value=value, bound=bound).ok is ok


def test_requirements_are_for_the_full_size():
    assert Settings().bound(at_least(20)) == at_least(20)
    assert Settings(scale=0.1).bound(at_least(20)) is None


def test_small_problems_keep_two_samples_a_class():
    for scale in (1e-3, 0.01, 0.3):
        n, d, n_classes = Settings(scale=scale).shape(10_000, 2048, 5000)
        assert n >= 2 * n_classes >= 4
        assert d >= 2


def test_tables_count_what_is_not_met_and_leave_out_empty_columns():
    table = claims_table(
        "speed",
        [
            Claim("a", "b", (10, 2), 21.0, bound=at_least(20), ours=0.5, other=10.5),
            Claim("c", "d", (10, 2), 19.0, bound=at_least(20), ours=0.5, other=9.5),
        ],
    )
    assert table.failures == 1
    assert "peak MB" not in table.columns
    assert "K" not in table.columns
    assert [row[-1] for row in table.rows] == ["yes", "NO"]
    assert "≥ 20x" in render(table)


def test_programs_read_numbers_where_people_read_text():
    table = claims_table("speed", [Claim("a", value=2.0, bound=at_most(3), ours=0.1)])
    (row,) = json.loads(json.dumps(table.to_dict()))["rows"]
    assert row["value"] == 2.0
    assert row["ok"] is True
    assert row["bound"] == {"limit": 3, "is_upper": True}


def test_markdown_has_one_line_a_row_and_aligns_numbers():
    table = Table("title", ["name", "score"], [["a|b", 0.5], ["c", None]])
    lines = render(table, "markdown").splitlines()
    assert lines[2:] == [
        "| name | score |",
        "| --- | ---: |",
        "| a\\|b | 0.500 |",
        "| c |  |",
    ]


def test_plain_text_is_aligned():
    table = Table("title", ["name", "score"], [["long name", 0.5], ["c", 10.25]])
    assert render(table).splitlines() == [
        "title",
        "name        score",
        "---------  ------",
        "long name   0.500",
        "c          10.250",
    ]


def test_the_slope_is_the_power():
    sizes = [1, 2, 4, 8]
    assert slope(sizes, [3 * size**2 for size in sizes]) == pytest.approx(2)
