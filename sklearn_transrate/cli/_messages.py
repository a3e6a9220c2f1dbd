"""What people are told on standard error: errors, warnings, progress."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sklearn_transrate._lib.optional import import_optional
from sklearn_transrate._lib.text import format_duration, one_line

__all__ = [
    "PROGRAM",
    "describe",
    "plain_progress",
    "show_progress",
    "tell",
    "tell_warnings",
]

PROGRAM = "sklearn-transrate"
SECONDS_BETWEEN_LINES = 5


def tell(text: str) -> None:
    """Write one line to standard error, after the program's name."""
    print(f"{PROGRAM}: {one_line(text)}", file=sys.stderr, flush=True)


def describe(error: BaseException) -> str:
    """The message of an error, and what was noted on it.

    Errors whose message is made for readers speak for themselves; of any other, the
    kind is told as well.

    Examples
    --------
    >>> describe(ValueError("Expected two classes, got one."))
    'Expected two classes, got one.'
    >>> describe(KeyError("layer3")), describe(MemoryError())
    ("KeyError: 'layer3'", 'MemoryError')
    """
    text = str(error)
    if isinstance(error, FileNotFoundError) and error.filename is not None:
        text = f"Expected a file or folder at {str(error.filename)!r}, found none."
    elif isinstance(error, OSError) and error.strerror:
        text = f"{error.strerror}: {str(error.filename)!r}."
    elif not text or not isinstance(error, ImportError | TypeError | ValueError):
        kind = type(error).__name__
        text = f"{kind}: {text}" if text else kind
    return " ".join([text, *getattr(error, "__notes__", [])])


@contextmanager
def tell_warnings() -> Iterator[None]:
    """Tell the warnings of the package in one line each, without where they arose."""
    usual = warnings.showwarning

    def show(message, category, filename, lineno, file=None, line=None) -> None:
        if category.__module__.startswith("sklearn_transrate"):
            tell(f"warning: {message}")
        else:
            usual(message, category, filename, lineno, file, line)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = usual


@contextmanager
def show_progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show what is going on: bars in a terminal with rich, otherwise plain lines.

    Yields
    ------
    progress : callable (stage, n_done, n_total)
        To be called at the beginning and after every step.
    """
    try:
        if not sys.stderr.isatty():
            raise ImportError
        rich = import_optional("rich.progress", extra="cli", purpose="The bar")
        console = import_optional("rich.console", extra="cli", purpose="The bar")
    except ImportError:
        yield plain_progress()
        return
    columns = (
        rich.TextColumn("{task.description:<16}"),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TimeElapsedColumn(),
        rich.TimeRemainingColumn(),
    )
    with rich.Progress(*columns, console=console.Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def show(stage: str, n_done: int, n_total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=n_total)
            bars.update(tasks[stage], completed=n_done)

        yield show


def plain_progress() -> Callable[[str, int, int], None]:
    """A line when a stage begins, every few seconds, and when it ends."""
    begun: dict[str, float] = {}
    told = 0.0

    def show(stage: str, n_done: int, n_total: int) -> None:
        nonlocal told
        now = time.perf_counter()
        begun.setdefault(stage, now)
        if n_done in (0, n_total) or now - told >= SECONDS_BETWEEN_LINES:
            told = now
            took = f" ({format_duration(now - begun[stage])})" if n_done else ""
            print(f"{stage}: {n_done} of {n_total}{took}", file=sys.stderr, flush=True)

    return show
