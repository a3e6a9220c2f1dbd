"""How often paired comparisons are wrong, with ties among the candidates."""

from __future__ import annotations

import numpy as np
import pytest

from sklearn_transrate.metrics import LogME
from sklearn_transrate.uncertainty import (
    compare_scores,
    paired_comparisons,
    pseudo_values,
)
from tests.theory.simulated import gaussian_classes

# So many zoos leave a share open by three times this.
LONG = pytest.param(400, marks=pytest.mark.slow)
each_length = pytest.mark.parametrize("n_zoos", [60, LONG])


def allowed(n_zoos, level=0.05):
    return level + 3.0 * np.sqrt(level * (1.0 - level) / n_zoos)


def zoo(n_candidates, n_tied, n_units, random):
    """Values of candidates of which the first few are equally good."""
    quality = np.zeros(n_candidates)
    quality[n_tied:] = -random.exponential(0.3, n_candidates - n_tied)
    shared = random.standard_normal(n_units)
    own = random.standard_normal((n_candidates, n_units))
    skewed = 0.5 * (random.exponential(1.0, (n_candidates, n_units)) - 1.0)
    return quality[:, None] + shared + 0.4 * own + skewed, quality


@pytest.mark.parametrize("correction", ["max_t", "bonferroni"])
@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("n_tied", [1, 8])
@each_length
def test_the_best_is_kept_as_often_as_promised(n_zoos, n_tied, one_sided, correction):
    random, lost, kept = np.random.default_rng(0), 0, 0
    for _ in range(n_zoos):
        values, _ = zoo(8, n_tied, 200, random)
        options = {"one_sided": one_sided, "correction": correction}
        found = paired_comparisons(values, **options)
        lost += not found.may_be_best[0]
        kept += found.may_be_best.sum()
    assert lost / n_zoos <= allowed(n_zoos)
    if n_tied == 1:  # and most of the others are not
        assert kept / n_zoos < 4.0


@each_length
def test_bounds_hold_the_true_rank(n_zoos):
    random, wrong = np.random.default_rng(1), np.zeros(6)
    for _ in range(n_zoos):
        values, quality = zoo(6, 1, 200, random)
        found = paired_comparisons(values)
        rank = 1 + (quality > quality[:, None]).sum(axis=1)
        wrong += (rank < found.rank_low) | (rank > found.rank_high)
    assert np.all(wrong / n_zoos <= allowed(n_zoos))


def test_without_a_correction_the_best_is_lost_more_often():
    random, lost = np.random.default_rng(0), 0
    for _ in range(400):
        values, _ = zoo(8, 8, 200, random)
        lost += not paired_comparisons(values, correction=None).may_be_best[0]
    assert lost / 400 > 0.08


def two_networks(n_samples, random):
    """Features of two candidates that are equally good, from the same samples."""
    Z, y = gaussian_classes(6, 3)(n_samples, random)
    return (
        Z,
        Z + 1.0 * random.standard_normal(Z.shape),
        Z + 1.0 * (random.standard_normal(Z.shape)),
        y,
    )


@each_length
def test_equal_candidates_differ_as_often_as_the_level_says(n_zoos):
    random, found = np.random.default_rng(0), 0
    for _ in range(n_zoos):
        _, X_a, X_b, y = two_networks(200, random)
        found += compare_scores("logme", X_a, X_b, y).p_value < 0.05
    assert found / n_zoos <= allowed(n_zoos)


def test_pairs_are_surer_than_either_score():
    random = np.random.default_rng(0)
    _, X_a, X_b, y = two_networks(500, random)
    apart = [pseudo_values(LogME(), X, y).std() / np.sqrt(500) for X in (X_a, X_b)]
    paired = compare_scores("logme", X_a, X_b, y).std_error
    assert paired < 0.8 * np.hypot(*apart)
