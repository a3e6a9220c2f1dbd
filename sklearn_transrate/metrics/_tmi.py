"""TMI: how much room the samples of a class take.

Xu, H., & Kang, U. (2023), with the entropy estimate of Kozachenko, L. F., &
Leonenko, N. N. (1987). Needs the rows.
"""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import digamma

from sklearn_transrate.metrics._base import MetricResult
from sklearn_transrate.metrics._row_metric import LabelledRows, RowMetric

__all__ = ["TMI", "tmi_score"]

# The scale-free floor under distances, in root mean variances of the features: small
# enough to touch only copies of a row, which would make the entropy infinite.
LEAST_DISTANCE = 1e-3
# Distances at a time: 32 MB of them.
BLOCK_SIZE = 2**22
ROUNDING = 1e-9


# -- kernels -------------------------------------------------------------------


def _neighbour_distances(points, weights, k) -> np.ndarray:
    """Distance of each row from its k-th nearest other in the maximum norm.

    A weighted row stands for so many rows at one place, of which one is left out.
    """
    n = len(points)
    last = np.empty(n)
    is_weighted = (weights != 1.0).any()
    step = max(1, BLOCK_SIZE // n)
    for start in range(0, n, step):
        own = np.arange(start, min(start + step, n))
        distances = cdist(points[own], points, "chebyshev")
        if not is_weighted:
            # Position 0 is the row itself, or a copy of it.
            last[own] = np.partition(distances, k, axis=1)[:, k]
            continue
        order = np.argsort(distances, axis=1, kind="stable")
        left = weights[order]
        left -= np.where(
            order == own[:, None], np.minimum(weights[own, None], 1.0), 0.0
        )
        place = (np.cumsum(left, axis=1) >= k - ROUNDING).argmax(axis=1)
        rows = np.arange(len(own))
        last[own] = distances[rows, order[rows, place]]
    return last


def _class_entropies(rows: LabelledRows, points, k: int, floor: float) -> np.ndarray:
    """Kozachenko-Leonenko entropy of each class in nats; NaN for too few samples."""
    entropies = np.full(rows.n_classes, np.nan)
    d = points.shape[1]
    for c in range(rows.n_classes):
        members = np.flatnonzero(rows.codes == c)
        weights = rows.weights[members]
        n = weights.sum()
        if n - min(weights.min(), 1.0) < k - ROUNDING:
            continue
        distances = _neighbour_distances(points[members], weights, k)
        logs = np.log(2.0 * np.maximum(distances, floor))
        entropies[c] = digamma(n) - digamma(k) + d * (weights @ logs) / n
    return entropies


# -- function ------------------------------------------------------------------


def tmi_score(X, y, *, n_neighbors=3, floor="relative", sample_weight=None):
    """Mean entropy of the features within classes.

    How much room do the samples of a class take? Higher is better: the authors hold
    that features which keep the differences within classes are easier to adapt.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Features from one layer of a source model, in units that all candidates share.
    y : array-like of shape (n_samples,)
        Target class labels. Any hashable labels; at least two classes.
    n_neighbors : int, default=3
        Whose distance tells how thinly a class is spread at a sample.
    floor : "relative" or float, default="relative"
        Shorter distances count as this. "relative" is a thousandth of the root mean
        variance of the features; a number is in the units of the features, and 1.0
        is what the authors take.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; a weight of 2 counts as two equal rows.

    Returns
    -------
    score : float
        In nats, of any sign; without a best value.

    Raises
    ------
    ValueError
        If arguments are swapped, empty, not finite or of different lengths, if `y`
        is continuous, or if a parameter is not as described.

    Warns
    -----
    UndefinedMetricWarning
        If `y` has one class, no class has more than `n_neighbors` samples, or the
        features are constant; the score is then NaN.

    See Also
    --------
    TMI : The same as an object, for streams and selectors.

    Notes
    -----
    For a class of n_k samples with distances rho_i, in the maximum norm, from their
    k-th nearest others, ``h_k = psi(n_k) - psi(k) + d / n_k sum_i log(2 rho_i)``, and
    the score is ``1 / K sum_k n_k / n h_k``; the factor 1 / K is the authors'. Classes
    of at most k samples count as 0. The published program takes K from the largest
    label, so that its value depends on which integers stand for the classes, and
    drops classes of 2 or 3 samples from K; here K counts the classes there are.

    Scaling the features by s adds ``d log(s) / K``, exactly so with the relative
    floor. An absolute floor of 1 is above most distances between rows of small
    scale, such as those of unit length, and makes the score a multiple of the width.

    Cost: O(n^2 d / K) time, without matrix products; O(n d) memory.

    It misleads where candidates differ in the scale or the width of their features:
    it grows with either, whatever the labels.

    References
    ----------
    .. [1] Xu, H., & Kang, U. (2023). Fast and accurate transferability measurement by
       evaluating intra-class feature variance. ICCV.
       https://doi.org/10.1109/ICCV51070.2023.01078
    .. [2] Kozachenko, L. F., & Leonenko, N. N. (1987). Sample estimate of the entropy
       of a random vector. Problems of Information Transmission, 23(2), 95-101.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate.metrics import tmi_score
    >>> X, y = load_iris(return_X_y=True)
    >>> round(tmi_score(X, y), 4)
    0.1219
    >>> round(tmi_score(X, y, floor=1.0), 4)
    1.9173
    """
    metric = TMI(n_neighbors=n_neighbors, floor=floor)
    return metric.score(X, y, sample_weight)


# -- the object ----------------------------------------------------------------


class TMI(RowMetric):
    """Mean entropy of the features within classes, as an object.

    Parameters
    ----------
    n_neighbors : int, default=3
        Whose distance tells how thinly a class is spread at a sample.
    floor : "relative" or float, default="relative"
        Shorter distances count as this; 1.0 is what the authors take.

    Attributes
    ----------
    score_ : float
        TMI of all rows seen, in nats.
    parts_ : dict
        "entropies", that of each class in the order of `classes_`, NaN where it has
        too few samples.
    classes_ : ndarray of shape (n_classes,)
        Labels seen, sorted.
    n_samples_seen_ : int
        Number of rows seen.
    n_features_in_ : int
        Width of the features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where they all are strings.

    See Also
    --------
    tmi_score : The same as a function.

    Notes
    -----
    Keeps all rows.

    References
    ----------
    .. [1] Xu, H., & Kang, U. (2023). Fast and accurate transferability measurement by
       evaluating intra-class feature variance. ICCV.
       https://doi.org/10.1109/ICCV51070.2023.01078

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate.metrics import TMI
    >>> X, y = load_iris(return_X_y=True)
    >>> TMI().fit(X, y).parts_["entropies"].round(2).tolist()
    [-0.74, 0.53, 1.31]
    """

    invariances = frozenset({"translation"})

    def __init__(self, *, n_neighbors=3, floor="relative"):
        self.n_neighbors = n_neighbors
        self.floor = floor

    def _evaluate(self, rows) -> MetricResult:
        self._check_parameters()
        labelled = self._labelled(rows)
        points = labelled.centred()
        total = labelled.weights.sum()
        floor = self.floor
        if floor == "relative":
            variances = labelled.weights @ points**2 / total
            floor = LEAST_DISTANCE * np.sqrt(variances.mean())
            if floor == 0.0:
                return self._undefined("measures room, but the features are constant.")
        entropies = _class_entropies(labelled, points, self.n_neighbors, floor)
        counted = np.isfinite(entropies)
        if not counted.any():
            return self._undefined(
                f"needs a class of more than {self.n_neighbors} samples."
            )
        priors = np.bincount(labelled.codes, labelled.weights) / total
        score = priors[counted] @ entropies[counted] / len(priors)
        return MetricResult(float(score), parts={"entropies": entropies})

    def _check_parameters(self) -> None:
        k, floor = self.n_neighbors, self.floor
        if not isinstance(k, Integral) or isinstance(k, bool) or k < 1:
            raise ValueError(
                f"Expected 'n_neighbors' to be a positive whole number, got {k!r}."
            )
        is_number = isinstance(floor, Real) and 0 < floor < np.inf
        if not is_number and floor != "relative":
            raise ValueError(
                "Expected 'floor' to be 'relative' or a positive number, got "
                f"{floor!r}."
            )
