"""NCTI: how near the features are to neural collapse on the target.

Wang, Z., Luo, Y., Zheng, L., Huang, Z., & Baktashmotlagh, M. (2023). Needs pooled
second moments and a second look at the rows.
"""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from scipy.linalg import eigh

from sklearn_transrate._lib import linalg
from sklearn_transrate.metrics._base import MetricResult, TransferMetric
from sklearn_transrate.metrics._discriminant import (
    Discriminant,
    Rows,
    warn_if_saturated,
)
from sklearn_transrate.metrics._over_candidates import scaled_over_candidates
from sklearn_transrate.statistics import ClassMoments, RowSample, Scatter

__all__ = ["NCTI", "ncti_from_parts", "ncti_score"]

# As published: variances that set the shrinkage, and below which there is none.
N_LEADING = 32
LEAST_SHRINKAGE = 1e-10
# Share of the largest variance below which a direction is rounding, and share of its
# own below which a direction does not vary within classes.
ABSENT = 1e-12


# -- kernels -------------------------------------------------------------------


def _principal_axes(total: Scatter, n_components: int):
    """Leading eigenvalues, descending, and eigenvectors of a scatter."""
    rows = None if total.is_dense else total.factor()
    triangle = total.triangle() if rows is None else linalg.gram_of_rows(rows)
    size = len(triangle)
    if size == 0:
        return np.empty(0), np.empty((total.n_features, 0))
    first = max(0, size - n_components)
    eigenvalues, vectors = eigh(
        triangle, lower=True, subset_by_index=[first, size - 1], check_finite=False
    )
    kept = eigenvalues > ABSENT * max(eigenvalues[-1], 0.0)
    eigenvalues, vectors = eigenvalues[kept][::-1], vectors[:, kept][:, ::-1]
    if rows is not None:
        vectors = rows.T @ (vectors / np.sqrt(eigenvalues))
    return eigenvalues, vectors


def _published_shrinkage(variances: np.ndarray) -> float:
    amount = float(np.exp(-variances[:N_LEADING].sum()))
    return amount if amount > LEAST_SHRINKAGE else 0.0


def _shrunk_analysis(Z, rows: Rows, shrinkage: float):
    """Posteriors, and nuclear norm of the rows along the discriminant directions.

    These are the solutions w of S_B w = l S w of largest l with w' S w = 1, where S is
    the shrunk within-class covariance.
    """
    moments = ClassMoments.from_batch(Z, rows.codes, rows.weights, scatter="pooled")
    n, p = moments.total_weight, moments.n_features
    posterior = Discriminant.from_moments(moments, shrinkage).posterior(Z)
    within, offsets = moments.within().dense() / n, moments.between_rows() / np.sqrt(n)
    shrunk = (1.0 - shrinkage) * within
    trace = max(np.trace(within), ABSENT * np.vdot(offsets, offsets))
    shrunk[np.diag_indices(p)] += shrinkage * trace / p
    variances, axes = np.linalg.eigh(shrunk)
    whitening = axes / np.sqrt(np.maximum(variances, ABSENT * variances[-1]))
    between = offsets @ whitening
    n_directions = min(len(offsets) - 1, p)
    _, rotation = np.linalg.eigh(between.T @ between)
    directions = whitening @ rotation[:, p - n_directions :]
    along = offsets @ directions
    spread = directions.T @ within @ directions + along.T @ along
    spread = np.sqrt(np.maximum(np.linalg.eigvalsh(spread), 0.0)).sum()
    return posterior, float(np.sqrt(n) * spread)


def _plain_analysis(Z, variances, rows: Rows):
    """The same without shrinkage.

    In coordinates of unit total variance the within-class covariance is the identity
    less that of the class means, whose singular values r are the canonical
    correlations; 1 - r^2 is what varies within classes along a direction.
    """
    n = rows.weights.sum()
    units = Z / np.sqrt(variances)
    moments = ClassMoments.from_batch(
        units, rows.codes, rows.weights, scatter="diagonal"
    )
    offsets = moments.means - moments.mean
    _, correlations, axes = np.linalg.svd(
        np.sqrt(moments.priors)[:, None] * offsets, full_matrices=False
    )
    n_directions = min(len(offsets) - 1, len(variances))
    axes = axes[:n_directions]
    left = np.maximum(1.0 - correlations[:n_directions] ** 2, ABSENT)
    slopes = axes.T @ (axes @ offsets.T / left[:, None])
    intercepts = np.log(moments.priors) - 0.5 * np.einsum("kj,jk->k", offsets, slopes)
    model = Discriminant(moments.mean, slopes, intercepts)
    return model.posterior(units), float(np.sqrt(n) * (1.0 / np.sqrt(left)).sum())


