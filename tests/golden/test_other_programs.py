"""Other public programs under the names of our metrics, and what each computes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import normalize

from sklearn_transrate.exceptions import SaturatedScoreWarning
from sklearn_transrate.metrics import (
    h_score,
    leep_score,
    lfc_score,
    logme_score,
    nce_score,
    parc_score,
)
from tests.golden import golden, load_inputs

INPUTS = load_inputs()
CLOSED_FORM = 1e-9
SINGLE_PRECISION = 1e-5
FEWER_SAMPLES_THAN_FEATURES = "n40_d64_k4"


def pairs(*programs, without=()):
    return [
        pytest.param(program, name, id=f"{program}-{name}")
        for program in programs
        for name in golden(program)
        if name not in without
    ]


def rtol(case):
    return SINGLE_PRECISION if case["X"].dtype == np.float32 else CLOSED_FORM


# -- the same numbers ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "name"),
    pairs("leep_tllib", "leep_tf_float32", "leep_pactran_negated_convention"),
)
def test_leep_is_theirs_and_one_of_them_changes_its_sign(program, name):
    case, published = INPUTS[name], golden(program)[name]
    sign = -1 if program == "leep_pactran_negated_convention" else 1
    # One counts in single precision, one adds a little to each probability.
    digits = CLOSED_FORM if program == "leep_tllib" else SINGLE_PRECISION
    score = leep_score(case["probs"], case["y"])
    assert score == pytest.approx(sign * published, rel=digits)
    assert score <= 0


@pytest.mark.parametrize(("program", "name"), pairs("nce_tllib"))
def test_nce_is_theirs(program, name):
    case = INPUTS[name]
    score = nce_score(case["probs"].argmax(axis=1), case["y"])
    assert score == pytest.approx(golden(program)[name], rel=CLOSED_FORM)


@pytest.mark.parametrize(("program", "name"), pairs("lfc_ba_dot"))
def test_lfc_of_inner_products_is_theirs(program, name):
    case = INPUTS[name]
    score = lfc_score(case["X"], case["y"])
    assert score == pytest.approx(golden(program)[name], rel=rtol(case), abs=1e-12)


@pytest.mark.parametrize("name", golden("hscore_parc_standardized"))
def test_standardised_features_have_the_same_h_score(name):
    case = INPUTS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SaturatedScoreWarning)
        score = h_score(case["X"], case["y"])
    published = golden("hscore_parc_standardized")[name]
    assert score == pytest.approx(published, rel=max(rtol(case), 1e-8))


@pytest.mark.parametrize("name", golden("hscore_regularized_transformer_ranker"))
def test_another_shrunk_h_score_mixes_its_denominators_too(name):
    case = INPUTS[name]
    published = golden("hscore_regularized_transformer_ranker")[name]
    n = len(case["y"])
    score = h_score(case["X"], case["y"], shrinkage="ledoit_wolf")
    assert score == pytest.approx(published * (n - 1) / n, rel=SINGLE_PRECISION)


# -- other definitions, or the same with a fault ---------------------------------------


@pytest.mark.parametrize("name", golden("lfc_ba_cos"))
def test_lfc_of_cosines_is_that_of_rows_of_length_one(name):
    case = INPUTS[name]
    rows = normalize(case["X"].astype(np.float64))
    score = lfc_score(rows, case["y"])
    assert score == pytest.approx(golden("lfc_ba_cos")[name], rel=rtol(case))


@pytest.mark.parametrize("name", golden("lfc_ba_corr"))
def test_lfc_of_correlations_is_that_of_centred_rows_of_length_one(name):
    case = INPUTS[name]
    X = case["X"].astype(np.float64)
    rows = normalize(X - X.mean(axis=1, keepdims=True))
    score = lfc_score(rows, case["y"])
    assert score == pytest.approx(golden("lfc_ba_corr")[name], rel=rtol(case))


@pytest.mark.parametrize("name", golden("hscore_pactran_negated"))
def test_an_absolute_ridge_makes_h_score_depend_on_units(name):
    # 1e-6 is added to the scatter, and the sign is changed.
    case = INPUTS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SaturatedScoreWarning)
        score = h_score(case["X"], case["y"])
    published = -golden("hscore_pactran_negated")[name]
    assert published <= score + 1e-6
    assert score == pytest.approx(published, rel=2e-3)


def test_small_units_show_the_absolute_ridge():
    published = golden("hscore_pactran_negated")
    small, plain = "scale1e-3_n200_d16_k5", "n200_d16_k5"
    assert published[small] - published[plain] > 1e-3
    scores = [h_score(INPUTS[name]["X"], INPUTS[name]["y"]) for name in (small, plain)]
    assert scores[0] == pytest.approx(scores[1], rel=CLOSED_FORM)


@pytest.mark.parametrize(
    ("program", "name"),
    pairs(
        "logme_transformer_ranker",
        "logme_tf_float32",
        without=(FEWER_SAMPLES_THAN_FEATURES, "scale1e3_n200_d16_k5"),
    ),
)
def test_other_programs_for_logme_stop_below_the_maximum(program, name):
    case, published = INPUTS[name], golden(program)[name]
    score = logme_score(case["X"], case["y"])
    assert published <= score + SINGLE_PRECISION * max(abs(score), 1.0)
    assert score == pytest.approx(published, rel=2e-3, abs=2e-4)


@pytest.mark.parametrize("program", ["logme_transformer_ranker", "logme_tf_float32"])
def test_other_programs_for_logme_are_wrong_for_few_samples_and_large_units(program):
    few = INPUTS[FEWER_SAMPLES_THAN_FEATURES]
    assert golden(program)[FEWER_SAMPLES_THAN_FEATURES] > 2
    assert logme_score(few["X"], few["y"]) == pytest.approx(-0.016653, abs=1e-6)
    large = INPUTS["scale1e3_n200_d16_k5"]
    right = logme_score(large["X"], large["y"])
    assert golden(program)["scale1e3_n200_d16_k5"] < right - 0.1


def test_the_order_of_the_classes_does_not_reach_logme():
    # One program starts each class from where the class before it stopped.
    case = INPUTS["imbalanced_n300_d20_k6"]
    forward = logme_score(case["X"], case["y"])
    backward = logme_score(case["X"], case["y"].max() - case["y"])
    assert backward == pytest.approx(forward, rel=1e-12)


@pytest.mark.parametrize("name", golden("parc_pca32"))
def test_parc_of_the_experiments_is_that_of_leading_components(name):
    # Theirs breaks the ties of two-valued distances by rounding.
    case = INPUTS[name]
    reduced = PCA(32, svd_solver="full").fit_transform(case["X"].astype(np.float64))
    published = golden("parc_pca32")[name]
    assert parc_score(reduced, case["y"]) == pytest.approx(published, abs=0.3)
