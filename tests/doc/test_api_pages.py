"""The API reference lists every public name, and each has one home."""

from __future__ import annotations

import importlib
import inspect
import tomllib
from collections import Counter

import pytest

from tests.conformance.test_docstrings import MODULES
from tests.doc import ROOT, package_text

each_module = pytest.mark.parametrize("module", package_text.PUBLIC_MODULES)


def listed(module):
    """Names in the page's tables, and those that it links to elsewhere."""
    lines = package_text.api_page(module).splitlines()
    own = [line.strip() for line in lines if line.startswith("   ") and ":" not in line]
    linked = [line[3:-1].rpartition(".")[2] for line in lines if line[:3] == "* `"]
    return own, linked


@each_module
def test_every_public_name_is_on_the_page_once(module):
    own, linked = listed(module)
    assert Counter(own + linked) == Counter(importlib.import_module(module).__all__)


def test_every_name_has_one_home():
    homes = Counter(
        name for module in package_text.PUBLIC_MODULES for name in listed(module)[0]
    )
    assert set(homes.values()) == {1}


def test_all_modules_whose_docstrings_are_checked_have_a_page():
    assert set(MODULES) <= set(package_text.PUBLIC_MODULES)


def test_modules_of_frameworks_have_a_page():
    assert "sklearn_transrate.extractors.torch" in package_text.PUBLIC_MODULES


def test_index_leads_to_every_page():
    index = package_text.api_index()
    _, _, tree = index.partition(".. toctree::")
    for module in package_text.PUBLIC_MODULES:
        assert f":doc:`{module} <generated/{module}>`" in index
        assert f" <generated/{module}>\n" in f"{tree}\n"


@each_module
def test_page_is_opened_by_what_the_module_says(module):
    said = inspect.getdoc(importlib.import_module(module))
    assert said in package_text.api_page(module)


def test_every_framework_is_in_the_guide_with_an_extra_that_exists():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    table = package_text.framework_list()
    for module in package_text.FRAMEWORKS:
        extra = module.rpartition(".")[2]
        assert extra in project["project"]["optional-dependencies"]
        assert f"``{extra}``" in table
        assert f"`~{module}." in table
