"""TMI: against the definition, the published values and the program's mistakes."""

from __future__ import annotations

import numpy as np
import pytest

from sklearn_transrate.exceptions import UndefinedMetricWarning
from sklearn_transrate.metrics import TMI, get_metric, tmi_score
from sklearn_transrate.metrics import _tmi as module
from tests.golden import golden, load_inputs
from tests.references.tmi import kozachenko_leonenko_entropy
from tests.references.tmi import tmi as literal_tmi

INPUTS = load_inputs()
SMALL = [name for name in INPUTS if len(INPUTS[name]["y"]) <= 300]
ROUNDING = 1e-9


@pytest.mark.parametrize("name", golden("tmi"))
def test_published_values_are_reproduced(name):
    X, y = INPUTS[name]["X"], INPUTS[name]["y"]
    expected = golden("tmi")[name]
    if name == "imbalanced_n300_d20_k6":
        expected *= 5 / 6  # the program leaves a class of two samples out of K
    assert tmi_score(X, y, floor=1.0) == pytest.approx(expected, rel=ROUNDING)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("k", [1, 3, 5])
def test_score_is_that_of_the_definition(name, k):
    X, y = INPUTS[name]["X"].astype(float), INPUTS[name]["y"]
    got = tmi_score(X, y, n_neighbors=k, floor=0.8)
    assert got == pytest.approx(literal_tmi(X, y, k=k, floor=0.8), rel=1e-7)
    floor = 1e-3 * np.sqrt(X.var(axis=0).mean())
    got = tmi_score(X, y, n_neighbors=k)
    assert got == pytest.approx(literal_tmi(X, y, k=k, floor=floor), rel=1e-7)


def test_codes_of_the_labels_do_not_matter():
    # The program says 4.25 for labels 1..5 and 5.10 for 0..4.
    X, y = INPUTS["n200_d16_k5"]["X"], INPUTS["n200_d16_k5"]["y"]
    expected = tmi_score(X, y, floor=1.0)
    assert expected == pytest.approx(5.10, abs=0.01)
    for renamed in (y + 1, 7 * y - 100, np.array(list("edcba"))[y]):
        got = tmi_score(X, renamed, floor=1.0)
        assert got == pytest.approx(expected, rel=ROUNDING)


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e3, 1e6])
def test_scale_shifts_the_score_by_its_logarithm(scale):
    X, y = INPUTS["n200_d16_k5"]["X"], INPUTS["n200_d16_k5"]["y"]
    shift = 16 * np.log(scale) / 5
    assert tmi_score(scale * X, y) == pytest.approx(tmi_score(X, y) + shift)


def test_the_absolute_floor_makes_small_features_a_multiple_of_their_width():
    X, y = INPUTS["n200_d16_k5"]["X"], INPUTS["n200_d16_k5"]["y"]
    noise = np.random.default_rng(0).standard_normal(X.shape)
    assert tmi_score(1e-3 * X, y, floor=1.0) == tmi_score(1e-3 * noise, y, floor=1.0)
    assert tmi_score(1e-3 * X, y) != pytest.approx(tmi_score(1e-3 * noise, y))


def test_entropy_is_that_of_the_distribution():
    rng = np.random.default_rng(1)
    X, y = rng.uniform(0, 4, size=(4000, 2)), np.arange(4000) % 2
    entropies = TMI().fit(X, y).parts_["entropies"]
    assert entropies == pytest.approx(np.log(16), abs=0.1)
    assert tmi_score(X, y) == pytest.approx(entropies.mean() / 2)


def test_copies_of_a_row_count_as_the_floor():
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((20, 3)), np.repeat([0, 1], 10)
    X[:10] = X[0]
    floor = 1e-3 * np.sqrt(X.var(axis=0).mean())
    entropy = TMI().fit(X, y).parts_["entropies"][0]
    expected = kozachenko_leonenko_entropy(X[:10], 3, floor)
    assert entropy == pytest.approx(expected)
    assert np.isfinite(entropy)


def test_classes_of_few_samples_count_as_zero():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((30, 2))
    y = np.array([0] * 20 + [1] * 4 + [2] * 3 + [3] * 2 + [4])
    metric = TMI().fit(X, y)
    entropies = metric.parts_["entropies"]
    assert np.isfinite(entropies).tolist() == [True, True, False, False, False]
    expected = (20 / 30 * entropies[0] + 4 / 30 * entropies[1]) / 5
    assert metric.score_ == pytest.approx(expected)


def test_only_small_classes_give_nan_with_a_reason():
    X = np.random.default_rng(4).standard_normal((6, 2))
    with pytest.warns(UndefinedMetricWarning, match="class of more than 3 samples"):
        assert np.isnan(tmi_score(X, [0, 0, 0, 1, 1, 1]))


def test_constant_features_give_nan_with_a_reason():
    y = np.arange(10) % 2
    with pytest.warns(UndefinedMetricWarning, match="features are constant"):
        assert np.isnan(tmi_score(np.full((10, 2), 1e9 / 7), y))
    # With an absolute floor they are as small as anything else below it.
    assert np.isfinite(tmi_score(np.ones((10, 2)), y, floor=1.0))


@pytest.mark.parametrize("k", [1, 3])
def test_a_weight_counts_as_so_many_rows(k):
    X, y = INPUTS["k2_n150_d12"]["X"], INPUTS["k2_n150_d12"]["y"]
    times = np.arange(150) % 4
    weighted = TMI(n_neighbors=k).score(X, y, times)
    repeated = tmi_score(np.repeat(X, times, 0), np.repeat(y, times), n_neighbors=k)
    assert weighted == pytest.approx(repeated, rel=ROUNDING)


def test_blocks_do_not_matter(monkeypatch):
    X, y = INPUTS["k2_n150_d12"]["X"], INPUTS["k2_n150_d12"]["y"]
    expected = tmi_score(X, y)
    monkeypatch.setattr(module, "BLOCK_SIZE", 7 * 150)
    assert tmi_score(X, y) == pytest.approx(expected, rel=1e-12)


def test_offsets_and_single_precision_lose_nothing():
    X, y = INPUTS["n200_d16_k5"]["X"], INPUTS["n200_d16_k5"]["y"]
    expected = tmi_score(X, y)
    assert tmi_score(X + 1e6, y) == pytest.approx(expected, rel=1e-7)
    single = (X + 100).astype(np.float32)
    assert tmi_score(single, y) == pytest.approx(expected, abs=1e-4)


def test_inputs_are_not_overwritten():
    X = INPUTS["k2_n150_d12"]["X"].copy()
    before = X.copy()
    tmi_score(X, INPUTS["k2_n150_d12"]["y"])
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("k", [0, 2.5, None, True])
def test_number_of_neighbours_that_is_no_count_is_refused(k):
    with pytest.raises(ValueError, match="'n_neighbors' to be a positive whole"):
        tmi_score([[0.0], [1.0]], [0, 1], n_neighbors=k)


@pytest.mark.parametrize("floor", [0.0, -1.0, np.inf, "absolute", None])
def test_unknown_floor_is_refused(floor):
    with pytest.raises(ValueError, match="'floor' to be 'relative' or"):
        tmi_score([[0.0], [1.0]], [0, 1], floor=floor)


def test_registered_by_name():
    assert repr(get_metric("tmi", floor=1.0)) == "TMI(floor=1.0)"
