"""Scores that share their samples: errors of differences, and ranks that are sure.

Everything here reads the covariance matrix of the scores, which is what is left to
know once values by unit (influence or jackknife) have been summed up.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

__all__ = [
    "covariance_of_means",
    "critical_values",
    "difference_errors",
    "rank_bounds",
    "root_of_covariance",
    "t_ratios",
]

# Draws of all scores together; fewer where candidates are many, for time.
MOST_DRAWS, FEWEST_DRAWS = 10_000, 1_000
DRAW_BUDGET = 2e8
# Above this number of candidates the bound for independent differences is used.
MOST_SIMULATED = 400
# A difference whose variance is this share of the scores' own is rounding.
ROUNDING = 1e-24


def covariance_of_means(values: np.ndarray) -> np.ndarray:
    """Covariance of the means of rows over units, of shape (n_rows, n_rows).

    Rows with a nan have nan throughout, as have all where there is one unit.
    """
    n_units = values.shape[1]
    if n_units < 2:
        return np.full((len(values), len(values)), np.nan)
    centred = values - values.mean(axis=1, keepdims=True)
    return centred @ centred.T / (n_units * (n_units - 1.0))


def difference_errors(covariance: np.ndarray) -> np.ndarray:
    """Standard errors of all pairs of differences; as if independent where unknown."""
    variances = np.diagonal(covariance)
    sums = variances[:, None] + variances
    shared = np.where(np.isnan(covariance), 0.0, covariance)
    squares = sums - 2.0 * shared
    squares = np.where(squares <= ROUNDING * sums, 0.0, squares)
    np.fill_diagonal(squares, np.where(np.isnan(variances), np.nan, 0.0))
    return np.sqrt(squares)


def t_ratios(differences: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Differences in units of their errors; infinite where there is no error."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = differences / errors
    return np.where((differences == 0) & (errors == 0), 0.0, ratios)


def critical_values(
    covariance: np.ndarray,
    *,
    confidence: float,
    n_units: float,
    one_sided: bool = False,
    simulate: bool = True,
    seed: int = 0,
) -> np.ndarray:
    """For each candidate, how many errors apart the others must be to count.

    With that confidence no difference between the candidate and any other one is
    off by more than so many of its standard errors. All scores are drawn together
    from a normal distribution with their covariance, and the largest ratio is read
    off: the Gaussian multiplier bootstrap. Few units make it a t distribution.

    Parameters
    ----------
    covariance : ndarray of shape (n_candidates, n_candidates)
        Of the scores; without nan on the diagonal.
    confidence : float
        Between 0 and 1.
    n_units : float
        Units that it was estimated from.
    one_sided : bool, default=False
        Whether only others that are better matter.
    simulate : bool, default=True
        Whether to draw; otherwise Bonferroni's bound is used.
    seed : int, default=0
        Of the draws.

    Returns
    -------
    critical : ndarray of shape (n_candidates,)
    """
    n, freedom = len(covariance), max(n_units - 1.0, 1.0)
    sides = 1.0 if one_sided else 2.0
    if n < 2:
        return np.full(n, stats.t.isf((1.0 - confidence) / sides, freedom))
    if not simulate or n > MOST_SIMULATED:
        level = (1.0 - confidence) / (sides * (n - 1.0))
        return np.full(n, stats.t.isf(level, freedom))
    rng = np.random.default_rng(seed)
    n_draws = int(np.clip(DRAW_BUDGET / n**2, FEWEST_DRAWS, MOST_DRAWS))
    draws = rng.standard_normal((n_draws, n)) @ root_of_covariance(covariance).T
    draws /= np.sqrt(rng.chisquare(freedom, (n_draws, 1)) / freedom)
    errors = difference_errors(covariance)
    scale = np.divide(1.0, errors, out=np.zeros_like(errors), where=errors > 0)
    critical = np.empty(n)
    for j in range(n):
        ratios = (draws - draws[:, j : j + 1]) * scale[j]
        largest = ratios if one_sided else np.abs(ratios)
        critical[j] = np.quantile(largest.max(axis=1), confidence)
    return critical


def root_of_covariance(covariance: np.ndarray) -> np.ndarray:
    """Return R with ``R @ R.T`` equal to the covariance; unknown ones count as 0."""
    known = np.where(np.isnan(covariance), 0.0, covariance)
    values, vectors = np.linalg.eigh(known)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def rank_bounds(
    scores: np.ndarray,
    covariance: np.ndarray,
    *,
    confidence: float,
    n_units: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest rank that each candidate may have.

    Parameters
    ----------
    scores : ndarray of shape (n_candidates,)
        Higher is better.
    covariance : ndarray of shape (n_candidates, n_candidates)
        Of the scores; nan where it is unknown.
    confidence : float
        With which each candidate's true rank is within its bounds.
    n_units : float
        Units that the covariance was estimated from.

    Returns
    -------
    low, high : ndarray of shape (n_candidates,)
        Between 1 and the number of candidates with a score; nan for those without an
        error, which may stand anywhere.
    """
    low, high = np.full((2, len(scores)), np.nan)
    known = np.flatnonzero(np.isfinite(scores) & np.isfinite(np.diagonal(covariance)))
    if len(known) == 0:
        return low, high
    covariance = covariance[np.ix_(known, known)]
    critical = critical_values(covariance, confidence=confidence, n_units=n_units)
    gains = scores[known] - scores[known][:, None]  # of the column over the row
    ratios = t_ratios(gains, difference_errors(covariance))
    low[known] = 1.0 + (ratios > critical[:, None]).sum(axis=1)
    n_scored = np.count_nonzero(~np.isnan(scores))
    high[known] = n_scored - (ratios < -critical[:, None]).sum(axis=1)
    return low, high
