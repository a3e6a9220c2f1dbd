"""LEEP: the definition, the published program, and its known failures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax, xlogy
from sklearn.utils import get_tags

from sklearn_transrate.exceptions import SwappedArgumentsError, UndefinedMetricWarning
from sklearn_transrate.metrics import LEEP, HScore, get_metric, leep_score
from sklearn_transrate.statistics import JointTable, RowSample, accumulate
from tests.golden import golden, load_inputs
from tests.references.leep import leep

INPUTS = load_inputs()
# Sums of at most a few hundred terms of one sign.
EXACT = 1e-12


def random_proba(seed, n=20, n_source=5, concentration=0.3):
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.full(n_source, concentration), n)
    return proba, np.concatenate([[0, 1], rng.integers(0, 3, n - 2)])


@pytest.mark.parametrize("name", golden("leep"))
def test_published_program_gives_the_same(name):
    case = INPUTS[name]
    expected = golden("leep")[name]
    assert leep_score(case["probs"], case["y"]) == pytest.approx(expected, rel=EXACT)


@given(st.integers(0, 2**16), st.sampled_from([0.01, 0.3, 5.0]))
def test_definition_gives_the_same(seed, concentration):
    proba, y = random_proba(seed, concentration=concentration)
    expected = leep(proba, y)
    assert leep_score(proba, y) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(st.integers(0, 2**16))
def test_score_lies_between_the_conditional_entropy_of_the_joint_and_zero(seed):
    proba, y = random_proba(seed)
    joint = JointTable.from_batch(proba, y)
    lower = xlogy(joint.sums, joint.conditional()).sum()
    assert lower / len(y) - 1e-12 <= leep_score(proba, y) <= 0.0


def test_an_absent_source_class_changes_nothing():
    # Published programs divide zero by zero here and return NaN.
    case = INPUTS["sklearn_iris"]
    padded = np.hstack([case["probs"], np.zeros((150, 2))])
    expected = golden("leep")["sklearn_iris"]
    assert leep_score(padded, case["y"]) == pytest.approx(expected, rel=EXACT)


def test_higher_is_better():
    # The sign of one published program is the other way round.
    proba = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8]])
    assert leep_score(proba, [0, 0, 1, 1]) > leep_score(proba, [0, 1, 0, 1])


def test_names_and_order_of_classes_do_not_matter():
    case = INPUTS["n200_d16_k5"]
    expected = golden("leep")["n200_d16_k5"]
    for names in (["z", "a", "m", "b", "y"], [7, -3, 90, 2, 0], ["1", 1, "a", 2.5, ()]):
        column = np.empty(200, dtype=object)
        column[:] = [names[k] for k in case["y"]]
        shuffled = case["probs"][:, [3, 1, 6, 0, 2, 5, 4]]
        assert leep_score(shuffled, column) == pytest.approx(expected, rel=EXACT)


def test_certain_and_right_sources_score_zero_even_when_rounded():
    thirds = np.full((9, 3), 0.0)
    thirds[np.arange(9), np.arange(9) % 3] = 1.0 + 1e-7
    assert leep_score(thirds, np.arange(9) % 3) == 0.0


def test_half_precision_probabilities_are_scaled_to_one():
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((60, 400)) * 2.0
    y = np.arange(60) % 3
    exact = softmax(logits, axis=1)
    rounded = exact.astype(np.float16)
    assert abs(rounded.astype(float).sum(axis=1) - 1.0).max() > 1e-5
    assert leep_score(rounded, y) == pytest.approx(leep_score(exact, y), rel=1e-3)
    assert leep_score(exact * 1.004, y) == pytest.approx(
        leep_score(exact, y), rel=EXACT
    )


def test_batches_stream_to_the_whole():
    case = INPUTS["k20_n400_d32"]
    metric = LEEP()
    for start in range(0, 400, 70):
        rows = slice(start, start + 70)
        metric.partial_fit(case["probs"][rows], case["y"][rows])
    assert metric.score_ == pytest.approx(golden("leep")["k20_n400_d32"], rel=EXACT)
    assert metric.parts_["class_scores"].sum() == pytest.approx(metric.score_)
    assert metric.parts_["class_scores"].shape == (20,)


def test_weights_are_counts():
    proba, y = random_proba(3)
    weights = np.arange(20) % 3
    repeated = leep_score(np.repeat(proba, weights, axis=0), np.repeat(y, weights))
    assert leep_score(proba, y, sample_weight=weights) == pytest.approx(repeated)


def test_logits_are_refused_with_the_remedy():
    logits = np.array([[2.0, -1.0], [0.5, 0.7], [1.0, 3.0]])
    for call in (leep_score, LEEP().fit, LEEP().partial_fit):
        with pytest.raises(ValueError, match=r"scipy\.special\.softmax"):
            call(logits, ["a", "b", "a"])


def test_a_layer_without_probabilities_does_not_stop_the_pass_for_others():
    batches = [(np.array([[2.0, -1.0], [0.5, 0.7]]), ["a", "b"])]
    filled = accumulate(batches, LEEP.requires)[None]
    assert filled["rows"].n_samples == 2
    with pytest.raises(ValueError, match=r"scipy\.special\.softmax"):
        LEEP().evaluate(filled)


def test_one_pass_of_statistics_is_enough():
    case = INPUTS["sklearn_wine"]
    filled = [
        JointTable.from_batch(case["probs"], case["y"]),
        RowSample.from_batch(case["probs"], case["y"]),
    ]
    expected = golden("leep")["sklearn_wine"]
    assert LEEP().evaluate(filled).score == pytest.approx(expected, rel=EXACT)


def test_one_target_class_is_said_to_leave_nothing():
    with pytest.warns(UndefinedMetricWarning, match="LEEP compares classes"):
        assert leep_score([[0.5, 0.5], [0.1, 0.9]], ["a", "a"]) == 0.0


def test_swapped_arguments_are_refused():
    with pytest.raises(SwappedArgumentsError, match="Swap the arguments"):
        leep_score([0, 1], [[0.2, 0.8], [0.6, 0.4]])


def test_probabilities_are_not_overwritten():
    proba, y = random_proba(5)
    proba *= 1.001
    before = proba.copy()
    leep_score(proba, y)
    np.testing.assert_array_equal(proba, before)


def test_the_name_makes_the_metric():
    assert isinstance(get_metric("leep"), LEEP)
    assert LEEP.inputs == "source_proba"
    assert LEEP.n_passes == 2


def test_scikit_learn_is_told_that_probabilities_are_not_negative():
    assert get_tags(LEEP()).input_tags.positive_only
    assert not get_tags(HScore()).input_tags.positive_only
