"""What the documentation says of metrics, computed from committed scores.

``python -m tests.benchmarks.evidence`` reads ``doc/evidence/zoo_scores.csv`` and, where
the authors' spectra are at hand, scores those; it writes the tables beside it. With
``--score`` the scores themselves are made anew, which needs the networks' features.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau, pearsonr, weightedtau

from tests.benchmarks import official
from tests.benchmarks.settings import Settings
from tests.benchmarks.zoo import zoo_folder
from tests.benchmarks.zoo_scores import FACTS, read_scores, score_zoo, write_scores
from tests.golden import experiments

__all__ = [
    "GROUPS",
    "agreement",
    "choose_form",
    "forms_table",
    "main",
    "official_table",
    "statistics_table",
    "zoo_table",
]

FOLDER = Path(__file__).parents[2] / "doc" / "evidence"
# Groups of tracks, and what the candidates' scores are compared with.
GROUPS = {
    "image models": ("image-models", "linear"),
    "image layers": ("image-layers-", "linear"),
    "text models": ("text-models", "linear"),
    "text layers": ("text-layers", "linear"),
    "fine-tuning": ("image-", "ft"),
}
LINEAR = [name for name, (_, truth) in GROUPS.items() if truth == "linear"]
# Rankings of fewer candidates say nothing.
FEWEST = 4
N_RESAMPLES = 2000
# Forms of TransRate that compete for being the default.
FORMS = [
    "transrate",
    "transrate_corrected",
    "transrate_definition",
    "transrate_listing",
    "transrate_permutation",
    "transrate_pooled",
    "transrate_projected",
    "transrate_protocol",
    "transrate_relative",
    "transrate_shrunk",
]

Statistic = Callable[[np.ndarray, np.ndarray], float]
Agreements = dict[str, dict[tuple[str, str], float]]


# -- how well a score orders candidates ------------------------------------------------


def _accuracy_lost(scores: np.ndarray, accuracies: np.ndarray) -> float:
    return float(accuracies.max() - accuracies[scores.argmax()])


STATISTICS: dict[str, Statistic] = {
    "weighted Kendall": lambda s, a: float(weightedtau(s, a)[0]),
    "Kendall": lambda s, a: float(kendalltau(s, a)[0]),
    "Pearson": lambda s, a: float(pearsonr(s, a)[0]),
    "accuracy lost": _accuracy_lost,
}


def agreement(
    rows: Sequence[Mapping], metric: str, statistic: str = "weighted Kendall"
) -> Agreements:
    """Compare a metric with the accuracy reached, on every data set.

    Parameters
    ----------
    rows : sequence of mapping
        What `zoo_scores.read_scores` returns.
    metric : str
        A column of scores.
    statistic : str
        One of `STATISTICS`.

    Returns
    -------
    found : dict of {group: {(track, dataset): float}}
        NaN where the metric has no score of enough candidates, or one for all.
    """
    found: Agreements = {}
    for group, (prefix, truth) in GROUPS.items():
        own = [row for row in rows if row["track"].startswith(prefix)]
        found[group] = {
            key: _compare(
                [
                    (row.get(metric), row[truth])
                    for row in own
                    if (row["track"], row["dataset"]) == key and row[truth] is not None
                ],
                STATISTICS[statistic],
            )
            for key in dict.fromkeys(
                (row["track"], row["dataset"]) for row in own if row[truth] is not None
            )
        }
    return found


def _compare(pairs: list[tuple], statistic: Statistic) -> float:
    known = [pair for pair in pairs if pair[0] is not None]
    if len(known) < FEWEST or len({score for score, _ in known}) == 1:
        return np.nan
    scores, accuracies = np.array(known).T
    return statistic(scores, accuracies)


def _mean(values: Iterable[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else np.nan


def _group_means(found: Agreements) -> dict[str, float]:
    return {group: _mean(values.values()) for group, values in found.items()}


def _linear_interval(found: Agreements) -> tuple[float, float]:
    """Return where 95 % of the means lie if data sets are drawn again, by group."""
    rng = np.random.default_rng(0)
    groups = [np.array(list(found[group].values())) for group in LINEAR]
    groups = [values[np.isfinite(values)] for values in groups]
    groups = [values for values in groups if len(values)]
    if not groups:
        return np.nan, np.nan
    means = [
        np.mean([rng.choice(values, len(values)).mean() for values in groups])
        for _ in range(N_RESAMPLES)
    ]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


# -- tables ----------------------------------------------------------------------------


def _metrics(rows: Sequence[Mapping]) -> list[str]:
    return [name for name in rows[0] if name not in FACTS] + ["depth"]


def zoo_table(rows: Sequence[Mapping], seconds: Mapping[str, float]) -> list[list]:
    """Mean weighted Kendall correlation by group, the best for linear heads first."""
    table = []
    for metric in _metrics(rows):
        found = agreement(rows, metric)
        means = _group_means(found)
        overall = _mean(means[group] for group in LINEAR)
        low, high = _linear_interval(found)
        spent = seconds.get(metric, np.nan)
        table.append([metric, overall, low, high, *means.values(), spent])
    table.sort(key=lambda row: -np.nan_to_num(row[1], nan=-2.0))
    return [["metric", "linear heads", "low", "high", *GROUPS, "seconds"], *table]


def statistics_table(rows: Sequence[Mapping]) -> list[list]:
    """Other measures of agreement, for linear heads and fine-tuning."""
    heads = [f"{name}, {kind}" for kind in ("linear", "ft") for name in STATISTICS]
    table = []
    for metric in _metrics(rows):
        cells = {}
        for name in STATISTICS:
            means = _group_means(agreement(rows, metric, name))
            cells[f"{name}, linear"] = _mean(means[group] for group in LINEAR)
            cells[f"{name}, ft"] = means["fine-tuning"]
        table.append([metric, *(cells[head] for head in heads)])
    table.sort(key=lambda row: -np.nan_to_num(row[1], nan=-2.0))
    return [["metric", *heads], *table]


def choose_form(means: Mapping[str, Mapping[str, float]], held_out: str | None) -> str:
    """Return the form with the best mean over all groups but one."""
    return max(
        means,
        key=lambda form: _mean(
            value for group, value in means[form].items() if group != held_out
        ),
    )


def forms_table(rows: Sequence[Mapping]) -> list[list]:
    """Forms of TransRate by group, and what a choice without the group would get."""
    known = [form for form in FORMS if form in rows[0]]
    means = {form: _group_means(agreement(rows, form)) for form in known}
    table = [
        [form, *own.values(), _mean(own.values())]
        for form, own in sorted(
            means.items(), key=lambda pair: -_mean(pair[1].values())
        )
    ]
    chosen = {group: choose_form(means, group) for group in GROUPS}
    kept = [means[chosen[group]][group] for group in GROUPS]
    names = [chosen[group].removeprefix("transrate_") for group in GROUPS]
    return [
        ["form", *GROUPS, "mean"],
        *table,
        ["left out: value", *kept, _mean(kept)],
        ["left out: chosen", *names, ""],
    ]


def official_table() -> list[list]:
    """The published experiments: tuned, the fixed default, competitors, an oracle."""
    grid = 10.0 ** np.arange(-6, 1.01, 0.25)
    heads = ["experiment", "networks", "tuned", "relative", "oracle"]
    others = ["LogME", "H-score", "LFC", "LEEP", "NCE"]
    table = [[*heads, *others]]
    for experiment in experiments():
        taus = [
            _official(experiment, eps=float(eps), eps_unit="mean_eigenvalue")
            for eps in grid
        ]
        own = _official(experiment, eps="auto")
        partial = bool(experiment["missing_ids"])
        printed = experiment["available_triples" if partial else "printed_triples"]
        n_networks = len(experiment["ids"]) - len(experiment["missing_ids"])
        row = [experiment["name"] + (" (partial)" if partial else ""), n_networks]
        row += [printed["TransRate"]["weighted_kendall"], own, max(taus)]
        row += [_competitor(experiment, name) for name in others]
        table.append(row)
    complete = [row for row in table[1:] if "partial" not in row[0]]
    for title, chosen in (("mean of the complete", complete), ("mean", table[1:])):
        columns = list(zip(*chosen, strict=True))[2:]
        table.append([title, len(chosen), *(_mean(values) for values in columns)])
    return table


def _official(experiment: Mapping, **options) -> float:
    scores, accuracies = official.scores_and_accuracies(experiment, **options)
    return float(weightedtau(scores, accuracies)[0])


def _competitor(experiment: Mapping, name: str) -> float:
    """Agreement of a published score, over the networks whose spectrum is public."""
    values = experiment["scores"].get(name)
    if values is None:
        return np.nan
    pairs = [
        (value, accuracy)
        for network, value, accuracy in zip(
            experiment["ids"], values, experiment["accuracies"], strict=True
        )
        if network not in experiment["missing_ids"] and value is not None
    ]
    return float(weightedtau(*np.array(pairs).T)[0])


# -- files -----------------------------------------------------------------------------


def _write(table: list[list], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        for row in table:
            writer.writerow([_text(cell) for cell in row])


def _text(cell) -> str:
    if isinstance(cell, str | int):
        return str(cell)
    return f"{cell:.2f}" if np.isfinite(cell) else ""


def _known_seconds() -> dict[str, float]:
    path = FOLDER / "zoo.csv"
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {
            row["metric"]: float(row["seconds"])
            for row in csv.DictReader(file)
            if row["seconds"]
        }


def main(argv: Sequence[str] | None = None) -> int:
    """Write the tables; 1 if what was asked for cannot be had here."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.evidence")
    parser.add_argument(
        "--score", nargs="*", metavar="METRIC", help="score the zoo anew: all, or these"
    )
    given = parser.parse_args(argv)
    scores, seconds = FOLDER / "zoo_scores.csv", _known_seconds()
    if given.score is not None:
        if zoo_folder() is None:
            print("The networks' features are not here.", file=sys.stderr)
            return 1
        rows, spent = score_zoo(given.score or None, Settings())
        write_scores(rows, scores)
        seconds |= spent
    rows = read_scores(scores)
    _write(zoo_table(rows, seconds), FOLDER / "zoo.csv")
    _write(statistics_table(rows), FOLDER / "zoo_statistics.csv")
    _write(forms_table(rows), FOLDER / "forms.csv")
    if official.spectra_folder() is not None:
        _write(official_table(), FOLDER / "official.csv")
    return 0


if __name__ == "__main__":
    sys.exit(main())
