"""SFDA: discriminant analysis that is made harder before it is scored.

Shao, W., et al. (2022). Needs the pooled second moments of the features, the class
means, and three further looks at the rows.
"""

from __future__ import annotations

from sklearn_transrate.metrics._base import MetricResult, TransferMetric
from sklearn_transrate.metrics._discriminant import (
    Discriminant,
    Rows,
    check_shrinkage,
    resolve_shrinkage,
    warn_if_saturated,
)
from sklearn_transrate.statistics import ClassMoments, RowSample

__all__ = ["SFDA", "self_challenged_posterior", "sfda_score"]


# -- kernel --------------------------------------------------------------------


def self_challenged_posterior(moments: ClassMoments, rows: Rows, shrinkage: float):
    """Mean posterior of the own class after, and before, mixing by confidence."""
    first = Discriminant.from_moments(moments, shrinkage, rows.origin)
    posterior = first.own_class(rows)
    confidence = first.own_class(rows, soften=True)[:, None]
    # Means of the other classes' means, without regard to their sizes.
    means = moments.means - rows.origin
    others = (means.sum(axis=0) - means) / (len(means) - 1)

    def mixed(Z, block):
        q = confidence[block]
        return q * Z + (1.0 - q) * others[rows.codes[block]]

    challenged = rows.mapped(mixed)
    second = Discriminant.from_moments(challenged.moments(), shrinkage)
    return rows.mean(second.own_class(challenged)), rows.mean(posterior)


# -- function ------------------------------------------------------------------


def sfda_score(X, y, *, shrinkage="published", sample_weight=None):
    """Self-challenging Fisher discriminant score.

    How probable are the labels under a linear discriminant analysis, once every
    sample has been pulled towards the other classes by as much as the analysis was
    unsure of it? Higher is better.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Features from one layer of a source model.
    y : array-like of shape (n_samples,)
        Target class labels. Any hashable labels; at least two classes.
    shrinkage : {"published", "relative"} or float, default="published"
        How far to pull the within-class covariance towards a multiple of the
        identity. "published" is exp(-5 s), at least 1e-10, with the authors' estimate
        of its leading eigenvalue s; it depends on the scale of the features.
        "relative" measures s as a share of the trace, which no scale changes. A
        number above 0 and up to 1 is used as it is.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; a weight of 2 counts as two equal rows.

    Returns
    -------
    score : float
        Mean posterior of the own class, between 0 and 1; 1 is best. The authors take
        no logarithm.

    Raises
    ------
    ValueError
        If arguments are swapped, empty, not finite or of different lengths, if `y`
        is continuous, or if `shrinkage` is not as described.

    Warns
    -----
    SaturatedScoreWarning
        If the score is near 1 and the features are wide enough to separate all
        samples (n <= d): it would be for other labels too. Use `ridge_loo_score`,
        `logme_score`, or `h_score` with shrinkage.
    UndefinedMetricWarning
        If `y` has one class; the score is then NaN.

    See Also
    --------
    SFDA : The same as an object, for streams and selectors.
    ped_score : Moves the classes apart first.
    etran_score : The first of the two analyses, and an energy.

    Notes
    -----
    With S = (1 - a) S_W + a (tr S_W / d) I, the posterior p of class k is the softmax
    of ``z' S^-1 m_k - m_k' S^-1 m_k / 2 + log(n_k / n)``. The confidence q of a sample
    is its class's share in the softmax of p. Samples become ``q z + (1 - q) c``, with
    c the mean of the other classes' means, and are analysed again with the same a;
    the score is the mean posterior of the own class. The authors' program computes S
    from a generalised eigenbasis U, of which only ``U U' = S^-1`` matters, and writes
    the mixed samples into its argument; this one does neither.

    Cost: O(n d min(n, d)), three looks at the rows.

    It misleads where n is not far above d; and, with the published shrinkage, when
    models whose features differ in scale are compared.

    References
    ----------
    .. [1] Shao, W., Zhao, X., Ge, Y., Zhang, Z., Yang, L., Wang, X., Shan, Y., & Luo,
       P. (2022). Not all models are equal: Predicting model transferability in a
       self-challenging Fisher space. ECCV.
       https://doi.org/10.1007/978-3-031-19830-4_17

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate.metrics import sfda_score
    >>> X, y = load_iris(return_X_y=True)
    >>> round(sfda_score(X, y), 4)
    0.8765
    """
    return SFDA(shrinkage=shrinkage).score(X, y, sample_weight)


# -- the object ----------------------------------------------------------------


class SFDA(TransferMetric):
    """Self-challenging Fisher discriminant score as an object.

    Parameters
    ----------
    shrinkage : {"published", "relative"} or float, default="published"
        How far to pull the within-class covariance towards a multiple of the
        identity.

    Attributes
    ----------
    score_ : float
        SFDA of all rows seen.
    parts_ : dict
        "posterior", the mean posterior before the challenge; "shrinkage", the amount
        used.
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
    sfda_score : The same as a function.

    References
    ----------
    .. [1] Shao, W., Zhao, X., Ge, Y., Zhang, Z., Yang, L., Wang, X., Shan, Y., & Luo,
       P. (2022). Not all models are equal: Predicting model transferability in a
       self-challenging Fisher space. ECCV.
       https://doi.org/10.1007/978-3-031-19830-4_17

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_transrate.metrics import SFDA
    >>> X, y = load_wine(return_X_y=True)
    >>> round(SFDA(shrinkage="relative").fit(X, y).score_, 4)
    0.5208
    """

    requires = {
        "moments": ClassMoments.empty(scatter="pooled"),
        "rows": RowSample.empty(),
    }
    bounds = (0.0, 1.0)
    n_passes = 4

    def __init__(self, *, shrinkage="published"):
        self.shrinkage = shrinkage

    @property
    def invariances(self) -> frozenset[str]:
        """What leaves the score as it is; the published shrinkage knows the units."""
        if self.shrinkage == "published":
            return frozenset({"duplication", "translation"})
        return frozenset({"duplication", "rotation", "scale", "translation"})

    def _evaluate(self, moments, rows) -> MetricResult:
        check_shrinkage(self.shrinkage)
        amount = resolve_shrinkage(moments, self.shrinkage)
        rows = Rows.from_sample(rows, moments.mean)
        score, posterior = self_challenged_posterior(moments, rows, amount)
        warn_if_saturated("SFDA", score, moments.n_samples, moments.n_features)
        return MetricResult(score, parts={"posterior": posterior, "shrinkage": amount})
