"""Every block of code in the pages runs, and shows what it says."""

from __future__ import annotations

import doctest
import io
import re

import pytest

from tests.doc import DOC, ROOT

GENERATED = {"_build", "auto_examples", "generated", "upcoming"}
PAGES = sorted(
    path for path in DOC.rglob("*.rst") if not GENERATED & set(path.parts[:-1])
)
each_page = pytest.mark.parametrize(
    "page", PAGES, ids=lambda path: str(path.relative_to(DOC).with_suffix(""))
)
# Pages on packages that only their readers have.
NEEDS = {"clusters": "dask.array", "results": "matplotlib"}
# What is no Python, and is shown without being run.
SHOWN = {"console", "text", "toml"}


@pytest.fixture
def own_modules(monkeypatch, tmp_path):
    """Let pages import the modules that they show, and write where nobody looks."""
    monkeypatch.syspath_prepend(str(DOC / "extending"))
    monkeypatch.chdir(tmp_path)


@each_page
def test_blocks_show_what_they_compute(page, own_modules):
    pytest.importorskip(NEEDS.get(page.stem, "numpy"))
    text = page.read_text(encoding="utf-8")
    names = {"__name__": "__main__"}
    blocks = doctest.DocTestParser().get_doctest(text, names, page.stem, str(page), 0)
    report = io.StringIO()
    runner = doctest.DocTestRunner(
        optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    )
    runner.run(blocks, out=report.write)
    assert not runner.failures, report.getvalue()


@each_page
def test_no_code_is_shown_without_being_run(page):
    text = page.read_text(encoding="utf-8")
    languages = set(re.findall(r"^\.\. code(?:-block)?:: *(\S*)", text, re.MULTILINE))
    assert languages <= SHOWN
    # A paragraph that ends in two colons is code without a language.
    assert not re.findall(r"^(?!\.\.).*::$", text, re.MULTILINE)


def test_guide_has_a_page_for_each_stage():
    stages = {"extractors", "statistics", "metrics", "selection", "results"}
    assert stages <= {page.stem for page in PAGES if page.parent.name == "guide"}


def test_pages_do_not_name_the_machine_that_they_were_written_on():
    for path in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        assert not re.search(r"(?<!\w)/(tmp|root|home|work)/", path.read_text("utf-8"))
