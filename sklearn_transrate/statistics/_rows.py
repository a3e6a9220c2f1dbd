"""Rows kept as they are, for metrics that compare samples with one another."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from sklearn_transrate._lib.labels import encode_labels, labels_to_array
from sklearn_transrate.statistics._base import Statistic
from sklearn_transrate.statistics._by_class import checked_weights

__all__ = ["RowSample"]


# Rows that are hashed at a time.
BLOCK_ROWS = 1024

_Chunk = tuple[np.ndarray, np.ndarray, np.ndarray | None]


class RowSample(Statistic):
    """Features, targets and weights of the rows seen, all or a bounded sample.

    Parameters
    ----------
    max_samples : int, default=None
        Keep at most this many rows; None keeps all. Each row draws its place from a
        hash of its features and `seed`, so the sample depends neither on the order
        of the rows, the size of the batches or the tree of merges, nor on the names
        of the labels. Where only some of several rows of equal features fit, weights
        and then labels decide.
    seed : int, default=0
        Chooses among the samples.

    Attributes
    ----------
    features : ndarray of shape (n_kept, n_features)
        Kept rows, in the dtype they came in.
    targets : ndarray of shape (n_kept,) or (n_kept, n_outputs)
        Their labels or values.
    weights : ndarray of shape (n_kept,) or None
        Their weights; None if none were given.
    n_samples : int
        Number of rows seen, kept or not.

    Examples
    --------
    >>> from sklearn_transrate.statistics import RowSample
    >>> rows = RowSample.from_batch([[0.0], [1.0], [2.0]], [0, 1, 1], max_samples=2)
    >>> rows.n_samples, rows.features.shape
    (3, (2, 1))
    """

    def __init__(self, *, max_samples: int | None = None, seed: int = 0) -> None:
        self.max_samples = max_samples
        self.seed = seed
        self._n_samples = 0
        self._chunks: list[_Chunk] = []
        # Hash of the last row that was kept; None until some had to go.
        self._cutoff: bytes | None = None

    @property
    def config(self) -> dict[str, Any]:
        """Keyword arguments of `empty` and `from_batch` that made this one."""
        return {"max_samples": self.max_samples, "seed": self.seed}

    @property
    def n_samples(self) -> int:
        """Number of rows seen, kept or not."""
        return self._n_samples

    @classmethod
    def empty(cls, *, max_samples: int | None = None, seed: int = 0) -> Self:
        """Return the statistic of no rows, the neutral element of `merge`."""
        return cls(max_samples=max_samples, seed=seed)

    @classmethod
    def from_batch(
        cls,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        max_samples: int | None = None,
        seed: int = 0,
    ) -> Self:
        """Keep the rows of one batch.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features; copied.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels or values.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; rows of weight 0 are dropped.
        max_samples, seed
            See the class.

        Returns
        -------
        rows : RowSample
        """
        sample = cls(max_samples=max_samples, seed=seed)
        X, y = np.asarray(X), _targets(y)
        if X.ndim != 2 or len(X) != len(y):
            raise ValueError(
                f"Expected one target per row of a 2-d array, got features of shape "
                f"{X.shape} and targets of shape {y.shape}."
            )
        weights = checked_weights(sample_weight, len(X))
        if weights is not None and not weights.all():
            kept = np.flatnonzero(weights)
            X, y, weights = X[kept], y[kept], weights[kept]
        sample._n_samples = len(X)
        if len(X):
            sample._chunks = [sample._first(X, y, weights)]
        return sample

    def absorb(self, other: Self) -> None:
        """Add another summary of the same kind to this one, in place."""
        if other.config != self.config:
            raise ValueError(
                f"Cannot merge samples of different kinds: {self.config} and "
                f"{other.config}."
            )
        if self._chunks and other._chunks:
            _check_widths(self._chunks[0], other._chunks[0])
        for chunk in list(other._chunks):  # `other` may be this sample
            X, y, weights = self._hopeful(*chunk)
            if len(X) == 0:
                continue
            self._chunks.append(
                (X.copy(), y.copy(), None if weights is None else weights.copy())
            )
        self._n_samples += other._n_samples
        # Rows that are too many wait, so that they are rarely put in order.
        if self.max_samples is not None and self._n_held > 2 * self.max_samples:
            self._whole()

    def _first(self, X, y, weights) -> _Chunk:
        """Return copies of the rows that come first by their hashes."""
        if self.max_samples is None or len(X) <= self.max_samples:
            return X.copy(), y, weights
        places = self._places(X)
        ties = np.zeros(len(X)) if weights is None else weights
        labels = y.tolist()
        order = sorted(
            range(len(X)), key=lambda i: (places[i], ties[i], _label_text(labels[i]))
        )
        kept = np.sort(order[: self.max_samples])
        self._cutoff = places[order[self.max_samples - 1]]
        return X[kept], y[kept], None if weights is None else weights[kept]

    def _hopeful(self, X, y, weights) -> _Chunk:
        """Return the rows that are not known to come after those that are kept."""
        if self._cutoff is None:
            return X, y, weights
        places = self._places(X)
        kept = [i for i, place in enumerate(places) if place <= self._cutoff]
        return X[kept], y[kept], None if weights is None else weights[kept]

    def _places(self, X: np.ndarray) -> list[bytes]:
        """Return hashes of the rows, by which they are ordered."""
        salt = self.seed.to_bytes(8, "little", signed=True)
        return [
            hashlib.blake2b(content, digest_size=8, key=salt).digest()
            for start in range(0, len(X), BLOCK_ROWS)
            for content in _row_bytes(X[start : start + BLOCK_ROWS])
        ]

    def _whole(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        if not self._chunks:
            return np.empty((0, 0)), np.empty(0), None
        if len(self._chunks) > 1:
            features, targets, weights = zip(*self._chunks, strict=True)
            weighted = any(w is not None for w in weights)
            joined = [
                np.ones(len(X)) if w is None else w
                for X, w in zip(features, weights, strict=True)
            ]
            self._chunks = [
                (
                    np.concatenate(features),
                    _concatenated(targets),
                    np.concatenate(joined) if weighted else None,
                )
            ]
        if self.max_samples is not None and self._n_held > self.max_samples:
            self._chunks = [self._first(*self._chunks[0])]
        return self._chunks[0]

    @property
    def _n_held(self) -> int:
        """Number of rows held, of which some may have to go."""
        return sum(len(X) for X, _, _ in self._chunks)

    @property
    def n_kept(self) -> int:
        """Number of rows kept."""
        held = self._n_held
        return held if self.max_samples is None else min(held, self.max_samples)

    @property
    def n_features(self) -> int | None:
        """Width of the features; None while empty."""
        return self._chunks[0][0].shape[1] if self._chunks else None

    @property
    def features(self) -> np.ndarray:
        """Kept rows, in the dtype they came in."""
        return self._whole()[0]

    @property
    def targets(self) -> np.ndarray:
        """Labels or values of the kept rows."""
        return self._whole()[1]

    @property
    def weights(self) -> np.ndarray | None:
        """Weights of the kept rows; None if none were given."""
        return self._whole()[2]

    @property
    def classes(self) -> list:
        """Distinct labels among the kept rows, in sorted order."""
        return encode_labels(self.targets)[0]

    def covers(self, other: Statistic) -> bool:
        """Whether everything that `other` would know can be read from this one."""
        # A sample of all rows could be thinned out, but is not: no metric should
        # see another sample because of the company it is computed in.
        return isinstance(other, RowSample) and self.config == other.config

    def summary(self) -> dict[str, Any]:
        """Return the kept rows in an order of their own, equal ones put together."""
        X, y, weights = self._whole()
        numbers: dict[bytes, list[int]] = {}
        for i, content in enumerate(_contents(X, y)):
            numbers.setdefault(content, []).append(i)
        equal = [numbers[content] for content in sorted(numbers)]
        first = [rows[0] for rows in equal]
        weights = np.ones(len(X)) if weights is None else weights
        return {
            "n_samples": self._n_samples,
            "features": X[first].astype(np.float64),
            "targets": y[first].tolist(),
            "weights": np.array([weights[rows].sum() for rows in equal]),
        }

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the state as arrays, from which `from_arrays` rebuilds it."""
        X, y, weights = self._whole()
        return {
            "max_samples": np.array(
                -1 if self.max_samples is None else self.max_samples
            ),
            "seed": np.array(self.seed),
            "n_samples": np.array(self._n_samples),
            "features": X.copy(),
            "targets": labels_to_array(y.tolist()) if y.dtype == object else y.copy(),
            "weights": np.empty(0) if weights is None else weights.copy(),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Rebuild a statistic from the result of `to_arrays`."""
        bound = int(arrays["max_samples"])
        new = cls(max_samples=None if bound < 0 else bound, seed=int(arrays["seed"]))
        new._n_samples = int(arrays["n_samples"])
        if len(arrays["features"]):
            weights = arrays["weights"]
            new._chunks = [
                (
                    np.array(arrays["features"]),
                    np.array(arrays["targets"]),
                    np.array(weights) if len(weights) else None,
                )
            ]
        return new


def _targets(y: Any) -> np.ndarray:
    """Return targets as an array of labels or values that the caller owns."""
    array = np.asarray(y) if not hasattr(y, "to_numpy") else y.to_numpy()
    if array.dtype.kind in "OUS":
        labels, codes = encode_labels(y)
        return labels_to_array(labels)[codes]
    return np.array(array)


def _check_widths(own: tuple, new: tuple) -> None:
    """Raise unless the rows of two chunks can stand under each other."""
    for name, ours, theirs in zip(("features", "targets"), own, new, strict=False):
        if ours.shape[1:] != theirs.shape[1:]:
            raise ValueError(
                f"Expected {name} of shape {('n_samples', *ours.shape[1:])}, as in the "
                f"rows seen before, got {theirs.shape}."
            )


def _concatenated(targets: Sequence[np.ndarray]) -> np.ndarray:
    """Put targets together; numpy would turn numbers beside strings into strings."""
    kinds = {array.dtype.kind for array in targets}
    if len(kinds) == 1 or kinds <= set("biuf"):
        return np.concatenate(targets)
    return np.concatenate([array.astype(object) for array in targets])


def _row_bytes(X: np.ndarray) -> list[bytes]:
    """Return for each row bytes that are the same where the features are."""
    rows = X.astype(np.float64) + 0.0  # no negative zeros
    return [row.tobytes() for row in rows]


def _contents(X: np.ndarray, y: np.ndarray) -> list[bytes]:
    """Return for each row bytes that are the same where features and target are."""
    return [
        row + _label_text(label).encode()
        for row, label in zip(_row_bytes(X), y.tolist(), strict=True)
    ]


def _label_text(label: Any) -> str:
    """Return a text that is the same for labels that are equal, as 1, 1.0 and True."""
    if isinstance(label, list):
        return repr([_label_text(value) for value in label])
    if isinstance(label, bool) or (isinstance(label, float) and label.is_integer()):
        return repr(int(label))
    return repr(label)
