"""Laws of metrics: what may not change a score, and what a score must be.

Scores are compared after clones of the metric were given the same information in
another form. A metric's own attributes say which laws bind it: `tasks`, `bounds`,
`invariances`, `one_class_score` and `inputs`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

from sklearn_transrate._lib.labels import encode_labels
from sklearn_transrate.exceptions import UndefinedMetricWarning
from sklearn_transrate.metrics import MetricResult
from sklearn_transrate.statistics import ClassMoments, Statistic, accumulate
from sklearn_transrate.testing._comparing import assert_statistics_equal
from sklearn_transrate.testing._data import INPUTS, label_values
from sklearn_transrate.testing._law import (
    declare,
    random_batches,
    random_merge,
    random_orthogonal,
)
from sklearn_transrate.testing._scoring import (
    IN_ORDER,
    assert_close,
    fresh,
    quietly,
    read_score,
    score_of,
)

__all__ = ["INVARIANCES", "SCORE_LAWS"]

SCORE_LAWS: list[Callable] = []
INVARIANCES = ("duplication", "padding", "rotation", "scale", "translation")
TASKS = ("classification", "multilabel", "regression")
CLASSES = ("classification",)
# A mean keeps ten digits a million spreads away, and small ridges amplify the rest;
# second moments about zero keep three.
MOVED = 1e-4
# How far rounding may carry a score beyond a bound.
SLACK = 1e-9


# -- what is said --------------------------------------------------------------


@declare(SCORE_LAWS)
def check_declarations(metric, X, y, rng):
    """What a metric says of itself is something that others can read.

    Catches misspelt invariances, which would switch a law off, bounds in the wrong
    order, and a `requires` that is filled rather than empty.
    """
    low, high = metric.bounds
    assert low < high, f"expected bounds in order, got {metric.bounds}"
    for name, given, known in (
        ("tasks", metric.tasks, TASKS),
        ("invariances", metric.invariances, INVARIANCES),
        ("inputs", (metric.inputs,), INPUTS),
    ):
        unknown = sorted(set(given) - set(known))
        assert not unknown, f"expected {name!r} among {known}, got {unknown}"
    assert isinstance(metric.n_passes, int), f"got n_passes={metric.n_passes!r}"
    assert metric.n_passes >= 1, f"got n_passes={metric.n_passes!r}"
    one = metric.one_class_score
    assert np.isnan(one) or low <= one <= high, (
        f"expected one_class_score within {metric.bounds} or NaN, got {one}"
    )
    for task in metric.tasks:
        for name, statistic in metric.required_statistics(task).items():
            assert isinstance(statistic, Statistic), (
                f"expected {name!r} to be a Statistic, got {statistic!r}"
            )
            assert statistic.n_samples == 0, f"expected {name!r} empty: {statistic!r}"


@declare(SCORE_LAWS)
def check_value(metric, X, y, rng):
    """A score is a finite Python float within its bounds, or NaN with a warning.

    Catches numpy scalars that JSON refuses, bounds that do not hold for all
    parameters, and divisions by a variance or a count of zero.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        score = fresh(metric).score(X, y)
    assert type(score) is float, f"expected a float, got {type(score).__name__}"
    for warning in caught:
        assert issubclass(warning.category, IN_ORDER), f"got {warning.message!r}"
    if np.isnan(score):
        told = any(issubclass(w.category, UndefinedMetricWarning) for w in caught)
        assert told, "expected an UndefinedMetricWarning with NaN, got none"
        return
    low, high = metric.bounds
    assert np.isfinite(score), f"expected a finite score, got {score}"
    assert low - SLACK <= score <= high + SLACK, (
        f"expected a score within {metric.bounds}, got {score!r}"
    )


@declare(SCORE_LAWS, tasks=CLASSES)
def check_silence(metric, X, y, rng):
    """Nothing is said about data that have nothing special.

    Catches warnings that everybody learns to ignore.
    """
    counts = np.bincount(encode_labels(y)[1])
    rank = np.linalg.matrix_rank(X - X.mean(axis=0, dtype=np.float64))
    flat = metric.inputs != "source_labels" and rank < 3
    if flat or len(counts) < 2 or min(counts) < 10 or len(X) < 5 * X.shape[1]:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fresh(metric).fit(X, y).score_  # noqa: B018


# -- rows, names and columns ---------------------------------------------------


@declare(SCORE_LAWS)
def check_row_order(metric, X, y, rng):
    """The order of the rows does not matter.

    Catches labels that are sorted apart from their rows, and ties that go to the row
    that came first.
    """
    order = rng.permutation(len(X))
    assert_close(
        score_of(metric, X[order], y[order]), score_of(metric, X, y), "in another order"
    )


@declare(SCORE_LAWS)
def check_feature_order(metric, X, y, rng):
    """The order of the features does not matter.

    Catches metrics that look at the first columns only.
    """
    order = rng.permutation(X.shape[1])
    assert_close(
        score_of(metric, X[:, order], y),
        score_of(metric, X, y),
        "with features shuffled",
    )


def _relabelled(codes, values) -> np.ndarray:
    named = np.empty(len(codes), dtype=object)
    for i, code in enumerate(codes):
        named[i] = values[code]
    return named


@declare(SCORE_LAWS, tasks=CLASSES)
def check_label_names(metric, X, y, rng):
    """The names of the classes do not matter, nor their order.

    Catches labels that are counted as ``y.max() + 1``, that serve as indices, or
    that numpy turns into strings, and ties that go to the smallest label.
    """
    labels, codes = encode_labels(y)
    expected = score_of(metric, X, codes)
    assert_close(score_of(metric, X, y), expected, f"for labels {labels}")
    for kind in ("gaps", "negative", "strings", "mixed"):
        values = label_values(kind, len(labels))
        named = _relabelled(codes, values)
        assert_close(score_of(metric, X, named), expected, f"for labels {values}")


