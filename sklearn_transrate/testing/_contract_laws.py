"""Laws of metrics: what they accept, what they refuse, how they behave as objects."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable

import numpy as np
from sklearn.base import clone

from sklearn_transrate.exceptions import UndefinedMetricWarning
from sklearn_transrate.testing._law import declare, random_batches
from sklearn_transrate.testing._scoring import (
    assert_close,
    assert_refused,
    fresh,
    quietly,
    read_score,
    score_of,
)

__all__ = ["CONTRACT_LAWS"]

CONTRACT_LAWS: list[Callable] = []
CLASSES = ("classification",)


# -- inputs --------------------------------------------------------------------


@declare(CONTRACT_LAWS)
def check_sample_weight(metric, X, y, rng):
    """A whole weight counts as so many equal rows, and none as no row.

    Catches weights that are ignored, or that reach the means but not the scatters.
    """
    times = rng.integers(0, 4, len(X))
    times[rng.integers(len(X))] = 2
    rows = np.repeat(np.arange(len(X)), times)
    expected = score_of(metric, X[rows], y[rows])
    weights = times.astype(np.float64)
    assert_close(score_of(metric, X, y, weights), expected, "with weights")
    stream = fresh(metric)
    for X_part, y_part, weight in random_batches(rng, X, y, weights):
        if weight.any():
            stream.partial_fit(X_part, y_part, sample_weight=weight)
    assert_close(read_score(stream), expected, "with weights, in batches")


@declare(CONTRACT_LAWS)
def check_dtypes(metric, X, y, rng):
    """Features of a small dtype count as the numbers that they are.

    Catches sums in half or single precision, and integers that overflow.
    """
    is_features = metric.inputs == "features"
    for dtype in (np.float16, np.float32):
        small = X / max(np.abs(X).max(), 1.0) if is_features else X
        small = small.astype(dtype)
        assert_close(
            score_of(metric, small, y),
            score_of(metric, small.astype(np.float64), y),
            f"for {small.dtype}",
        )
    if is_features:
        whole = rng.integers(0, 256, X.shape).astype(np.uint8)
        expected = score_of(metric, whole.astype(np.float64), y)
        assert_close(score_of(metric, whole, y), expected, "for uint8")


@declare(CONTRACT_LAWS)
def check_inputs_untouched(metric, X, y, rng):
    """Read-only inputs are accepted, and none is changed.

    Catches features that are centred or normalised in place.
    """
    given = X.copy(), y.copy(), np.ones(len(X))
    before = tuple(array.copy() for array in given)
    for writeable in (False, True):
        for array in given:
            array.flags.writeable = writeable
        score_of(metric, *given)
    for name, array, copy in zip(("X", "y", "weights"), given, before, strict=True):
        assert (array == copy).all(), f"expected {name} as it was, got other values"


@declare(CONTRACT_LAWS, tasks=CLASSES)
def check_one_class(metric, X, y, rng):
    """One class gives `one_class_score`, and a warning that says so.

    Catches silent zeros, and errors that end a table of many candidates.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        score = fresh(metric).score(X, np.repeat(y[:1], len(y)))
    assert_close(score, metric.one_class_score, "for one class")
    assert any(issubclass(w.category, UndefinedMetricWarning) for w in caught), (
        "expected an UndefinedMetricWarning for one class, got none"
    )


@declare(CONTRACT_LAWS)
def check_bad_features_refused(metric, X, y, rng):
    """Features that are missing, infinite or not there are refused.

    Catches NaN that becomes a score, and means of nothing.
    """
    # Any number may be a label.
    infinite = () if metric.inputs == "source_labels" else (np.inf,)
    for value in (np.nan, *infinite):
        bad = X.astype(np.float64)
        bad[rng.integers(len(X)), rng.integers(X.shape[1])] = value
        assert_refused(lambda bad=bad: score_of(metric, bad, y), f"{value} in X")
    assert_refused(lambda: score_of(metric, X[:0], y[:0]), "no rows")
    assert_refused(lambda: score_of(metric, X[:, :0], y), "no columns")


