"""The command line, through real processes where a process is the point."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from functools import partial
from importlib.metadata import entry_points

import pytest

import sklearn_transrate
from sklearn_transrate import cli, demo
from sklearn_transrate.cli import _messages
from sklearn_transrate.cli._options import repeat_options
from sklearn_transrate.results import TransferResults

SMALL = {"sources": ["digits", "random"], "models": [], "n_copies": 1, "n_epochs": 2}


def run(*arguments, code=None):
    """Run the command line, or some code, in a process of its own."""
    start = ["-m", "sklearn_transrate"] if code is None else ["-c", code]
    return subprocess.run(
        [sys.executable, *start, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"},
        timeout=300,
        check=False,
    )


@pytest.fixture
def typer():
    return pytest.importorskip("typer")


@pytest.fixture
def small_demo(typer, monkeypatch):
    """The demonstration as it is, on less data."""
    monkeypatch.setattr(demo, "run_demo", partial(demo.run_demo, **SMALL))


# -- without the demonstration's work --------------------------------------------------


def test_version_is_the_packages(typer):
    done = run("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"sklearn-transrate {sklearn_transrate.__version__}\n"


def test_help_names_every_option_of_the_demo(typer):
    done = run("demo", "--help")
    assert done.returncode == 0
    for option in ("--metric", "--plot", "--seed", "--format", "--jobs"):
        assert option in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["dema"],
        ["demo", "--sed", "1"],
        ["demo", "--seed", "one"],
        ["demo", "--seed", "-1"],
        ["demo", "--format", "xlsx"],
        ["demo", "--metric"],
        ["demo", "logme"],
    ],
)
def test_arguments_that_make_no_sense_end_with_2(typer, arguments, capsys):
    assert cli.main(arguments) == 2
    assert "".join(capsys.readouterr())


def test_unknown_metric_ends_with_2_and_tells_near_names(typer):
    done = run("demo", "--metric", "logme", "logmee")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Did you mean 'logme'" in done.stderr
    assert "pretraining" not in done.stderr


def test_metric_that_cannot_rank_features_ends_with_1_and_its_reason(typer, capsys):
    assert cli.main(["demo", "--metric", "leep"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("sklearn-transrate: ")
    assert "pretraining" not in err


def test_picture_that_cannot_be_written_ends_with_1_before_the_work(
    typer, tmp_path, capsys
):
    pytest.importorskip("matplotlib")
    assert cli.main(["demo", "--plot", str(tmp_path / "nowhere" / "demo.png")]) == 1
    err = capsys.readouterr().err
    assert "There is no folder" in err
    assert "pretraining" not in err


def test_without_typer_the_remedy_is_told(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "typer", None)
    assert cli.main(["--version"]) == 1
    assert "pip install 'sklearn-transrate[cli]'" in capsys.readouterr().err


def test_importing_it_imports_no_optional_package():
    # scikit-learn itself looks for rich.
    done = run(
        code="import sys, sklearn_transrate.cli; "
        "print({'typer', 'click', 'matplotlib'} & set(sys.modules))"
    )
    assert done.stdout == "set()\n"


def test_installed_program_is_this_function():
    (point,) = entry_points(group="console_scripts", name="sklearn-transrate")
    assert point.load() is cli.main


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["--metric", "a", "b", "c"], ["--metric", "a", *["--metric", "b"]]),
        (["x", "--metric", "a", "--seed", "1"], ["x", "--metric", "a", "--seed", "1"]),
        (["--metric", "a", "--metric", "b"], ["--metric", "a", "--metric", "b"]),
        (["--seed", "1", "2"], ["--seed", "1", "2"]),
        (["--metric=a", "b"], ["--metric=a", "b"]),
        ([], []),
    ],
)
def test_only_metrics_take_several_values(given, meant):
    if given[-1:] == ["c"]:
        meant = [*meant, "--metric", "c"]
    assert repeat_options(given) == meant


# -- the demonstration -----------------------------------------------------------------


def test_demo_as_a_user_runs_it(typer, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "demo.png"
    done = run("demo", "--plot", str(path), "--format", "json")
    assert done.returncode == 0, done.stderr
    results = TransferResults.from_json(done.stdout)
    assert results.metrics == ["transrate", "transrate_relative", "logme"]
    assert len(results) == 55
    accuracy = dict(zip(results["candidate"], results["accuracy"], strict=True))
    # Pretraining on digits pays, and where it does matters.
    assert accuracy["digits / hidden_2"] > accuracy["pixels"] + 0.15
    assert accuracy["digits / hidden_3"] > accuracy["random / hidden_3"] + 0.15
    facts = results.metadata["demo"]
    first = facts["agreements"][0]
    assert first["question"] == "which candidate"
    assert first["metric"] == "transrate"
    assert first["weighted_tau"] > 0.6
    assert first["accuracy_lost"] < 0.05
    assert path.read_bytes().startswith(b"\x89PNG")
    for stage in ("pretraining: 18 of 18", "ranking: 3 of 3", "training heads: 55 of"):
        assert stage in done.stderr


@pytest.mark.usefixtures("small_demo")
class TestFormats:
    def test_table_is_for_reading(self, capsys):
        assert cli.main(["demo", "--metric", "logme", "--jobs", "1"]) == 0
        out, err = capsys.readouterr()
        assert out.startswith("10 candidates for telling the digits 5 to 9 apart")
        assert "which source?" in out
        assert "training heads: 10 of 10" in err

    def test_csv_reads_back(self, capsys):
        arguments = ["--metric", "logme", "h_score", "--format", "csv", "--jobs", "1"]
        assert cli.main(["demo", *arguments]) == 0
        results = TransferResults.from_csv(capsys.readouterr().out)
        assert results.metrics == ["logme", "h_score"]
        assert len(results) == 10
        assert (results["accuracy"] > 0.1).all()

    def test_markdown_has_every_candidate(self, capsys):
        arguments = ["--metric", "logme", "--format", "markdown", "--jobs", "1"]
        assert cli.main(["demo", *arguments]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert sum(" / hidden_" in line for line in lines[4:14]) == 9

    def test_json_names_the_seed(self, capsys):
        arguments = ["--seed", "7", "--metric", "logme", "--format", "json"]
        assert cli.main(["demo", "--jobs", "1", *arguments]) == 0
        content = json.loads(capsys.readouterr().out)
        assert content["metadata"]["demo"]["random_state"] == 7


# -- progress --------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_in_a_terminal_is_a_bar(monkeypatch):
    pytest.importorskip("rich")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with _messages.show_progress() as progress:
        progress("pretraining", 0, 3)
        progress("pretraining", 3, 3)
    assert "pretraining" in terminal.getvalue()
    assert "3/3" in terminal.getvalue()


def test_progress_without_rich_is_lines(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with _messages.show_progress() as progress:
        for done in range(4):
            progress("ranking", done, 3)
    first, last = terminal.getvalue().splitlines()
    assert first == "ranking: 0 of 3"
    assert last.startswith("ranking: 3 of 3 (")


def test_long_stages_tell_of_themselves(monkeypatch, capsys):
    clock = iter(range(0, 100, 2))
    monkeypatch.setattr(_messages.time, "perf_counter", lambda: next(clock))
    show = _messages.plain_progress()
    for done in range(8):
        show("pretraining", done, 7)
    assert capsys.readouterr().err.splitlines() == [
        "pretraining: 0 of 7",
        "pretraining: 3 of 7 (6.00 s)",
        "pretraining: 6 of 7 (12.0 s)",
        "pretraining: 7 of 7 (14.0 s)",
    ]
