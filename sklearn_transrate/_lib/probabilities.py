"""Rows of class probabilities: checked, and scaled to sum to one."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["SUM_TOLERANCE", "normalized_probabilities"]

# Wide enough for softmax in half precision and for outputs rounded to three digits;
# no layer but an output head comes that close to one in every row.
SUM_TOLERANCE = 0.01


def normalized_probabilities(proba: Any, *, first_row: int = 0) -> np.ndarray:
    """Return probabilities as a float64 copy whose rows sum to one.

    Parameters
    ----------
    proba : array-like of shape (n_samples, n_classes)
        Non-negative rows that sum to one within `SUM_TOLERANCE`.
    first_row : int, default=0
        Number of the first row, for the message.

    Returns
    -------
    rows : ndarray of shape (n_samples, n_classes)

    Raises
    ------
    ValueError
        If some row is not a distribution.
    """
    rows = np.array(proba, dtype=np.float64)
    if rows.ndim != 2:
        raise ValueError(
            "Expected class probabilities of shape (n_samples, n_classes), got shape "
            f"{rows.shape}."
        )
    sums = rows.sum(axis=1)
    right = (np.abs(sums - 1.0) <= SUM_TOLERANCE) & ~(rows < 0).any(axis=1)
    if not right.all():
        i = int(np.argmin(right))
        raise ValueError(
            f"Expected a probability for each source class in every row: non-negative, "
            f"with sum 1. Row {first_row + i} of width {rows.shape[1]} has sum "
            f"{sums[i]:.6g} and smallest value {rows[i].min(initial=np.inf):.6g}. "
            + _remedy(rows.shape[1])
        )
    rows /= sums[:, None]
    return rows


def _remedy(n_columns: int) -> str:
    if n_columns == 1:
        return (
            "For a source model with two classes pass both columns: "
            "np.column_stack([1 - p, p])."
        )
    return "Turn logits into probabilities with scipy.special.softmax(X, axis=1)."
