"""JointTable against sums over rows, and its laws."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_transrate.statistics import JointTable, load_statistics, save_statistics

N_SOURCE = 4


def random_rows(seed, n=30, n_classes=3):
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.full(N_SOURCE, 0.4), n)
    return proba, rng.integers(0, n_classes, n), rng.integers(1, 4, n).astype(float)


def assert_same_table(one, other):
    assert one.source_classes == other.source_classes
    assert one.classes == other.classes
    assert one.n_samples == other.n_samples
    np.testing.assert_allclose(one.sums, other.sums, rtol=1e-12, atol=1e-15)


def test_sums_of_probabilities_are_sums_over_rows():
    proba, y, weights = random_rows(0)
    table = JointTable.from_batch(proba, y, weights)
    for z in range(N_SOURCE):
        for k in range(3):
            expected = sum(
                w * row[z]
                for row, label, w in zip(proba, y, weights, strict=True)
                if label == k
            )
            assert table.sums[z, k] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("source", ["proba", "labels"])
def test_a_weight_of_two_counts_as_two_rows(source):
    proba, y, weights = random_rows(1)
    repeats = weights.astype(int)
    twice = JointTable.from_batch(
        np.repeat(proba, repeats, axis=0), np.repeat(y, repeats), source=source
    )
    weighted = JointTable.from_batch(proba, y, weights, source=source)
    np.testing.assert_allclose(weighted.sums, twice.sums, rtol=1e-12)
    np.testing.assert_allclose(weighted.counts, twice.counts, rtol=1e-12)


def test_rows_without_weight_leave_no_class_behind():
    table = JointTable.from_batch(
        ["p", "q", "r"], ["a", "b", "a"], [1, 0, 2], source="labels"
    )
    assert (table.source_classes, table.classes) == (["p", "r"], ["a"])
    assert (table.n_samples, table.total_weight) == (2, 3.0)


def test_the_largest_score_names_the_source_label():
    logits = np.array([[3.0, -1.0], [-2.0, 5.0], [0.5, 0.25]])
    table = JointTable.from_batch(logits, ["a", "a", "b"], source="labels")
    assert table.sums.tolist() == [[1.0, 1.0], [1.0, 0.0]]


def test_equally_large_scores_share_the_row():
    table = JointTable.from_batch(
        [[0.4, 0.4, 0.2], [0.0, 0.0, 1.0]], ["a", "b"], source="labels"
    )
    assert table.sums.tolist() == [[0.5, 0.0], [0.5, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize(
    "labels",
    [["x", "y", "x"], [7, -2, 7], [("x", 1), ("y", 2), ("x", 1)], [True, False, True]],
)
@pytest.mark.parametrize("as_column", [False, True])
def test_source_labels_of_any_kind_are_counted(labels, as_column):
    column = np.empty(3, dtype=object)
    column[:] = labels
    table = JointTable.from_batch(
        column[:, None] if as_column else column, [0, 0, 1], source="labels"
    )
    assert table.source_classes == sorted(set(labels))
    assert table.sums.sum(axis=1).tolist() == [
        labels.count(label) for label in table.source_classes
    ]


def test_absent_source_classes_have_no_conditional_probability():
    table = JointTable.from_batch([[1.0, 0.0], [1.0, 0.0]], ["a", "b"])
    assert table.conditional().tolist() == [[0.5, 0.5], [0.0, 0.0]]


@given(
    seed=st.integers(0, 2**16),
    cuts=st.lists(st.integers(0, 30), max_size=4),
    source=st.sampled_from(["proba", "labels"]),
)
def test_batches_merge_to_the_whole(seed, cuts, source):
    proba, y, weights = random_rows(seed)
    X = proba if source == "proba" else proba.argmax(axis=1)
    names = np.array(["pear", "apple", "fig"])[y]
    whole = JointTable.from_batch(X, names, weights, source=source)
    merged = JointTable.empty(source=source)
    edges = [0, *sorted(cuts), 30]
    for start, stop in pairwise(edges):
        part = slice(start, stop)
        batch = JointTable.from_batch(
            X[part], names[part], weights[part], source=source
        )
        merged = batch.merge(merged)
    assert_same_table(merged, whole)


def test_merging_with_empty_changes_nothing():
    proba, y, weights = random_rows(2)
    table = JointTable.from_batch(proba, y, weights)
    assert_same_table(table.merge(JointTable.empty()), table)
    assert_same_table(JointTable.empty().merge(table), table)


def test_merging_shares_no_array():
    proba, y, _ = random_rows(3)
    left, right = JointTable.from_batch(proba, y), JointTable.from_batch(proba, y)
    merged = left.merge(right)
    assert not np.shares_memory(merged.sums, left.sums)
    assert not np.shares_memory(merged.sums, right.sums)
    np.testing.assert_allclose(merged.sums, 2 * left.sums)


def test_a_table_absorbs_itself():
    proba, y, _ = random_rows(4)
    table = JointTable.from_batch(proba, y)
    before = table.sums.copy()
    table.absorb(table)
    np.testing.assert_allclose(table.sums, 2 * before)
    assert table.n_samples == 60


@pytest.mark.parametrize("source", ["proba", "labels"])
def test_files_bring_a_table_back(tmp_path, source):
    proba, y, weights = random_rows(5)
    X = (
        proba
        if source == "proba"
        else np.array(["owl", "emu", "kiwi", "auk"])[proba.argmax(axis=1)]
    )
    table = JointTable.from_batch(X, y, weights, source=source)
    empty = JointTable.empty(source=source)
    save_statistics(tmp_path / "t.npz", {"head": {"full": table, "empty": empty}})
    loaded, _ = load_statistics(tmp_path / "t.npz")
    assert_same_table(loaded["head"]["full"], table)
    assert_same_table(loaded["head"]["empty"], empty)
    assert loaded["head"]["full"].covers(table)


def test_tables_of_different_kinds_do_not_cover_each_other():
    assert not JointTable.empty().covers(JointTable.empty(source="labels"))


def test_float16_probabilities_are_scaled_to_one():
    proba = np.random.default_rng(6).dirichlet(np.ones(500), 20).astype(np.float16)
    table = JointTable.from_batch(proba, np.arange(20) % 2)
    assert table.total_weight == pytest.approx(20.0, rel=1e-14)


@pytest.mark.parametrize(
    ("X", "match"),
    [
        ([[0.2, 0.8], [2.0, -1.0]], r"Row 1 of width 2.*softmax"),
        ([[0.2, 0.8], [0.7, 0.7]], r"has sum 1\.4.*softmax"),
        ([[0.2], [0.7]], r"pass both columns"),
        ([[0.2, np.nan], [0.5, 0.5]], r"has sum nan"),
    ],
)
def test_rows_that_are_no_probabilities_are_refused(X, match):
    table = JointTable.from_batch(X, ["a", "b"])
    with pytest.raises(ValueError, match=match):
        table.sums  # noqa: B018


@pytest.mark.parametrize(
    ("X", "match"),
    [
        ([0.2, 0.7], "got fractions"),
        ([1.0, np.nan], "NaN or None"),
        (np.array(["a", None], dtype=object), "NaN or None"),
    ],
)
def test_source_labels_that_cannot_be_labels_are_refused(X, match):
    table = JointTable.from_batch(X, ["a", "b"], source="labels")
    with pytest.raises(ValueError, match=match):
        table.conditional()


def test_a_problem_survives_merging_and_files(tmp_path):
    good = JointTable.from_batch([[0.2, 0.8]], ["a"])
    bad = JointTable.from_batch([[3.0, 4.0]], ["b"])
    for merged in (good.merge(bad), bad.merge(good), JointTable.empty().merge(bad)):
        assert merged.problem == bad.problem
    save_statistics(tmp_path / "t.npz", {None: {"t": good.merge(bad)}})
    loaded, _ = load_statistics(tmp_path / "t.npz")
    with pytest.raises(ValueError, match="sum 7"):
        loaded[None]["t"].check()
    good.check()


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="one label per row"):
        JointTable.from_batch(np.zeros((3, 2)), ["a", "b"], source="labels")
    with pytest.raises(ValueError, match="one label per row"):
        JointTable.from_batch([0.5, 0.5], ["a", "b"])


def test_unlike_tables_are_not_merged():
    table = JointTable.from_batch([[0.5, 0.5]], ["a"])
    with pytest.raises(ValueError, match="different kinds"):
        table.merge(JointTable.empty(source="labels"))
    with pytest.raises(ValueError, match="Expected 2 columns"):
        table.merge(JointTable.from_batch([[0.5, 0.25, 0.25]], ["a"]))
    with pytest.raises(ValueError, match="Expected 'source' to be one of"):
        JointTable.empty(source="logits")
