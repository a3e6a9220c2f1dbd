"""Fragments are sentences for users, and contributors find the commands they need."""

from __future__ import annotations

import re

import pytest

from tests.doc import DOC, ROOT, package_text

FRAGMENTS = sorted((DOC / "whats_new" / "upcoming").glob("*.rst"))


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=lambda path: path.stem)
def test_fragment_is_one_sentence(fragment):
    text = " ".join(fragment.read_text(encoding="utf-8").split())
    assert text.endswith(".")
    assert not re.search(r"[.!?] [A-Z]", text)
    assert "-" in fragment.stem, "name it by its part: metrics-leep.rst"


def test_fragments_become_lists_by_part(tmp_path):
    (tmp_path / "metrics-b.rst").write_text("Second\nof two.\n", encoding="utf-8")
    (tmp_path / "metrics-a.rst").write_text("First.\n", encoding="utf-8")
    (tmp_path / "results-c.rst").write_text("Third.\n", encoding="utf-8")
    assert package_text.upcoming_changes(tmp_path).split("\n\n") == [
        "Metrics\n~~~~~~~",
        "* First.",
        "* Second of two.",
        "Results\n~~~~~~~",
        "* Third.",
    ]


def test_upcoming_changes_are_all_there():
    listed = package_text.upcoming_changes().count("\n* ")
    assert listed == len(FRAGMENTS) > 0


def test_contributors_are_told_of_every_command():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    explained = set(re.findall(r"^([\w-]+):.* ## ", makefile, re.MULTILINE))
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `make ([\w-]+)` \|", text, re.MULTILINE)
    assert sorted(told) == sorted(explained)


def test_five_commands_are_for_every_day():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    every_day, _, _ = text.partition("And these for")
    assert every_day.count("\n| `make ") == 5
