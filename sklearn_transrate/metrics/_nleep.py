"""N-LEEP: LEEP for layers without source classes, which a mixture model stands in for.

Li, Y., et al. (2021). Needs the rows: principal components, a Gaussian mixture fitted
to them, and LEEP of its responsibilities.
"""

from __future__ import annotations

import warnings
from numbers import Integral

import numpy as np
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from sklearn_transrate.exceptions import SaturatedScoreWarning
from sklearn_transrate.metrics._base import MetricResult, TransferMetric
from sklearn_transrate.metrics._leep import class_log_likelihoods
from sklearn_transrate.statistics import JointTable, RowSample

__all__ = ["NLEEP", "nleep_score"]

# Share of the variance that the principal components keep, and Gaussians a class, both
# as published.
KEPT_VARIANCE = 0.8
COMPONENTS_PER_CLASS = 5
# Points a unit on which coordinates are rounded. The start of a mixture has exact ties
# (of two points near each other only, either may be a centre), which rounding errors
# would otherwise break, for each unit and rotation of the features in another way.
GRID = 2.0**24
# Far above what a mixture usually takes; scikit-learn's own limit is 100.
MAX_ITERATIONS = 1000


# -- kernels -------------------------------------------------------------------


def _repeats(weights: np.ndarray) -> np.ndarray | int:
    """Turn weights into whole numbers of equal rows."""
    repeats = np.rint(weights)
    if (repeats == weights).all():
        return repeats.astype(np.intp)
    if (weights == weights[0]).all():
        return 1
    raise ValueError(
        "Expected whole numbers in 'sample_weight', because NLEEP can only repeat "
        f"rows (GaussianMixture takes no weights), got "
        f"{weights[repeats != weights][0]:.6g}. Round the weights, or leave them out."
    )


def _in_order(X: np.ndarray) -> np.ndarray:
    """Order that depends on the rows alone, so that random draws do too."""
    rows = np.ascontiguousarray(X) + 0.0  # no negative zeros
    return rows.view(f"V{rows.dtype.itemsize * rows.shape[1]}")[:, 0].argsort()


def _reduce(X: np.ndarray) -> np.ndarray | None:
    """Leading principal components with a mean variance of one; None if constant.

    The mixture's constants are in absolute units, so units must be taken away first.
    """
    X = X - X[0]
    X -= X.mean(axis=0)
    largest = np.abs(X).max()
    if not largest > 0:
        return None
    X /= largest
    solver = "covariance_eigh" if len(X) > X.shape[1] else "full"
    reduced = PCA(KEPT_VARIANCE, svd_solver=solver).fit_transform(X)
    reduced *= GRID / np.sqrt(reduced.var(axis=0).mean())
    return np.rint(reduced) / GRID


def _responsibilities(
    reduced: np.ndarray, n_components: int, random_state
) -> np.ndarray:
    """Fit the mixture; return the probability of each component for each row."""
    mixture = GaussianMixture(
        n_components, max_iter=MAX_ITERATIONS, random_state=random_state
    )
    with warnings.catch_warnings():
        # Rows that coincide once reduced leave components unused, which is no harm.
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(reduced)
    if not mixture.converged_:
        warnings.warn(
            f"The mixture of NLEEP did not converge in {MAX_ITERATIONS} iterations, so "
            "the score is approximate. Use fewer components: NLEEP(n_components=...).",
            ConvergenceWarning,
            stacklevel=5,
        )
    return mixture.predict_proba(reduced)


def _nleep_from_rows(
    rows: RowSample, n_components: int | None, random_state
) -> tuple[np.ndarray, int, int]:
    """Class scores, and how many components and directions made them."""
    X, y = rows.features.astype(np.float64), rows.targets
    if rows.weights is not None:
        repeats = _repeats(rows.weights)
        X, y = np.repeat(X, repeats, axis=0), np.repeat(y, repeats)
    order = _in_order(X)
    X, y = X[order], y[order]
    n_distinct = 1 + int((X[1:] != X[:-1]).any(axis=1).sum())
    if n_components is None:
        n_components = COMPONENTS_PER_CLASS * len(rows.classes)
    n_components = min(n_components, n_distinct)
    _warn_if_saturated(len(X), n_components)
    reduced = _reduce(X)
    if reduced is None:
        proba, n_components, n_directions = np.ones((len(X), 1)), 1, 0
    else:
        # Lengths survive a rotation of the features, the order of raw rows does not.
        order = np.argsort(np.einsum("ij,ij->i", reduced, reduced), kind="stable")
        y, n_directions = y[order], reduced.shape[1]
        proba = _responsibilities(reduced[order], n_components, random_state)
    joint = JointTable.from_batch(proba, y)
    return class_log_likelihoods(joint, proba, y), n_components, n_directions


