"""LFC: the streaming form against the n x n matrices it stands for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_transrate.exceptions import SwappedArgumentsError, UndefinedMetricWarning
from sklearn_transrate.metrics import LFC, get_metric, lfc_score
from tests.golden import golden, load_inputs
from tests.references.lfc import lfc

INPUTS = load_inputs()
# Published programs subtract means of n x n matrices; so does the definition.
CLOSED_FORM = 1e-9
SINGLE_PRECISION = 1e-5


def random_features(seed, n, d):
    rng = np.random.default_rng(seed)
    y = np.concatenate([[0, 1], rng.integers(0, 3, n - 2)])
    X = rng.standard_normal((n, d)) + rng.standard_normal((3, d))[y]
    return X + rng.standard_normal(d), y


@pytest.mark.parametrize("name", golden("lfc"))
def test_published_program_gives_the_same(name):
    case = INPUTS[name]
    rtol = SINGLE_PRECISION if name.startswith("float32") else CLOSED_FORM
    expected = golden("lfc")[name]
    assert lfc_score(case["X"], case["y"]) == pytest.approx(expected, rel=rtol)


@given(st.integers(0, 2**16), st.integers(3, 12), st.integers(1, 15))
def test_definition_gives_the_same(seed, n, d):
    X, y = random_features(seed, n, d)
    assert lfc_score(X, y) == pytest.approx(lfc(X, y), rel=CLOSED_FORM, abs=1e-12)
    expected = lfc(X - X.mean(axis=0), y)
    assert lfc_score(X, y, center=True) == pytest.approx(expected, abs=CLOSED_FORM)


def test_features_equal_to_the_labels_score_one():
    y = np.array([0, 0, 1, 2, 2, 2])
    assert lfc_score(np.eye(3)[y], y) == pytest.approx(1.0, abs=1e-15)


def test_a_large_class_near_the_origin_scores_below_zero_unless_centred():
    # Inner products are smaller within the large class than with the other.
    X, y = [[1.0], [1.0], [1.0], [3.0]], [0, 0, 0, 1]
    assert lfc_score(X, y) < -0.1
    assert lfc_score(X, y, center=True) > 0.7


@given(st.integers(0, 2**16), st.integers(3, 12), st.integers(1, 15))
def test_centred_features_never_score_below_zero(seed, n, d):
    X, y = random_features(seed, n, d)
    assert 0.0 <= lfc_score(X, y, center=True) <= 1.0


def test_an_offset_costs_no_digits():
    # Far from the origin the n x n matrices agree in all digits but the last few.
    X, y = random_features(0, 40, 5)
    moved = X + 2.0**24
    centred = lfc_score(X, y, center=True)
    assert lfc_score(moved, y, center=True) == pytest.approx(centred, rel=1e-7)
    # To first order in 1 / offset, the Gram matrix is what the projections on the mean
    # make of it: 1 (C m)' + (C m) 1'.
    shift = np.full(5, 2.0**24)
    along = (X - X.mean(axis=0)) @ shift
    L = np.where(np.equal.outer(y, y), 1.0, -1.0)
    G = np.add.outer(along, along)
    limit = (
        np.sum(G * (L - L.mean())) / np.linalg.norm(G) / np.linalg.norm(L - L.mean())
    )
    assert lfc_score(moved, y) == pytest.approx(limit, rel=1e-4)


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1e3, 1e30])
def test_scale_does_not_matter(scale):
    case = INPUTS["n200_d16_k5"]
    expected = golden("lfc")["n200_d16_k5"]
    assert lfc_score(case["X"] * scale, case["y"]) == pytest.approx(expected)


def test_both_sides_of_square_agree():
    X, y = random_features(1, 12, 30)
    assert lfc_score(X, y) == pytest.approx(lfc(X, y), rel=CLOSED_FORM)
    wide = np.hstack([X, np.zeros((12, 100))])
    assert lfc_score(wide, y) == pytest.approx(lfc_score(X, y), rel=1e-12)


def test_label_names_do_not_matter():
    case = INPUTS["string_labels_n120_d10_k3"]
    names = np.array(["zebra", "ant", "mole"])[case["y"]]
    expected = golden("lfc")["string_labels_n120_d10_k3"]
    assert lfc_score(case["X"], names) == pytest.approx(expected, rel=CLOSED_FORM)


@pytest.mark.parametrize("center", [False, True])
def test_constant_features_agree_with_nothing(center):
    assert lfc_score(np.full((4, 3), 2.5), [0, 0, 1, 1], center=center) == 0.0


def test_weights_are_counts():
    X, y = random_features(2, 15, 4)
    weights = np.arange(15) % 4
    repeated = lfc_score(np.repeat(X, weights, axis=0), np.repeat(y, weights))
    assert lfc_score(X, y, sample_weight=weights) == pytest.approx(repeated)


def test_one_class_has_no_score():
    with pytest.warns(UndefinedMetricWarning, match="LFC compares classes"):
        assert np.isnan(lfc_score([[0.0], [1.0]], ["a", "a"]))


def test_swapped_arguments_are_refused():
    with pytest.raises(SwappedArgumentsError, match="Swap the arguments"):
        lfc_score([0, 1], [[0.2, 0.8], [0.6, 0.4]])


def test_the_name_makes_the_metric():
    assert isinstance(get_metric("lfc"), LFC)
    assert get_metric("lfc", center=True).center
