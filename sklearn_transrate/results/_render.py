"""A results table for reading: plain text, Markdown and HTML.

All three show the same cells, best first; they differ in the marks around them.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sklearn_transrate._lib.text import (
    align_rows,
    display_width,
    format_duration,
    format_number,
    format_with_error,
    one_line,
    pad,
    shorten,
)
from sklearn_transrate.results._columns import (
    STATUSES,
    TIMES,
    bound_columns,
    metric_columns,
)

if TYPE_CHECKING:
    from sklearn_transrate.results._table import TransferResults

__all__ = ["headline", "html_table", "markdown_table", "plain_table"]

MAX_ROWS = 20
WIDTH = 100
NAME_WIDTH = 40
ERROR_WIDTH = 200
# What leaves the plain table first when a line cannot hold everything.
DISPENSABLE = ("n_samples", "layer", "n_features", "rank_bounds", "time")
# Behind the rank of candidates that the best is not significantly better than.
MARK = "*"
LEGEND = f"{MARK} cannot be told apart from the best (95 % confidence)"


class _Column(NamedTuple):
    name: str
    title: str
    cells: list[str]
    right: bool
    numbers: list[float] | None = None


class _Rows(NamedTuple):
    scored: TransferResults
    failed: TransferResults
    n_scored_hidden: int
    n_failed_hidden: int


def headline(results: TransferResults) -> str:
    """One line: how many candidates, how many without a result, and which is best."""
    counts = [int((results["status"] == status).sum()) for status in STATUSES[1:]]
    ended = [
        f"{n} {status}" for n, status in zip(counts, STATUSES[1:], strict=True) if n
    ]
    text = f"{type(results).__name__}: {_plural(len(results), 'candidate')}"
    text += f" ({', '.join(ended)})" if ended else ""
    text += f", {_plural(len(results.metrics), 'metric')}"
    metric = one_line(results.metrics[0])
    scores = results[metric_columns(results.metrics[0])[0]]
    if np.isnan(scores).all():
        return f"{text}; none has a {metric} score" if len(results) else text
    place = results.best_index()
    end = f" by {metric} ({format_number(scores[place])})"
    room = max(16, WIDTH - display_width(f"{text}; best ''{end}"))
    name = shorten(one_line(results["candidate"][place]), room, middle=True)
    return f"{text}; best '{name}'{end}"


def plain_table(results: TransferResults) -> str:
    """The table for a terminal: at most 20 rows, lines of at most 100 cells."""
    rows = _select_rows(results, MAX_ROWS)
    lines = [headline(results)]
    if len(rows.scored):
        columns = _fit(_display_columns(rows.scored, name_width=NAME_WIDTH))
        lines += ["", *_aligned(columns)]
        shown = {column.name for column in columns}
        unseen = [m for m in results.metrics if metric_columns(m)[0] not in shown]
        lines += [f"... {rows.n_scored_hidden} more"] if rows.n_scored_hidden else []
        lines += [f"not shown: {', '.join(unseen)}"] if unseen else []
        lines += [LEGEND] if _marked(rows.scored).any() else []
    return "\n".join(lines + _failure_lines(rows))


def markdown_table(results: TransferResults) -> str:
    """The whole table in GitHub's Markdown, best first."""
    rows = _select_rows(results, None)
    columns = _full_columns(results, rows)
    grid = [[_escape_markdown(column.title) for column in columns]]
    grid += [[_escape_markdown(cell) for cell in row] for row in _cells(columns)]
    right = [column.right for column in columns]
    widths = [max(3, *map(display_width, cells)) for cells in zip(*grid, strict=True)]
    lines = [
        " | ".join(pad(*cell) for cell in zip(row, widths, right, strict=True))
        for row in grid
    ]
    rules = zip(widths, right, strict=True)
    lines.insert(1, " | ".join("-" * (w - flag) + ":" * flag for w, flag in rules))
    return "".join(f"| {line} |\n" for line in lines)


