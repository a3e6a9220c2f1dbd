"""The rounds of a race: who ran in each, who was dropped by whom, and the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sklearn_transrate._lib.comparisons import rank_bounds
from sklearn_transrate.model_selection._elimination import NOBODY, excluded_by
from sklearn_transrate.model_selection._race_rules import Rules
from sklearn_transrate.model_selection._racer import Standing
from sklearn_transrate.model_selection._units import shared
from sklearn_transrate.results import TransferResults, rank_scores

__all__ = ["Lap", "final_table"]


@dataclass
class Lap:
    """One round: where everybody stands who ran in it.

    Attributes
    ----------
    iteration, n_rows : int
        Its number, and how many rows each candidate has seen after it.
    standings : list of Standing
        In the order of the candidates.
    dropped : dict of {str: str}
        Who was dropped after it, and by whom.
    """

    iteration: int
    n_rows: int
    standings: list[Standing]
    dropped: dict[str, str] = field(default_factory=dict)

    def names(self) -> list[str]:
        """Return the candidates that ran."""
        return [standing.record["candidate"] for standing in self.standings]

    def values(self) -> dict[tuple[str, str], np.ndarray]:
        """Return values by unit, by candidate and name of a scoring."""
        return {
            (name, scoring): cells
            for name, standing in zip(self.names(), self.standings, strict=True)
            for scoring, cells in standing.values.items()
        }

    def eliminate(self, rules: Rules) -> None:
        """Find out who can no longer win."""
        names, metric = self.names(), rules.decisive.name
        found = shared([rules.decisive], names, self.values())
        if metric not in found:
            return
        covariance, n_units = found[metric]
        numbers = excluded_by(
            _column(self.standings, f"score_{metric}"),
            np.array([standing.growth for standing in self.standings]),
            covariance,
            rules.sizes,
            self.iteration,
            confidence=rules.confidence,
            n_units=n_units,
        )
        self.dropped = {
            name: names[number]
            for name, number in zip(names, numbers, strict=True)
            if number != NOBODY
        }

    def table(self, rules: Rules) -> TransferResults:
        """Return the table of this round alone, with errors that were shared."""
        return TransferResults.from_records(
            [
                {**standing.record, **self._facts(standing.record["candidate"])}
                for standing in self.standings
            ],
            metrics=rules.metrics,
            metadata={"iter": self.iteration, "n_resources": self.n_rows},
            shared_errors=shared(rules.scorings, self.names(), self.values()),
        )

    def _facts(self, name: str) -> dict[str, Any]:
        return {
            "iter": self.iteration,
            "n_resources": self.n_rows,
            "dropped_by": self.dropped.get(name, ""),
        }


def final_table(
    laps: Sequence[Lap], rules: Rules, order: Sequence[str], error_score: Any
) -> TransferResults:
    """Return one row for each candidate, from the last round that it ran in.

    Parameters
    ----------
    laps : sequence of Lap
        All rounds.
    rules : Rules
        How the race was run.
    order : sequence of str
        Names of extractors, as they were listed.
    error_score : "raise" or float
        What those that failed score.
    """
    last: dict[str, tuple[Lap, Standing]] = {}
    for lap in laps:
        for name, standing in zip(lap.names(), lap.standings, strict=True):
            last[name] = lap, standing
    records = []
    for lap, standing in sorted(
        last.values(), key=lambda found: order.index(found[1].record["extractor"])
    ):
        record = {**standing.record, **lap._facts(standing.record["candidate"])}
        if record["status"] == "failed" and not isinstance(error_score, str):
            record |= {f"score_{name}": float(error_score) for name in rules.metrics}
        records.append(record)
    finalists = [
        row
        for row, record in enumerate(records)
        if last[record["candidate"]][0] is laps[-1]
    ]
    values = laps[-1].values()
    errors = shared(rules.scorings, [r["candidate"] for r in records], values)
    for metric in rules.metrics:
        _rank(records, metric)
        if metric in errors:
            _bound(records, finalists, metric, errors[metric], rules.confidence)
    return TransferResults.from_records(
        records, metrics=rules.metrics, shared_errors=errors
    )


def _rank(records: list[dict[str, Any]], metric: str) -> None:
    """Rank those that ran longer first, and by score those that ran as long."""
    scores = _column(records, f"score_{metric}")
    rounds = np.array(
        [-1 if r["status"] == "failed" else r["iter"] for r in records], dtype=int
    )
    is_known = ~np.isnan(scores)
    ranks = np.full(len(records), is_known.sum() + 1)
    behind = 0
    for iteration in sorted(set(rounds[is_known].tolist()), reverse=True):
        group = np.flatnonzero(is_known & (rounds == iteration))
        ranks[group] = behind + rank_scores(scores[group])
        behind += len(group)
    for record, rank in zip(records, ranks.tolist(), strict=True):
        record[f"rank_{metric}"] = rank


def _bound(records, finalists, metric, errors, confidence) -> None:
    """Bound the ranks of those that ran to the end; the others' are not known."""
    covariance, n_units = errors
    inside = np.ix_(finalists, finalists)
    bounds = rank_bounds(
        _column([records[row] for row in finalists], f"score_{metric}"),
        covariance[inside],
        confidence=confidence,
        n_units=n_units,
    )
    for side, cells in zip(("low", "high"), bounds, strict=True):
        for record in records:
            record[f"rank_{side}_{metric}"] = np.nan
        for row, cell in zip(finalists, cells.tolist(), strict=True):
            records[row][f"rank_{side}_{metric}"] = cell


def _column(rows: Sequence[Standing] | Sequence[Mapping], name: str) -> np.ndarray:
    records = [row.record if isinstance(row, Standing) else row for row in rows]
    return np.array([record.get(name, np.nan) for record in records], dtype=float)
