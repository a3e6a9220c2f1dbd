"""Tables on standard output: for reading, or for the next program."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn_transrate._lib.optional import import_optional
from sklearn_transrate._lib.text import (
    format_duration,
    format_number,
    format_with_error,
    one_line,
)
from sklearn_transrate.cli._options import OutputFormat

if TYPE_CHECKING:
    from sklearn_transrate.results import TransferResults

__all__ = ["REPORT_ENDINGS", "print_records", "print_results", "save_results"]

REPORT_ENDINGS = (".html", ".csv", ".json", ".md")
TIMES = ("fit_time", "transform_time", "score_time")


def print_results(results: TransferResults, form: OutputFormat) -> None:
    """Write ranked candidates to standard output."""
    if form is OutputFormat.TABLE:
        _print_table(*_result_rows(results), n_emphasised=1)
        failed = [r for r in results.to_records() if r["status"] == "failed"]
        for record in failed:
            print(f"{one_line(record['candidate'])}: {one_line(record['error'])}")
    else:
        write = {
            OutputFormat.JSON: results.to_json,
            OutputFormat.CSV: results.to_csv,
            OutputFormat.MARKDOWN: results.to_markdown,
        }[form]
        sys.stdout.write(write())


def print_records(records: Sequence[Mapping[str, Any]], form: OutputFormat) -> None:
    """Write flat dicts with the same keys to standard output."""
    if form is OutputFormat.JSON:
        sys.stdout.write(json.dumps(list(records), indent=1) + "\n")
        return
    header = list(records[0])
    rows = [[str(value) for value in record.values()] for record in records]
    if form is OutputFormat.TABLE:
        numbers = [isinstance(value, int | float) for value in records[0].values()]
        _print_table(header, rows, numbers)
    elif form is OutputFormat.CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([header, *rows])
    else:
        for row in (header, ["---"] * len(header), *rows):
            sys.stdout.write(f"| {' | '.join(row)} |\n")


def save_results(results: TransferResults, path: Path) -> None:
    """Write ranked candidates to a file of the kind that its name ends in."""
    ending = path.suffix.lower()
    if ending == ".md":
        path.write_text(results.to_markdown(), encoding="utf-8")
    else:
        write = {
            ".html": results.to_html,
            ".csv": results.to_csv,
            ".json": results.to_json,
        }[ending]
        write(path)


def _result_rows(
    results: TransferResults,
) -> tuple[list[str], list[list[str]], list[bool]]:
    metrics = results.metrics
    header = ["rank", "candidate", *metrics, "samples", "features", "time"]
    right = [True, False, *(True for _ in metrics), True, True, True]
    rows = []
    for record in results.sort().to_records():
        score = record[f"score_{metrics[0]}"]
        row = [
            "-" if math.isnan(score) else str(record[f"rank_{metrics[0]}"]),
            one_line(record["candidate"]),
            *(
                format_with_error(record[f"score_{m}"], record[f"std_error_{m}"])
                for m in metrics
            ),
            _count(record["n_samples"]),
            _count(record["n_features"]),
            _duration(record),
        ]
        rows.append(row)
    return header, rows, right


def _count(value: float) -> str:
    return format_number(value) if math.isnan(value) else str(int(value))


def _duration(record: Mapping[str, Any]) -> str:
    known = [record[name] for name in TIMES if not math.isnan(record[name])]
    return format_duration(sum(known) if known else math.nan)


def _print_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: Sequence[bool],
    *,
    n_emphasised: int = 0,
) -> None:
    """Write columns that fold in a terminal, and stay whole lines in a pipe."""
    rich = import_optional("rich.table", extra="cli", purpose="A table")
    console_module = import_optional("rich.console", extra="cli", purpose="A table")
    text = import_optional("rich.text", extra="cli", purpose="A table")
    table = rich.Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title, is_number in zip(header, right, strict=True):
        justify = "right" if is_number else "left"
        table.add_column(title, justify=justify, overflow="fold", no_wrap=False)
    for number, row in enumerate(rows):
        style = "bold" if number < n_emphasised else None
        # Brackets in a name are no markup.
        table.add_row(*map(text.Text, row), style=style)
    console = console_module.Console(file=sys.stdout, highlight=False)
    if console.is_terminal:
        console.print(table)
        return
    buffer = io.StringIO()
    wide = console_module.Console(file=buffer, width=100_000, highlight=False)
    wide.print(table, width=wide.measure(table).maximum)
    sys.stdout.write("".join(f"{s.rstrip()}\n" for s in buffer.getvalue().splitlines()))
