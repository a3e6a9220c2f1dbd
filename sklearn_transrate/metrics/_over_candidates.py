"""Parts of a score scaled over the candidates that are compared."""

from __future__ import annotations

import numpy as np

__all__ = ["scaled_over_candidates"]


def scaled_over_candidates(values, *, name: str) -> np.ndarray:
    """Scale one number a candidate to [0, 1]; all 0 where they are equal."""
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all():
        raise ValueError(
            f"Expected {name!r} to hold one finite number for each candidate, got "
            f"{values!r}."
        )
    width = np.ptp(values)
    return (values - values.min()) / (width if width > 0 else 1.0)
