"""NCTI: against the definition, the published values, and its own bounds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from sklearn_transrate.exceptions import SaturatedScoreWarning
from sklearn_transrate.metrics import NCTI, get_metric, ncti_from_parts, ncti_score
from tests.golden import golden, load_inputs
from tests.references.ncti import combine_over_models, ncti_parts

INPUTS = load_inputs()
WIDE = "n40_d64_k4"  # fewer samples than components
RAW = ("spread", "nearest_centre", "variability")
SCALED = tuple(f"{name}_scaled" for name in RAW)
# The program shrinks the total covariance by its own trace before it takes the
# between-class part, which turns the directions a little where there is shrinkage.
SHRUNK_TOTAL = 1e-7
ROUNDING = 1e-9


def parts_of(X, y, **kwargs):
    parts = NCTI(**kwargs).fit(X, y).parts_
    return [parts[name] for name in RAW]


@pytest.mark.parametrize("name", golden("ncti_triple"))
def test_published_parts_are_reproduced(name):
    got = parts_of(INPUTS[name]["X"], INPUTS[name]["y"])
    assert got == pytest.approx(golden("ncti_triple")[name], rel=SHRUNK_TOTAL)


@pytest.mark.parametrize("name", ["n200_d16_k5", "k2_n150_d12", "nonneg_n500_d96_k8"])
def test_parts_are_those_of_the_definition(name):
    X, y = INPUTS[name]["X"], INPUTS[name]["y"]
    assert parts_of(X, y) == pytest.approx(ncti_parts(X, y), rel=ROUNDING)
    # In small units there is shrinkage.
    metric = NCTI().fit(0.3 * X, y)
    assert 0 < metric.parts_["shrinkage"] < 1
    got = [metric.parts_[name] for name in RAW]
    assert got == pytest.approx(ncti_parts(0.3 * X, y), rel=1e-6)


def test_few_components_are_the_leading_ones():
    X, y = INPUTS["nonneg_n500_d96_k8"]["X"], INPUTS["nonneg_n500_d96_k8"]["y"]
    got = parts_of(X, y, n_components=5)
    assert got == pytest.approx(ncti_parts(X, y, n_components=5), rel=ROUNDING)


def test_fewer_features_than_components_are_all_kept():
    # The published program needs 64 samples and 64 features.
    X, y = INPUTS["sklearn_iris"]["X"], INPUTS["sklearn_iris"]["y"]
    padded = np.hstack([X, X, np.zeros((150, 100)), np.ones((150, 2))])
    expected = ncti_score(X, y, shrinkage=0.0)
    assert ncti_score(padded, y, shrinkage=0.0) == pytest.approx(expected)


def test_the_thin_side_agrees_with_the_other_side():
    X, y = INPUTS["k2_n150_d12"]["X"], INPUTS["k2_n150_d12"]["y"]
    wide = np.hstack([X, np.zeros((150, 200))])
    assert ncti_score(wide, y) == pytest.approx(ncti_score(X, y), rel=ROUNDING)


@pytest.mark.parametrize("name", sorted(set(INPUTS) - {WIDE}))
def test_score_is_the_sum_of_parts_between_0_and_1(name):
    metric = NCTI().fit(INPUTS[name]["X"], INPUTS[name]["y"])
    scaled = [metric.parts_[part] for part in SCALED]
    assert min(scaled) >= 0
    assert max(scaled) <= 1
    assert metric.score_ == pytest.approx(sum(scaled))


def test_scaled_parts_keep_the_order_and_turn_the_third():
    X, y = INPUTS["sklearn_digits"]["X"][:600], INPUTS["sklearn_digits"]["y"][:600]
    rng = np.random.default_rng(0)
    fitted = [
        NCTI().fit(X + 4.0 * s * rng.standard_normal(X.shape), y).parts_
        for s in range(6)
    ]
    for raw, scaled, sign in zip(RAW, SCALED, (1, 1, -1), strict=True):
        by_raw = np.argsort([sign * parts[raw] for parts in fitted])
        assert by_raw.tolist() == np.argsort([p[scaled] for p in fitted]).tolist()


def test_candidates_are_combined_as_published():
    X, y = INPUTS["sklearn_wine"]["X"], INPUTS["sklearn_wine"]["y"]
    fitted = [NCTI().fit(X[:, :d], y).parts_ for d in (3, 6, 9, 13)]
    expected = combine_over_models([[p[name] for name in RAW] for p in fitted])
    np.testing.assert_allclose(ncti_from_parts(fitted), expected)
    # The program divides by zero where candidates agree.
    assert ncti_from_parts([fitted[0], fitted[0]]).tolist() == [0.0, 0.0]


def test_published_combination_of_one_candidate_depends_on_the_others():
    X, y = INPUTS["sklearn_wine"]["X"], INPUTS["sklearn_wine"]["y"]
    fitted = [NCTI().fit(X[:, :d], y).parts_ for d in (3, 6, 13)]
    assert ncti_from_parts(fitted[:2])[1] > ncti_from_parts(fitted)[1] + 0.5


def test_spread_grows_with_the_distance_of_classes():
    rng = np.random.default_rng(1)
    noise, y = rng.standard_normal((300, 5)), np.arange(300) % 3
    corners = np.eye(3, 5)[y]
    parts = [NCTI().fit(noise + s * corners, y).parts_ for s in (0, 1, 10, 1000)]
    spread = [p["spread_scaled"] for p in parts]
    assert spread[0] == pytest.approx(0.5, abs=0.02)
    assert spread == sorted(spread)
    assert spread[-1] > 0.99
    # One posterior for all is the least variability, one corner each is halfway.
    assert parts[0]["variability_scaled"] > 0.8
    assert parts[-1]["variability_scaled"] == pytest.approx(0.5)


def test_wide_features_saturate_and_say_so():
    X, y = INPUTS[WIDE]["X"], INPUTS[WIDE]["y"]
    with pytest.warns(SaturatedScoreWarning, match=r"40 samples.*RidgeLOO"):
        ncti_score(X, y, shrinkage=1e-6)


def test_scale_matters_to_the_published_shrinkage_only():
    X, y = INPUTS["n200_d16_k5"]["X"], INPUTS["n200_d16_k5"]["y"]
    assert abs(ncti_score(1e-3 * X, y) - ncti_score(X, y)) > 0.005
    expected = ncti_score(X, y, shrinkage=0.01)
    for scale in (1e-9, 1e-3, 1e3, 1e9):
        got = ncti_score(scale * X, y, shrinkage=0.01)
        assert got == pytest.approx(expected, rel=ROUNDING)


def test_constant_features_are_as_good_as_a_guess():
    y = np.array([0] * 6 + [1] * 3 + [2])
    parts = NCTI().fit(np.full((10, 4), 3.3), y).parts_
    assert parts["spread"] == 0.0
    assert parts["nearest_centre"] == pytest.approx(0.36 + 0.09 + 0.01)


def test_rows_that_do_not_vary_within_classes_have_a_score():
    y = np.arange(12) % 3
    for shrinkage in (0.0, 0.1):
        metric = NCTI(shrinkage=shrinkage).fit(np.eye(3)[y], y)
        assert metric.parts_["nearest_centre"] == pytest.approx(1.0)
        assert metric.parts_["spread_scaled"] > 0.99
        assert metric.score_ <= 3


def test_singleton_classes_have_a_score():
    X, y = INPUTS["singleton_n90_d9_k4"]["X"], INPUTS["singleton_n90_d9_k4"]["y"]
    assert 0 < ncti_score(X, y) < 3


def test_names_of_labels_do_not_matter():
    X, y = INPUTS["n200_d16_k5"]["X"], INPUTS["n200_d16_k5"]["y"]
    named = [["d", "c", "b", "a", "e"][k] for k in y]
    assert ncti_score(X, named) == pytest.approx(ncti_score(X, y), rel=ROUNDING)


def test_inputs_are_not_overwritten():
    X, y = INPUTS["k2_n150_d12"]["X"].copy(), INPUTS["k2_n150_d12"]["y"]
    before = X.copy()
    ncti_score(X, y)
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("count", [0, 2.5, None, True])
def test_number_of_components_that_is_no_count_is_refused(count):
    with pytest.raises(ValueError, match="'n_components' to be a positive whole"):
        ncti_score([[0.0], [1.0], [2.0]], [0, 1, 1], n_components=count)


@pytest.mark.parametrize("shrinkage", ["relative", -0.1, 1.5, None])
def test_unknown_shrinkage_is_refused(shrinkage):
    with pytest.raises(ValueError, match="'shrinkage' to be 'published'"):
        ncti_score([[0.0], [1.0], [2.0]], [0, 1, 1], shrinkage=shrinkage)


def test_registered_by_name():
    metric = get_metric("ncti", shrinkage=0.1)
    assert repr(metric) == "NCTI(shrinkage=0.1)"
    assert "scale" in metric.invariances
    assert "scale" not in NCTI().invariances


@pytest.mark.parametrize(("n", "d"), [(60, 8), (20, 90)])
def test_sparse_features_score_as_dense_ones(n, d):
    rng = np.random.default_rng(20)
    X = rng.standard_normal((n, d)) * (rng.random((n, d)) < 0.3)
    y = np.arange(n) % 3
    X[:, 0] += y
    expected = ncti_score(X, y, shrinkage=0.5)
    got = ncti_score(sparse.csr_matrix(X), y, shrinkage=0.5)
    assert got == pytest.approx(expected, rel=1e-7)
