"""NCE: the definition, the published program, and what it must not depend on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_transrate.exceptions import SwappedArgumentsError, UndefinedMetricWarning
from sklearn_transrate.metrics import NCE, get_metric, leep_score, nce_score
from tests.golden import golden, load_inputs
from tests.references.leep import nce

INPUTS = load_inputs()
# Sums of at most a few hundred terms of one sign.
EXACT = 1e-12

PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=2).filter(
    lambda pairs: len({y for _, y in pairs}) > 1
)


def entropy(y):
    shares = np.unique(y, return_counts=True)[1] / len(y)
    return -np.sum(shares * np.log(shares))


@pytest.mark.parametrize("name", golden("nce"))
def test_published_program_gives_the_same(name):
    case = INPUTS[name]
    expected = golden("nce")[name]
    assert nce_score(case["probs"], case["y"]) == pytest.approx(expected, rel=EXACT)
    labels = case["probs"].argmax(axis=1)
    assert nce_score(labels, case["y"]) == pytest.approx(expected, rel=EXACT)


@given(PAIRS)
def test_definition_gives_the_same(pairs):
    source, y = np.array(pairs).T
    assert nce_score(source, y) == pytest.approx(nce(source, y), rel=1e-9, abs=1e-12)


@given(PAIRS)
def test_score_lies_between_minus_the_entropy_and_zero(pairs):
    source, y = np.array(pairs).T
    assert -entropy(y) - 1e-12 <= nce_score(source, y) <= 0.0


def test_source_labels_that_determine_the_class_leave_nothing_to_say():
    assert nce_score(["cat", "dog", "fox"], ["tame", "tame", "wild"]) == 0.0


def test_a_single_source_label_says_nothing():
    y = [0, 0, 1, 1, 1]
    assert nce_score(["all"] * 5, y) == pytest.approx(-entropy(y), rel=EXACT)


def test_class_scores_sum_to_the_score():
    case = INPUTS["imbalanced_n300_d20_k6"]
    metric = NCE().fit(case["probs"], case["y"])
    assert metric.parts_["class_scores"].shape == (6,)
    assert metric.parts_["class_scores"].sum() == pytest.approx(metric.score_)


@pytest.mark.parametrize(
    "form",
    [
        lambda z: z,
        list,
        tuple,
        pd.Series,
        lambda z: z[:, None],
        lambda z: pd.DataFrame({"label": z}),
        lambda z: z.astype(float),
        lambda z: np.array(["pug", "elk", "ant", "bee", "cod", "owl", "yak"])[z],
        lambda z: [("class", int(label)) for label in z],
        lambda z: [int(label) if label > 2 else str(label) for label in z],
        lambda z: z * 10 - 35,
    ],
)
def test_names_and_containers_of_source_labels_do_not_matter(form):
    case = INPUTS["n200_d16_k5"]
    labels = case["probs"].argmax(axis=1)
    expected = golden("nce")["n200_d16_k5"]
    assert nce_score(form(labels), case["y"]) == pytest.approx(expected, rel=EXACT)


def test_logits_and_probabilities_name_the_same_label():
    case = INPUTS["n200_d16_k5"]
    logits = np.log(case["probs"]) * 3.0 + 7.0
    assert nce_score(logits, case["y"]) == nce_score(case["probs"], case["y"])


def test_order_of_source_classes_does_not_matter_even_in_ties():
    proba = np.array([[0.4, 0.4, 0.2], [0.3, 0.3, 0.4], [0.5, 0.5, 0.0], [0, 1, 0]])
    y = [0, 1, 1, 0]
    assert nce_score(proba[:, ::-1], y) == pytest.approx(nce_score(proba, y), rel=EXACT)


def test_batches_that_name_different_labels_stream():
    case = INPUTS["n200_d16_k5"]
    names = np.array(list("abcdefg"))[case["probs"].argmax(axis=1)]
    order = np.argsort(names)
    names, y = names[order], case["y"][order]
    metric = NCE()
    for start in range(0, 200, 30):
        metric.partial_fit(names[start : start + 30], y[start : start + 30])
    assert metric.score_ == pytest.approx(golden("nce")["n200_d16_k5"], rel=EXACT)
    assert metric.n_features_in_ == 1


def test_weights_are_counts():
    source, y, weights = ["a", "a", "b", "b"], [0, 1, 1, 1], [1, 2, 3, 0]
    repeated = nce_score(np.repeat(source, weights), np.repeat(y, weights))
    assert nce_score(source, y, sample_weight=weights) == pytest.approx(repeated)


def test_leep_of_certain_sources_is_nce():
    labels = INPUTS["n200_d16_k5"]["probs"].argmax(axis=1)
    y = INPUTS["n200_d16_k5"]["y"]
    certain = np.eye(7)[labels]
    assert leep_score(certain, y) == pytest.approx(nce_score(labels, y), rel=EXACT)


def test_one_target_class_is_said_to_leave_nothing():
    with pytest.warns(UndefinedMetricWarning, match="NCE compares classes"):
        assert nce_score([0, 1], ["a", "a"]) == 0.0


def test_a_single_column_of_probabilities_is_refused():
    with pytest.raises(ValueError, match=r"column_stack\(\[1 - p, p\]\)"):
        nce_score([0.2, 0.7, 0.6], ["a", "b", "b"])


def test_swapped_arguments_are_refused():
    with pytest.raises(SwappedArgumentsError, match="Swap the arguments"):
        nce_score([0, 1], [[0.2, 0.8], [0.6, 0.4]])


@pytest.mark.parametrize("missing", [None, np.nan])
def test_missing_source_labels_are_refused(missing):
    with pytest.raises(ValueError, match="NaN or None"):
        nce_score(["a", missing, "b"], [0, 1, 1])


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        nce_score(["a", "b"], [0, 1, 1])


def test_the_name_makes_the_metric():
    assert isinstance(get_metric("nce"), NCE)
    assert NCE.inputs == "source_labels"
