"""How many samples an error or a difference takes."""

from __future__ import annotations

import numpy as np
from scipy import stats

from sklearn_transrate.uncertainty._inputs import check_share

__all__ = ["suggest_n_samples"]


def suggest_n_samples(
    std_error,
    n_samples,
    *,
    difference=None,
    target_error=None,
    confidence=0.95,
    power=0.8,
) -> int:
    """Samples needed to see a difference, or for an error to be as small as wanted.

    Parameters
    ----------
    std_error : float
        Standard error now: of a difference between two candidates, or of a score.
    n_samples : int
        Samples that it was estimated from.
    difference : float, default=None
        A difference that matters. Give this or `target_error`.
    target_error : float, default=None
        The standard error that is wanted.
    confidence : float, default=0.95
        Of the two-sided test that is to find the difference.
    power : float, default=0.8
        How often it is to find it.

    Returns
    -------
    n_samples : int
        At least 2. It may be less than there were: then some can be spared.

    See Also
    --------
    standard_error, compare_scores : Where errors come from.

    Notes
    -----
    Errors fall with the root of the number of samples, once that is above the number
    of features; below, they may fall faster or slower.

    Examples
    --------
    >>> from sklearn_transrate.uncertainty import suggest_n_samples
    >>> suggest_n_samples(0.02, 1000, target_error=0.01)
    4000
    >>> suggest_n_samples(0.004, 1000, difference=0.01)
    1256
    """
    if (difference is None) == (target_error is None):
        raise ValueError(
            "Expected either 'difference' or 'target_error', got "
            f"difference={difference!r} and target_error={target_error!r}."
        )
    if not std_error >= 0 or not np.isfinite(std_error):
        raise ValueError(
            f"Expected a finite 'std_error' of at least 0, got {std_error!r}."
        )
    if target_error is None:
        check_share("confidence", confidence)
        check_share("power", power)
        errors = stats.norm.isf((1.0 - confidence) / 2.0) + stats.norm.ppf(power)
        target_error = abs(difference) / max(errors, np.finfo(float).tiny)
    if not target_error > 0:
        raise ValueError(
            "Expected a difference or an error to aim at other than 0, got "
            f"{difference if difference is not None else target_error!r}: no number "
            "of samples resolves it."
        )
    needed = n_samples * (std_error / target_error) ** 2
    # Rounding must not ask for one sample more than a round number.
    return max(2, int(np.ceil(needed * (1.0 - 1e-12))))
