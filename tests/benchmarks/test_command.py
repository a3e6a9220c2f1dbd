"""The command line, on problems too small to mean anything."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.benchmarks import memory
from tests.benchmarks.__main__ import BENCHMARKS, main
from tests.benchmarks.settings import Settings
from tests.benchmarks.startup import import_seconds

SMALL = ["--scale", "0.01", "--repeats", "1", "--quiet"]
# The other tests run growth, and start processes of their own.
ELSEWHERE = {"growth", "memory", "startup"}


@pytest.mark.parametrize("name", sorted(set(BENCHMARKS) - ELSEWHERE))
def test_every_benchmark_runs_and_prints_a_table(name, capsys):
    assert main([name, *SMALL, "--format", "json"]) == 0
    (table,) = json.loads(capsys.readouterr().out)["tables"]
    assert table["rows"]
    for row in table["rows"]:
        is_skipped = row["against"].startswith("skipped: ")
        assert row["value"] is not None or row["series"] or is_skipped


def test_results_are_written_and_drawn(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    paths = [tmp_path / name for name in ("out.json", "out.md", "out.png")]
    arguments = ["--out", str(paths[0]), "--out", str(paths[1])]
    main(["growth", *SMALL, *arguments, "--plot", str(paths[2])])
    assert "growth in n: power" in capsys.readouterr().out
    assert json.loads(paths[0].read_text())["tables"][0]["failures"] == 0
    assert paths[1].read_text().startswith("**Speed and memory")
    assert paths[2].stat().st_size > 1000


def test_a_requirement_that_is_not_met_fails_the_command(monkeypatch, capsys):
    monkeypatch.setattr("tests.benchmarks.speed.EXACT", -1.0)
    assert main(["h_score", *SMALL]) == 1
    assert "NO" in capsys.readouterr().out


def test_unknown_names_are_refused(capsys):
    with pytest.raises(SystemExit):
        main(["transrates"])
    assert "invalid choice" in capsys.readouterr().err


def test_files_are_ranked_in_a_process_that_tells_its_peak(tmp_path):
    labels = memory.write_features(tmp_path / "features.bin", 500, 6, 3)
    memory.np.save(tmp_path / "labels.npy", labels)
    found = [
        memory.measure(case, 500, 6, 3, tmp_path)
        for case in ("partial_fit", "accumulate")
    ]
    assert found[0].score == pytest.approx(found[1].score, rel=1e-9)
    assert all(20 < one.peak < 2000 for one in found)
    assert all(one.private is None or one.private <= one.peak for one in found)


def test_a_process_that_fails_says_why():
    with pytest.raises(RuntimeError, match="KeyError: 'nonsense'"):
        memory.measure("nonsense")


def test_peak_memory_is_that_of_the_process():
    code = (
        "from tests.benchmarks.memory import peak_memory; before = peak_memory();"
        "block = bytearray(200 * 2**20); print(peak_memory() - before)"
    )
    grown = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=memory.ROOT,
    )
    assert float(grown.stdout) == pytest.approx(200, abs=20)


def test_importing_takes_time():
    assert 0 < import_seconds("json", Settings().clock) < 10
