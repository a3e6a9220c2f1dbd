"""What all displays have in common: axes, names that fit, styles told apart."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_transrate._lib.optional import import_optional
from sklearn_transrate._lib.text import one_line, shorten
from sklearn_transrate.results._columns import metric_columns

if TYPE_CHECKING:
    from sklearn_transrate.results._table import TransferResults

__all__ = [
    "BLUE",
    "COLUMN_WIDTH",
    "GREY",
    "INK",
    "LINE_STYLES",
    "SMALL",
    "Display",
    "as_curves",
    "fitting_size",
    "results_of",
    "score_label",
    "score_trio",
    "short_names",
    "write_plainly",
]

COLUMN_WIDTH = 3.5  # inches, of a page with two columns
TEXT, SMALL, SMALLEST = 8.0, 7.0, 3.0  # points
INK, GREY, BLUE = "#333333", "#767676", "#0072B2"
# Okabe and Ito's colours, told apart by every kind of colour vision; markers and
# dashes say the same in grey.
LINE_STYLES = (
    (BLUE, "o", "-"),
    ("#D55E00", "s", "--"),
    ("#009E73", "^", "-."),
    ("#CC79A7", "D", ":"),
    ("#E69F00", "v", (0, (6, 2))),
    ("#56B4E9", "P", (0, (1, 1, 4, 1))),
    ("#000000", "X", (0, (2, 2))),
)
NAME_LENGTH = 30
LEGEND_NAME_LENGTH = 40
# Names up to here fit twice beside each other into a column.
HALF_LINE = 16


class Display:
    """Axes, and what stands around them; `plot` of the subclasses draws."""

    def _begin(self, ax, *, height: float, width: float = COLUMN_WIDTH):
        """Return axes to draw in, one column wide unless the caller has some."""
        if ax is None:
            pyplot = import_optional(
                "matplotlib.pyplot", extra="plot", purpose=f"{type(self).__name__}.plot"
            )
            _, ax = pyplot.subplots(figsize=(width, height), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=SMALL, colors=INK)
        ax.set_axisbelow(True)
        return ax

    def _label(self, *, x: str | None = None, y: str | None = None) -> None:
        for set_label, text in ((self.ax_.set_xlabel, x), (self.ax_.set_ylabel, y)):
            if text is not None:
                set_label(text, fontsize=TEXT, color=INK, parse_math=False)

    def _add_legend(self, names: Sequence[str], handles, *, outside: bool) -> None:
        """Write names under the axes where the figure is ours, else in them."""
        self.legend_ = None
        if not names:
            return
        names = short_names(names, LEGEND_NAME_LENGTH)
        wide = max(map(len, names)) > HALF_LINE
        options = {"fontsize": SMALL, "labelcolor": INK, "handlelength": 2.8}
        if outside:
            self.legend_ = self.figure_.legend(
                handles,
                names,
                loc="outside lower left",
                ncols=1 if wide else 2,
                frameon=False,
                **options,
            )
        else:
            self.legend_ = self.ax_.legend(handles, names, **options)
        write_plainly(self.legend_.get_texts())


def results_of(selector: Any) -> TransferResults:
    """Return the table of a fitted selector."""
    check_is_fitted(selector, "results_")
    return selector.results_


def score_trio(
    results: TransferResults, metric: str | None
) -> tuple[str, np.ndarray, np.ndarray]:
    """Return a metric's name, or the first's, with its scores and standard errors."""
    name = results._metric(metric)
    score, std_error, _ = metric_columns(name)
    return name, results[score], results[std_error]


def score_label(metric: str | None) -> str:
    """What stands at an axis of scores."""
    return "score" if metric is None else f"{one_line(metric).replace('_', ' ')} score"


def short_names(names: Sequence[Any], length: int = NAME_LENGTH) -> list[str]:
    """Names that fit; those that would look alike show where they differ."""
    names = [one_line(str(name)) for name in names]
    short = {name: shorten(name, length, middle=True) for name in names}
    alike: dict[str, list[str]] = {}
    for name, brief in short.items():
        alike.setdefault(brief, []).append(name)
    for group in alike.values():
        if len(group) > 1:
            short |= _differences(group, length)
    return [short[name] for name in names]


def _differences(names: list[str], length: int) -> dict[str, str]:
    columns = zip(*names, strict=False)
    start = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))
    ends = {name: shorten(f"...{name[start:]}", length) for name in names}
    if len(set(ends.values())) == len(names):
        return ends
    return {
        name: f"{shorten(name, length - 4)} {number}"
        for number, name in enumerate(names, start=1)
    }


def as_curves(values: Any) -> np.ndarray:
    """Return values as one curve a row; a single curve may be one-dimensional."""
    return np.atleast_2d(np.asarray(values, dtype=float))


def fitting_size(ax, n_rows: int, *, axis: str = "y") -> float:
    """Size of text in points with which that many rows do not touch each other."""
    box = ax.get_window_extent()
    room = (box.height if axis == "y" else box.width) / ax.figure.dpi * 72
    # Axes lose room to what is written around them when the layout is made.
    return float(np.clip(0.7 * room / max(n_rows, 1), SMALLEST, SMALL))


def write_plainly(texts) -> None:
    """Take dollar signs in names for what they are."""
    for text in texts:
        text.set_parse_math(False)