def _posterior_norms(posterior, codes, weights, n_classes) -> float:
    """Sum over classes of the nuclear norm of the posteriors of their rows."""
    scaled = np.sqrt(weights)[:, None] * posterior
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=n_classes))[:-1]
    return float(
        sum(
            np.linalg.svd(scaled[rows], compute_uv=False).sum()
            for rows in np.split(order, ends)
        )
    )


def _comparable(parts, counts) -> dict[str, float]:
    """Map each part to [0, 1], keeping its order and turning the third round.

    In place of the least and the largest value among the candidates stand bounds that
    hold for any.
    """
    n_classes, n = len(counts), counts.sum()
    deviation = parts["spread"] / ((n_classes - 1) * np.sqrt(n))
    least = np.log(np.sqrt(counts / n_classes).sum())
    ranks = np.minimum(np.maximum(counts, 1.0), n_classes)
    most = np.log(np.sqrt(counts * ranks).sum())
    collapse = (most - parts["variability"]) / (most - least)
    return {
        "spread_scaled": float(deviation / (1.0 + deviation)),
        "nearest_centre_scaled": parts["nearest_centre"],
        "variability_scaled": float(np.clip(collapse, 0.0, 1.0)),
    }


# -- functions -----------------------------------------------------------------


def ncti_score(X, y, *, n_components=64, shrinkage="published", sample_weight=None):
    """Neural-collapse-informed transferability.

    How near are the features to what fine-tuning makes of them: class means that form
    a simplex, samples nearest to their own mean, classes that shrink to a point?
    Higher is better.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Features from one layer of a source model.
    y : array-like of shape (n_samples,)
        Target class labels. Any hashable labels; at least two classes.
    n_components : int, default=64
        How many principal components to keep, as published, or all if there are
        fewer.
    shrinkage : "published" or float, default="published"
        How far to pull the within-class covariance towards a multiple of the
        identity. "published" is exp(-v), with v the sum of the 32 leading variances,
        and none at all below 1e-10; it depends on the scale of features whose
        variances sum to less than 23. A number from 0 to 1 is used as it is.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; a weight of 2 counts as two equal rows.

    Returns
    -------
    score : float
        Sum of three parts between 0 and 1; 3 is best.

    Raises
    ------
    ValueError
        If arguments are swapped, empty, not finite or of different lengths, if `y`
        is continuous, or if a parameter is not as described.

    Warns
    -----
    SaturatedScoreWarning
        If the components are as many as the samples less one, and separate them. Use
        `ridge_loo_score`, `logme_score`, or `h_score` with shrinkage.
    UndefinedMetricWarning
        If `y` has one class; the score is then NaN.

    See Also
    --------
    NCTI : The same as an object, for streams and selectors.
    ncti_from_parts : The published combination, over several candidates.

    Notes
    -----
    On the principal components, with linear discriminant analysis: (1) the spread, the
    nuclear norm of the samples along the n_classes - 1 discriminant directions, in
    units in which the shrunk within-class covariance is the identity; (2) the mean
    posterior of the own class; (3) the variability, the logarithm of the sum over
    classes of the nuclear norm of their posteriors. The paper scales each to [0, 1]
    over the candidates and takes (1) + (2) - (3), so that a score depends on the
    others. Here each part is mapped by bounds of its own: with r the spread over
    ``(n_classes - 1) sqrt(n)``, which is 1 where classes have one mean, (1) becomes
    r / (1 + r); (2) is as it is; and (3) becomes (U - v) / (U - L), with U and L the
    largest and smallest variability that n_k posteriors can have. The order of the
    candidates by each part is as published; `parts_` holds both forms.

    Without shrinkage, directions along which classes do not vary, where the published
    program drops just what separates them best, count with a variance of 1e-12.

    Cost: O(n d min(n, d)), a second look at the rows, and the singular values of the
    posteriors.

    It misleads where n is not far above the number of components; and the third part
    is best where nothing at all is told apart, so that it must not be read alone.

    References
    ----------
    .. [1] Wang, Z., Luo, Y., Zheng, L., Huang, Z., & Baktashmotlagh, M. (2023). How
       far pre-trained models are from neural collapse on the target dataset informs
       their transferability. ICCV. https://doi.org/10.1109/ICCV51070.2023.00511

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_transrate.metrics import ncti_score
    >>> X, y = load_wine(return_X_y=True)
    >>> round(ncti_score(X, y), 4)
    2.2125
    """
    metric = NCTI(n_components=n_components, shrinkage=shrinkage)
    return metric.score(X, y, sample_weight)


