"""How often source classes and target classes occur together."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from scipy import sparse

from sklearn_transrate._lib.labels import (
    encode_labels,
    labels_to_array,
    sorted_labels,
)
from sklearn_transrate._lib.probabilities import normalized_probabilities
from sklearn_transrate.statistics._base import Statistic
from sklearn_transrate.statistics._by_class import BLOCK_ROWS, checked_weights

__all__ = ["JointTable"]

SOURCES = ("proba", "labels")


class JointTable(Statistic):
    """Weighted sums over every pair of a source class and a target class.

    Parameters
    ----------
    source : {"proba", "labels"}, default="proba"
        What the rows are. "proba": probabilities of the source classes, each row
        spread over all of them. "labels": one source label a row; or scores of all
        source classes, of which the largest names the label, and several equally
        large ones share the row.

    Attributes
    ----------
    source_classes : list
        Source labels seen, sorted; the numbers of the columns where rows hold
        probabilities or scores.
    classes : list
        Target labels seen, sorted.
    sums : ndarray of shape (n_source_classes, n_classes)
        Weight of the samples of each pair.
    problem : str or None
        Why rows could not be counted, if so; reading the sums then raises it. Filling
        the table does not, because other statistics share the pass.
    n_features : int or None
        Columns of a row; None while empty.
    n_samples : int
        Number of rows seen.

    See Also
    --------
    RowSample : The rows themselves, which LEEP looks at a second time.

    Notes
    -----
    Cost: O(n s) time for s columns, and one number a pair.

    Examples
    --------
    >>> from sklearn_transrate.statistics import JointTable
    >>> proba = [[0.75, 0.25], [0.5, 0.5], [0.0, 1.0]]
    >>> table = JointTable.from_batch(proba, ["a", "a", "b"])
    >>> table.sums.tolist()
    [[1.25, 0.0], [0.75, 1.0]]
    """

    def __init__(self, *, source: str = "proba") -> None:
        if source not in SOURCES:
            raise ValueError(
                f"Expected 'source' to be one of {SOURCES}, got {source!r}."
            )
        self.source = source
        self.n_features: int | None = None
        self.source_classes: list[Hashable] = []
        self.classes: list[Hashable] = []
        self.problem: str | None = None
        self._sums = np.zeros((0, 0))
        self._n_samples = 0

    # -- making ----------------------------------------------------------------

    @property
    def config(self) -> dict[str, Any]:
        """Keyword arguments of `empty` and `from_batch` that made this one."""
        return {"source": self.source}

    @property
    def inputs(self) -> str:
        """What the rows are: "source_proba" or "source_labels"."""
        return f"source_{self.source}"

    @property
    def n_samples(self) -> int:
        """Number of rows seen."""
        return self._n_samples

    @classmethod
    def empty(cls, *, source: str = "proba") -> Self:
        """Return the statistic of no rows, the neutral element of `merge`."""
        return cls(source=source)

    @classmethod
    def from_batch(
        cls,
        X: Any,
        y: Sequence[Hashable],
        sample_weight: Any = None,
        *,
        source: str = "proba",
    ) -> Self:
        """Summarise one batch.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_source_classes) or (n_samples,)
            Probabilities, source labels or scores; see `source`.
        y : sequence of hashable of shape (n_samples,)
            Target labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; a weight of 2 counts as two equal rows.
        source : {"proba", "labels"}, default="proba"
            See the class.

        Returns
        -------
        table : JointTable

        Raises
        ------
        ValueError
            If shapes do not fit or weights are negative. Rows that `source` does not
            describe become the table's `problem`.
        """
        table = cls(source=source)
        X = np.asarray(X)
        weights = checked_weights(sample_weight, len(X))
        if X.ndim == 1 and source == "labels":
            X = X[:, None]
        if X.ndim != 2 or len(X) != len(y):
            raise ValueError(
                f"Expected one label per row of a 2-d array, got source outputs of "
                f"shape {X.shape} and {len(y)} labels."
            )
        labels, codes = encode_labels(y)
        if weights is None:
            weights = np.ones(len(X))
        elif not weights.all():
            kept = np.flatnonzero(weights)
            X, weights = X[kept], weights[kept]
            present, codes = np.unique(codes[kept], return_inverse=True)
            labels = [labels[k] for k in present]
        if len(X):
            table._fill(X, labels, codes, weights)
        return table

    def _fill(self, X, labels, codes, weights) -> None:
        self.n_features, self._n_samples, self.classes = X.shape[1], len(X), labels
        fill = _sum_probabilities if self.source == "proba" else _count_labels
        try:
            self.source_classes, self._sums = fill(X, codes, weights, len(labels))
        except ValueError as error:
            self.source_classes, self._sums = [], np.zeros((0, len(labels)))
            self.problem = str(error)

    # -- merging ---------------------------------------------------------------

    def absorb(self, other: Self) -> None:
        """Add another summary of the same kind to this one, in place."""
        if other.config != self.config:
            raise ValueError(
                f"Cannot merge tables of different kinds: {self.config} and "
                f"{other.config}."
            )
        if other.n_features is None:
            return
        if self.n_features not in (None, other.n_features):
            raise ValueError(
                f"Expected {self.n_features} columns, as in the rows seen before, got "
                f"{other.n_features}."
            )
        source = sorted_labels(
            dict.fromkeys([*self.source_classes, *other.source_classes])
        )
        target = sorted_labels(dict.fromkeys([*self.classes, *other.classes]))
        sums = np.zeros((len(source), len(target)))
        for table in (self, other):
            place = np.ix_(
                _positions(source, table.source_classes),
                _positions(target, table.classes),
            )
            sums[place] += table._sums
        self.source_classes, self.classes, self._sums = source, target, sums
        self.problem = self.problem or other.problem
        self.n_features = other.n_features
        self._n_samples += other._n_samples

    # -- reading ---------------------------------------------------------------

    def check(self) -> None:
        """Raise a ValueError if some rows could not be counted."""
        if self.problem is not None:
            raise ValueError(self.problem)

    @property
    def sums(self) -> np.ndarray:
        """Weight of each pair, of shape (n_source_classes, n_classes)."""
        self.check()
        return self._sums

    @property
    def total_weight(self) -> float:
        """Number of samples, or the sum of their weights."""
        return float(self.sums.sum())

    @property
    def counts(self) -> np.ndarray:
        """Weight of each target class, of shape (n_classes,)."""
        return self.sums.sum(axis=0)

    def conditional(self) -> np.ndarray:
        """Return P(y | z) of shape (n_source_classes, n_classes).

        The row of a source class without any weight is zero.
        """
        weights = self.sums.sum(axis=1, keepdims=True)
        return np.divide(
            self.sums, weights, out=np.zeros_like(self.sums), where=weights > 0
        )

    # -- leaving ---------------------------------------------------------------

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the state as arrays; labels keep their type where they share one."""
        return {
            "source": np.array(self.source),
            "n_features": np.array(-1 if self.n_features is None else self.n_features),
            "n_samples": np.array(self._n_samples),
            "source_classes": labels_to_array(self.source_classes),
            "classes": labels_to_array(self.classes),
            "sums": self._sums.copy(),
            "problem": np.array(self.problem or ""),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Rebuild a statistic from the result of `to_arrays`."""
        new = cls(source=str(arrays["source"]))
        n_features = int(arrays["n_features"])
        new.n_features = None if n_features < 0 else n_features
        new._n_samples = int(arrays["n_samples"])
        new.source_classes = arrays["source_classes"].tolist()
        new.classes = arrays["classes"].tolist()
        new._sums = np.array(arrays["sums"], dtype=np.float64)
        new.problem = str(arrays["problem"]) or None
        return new


def _sum_probabilities(X, codes, weights, n_classes) -> tuple[list, np.ndarray]:
    """Return source classes and sums, from a block of rows at a time."""
    sums = np.zeros((n_classes, X.shape[1]))
    for start in range(0, len(X), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        rows = normalized_probabilities(X[block], first_row=start)
        members = sparse.csr_array(
            (weights[block], (codes[block], np.arange(len(rows)))),
            shape=(n_classes, len(rows)),
        )
        sums += members @ rows
    return list(range(X.shape[1])), np.ascontiguousarray(sums.T)


def _count_labels(X, codes, weights, n_classes) -> tuple[list, np.ndarray]:
    """Return source classes and how often each occurs with each target class."""
    if X.shape[1] == 1:
        classes, source = _encode_source(X[:, 0])
        rows, votes = np.arange(len(X)), weights
    else:
        classes = list(range(X.shape[1]))
        largest = X.max(axis=1, keepdims=True) == X
        rows, source = np.nonzero(largest)
        votes = (weights / largest.sum(axis=1))[rows]
    shape = len(classes), n_classes
    pairs = np.ravel_multi_index((source, codes[rows]), shape)
    return classes, np.bincount(pairs, votes, minlength=np.prod(shape)).reshape(shape)


def _encode_source(column: np.ndarray) -> tuple[list[Hashable], np.ndarray]:
    """Return distinct source labels and codes; refuse what cannot be labels."""
    if (
        column.dtype.kind == "f"
        and (np.rint(column) != column)[~np.isnan(column)].any()
    ):
        raise ValueError(
            "Expected source labels with n_features = 1, got fractions. For a source "
            "model with two classes pass the probabilities of both: "
            "np.column_stack([1 - p, p])."
        )
    try:
        return encode_labels(column)
    except ValueError as error:
        raise ValueError(
            "Expected a source label in every row, got NaN or None. Drop those rows."
        ) from error


def _positions(labels: list[Hashable], wanted: list[Hashable]) -> list[int]:
    position = {label: k for k, label in enumerate(labels)}
    return [position[label] for label in wanted]
