"""What to do with every candidate: rows, folds, statistics, and where to keep them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import check_cv

from sklearn_transrate._lib.labels import encode_labels
from sklearn_transrate._lib.sampling import resolve_n_samples, stratified_subset
from sklearn_transrate.model_selection._resume import StatisticsStore
from sklearn_transrate.model_selection._scoring import Scoring
from sklearn_transrate.model_selection._units import STD_ERRORS
from sklearn_transrate.statistics import Statistic, cheapest_cover

__all__ = ["Plan", "choose_rows", "is_labels", "make_plan"]


@dataclass(frozen=True)
class Plan:
    """What to do with every source; the same for all of them.

    Attributes
    ----------
    scorings : sequence of Scoring
        Named metrics and scorers.
    required : sequence of Statistic
        Empty statistics that all the metrics can be read from.
    splits : sequence of (train, test), or None
        Row numbers of the folds on which sources that learn are scored.
    sample_weight : ndarray or None
        Weights of the rows.
    batch_size : int or "auto"
        Rows that a layered extractor takes at a time.
    keep_features : bool
        Whether the caller wants the features of the winner.
    raise_errors : bool
        Whether an error ends the selection.
    store : StatisticsStore or None
        Where finished statistics are kept.
    decisive : Scoring or None
        The one whose ranks name the winner; None means the first.
    std_error : {"auto", "jackknife"} or None
        How standard errors are found.
    """

    scorings: Sequence[Scoring]
    required: Sequence[Statistic]
    splits: Sequence[tuple[np.ndarray, np.ndarray]] | None = None
    sample_weight: np.ndarray | None = None
    batch_size: int | str = "auto"
    keep_features: bool = False
    raise_errors: bool = False
    store: StatisticsStore | None = None
    decisive: Scoring | None = None
    std_error: str | None = None


def choose_rows(y, max_samples, rng) -> np.ndarray | None:
    """Return the row numbers of a stratified subsample; None for all rows.

    Parameters
    ----------
    y : ndarray
        Checked targets.
    max_samples : int, float or None
        How many rows, or which share.
    rng : RandomState
        Source of randomness.
    """
    n = resolve_n_samples(max_samples, len(y))
    if n == len(y):
        return None
    codes = encode_labels(y)[1] if is_labels(y) else np.zeros(len(y), dtype=int)
    return stratified_subset(codes, n, rng)


def make_plan(
    selector,
    scorings: Sequence[Scoring],
    X,
    y,
    weight: np.ndarray | None,
    routed: Mapping[str, Any],
    *,
    keep_features: bool,
    decisive: Scoring | None = None,
) -> Plan:
    """Decide what all candidates of a selector have in common.

    Parameters
    ----------
    selector : TransferSelector
        Its parameters are read.
    scorings : sequence of Scoring
        What to score by.
    X, y, weight
        The rows that are scored.
    routed : mapping
        Metadata of the candidates; part of what saved statistics depend on.
    keep_features : bool
        Whether the caller wants the winner's features.
    decisive : Scoring, default=None
        The one whose ranks name the winner; None means the first.
    """
    if selector.std_error not in STD_ERRORS:
        raise ValueError(
            f"Expected 'std_error' to be one of {STD_ERRORS}, got "
            f"{selector.std_error!r}."
        )
    required = cheapest_cover(
        wanted for scoring in scorings for wanted in scoring.required(y)
    )
    splits = None
    if selector.cv is not None:
        cv = check_cv(selector.cv, y, classifier=is_labels(y))
        splits = list(cv.split(X, y))
    store = None
    if selector.memory is not None and all(s.metric is not None for s in scorings):
        made_of = (X, y, weight, splits, selector.batch_size, dict(routed))
        store = StatisticsStore(selector.memory, made_of)
    return Plan(
        scorings,
        required,
        splits=splits,
        sample_weight=weight,
        batch_size=selector.batch_size,
        keep_features=keep_features,
        raise_errors=isinstance(selector.error_score, str),
        store=store,
        std_error=selector.std_error,
        decisive=decisive,
    )


def is_labels(y: np.ndarray) -> bool:
    """Whether y holds one label for each row, rather than values."""
    return y.ndim == 1 and not (y.dtype.kind == "f" and (y != np.rint(y)).any())
