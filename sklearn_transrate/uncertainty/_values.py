"""One value for each unit, and the standard error that they add up to."""

from __future__ import annotations

import numpy as np

from sklearn_transrate.uncertainty._inputs import (
    checked_rows,
    error_of_mean,
    resolve,
)
from sklearn_transrate.uncertainty._resampling import bootstrap, jackknife

__all__ = ["pseudo_values", "standard_error"]

METHODS = ("auto", "influence", "jackknife", "bootstrap")


def pseudo_values(
    metric,
    X,
    y,
    *,
    method="auto",
    n_blocks=32,
    stratify=False,
    sample_weight=None,
    random_state=0,
) -> np.ndarray:
    """One value for each unit, whose mean is the score and whose spread its error.

    Parameters
    ----------
    metric : str, TransferMetric or callable (X, y) -> float
        What to score by.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Features from one layer of a source model.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Target labels or values.
    method : {"auto", "influence", "jackknife"}, default="auto"
        "influence" is the closed form, with a value for each row; "jackknife" works
        for any metric, with a value for each block of rows. "auto" takes the closed
        form where the metric has one.
    n_blocks : int, default=32
        Blocks of rows, where there is no closed form; see `jackknife`.
    stratify : bool, default=False
        Whether every class is dealt evenly to the blocks.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights. Every row of positive weight is one unit.
    random_state : int, RandomState instance or None, default=0
        Deals rows into blocks; pairs candidates if it is the same for them.

    Returns
    -------
    values : ndarray of shape (n_samples,) or (n_blocks,)
        Scores plus what each unit moves it by.

    See Also
    --------
    paired_comparisons : Compares candidates by these.
    TransferMetric.influence : Where the closed form comes from.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate.uncertainty import pseudo_values
    >>> X, y = load_iris(return_X_y=True)
    >>> values = pseudo_values("transrate", X, y)
    >>> values.shape, round(float(values.mean()), 4)
    ((150,), 1.0464)
    """
    if method not in METHODS[:3]:
        raise ValueError(
            f"Expected 'method' to be one of {METHODS[:3]}, got {method!r}."
        )
    metric = resolve(metric)
    if method != "jackknife":
        values = _influence_values(metric, X, y, sample_weight)
        if values is not None:
            return values
        if method == "influence":
            raise ValueError(
                f"{metric!r} has no closed form for the influence of a row. Use "
                "method='jackknife', or 'auto'."
            )
    return jackknife(
        metric,
        X,
        y,
        n_blocks=n_blocks,
        stratify=stratify,
        sample_weight=sample_weight,
        random_state=random_state,
    ).values


def standard_error(
    metric,
    X,
    y,
    *,
    method="auto",
    n_blocks=32,
    n_resamples=200,
    stratify=False,
    sample_weight=None,
    random_state=0,
) -> float:
    """Standard error of a score: how far other samples of the same kind would move it.

    Parameters
    ----------
    metric : str, TransferMetric or callable (X, y) -> float
        What to score by.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Features from one layer of a source model.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Target labels or values.
    method : {"auto", "influence", "jackknife", "bootstrap"}, default="auto"
        "influence" is the closed form, "jackknife" and "bootstrap" resample blocks of
        rows. "auto" takes the closed form where the metric has one, else the
        jackknife.
    n_blocks : int, default=32
        Blocks of rows, where there is no closed form; see `jackknife`.
    n_resamples : int, default=200
        For the bootstrap.
    stratify : bool, default=False
        Whether every class is dealt evenly to the blocks.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.
    random_state : int, RandomState instance or None, default=0
        Deals rows into blocks, and draws.

    Returns
    -------
    std_error : float
        In the unit of the score.

    See Also
    --------
    compare_scores : The error of a difference, which is smaller.
    suggest_n_samples : How many samples make it small enough.

    Notes
    -----
    It is about samples drawn independently from one population, and about spread
    only: scores of few samples in many dimensions are also too high.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate.uncertainty import standard_error
    >>> X, y = load_iris(return_X_y=True)
    >>> round(standard_error("logme", X, y, method="jackknife"), 3)
    0.034
    """
    if method not in METHODS:
        raise ValueError(f"Expected 'method' to be one of {METHODS}, got {method!r}.")
    dealing = {
        "n_blocks": n_blocks,
        "stratify": stratify,
        "sample_weight": sample_weight,
        "random_state": random_state,
    }
    if method == "bootstrap":
        scores = bootstrap(metric, X, y, n_resamples=n_resamples, **dealing)
        # A resample of G blocks spreads as if it had been drawn from G - 1.
        n_drawn = min(n_blocks, len(y))
        return float(np.std(scores, ddof=1) * np.sqrt(n_drawn / max(n_drawn - 1, 1)))
    return error_of_mean(pseudo_values(metric, X, y, method=method, **dealing))


def _influence_values(metric, X, y, sample_weight):
    """Score plus influence by row, or None without a closed form."""
    if not metric._has_influence:
        return None
    X, y, weights = checked_rows(metric, X, y, sample_weight)
    filled, _ = metric._summarise(X, y, weights)
    return metric._evaluate_by_row(filled, X, y, weights)[1]
