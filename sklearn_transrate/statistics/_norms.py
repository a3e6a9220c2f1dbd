"""Third and fourth moments of the distance to the mean, mergeable.

Ledoit-Wolf shrinkage needs the sum of |z - mu|^4. When two batches merge, the mean
moves, and moving a fourth moment takes the third, the scatter and the trace.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sklearn_transrate.statistics._grouping import BLOCK_ROWS

__all__ = ["NormMoments"]


class NormMoments(NamedTuple):
    """Sums of ``|z|^2 z`` and of ``|z|^4``, with z measured from the mean."""

    third: np.ndarray
    fourth: float

    @classmethod
    def zero(cls, n_features: int) -> NormMoments:
        """Return the sums over no rows."""
        return cls(np.zeros(n_features), 0.0)

    @classmethod
    def from_rows(cls, X, mean, weights=None) -> NormMoments:
        """Sum over rows, a block at a time."""
        third, fourth = np.zeros(X.shape[1]), 0.0
        for start in range(0, len(X), BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            rows = X[block].astype(np.float64)
            rows -= mean
            squares = np.einsum("ij,ij->i", rows, rows)
            weighted = squares if weights is None else squares * weights[block]
            third += weighted @ rows
            fourth += float(weighted @ squares)
        return cls(third, fourth)

    def moved(self, shift, weight, along, trace) -> NormMoments:
        """Return the sums measured from ``mean + shift``.

        `weight` is the number of samples, `along` the product of their scatter with
        `shift`, `trace` the scatter's trace.
        """
        square = float(shift @ shift)
        third = self.third - 2.0 * along - (trace + weight * square) * shift
        fourth = (
            self.fourth
            + 4.0 * float(shift @ along)
            + weight * square**2
            - 4.0 * float(shift @ self.third)
            + 2.0 * square * trace
        )
        return NormMoments(third, fourth)

    def __add__(self, other: NormMoments) -> NormMoments:
        return NormMoments(self.third + other.third, self.fourth + other.fourth)
