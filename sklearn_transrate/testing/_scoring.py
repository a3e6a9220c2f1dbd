"""How laws ask a metric for a score, and compare two."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import contextmanager

import numpy as np
from sklearn.base import clone

from sklearn_transrate.exceptions import SaturatedScoreWarning, UndefinedMetricWarning
from sklearn_transrate.metrics import TransferMetric

__all__ = [
    "IN_ORDER",
    "assert_close",
    "assert_refused",
    "fresh",
    "quietly",
    "read_score",
    "score_of",
]

# Equivalent computations differ by rounding, which log-determinants and ratios of
# variances amplify; the mistakes that laws look for change the third digit.
TOLERANCE = 1e-6
# Warnings that are in order where features are few, constant or of one class.
IN_ORDER = (SaturatedScoreWarning, UndefinedMetricWarning)


@contextmanager
def quietly():
    with warnings.catch_warnings():
        for kind in IN_ORDER:
            warnings.simplefilter("ignore", kind)
        yield


def fresh(metric: TransferMetric) -> TransferMetric:
    """Return an unfitted copy that draws the same numbers each time."""
    copy = clone(metric)
    if "random_state" in copy.get_params() and copy.random_state is None:
        copy.set_params(random_state=0)
    return copy


def score_of(metric, X, y, sample_weight=None) -> float:
    with quietly():
        return fresh(metric).score(X, y, sample_weight)


def read_score(metric) -> float:
    with quietly():
        return metric.score_


def assert_close(
    got: float, expected: float, when: str, *, tolerance: float = TOLERANCE
) -> None:
    both_undefined = np.isnan(got) and np.isnan(expected)
    size = max(1.0, abs(got), abs(expected))
    assert both_undefined or abs(got - expected) <= tolerance * size, (
        f"expected {expected!r}, got {got!r} {when}"
    )


def assert_refused(call: Callable, what: str, errors=(ValueError, TypeError)) -> None:
    try:
        with quietly():
            value = call()
    except errors:
        return
    raise AssertionError(f"expected an error for {what}, got {value!r}")
