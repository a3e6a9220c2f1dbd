"""The columns of a results table: names, order, and cells made plain.

Whatever a column comes from (records, a file, a frame), it ends as a NumPy array
of one type: text as objects, scores, counts and times as float64 with nan for
what is unknown, ranks as int64.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any

import numpy as np

__all__ = [
    "COUNTS",
    "STATUSES",
    "TIMES",
    "as_gain",
    "bound_columns",
    "find_metrics",
    "merge_records",
    "metric_columns",
    "plain_cell",
    "row_numbers",
    "same_cells",
    "tidy_columns",
]

NAMES = ("candidate", "extractor", "layer")
COUNTS = ("n_samples", "n_features")
TIMES = ("fit_time", "transform_time", "score_time")
OUTCOME = ("status", "error")
# From good to unknown. Ctrl-C cancels what was not done.
STATUSES = ("ok", "failed", "cancelled")


def metric_columns(metric: str) -> tuple[str, str, str]:
    """The names of a metric's three columns: score, standard error, rank."""
    return f"score_{metric}", f"std_error_{metric}", f"rank_{metric}"


def bound_columns(metric: str) -> tuple[str, str]:
    """The names of the columns that say between which ranks a candidate may be."""
    return f"rank_low_{metric}", f"rank_high_{metric}"


def find_metrics(names: Iterable[str]) -> list[str]:
    """Metrics that have a score among these column names, in their order."""
    # "score_time" is how long scoring took: no metric can be named "time".
    return [
        name.removeprefix("score_")
        for name in names
        if name.startswith("score_") and name not in ("score_", *TIMES)
    ]


def tidy_columns(columns: Mapping[str, Iterable[Any]]) -> dict[str, Any]:
    """Check columns, fill in those left out, and bring them in their order.

    Parameters
    ----------
    columns : mapping of str to sequence
        ``candidate`` and at least one ``score_<metric>``. Names that are none of
        the table's own stay, behind the others: as numbers where every cell is
        one, else as text.

    Returns
    -------
    tidy : dict of str to ndarray
        Every column of the table. A rank that is missing, in whole or in part, is
        None and left to the caller.

    Raises
    ------
    TypeError, ValueError
        If a column or a cell is not what its name says.
    """
    cells = {str(name): _as_list(name, values) for name, values in columns.items()}
    metrics = find_metrics(cells)
    _check_shape(cells, metrics)
    n_rows = len(cells["candidate"])

    def column(name):
        return cells.pop(name, None) or [None] * n_rows

    candidates = _texts(column("candidate"))
    _check_candidates(candidates)
    tidy: dict[str, Any] = {
        "candidate": candidates,
        "extractor": _texts(column("extractor")),
        "layer": [layer or None for layer in _texts(column("layer"))],
    }
    for metric in metrics:
        score, std_error, rank = metric_columns(metric)
        tidy[score] = _numbers(score, column(score))
        tidy[std_error] = _numbers(std_error, column(std_error))
        tidy[rank] = _ranks(rank, column(rank))
        # Those of a metric "low_x" are not the bounds of "x".
        taken = {name for other in metrics for name in metric_columns(other)}
        for bound in bound_columns(metric):
            if bound in cells and bound not in taken:
                tidy[bound] = _counts(bound, column(bound))
    tidy |= {name: _counts(name, column(name)) for name in COUNTS}
    tidy |= {name: _numbers(name, column(name)) for name in TIMES}
    errors = _texts(column("error"))
    tidy["status"] = _statuses(_texts(column("status")), errors)
    tidy["error"] = errors
    tidy |= {name: _free(values) for name, values in cells.items()}
    return {
        name: np.array(values, dtype=object) if isinstance(values, list) else values
        for name, values in tidy.items()
    }


def plain_cell(name: str, value: Any) -> Any:
    """One cell as a plain Python value; a count that is known as an int."""
    if isinstance(value, np.generic):
        value = value.item()
    if name in COUNTS and not np.isnan(value):
        return int(value)
    return value


def as_gain(
    name: str, cells: np.ndarray, metrics: list[str], *, maximize: bool | None
) -> np.ndarray:
    """A column of numbers, turned so that higher is better.

    None knows the direction of the table's own columns and refuses others.
    """
    if cells.dtype == object:
        raise ValueError(f"Column {name!r} holds text; compare columns of numbers.")
    trios = [metric_columns(metric) for metric in metrics]
    if maximize is None and any(name == score for score, _, _ in trios):
        maximize = True
    if maximize is None and not (
        name in (*COUNTS, *TIMES)
        or any(name in trio for trio in trios)
        or any(name in bound_columns(metric) for metric in metrics)
    ):
        raise ValueError(
            f"Whether higher is better in column {name!r} is not known. Say so in its "
            "place, as in maximize=(None, True)."
        )
    return cells if maximize else -cells


