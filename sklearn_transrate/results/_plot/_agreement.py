"""How far the rankings by several metrics agree."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
from scipy import stats

from sklearn_transrate._lib.text import nearest_names
from sklearn_transrate.results._plot._base import (
    COLUMN_WIDTH,
    SMALL,
    Display,
    fitting_size,
    results_of,
    short_names,
    write_plainly,
)

__all__ = ["MetricAgreementDisplay"]

STATISTICS = {
    "weighted_kendall": (stats.weightedtau, "weighted Kendall's tau"),
    "kendall": (stats.kendalltau, "Kendall's tau"),
    "spearman": (stats.spearmanr, "Spearman's rho"),
    "pearson": (stats.pearsonr, "Pearson's r"),
}
# Numbers need this many points to be read.
LEAST_READABLE = 4.0
# How many times as wide as its letters are high a cell must be, for "-.25".
CELL_SIZES = 2.8
CELL = 0.24  # inches


class MetricAgreementDisplay(Display):
    """Correlations between rankings by several metrics.

    Parameters
    ----------
    metrics : sequence of str
        What was compared.
    agreement : array-like of shape (n_metrics, n_metrics)
        Correlations between -1 and 1; nan where too few candidates have both.
    statistic : str, default="weighted_kendall"
        What they measure.

    Attributes
    ----------
    image_ : matplotlib AxesImage
        The matrix.
    text_ : ndarray of matplotlib Text or None
        The numbers in it; None where there is no room for them.
    colorbar_ : matplotlib Colorbar
        What the colours mean.
    ax_ : matplotlib Axes
        Axes with the picture.
    figure_ : matplotlib Figure
        Figure with the axes.

    See Also
    --------
    RankingDisplay : One ranking in detail.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn_transrate.results import MetricAgreementDisplay, TransferResults
    >>> results = TransferResults({
    ...     "candidate": ["a", "b", "c"],
    ...     "score_logme": [0.1, 0.2, 0.3],
    ...     "score_lfc": [0.1, 0.3, 0.2],
    ... })
    >>> display = MetricAgreementDisplay.from_results(results, statistic="kendall")
    >>> display.agreement.round(2)
    array([[1.  , 0.33],
           [0.33, 1.  ]])
    >>> plt.close(display.figure_)
    """

    def __init__(self, *, metrics, agreement, statistic="weighted_kendall"):
        self.metrics = metrics
        self.agreement = agreement
        self.statistic = statistic

    @classmethod
    def from_selector(
        cls,
        selector,
        *,
        metrics=None,
        statistic="weighted_kendall",
        ax=None,
        **plot_params,
    ):
        """Draw how far the metrics of a fitted selector agree.

        Parameters
        ----------
        selector : TransferSelector
            A fitted one, with several metrics as its `scoring`.
        metrics : sequence of str, default=None
            Which to compare; by default all.
        statistic : {"weighted_kendall", "kendall", "spearman", "pearson"}, \
default="weighted_kendall"
            How to compare them; see `from_results`.
        ax : matplotlib Axes, default=None
            Where to draw; by default in a new figure.
        **plot_params : dict
            Further parameters of `plot`.

        Returns
        -------
        display : MetricAgreementDisplay
            What was drawn.
        """
        return cls.from_results(
            results_of(selector),
            metrics=metrics,
            statistic=statistic,
            ax=ax,
            **plot_params,
        )

    @classmethod
    def from_results(
        cls,
        results,
        *,
        metrics=None,
        statistic="weighted_kendall",
        ax=None,
        **plot_params,
    ):
        """Draw how far the metrics of a table agree.

        Parameters
        ----------
        results : TransferResults
            The table.
        metrics : sequence of str, default=None
            Which to compare; by default all. Other columns of numbers, such as
            ``"accuracy"``, may be named as well.
        statistic : {"weighted_kendall", "kendall", "spearman", "pearson"}, \
