"""Scoring, ranking and reporting files, as a user runs them: in real processes."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from sklearn.datasets import load_iris

from sklearn_transrate import cli
from sklearn_transrate.metrics import leep_score, logme_score, score_all
from sklearn_transrate.results import TransferResults
from tests.test_cli import run

pytest.importorskip("typer", reason="needs the cli extra")
pytest.importorskip("rich", reason="needs the cli extra")

X, LABELS = load_iris(return_X_y=True)
PROBA = np.eye(3)[LABELS] * 0.8 + 0.2 / 3
NOISE = np.random.default_rng(0).normal(size=(len(X), 3))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a zoo in it, and nothing else to read."""
    monkeypatch.chdir(tmp_path)
    zoo = tmp_path / "zoo"
    zoo.mkdir()
    np.savez(zoo / "iris.npz", Z=X, P=PROBA, y=LABELS)
    np.savez(zoo / "layers.npz", early=NOISE, late=X[:, 2:])
    np.save(zoo / "noise.npy", NOISE)
    np.save(tmp_path / "y.npy", LABELS)
    return tmp_path


def error_line(arguments, status, capsys):
    """The only line on standard error, of a run that ends with this status.

    In this process: the errors are many, and each process loads scikit-learn anew.
    """
    assert cli.main(arguments) == status
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("sklearn-transrate: ")
    return line


# -- score -----------------------------------------------------------------------------


def test_score_is_that_of_the_functions(folder):
    done = run(
        "score", "zoo/iris.npz", "--metric", "transrate", "logme", "--format", "json"
    )
    assert (done.returncode, done.stderr) == (0, "")
    results = TransferResults.from_json(done.stdout)
    assert results["candidate"].tolist() == ["iris / Z"]
    for metric, score in score_all(X, LABELS, ["transrate", "logme"]).items():
        assert results[f"score_{metric}"][0] == score


def test_score_of_probabilities_is_asked_for(folder):
    done = run(
        "score",
        "zoo/iris.npz",
        "--features",
        "P",
        "--metric",
        "leep",
        "--format",
        "csv",
    )
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert row["candidate"] == "iris / P"
    assert float(row["score_leep"]) == leep_score(PROBA, LABELS)


def test_several_files_share_labels(folder):
    done = run(
        "score",
        "zoo/layers.npz",
        "zoo/noise.npy",
        "--labels",
        "y.npy",
        "--format",
        "csv",
    )
    assert done.returncode == 0, done.stderr
    names = [row["candidate"] for row in csv.DictReader(io.StringIO(done.stdout))]
    assert names == ["layers / early", "layers / late", "noise / features"]


def test_a_file_that_fails_is_a_row_and_status_1(folder):
    done = run("score", "zoo/noise.npy", "zoo/iris.npz", "--format", "json")
    assert done.returncode == 1
    assert "zoo/noise.npy: Expected labels beside the features" in done.stderr
    results = TransferResults.from_json(done.stdout)
    assert results["status"].tolist() == ["failed", "ok"]


@pytest.mark.parametrize(
    "name", ["labels.npz", "labels.safetensors", "labels.csv", "labels.txt"]
)
def test_labels_come_from_files_of_many_kinds(folder, name):
    if name.endswith("npz"):
        np.savez(name, ids=np.arange(150), y=LABELS)
    elif name.endswith("safetensors"):
        pytest.importorskip("safetensors.numpy").save_file({"y": LABELS}, name)
    elif name.endswith("csv"):
        pytest.importorskip("pandas").DataFrame({"label": LABELS}).to_csv(name)
    else:
        (folder / name).write_text("\n".join(f"class {i}" for i in LABELS))
    done = run(
        "score",
        "zoo/noise.npy",
        "--labels",
        name,
        "--metric",
        "logme",
        "--format",
        "json",
    )
    assert done.returncode == 0, done.stderr
    results = TransferResults.from_json(done.stdout)
    assert results["score_logme"][0] == pytest.approx(logme_score(NOISE, LABELS))


