"""The demonstration's picture: score against accuracy, one panel for each metric."""

from __future__ import annotations

import math
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sklearn_transrate._lib.optional import import_optional
from sklearn_transrate.demo._experiment import PIXELS, Agreement, DemoResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["check_picture", "draw_picture", "save_picture"]

PANEL = (4.6, 4.3)  # inches
# Okabe and Ito's colours, told apart by every kind of colour vision; the markers say
# the same in grey.
STYLES = {
    "pixels": ("#000000", "X"),
    "first hidden layer": ("#E69F00", "o"),
    "middle hidden layer": ("#56B4E9", "s"),
    "last hidden layer": ("#0072B2", "D"),
}
INK = "#333333"
MARKER_AREA = 30
LABEL_SIZE = 8.5
# Where a label may go, as seen from its point: how far, then in which direction.
DISTANCES = (7, 16, 24, 34, 46, 60, 76)  # points
DIRECTIONS = np.deg2rad([0, 180, *range(20, 180, 20), *range(-160, 0, 20)])
NEAR = 10  # up to here a label needs no line to its point, points


def check_picture(path: str | PathLike[str]) -> None:
    """Raise if a picture could not be written there.

    Parameters
    ----------
    path : str or path-like
        Where it shall go.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    FileNotFoundError
        If there is no such folder.
    ValueError
        If the name's ending is no format that matplotlib writes.
    """
    backend = import_optional(
        "matplotlib.backends.backend_agg", extra="plot", purpose="The picture"
    )
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"There is no folder {str(path.parent)!r} for the picture {path.name!r}. "
            "Make it first."
        )
    known = backend.FigureCanvasAgg.get_supported_filetypes()
    if path.suffix.removeprefix(".").lower() not in known:
        raise ValueError(
            f"Expected a name that ends in the format of the picture, such as "
            f"'demo.png', got {path.name!r}. Formats: {', '.join(sorted(known))}."
        )


def save_picture(result: DemoResult, path: str | PathLike[str]) -> None:
    """Draw the result and write it to a file.

    Parameters
    ----------
    result : DemoResult
        What `run_demo` returned.
    path : str or path-like
        Where to write it; its ending is the format, such as ``.png`` or ``.svg``.
    """
    check_picture(path)
    draw_picture(result).savefig(path, dpi=150)


def draw_picture(result: DemoResult) -> Figure:
    """Score against accuracy for every candidate, one panel for each metric.

    Parameters
    ----------
    result : DemoResult
        What `run_demo` returned.

    Returns
    -------
    figure : matplotlib.figure.Figure
        Not known to pyplot, so that there is nothing to close.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    """
    figures = import_optional("matplotlib.figure", extra="plot", purpose="The picture")
    agreements = result.agreements()[: len(result.metrics)]
    n_panels = len(agreements)
    figure = figures.Figure(
        figsize=(PANEL[0] * n_panels, PANEL[1] + 0.5), layout="constrained"
    )
    panels = np.atleast_1d(figure.subplots(1, n_panels, sharey=True))
    kinds = _kinds(result)
    for panel, agreement in zip(panels, agreements, strict=True):
        _draw_panel(panel, result, kinds, agreement)
    panels[0].set_ylabel("accuracy of the head that is trained on it", color=INK)
    panels[0].yaxis.set_major_formatter("{x:.0%}")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=len(labels),
        frameon=False,
        fontsize=9,
    )
    # Labels look for room, which there is only when everything else has its place.
    figure.draw_without_rendering()
    for panel, agreement in zip(panels, agreements, strict=True):
        _label_panel(panel, result, agreement)
    return figure


def _kinds(result: DemoResult) -> np.ndarray:
    """What kind of layer each candidate is."""
    depths = {spec.name: len(spec.hidden_layer_sizes) for spec in result.specs}
    names = zip(result.results["extractor"], result.results["layer"], strict=True)
    return np.array([_kind(depths.get(name), layer) for name, layer in names])


def _kind(depth: int | None, layer: str | None) -> str:
    if depth is None:
        return "pixels"
    if layer == f"hidden_{depth}":
        return "last hidden layer"
    return "first hidden layer" if layer == "hidden_1" else "middle hidden layer"


def _draw_panel(panel, result, kinds, agreement: Agreement) -> None:
    score = result.results[f"score_{agreement.metric}"]
    accuracy = result.results["accuracy"]
    for kind, (colour, marker) in STYLES.items():
        rows = kinds == kind
        if rows.any():
            panel.scatter(
                score[rows],
                accuracy[rows],
                s=MARKER_AREA,
                c=colour,
                marker=marker,
                label=kind,
                edgecolors="white",
                linewidths=0.5,
                zorder=3,
            )
    chosen = result.results["candidate"] == agreement.first
    panel.scatter(
        score[chosen],
        accuracy[chosen],
        s=5 * MARKER_AREA,
        facecolors="none",
        edgecolors=INK,
        linewidths=1.2,
        label="taken first",
        zorder=4,
    )
    panel.axhline(agreement.best_accuracy, color=INK, lw=0.8, ls=(0, (4, 3)), zorder=1)
    panel.grid(color="#e5e5e5", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)
    panel.margins(x=0.1, y=0.1)
    panel.locator_params(axis="x", nbins=5)
    panel.tick_params(labelsize=9, colors=INK)
    panel.set_xlabel(f"{agreement.metric} score", color=INK)
    panel.set_title(
        f"{agreement.metric}: weighted tau {agreement.weighted_tau:.2f},\n"
        f"taking the first loses {100 * agreement.accuracy_lost:.1f} points",
        fontsize=10.5,
        loc="left",
    )


