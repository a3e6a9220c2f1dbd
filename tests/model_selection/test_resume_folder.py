"""The folder of a ranking that resumes: its size, its writers, its keys."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from sklearn.datasets import load_iris

from sklearn_transrate import TransferSelector
from sklearn_transrate.model_selection._candidates import Source
from sklearn_transrate.model_selection._resume import StatisticsStore
from tests.model_selection.test_resume import Recorded, ranked

X, y = load_iris(return_X_y=True)
pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn_transrate.exceptions.UnstableRankingWarning"
)


@pytest.fixture(autouse=True)
def _forget():
    Recorded.passes, Recorded.killed_at = [], None


def test_files_used_longest_ago_make_room(tmp_path, monkeypatch):
    ranked(tmp_path).fit(X, y)
    sizes = {file: file.stat().st_size for file in tmp_path.glob("*.npz")}
    for file in sizes:
        os.utime(file, (0, 0))
    most = sum(sizes.values()) + min(sizes.values()) // 2
    monkeypatch.setattr("sklearn_transrate.model_selection._resume.MOST_BYTES", most)
    ranked(tmp_path).fit(X, y)  # Used again, and so the youngest.
    kept = sorted(sizes)[0]
    for file in set(sizes) - {kept}:
        os.utime(file, (0, 0))
    TransferSelector([("other", Recorded(4))], memory=tmp_path).fit(X, y)
    left = set(tmp_path.glob("*.npz"))
    assert kept in left
    assert len(left) == 3
    assert sum(file.stat().st_size for file in left) <= most


def test_a_ranking_keeps_its_own_files_however_large(tmp_path, monkeypatch):
    monkeypatch.setattr("sklearn_transrate.model_selection._resume.MOST_BYTES", 1)
    ranked(tmp_path).fit(X, y)
    Recorded.passes = []
    ranked(tmp_path).fit(X, y)
    assert Recorded.passes == []


def test_only_files_of_its_own_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("sklearn_transrate.model_selection._resume.MOST_BYTES", 1)
    mine = [tmp_path / "features.npz", tmp_path / ("0" * 31 + ".npz")]
    for file in mine:
        file.write_bytes(b"12345")
    ranked(tmp_path).fit(X, y)
    assert all(file.exists() for file in mine)


def test_paths_stand_for_what_is_in_their_files(tmp_path):
    paths = [str(tmp_path / f"{i}.txt") for i in range(6)]
    for path in paths:
        Path(path).write_text("1")
    store = partial(StatisticsStore, tmp_path)
    source = Source("raw", Recorded())
    before = store((paths, [0, 1] * 3)).path(source)
    assert store((paths, [0, 1] * 3)).path(source) == before
    Path(paths[3]).write_text("22")
    assert store((paths, [0, 1] * 3)).path(source) != before


SCRIPT = """
from sklearn_transrate import TransferSelector
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
import sys, warnings

warnings.filterwarnings("error", message=".*computed again")
X, y = load_iris(return_X_y=True)
for turn in range(5):
    found = [(f"pca{k}", PCA(k)) for k in (1, 2, 3, 4)]
    selector = TransferSelector(found, memory=sys.argv[1]).fit(X, y + 10 * turn)
print(selector.results_["score_transrate"].tolist())
"""


def test_processes_write_to_one_folder_at_the_same_time(tmp_path):
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    outputs = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(set(outputs)) == 1
    names = [file.name for file in tmp_path.iterdir()]
    assert len(names) == 20
    assert all(name.endswith(".npz") for name in names)
