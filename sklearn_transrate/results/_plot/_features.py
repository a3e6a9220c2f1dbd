"""Features for displays that score again: those given, or a selector's best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn_transrate.results._plot._base import LINE_STYLES, results_of

__all__ = ["best_features", "by_name"]


def by_name(X: Any) -> tuple[list[Any], list[str] | None]:
    """Return features as a list, with their names where they have some."""
    if not isinstance(X, Mapping):
        return [X], None
    if not X:
        raise ValueError("Expected features of at least one candidate, got no names.")
    return list(X.values()), [str(name) for name in X]


def best_features(selector: Any, X: Any, most: int) -> dict[str, Any]:
    """Extract the features of a fitted selector's best candidates, best first."""
    results = results_of(selector)
    metric = results.metrics[0]
    if isinstance(selector.refit, str):
        metric = selector.refit
    features = {}
    for record in results.top(min(most, len(LINE_STYLES)), metric).to_records():
        extractor = selector.named_extractors_.get(record["extractor"])
        if extractor is None:
            continue
        if record["layer"] is not None:
            extractor = extractor.with_layer(record["layer"])
        features[record["candidate"]] = extractor.transform(X)
    if not features:
        raise ValueError(
            "None of the selector's candidates was evaluated in this process, so "
            "there is nothing to extract features with. Fit it without 'memory'."
        )
    return features
