from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import sparse

from sklearn_transrate.extractors._batching import (
    count_rows,
    is_stream,
    iter_batches,
    rows_per_batch,
    stack_batches,
)

TABLE = np.arange(20.0).reshape(10, 2)


class Samples:
    """A dataset that gives single samples and does not understand slices."""

    def __len__(self):
        return 10

    def __getitem__(self, index):
        if not 0 <= index < 10:
            raise IndexError(index)
        return TABLE[index]


class Loader:
    """A data loader: a length in batches, no items, may be run again."""

    def __init__(self, batches):
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        return iter(self.batches)


class Tensor:
    """Labels on another device, which numpy cannot read there."""

    def __init__(self, values):
        self.values, self.shape, self.is_here = values, np.shape(values), False

    def detach(self):
        return self

    def cpu(self):
        here = Tensor(self.values)
        here.is_here = True
        return here

    def __array__(self, dtype=None, copy=None):
        assert self.is_here
        return np.asarray(self.values, dtype=dtype)


def memmap(tmp_path):
    np.save(tmp_path / "table.npy", TABLE)
    return np.load(tmp_path / "table.npy", mmap_mode="r")


def as_table(batch):
    if sparse.issparse(batch):
        return batch.toarray()
    return np.asarray(batch.to_numpy() if hasattr(batch, "to_numpy") else batch)


CONTAINERS = {
    "array": lambda _: TABLE,
    "memmap": memmap,
    "list": lambda _: TABLE.tolist(),
    "tuple": lambda _: tuple(TABLE.tolist()),
    "samples": lambda _: Samples(),
    "pandas": lambda _: pd.DataFrame(TABLE, index=range(5, 15), columns=["a", "b"]),
    "polars": lambda _: pl.DataFrame({"a": TABLE[:, 0], "b": TABLE[:, 1]}),
    **{
        f"{kind}_{form}": lambda _, name=f"{kind}_{form}": getattr(sparse, name)(TABLE)
        for kind in ("csr", "csc", "coo", "lil", "dok", "dia", "bsr")
        for form in ("matrix", "array")
    },
}


@pytest.mark.parametrize("batch_size", [1, 3, 10, 99, "auto", np.int64(4)])
@pytest.mark.parametrize("name", CONTAINERS)
def test_batches_put_together_are_the_whole(name, batch_size, tmp_path):
    batches = list(iter_batches(CONTAINERS[name](tmp_path), np.arange(10), batch_size))
    assert_array_equal(np.concatenate([as_table(X) for X, _ in batches]), TABLE)
    assert_array_equal(np.concatenate([y for _, y in batches]), np.arange(10))
    largest = 10 if batch_size == "auto" else batch_size
    assert all(len(y) <= largest for _, y in batches)


@given(st.integers(0, 30), st.integers(1, 40))
def test_only_the_last_batch_may_be_short(n_rows, batch_size):
    sizes = [len(X) for X, _ in iter_batches(range(n_rows), None, batch_size)]
    assert sum(sizes) == n_rows
    assert all(size == batch_size for size in sizes[:-1])
    assert all(0 < size <= batch_size for size in sizes)


def test_batches_of_an_array_share_its_memory():
    X_batch, _ = next(iter_batches(TABLE, None, 4))
    assert np.shares_memory(X_batch, TABLE)


def test_rows_of_a_memory_map_stay_on_disk(tmp_path):
    X_batch, _ = next(iter_batches(memmap(tmp_path), None, 4))
    assert isinstance(X_batch, np.memmap)


def test_frames_stay_frames():
    frame = pd.DataFrame({"text": list("abc")}, index=[7, 8, 9])
    batches = [X for X, _ in iter_batches(frame, None, 2)]
    assert [list(batch.index) for batch in batches] == [[7, 8], [9]]
    column = pl.Series(["a", "b", "c"])
    assert [X.to_list() for X, _ in iter_batches(column, None, 2)] == [
        ["a", "b"],
        ["c"],
    ]


def test_entries_of_a_mapping_are_cut_together():
    tokens = {"input_ids": np.arange(6).reshape(3, 2), "lengths": [2, 1, 2]}
    batches = [X for X, _ in iter_batches(tokens, None, 2)]
    assert_array_equal(batches[1]["input_ids"], [[4, 5]])
    assert batches[0]["lengths"] == [2, 1]


@pytest.mark.parametrize(
    "y",
    [
        pd.Series(["u", "v", "w"], index=[5, 1, 3]),
        pl.Series(["u", "v", "w"]),
        np.array(["u", "v", "w"]),
        pd.Series(["u", "v", "w"], dtype="category"),
    ],
)
def test_columns_of_labels_become_arrays_in_row_order(y):
    labels = [labels for _, labels in iter_batches(range(3), y, 2)]
    assert all(isinstance(part, np.ndarray) for part in labels)
    assert np.concatenate(labels).tolist() == ["u", "v", "w"]


def test_lists_of_mixed_labels_keep_their_types():
    (_, labels), *_ = iter_batches(range(2), [1, "a"])
    assert labels == [1, "a"]


def test_indicators_may_be_sparse():
    indicators = np.eye(3, dtype=int)
    batches = list(iter_batches(range(3), sparse.csr_matrix(indicators), 2))
    assert_array_equal(np.concatenate([y for _, y in batches]), indicators)


def test_labels_are_fetched_from_other_devices():
    stream = [(TABLE[:2], Tensor([0, 1]))]
    (_, labels), *_ = iter_batches(iter(stream))
    assert_array_equal(labels, [0, 1])


