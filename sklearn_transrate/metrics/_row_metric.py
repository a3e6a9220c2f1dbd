"""What metrics share that compare single rows, rather than read their moments."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from sklearn_transrate._lib.labels import encode_labels
from sklearn_transrate.exceptions import UndefinedMetricWarning
from sklearn_transrate.metrics._base import MetricResult, TransferMetric
from sklearn_transrate.statistics import RowSample

__all__ = ["LabelledRows", "RowMetric", "r2_of_predictions"]


class LabelledRows(NamedTuple):
    """Kept rows with what a kernel needs to know of their targets.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_features)
        Features in the dtype they came in; not to be changed.
    codes : ndarray of shape (n_samples,) or None
        Positions of the labels among the sorted classes; None for values.
    values : ndarray of shape (n_samples, n_targets) or None
        Numeric targets; None for classes.
    weights : ndarray of shape (n_samples,)
        Positive weights, 1 where none were given.
    n_classes : int
        Number of classes; 0 for values.
    """

    X: np.ndarray
    codes: np.ndarray | None
    values: np.ndarray | None
    weights: np.ndarray
    n_classes: int

    @classmethod
    def from_sample(cls, rows: RowSample, task: str) -> LabelledRows:
        """Read a filled sample."""
        X = rows.features
        weights = np.ones(len(X)) if rows.weights is None else rows.weights
        if task == "classification":
            labels, codes = encode_labels(rows.targets)
            return cls(X, codes, None, weights, len(labels))
        values = np.asarray(rows.targets, dtype=np.float64).reshape(len(X), -1)
        return cls(X, None, values, weights, 0)

    @property
    def is_weighted(self) -> bool:
        """Whether any weight differs from 1."""
        return bool((self.weights != 1.0).any())

    def centred(self) -> np.ndarray:
        """Return float64 features less their mean, which the caller owns."""
        # Distances to a row are as exact as the data, and so is their mean.
        deviations = self.X.astype(np.float64)
        deviations -= deviations[0].copy()
        deviations -= self.weights @ deviations / self.weights.sum()
        return deviations


def r2_of_predictions(values, predictions, weights) -> float:
    """Mean over targets of the share of variance explained; constant ones left out.

    NaN where all targets are constant.
    """
    mean = weights @ values / weights.sum()
    energies = weights @ (values - mean) ** 2
    rounding = 64.0 * np.finfo(np.float64).eps * mean
    varying = energies > weights.sum() * rounding**2
    if not varying.any():
        return np.nan
    errors = weights @ (values - predictions) ** 2
    return float(np.mean(1.0 - errors[varying] / energies[varying]))


class RowMetric(TransferMetric):
    """Base of metrics whose only statistic is the rows themselves."""

    requires = {"rows": RowSample.empty()}
    n_passes = 2

    def _result(self, statistics, task) -> MetricResult:
        # The same rows serve every task; their targets tell which one it is.
        if statistics["rows"].n_samples:
            task = self.resolve_task(statistics["rows"].targets)
        return super()._result(statistics, task)

    def _labelled(self, rows: RowSample) -> LabelledRows:
        return LabelledRows.from_sample(rows, self.resolve_task(rows.targets))

    def _undefined(self, reason: str, value: float = np.nan) -> MetricResult:
        """Warn and return a score that says nothing, with its reason."""
        reason = f"{type(self).__name__} {reason} The score is set to {value}."
        warnings.warn(reason, UndefinedMetricWarning, stacklevel=5)
        return MetricResult(value, parts={"reason": reason})
