"""Triangles against NumPy's full matrices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from sklearn_transrate._lib import linalg
from sklearn_transrate.testing.strategies import orthogonal_matrices

SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.integers(1, 8)


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def triangle_of(matrix):
    return np.asfortranarray(np.tril(matrix))


# -- gram matrices -------------------------------------------------------------


@given(SEEDS, st.integers(0, 9), SIZES)
def test_adding_a_gram_matrix_fills_the_lower_triangle(seed, n, d):
    rows = normal(seed, n, d)
    triangle = linalg.empty_triangle(d)
    assert linalg.add_gram(triangle, rows[: n // 2]) is triangle
    assert linalg.add_gram(triangle, rows[n // 2 :]) is triangle
    np.testing.assert_allclose(triangle, np.tril(rows.T @ rows), atol=1e-13)


@pytest.mark.parametrize(
    "rows",
    [
        np.asfortranarray(normal(0, 6, 4)),
        normal(0, 12, 8)[::2, ::2],
        normal(0, 6, 4).astype(np.float32),
        np.arange(24).reshape(6, 4),
    ],
    ids=["columns first", "strided", "single precision", "integers"],
)
def test_rows_may_lie_in_memory_as_they_like(rows):
    before = rows.copy()
    expected = rows.astype(float).T @ rows.astype(float)
    got = linalg.add_gram(linalg.empty_triangle(4), rows)
    np.testing.assert_allclose(got, np.tril(expected), rtol=1e-13)
    other = linalg.gram_of_rows(rows)
    np.testing.assert_allclose(
        np.tril(other), np.tril(rows.astype(float) @ rows.T.astype(float)), rtol=1e-12
    )
    np.testing.assert_array_equal(rows, before)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_nothing_has_a_gram_matrix_of_zeros(shape):
    np.testing.assert_array_equal(
        linalg.gram_of_rows(np.empty(shape)), np.zeros((shape[0], shape[0]))
    )


def test_a_mirrored_triangle_is_symmetric_and_new():
    matrix = normal(1, 4, 4)
    full = linalg.mirror(matrix)
    np.testing.assert_array_equal(full, full.T)
    np.testing.assert_array_equal(np.tril(full), np.tril(matrix))
    assert not np.shares_memory(full, matrix)


@given(SEEDS, st.integers(0, 8))
def test_the_norm_of_a_triangle_is_that_of_its_matrix(seed, size):
    matrix = linalg.mirror(normal(seed, size, size))
    # What stands above the diagonal is not read.
    garbage = np.tril(matrix) + np.triu(np.full((size, size), 0.0), 1)
    expected = np.linalg.norm(matrix)
    assert linalg.frobenius_norm(garbage) == pytest.approx(expected, rel=1e-12)


def test_sparse_rows_become_dense_ones_with_the_same_inner_products():
    rng = np.random.default_rng(2)
    X = sparse.random(12, 300, density=0.05, random_state=rng, format="csr")
    dense = linalg.isometric_rows(X)
    assert dense.shape[0] == 12
    assert dense.shape[1] <= 12
    np.testing.assert_allclose(dense @ dense.T, (X @ X.T).toarray(), atol=1e-13)


# -- factors and determinants --------------------------------------------------


@given(SEEDS, SIZES)
def test_a_cholesky_factor_gives_the_matrix_back(seed, size):
    rows = normal(seed, size + 3, size)
    triangle = triangle_of(rows.T @ rows)
    before = triangle.copy()
    factor = np.tril(linalg.cholesky(triangle))
    np.testing.assert_allclose(factor @ factor.T, linalg.mirror(triangle), atol=1e-12)
    np.testing.assert_array_equal(triangle, before)


@pytest.mark.parametrize("diagonal", [[1.0, -1.0], [1.0, 0.0]])
def test_what_is_not_definite_has_no_factor(diagonal):
    assert linalg.cholesky(np.asfortranarray(np.diag(diagonal))) is None


@given(SEEDS, st.integers(0, 8), st.integers(0, 12), st.sampled_from([1e-6, 1.0, 1e6]))
def test_the_log_determinant_is_numpys(seed, size, n, scale):
    rows = normal(seed, n, size)
    gram = rows.T @ rows
    expected = np.linalg.slogdet(np.eye(size) + gram / scale)[1]
    got = linalg.log_det_identity_plus(triangle_of(gram), scale)
    assert type(got) is float
    assert got == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(SEEDS, st.integers(1, 8), st.integers(1, 8))
def test_both_sides_of_the_features_have_the_same_log_determinant(seed, n, d):
    rows = normal(seed, n, d)
    thin = linalg.log_det_identity_plus(linalg.gram_of_rows(rows), 0.5)
    dense = linalg.log_det_identity_plus(linalg.gram_of_rows(rows.T), 0.5)
    assert thin == pytest.approx(dense, rel=1e-10)


@pytest.mark.parametrize("bad", [-5.0, -np.inf])
def test_a_matrix_that_is_no_scatter_is_refused(bad):
    triangle = np.asfortranarray(np.diag([1.0, bad]))
    with pytest.raises(ValueError, match="overflow when squared"):
        linalg.log_det_identity_plus(triangle, 1.0)


# -- rank and spectrum ---------------------------------------------------------


@st.composite
def scatters_of_known_rank(draw):
    """A scatter, its rank, and its non-zero eigenvalues, ascending."""
    size = draw(st.integers(1, 9))
    rank = draw(st.integers(0, size))
    seed, scale = draw(SEEDS), draw(st.sampled_from([1e-12, 1e-3, 1.0, 1e9]))
    values = np.sort(scale * 10.0 ** np.random.default_rng(seed).uniform(-4, 4, rank))
    vectors = draw(orthogonal_matrices(size))[:, :rank]
    return (vectors * values) @ vectors.T, rank, values


@given(scatters_of_known_rank(), st.integers(0, 3))
def test_the_rank_is_that_of_the_construction(scatter, n_dead):
    matrix, rank, _ = scatter
    size = len(matrix) + n_dead
    padded = np.zeros((size, size))
    padded[n_dead:, n_dead:] = matrix
    triangle = triangle_of(padded)
    before = triangle.copy()
    assert linalg.effective_rank(triangle) == rank
    np.testing.assert_array_equal(triangle, before)


@given(SEEDS, st.integers(1, 12), st.integers(1, 8), st.integers(0, 3))
def test_the_rank_of_features_is_that_of_their_scatter(seed, n, d, n_copies):
    X = normal(seed, n, d)
    X = np.hstack([X, X[:, :n_copies], 3.0 * np.ones((n, 1))])
    centred = X - X.mean(axis=0)
    triangle = triangle_of(centred.T @ centred)
    assert linalg.effective_rank(triangle) == min(n - 1, d)


def test_nothing_has_rank_zero():
    assert linalg.effective_rank(linalg.empty_triangle(0)) == 0
    assert linalg.effective_rank(linalg.empty_triangle(3)) == 0


@given(scatters_of_known_rank())
def test_the_spectrum_has_as_many_eigenvalues_as_the_rank(scatter):
    matrix, rank, expected = scatter
    values, vectors = linalg.eigh_psd(triangle_of(matrix))
    assert values.shape == (rank,)
    assert vectors.shape == (len(matrix), rank)
    size = expected.max(initial=0.0)
    np.testing.assert_allclose(values, expected, atol=1e-13 * size)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(rank), atol=1e-12)
    back = (vectors * values) @ vectors.T
    np.testing.assert_allclose(back, matrix, atol=1e-13 * max(size, 1e-300))


def test_an_empty_matrix_has_an_empty_spectrum():
    values, vectors = linalg.eigh_psd(linalg.empty_triangle(0))
    assert values.shape == (0,)
    assert vectors.shape == (0, 0)


def test_the_tolerance_is_that_of_matrix_rank():
    spectrum = np.array([1.0, 3.0 * 2.0**-52, 5.0 * 2.0**-52, 1e3])
    tolerance = linalg.rank_tolerance(1e3, 4)
    expected = np.linalg.matrix_rank(np.diag(spectrum))
    assert int((spectrum > tolerance).sum()) == expected == 2
