"""SFDA: against the definition, the published values and the program's mistakes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from sklearn_transrate.exceptions import SaturatedScoreWarning
from sklearn_transrate.metrics import SFDA, get_metric, sfda_score
from tests.golden import golden, load_inputs
from tests.references.sfda import (
    discriminant_posterior,
    mix_by_confidence,
    own_class,
    sfda_shrinkage,
    within_class_covariance,
)
from tests.references.sfda import sfda as literal_sfda

INPUTS = load_inputs()
SMALL = [name for name in INPUTS if len(INPUTS[name]["y"]) <= 300]
# A closed form; the factorisation differs from the program's.
ROUNDING = 1e-9


def quietly_scored(*args, **kwargs):
    with pytest.warns(SaturatedScoreWarning):
        return sfda_score(*args, **kwargs)


def score_of(name, X, y, **kwargs):
    """The score; n40_d64_k4 has fewer samples than features."""
    if name == "n40_d64_k4":
        return quietly_scored(X, y, **kwargs)
    return sfda_score(X, y, **kwargs)


@pytest.mark.parametrize("name", golden("sfda"))
def test_published_values_are_reproduced(name):
    X, y = INPUTS[name]["X"], INPUTS[name]["y"]
    got = score_of(name, X, y)
    assert got == pytest.approx(golden("sfda")[name], rel=ROUNDING)


@pytest.mark.parametrize("name", SMALL)
def test_score_is_that_of_the_definition(name):
    X, y = INPUTS[name]["X"].astype(float), INPUTS[name]["y"]
    assert score_of(name, X, y) == pytest.approx(literal_sfda(X, y), rel=ROUNDING)


@pytest.mark.parametrize("a", [1e-6, 0.1, 1.0])
@pytest.mark.parametrize(
    "name", ["n200_d16_k5", "singleton_n90_d9_k4", "rankdef_n120_d17_k4"]
)
def test_a_number_is_taken_as_the_shrinkage(name, a):
    X, y = INPUTS[name]["X"], INPUTS[name]["y"]
    posterior = discriminant_posterior(X, y, a)
    mixed = mix_by_confidence(X, y, softmax(posterior, axis=1))
    expected = np.mean(own_class(discriminant_posterior(mixed, y, a), y))
    metric = SFDA(shrinkage=a).fit(X, y)
    # A ridge of a millionth leaves nine digits of a singular covariance.
    assert metric.score_ == pytest.approx(expected, rel=1e-7)
    assert metric.parts_["shrinkage"] == a
    assert metric.parts_["posterior"] == pytest.approx(np.mean(own_class(posterior, y)))


@pytest.mark.parametrize("a", [1e-4, 0.1, 0.9])
def test_fewer_samples_than_features_use_the_thin_side(a):
    X, y = INPUTS["n40_d64_k4"]["X"], INPUTS["n40_d64_k4"]["y"]
    posterior = discriminant_posterior(X, y, a)
    mixed = mix_by_confidence(X, y, softmax(posterior, axis=1))
    expected = np.mean(own_class(discriminant_posterior(mixed, y, a), y))
    assert quietly_scored(X, y, shrinkage=a) == pytest.approx(expected, rel=ROUNDING)


def test_published_shrinkage_estimates_the_leading_eigenvalue():
    X, y = INPUTS["n200_d16_k5"]["X"], INPUTS["n200_d16_k5"]["y"]
    shrinkage = SFDA().fit(X, y).parts_["shrinkage"]
    assert shrinkage == pytest.approx(sfda_shrinkage(X, y), rel=ROUNDING)


def test_relative_shrinkage_is_of_the_share_of_the_leading_eigenvalue():
    for name in ("n200_d16_k5", "sklearn_wine"):
        X, y = INPUTS[name]["X"], INPUTS[name]["y"]
        shrinkage = SFDA(shrinkage="relative").fit(X, y).parts_["shrinkage"]
        eigenvalues = np.linalg.eigvalsh(within_class_covariance(X, y))
        share = eigenvalues[-1] / eigenvalues.sum()
        assert shrinkage == pytest.approx(np.exp(-5 * share), rel=1e-9)


def test_the_program_depends_on_the_scale_and_relative_shrinkage_does_not():
    X, y = INPUTS["n200_d16_k5"]["X"], INPUTS["n200_d16_k5"]["y"]
    assert abs(sfda_score(1e-3 * X, y) - sfda_score(X, y)) > 0.02
    expected = sfda_score(X, y, shrinkage="relative")
    for scale in (1e-12, 1e-3, 1e3, 1e12):
        got = sfda_score(scale * X, y, shrinkage="relative")
        assert got == pytest.approx(expected, rel=ROUNDING)


def test_rotations_change_the_published_shrinkage_only():
    X, y = INPUTS["n200_d16_k5"]["X"], INPUTS["n200_d16_k5"]["y"]
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((16, 16)))[0]
    assert sfda_score(X @ rotation, y) != pytest.approx(sfda_score(X, y), rel=1e-9)
    for shrinkage in ("relative", 0.05):
        expected = sfda_score(X, y, shrinkage=shrinkage)
        got = sfda_score(X @ rotation, y, shrinkage=shrinkage)
        assert got == pytest.approx(expected, rel=ROUNDING)


def test_inputs_are_not_overwritten():
    X, y = INPUTS["k2_n150_d12"]["X"].copy(), INPUTS["k2_n150_d12"]["y"].copy()
    before = X.copy(), y.copy()
    sfda_score(X, y)
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(y, before[1])


@pytest.mark.parametrize("names", ["dcbae", [-5, 3, 100, 7, 0]])
def test_names_of_labels_do_not_matter(names):
    X, y = INPUTS["n200_d16_k5"]["X"], INPUTS["n200_d16_k5"]["y"]
    named = [names[k] for k in y]
    assert sfda_score(X, named) == pytest.approx(sfda_score(X, y), rel=ROUNDING)


def test_wide_features_saturate_and_say_so():
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((30, 40)), np.arange(30) % 3
    with pytest.warns(
        SaturatedScoreWarning, match=r"30 samples.*40 features.*RidgeLOO"
    ):
        score = sfda_score(X, y, shrinkage=1e-6)
    assert score > 0.999
    # Enough shrinkage keeps the score off its bound.
    assert sfda_score(X, y, shrinkage=0.95) < 0.99


def test_singleton_classes_have_a_posterior():
    X, y = INPUTS["singleton_n90_d9_k4"]["X"], INPUTS["singleton_n90_d9_k4"]["y"]
    assert 0 < sfda_score(X, y) < 1


def test_constant_features_give_the_squared_class_shares():
    y = np.array([0] * 6 + [1] * 3 + [2])
    assert sfda_score(np.full((10, 4), 3.3), y) == pytest.approx(0.36 + 0.09 + 0.01)


def test_rows_that_do_not_vary_within_classes_are_certain():
    y = np.arange(12) % 3
    X = np.eye(3)[y]
    assert sfda_score(X, y) == 1.0
    # Classes at the same place share their samples.
    assert sfda_score(X[:, :1], y) == pytest.approx((1 + 0.5 + 0.5) / 3)


def test_features_of_constant_sum_have_a_leading_eigenvalue():
    # The published iteration starts at the row sums of the covariance: zero here.
    rng = np.random.default_rng(2)
    X, y = rng.dirichlet(np.ones(4), size=60), np.arange(60) % 3
    within = within_class_covariance(X, y)
    shrinkage = SFDA().fit(X, y).parts_["shrinkage"]
    assert shrinkage == pytest.approx(np.exp(-5 * np.linalg.eigvalsh(within)[-1]))


def test_blocks_do_not_matter(monkeypatch):
    from sklearn_transrate.metrics import _discriminant

    X, y = INPUTS["imbalanced_n300_d20_k6"]["X"], INPUTS["imbalanced_n300_d20_k6"]["y"]
    expected = sfda_score(X, y)
    monkeypatch.setattr(_discriminant, "BLOCK_ROWS", 37)
    assert sfda_score(X, y) == pytest.approx(expected, rel=ROUNDING)


def test_covariances_that_are_not_definite_are_still_solved():
    # Equal columns at large scale: the smallest shrinkage is lost in rounding.
    rng = np.random.default_rng(3)
    base, y = rng.standard_normal((60, 3)), np.arange(60) % 2
    base[:, 0] += 2 * y
    X = 1e6 * np.repeat(base, 8, axis=1)
    assert sfda_score(X, y) == pytest.approx(sfda_score(1e6 * base, y), abs=1e-3)


@pytest.mark.parametrize("shrinkage", ["auto", 0.0, -0.1, 1.5, None, np.nan])
def test_unknown_shrinkage_is_refused(shrinkage):
    with pytest.raises(ValueError, match="'shrinkage' to be one of"):
        sfda_score([[0.0], [1.0], [2.0]], [0, 1, 1], shrinkage=shrinkage)


def test_registered_by_name():
    metric = get_metric("sfda", shrinkage="relative")
    assert repr(metric) == "SFDA(shrinkage='relative')"
    assert metric.invariances == {"duplication", "rotation", "scale", "translation"}
