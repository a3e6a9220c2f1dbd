"""TransRate at many distortions for the price of a few.

A log-determinant at one distortion takes a Cholesky factor; the eigenvalues, which
serve all distortions, take about as long as seven.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sklearn.base import clone

from sklearn_transrate._lib import linalg
from sklearn_transrate.metrics._coding_rate import AUTO_DISTORTION
from sklearn_transrate.metrics._transrate_kernels import (
    class_triangles,
    projected_spectra,
    total_and_left,
)
from sklearn_transrate.metrics._transrate_options import (
    check_left_out,
    check_options,
    check_parameters,
    class_weights,
    is_share,
)
from sklearn_transrate.metrics._transrate_predictive import predictive_curve

__all__ = ["EpsCurve", "EpsCurveMixin"]

# Where to look if nothing is said: five decades, the metric's own eps in the middle.
N_POINTS, HALF_WIDTH = 50, 2.5


class EpsCurve(NamedTuple):
    """Scores at many distortions.

    Parameters
    ----------
    eps : ndarray of shape (n_points,)
        Distortions, in `eps_unit`.
    scores : ndarray of shape (n_points,)
        The score at each.
    default_eps : float
        What the metric itself uses, in the same unit; NaN or infinite where that
        has no such number.
    eps_unit : {"absolute", "trace", "mean_eigenvalue"}
        What all these are measured in.
    """

    eps: np.ndarray
    scores: np.ndarray
    default_eps: float
    eps_unit: str


class EpsCurveMixin:
    """The method that `TransRate` has beside those of every metric."""

    def eps_curve(self, eps=None, *, eps_unit=None) -> EpsCurve:
        """Scores of all rows seen at many distortions.

        Whether a ranking hangs on `eps` shows where the curves of two layers cross.

        Parameters
        ----------
        eps : array-like of shape (n_points,), default=None
            Positive distortions, in any order. None takes 50 over five decades, with
            the metric's own in the middle.
        eps_unit : {"absolute", "trace", "mean_eigenvalue"}, default=None
            What `eps` is measured in. None is the metric's own `eps_unit`, or
            "mean_eigenvalue" where its `eps` is "auto": then the same number means
            the same for layers of every scale.

        Returns
        -------
        curve : EpsCurve
            Named tuple of `eps`, `scores`, `default_eps` and `eps_unit`.

        Notes
        -----
        Cost: from the same statistics as the score, eigenvalues in place of Cholesky
        factors, once for all distortions. Out of sample, one pass over the kept rows
        a distortion; with a correction or a share of the pooled covariance, a score
        a distortion.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from sklearn_transrate.metrics import TransRate
        >>> X, y = load_digits(return_X_y=True)
        >>> curve = TransRate().fit(X, y).eps_curve([0.01, 0.1, 1.0])
        >>> curve.scores.round(4)
        array([2.0871, 2.1244, 2.1224])
        >>> round(curve.default_eps, 3), curve.eps_unit
        (0.316, 'mean_eigenvalue')
        """
        self._check_is_fitted()
        check_parameters(self)
        own_unit = "mean_eigenvalue" if self.eps == "auto" else self.eps_unit
        unit = own_unit if eps_unit is None else eps_unit
        check_options(eps_unit=unit)
        reader = _reader(self)
        default = _own_eps(self, reader, unit)
        if eps is None:
            steps = np.linspace(-HALF_WIDTH, HALF_WIDTH, N_POINTS)
            middle = default if 0 < default < np.inf else AUTO_DISTORTION
            eps = middle * 10.0**steps
        eps = _checked_grid(eps)
        absolute = eps * reader.unit(unit)
        positive = absolute > 0  # features without variance score 0 at any of them
        scores = np.zeros(len(eps))
        scores[positive] = reader.scores(absolute[positive])
        return EpsCurve(eps, scores, default, unit)


def _reader(metric) -> _PlugIn | _LeftOut:
    kind = _PlugIn
    if metric._is_left_out(metric._task):
        kind = _LeftOut
    elif metric.correction is not None or is_share(metric.covariance):
        kind = _PointByPoint
    return kind(metric, **metric._statistics)


def _own_eps(metric, reader: _PlugIn | _LeftOut, unit: str) -> float:
    """Return the distortion that the metric uses, in some unit."""
    own = metric.eps, metric.eps_unit
    if metric.eps == "auto":
        if isinstance(reader, _LeftOut):
            own = metric.parts_["eps"], "absolute"
        else:
            own = AUTO_DISTORTION, "mean_eigenvalue"
    if own[1] == unit:
        return float(own[0])
    size = reader.unit(unit)
    return float(own[0]) * reader.unit(own[1]) / size if size > 0 else np.nan


def _checked_grid(eps) -> np.ndarray:
    grid = np.asarray(eps, dtype=np.float64)
    if grid.ndim != 1 or not (np.isfinite(grid) & (grid > 0)).all():
        raise ValueError(
            f"Expected 'eps' as a 1-d array of positive numbers, got {eps!r}."
        )
    return grid


@dataclass(frozen=True)
class _Spectra:
    """Eigenvalues of covariances: of all features, and of what labels leave."""

    total: np.ndarray
    classes: list[np.ndarray]
    weights: np.ndarray
    rank: int


class _PlugIn:
    """Scores from spectra."""

    def __init__(self, metric, moments=None, rows=None):
        moments, origin = metric._moments_in_form(moments, rows)
        self.spectra = _read_spectra(metric, moments, origin)
        self.divisor = metric._divisor(self.spectra.rank, moments.n_features)

    def unit(self, name: str) -> float:
        """Return the absolute size of a unit."""
        if name == "absolute":
            return 1.0
        trace = float(self.spectra.total.sum())
        return trace if name == "trace" else trace / max(self.spectra.rank, 1)

    def scores(self, grid: np.ndarray) -> np.ndarray:
        """Return the score at each absolute distortion."""
        spectra = self.spectra
        gained = _rates(spectra.total, grid)
        for weight, eigenvalues in zip(spectra.weights, spectra.classes, strict=True):
            gained -= weight * _rates(eigenvalues, grid)
        return gained / self.divisor


class _PointByPoint(_PlugIn):
    """Scores of forms of which the spectra do not tell all, one by one."""

    def __init__(self, metric, **statistics):
        super().__init__(metric, **statistics)
        self.metric, self.statistics = metric, statistics

    def scores(self, grid: np.ndarray) -> np.ndarray:
        """Return the score at each absolute distortion."""
        metric = clone(self.metric).set_params(eps_unit="absolute", estimate="plug_in")
        return np.array(
            [
                metric.set_params(eps=float(eps))._evaluate(**self.statistics).score
                for eps in grid
            ]
        )


class _LeftOut:
    """Scores out of sample."""

    def __init__(self, metric, moments, rows):
        check_left_out(metric, moments)
        self.moments, self.rows = moments, rows

    def unit(self, name: str) -> float:
        """Return the absolute size of a unit."""
        if name == "absolute":
            return 1.0
        trace = self.moments.total_trace() / self.moments.total_weight
        if name == "trace":
            return trace
        return trace / max(linalg.rank_of_eigenvalues(self._eigenvalues()), 1)

    def _eigenvalues(self) -> np.ndarray:
        total = self.moments.total()
        if total.is_dense:
            return linalg.eigvalsh_alive(total.triangle())
        return linalg.eigvalsh_alive(linalg.gram_of_rows(total.factor()))

    def scores(self, grid: np.ndarray) -> np.ndarray:
        """Return the score at each absolute distortion."""
        return predictive_curve(self.moments, self.rows, grid)


def _rates(eigenvalues: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Coding rates at each distortion."""
    return 0.5 * np.log1p(eigenvalues[:, None] / grid).sum(axis=0)


def _read_spectra(metric, moments, origin: bool) -> _Spectra:
    if metric._is_pooled(moments):
        total, left = total_and_left(moments)
        classes, weights, counts = [left], np.ones(1), [moments.total_weight]
    else:
        counts = moments.counts
        weights = class_weights(counts, metric.class_weight)
        if metric.projection is not None:
            return _read_projected(moments, origin, weights)
        total, classes, _ = class_triangles(moments, origin)
    eigenvalues = linalg.eigvalsh_alive(total)
    return _Spectra(
        eigenvalues / moments.total_weight,
        [
            linalg.eigvalsh_alive(triangle) / count
            for triangle, count in zip(classes, counts, strict=True)
        ],
        weights,
        linalg.rank_of_eigenvalues(eigenvalues),
    )


def _read_projected(moments, origin: bool, weights) -> _Spectra:
    total, classes = projected_spectra(moments, origin)
    floor = linalg.rank_tolerance(total.max(initial=0.0), moments.n_features)
    return _Spectra(total, classes, weights, int(np.sum(total > floor)))
