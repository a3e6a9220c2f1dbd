"""Joint first and second moments of features and numeric targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from sklearn_transrate.statistics._base import Statistic
from sklearn_transrate.statistics._moments import ClassMoments
from sklearn_transrate.statistics._scatter import Scatter

__all__ = ["TargetMoments"]


class TargetMoments(Statistic):
    """Means and centred scatter of features and numeric targets together.

    What regression and multi-label metrics need in place of class moments. The
    columns of the joint scatter are the features, then the targets; it is kept as a
    thin factor while there are fewer rows than columns.

    Attributes
    ----------
    n_features, n_targets : int or None
        Widths; None while empty.
    n_samples : int
        Number of rows seen.

    Examples
    --------
    >>> from sklearn_transrate.statistics import TargetMoments
    >>> moments = TargetMoments.from_batch([[0.0], [2.0]], [1.0, 5.0])
    >>> moments.joint().dense().round(12).tolist()
    [[2.0, 4.0], [4.0, 8.0]]
    """

    def __init__(self) -> None:
        # The same sums as the moments of a single class.
        self._moments = ClassMoments.empty(scatter="pooled")
        self.n_targets: int | None = None

    @property
    def config(self) -> dict[str, Any]:
        """Keyword arguments of `empty` and `from_batch`: none."""
        return {}

    @property
    def n_samples(self) -> int:
        """Number of rows seen."""
        return self._moments.n_samples

    @property
    def n_features(self) -> int | None:
        """Width of the features; None while empty."""
        return None if self.n_targets is None else self._width - self.n_targets

    @property
    def _width(self) -> int:
        return self._moments.n_features

    @classmethod
    def empty(cls) -> Self:
        """Return the statistic of no rows, the neutral element of `merge`."""
        return cls()

    @classmethod
    def from_batch(cls, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Summarise one batch.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Numeric targets, or 0/1 indicators of labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        moments : TargetMoments
        """
        X, targets = np.asarray(X), np.asarray(y, dtype=np.float64)
        if X.ndim != 2 or targets.ndim not in (1, 2) or len(X) != len(targets):
            raise ValueError(
                f"Expected one row of targets per row of a 2-d array, got features of "
                f"shape {X.shape} and targets of shape {targets.shape}."
            )
        if targets.ndim == 1:
            targets = targets[:, None]
        stacked = np.hstack([X, targets])
        new = cls()
        new._moments = ClassMoments.from_batch(
            stacked, np.zeros(len(stacked), dtype=int), sample_weight, scatter="pooled"
        )
        new.n_targets = targets.shape[1] if new.n_samples else None
        return new

    def absorb(self, other: Self) -> None:
        """Add another summary of the same kind to this one, in place."""
        if other.n_targets is None:
            return
        if self.n_targets not in (None, other.n_targets):
            raise ValueError(
                f"Expected {self.n_targets} targets, as in the rows seen before, got "
                f"{other.n_targets}."
            )
        if self.n_features not in (None, other.n_features):
            raise ValueError(
                f"Expected {self.n_features} features, as in the rows seen before, got "
                f"{other.n_features}."
            )
        self.n_targets = other.n_targets
        self._moments.absorb(other._moments)

    @property
    def total_weight(self) -> float:
        """Number of samples, or the sum of their weights."""
        return self._moments.total_weight

    @property
    def means(self) -> tuple[np.ndarray, np.ndarray]:
        """Means of the features and of the targets."""
        mean = self._moments.mean
        return mean[: self.n_features], mean[self.n_features :]

    def joint(self) -> Scatter:
        """Return the centred scatter of features and targets; do not change it."""
        return self._moments.within()

    def summary(self) -> dict[str, Any]:
        """Return counts, means and the dense joint scatter."""
        if self.n_targets is None:
            return {"n_samples": 0}
        return {
            "n_samples": self.n_samples,
            "n_targets": self.n_targets,
            "total_weight": self.total_weight,
            "mean": self._moments.mean,
            "joint": self.joint().dense(),
        }

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the state as arrays, from which `from_arrays` rebuilds it."""
        n_targets = -1 if self.n_targets is None else self.n_targets
        return {**self._moments.to_arrays(), "n_targets": np.array(n_targets)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Rebuild a statistic from the result of `to_arrays`."""
        new = cls()
        new._moments = ClassMoments.from_arrays(arrays)
        n_targets = int(arrays["n_targets"])
        new.n_targets = None if n_targets < 0 else n_targets
        return new