def test_columns_of_a_table_are_features(folder):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcd")).assign(kind=LABELS.astype(str))
    frame.assign(note="text").to_csv("table.csv", index=False)
    done = run(
        "score", "table.csv", "--label-name", "kind", "--metric", "logme",
        "--features", "[ab]", "c", "--format", "json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = TransferResults.from_json(done.stdout)
    assert results["n_features"][0] == 3
    assert results["score_logme"][0] == pytest.approx(logme_score(X[:, :3], LABELS))


def test_a_pickle_is_never_loaded(folder):
    class Bomb:
        def __reduce__(self):
            return (open, (str(folder / "exploded"), "w"))

    objects = np.empty((2, 2), dtype=object)
    objects[0, 0] = Bomb()
    np.save("bomb.npy", objects, allow_pickle=True)
    done = run("score", "zoo/noise.npy", "--labels", "bomb.npy")
    assert done.returncode == 1
    assert "A pickle can run any code, so it is never loaded" in done.stderr
    assert not (folder / "exploded").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["score", "nowhere.npz"], "'nowhere.npz' does not exist"),
        (["score", "zoo/iris.npz", "--metric", "logmee"], "Did you mean 'logme'"),
        (["score", "--metric", "logme", "zoo/iris.npz"], "Missing argument"),
        (["score", "zoo/iris.npz", "--metric", "gbc", "y.npy"], "Files come before"),
        (["rank", "zoo", "--out", "report.pdf"], "ends in .html, .csv, .json, .md"),
        (["rank", "zoo", "--out", "no/report.html"], "There is no folder 'no'"),
        (["rank", "zoo", "--max-samples", "2.5"], "a share from 0 to 1, got '2.5'"),
        (["report", "y.npy"], "ends in .json or .csv, got 'y.npy'"),
        (["extract", "resnet.pt", "y.npy", "--out", "f.npz"], "ending in .onnx"),
        (
            ["extract", "onnx:a", "y.npy", "--out", "f.npz"],
            "Expected a file of a model",
        ),
        (["extract", "a.onnx", "y.npy", "--out", "f.pkl"], "ends in .npz, .npy"),
        (["score", "zoo/iris.npz", "--format", "xml"], "'xml' is not one of"),
        (["scroe"], "No such command 'scroe'"),
    ],
)
def test_wrong_arguments_end_with_2_and_one_line(folder, arguments, message, capsys):
    assert message in error_line(arguments, 2, capsys)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["score", "zoo/noise.npy"], "Pass them with --labels"),
        (["score", "zoo/iris.npz", "--features", "W"], "Found no features 'W'"),
        (["score", "zoo/iris.npz", "--label-name", "z"], "Found no labels 'z'"),
        (["score", "zoo/iris.npz", "--labels", "short.npy"], "10 labels for 150 rows"),
        (["rank", "zoo/noise.npy"], "Expected labels, found none"),
        (["rank", "empty"], "Expected files of features in empty, found none"),
        (["rank", "broken.npz", "--labels", "y.npy", "--quiet"], "an intact .npz file"),
        (["report", "bad.json"], "JSON"),
    ],
)
def test_failures_end_with_1_and_one_line(folder, arguments, message, capsys):
    np.save("short.npy", LABELS[:10])
    (folder / "empty").mkdir()
    (folder / "broken.npz").write_bytes(b"no archive")
    (folder / "bad.json").write_text("{")
    assert message in error_line(arguments, 1, capsys)


def test_errors_of_a_process_are_one_line_without_a_traceback(folder):
    done = run("rank", "zoo/noise.npy")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("sklearn-transrate: Expected labels, found none")
    assert done.stderr.count("\n") == 1


def test_traceback_is_shown_to_those_who_ask(folder):
    done = run("--traceback", "rank", "zoo/noise.npy")
    assert "Traceback (most recent call last)" in done.stderr


# -- rank ------------------------------------------------------------------------------


def test_rank_puts_the_best_first_and_tells_on_standard_error(folder):
    done = run("rank", "zoo", "--labels", "y.npy", "--metric", "logme", "transrate")
    assert done.returncode == 0, done.stderr
    header, first, *others = done.stdout.splitlines()
    assert header.split()[:4] == ["rank", "candidate", "logme", "transrate"]
    assert first.split()[:4] == ["1", "iris", "/", "Z"]
    assert len(others) == 3
    assert "[TransferSelector] layers: ok" in done.stderr
    assert not any(line.endswith(" ") for line in done.stdout.splitlines())


