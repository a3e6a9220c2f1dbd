"""Which scores are best: ranks with ties, and the front of two columns."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["find_front", "rank_scores"]

# Scores this close, relative to the larger of 1 and the best of them, are tied:
# the order of a sum's terms must not decide which model somebody transfers.
TIE_TOLERANCE = 1e-9


def rank_scores(scores: ArrayLike) -> np.ndarray:
    """Ranks of scores, 1 for the highest.

    Scores that differ from the best of their group by at most ``1e-9``, or that
    fraction of it where it is larger than 1, share the group's first rank, and the
    next group's rank counts them all ("1, 1, 3").

    Parameters
    ----------
    scores : array-like of shape (n_candidates,)
        Higher is better; nan is unknown.

    Returns
    -------
    ranks : ndarray of shape (n_candidates,), dtype int64
        Between 1 and the number of candidates. All unknown scores share the rank
        behind the last known one.

    Examples
    --------
    >>> rank_scores([0.2, 0.5, float("nan"), 0.5]).tolist()
    [3, 1, 4, 1]
    """
    scores = np.asarray(scores, dtype=float)
    n_known = np.count_nonzero(~np.isnan(scores))
    ranks = np.full(len(scores), n_known + 1, dtype=np.int64)
    order = np.argsort(-scores, kind="stable")[:n_known]
    top, top_rank = math.nan, 0
    for place, (row, score) in enumerate(
        zip(order, scores[order].tolist(), strict=True), start=1
    ):
        # An infinite top has no neighbourhood: it ties with itself only.
        near = top - score <= TIE_TOLERANCE * max(1.0, abs(top)) < math.inf
        if not (score == top or near):
            top, top_rank = score, place
        ranks[row] = top_rank
    return ranks


def find_front(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Rows of two columns that no other row dominates.

    Parameters
    ----------
    x, y : ndarray of shape (n_rows,)
        Higher is better in both. Rows with a nan are left out.

    Returns
    -------
    rows : ndarray of shape (n_front,)
        Their numbers, ascending; rows that are equal in both columns are all there.
    """
    known = np.flatnonzero(~(np.isnan(x) | np.isnan(y)))
    pairs = list(zip(x[known].tolist(), y[known].tolist(), strict=True))
    front: list[int] = []
    edge = None
    # From the best x on, and the best y within it: whoever improves y is on it.
    for place in sorted(range(len(pairs)), key=pairs.__getitem__, reverse=True):
        if edge is None or pairs[place] == edge or pairs[place][1] > edge[1]:
            edge = pairs[place]
            front.append(known[place])
    return np.sort(np.array(front, dtype=np.intp))
