"""Leave-one-out nearest neighbours: do rows of a class lie beside one another?

Fix, E., & Hodges, J. L. (1951); Cover, T. M., & Hart, P. E. (1967). Needs the rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import NamedTuple

import numpy as np

from sklearn_transrate.metrics._base import MetricResult
from sklearn_transrate.metrics._row_metric import (
    LabelledRows,
    RowMetric,
    r2_of_predictions,
)

__all__ = ["NearestNeighborsProbe", "nearest_neighbors_score"]

METRICS = ("cosine", "euclidean")
# Squared distances at a time: 32 MB of them, whatever the number of rows.
BLOCK_SIZE = 2**22
# Distances that differ by less, relative to the rows' lengths, are equal; so are
# votes. Rounding must not choose between neighbours.
TIE = 1e-12
VOTE_TIE = 1e-9


# -- kernels -------------------------------------------------------------------


def _prepared(rows: LabelledRows, metric: str) -> np.ndarray:
    """Return float64 rows whose Euclidean distances order neighbours by `metric`.

    Rows of unit length differ by ``|u - v|^2 = 2 (1 - cos)``. Centring changes no
    distance and keeps the digits that a large common offset would take.
    """
    if metric == "euclidean":
        return rows.centred()
    units = rows.X.astype(np.float64)
    largest = np.abs(units).max(axis=1, keepdims=True)
    empty = largest[:, 0] == 0
    units /= np.where(largest > 0, largest, 1.0)
    units /= np.sqrt(np.einsum("ij,ij->i", units, units) + empty)[:, None]
    if empty.any():  # a zero row is at right angles to all others
        units = np.hstack([units, empty[:, None].astype(float)])
    return units - units.mean(axis=0)


class _Neighbours(NamedTuple):
    """Pairs of a left-out row and a neighbour, for one block of rows."""

    block: slice
    row: np.ndarray  # position in the block
    neighbour: np.ndarray
    share: np.ndarray  # weight of the neighbour's vote
    squares: np.ndarray  # squared distance
    tolerance: np.ndarray  # of the squared distances of each row of the block


def _neighbours(points, weights, n_neighbors) -> Iterator[_Neighbours]:
    """Yield the nearest other rows of each row.

    Rows that are as far as the last neighbour share what is left of its votes, so
    that the order of the rows does not matter. A weighted row counts as so many rows
    at one place, and one of them is left out.
    """
    n = len(points)
    norms = np.einsum("ij,ij->i", points, points)
    left_out = np.minimum(weights, 1.0)
    wanted = np.minimum(n_neighbors, weights.sum() - left_out)
    is_weighted = (weights != 1.0).any()
    step = max(1, BLOCK_SIZE // n)
    for start in range(0, n, step):
        block = slice(start, min(start + step, n))
        squares = points[block] @ points.T
        squares *= -2.0
        squares += norms
        squares += norms[block, None]
        own = np.arange(start, block.stop)
        squares[own - start, own] = 0.0 if is_weighted else np.inf
        if is_weighted:
            last = _last_by_weight(squares, weights, left_out, wanted, own)
        else:
            k = int(wanted[0]) - 1
            last = np.partition(squares, k, axis=1)[:, k]
        # A neighbour's length is at most the row's own plus the distance.
        tolerance = TIE * (3.0 * norms[block] + 2.0 * last)
        i, j = np.nonzero(squares <= (last + tolerance)[:, None])
        found = np.maximum(squares[i, j], 0.0)
        share = weights[j] - np.where(i + start == j, left_out[j], 0.0)
        tied = found >= (last - tolerance)[i]
        nearer = np.bincount(i, share * ~tied, minlength=len(own))
        level = np.bincount(i, share * tied, minlength=len(own))
        rest = np.clip((wanted[block] - nearer) / np.maximum(level, VOTE_TIE), 0.0, 1.0)
        share = share * np.where(tied, rest[i], 1.0)
        yield _Neighbours(block, i, j, share, found, tolerance)


def _last_by_weight(squares, weights, left_out, wanted, own) -> np.ndarray:
    """Squared distance at which the weights of the neighbours reach what is wanted."""
    order = np.argsort(squares, axis=1)
    ordered = weights[order]
    ordered -= np.where(order == own[:, None], left_out[own, None], 0.0)
    reached = np.cumsum(ordered, axis=1) >= wanted[own, None] - VOTE_TIE
    last = reached.argmax(axis=1)
    rows = np.arange(len(own))
    return squares[rows, order[rows, last]]


def _vote_credits(found: _Neighbours, codes, n_classes) -> np.ndarray:
    """Return for each row of a block 1 if its own class wins, a share if it ties."""
    n_rows = len(found.tolerance)
    place = found.row * n_classes + codes[found.neighbour]
    size = n_rows * n_classes
    votes = np.bincount(place, found.share, minlength=size).reshape(n_rows, -1)
    reach = np.bincount(place, found.share * found.squares, minlength=size)
    # Among equally many votes, the nearer ones win.
    ahead = votes >= votes.max(axis=1, keepdims=True) - VOTE_TIE
    reach = np.where(ahead, reach.reshape(n_rows, -1), np.inf)
    nearest = reach.min(axis=1)
    limit = nearest * (1.0 + VOTE_TIE) + found.tolerance * votes.sum(axis=1)
    winners = reach <= limit[:, None]
    own = winners[np.arange(n_rows), codes[found.block]]
    return own / winners.sum(axis=1)


def _accuracy(rows: LabelledRows, points, n_neighbors) -> tuple[float, float]:
    """Weighted share of rows whose class wins the vote, and its standard error."""
    credits = np.empty(len(points))
    for found in _neighbours(points, rows.weights, n_neighbors):
        credits[found.block] = _vote_credits(found, rows.codes, rows.n_classes)
    total = rows.weights.sum()
    mean = rows.weights @ credits / total
    spread = rows.weights @ (credits - mean) ** 2 / total
    return float(mean), float(np.sqrt(spread / total))


def _mean_predictions(rows: LabelledRows, points, n_neighbors) -> np.ndarray:
    """Mean target of the neighbours of each row."""
    predictions = np.empty_like(rows.values)
    for found in _neighbours(points, rows.weights, n_neighbors):
        n_rows = len(found.tolerance)
        total = np.bincount(found.row, found.share, minlength=n_rows)
        for k, values in enumerate(rows.values.T):
            weighted = found.share * values[found.neighbour]
            sums = np.bincount(found.row, weighted, minlength=n_rows)
            predictions[found.block, k] = sums / total
    return predictions


# -- function ------------------------------------------------------------------


def nearest_neighbors_score(
    X, y, *, n_neighbors=5, metric="cosine", task="auto", sample_weight=None
):
    """Leave-one-out score of the nearest neighbours' vote.

    Are the rows nearest to each row of its class? Higher is better. The only metric
    here that sees classes of any shape: it assumes nothing linear.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Features from one layer of a source model.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Class labels, 0/1 indicators of several labels, or real values.
    n_neighbors : int, default=5
        How many other rows vote.
    metric : {"cosine", "euclidean"}, default="cosine"
        Which rows are near. Angles are what embeddings are trained for; distances do
        not change with the origin of the features.
    task : {"auto", "classification", "multilabel", "regression"}, default="auto"
        What `y` holds. "auto" takes whole numbers, strings and booleans as classes,
        0/1 matrices as labels, and anything else as values.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; a weight of 2 counts as two equal rows, which are
        neighbours of one another.

    Returns
    -------
    score : float
        For classes the accuracy, between 0 and 1; otherwise the R2 of the neighbours'
        mean, averaged over targets, at most 1 and negative where the overall mean
        would have done better.

    Raises
    ------
    ValueError
        If arguments are swapped, empty, not finite or of different lengths, or if a
        parameter is not as described.

    Warns
    -----
    UndefinedMetricWarning
        If `y` holds one class or constant values only, or `X` a single row; the
        score is then NaN.

    See Also
    --------
    NearestNeighborsProbe : The same as an object, for streams and selectors.
    ridge_loo_score : Leave-one-out score of a linear model.

    Notes
    -----
    Each row is left out and classified by the majority of its neighbours. Rows as
    far as the last neighbour share its votes; among labels with equally many votes
    the one whose voters have the smaller sum of squared distances wins, and labels
    that tie in that too share the credit. So neither the order of the rows nor the
    names of the labels matter. A class of one sample cannot win its own vote.
    Distances are taken in double precision from the mean of the rows (or of the rows
    of unit length), so that single precision and large offsets lose nothing.

    Cost: O(n^2 d) time, matrix products mostly; O(n d) memory.

    It misleads where rows come in near copies, which then find each other, and where
    distances concentrate in very wide features; it is coarse for few rows.

    References
    ----------
    .. [1] Cover, T. M., & Hart, P. E. (1967). Nearest neighbor pattern
       classification. IEEE Transactions on Information Theory, 13(1), 21-27.
       https://doi.org/10.1109/TIT.1967.1053964

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_transrate.metrics import nearest_neighbors_score
    >>> X, y = load_wine(return_X_y=True)
    >>> round(nearest_neighbors_score(X, y), 4)
    0.8371
    >>> round(nearest_neighbors_score(X, y, metric="euclidean"), 4)
    0.7079
    """
    probe = NearestNeighborsProbe(n_neighbors=n_neighbors, metric=metric, task=task)
    return probe.score(X, y, sample_weight)


# -- the object ----------------------------------------------------------------


class NearestNeighborsProbe(RowMetric):
    """Leave-one-out nearest neighbours as an object, for streams and selectors.

    The name says what it is for, as that of `LinearProbe`, and leaves
    ``NearestNeighbors`` to scikit-learn.

    Parameters
    ----------
    n_neighbors : int, default=5
        How many other rows vote.
    metric : {"cosine", "euclidean"}, default="cosine"
        Which rows are near.
    task : {"auto", "classification", "multilabel", "regression"}, default="auto"
        What `y` holds.

    Attributes
    ----------
    score_ : float
        Score of all rows seen.
    std_error_ : float
        Standard error of the accuracy, as of a mean over rows; NaN for R2.
    classes_ : ndarray of shape (n_classes,)
        Labels seen, sorted; only for classification.
    n_samples_seen_ : int
        Number of rows seen.
    n_features_in_ : int
        Width of the features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where they all are strings.

    See Also
    --------
    nearest_neighbors_score : The same as a function.

    Notes
    -----
    Keeps all rows.

    References
    ----------
    .. [1] Cover, T. M., & Hart, P. E. (1967). Nearest neighbor pattern
       classification. IEEE Transactions on Information Theory, 13(1), 21-27.
       https://doi.org/10.1109/TIT.1967.1053964

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_transrate.metrics import NearestNeighborsProbe
    >>> X, y = load_diabetes(return_X_y=True)
    >>> probe = NearestNeighborsProbe(n_neighbors=20, task="regression")
    >>> round(probe.fit(X, y).score_, 4)
    0.4488
    """

    tasks = ("classification", "multilabel", "regression")
    accepts_sparse = True

    def __init__(self, *, n_neighbors=5, metric="cosine", task="auto"):
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.task = task

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest possible score."""
        return (0.0 if self.task == "classification" else -np.inf, 1.0)

    @property
    def invariances(self) -> frozenset[str]:
        """What leaves the score as it is; angles depend on the origin."""
        free = {"padding", "rotation", "scale"}
        return frozenset(free | {"translation"} if self.metric == "euclidean" else free)

    def _evaluate(self, rows) -> MetricResult:
        if self.metric not in METRICS:
            raise ValueError(
                f"Expected 'metric' to be one of {METRICS}, got {self.metric!r}."
            )
        k = self.n_neighbors
        if not isinstance(k, Integral) or isinstance(k, bool) or k < 1:
            raise ValueError(
                f"Expected 'n_neighbors' to be a positive whole number, got {k!r}."
            )
        labelled = self._labelled(rows)
        if len(labelled.X) == 1 and labelled.weights[0] <= 1:
            return self._undefined("compares rows, but there is one sample.")
        points = _prepared(labelled, self.metric)
        if labelled.values is None:
            return MetricResult(*_accuracy(labelled, points, k))
        predictions = _mean_predictions(labelled, points, k)
        score = r2_of_predictions(labelled.values, predictions, labelled.weights)
        if np.isnan(score):
            return self._undefined("predicts targets, but they are constant.")
        return MetricResult(score)