def _warn_if_saturated(n_samples: int, n_components: int) -> None:
    if n_samples < 2 * n_components:
        warnings.warn(
            f"NLEEP is near its bound for any labels: {n_samples} samples are too few "
            f"for {n_components} mixture components. Use NLEEP(n_components=...) with "
            "at most a few for each class, or more samples.",
            SaturatedScoreWarning,
            stacklevel=6,
        )


# -- function ------------------------------------------------------------------


def nleep_score(X, y, *, n_components=None, random_state=None, sample_weight=None):
    """LEEP of a Gaussian mixture fitted to the features.

    How well the target class can be told from the cluster that a sample lies in.
    Higher is better.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Features from one layer of a source model.
    y : array-like of shape (n_samples,)
        Target class labels. Any hashable labels; at least two classes.
    n_components : int or None, default=None
        Gaussians of the mixture; None is 5 for each class, as published. Never more
        than there are distinct rows.
    random_state : int, RandomState instance or None, default=None
        Starts the mixture. Another seed may find another mixture and another score;
        pass an int for reproducible scores.
    sample_weight : array-like of shape (n_samples,), default=None
        Whole numbers: how often each row counts. Equal weights are no weights.

    Returns
    -------
    score : float
        Between minus the entropy of `y` and 0, in nats a sample; 0 when no cluster
        holds two classes.

    Raises
    ------
    ValueError
        If weights differ and are not whole numbers, if `n_components` is not positive,
        or if arguments are swapped, empty, not finite or of different lengths.

    Warns
    -----
    SaturatedScoreWarning
        If there are fewer than two samples for each component.
    ConvergenceWarning
        If the mixture is still changing after 1000 iterations.
    UndefinedMetricWarning
        If `y` has one class; the score is then 0.

    See Also
    --------
    NLEEP : The same as an object, for streams and selectors.
    leep_score : For the source model's own probabilities.

    Notes
    -----
    Principal components that keep 80 % of the variance, scaled to a mean variance of
    one; a mixture of Gaussians with full covariances; LEEP, logarithm included, of
    its responsibilities. Rows are put in an order of their own first, so that theirs
    does not matter. Cost: O(n d min(n, d)) and, for each iteration of the mixture,
    O(n r^2 c) with r directions and c components: the slowest of the metrics. It
    misleads where samples are few for the components, whose clusters then hold a few
    samples each whatever the labels, and by its spread over seeds.

    References
    ----------
    .. [1] Li, Y., Jia, X., Sang, R., Zhu, Y., Green, B., Wang, L., & Gong, B. (2021).
       Ranking neural checkpoints. CVPR, 2663-2673.
       https://doi.org/10.1109/CVPR46437.2021.00269

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_transrate.metrics import nleep_score
    >>> X, y = load_wine(return_X_y=True)
    >>> round(nleep_score(X, y, n_components=6, random_state=0), 1)
    -0.6
    """
    metric = NLEEP(n_components=n_components, random_state=random_state)
    return metric.score(X, y, sample_weight)


# -- the object ----------------------------------------------------------------


class NLEEP(TransferMetric):
    """N-LEEP as an object, for streams and selectors.

    Parameters
    ----------
    n_components : int or None, default=None
        Gaussians of the mixture; None is 5 for each class.
    random_state : int, RandomState instance or None, default=None
        Starts the mixture. The registered name "nleep" has 0.

    Attributes
    ----------
    score_ : float
        N-LEEP of all rows seen, in nats.
    parts_ : dict
        "class_scores", what each target class contributes, in the order of
        `classes_`; "n_components" and "n_directions", the size of the mixture.
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
    nleep_score : The same as a function.

    References
    ----------
    .. [1] Li, Y., Jia, X., Sang, R., Zhu, Y., Green, B., Wang, L., & Gong, B. (2021).
       Ranking neural checkpoints. CVPR, 2663-2673.
       https://doi.org/10.1109/CVPR46437.2021.00269

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate.metrics import NLEEP
    >>> X, y = load_iris(return_X_y=True)
    >>> metric = NLEEP(n_components=6, random_state=0).fit(X, y)
    >>> metric.parts_["n_components"], metric.parts_["n_directions"]
    (6, 1)
    """

    requires = {"rows": RowSample.empty()}
    bounds = (-np.inf, 0.0)
    invariances = frozenset({"translation", "rotation", "scale", "padding"})
    accepts_sparse = True
    n_passes = 2
    one_class_score = 0.0

    def __init__(self, *, n_components=None, random_state=None):
        self.n_components = n_components
        self.random_state = random_state

    def _evaluate(self, rows) -> MetricResult:
        given = self.n_components
        if given is not None and not (isinstance(given, Integral) and given >= 1):
            raise ValueError(
                "Expected 'n_components' to be None or a positive integer, got "
                f"{given!r}."
            )
        shares, n_components, n_directions = _nleep_from_rows(
            rows, given, self.random_state
        )
        return MetricResult(
            float(shares.sum()),
            parts={
                "class_scores": shares,
                "n_components": n_components,
                "n_directions": n_directions,
            },
        )
