"""Scores of every metric and form on features of real networks, kept as one table.

The networks' features are no part of the repository, see `shared`; the table is, and
everything that the documentation says of them is computed from it by `evidence`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_transrate.metrics import TransferMetric, TransRate, get_metric
from sklearn_transrate.metrics._registry import _BUILTIN
from tests.benchmarks.settings import Settings
from tests.benchmarks.zoo import score_candidate, zoo_truth

__all__ = ["FACTS", "contenders", "read_scores", "score_zoo", "write_scores"]

# What a row says of a candidate before its scores.
FACTS = ["track", "dataset", "candidate", "linear", "ft", "depth"]


def contenders() -> dict[str, TransferMetric]:
    """Return every registered metric, and further forms of TransRate, by name."""
    forms = {
        "transrate_definition": TransRate.from_form("definition"),
        "transrate_protocol": TransRate.from_form("protocol"),
        "transrate_projected": TransRate.from_form("projected"),
        "transrate_pooled": TransRate(covariance="pooled"),
        "transrate_shrunk": TransRate(covariance=0.5, normalize=None),
        "transrate_permutation": TransRate(
            normalize=None, correction="permutation", random_state=0
        ),
    }
    return {name: get_metric(name) for name in sorted(_BUILTIN)} | forms


def score_zoo(names: Iterable[str] | None = None, settings: Settings | None = None):
    """Score every candidate of the zoo.

    Parameters
    ----------
    names : iterable of str, default=None
        Of `contenders`; None takes all.
    settings : Settings, default=None
        Whose clock to read, and whether to tell of progress.

    Returns
    -------
    rows : list of dict
        One a candidate: `FACTS`, then a score by contender; None where it has none.
    seconds : dict of str to float
        What each contender took in all.
    """
    settings = settings or Settings(quiet=True)
    known = contenders()
    chosen = {name: known[name] for name in names or known}
    rows, seconds = [], dict.fromkeys(chosen, 0.0)
    for track, datasets in zoo_truth().items():
        for dataset, candidates in datasets.items():
            settings.tell(f"{track} / {dataset}")
            for candidate, facts in candidates.items():
                row = {
                    "track": track,
                    "dataset": dataset,
                    "candidate": candidate,
                    "linear": facts["linear"],
                    "ft": facts.get("ft"),
                    "depth": _depth(track, candidate),
                }
                for name, metric in chosen.items():
                    start = settings.now()
                    row[name] = score_candidate(metric, track, dataset, candidate)
                    seconds[name] += settings.now() - start
                rows.append(row)
    return rows, seconds


def write_scores(rows: list[dict[str, Any]], path: Path) -> None:
    """Write scores with six digits; new columns join those that are there."""
    kept = {_key(row): row for row in read_scores(path)} if path.exists() else {}
    merged = [{**kept.get(_key(row), {}), **row} for row in rows]
    names = sorted({name for row in merged for name in row} - set(FACTS))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*FACTS, *names], lineterminator="\n")
        writer.writeheader()
        for row in merged:
            writer.writerow({name: _cell(value) for name, value in row.items()})


def read_scores(path: Path) -> list[dict[str, Any]]:
    """Read what `write_scores` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {
                name: cell if name in FACTS[:3] else (float(cell) if cell else None)
                for name, cell in row.items()
            }
            for row in csv.DictReader(file)
        ]


def _key(row: dict[str, Any]) -> tuple:
    return tuple(row[name] for name in FACTS[:3])


def _depth(track: str, candidate: str) -> int | None:
    """Number of a layer; None among whole models, whose names may have numbers too."""
    number = re.fullmatch(r"\D*(\d+)", candidate)
    return int(number[1]) if "layers" in track and number else None


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    return value if isinstance(value, str) else f"{value:.6g}"
