"""Curves of time and memory, on logarithmic axes."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from tests.benchmarks.claims import Claim

__all__ = ["plot_series"]

# Axes along which time should grow no faster than the size.
PROPORTIONAL = {"n", "candidates"}


def plot_series(claims: Iterable[Claim], path: Path) -> None:
    """Draw every series that was measured, one panel each.

    Parameters
    ----------
    claims : iterable of Claim
        Those without a series are left out.
    path : Path
        Where to write the picture. Needs matplotlib.
    """
    from matplotlib.figure import Figure

    series = {
        name: list(points)
        for name, points in groupby(
            (claim for claim in claims if claim.series), key=lambda claim: claim.series
        )
    }
    if not series:
        raise ValueError(
            "Expected a benchmark with curves to draw, got none. Run growth or memory."
        )
    figure = Figure(figsize=(3.2 * len(series), 3), layout="constrained")
    for axes, (name, points) in zip(
        figure.subplots(1, len(series), squeeze=False)[0], series.items(), strict=True
    ):
        quantity, axis = name.split(", ")
        is_memory = quantity == "memory"
        values = [point.peak if is_memory else point.ours for point in points]
        at = [point.at for point in points]
        axes.loglog(at, values, marker="o")
        if not is_memory and axis in PROPORTIONAL:
            line = [values[0] * size / at[0] for size in at]
            axes.loglog(at, line, linestyle=":", color="gray", label="proportional")
            axes.legend(frameon=False)
        axes.set_xticks(at, [f"{size:,}" for size in at], rotation=45)
        axes.minorticks_off()
        axes.set(xlabel=axis, ylabel="peak (MB)" if is_memory else "seconds")
        if is_memory:
            axes.set_ylim(min(values) / 4, max(values) * 4)
    figure.savefig(path, dpi=120)