@pytest.mark.parametrize(
    ("batches", "labels"),
    [
        ([(TABLE[:6], [0] * 6), (TABLE[6:], [1] * 4)], [[0] * 6, [1] * 4]),
        ([[TABLE[:6], [0] * 6], [TABLE[6:], [1] * 4]], [[0] * 6, [1] * 4]),
        ([(TABLE[:6], None), (TABLE[6:], None)], [None, None]),
        ([(TABLE[:6],), [TABLE[6:]]], [None, None]),
        ([TABLE[:6], TABLE[6:]], [None, None]),
    ],
)
@pytest.mark.parametrize("kind", [Loader, iter, lambda b: (x for x in b)])
def test_streams_keep_their_own_batches(kind, batches, labels):
    passed_on = list(iter_batches(kind(batches), None, 3))
    assert_array_equal(np.concatenate([X for X, _ in passed_on]), TABLE)
    assert [y for _, y in passed_on] == labels


def test_streams_of_mappings_are_passed_on():
    batch = {"input_ids": TABLE}
    assert list(iter_batches(Loader([batch]))) == [(batch, None)]


def test_a_stream_is_read_only_as_far_as_it_is_used():
    def endless():
        while True:
            yield TABLE, None

    assert_array_equal(next(iter_batches(endless()))[0], TABLE)


@pytest.mark.parametrize("item", [(TABLE, [0], [1]), "text", ["a", "b", "c"], 3.0, ()])
def test_streams_of_something_else_are_refused(item):
    with pytest.raises(ValueError, match=r"Expected a stream of batches as pairs"):
        list(iter_batches(iter([item])))


def test_labels_beside_a_stream_are_refused():
    with pytest.raises(ValueError, match="Expected no y beside a stream"):
        iter_batches(iter([(TABLE, None)]), np.arange(10))


def test_lengths_are_compared_before_the_first_batch():
    with pytest.raises(ValueError, match="got 10 rows in X and 9 in y"):
        iter_batches(TABLE, np.arange(9))


@pytest.mark.parametrize("X", ["text", b"text", 5, np.float64(1.0), None])
def test_single_things_are_not_rows(X):
    with pytest.raises(TypeError, match="one row per sample"):
        iter_batches(X)


def test_entries_of_a_mapping_must_agree():
    with pytest.raises(ValueError, match=r"\{'a': 2, 'b': 3\}"):
        iter_batches({"a": [1, 2], "b": [1, 2, 3]})


@pytest.mark.parametrize("batch_size", [None, 2.0, True, "4"])
def test_batch_sizes_of_other_kinds_are_refused(batch_size):
    with pytest.raises(TypeError, match="'batch_size' to be an integer or 'auto'"):
        iter_batches(TABLE, None, batch_size)


@pytest.mark.parametrize("batch_size", [0, -3])
def test_batch_sizes_below_one_are_refused(batch_size):
    with pytest.raises(ValueError, match=f"at least 1, got {batch_size}"):
        iter_batches(TABLE, None, batch_size)


@pytest.mark.parametrize(
    ("X", "expected"),
    [
        (np.empty((5000, 2)), 4096),
        (np.empty((5000, 2**20), dtype=np.uint8), 16),
        (np.empty((9, 2**25), dtype=np.uint8), 1),
        (pd.DataFrame(np.empty((5000, 2))), 4096),
        (["text"] * 100, 64),
        (np.array(["text"] * 100), 64),
        (np.array(["text"] * 100, dtype=object), 64),
        (pl.Series(["text"] * 100), 64),
        ({"a": np.empty((99, 2**19)), "b": np.empty((99, 2**19))}, 2),
        ({"a": np.empty((99, 2**19)), "b": ["text"] * 99}, 64),
    ],
)
def test_auto_fits_sixteen_mebibytes(X, expected):
    X_batch, _ = next(iter_batches(X))
    assert count_rows(X_batch) == expected


def test_auto_counts_the_numbers_that_a_sparse_matrix_holds():
    X = sparse.eye(5000, 10**6, format="csr")
    assert next(iter_batches(X))[0].shape[0] == 4096


@given(st.none() | st.integers(0, 2**60))
def test_auto_is_never_nothing(row_bytes):
    assert 1 <= rows_per_batch(row_bytes) <= 4096


@pytest.mark.parametrize("n_rows", [None, 10])
def test_stacked_batches_are_the_whole(n_rows):
    whole = stack_batches(iter([TABLE[:3], TABLE[3:]]), n_rows)
    assert_array_equal(whole, TABLE)
    assert not np.shares_memory(whole, TABLE)


@pytest.mark.parametrize("n_rows", [None, 2])
def test_stacking_widens_the_type_where_batches_differ(n_rows):
    narrow, wide = np.ones((1, 1), np.float32), np.full((1, 1), 1e300)
    assert_array_equal(stack_batches([narrow, wide], n_rows), [[1.0], [1e300]])
    assert_array_equal(stack_batches([wide, narrow], n_rows), [[1e300], [1.0]])


@pytest.mark.parametrize("n_rows", [None, 0])
def test_no_batches_cannot_be_stacked(n_rows):
    with pytest.raises(ValueError, match="at least one row"):
        stack_batches(iter([]), n_rows)


@pytest.mark.parametrize("name", CONTAINERS)
def test_containers_of_rows_are_no_streams(name, tmp_path):
    assert not is_stream(CONTAINERS[name](tmp_path))
