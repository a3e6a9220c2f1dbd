"""TransRate against its distortion."""

from __future__ import annotations

import numpy as np
from sklearn.base import clone

from sklearn_transrate.results._plot._base import (
    LINE_STYLES,
    Display,
    as_curves,
)
from sklearn_transrate.results._plot._features import best_features, by_name

__all__ = ["EpsCurveDisplay"]

UNITS = {
    "absolute": "distortion eps",
    "trace": "distortion eps, in shares of the trace",
    "mean_eigenvalue": "distortion eps, in mean eigenvalues",
}


class EpsCurveDisplay(Display):
    """Scores of TransRate at many distortions, a curve for each candidate.

    A choice hangs on `eps` where curves cross. Markers show the scores at the
    distortion that the metric itself uses.

    Parameters
    ----------
    eps : array-like of shape (n_points,) or (n_curves, n_points)
        Distortions.
    scores : array-like of shape (n_points,) or (n_curves, n_points)
        The score at each.
    default_eps : float or array-like of shape (n_curves,), default=nan
        What the metric itself uses.
    eps_unit : str, default="absolute"
        What they are measured in, as `TransRate.eps_curve` says it.
    names : sequence of str, default=None
        Names of the curves.

    Attributes
    ----------
    lines_ : list of matplotlib Line2D
        The curves.
    defaults_ : list of matplotlib Line2D
        Markers at the metric's own distortion, where that is in the picture.
    legend_ : matplotlib Legend or None
        Names of the curves, if there are several.
    ax_ : matplotlib Axes
        Axes with the picture.
    figure_ : matplotlib Figure
        Figure with the axes.

    See Also
    --------
    TransRate.eps_curve : The numbers.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate import TransRate
    >>> from sklearn_transrate.results import EpsCurveDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> display = EpsCurveDisplay.from_estimator(
    ...     TransRate.from_form("relative"), {"all": X, "petals": X[:, 2:]}, y
    ... )
    >>> display.default_eps
    [0.1, 0.1]
    >>> plt.close(display.figure_)
    """

    def __init__(
        self, *, eps, scores, default_eps=np.nan, eps_unit="absolute", names=None
    ):
        self.eps = eps
        self.scores = scores
        self.default_eps = default_eps
        self.eps_unit = eps_unit
        self.names = names

    @classmethod
    def from_estimator(
        cls, metric, X, y, *, eps=None, eps_unit=None, ax=None, **plot_params
    ):
        """Score features at many distortions and draw that.

        Parameters
        ----------
        metric : TransRate
            It is cloned and fitted to each of the features.
        X : array-like of shape (n_samples, n_features), or dict of them by name
            Features of one candidate, or of several.
        y : array-like of shape (n_samples,)
            Target labels.
        eps : array-like of shape (n_points,), default=None
            Distortions; by default around the metric's own.
        eps_unit : str, default=None
            What they are measured in; by default the metric's own unit.
        ax : matplotlib Axes, default=None
            Where to draw; by default in a new figure, one column wide.
        **plot_params : dict
            Further parameters of `plot`.

        Returns
        -------
        display : EpsCurveDisplay
            What was drawn.
        """
        features, names = by_name(X)
        fits = [clone(metric).fit(Z, y) for Z in features]
        if eps_unit is None and len(fits) > 1:
            # One axis has one unit, whatever each curve would take for itself.
            eps_unit = fits[0].eps_curve([1.0]).eps_unit
        curves = [fit.eps_curve(eps, eps_unit=eps_unit) for fit in fits]
        display = cls(
            eps=[curve.eps for curve in curves],
            scores=[curve.scores for curve in curves],
            default_eps=[curve.default_eps for curve in curves],
            eps_unit=curves[0].eps_unit,
            names=names,
        )
        return display.plot(ax, **plot_params)

    @classmethod
    def from_selector(
        cls,
        selector,
        X,
        y,
        *,
        max_candidates=3,
        eps=None,
        eps_unit=None,
        ax=None,
        **plot_params,
    ):
        """Extract features of the best candidates again and draw their curves.

        Parameters
        ----------
        selector : TransferSelector
            A fitted one that decided by TransRate.
        X : array-like of shape (n_samples, n_features), or any inputs
            What the extractors take.
        y : array-like of shape (n_samples,)
            Target labels.
        max_candidates : int, default=3
            How many of the best, 7 at most.
        eps : array-like of shape (n_points,), default=None
            Distortions; by default around the metric's own.
        eps_unit : str, default=None
            What they are measured in; by default the metric's own unit.
        ax : matplotlib Axes, default=None
            Where to draw; by default in a new figure, one column wide.
        **plot_params : dict
            Further parameters of `plot`.

        Returns
        -------
        display : EpsCurveDisplay
            What was drawn.

        Raises
        ------
        TypeError
            If the selector decided by a metric without distortions.
        """
        features = best_features(selector, X, max_candidates)
        if not hasattr(selector.scorer_, "eps_curve"):
            raise TypeError(
                "Expected a selector that decided by TransRate, got one that did by "
                f"{selector.scorer_!r}, which has no 'eps_curve'. Use "
                "EpsCurveDisplay.from_estimator(TransRate(), features, y)."
            )
        return cls.from_estimator(
            selector.scorer_,
            features,
            y,
            eps=eps,
            eps_unit=eps_unit,
            ax=ax,
            **plot_params,
        )

    def plot(self, ax=None):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; by default in a new figure, one column wide.

        Returns
        -------
        display : EpsCurveDisplay
            This one.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed.
        """
        ours = ax is None
        scores = as_curves(self.scores)
        eps = np.broadcast_to(as_curves(self.eps), scores.shape)
        defaults = np.broadcast_to(np.atleast_1d(self.default_eps), len(scores))
        names = list(self.names or [])
        ax = self._begin(ax, height=2.4 + 0.15 * len(names))
        self.lines_, self.defaults_ = [], []
        for place, curve in enumerate(zip(eps, scores, defaults, strict=True)):
            self._draw_curve(*curve, LINE_STYLES[place % len(LINE_STYLES)])
        ax.set_xscale("log")
        ax.grid(color="#d9d9d9", linewidth=0.5)
        self._label(x=UNITS.get(self.eps_unit, self.eps_unit), y="TransRate, nats")
        self._add_legend(names, self.lines_, outside=ours)
        return self

    def _draw_curve(self, eps, scores, default, style) -> None:
        colour, marker, dashes = style
        order = np.argsort(eps)
        eps, scores = eps[order], scores[order]
        self.lines_ += self.ax_.plot(
            eps, scores, color=colour, linestyle=dashes, linewidth=1.2
        )
        if eps[0] <= default <= eps[-1]:
            own = np.interp(np.log(default), np.log(eps), scores)
            self.defaults_ += self.ax_.plot(
                default, own, color=colour, marker=marker, markersize=5, linestyle=""
            )
