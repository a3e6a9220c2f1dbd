"""A ranking that was killed goes on where it stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from joblib import Memory
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA

from sklearn_transrate import TransferSelector
from sklearn_transrate.exceptions import TransRateWarning
from sklearn_transrate.extractors import FeatureExtractor, PrecomputedFeatures
from sklearn_transrate.metrics import TransRate

X, y = load_iris(return_X_y=True)
# Powers of the same inputs are close by nature.
pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn_transrate.exceptions.UnstableRankingWarning"
)


class Recorded(TransformerMixin, BaseEstimator):
    """A candidate that records its passes, and may be pulled out by the roots."""

    passes: list = []
    killed_at: int | None = None

    def __init__(self, power=1):
        self.power = power

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        if self.power == type(self).killed_at:
            raise KeyboardInterrupt
        type(self).passes.append(self.power)
        return np.asarray(X) ** self.power


@pytest.fixture(autouse=True)
def _forget():
    Recorded.passes, Recorded.killed_at = [], None


def ranked(memory, **params):
    candidates = [(f"power{k}", Recorded(k)) for k in (1, 2, 3)]
    return TransferSelector(candidates, memory=memory, **params)


def test_a_killed_ranking_computes_only_what_was_not_saved(tmp_path):
    expected = ranked(None).fit(X, y).results_["score_transrate"]
    Recorded.passes, Recorded.killed_at = [], 3
    with pytest.raises(KeyboardInterrupt):
        ranked(tmp_path).fit(X, y)
    assert Recorded.passes == [1, 2]
    Recorded.passes, Recorded.killed_at = [], None
    selector = ranked(tmp_path).fit(X, y)
    assert Recorded.passes == [3]
    np.testing.assert_array_equal(selector.results_["score_transrate"], expected)
    assert selector.transform(X).shape == X.shape


def test_a_joblib_memory_names_the_folder(tmp_path):
    ranked(Memory(tmp_path, verbose=0)).fit(X, y)
    Recorded.passes = []
    ranked(tmp_path).fit(X, y)
    assert Recorded.passes == []


def test_other_data_or_parameters_are_other_work(tmp_path):
    ranked(tmp_path).fit(X, y)
    for rows, labels, params in (
        (X + 1.0, y, {}),
        (X, (y + 1) % 3, {}),
        (X, y, {"scoring": "parc"}),
        (X, y, {"max_samples": 90, "random_state": 0}),
        (X, y, {"cv": 3}),
    ):
        Recorded.passes = []
        ranked(tmp_path, **params).fit(rows, labels)
        assert set(Recorded.passes) == {1, 2, 3}


def test_metrics_that_read_the_same_statistics_share_them(tmp_path):
    ranked(tmp_path, scoring=["transrate", "logme"]).fit(X, y)
    Recorded.passes = []
    ranked(tmp_path, scoring="transrate").fit(X, y)
    assert Recorded.passes == []


def test_metrics_that_need_more_are_passes_of_their_own_and_lose_nothing(tmp_path):
    ranked(tmp_path, scoring="h_score").fit(X, y)
    Recorded.passes = []
    both = ranked(tmp_path, scoring=["h_score", "parc"]).fit(X, y).results_
    assert Recorded.passes == [1, 2, 3]
    for scoring in ("h_score", "parc", ["parc", "h_score"]):
        again = ranked(tmp_path, scoring=scoring).fit(X, y).results_
        for column in again.metrics:
            np.testing.assert_array_equal(
                again[f"score_{column}"], both[f"score_{column}"]
            )
    assert Recorded.passes == [1, 2, 3]


# -- layers --------------------------------------------------------------------


class Powers(FeatureExtractor):
    """Layers that write down in which pass they were computed."""

    layers_ = ["one", "two", "three"]
    passes: list = []

    def __init__(self, layers="all", batch_size=200):
        self.layers = layers
        self.batch_size = batch_size

    def fit(self, X, y=None):
        return self

    def _forward(self, X_batch, layers):
        Powers.passes.append(list(layers))
        return {name: X_batch ** (1 + self.layers_.index(name)) for name in layers}


def ranked_layers(memory, layers="all", **params):
    Powers.passes = []
    candidates = [("powers", Powers(layers))]
    return TransferSelector(candidates, memory=memory, **params).fit(X, y)


def test_only_layers_that_are_not_saved_are_run(tmp_path):
    ranked_layers(tmp_path, ["two"])
    assert Powers.passes == [["two"]]
    selector = ranked_layers(tmp_path)
    assert Powers.passes == [["one", "three"]]
    whole = ranked_layers(None).results_
    assert selector.results_["layer"].tolist() == Powers.layers_
    for column in ("score_transrate", "std_error_transrate", "n_features"):
        np.testing.assert_allclose(selector.results_[column], whole[column], rtol=1e-6)
    found, wanted = (
        table.compare("powers / one", "powers / two").std_error
        for table in (selector.results_, whole)
    )
    assert found == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("layers", ["all", "last", ["three", "one"], 1, "t*"])
def test_no_pass_is_made_for_layers_that_are_saved(tmp_path, layers):
    ranked_layers(tmp_path)
    ranked_layers(tmp_path, layers)
    assert Powers.passes == []
    selector = ranked_layers(tmp_path, layers)
    assert Powers.passes == []
    Z = selector.transform(X)
    np.testing.assert_array_equal(
        Z, X ** (1 + Powers.layers_.index(selector.best_layer_))
    )


def test_a_layer_whose_file_is_broken_is_run_alone(tmp_path):
    ranked_layers(tmp_path, ["one"])
    (known,) = (path for path in tmp_path.iterdir() if path.stat().st_size > 2000)
    ranked_layers(tmp_path)
    known.write_bytes(b"half of it")
    with pytest.warns(TransRateWarning, match="'powers / one' is computed again"):
        ranked_layers(tmp_path)
    assert Powers.passes == [["one"]]


def test_a_metric_that_needs_more_is_a_pass_for_all_layers(tmp_path):
    ranked_layers(tmp_path, scoring="h_score")
    ranked_layers(tmp_path, scoring=["h_score", "parc"])
    assert Powers.passes == [Powers.layers_]
    ranked_layers(tmp_path, ["two"], scoring="parc")
    assert Powers.passes == []


# -- files ---------------------------------------------------------------------


def test_a_truncated_file_is_computed_again_with_a_warning(tmp_path):
    ranked(tmp_path).fit(X, y)
    victim = sorted(tmp_path.glob("*.npz"))[0]
    victim.write_bytes(victim.read_bytes()[:100])
    Recorded.passes = []
    with pytest.warns(TransRateWarning, match=rf"{victim.name}.*computed again"):
        ranked(tmp_path).fit(X, y)
    assert len(Recorded.passes) == 1


def test_a_resumed_winner_that_learns_is_fitted_again(tmp_path):
    candidates = [("pca", PCA(2)), ("one", PCA(1))]
    first = TransferSelector(candidates, memory=tmp_path).fit(X, y)
    second = TransferSelector(candidates, memory=tmp_path).fit(X, y)
    assert second.extractors_ == []
    np.testing.assert_allclose(second.transform(X), first.transform(X))


def test_labels_that_no_file_can_hold_only_lose_the_resume(tmp_path):
    labels = np.empty(len(y), dtype=object)
    labels[:] = [(int(label), "class") for label in y]
    with pytest.warns(TransRateWarning, match="cannot be resumed"):
        ranked(tmp_path).fit(X, labels)


# -- files that are not what they should be ------------------------------------


def files_by_candidate(folder):
    """Rank, and return the file of each candidate."""
    files = {}
    for k in (1, 2, 3):
        before = set(folder.glob("*.npz"))
        TransferSelector([(f"power{k}", Recorded(k))], memory=folder).fit(X, y)
        (files[k],) = set(folder.glob("*.npz")) - before
    return files


def test_the_file_of_another_candidate_is_refused(tmp_path):
    expected = ranked(None).fit(X, y).results_["score_transrate"]
    files = files_by_candidate(tmp_path)
    files[1].write_bytes(files[2].read_bytes())
    Recorded.passes = []
    with pytest.warns(TransRateWarning, match=rf"{files[1].name}.*another candidate"):
        selector = ranked(tmp_path).fit(X, y)
    assert Recorded.passes == [1]
    np.testing.assert_array_equal(selector.results_["score_transrate"], expected)


@pytest.mark.parametrize("content", [b"", b"layer,score\nconv1,0.5\n", b"PK\x03\x04"])
def test_a_foreign_file_is_refused_and_replaced(tmp_path, content):
    files = files_by_candidate(tmp_path)
    files[3].write_bytes(content)
    Recorded.passes = []
    with pytest.warns(TransRateWarning, match=rf"{files[3].name}.*computed again"):
        ranked(tmp_path).fit(X, y)
    ranked(tmp_path).fit(X, y)  # with no warning: the file is whole again
    assert Recorded.passes == [3]


def test_a_folder_in_place_of_a_file_stops_nothing(tmp_path):
    files = files_by_candidate(tmp_path)
    files[2].unlink()
    files[2].mkdir()
    Recorded.passes = []
    with (
        pytest.warns(TransRateWarning, match="computed again"),
        pytest.warns(TransRateWarning, match="cannot be resumed"),
    ):
        ranked(tmp_path).fit(X, y)
    assert Recorded.passes == [2]


def test_a_disk_that_is_full_loses_no_result(tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sklearn_transrate.statistics._files.np.savez", full)
    with pytest.warns(TransRateWarning, match="No space left on device"):
        selector = ranked(tmp_path).fit(X, y)
    assert np.isfinite(selector.results_["score_transrate"]).all()
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_killed_writers_are_removed_after_an_hour(tmp_path):
    old, new = (tmp_path / f"{name}.npz.0.partial" for name in ("old", "new"))
    for leftover in (old, new):
        leftover.write_bytes(b"half of it")
    os.utime(old, (0, 0))
    ranked(tmp_path).fit(X, y)
    assert not old.exists()
    assert new.exists()


def test_stored_features_that_change_are_other_work(tmp_path):
    path = tmp_path / "features.npy"
    rows = np.arange(len(y))
    scores = []
    for power in (1, 1, 2):
        if power != 1 or not path.exists():
            np.save(path, X**power)
        selector = TransferSelector(
            [("stored", PrecomputedFeatures(path))], memory=tmp_path / "kept"
        )
        scores.append(selector.fit(rows, y).best_score_)
    assert scores[0] == scores[1] != scores[2]
    # For either, a file of its layer, and one that says which layers it has.
    assert len(list((tmp_path / "kept").iterdir())) == 4


# -- killed by the system ------------------------------------------------------

RANKING = """
import json, os, sys, time
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_iris

