"""TransRate out of sample: against really leaving each sample out."""

from __future__ import annotations

import numpy as np
import pytest

from sklearn_transrate import TransferSelector
from sklearn_transrate.metrics import (
    TransRate,
    _transrate_predictive,
    get_metric,
    score_all,
    transrate_score,
)
from sklearn_transrate.metrics._transrate_predictive import predictive_information
from sklearn_transrate.statistics import ClassMoments, RowSample

# Closed form against n explicit inverses.
ROUNDING = 1e-9


def left_out(X, y, eps):
    """Mean gain in nats of knowing the label, each sample coded by the others."""
    gains = []
    for i in range(len(X)):
        rest = np.arange(len(X)) != i
        Z, labels = X[rest], y[rest]
        means = {k: Z[labels == k].mean(axis=0) for k in np.unique(labels)}
        if y[i] not in means:
            gains.append(0.0)
            continue
        residuals = Z - np.array([means[k] for k in labels])
        covariance = residuals.T @ residuals / len(Z) + eps * np.eye(X.shape[1])
        priors = {k: np.mean(y == k) for k in means}
        codes = {
            k: np.log(priors[k])
            - (X[i] - means[k]) @ np.linalg.solve(covariance, X[i] - means[k]) / 2
            for k in means
        }
        mixture = np.logaddexp.reduce(list(codes.values()))
        gains.append(codes[y[i]] - mixture - np.log(priors[y[i]]))
    return np.mean(gains)


def make(n_samples, n_features, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n_samples)
    X = rng.standard_normal((n_samples, n_features)) + 3.0
    X[:, 0] += 2.0 * y
    return X, y


def predictive(**params):
    return TransRate.from_form("predictive", **params)


@pytest.mark.parametrize("shape", [(40, 6), (20, 50), (25, 25)])
@pytest.mark.parametrize("eps", [0.01, 1.0, 10.0])
def test_equals_really_leaving_each_sample_out(shape, eps):
    X, y = make(*shape)
    found = predictive(eps=eps).score(X, y)
    assert found == pytest.approx(left_out(X, y, eps), rel=ROUNDING)


def test_a_singleton_class_gains_nothing():
    X, y = make(30, 5)
    y[0] = 7
    metric = predictive(eps=0.5).fit(X, y)
    assert metric.score_ == pytest.approx(left_out(X, y, 0.5), rel=ROUNDING)
    assert metric.parts_["class_gains"][-1] == 0.0


def test_a_weight_of_two_is_two_rows():
    X, y = make(30, 8)
    weight = np.random.default_rng(1).integers(0, 4, 30)
    rows = np.repeat(np.arange(30), weight)
    assert predictive().score(X, y, weight) == pytest.approx(
        predictive().score(X[rows], y[rows]), rel=ROUNDING
    )


def test_auto_takes_the_distortion_that_codes_best():
    X, y = make(60, 40)
    metric = predictive().fit(X, y)
    best = metric.parts_["eps"]
    for factor in (0.1, 0.5, 2.0, 10.0):
        assert predictive(eps=best * factor).score(X, y) <= metric.score_ + 1e-12
    assert predictive(eps=best).score(X, y) == pytest.approx(metric.score_)


@pytest.mark.parametrize("scale", [0.3, 1.0, 30.0])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rare", [0.0, 1e4])
def test_some_rows_choose_the_distortions_that_all_would(
    scale, seed, rare, monkeypatch
):
    X, y = make(400, 12, seed)
    X[:, 1:] *= scale
    X[:2, 3] += rare  # what a few rows say of small distortions
    every = predictive().fit(X, y)
    assert every.score_ > 0
    monkeypatch.setattr(_transrate_predictive, "PILOT_ROWS", 64)
    tried = []
    gains = _transrate_predictive._Samples.gains
    monkeypatch.setattr(
        _transrate_predictive._Samples,
        "gains",
        lambda self, grid: [tried.extend(grid), gains(self, grid)][1],
    )
    some = predictive().fit(X, y)
    found = some.score_
    assert len(tried) == len(set(tried)) <= len(_transrate_predictive.GRID) + 2
    assert found == pytest.approx(every.score_, rel=1e-12)
    assert some.parts_["eps"] == every.parts_["eps"]


def test_the_neighbours_of_the_best_distortion_are_tried():
    tried = []

    def gains_at(grid):
        tried.extend(np.log10(grid))
        return 5.0 - (np.log10(grid)[:, None] - 0.9) ** 2

    gains, eps = _transrate_predictive.best_information(gains_at, 1.0, [0])
    assert np.log10(eps) == pytest.approx(1.0)
    assert gains == pytest.approx(5.0 - 0.01)
    assert max(tried) == pytest.approx(1.5)


