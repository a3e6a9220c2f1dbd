"""What each class contributes to a score, and which classes are confused."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from sklearn.base import clone

from sklearn_transrate._lib.sklearn_compat import _safe_indexing
from sklearn_transrate.results._plot._base import (
    BLUE,
    GREY,
    INK,
    Display,
    fitting_size,
    results_of,
    short_names,
    write_plainly,
)
from sklearn_transrate.results._plot._features import best_features

__all__ = ["ClassRateDisplay"]

ROW_HEIGHT, FRAME_HEIGHT = 0.16, 0.75  # inches
LABEL_LENGTH = 24
# Pairs whose means are nearest are scored, this many for each that is shown.
PAIRS_PER_SHOWN = 5


class ClassRateDisplay(Display):
    """What each class contributes to TransRate, or which pairs of classes it confuses.

    Contributions add up to the score. A low one is of a rare class, or of one that
    spreads as widely as all samples together.

    Parameters
    ----------
    classes : array-like of shape (n_classes,)
        Labels.
    contributions : array-like of shape (n_classes,)
        What each adds to the score, in nats.
    pairs : sequence of (label, label), default=()
        Pairs of classes.
    pair_scores : array-like of shape (n_pairs,), default=()
        Nats that it saves to know which of the two a sample is of, with one
        covariance for both: low where the two are alike.

    Attributes
    ----------
    bars_ : matplotlib BarContainer
        The bars.
    ax_ : matplotlib Axes
        Axes with the picture.
    figure_ : matplotlib Figure
        Figure with the axes.

    See Also
    --------
    TransRate : Its `parts_` are the numbers.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate import TransRate
    >>> from sklearn_transrate.results import ClassRateDisplay
    >>> iris = load_iris()
    >>> labels = iris.target_names[iris.target]
    >>> metric = TransRate()
    >>> display = ClassRateDisplay.from_estimator(metric, iris.data, labels)
    >>> bool(abs(display.contributions.sum() - metric.score(iris.data, labels)) < 1e-9)
    True
    >>> display.pairs[0]
    ('versicolor', 'virginica')
    >>> plt.close(display.figure_)
    """

    def __init__(self, *, classes, contributions, pairs=(), pair_scores=()):
        self.classes = classes
        self.contributions = contributions
        self.pairs = pairs
        self.pair_scores = pair_scores

    @classmethod
    def from_estimator(cls, metric, X, y, *, n_pairs=10, ax=None, **plot_params):
        """Score features by class and draw that.

        Parameters
        ----------
        metric : TransRate
            It is cloned and fitted.
        X : array-like of shape (n_samples, n_features)
            Features of one candidate.
        y : array-like of shape (n_samples,)
            Target class labels.
        n_pairs : int, default=10
            How many pairs of classes to find. Each of the five times as many pairs
            whose means are nearest is scored by itself.
        ax : matplotlib Axes, default=None
            Where to draw; by default in a new figure, one column wide.
        **plot_params : dict
            Further parameters of `plot`.

        Returns
        -------
        display : ClassRateDisplay
            What was drawn.

        Raises
        ------
        TypeError
            If the metric does not say what each class contributes.
        """
        fitted = clone(metric).fit(X, y)
        contributions = _contributions(fitted)
        pairs, pair_scores = _confused_pairs(fitted, X, np.asarray(y), n_pairs)
        display = cls(
            classes=fitted.classes_,
            contributions=contributions,
            pairs=pairs,
            pair_scores=pair_scores,
        )
        return display.plot(ax, **plot_params)

    @classmethod
    def from_selector(cls, selector, X, y, *, n_pairs=10, ax=None, **plot_params):
        """Extract features of the best candidate again and draw its classes.

        Parameters
        ----------
        selector : TransferSelector
            A fitted one that decided by TransRate.
        X : array-like of shape (n_samples, n_features), or any inputs
            What the extractors take.
        y : array-like of shape (n_samples,)
            Target class labels.
        n_pairs : int, default=10
            How many pairs of classes to find.
        ax : matplotlib Axes, default=None
            Where to draw; by default in a new figure, one column wide.
        **plot_params : dict
            Further parameters of `plot`.

        Returns
        -------
        display : ClassRateDisplay
            What was drawn.
        """
        results_of(selector)
        (features,) = best_features(selector, X, 1).values()
        return cls.from_estimator(
            selector.scorer_, features, y, n_pairs=n_pairs, ax=ax, **plot_params
        )

    def plot(self, ax=None, *, kind="classes", max_rows=20):
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; by default in a new figure, one column wide.
        kind : {"classes", "pairs"}, default="classes"
            Whether to draw what each class contributes, or the pairs that are hardest
            to tell apart.
        max_rows : int, default=20
            How many of the lowest to show.

        Returns
        -------
        display : ClassRateDisplay
            This one.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed.
        """
        if kind not in ("classes", "pairs"):
            raise ValueError(
                f"Expected 'kind' to be 'classes' or 'pairs', got {kind!r}."
            )
        if kind == "classes":
            names, values = list(self.classes), self.contributions
            names = short_names(names, LABEL_LENGTH)
            label = "contribution, nats"
        else:
            labels = list(dict.fromkeys(label for pair in self.pairs for label in pair))
            short = short_names(labels, LABEL_LENGTH // 2)
            brief = dict(zip(labels, short, strict=True))
            names = [f"{brief[a]} / {brief[b]}" for a, b in self.pairs]
            values, label = self.pair_scores, "told apart by, nats"
        values = np.asarray(values, dtype=float)
        order = np.argsort(values, kind="stable")[:max_rows]
        self._draw_bars(ax, [names[row] for row in order], values[order])
        hidden = len(values) - len(order)
        more = f"\n({len(order)} lowest of {len(values)})" if hidden else ""
        self._label(x=label + more)
        return self

    def _draw_bars(self, ax, names, values) -> None:
        n_rows = max(len(names), 1)
        ax = self._begin(ax, height=FRAME_HEIGHT + ROW_HEIGHT * n_rows)
        self.bars_ = ax.barh(range(len(names)), values, color=BLUE, height=0.65)
        size = fitting_size(ax, n_rows)
        ax.set_yticks(range(len(names)), names, fontsize=size)
        write_plainly(ax.get_yticklabels())
        ax.set_ylim(n_rows - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x", color="#d9d9d9", linewidth=0.5)
        ax.axvline(0, color=INK, linewidth=0.8)
        if not names:
            ax.text(0.5, 0.5, "none", ha="center", transform=ax.transAxes, color=GREY)


def _contributions(fitted) -> np.ndarray:
    parts = getattr(fitted, "parts_", {})
    if "class_gains" in parts:
        return np.asarray(parts["class_gains"])
    if "class_rates" not in parts:
        raise TypeError(
            "Expected a TransRate of class labels in which each class is coded by "
            f"itself, got {fitted!r}, whose parts are {list(parts)}."
        )
    counts = np.asarray(parts["class_counts"], dtype=float)
    weights = counts / counts.sum()
    if fitted.class_weight == "uniform":
        weights = np.full(len(counts), 1 / len(counts))
    # The total rate times weights that add up to 1, so that the sum is the score.
    return weights * (parts["rate"] - parts["class_rates"])


def _confused_pairs(fitted, X, y, n_pairs):
    """Return the pairs that score lowest, of those whose means are nearest."""
    pairs = _nearest_pairs(X, y, fitted.classes_, PAIRS_PER_SHOWN * n_pairs)
    # The plain form codes classes about a mean that they share, which hides how far
    # apart they lie; the pooled one tells. All at the distortion of all samples.
    metric = clone(fitted).set_params(
        covariance="pooled",
        estimate="plug_in",
        projection=None,
        normalize=None,
        eps=fitted.parts_["eps"],
        eps_unit="absolute",
    )
    scores = []
    for pair in pairs:
        rows = np.flatnonzero(np.isin(y, pair))
        scores.append(metric.score(_safe_indexing(X, rows), y[rows]))
    order = np.argsort(scores, kind="stable")[:n_pairs]
    return [pairs[place] for place in order], np.array(scores)[order]


def _nearest_pairs(X, y, classes, most):
    means = np.array(
        [
            np.ravel(_safe_indexing(X, np.flatnonzero(y == label)).mean(axis=0))
            for label in classes
        ]
    )
    distances = {
        (i, j): float(np.linalg.norm(means[i] - means[j]))
        for i, j in combinations(range(len(classes)), 2)
    }
    labels = np.asarray(classes).tolist()
    nearest = sorted(distances, key=distances.__getitem__)[:most]
    return [(labels[i], labels[j]) for i, j in nearest]
