"""Class moments against their definitions in extended precision."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sklearn_transrate._lib import linalg
from sklearn_transrate.statistics import ClassMoments, RowSample
from sklearn_transrate.testing import assert_statistics_equal
from sklearn_transrate.testing.strategies import feature_batches, labelled_features
from tests.statistics.literal import (
    class_moments,
    norm_moments,
    scatter_about,
    weighted_mean,
)

# Sums of a few hundred float64 terms, relative to the largest entry.
ROUNDING = 1e-11
# What the definition itself makes of a scatter that is zero.
EXTENDED_ROUNDING = 1e-30
KINDS = ("class", "pooled", "diagonal")


def assert_close(got, expected, rtol=ROUNDING):
    got, expected = np.asarray(got, np.longdouble), np.asarray(expected, np.longdouble)
    assert got.shape == expected.shape
    size = np.abs(expected).max(initial=0)
    assert np.abs(got - expected).max(initial=0) <= rtol * size + EXTENDED_ROUNDING


def weights_for(seed, n_samples):
    """Weights of which some are zero and none small, or none at all."""
    rng = np.random.default_rng(seed)
    if seed % 3 == 0:
        return None
    weights = rng.choice([0.0, 0.5, 1.0, 3.25], n_samples)
    weights[rng.integers(n_samples)] = 2.0
    return weights


SEEDS = st.integers(0, 2**32 - 1)


# -- against the definition ----------------------------------------------------


@given(labelled_features(), SEEDS, st.sampled_from(KINDS))
def test_counts_means_and_scatters_are_those_of_the_definition(data, seed, kind):
    X, y = data
    weights = weights_for(seed, len(X))
    moments = ClassMoments.from_batch(X, y, weights, scatter=kind)
    expected = class_moments(X, y, weights)
    assert set(moments.classes) == set(expected)
    counts, means, scatters = zip(
        *(expected[label] for label in moments.classes), strict=True
    )
    assert_close(moments.counts, counts)
    assert_close(moments.means, means)
    if kind == "class":
        got = [moments.class_scatter(k).dense() for k in range(len(counts))]
        assert_close(got, scatters)
    if kind != "diagonal":
        assert_close(moments.within().dense(), np.sum(scatters, axis=0))
    if kind != "pooled":
        diagonals = np.array([np.diagonal(s) for s in scatters])
        assert_close(moments.variances(), diagonals / np.array(counts)[:, None])


@given(labelled_features(), SEEDS, st.sampled_from(KINDS))
def test_totals_are_those_of_the_definition(data, seed, kind):
    X, y = data
    weights = weights_for(seed, len(X))
    moments = ClassMoments.from_batch(X, y, weights, scatter=kind)
    weights = np.ones(len(X)) if weights is None else weights
    mean = weighted_mean(X, weights)
    total = scatter_about(X, mean, weights)
    assert_close(moments.total_weight, weights.sum())
    assert_close(moments.priors.sum(), 1.0)
    assert_close(moments.mean, mean)
    assert_close(moments.total_trace(), np.trace(total))
    between = moments.between_rows()
    within = sum(s for _, _, s in class_moments(X, y, weights).values())
    size = max(float(np.abs(total).max()), 1e-300)
    assert np.abs(between.T @ between - (total - within)).max() <= 1e-9 * size
    if kind != "diagonal":
        assert_close(moments.total().dense(), total)
        direction = np.random.default_rng(seed).standard_normal(X.shape[1])
        reach = np.abs(total).max() * np.abs(direction).sum()
        got = moments.total_dot(direction)
        assert np.abs(got - total @ direction).max() <= ROUNDING * reach


@given(feature_batches(offsets=[0.0, 1.0, 1e3]), SEEDS, st.sampled_from(KINDS[:2]))
def test_third_and_fourth_moments_survive_merging(batches, seed, kind):
    moments = ClassMoments.empty(scatter=kind, norms=True)
    parts = []
    for i, (X, y) in enumerate(batches):
        weights = weights_for(seed + i, len(X))
        moments.update(X, y, weights)
        parts.append(np.ones(len(X)) if weights is None else weights)
    X, weights = np.concatenate([X for X, _ in batches]), np.concatenate(parts)
    third, fourth = norm_moments(X, weights)
    length = (fourth / weights.sum()) ** 0.25
    got = moments.norm_moments()
    scale = max(float(fourth), 1e-300)
    assert abs(got.fourth - fourth) <= 1e-8 * scale
    assert np.abs((got.third - third) * length).max() <= 1e-8 * scale


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32", "uint8"])
def test_classes_of_thousands_of_rows_pass_in_blocks(kind, weighted, dtype):
    rng = np.random.default_rng(0)
    # One class larger than any block, some that share one, and one row alone. The
    # first class drifts, so that its first rows tell little of the rest.
    y = np.repeat([4, 1, 3, 9, 2], [9000, 300, 200, 1, 40])
    X = rng.standard_normal((len(y), 3)) * 20 + 100
    X[:9000] += np.linspace(0, 60, 9000)[:, None]
    X = X.clip(0, 255).astype(dtype)
    weights = rng.choice([0.0, 1.0, 2.5], len(y)) if weighted else None
    if weighted:
        weights[9500] = 1.0
    order = rng.permutation(len(y))
    X, y = X[order], y[order]
    weights = None if weights is None else weights[order]
    moments = ClassMoments.from_batch(X, y, weights, scatter=kind)
    expected = class_moments(X, y, weights)
    assert moments.classes == [1, 2, 3, 4, 9]
    assert_close(moments.counts, [expected[label][0] for label in moments.classes])
    assert_close(moments.means, [expected[label][1] for label in moments.classes])
    scatters = [expected[label][2] for label in moments.classes]
    if kind == "class":
        assert_close([moments.class_scatter(k).dense() for k in range(5)], scatters)
    elif kind == "pooled":
        assert_close(moments.within().dense(), np.sum(scatters, axis=0))
    else:
        diagonals = np.array([np.diagonal(scatter) for scatter in scatters])
        assert_close(moments.variances(), diagonals / moments.counts[:, None])


@pytest.mark.parametrize("n_rows", [1, 2, 5, 6, 7, 8, 30])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_scatter_is_the_same_on_both_sides_of_becoming_dense(n_rows, weighted):
    rng = np.random.default_rng(n_rows)
    X, y = rng.standard_normal((n_rows, 6)) + 5, np.zeros(n_rows, int)
    weights = rng.uniform(0.5, 2, n_rows) if weighted else None
    moments = ClassMoments.from_batch(X, y, weights)
    scatter = moments.class_scatter(0)
    assert scatter.is_dense == (n_rows - 1 >= 6)
    if not scatter.is_dense:
        assert scatter.factor().shape == (n_rows - 1, 6)
    assert_close(scatter.dense(), class_moments(X, y, weights)[0][2])


# -- digits --------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(400, 12), (30, 50)])
def test_an_offset_of_a_million_leaves_nine_digits_after_merging(kind, shape):
    rng = np.random.default_rng(1)
    X = rng.standard_normal(shape) + 1e6
    y = rng.integers(0, 4, len(X))
    merged = ClassMoments.empty(scatter=kind)
    for start in range(0, len(X), 7):
        batch = X[start : start + 7], y[start : start + 7]
        merged = merged.merge(ClassMoments.from_batch(*batch, scatter=kind))
    scatters = [class_moments(X, y)[label][2] for label in merged.classes]
    if kind == "diagonal":
        diagonals = np.array([np.diagonal(scatter) for scatter in scatters])
        assert_close(merged.variances() * merged.counts[:, None], diagonals, 1e-9)
    else:
        assert_close(merged.within().dense(), np.sum(scatters, axis=0), 1e-9)


@given(feature_batches(), st.sampled_from([0.1, 1e6, -1e12]))
@example([(np.full((2, 1), 0.1), np.array([0, 1]))] * 3, 0.1)
def test_a_constant_feature_has_no_scatter_at_all(batches, value):
    moments = ClassMoments.empty()
    for X, y in batches:
        moments.update(np.full((len(X), 1), value), y)
    assert moments.total_trace() == 0.0
    np.testing.assert_array_equal(moments.means, value)


def test_equal_features_have_equal_rows_of_the_scatter():
    rng = np.random.default_rng(2)
    column = rng.standard_normal((50, 1)) + 1e5
    y = rng.integers(0, 3, 50)
    moments = ClassMoments.empty(scatter="pooled")
    for start in range(0, 50, 9):
        X = np.repeat(column[start : start + 9], 3, axis=1)
        moments.update(X, y[start : start + 9])
    total = moments.total().dense()
    np.testing.assert_array_equal(total, np.full((3, 3), total[0, 0]))


# -- labels --------------------------------------------------------------------


def test_labels_that_compare_equal_are_one_class():
    moments = ClassMoments.from_batch([[0.0], [2.0]], [True, False])
    moments.update([[4.0]], np.array([1], dtype=object)).update([[6.0]], [0.0])
    assert moments.classes == [0, 1]
    assert moments.means.tolist() == [[4.0], [2.0]]


def test_a_number_and_its_text_are_two_classes():
    moments = ClassMoments.from_batch([[0.0]], ["1"]).update([[1.0]], [1])
    assert len(moments.classes) == 2
    assert moments.counts.tolist() == [1.0, 1.0]


def test_classes_are_in_sorted_order_however_they_came():
    moments = ClassMoments.from_batch([[3.0]], [30])
    for label in (4, -1, 7):
        moments.update([[float(label)]], [label])
    assert moments.classes == [-1, 4, 7, 30]
    assert moments.means[:, 0].tolist() == [-1.0, 4.0, 7.0, 3.0]


@pytest.mark.parametrize("kind", KINDS)
def test_thousands_of_classes_arrive_in_batches(kind):
    rng = np.random.default_rng(3)
    batches = [
        (rng.standard_normal((1500, 4)), rng.integers(0, 3000, 1500)) for _ in range(5)
    ]
    moments = ClassMoments.empty(scatter=kind)
    for X, y in batches:
        moments.update(X, y)
    X, y = (np.concatenate(column) for column in zip(*batches, strict=True))
    assert_statistics_equal(moments, ClassMoments.from_batch(X, y, scatter=kind))
    assert moments.n_samples == moments.total_weight == len(X)
    assert moments.classes == sorted(set(y.tolist()))


@pytest.mark.parametrize("kind", ["class", "pooled"])
def test_a_dense_matrix_is_passed_over_once_a_merge(kind, monkeypatch):
    rng = np.random.default_rng(5)
    moments, calls = ClassMoments.empty(scatter=kind), []
    for _ in range(4):
        moments.update(rng.standard_normal((400, 6)), rng.integers(0, 50, 400))
    batch = ClassMoments.from_batch(
        rng.standard_normal((55, 6)), np.arange(55) % 50, scatter=kind
    )
    add_gram = linalg.add_gram
    monkeypatch.setattr(linalg, "add_gram", lambda *a: calls.append(0) or add_gram(*a))
    moments.absorb(batch)
    assert 0 < len(calls) <= (50 if kind == "class" else 1)
    calls.clear()
    # A thin sum over 50 classes becomes dense in one update, too.
    thin = ClassMoments.from_batch(
        rng.standard_normal((200, 6)), np.arange(200) % 50, scatter="class"
    )
    assert not any(thin.class_scatter(k).is_dense for k in range(50))
    assert thin.within().is_dense
    assert len(calls) == 1


def test_a_missing_label_is_refused():
    with pytest.raises(ValueError, match="y contains NaN"):
        ClassMoments.from_batch([[0.0], [1.0]], [0.0, np.nan])


# -- kinds ---------------------------------------------------------------------


def test_class_moments_cover_every_kind():
    whole = ClassMoments.empty(scatter="class", norms=True)
    for kind in KINDS:
        assert whole.covers(ClassMoments.empty(scatter=kind))
        assert ClassMoments.empty(scatter=kind).covers(ClassMoments.empty(scatter=kind))
    pooled = ClassMoments.empty(scatter="pooled")
    assert not pooled.covers(ClassMoments.empty(scatter="class"))
    assert not pooled.covers(ClassMoments.empty(scatter="diagonal"))
    assert not pooled.covers(ClassMoments.empty(scatter="pooled", norms=True))
    assert not whole.covers(RowSample.empty())


@given(labelled_features())
def test_what_covers_reads_the_same(data):
    whole = ClassMoments.from_batch(*data, scatter="class")
    pooled = ClassMoments.from_batch(*data, scatter="pooled")
    diagonal = ClassMoments.from_batch(*data, scatter="diagonal")
    assert_close(whole.within().dense(), pooled.within().dense())
    assert_close(whole.variances(), diagonal.variances())


def test_what_was_not_kept_cannot_be_read():
    pooled = ClassMoments.from_batch([[0.0], [1.0]], [0, 1], scatter="pooled")
    with pytest.raises(ValueError, match=r"made with scatter='class', got.*'pooled'"):
        pooled.class_scatter(0)
    with pytest.raises(ValueError, match="made with scatter='class'"):
        pooled.variances()
    with pytest.raises(ValueError, match="pass norms=True"):
        pooled.norm_moments()
    diagonal = ClassMoments.from_batch([[0.0], [1.0]], [0, 1], scatter="diagonal")
    with pytest.raises(ValueError, match="'class' or scatter='pooled'"):
        diagonal.within()


def test_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match=r"one of \('class', .*got 'full'"):
        ClassMoments.empty(scatter="full")
    with pytest.raises(ValueError, match="norms=False"):
        ClassMoments.empty(scatter="diagonal", norms=True)
    with pytest.raises(ValueError, match="different kinds"):
        ClassMoments.empty().merge(ClassMoments.empty(scatter="pooled"))


@pytest.mark.parametrize(
    ("X", "y"),
    [([1.0, 2.0], [0, 1]), ([[1.0], [2.0]], [0]), (np.zeros((2, 2, 2)), [0, 1])],
)
def test_rows_and_labels_that_do_not_go_together_are_refused(X, y):
    with pytest.raises(ValueError, match="one label per row of a 2-d array"):
        ClassMoments.from_batch(X, y)


@pytest.mark.parametrize("weights", [[1.0], [1.0, np.nan], [1.0, -1.0], [1.0, np.inf]])
def test_weights_that_do_not_fit_are_refused(weights):
    with pytest.raises(ValueError, match="'sample_weight'"):
        ClassMoments.from_batch([[0.0], [1.0]], [0, 1], weights)


def test_another_width_is_refused():
    moments = ClassMoments.from_batch([[0.0, 1.0]], [0])
    with pytest.raises(ValueError, match=r"Expected 2 features, .* got 3"):
        moments.update([[0.0, 1.0, 2.0]], [0])
    assert moments.n_samples == 1


# -- storage -------------------------------------------------------------------


def test_thin_factors_keep_one_row_less_than_there_are_samples():
    rng = np.random.default_rng(4)
    moments = ClassMoments.empty()
    for _ in range(4):
        moments.update(rng.standard_normal((6, 100)), [0, 0, 0, 1, 1, 1])
    for k in range(2):
        assert moments.class_scatter(k).factor().shape == (11, 100)


def test_readers_return_arrays_of_their_own():
    moments = ClassMoments.from_batch(np.eye(3), [0, 0, 1], scatter="pooled")
    before = moments.summary()
    for array in (moments.within().dense(), moments.total().dense(), moments.mean):
        array[:] = 7.0
    moments.between_rows()[:] = 7.0
    for part, value in moments.summary().items():
        np.testing.assert_array_equal(value, before[part])


def test_an_empty_statistic_describes_itself():
    assert repr(ClassMoments.empty(scatter="pooled")) == (
        "<ClassMoments(scatter='pooled', norms=False) of 0 samples>"
    )
