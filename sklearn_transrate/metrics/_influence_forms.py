"""Influence of rows on each form of TransRate."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from sklearn.preprocessing import normalize as normalize_rows

from sklearn_transrate._lib.labels import encode_labels
from sklearn_transrate.metrics._influence_predictive import predictive_influence
from sklearn_transrate.metrics._influence_projected import projected_influence
from sklearn_transrate.metrics._influence_transrate import (
    Moved,
    class_influence,
    left_influence,
)
from sklearn_transrate.statistics import RowSample

if TYPE_CHECKING:
    from sklearn_transrate.metrics._transrate import TransRate

__all__ = ["transrate_influence"]


def transrate_influence(
    metric: TransRate, X, y, parts: dict[str, Any], moments=None, rows=None
) -> np.ndarray:
    """Influence of rows on a metric whose statistics and parts are given."""
    relative = metric.eps == "auto" or metric.eps_unit != "absolute"
    if moments is not None and rows is not None:
        return predictive_influence(
            moments, rows, X, y, eps=parts["eps"], is_relative=relative
        )
    if parts["eps"] == 0:  # constant features
        return np.zeros(X.shape[0])
    divisor = metric._divisor(parts["rank"], X.shape[1])
    moments, origin = metric._moments_in_form(moments, rows)
    options = {"eps": parts["eps"], "is_relative": relative}
    if metric._is_pooled(moments):
        kernel = partial(left_influence, moments, **options)
    else:
        form = class_influence if metric.projection is None else projected_influence
        kernel = partial(
            form,
            moments,
            rates=parts["class_rates"] * divisor,
            class_weight=metric.class_weight,
            origin=origin,
            **options,
        )
    if not origin:
        return kernel(X, y).values / divisor
    return _of_unit_rows(kernel, rows, X, y) / divisor


def _of_unit_rows(kernel: Callable[..., Moved], rows: RowSample, X, y) -> np.ndarray:
    """Influence through the mean that unit rows are centred at, and their own.

    Moving row j by dx moves the score by its share times the gradient of its
    influence, so that a change of the mean adds up over the rows.
    """
    X = X.toarray() if sparse.issparse(X) else X
    seen = normalize_rows(np.asarray(rows.features, dtype=np.float64))
    mean = np.average(seen, axis=0, weights=rows.weights)
    units, lengths = normalize_rows(seen - mean, return_norm=True)
    gradients = kernel(units, _seen_targets(rows, y), gradients=True).gradients
    weights = np.ones(len(seen)) if rows.weights is None else rows.weights
    gradients -= units * np.einsum("ij,ij->i", gradients, units)[:, None]
    scale = np.divide(weights, lengths, out=np.zeros(len(seen)), where=lengths > 0)
    pull = scale @ gradients / weights.sum()
    apart = normalize_rows(np.asarray(X, dtype=np.float64)) - mean
    return kernel(normalize_rows(apart), y).values - apart @ pull


def _seen_targets(rows: RowSample, like: np.ndarray) -> np.ndarray:
    if like.ndim == 1:
        return encode_labels(rows.targets)[1]
    return np.asarray(rows.targets, dtype=np.float64).reshape(len(rows.targets), -1)
