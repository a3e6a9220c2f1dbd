"""Differences on the same samples, all at once."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_iris

from sklearn_transrate._lib.comparisons import (
    covariance_of_means,
    critical_values,
    difference_errors,
    rank_bounds,
)
from sklearn_transrate.uncertainty import compare_scores, paired_comparisons

# Quantiles of 10000 draws.
DRAWN = 0.06


@pytest.fixture
def values():
    rng = np.random.default_rng(0)
    shared = 3.0 * rng.standard_normal(500)
    means = np.array([1.0, 0.95, 0.2, 0.0])
    return means[:, None] + shared + 0.5 * rng.standard_normal((4, 500))


def test_errors_are_those_of_paired_differences(values):
    found = paired_comparisons(values)
    expected = stats.ttest_rel(values[0], values[2])
    assert found.differences[0, 2] / found.difference_errors[0, 2] == pytest.approx(
        expected.statistic
    )
    assert found.difference_errors[0, 2] < 0.3 * found.std_errors[0]


def test_the_sure_order_is_seen_and_the_close_one_is_not(values):
    found = paired_comparisons(values)
    assert found.may_be_best.tolist() == [True, True, False, False]
    assert found.rank_low.tolist() == [1, 1, 3, 4]
    assert found.rank_high.tolist() == [2, 2, 3, 4]


def test_two_candidates_need_no_correction(values):
    for one_sided in (False, True):
        tail = 0.05 if one_sided else 0.025
        found = paired_comparisons(values[:2], one_sided=one_sided)
        expected = stats.t.isf(tail, 499)
        assert found.critical_values == pytest.approx([expected] * 2, abs=DRAWN)


def test_more_candidates_need_more_and_bonferroni_most(values):
    none, drawn, bound = (
        paired_comparisons(values, correction=c).critical_values
        for c in (None, "max_t", "bonferroni")
    )
    assert np.all(none < drawn)
    assert np.all(drawn < bound + DRAWN)
    one_sided = paired_comparisons(values, one_sided=True)
    assert np.all(one_sided.critical_values < drawn)
    assert one_sided.rank_high.tolist() == [4] * 4


def test_few_units_need_more():
    covariance = np.eye(3)
    many, few = (
        critical_values(covariance, confidence=0.95, n_units=n) for n in (1e6, 6)
    )
    assert np.all(few > 1.2 * many)


def test_a_hundred_of_one_kind_cost_what_one_costs(values):
    copies = np.vstack([values[:1], *([values[2:3]] * 50)])
    found = paired_comparisons(copies)
    assert found.critical_values[0] == pytest.approx(stats.t.isf(0.025, 499), abs=DRAWN)
    assert found.may_be_best.tolist() == [True] + [False] * 50
    assert set(found.rank_high[1:]) == {51}


def test_above_some_number_the_bound_is_used():
    covariance = np.eye(500)
    found = critical_values(covariance, confidence=0.9, n_units=100)
    assert found == pytest.approx(stats.t.isf(0.1 / (2 * 499), 99))


def test_nan_is_left_out_and_unknown_pairs_count_as_independent():
    covariance = np.diag([1.0, 1.0, 4.0, np.nan])
    covariance[0, 1] = covariance[1, 0] = 0.9
    covariance[:2, 2] = covariance[2, :2] = np.nan
    covariance[3] = covariance[:, 3] = np.nan
    errors = difference_errors(covariance)
    assert errors[0, 1] == pytest.approx(np.sqrt(0.2))
    assert errors[0, 2] == pytest.approx(np.sqrt(5.0))
    assert np.isnan(errors[3]).all()
    scores = np.array([10.0, 0.0, 1.0, 3.0])
    low, high = rank_bounds(scores, covariance, confidence=0.95, n_units=100)
    assert low[:3].tolist() == [1, 2, 2]
    # The one without an error may stand anywhere.
    assert high[:3].tolist() == [2, 4, 4]
    assert np.isnan([low[3], high[3]]).all()


def test_one_unit_says_nothing():
    assert np.isnan(covariance_of_means(np.ones((2, 1)))).all()


@pytest.mark.parametrize("values", [np.ones(4), np.ones((2, 1)), [[1.0, np.nan]] * 2])
def test_values_are_checked(values):
    with pytest.raises(ValueError, match="finite 'values' of shape"):
        paired_comparisons(values)


def test_options_are_checked(values):
    with pytest.raises(ValueError, match="Expected 'correction' to be one of"):
        paired_comparisons(values, correction="holm")
    with pytest.raises(ValueError, match="Expected 'confidence' between 0 and 1"):
        paired_comparisons(values, confidence=95)


@pytest.mark.parametrize("method", ["auto", "jackknife"])
def test_two_widths_can_be_compared(method):
    X, y = load_iris(return_X_y=True)
    found = compare_scores("logme", X, X[:, :2], y, method=method)
    assert found.is_paired
    assert found.difference > 0
    assert found.p_value < 0.001
    assert found.interval[0] > 0
    back = compare_scores("logme", X[:, :2], X, y, method=method)
    assert back.difference == pytest.approx(-found.difference)
    assert back.std_error == pytest.approx(found.std_error)


def test_a_candidate_does_not_differ_from_itself():
    X, y = load_iris(return_X_y=True)
    found = compare_scores("transrate", X, X, y)
    assert (found.difference, found.std_error, found.p_value) == (0.0, 0.0, 1.0)
