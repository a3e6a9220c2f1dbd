"""What a law is: a function that raises an AssertionError, and knows when it applies.

Every law is called as ``law(subject, X, y, random_state=0)`` with the metric,
statistic or extractor first. Its docstring states the promise in one line, and then
which mistake breaks it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

__all__ = ["declare", "random_batches", "random_merge", "random_orthogonal"]


def declare(
    laws: list[Callable], *, tasks: tuple[str, ...] = (), claim: str | None = None
) -> Callable[[Callable], Callable]:
    """Make a function of (subject, X, y, rng) a law and add it to a list of them.

    Parameters
    ----------
    laws : list
        Where to add it.
    tasks : tuple of str, default=()
        Kinds of target that the law is about; empty for all.
    claim : str, default=None
        What a subject must claim for the law to bind it.

    Returns
    -------
    decorator : callable
    """

    def register(function: Callable) -> Callable:
        def law(subject: Any, X: Any, y: Any, *, random_state: int = 0) -> None:
            try:
                function(subject, X, y, np.random.default_rng(random_state))
            except Exception as error:
                raise AssertionError(_report(law, subject, X, y, error)) from error

        law.__name__ = law.__qualname__ = function.__name__
        law.__doc__, law.__module__ = function.__doc__, function.__module__
        law.tasks, law.claim = tasks, claim
        laws.append(law)
        return law

    return register


def _report(law, subject, X, y, error) -> str:
    promise = law.__doc__.partition("\n")[0]
    what = str(error)
    if not isinstance(error, AssertionError):
        what = f"raised {type(error).__name__}: {what}"
    return (
        f"{law.__name__} fails for {subject!r}: {what}\nThe law: {promise}\nSeen with "
        f"inputs of {_size(X)} and targets of {_size(y)}."
    )


def _size(rows: Any) -> str:
    return f"shape {rows.shape}" if hasattr(rows, "shape") else f"{len(rows)} rows"


def random_batches(rng, *columns: Any, largest: int = 6) -> list[tuple]:
    """Cut columns of equal length into at most so many batches of any sizes."""
    n = len(columns[0])
    n_cuts = int(rng.integers(min(largest, n)))
    cuts = np.sort(rng.permutation(np.arange(1, n))[:n_cuts]).tolist()
    edges = [0, *cuts, n]
    return [
        tuple(column[start:stop] for column in columns)
        for start, stop in pairwise(edges)
    ]


def random_merge(rng, parts: Sequence[Any]) -> Any:
    """Merge neighbours or strangers, two at a time, until one is left."""
    parts = list(parts)
    while len(parts) > 1:
        left = parts.pop(int(rng.integers(len(parts))))
        right = parts.pop(int(rng.integers(len(parts))))
        parts.append(left.merge(right))
    return parts[0]


def random_orthogonal(rng, size: int) -> np.ndarray:
    """Draw a rotation or reflection, evenly distributed."""
    Q, R = np.linalg.qr(rng.standard_normal((size, size)))
    # Without the signs, the factorisation prefers some of them.
    return Q * np.sign(np.diagonal(R))
