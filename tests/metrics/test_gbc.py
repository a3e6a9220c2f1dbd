"""GBC: the definition, the published program, and what its floor does to scale."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.decomposition import PCA

from sklearn_transrate.exceptions import UndefinedMetricWarning
from sklearn_transrate.metrics import GBC, gbc_score, get_metric
from sklearn_transrate.statistics import ClassMoments
from tests.golden import golden, load_inputs
from tests.references.gbc import gbc_diagonal, gbc_isotropic, gbc_spherical

INPUTS = load_inputs()
CLOSED_FORM = 1e-9
SINGLE_PRECISION = 1e-5
# The program as published: no projection, an absolute floor, one logarithm.
PROGRAM = {"n_components": None, "variance_floor": 1e-4, "log_terms": "once"}
FORMS = [
    ("diag", "each", gbc_diagonal),
    ("spherical", "once", gbc_spherical),
    ("spherical", "each", gbc_isotropic),
]


def random_features(seed, n, d, n_classes=3):
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, n)])
    spread = rng.uniform(0.2, 3.0, (n_classes, d))
    means = rng.standard_normal((n_classes, d)) * 0.5
    return means[y] + spread[y] * rng.standard_normal((len(y), d)), y


@pytest.mark.parametrize(
    ("covariance", "program"),
    [
        ("diag", "gbc_diagonal"),
        ("diag", "gbc_diagonal_tf"),
        ("spherical", "gbc_spherical"),
        ("spherical", "gbc_spherical_tf"),
    ],
)
@pytest.mark.parametrize("name", golden("gbc_diagonal"))
def test_published_program_gives_the_same(name, covariance, program):
    case = INPUTS[name]
    rtol = SINGLE_PRECISION if name.startswith("float32") else CLOSED_FORM
    score = gbc_score(case["X"], case["y"], covariance=covariance, **PROGRAM)
    assert score == pytest.approx(golden(program)[name], rel=rtol)


@pytest.mark.parametrize(("covariance", "log_terms", "definition"), FORMS)
@given(st.integers(0, 2**16), st.integers(2, 20), st.integers(1, 10))
def test_definition_gives_the_same(covariance, log_terms, definition, seed, n, d):
    X, y = random_features(seed, n, d)
    score = gbc_score(
        X, y, covariance=covariance, variance_floor=0.01, log_terms=log_terms
    )
    assert score == pytest.approx(definition(X, y, floor=0.01), rel=CLOSED_FORM)


@pytest.mark.parametrize(("covariance", "log_terms", "definition"), FORMS)
@pytest.mark.parametrize(
    "name", ["n40_d64_k4", "singleton_n90_d9_k4", "sklearn_digits"]
)
@pytest.mark.parametrize("n_components", [2, 7])
def test_projection_is_that_of_pca(
    covariance, log_terms, definition, name, n_components
):
    X, y = INPUTS[name]["X"], INPUTS[name]["y"]
    projected = PCA(n_components, svd_solver="full").fit_transform(X)
    score = gbc_score(
        X,
        y,
        covariance=covariance,
        n_components=n_components,
        variance_floor=1e-4,
        log_terms=log_terms,
    )
    assert score == pytest.approx(definition(projected, y), rel=CLOSED_FORM)


def test_overlap_is_the_integral_of_the_root_of_both_densities():
    X, y = random_features(0, 30, 1, n_classes=2)
    densities = [norm(X[y == k].mean(), X[y == k].std()) for k in range(2)]
    integral, _ = quad(
        lambda x: np.sqrt(densities[0].pdf(x) * densities[1].pdf(x)), -40, 40, limit=500
    )
    overlaps = GBC().fit(X, y).parts_["overlaps"]
    assert overlaps[0, 1] == pytest.approx(integral, rel=1e-8)
    assert gbc_score(X, y) == pytest.approx(-2.0 * integral, rel=1e-8)


def test_spherical_overlap_is_that_of_densities_in_all_dimensions():
    # The published program counts the logarithm once, which is no coefficient of
    # densities once there are two dimensions.
    rng = np.random.default_rng(1)
    X = np.vstack([rng.standard_normal((50, 3)), 4.0 * rng.standard_normal((50, 3))])
    y = np.repeat([0, 1], 50)
    variances = [X[y == k].var(axis=0).mean() for k in range(2)]
    means = np.array([X[y == k].mean(axis=0) for k in range(2)])
    expected = 1.0
    for j in range(3):
        densities = [norm(means[k, j], np.sqrt(variances[k])) for k in range(2)]
        expected *= quad(
            lambda x, f=densities: np.sqrt(f[0].pdf(x) * f[1].pdf(x)),
            -60,
            60,
            limit=500,
        )[0]
    overlaps = GBC(covariance="spherical").fit(X, y).parts_["overlaps"]
    assert overlaps[0, 1] == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("covariance", ["diag", "spherical"])
@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e3])
def test_scale_does_not_matter(covariance, scale):
    # With the published floor, features of scale 1e-6 score -20, the minimum.
    case = INPUTS["n200_d16_k5"]
    expected = gbc_score(case["X"], case["y"], covariance=covariance)
    score = gbc_score(case["X"] * scale, case["y"], covariance=covariance)
    assert score == pytest.approx(expected, rel=CLOSED_FORM)


def test_the_published_floor_depends_on_scale():
    case = INPUTS["n200_d16_k5"]
    score = gbc_score(case["X"] * 1e-6, case["y"], **PROGRAM)
    assert score == pytest.approx(-20.0, rel=1e-6)


@pytest.mark.parametrize("covariance", ["diag", "spherical"])
def test_offset_does_not_matter(covariance):
    case = INPUTS["n200_d16_k5"]
    expected = gbc_score(case["X"], case["y"], covariance=covariance)
    score = gbc_score(case["X"] + 1e6, case["y"], covariance=covariance)
    assert score == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("name", ["n200_d16_k5", "n40_d64_k4", "rankdef_n120_d17_k4"])
@pytest.mark.parametrize("n_components", [6, None])
def test_rotation_does_not_matter_to_spherical_classes(name, n_components):
    X, y = INPUTS[name]["X"], INPUTS[name]["y"]
    rotation, _ = np.linalg.qr(
        np.random.default_rng(2).standard_normal([X.shape[1]] * 2)
    )
    kwargs = {"covariance": "spherical", "n_components": n_components}
    expected = gbc_score(X, y, **kwargs)
    assert gbc_score(X @ rotation, y, **kwargs) == pytest.approx(expected, rel=1e-8)


def test_units_of_single_features_do_not_matter_to_diagonal_classes():
    X, y = INPUTS["sklearn_wine"]["X"], INPUTS["sklearn_wine"]["y"]
    expected = gbc_score(X, y)
    assert gbc_score(X / X.std(axis=0), y) == pytest.approx(expected, rel=CLOSED_FORM)


def test_classes_that_are_alike_score_the_minimum():
    X = np.tile([[0.0, 1.0], [2.0, 5.0]], (3, 1))
    assert gbc_score(X, [0, 0, 1, 1, 2, 2]) == pytest.approx(-6.0, rel=1e-12)


@pytest.mark.parametrize("covariance", ["diag", "spherical"])
@pytest.mark.parametrize("n_components", [2, None])
def test_constant_features_score_the_minimum(covariance, n_components):
    X = np.full((6, 5), 3.3)
    score = gbc_score(
        X, [0, 0, 1, 1, 2, 2], covariance=covariance, n_components=n_components
    )
    assert score == -6.0


def test_constant_features_beside_others_change_nothing():
    X, y = random_features(3, 20, 4)
    wide = np.hstack([X, np.full((len(X), 3), 7.1)])
    assert gbc_score(wide, y) == pytest.approx(gbc_score(X, y), rel=1e-12)


def test_singleton_classes_are_kept_apart_by_the_floor():
    score = gbc_score([[0.0], [10.0], [10.5], [20.0]], ["a", "b", "b", "c"])
    assert score == pytest.approx(0.0, abs=1e-12)
    X, y = INPUTS["singleton_n90_d9_k4"]["X"], INPUTS["singleton_n90_d9_k4"]["y"]
    assert np.isfinite(gbc_score(X, y, n_components=3))


@given(st.integers(0, 2**16), st.integers(1, 12), st.integers(1, 20), st.integers(1, 9))
def test_scores_stay_in_their_bounds(seed, n, d, n_components):
    X, y = random_features(seed, n, d)
    for covariance in ("diag", "spherical"):
        score = gbc_score(X, y, covariance=covariance, n_components=n_components)
        assert -6.0 <= score <= 0.0


def test_label_names_do_not_matter():
    case = INPUTS["string_labels_n120_d10_k3"]
    names = np.array(["zebra", "ant", "mole"])[case["y"]]
    expected = gbc_score(case["X"], case["y"])
    assert gbc_score(case["X"], names) == pytest.approx(expected, rel=CLOSED_FORM)


@pytest.mark.parametrize("n_components", [3, None])
def test_batches_stream_to_the_whole(n_components):
    X, y = INPUTS["n40_d64_k4"]["X"], INPUTS["n40_d64_k4"]["y"]
    metric = GBC(n_components=n_components, covariance="spherical")
    for start in range(0, 40, 7):
        metric.partial_fit(X[start : start + 7], y[start : start + 7])
    expected = metric.score(X, y)
    assert metric.score_ == pytest.approx(expected, rel=CLOSED_FORM)
    overlaps = metric.parts_["overlaps"]
    np.testing.assert_array_equal(overlaps, overlaps.T)
    np.testing.assert_array_equal(np.diagonal(overlaps), 1.0)


def test_weights_are_counts():
    X, y = random_features(4, 15, 4)
    weights = np.arange(len(y)) % 4
    weights[:3] = 1
    repeated = gbc_score(np.repeat(X, weights, axis=0), np.repeat(y, weights))
    assert gbc_score(X, y, sample_weight=weights) == pytest.approx(repeated)


def test_variances_are_enough_without_projection():
    X, y = INPUTS["sklearn_iris"]["X"], INPUTS["sklearn_iris"]["y"]
    metric = GBC(n_components=None)
    moments = ClassMoments.from_batch(X, y, scatter="diagonal")
    assert metric.evaluate(moments).score == pytest.approx(metric.score(X, y))
    assert moments.covers(metric.required_statistics()["moments"])


def test_one_class_does_not_overlap():
    with pytest.warns(UndefinedMetricWarning, match="GBC compares classes"):
        assert gbc_score([[0.0], [1.0]], ["a", "a"]) == 0.0


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"covariance": "full"}, "'covariance' to be one of"),
        ({"log_terms": 1}, "'log_terms' to be one of"),
        ({"n_components": 0}, "positive integer, got 0"),
        ({"n_components": 2.5}, "positive integer, got 2.5"),
        ({"variance_floor": 0.0}, "'auto' or a positive number, got 0.0"),
        ({"variance_floor": "tiny"}, "'auto' or a positive number, got 'tiny'"),
    ],
)
def test_parameters_out_of_range_are_refused(params, match):
    with pytest.raises(ValueError, match=match):
        gbc_score([[0.0], [1.0], [2.0]], [0, 1, 1], **params)


def test_the_names_make_the_metrics():
    assert get_metric("gbc").covariance == "diag"
    assert get_metric("gbc_spherical").covariance == "spherical"
