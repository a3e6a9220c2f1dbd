"""Statistics compared by what they know, and searched for the arrays they hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sklearn_transrate.statistics import Statistic

__all__ = [
    "ROUNDING",
    "Foreign",
    "assert_same",
    "assert_statistics_equal",
    "reachable_arrays",
]

# Relative to the largest entry. Equivalent sums of a few hundred float64 terms agree
# to thirteen digits; features at an offset of a million spreads keep ten.
ROUNDING = 1e-9


def assert_statistics_equal(
    left: Statistic, right: Statistic, *, ignore: tuple[str, ...] = (), rtol=ROUNDING
) -> None:
    """Raise unless two statistics know the same.

    Parameters
    ----------
    left, right : Statistic
        Compared by their `summary`.
    ignore : tuple of str, default=()
        Parts of the summary to leave out.
    rtol : float, default=1e-9
        Largest difference in an array, relative to its largest entry.

    Raises
    ------
    AssertionError
        If kinds, parts, shapes, labels or numbers differ.

    Examples
    --------
    >>> from sklearn_transrate.statistics import ClassMoments
    >>> from sklearn_transrate.testing import assert_statistics_equal
    >>> whole = ClassMoments.from_batch([[0.0], [1.0]], ["a", "b"])
    >>> halves = ClassMoments.from_batch([[1.0]], ["b"])
    >>> assert_statistics_equal(halves.update([[0.0]], ["a"]), whole)
    """
    assert type(left) is type(right), f"expected {right!r}, got {left!r}"
    ours, theirs = left.summary(), right.summary()
    assert ours.keys() == theirs.keys(), (
        f"expected the parts {sorted(theirs)}, got {sorted(ours)}"
    )
    for part in ours.keys() - set(ignore):
        assert_same(part, ours[part], theirs[part], rtol)


def assert_same(part: str, got: Any, expected: Any, rtol: float) -> None:
    if not isinstance(expected, list):
        got, expected = np.asarray(got), np.asarray(expected)
        assert got.shape == expected.shape, (
            f"expected {part!r} of shape {expected.shape}, got {got.shape}"
        )
        if not {got.dtype.kind, expected.dtype.kind} <= set("biuf"):
            got, expected = got.tolist(), expected.tolist()
    if not isinstance(expected, np.ndarray):  # labels, of any kind
        assert got == expected, f"expected {part!r} {expected!r}, got {got!r}"
        return
    got, expected = got.astype(np.float64), expected.astype(np.float64)
    size = np.abs(expected).max(initial=0.0)
    apart = np.abs(got - expected).max(initial=0.0)
    assert apart <= rtol * size, (
        f"expected {part!r} to agree within {rtol:g} of {size:.6g}, got a difference "
        f"of {apart:.3g}"
    )


def reachable_arrays(value: Any, seen: set[int] | None = None) -> Iterator[np.ndarray]:
    """Yield every array that can be reached from an object."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        yield value
        return
    if isinstance(value, dict):
        inner = list(value.values())
    elif isinstance(value, list | tuple | set):
        inner = list(value)
    elif isinstance(value, type) or not hasattr(value, "__module__"):
        return
    else:
        slots = [
            s for kind in type(value).__mro__ for s in getattr(kind, "__slots__", ())
        ]
        inner = [getattr(value, slot) for slot in slots if hasattr(value, slot)]
        inner += list(getattr(value, "__dict__", {}).values())
    for item in inner:
        yield from reachable_arrays(item, seen)


class Foreign(Statistic):
    """A kind of statistic that nobody has seen."""

    config: dict[str, Any] = {}
    n_samples = 0

    @classmethod
    def empty(cls):
        return cls()

    @classmethod
    def from_batch(cls, X, y, sample_weight=None):
        return cls()

    def absorb(self, other):
        pass

    def to_arrays(self):
        return {}

    @classmethod
    def from_arrays(cls, arrays):
        return cls()