@declare(CONTRACT_LAWS)
def check_bad_targets_refused(metric, X, y, rng):
    """Targets that are missing, or not as many as there are rows, are refused.

    Catches rows that are silently paired with the wrong labels.
    """
    assert_refused(lambda: score_of(metric, X, y[:-1]), "a missing target")
    assert_refused(lambda: score_of(metric, X, None), "y=None")
    assert_refused(
        lambda: score_of(metric, X, y, np.ones(len(X) + 1)), "a weight too many"
    )
    if set(metric.tasks) == set(CLASSES):
        values = rng.standard_normal(len(X))
        assert_refused(lambda: score_of(metric, X, values), "a continuous target")


@declare(CONTRACT_LAWS, tasks=CLASSES)
def check_swapped_arguments_refused(metric, X, y, rng):
    """Labels first and features second are refused.

    Catches what would score labels with features as classes.
    """
    assert_refused(lambda: score_of(metric, y, X), "y before X", ValueError)


# -- objects -------------------------------------------------------------------


@declare(CONTRACT_LAWS)
def check_clone(metric, X, y, rng):
    """A clone has the same parameters, and gives the same score.

    Catches constructors that change, or forget, what they are given.
    """
    seeded = fresh(metric)  # a random_state of None has become a number
    copy = clone(seeded.fit(X, y))
    given = metric.get_params(deep=False)
    if "random_state" in given:
        given["random_state"] = seeded.random_state
    for name, value in given.items():
        got = copy.get_params(deep=False)[name]
        assert repr(got) == repr(value), f"expected {name}={value!r}, got {got!r}"
    assert not copy.__sklearn_is_fitted__(), "expected a clone to be unfitted"
    assert_close(score_of(copy, X, y), score_of(metric, X, y), "from a clone")


@declare(CONTRACT_LAWS)
def check_pickle(metric, X, y, rng):
    """A pickled metric has the same score, and goes on from there.

    Catches state that is kept in closures or left behind.
    """
    fitted = fresh(metric).fit(X, y)
    copy = pickle.loads(pickle.dumps(fitted))
    assert_close(read_score(copy), read_score(fitted), "from a pickle")
    for one in (copy, fitted):
        one.partial_fit(X, y)
    assert_close(read_score(copy), read_score(fitted), "from a pickle that went on")


@declare(CONTRACT_LAWS)
def check_stateless_score(metric, X, y, rng):
    """`score` uses nothing that was learned, and leaves nothing behind.

    Catches scores of new rows that are those of the old ones.
    """
    one = fresh(metric)
    before = set(vars(one))
    with quietly():
        expected = one.score(X, y)
        left = sorted(set(vars(one)) - before)
        assert not left, f"expected score to set nothing, got {left}"
        half = len(X) // 2 or 1
        fitted = read_score(one.fit(X[:half], y[:half]))
        assert_close(one.score(X, y), expected, "after a fit to other rows")
    assert_close(read_score(one), fitted, "in score_ after score was called")
    for task in metric.tasks:
        for statistic in metric.required_statistics(task).values():
            assert statistic.n_samples == 0, f"expected it empty, got {statistic!r}"


@declare(CONTRACT_LAWS)
def check_refit(metric, X, y, rng):
    """Fitting again forgets what was seen before.

    Catches fits that add up.
    """
    fitted = fresh(metric).fit(X, y)
    read_score(fitted)
    half = len(X) // 2 or 1
    fitted.fit(X[:half], y[:half])
    assert_close(
        read_score(fitted), score_of(metric, X[:half], y[:half]), "from the second fit"
    )
    fitted.fit(X, y)
    assert_close(read_score(fitted), score_of(metric, X, y), "from the third fit")


@declare(CONTRACT_LAWS)
def check_deterministic(metric, X, y, rng):
    """The same rows give the same score, to the last digit.

    Catches draws that no `random_state` governs.
    """
    first, second = score_of(metric, X, y), score_of(metric, X, y)
    assert first == second or np.isnan([first, second]).all(), (
        f"expected {first!r} again, got {second!r}"
    )
