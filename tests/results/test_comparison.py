"""The difference of two candidates, in words."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError

import pytest
from scipy import stats

from sklearn_transrate.results import Comparison


@pytest.fixture
def comparison():
    return Comparison("vit", "r50 / layer3", "logme", 0.5, 0.375, 0.125, 0.05)


def test_it_says_who_is_how_far_ahead(comparison):
    assert repr(comparison) == (
        "Comparison by logme: 'vit' minus 'r50 / layer3' is 0.1250 ± 0.0500 "
        "(0.5000 and 0.3750); 95 % from 0.02700 to 0.2230, p = 0.012"
    )


def test_an_unknown_standard_error_is_not_mentioned():
    comparison = Comparison("a", "b", "logme", 0.5, 0.375, 0.125)
    assert math.isnan(comparison.std_error)
    assert "±" not in repr(comparison)


def test_it_cannot_be_changed(comparison):
    with pytest.raises(FrozenInstanceError):
        comparison.difference = 0.0


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_the_interval_leaves_out_zero_where_the_p_value_says_so(confidence):
    edge = stats.t.isf((1.0 - confidence) / 2.0, 9.0)
    for ratio in (0.99, 1.01):
        comparison = Comparison(
            "a", "b", "x", 1.0, 0.0, 1.0, 1.0 / (edge * ratio), True, confidence, 10
        )
        low, high = comparison.interval
        assert (low > 0) == (comparison.p_value < 1.0 - confidence) == (ratio > 1)
        assert (low + high) / 2 == pytest.approx(1.0)


def test_without_error_any_difference_is_sure():
    assert Comparison("a", "b", "x", 1.0, 1.0, 0.0, 0.0).p_value == 1.0
    assert Comparison("a", "b", "x", 1.0, 0.5, 0.5, 0.0).p_value == 0.0
    assert "p < 0.001" in repr(Comparison("a", "b", "x", 1.0, 0.5, 0.5, 0.0))


def test_confidence_is_a_probability():
    with pytest.raises(ValueError, match="between 0 and 1, got 95"):
        Comparison("a", "b", "x", 1.0, 0.0, 1.0, 0.1, confidence=95)
