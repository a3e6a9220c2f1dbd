"""GBC: how much the classes overlap, taken as Gaussians.

Pandy, M., Agostinelli, A., Uijlings, J., Ferrari, V., & Mensink, T. (2022). Needs
class means and variances along the principal directions of all features; without the
projection, variances alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real

import numpy as np
from scipy.linalg import blas, eigh

from sklearn_transrate._lib import linalg
from sklearn_transrate.metrics._base import MetricResult, TransferMetric
from sklearn_transrate.statistics import ClassMoments, Scatter, Statistic

__all__ = ["GBC", "gbc_score"]

COVARIANCES = ("diag", "spherical")
LOG_TERMS = ("each", "once")
# Smallest variance of a class, in units of the variance of all samples. The published
# 1e-4 is in squared units of the features.
RELATIVE_FLOOR = 1e-4


# -- kernels -------------------------------------------------------------------


def _principal_directions(total: Scatter, n_components: int) -> np.ndarray:
    """Orthonormal columns along which the features vary most."""
    gram = total.triangle() if total.is_dense else linalg.gram_of_rows(total.factor())
    size = len(gram)
    values, vectors = eigh(
        gram,
        lower=True,
        subset_by_index=[max(size - n_components, 0), size - 1],
        check_finite=False,
    )
    kept = values > linalg.rank_tolerance(max(values[-1], 0.0), size)
    vectors = vectors[:, kept]
    if not total.is_dense:
        vectors = total.factor().T @ (vectors / np.sqrt(values[kept]))
    return vectors


def _variances_along(moments: ClassMoments, directions: np.ndarray) -> np.ndarray:
    """Variance of each class along each direction, (n_classes, n_directions)."""
    sums = np.zeros((len(moments.counts), directions.shape[1]))
    thin = []
    for k in range(len(sums)):
        scatter = moments.class_scatter(k)
        if scatter.is_dense:
            product = blas.dsymm(1.0, scatter.triangle(), directions, lower=1)
            sums[k] = np.einsum("ij,ij->j", directions, product)
        elif scatter.n_rows:
            thin.append(k)
    if thin:
        factors = [moments.class_scatter(k).factor() for k in thin]
        starts = np.cumsum([0] + [len(rows) for rows in factors[:-1]])
        squares = (np.concatenate(factors) @ directions) ** 2
        sums[thin] = np.add.reduceat(squares, starts)
    return sums / moments.counts[:, None]


def _class_gaussians(
    moments: ClassMoments, n_components: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Means about the global mean, and variances, both (n_classes, n_directions)."""
    offsets = moments.means - moments.mean
    if n_components is None or n_components >= moments.n_features:
        return offsets, moments.variances()
    directions = _principal_directions(moments.total(), n_components)
    return offsets @ directions, _variances_along(moments, directions)


def _model_variances(variances, totals, covariance, floor) -> np.ndarray:
    """Variances of the class Gaussians: one a dimension or one in all, above the floor.

    `totals` are the variances of all features, in the same dimensions.
    """
    if floor != "auto":
        variances = np.maximum(variances, floor)
    if covariance == "spherical":
        variances = variances.mean(axis=1, keepdims=True)
        totals = totals.mean(keepdims=True)
    return np.maximum(variances, RELATIVE_FLOOR * totals if floor == "auto" else 0.0)


def _overlaps(means, variances, log_weight: float) -> np.ndarray:
    """Bhattacharyya coefficient of each pair of classes, ones on the diagonal."""
    logs = log_weight * np.log(variances).sum(axis=1)
    overlaps = np.eye(len(means))
    for k in range(len(means) - 1):
        others = slice(k + 1, None)
        middle = (variances[k] + variances[others]) / 2.0
        distance = ((means[k] - means[others]) ** 2 / middle).sum(axis=1) / 8.0
        log_ratio = log_weight * np.log(middle).sum(axis=1)
        log_ratio -= (logs[k] + logs[others]) / 2.0
        # Both terms are positive but for rounding.
        distance += np.maximum(log_ratio, 0.0) / 2.0
        overlaps[k, others] = overlaps[others, k] = np.exp(-distance)
    return overlaps