def _label_panel(panel, result, agreement: Agreement) -> None:
    names = result.results["candidate"].tolist()
    score = result.results[f"score_{agreement.metric}"]
    places = panel.transData.transform(
        np.column_stack([score, result.results["accuracy"]])
    )
    known = ~np.isnan(score)
    frame = _Box(*panel.get_window_extent().extents)
    line = panel.transData.transform((0, agreement.best_accuracy))[1]
    markers = [_square(place) for place in places[known]]
    room = _Room(frame, markers, [_Box(frame.left, line - 2, frame.right, line + 2)])
    for name in _names_to_show(result, agreement):
        row = names.index(name)
        if known[row]:
            _write_label(panel, name, places[row], room)


def _names_to_show(result: DemoResult, agreement: Agreement) -> list[str]:
    """The candidates that say most: winners, losers, and what pretraining adds."""
    results = result.results
    accuracy = results["accuracy"]
    names = [agreement.first, agreement.best, PIXELS]
    names.append(results["candidate"][int(np.argmin(accuracy))])
    for extractor in ("untrained", "random", "parity"):
        rows = np.flatnonzero(results["extractor"] == extractor)
        if rows.size:
            names.append(results["candidate"][rows[-1]])
    return list(dict.fromkeys(names))


class _Box(NamedTuple):
    """A rectangle on the canvas, in pixels."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: _Box) -> float:
        """Area that both cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(width, 0.0) * max(height, 0.0)

    def outside(self, other: _Box) -> float:
        """Area that the other does not cover."""
        area = (self.right - self.left) * (self.top - self.bottom)
        return area - self.overlap(other)

    def distance(self, x: float, y: float) -> float:
        """How far away a point is."""
        return math.hypot(
            max(self.left - x, 0, x - self.right), max(self.bottom - y, 0, y - self.top)
        )

    def grown(self, x: float, y: float) -> _Box:
        """The same with a margin."""
        return _Box(self.left - x, self.bottom - y, self.right + x, self.top + y)

    @property
    def centre(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.bottom + self.top) / 2


class _Room(NamedTuple):
    """What a label must not cover, and what it must not leave."""

    frame: _Box
    markers: list[_Box]
    taken: list[_Box]

    def cost(self, box: _Box, point, leader: list[_Box]) -> float:
        """How bad it is to write here, in pixels covered."""
        cost = 3 * box.outside(self.frame)
        cost += sum(box.overlap(other) for other in self.markers + self.taken)
        cost += 5 * sum(dot.overlap(other) for dot in leader for other in self.taken)
        if leader:
            return cost + sum(
                dot.overlap(other) for dot in leader for other in self.markers
            )
        # Without a line, a label belongs to the marker that is nearest.
        own = box.distance(*point)
        rivals = [m for m in self.markers if math.dist(m.centre, point) > 1]
        return cost + 50 * any(box.distance(*m.centre) < own + 4 for m in rivals)


def _square(centre, half: float = 5.0) -> _Box:
    x, y = centre
    return _Box(x - half, y - half, x + half, y + half)


def _write_label(panel, text: str, point, room: _Room) -> None:
    """Write a label where it covers nothing, as near to its point as possible."""
    size = _text_size(panel, text)
    scale = panel.figure.dpi / 72
    options = []
    for distance in DISTANCES:
        for direction in DIRECTIONS:
            box = _box_at(point, scale * distance, direction, size)
            leader = []
            if distance > NEAR:
                leader = _dots(point, scale * distance, direction)
            cost = distance + room.cost(box, point, leader)
            options.append((cost, distance, direction, box, leader))
    _, distance, direction, box, leader = min(options, key=lambda option: option[0])
    room.taken.extend([box.grown(6, 2), *leader])
    x, y = math.cos(direction), math.sin(direction)
    panel.annotate(
        text,
        panel.transData.inverted().transform(point),
        xytext=(distance * x, distance * y),
        textcoords="offset points",
        fontsize=LABEL_SIZE,
        color=INK,
        ha=("left", "center", "right")[1 - _side(x)],
        va=("bottom", "center", "top")[1 - _side(y)],
        zorder=5,
    )
    if leader:
        panel.annotate(
            "",
            panel.transData.inverted().transform(point),
            xytext=(distance * x, distance * y),
            textcoords="offset points",
            arrowprops={
                "arrowstyle": "-",
                "color": INK,
                "lw": 0.6,
                "shrinkA": 0,
                "shrinkB": 4,
            },
            zorder=2,
        )


def _side(cosine: float) -> int:
    """On which side of its point a text is: -1, 0 (across it) or 1."""
    return 0 if abs(cosine) < 0.3 else round(math.copysign(1, cosine))


def _box_at(point, distance: float, direction: float, size) -> _Box:
    """The rectangle of a text that begins at a distance from its point."""
    edges = []
    cosines = math.cos(direction), math.sin(direction)
    for origin, cosine, length in zip(point, cosines, size, strict=True):
        start = origin + distance * cosine + (_side(cosine) - 1) * length / 2
        edges.append((start, start + length))
    (left, right), (bottom, top) = edges
    return _Box(left, bottom, right, top)


def _dots(point, distance: float, direction: float) -> list[_Box]:
    """The line from a point to its label, as small rectangles."""
    x, y = point
    steps = np.arange(8.0, distance, 4.0)
    return [
        _square((x + step * math.cos(direction), y + step * math.sin(direction)), 1.5)
        for step in steps
    ]


def _text_size(panel, text: str) -> tuple[float, float]:
    probe = panel.text(0, 0, text, fontsize=LABEL_SIZE)
    extent = probe.get_window_extent()
    probe.remove()
    return extent.width, extent.height
