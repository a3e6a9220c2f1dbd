"""What a candidate makes of a batch of rows, checked before it is summarised."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy import sparse

from sklearn_transrate._lib.validation import check_features
from sklearn_transrate.metrics._sparse import dense_equivalent
from sklearn_transrate.model_selection._scoring import Scoring

__all__ = ["checked_features", "subject_of"]


def checked_features(Z: Any, name: str, scorings: Iterable[Scoring], *, whole: bool):
    """Return features as finite and 2-d, sparse only where that is enough.

    Parameters
    ----------
    Z : array-like, sparse matrix or frame
        Features; of one axis where there is one.
    name : str
        The candidate, for messages.
    scorings : iterable of Scoring
        What they are scored by.
    whole : bool
        Whether these are all rows there will be.
    """
    if hasattr(Z, "to_numpy"):
        Z = Z.to_numpy()
    if not sparse.issparse(Z):
        Z = np.asarray(Z)
        Z = Z[:, None] if Z.ndim == 1 else Z
    Z = check_features(Z, name=subject_of(name), accept_sparse=True)
    metrics = [s.metric for s in scorings if s.metric is not None]
    return dense_equivalent(Z, metrics, whole=whole)


def subject_of(name: str) -> str:
    """Return what messages about a candidate's features begin with."""
    return f"Scoring of candidate {name!r}"
