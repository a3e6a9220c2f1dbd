"""A scatter is the same matrix whether it is kept thin or dense."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_transrate._lib import linalg
from sklearn_transrate.statistics import Scatter
from sklearn_transrate.statistics import _scatter as scatter_module
from sklearn_transrate.statistics._scatter import centred_factor, dense_scatter
from tests.statistics.literal import scatter_about, weighted_mean

ROUNDING = 1e-12
SEEDS = st.integers(0, 2**32 - 1)


def rows(seed, n_rows, n_features):
    return np.random.default_rng(seed).standard_normal((n_rows, n_features))


def scatter_of(*parts):
    scatter = Scatter(parts[0].shape[1])
    for part in parts:
        scatter.add(part.copy())
    return scatter


def assert_gram(scatter, expected_rows):
    expected = expected_rows.T @ expected_rows
    size = max(np.abs(expected).max(initial=0.0), 1e-300)
    np.testing.assert_allclose(scatter.dense(), expected, atol=ROUNDING * size)
    np.testing.assert_allclose(
        np.tril(scatter.triangle()), np.tril(expected), atol=ROUNDING * size
    )
    assert scatter.trace() == pytest.approx(np.trace(expected), rel=ROUNDING)
    vector = np.arange(1.0, scatter.n_features + 1)
    np.testing.assert_allclose(
        scatter.dot(vector), expected @ vector, atol=ROUNDING * size * vector.sum()
    )


# -- growing -------------------------------------------------------------------


@given(SEEDS, st.lists(st.integers(0, 4), min_size=1, max_size=5), st.integers(1, 8))
def test_adding_rows_adds_their_gram_matrix(seed, sizes, n_features):
    whole = rows(seed, sum(sizes), n_features)
    scatter = scatter_of(*np.split(whole, np.cumsum(sizes)[:-1]))
    assert_gram(scatter, whole)
    assert scatter.n_rows == len(whole)
    assert scatter.is_dense == (len(whole) >= n_features)


@given(SEEDS, st.integers(0, 12), st.integers(0, 12), st.integers(1, 8))
def test_absorbing_adds_thin_and_dense_alike(seed, n_left, n_right, n_features):
    whole = rows(seed, n_left + n_right, n_features)
    left, right = scatter_of(whole[:n_left]), scatter_of(whole[n_left:])
    before = right.dense()
    left.absorb(right)
    assert_gram(left, whole)
    assert left.n_rows == len(whole)
    left.add(np.ones((n_features + 1, n_features)))
    np.testing.assert_array_equal(right.dense(), before)


@given(SEEDS, st.integers(0, 12), st.integers(0, 12), st.integers(0, 3))
def test_rows_may_come_with_what_is_absorbed(seed, n_left, n_right, n_more):
    whole = rows(seed, n_left + n_right + n_more, 5)
    left, right, more = np.split(whole, [n_left, n_left + n_right])
    scatter, extra = scatter_of(left), more.copy()
    scatter.absorb(scatter_of(right), extra)
    extra[:] = np.nan
    assert_gram(scatter, whole)
    assert scatter.n_rows == len(whole)


@given(SEEDS, st.lists(st.integers(0, 9), max_size=6), st.sampled_from([1, 3, 4096]))
def test_a_sum_of_scatters_is_that_of_all_rows(seed, sizes, at_a_time):
    whole = rows(seed, sum(sizes), 4)
    parts = [scatter_of(part) for part in np.split(whole, np.cumsum(sizes))[:-1]]
    before = [part.dense() for part in parts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scatter_module, "SUM_ROWS", at_a_time)
        total = scatter_module.sum_of_scatters(parts, 4)
    assert_gram(total, whole)
    total.add(np.ones((5, 4)))
    for part, matrix in zip(parts, before, strict=True):
        np.testing.assert_array_equal(part.dense(), matrix)


def test_a_product_with_a_matrix_is_one_with_each_column():
    for n_rows in (3, 9):
        scatter = scatter_of(rows(4, n_rows, 5))
        columns = rows(5, 5, 2)
        by_column = [scatter.dot(column) for column in columns.T]
        np.testing.assert_allclose(scatter.dot(columns).T, by_column, rtol=1e-12)


@pytest.mark.parametrize("n_rows", [3, 5, 9])
def test_absorbing_itself_doubles(n_rows):
    whole = rows(0, n_rows, 6)
    scatter = scatter_of(whole[:2], whole[2:])
    scatter.absorb(scatter)
    assert_gram(scatter, np.concatenate([whole, whole]))


def test_a_copy_goes_its_own_way():
    for n_rows in (2, 7):
        scatter = scatter_of(rows(1, n_rows, 4))
        before = scatter.dense()
        scatter.copy().add(np.ones((5, 4)))
        np.testing.assert_array_equal(scatter.dense(), before)


def test_no_rows_change_nothing():
    scatter = scatter_of(np.empty((0, 3)))
    assert not scatter.is_dense
    assert scatter.n_rows == 0
    assert scatter.factor().shape == (0, 3)
    assert scatter.trace() == 0.0
    np.testing.assert_array_equal(scatter.dense(), np.zeros((3, 3)))


# -- leaving and coming back ---------------------------------------------------


@given(SEEDS, st.integers(0, 12), st.integers(0, 6), st.integers(1, 8))
def test_arrays_give_it_back_ready_to_grow(seed, n_rows, n_more, n_features):
    whole = rows(seed, n_rows + n_more, n_features)
    scatter = scatter_of(whole[:n_rows])
    array = scatter.to_array()
    rebuilt = Scatter.from_array(array, scatter.n_rows)
    assert rebuilt.is_dense == scatter.is_dense
    assert rebuilt.n_rows == n_rows
    array[:] = np.nan
    rebuilt.add(whole[n_rows:].copy())
    assert_gram(rebuilt, whole)


def test_a_full_matrix_of_as_many_rows_as_features_is_not_taken_for_a_factor():
    whole = rows(2, 4, 4)
    rebuilt = Scatter.from_array(scatter_of(whole).to_array(), 4)
    assert rebuilt.is_dense
    assert_gram(rebuilt, whole)


def test_a_dense_scatter_has_no_factor():
    with pytest.raises(ValueError, match="no factor"):
        scatter_of(rows(3, 5, 2)).factor()


# -- centring ------------------------------------------------------------------


@given(SEEDS, st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_a_centred_factor_has_one_row_less_and_the_same_scatter(seed, m, d, weighted):
    X = rows(seed, m, d)
    weights = np.random.default_rng(seed).uniform(0.1, 3.0, m) if weighted else None
    ones = np.ones(m) if weights is None else weights
    mean = weighted_mean(X, ones)
    factor = centred_factor(X.copy(), mean.astype(float), weights)
    expected = scatter_about(X, mean, ones)
    assert factor.shape == (m - 1, d)
    size = max(float(np.abs(expected).max()), 1e-16)
    np.testing.assert_allclose(
        factor.T @ factor, expected.astype(float), atol=1e-12 * size
    )


@given(SEEDS, st.integers(1, 700), st.sampled_from(["float64", "float32"]))
def test_large_classes_are_summed_buffer_by_buffer(seed, m, dtype):
    rng = np.random.default_rng(seed)
    X = (rng.standard_normal((m + 5, 3)) + rng.normal(scale=50, size=3)).astype(dtype)
    index = rng.permutation(m + 5)[:m]
    weights = rng.uniform(0.1, 3.0, m) if seed % 2 else None
    base, step, triangle = dense_scatter(X, index, weights)
    ones = np.ones(m) if weights is None else weights
    mean = weighted_mean(X[index], ones)
    expected = scatter_about(X[index], mean, ones).astype(float)
    np.testing.assert_allclose((base + step), mean.astype(float), rtol=1e-13)
    size = max(float(np.abs(expected).max()), 1e-20)
    np.testing.assert_allclose(triangle, np.tril(expected), atol=1e-11 * size)


def test_rows_that_wait_are_part_of_everything_that_is_read():
    """A dense matrix takes single rows together; nobody sees that they wait."""
    given = rows(0, 60, 24)
    expected = given.T @ given
    vector = np.arange(24.0)
    for read in (
        lambda s: s.dense(),
        lambda s: s.copy().dense(),
        lambda s: Scatter.from_array(s.to_array(), s.n_rows).dense(),
        lambda s: linalg.mirror(s.triangle()),
        lambda s: pickle.loads(pickle.dumps(s)).dense(),
    ):
        scatter = Scatter(24)
        for row in given:
            scatter.add(row[None].copy())
        np.testing.assert_allclose(read(scatter), expected, rtol=1e-12, atol=1e-12)
        scatter.add(given[:1].copy())
        more = expected + np.outer(given[0], given[0])
        np.testing.assert_allclose(scatter.dot(vector), more @ vector, rtol=1e-9)
        scatter.add(given[1:2].copy())
        trace = np.trace(more) + given[1] @ given[1]
        assert scatter.trace() == pytest.approx(trace, rel=1e-12)
        total = Scatter(24)
        scatter.add(given[:1].copy())
        total.absorb(scatter, given[:1])
        assert total.trace() == pytest.approx(
            trace + 2 * given[0] @ given[0], rel=1e-12
        )
