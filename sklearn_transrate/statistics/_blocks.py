"""Statistics of disjoint blocks of rows, from which resamples are merged.

Resampling rows means summarising them again for every resample. Blocks are
summarised once; what is left of a resample is merging a few summaries.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any, Self

import numpy as np

from sklearn_transrate._lib.arrays import as_rows
from sklearn_transrate.statistics._base import Statistic

__all__ = ["StatisticBlocks", "number_blocks"]

Filled = dict[Hashable, Statistic]


def number_blocks(
    n_samples: int,
    n_blocks: int,
    rng: np.random.RandomState,
    codes: np.ndarray | None = None,
) -> np.ndarray:
    """Deal rows into blocks at random, as evenly as can be.

    Parameters
    ----------
    n_samples : int
        Number of rows.
    n_blocks : int
        Number of blocks; no more than rows are used.
    rng : RandomState
        Source of randomness.
    codes : ndarray of shape (n_samples,), default=None
        Class numbers. With them every class is dealt evenly as well.

    Returns
    -------
    blocks : ndarray of shape (n_samples,)
        Block number of each row.
    """
    order = rng.permutation(n_samples)
    if codes is not None:
        order = order[np.argsort(codes[order], kind="stable")]
    blocks = np.empty(n_samples, dtype=np.intp)
    blocks[order] = np.arange(n_samples) % max(1, min(n_blocks, n_samples))
    return blocks


class StatisticBlocks:
    """One set of statistics for each block of rows.

    Parameters
    ----------
    empty : mapping of name to Statistic
        Empty statistics that say what to keep.
    n_blocks : int
        Number of blocks.
    """

    def __init__(self, empty: Mapping[Hashable, Statistic], n_blocks: int) -> None:
        self._empty = dict(empty)
        self._blocks = [self._nothing() for _ in range(n_blocks)]

    def __len__(self) -> int:
        return len(self._blocks)

    @classmethod
    def from_rows(
        cls,
        X: Any,
        y: Any,
        blocks: np.ndarray,
        empty: Mapping[Hashable, Statistic],
        sample_weight: np.ndarray | None = None,
    ) -> Self:
        """Summarise rows by the numbers of their blocks."""
        new = cls(empty, int(blocks.max()) + 1)
        new.update(X, y, blocks, sample_weight)
        return new

    def update(self, X, y, blocks, sample_weight=None) -> None:
        """Add a batch of rows with the numbers of their blocks."""
        X = as_rows(X)
        for number in np.unique(blocks):
            rows = np.flatnonzero(blocks == number)
            weight = None if sample_weight is None else sample_weight[rows]
            for statistic in self._blocks[number].values():
                statistic.update(X[rows], y[rows], weight)

    def whole(self) -> Filled:
        """Return the statistics of all rows."""
        return self._merged(range(len(self)))

    def leave_one_out(self) -> Iterator[Filled]:
        """Yield, for each block, the statistics of all the others.

        Sums from both ends make that three merges a block rather than all of them.
        """
        after = [self._nothing()]
        for block in self._blocks[:0:-1]:
            after.append(_merge(after[-1], block))
        before = self._nothing()
        for block in self._blocks:
            yield _merge(before, after.pop())
            _absorb(before, block)

    def halves(self) -> tuple[Filled, Filled]:
        """Return the statistics of every other block, and of those between."""
        return tuple(self._merged(range(start, len(self), 2)) for start in (0, 1))

    def bootstrap(self, n_resamples: int, rng) -> Iterator[Filled]:
        """Yield statistics of as many blocks as there are, drawn with replacement."""
        for _ in range(n_resamples):
            yield self._merged(rng.randint(len(self), size=len(self)))

    def _nothing(self) -> Filled:
        return {name: s.empty(**s.config) for name, s in self._empty.items()}

    def _merged(self, numbers) -> Filled:
        merged = self._nothing()
        for number in numbers:
            _absorb(merged, self._blocks[number])
        return merged


def _absorb(filled: Filled, other: Filled) -> None:
    for name, statistic in filled.items():
        statistic.absorb(other[name])


def _merge(one: Filled, other: Filled) -> Filled:
    return {name: statistic.merge(other[name]) for name, statistic in one.items()}
