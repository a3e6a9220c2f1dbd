"""Joint moments of features and numeric targets against their definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_transrate.statistics import TargetMoments
from sklearn_transrate.testing.strategies import labelled_features
from tests.statistics.literal import scatter_about, weighted_mean


def targets_for(X, n_targets, seed):
    return np.random.default_rng(seed).standard_normal((len(X), n_targets)) * 3 + 1


@given(labelled_features(), st.integers(1, 3), st.integers(0, 2**32 - 1), st.booleans())
def test_the_joint_scatter_is_that_of_features_beside_targets(data, k, seed, weighted):
    X, targets = data[0], targets_for(data[0], k, seed)
    rng = np.random.default_rng(seed)
    weights = rng.choice([0.0, 0.5, 2.0], len(X)) if weighted else np.ones(len(X))
    weights[0] = 1.0
    moments = TargetMoments.empty()
    for start in range(0, len(X), 7):
        part = slice(start, start + 7)
        moments.update(X[part], targets[part], weights[part] if weighted else None)
    joined = np.hstack([X.astype(float), targets])
    mean = weighted_mean(joined, weights)
    expected = scatter_about(joined, mean, weights).astype(float)
    # Each entry to the precision of its own two columns.
    size = np.sqrt(np.outer(np.diagonal(expected), np.diagonal(expected))).max()
    np.testing.assert_allclose(moments.joint().dense(), expected, atol=1e-11 * size)
    np.testing.assert_allclose(
        np.concatenate(moments.means), mean.astype(float), atol=1e-12 * abs(mean).max()
    )
    assert moments.total_weight == pytest.approx(weights.sum())
    assert (moments.n_features, moments.n_targets) == (X.shape[1], k)


def test_one_column_of_targets_may_come_without_its_axis():
    flat = TargetMoments.from_batch([[0.0], [2.0]], [1.0, 5.0])
    column = TargetMoments.from_batch([[0.0], [2.0]], [[1.0], [5.0]])
    assert flat.n_targets == column.n_targets == 1
    np.testing.assert_array_equal(flat.joint().dense(), column.joint().dense())


def test_an_empty_statistic_has_no_widths():
    for moments in (
        TargetMoments.empty(),
        TargetMoments.from_batch(np.empty((0, 3)), np.empty(0)),
        TargetMoments.from_batch([[1.0]], [2.0], [0.0]),
    ):
        assert moments.n_samples == 0
        assert moments.n_features is None
        assert moments.n_targets is None


def test_an_offset_of_a_million_leaves_nine_digits():
    rng = np.random.default_rng(0)
    X, t = rng.standard_normal((200, 4)) + 1e6, rng.standard_normal(200) - 1e6
    moments = TargetMoments.empty()
    for start in range(0, 200, 11):
        moments.update(X[start : start + 11], t[start : start + 11])
    joined = np.column_stack([X, t])
    expected = scatter_about(joined, weighted_mean(joined, np.ones(200)), np.ones(200))
    apart = np.abs(moments.joint().dense() - expected).max()
    assert apart <= 1e-9 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("X", "y"),
    [
        ([[0.0], [1.0]], [1.0]),
        ([0.0, 1.0], [1.0, 2.0]),
        ([[0.0]], np.zeros((1, 1, 1))),
    ],
)
def test_rows_and_targets_that_do_not_go_together_are_refused(X, y):
    with pytest.raises(ValueError, match="one row of targets per row of a 2-d array"):
        TargetMoments.from_batch(X, y)


def test_another_number_of_targets_is_refused():
    moments = TargetMoments.from_batch([[0.0, 1.0]], [1.0])
    with pytest.raises(ValueError, match=r"Expected 1 targets, .* got 2"):
        moments.update([[0.0, 1.0]], [[1.0, 2.0]])
    # As wide in all, but cut elsewhere.
    with pytest.raises(ValueError, match=r"Expected 1 targets, .* got 2"):
        moments.update([[0.0]], [[1.0, 2.0]])
    assert moments.n_samples == 1


def test_another_number_of_features_is_refused():
    moments = TargetMoments.from_batch([[0.0, 1.0]], [1.0])
    with pytest.raises(ValueError, match=r"Expected 2 features, .* got 3"):
        moments.update([[0.0, 1.0, 2.0]], [1.0])
    assert moments.n_samples == 1


def test_text_is_no_target():
    with pytest.raises(ValueError, match="could not convert"):
        TargetMoments.from_batch([[0.0]], ["cat"])
