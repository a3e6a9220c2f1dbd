"""The page: complete, closed in itself, and the same every time."""

from __future__ import annotations

import base64
import re
import sys
from html.parser import HTMLParser
from importlib.util import find_spec

import numpy as np
import pytest

from sklearn_transrate.results import TransferResults

needs_matplotlib = pytest.mark.skipif(
    find_spec("matplotlib") is None, reason="needs the plot extra"
)
FACTS = {
    "scoring": {"logme": "LogME()"},
    "parameters": {"max_samples": None, "extractors": {"vit": "Vit(depth=3)"}},
    "versions": {"python": "3.13.1", "sklearn_transrate": "0.1.0", "sklearn": "1.9.1"},
    "data": {"n_samples": 500, "shape": [500, 64], "fingerprint": "0a1b2c"},
    "note": "<b>by hand</b>",
}


class Page(HTMLParser):
    """Tags and texts; tags must close in order, and ids be unique."""

    void = frozenset({"meta", "img"})

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self._open = [], [], []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.void:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self._open[-1] if self._open else "", data))

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]

    def said(self, tag):
        return [text for name, text in self.texts if name == tag]


@pytest.fixture(scope="module")
def results():
    return TransferResults(
        {
            "candidate": ["vit / a", "vit / b", "vit / c", "bert", "broken"],
            "extractor": ["vit", "vit", "vit", "bert", "broken"],
            "layer": ["a", "b", "c", None, None],
            "score_logme": [0.1, 0.3, 0.2, 0.25, None],
            "score_lfc": [0.2, 0.1, 0.4, np.inf, None],
            "std_error_logme": [0.1, 0.1, 0.1, 0.1, None],
            "transform_time": [1.5, 0.02, 75.0, None, None],
            "error": ["", "", "", "", "RuntimeError: no weights"],
        },
        metadata=FACTS,
    )


@pytest.fixture(scope="module")
def text(results):
    return results.to_html()


def test_the_page_refers_to_nothing_outside_itself(text):
    page = Page(text)
    links = [
        a for _, attrs in page.tags for n, a in attrs.items() if n in ("src", "href")
    ]
    assert links
    assert all(link.startswith("data:") for link in links)
    style = re.search(r"<style>(.*?)</style>", text, re.S)[1]
    assert "url(" not in style
    assert "@import" not in style
    assert not page.all("link")
    policy = [a["content"] for a in page.all("meta") if "http-equiv" in a]
    assert policy[0].startswith("default-src 'none'; img-src data:;")


def test_without_scripts_no_control_is_dead(text):
    page = Page(text)
    assert not {"button", "input", "form", "output"} & {tag for tag, _ in page.tags}
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)


def test_cells_say_which_numbers_they_stand_for(results, text):
    page = Page(text)
    numeric = [attrs for attrs in page.all("th") if "data-numeric" in attrs]
    assert len(numeric) == 6
    orders = [attrs["data-order"] for attrs in numeric]
    assert orders.count("descending") == len(results.metrics)
    values = [attrs["data-value"] for attrs in page.all("td") if "data-value" in attrs]
    assert "75.0" in values
    assert "Infinity" in values
    assert "nan" not in values


def test_notebooks_get_the_same_table_without_the_data_for_sorting(results, text):
    table = re.search(r"<table.*?</table>\n", text, re.S)[0]
    plain = re.sub(r' data-(numeric|order="\w+"|value="[^"]*")', "", table)
    assert plain == results._repr_html_()


@needs_matplotlib
def test_pictures_have_texts_that_stand_for_them(text):
    images = Page(text).all("img")
    assert len(images) == 3
    for image in images:
        assert len(image["alt"]) > 20
        drawn = base64.b64decode(image["src"].partition("base64,")[2])
        assert b"<svg" in drawn


@needs_matplotlib
def test_pictures_are_drawn_where_they_say_something():
    def n_pictures(columns):
        return TransferResults(columns).to_html().count("<img")

    assert n_pictures({"candidate": ["a"], "score_x": [None]}) == 0
    assert n_pictures({"candidate": [], "score_x": []}) == 0
    assert n_pictures({"candidate": ["a"], "score_x": [1.0]}) == 1


@needs_matplotlib
def test_the_page_is_the_same_every_time(results, text):
    assert results.to_html() == text


@needs_matplotlib
def test_letters_that_the_font_has_not_raise_no_warning():
    assert "<img" in TransferResults({"candidate": ["層"], "score_x": [1.0]}).to_html()


def test_without_matplotlib_there_are_no_pictures(results, monkeypatch):
    for name in [n for n in sys.modules if n.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    page = results.to_html()
    assert "<img" not in page
    assert page == results.to_html(pictures=False)


def test_facts_are_listed_by_section(text):
    page = Page(text)
    assert page.said("h3") == ["Run", "Metrics", "Parameters", "Data", "Versions"]
    facts = dict(zip(page.said("dt"), page.said("dd"), strict=True))
    assert facts["logme"] == "LogME()"
    assert facts["max_samples"] == "None"
    assert facts["extractors.vit"] == "Vit(depth=3)"
    assert facts["shape"] == "500, 64"
    assert facts["note"] == "<b>by hand</b>"


def test_the_same_versions_can_be_installed(text):
    (_, command) = Page(text).said("pre")
    assert command == "pip install sklearn-transrate==0.1.0 scikit-learn==1.9.1"


def test_the_numbers_in_the_page_are_the_table(results, text):
    json, csv = (
        base64.b64decode(link["href"].partition("base64,")[2]).decode()
        for link in Page(text).all("a")
    )
    assert TransferResults.from_json(json) == results
    assert TransferResults.from_json(json).metadata == results.metadata
    assert TransferResults.from_csv(csv) == results


def test_without_facts_the_page_says_nothing_of_them():
    page = Page(TransferResults({"candidate": ["a"], "score_x": [1.0]}).to_html())
    assert page.said("h3") == []
    assert not any("pip install" in text for _, text in page.texts)


def test_headings_go_down_one_step_at_a_time(text):
    levels = [int(tag[1]) for tag, _ in Page(text).tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert max(np.diff(levels)) == 1
