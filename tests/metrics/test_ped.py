"""PED: against the definition, the published values and the program's mistakes."""

from __future__ import annotations

import numpy as np
import pytest

from sklearn_transrate.exceptions import SaturatedScoreWarning
from sklearn_transrate.metrics import (
    GBC,
    PED,
    LogME,
    get_metric,
    logme_score,
    ped_score,
    sfda_score,
)
from tests.golden import golden, load_inputs
from tests.references.ped import descend
from tests.references.sfda import sfda as literal_sfda

INPUTS = load_inputs()
# Both are closed forms; moved features differ in the last digits.
ROUNDING = 1e-9
# The published LogME stops at a relative change of a thousandth.
EARLY_STOP = 1e-3
WIDE = "n40_d64_k4"  # fewer samples than features


def general(d):
    """The general set of the published runs."""
    return np.random.default_rng(901).standard_normal((300, d))


@pytest.mark.parametrize("name", sorted(set(golden("ped_sfda")) - {WIDE}))
def test_published_values_are_reproduced(name):
    X, y = INPUTS[name]["X"], INPUTS[name]["y"]
    got = ped_score(X, y, general_X=general(X.shape[1]))
    assert got == pytest.approx(golden("ped_sfda")[name], rel=ROUNDING)


# The program's LogME is wrong for n < d, and where features are large.
@pytest.mark.parametrize(
    "name", sorted(set(golden("ped_logme")) - {WIDE, "scale1e3_n200_d16_k5"})
)
def test_published_values_with_logme_are_reproduced(name):
    X, y = INPUTS[name]["X"], INPUTS[name]["y"]
    got = ped_score(X, y, general_X=general(X.shape[1]), metric="logme")
    assert got == pytest.approx(golden("ped_logme")[name], rel=EARLY_STOP)


