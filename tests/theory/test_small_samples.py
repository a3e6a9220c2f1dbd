"""What few samples do to each form of TransRate, with answers that are known.

Noise tells nothing of the labels, however wide it is; and of two candidates that hold
the same signal, the one with more noise beside it is no better.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import trapezoid

from sklearn_transrate.metrics import TransRate

N_SAMPLES, N_CLASSES = 120, 4
WIDTHS = (8, 64, 512)
N_DRAWS = 5

PLUG_IN = {
    "listing": TransRate.from_form("listing"),
    "relative": TransRate.from_form("relative"),
    "pooled": TransRate(covariance="pooled", normalize=None),
}
CORRECTED = {
    "out of sample": TransRate(),
    "corrected": TransRate.from_form("corrected"),
    "permutation": TransRate(
        covariance="pooled", normalize=None, correction="permutation", random_state=0
    ),
}


def noise(width, seed):
    rng = np.random.default_rng(seed)
    y = np.arange(N_SAMPLES) % N_CLASSES
    return rng.standard_normal((N_SAMPLES, width)), y


def signal(width, seed, strength=1.2):
    """Noise with the classes a little apart in three of its directions."""
    X, y = noise(width, seed)
    X[:, :3] += strength * np.eye(4)[y][:, :3]
    return X, y


def mean_score(metric, make, width):
    return np.mean([metric.score(*make(width, seed)) for seed in range(N_DRAWS)])


@pytest.mark.parametrize("name", PLUG_IN)
def test_wide_noise_flatters_a_plug_in(name):
    scores = [mean_score(PLUG_IN[name], noise, width) for width in WIDTHS]
    assert scores == sorted(scores)
    assert scores[-1] > 1.5 * scores[0] > 0


@pytest.mark.parametrize("name", PLUG_IN)
def test_a_plug_in_prefers_wide_noise_to_narrow_signal(name):
    narrow = mean_score(PLUG_IN[name], signal, 8)
    assert mean_score(PLUG_IN[name], noise, 512) > narrow


@pytest.mark.parametrize("name", CORRECTED)
def test_a_correction_prefers_narrow_signal_to_noise_of_any_width(name):
    narrow = mean_score(CORRECTED[name], signal, 8)
    for width in WIDTHS:
        assert mean_score(CORRECTED[name], noise, width) < 0.2 * narrow


def test_noise_beside_the_signal_makes_it_no_better():
    scores = [mean_score(TransRate(), signal, width) for width in WIDTHS]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("name", CORRECTED)
def test_much_noise_beside_the_signal_drowns_it(name):
    little, much = (mean_score(CORRECTED[name], signal, width) for width in (8, 512))
    assert much < 0.8 * little


def test_out_of_sample_is_what_the_labels_have_in_common_with_the_features():
    # Two Gaussians a distance of 2 apart: the mutual information, by quadrature.
    grid = np.linspace(-12, 12, 20001)
    one, other = (np.exp(-((grid - m) ** 2) / 2) / np.sqrt(2 * np.pi) for m in (-1, 1))
    mixture = (one + other) / 2
    information = trapezoid(one * np.log(one / mixture), grid)
    rng = np.random.default_rng(0)
    y = np.arange(4000) % 2
    X = rng.standard_normal((4000, 3))
    X[:, 0] += 2.0 * y - 1.0
    metric = TransRate().fit(X, y)
    assert abs(metric.score_ - information) < 4 * 0.6 / np.sqrt(4000)
