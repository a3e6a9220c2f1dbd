"""PED: classes that overlap push one another apart before a metric looks at them.

Li, X., Hu, Z., Ge, Y., Shan, Y., & Duan, L.-Y. (2023). Needs class means, variances
of single features, and the rows that the metric needs.
"""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from scipy.spatial.distance import cdist

from sklearn_transrate._lib.labels import encode_labels
from sklearn_transrate._lib.validation import check_features
from sklearn_transrate.metrics._base import MetricResult, TransferMetric
from sklearn_transrate.metrics._registry import resolve_metric
from sklearn_transrate.statistics import ClassMoments, RowSample

__all__ = ["PED", "ped_score"]

# Deviations of the reference set are at least this share of their root mean square.
LEAST_DEVIATION = 1e-3
# Means that are closer than this, relative to their distance from the middle, are one.
SAME_PLACE = 1e-12


# -- kernels -------------------------------------------------------------------


def _displacements(means, radii, time_step) -> np.ndarray:
    """How far each class is pushed by the classes whose balls overlap with its own.

    Two classes that overlap by o push each other along the line between their means
    by min(time_step^2 o / 2, o); classes at one place have no such line.
    """
    distances = cdist(means, means)
    overlaps = np.maximum(radii[:, None] + radii - distances, 0.0)
    pushes = np.minimum(0.5 * time_step**2 * overlaps, overlaps)
    apart = distances > SAME_PLACE * np.sqrt(np.einsum("kj,kj->k", means, means)).max()
    rates = np.divide(pushes, distances, out=np.zeros_like(pushes), where=apart)
    return rates.sum(axis=1)[:, None] * means - rates @ means


def _descend(means, radii, time_step, exit_ratio, max_steps):
    """Return the means once the forces have died down, and the number of steps.

    The classes move as rigid bodies, so that their radii stay. A step counts while
    the sum of absolute displacements exceeds a share of that of the first.
    """
    first = None
    for step in range(max_steps):
        moves = _displacements(means, radii, time_step)
        length = np.abs(moves).sum()
        first = length if first is None else first
        if not length > exit_ratio * first:
            return means, step
        means = means + moves
    return means, max_steps


def _deviations(moments: ClassMoments, general_X) -> np.ndarray:
    """Standard deviation of each feature in the reference set, or over all rows."""
    if general_X is None:
        offsets = moments.means - moments.mean
        squares = moments.priors @ (moments.variances() + offsets**2)
    else:
        squares = np.var(general_X, axis=0, dtype=np.float64)
    floor = LEAST_DEVIATION * np.sqrt(squares.mean())
    return np.maximum(np.sqrt(squares), floor) if floor > 0 else np.ones(len(squares))


# -- function ------------------------------------------------------------------


def ped_score(
    X,
    y,
    *,
    general_X=None,
    n_sigma=0.6,
    metric="sfda",
    time_step=0.1,
    exit_ratio=0.5,
    max_steps=6,
    sample_weight=None,
):
    """Score of another metric after potential energy descent.

    What would a metric say once classes that overlap have moved apart, as fine-tuning
    will move them? Higher is better, if it is for the other metric.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Features from one layer of a source model.
    y : array-like of shape (n_samples,)
        Target class labels. Any hashable labels; at least two classes.
    general_X : array-like of shape (n_general, n_features), default=None
        Features that the same model gives to a general set of inputs; the authors
        take the validation images of ImageNet. Their deviations are the units of
        each feature. None takes the deviations of `X`.
    n_sigma : float, default=0.6
        Radius of a class in units of the root of its summed variances; the authors
        use 0.3 or 0.6.
    metric : str or TransferMetric, default="sfda"
        What to take of the moved features: SFDA in the paper's tables, or another
        metric for classes by its name.
    time_step : float, default=0.1
        Length of a step.
    exit_ratio : float, default=0.5
        Stop before the step that moves the classes by less than this share of the
        first.
    max_steps : int, default=6
        Largest number of steps.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; a weight of 2 counts as two equal rows.

    Returns
    -------
    score : float
        In the units and the range of the other metric; between 0 and 1, best 1, for
        SFDA.

    Raises
    ------
    ValueError
        If arguments are swapped, empty, not finite or of different lengths, if `y`
        is continuous, if `general_X` has another width, or if a parameter is not as
        described.

    Warns
    -----
    SaturatedScoreWarning
        If the other metric does.
    UndefinedMetricWarning
        If `y` has one class; the score is then NaN.

    See Also
    --------
    PED : The same as an object, for streams and selectors.
    sfda_score : The metric without the descent.

    Notes
    -----
    In units of the reference deviations, class k is a ball about its mean of radius
    ``n_sigma sqrt(sum_j Var_kj)``. Balls that overlap by o push each other along the
    line between their means by ``min(time_step^2 o / 2, o)``; all rows of a class move
    with it. This is repeated until the sum of absolute displacements is down to
    `exit_ratio` of the first. Only class means move, so a step costs O(n_classes^2 d).
    Classes at exactly one place do not push, where the published program divides by
    zero. Its absolute floor under deviations, 1e-3, is relative to their size here.

    Cost: O(n d) beside that of the other metric, whose features are held as float64.

    It misleads where the other metric does, and adds forces of an arbitrary size:
    nothing in the data sets `n_sigma`.

    References
    ----------
    .. [1] Li, X., Hu, Z., Ge, Y., Shan, Y., & Duan, L.-Y. (2023). Exploring model
       transferability through the lens of potential energy. ICCV.
       https://doi.org/10.1109/ICCV51070.2023.00500

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_transrate.metrics import ped_score, sfda_score
    >>> X, y = load_wine(return_X_y=True)
    >>> round(ped_score(X, y, n_sigma=1.0), 4), round(sfda_score(X, y), 4)
    (0.9032, 0.8929)
    """
    ped = PED(
        general_X=general_X,
        n_sigma=n_sigma,
        metric=metric,
        time_step=time_step,
        exit_ratio=exit_ratio,
        max_steps=max_steps,
    )
    return ped.score(X, y, sample_weight)