@pytest.mark.parametrize("n_sigma", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("name", ["n200_d16_k5", "k2_n150_d12", "singleton_n90_d9_k4"])
def test_descent_is_that_of_the_definition(name, n_sigma):
    X, y = INPUTS[name]["X"], INPUTS[name]["y"]
    reference = 0.7 * general(X.shape[1])
    moved = descend(X, y, reference, n_sigma=n_sigma)
    got = ped_score(X, y, general_X=reference, n_sigma=n_sigma)
    assert got == pytest.approx(literal_sfda(moved, y), rel=ROUNDING)


def test_without_a_reference_set_the_rows_are_their_own():
    X, y = INPUTS["n200_d16_k5"]["X"], INPUTS["n200_d16_k5"]["y"]
    own = ped_score(X, y, n_sigma=2.0)
    assert own == pytest.approx(ped_score(X, y, n_sigma=2.0, general_X=X))
    assert own == pytest.approx(literal_sfda(descend(X, y, X, n_sigma=2.0), y))


@pytest.mark.parametrize("metric", [GBC(), LogME(), "shrunk_h_score"])
def test_any_metric_for_classes_may_follow(metric):
    X, y = INPUTS["k2_n150_d12"]["X"], INPUTS["k2_n150_d12"]["y"]
    moved = descend(X, y, X, n_sigma=2.0)
    inner = get_metric(metric) if isinstance(metric, str) else metric
    got = ped_score(X, y, n_sigma=2.0, metric=metric)
    assert got == pytest.approx(inner.score(moved, y), rel=1e-7)


def test_classes_that_do_not_overlap_stay():
    X, y = INPUTS["sklearn_iris"]["X"], INPUTS["sklearn_iris"]["y"]
    ped = PED(n_sigma=0.1).fit(X, y)
    assert ped.parts_["n_steps"] == 0
    assert not ped.parts_["displacements"].any()
    assert ped.score_ == pytest.approx(sfda_score(X, y), rel=ROUNDING)


def test_classes_move_apart_and_the_score_rises():
    X, y = INPUTS["k2_n150_d12"]["X"], INPUTS["k2_n150_d12"]["y"]
    scores = [ped_score(X, y, n_sigma=s, time_step=0.5) for s in (0.6, 1.0, 3.0)]
    assert sfda_score(X, y) < scores[0] < scores[1] < scores[2]
    assert PED(n_sigma=3.0).fit(X, y).parts_["displacements"].min() > 0


def test_large_steps_end_the_overlap_and_the_descent():
    X, y = INPUTS["k2_n150_d12"]["X"], INPUTS["k2_n150_d12"]["y"]
    ped = PED(n_sigma=1.0, time_step=2.0).fit(X, y)
    assert ped.parts_["n_steps"] == 1


def test_classes_at_one_place_do_not_push():
    # The published program divides by the distance of their means.
    rng = np.random.default_rng(0)
    half = rng.standard_normal((20, 3))
    X = np.vstack([half, half[::-1], half + 1.0])
    y = np.repeat([0, 1, 2], 20)
    ped = PED(n_sigma=1.0).fit(X, y)
    assert np.isfinite(ped.score_)
    assert ped.parts_["displacements"][0] == pytest.approx(
        ped.parts_["displacements"][1]
    )
    assert ped.parts_["displacements"][2] > 0


def test_scale_of_the_features_does_not_reach_the_forces():
    X, y = INPUTS["k2_n150_d12"]["X"], INPUTS["k2_n150_d12"]["y"]
    inner = get_metric("sfda", shrinkage=0.1)
    expected = ped_score(X, y, n_sigma=2.0, metric=inner)
    for scale in (1e-9, 1e9):
        got = ped_score(scale * X, y, n_sigma=2.0, metric=inner)
        assert got == pytest.approx(expected, rel=ROUNDING)
    assert "scale" in PED(metric=inner).invariances
    assert "scale" not in PED(metric=inner, general_X=X).invariances
    assert "scale" not in PED().invariances


def test_constant_features_have_no_unit_and_do_no_harm():
    X, y = INPUTS["k2_n150_d12"]["X"], INPUTS["k2_n150_d12"]["y"]
    padded = np.hstack([X, np.full((150, 2), 7.0)])
    expected = ped_score(X, y, metric="logme", n_sigma=2.0)
    padded[:, 12:] = 0.0  # LogME would take another constant for an intercept
    got = ped_score(padded, y, metric="logme", n_sigma=2.0)
    assert got == pytest.approx(expected, rel=1e-7)
    assert ped_score(np.ones((6, 2)), [0, 1] * 3) == pytest.approx(0.5)


def test_wide_features_saturate_and_say_so():
    X, y = INPUTS[WIDE]["X"], INPUTS[WIDE]["y"]
    with pytest.warns(SaturatedScoreWarning, match="RidgeLOO"):
        assert ped_score(X, y, general_X=general(64)) == 1.0
    # The program's LogME says 2.09 here.
    got = ped_score(X, y, general_X=general(64), metric="logme")
    moved = descend(X, y, general(64))
    assert got == pytest.approx(logme_score(moved, y), rel=1e-7)


def test_names_of_labels_do_not_matter():
    X, y = INPUTS["n200_d16_k5"]["X"], INPUTS["n200_d16_k5"]["y"]
    named = ["dcbae"[k] for k in y]
    assert ped_score(X, named) == pytest.approx(ped_score(X, y), rel=ROUNDING)


def test_inputs_are_not_overwritten():
    X, y = INPUTS["k2_n150_d12"]["X"].copy(), INPUTS["k2_n150_d12"]["y"]
    before = X.copy()
    ped_score(X, y, n_sigma=2.0, general_X=X)
    np.testing.assert_array_equal(X, before)


def test_parts_of_the_other_metric_are_kept():
    X, y = INPUTS["k2_n150_d12"]["X"], INPUTS["k2_n150_d12"]["y"]
    assert {"n_steps", "displacements", "shrinkage"} <= set(PED().fit(X, y).parts_)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_sigma", -1),
        ("time_step", np.inf),
        ("exit_ratio", "half"),
        ("max_steps", 1.5),
    ],
)
def test_parameters_out_of_range_are_refused(name, value):
    with pytest.raises(ValueError, match=f"Expected '{name}'"):
        ped_score([[0.0], [1.0], [2.0]], [0, 1, 1], **{name: value})


def test_reference_set_of_another_width_is_refused():
    with pytest.raises(ValueError, match=r"'general_X' to have 1 features.*got 2"):
        ped_score([[0.0], [1.0], [2.0]], [0, 1, 1], general_X=np.ones((3, 2)))


def test_functions_are_refused_as_the_other_metric():
    with pytest.raises(TypeError, match="name or a TransferMetric"):
        ped_score([[0.0], [1.0], [2.0]], [0, 1, 1], metric=logme_score)


def test_registered_by_name():
    assert repr(get_metric("ped", n_sigma=0.3)) == "PED(n_sigma=0.3)"
