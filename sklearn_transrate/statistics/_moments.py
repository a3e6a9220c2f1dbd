"""Counts, means and centred scatters of features, per class.

The sufficient statistic of every metric that sees features only up to second
order: coding rates, H-score, LogME, Gaussian overlap. Scatters are centred at the
means and merged with the mean difference [1]_, so a large common offset costs no
digits; raw second moments lose them all.

.. [1] Chan, T. F., Golub, G. H., & LeVeque, R. J. (1983). Algorithms for computing
   the sample variance. The American Statistician, 37(3), 242-247.
   https://doi.org/10.1080/00031305.1983.10483115
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Self

import numpy as np

from sklearn_transrate._lib.arrays import as_rows, take_dense
from sklearn_transrate._lib.labels import encode_labels, labels_to_array, sorted_labels
from sklearn_transrate.statistics._base import Statistic
from sklearn_transrate.statistics._by_class import checked_weights, sum_by_class
from sklearn_transrate.statistics._norms import NormMoments
from sklearn_transrate.statistics._scatter import (
    Scatter,
    centred_factor,
    sum_of_scatters,
)

__all__ = ["ClassMoments"]

KINDS = ("class", "pooled", "diagonal")


class ClassMoments(Statistic):
    """Weighted counts, means and scatters of each class.

    Parameters
    ----------
    scatter : {"class", "pooled", "diagonal"}, default="class"
        Which second moments to keep: a full matrix for each class, one matrix
        pooled within classes, or the variances of each class. Matrices are kept
        as a thin factor while they have fewer rows than features, so memory is at
        most ``min(n, d) * d`` numbers a matrix.
    norms : bool, default=False
        Whether to keep the third and fourth moments of the distance to the global
        mean that Ledoit-Wolf shrinkage needs. Not with ``scatter="diagonal"``.

    Attributes
    ----------
    classes : list
        Labels seen, in sorted order; every other attribute follows it.
    counts : ndarray of shape (n_classes,)
        Number of samples of each class, or the sum of their weights.
    means : ndarray of shape (n_classes, n_features)
        Class means.
    n_features : int or None
        Width of the features; None while empty.
    n_samples : int
        Number of rows seen.

    See Also
    --------
    accumulate : Fill statistics from batches.

    Notes
    -----
    Everything is float64. Cost of a batch: O(n d min(n_c, d)) for class matrices,
    O(n d min(n, d)) for the pooled one, O(n d) for variances.

    Examples
    --------
    >>> from sklearn_transrate.statistics import ClassMoments
    >>> left = ClassMoments.from_batch([[0.0, 1.0], [2.0, 1.0]], ["a", "a"])
    >>> right = ClassMoments.from_batch([[4.0, 4.0]], ["b"])
    >>> both = left.merge(right)
    >>> both.classes, both.counts.tolist()
    (['a', 'b'], [2.0, 1.0])
    >>> both.means.tolist()
    [[1.0, 1.0], [4.0, 4.0]]
    """

    def __init__(self, *, scatter: str = "class", norms: bool = False) -> None:
        if scatter not in KINDS:
            raise ValueError(
                f"Expected 'scatter' to be one of {KINDS}, got {scatter!r}."
            )
        if norms and scatter == "diagonal":
            raise ValueError(
                "Moments of norms cannot be merged without a scatter matrix. "
                "Use scatter='pooled' or 'class', or norms=False."
            )
        self.scatter = scatter
        self.norms = norms
        self.n_features: int | None = None
        self.classes: list[Hashable] = []
        self.counts = np.empty(0)
        # Means are kept as distances to a row: a float64 mean far from zero would
        # round off more than what two means may differ by.
        self._origin = np.empty(0)
        self._deviations = np.empty((0, 0))
        self._n_samples = 0
        self._scatters: list[Scatter] = []  # one a class, or one for all
        self._variances = np.empty((0, 0))  # sums of squares, scatter="diagonal"
        self._norms = NormMoments.zero(0)

    # -- making ----------------------------------------------------------------

    @property
    def config(self) -> dict[str, Any]:
        """Keyword arguments of `empty` and `from_batch` that made this one."""
        return {"scatter": self.scatter, "norms": self.norms}

    @property
    def n_samples(self) -> int:
        """Number of rows seen."""
        return self._n_samples

    @classmethod
    def empty(cls, *, scatter: str = "class", norms: bool = False) -> Self:
        """Return the statistic of no rows, the neutral element of `merge`."""
        return cls(scatter=scatter, norms=norms)

    @classmethod
    def from_batch(
        cls,
        X: Any,
        y: Sequence[Hashable],
        sample_weight: Any = None,
        *,
        scatter: str = "class",
        norms: bool = False,
    ) -> Self:
        """Summarise one batch.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features of any real dtype; not changed. Sparse rows become dense a block
            at a time.
        y : sequence of hashable of shape (n_samples,)
            Class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; a weight of 2 counts as two equal rows.
        scatter, norms
            See the class.

        Returns
        -------
        moments : ClassMoments
        """
        moments = cls(scatter=scatter, norms=norms)
        X = as_rows(X)
        labels, codes = encode_labels(y)
        weights = checked_weights(sample_weight, len(codes))
        if X.ndim != 2 or X.shape[0] != len(codes):
            raise ValueError(
                f"Expected one label per row of a 2-d array, got features of shape "
                f"{X.shape} and {len(codes)} labels."
            )
        if weights is not None and not weights.all():
            kept = np.flatnonzero(weights)
            X, codes, weights = X[kept], codes[kept], weights[kept]
            present = np.unique(codes)
            labels = [labels[k] for k in present]
            codes = np.searchsorted(present, codes)
        if X.shape[0]:
            moments._fill(X, labels, codes, weights)
        return moments

    def _fill(self, X, labels, codes, weights) -> None:
        n_classes, d = len(labels), X.shape[1]
        self.n_features, self._n_samples, self.classes = d, X.shape[0], labels
        sizes = np.bincount(codes, minlength=n_classes)
        self.counts = (
            sizes.astype(float)
            if weights is None
            else np.bincount(codes, weights, minlength=n_classes)
        )
        self._origin = take_dense(X, slice(0, 1))[0]
        self._deviations, self._scatters, self._variances = sum_by_class(
            X, codes, sizes, weights, self._origin, self.scatter
        )
        if self.norms:
            self._norms = NormMoments.from_rows(
                X, self._origin, self._mean_deviation, weights
            )

    # -- merging ---------------------------------------------------------------

    def absorb(self, other: Self) -> None:
        """Add another summary of the same kind to this one, in place."""
        if other.config != self.config:
            raise ValueError(
                f"Cannot merge moments of different kinds: {self.config} and "
                f"{other.config}."
            )
        if other.n_features is None:
            return
        if self.n_features is None:
            self.n_features = other.n_features
            self._origin = other._origin.copy()
            self._deviations = np.empty((0, self.n_features))
            self._variances = np.empty((0, self.n_features))
            self._norms = NormMoments.zero(self.n_features)
            if self.scatter == "pooled":
                self._scatters = [Scatter(self.n_features)]
        if other.n_features != self.n_features:
            raise ValueError(
                f"Expected {self.n_features} features, as in the rows seen before, "
                f"got {other.n_features}."
            )
        if self.norms:
            self._absorb_norms(other)
        self._make_room(other.classes)
        self._absorb_classes(other)
        self._n_samples += other._n_samples

    def _make_room(self, labels) -> None:
        """Insert empty classes for new labels, keeping the order sorted."""
        old = {label: k for k, label in enumerate(self.classes)}
        if all(label in old for label in labels):
            return
        merged = sorted_labels(dict.fromkeys([*self.classes, *labels]))
        source = np.array([old.get(label, -1) for label in merged])
        known = source >= 0

        def spread(array):
            new = np.zeros((len(merged), *array.shape[1:]))
            new[known] = array[source[known]]
            return new

        self.counts = spread(self.counts)
        self._deviations = spread(self._deviations)
        if self.scatter == "diagonal":
            self._variances = spread(self._variances)
        if self.scatter == "class":
            self._scatters = [
                self._scatters[k] if k >= 0 else Scatter(self.n_features)
                for k in source
            ]
        self.classes = merged

    def _absorb_classes(self, other) -> None:
        """Add counts, means and second moments of classes that have room."""
        position = {label: k for k, label in enumerate(self.classes)}
        place = np.array([position[label] for label in other.classes])
        n, m = self.counts[place], other.counts.copy()
        steps = other._deviations + (other._origin - self._origin)
        steps -= self._deviations[place]
        self._deviations[place] += steps * (m / (n + m))[:, None]
        self.counts[place] = n + m
        # The between-batch part of each scatter is one more factor row.
        steps *= np.sqrt(n * m / (n + m))[:, None]
        if self.scatter == "diagonal":
            self._variances[place] += other._variances + steps**2
        elif self.scatter == "pooled":
            self._scatters[0].absorb(other._scatters[0], steps[n > 0])
        else:
            for j, k in enumerate(place):
                row = steps[j : j + 1] if n[j] > 0 else None
                self._scatters[k].absorb(other._scatters[j], row)

    def _absorb_norms(self, other) -> None:
        apart = other._origin - self._origin
        theirs = other._mean_deviation + apart
        share = other.total_weight / (self.total_weight + other.total_weight)
        if not self.n_samples:
            self._norms = other._norms.copy()
            return
        step = theirs - self._mean_deviation
        self._norms = self._moved_norms(share * step) + other._moved_norms(
            (share - 1.0) * step
        )

    def _moved_norms(self, shift) -> NormMoments:
        """Return the norm moments about the mean plus a shift."""
        return self._norms.moved(
            shift, self.total_weight, self.total_dot(shift), self.total_trace()
        )

    # -- reading ---------------------------------------------------------------

    @property
    def total_weight(self) -> float:
        """Sum of the counts."""
        return float(self.counts.sum())

    @property
    def priors(self) -> np.ndarray:
        """Share of each class, of shape (n_classes,)."""
        return self.counts / self.counts.sum()

    @property
    def means(self) -> np.ndarray:
        """Class means, of shape (n_classes, n_features)."""
        return self._origin + self._deviations

    @property
    def mean(self) -> np.ndarray:
        """Mean of all samples, of shape (n_features,)."""
        return self._origin + self._mean_deviation

    @property
    def _mean_deviation(self) -> np.ndarray:
        return self.priors @ self._deviations

    def between_rows(self) -> np.ndarray:
        """Return B of shape (n_classes, n_features); ``B.T @ B`` is between classes."""
        return np.sqrt(self.counts)[:, None] * (self._deviations - self._mean_deviation)

    def class_scatter(self, k: int) -> Scatter:
        """Return the scatter of the k-th class about its mean; do not change it."""
        self._require("class")
        return self._scatters[k]

    def within(self) -> Scatter:
        """Return the scatter pooled within classes; do not change it."""
        self._require("class", "pooled")
        if self.scatter == "pooled":
            return self._scatters[0]
        return sum_of_scatters(self._scatters, self.n_features)

    def total(self) -> Scatter:
        """Return the scatter about the global mean: within plus between."""
        total = self.within().copy()
        # K rows that sum to zero once weighted: K - 1 independent ones.
        rows = self._deviations - self._mean_deviation
        total.add(centred_factor(rows, np.zeros(self.n_features), self.counts))
        return total

    def variances(self) -> np.ndarray:
        """Return each class's variances (divided by its count), (n_classes, d)."""
        if self.scatter == "diagonal":
            sums = self._variances
        else:
            self._require("class")
            sums = np.array([np.diagonal(s.triangle()) for s in self._scatters])
        return sums / self.counts[:, None]

    def total_dot(self, vector: np.ndarray) -> np.ndarray:
        """Return the product of the total scatter with a vector."""
        rows = self.between_rows()
        matrices = self._scatters
        return sum(s.dot(vector) for s in matrices) + rows.T @ (rows @ vector)

    def total_trace(self) -> float:
        """Return the trace of the total scatter."""
        rows = self.between_rows()
        between = float(np.vdot(rows, rows))
        if self.scatter == "diagonal":
            return between + float(self._variances.sum())
        return between + sum(s.trace() for s in self._scatters)

    def norm_moments(self) -> NormMoments:
        """Return the sums of |z|^2 z and |z|^4 about the global mean."""
        if not self.norms:
            raise ValueError("These moments were made without norms; pass norms=True.")
        return self._norms

    def covers(self, other: Statistic) -> bool:
        """Whether everything that `other` would know can be read from this one."""
        if not isinstance(other, ClassMoments) or (other.norms and not self.norms):
            return False
        return self.scatter in (other.scatter, "class")

    def _require(self, *kinds) -> None:
        if self.scatter not in kinds:
            wanted = " or ".join(f"scatter={kind!r}" for kind in kinds)
            raise ValueError(
                f"Expected moments made with {wanted}, got scatter={self.scatter!r}."
            )

    # -- leaving ---------------------------------------------------------------

    def summary(self) -> dict[str, Any]:
        """Return counts, means and dense second moments."""
        known = {"n_samples": self.n_samples, "classes": list(self.classes)}
        if self.n_features is None:
            return known
        known |= {"counts": self.counts.copy(), "means": self.means}
        if self.scatter == "class":
            known["scatters"] = np.array([s.dense() for s in self._scatters])
        elif self.scatter == "pooled":
            known["within"] = self._scatters[0].dense()
        else:
            known["variances"] = self.variances()
        if self.norms:  # both in units of the fourth, for the third may cancel
            length = (self._norms.fourth / self.total_weight) ** 0.25
            known["norms"] = np.append(self._norms.third * length, self._norms.fourth)
        return known

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the state as arrays; labels keep their type where they share one."""
        parts = [s.to_array() for s in self._scatters]
        width = self.n_features or 0
        return {
            "scatter": np.array(self.scatter),
            "norms": np.array(self.norms),
            "n_features": np.array(-1 if self.n_features is None else width),
            "n_samples": np.array(self._n_samples),
            "classes": labels_to_array(self.classes),
            "counts": self.counts.copy(),
            "origin": self._origin.copy(),
            "deviations": self._deviations.copy(),
            "variances": self._variances.copy(),
            "third": self._norms.third.copy(),
            "fourth": np.array(self._norms.fourth),
            "scatter_sizes": np.array([len(p) for p in parts], dtype=np.int64),
            "scatter_rows": np.array([s.n_rows for s in self._scatters], np.int64),
            "scatter_values": np.concatenate(parts) if parts else np.empty((0, width)),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Rebuild a statistic from the result of `to_arrays`."""
        new = cls(scatter=str(arrays["scatter"]), norms=bool(arrays["norms"]))
        n_features = int(arrays["n_features"])
        new.n_features = None if n_features < 0 else n_features
        new._n_samples = int(arrays["n_samples"])
        new.classes = arrays["classes"].tolist()
        new.counts = np.array(arrays["counts"], dtype=np.float64)
        new._origin = np.array(arrays["origin"], dtype=np.float64)
        new._deviations = np.array(arrays["deviations"], dtype=np.float64)
        new._variances = np.array(arrays["variances"], dtype=np.float64)
        third = np.array(arrays["third"], dtype=np.float64)
        new._norms = NormMoments(third, float(arrays["fourth"]))
        ends = np.cumsum(arrays["scatter_sizes"])
        new._scatters = [
            Scatter.from_array(arrays["scatter_values"][end - size : end], int(rows))
            for end, size, rows in zip(
                ends, arrays["scatter_sizes"], arrays["scatter_rows"], strict=True
            )
        ]
        return new
