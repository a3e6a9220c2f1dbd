"""LFC: how well inner products of features agree with equality of labels.

Deshpande, A., et al. (2021). Published as the cosine between two n x n matrices;
computed here from class counts, class means and the total scatter alone.
"""

from __future__ import annotations

import numpy as np

from sklearn_transrate._lib import linalg
from sklearn_transrate.metrics._base import MetricResult, TransferMetric
from sklearn_transrate.statistics import ClassMoments

__all__ = ["LFC", "lfc_score"]


# -- kernel --------------------------------------------------------------------


def _lfc_from_moments(moments: ClassMoments, center: bool) -> float:
    """Return the cosine between Gram and label matrix, both less their mean.

    With mean m and centred rows C, ``G - mean(G) = C C' + 1 (C m)' + (C m) 1'``, three
    orthogonal parts. Everything is a sum of squares of centred quantities, so a large
    offset of the features costs no digits.
    """
    counts, weight = moments.counts, moments.total_weight
    offsets = moments.means - moments.mean
    mean = np.zeros(moments.n_features) if center else moments.mean
    total = moments.total()
    triangle = (
        total.triangle() if total.is_dense else linalg.gram_of_rows(total.factor())
    )
    gram_square = linalg.frobenius_norm(triangle) ** 2
    gram_square += 2.0 * weight * float(mean @ total.dot(mean))
    if not gram_square > 0:  # constant features agree with nothing
        return 0.0
    product = 2.0 * float(
        counts**2 @ (np.einsum("kj,kj->k", offsets, offsets) + 2.0 * offsets @ mean)
    )
    # The mean of the label matrix is 2 s - 1, s the chance that two labels are equal.
    priors = moments.priors
    equal, unequal = priors @ priors, priors @ (1.0 - priors)
    label_norm = 2.0 * weight * np.sqrt(equal * unequal)
    return float(np.clip(product / (np.sqrt(gram_square) * label_norm), -1.0, 1.0))


# -- function ------------------------------------------------------------------


def lfc_score(X, y, *, center=False, sample_weight=None):
    """Label-feature correlation.

    Whether samples of one class have larger inner products than samples of two.
    Higher is better.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Features from one layer of a source model.
    y : array-like of shape (n_samples,)
        Target class labels. Any hashable labels; at least two classes.
    center : bool, default=False
        Whether to subtract the mean of the features first. The published score does
        not, and features far from the origin then all look alike to it.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; a weight of 2 counts as two equal rows.

    Returns
    -------
    score : float
        Between -1 and 1, without unit; 1 when the inner products take one value
        within classes and a lower one between them. 0 for constant features; never
        below 0 for centred ones.

    Raises
    ------
    ValueError
        If arguments are swapped, empty, not finite or of different lengths, or if
        `y` is continuous.

    Warns
    -----
    UndefinedMetricWarning
        If `y` has one class; the score is then NaN.

    See Also
    --------
    LFC : The same as an object, for streams and selectors.

    Notes
    -----
    The cosine between the Gram matrix of the features and the matrix of ones for pairs
    of one class and minus ones for others, after each has lost the mean of its entries.
    Cost: O(n d min(n, d)), by counts, means and the total scatter; the n x n matrices
    are never formed. It misleads where the mean of the features is large (see
    `center`), and on imbalanced classes, where the pairs of the largest decide.

    References
    ----------
    .. [1] Deshpande, A., Achille, A., Ravichandran, A., Li, H., Zancato, L., Fowlkes,
       C., Bhotika, R., Soatto, S., & Perona, P. (2021). A linearized framework and a
       new benchmark for model selection for fine-tuning.
       https://doi.org/10.48550/arXiv.2102.00084

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate.metrics import lfc_score
    >>> X, y = load_iris(return_X_y=True)
    >>> round(lfc_score(X, y), 4)
    0.1651
    >>> round(lfc_score(X, y, center=True), 4)
    0.6633
    """
    return LFC(center=center).score(X, y, sample_weight)


# -- the object ----------------------------------------------------------------


class LFC(TransferMetric):
    """Label-feature correlation as an object, for streams and selectors.

    Parameters
    ----------
    center : bool, default=False
        Whether to subtract the mean of the features first.

    Attributes
    ----------
    score_ : float
        LFC of all rows seen.
    parts_ : dict
        Empty.
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
    lfc_score : The same as a function.

    References
    ----------
    .. [1] Deshpande, A., Achille, A., Ravichandran, A., Li, H., Zancato, L., Fowlkes,
       C., Bhotika, R., Soatto, S., & Perona, P. (2021). A linearized framework and a
       new benchmark for model selection for fine-tuning.
       https://doi.org/10.48550/arXiv.2102.00084

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_transrate.metrics import LFC
    >>> X, y = load_wine(return_X_y=True)
    >>> round(LFC().fit(X, y).score_, 4)
    0.109
    """

    requires = {"moments": ClassMoments.empty(scatter="pooled")}
    bounds = (-1.0, 1.0)
    accepts_sparse = True

    def __init__(self, *, center=False):
        self.center = center

    @property
    def invariances(self) -> frozenset[str]:
        """What leaves the score as it is, with these parameters."""
        kept = {"rotation", "scale", "padding", "duplication"}
        return frozenset(kept | {"translation"} if self.center else kept)

    def _evaluate(self, moments) -> MetricResult:
        return MetricResult(_lfc_from_moments(moments, self.center))
