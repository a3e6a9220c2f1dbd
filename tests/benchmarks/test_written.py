"""The table of the documentation, whatever happens while it is made."""

from __future__ import annotations

import csv
import time

import pytest

from tests.benchmarks import __main__ as command
from tests.benchmarks.attempt import attempt
from tests.benchmarks.claims import Claim, at_least, at_most
from tests.benchmarks.settings import Settings
from tests.benchmarks.written import LIMIT, evidence_rows, write_evidence

QUIET = Settings(quiet=True)
SHAPE = (100, 20, 3)


def claims(settings=QUIET):
    yield Claim("score", "listing", SHAPE, 21.0, bound=at_least(20), ours=0.5, other=9)
    yield Claim("score", LIMIT, SHAPE, 1.6, bound=at_most(1.5), ours=0.5, other=0.3)
    yield Claim("other", "one shot", (50, 20, 3), 1.25, ours=0.5, other=0.4, peak=812.3)
    yield Claim("a curve", shape=SHAPE, ours=0.25, series="time, n", at=100)
    yield Claim("a curve", shape=SHAPE, ours=0.5, series="time, n", at=200)
    yield Claim("a file", shape=SHAPE, value=90.0, unit="MB", peak=90.0)


def test_the_limit_stands_beside_the_reference():
    first, second, *_, last = evidence_rows(claims())
    assert first == {
        "what": "score",
        "n": "100",
        "d": "20",
        "K": "3",
        "ours (s)": "0.5",
        "against": "listing",
        "reference (s)": "9",
        "ratio": "21x",
        "limit (s)": "0.3",
        "times the limit": "1.6x",
        "peak (MB)": "",
        "required": "≥ 20x; ≤ 1.5x",
        "met": "NO",
    }
    assert second["peak (MB)"] == "812"
    assert second["limit (s)"] == second["met"] == ""
    assert (last["ratio"], last["peak (MB)"]) == ("", "90")


def test_a_limit_without_a_reference_has_a_row_of_its_own():
    (row,) = evidence_rows([Claim("score", LIMIT, SHAPE, 1.2, ours=0.5, other=0.4)])
    assert (row["ratio"], row["times the limit"]) == ("", "1.2x")


def test_table_and_pictures_are_written(tmp_path):
    pytest.importorskip("matplotlib")
    write_evidence(tmp_path, claims(), "a machine", "a command")
    with (tmp_path / "evidence" / "benchmarks.csv").open() as file:
        assert list(csv.DictReader(file)) == evidence_rows(claims())
    made_by = (tmp_path / "evidence" / "benchmarks.txt").read_text()
    assert made_by == "a command\na machine\n"
    assert [p.name for p in (tmp_path / "images").iterdir()] == [
        "benchmarks_growth.png"
    ]


def failing(settings):
    yield Claim("score", value=1.0)
    raise MemoryError("no room\nfor 3 GB")


def test_a_failure_is_a_line_after_what_was_measured():
    first, last = attempt("big", failing, QUIET)
    assert first.what == "score"
    assert (last.what, last.against) == ("big", "failed: MemoryError: for 3 GB")
    assert last.ok is False


def test_what_takes_too_long_is_cut_short():
    past = time.monotonic() - 1.0
    (line,) = attempt("all", claims, QUIET, past)
    assert line.against == "not begun: time is up"
    clock = iter([0.0, 0.0, 2.0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.benchmarks.attempt.time.monotonic", lambda: next(clock))
        found = list(attempt("all", claims, QUIET, deadline=1.0))
    assert len(found) == 3
    assert found[-1].against == "cut short: time is up"


def test_the_command_goes_on_after_a_failure(tmp_path, monkeypatch, capsys):
    chosen = {"first": failing, "second": claims}
    monkeypatch.setattr(command, "BENCHMARKS", chosen)
    assert command.main(["--quiet", "--evidence", str(tmp_path)]) == 1
    text = (tmp_path / "evidence" / "benchmarks.csv").read_text()
    assert "first,,,,,failed: MemoryError: for 3 GB" in text
    assert "listing" in text
    assert "failed" in capsys.readouterr().out