def _overlaps_from_moments(
    moments: ClassMoments, covariance, n_components, floor, log_terms
) -> np.ndarray:
    means, variances = _class_gaussians(moments, n_components)
    totals = moments.priors @ (variances + means**2)
    if covariance == "diag":  # constant dimensions say nothing
        varying = totals > 0
        means, variances, totals = (
            means[:, varying],
            variances[:, varying],
            totals[varying],
        )
    if not totals.any():  # all classes are one point
        return np.ones((len(means), len(means)))
    variances = _model_variances(variances, totals, covariance, floor)
    in_each = covariance == "spherical" and log_terms == "each"
    return _overlaps(means, variances, means.shape[1] if in_each else 1.0)


# -- function ------------------------------------------------------------------


def gbc_score(
    X,
    y,
    *,
    covariance="diag",
    n_components=64,
    variance_floor="auto",
    log_terms="each",
    sample_weight=None,
):
    """Gaussian Bhattacharyya coefficient.

    How little the classes overlap if each is a Gaussian. Higher is better.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Features from one layer of a source model.
    y : array-like of shape (n_samples,)
        Target class labels. Any hashable labels; at least two classes.
    covariance : {"diag", "spherical"}, default="diag"
        One variance a dimension, or one for all of them, in each class.
    n_components : int or None, default=64
        Principal directions to project on first, as published; None for none. Narrower
        features are taken as they are.
    variance_floor : float or "auto", default="auto"
        Smallest variance of a class. A float is in squared units of the features and
        applies in each dimension; the published program has 1e-4. "auto" is 1e-4 times
        the variance of all samples in that dimension, or its mean over dimensions for
        spherical classes, so that the score does not change with the features' scale.
    log_terms : {"each", "once"}, default="each"
        How often a spherical class counts the logarithm of its variance: once in
        each dimension, as the density does, or once in all, as the published program
        does.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; a weight of 2 counts as two equal rows.

    Returns
    -------
    score : float
        Between ``-n_classes * (n_classes - 1)``, where all classes are alike, and 0,
        where none overlap; without unit.

    Raises
    ------
    ValueError
        If a parameter is out of range, if arguments are swapped, empty, not finite or
        of different lengths, or if `y` is continuous.

    Warns
    -----
    UndefinedMetricWarning
        If `y` has one class; the score is then 0.

    See Also
    --------
    GBC : The same as an object, for streams and selectors.

    Notes
    -----
    Minus the sum of ``exp(-D(k, l))`` over ordered pairs of classes. The Bhattacharyya
    distance D of Gaussians with means m and variances v is, summed over dimensions,
    ``(m_k - m_l)^2 / (8 v) + log(v^2 / (v_k v_l)) / 4`` with v the mean of v_k and v_l.
    Cost: O(n d) without
    projection, else O(n d min(n, d)) and the leading eigenvectors on the smaller side;
    O(K^2) distances. It misleads where classes are not single clusters, and in
    many dimensions, where the small differences of each add up and every overlap, and
    with it the score, rounds to 0.

    References
    ----------
    .. [1] Pandy, M., Agostinelli, A., Uijlings, J., Ferrari, V., & Mensink, T. (2022).
       Transferability estimation using Bhattacharyya class separability. CVPR,
       9172-9182. https://doi.org/10.1109/CVPR52688.2022.00896

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate.metrics import gbc_score
    >>> X, y = load_iris(return_X_y=True)
    >>> round(gbc_score(X, y), 4)
    -0.2307
    >>> round(gbc_score(X, y, covariance="spherical"), 4)
    -0.3301
    """
    return GBC(
        covariance=covariance,
        n_components=n_components,
        variance_floor=variance_floor,
        log_terms=log_terms,
    ).score(X, y, sample_weight)