from sklearn_transrate import TransferSelector

folder = Path(sys.argv[1])
X, y = load_iris(return_X_y=True)


class Slow(TransformerMixin, BaseEstimator):
    def __init__(self, power):
        self.power = power

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        with (folder / "passes").open("a") as file:
            file.write(f"{self.power}\\n")
        time.sleep(0.1)
        return np.asarray(X) ** self.power


candidates = [(f"power{k}", Slow(k)) for k in range(1, 9)]
selector = TransferSelector(candidates, memory=folder / "kept", refit=False).fit(X, y)
scores = selector.results_["score_transrate"].tolist()
(folder / "scores").write_text(json.dumps(scores))
"""


def start_ranking(folder):
    command = [sys.executable, "-c", RANKING, str(folder)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def passes(folder):
    path = folder / "passes"
    return path.read_text().split() if path.exists() else []


def test_a_ranking_that_the_system_kills_again_and_again_gets_done(tmp_path):
    powers = [str(k) for k in range(1, 9)]
    expected = [TransRate().score(X ** int(power), y) for power in powers]
    for n_more, delay in ((2, 0.0), (2, 0.05), (3, 0.1)):
        before = passes(tmp_path)
        process = start_ranking(tmp_path)
        while len(passes(tmp_path)) < len(before) + n_more:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.002)
        time.sleep(delay)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        n_saved = len(list((tmp_path / "kept").glob("*.npz")))
        # All that was begun is saved, but for what it was killed at.
        assert n_saved >= len(set(passes(tmp_path))) - 1
    assert not (tmp_path / "scores").exists()
    process = start_ranking(tmp_path)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert json.loads((tmp_path / "scores").read_text()) == expected
    # Each was computed once, and once more for every time it was killed at.
    assert set(passes(tmp_path)) == set(powers)
    assert len(passes(tmp_path)) <= len(powers) + 3
