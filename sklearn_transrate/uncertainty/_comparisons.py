"""Differences between candidates that saw the same samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from sklearn_transrate._lib.comparisons import (
    covariance_of_means,
    critical_values,
    difference_errors,
    t_ratios,
)
from sklearn_transrate.results import Comparison
from sklearn_transrate.uncertainty._inputs import (
    check_share,
    error_of_mean,
    name_of,
)
from sklearn_transrate.uncertainty._values import pseudo_values

__all__ = ["PairedComparisons", "compare_scores", "paired_comparisons"]

CORRECTIONS = ("max_t", "bonferroni", None)


def compare_scores(
    metric,
    X_a,
    X_b,
    y,
    *,
    method="auto",
    confidence=0.95,
    n_blocks=32,
    stratify=False,
    sample_weight=None,
    random_state=0,
) -> Comparison:
    """Difference of two candidates' scores on the same samples.

    Parameters
    ----------
    metric : str, TransferMetric or callable (X, y) -> float
        What to score by.
    X_a, X_b : array-like of shape (n_samples, n_features)
        What the two candidates make of the same rows; they may differ in width.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Target labels or values.
    method : {"auto", "influence", "jackknife"}, default="auto"
        See `pseudo_values`.
    confidence : float, default=0.95
        Of the interval.
    n_blocks : int, default=32
        Blocks of rows, where there is no closed form; see `jackknife`.
    stratify : bool, default=False
        Whether every class is dealt evenly to the blocks.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.
    random_state : int, RandomState instance or None, default=0
        Deals rows into blocks; pairs candidates if it is the same for them.

    Returns
    -------
    comparison : Comparison
        The difference, its paired standard error, interval and p-value.

    See Also
    --------
    TransferResults.compare : The same from a table.
    paired_comparisons : All pairs of several candidates.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_transrate.uncertainty import compare_scores
    >>> X, y = load_digits(return_X_y=True)
    >>> found = compare_scores("logme", PCA(8).fit_transform(X), X, y)
    >>> found.p_value < 0.001
    True
    """
    options = {
        "method": method,
        "n_blocks": n_blocks,
        "stratify": stratify,
        "sample_weight": sample_weight,
        "random_state": random_state,
    }
    values = np.array([pseudo_values(metric, X, y, **options) for X in (X_a, X_b)])
    score_a, score_b = values.mean(axis=1).tolist()
    return Comparison(
        "a",
        "b",
        name_of(metric),
        score_a,
        score_b,
        score_a - score_b,
        std_error=error_of_mean(values[0] - values[1]),
        is_paired=True,
        confidence=confidence,
        n_units=float(values.shape[1]),
    )


@dataclass(frozen=True)
class PairedComparisons:
    """All differences between candidates that saw the same samples.

    Parameters
    ----------
    scores : ndarray of shape (n_candidates,)
        Means of the values.
    std_errors : ndarray of shape (n_candidates,)
        Of the scores.
    differences : ndarray of shape (n_candidates, n_candidates)
        Score of the row less that of the column.
    difference_errors : ndarray of shape (n_candidates, n_candidates)
        Their standard errors, paired.
    critical_values : ndarray of shape (n_candidates,)
        How many errors away from zero a difference from this candidate must be, so
        that with the chosen confidence all such differences are right.
    one_sided : bool
        Whether that is about better candidates only.

    Attributes
    ----------
    rank_low, rank_high : ndarray of shape (n_candidates,)
        Bounds of each candidate's true rank, 1 being the best.
    may_be_best : ndarray of bool of shape (n_candidates,)
        Candidates that none is significantly better than.

    See Also
    --------
    paired_comparisons : Makes them.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_transrate.uncertainty import paired_comparisons
    >>> shared = np.random.RandomState(0).normal(size=400)
    >>> values = np.array([shared, shared, shared[::-1] - 1.0])
    >>> paired_comparisons(values).may_be_best.tolist()
    [True, True, False]
    """

    scores: np.ndarray
    std_errors: np.ndarray
    differences: np.ndarray
    difference_errors: np.ndarray
    critical_values: np.ndarray
    one_sided: bool = False

    @property
    def _ratios(self) -> np.ndarray:
        return t_ratios(self.differences, self.difference_errors)

    @property
    def rank_low(self) -> np.ndarray:
        """Best rank that each candidate may have."""
        return 1 + (self._ratios < -self.critical_values[:, None]).sum(axis=1)

    @property
    def rank_high(self) -> np.ndarray:
        """Worst rank that each candidate may have."""
        if self.one_sided:
            return np.full(len(self.scores), len(self.scores))
        worse = self._ratios > self.critical_values[:, None]
        return len(self.scores) - worse.sum(axis=1)

    @property
    def may_be_best(self) -> np.ndarray:
        """Candidates that none is significantly better than."""
        return self.rank_low == 1


def paired_comparisons(
    values,
    *,
    confidence=0.95,
    correction="max_t",
    one_sided=False,
    random_state=0,
) -> PairedComparisons:
    """Compare all candidates by their values for the same units.

    Parameters
    ----------
    values : array-like of shape (n_candidates, n_units)
        Rows as `pseudo_values` returns them, for the same samples in the same order.
    confidence : float, default=0.95
        With which all differences from one candidate are right at once. The set
        `may_be_best` therefore holds the candidate that is truly the best at least
        that often, and so do the bounds of each rank.
    correction : {"max_t", "bonferroni"} or None, default="max_t"
        How many comparisons are allowed for. "max_t" draws the largest of them from
        a normal distribution with the candidates' covariance (the Gaussian
        multiplier bootstrap), so that candidates that move together cost little;
        "bonferroni" needs no draws; None treats each difference by itself.
    one_sided : bool, default=False
        Whether only better candidates matter, as when a race drops what cannot be
        the best: comparisons with the best of Hsu and of Gupta. Upper bounds of
        ranks are then not known.
    random_state : int, default=0
        Of the draws.

    Returns
    -------
    comparisons : PairedComparisons

    See Also
    --------
    compare_scores : Two candidates, chosen beforehand.

    Notes
    -----
    Cost: O(n_candidates^2 n_units), and a simulation of 10000 draws; fewer from 150
    candidates on, and above 400 Bonferroni's bound.

    References
    ----------
    .. [1] Hsu, J. C. (1981). Simultaneous confidence intervals for all distances from
       the "best". The Annals of Statistics, 9(5), 1026-1034.
       https://doi.org/10.1214/aos/1176345582
    .. [2] Mogstad, M., Romano, J. P., Shaikh, A. M., & Wilhelm, D. (2024). Inference
       for ranks with applications to mobility across neighbourhoods and academic
       achievement across countries. The Review of Economic Studies, 91(1), 476-518.
       https://doi.org/10.1093/restud/rdad006

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate.uncertainty import paired_comparisons, pseudo_values
    >>> X, y = load_iris(return_X_y=True)
    >>> candidates = [X, X[:, :2], X[:, 2:]]
    >>> values = [pseudo_values("logme", Z, y) for Z in candidates]
    >>> paired_comparisons(values).may_be_best.tolist()
    [True, False, False]
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < 2 or not np.isfinite(values).all():
        raise ValueError(
            "Expected finite 'values' of shape (n_candidates, n_units) with at least "
            f"two units, got shape {values.shape}. Leave out candidates without a "
            "score."
        )
    if correction not in CORRECTIONS:
        raise ValueError(
            f"Expected 'correction' to be one of {CORRECTIONS}, got {correction!r}."
        )
    check_share("confidence", confidence)
    covariance = covariance_of_means(values)
    n_candidates, n_units = values.shape
    if correction is None:
        sides = 1.0 if one_sided else 2.0
        level = (1.0 - confidence) / sides
        critical = np.full(n_candidates, stats.t.isf(level, n_units - 1))
    else:
        critical = critical_values(
            covariance,
            confidence=confidence,
            n_units=n_units,
            one_sided=one_sided,
            simulate=correction == "max_t",
            seed=random_state,
        )
    scores = values.mean(axis=1)
    return PairedComparisons(
        scores,
        np.sqrt(np.diagonal(covariance)),
        scores[:, None] - scores,
        difference_errors(covariance),
        critical,
        one_sided,
    )
