"""ETran: against the definition, the published values and the program's mistakes."""

from __future__ import annotations

import numpy as np
import pytest

from sklearn_transrate.exceptions import SaturatedScoreWarning, UndefinedMetricWarning
from sklearn_transrate.metrics import (
    SFDA,
    ETran,
    etran_from_parts,
    etran_score,
    get_metric,
)
from tests.golden import golden, load_inputs
from tests.references import etran as literal

INPUTS = load_inputs()
WIDE = "n40_d64_k4"  # fewer samples than features
# Closed forms.
ROUNDING = 1e-9


def fitted(X, y, **kwargs):
    return ETran(**kwargs).fit(X, y)


@pytest.mark.parametrize("name", golden("etran_energy_bot"))
def test_published_energies_are_reproduced(name):
    parts = fitted(INPUTS[name]["X"], INPUTS[name]["y"]).parts_
    assert parts["energy"] == pytest.approx(golden("etran_energy_bot")[name], rel=1e-7)


def test_energy_of_few_samples_is_that_of_the_lowest():
    # The published program takes the mean of none.
    for name in ("k2_n150_d12", "sklearn_iris", "rankdef_n120_d17_k4"):
        X, y = INPUTS[name]["X"], INPUTS[name]["y"]
        assert np.isnan(literal.energy_score(X))
        lowest = np.log(np.exp(X).sum(axis=1)).min()
        assert fitted(X, y).parts_["energy"] == pytest.approx(lowest)


def test_energy_neither_overflows_nor_needs_labels():
    X = 1e4 * np.random.default_rng(0).standard_normal((400, 3))
    y = np.arange(400) % 2
    expected = np.sort(X.max(axis=1))[:2].mean()
    assert fitted(X, y).parts_["energy"] == pytest.approx(expected, rel=1e-6)
    assert fitted(X, y[::-1]).parts_["energy"] == fitted(X, y).parts_["energy"]


@pytest.mark.parametrize("name", sorted(set(INPUTS) - {WIDE, "sklearn_digits"}))
def test_linear_part_is_that_of_the_paper(name):
    X, y = INPUTS[name]["X"].astype(float), INPUTS[name]["y"]
    parts = fitted(X, y).parts_
    assert parts["lda"] == pytest.approx(literal.lda_score(X, y), rel=1e-8)
    assert parts["lda"] == pytest.approx(SFDA().fit(X, y).parts_["posterior"])


@pytest.mark.parametrize("name", ["n200_d16_k5", "sklearn_wine", "k2_n150_d12"])
def test_the_program_returns_a_nearest_mean_posterior_instead(name):
    X, y = INPUTS[name]["X"], INPUTS[name]["y"]
    published = golden("etran_lda")[name]
    assert published == pytest.approx(literal.nearest_mean_score(X, y), rel=1e-7)
    assert fitted(X, y).parts_["lda"] != pytest.approx(published, rel=1e-3)


@pytest.mark.parametrize("weight", [0.0, 0.15, 1.0])
def test_score_weighs_both_parts(weight):
    X, y = INPUTS["n200_d16_k5"]["X"], INPUTS["n200_d16_k5"]["y"]
    metric = fitted(X, y, energy_weight=weight)
    energy, lda = metric.parts_["energy"], metric.parts_["lda"]
    squashed = (1 + energy / (1 + abs(energy))) / 2
    assert metric.score_ == pytest.approx(weight * squashed + (1 - weight) * lda)


def test_mapped_energies_keep_their_order():
    X, y = INPUTS["n200_d16_k5"]["X"], INPUTS["n200_d16_k5"]["y"]
    offsets = [-1e6, -10, -3, -1, 0, 1, 3, 10, 1e6]
    scores = [etran_score(X + c, y, energy_weight=1.0) for c in offsets]
    assert scores == sorted(scores)
    assert 0 <= scores[0] < scores[-1] <= 1


