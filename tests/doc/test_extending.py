"""The modules that "your own metric" and "your own extractor" show really work."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib

import pytest

from tests.doc import DOC

FOLDER = DOC / "extending"


def run(*command, cwd):
    return subprocess.run(
        [sys.executable, *command], cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "name", ["variance_share", "pipeline_extractor"], ids=["metric", "extractor"]
)
def test_shown_module_keeps_the_laws(name, tmp_path):
    for file in (f"{name}.py", f"test_{name}.py"):
        shutil.copy(FOLDER / file, tmp_path)
    report = run("-m", "pytest", "-q", "-W", "error", ".", cwd=tmp_path)
    assert report.returncode == 0, report.stdout
    assert int(re.search(r"(\d+) passed", report.stdout)[1]) > 5


def test_laws_would_notice_a_wrong_claim(tmp_path):
    source = (FOLDER / "variance_share.py").read_text(encoding="utf-8")
    boast = source.replace("bounds = (0.0, 1.0)", "bounds = (0.9, 1.0)")
    assert boast != source
    (tmp_path / "variance_share.py").write_text(boast, encoding="utf-8")
    shutil.copy(FOLDER / "test_variance_share.py", tmp_path)
    report = run("-m", "pytest", "-q", ".", cwd=tmp_path)
    assert report.returncode == 1
    assert "bounds" in report.stdout


@pytest.mark.parametrize("name", ["variance_share", "pipeline_extractor"])
def test_shown_module_has_twenty_lines_of_code(name):
    lines = (FOLDER / f"{name}.py").read_text(encoding="utf-8").splitlines()
    assert sum(bool(line.strip()) for line in lines) <= 20


def test_shown_entry_point_registers_the_metric(tmp_path):
    shutil.copy(FOLDER / "variance_share.py", tmp_path)
    page = (FOLDER / "metric.rst").read_text(encoding="utf-8")
    block = re.search(r"code-block:: toml\n\n((?:   .*\n)+)", page)[1]
    points = tomllib.loads(block.replace("   ", ""))["project"]["entry-points"]
    facts = tmp_path / "variance_share-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Name: variance_share\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in named.items())
            for group, named in points.items()
        )
    )
    code = (
        "import json\n"
        "from sklearn_transrate import get_metric, get_metric_names\n"
        "names = get_metric_names()\n"
        "score = get_metric('variance_share').score([[0], [1], [5], [6]], list('aabb'))"
        "\nprint(json.dumps(['variance_share' in names, score]))"
    )
    report = run("-c", code, cwd=tmp_path)
    is_listed, score = json.loads(report.stdout or "[]") or (report.stderr, None)
    assert is_listed is True
    # Means 0.5 and 5.5: 6.25 between and 0.25 within.
    assert score == pytest.approx(6.25 / 6.5)
