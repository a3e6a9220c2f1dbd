"""Third and fourth moments of the distance to the mean, mergeable.

Ledoit-Wolf shrinkage needs the sum of |z - mu|^4. When two batches merge, the mean
moves, and moving a fourth moment takes the third, the scatter and the trace.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sklearn_transrate._lib.arrays import take_dense
from sklearn_transrate.statistics._by_class import BLOCK_ROWS

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
    def from_rows(cls, X, origin, deviation, weights=None) -> NormMoments:
        """Sum over rows about ``origin + deviation``, a block at a time."""
        third, fourth = np.zeros(X.shape[1]), 0.0
        for start in range(0, X.shape[0], BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            rows = take_dense(X, block)
            rows -= origin
            rows -= deviation
            squares = np.einsum("ij,ij->i", rows, rows)
            weighted = squares if weights is None else squares * weights[block]
            third += weighted @ rows
            fourth += float(weighted @ squares)
        return cls(third, fourth)

    def copy(self) -> NormMoments:
        """Return equal sums that share no array with these."""
        return NormMoments(self.third.copy(), self.fourth)

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
