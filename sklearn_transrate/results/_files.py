"""Results as CSV, JSON and data frames, and back."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_transrate._lib.optional import import_optional
from sklearn_transrate.results._columns import COUNTS, plain_cell
from sklearn_transrate.results._errors import SharedErrors, read_shared, write_shared

__all__ = [
    "plain_facts",
    "read_csv",
    "read_frame",
    "read_json",
    "read_source",
    "write_csv",
    "write_frame",
    "write_json",
    "write_or_return",
]

FORMAT = "sklearn_transrate.results"
VERSION = 1


def read_source(source: Any, *, text_mark: str) -> str:
    """Text of a path or an open file; a str with `text_mark` is the text itself."""
    if isinstance(source, str) and text_mark in source:
        return source
    if isinstance(source, str | os.PathLike):
        # "-sig" because spreadsheets start the files they save with a mark.
        with open(source, encoding="utf-8-sig", newline="") as file:
            return file.read()
    if hasattr(source, "read"):
        return source.read()
    raise TypeError(
        "Expected a path, an open text file or the text itself, "
        f"got {type(source).__name__}."
    )


def write_or_return(text: str, path: Any) -> str | None:
    """The text, or None after writing it to a path as UTF-8."""
    if path is None:
        return text
    # An error's text may hold bytes of a path that no encoding can write.
    Path(path).write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
    return None


def write_csv(columns: Mapping[str, np.ndarray]) -> str:
    """Columns as CSV; unknown cells are empty and floats keep every digit."""
    out = io.StringIO(newline="")
    plain = csv.writer(out, lineterminator="\n")
    # The writer forgets to quote a lone carriage return before Python 3.13.
    careful = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    plain.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        cells = [
            _csv_cell(name, value) for name, value in zip(columns, row, strict=True)
        ]
        writer = careful if any("\r" in cell for cell in cells) else plain
        writer.writerow(cells)
    return out.getvalue()


def _csv_cell(name, value):
    value = plain_cell(name, value)
    if value is None or value != value:
        return ""
    return value if isinstance(value, str) else repr(value)


def read_csv(text: str) -> dict[str, list[str]]:
    """Columns of cells, still text, of a CSV with one header line."""
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    except csv.Error as error:
        raise ValueError(f"This is not a readable CSV file: {error}.") from error
    if not rows:
        raise ValueError("The CSV is empty; its first line must name the columns.")
    header, *body = rows
    if len(set(header)) < len(header):
        raise ValueError(f"The CSV names a column twice: {header}.")
    for number, row in enumerate(body, start=1):
        if len(row) != len(header):
            raise ValueError(
                f"Row {number} of the CSV has {len(row)} cells, but its header names "
                f"{len(header)} columns. Separate cells by commas and quote texts "
                "that hold one."
            )
    # A column without a name is the row number that a data frame puts in front.
    return {
        name: [row[place] for row in body] for place, name in enumerate(header) if name
    }


def write_json(
    columns: Mapping[str, np.ndarray],
    metadata: Mapping[str, Any],
    shared_errors: Mapping[str, SharedErrors],
) -> str:
    """Columns and run facts as JSON; nan is null, infinities are ``"inf"``."""
    header = {"format": FORMAT, "version": VERSION, "metadata": plain_facts(metadata)}
    if shared_errors:
        header["shared_errors"] = write_shared(shared_errors)
    lines = [f"{json.dumps(name)}: {json.dumps(fact)}" for name, fact in header.items()]
    # One line per column: short enough to read, and to compare with diff.
    body = [
        f" {json.dumps(name)}: "
        + json.dumps([_json_cell(name, value) for value in values], allow_nan=False)
        for name, values in columns.items()
    ]
    lines.append('"columns": {\n' + ",\n".join(body) + "\n}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _json_cell(name, value):
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(float(value))
    return plain_cell(name, value)


def read_json(
    text: str,
) -> tuple[dict[str, list[Any]], dict[str, Any], dict[str, SharedErrors]]:
    """Columns, run facts and shared errors of a text that `write_json` made."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"This is not JSON: {error}.") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(
            f"This JSON is not a results table: its 'format' must be {FORMAT!r}. "
            "Such files are written by TransferResults.to_json."
        )
    version = document.get("version")
    if not isinstance(version, int):
        raise ValueError(f"The 'version' must be a whole number, got {version!r}.")
    if version > VERSION:
        raise ValueError(
            f"This results file has format version {version}, but this "
            f"sklearn-transrate reads versions up to {VERSION}. Update it with: "
            "pip install -U sklearn-transrate."
        )
    columns, metadata = document.get("columns"), document.get("metadata", {})
    if not isinstance(columns, dict) or not isinstance(metadata, dict):
        raise ValueError("'columns' and 'metadata' must be JSON objects.")
    return columns, metadata, read_shared(document.get("shared_errors", {}))


def plain_facts(facts: Any, *, name: str = "metadata") -> Any:
    """Facts as JSON would hold them, so that a file gives back what it was given.

    Tuples and arrays become lists, NumPy numbers plain ones, keys texts, and a
    float that JSON has no word for the text ``"nan"``, ``"inf"`` or ``"-inf"``.

    Raises
    ------
    TypeError
        If a value is none of these; the message says which.
    """
    if isinstance(facts, np.ndarray | np.generic):
        facts = facts.tolist()
    if isinstance(facts, Mapping):
        return {
            str(key): plain_facts(value, name=f"{name}[{key!r}]")
            for key, value in facts.items()
        }
    if isinstance(facts, list | tuple):
        return [
            plain_facts(value, name=f"{name}[{place}]")
            for place, value in enumerate(facts)
        ]
    if isinstance(facts, float) and not math.isfinite(facts):
        return str(facts)
    if facts is None or isinstance(facts, str | int | float):
        return facts
    raise TypeError(
        f"{name} is of type {type(facts).__name__}, which JSON cannot hold. "
        "Pass texts, numbers, None, lists and dicts of these; repr(value) is a text."
    )


def read_frame(frame: Any) -> dict[str, list[Any]]:
    """Columns of a pandas or polars data frame."""
    columns = {}
    for name in frame.columns:
        cells = frame[name]
        if hasattr(cells, "notna"):  # pandas has several words for missing
            cells = cells.astype(object).where(cells.notna(), None)
        columns[name] = list(cells)
    return columns


def write_frame(columns: Mapping[str, np.ndarray]) -> Any:
    """Columns as a pandas data frame, with integer counts where all are known."""
    pandas = import_optional(
        "pandas", extra="frame", purpose="TransferResults.to_frame"
    )
    whole = {
        name: columns[name].astype(np.int64)
        for name in COUNTS
        if not np.isnan(columns[name]).any()
    }
    return pandas.DataFrame({**columns, **whole})