def test_noise_is_worth_nothing_however_wide():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 5, 100)
    for width in (10, 100, 1000):
        noise = rng.standard_normal((100, width))
        assert predictive().score(noise, y) < 0.1
        assert TransRate.from_form("relative").score(noise, y) > predictive().score(
            noise, y
        )


def test_perfect_features_are_worth_the_entropy_of_the_labels():
    y = np.repeat([0, 1, 2], [50, 30, 20])
    X = np.eye(3)[y] + 1e-3 * np.random.default_rng(0).standard_normal((100, 3))
    priors = np.array([0.5, 0.3, 0.2])
    entropy = -priors @ np.log(priors)
    assert predictive().score(X, y) == pytest.approx(entropy, abs=1e-6)
    assert predictive().score(X, y) <= entropy + 1e-12


def test_constant_features_are_worth_nothing():
    X, y = np.ones((20, 3)), np.arange(20) % 2
    assert predictive().score(X, y) == 0.0


def test_streams_and_shared_statistics_agree():
    X, y = make(50, 12)
    expected = predictive().score(X, y)
    stream = predictive()
    for start in range(0, 50, 9):
        stream.partial_fit(X[start : start + 9], y[start : start + 9])
    assert stream.score_ == pytest.approx(expected, rel=ROUNDING)
    both = score_all(X, y, ["transrate", "transrate_relative"])
    assert both["transrate"] == pytest.approx(expected, rel=ROUNDING)


def test_selectors_take_it_by_name():
    X, y = make(40, 100)
    wide = [("raw", "passthrough")]
    selector = TransferSelector(wide, scoring="transrate").fit(X, y)
    assert selector.best_score_ == get_metric("transrate").score(X, y)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"class_weight": "uniform"}, "leave_one_out"),
        ({"eps_unit": "trace"}, "leave_one_out"),
        ({"correction": "permutation"}, "leave_one_out"),
        ({"row_norm": "l2"}, "leave_one_out"),
        ({"projection": "between"}, "leave_one_out"),
        ({"eps": -1.0}, "positive"),
    ],
)
def test_options_that_have_no_meaning_are_refused(params, message):
    X, y = make(20, 3)
    with pytest.raises(ValueError, match=message):
        predictive(**params).score(X, y)


def test_numeric_targets_are_refused():
    X, _ = make(20, 3)
    with pytest.raises(ValueError, match="class labels"):
        predictive().score(X, X[:, 0])


# -- the default -----------------------------------------------------------------------


def test_the_default_is_out_of_sample_for_classes():
    X, y = make(40, 8)
    assert TransRate().score(X, y) == predictive().score(X, y)
    assert transrate_score(X, y) == predictive().score(X, y)


@pytest.mark.parametrize(
    "params",
    [
        {"eps": 0.1},
        {"class_weight": "uniform"},
        {"normalize": None},
        {"row_norm": "l2"},
        {"projection": "between"},
        {"eps": 0.1, "eps_unit": "trace"},
        {"covariance": "pooled"},
        {"correction": "permutation", "random_state": 0},
    ],
)
def test_naming_what_describes_the_plug_in_asks_for_it(params):
    X, y = make(40, 8)
    named = TransRate(estimate="plug_in", **params)
    assert TransRate(**params).score(X, y) == named.score(X, y)


def test_values_are_scored_by_the_plug_in():
    X, _ = make(40, 8)
    targets = X[:, :2] + 1.0
    plug_in = TransRate(estimate="plug_in").score(X, targets)
    assert TransRate().score(X, targets) == plug_in > 0.0


# -- some of the rows ------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(120, 8), (120, 300)])
def test_some_of_the_rows_stand_for_all(shape):
    X, y = make(*shape)
    full = TransRate(max_samples=None).score(X, y)
    assert TransRate(max_samples=len(X)).score(X, y) == full
    halves = [
        predictive_information(
            ClassMoments.from_batch(X, y, scatter="pooled"),
            RowSample.from_batch(X[half], y[half]),
            0.5,
        )[0]
        for half in (np.arange(len(X)) % 2 == 0, np.arange(len(X)) % 2 == 1)
    ]
    whole = predictive(eps=0.5).fit(X, y).parts_["class_gains"]
    share = np.array([[np.mean(y[k::2] == c) for c in np.unique(y)] for k in (0, 1)])
    mixed = np.sum(share * halves, axis=0) / share.sum(axis=0)
    assert mixed == pytest.approx(whole, rel=ROUNDING)


def test_a_class_that_is_not_among_the_rows_is_left_out():
    X, y = make(60, 6)
    moments = ClassMoments.from_batch(X, y, scatter="pooled")
    rows = RowSample.from_batch(X[y > 0], y[y > 0])
    gains, _, _ = predictive_information(moments, rows, 0.5)
    assert gains[0] == 0.0
    assert (gains[1:] != 0.0).all()