def ncti_from_parts(parts):
    """NCTI of several candidates, scaled over them as published.

    Parameters
    ----------
    parts : sequence of mapping
        `parts_` of each candidate.

    Returns
    -------
    scores : ndarray of shape (n_candidates,)
        Between -1 and 2; comparable among these candidates only.

    See Also
    --------
    ncti_score : A score of one candidate by itself.

    References
    ----------
    .. [1] Wang, Z., Luo, Y., Zheng, L., Huang, Z., & Baktashmotlagh, M. (2023). How
       far pre-trained models are from neural collapse on the target dataset informs
       their transferability. ICCV. https://doi.org/10.1109/ICCV51070.2023.00511

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_transrate.metrics import NCTI, ncti_from_parts
    >>> X, y = load_wine(return_X_y=True)
    >>> layers = X, X[:, :5]
    >>> ncti_from_parts([NCTI().fit(Z, y).parts_ for Z in layers]).tolist()
    [2.0, -1.0]
    """
    spread, centre, variability = (
        scaled_over_candidates([one[name] for one in parts], name=name)
        for name in ("spread", "nearest_centre", "variability")
    )
    return spread + centre - variability


# -- the object ----------------------------------------------------------------


class NCTI(TransferMetric):
    """Neural-collapse-informed transferability as an object.

    Parameters
    ----------
    n_components : int, default=64
        How many principal components to keep.
    shrinkage : "published" or float, default="published"
        How far to pull the within-class covariance towards a multiple of the
        identity.

    Attributes
    ----------
    score_ : float
        NCTI of all rows seen.
    parts_ : dict
        "spread", "nearest_centre" and "variability", as published; the same with
        "_scaled", which the score is the sum of; "shrinkage", the amount used.
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
    ncti_score : The same as a function.

    References
    ----------
    .. [1] Wang, Z., Luo, Y., Zheng, L., Huang, Z., & Baktashmotlagh, M. (2023). How
       far pre-trained models are from neural collapse on the target dataset informs
       their transferability. ICCV. https://doi.org/10.1109/ICCV51070.2023.00511

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate.metrics import NCTI
    >>> X, y = load_iris(return_X_y=True)
    >>> metric = NCTI(shrinkage=0.1).fit(X, y)
    >>> round(metric.parts_["nearest_centre"], 4)
    0.9702
    """

    requires = {
        "moments": ClassMoments.empty(scatter="pooled"),
        "rows": RowSample.empty(),
    }
    bounds = (0.0, 3.0)
    n_passes = 2
    accepts_sparse = True

    def __init__(self, *, n_components=64, shrinkage="published"):
        self.n_components = n_components
        self.shrinkage = shrinkage

    @property
    def invariances(self) -> frozenset[str]:
        """What leaves the score as it is; the published shrinkage knows the units."""
        kept = {"padding", "rotation", "translation"}
        return frozenset(kept if self.shrinkage == "published" else kept | {"scale"})

    def _evaluate(self, moments, rows) -> MetricResult:
        self._check_parameters()
        eigenvalues, axes = _principal_axes(moments.total(), self.n_components)
        rows = Rows.from_sample(rows, moments.mean)
        Z = np.concatenate([rows.read(block) @ axes for block in rows.blocks()])
        total, amount = moments.total_weight, self.shrinkage
        if amount == "published":
            amount = _published_shrinkage(eigenvalues / max(total - 1.0, 1.0))
        if Z.shape[1] == 0:  # constant features leave the class shares
            posterior, spread = np.tile(moments.priors, (len(Z), 1)), 0.0
        elif amount > 0:
            posterior, spread = _shrunk_analysis(Z, rows, amount)
        else:
            posterior, spread = _plain_analysis(Z, eigenvalues / total, rows)
        own = posterior[np.arange(len(Z)), rows.codes]
        norms = _posterior_norms(
            posterior, rows.codes, rows.weights, len(moments.counts)
        )
        parts = {
            "spread": spread,
            "nearest_centre": rows.mean(own),
            "variability": float(np.log(norms)),
        }
        scaled = _comparable(parts, moments.counts)
        warn_if_saturated(
            "NCTI", parts["nearest_centre"], moments.n_samples, Z.shape[1]
        )
        return MetricResult(
            sum(scaled.values()), parts={**parts, **scaled, "shrinkage": float(amount)}
        )

    def _check_parameters(self) -> None:
        count, amount = self.n_components, self.shrinkage
        if not isinstance(count, Integral) or isinstance(count, bool) or count < 1:
            raise ValueError(
                f"Expected 'n_components' to be a positive whole number, got {count!r}."
            )
        is_share = isinstance(amount, Real) and 0.0 <= amount <= 1.0
        if not is_share and amount != "published":
            raise ValueError(
                "Expected 'shrinkage' to be 'published' or a number between 0 and 1, "
                f"got {amount!r}."
            )
