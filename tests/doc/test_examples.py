"""Every example runs, asks a question, and says when the answer would differ."""

from __future__ import annotations

import ast
import importlib
import runpy
import tempfile
import time

import pytest
from threadpoolctl import threadpool_limits

from tests.doc import EXAMPLES, example_needs

SCRIPTS = sorted(EXAMPLES.glob("plot_*.py"))
# Ten seconds are promised; a busy machine may take longer.
MOST_CPU_SECONDS = 20.0
each_script = pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)


@pytest.fixture
def pyplot(monkeypatch):
    matplotlib = pytest.importorskip("matplotlib", reason="needs the plot extra")
    matplotlib.use("Agg")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    # Shows nothing here, and warns of it.
    monkeypatch.setattr(pyplot, "show", lambda: None)
    yield pyplot
    pyplot.close("all")


def test_there_are_examples():
    assert len(SCRIPTS) >= 5


@each_script
def test_example_runs_without_warning_and_draws(script, pyplot, monkeypatch, tmp_path):
    missing = example_needs.missing_modules(script)
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    importlib.import_module("tests.extractors.conftest")  # Helps torchvision.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    start = time.process_time()
    # Threads that spin while others compute would be counted as well.
    with threadpool_limits(1):
        runpy.run_path(str(script), run_name="__main__")
    assert time.process_time() - start < MOST_CPU_SECONDS
    figures = [pyplot.figure(number) for number in pyplot.get_fignums()]
    assert figures
    for figure in figures:
        figure.canvas.draw()


def test_examples_with_missing_frameworks_are_left_out(tmp_path, capsys):
    (tmp_path / "plot_a.py").write_text('"""\nA?\n\nNeeds: numpy, no_such\n"""\n')
    (tmp_path / "plot_b.py").write_text('"""\nB?\n\nNeeds: numpy\n"""\n')
    assert example_needs.runnable(tmp_path) == ["plot_b.py"]
    shown = "plot_a.py is shown but not run: needs no_such"
    assert capsys.readouterr().out.strip() == shown


@each_script
def test_title_is_a_question(script):
    title = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8")))
    assert title.splitlines()[0].endswith("?")


@each_script
def test_example_ends_with_when_the_answer_would_differ(script):
    headings = script.read_text(encoding="utf-8").split("# ----")
    assert headings[-2].splitlines()[-1] == "# When the answer would differ"
