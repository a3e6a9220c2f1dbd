"""Laws of statistics: what merging, storing and weighting may not change.

Statistics are compared by their `summary`, what they know, and not by how it is
stored: a scatter may be a thin factor on one side and dense on the other.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np

from sklearn_transrate._lib.labels import encode_labels
from sklearn_transrate.statistics import Statistic
from sklearn_transrate.testing._comparing import (
    ROUNDING,
    Foreign,
    assert_same,
    assert_statistics_equal,
    reachable_arrays,
)
from sklearn_transrate.testing._data import label_values
from sklearn_transrate.testing._law import declare, random_batches, random_merge

__all__ = ["STATISTIC_LAWS"]

STATISTIC_LAWS: list[Callable] = []
# Large enough to leave nothing of a second moment about zero.
OFFSET = 1e6
# Parts of a summary whose meaning is fixed.
MOMENTS = {"means", "scatters", "within", "variances"}


def _is_sample(empty: Statistic, n_samples: int) -> bool:
    """Whether so many rows are thinned out, equal ones each on their own."""
    bound = empty.config.get("max_samples")
    return bound is not None and bound < n_samples


def _make(empty: Statistic, X, y, sample_weight=None) -> Statistic:
    return empty.from_batch(X, y, sample_weight, **empty.config)


def _parts(empty: Statistic, X, y, rng) -> list[Statistic]:
    return [_make(empty, *batch) for batch in random_batches(rng, X, y)]


# -- merging -------------------------------------------------------------------


@declare(STATISTIC_LAWS)
def check_neutral_element(statistic, X, y, rng):
    """Merging with an empty statistic changes nothing.

    Catches an empty state with made-up means or counts, and a first batch that is
    treated apart.
    """
    filled, empty = _make(statistic, X, y), statistic.empty(**statistic.config)
    assert empty.n_samples == 0, f"expected 0 samples, got {empty.n_samples}"
    assert filled.n_samples == len(X), (
        f"expected {len(X)} samples, got {filled.n_samples}"
    )
    assert_statistics_equal(filled.merge(empty), filled, rtol=0)
    assert_statistics_equal(empty.merge(filled), filled, rtol=0)
    assert_statistics_equal(empty.merge(empty), empty, rtol=0)


@declare(STATISTIC_LAWS)
def check_empty_batch(statistic, X, y, rng):
    """A batch without rows is as good as none.

    Catches means of nothing, and reductions without an initial value.
    """
    nothing = _make(statistic, X[:0], y[:0])
    assert nothing.n_samples == 0, f"expected 0 samples, got {nothing.n_samples}"
    filled = _make(statistic, X, y)
    assert_statistics_equal(nothing.merge(filled), filled, rtol=0)
    assert_statistics_equal(filled.update(X[:0], y[:0]), _make(statistic, X, y), rtol=0)


@declare(STATISTIC_LAWS)
def check_merge_trees(statistic, X, y, rng):
    """Any tree of merges over any batches gives the summary of all rows.

    Catches means averaged without their counts, and scatters added without the
    distance between the means.
    """
    whole = _make(statistic, X, y)
    streamed = statistic.empty(**statistic.config)
    for batch in random_batches(rng, X, y):
        streamed.update(*batch)
    assert_statistics_equal(streamed, whole)
    for _ in range(2):
        assert_statistics_equal(random_merge(rng, _parts(statistic, X, y, rng)), whole)


@declare(STATISTIC_LAWS)
def check_row_order(statistic, X, y, rng):
    """The order of the rows, and of two arguments of merge, does not matter.

    Catches labels that are numbered by their first appearance, and samples that
    depend on who came first.
    """
    whole = _make(statistic, X, y)
    order = rng.permutation(len(X))
    assert_statistics_equal(_make(statistic, X[order], y[order]), whole)
    middle = len(X) // 2
    left, right = (
        _make(statistic, X[part], y[part]) for part in (order[:middle], order[middle:])
    )
    assert_statistics_equal(right.merge(left), left.merge(right))


@declare(STATISTIC_LAWS)
def check_self_merge(statistic, X, y, rng):
    """Merging a statistic with itself counts every row twice.

    Catches an update that reads what it is writing.
    """
    twice = _make(statistic, np.concatenate([X, X]), np.concatenate([y, y]))
    filled = _make(statistic, X, y)
    assert_statistics_equal(filled.merge(filled), twice)
    filled.absorb(filled)
    assert_statistics_equal(filled, twice)


@declare(STATISTIC_LAWS)
def check_no_aliasing(statistic, X, y, rng):
    """A merged statistic shares no memory with what it was made from.

    Catches merges that return an argument or keep its arrays, and statistics that
    keep a view of the caller's batch.
    """
    X, y = X.copy(), y.copy()
    left, right = (_make(statistic, X[part], y[part]) for part in _halves(len(X)))
    given = [*reachable_arrays(X), *reachable_arrays(y)]
    for filled in (left, right):
        _assert_apart(filled, given, "the batch that it was made from")
    empty = statistic.empty(**statistic.config)
    for first, second in ((left, right), (left, empty), (empty, right)):
        merged = first.merge(second)
        for part in (first, second):
            _assert_apart(merged, list(reachable_arrays(part)), "an argument of merge")
        before = [first.summary(), second.summary()]
        merged.update(X, y)
        for part, summary in zip((first, second), before, strict=True):
            _assert_summary(part, summary, "after the result of merge was updated")
        merged_before = merged.summary()
        first.merge(second).absorb(merged)
        _assert_summary(merged, merged_before, "after another one absorbed it")


@declare(STATISTIC_LAWS)
def check_other_kinds_refused(statistic, X, y, rng):
    """Rows of another width, and lengths that differ, are refused.

    Catches sums that numpy broadcasts, and targets that are silently cut.
    """
    filled = _make(statistic, X, y)
    before = filled.summary()
    wider = _make(statistic, np.column_stack([X[:2], X[:2, :1] * 0]), y[:2])
    _assert_refused(lambda: filled.absorb(wider), "another number of features")
    _assert_summary(filled, before, "after it refused to absorb another")
    _assert_refused(lambda: _make(statistic, X, y[:-1]), "a missing target")
    _assert_refused(
        lambda: _make(statistic, X, y, np.ones(len(X) - 1)), "a missing weight"
    )
    _assert_refused(
        lambda: _make(statistic, X, y, np.full(len(X), -1.0)), "negative weights"
    )


# -- storing -------------------------------------------------------------------


@declare(STATISTIC_LAWS)
def check_round_trip(statistic, X, y, rng):
    """Arrays and pickles give the statistic back, ready to go on.

    Catches state that to_arrays forgets, labels that change their type, and arrays
    that are still the statistic's own.
    """
    for filled in (_make(statistic, X, y), statistic.empty(**statistic.config)):
        arrays = filled.to_arrays()
        for name, array in arrays.items():
            assert isinstance(array, np.ndarray), (
                f"expected {name!r} to be an array, got {type(array).__name__}"
            )
        rebuilt = type(filled).from_arrays(arrays)
        assert rebuilt.config == filled.config, (
            f"expected config {filled.config}, got {rebuilt.config}"
        )
        assert_statistics_equal(rebuilt, filled, rtol=0)
        _assert_apart(filled, list(arrays.values()), "the result of to_arrays")
        _assert_apart(rebuilt, list(arrays.values()), "the arrays it was rebuilt from")
        unpickled = pickle.loads(pickle.dumps(filled))
        assert_statistics_equal(unpickled, filled, rtol=0)
        filled.update(X, y)
        assert_statistics_equal(rebuilt.update(X, y), filled)
        assert_statistics_equal(unpickled.update(X, y), filled)


@declare(STATISTIC_LAWS)
def check_covers_itself(statistic, X, y, rng):
    """A statistic covers those set up like it, filled or not, and no other kind.

    Catches metrics that would be asked to read what was not kept.
    """
    filled = _make(statistic, X, y)
    assert filled.covers(statistic), f"expected {filled!r} to cover {statistic!r}"
    assert statistic.covers(filled), f"expected {statistic!r} to cover {filled!r}"
    again = statistic.empty(**filled.config)
    assert again.config == filled.config, (
        f"expected empty(**config) to have {filled.config}, got {again.config}"
    )
    assert not filled.covers(Foreign()), "expected a foreign kind not to be covered"


# -- rows and labels -----------------------------------------------------------


@declare(STATISTIC_LAWS)
def check_inputs_untouched(statistic, X, y, rng):
    """Read-only inputs are accepted, and none is changed.

    Catches features that are centred in place.
    """
    X, y, weights = X.copy(), y.copy(), np.ones(len(X))
    before = X.copy(), y.copy()
    for array in (X, y, weights):
        array.flags.writeable = False
    _make(statistic, X, y, weights)
    for array in (X, y):
        array.flags.writeable = True
    _make(statistic, X, y, weights)
    for name, array, copy in zip("Xy", (X, y), before, strict=True):
        assert (array == copy).all(), f"expected {name} as it was, got other values"


@declare(STATISTIC_LAWS, tasks=("classification",))
def check_new_classes(statistic, X, y, rng):
    """Classes may appear in any batch, in any order.

    Catches tables that are as wide as the first batch had classes.
    """
    whole = _make(statistic, X, y)
    labels, codes = encode_labels(y)
    for order in (range(len(labels)), reversed(range(len(labels)))):
        streamed = statistic.empty(**statistic.config)
        for k in order:
            streamed.update(X[codes == k], y[codes == k])
        assert streamed.classes == whole.classes, (
            f"expected classes {whole.classes}, got {streamed.classes}"
        )
        assert_statistics_equal(streamed, whole)


@declare(STATISTIC_LAWS, tasks=("classification",))
def check_label_kinds(statistic, X, y, rng):
    """Labels may be of any hashable kind, also of several.

    Catches labels that serve as indices, that numpy turns into strings, or whose
    names matter for more than the order of the classes.
    """
    plain = _make(statistic, X, y)
    labels, codes = encode_labels(y)
    for kind in ("gaps", "negative", "strings", "mixed"):
        values = label_values(kind, len(labels))
        named = np.empty(len(y), dtype=object)
        for i, code in enumerate(codes):
            named[i] = values[code]
        filled = random_merge(rng, _parts(statistic, X, named, rng))
        assert set(filled.classes) <= set(values), (
            f"expected labels among {values}, got {filled.classes}"
        )
        if _is_sample(statistic, len(X)):
            continue
        assert len(filled.classes) == len(values), (
            f"expected {len(values)} classes, got {filled.classes}"
        )
        counts = plain.summary().get("counts")
        if counts is not None:
            order = [values.index(label) for label in filled.classes]
            assert_same("counts", filled.summary()["counts"], counts[order], ROUNDING)


@declare(STATISTIC_LAWS)
def check_dtypes(statistic, X, y, rng):
    """Features of a small dtype are summed as if they were float64.

    Catches sums in half or single precision, and integers that overflow.
    """
    is_features = statistic.inputs == "features"
    for dtype in (np.float16, np.float32):
        small = X / max(np.abs(X).max(), 1.0) if is_features else X
        small = small.astype(dtype)
        assert_statistics_equal(
            _make(statistic, small, y), _make(statistic, small.astype(np.float64), y)
        )
    if is_features:
        whole = rng.integers(0, 256, X.shape).astype(np.uint8)
        assert_statistics_equal(
            _make(statistic, whole, y), _make(statistic, whole.astype(np.float64), y)
        )


# -- weights -------------------------------------------------------------------


@declare(STATISTIC_LAWS)
def check_sample_weight(statistic, X, y, rng):
    """A whole weight counts as so many equal rows, and none as no row.

    Catches weights that reach the means but not the scatters, and rows of no weight
    that still bring their class.
    """
    times = rng.integers(0, 4, len(X))
    times[rng.integers(len(X))] = 2
    repeated = _make(
        statistic, np.repeat(X, times, axis=0), np.repeat(y, times, axis=0)
    )
    weighted = _make(statistic, X, y, times.astype(float))
    assert weighted.n_samples == np.count_nonzero(times), (
        f"expected {np.count_nonzero(times)} samples of positive weight, got "
        f"{weighted.n_samples}"
    )
    if not _is_sample(statistic, times.sum()):
        assert_statistics_equal(weighted, repeated, ignore=("n_samples",))
    parts = [_make(statistic, *batch) for batch in random_batches(rng, X, y, times)]
    assert_statistics_equal(random_merge(rng, parts), weighted)
    middle = len(X) // 2
    half = _make(statistic, X[:middle], y[:middle])
    half.update(X[middle:], y[middle:], np.ones(len(X) - middle))
    assert_statistics_equal(half, _make(statistic, X, y))


@declare(STATISTIC_LAWS)
def check_zero_weight(statistic, X, y, rng):
    """Rows of no weight might as well be absent.

    Catches divisions by a weight of zero, and NaN times zero.
    """
    nothing = _make(statistic, X, y, np.zeros(len(X)))
    assert nothing.n_samples == 0, f"expected 0 samples, got {nothing.n_samples}"
    filled = _make(statistic, X, y)
    assert_statistics_equal(filled.merge(nothing), filled, rtol=0)
    assert_statistics_equal(nothing.merge(filled), filled, rtol=0)


# -- moments -------------------------------------------------------------------


@declare(STATISTIC_LAWS, tasks=("classification",))
def check_moments(statistic, X, y, rng):
    """Counts, means and second moments of the summary are those of the rows.

    Compares with two passes in extended precision, at the features' own place and a
    million spreads away. Catches second moments about zero, whose digits cancel.
    """
    plain = _make(statistic, X, y)
    if not MOMENTS & plain.summary().keys():
        return
    X = X.astype(np.float64)
    within = _two_pass_moments(X, y, plain.classes)["within"]
    spread = float(np.sqrt(np.trace(within) / X.size)) or 1.0
    for offset in (0.0, OFFSET * spread):
        found = random_merge(rng, _parts(statistic, X + offset, y, rng)).summary()
        expected = _two_pass_moments(X + offset, y, plain.classes)
        for part in found.keys() & expected.keys():
            assert_same(part, found[part], expected[part], ROUNDING)


def _two_pass_moments(X, y, classes) -> dict[str, np.ndarray]:
    """Moments from their definitions, in extended precision."""
    labels = np.array([classes.index(label) for label in y.tolist()])
    groups = [X[labels == k].astype(np.longdouble) for k in range(len(classes))]
    means = np.array([group.mean(axis=0) for group in groups])
    centred = [group - mean for group, mean in zip(groups, means, strict=True)]
    scatters = np.array([rows.T @ rows for rows in centred])
    counts = np.array([len(group) for group in groups])
    return {
        "counts": counts,
        "means": means,
        "scatters": scatters,
        "within": scatters.sum(axis=0),
        "variances": np.array([np.diagonal(s) for s in scatters]) / counts[:, None],
    }


# -- inside --------------------------------------------------------------------


def _halves(n: int) -> tuple[slice, slice]:
    return slice(0, n // 2), slice(n // 2, n)


def _assert_apart(statistic: Statistic, others: list[np.ndarray], what: str) -> None:
    for array in reachable_arrays(statistic):
        for other in others:
            assert not np.shares_memory(array, other), (
                f"expected an array of its own, got {array.dtype} of shape "
                f"{array.shape} in memory of {what}"
            )


def _assert_summary(statistic: Statistic, before: dict, when: str) -> None:
    for part, value in statistic.summary().items():
        try:
            assert_same(part, value, before[part], 0.0)
        except AssertionError as error:
            raise AssertionError(f"{when}: {error}") from None


def _assert_refused(call: Callable, what: str) -> None:
    try:
        call()
    except (ValueError, TypeError):
        return
    raise AssertionError(f"expected an error about {what}, got none")
