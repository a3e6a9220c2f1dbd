"""What a ranking tells while it runs, and what Ctrl-C leaves of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA

from sklearn_transrate import TransferSelector
from sklearn_transrate.extractors import FeatureExtractor

X, y = load_iris(return_X_y=True)
pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn_transrate.exceptions.UnstableRankingWarning"
)


class Powers(FeatureExtractor):
    """Two layers, in batches, that may take their time."""

    layers_ = ["first", "second"]

    def __init__(self, layers="all", batch_size=50, seconds=0.0):
        self.layers = layers
        self.batch_size = batch_size
        self.seconds = seconds

    def _forward(self, X_batch, layers):
        time.sleep(self.seconds)
        return {"first": X_batch, "second": X_batch**2}


class Interrupted(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        raise KeyboardInterrupt

    def transform(self, X):
        raise AssertionError("never fitted")


# -- progress ------------------------------------------------------------------


def told(capsys, **params):
    extractors = [("powers", Powers()), ("pca", PCA(2))]
    TransferSelector(extractors, **params).fit(X, y)
    return capsys.readouterr().err


def test_nothing_is_told_unasked(capsys):
    assert told(capsys) == ""


def test_each_candidate_is_named_while_it_runs(capsys):
    lines = told(capsys, verbose=1).splitlines()
    assert lines[0] == "[TransferSelector] powers: runs"
    assert lines[1].startswith("[TransferSelector] powers: ok, 0.")
    assert lines[2] == "[TransferSelector] pca: runs"
    assert len(lines) == 4


def test_rows_are_told_as_they_are_done(capsys, monkeypatch):
    module = "sklearn_transrate.model_selection._progress._SECONDS_BETWEEN_LINES"
    monkeypatch.setattr(module, 0.0)
    lines = told(capsys, verbose=2).splitlines()
    assert lines[1:4] == [
        f"[TransferSelector] powers: {n} of 150 rows" for n in (50, 100, 150)
    ]


class Told:
    """A callback of scikit-learn that writes down what begins."""

    def __init__(self):
        self.begun = []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        self.begun.append((context.task_name, context.max_subtasks))

    def on_fit_task_end(self, estimator, context):
        pass


@pytest.mark.parametrize(
    ("extractor_size", "size", "n_batches"),
    [(50, "auto", 3), (50, 60, 3), ("auto", 30, 5), ("auto", "auto", None)],
)
def test_callbacks_see_every_batch(extractor_size, size, n_batches):
    pytest.importorskip("sklearn.callback", reason="scikit-learn >= 1.9")
    callback = Told()
    extractors = [("powers", Powers(batch_size=extractor_size)), ("pca", PCA(2))]
    selector = TransferSelector(extractors, batch_size=size)
    selector.set_callbacks(callback).fit(X, y)
    _, first, *batches, last = callback.begun
    assert first == ("powers", n_batches)
    assert batches == [("batch", 0)] * (n_batches or 1)
    assert last == ("pca", 0)


# -- Ctrl-C --------------------------------------------------------------------


@pytest.fixture
def interrupted():
    extractors = [("powers", Powers()), ("stuck", Interrupted()), ("pca", PCA(2))]
    selector = (
        TransferSelector(extractors[:1])
        .fit(X, y)
        .set_params(extractors=extractors, error_score=9.0)
    )
    with pytest.raises(KeyboardInterrupt) as caught:
        selector.fit(X, y)
    selector.note = caught.value.__notes__[0]
    return selector


def test_what_was_done_before_is_ranked(interrupted):
    results = interrupted.results_
    expected = TransferSelector([("powers", Powers())]).fit(X, y).results_
    assert results["status"].tolist() == ["ok", "ok", "cancelled", "cancelled"]
    np.testing.assert_array_equal(
        results["score_transrate"][:2], expected["score_transrate"]
    )
    assert results.best()["candidate"] == expected.best()["candidate"]
    assert interrupted.note.startswith("1 of 3 extractors were ranked")


def test_what_was_not_done_has_no_score_and_a_reason(interrupted):
    results = interrupted.results_
    assert np.isnan(results["score_transrate"][2:]).all()
    assert set(results["error"][2:]) == {
        "KeyboardInterrupt: fit was interrupted before this was done"
    }


def test_an_interrupted_selector_has_no_winner_of_an_earlier_fit(interrupted):
    with pytest.raises(AttributeError, match="fit was interrupted"):
        interrupted.transform(X)
    assert not hasattr(interrupted, "best_name_")


def test_what_was_cancelled_is_told_from_what_failed(interrupted):
    text = str(interrupted.results_)
    assert "4 candidates (2 cancelled)" in text
    assert text.splitlines()[-2:] == [
        f"  {name}: KeyboardInterrupt: fit was interrupted before this was done"
        for name in ("stuck", "pca")
    ]


def test_an_interrupted_selector_can_be_fitted_again(interrupted):
    interrupted.set_params(stuck="drop").fit(X, y)
    assert interrupted.transform(X).shape[0] == len(X)


SCRIPT = """
import sys
from tests.model_selection.test_progress import Powers, TransferSelector, X, y

candidates = [("quick", Powers()), ("slow", Powers(batch_size=1, seconds=0.2))]
selector = TransferSelector(candidates, verbose=1, n_jobs={n_jobs})
try:
    selector.fit(X, y)
except KeyboardInterrupt:
    results = selector.results_
    print(*results["candidate"], *results["status"], sep=";")
    print(results.best()["layer"])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal of POSIX")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_ctrl_c_leaves_what_was_done(n_jobs):
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(n_jobs=n_jobs)],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    told = set()
    try:
        for line in process.stderr:
            told |= {word for word in ("slow: runs", "quick: ok") if word in line}
            if len(told) == 2:
                break
        time.sleep(0.3)  # for another process to hand over what it has done
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does it
        out, _ = process.communicate(timeout=20)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    table, best = out.splitlines()
    assert table == "quick / first;quick / second;slow;ok;ok;cancelled"
    assert best in Powers.layers_
