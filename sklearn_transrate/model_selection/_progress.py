"""How far a ranking is: told to callbacks, and to people on standard error."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager
from math import ceil
from numbers import Integral
from typing import Any, Self

from sklearn_transrate.model_selection._candidates import Source

__all__ = ["Progress", "count_batches"]

_SECONDS_BETWEEN_LINES = 1.0


def count_batches(source: Source, n_rows: int | None, batch_size: Any) -> int | None:
    """Return how many batches a candidate takes, as its callbacks want to know.

    Parameters
    ----------
    source : Source
        The candidate.
    n_rows : int or None
        Number of rows; None for streams, which have batches of their own.
    batch_size : int or "auto"
        What the selector asks for; "auto" leaves it to the extractor.

    Returns
    -------
    n_batches : int or None
        0 for candidates that take all rows at once, or that tell callbacks of their
        own steps; None where the number is not known before.
    """
    if not source.is_layered or hasattr(source.extractor, "set_callbacks"):
        return 0
    own = getattr(source.extractor, "batch_size", None)
    size = batch_size if isinstance(batch_size, Integral) else own
    is_known = isinstance(size, Integral) and size > 0 and n_rows is not None
    return ceil(n_rows / size) if is_known else None


class Progress:
    """One candidate while it runs; a context manager around it.

    Parameters
    ----------
    selector : TransferSelector
        Whose candidate it is. Its `verbose` says how much to tell: 1 for where it
        begins and how it ends, 2 also for its rows, once a second.
    name : str
        The candidate.
    context : CallbackContext
        Where callbacks are told of it.
    X, y
        The rows.
    """

    def __init__(self, selector: Any, name: str, context: Any, X: Any, y: Any) -> None:
        self._selector, self._name, self._context = selector, name, context
        self._X, self._y = X, y
        self._n_batches = 0
        self._told = self._begun = time.monotonic()

    def __enter__(self) -> Self:
        self._context.call_on_fit_task_begin(
            estimator=self._selector, X=self._X, y=self._y
        )
        self._tell(1, "runs")
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: Any) -> None:
        if kind is None:
            self._context.call_on_fit_task_end(
                estimator=self._selector, X=self._X, y=self._y
            )

    def propagate_callback_context(self, extractor: Any) -> AbstractContextManager:
        """Let an extractor tell callbacks of its own steps."""
        return self._context.propagate_callback_context(extractor)

    def advance(self, n_rows: int) -> None:
        """Tell that a batch is done, and so many rows with it and those before."""
        most = getattr(self._context, "max_subtasks", 0)
        if most is None or self._n_batches < most:
            step = self._context.subcontext(task_name="batch")
            step.call_on_fit_task_begin(estimator=self._selector)
            step.call_on_fit_task_end(estimator=self._selector)
        self._n_batches += 1
        now = time.monotonic()
        if now - self._told >= _SECONDS_BETWEEN_LINES:
            self._told = now
            of_all = "" if self._y is None else f" of {len(self._y):,}"
            self._tell(2, f"{n_rows:,}{of_all} rows")

    def conclude(self, status: str) -> None:
        """Tell how it ended."""
        self._tell(1, f"{status}, {time.monotonic() - self._begun:.1f} s")

    def _tell(self, level: int, text: str) -> None:
        if self._selector.verbose >= level:
            kind = type(self._selector).__name__
            print(f"[{kind}] {self._name}: {text}", file=sys.stderr, flush=True)