# -- the object ----------------------------------------------------------------


class GBC(TransferMetric):
    """Gaussian Bhattacharyya coefficient as an object, for streams and selectors.

    Parameters
    ----------
    covariance : {"diag", "spherical"}, default="diag"
        One variance a dimension, or one for all of them, in each class.
    n_components : int or None, default=64
        Principal directions to project on first; None for none.
    variance_floor : float or "auto", default="auto"
        Smallest variance of a class; "auto" is 1e-4 times the variance of all samples.
    log_terms : {"each", "once"}, default="each"
        How often a spherical class counts the logarithm of its variance.

    Attributes
    ----------
    score_ : float
        GBC of all rows seen.
    parts_ : dict
        "overlaps", the coefficient of each pair of classes, of shape (n_classes,
        n_classes) in the order of `classes_`: 1 for equal Gaussians, 0 for distant
        ones.
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
    gbc_score : The same as a function.

    References
    ----------
    .. [1] Pandy, M., Agostinelli, A., Uijlings, J., Ferrari, V., & Mensink, T. (2022).
       Transferability estimation using Bhattacharyya class separability. CVPR,
       9172-9182. https://doi.org/10.1109/CVPR52688.2022.00896

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate.metrics import GBC
    >>> X, y = load_iris(return_X_y=True)
    >>> GBC().fit(X, y).parts_["overlaps"].round(3).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.115], [0.0, 0.115, 1.0]]
    """

    requires = {"moments": ClassMoments.empty(scatter="class")}
    bounds = (-np.inf, 0.0)
    accepts_sparse = True
    one_class_score = 0.0

    def __init__(
        self,
        *,
        covariance="diag",
        n_components=64,
        variance_floor="auto",
        log_terms="each",
    ):
        self.covariance = covariance
        self.n_components = n_components
        self.variance_floor = variance_floor
        self.log_terms = log_terms

    @property
    def invariances(self) -> frozenset[str]:
        """What leaves the score as it is, with these parameters."""
        kept = {"translation", "duplication"}
        if self.variance_floor == "auto":
            kept.add("scale")
        if self.covariance == "spherical" and self.variance_floor == "auto":
            kept.add("rotation")
        if self.covariance == "diag" and self.n_components is None:
            kept.add("padding")
        return frozenset(kept)

    def required_statistics(
        self, task: str = "classification"
    ) -> Mapping[str, Statistic]:
        """Return the empty statistics that this metric needs.

        Parameters
        ----------
        task : {"classification"}
            What kind of target y is.

        Returns
        -------
        statistics : mapping of {name: Statistic}
        """
        if self.n_components is None:
            return {"moments": ClassMoments.empty(scatter="diagonal")}
        return self.requires

    def _evaluate(self, moments) -> MetricResult:
        self._check_parameters()
        overlaps = _overlaps_from_moments(
            moments,
            self.covariance,
            self.n_components,
            self.variance_floor,
            self.log_terms,
        )
        pairs = overlaps[np.triu_indices(len(overlaps), 1)]
        return MetricResult(-2.0 * float(pairs.sum()), parts={"overlaps": overlaps})

    def _check_parameters(self) -> None:
        for name, options in (("covariance", COVARIANCES), ("log_terms", LOG_TERMS)):
            if getattr(self, name) not in options:
                raise ValueError(
                    f"Expected {name!r} to be one of {options}, got "
                    f"{getattr(self, name)!r}."
                )
        width, floor = self.n_components, self.variance_floor
        if width is not None and not (isinstance(width, Integral) and width >= 1):
            raise ValueError(
                f"Expected 'n_components' to be None or a positive integer, got "
                f"{width!r}."
            )
        automatic = isinstance(floor, str) and floor == "auto"
        if not (automatic or (isinstance(floor, Real) and 0.0 < floor < np.inf)):
            raise ValueError(
                f"Expected 'variance_floor' to be 'auto' or a positive number, got "
                f"{floor!r}."
            )
