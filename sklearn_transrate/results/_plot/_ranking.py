"""Scores of all candidates, best first, with intervals."""

from __future__ import annotations

import numpy as np
from scipy import stats

from sklearn_transrate.results._plot._base import (
    BLUE,
    GREY,
    INK,
    SMALL,
    Display,
    fitting_size,
    results_of,
    score_label,
    score_trio,
    short_names,
    write_plainly,
)

__all__ = ["RankingDisplay"]

ROW_HEIGHT, FRAME_HEIGHT = 0.15, 0.85  # inches
BAND = "#ececec"


class RankingDisplay(Display):
    """Scores of candidates, best first, with groups that cannot be told apart.

    One row for each candidate: its score as a dot, and an interval where its standard
    error is known. Every other group is shaded. A group holds the candidates that
    cannot be told apart from its first one; dots of the first group are filled.
    Candidates without a score are listed at the end.

    Parameters
    ----------
    candidates : array-like of str of shape (n_candidates,)
        Names, in the order in which they are drawn, best first.
    scores : array-like of shape (n_candidates,)
        Higher is better; nan is unknown.
    std_errors : array-like of shape (n_candidates,), default=None
        Standard errors of the scores, nan where unknown.
    rank_high : array-like of shape (n_candidates,), default=None
        The worst rank that each candidate may have, which says how far down its
        group goes. None compares standard errors, as if scores were independent.
    failed : array-like of bool of shape (n_candidates,), default=None
        Which candidates failed.
    score_name : str, default=None
        The metric, for the label of the axis.

    Attributes
    ----------
    points_ : matplotlib PathCollection
        The scores.
    intervals_ : matplotlib LineCollection
        The intervals.
    bands_ : list of matplotlib Patch
        Shading of every other group.
    texts_ : list of matplotlib Text
        What stands in place of a score.
    ax_ : matplotlib Axes
        Axes with the picture.
    figure_ : matplotlib Figure
        Figure with the axes.

    See Also
    --------
    TransferResults.compare : Two candidates, in numbers.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn_transrate.results import RankingDisplay, TransferResults
    >>> results = TransferResults({
    ...     "candidate": ["resnet", "vit", "bert"],
    ...     "score_logme": [-0.31, -0.25, -0.27],
    ...     "std_error_logme": [0.01, 0.02, 0.02],
    ... })
    >>> display = RankingDisplay.from_results(results)
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['vit', 'bert', 'resnet']
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        *,
        candidates,
        scores,
        std_errors=None,
        rank_high=None,
        failed=None,
        score_name=None,
    ):
        self.candidates = candidates
        self.scores = scores
        self.std_errors = std_errors
        self.rank_high = rank_high
        self.failed = failed
        self.score_name = score_name

    @classmethod
    def from_selector(cls, selector, *, metric=None, ax=None, **plot_params):
        """Draw the ranking of a fitted selector.

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
        display : RankingDisplay
            What was drawn.
        """
        return cls.from_results(
            results_of(selector), metric=metric, ax=ax, **plot_params
        )

    @classmethod
    def from_results(cls, results, *, metric=None, ax=None, **plot_params):
        """Draw the ranking of a table.

        Parameters
        ----------
        results : TransferResults
            The table. Its columns of standard errors and of ranks' bounds are used
            where they are there.
        metric : str, default=None
            Whose scores; the first metric by default.
        ax : matplotlib Axes, default=None
            Where to draw; by default in a new figure, one column wide.
        **plot_params : dict
            Further parameters of `plot`.

        Returns
        -------
        display : RankingDisplay
            What was drawn.
        """
        ordered = results.sort(metric)
        metric, scores, std_errors = score_trio(ordered, metric)
        bounds = f"rank_high_{metric}"
        display = cls(
            candidates=ordered["candidate"],
            scores=scores,
            std_errors=std_errors,
            rank_high=ordered[bounds] if bounds in ordered.columns else None,
            failed=ordered["status"] == "failed",
            score_name=metric,
        )
        return display.plot(ax, **plot_params)

    def plot(self, ax=None, *, confidence=0.95, max_candidates=50):
        """Draw the ranking.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; by default in a new figure, one column wide and as high as
            the candidates need.
        confidence : float, default=0.95
            Of the intervals, and of differences where `rank_high` is unknown.
        max_candidates : int, default=50
            How many to show; the last row counts the rest.

        Returns
        -------
        display : RankingDisplay
            This one.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed.
        """
        scores = np.asarray(self.scores, dtype=float)
        n_shown = min(len(scores), max_candidates)
        n_hidden = len(scores) - n_shown
        n_rows = n_shown + (n_hidden > 0)
        ours = ax is None
        ax = self._begin(ax, height=FRAME_HEIGHT + ROW_HEIGHT * max(n_rows, 1))
        width = stats.norm.isf((1 - confidence) / 2)
        errors = self._errors()
        groups = self._groups(scores, errors, width)[:n_shown]
        self._shade(groups)
        self._draw_scores(scores[:n_shown], width * errors[:n_shown], groups)
        size = fitting_size(ax, n_rows)
        self._write_missing(scores[:n_shown], size)
        labels = short_names(list(self.candidates)[:n_shown])
        labels += [f"... {n_hidden} more"] if n_hidden else []
        ax.set_yticks(range(n_rows), labels, fontsize=size)
        write_plainly(ax.get_yticklabels())
        ax.set_ylim(max(n_rows, 1) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x", color="#d9d9d9", linewidth=0.5)
        self._label(x=score_label(self.score_name))
        if ours and self.bands_:
            self.figure_.supxlabel(
                f"bars: {confidence:.0%} intervals; shades: cannot be told apart",
                fontsize=SMALL - 0.5,
                color=GREY,
            )
        return self

    def _errors(self) -> np.ndarray:
        if self.std_errors is None:
            return np.full(len(self.scores), np.nan)
        return np.asarray(self.std_errors, dtype=float)

    def _groups(self, scores, errors, width) -> np.ndarray:
        """Return the number of each candidate's group; -1 where it has none."""
        groups = np.full(len(scores), -1)
        last = self._last_alike(scores, errors, width)
        if last is None:
            return groups
        known = np.flatnonzero(np.isfinite(scores))
        group, end = -1, -1
        for place in known:
            if place > end:
                group, end = group + 1, last[place]
            groups[place] = group
        return groups

    def _last_alike(self, scores, errors, width) -> np.ndarray | None:
        """Return for each row the last one that cannot be told apart from it."""
        rows = np.arange(len(scores))
        if self.rank_high is not None and np.isfinite(self.rank_high).any():
            high = np.asarray(self.rank_high, dtype=float)
            return np.where(np.isfinite(high), high - 1, rows).astype(int)
        if np.isnan(errors).all():
            return None
        known = np.nan_to_num(errors)
        last = rows.copy()
        for row in np.flatnonzero(np.isfinite(scores)):
            gaps = scores[row] - scores
            alike = gaps <= width * np.hypot(known[row], known)
            last[row] = max(np.flatnonzero(alike & np.isfinite(scores)).max(), row)
        return last

    def _shade(self, groups) -> None:
        self.bands_ = [
            self.ax_.axhspan(
                np.flatnonzero(groups == group)[0] - 0.5,
                np.flatnonzero(groups == group)[-1] + 0.5,
                color=BAND,
                linewidth=0,
                zorder=0,
            )
            for group in range(0, groups.max(initial=-1) + 1, 2)
        ]

    def _draw_scores(self, scores, halves, groups) -> None:
        rows = np.flatnonzero(np.isfinite(scores))
        sure = rows[np.isfinite(halves[rows])]
        self.intervals_ = self.ax_.hlines(
            sure,
            scores[sure] - halves[sure],
            scores[sure] + halves[sure],
            color=INK,
            linewidth=0.9,
        )
        self.points_ = self.ax_.scatter(
            scores[rows],
            rows,
            s=16,
            linewidths=0.9,
            edgecolors=BLUE,
            c=[BLUE if groups[row] <= 0 else "white" for row in rows],
            zorder=3,
        )

    def _write_missing(self, scores, size) -> None:
        failed = self.failed if self.failed is not None else np.zeros(len(self.scores))
        self.texts_ = [
            self.ax_.text(
                0.01,
                row,
                _missing_word(scores[row], failed[row]),
                transform=self.ax_.get_yaxis_transform(),
                fontsize=size,
                fontstyle="italic",
                color=GREY,
                va="center",
            )
            for row in np.flatnonzero(~np.isfinite(scores))
        ]
        if len(self.texts_) == len(scores):
            self.ax_.set_xticks([])


def _missing_word(score, failed) -> str:
    if np.isinf(score):
        return "infinite" if score > 0 else "minus infinite"
    return "failed" if failed else "no score"