def test_candidates_are_combined_as_published():
    energies, scores = [2.0, -4.0, 3.0], [0.5, 0.7, 0.9]
    expected = literal.combine_over_models(energies, scores)
    np.testing.assert_allclose(etran_from_parts(energies, scores), expected)
    # The program divides by zero where candidates agree.
    assert etran_from_parts([1.0, 1.0], [0.2, 0.4]).tolist() == [0.0, 0.85]
    with pytest.raises(ValueError, match="as many scores as energies"):
        etran_from_parts([1.0], [0.2, 0.4])
    with pytest.raises(ValueError, match="'energies' to hold one finite number"):
        etran_from_parts([np.nan, 1.0], [0.2, 0.4])


@pytest.mark.parametrize("targets", [1, 3])
def test_values_are_fitted_by_least_squares_without_intercept(targets):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((50, 6)) + 1.0
    Y = X[:, :1] @ np.ones((1, targets)) + rng.standard_normal((50, targets))
    metric = fitted(X, Y if targets > 1 else Y[:, 0])
    expected = literal.regression_score(X, Y)
    assert metric.parts_["regression"] == pytest.approx(expected, rel=1e-7)
    errors = [-literal.regression_score(X, Y[:, [k]]) for k in range(targets)]
    r2 = np.mean([1 - e / Y[:, k].var() for k, e in enumerate(errors)])
    assert metric.parts_["r2"] == pytest.approx(r2, rel=1e-7)


def test_indicators_are_values_of_zero_and_one():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((50, 4))
    Y = (X[:, :2] > 0).astype(int)
    assert etran_score(X, Y) == etran_score(X, Y, task="regression")


def test_wide_features_saturate_and_say_so():
    rng = np.random.default_rng(3)
    X, t = rng.standard_normal((20, 40)), rng.standard_normal(20)
    too_wide = r"20 samples.*40 features.*RidgeLOO"
    with pytest.warns(SaturatedScoreWarning, match=too_wide):
        etran_score(X, np.arange(20) % 2, shrinkage=1e-8)
    with pytest.warns(SaturatedScoreWarning, match=too_wide):
        score = etran_score(X, t, energy_weight=0.0)
    assert score == pytest.approx(1.0)


def test_constant_targets_give_nan_with_a_reason():
    X = np.random.default_rng(4).standard_normal((20, 3))
    with pytest.warns(UndefinedMetricWarning, match="constant"):
        assert np.isnan(etran_score(X, np.full(20, 1e9 / 7)))


def test_weights_reach_the_tail():
    X = np.random.default_rng(5).standard_normal((30, 3))
    y, times = np.arange(30) % 2, np.full(30, 20)
    weighted = ETran().fit(X, y, times).parts_["energy"]
    repeated = fitted(np.repeat(X, times, axis=0), np.repeat(y, times)).parts_
    assert weighted == pytest.approx(repeated["energy"], rel=ROUNDING)


def test_names_of_labels_do_not_matter():
    X, y = INPUTS["n200_d16_k5"]["X"], INPUTS["n200_d16_k5"]["y"]
    named = [["d", "c", "b", "a", "e"][k] for k in y]
    assert etran_score(X, named) == pytest.approx(etran_score(X, y), rel=ROUNDING)


def test_inputs_are_not_overwritten():
    X, y = INPUTS["k2_n150_d12"]["X"].copy(), INPUTS["k2_n150_d12"]["y"]
    before = X.copy()
    etran_score(X, y)
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("weight", [-0.1, 1.1, "most", np.nan])
def test_weight_out_of_range_is_refused(weight):
    with pytest.raises(ValueError, match="'energy_weight' between 0 and 1"):
        etran_score([[0.0], [1.0], [2.0]], [0, 1, 1], energy_weight=weight)


def test_registered_by_name():
    assert repr(get_metric("etran", energy_weight=0)) == "ETran(energy_weight=0)"
