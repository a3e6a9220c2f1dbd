"""The demonstration's result for people and programs: text, Markdown and JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import NamedTuple

import numpy as np

from sklearn_transrate._lib.text import align_rows, format_duration, format_number
from sklearn_transrate.demo._experiment import DemoResult
from sklearn_transrate.results import TransferResults

__all__ = ["json_report", "markdown_report", "plain_report"]

N_SHOWN = 12


class _Grid(NamedTuple):
    header: list[str]
    rows: list[list[str]]
    right: list[bool]


def plain_report(result: DemoResult, *, n_shown: int = N_SHOWN) -> str:
    """The result as text for a terminal.

    Parameters
    ----------
    result : DemoResult
        What `run_demo` returned.
    n_shown : int, default=12
        Candidates to list: those that the first metric puts first. The one with the
        highest accuracy is always there.

    Returns
    -------
    text : str
        The ranking beside the accuracies, then how well every metric answered each
        question, then what it cost. Lines have at most 100 letters.
    """
    shown = min(n_shown, len(result.results))
    parts = [
        _opening(result),
        "",
        *_ranking_lines(result, shown),
        "",
        *_aligned(_agreement_grid(result)),
        "",
        *_closing(result),
    ]
    return "\n".join(parts) + "\n"


def markdown_report(result: DemoResult) -> str:
    """The result as Markdown, with every candidate.

    Parameters
    ----------
    result : DemoResult
        What `run_demo` returned.

    Returns
    -------
    text : str
        The same parts as in `plain_report`.
    """
    ranking = _ranking_grid(result.results.sort(), result)
    parts = [
        _opening(result),
        _markdown(ranking),
        _markdown(_agreement_grid(result)),
        "  \n".join(_closing(result)),
    ]
    return "\n\n".join(parts) + "\n"


def json_report(result: DemoResult) -> str:
    """The result as JSON.

    Parameters
    ----------
    result : DemoResult
        What `run_demo` returned.

    Returns
    -------
    text : str
        As `TransferResults.to_json` writes it; the metadata have the agreements and
        times beside the facts of the ranking. `TransferResults.from_json` reads it.
    """
    facts = {
        "random_state": result.random_state,
        "agreements": [
            asdict(item) | {"accuracy_lost": item.accuracy_lost}
            for item in result.agreements()
        ],
        "pretraining_time": result.pretraining_time,
        "ranking_times": result.ranking_times,
        "training_time": result.training_time,
    }
    table = TransferResults(
        dict(result.results), metadata=result.results.metadata | {"demo": facts}
    )
    return table.to_json() + "\n"


def _opening(result):
    digits = sorted(set(result.target.y_train.tolist()))
    return (
        f"{len(result.results)} candidates for telling the digits {digits[0]} to "
        f"{digits[-1]} apart, ranked from {len(result.target.y_train)} labelled images"
    )


def _closing(result):
    n = len(result.results)
    lines = [
        f"Accuracy is that of a head trained on these {len(result.target.y_train)} "
        f"images, measured on {len(result.target.y_test)} others.",
        f"Pretraining {len(result.specs)} networks took "
        f"{format_duration(result.pretraining_time)}, and training {n} heads "
        f"{format_duration(result.training_time)}.",
    ]
    lines += [
        f"Ranking by {metric} took {format_duration(seconds)}: "
        f"{format_number(result.speedup(metric), digits=2)} times faster than training "
        "the heads."
        for metric, seconds in result.ranking_times.items()
    ]
    return lines


def _ranking_lines(result, n_shown):
    ordered = result.results.sort()
    best = int(np.argmax(ordered["accuracy"]))
    rows = list(range(n_shown))
    if best not in rows:
        rows.append(best)
    lines = _aligned(_ranking_grid(ordered[rows], result))
    n_between = best - n_shown
    n_after = len(ordered) - max(n_shown, best + 1)
    if n_after:
        lines.append(f"... {n_after} more")
    if n_between > 0:
        lines.insert(n_shown + 1, f"... {n_between} more")
    return lines


def _ranking_grid(table: TransferResults, result: DemoResult) -> _Grid:
    accuracy = result.results["accuracy"]
    header = ["rank", "candidate", *result.metrics, "accuracy", "rank by accuracy"]
    rows = []
    for record in table.to_records():
        place = 1 + int((accuracy > record["accuracy"]).sum())
        rows.append(
            [
                str(record[f"rank_{result.metrics[0]}"]),
                record["candidate"],
                *(format_number(record[f"score_{m}"]) for m in result.metrics),
                f"{record['accuracy']:.3f}",
                str(place),
            ]
        )
    right = [name != "candidate" for name in header]
    return _Grid(header, rows, right)


def _agreement_grid(result: DemoResult) -> _Grid:
    header = [
        "question",
        "of",
        "metric",
        "weighted tau",
        "takes first",
        "accuracy",
        "lost",
    ]
    rows, before = [], None
    for item in result.agreements():
        is_new = item.question != before
        before = item.question
        rows.append(
            [
                f"{item.question}?" if is_new else "",
                str(item.n_candidates) if is_new else "",
                item.metric,
                "-" if np.isnan(item.weighted_tau) else f"{item.weighted_tau:.2f}",
                item.first,
                f"{item.accuracy:.3f}",
                f"{item.accuracy_lost:.3f}",
            ]
        )
    return _Grid(header, rows, [False, True, False, True, False, True, True])


def _aligned(grid: _Grid) -> list[str]:
    return align_rows([grid.header, *grid.rows], right=grid.right)


def _markdown(grid: _Grid) -> str:
    rule = ["---:" if flag else "---" for flag in grid.right]
    lines = [grid.header, rule, *grid.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
