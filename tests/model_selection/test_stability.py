"""The warning of a winner that hangs on the distortion."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_transrate import TransferSelector
from sklearn_transrate.exceptions import TransRateWarning, UnstableRankingWarning
from sklearn_transrate.extractors import PrecomputedFeatures
from sklearn_transrate.metrics import TransRate, h_score
from sklearn_transrate.model_selection._stability import _crossing

RNG = np.random.default_rng(0)
Y = np.arange(300) % 3
NOISE = RNG.standard_normal((300, 6))
# Classes apart in one direction, or a little in all: coarse coding prefers the first.
FEW = 0.5 * NOISE + 4.0 * np.multiply.outer(Y - 1, np.eye(6)[0])
RELATIVE = TransRate.from_form("relative")
CENTRES = RNG.standard_normal((3, 6))
MANY = NOISE + 1.4 * CENTRES[Y]


class Columns:
    """A function that chooses columns."""

    def __init__(self, start):
        self.start = start

    def __call__(self, X):
        return X[:, self.start : self.start + 6]


def columns(start):
    return FunctionTransformer(Columns(start))


def crossing_of_curves(metric):
    """Where the two candidates' curves cross, on a fine grid."""
    grid = 10.0 ** np.linspace(-4, 2, 601)
    few, many = (
        metric.fit(X, Y).eps_curve(grid, eps_unit="mean_eigenvalue").scores
        for X in (FEW, MANY)
    )
    changes = np.flatnonzero(np.diff(np.sign(few - many)))
    assert len(changes) == 1
    return grid[changes[0]]


def select(scoring, **params):
    X = np.hstack([FEW, MANY])
    candidates = [("few", columns(0)), ("many", columns(6))]
    return TransferSelector(candidates, scoring=scoring, **params).fit(X, Y)


def test_a_winner_near_the_crossing_is_warned_of():
    crossing = crossing_of_curves(RELATIVE)
    metric = TransRate(eps=2.0 * crossing, eps_unit="mean_eigenvalue")
    with pytest.warns(UnstableRankingWarning, match="change places near eps=") as found:
        select(metric)
    message = str(found[0].message)
    assert "'few'" in message
    assert "'many'" in message
    assert "mean eigenvalues" in message
    named = float(message.partition("eps=")[2].split()[0])
    assert named == pytest.approx(crossing, rel=0.2)


@pytest.mark.parametrize("times", [0.1, 10.0])
def test_a_winner_far_from_it_is_not(times):
    metric = TransRate(eps=times * crossing_of_curves(RELATIVE))
    metric.set_params(eps_unit="mean_eigenvalue")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnstableRankingWarning)
        select(metric)


def test_the_distortion_of_auto_is_watched_too():
    less = NOISE + 1.24 * CENTRES[Y]
    around = 0.1 * 10.0 ** np.array([-0.5, 0.0, 0.5])
    few, many = (RELATIVE.fit(X, Y).eps_curve(around).scores for X in (FEW, less))
    assert ((few - many) > 0).tolist() == [True, False, False]
    source = PrecomputedFeatures({"few": FEW, "many": less})
    with pytest.warns(UnstableRankingWarning, match="leads 'net / few' at 0.1"):
        TransferSelector([("net", source)], scoring=RELATIVE).fit(np.arange(300), Y)


def test_layers_are_candidates_like_others():
    crossing = crossing_of_curves(RELATIVE)
    source = PrecomputedFeatures({"few": FEW, "many": MANY})
    metric = TransRate(eps=2.0 * crossing, eps_unit="mean_eigenvalue")
    with pytest.warns(UnstableRankingWarning, match="'net / few' leads 'net / many'"):
        TransferSelector([("net", source)], scoring=metric).fit(np.arange(300), Y)


def test_the_metric_that_decides_is_the_one_that_is_watched():
    crossing = crossing_of_curves(RELATIVE)
    near = TransRate(eps=2.0 * crossing, eps_unit="mean_eigenvalue")
    far = TransRate(eps=20.0 * crossing, eps_unit="mean_eigenvalue")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnstableRankingWarning)
        select({"far": far, "near": near})
        select(["h_score", near])
        select(h_score)
        select("transrate")
    with pytest.warns(UnstableRankingWarning):
        select({"far": far, "near": near}, refit="near")


def test_folds_are_averaged_on_both_sides():
    crossing = crossing_of_curves(RELATIVE)
    near = TransRate(eps=1.5 * crossing, eps_unit="mean_eigenvalue")
    with pytest.warns(UnstableRankingWarning):
        select(near, cv=3)


def test_one_candidate_and_failed_ones_have_nothing_to_change_places_with():
    broken = FrozenEstimator(StandardScaler())  # never fitted, so it cannot transform
    X = np.hstack([FEW, MANY])
    with pytest.warns(TransRateWarning, match="'broken' failed"):
        TransferSelector([("few", columns(0)), ("broken", broken)]).fit(X, Y)
    TransferSelector([("few", columns(0))]).fit(X, Y)


@pytest.mark.parametrize(
    ("leads", "step"),
    [
        ((-1.0, 1.0, 3.0), -0.25),
        ((3.0, 1.0, -1.0), 0.25),
        ((1.0, 1.0, 1.0), None),
        ((3.0, 0.0, -1.0), None),  # a tie leads nobody
        ((np.nan, 1.0, -1.0), None),
        ((-3.0, 1.0, -3.0), 0.25),
    ],
)
def test_the_crossing_is_read_from_three_leads(leads, step):
    found = _crossing(*leads)
    if step is None:
        assert found is None
    else:
        assert abs(found) == pytest.approx(abs(step))
        assert leads[0] == leads[2] or np.sign(found) == np.sign(step)
