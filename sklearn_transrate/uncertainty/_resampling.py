"""Resamples of a score, merged from the statistics of blocks of rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.utils import check_random_state

from sklearn_transrate.uncertainty._inputs import (
    blocks_of_rows,
    error_of_mean,
    resolve,
)

__all__ = ["Jackknife", "bootstrap", "jackknife"]


@dataclass(frozen=True)
class Jackknife:
    """What leaving blocks of rows out, one at a time, says of a score.

    Parameters
    ----------
    score : float
        Of all rows.
    replicates : ndarray of shape (n_blocks,)
        Scores of all rows but those of one block.

    Attributes
    ----------
    values : ndarray of shape (n_blocks,)
        One for each block; their mean is the score.
    std_error : float
        Standard error of the score.
    bias : float
        By how much the score is expected to be too high because there are only so
        many rows; the score less this is the jackknife's correction.

    See Also
    --------
    jackknife : Makes it.

    Examples
    --------
    >>> from sklearn_transrate.uncertainty import Jackknife
    >>> found = Jackknife(0.5, [0.4, 0.5, 0.55, 0.6])
    >>> found.values.round(6).tolist()
    [0.8375, 0.5375, 0.3875, 0.2375]
    >>> round(found.std_error, 4), round(found.bias, 4)
    (0.1281, 0.0375)
    """

    score: float
    replicates: np.ndarray

    @property
    def values(self) -> np.ndarray:
        """One value for each block; their mean is the score."""
        replicates = np.asarray(self.replicates, dtype=np.float64)
        return self.score + (len(replicates) - 1.0) * (replicates.mean() - replicates)

    @property
    def std_error(self) -> float:
        """Standard error of the score."""
        return error_of_mean(self.values)

    @property
    def bias(self) -> float:
        """By how much the score is expected to be too high."""
        n_blocks = len(self.replicates)
        return float((n_blocks - 1.0) * (np.mean(self.replicates) - self.score))


def jackknife(
    metric, X, y, *, n_blocks=32, stratify=False, sample_weight=None, random_state=0
) -> Jackknife:
    """Scores of all rows but one block, for each of some blocks.

    Rows are summarised once, by block, and summaries are merged, so that no row is
    looked at again whatever the metric.

    Parameters
    ----------
    metric : str, TransferMetric or callable (X, y) -> float
        What to score by.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Features from one layer of a source model.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Target labels or values.
    n_blocks : int, default=32
        How many; as many as rows is the jackknife of single rows. The standard error
        is itself off by about ``1 / sqrt(2 n_blocks)`` of its size.
    stratify : bool, default=False
        Whether every class is dealt evenly to the blocks, which is right if the
        number of rows of each class was fixed rather than found.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.
    random_state : int, RandomState instance or None, default=0
        Deals rows into blocks. Candidates are paired only if it is the same for
        them, hence the number.

    Returns
    -------
    result : Jackknife
        With the score, its standard error and its bias.

    See Also
    --------
    bootstrap : Draws blocks with replacement instead.
    pseudo_values : Values for each row, where there is a closed form.

    Notes
    -----
    Cost: one pass over the rows, three merges and one evaluation of the metric for
    each block, and twice the memory of all blocks' statistics.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate.uncertainty import jackknife
    >>> X, y = load_iris(return_X_y=True)
    >>> found = jackknife("logme", X, y)
    >>> round(found.score, 4), round(found.std_error, 3)
    (-0.1601, 0.034)
    """
    metric = resolve(metric)
    blocks = blocks_of_rows(
        metric, X, y, n_blocks, stratify, sample_weight, random_state
    )
    score = metric.evaluate(blocks.whole()).score
    replicates = [metric.evaluate(rest).score for rest in blocks.leave_one_out()]
    return Jackknife(score, np.array(replicates))


def bootstrap(
    metric,
    X,
    y,
    *,
    n_resamples=200,
    n_blocks=32,
    stratify=False,
    sample_weight=None,
    random_state=0,
) -> np.ndarray:
    """Scores of resamples, made of blocks of rows drawn with replacement.

    Parameters
    ----------
    metric : str, TransferMetric or callable (X, y) -> float
        What to score by.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Features from one layer of a source model.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Target labels or values.
    n_resamples : int, default=200
        How many resamples.
    n_blocks : int, default=32
        Blocks that rows are dealt into, and that each resample draws.
    stratify : bool, default=False
        Whether every class is dealt evenly to the blocks.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.
    random_state : int, RandomState instance or None, default=0
        Deals rows, and draws. The same number draws the same rows for another
        candidate, which pairs the two.

    Returns
    -------
    scores : ndarray of shape (n_resamples,)

    See Also
    --------
    jackknife : Needs far fewer evaluations.

    Notes
    -----
    Drawing rows twice makes features look as if they had fewer dimensions, so scores
    of resamples are off where n is near d: use their spread, not their mean. Metrics
    that compare rows with each other find copies; prefer the jackknife for them.
    Cost: one pass over the rows, and `n_blocks` merges and one evaluation of the
    metric for each resample.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate.uncertainty import bootstrap
    >>> X, y = load_iris(return_X_y=True)
    >>> round(float(bootstrap("logme", X, y, n_resamples=50).std()), 2)
    0.03
    """
    metric, rng = resolve(metric), check_random_state(random_state)
    blocks = blocks_of_rows(metric, X, y, n_blocks, stratify, sample_weight, rng)
    resamples = blocks.bootstrap(n_resamples, rng)
    return np.array([metric.evaluate(filled).score for filled in resamples])
