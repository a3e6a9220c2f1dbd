"""One pass over batches fills many statistics of many layers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_transrate.statistics import (
    ClassMoments,
    JointTable,
    RowSample,
    TargetMoments,
    accumulate,
    cheapest_cover,
    find_covering,
)
from sklearn_transrate.testing import assert_statistics_equal
from sklearn_transrate.testing.strategies import feature_batches

WANTED = {
    "class": ClassMoments.empty(),
    "pooled": ClassMoments.empty(scatter="pooled", norms=True),
    "rows": RowSample.empty(max_samples=5),
}


@given(feature_batches(), st.sampled_from([None, 1, 2]))
def test_every_statistic_has_seen_every_row(batches, n_jobs):
    filled = accumulate(iter(batches), WANTED, n_jobs=n_jobs)
    X, y = (np.concatenate(column) for column in zip(*batches, strict=True))
    assert filled.keys() == {None}
    for name, empty in WANTED.items():
        expected = empty.from_batch(X, y, **empty.config)
        assert_statistics_equal(filled[None][name], expected)


def test_the_number_of_threads_changes_no_digit():
    rng = np.random.default_rng(0)
    batches = [
        (rng.standard_normal((30, 8)), rng.integers(0, 4, 30)) for _ in range(20)
    ]
    alone = accumulate(batches, WANTED)[None]
    for n_jobs in (2, 4):
        together = accumulate(batches, WANTED, n_jobs=n_jobs)[None]
        for name in WANTED:
            assert_statistics_equal(together[name], alone[name], rtol=0)


def test_layers_are_kept_apart():
    batches = [
        ({"a": [[0.0], [1.0]], "b": [[5.0, 6.0], [7.0, 8.0]]}, ["x", "y"]),
        ({"a": [[2.0]], "b": [[9.0, 9.0]]}, ["x"]),
    ]
    filled = accumulate(batches, {"moments": ClassMoments.empty()})
    assert filled["a"]["moments"].means.tolist() == [[1.0], [1.0]]
    assert filled["b"]["moments"].means.tolist() == [[7.0, 7.5], [7.0, 8.0]]


def test_a_layer_may_appear_later():
    batches = [({"a": [[0.0]]}, [0]), ({"a": [[1.0]], "b": [[2.0]]}, [1])]
    filled = accumulate(batches, {"rows": RowSample.empty()})
    assert filled["a"]["rows"].n_samples == 2
    assert filled["b"]["rows"].n_samples == 1


def test_batches_may_bring_weights():
    filled = accumulate(
        [([[0.0], [4.0]], [0, 0], [3.0, 1.0]), ([[1.0]], [0])],
        {"moments": ClassMoments.empty()},
    )
    assert filled[None]["moments"].counts.tolist() == [5.0]
    assert filled[None]["moments"].means.tolist() == [[1.0]]


def test_no_batches_fill_nothing():
    assert accumulate([], WANTED) == {}


def test_what_was_asked_for_stays_empty():
    accumulate([([[0.0]], [0]), ([[1.0]], [1])], WANTED)
    assert all(statistic.n_samples == 0 for statistic in WANTED.values())


def test_batches_are_taken_one_at_a_time_and_once():
    alive = []

    def stream():
        for i in range(4):
            alive.append(i)
            yield [[float(i)]], [i % 2]
            alive.remove(i)

    batches = stream()
    accumulate(batches, {"moments": ClassMoments.empty()})
    assert alive == []
    assert next(batches, None) is None


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        (["pooled", "class"], ["class"]),
        (["class", "pooled", "diagonal"], ["class"]),
        (["pooled", "diagonal"], ["pooled", "diagonal"]),
        (["diagonal", "class", "diagonal"], ["class"]),
    ],
)
def test_the_fewest_statistics_that_know_everything_are_kept(asked, kept):
    chosen = cheapest_cover(ClassMoments.empty(scatter=kind) for kind in asked)
    assert [statistic.scatter for statistic in chosen] == kept


def test_statistics_of_other_kinds_do_not_stand_in():
    asked = [RowSample.empty(), TargetMoments.empty(), JointTable.empty()]
    assert cheapest_cover(asked + asked) == asked


def test_a_covering_statistic_is_found():
    moments = ClassMoments.empty()
    wanted = ClassMoments.empty(scatter="pooled")
    assert find_covering([RowSample.empty(), moments], wanted) is moments
    with pytest.raises(ValueError, match=r"Expected a statistic that covers <Class"):
        find_covering([RowSample.empty()], wanted)


@pytest.mark.parametrize("mode", ["r", "c", "r+"])
def test_memory_maps_are_read_and_keep_what_was_written(tmp_path, mode):
    X = np.random.default_rng(0).standard_normal((300, 4))
    path = tmp_path / "features.npy"
    np.save(path, X)
    mapped = np.load(path, mmap_mode=mode)
    if mode != "r":
        mapped[5] = X[5] = 7.0
    y = np.arange(300) % 3
    batches = [(mapped[i : i + 100], y[i : i + 100]) for i in range(0, 300, 100)]
    for _ in range(2):  # what was let go of is read again
        filled = accumulate(batches, WANTED)[None]["class"]
        assert_statistics_equal(filled, ClassMoments.from_batch(X, y))
        np.testing.assert_array_equal(mapped, X)