def html_table(
    results: TransferResults, *, max_rows: int | None = None, sortable: bool = False
) -> str:
    """The table as one HTML element, without scripts and without colours.

    A sortable one says in its cells which numbers they stand for.
    """
    rows = _select_rows(results, max_rows)
    columns = _full_columns(results, rows)
    head = "".join(
        _html_cell(
            "th",
            c.title,
            right=c.right,
            scope="col",
            more=_header_data(c) if sortable else "",
        )
        for c in columns
    )
    body = "\n".join(
        f"<tr>{_html_row(columns, row, number if sortable else None)}</tr>"
        for number, row in enumerate(_cells(columns))
    )
    notes = [
        f"... {count} more{what}"
        for count, what in (
            (rows.n_scored_hidden, ""),
            (rows.n_failed_hidden, f" {_ended_how(rows)}"),
        )
        if count
    ]
    notes += [LEGEND] if _marked(rows.scored).any() else []
    foot = "".join(
        f'<tr><td colspan="{len(columns)}">{note}</td></tr>' for note in notes
    )
    return (
        '<table class="transfer-results">\n'
        f"<caption>{escape(headline(results))}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody>\n"
        + (f"<tfoot>{foot}</tfoot>\n" if foot else "")
        + "</table>\n"
    )


def _select_rows(results, max_rows):
    ordered = results.sort()
    scores = [ordered[metric_columns(metric)[0]] for metric in ordered.metrics]
    # With some score a failed candidate keeps its place; its status tells the rest.
    hopeless = (ordered["status"] != "ok") & np.isnan(scores).all(axis=0)
    scored, failed = ordered[~hopeless], ordered[hopeless]
    if max_rows is None:
        return _Rows(scored, failed, 0, 0)
    n_failed = min(len(failed), max(max_rows - len(scored), max_rows // 4))
    n_scored = min(len(scored), max_rows - n_failed)
    return _Rows(
        scored[:n_scored],
        failed[:n_failed],
        len(scored) - n_scored,
        len(failed) - n_failed,
    )


def _display_columns(table, *, name_width=None):
    names = [one_line(name) for name in table["candidate"]]
    layers = ["-" if layer is None else one_line(layer) for layer in table["layer"]]
    if name_width is not None:
        names = [shorten(name, name_width, middle=True) for name in names]
        layers = [shorten(layer, name_width // 2, middle=True) for layer in layers]
    return [
        _Column("rank", "rank", _rank_cells(table), True, _known_ranks(table)),
        *_bounds_column(table),
        _Column("candidate", "candidate", names, False),
        _Column("layer", "layer", layers, False),
        *(_score_column(table, metric) for metric in table.metrics),
        _count_column(table, "n_samples", "samples"),
        _count_column(table, "n_features", "features"),
        _time_column(table),
    ]


def _full_columns(results, rows):
    parts = [_display_columns(rows.scored), _display_columns(rows.failed)]
    columns = [
        top._replace(
            cells=top.cells + end.cells,
            numbers=None if top.numbers is None else top.numbers + end.numbers,
        )
        for top, end in zip(*parts, strict=True)
    ]
    if (results["status"] != "ok").any():
        cells = _status_cells(rows.scored) + _status_cells(rows.failed)
        columns.append(_Column("status", "status", cells, False))
    return columns


def _rank_cells(table):
    score, _, rank = metric_columns(table.metrics[0])
    marked = _marked(table)
    # Unmarked ones leave room, so that digits stay under each other.
    ends = np.where(marked, MARK, " " if marked.any() else "")
    trios = zip(table[score], table[rank], ends, strict=True)
    return ["-" if np.isnan(value) else f"{place}{end}" for value, place, end in trios]


def _known_ranks(table):
    score, _, rank = metric_columns(table.metrics[0])
    return np.where(np.isnan(table[score]), np.nan, table[rank]).tolist()


def _bounds(table):
    """Lowest and highest rank of each candidate; None without the columns."""
    names = bound_columns(table.metrics[0])
    if any(name not in table.columns for name in names):
        return None
    return np.array([table[name] for name in names], dtype=float)


def _marked(table):
    """Which candidates behind the best cannot be told apart from it."""
    bounds, rank = _bounds(table), table[metric_columns(table.metrics[0])[2]]
    if bounds is None:
        return np.zeros(len(table), dtype=bool)
    return (bounds[0] == 1) & (rank > 1)


def _bounds_column(table):
    bounds = _bounds(table)
    if bounds is None:
        return []
    cells = [
        "-" if np.isnan(low + high) else f"{low:.0f}-{high:.0f}"
        for low, high in bounds.T
    ]
    return [_Column("rank_bounds", "from-to", cells, True, bounds[0].tolist())]


def _score_column(table, metric):
    score, std_error, _ = metric_columns(metric)
    pairs = zip(table[score], table[std_error], strict=True)
    cells = [format_with_error(value, error) for value, error in pairs]
    return _Column(score, one_line(metric), cells, True, table[score].tolist())


def _count_column(table, name, title):
    counts = table[name].tolist()
    cells = ["-" if np.isnan(count) else f"{count:.0f}" for count in counts]
    return _Column(name, title, cells, True, counts)


def _time_column(table):
    times = np.array([table[name] for name in TIMES])
    total = np.where(np.isnan(times).all(axis=0), np.nan, np.nansum(times, axis=0))
    cells = list(map(format_duration, total))
    return _Column("time", "time", cells, True, total.tolist())


def _status_cells(table):
    return [
        f"failed: {_reason(error)}" if status == "failed" else status
        for status, error in zip(table["status"], table["error"], strict=True)
    ]


def _reason(error):
    """The line of an error that says most: the first, or a traceback's last."""
    lines = [line for line in map(one_line, error.splitlines()) if line]
    if not lines:
        return "no reason recorded"
    last = lines[0].startswith("Traceback (most recent call last)")
    return shorten(lines[-1] if last else lines[0], ERROR_WIDTH)


def _failure_lines(rows):
    partly = rows.scored[rows.scored["status"] != "ok"]
    lines = [
        shorten(
            f"  {shorten(one_line(name), NAME_WIDTH, middle=True)}: {reason}", WIDTH
        )
        for table in (partly, rows.failed)
        for name, reason in zip(
            table["candidate"], map(_reason, table["error"]), strict=True
        )
    ]
    if rows.n_failed_hidden:
        lines.append(f"  ... {rows.n_failed_hidden} more {_ended_how(rows)}")
    return ["", f"{_ended_how(rows)}:", *lines] if lines else []


def _ended_how(rows) -> str:
    """The word for rows without a result: failed, cancelled, or both."""
    seen = {*rows.scored["status"], *rows.failed["status"]}
    return " or ".join(status for status in STATUSES[1:] if status in seen)


def _cells(columns):
    return zip(*(column.cells for column in columns), strict=True)


def _aligned(columns):
    rows = [[column.title for column in columns], *_cells(columns)]
    return align_rows(rows, right=[column.right for column in columns])


def _fit(columns):
    """Drop what matters least until a line holds the rest, one metric at least."""
    kept = list(columns)
    scores = [c.name for c in columns if c.name.startswith("score_")]
    for name in (*DISPENSABLE, *scores[:0:-1]):
        if max(map(display_width, _aligned(kept))) <= WIDTH:
            break
        kept = [column for column in kept if column.name != name]
    return kept


def _plural(count, noun):
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _escape_markdown(text):
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    text = re.sub(r"([\\`*\[\]|~])", r"\\\1", text)
    # Inside a word an underscore is a letter, and most layers have one there.
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)


def _html_row(columns, row, number=None):
    return "".join(
        _html_cell("th", cell, right=column.right, scope="row")
        if column.name == "candidate"
        else _html_cell("td", cell, right=column.right, more=_cell_data(column, number))
        for column, cell in zip(columns, row, strict=True)
    )


def _html_cell(tag, text, *, right, scope=None, more=""):
    scope = f' scope="{scope}"' if scope else ""
    side = "right" if right else "left"
    return f'<{tag}{scope}{more} style="text-align: {side}">{escape(text)}</{tag}>'


def _header_data(column):
    """What a column holds, and which end of it people look at first."""
    if column.numbers is None:
        return ""
    order = "descending" if column.name.startswith("score_") else "ascending"
    return f' data-numeric data-order="{order}"'


def _cell_data(column, number):
    """The number that a cell of a sortable table stands for, if it is known."""
    if number is None or column.numbers is None or np.isnan(column.numbers[number]):
        return ""
    value = column.numbers[number]
    text = repr(value) if np.isfinite(value) else str(value).replace("inf", "Infinity")
    return f' data-value="{text}"'
