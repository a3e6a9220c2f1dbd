"""Rows on the workers of dask: a tree of merges, and only statistics travel."""

from __future__ import annotations

import os
import signal
import threading
import time

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_digits, make_regression
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from sklearn_transrate import TransferSelector
from sklearn_transrate.extractors import PrecomputedFeatures
from sklearn_transrate.metrics import (
    GBC,
    LEEP,
    NCE,
    HScore,
    LogME,
    TransRate,
    get_metric,
    transrate_score,
)
from sklearn_transrate.statistics import ClassMoments, RowSample, accumulate
from sklearn_transrate.testing import assert_statistics_equal

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
db = pytest.importorskip("dask.bag")
distributed = pytest.importorskip("distributed")

X, y = load_digits(return_X_y=True)
WANTED = {"moments": ClassMoments.empty(), "rows": RowSample.empty(max_samples=20)}
# Trees of merges differ from one shot by rounding.
EQUAL = {"rel": 1e-12}
SLOW = 0.15  # seconds a block takes where a worker is to be killed in the middle


@pytest.fixture(scope="module")
def client():
    """A cluster of three processes on this machine."""
    options = {"distributed.comm.timeouts.connect": "60s"}
    with (
        dask.config.set(options),
        distributed.LocalCluster(
            n_workers=3, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(params=["threads", "processes"])
def engine(request):
    """Dask in this process, and on a cluster."""
    if request.param == "processes":
        request.getfixturevalue("client")
        yield request.param
    else:  # also while there is a cluster
        with dask.config.set(scheduler="threads"):
            yield request.param


def batches(size=100):
    return [(X[i : i + size], y[i : i + size]) for i in range(0, len(X), size)]


def blocks(rows=300, columns=64):
    return da.from_array(X, chunks=(rows, columns)), da.from_array(y, chunks=500)


def assert_as_local(filled):
    expected = accumulate(batches(), WANTED)
    assert filled.keys() == {None}
    for name in WANTED:
        assert_statistics_equal(filled[None][name], expected[None][name], rtol=1e-12)


# -- accumulate ----------------------------------------------------------------


def test_a_bag_of_batches_is_summarised_on_the_workers(engine):
    assert_as_local(accumulate(db.from_sequence(batches(), npartitions=7), WANTED))


def test_blocks_of_dask_arrays_are_batches(engine):
    assert_as_local(accumulate([blocks()], WANTED))


def test_delayed_batches_are_made_on_the_workers(engine):
    made = [dask.delayed(lambda batch: batch)(batch) for batch in batches()]
    assert_as_local(accumulate(made, WANTED))


def test_futures_of_batches_stay_where_they_are(client):
    futures = [client.submit(lambda b: b, batch, pure=False) for batch in batches()]
    assert_as_local(accumulate(futures, WANTED))


def test_columns_in_several_blocks_and_other_labels_are_aligned():
    assert_as_local(accumulate([blocks(columns=20)], WANTED))
    assert_as_local(accumulate([(blocks()[0], y)], WANTED))


def test_layers_and_weights_come_along():
    dX, dy = blocks()
    weights = np.arange(len(y)) % 3 + 1.0
    layers = {"half": dX / 2, "whole": dX}
    filled = accumulate([(layers, dy, da.from_array(weights))], WANTED)
    for layer, factor in {"half": 0.5, "whole": 1.0}.items():
        expected = ClassMoments.from_batch(factor * X, y, weights)
        assert_statistics_equal(filled[layer]["moments"], expected, rtol=1e-12)


def test_blocks_of_unknown_length_go_with_those_of_the_same_mask():
    dX, _ = blocks()
    dy = da.from_array(y, chunks=300)
    filled = accumulate([(dX[dy < 3], dy[dy < 3])], WANTED)
    expected = ClassMoments.from_batch(X[y < 3], y[y < 3])
    assert_statistics_equal(filled[None]["moments"], expected, rtol=1e-12)


def test_empty_blocks_add_nothing():
    dX, dy = da.from_array(X, chunks=300), da.from_array(y, chunks=300)
    last = da.from_array(np.arange(len(y)), chunks=300) >= 1500
    filled = accumulate([(dX[last], dy[last])], WANTED)
    assert filled[None]["moments"].n_samples == 297
    assert TransRate().fit(dX[last], dy[last]).n_samples_seen_ == 297


def test_labels_that_do_not_fit_the_rows_are_refused():
    dX, dy = blocks()
    for labels in (y[:-1], dy[:-1]):
        with pytest.raises(ValueError, match="one entry of y for each row, got 1796"):
            accumulate([(dX, labels)], WANTED)
    with pytest.raises(ValueError, match="unknown numbers of rows"):
        accumulate([(dX[dX[:, 0] == 0], y)], WANTED)
    with pytest.raises(ValueError, match=r"in 6 blocks.*compute_chunk_sizes"):
        accumulate([(dX[dX[:, 0] == 0], dy)], WANTED)


def test_an_array_alone_is_no_stream_of_batches():
    with pytest.raises(TypeError, match=r"Pass \[\(X, y\)\]"):
        accumulate(blocks()[0], WANTED)


def test_only_statistics_travel(client):
    """Rows would be 16 MB in all; a tree of these statistics is far below 1 MB."""
    narrow = da.random.default_rng(0).random((500_000, 4), chunks=(10_000, 4))
    labels = (narrow[:, 0] > 0.5).astype(int)
    before = {w: s["metrics"]["transfer"] for w, s in workers(client).items()}
    filled = accumulate([(narrow, labels)], {"moments": ClassMoments.empty()})
    time.sleep(1.0)  # for the heartbeat that tells of it
    after = {w: s["metrics"]["transfer"] for w, s in workers(client).items()}
    sent = sum(after[w]["outgoing_bytes"] - before[w]["outgoing_bytes"] for w in before)
    assert filled[None]["moments"].n_samples == 500_000
    assert sent < 2**20


def workers(client):
    return client.scheduler_info(n_workers=-1)["workers"]


# -- metrics -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["transrate", "logme", "h_score", "lfc", "parc"])
def test_metrics_take_dask_arrays(engine, name):
    metric = get_metric(name)
    expected = metric.score(X, y)
    assert metric.score(*blocks()) == pytest.approx(expected, **EQUAL)
    assert metric.fit(*blocks()).score_ == pytest.approx(expected, **EQUAL)
    assert metric.n_features_in_ == 64
    assert metric.classes_.tolist() == list(range(10))


def test_functions_and_streams_take_them_too():
    expected = transrate_score(X, y)
    assert transrate_score(*blocks()) == pytest.approx(expected, **EQUAL)
    metric = TransRate()
    for rows in (slice(0, 1000), slice(1000, None)):
        metric.partial_fit(blocks()[0][rows], y[rows])
    assert metric.score_ == pytest.approx(expected, **EQUAL)


def test_tables_of_source_predictions_are_merged_too():
    proba = np.random.default_rng(0).dirichlet(np.ones(5), size=len(y))
    lazy = da.from_array(proba, chunks=(400, 5))
    assert LEEP().score(lazy, y) == pytest.approx(LEEP().score(proba, y), **EQUAL)
    source = proba.argmax(axis=1)
    lazy = da.from_array(source, chunks=400)
    assert NCE().score(lazy, y) == pytest.approx(NCE().score(source, y), **EQUAL)


def test_values_are_recognised_in_all_blocks():
    rows, values = make_regression(300, 5, random_state=0)
    values[:100] = 1.0  # the first block alone looks like classes
    lazy = da.from_array(rows, chunks=(100, 5)), da.from_array(values, chunks=100)
    expected = LogME().score(rows, values)
    assert LogME().score(*lazy) == pytest.approx(expected, rel=1e-9)
    with pytest.raises(ValueError, match="looks like a regression target"):
        GBC().score(*lazy)


def test_frames_are_read_by_partition():
    dd = pytest.importorskip("dask.dataframe")
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X).add_prefix("pixel")
    lazy = dd.from_pandas(frame, npartitions=4)
    labels = dd.from_pandas(pd.Series(y), npartitions=4)
    score = HScore().score(lazy, labels)
    assert score == pytest.approx(HScore().score(X, y), **EQUAL)


def test_numbers_that_are_none_are_refused_where_they_are(engine):
    broken = X.copy()
    broken[1000, 3] = np.nan
    with pytest.raises(ValueError, match=r"contains NaN"):
        TransRate().fit(da.from_array(broken, chunks=(300, 64)), y)


# -- selection -----------------------------------------------------------------


def ranked(features, **params):
    selector = TransferSelector(
        [("stored", PrecomputedFeatures(features))],
        scoring=["transrate", "logme"],
        **params,
    )
    return selector.fit(np.arange(len(y)), y)


def assert_same_scores(results, expected):
    for column in ("score_transrate", "score_logme"):
        np.testing.assert_allclose(results[column], expected[column], rtol=1e-12)


def test_stored_features_may_be_dask_arrays(engine, tmp_path):
    local = {"pixels": X, "images": X.reshape(-1, 8, 8)}
    lazy = {
        "pixels": da.from_array(X, chunks=(300, 20)),
        "images": da.from_array(X.reshape(-1, 8, 8), chunks=(450, 3, 8)),
    }
    expected, found = ranked(local), ranked(lazy, memory=tmp_path)
    assert_same_scores(found.results_, expected.results_)
    assert found.results_["n_features"].tolist() == [64, 8]
    rows = np.array([5, 3])
    np.testing.assert_array_equal(found.transform(rows), expected.transform(rows))
    assert_same_scores(ranked(lazy, memory=tmp_path).results_, expected.results_)


def test_subsamples_of_dask_features_are_those_of_local_ones():
    chosen = {"max_samples": 500, "random_state": 3}
    lazy = da.from_array(X, chunks=(300, 64))
    assert_same_scores(ranked(lazy, **chosen).results_, ranked(X, **chosen).results_)


def test_bad_numbers_in_dask_features_fail_their_candidate():
    broken = X.copy()
    broken[1000, 3] = np.inf
    with pytest.raises(ValueError, match="contains infinity"):
        ranked(da.from_array(broken, chunks=(300, 64)))


def candidates(n=6):
    return [
        ("pixels", "passthrough"),
        ("standard", StandardScaler()),
        *((f"pca{k}", PCA(k, random_state=0)) for k in range(2, n)),
    ]


def test_candidates_run_on_the_cluster_unchanged(client):
    expected = TransferSelector(candidates()).fit(X, y)
    with joblib.parallel_config(backend="dask"):
        found = TransferSelector(candidates()).fit(X, y)
    np.testing.assert_allclose(
        found.results_["score_transrate"],
        expected.results_["score_transrate"],
        rtol=1e-12,
    )
    assert found.best_name_ == expected.best_name_
    np.testing.assert_allclose(found.transform(X), expected.transform(X))


def test_candidates_on_the_cluster_may_hold_dask_arrays(client):
    lazy = da.from_array(X, chunks=(300, 64))
    with joblib.parallel_config(backend="dask"):
        found = ranked(lazy)
    assert_same_scores(found.results_, ranked(X).results_)


# -- a worker is lost ----------------------------------------------------------


class Killer(threading.Thread):
    """Ends one worker's process as soon as some of the work is done."""

    def __init__(self, folder, after):
        super().__init__(daemon=True)
        self.folder, self.after, self.killed = folder, after, None

    def run(self):
        while True:
            done = list(self.folder.iterdir())
            if len(done) >= self.after:
                self.killed = int(done[-1].name.partition("-")[0])
                os.kill(self.killed, signal.SIGKILL)
                return
            time.sleep(0.01)


def slow_block(rows, folder, number):
    """Take a while, and leave a note of who did it."""
    time.sleep(SLOW)
    open(os.path.join(folder, f"{os.getpid()}-{number}-{time.time_ns()}"), "x").close()
    return rows


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_that_is_killed_changes_no_number(client, tmp_path):
    size = 75
    n_blocks = len(range(0, len(X), size))
    lazy = da.concatenate(
        [
            da.from_delayed(
                dask.delayed(slow_block)(X[i : i + size], str(tmp_path), i),
                (len(X[i : i + size]), 64),
                X.dtype,
            )
            for i in range(0, len(X), size)
        ]
    )
    killer = Killer(tmp_path, after=n_blocks // 2)
    killer.start()
    score = TransRate().fit(lazy, y).score_
    killer.join(timeout=10)
    assert killer.killed is not None
    assert killer.killed != os.getpid()
    assert score == pytest.approx(TransRate().score(X, y), **EQUAL)
    # What the lost worker held was computed again.
    assert len(list(tmp_path.iterdir())) > n_blocks
