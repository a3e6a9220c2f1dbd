"""The difference of two candidates, in words."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError

import pytest

from sklearn_transrate.results import Comparison


@pytest.fixture
def comparison():
    return Comparison("vit", "r50 / layer3", "logme", 0.5, 0.375, 0.125, 0.05)


def test_it_says_who_is_how_far_ahead(comparison):
    assert repr(comparison) == (
        "Comparison by logme: 'vit' minus 'r50 / layer3' is 0.1250 ± 0.0500 "
        "(0.5000 and 0.3750)"
    )


def test_an_unknown_standard_error_is_not_mentioned():
    comparison = Comparison("a", "b", "logme", 0.5, 0.375, 0.125)
    assert math.isnan(comparison.std_error)
    assert "±" not in repr(comparison)


def test_it_cannot_be_changed(comparison):
    with pytest.raises(FrozenInstanceError):
        comparison.difference = 0.0