# -- the object ----------------------------------------------------------------


class PED(TransferMetric):
    """Potential energy descent before another metric, as an object.

    Parameters
    ----------
    general_X : array-like of shape (n_general, n_features), default=None
        Features that the same model gives to a general set of inputs, for the units
        of each feature; None takes those of the rows that are scored.
    n_sigma : float, default=0.6
        Radius of a class in units of the root of its summed variances.
    metric : str or TransferMetric, default="sfda"
        What to take of the moved features.
    time_step : float, default=0.1
        Length of a step.
    exit_ratio : float, default=0.5
        Share of the first displacement below which a step no longer counts.
    max_steps : int, default=6
        Largest number of steps.

    Attributes
    ----------
    score_ : float
        Score of all rows seen.
    parts_ : dict
        "n_steps", steps taken; "displacements", how far each class moved, in units of
        the reference deviations; and the parts of the other metric.
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
    ped_score : The same as a function.

    References
    ----------
    .. [1] Li, X., Hu, Z., Ge, Y., Shan, Y., & Duan, L.-Y. (2023). Exploring model
       transferability through the lens of potential energy. ICCV.
       https://doi.org/10.1109/ICCV51070.2023.00500

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate.metrics import PED
    >>> X, y = load_iris(return_X_y=True)
    >>> ped = PED(n_sigma=2.0, metric="logme").fit(X, y)
    >>> ped.parts_["n_steps"]
    6
    """

    requires = {
        "moments": ClassMoments.empty(scatter="diagonal"),
        "rows": RowSample.empty(),
    }
    n_passes = 2

    def __init__(
        self,
        *,
        general_X=None,
        n_sigma=0.6,
        metric="sfda",
        time_step=0.1,
        exit_ratio=0.5,
        max_steps=6,
    ):
        self.general_X = general_X
        self.n_sigma = n_sigma
        self.metric = metric
        self.time_step = time_step
        self.exit_ratio = exit_ratio
        self.max_steps = max_steps

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest possible score, those of the other metric."""
        return self._inner().bounds

    @property
    def invariances(self) -> frozenset[str]:
        """What leaves the score as it is, if it does so for the other metric."""
        kept = {"duplication", "translation"}
        if self.general_X is None:
            kept.add("scale")
        return frozenset(kept & self._inner().invariances)

    def _inner(self) -> TransferMetric:
        metric = resolve_metric(self.metric)
        if not isinstance(metric, TransferMetric):
            raise TypeError(
                f"Expected 'metric' to be a name or a TransferMetric, got {metric!r}."
            )
        return metric

    def _evaluate(self, moments, rows) -> MetricResult:
        self._check_parameters(moments.n_features)
        deviations = _deviations(moments, self.general_X)
        before = (moments.means - moments.mean) / deviations
        spreads = (moments.variances() / deviations**2).sum(axis=1)
        radii = self.n_sigma * np.sqrt(spreads)
        after, n_steps = _descend(
            before, radii, self.time_step, self.exit_ratio, self.max_steps
        )
        moves = after - before
        codes = encode_labels(rows.targets)[1]
        moved = rows.features + (moves * deviations)[codes]
        filled = {
            name: empty.from_batch(moved, rows.targets, rows.weights, **empty.config)
            for name, empty in self._inner().required_statistics().items()
        }
        result = self._inner().evaluate(filled)
        parts = {"n_steps": n_steps, "displacements": np.linalg.norm(moves, axis=1)}
        return result._replace(parts={**result.parts, **parts})

    def _check_parameters(self, n_features) -> None:
        for name in ("n_sigma", "time_step", "exit_ratio"):
            value = getattr(self, name)
            if not isinstance(value, Real) or not 0 <= value < np.inf:
                raise ValueError(
                    f"Expected {name!r} to be a number of at least 0, got {value!r}."
                )
        if not isinstance(self.max_steps, Integral) or self.max_steps < 0:
            raise ValueError(
                "Expected 'max_steps' to be a whole number of at least 0, got "
                f"{self.max_steps!r}."
            )
        if self.general_X is not None:
            width = check_features(self.general_X, name="PED").shape[1]
            if width != n_features:
                raise ValueError(
                    f"Expected 'general_X' to have {n_features} features, as the rows "
                    f"have, got {width}."
                )