@declare(SCORE_LAWS)
def check_containers(metric, X, y, rng):
    """Lists are as good as arrays.

    Catches array methods that are called before the inputs are checked.
    """
    assert_close(
        score_of(metric, X.tolist(), y.tolist()),
        score_of(metric, X.astype(np.float64), y),
        "for lists",
    )


# -- invariances that a metric may claim ---------------------------------------


@declare(SCORE_LAWS, claim="rotation")
def check_rotation(metric, X, y, rng):
    """Rotating the features leaves the score as it is, where that is claimed.

    Catches diagonals taken for spectra, and norms other than the Euclidean.
    """
    X = X.astype(np.float64)
    rotated = X @ random_orthogonal(rng, X.shape[1])
    assert_close(score_of(metric, rotated, y), score_of(metric, X, y), "rotated")


@declare(SCORE_LAWS, claim="translation")
def check_translation(metric, X, y, rng):
    """Moving the features leaves the score as it is, where that is claimed.

    Moves them by a million spreads, after rounding them so that the sums are exact.
    Catches second moments about zero, and features that are not centred.
    """
    X = X.astype(np.float64)
    X -= X.mean(axis=0)
    unit = 2.0 ** np.ceil(np.log2(max(np.abs(X).max(), 1e-300)))
    X = unit * 2.0**-20 * np.rint(X / unit * 2.0**20)
    moved = X + unit * 2.0**20
    assert_close(
        score_of(metric, moved, y), score_of(metric, X, y), "moved", tolerance=MOVED
    )


@declare(SCORE_LAWS, claim="scale")
def check_scale(metric, X, y, rng):
    """Scaling all features leaves the score as it is, where that is claimed.

    Catches absolute floors and ridges.
    """
    X = X.astype(np.float64)
    for factor in (1e-4, 1e4):
        assert_close(
            score_of(metric, factor * X, y), score_of(metric, X, y), f"times {factor:g}"
        )


@declare(SCORE_LAWS, claim="duplication")
def check_duplication(metric, X, y, rng):
    """Repeating all rows leaves the score as it is, where that is claimed.

    Catches sums that should be means, and degrees of freedom.
    """
    twice = np.concatenate([X, X]), np.concatenate([y, y])
    assert_close(
        score_of(metric, *twice), score_of(metric, X, y), "with all rows twice"
    )


@declare(SCORE_LAWS, claim="padding")
def check_padding(metric, X, y, rng):
    """Features that are always zero leave the score as it is, where that is claimed.

    Catches widths that stand in for ranks.
    """
    padded = np.column_stack([X, np.zeros((len(X), 3), X.dtype)])
    assert_close(
        score_of(metric, padded, y), score_of(metric, X, y), "with zero columns"
    )


# -- one pass ------------------------------------------------------------------


@declare(SCORE_LAWS)
def check_batches(metric, X, y, rng):
    """Rows in batches of any sizes give the score of all rows.

    Catches means of batch scores, results that are kept too long, and classes that
    only the first batch may bring.
    """
    expected = score_of(metric, X, y)
    stream = fresh(metric)
    for batch in random_batches(rng, X, y):
        stream.partial_fit(*batch)
        read_score(stream)
    assert_close(read_score(stream), expected, "from batches")
    assert stream.n_samples_seen_ == len(X), (
        f"expected {len(X)} samples, got {stream.n_samples_seen_}"
    )
    assert_close(
        read_score(fresh(metric).fit(X, y)), score_of(metric, X, y), "from fit"
    )


@declare(SCORE_LAWS)
def check_merge(metric, X, y, rng):
    """Metrics of parts of the rows, merged in any tree, give the score of all.

    Catches state that merge forgets, and merges that change their arguments.
    """
    parts = [fresh(metric).fit(*batch) for batch in random_batches(rng, X, y)]
    before = [read_score(part) for part in parts]
    for when in ("from merged parts", "from parts that were merged before"):
        merged = random_merge(rng, parts)
        assert_close(read_score(merged), score_of(metric, X, y), when)
    for part, score in zip(parts, before, strict=True):
        assert_close(read_score(part), score, "of a part, after it was merged")


@declare(SCORE_LAWS)
def check_evaluate(metric, X, y, rng):
    """Accumulated statistics, or richer ones, give the score of their rows.

    Catches kernels that read the rows behind the statistic's back, or fields that
    only one kind of it has, and kernels that change what they read.
    """
    expected = score_of(metric, X, y)
    required = fresh(metric).required_statistics(_task(metric, y))
    richer = {name: _richer(statistic) for name, statistic in required.items()}
    for wanted in (required, richer):
        filled = accumulate(random_batches(rng, X, y), wanted)[None]
        before = {
            name: statistic.merge(wanted[name]) for name, statistic in filled.items()
        }
        with quietly():
            result = fresh(metric).evaluate(filled)
            again = fresh(metric).evaluate(filled.values())
        assert isinstance(result, MetricResult), f"got {type(result).__name__}"
        assert_close(result.score, expected, f"from {filled}")
        assert_close(again.score, result.score, "evaluated again")
        for name, statistic in filled.items():
            assert_statistics_equal(statistic, before[name])


def _richer(statistic: Statistic) -> Statistic:
    if not isinstance(statistic, ClassMoments):
        return statistic
    return ClassMoments.empty(scatter="class", norms=True)


def _task(metric, y) -> str:
    return fresh(metric).resolve_task(y)
