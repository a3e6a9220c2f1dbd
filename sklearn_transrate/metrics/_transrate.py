"""TransRate: how much of the features' coding rate the classes explain.

Huang, L.-K., Huang, J., Rong, Y., Yang, Q., & Wei, Y. (2022). Needs the moments of
each class; the authors' protocol, which normalises rows twice, needs the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
from scipy.linalg import blas
from sklearn.preprocessing import normalize as normalize_rows

from sklearn_transrate._lib import linalg
from sklearn_transrate.metrics._base import MetricResult, TransferMetric
from sklearn_transrate.metrics._coding_rate import (
    distortion,
    rate_of_spectrum,
    rate_of_triangle,
)
from sklearn_transrate.statistics import ClassMoments, RowSample, Statistic

__all__ = ["TransRate", "transrate_from_eigenvalues", "transrate_score"]

CLASS_WEIGHTS = ("prior", "uniform")
NORMALIZATIONS = ("rank", "n_features", None)
EPS_UNITS = ("absolute", "trace", "mean_eigenvalue")
# Published forms, by the parameters that make them.
FORMS: dict[str, dict[str, Any]] = {
    "listing": {"eps": 1e-4, "class_weight": "uniform", "normalize": None},
    "definition": {"eps": 1e-4, "normalize": None},
    "protocol": {"eps": 1e-4, "eps_unit": "trace", "row_norm": "l2"},
    "projected": {"eps": 1e-4, "eps_unit": "trace", "projection": "between"},
}
# Rows put together for one update of the total scatter.
UPDATE_ROWS = 4096


# -- kernels: moments to rates -------------------------------------------------


def _offsets(moments: ClassMoments, origin: bool) -> np.ndarray:
    """Class means from the reference point, times the root of the counts."""
    if origin:
        return np.sqrt(moments.counts)[:, None] * moments.means
    return moments.between_rows()


def _class_triangles(
    moments: ClassMoments, offsets: np.ndarray
) -> Iterator[np.ndarray]:
    """Yield each class's scatter about the reference point, on its smaller side."""
    for k, offset in enumerate(offsets):
        scatter = moments.class_scatter(k)
        if scatter.is_dense:
            triangle = scatter.triangle().copy(order="F")
            yield blas.dsyr(1.0, offset, lower=1, a=triangle, overwrite_a=1)
        else:
            yield linalg.gram_of_rows(np.vstack([scatter.factor(), offset]))


def _dense_total(moments: ClassMoments, offsets: np.ndarray) -> np.ndarray:
    """Sum the class scatters about the reference point, in feature space."""
    total = linalg.empty_triangle(moments.n_features)
    pending, n_pending = [offsets], len(offsets)
    for k in range(len(offsets)):
        scatter = moments.class_scatter(k)
        if scatter.is_dense:
            total += scatter.triangle()
            continue
        pending.append(scatter.factor())
        n_pending += len(pending[-1])
        if n_pending >= UPDATE_ROWS:
            linalg.add_gram(total, np.concatenate(pending))
            pending, n_pending = [], 0
    if pending:
        linalg.add_gram(total, np.concatenate(pending))
    return total


