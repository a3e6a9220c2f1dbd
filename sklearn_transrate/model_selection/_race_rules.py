"""What a race is run by: rounds, metrics, and who may take part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import get_tags

from sklearn_transrate._lib.labels import encode_labels
from sklearn_transrate._lib.sampling import resolve_n_samples
from sklearn_transrate.model_selection._candidates import Source
from sklearn_transrate.model_selection._competition import take
from sklearn_transrate.model_selection._elimination import round_sizes
from sklearn_transrate.model_selection._plan import is_labels
from sklearn_transrate.model_selection._scoring import Scoring, resolve_scoring

__all__ = ["Rules", "make_rules", "metrics_of_features", "refuse_supervised", "rows_of"]

STD_ERRORS = ("auto", "jackknife")
# Rows of the first round, unless the user says so: in all, and of each class.
FEWEST_SAMPLES, FEWEST_OF_CLASS = 100, 5


@dataclass(frozen=True)
class Rules:
    """How a race is run.

    Attributes
    ----------
    scorings : sequence of Scoring
        What candidates are scored by.
    decisive : Scoring
        The one that drops them.
    sizes : list of int
        Rows seen after each round.
    confidence : float
        With which the winner stays.
    """

    scorings: Sequence[Scoring]
    decisive: Scoring
    sizes: list[int]
    confidence: float

    @property
    def metrics(self) -> list[str]:
        """Names of the scorings."""
        return [scoring.name for scoring in self.scorings]


def make_rules(
    selector, scorings: Sequence[Scoring], decisive: Scoring, y: np.ndarray
) -> Rules:
    """Check a selector's parameters, and plan the rounds.

    Parameters
    ----------
    selector : HalvingTransferSelector
        Its parameters are read.
    scorings : sequence of Scoring
        What candidates are scored by.
    decisive : Scoring
        The one that drops them.
    y : ndarray
        Checked targets.
    """
    factor, confidence = selector.factor, selector.confidence
    if selector.std_error not in STD_ERRORS:
        raise ValueError(
            f"Expected 'std_error' to be one of {STD_ERRORS}, got "
            f"{selector.std_error!r}: without errors nobody can be dropped."
        )
    if not isinstance(factor, Real) or not 1.0 < factor < np.inf:
        raise ValueError(f"Expected 'factor' to be a number above 1, got {factor!r}.")
    if not 0.0 < confidence < 1.0:
        raise ValueError(
            f"Expected 'confidence' to be between 0 and 1, got {confidence!r}. Use "
            "0.95 for 95 %."
        )
    n_samples = resolve_n_samples(selector.max_samples, len(y))
    n_first = min(_first_round(selector.min_samples, y), n_samples)
    return Rules(
        scorings, decisive, round_sizes(n_first, n_samples, factor), confidence
    )


def _first_round(min_samples: Any, y: np.ndarray) -> int:
    if isinstance(min_samples, str) and min_samples == "auto":
        n_classes = len(encode_labels(y)[0]) if is_labels(y) else 1
        return max(FEWEST_SAMPLES, FEWEST_OF_CLASS * n_classes)
    is_count = isinstance(min_samples, Integral) and not isinstance(min_samples, bool)
    if not is_count or min_samples < 2:
        raise ValueError(
            "Expected 'min_samples' to be 'auto' or an integer of at least 2, got "
            f"{min_samples!r}."
        )
    return int(min_samples)


def metrics_of_features(scoring: Any) -> list[Scoring]:
    """Resolve scorings; refuse scorers of estimators, whose scores do not merge."""
    scorings = resolve_scoring(scoring)
    for scoring in scorings:
        if scoring.metric is None:
            raise ValueError(
                f"Expected metrics of features in 'scoring', got {scoring.name!r}, "
                "which scores an estimator: what it saw in one round cannot be added "
                "to the next. Use TransferSelector, or a metric."
            )
    return scorings


def refuse_supervised(sources: Iterable[Source]) -> None:
    """Raise if an extractor learns from y."""
    for source in sources:
        if get_tags(source.extractor).target_tags.required:
            raise ValueError(
                f"Expected extractors that do not learn from y, got {source.name!r} "
                f"({source.extractor!r}): it would look better on the samples of the "
                "first round, which it was fitted to. Use TransferSelector(cv=5)."
            )


def rows_of(metadata: Mapping[str, Any], rows, n_samples: int) -> dict[str, Any]:
    """Take these rows of whatever metadata has one value for each."""
    return {
        method: {
            name: take(value, rows)
            if hasattr(value, "__len__") and len(value) == n_samples
            else value
            for name, value in params.items()
        }
        for method, params in metadata.items()
    }