default="weighted_kendall"
            How to compare them. The first is Kendall's with more weight on the top
            ranks; the last compares the scores themselves.
        ax : matplotlib Axes, default=None
            Where to draw; by default in a new figure.
        **plot_params : dict
            Further parameters of `plot`.

        Returns
        -------
        display : MetricAgreementDisplay
            What was drawn.

        Raises
        ------
        ValueError
            If `statistic` is none of these, or a column is unknown or holds text.
        """
        if statistic not in STATISTICS:
            raise ValueError(
                f"Expected 'statistic' to be one of {list(STATISTICS)}, got "
                f"{statistic!r}."
            )
        names = list(results.metrics if metrics is None else metrics)
        columns = [_numbers(results, name) for name in names]
        agreement = correlate(columns, STATISTICS[statistic][0])
        display = cls(metrics=names, agreement=agreement, statistic=statistic)
        return display.plot(ax, **plot_params)

    def plot(self, ax=None, *, cmap="PuOr"):
        """Draw the matrix.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; by default in a new figure, one column wide and wider
            where there are more metrics than fit.
        cmap : str or matplotlib Colormap, default="PuOr"
            Colours from -1 to 1.

        Returns
        -------
        display : MetricAgreementDisplay
            This one.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed.
        """
        n = len(self.metrics)
        width = max(COLUMN_WIDTH, CELL * n + 1.6)
        ax = self._begin(ax, height=width - 0.4, width=width)
        agreement = np.asarray(self.agreement, dtype=float)
        self.image_ = ax.imshow(agreement, cmap=cmap, vmin=-1, vmax=1)
        ax.spines[:].set_visible(False)
        names = short_names([str(name).replace("_", " ") for name in self.metrics], 24)
        size = fitting_size(ax, n)
        ax.set_xticks(
            range(n),
            names,
            rotation=45,
            ha="right",
            rotation_mode="anchor",
            fontsize=size,
        )
        ax.set_yticks(range(n), names, fontsize=size)
        write_plainly([*ax.get_xticklabels(), *ax.get_yticklabels()])
        self.colorbar_ = self.figure_.colorbar(self.image_, ax=ax, shrink=0.75)
        label = STATISTICS.get(self.statistic, (None, self.statistic))[1]
        self.colorbar_.set_label(label, fontsize=SMALL)
        self.colorbar_.ax.tick_params(labelsize=SMALL)
        # Cells have their size only when everything else has its place.
        self.figure_.draw_without_rendering()
        cell = ax.get_window_extent().width / max(n, 1) / self.figure_.dpi * 72
        self.text_ = self._write_numbers(agreement, min(cell / CELL_SIZES, SMALL))
        return self

    def _write_numbers(self, agreement, size) -> np.ndarray | None:
        if size < LEAST_READABLE:
            return None
        texts = np.empty(agreement.shape, dtype=object)
        for (row, column), value in np.ndenumerate(agreement):
            texts[row, column] = self.ax_.text(
                column,
                row,
                _short_number(value),
                ha="center",
                va="center",
                fontsize=size,
                color=_readable(self.image_.to_rgba(value)),
            )
        return texts


def correlate(columns, function) -> np.ndarray:
    """Correlations of all pairs, each over the rows where both have a number."""
    agreement = np.full((len(columns), len(columns)), np.nan)
    for i, column in enumerate(columns):
        if np.unique(column[np.isfinite(column)]).size > 1:
            agreement[i, i] = 1.0
    for i, j in combinations(range(len(columns)), 2):
        both = np.isfinite(columns[i]) & np.isfinite(columns[j])
        a, b = columns[i][both], columns[j][both]
        if np.unique(a).size > 1 and np.unique(b).size > 1:
            agreement[i, j] = agreement[j, i] = function(a, b)[0]
    return agreement


def _numbers(results, name) -> np.ndarray:
    column = f"score_{name}" if name in results.metrics else name
    if column not in results.columns:
        known = [*results.metrics, *results.columns]
        raise ValueError(
            f"There is no metric or column {name!r}; {nearest_names(name, known)}."
        )
    if results[column].dtype == object:
        raise ValueError(f"Column {name!r} holds text; compare columns of numbers.")
    return results[column].astype(float)


def _short_number(value: float) -> str:
    """Two decimals without the zero before them, or a dash."""
    if np.isnan(value):
        return "-"
    if abs(value) < 0.005:
        return "0"
    return re.sub(r"^(-?)0\.", r"\1.", f"{value:.2f}").removesuffix(".00")


def _readable(colour) -> str:
    """Black on light colours, or none, and white on dark ones."""
    red, green, blue, alpha = colour
    if alpha == 0:
        return "black"
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"