def row_numbers(key: Any, n_rows: int) -> np.ndarray:
    """Row numbers of a list or array: of numbers, or a mask with one cell per row."""
    rows = np.asarray(key, dtype=None if len(key) else np.intp)
    if rows.dtype == bool and rows.shape == (n_rows,):
        return np.flatnonzero(rows)
    if rows.dtype.kind in "iu" and rows.ndim == 1:
        return rows
    raise TypeError(
        f"Rows are chosen by numbers or by a mask of length {n_rows}, got an array "
        f"of shape {rows.shape} and type {rows.dtype}. "
        "Several columns at once: results.to_frame()[[...]]."
    )


def same_cells(cells: np.ndarray, others: np.ndarray) -> bool:
    """Whether two columns are equal, nan to nan."""
    if cells.dtype == object or others.dtype == object:
        return cells.tolist() == others.tolist()
    return np.array_equal(cells, others, equal_nan=True)


def merge_records(
    earlier: Iterable[dict[str, Any]],
    later: Iterable[dict[str, Any]],
    *,
    leave_out: Container[str],
) -> list[dict[str, Any]]:
    """Records of two runs, one per candidate, in the order of their first listing.

    The later record counts, unless only the earlier one succeeded; what the record
    that counts does not have comes from the other. Names to leave out are dropped.
    """
    rows = {record["candidate"]: record for record in earlier}
    for new in later:
        old = rows.get(new["candidate"], {})
        merged = old | new
        if old.get("status") == "ok" and new["status"] != "ok":
            merged |= old
        rows[new["candidate"]] = merged
    return [
        {name: cell for name, cell in row.items() if name not in leave_out}
        for row in rows.values()
    ]


def _as_list(name, values):
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise TypeError(
            f"Column {name!r} must be a sequence with one cell per candidate, "
            f"got {type(values).__name__}."
        )
    return list(values)


def _check_shape(cells, metrics):
    if "candidate" not in cells:
        raise ValueError(
            "The column 'candidate' is missing: it names each row. "
            f"Columns received: {list(cells)}."
        )
    if not metrics:
        raise ValueError(
            "There is no column 'score_<metric>', such as 'score_transrate', so "
            f"there is nothing to rank. Columns received: {list(cells)}. "
            "(from_records takes the names as metrics=[...].)"
        )
    n_rows = len(cells["candidate"])
    for name, values in cells.items():
        if len(values) != n_rows:
            raise ValueError(
                f"Column {name!r} has {len(values)} rows, but 'candidate' has "
                f"{n_rows}. Give every column one cell per candidate."
            )


def _check_candidates(candidates):
    seen = set()
    for row, name in enumerate(candidates):
        if not name:
            raise ValueError(f"The candidate in row {row} has no name.")
        if name in seen:
            raise ValueError(
                f"Candidate {name!r} is listed twice. Name every candidate once; "
                "rows of two runs are brought together by merge()."
            )
        seen.add(name)


def _is_missing(value):
    if isinstance(value, float | np.floating):
        return bool(np.isnan(value))
    return value is None or (isinstance(value, str) and not value)


def _texts(values):
    return ["" if _is_missing(value) else str(value) for value in values]


def _number(value):
    return np.nan if _is_missing(value) else float(value)


def _numbers(name, values):
    out = np.empty(len(values))
    for row, value in enumerate(values):
        try:
            out[row] = _number(value)
        except (TypeError, ValueError):
            raise ValueError(
                f"Column {name!r} holds numbers, but row {row} is {value!r}. "
                "Leave a cell empty (None or nan) where the value is unknown."
            ) from None
    return out


def _counts(name, values):
    numbers = _numbers(name, values)
    known = numbers[~np.isnan(numbers)]
    wrong = known[(known < 0) | (known != np.floor(known)) | np.isinf(known)]
    if wrong.size:
        raise ValueError(
            f"Column {name!r} holds counts, 0 or a larger whole number, "
            f"but one is {wrong[0]}."
        )
    return numbers


def _ranks(name, values):
    ranks = _counts(name, values)
    if np.isnan(ranks).any() and ranks.size:
        return None
    if (ranks < 1).any():
        raise ValueError(f"Column {name!r} holds ranks, and 1 is the best, but got 0.")
    return ranks.astype(np.int64)


def _statuses(statuses, errors):
    given = zip(statuses, errors, strict=True)
    filled = [s or ("failed" if error else "ok") for s, error in given]
    for row, status in enumerate(filled):
        if status not in STATUSES:
            raise ValueError(
                f"A status is one of {STATUSES}, but row {row} has {status!r}."
            )
    return filled


def _free(values):
    # One rule for cells from anywhere, so that a column reads back as it was.
    try:
        return np.array([_number(value) for value in values], dtype=float)
    except (TypeError, ValueError):
        return _texts(values)
