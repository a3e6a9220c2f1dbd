"""Errors that candidates share because they saw the same samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

__all__ = ["SharedErrors", "read_shared", "write_shared"]


@dataclass(frozen=True, eq=False)
class SharedErrors:
    """Covariance of the scores of all candidates by one metric.

    Parameters
    ----------
    matrix : ndarray of shape (n_candidates, n_candidates)
        In the order of the table; nan for candidates without an error, and for pairs
        that did not see the same samples.
    n_units : float
        Rows, or blocks of rows, that it was estimated from.
    """

    matrix: np.ndarray
    n_units: float

    def __post_init__(self) -> None:
        matrix = np.array(self.matrix, dtype=np.float64)
        if matrix.ndim != 2 or len(matrix) != matrix.shape[1]:
            raise ValueError(
                "Expected a covariance of shape (n_candidates, n_candidates), got "
                f"{matrix.shape}."
            )
        object.__setattr__(self, "matrix", matrix)
        object.__setattr__(self, "n_units", float(self.n_units))

    @classmethod
    def of(cls, errors: Any) -> Self:
        """Return shared errors of a pair of a covariance and a number of units."""
        return errors if isinstance(errors, cls) else cls(*errors)

    def take(self, rows: np.ndarray) -> Self:
        """Return those of some rows of the table."""
        return type(self)(self.matrix[np.ix_(rows, rows)], self.n_units)

    def difference_error(self, i: int, j: int) -> float:
        """Return the standard error of a difference; nan if the pair is unknown."""
        if i == j:
            return 0.0 if self.matrix[i, i] >= 0 else np.nan
        matrix = self.matrix
        square = matrix[i, i] + matrix[j, j] - 2.0 * matrix[i, j]
        rounding = 1e-24 * (matrix[i, i] + matrix[j, j])
        return float(np.sqrt(square)) if square > rounding else 0.0 * float(square)

    @classmethod
    def joined(
        cls, size: int, parts: Iterable[tuple[Self, Sequence[int], Sequence[int]]]
    ) -> Self | None:
        """Put parts of several tables together; pairs across tables are unknown.

        Each part comes with the rows that are wanted of it, and where they go.
        """
        matrix, n_units = np.full((size, size), np.nan), np.inf
        for part, rows, places in parts:
            if len(rows):
                matrix[np.ix_(places, places)] = part.matrix[np.ix_(rows, rows)]
                n_units = min(n_units, part.n_units)
        return (
            None
            if np.isinf(n_units) and np.isnan(matrix).all()
            else cls(matrix, n_units)
        )


def write_shared(shared: Mapping[str, SharedErrors]) -> dict[str, Any]:
    """As JSON holds them: lower triangles, nan as null."""
    return {
        metric: {
            "n_units": errors.n_units,
            "lower": [
                [None if np.isnan(cell) else cell for cell in row[: i + 1].tolist()]
                for i, row in enumerate(errors.matrix)
            ],
        }
        for metric, errors in shared.items()
    }


def read_shared(document: Any) -> dict[str, SharedErrors]:
    """Back from `write_shared`."""
    shared = {}
    for metric, found in document.items():
        lower = found["lower"]
        matrix = np.full((len(lower), len(lower)), np.nan)
        for i, row in enumerate(lower):
            cells = [np.nan if cell is None else cell for cell in row]
            matrix[i, : i + 1] = matrix[: i + 1, i] = cells
        shared[metric] = SharedErrors(matrix, found["n_units"])
    return shared
