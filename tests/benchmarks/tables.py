"""Tables for a terminal, for a document and for a program."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from numbers import Number
from typing import Any

__all__ = ["FORMATS", "Table", "render", "show"]

FORMATS = ("table", "markdown", "json")


@dataclass
class Table:
    """Cells under named columns.

    Attributes
    ----------
    title : str
        What the numbers are.
    columns : list of str
        Heads.
    rows : list of list
        Cells: text, numbers, or None for nothing.
    failures : int
        How many requirements are not met.
    records : list of dict
        What the rows say in numbers, for programs; the cells themselves if empty.
    """

    title: str
    columns: list[str]
    rows: list[list[Any]] = field(default_factory=list)
    failures: int = 0
    records: list[dict[str, Any]] = field(default_factory=list)

    def texts(self) -> list[list[str]]:
        """Return every cell as it is printed."""
        return [[_text(cell) for cell in row] for row in self.rows]

    def is_number(self, column: int) -> bool:
        """Whether a column's filled cells start like numbers, and so align right."""
        texts = [row[column] for row in self.texts() if row[column]]
        return bool(texts) and all(text.lstrip("≤≥ -")[:1].isdigit() for text in texts)

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold, one mapping a row."""
        rows = self.records or [
            dict(zip(self.columns, row, strict=True)) for row in self.rows
        ]
        return {"title": self.title, "rows": rows, "failures": self.failures}


def render(table: Table, style: str = "table") -> str:
    """Return a table as plain aligned text or as Markdown."""
    if style == "markdown":
        return f"**{table.title}**\n\n" + "\n".join(_markdown(table))
    return f"{table.title}\n" + "\n".join(_aligned(table))


def show(tables: Iterable[Table], style: str = "table") -> None:
    """Print tables on standard output, with rich where it is installed."""
    for table in tables:
        if style == "table" and _print_with_rich(table):
            continue
        print(render(table, style), end="\n\n")


def _markdown(table: Table) -> Iterable[str]:
    yield _line(table.columns)
    marks = ["---:" if table.is_number(j) else "---" for j in _span(table)]
    yield _line(marks)
    for row in table.texts():
        yield _line(text.replace("|", "\\|") for text in row)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _aligned(table: Table) -> Iterable[str]:
    texts = [table.columns, *table.texts()]
    widths = [max(len(row[j]) for row in texts) for j in _span(table)]
    right = [table.is_number(j) for j in _span(table)]
    texts.insert(1, ["-" * width for width in widths])
    for row in texts:
        yield "  ".join(_cells(row, widths, right)).rstrip()


def _cells(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]):
    for text, width, to_the_right in zip(row, widths, right, strict=True):
        yield text.rjust(width) if to_the_right else text.ljust(width)


def _print_with_rich(table: Table) -> bool:
    try:
        from rich.box import SIMPLE
        from rich.console import Console
        from rich.table import Table as RichTable
        from rich.text import Text
    except ImportError:
        return False
    console = Console()
    if not console.is_terminal:
        return False  # into a file or a pipe: nothing may be cut to 80 columns
    shown = RichTable(title=table.title, box=SIMPLE, title_justify="left")
    for j, column in enumerate(table.columns):
        shown.add_column(column, justify="right" if table.is_number(j) else "left")
    for row in table.texts():
        shown.add_row(*(Text(text, style=_style(text)) for text in row))
    console.print(shown)
    return True


def _style(text: str) -> str:
    return {"NO": "bold red", "yes": "green"}.get(text, "")


def _span(table: Table) -> range:
    return range(len(table.columns))


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, Number) and not isinstance(cell, bool | int):
        return f"{cell:.3f}"
    return f"{cell}"
