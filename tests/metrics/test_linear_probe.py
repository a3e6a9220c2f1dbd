"""Linear probe: scikit-learn's own heads, cross-validated."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_transrate.exceptions import UndefinedMetricWarning
from sklearn_transrate.metrics import LinearProbe, get_metric, linear_probe_score
from sklearn_transrate.metrics._linear_probe import ALPHAS
from tests.golden import load_inputs

INPUTS = load_inputs()


def sorted_by_distance(X, y):
    order = np.argsort(np.linalg.norm(X - X.mean(axis=0), axis=1))
    return X[order], y[order]


@pytest.mark.parametrize("C", [0.01, 1.0])
@pytest.mark.parametrize("name", ["n200_d16_k5", "n40_d64_k4", "k2_n150_d12"])
def test_classes_are_scored_as_by_scikit_learn(name, C):
    X, y = sorted_by_distance(INPUTS[name]["X"], INPUTS[name]["y"])
    head = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=1000))
    folds = StratifiedKFold(4, shuffle=True, random_state=3)
    expected = np.mean(cross_val_predict(head, X, y, cv=folds) == y)
    got = linear_probe_score(X[::-1], y[::-1], cv=4, C=C, random_state=3)
    # Classes are numbered as they appear, which may move a row at the boundary.
    assert got == pytest.approx(expected, abs=1 / len(y))


def test_values_are_scored_as_by_scikit_learn():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 5))
    Y = X[:, :2] + rng.standard_normal((60, 2)) + 100.0
    X, Y = sorted_by_distance(X, Y)
    head = make_pipeline(StandardScaler(), RidgeCV(ALPHAS, alpha_per_target=True))
    folds = KFold(5, shuffle=True, random_state=0)
    expected = r2_score(Y, cross_val_predict(head, X, Y, cv=folds))
    assert linear_probe_score(X, Y) == pytest.approx(expected, rel=1e-6)


def test_indicators_are_values_of_zero_and_one():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((80, 4))
    Y = (X[:, :2] + 0.3 * rng.standard_normal((80, 2)) > 0).astype(int)
    got = linear_probe_score(X, Y)
    assert got == linear_probe_score(X, Y, task="regression")
    assert 0.4 < got < 1


def test_folds_do_not_depend_on_the_order_of_rows_of_equal_distance():
    # On a grid many rows are equally far from the mean.
    X = np.stack(np.meshgrid(np.arange(8.0), np.arange(8.0)), -1).reshape(-1, 2)
    y = (X[:, 0] + X[:, 1] > 7).astype(int) + (X[:, 0] > 5)
    expected = linear_probe_score(X, y, C=0.1)
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(64)
        assert linear_probe_score(X[order], y[order], C=0.1) == expected


def test_seed_changes_the_folds_only():
    X, y = INPUTS["n200_d16_k5"]["X"], INPUTS["n200_d16_k5"]["y"]
    scores = {linear_probe_score(X, y, random_state=seed) for seed in range(6)}
    assert len(scores) > 1
    assert max(scores) - min(scores) < 0.05
    assert linear_probe_score(X, y) == linear_probe_score(X, y, random_state=0)


# Five fits of the others take seconds, and show nothing else.
@pytest.mark.parametrize("name", [n for n in INPUTS if len(INPUTS[n]["y"]) <= 600])
def test_every_input_has_a_score_within_bounds(name):
    case = INPUTS[name]
    score = linear_probe_score(case["X"], case["y"])
    assert 0.2 < score <= 1


def test_single_precision_and_large_offsets_lose_nothing():
    X, y = INPUTS["k2_n150_d12"]["X"], INPUTS["k2_n150_d12"]["y"]
    expected = linear_probe_score(X, y)
    assert linear_probe_score(X + 1e5, y) == expected
    assert linear_probe_score(1e-5 * X, y) == expected
    single = (X + 100).astype(np.float32)
    assert linear_probe_score(single, y) == linear_probe_score(single.astype(float), y)


def test_singleton_class_counts_as_an_error_without_a_warning():
    case = INPUTS["singleton_n90_d9_k4"]
    kept = case["y"] != 3
    alone = linear_probe_score(case["X"][kept], case["y"][kept])
    full = linear_probe_score(case["X"], case["y"])
    assert full == pytest.approx(alone * 89 / 90, abs=3 / 90)
    assert full <= 89 / 90


def test_training_rows_of_one_class_predict_that_class():
    X = np.arange(6.0)[:, None]
    y = ["many"] * 5 + ["one"]
    # In the fold of the singleton only the other class is left.
    assert linear_probe_score(X, y, cv=2) <= 5 / 6
    assert linear_probe_score(X, y, cv=5) <= 5 / 6


def test_only_singletons_are_never_predicted():
    X = np.random.default_rng(2).standard_normal((6, 2))
    assert linear_probe_score(X, list("abcdef")) == 0.0


def test_small_classes_limit_the_number_of_folds():
    X = np.random.default_rng(3).standard_normal((6, 2)) + [[0], [9], [18]] * 2
    y = [0, 1, 2] * 2
    assert linear_probe_score(X, y, cv=10) == linear_probe_score(X, y, cv=2)


def test_constant_features_give_the_largest_class():
    y = np.array([0] * 12 + [1] * 8)
    assert linear_probe_score(np.full((20, 3), 7.7), y) == pytest.approx(0.6)


def test_whole_weights_count_as_rows_and_others_as_shares():
    X, y = INPUTS["k2_n150_d12"]["X"], INPUTS["k2_n150_d12"]["y"]
    times = np.arange(150) % 3
    weighted = linear_probe_score(X, y, sample_weight=times)
    assert weighted == linear_probe_score(np.repeat(X, times, 0), np.repeat(y, times))
    half = linear_probe_score(X, y, C=2.0, sample_weight=np.full(150, 0.5))
    assert half == pytest.approx(linear_probe_score(X, y))


def test_standard_error_is_that_of_a_share():
    probe = LinearProbe().fit(INPUTS["k2_n150_d12"]["X"], INPUTS["k2_n150_d12"]["y"])
    share = probe.score_
    assert probe.std_error_ == pytest.approx(np.sqrt(share * (1 - share) / 150))


def test_few_rows_of_values_still_have_a_score():
    X = np.random.default_rng(4).standard_normal((3, 2))
    assert np.isfinite(linear_probe_score(X, [0.5, 1.5, 0.1]))
    assert np.isfinite(linear_probe_score(X[:2], [0.5, 1.5]))


def test_one_row_gives_nan_with_a_reason():
    with pytest.warns(UndefinedMetricWarning, match="one sample"):
        assert np.isnan(linear_probe_score([[1.0, 2.0]], [0.5]))


def test_constant_targets_give_nan_with_a_reason():
    X = np.random.default_rng(5).standard_normal((8, 2))
    with pytest.warns(UndefinedMetricWarning, match="constant"):
        assert np.isnan(linear_probe_score(X, np.full(8, 0.3)))


def test_inputs_are_not_overwritten():
    X = np.random.default_rng(6).standard_normal((20, 3))
    before = X.copy()
    linear_probe_score(X, np.arange(20) % 2)
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("cv", [1, 0, 2.5, None, True, "five"])
def test_number_of_folds_that_is_no_count_is_refused(cv):
    with pytest.raises(ValueError, match="'cv' to be a whole number"):
        linear_probe_score([[0.0], [1.0]], [0, 1], cv=cv)


@pytest.mark.parametrize("C", [0, -1.0, np.inf, "one"])
def test_strength_that_is_not_positive_is_refused(C):
    with pytest.raises(ValueError, match="'C' to be a positive"):
        linear_probe_score([[0.0], [1.0]], [0, 1], C=C)


def test_registered_by_name():
    assert repr(get_metric("linear_probe", cv=3)) == "LinearProbe(cv=3)"
