"""What the documentation shows: one table, and pictures of growth and memory."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from tests.benchmarks.claims import Claim
from tests.benchmarks.plot import plot_series

__all__ = ["evidence_rows", "write_evidence"]

LIMIT = "BLAS, LAPACK alone"
COLUMNS = (
    "what", "n", "d", "K", "ours (s)", "against", "reference (s)", "ratio",
    "limit (s)", "times the limit", "peak (MB)", "required", "met",
)  # fmt: skip


def evidence_rows(claims: Iterable[Claim]) -> list[dict[str, str]]:
    """Put what was measured in one run on one row, beside its limit.

    Parameters
    ----------
    claims : iterable of Claim
        In the order of the table. Of those on the same thing and shape, one against
        the limit goes beside the first against something else.

    Returns
    -------
    rows : list of dict
        Texts by column.
    """
    rows: list[dict[str, str]] = []
    unpaired: dict[tuple, dict[str, str]] = {}
    for claim in claims:
        key = claim.what, claim.shape
        is_limit = claim.against == LIMIT
        row = unpaired.pop(key, None) if is_limit else None
        if row is None:
            row = dict.fromkeys(COLUMNS, "")
            rows.append(row)
            if not is_limit:
                unpaired.setdefault(key, row)
        _fill(row, claim, is_limit)
    return rows


def write_evidence(doc: Path, claims: Iterable[Claim], machine: str, command: str):
    """Write the table, how it was made, and the pictures that were measured.

    Parameters
    ----------
    doc : Path
        The folder of the documentation.
    claims : iterable of Claim
        All that was measured.
    machine, command : str
        What times depend on, and what was run.
    """
    claims = list(claims)
    (doc / "evidence").mkdir(parents=True, exist_ok=True)
    with (doc / "evidence" / "benchmarks.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(evidence_rows(claims))
    (doc / "evidence" / "benchmarks.txt").write_text(f"{command}\n{machine}\n")
    (doc / "images").mkdir(exist_ok=True)
    for name, quantity in (("growth", "time"), ("memory", "memory")):
        drawn = [claim for claim in claims if claim.series.startswith(quantity)]
        if drawn:
            plot_series(drawn, doc / "images" / f"benchmarks_{name}.png")


def _fill(row: dict[str, str], claim: Claim, is_limit: bool) -> None:
    cells = claim.cells()
    what, against, n, d, n_classes, _, _, value, _, required, met, peak = cells
    row |= {"what": what, "n": _text(n), "d": _text(d), "K": _text(n_classes)}
    row["ours (s)"] = row["ours (s)"] or _seconds(claim.ours)
    row["peak (MB)"] = row["peak (MB)"] or _text(peak)
    if is_limit:
        row["limit (s)"], row["times the limit"] = _seconds(claim.other), value
    else:
        row["against"] = against
        row["ratio"] = "" if claim.unit == "MB" else value  # that is the peak
        row["reference (s)"] = _seconds(claim.other)
    row["required"] = "; ".join(filter(None, (row["required"], required)))
    verdicts = {row["met"], met} - {""}
    row["met"] = "" if not verdicts else "NO" if "NO" in verdicts else "yes"


def _text(cell) -> str:
    return "" if cell is None else str(cell)


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
