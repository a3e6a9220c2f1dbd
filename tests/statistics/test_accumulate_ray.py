"""Batches that ray holds, and candidates on its workers."""

from __future__ import annotations

import os
import signal
import threading
import time

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_digits

from sklearn_transrate import TransferSelector
from sklearn_transrate.metrics import TransRate
from sklearn_transrate.statistics import ClassMoments, RowSample, accumulate
from sklearn_transrate.testing import assert_statistics_equal

ray = pytest.importorskip("ray")
# What ray itself deprecates or leaves open is not ours to mend.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

X, y = load_digits(return_X_y=True)
WANTED = {"moments": ClassMoments.empty(), "rows": RowSample.empty(max_samples=20)}
SLOW = 0.15  # seconds a batch takes where a worker is to be killed in the middle


@pytest.fixture(scope="module")
def cluster():
    """Ray on this machine, with two worker processes."""
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        configure_logging=False,
        log_to_driver=False,
        runtime_env={"env_vars": {"OPENBLAS_NUM_THREADS": "1"}},
    )
    yield
    ray.shutdown()


def slices(size=100):
    return [slice(i, i + size) for i in range(0, len(X), size)]


def assert_as_local(filled):
    expected = accumulate([(X[s], y[s]) for s in slices()], WANTED)[None]
    for name in WANTED:
        assert_statistics_equal(filled[None][name], expected[name], rtol=1e-12)


@pytest.mark.usefixtures("cluster")
def test_batches_are_summarised_where_ray_holds_them():
    assert_as_local(accumulate([ray.put((X[s], y[s])) for s in slices()], WANTED))


@pytest.mark.usefixtures("cluster")
def test_features_and_labels_may_be_held_apart():
    held = [(ray.put(X[s]), y[s]) for s in slices()]
    assert_as_local(accumulate(held, WANTED))
    layers = [({"a": ray.put(X[s]), "b": ray.put(X[s])}, y[s]) for s in slices()]
    filled = accumulate(layers, WANTED)
    assert_as_local({None: filled["a"]})
    assert_as_local({None: filled["b"]})


@pytest.mark.usefixtures("cluster")
def test_an_error_on_a_worker_is_raised_here():
    held = [ray.put((X[:10], y[:9]))]
    with pytest.raises(ValueError, match="Expected one label per row"):
        accumulate(held, WANTED)


class WhoRan(TransformerMixin, BaseEstimator):
    """A candidate that leaves a note of the process that it ran in."""

    def __init__(self, folder, power):
        self.folder, self.power = folder, power

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        open(os.path.join(self.folder, f"{os.getpid()}-{self.power}"), "x").close()
        return np.asarray(X) ** self.power


@pytest.mark.usefixtures("cluster")
def test_candidates_run_on_ray_unchanged(tmp_path):
    from ray.util.joblib import register_ray

    register_ray()
    scores = {}
    for place in ("here", "there"):
        folder = tmp_path / place
        folder.mkdir()
        candidates = [(f"power{k}", WhoRan(str(folder), k)) for k in range(1, 6)]
        selector = TransferSelector(candidates, refit=False)
        if place == "here":
            selector.fit(X, y)
        else:
            with joblib.parallel_config(backend="ray", n_jobs=2):
                selector.fit(X, y)
        scores[place] = selector.results_["score_transrate"]
    np.testing.assert_allclose(scores["there"], scores["here"], rtol=1e-12)
    processes = {path.name.partition("-")[0] for path in folder.iterdir()}
    assert len(list(folder.iterdir())) == 5
    assert str(os.getpid()) not in processes


def slow_batch(start, size, folder):
    """Take a while, and leave a note of who did it."""
    time.sleep(SLOW)
    name = f"{os.getpid()}-{start}-{time.time_ns()}"
    open(os.path.join(folder, name), "x").close()
    time.sleep(SLOW)
    return X[start : start + size], y[start : start + size]


@pytest.mark.usefixtures("cluster")
def test_a_worker_that_is_killed_changes_no_number(tmp_path):
    killed = []

    def kill():
        while len(done := sorted(os.listdir(tmp_path), key=last_part)) < 8:
            time.sleep(0.01)
        killed.append(int(done[-1].partition("-")[0]))
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    make = ray.remote(slow_batch)
    starts = range(0, len(X), 100)
    batches = [make.remote(start, 100, str(tmp_path)) for start in starts]
    moments = accumulate(batches, {"moments": ClassMoments.empty()})[None]["moments"]
    killer.join(timeout=10)
    assert killed
    assert killed[0] != os.getpid()
    score = TransRate().evaluate(moments).score
    assert score == pytest.approx(TransRate().score(X, y), rel=1e-12)
    # What the lost worker had begun was begun again.
    assert len(list(tmp_path.iterdir())) > len(starts)


def last_part(name):
    return int(name.rpartition("-")[2])
