"""Write ``zoo.csv``: how every metric ranks real networks.

Run as ``python -m doc.evidence.make_zoo``. Needs the features of the networks, which
are no part of the repository; see `tests.benchmarks.zoo`.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tests.benchmarks.settings import Settings
from tests.benchmarks.zoo import Agreement, agreements

# Groups of tracks, and what the candidates' scores are compared with.
GROUPS = {
    "image layers": ("image-layers-", "linear"),
    "image models": ("image-models", "linear"),
    "text layers": ("text-layers", "linear"),
    "text models": ("text-models", "linear"),
    "fine-tuning": ("image-", "ft"),
}


def rows(found: Iterable[Agreement]) -> list[list]:
    """Return one row a metric: means over data sets, their mean, and seconds."""
    found = list(found)
    table = []
    for metric in dict.fromkeys(one.metric for one in found):
        own = [one for one in found if one.metric == metric]
        means = []
        for prefix, truth in GROUPS.values():
            taus = [
                one.weighted_kendall
                for one in own
                if one.track.startswith(prefix) and one.truth == truth
            ]
            known = [tau for tau in taus if np.isfinite(tau)]
            means.append(np.mean(known) if known else np.nan)
        linear = [mean for mean in means[:-1] if np.isfinite(mean)]
        overall = np.mean(linear) if linear else np.nan
        table.append([metric, overall, *means, sum(one.seconds for one in own)])
    return sorted(table, key=lambda row: -np.nan_to_num(row[1], nan=-2.0))


def write(table: list[list], path: Path) -> None:
    """Write the rows as text that a page can include."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["metric", "linear heads", *GROUPS, "seconds"])
        for name, *numbers, seconds in table:
            cells = [f"{x:.2f}" if np.isfinite(x) else "" for x in numbers]
            writer.writerow([name, *cells, f"{seconds:.1f}"])


if __name__ == "__main__":
    asked = sys.argv[1:] or None
    found = agreements(asked, settings=Settings(quiet=False))
    write(rows(found), Path(__file__).with_name("zoo.csv"))
