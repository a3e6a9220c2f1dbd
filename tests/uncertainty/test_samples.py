"""How many samples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sklearn_transrate.uncertainty import suggest_n_samples


def test_four_times_the_samples_halve_the_error():
    assert suggest_n_samples(0.02, 1000, target_error=0.01) == 4000
    assert suggest_n_samples(0.02, 1000, target_error=0.04) == 250
    assert suggest_n_samples(0.0, 1000, target_error=0.04) == 2


def test_the_difference_is_found_as_often_as_promised():
    spread, difference, power = 1.0, 0.1, 0.9
    n = suggest_n_samples(spread / np.sqrt(50), 50, difference=difference, power=power)
    rng = np.random.default_rng(0)
    samples = difference + spread * rng.standard_normal((2000, n))
    found = stats.ttest_1samp(samples, 0.0, axis=1).pvalue < 0.05
    assert found.mean() == pytest.approx(power, abs=0.02)


def test_sign_does_not_matter():
    assert suggest_n_samples(0.1, 100, difference=-0.1) == suggest_n_samples(
        0.1, 100, difference=0.1
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "either 'difference' or 'target_error'"),
        ({"difference": 1.0, "target_error": 1.0}, "either 'difference'"),
        ({"difference": 0.0}, "no number of samples resolves it"),
        ({"target_error": 0.0}, "no number of samples resolves it"),
        ({"difference": 1.0, "power": 80}, "Expected 'power' between 0 and 1"),
    ],
)
def test_what_cannot_be_answered_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        suggest_n_samples(0.1, 100, **options)


@pytest.mark.parametrize("error", [np.nan, -1.0, np.inf])
def test_errors_are_finite(error):
    with pytest.raises(ValueError, match="finite 'std_error'"):
        suggest_n_samples(error, 100, difference=0.1)
