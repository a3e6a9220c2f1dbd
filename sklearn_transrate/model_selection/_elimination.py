"""Which candidates of a race can no longer win, and when to look.

The winner of a race is whoever would score best on all N rows. After n of them, drawn
at random, the score of a candidate is off by something with the variance

    s^2 (1/n - 1/N),

where s^2 is the variance of its values by row: nothing once all rows were seen. What is
left falls with n as a random walk that is read backwards, so that the deviations of all
rounds and candidates can be drawn together. How large the largest of them is in 95 of
100 draws is what a lead has to exceed, in any round, to drop somebody.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from sklearn_transrate._lib.comparisons import (
    MOST_SIMULATED,
    difference_errors,
    root_of_covariance,
    t_ratios,
)

__all__ = ["NOBODY", "excluded_by", "race_critical_values", "round_sizes"]

NOBODY = -1
# The last look is no later than this share of the rows: what is left is cheap.
LAST_SHARE = 0.95
MOST_DRAWS, FEWEST_DRAWS = 5_000, 1_000
DRAW_BUDGET = 2e8


def round_sizes(n_first: int, n_samples: int, factor: float) -> list[int]:
    """Rows that have been seen after each round.

    In every round the ratio of rows seen to rows not yet seen grows by the factor. As
    long as few were seen, so does their number; later rounds come closer together,
    because what is not known of a difference shrinks as fast as before.

    Parameters
    ----------
    n_first : int
        Rows of the first round.
    n_samples : int
        All rows.
    factor : float
        More than 1.

    Returns
    -------
    sizes : list of int
        Ascending; the last is `n_samples`.
    """
    sizes = []
    odds = n_first / max(n_samples - n_first, 0.5)
    while (share := odds / (1.0 + odds)) <= LAST_SHARE and n_first < n_samples:
        size = round(share * n_samples)
        if size >= n_samples:
            break
        if not sizes or size > sizes[-1]:
            sizes.append(size)
        odds *= factor
    return [*sizes, n_samples]


def race_critical_values(
    covariance: np.ndarray,
    sizes: list[int],
    *,
    confidence: float,
    n_units: float,
    seed: int = 0,
) -> np.ndarray:
    """For each candidate, how many errors another one must lead by to drop it.

    Parameters
    ----------
    covariance : ndarray of shape (n_candidates, n_candidates)
        Of the scores; only its proportions count.
    sizes : list of int
        Rows seen after each round, the last of them all.
    confidence : float
        With which the best of all candidates stays to the end.
    n_units : float
        Units that the covariance was estimated from.
    seed : int, default=0
        Of the draws.

    Returns
    -------
    critical : ndarray of shape (n_candidates,)
        One value for all rounds.
    """
    n, freedom, n_rounds = len(covariance), max(n_units - 1.0, 1.0), len(sizes) - 1
    if n < 2 or n_rounds < 1:
        return np.full(n, np.inf)
    if n > MOST_SIMULATED:
        level = (1.0 - confidence) / ((n - 1.0) * n_rounds)
        return np.full(n, stats.t.isf(level, freedom))
    rng = np.random.default_rng(seed)
    cost = n**2 * n_rounds
    n_draws = int(np.clip(DRAW_BUDGET / cost, FEWEST_DRAWS, MOST_DRAWS))
    unseen = 1.0 / np.array(sizes) - 1.0 / sizes[-1]
    steps = np.sqrt(-np.diff(unseen))
    root = root_of_covariance(covariance).T
    errors = difference_errors(covariance)
    scale = np.divide(1.0, errors, out=np.zeros_like(errors), where=errors > 0)
    deviations = np.zeros((n_draws, n))
    largest = np.full((n_draws, n), -np.inf)
    for step, left in zip(steps[::-1], np.sqrt(unseen[-2::-1]), strict=True):
        deviations += step * (rng.standard_normal((n_draws, n)) @ root)
        for i in range(n):
            ratios = (deviations - deviations[:, i : i + 1]) * (scale[i] / left)
            np.maximum(largest[:, i], ratios.max(axis=1), out=largest[:, i])
    largest /= np.sqrt(rng.chisquare(freedom, (n_draws, 1)) / freedom)
    return np.quantile(largest, confidence, axis=0)


def excluded_by(
    scores: np.ndarray,
    growth: np.ndarray,
    covariance: np.ndarray,
    sizes: list[int],
    iteration: int,
    *,
    confidence: float,
    n_units: float,
) -> np.ndarray:
    """For each candidate, the one that leads it by too much for chance, if any.

    Parameters
    ----------
    scores : ndarray of shape (n_candidates,)
        On the rows seen.
    growth : ndarray of shape (n_candidates,)
        How much higher that is than on half of them. A lead must hold as it is, and
        also once both have grown on to all rows at that pace.
    covariance : ndarray of shape (n_candidates, n_candidates)
        Of the scores; those without one are kept, and drop nobody.
    sizes, iteration
        Rows seen after each round, and which round it is.
    confidence, n_units : float
        See `race_critical_values`.

    Returns
    -------
    numbers : ndarray of shape (n_candidates,)
        `NOBODY` for those that stay.
    """
    numbers = np.full(len(scores), NOBODY)
    is_known = np.isfinite(scores) & np.isfinite(np.diagonal(covariance))
    known = np.flatnonzero(is_known & np.isfinite(growth))
    if len(known) < 2:
        return numbers
    covariance = covariance[np.ix_(known, known)]
    critical = race_critical_values(
        covariance, sizes, confidence=confidence, n_units=n_units
    )
    share_unseen = 1.0 - sizes[iteration] / sizes[-1]
    grown = growth[known] * share_unseen
    leads = scores[known] - scores[known][:, None]  # of the column over the row
    leads += np.minimum(grown - grown[:, None], 0.0)
    ratios = t_ratios(leads, difference_errors(covariance) * np.sqrt(share_unseen))
    by = ratios.argmax(axis=1)
    beaten = ratios.max(axis=1) > critical
    numbers[known[beaten]] = known[by[beaten]]
    return numbers