def _thin_total(
    moments: ClassMoments, offsets: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the total in sample space, and the classes, its diagonal blocks.

    The rows of class k are its factor and its offset, so one product serves all.
    """
    rows, ends = [], []
    for k, offset in enumerate(offsets):
        rows += [moments.class_scatter(k).factor(), offset[None]]
        ends.append(len(rows[-2]) + 1)
    gram = linalg.gram_of_rows(np.concatenate(rows))
    stops = np.cumsum(ends)
    blocks = [
        gram[stop - size : stop, stop - size : stop].copy(order="F")
        for stop, size in zip(stops, ends, strict=True)
    ]
    return gram, blocks


def _thin_rank(gram: np.ndarray, moments: ClassMoments) -> int:
    """Rank of a total in sample space, about the mean.

    The offsets of all classes are dependent: their sum, weighted by the roots of
    the counts, is zero. Filling in that one known direction lets the cheap
    certificate of full rank apply.
    """
    null = np.zeros(len(gram))
    sizes = [moments.class_scatter(k).n_rows + 1 for k in range(len(moments.counts))]
    null[np.cumsum(sizes) - 1] = np.sqrt(moments.priors)
    filled = blas.dsyr(np.trace(gram) / len(gram), null, lower=1, a=gram)
    return linalg.effective_rank(filled) - 1


def _rates_from_moments(
    moments: ClassMoments, eps, eps_unit: str, normalize: str | None, origin: bool
) -> tuple[float, np.ndarray, float, int | None]:
    """R(Z), the rate of each class, the absolute distortion and the rank."""
    offsets = _offsets(moments, origin)
    weight = moments.total_weight
    thin = moments.n_samples <= moments.n_features and not any(
        moments.class_scatter(k).is_dense for k in range(len(offsets))
    )
    if thin:
        total, classes = _thin_total(moments, offsets)
    else:
        total, classes = (
            _dense_total(moments, offsets),
            _class_triangles(moments, offsets),
        )
    rank = None
    if normalize == "rank" or eps == "auto" or eps_unit == "mean_eigenvalue":
        if not np.trace(total) > 0:
            rank = 0
        elif thin and not origin:
            rank = _thin_rank(total, moments)
        else:
            rank = linalg.effective_rank(total)
    eps = distortion(eps, eps_unit, total, weight, rank)
    if eps == 0:  # relative to nothing: features are constant
        return 0.0, np.zeros(len(offsets)), eps, rank
    rate = rate_of_triangle(total, weight, eps)
    rates = np.array(
        [
            rate_of_triangle(triangle, count, eps)
            for triangle, count in zip(classes, moments.counts, strict=True)
        ]
    )
    return rate, rates, eps, rank


def _projected_spectra(
    moments: ClassMoments, origin: bool
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Spectra after projecting features on the between-class directions.

    With P the pseudo-inverse of the total covariance times the between-class one:
    the singular values of (total P), which is the between-class covariance, and of
    (class P). All have rank below the number of classes, so everything is done on
    an orthonormal basis of the class means' span.
    """
    weight = moments.total_weight
    offsets = _offsets(moments, origin)
    # offsets / sqrt(weight) = triangular @ basis.T
    basis, triangular = np.linalg.qr(offsets.T / np.sqrt(weight))
    between = triangular @ triangular.T
    covariance = moments.total().dense() / weight
    if origin:
        covariance += np.multiply.outer(moments.mean, moments.mean)
    solved = _solve_psd(covariance, basis)
    spectra = []
    for k, count in enumerate(moments.counts):
        product = moments.class_scatter(k).dot(solved) / count
        spectra.append(np.linalg.svd(product @ between, compute_uv=False))
    return np.linalg.svd(between, compute_uv=False), spectra


def _solve_psd(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve with the pseudo-inverse, by Cholesky where the matrix is definite."""
    triangle = np.asfortranarray(np.tril(matrix))
    if linalg.effective_rank(triangle) == len(triangle):
        factor = linalg.cholesky(triangle)
        half = blas.dtrsm(1.0, factor, right, lower=1)
        return blas.dtrsm(1.0, factor, half, lower=1, trans_a=1)
    values, vectors = linalg.eigh_psd(triangle)
    return vectors @ ((vectors.T @ right) / values[:, None])


def _combine(rate, rates, counts, class_weight, divisor) -> tuple[float, dict]:
    """Total rate minus the mean of the class rates, and what it is made of."""
    weights = counts / counts.sum()
    if class_weight == "uniform":
        weights = np.full(len(counts), 1.0 / len(counts))
    conditional = float(weights @ rates)
    score = (rate - conditional) / divisor
    return score, {
        "rate": rate / divisor,
        "conditional_rate": conditional / divisor,
        "class_rates": rates / divisor,
    }


def _check_parameters(eps_unit, class_weight, normalize) -> None:
    for name, value, options in (
        ("eps_unit", eps_unit, EPS_UNITS),
        ("class_weight", class_weight, CLASS_WEIGHTS),
        ("normalize", normalize, NORMALIZATIONS),
    ):
        if value not in options:
            raise ValueError(
                f"Expected {name!r} to be one of {options}, got {value!r}."
            )


# -- functions -----------------------------------------------------------------


def transrate_score(
    X,
    y,
    *,
    eps="auto",
    class_weight="prior",
    normalize="rank",
    row_norm=None,
    projection=None,
    eps_unit="absolute",
    sample_weight=None,
):
    """TransRate of features for a labelled task.

    How many nats of the features' coding rate are explained by the classes. Higher
    is better: features spread widely as a whole and little within each class.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Features from one layer of a source model.
    y : array-like of shape (n_samples,)
        Target class labels. Any hashable labels; at least two classes.
    eps : float or "auto", default="auto"
        Distortion. A float is absolute, as in the paper, unless `eps_unit` says
        otherwise. "auto" is 0.1 times the mean non-zero eigenvalue of the
        covariance, so that the score does not change with the features' scale.
    class_weight : {"prior", "uniform"}, default="prior"
        Weight of each class's rate: its share of the samples, as in the paper's
        definition, or the same for all, as in the paper's listing.
    normalize : {"rank", "n_features"} or None, default="rank"
        What to divide both rates by. The rank makes layers of different width
        comparable: the score is then a mean over directions.
    row_norm : {"l2"} or None, default=None
        "l2" scales each row to unit length before and after centring, as in the
        authors' experiments.
    projection : {"between"} or None, default=None
        "between" projects on the directions that separate class means first, as in
        the authors' experiments that compare sources and models.
    eps_unit : {"absolute", "trace", "mean_eigenvalue"}, default="absolute"
        What a float `eps` is measured in: squared units of the features, the trace
        of the covariance, or its mean non-zero eigenvalue.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; a weight of 2 counts as two equal rows.

    Returns
    -------
    score : float
        In nats per sample, for each direction unless ``normalize=None``. At least 0
        with class priors; 0 when all classes look alike; without upper bound.

    Raises
    ------
    ValueError
        If arguments are swapped, empty, not finite or of different lengths, or if
        `y` is continuous.

    Warns
    -----
    UndefinedMetricWarning
        If `y` has one class; the score is then 0.

    See Also
    --------
    TransRate : The same as an object, for streams and selectors.
    coding_rate : The rate of one set of features.

    Notes
    -----
    With :math:`\\Sigma` the covariance of all features and :math:`M_k` the second
    moment of class k about the global mean, the score is
    :math:`\\frac{1}{2r} [\\log\\det(I + \\Sigma/\\epsilon) - \\sum_k p_k
    \\log\\det(I + M_k/\\epsilon)]`.
    Cost: O(n d min(n, d)). Values are comparable only for the same samples and the
    same parameters; they grow when n comes near d, also on noise.

    References
    ----------
    .. [1] Huang, L.-K., Huang, J., Rong, Y., Yang, Q., & Wei, Y. (2022).
       Frustratingly easy transferability estimation. ICML, PMLR 162, 9201-9225.
       https://doi.org/10.48550/arXiv.2106.09362

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate.metrics import transrate_score
    >>> X, y = load_iris(return_X_y=True)
    >>> round(transrate_score(X, y), 4)
    0.0627
    >>> round(transrate_score(X, y, eps=1e-4, normalize=None), 4)
    0.5894
    """
    metric = TransRate(
        eps=eps,
        class_weight=class_weight,
        normalize=normalize,
        row_norm=row_norm,
        projection=projection,
        eps_unit=eps_unit,
    )
    return metric.score(X, y, sample_weight)


def transrate_from_eigenvalues(
    eigenvalues,
    class_eigenvalues,
    class_counts,
    *,
    eps,
    class_weight="prior",
    normalize="rank",
    rank=None,
    eps_unit="absolute",
):
    """TransRate of spectra that were published or cached.

    Parameters
    ----------
    eigenvalues : array-like of shape (n_eigenvalues,)
        Of the covariance of all features; zeros may be left out.
    class_eigenvalues : sequence of array-like
        Of each class's second moment about the global mean.
    class_counts : array-like of shape (n_classes,)
        Number of samples of each class.
    eps : float or "auto"
        Distortion, as in `transrate_score`.
    class_weight : {"prior", "uniform"}, default="prior"
        Weight of each class's rate.
    normalize : {"rank"} or None, default="rank"
        Whether to divide both rates by the rank.
    rank : int, default=None
        The rank of the features; None counts the non-zero eigenvalues.
    eps_unit : {"absolute", "trace", "mean_eigenvalue"}, default="absolute"
        What a float `eps` is measured in.

    Returns
    -------
    score : float
        In nats, per direction if `normalize` is "rank".

    See Also
    --------
    transrate_score : The same from features and labels.

    References
    ----------
    .. [1] Huang, L.-K., Huang, J., Rong, Y., Yang, Q., & Wei, Y. (2022).
       Frustratingly easy transferability estimation. ICML, PMLR 162, 9201-9225.
       https://doi.org/10.48550/arXiv.2106.09362

    Examples
    --------
    >>> from sklearn_transrate.metrics import transrate_from_eigenvalues
    >>> score = transrate_from_eigenvalues(
    ...     [1.0, 0.5], [[0.9, 0.1], [0.7, 0.3]], [50, 50], eps=0.1
    ... )
    >>> round(score, 4)
    0.2397
    """
    _check_parameters(eps_unit, class_weight, normalize)
    if normalize == "n_features":
        raise ValueError(
            "Spectra do not tell the number of features. Use normalize='rank', or "
            "None and divide the result."
        )
    eigenvalues = np.asarray(eigenvalues, dtype=np.float64)
    counts = np.asarray(class_counts, dtype=np.float64)
    if len(class_eigenvalues) != len(counts) or len(counts) == 0:
        raise ValueError(
            f"Expected one spectrum and one count for each class, got "
            f"{len(class_eigenvalues)} spectra and {len(counts)} counts."
        )
    if rank is None:
        rank = int(np.count_nonzero(eigenvalues))
    # The trace is all that the conversion of eps reads from a matrix.
    eps = distortion(eps, eps_unit, np.diag(eigenvalues), 1.0, rank)
    if eps == 0:
        return 0.0
    rates = np.array([rate_of_spectrum(values, eps) for values in class_eigenvalues])
    divisor = max(rank, 1) if normalize == "rank" else 1
    return _combine(
        rate_of_spectrum(eigenvalues, eps), rates, counts, class_weight, divisor
    )[0]


# -- the object ----------------------------------------------------------------


class TransRate(TransferMetric):
    """TransRate as an object, for streams, selectors and its parts.

    Parameters
    ----------
    eps : float or "auto", default="auto"
        Distortion; see `transrate_score` for this and the others.
    class_weight : {"prior", "uniform"}, default="prior"
        Weight of each class's rate.
    normalize : {"rank", "n_features"} or None, default="rank"
        What to divide both rates by.
    row_norm : {"l2"} or None, default=None
        Whether to scale rows to unit length before and after centring.
    projection : {"between"} or None, default=None
        Whether to project on the directions that separate class means.
    eps_unit : {"absolute", "trace", "mean_eigenvalue"}, default="absolute"
        What a float `eps` is measured in.

    Attributes
    ----------
    score_ : float
        TransRate of all rows seen, in nats.
    parts_ : dict
        "rate", R(Z); "conditional_rate", R(Z|Y); "class_rates" and "class_counts",
        in the order of `classes_`; "eps", the absolute distortion used; "rank", of
        the features, where it was needed. Rates are divided as the score is.
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
    transrate_score : The same as a function.

    References
    ----------
    .. [1] Huang, L.-K., Huang, J., Rong, Y., Yang, Q., & Wei, Y. (2022).
       Frustratingly easy transferability estimation. ICML, PMLR 162, 9201-9225.
       https://doi.org/10.48550/arXiv.2106.09362

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_transrate.metrics import TransRate
    >>> X, y = load_digits(return_X_y=True)
    >>> metric = TransRate()
    >>> for start in range(0, len(X), 256):
    ...     _ = metric.partial_fit(X[start : start + 256], y[start : start + 256])
    >>> round(metric.score_, 4)
    0.2208
    >>> metric.parts_["rank"]
    61
    """

    requires = {"moments": ClassMoments.empty(scatter="class")}
    bounds = (0.0, np.inf)
    invariances = frozenset({"translation", "rotation", "scale", "duplication"})
    one_class_score = 0.0

    def __init__(
        self,
        *,
        eps="auto",
        class_weight="prior",
        normalize="rank",
        row_norm=None,
        projection=None,
        eps_unit="absolute",
    ):
        self.eps = eps
        self.class_weight = class_weight
        self.normalize = normalize
        self.row_norm = row_norm
        self.projection = projection
        self.eps_unit = eps_unit

    @classmethod
    def from_form(cls, form, **params) -> Self:
        """Return TransRate in a published form.

        Parameters
        ----------
        form : {"listing", "definition", "protocol", "projected"}
            The paper's ten lines of code; its definition, with class priors; the
            authors' experiments, on rows of unit length; the same on between-class
            directions instead.
        **params : dict
            Parameters to change, such as ``eps``, which the authors chose for each
            experiment.

        Returns
        -------
        metric : TransRate

        Examples
        --------
        >>> from sklearn_transrate.metrics import TransRate
        >>> TransRate.from_form("listing")
        TransRate(class_weight='uniform', eps=0.0001, normalize=None)
        """
        if form not in FORMS:
            raise ValueError(
                f"Expected 'form' to be one of {tuple(FORMS)}, got {form!r}."
            )
        return cls(**{**FORMS[form], **params})

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
            Class moments; the rows themselves with ``row_norm="l2"``, whose second
            scaling cannot be done before the mean of all rows is known.
        """
        return {"rows": RowSample.empty()} if self.row_norm else self.requires

    def _evaluate(self, moments=None, rows=None) -> MetricResult:
        _check_parameters(self.eps_unit, self.class_weight, self.normalize)
        if self.row_norm not in (None, "l2") or self.projection not in (
            None,
            "between",
        ):
            raise ValueError(
                "Expected 'row_norm' to be 'l2' or None and 'projection' to be "
                f"'between' or None, got {self.row_norm!r} and {self.projection!r}."
            )
        origin = rows is not None
        if origin:
            moments = _moments_of_unit_rows(rows)
        if self.projection == "between":
            rate, rates, eps, rank = self._projected_rates(moments, origin)
        else:
            rate, rates, eps, rank = _rates_from_moments(
                moments, self.eps, self.eps_unit, self.normalize, origin
            )
        divisor = {"rank": rank, "n_features": moments.n_features}.get(
            self.normalize, 1
        )
        score, parts = _combine(
            rate, rates, moments.counts, self.class_weight, max(divisor, 1)
        )
        parts |= {"class_counts": moments.counts.copy(), "eps": eps, "rank": rank}
        return MetricResult(score, parts=parts)

    def _projected_rates(self, moments, origin):
        eigenvalues, class_spectra = _projected_spectra(moments, origin)
        floor = linalg.rank_tolerance(eigenvalues.max(initial=0.0), moments.n_features)
        rank = int(np.sum(eigenvalues > floor))
        eps = distortion(self.eps, self.eps_unit, np.diag(eigenvalues), 1.0, rank)
        if eps == 0:
            return 0.0, np.zeros(len(class_spectra)), eps, rank
        rates = np.array([rate_of_spectrum(values, eps) for values in class_spectra])
        return rate_of_spectrum(eigenvalues, eps), rates, eps, rank


def _moments_of_unit_rows(rows: RowSample) -> ClassMoments:
    """Moments of rows scaled to unit length, centred, and scaled once more."""
    Z = normalize_rows(np.asarray(rows.features, dtype=np.float64))
    Z -= np.average(Z, axis=0, weights=rows.weights)
    Z = normalize_rows(Z, copy=False)
    return ClassMoments.from_batch(Z, rows.targets, rows.weights)
