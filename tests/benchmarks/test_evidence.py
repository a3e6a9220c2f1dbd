"""That the committed tables follow from the committed scores."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from tests.benchmarks.evidence import (
    FOLDER,
    GROUPS,
    agreement,
    choose_form,
    forms_table,
    main,
    official_table,
    statistics_table,
    zoo_table,
)
from tests.benchmarks.official import spectra_folder
from tests.benchmarks.shared import SHARED
from tests.benchmarks.zoo_scores import FACTS, contenders, read_scores, write_scores


@pytest.fixture(scope="module")
def rows():
    return read_scores(FOLDER / "zoo_scores.csv")


def committed(name):
    with (FOLDER / name).open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def printed(table):
    return [
        [
            cell
            if isinstance(cell, str)
            else str(cell)
            if isinstance(cell, int)
            else f"{cell:.2f}"
            if np.isfinite(cell)
            else ""
            for cell in row
        ]
        for row in table
    ]


def test_tables_are_those_of_the_scores(rows):
    zoo = committed("zoo.csv")
    without_seconds = [row[:-1] for row in printed(zoo_table(rows, {}))]
    assert [row[:-1] for row in zoo] == without_seconds
    assert committed("zoo_statistics.csv") == printed(statistics_table(rows))
    assert committed("forms.csv") == printed(forms_table(rows))


def test_every_contender_was_scored(rows):
    assert set(rows[0]) == {*FACTS, *contenders()}
    for name in ("transrate", "logme", "n_features"):
        assert all(row[name] is not None for row in rows)


def test_the_default_is_what_the_others_would_choose(rows):
    means = {
        form: {
            group: np.nanmean(list(values.values()))
            for group, values in agreement(rows, form).items()
        }
        for form in ("transrate", "transrate_listing", "transrate_relative")
    }
    assert {choose_form(means, group) for group in GROUPS} == {"transrate"}


def test_a_form_is_chosen_without_the_group_it_is_judged_on():
    means = {"a": {"x": 1.0, "y": 0.0}, "b": {"x": 0.0, "y": 0.5}}
    assert choose_form(means, None) == "a"
    assert choose_form(means, "x") == "b"


def test_agreement_is_of_one_data_set_at_a_time():
    rows = [
        {
            "track": "text-models",
            "dataset": dataset,
            "candidate": str(k),
            "linear": k / 10,
            "ft": None,
            "score": sign * k,
        }
        for dataset, sign in (("up", 1), ("down", -1))
        for k in range(6)
    ]
    found = agreement(rows, "score", "Kendall")["text models"]
    assert found[("text-models", "up")] == pytest.approx(1.0)
    assert found[("text-models", "down")] == pytest.approx(-1.0)
    lost = agreement(rows, "score", "accuracy lost")["text models"]
    assert lost[("text-models", "down")] == pytest.approx(0.5)


def test_scores_can_be_added_to(tmp_path):
    path = tmp_path / "scores.csv"
    facts = {"track": "t", "dataset": "d", "candidate": "c", "linear": 0.5}
    write_scores([{**facts, "ft": None, "depth": None, "one": 1.25}], path)
    write_scores([{**facts, "ft": None, "depth": 3, "two": np.nan}], path)
    assert read_scores(path) == [
        {**facts, "ft": None, "depth": 3.0, "one": 1.25, "two": None}
    ]


@pytest.mark.skipif(
    spectra_folder() is None, reason=f"needs the published spectra in ${SHARED}/golden"
)
def test_published_experiments_are_as_committed():
    assert committed("official.csv") == printed(official_table())


def test_scores_cannot_be_made_without_the_networks(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv(SHARED, str(tmp_path))
    assert main(["--score"]) == 1
    assert "not here" in capsys.readouterr().err
