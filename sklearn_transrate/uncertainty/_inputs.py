"""What the functions of this folder ask of their arguments."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight

from sklearn_transrate._lib.labels import encode_labels
from sklearn_transrate._lib.validation import (
    check_features,
    check_targets,
    refuse_swapped,
)
from sklearn_transrate.metrics import FunctionMetric, TransferMetric
from sklearn_transrate.metrics._registry import metric_name, resolve_metric
from sklearn_transrate.metrics._sparse import dense_equivalent
from sklearn_transrate.statistics._blocks import StatisticBlocks, number_blocks

__all__ = [
    "blocks_of_rows",
    "check_share",
    "checked_rows",
    "error_of_mean",
    "name_of",
    "resolve",
]


def resolve(metric) -> TransferMetric:
    resolved = resolve_metric(metric)
    return (
        resolved if isinstance(resolved, TransferMetric) else FunctionMetric(resolved)
    )


def name_of(metric) -> str:
    if isinstance(metric, str | TransferMetric):
        return metric_name(metric)
    return getattr(metric, "__name__", type(metric).__name__)


def check_share(name: str, value: float) -> None:
    if not 0.0 < value < 1.0:
        raise ValueError(f"Expected {name!r} between 0 and 1, got {value!r}.")


def error_of_mean(values: np.ndarray) -> float:
    if len(values) < 2:
        return np.nan
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def checked_rows(metric: TransferMetric, X, y, sample_weight):
    """Return rows as statistics take them, without those of no weight."""
    name = type(metric).__name__
    refuse_swapped(X, y, name=name)
    X = check_features(X, name=name, accept_sparse=True)
    y = check_targets(y, X, name=name, multi_output=len(metric.tasks) > 1)
    X = dense_equivalent(X, [metric])
    if sample_weight is None:
        return X, y, None
    weights = _check_sample_weight(
        sample_weight, X, dtype=np.float64, ensure_non_negative=True
    )
    kept = np.flatnonzero(weights)
    return X[kept], y[kept], weights[kept]


def blocks_of_rows(metric, X, y, n_blocks, stratify, sample_weight, random_state):
    """Summarise rows by block."""
    if not isinstance(n_blocks, Integral) or n_blocks < 2:
        raise ValueError(
            f"Expected 'n_blocks' to be a whole number of at least 2, got {n_blocks!r}."
        )
    X, y, weights = checked_rows(metric, X, y, sample_weight)
    task = metric.resolve_task(y)
    codes = encode_labels(y)[1] if stratify and task == "classification" else None
    rng = check_random_state(random_state)
    blocks = number_blocks(X.shape[0], n_blocks, rng, codes)
    empty = metric.required_statistics(task)
    return StatisticBlocks.from_rows(X, y, blocks, empty, weights)
