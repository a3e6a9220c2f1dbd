"""H-score: the share of the features' variance that lies between classes.

Bao, Y., et al. (2019), and its shrunk form of Ibrahim, S., Ponomareva, N., &
Mazumder, R. (2022). Needs the pooled second moments and the class means; the amount
of Ledoit-Wolf shrinkage also needs fourth moments of the distance to the mean.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from numbers import Real

import numpy as np
from scipy.linalg import blas

from sklearn_transrate._lib import linalg
from sklearn_transrate.exceptions import SaturatedScoreWarning
from sklearn_transrate.metrics._array_api import DeviceScoreMixin, h_score_on_device
from sklearn_transrate.metrics._base import MetricResult, TransferMetric
from sklearn_transrate.metrics._influence_hscore import h_score_influence
from sklearn_transrate.statistics import ClassMoments, Scatter, Statistic

__all__ = ["HScore", "h_score"]

# Relative distance below which a covariance is a multiple of the identity. Shrinking it
# changes nothing, and the optimal amount is a ratio of rounding errors.
ISOTROPY = 1e-9


# -- kernels -------------------------------------------------------------------


def _ledoit_wolf_shrinkage(moments: ClassMoments, total: Scatter) -> float:
    """Optimal weight of the scaled identity, 0 where the covariance is one already."""
    n, d = moments.total_weight, moments.n_features
    if total.is_dense:
        covariance = total.triangle() / n
        mean_variance = np.trace(covariance) / d
        # Differences first, squares second: nothing cancels.
        deviation = covariance.copy()
        deviation[np.diag_indices(d)] -= mean_variance
        spread = linalg.frobenius_norm(deviation) ** 2
        covariance_norm = spread + d * mean_variance**2
    else:  # in sample space, where the rank is below d and the spread is no difference
        gram = linalg.gram_of_rows(total.factor()) / n
        covariance_norm = linalg.frobenius_norm(gram) ** 2
        spread = covariance_norm - np.trace(gram) ** 2 / d
    if spread <= ISOTROPY**2 * covariance_norm:
        return 0.0
    # Mean squared distance between a sample's outer product and the covariance.
    noise = (moments.norm_moments().fourth / n - covariance_norm) / n
    return float(np.clip(min(noise, spread) / spread, 0.0, 1.0))


def _explained(total: Scatter, moments: ClassMoments, ridge: float):
    """Quadratic forms of the class offsets in the inverse of (total + ridge I).

    The pseudo-inverse takes the place of the inverse where there is none. Also
    returns the rank of the total, or None where a ridge makes it irrelevant.
    """
    if not total.is_dense:
        return _explained_by_rows(total.factor(), moments, ridge)
    offsets = moments.between_rows()
    triangle = total.triangle().copy(order="F")
    rank = None if ridge > 0 else linalg.effective_rank(triangle)
    triangle[np.diag_indices(len(triangle))] += ridge
    if ridge > 0 or rank == len(triangle):
        factor = linalg.cholesky(triangle, overwrite=True)
        half = blas.dtrsm(1.0, factor, offsets.T, lower=1)
    else:
        eigenvalues, vectors = linalg.eigh_psd(triangle)
        half = (vectors.T @ offsets.T) / np.sqrt(eigenvalues)[:, None]
    return np.einsum("ij,ij->j", half, half), rank


def _explained_by_rows(rows: np.ndarray, moments: ClassMoments, ridge: float):
    """The same in sample space: F (F'F + r I)^-1 F' = I - r (FF' + r I)^-1.

    The last K - 1 rows of F are the offsets, reflected so that the direction along
    which they sum to zero is gone; the reflection is undone at the end.
    """
    gram = linalg.gram_of_rows(rows)
    n_offsets = len(moments.counts) - 1
    rank = None
    if ridge > 0:
        gram[np.diag_indices(len(gram))] += ridge
        chosen = np.zeros((len(gram), n_offsets), order="F")
        chosen[len(gram) - n_offsets :] = np.eye(n_offsets)
        factor = linalg.cholesky(gram, overwrite=True)
        half = blas.dtrsm(1.0, factor, chosen, lower=1, overwrite_b=1)
        inner = np.eye(n_offsets) - ridge * (half.T @ half)
    else:
        _, vectors = linalg.eigh_psd(gram)
        rank = vectors.shape[1]
        inner = vectors[len(gram) - n_offsets :] @ vectors[len(gram) - n_offsets :].T
    unit = np.sqrt(moments.priors)
    axis = unit + np.eye(len(unit))[0]
    reflection = np.eye(len(unit)) - np.multiply.outer(axis, axis) / (1.0 + unit[0])
    back = reflection[:, 1:]
    return np.einsum("ij,jk,ik->i", back, inner, back), rank


def _h_score_from_moments(
    moments: ClassMoments, shrinkage: str | float | None
) -> tuple[np.ndarray, float, bool]:
    """Each class's contribution, the shrinkage used, and whether labels matter."""
    total = moments.total()
    trace = total.trace()
    if not trace > 0:  # constant features explain nothing
        return np.zeros(len(moments.counts)), 0.0, True
    amount = 0.0 if shrinkage is None else shrinkage
    if shrinkage == "ledoit_wolf":
        amount = _ledoit_wolf_shrinkage(moments, total)
    if amount == 1.0:  # the limit: nothing is left of the between-class part
        return np.zeros(len(moments.counts)), amount, True
    # (1 - a) [(1 - a) S + a v I]^-1 = [S + a / (1 - a) v I]^-1, v the mean variance.
    ridge = amount / (1.0 - amount) * trace / moments.n_features
    explained, rank = _explained(total, moments, ridge)
    return explained, amount, rank is None or rank < moments.n_samples - 1


# -- function ------------------------------------------------------------------


def h_score(X, y, *, shrinkage=None, sample_weight=None):
    """H-score: variance between classes in units of the total variance.

    How well a linear model of the features would tell the classes apart: the sum of
    squared canonical correlations between features and labels. Higher is better.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Features from one layer of a source model.
    y : array-like of shape (n_samples,)
        Target class labels. Any hashable labels; at least two classes.
    shrinkage : {"ledoit_wolf"}, float in [0, 1] or None, default=None
        How far to pull the covariance towards a multiple of the identity.
        "ledoit_wolf" chooses by the data, and is what to use unless n is far above
        d; None is the score as first published.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; a weight of 2 counts as two equal rows.

    Returns
    -------
    score : float
        Between 0 and ``min(n_classes - 1, rank)``, without unit.

    Raises
    ------
    ValueError
        If arguments are swapped, empty, not finite or of different lengths, or if
        `y` is continuous.

    Warns
    -----
    SaturatedScoreWarning
        If the features separate all samples (n <= d) and nothing is shrunk: the
        score is then ``n_classes - 1`` whatever the labels.
    UndefinedMetricWarning
        If `y` has one class; the score is then 0.

    See Also
    --------
    HScore : The same as an object, for streams and selectors.

    Notes
    -----
    ``(1 - a) tr([(1 - a) S + a v I]^-1 S_B)`` with total covariance S, between-class
    covariance S_B (both divided by n), mean variance v and shrinkage a. On noise the
    unshrunk score is near ``(n_classes - 1) d / (n - 1)``. Cost: O(n d min(n, d)).

    References
    ----------
    .. [1] Bao, Y., Li, Y., Huang, S.-L., Zhang, L., Zheng, L., Zamir, A., & Guibas,
       L. (2019). An information-theoretic approach to transferability in task
       transfer learning. ICIP. https://doi.org/10.1109/ICIP.2019.8803726
    .. [2] Ibrahim, S., Ponomareva, N., & Mazumder, R. (2022). Newer is not always
       better: Rethinking transferability metrics, their peculiarities, stability
       and performance. ECML PKDD. https://doi.org/10.48550/arXiv.2110.06893

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate.metrics import h_score
    >>> X, y = load_iris(return_X_y=True)
    >>> round(h_score(X, y), 4)
    1.1919
    >>> round(h_score(X, y, shrinkage="ledoit_wolf"), 4)
    1.17
    """
    return HScore(shrinkage=shrinkage).score(X, y, sample_weight)


# -- the object ----------------------------------------------------------------


class HScore(DeviceScoreMixin, TransferMetric):
    """H-score as an object, for streams and selectors.

    Parameters
    ----------
    shrinkage : {"ledoit_wolf"}, float in [0, 1] or None, default=None
        How far to pull the covariance towards a multiple of the identity.

    Attributes
    ----------
    score_ : float
        H-score of all rows seen.
    parts_ : dict
        "class_scores", what each class contributes, in the order of `classes_`;
        "shrinkage", the amount used.
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
    h_score : The same as a function.

    References
    ----------
    .. [1] Bao, Y., Li, Y., Huang, S.-L., Zhang, L., Zheng, L., Zamir, A., & Guibas,
       L. (2019). An information-theoretic approach to transferability in task
       transfer learning. ICIP. https://doi.org/10.1109/ICIP.2019.8803726

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_transrate.metrics import HScore
    >>> X, y = load_wine(return_X_y=True)
    >>> round(HScore(shrinkage="ledoit_wolf").fit(X, y).score_, 4)
    0.7618
    """

    requires = {"moments": ClassMoments.empty(scatter="pooled")}
    bounds = (0.0, np.inf)
    accepts_sparse = True
    one_class_score = 0.0

    def __init__(self, *, shrinkage=None):
        self.shrinkage = shrinkage

    @property
    def invariances(self) -> frozenset[str]:
        """What leaves the score as it is, with these parameters."""
        kept = {"translation", "rotation", "scale"}
        # Shrinkage is towards the mean variance, which columns of zeros lower.
        return frozenset(kept | ({"padding"} if self.shrinkage is None else set()))

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
        if self.shrinkage == "ledoit_wolf":
            return {"moments": ClassMoments.empty(scatter="pooled", norms=True)}
        return self.requires

    def _score_on_device(self, grouped) -> float:
        self._check_shrinkage()
        score, informative = h_score_on_device(grouped, self.shrinkage)
        if not informative:
            self._warn_if_saturated(*grouped.rows.shape)
        return score

    def _evaluate(self, moments) -> MetricResult:
        given = self.shrinkage
        self._check_shrinkage()
        explained, amount, informative = _h_score_from_moments(moments, given)
        if not informative:
            self._warn_if_saturated(moments.n_samples, moments.n_features)
        return MetricResult(
            float(explained.sum()),
            parts={"class_scores": explained, "shrinkage": float(amount)},
        )

    def _check_shrinkage(self) -> None:
        given = self.shrinkage
        if not (
            given is None
            or (isinstance(given, str) and given == "ledoit_wolf")
            or (isinstance(given, Real) and 0.0 <= given <= 1.0)
        ):
            raise ValueError(
                "Expected 'shrinkage' to be None, 'ledoit_wolf' or a number between 0 "
                f"and 1, got {given!r}."
            )

    def _warn_if_saturated(self, n_samples: int, n_features: int) -> None:
        warnings.warn(
            f"HScore is at its bound for any labels: {n_samples} samples are too few "
            f"for {n_features} features. Use HScore(shrinkage='ledoit_wolf'), or more "
            "samples.",
            SaturatedScoreWarning,
            stacklevel=5,
        )

    def _influence(self, X, y, parts, moments) -> np.ndarray:
        is_chosen = isinstance(self.shrinkage, str)
        return h_score_influence(
            moments, X, y, amount=parts["shrinkage"], is_chosen=is_chosen
        )
