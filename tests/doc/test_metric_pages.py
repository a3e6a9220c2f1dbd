"""Each registered metric has a page, and each page answers the same questions."""

from __future__ import annotations

import csv
import re

import pytest

from sklearn_transrate import get_metric, get_metric_names
from tests.benchmarks.zoo_scores import contenders
from tests.doc import DOC, package_text

PAGES = DOC / "metrics"
HEADINGS = [
    "Question",
    "Formula",
    "Range and best value",
    "Cost",
    "What it predicts",
    "When it misleads",
    "Published defects",
    "Example",
    "Reference",
]
each_metric = pytest.mark.parametrize("name", get_metric_names())


def text_of(name):
    return (PAGES / f"{name}.rst").read_text(encoding="utf-8")


def test_pages_are_those_of_the_registered_names():
    written = {path.stem for path in PAGES.glob("*.rst")} - {"index"}
    assert written == set(get_metric_names())


@each_metric
def test_page_answers_all_questions_in_order(name):
    found = re.findall(r"^(.+)\n-{3,}$", text_of(name), re.MULTILINE)
    assert found == HEADINGS


@each_metric
def test_no_section_is_empty(name):
    sections = re.split(r"^.+\n-{3,}$", text_of(name), flags=re.MULTILINE)[1:]
    assert all(re.search(r"\w", section) for section in sections)


@each_metric
def test_page_has_facts_and_evidence_of_its_own_metric(name):
    named = re.findall(r"^\.\. from-package:: (\w+) (\w+)$", text_of(name), re.M)
    assert named == [("metric_facts", name), ("metric_evidence", name)]


@each_metric
def test_page_cites_by_doi(name):
    reference = text_of(name).rpartition("\nReference\n")[2]
    assert re.search(r"https://doi\.org/10\.\d{4,}/\S+", reference)


@each_metric
def test_references_are_those_of_the_docstring(name):
    cited = re.findall(r"https://doi\.org/\S+", type(get_metric(name)).__doc__)
    assert all(link in text_of(name) for link in cited)


@each_metric
def test_example_runs_the_metric(name):
    example = text_of(name).partition("\nExample\n")[2]
    assert ">>> " in example


@each_metric
def test_facts_are_what_the_metric_says_of_itself(name):
    metric, facts = get_metric(name), package_text.metric_facts(name)
    assert f'``"{name}"``' in facts
    assert type(metric).__name__ in facts
    assert all(claim in facts for claim in metric.invariances)


@each_metric
def test_facts_say_which_way_of_training_is_predicted(name):
    said = re.search(r"^:Predicts: (.+)$", package_text.metric_facts(name), re.M)[1]
    measured = {"linear probe", "fine-tuning"}
    assert said in (measured if name != "constant" else {"not measured"})


def test_what_is_predicted_is_what_was_measured():
    assert package_text.metric_predicts("ridge_loo") == "linear probe"
    assert package_text.metric_predicts("n_features") == "fine-tuning"


def test_every_measured_metric_is_registered():
    with (DOC / "evidence" / "zoo.csv").open(encoding="utf-8") as file:
        measured = [row["metric"] for row in csv.DictReader(file)]
    assert set(measured) - {"depth"} == set(contenders())
    assert len(set(measured)) == len(measured)


def test_evidence_names_the_numbers_of_the_table():
    with (DOC / "evidence" / "zoo.csv").open(encoding="utf-8") as file:
        rows = {row["metric"]: row for row in csv.DictReader(file)}
    text = package_text.metric_evidence("logme")
    assert f"image layers {rows['logme']['image layers']}" in text
    assert "Not measured" in package_text.metric_evidence("constant")


def test_list_has_a_row_for_each_metric():
    table = package_text.metric_list()
    for name in get_metric_names():
        assert f":doc:`{name} </metrics/{name}>`" in table
