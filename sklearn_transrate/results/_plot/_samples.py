"""Score against the number of samples."""

from __future__ import annotations

import numpy as np
from scipy import stats
from sklearn.base import clone
from sklearn.utils import check_random_state

from sklearn_transrate._lib.labels import encode_labels
from sklearn_transrate._lib.sampling import stratified_subset
from sklearn_transrate._lib.sklearn_compat import _safe_indexing
from sklearn_transrate.results._plot._base import (
    LINE_STYLES,
    Display,
    as_curves,
    results_of,
    score_label,
    score_trio,
)
from sklearn_transrate.results._plot._features import by_name

__all__ = ["SampleSizeDisplay"]

# From a tenth of the samples to all of them.
N_SIZES, SMALLEST_SHARE = 6, 0.1


class SampleSizeDisplay(Display):
    """Scores and their intervals against the number of samples.

    Where curves have not levelled off, more samples would change the scores; where
    they cross, they would change the choice.

    Parameters
    ----------
    n_samples : array-like of shape (n_sizes,)
        Numbers of samples.
    scores : array-like of shape (n_sizes,) or (n_curves, n_sizes)
        The score at each; nan leaves a gap.
    std_errors : array-like of the same shape, default=None
        Standard errors of the scores, nan where unknown.
    names : sequence of str, default=None
        Names of the curves.
    score_name : str, default=None
        The metric, for the label of the axis.

    Attributes
    ----------
    lines_ : list of matplotlib Line2D
        The curves.
    fill_between_ : list of matplotlib PolyCollection
        Intervals of the curves whose standard errors are known.
    legend_ : matplotlib Legend or None
        Names of the curves, if they have some.
    ax_ : matplotlib Axes
        Axes with the picture.
    figure_ : matplotlib Figure
        Figure with the axes.

    See Also
    --------
    suggest_n_samples : How many would be enough.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_transrate import TransRate
    >>> from sklearn_transrate.results import SampleSizeDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> display = SampleSizeDisplay.from_estimator(
    ...     TransRate.from_form("predictive"), X, y, sizes=[200, 800], n_repeats=3
    ... )
    >>> bool(display.scores[0, 0] < display.scores[0, 1])
    True
    >>> plt.close(display.figure_)
    """

    def __init__(
        self, *, n_samples, scores, std_errors=None, names=None, score_name=None
    ):
        self.n_samples = n_samples
        self.scores = scores
        self.std_errors = std_errors
        self.names = names
        self.score_name = score_name

    @classmethod
    def from_estimator(
        cls,
        metric,
        X,
        y,
        *,
        sizes=None,
        n_repeats=10,
        random_state=0,
        ax=None,
        **plot_params,
    ):
        """Score subsamples of several sizes and draw that.

        Parameters
        ----------
        metric : TransferMetric or callable (X, y) -> float
            What to score by.
        X : array-like of shape (n_samples, n_features), or dict of them by name
            Features of one candidate, or of several for the same samples.
        y : array-like of shape (n_samples,)
            Target labels.
        sizes : array-like of int, default=None
            Numbers of samples; by default six, from a tenth to all.
        n_repeats : int, default=10
            Stratified subsamples of each size. Their spread is the interval.
        random_state : int, RandomState instance or None, default=0
            Draws the subsamples, the same for all candidates.
        ax : matplotlib Axes, default=None
            Where to draw; by default in a new figure, one column wide.
        **plot_params : dict
            Further parameters of `plot`.

        Returns
        -------
        display : SampleSizeDisplay
            What was drawn.

        Notes
        -----
        Subsamples of nearly all samples are nearly the same, so intervals at the
        right end are too short; with all samples there is none.
        """
        features, names = by_name(X)
        y = np.asarray(y)
        sizes = _checked_sizes(sizes, len(y))
        score = metric if not hasattr(metric, "fit") else clone(metric).score
        rng = check_random_state(random_state)
        codes = encode_labels(y)[1]
        means, spreads = np.full((2, len(features), len(sizes)), np.nan)
        for place, size in enumerate(sizes):
            n_draws = n_repeats if size < len(y) else 1
            draws = [stratified_subset(codes, size, rng) for _ in range(n_draws)]
            for curve, Z in enumerate(features):
                found = [score(_safe_indexing(Z, rows), y[rows]) for rows in draws]
                means[curve, place] = np.mean(found)
                if n_draws > 1:
                    spreads[curve, place] = np.std(found, ddof=1)
        display = cls(n_samples=sizes, scores=means, std_errors=spreads, names=names)
        return display.plot(ax, **plot_params)

    @classmethod
    def from_selector(
        cls, selector, X, y, *, sizes=None, metric=None, ax=None, **plot_params
    ):
        """Rank again on subsamples of several sizes and draw the best candidates.

        Parameters
        ----------
        selector : TransferSelector
            A fitted one. Copies of it are fitted with ``refit=False`` and each size
            as `max_samples`.
        X : array-like of shape (n_samples, n_features), or any inputs
            What the extractors take.
        y : array-like of shape (n_samples,)
            Target labels.
        sizes : array-like of int, default=None
            Numbers of samples; by default six, from a tenth to all.
        metric : str, default=None
            Whose scores; the first metric by default.
        ax : matplotlib Axes, default=None
            Where to draw; by default in a new figure, one column wide.
        **plot_params : dict
            Further parameters of `plot`.

        Returns
        -------
        display : SampleSizeDisplay
            What was drawn.
        """
        results_of(selector)
        tables = [
            clone(selector)
            .set_params(refit=False, max_samples=int(size))
            .fit(X, y)
            .results_
            for size in _checked_sizes(sizes, len(y))
        ]
        return cls.from_results(tables, metric=metric, ax=ax, **plot_params)

    @classmethod
    def from_results(cls, results, *, metric=None, ax=None, **plot_params):
        """Draw tables of the same candidates on different numbers of samples.

        Parameters
        ----------
        results : TransferResults or sequence of them
            One table for each number of samples, which is their ``n_samples``.
        metric : str, default=None
            Whose scores; the first metric by default.
        ax : matplotlib Axes, default=None
            Where to draw; by default in a new figure, one column wide.
        **plot_params : dict
            Further parameters of `plot`.

        Returns
        -------
        display : SampleSizeDisplay
            What was drawn: candidates of the largest run, best first.

        Raises
        ------
        ValueError
            If the candidates' numbers of samples are unknown.
        """
        tables = [results] if hasattr(results, "to_records") else list(results)
        trios = [score_trio(table, metric) for table in tables]
        cells = {}
        for table, (_, scores, errors) in zip(tables, trios, strict=True):
            rows = zip(
                table["candidate"], table["n_samples"], scores, errors, strict=True
            )
            cells |= {(name, n): (score, error) for name, n, score, error in rows}
        sizes = sorted({n for _, n in cells if not np.isnan(n)})
        if not sizes:
            raise ValueError(
                "The column 'n_samples' of these results is empty, so there is "
                "nothing to draw against. Fill it, or use from_estimator."
            )
        largest = max(tables, key=lambda table: np.nanmax([0, *table["n_samples"]]))
        names = largest.sort(metric)["candidate"].tolist()
        grid = np.array(
            [[cells.get((name, n), (np.nan, np.nan)) for n in sizes] for name in names]
        )
        display = cls(
            n_samples=np.array(sizes),
            scores=grid[..., 0],
            std_errors=grid[..., 1],
            names=names,
            score_name=trios[0][0],
        )
        return display.plot(ax, **plot_params)

    def plot(self, ax=None, *, confidence=0.95, max_candidates=7):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; by default in a new figure, one column wide.
        confidence : float, default=0.95
            Of the intervals.
        max_candidates : int, default=7
            How many of the first curves to draw, 7 at most.

        Returns
        -------
        display : SampleSizeDisplay
            This one.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed.
        """
        ours = ax is None
        scores = as_curves(self.scores)[: min(max_candidates, len(LINE_STYLES))]
        names = list(self.names or [])[: len(scores)]
        halves = np.full(scores.shape, np.nan)
        if self.std_errors is not None:
            width = stats.norm.isf((1 - confidence) / 2)
            halves = width * as_curves(self.std_errors)[: len(scores)]
        ax = self._begin(ax, height=2.4 + 0.15 * len(names))
        sizes = np.asarray(self.n_samples, dtype=float)
        self.lines_, self.fill_between_ = [], []
        for curve, half, style in zip(scores, halves, LINE_STYLES, strict=False):
            self._draw_curve(sizes, curve, half, style)
        self._scale(sizes)
        ax.grid(color="#d9d9d9", linewidth=0.5)
        self._label(x="samples", y=score_label(self.score_name))
        self._add_legend(names, self.lines_, outside=ours)
        return self

    def _draw_curve(self, sizes, scores, halves, style) -> None:
        colour, marker, dashes = style
        self.lines_ += self.ax_.plot(
            sizes,
            scores,
            color=colour,
            marker=marker,
            linestyle=dashes,
            markersize=3.5,
            linewidth=1.2,
        )
        if not np.isnan(halves).all():
            self.fill_between_.append(
                self.ax_.fill_between(
                    sizes,
                    scores - np.nan_to_num(halves),
                    scores + np.nan_to_num(halves),
                    color=colour,
                    alpha=0.15,
                    linewidth=0,
                )
            )

    def _scale(self, sizes) -> None:
        if sizes.max() < 5 * sizes.min():
            return
        self.ax_.set_xscale("log")
        # Powers of ten would leave one label or none.
        places = np.unique(np.linspace(0, len(sizes) - 1, 4).round().astype(int))
        self.ax_.set_xticks(sizes[places], [f"{size:,.0f}" for size in sizes[places]])
        self.ax_.minorticks_off()


def _checked_sizes(sizes, n: int) -> np.ndarray:
    if sizes is None:
        return np.unique(np.geomspace(SMALLEST_SHARE * n, n, N_SIZES).round()).astype(
            int
        )
    sizes = np.unique(np.asarray(sizes))
    if sizes.dtype.kind not in "iu" or not sizes.size or sizes[0] < 1 or sizes[-1] > n:
        raise ValueError(
            f"Expected 'sizes' as whole numbers from 1 to {n}, got {sizes.tolist()}."
        )
    return sizes
