"""ETran: how far the features are in distribution, and how well a linear model fits.

Gholami, M., Akbari, M., Wang, X., Kamranian, B., & Zhang, Y. (2023). Needs pooled
second moments and two further looks at the rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from numbers import Real

import numpy as np
from scipy.special import logsumexp

from sklearn_transrate.exceptions import SaturatedScoreWarning, UndefinedMetricWarning
from sklearn_transrate.metrics._base import MetricResult, TransferMetric
from sklearn_transrate.metrics._discriminant import (
    Discriminant,
    Rows,
    check_shrinkage,
    resolve_shrinkage,
    warn_if_saturated,
)
from sklearn_transrate.metrics._over_candidates import scaled_over_candidates
from sklearn_transrate.metrics._target_energies import spectrum_of_targets
from sklearn_transrate.statistics import (
    ClassMoments,
    RowSample,
    Statistic,
    TargetMoments,
)

__all__ = ["ETran", "etran_from_parts", "etran_score"]

# The published weight of the energy; the rest is the linear model's.
ENERGY_WEIGHT = 0.15
# Share of the rows of least energy that count, as published.
TAIL = 0.005
BLOCK_ROWS = 4096
ROUNDING = 1e-9
# Targets whose variance is below this share of their squared mean are constant.
CONSTANT = (64.0 * np.finfo(np.float64).eps) ** 2


# -- kernels -------------------------------------------------------------------


def _energy(rows: RowSample) -> float:
    """Mean of log sum_j exp(z_j) over the rows where it is least, at least one."""
    X = rows.features
    weights = np.ones(len(X)) if rows.weights is None else rows.weights
    energies = np.concatenate(
        [
            logsumexp(X[start : start + BLOCK_ROWS].astype(np.float64), axis=1)
            for start in range(0, len(X), BLOCK_ROWS)
        ]
    )
    total = weights.sum()
    wanted = min(max(np.floor(TAIL * total + ROUNDING), 1.0), total)
    order = np.argsort(energies, kind="stable")
    before = np.cumsum(weights[order]) - weights[order]
    counted = np.clip(wanted - before, 0.0, weights[order])
    return float(counted @ energies[order] / counted.sum())


def _squashed(energy: float) -> float:
    """Map an energy to (0, 1), keeping the order."""
    return 0.5 * (1.0 + energy / (1.0 + abs(energy)))


def _squared_errors(moments: TargetMoments):
    """Mean squared error of least squares without intercept, and variance, of each."""
    _, energies, lengths = spectrum_of_targets(moments)
    n = moments.total_weight
    errors = np.maximum(lengths - energies.sum(axis=0), 0.0) / n
    joint, d = moments.joint(), moments.n_features
    if joint.is_dense:
        scatter = np.diagonal(joint.triangle())[d:]
    else:
        values = joint.factor()[:, d:]
        scatter = np.einsum("ik,ik->k", values, values)
    return errors, scatter / n


# -- functions -----------------------------------------------------------------


def etran_score(
    X,
    y,
    *,
    energy_weight=ENERGY_WEIGHT,
    shrinkage="published",
    task="auto",
    sample_weight=None,
):
    """Energy-based transferability estimation.

    Do the features look as they did in training, and does a linear model of them fit
    the targets? Higher is better.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Features from one layer of a source model, in its own units: the energy is
        defined on them as they are.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Class labels, 0/1 indicators of several labels, or real values.
    energy_weight : float, default=0.15
        Weight of the energy, as published; the linear model has the rest. 0 leaves
        the energy out.
    shrinkage : {"published", "relative"} or float, default="published"
        Of the discriminant analysis, as in `sfda_score`.
    task : {"auto", "classification", "multilabel", "regression"}, default="auto"
        What `y` holds. "auto" takes whole numbers, strings and booleans as classes,
        0/1 matrices as labels, and anything else as values.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; a weight of 2 counts as two equal rows.

    Returns
    -------
    score : float
        For classes between 0 and 1; otherwise at most 1. Best is 1.

    Raises
    ------
    ValueError
        If arguments are swapped, empty, not finite or of different lengths, or if a
        parameter is not as described.

    Warns
    -----
    SaturatedScoreWarning
        If the features are wide enough to fit any targets (n <= d) and do. Use
        `ridge_loo_score`, `logme_score`, or `h_score` with shrinkage.
    UndefinedMetricWarning
        If `y` holds one class or constant values only; the score is then NaN.

    See Also
    --------
    ETran : The same as an object, for streams and selectors.
    etran_from_parts : The published combination, over several candidates.
    sfda_score : Discriminant analysis, made harder.

    Notes
    -----
    The energy is the mean of ``log sum_j exp(z_j)`` over the half percent of samples
    where it is least, and over one sample where that is none. For classes the linear
    model is discriminant analysis with shrinkage, scored by the mean posterior of
    the own class; for values it is least squares without intercept, scored by R2.
    The paper scales energy and linear score to [0, 1] over the candidates before
    they are added, so that a score depends on the others. Here the energy e becomes
    ``(1 + e / (1 + |e|)) / 2``, which keeps its order and lies between 0 and 1, and
    the posterior and R2 are taken as they are; `parts_` holds what the paper adds.

    The published program takes orthonormal eigenvectors of a matrix that is not
    symmetric for its discriminant directions, and so returns the posterior of a
    nearest-mean classifier, whatever the covariance; it has no energy for less than
    200 samples. Neither is so here.

    Cost: O(n d min(n, d)), two looks at the rows.

    It misleads where candidates differ in the scale or the width of their features,
    which the energy takes for a difference in quality, and where n is not far above d.

    References
    ----------
    .. [1] Gholami, M., Akbari, M., Wang, X., Kamranian, B., & Zhang, Y. (2023). ETran:
       Energy-based transferability estimation. ICCV.
       https://doi.org/10.1109/ICCV51070.2023.01706

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate.metrics import etran_score
    >>> X, y = load_iris(return_X_y=True)
    >>> round(etran_score(X, y), 4)
    0.9608
    """
    metric = ETran(energy_weight=energy_weight, shrinkage=shrinkage, task=task)
    return metric.score(X, y, sample_weight)


def etran_from_parts(energies, scores, *, energy_weight=ENERGY_WEIGHT):
    """ETran of several candidates, scaled over them as published.

    Parameters
    ----------
    energies : array-like of shape (n_candidates,)
        ``parts_["energy"]`` of each candidate.
    scores : array-like of shape (n_candidates,)
        ``parts_["lda"]`` of each candidate, or ``parts_["regression"]``.
    energy_weight : float, default=0.15
        Weight of the energy.

    Returns
    -------
    scores : ndarray of shape (n_candidates,)
        Between 0 and 1; comparable among these candidates only.

    See Also
    --------
    etran_score : A score of one candidate by itself.

    References
    ----------
    .. [1] Gholami, M., Akbari, M., Wang, X., Kamranian, B., & Zhang, Y. (2023). ETran:
       Energy-based transferability estimation. ICCV.
       https://doi.org/10.1109/ICCV51070.2023.01706

    Examples
    --------
    >>> from sklearn_transrate.metrics import etran_from_parts
    >>> etran_from_parts([2.0, 4.0, 3.0], [0.5, 0.7, 0.9]).round(3).tolist()
    [0.0, 0.575, 0.925]
    """
    energies = scaled_over_candidates(energies, name="energies")
    scores = scaled_over_candidates(scores, name="scores")
    if len(energies) != len(scores):
        raise ValueError(
            f"Expected as many scores as energies, got {len(scores)} and "
            f"{len(energies)}."
        )
    return energy_weight * energies + (1.0 - energy_weight) * scores


# -- the object ----------------------------------------------------------------


class ETran(TransferMetric):
    """Energy-based transferability as an object, for streams and selectors.

    Parameters
    ----------
    energy_weight : float, default=0.15
        Weight of the energy; the linear model has the rest.
    shrinkage : {"published", "relative"} or float, default="published"
        Of the discriminant analysis.
    task : {"auto", "classification", "multilabel", "regression"}, default="auto"
        What `y` holds; "auto" looks at the first batch.

    Attributes
    ----------
    score_ : float
        ETran of all rows seen.
    parts_ : dict
        "energy", in the units of the features; for classes "lda", the mean posterior,
        and "shrinkage"; otherwise "regression", minus the mean squared error, and
        "r2".
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
    etran_score : The same as a function.

    References
    ----------
    .. [1] Gholami, M., Akbari, M., Wang, X., Kamranian, B., & Zhang, Y. (2023). ETran:
       Energy-based transferability estimation. ICCV.
       https://doi.org/10.1109/ICCV51070.2023.01706

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate.metrics import ETran
    >>> X, y = load_iris(return_X_y=True)
    >>> metric = ETran().fit(X, y)
    >>> round(metric.parts_["energy"], 4), round(metric.parts_["lda"], 4)
    (4.5839, 0.9697)
    """

    requires = {
        "moments": ClassMoments.empty(scatter="pooled"),
        "rows": RowSample.empty(),
    }
    tasks = ("classification", "multilabel", "regression")
    n_passes = 3

    def __init__(
        self, *, energy_weight=ENERGY_WEIGHT, shrinkage="published", task="auto"
    ):
        self.energy_weight = energy_weight
        self.shrinkage = shrinkage
        self.task = task

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest possible score."""
        return (0.0 if self.task == "classification" else -np.inf, 1.0)

    def required_statistics(
        self, task: str = "classification"
    ) -> Mapping[str, Statistic]:
        """Return the empty statistics that this metric needs for a task.

        Parameters
        ----------
        task : {"classification", "multilabel", "regression"}
            What kind of target y is.

        Returns
        -------
        statistics : mapping of {name: Statistic}
        """
        if task == "classification":
            return self.requires
        return {"moments": TargetMoments.empty(), "rows": RowSample.empty()}

    def _evaluate(self, moments, rows) -> MetricResult:
        weight = self.energy_weight
        if not isinstance(weight, Real) or not 0.0 <= weight <= 1.0:
            raise ValueError(
                f"Expected 'energy_weight' between 0 and 1, got {weight!r}."
            )
        check_shrinkage(self.shrinkage)
        parts = {"energy": _energy(rows)}
        if isinstance(moments, ClassMoments):
            fit = self._fit_of_classes(moments, rows, parts)
        else:
            fit = self._fit_of_values(moments, parts)
        score = weight * _squashed(parts["energy"]) + (1.0 - weight) * fit
        return MetricResult(float(score), parts=parts)

    def _fit_of_classes(self, moments, rows, parts) -> float:
        amount = resolve_shrinkage(moments, self.shrinkage)
        rows = Rows.from_sample(rows, moments.mean)
        model = Discriminant.from_moments(moments, amount, rows.origin)
        posterior = rows.mean(model.own_class(rows))
        warn_if_saturated("ETran", posterior, moments.n_samples, moments.n_features)
        parts.update(lda=posterior, shrinkage=amount)
        return posterior

    def _fit_of_values(self, moments, parts) -> float:
        errors, variances = _squared_errors(moments)
        parts["regression"] = -float(errors.mean())
        varying = variances > CONSTANT * moments.means[1] ** 2
        if not varying.any():
            reason = "ETran fits targets, but they are constant. The score is NaN."
            warnings.warn(reason, UndefinedMetricWarning, stacklevel=5)
            parts.update(reason=reason, r2=np.nan)
            return np.nan
        r2 = float(np.mean(1.0 - errors[varying] / variances[varying]))
        if moments.n_samples <= moments.n_features and r2 > 1.0 - ROUNDING:
            warnings.warn(
                f"ETran is at its bound for any targets: {moments.n_samples} samples "
                f"are too few for {moments.n_features} features. Use RidgeLOO or "
                "LogME, or more samples.",
                SaturatedScoreWarning,
                stacklevel=5,
            )
        parts["r2"] = r2
        return r2