def test_a_broken_candidate_is_a_row_of_the_ranking(folder):
    (folder / "zoo" / "broken.npz").write_bytes(b"no archive")
    np.save("zoo/short.npy", NOISE[:9])
    np.savez("zoo/other.npz", Z=X, y=LABELS[::-1])
    done = run("rank", "zoo", "--labels", "y.npy", "--format", "json", "--quiet")
    assert done.returncode == 0, done.stderr
    results = TransferResults.from_json(done.stdout)
    errors = dict(zip(results["candidate"], results["error"], strict=True))
    assert "intact .npz file" in errors["broken"]
    assert "got 9 rows for 150 labels" in errors["short"]
    assert "but they differ" in errors["other"]
    assert (results["status"] == "ok").sum() == 4
    assert "sklearn-transrate: broken failed: ValueError" in done.stderr


@pytest.mark.parametrize("ending", ["html", "csv", "json", "md"])
def test_out_is_written_by_its_ending(folder, ending):
    done = run(
        "rank", "zoo", "--labels", "y.npy", "--quiet", "--out", f"report.{ending}"
    )
    assert done.returncode == 0, done.stderr
    text = (folder / f"report.{ending}").read_text(encoding="utf-8")
    assert done.stderr == f"sklearn-transrate: wrote report.{ending}\n"
    if ending == "csv":
        assert len(TransferResults.from_csv(text)) == 4
    elif ending == "json":
        assert TransferResults.from_json(text).metadata["versions"]
    else:
        assert text.startswith({"html": "<!", "md": "| rank |"}[ending].strip()[:2])
        assert "iris / Z" in text


def test_rank_takes_a_subsample_and_goes_on_from_memory(folder):
    arguments = ["rank", "zoo", "--labels", "y.npy", "--format", "json"]
    more = ["--max-samples", "0.4", "--n-jobs", "2", "--memory", "kept"]
    first, again = (run(*arguments, *more) for _ in range(2))
    results = [TransferResults.from_json(done.stdout) for done in (first, again)]
    assert set(results[0]["n_samples"]) == {60}
    scores = [table["score_transrate"].tolist() for table in results]
    assert scores[0] == scores[1]
    assert any((folder / "kept").rglob("*.*"))


def test_labels_in_the_files_serve_where_they_agree(folder):
    np.savez("zoo/layers.npz", late=X[:, 2:], y=LABELS)
    done = run("rank", "zoo/layers.npz", "zoo/noise.npy", "--format", "csv", "--quiet")
    assert done.returncode == 0, done.stderr
    assert "layers / late,layers,late," in done.stdout


def test_files_of_the_same_name_are_told_apart(folder):
    (folder / "other").mkdir()
    np.save("other/noise.npy", NOISE)
    done = run("rank", "zoo/noise.npy", "other", "--labels", "y.npy", "--format", "csv")
    names = [row["extractor"] for row in csv.DictReader(io.StringIO(done.stdout))]
    assert names == ["zoo/noise", "other/noise"]


# -- report ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_report_reads_what_rank_wrote(folder, kind):
    ranked = run("rank", "zoo", "--labels", "y.npy", "--quiet", "--format", kind)
    (folder / f"ranking.{kind}").write_text(ranked.stdout, encoding="utf-8")
    page = run("report", f"ranking.{kind}", "--out", "page.html")
    assert (page.returncode, page.stdout) == (0, "")
    assert "layers / late" in (folder / "page.html").read_text(encoding="utf-8")
    again = run("report", f"ranking.{kind}", "--format", "json")
    columns = [json.loads(again.stdout)["columns"][c] for c in ("candidate", "status")]
    assert columns[0] == [
        "iris / Z",
        "layers / early",
        "layers / late",
        "noise / features",
    ]
    assert columns[1] == ["ok"] * 4


# -- all of them -----------------------------------------------------------------------


@pytest.mark.parametrize("command", ["demo", "score", "rank", "extract", "report"])
def test_help_ends_in_examples(command, capsys):
    assert cli.main([command, "--help"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert f"Examples:\n    sklearn-transrate {command}" in out


def test_no_command_shows_help_and_ends_with_2():
    done = run()
    assert done.returncode == 2
    assert "Commands:" in done.stdout + done.stderr


def test_shell_completion_names_commands():
    code = (
        "import os, sys; os.environ.update("
        "_SKLEARN_TRANSRATE_COMPLETE='complete_bash', "
        "COMP_WORDS='sklearn-transrate re', COMP_CWORD='1'); "
        "from sklearn_transrate.cli import main; sys.exit(main([]))"
    )
    assert run(code=code).stdout.split() == ["report"]


def test_nothing_is_coloured_in_a_pipe(folder):
    done = run("rank", "zoo", "--labels", "y.npy")
    assert "\x1b" not in done.stdout + done.stderr
