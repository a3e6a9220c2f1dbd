"""Score along depth: every model a line, every layer a point."""

from __future__ import annotations

import numpy as np

from sklearn_transrate.results._plot._base import (
    INK,
    LINE_STYLES,
    SMALL,
    Display,
    results_of,
    score_label,
    score_trio,
    short_names,
    write_plainly,
)

__all__ = ["LayerDisplay"]

PALE = "#bdbdbd"
# Up to here every layer has room for its name.
MOST_NAMED_LAYERS = 12


class LayerDisplay(Display):
    """Score along the depth of each model.

    Every extractor is a line through the scores of its layers, in the order in which
    it lists them; one without layers is a level line. The best layer of all is ringed.

    Parameters
    ----------
    extractors : array-like of str of shape (n_candidates,)
        Name of each candidate's extractor.
    layers : array-like of str or None of shape (n_candidates,)
        Name of each candidate's layer, from the first to the last.
    scores : array-like of shape (n_candidates,)
        Higher is better; nan leaves a gap.
    std_errors : array-like of shape (n_candidates,), default=None
        Standard errors of the scores, nan where unknown.
    score_name : str, default=None
        The metric, for the label of the axis.

    Attributes
    ----------
    lines_ : list of matplotlib Line2D
        One for each extractor that has a score, best first.
    error_bars_ : list of matplotlib LineCollection
        Standard errors, one unit up and down, where known.
    best_ : matplotlib Line2D or None
        The ring around the best layer; None if nothing has a score.
    legend_ : matplotlib Legend or None
        Names of the extractors.
    ax_ : matplotlib Axes
        Axes with the picture.
    figure_ : matplotlib Figure
        Figure with the axes.

    See Also
    --------
    RankingDisplay : All candidates under each other.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn_transrate.results import LayerDisplay
    >>> display = LayerDisplay(
    ...     extractors=["net", "net", "net"],
    ...     layers=["stem", "block1", "block2"],
    ...     scores=[0.11, 0.25, 0.22],
    ...     score_name="transrate",
    ... ).plot()
    >>> display.best_.get_xdata()
    array([2.])
    >>> plt.close(display.figure_)
    """

    def __init__(self, *, extractors, layers, scores, std_errors=None, score_name=None):
        self.extractors = extractors
        self.layers = layers
        self.scores = scores
        self.std_errors = std_errors
        self.score_name = score_name

    @classmethod
    def from_selector(cls, selector, *, metric=None, ax=None, **plot_params):
        """Draw the layers of a fitted selector's candidates.

        Parameters
        ----------
        selector : TransferSelector
            A fitted one.
        metric : str, default=None
            Whose scores; the first metric by default.
        ax : matplotlib Axes, default=None
            Where to draw; by default in a new figure, one column wide.
        **plot_params : dict
            Further parameters of `plot`.

        Returns
        -------
        display : LayerDisplay
            What was drawn.
        """
        return cls.from_results(
            results_of(selector), metric=metric, ax=ax, **plot_params
        )

    @classmethod
    def from_results(cls, results, *, metric=None, ax=None, **plot_params):
        """Draw the layers of a table's candidates.

        Parameters
        ----------
        results : TransferResults
            The table. A candidate without an extractor stands for itself.
        metric : str, default=None
            Whose scores; the first metric by default.
        ax : matplotlib Axes, default=None
            Where to draw; by default in a new figure, one column wide.
        **plot_params : dict
            Further parameters of `plot`.

        Returns
        -------
        display : LayerDisplay
            What was drawn.
        """
        metric, scores, std_errors = score_trio(results, metric)
        extractors = results["extractor"]
        display = cls(
            extractors=np.where(extractors == "", results["candidate"], extractors),
            layers=results["layer"],
            scores=scores,
            std_errors=std_errors,
            score_name=metric,
        )
        return display.plot(ax, **plot_params)

    def plot(self, ax=None, *, depth="auto", max_extractors=7, legend=True):
        """Draw the lines.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; by default in a new figure, one column wide.
        depth : {"auto", "index", "relative"}, default="auto"
            What the horizontal axis counts: layers, or their share of the model's
            depth. "auto" counts layers if all models have the same number.
        max_extractors : int, default=7
            How many of the best have a colour and a name, 7 at most; the others are
            grey.
        legend : bool, default=True
            Whether to name the extractors.

        Returns
        -------
        display : LayerDisplay
            This one.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed.
        """
        if depth not in ("auto", "index", "relative"):
            raise ValueError(
                f"Expected 'depth' to be 'auto', 'index' or 'relative', got {depth!r}."
            )
        ours = ax is None
        self._rows = self._rows_by_extractor()
        names = self._names_best_first()
        n_named = min(max_extractors, len(LINE_STYLES))
        n_lines = min(len(names), n_named + 1) if legend else 0
        ax = self._begin(ax, height=2.4 + 0.15 * n_lines)
        sizes = {len(rows) for rows in self._rows.values() if len(rows) > 1}
        relative = depth == "relative" or (depth == "auto" and len(sizes) > 1)
        self._place(relative, max(sizes, default=1))
        self.lines_, self.error_bars_ = [], []
        for place, name in enumerate(names):
            self._draw_line(name, place if place < n_named else None)
        self._ring_best()
        ax.grid(axis="y", color="#d9d9d9", linewidth=0.5)
        self._label(y=score_label(self.score_name))
        shown = names[:n_named]
        handles = self.lines_[: len(shown)]
        if len(names) > n_named:
            shown = [*shown, f"{len(names) - n_named} others"]
            handles = [*handles, self.lines_[n_named]]
        self._add_legend(shown if legend else [], handles, outside=ours)
        return self

    def _rows_by_extractor(self) -> dict[str, np.ndarray]:
        names = np.asarray(self.extractors, dtype=object)
        return {name: np.flatnonzero(names == name) for name in dict.fromkeys(names)}

    def _names_best_first(self) -> list[str]:
        """Return the extractors that have a score, from the best layer's down."""
        scores = np.asarray(self.scores, dtype=float)
        best = {
            name: np.nanmax(scores[rows])
            for name, rows in self._rows.items()
            if not np.isnan(scores[rows]).all()
        }
        return sorted(best, key=best.__getitem__, reverse=True)

    def _place(self, relative: bool, most: int) -> None:
        """Set where each candidate stands, and what the axis says of it."""
        ax = self.ax_
        self._x = np.empty(len(self.scores))
        for rows in self._rows.values():
            steps = np.arange(len(rows))
            self._x[rows] = steps / max(len(rows) - 1, 1) if relative else steps + 1.0
        self._edges = (0.0, 1.0) if relative else (1.0, max(most, 2))
        if relative:
            self._label(x="relative depth (0 first layer, 1 last)")
            return
        self._label(x="layer")
        names = self._shared_layers()
        if names is None or len(names) > MOST_NAMED_LAYERS:
            ax.xaxis.get_major_locator().set_params(integer=True)
            return
        short = short_names(names, 20)
        turned = max(map(len, short)) * len(short) > 40
        ax.set_xticks(
            range(1, len(names) + 1),
            short,
            fontsize=SMALL,
            rotation=45 if turned else 0,
            ha="right" if turned else "center",
            rotation_mode="anchor",
        )
        write_plainly(ax.get_xticklabels())

    def _shared_layers(self) -> list[str] | None:
        """Return the layers' names if all layered extractors have the same."""
        layers = np.asarray(self.layers, dtype=object)
        lists = {tuple(layers[rows]) for rows in self._rows.values() if len(rows) > 1}
        if len(lists) != 1 or None in (only := lists.pop()):
            return None
        return list(only)

    def _draw_line(self, name: str, place: int | None) -> None:
        rows = self._rows[name]
        x, scores = self._x[rows], np.asarray(self.scores, dtype=float)[rows]
        colour, marker, dashes = PALE, "", "-"
        if place is not None:
            # Few models look the same in pictures by several metrics.
            few = len(self._rows) <= len(LINE_STYLES)
            style = list(self._rows).index(name) if few else place
            colour, marker, dashes = LINE_STYLES[style]
        if len(rows) == 1:
            x, scores, marker = self._edges, [scores[0]] * 2, ""
        self.lines_ += self.ax_.plot(
            x,
            scores,
            color=colour,
            marker=marker,
            linestyle=dashes,
            markersize=3.5,
            linewidth=1.2 if place is not None else 0.6,
            zorder=1 if place is None else 3 - 0.1 * place,
        )
        errors = None
        if self.std_errors is not None and place is not None:
            errors = np.asarray(self.std_errors, dtype=float)[rows]
        if errors is not None and len(rows) > 1 and not np.isnan(errors).all():
            self.error_bars_.append(
                self.ax_.vlines(
                    x, scores - errors, scores + errors, color=colour, linewidth=0.8
                )
            )

    def _ring_best(self) -> None:
        scores = np.asarray(self.scores, dtype=float)
        self.best_ = None
        if np.isnan(scores).all():
            return
        row = int(np.nanargmax(scores))
        (self.best_,) = self.ax_.plot(
            self._x[[row]],
            scores[[row]],
            marker="o",
            markersize=9,
            markerfacecolor="none",
            markeredgecolor=INK,
            linestyle="",
            zorder=4,
        )
