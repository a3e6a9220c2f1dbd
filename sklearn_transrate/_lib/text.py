"""Plain text for people: aligned columns, short numbers and durations, near names."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches

__all__ = [
    "align_rows",
    "display_width",
    "format_duration",
    "format_number",
    "format_with_error",
    "nearest_names",
    "one_line",
    "pad",
    "shorten",
]

_ELLIPSIS = "..."
_TERMINAL_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


def display_width(text: str) -> int:
    """Terminal cells that a text fills: two for wide letters, none for accents.

    Examples
    --------
    >>> display_width("layer3"), display_width("層3")
    (6, 3)
    """
    return sum(map(_letter_width, text))


def _letter_width(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def one_line(text: str) -> str:
    """The text on one line, without colour codes and unprintable characters.

    Examples
    --------
    >>> one_line("\\x1b[31mout of\\nmemory\\x1b[0m")
    'out of memory'
    """
    text = _TERMINAL_SEQUENCE.sub("", text)
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def shorten(text: str, width: int, *, middle: bool = False) -> str:
    """Cut a text to a width; dots stand for what is gone.

    Parameters
    ----------
    text : str
        One line of text.
    width : int
        Terminal cells that the result may fill; at least 4.
    middle : bool, default=False
        Keep both ends, as suits paths and names, rather than the beginning only.

    Returns
    -------
    short : str
        `text` itself where it fits.

    Examples
    --------
    >>> shorten("encoder.layers.11.attention", 16, middle=True)
    'encoder...ention'
    """
    if display_width(text) <= width:
        return text
    room = width - len(_ELLIPSIS)
    tail = room // 2 if middle else 0
    end = _first_letters(text[::-1], tail)[::-1]
    return _first_letters(text, room - tail) + _ELLIPSIS + end


def _first_letters(text: str, width: int) -> str:
    for stop, letter in enumerate(text):
        width -= _letter_width(letter)
        if width < 0:
            return text[:stop]
    return text


def pad(text: str, width: int, right: bool = False) -> str:
    """Fill a text with spaces to a width; `right` moves it to the right end."""
    space = " " * (width - display_width(text))
    return space + text if right else text + space


def align_rows(
    rows: Sequence[Sequence[str]], *, right: Sequence[bool], separator: str = "  "
) -> list[str]:
    """Rows of cells as lines whose columns stand under each other.

    Parameters
    ----------
    rows : sequence of sequences of str
        Cells, each on one line; a header is a row like any other.
    right : sequence of bool
        For every column whether it is aligned right, as numbers are.
    separator : str, default="  "
        What stands between two columns.

    Returns
    -------
    lines : list of str
        One line per row, without spaces at its end.

    Examples
    --------
    >>> for line in align_rows([["rank", "name"], ["1", "b"]], right=[True, False]):
    ...     print(line)
    rank  name
       1  b
    """
    widths = [max(map(display_width, cells)) for cells in zip(*rows, strict=True)]
    return [
        separator.join(
            pad(cell, width, flag)
            for cell, width, flag in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in rows
    ]


def format_number(value: float, *, digits: int = 4) -> str:
    """A number with that many significant digits, or ``"-"`` for nan.

    Examples
    --------
    >>> format_number(0.22), format_number(1234.4), format_number(float("nan"))
    ('0.2200', '1234', '-')
    """
    if math.isnan(value):
        return "-"
    return f"{value:#.{digits}g}".rstrip(".")


def format_with_error(value: float, error: float) -> str:
    """A number and its standard error, cut at the same place; nan is left out.

    Examples
    --------
    >>> format_with_error(0.92907, 0.00066), format_with_error(0.5, float("nan"))
    ('0.9291 ± 0.0007', '0.5000')
    """
    text = format_number(value)
    if math.isnan(error) or math.isnan(value):
        return text
    decimals = len(text.partition(".")[2])
    spread = f"{error:.{decimals}f}"
    if "e" in text or float(spread) == 0:
        spread = format_number(error, digits=2)
    return f"{text} ± {spread}"


def format_duration(seconds: float) -> str:
    """A duration in the unit that people would say it in, or ``"-"`` for nan.

    Examples
    --------
    >>> format_duration(0.0123), format_duration(1.5), format_duration(125)
    ('12.3 ms', '1.50 s', '2 min 5 s')
    """
    if math.isnan(seconds):
        return "-"
    if seconds == 0 or math.isinf(seconds):
        return f"{seconds:.0f} s"
    # The limits are where three digits would round up to the next unit.
    if seconds < 0.9995e-3:
        return f"{format_number(seconds * 1e6, digits=3)} us"
    if seconds < 0.9995:
        return f"{format_number(seconds * 1e3, digits=3)} ms"
    if seconds < 59.95:
        return f"{format_number(seconds, digits=3)} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def nearest_names(name: str, names: Sequence[str]) -> str:
    """The end of a message about a name that is not there: which ones are.

    Examples
    --------
    >>> nearest_names("layer33", ["stem", "layer2", "layer3"])
    "nearest of 3: 'layer3', 'layer2'"
    """
    if not names:
        return "there are none"
    near = get_close_matches(name, names, n=3) or names[:5]
    return f"nearest of {len(names)}: {', '.join(map(repr, near))}"
