"""Metrics of arrays on a device: the sums there, the last few numbers here.

The kernels repeat in terms of the array API standard what `_transrate_kernels`,
`_coding_rate` and `_hscore` do by BLAS and LAPACK on triangles.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_transrate._lib.array_api import (
    GroupedRows,
    device_namespace,
    log_det_identity_plus,
    to_host,
)
from sklearn_transrate._lib.labels import encode_labels
from sklearn_transrate._lib.validation import check_targets, refuse_swapped
from sklearn_transrate.metrics._array_api_left_out import left_out_on_device
from sklearn_transrate.metrics._coding_rate import distortion
from sklearn_transrate.metrics._transrate_kernels import Distortion, Rates
from sklearn_transrate.metrics._transrate_options import (
    check_plug_in_unused,
    class_weights,
    is_share,
)
from sklearn_transrate.statistics._by_class import checked_weights

__all__ = [
    "DeviceScoreMixin",
    "coding_rate_on_device",
    "h_score_on_device",
    "spectrum_on_device",
    "transrate_on_device",
]


class DeviceScoreMixin:
    """Gives a metric a `score` that stays where its features are.

    The metric defines ``_score_on_device(grouped)``.
    """

    def score(self, X, y, sample_weight=None) -> float:
        """Return the score of these rows alone; nothing learned is used.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features. Those on an accelerator (torch, CuPy, JAX) are summarised there.
        y : array-like of shape (n_samples,)
            Target labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        score : float
            Higher is better.
        """
        name = type(self).__name__
        xp = device_namespace(X, purpose=name)
        if xp is None:
            return super().score(X, y, sample_weight)
        X, labels, codes, weights = _checked(xp, X, y, sample_weight, self)
        if len(labels) < 2:
            return self._one_class_result(labels).score
        return float(self._score_on_device(GroupedRows(xp, X, codes, weights)))


def _checked(xp, X, y, sample_weight, metric):
    """Return features, distinct labels, class numbers and weights, all positive."""
    name = type(metric).__name__
    refuse_swapped(X, y, name=name)
    _check_features(xp, X, name)
    shape = np.broadcast_to(0.0, X.shape)  # what the checks of y read of X
    y = check_targets(to_host(y), shape, name=name, multi_output=True)
    if metric.resolve_task(y) != "classification":
        raise ValueError(
            f"{name} of arrays on a device expected class labels. Pass NumPy arrays "
            "for other targets."
        )
    weights = checked_weights(to_host(sample_weight), len(y))
    if weights is not None and not weights.all():
        kept = np.flatnonzero(weights)
        if not len(kept):
            raise ValueError(f"{name} expected at least one sample of positive weight.")
        X = xp.take(X, xp.asarray(kept, device=X.device), axis=0)
        y, weights = y[kept], weights[kept]
    return X, *encode_labels(y), weights


def _check_features(xp, X, name: str) -> None:
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(
            f"{name} expected features of shape (n_samples, n_features), none of them "
            f"0, got {tuple(X.shape)}."
        )
    if xp.isdtype(X.dtype, "real floating") and not bool(xp.all(xp.isfinite(X))):
        raise ValueError(f"Input X contains NaN or infinity, which {name} cannot use.")


# -- kernels -------------------------------------------------------------------


def _spectrum(xp, gram) -> np.ndarray:
    """Eigenvalues, ascending, in main memory; none below zero."""
    found = to_host(xp.linalg.eigvalsh(gram))
    return np.maximum(np.asarray(found, dtype=np.float64), 0.0)


def _rank(eigenvalues: np.ndarray, precision: float) -> int:
    floor = eigenvalues[-1] * len(eigenvalues) * precision
    return int(np.sum(eigenvalues > floor))


def _total_rate(grouped: GroupedRows, gram, distort: Distortion):
    """Rate of all rows, the absolute distortion, and the rank where it is wanted."""
    xp, weight = grouped.xp, float(grouped.counts.sum())
    if not distort.reads_rank:
        trace = float(xp.sum(grouped.rows * grouped.rows)) / weight
        eps = distortion(distort.eps, distort.unit, np.array([[trace]]), 1.0)
        if eps == 0:
            return 0.0, eps, None
        scale = grouped.send(np.array([weight * eps]))
        rate = 0.5 * float(log_det_identity_plus(xp, gram[None, ...], scale)[0])
        return rate, eps, None
    eigenvalues = _spectrum(xp, gram)
    rank = _rank(eigenvalues, float(xp.finfo(grouped.dtype).eps))
    eigenvalues = eigenvalues / weight
    trace = np.array([[eigenvalues.sum()]])
    eps = distortion(distort.eps, distort.unit, trace, 1.0, rank)
    rate = 0.5 * float(np.log1p(eigenvalues / eps).sum()) if eps > 0 else 0.0
    return rate, eps, rank


def transrate_on_device(metric, grouped: GroupedRows) -> float:
    """TransRate out of sample, or with one covariance a class, or a pooled one."""
    if metric._is_left_out("classification"):
        check_plug_in_unused(metric)
        fixed = None
        if metric.eps != "auto":
            fixed = distortion(metric.eps, "absolute", np.empty((0, 0)), 1.0)
        return left_out_on_device(grouped, fixed, metric.max_samples)
    _refuse_forms_without_kernel(metric)
    if metric.row_norm is not None:
        grouped.unit_rows()
    xp = grouped.xp
    distort = Distortion(metric.eps, metric.eps_unit, metric.normalize == "rank")
    total, eps, rank = _total_rate(grouped, grouped.gram(), distort)
    if metric.covariance == "pooled":
        weights, counts, rates = np.ones(1), None, np.zeros(1)
        if eps > 0:
            left = grouped.gram(grouped.within_rows())
            scale = grouped.send(np.array([grouped.counts.sum() * eps]))
            rates[0] = 0.5 * float(log_det_identity_plus(xp, left[None, ...], scale)[0])
    else:
        counts = grouped.counts
        weights = class_weights(counts, metric.class_weight)
        rates = np.zeros(len(counts))
        for classes, rows in grouped.blocks() if eps > 0 else ():
            scales = grouped.send(counts[classes] * eps)
            found = log_det_identity_plus(xp, grouped.gram(rows), scales)
            rates[classes] = 0.5 * to_host(found)
    n_features = grouped.rows.shape[1]
    combined = Rates(total, rates, eps, rank)
    return metric._combined(combined, weights, counts, n_features).score


def _refuse_forms_without_kernel(metric) -> None:
    used = {name: getattr(metric, name) for name in ("projection", "correction")}
    used = {name: value for name, value in used.items() if value is not None}
    if is_share(metric.covariance):
        used["covariance"] = metric.covariance
    if used:
        raise ValueError(
            "TransRate of arrays on a device expected neither projection, correction "
            f"nor a share of the pooled covariance, got {used}. Pass NumPy arrays."
        )


def coding_rate_on_device(xp, X: Any, eps, assume_centered: bool) -> float:
    """Coding rate of one set of features."""
    _check_features(xp, X, "coding_rate")
    grouped = GroupedRows(xp, X, np.zeros(X.shape[0], dtype=int))
    if assume_centered:
        grouped.rows = xp.astype(X, grouped.dtype)
    distort = Distortion(eps, "absolute", needs_rank=False)
    return _total_rate(grouped, grouped.gram(), distort)[0]


def h_score_on_device(grouped: GroupedRows, shrinkage) -> tuple[float, bool]:
    """H-score, and whether labels matter at all."""
    xp, rows = grouped.xp, grouped.rows
    n, d = rows.shape
    values, vectors = xp.linalg.eigh(grouped.gram())
    eigenvalues = np.maximum(np.asarray(to_host(values), dtype=np.float64), 0.0)
    trace = eigenvalues.sum()
    if not trace > 0:
        return 0.0, True
    amount = 0.0 if shrinkage is None else shrinkage
    if shrinkage == "ledoit_wolf":
        amount = _ledoit_wolf(grouped, eigenvalues)
    if amount == 1.0:
        return 0.0, True
    ridge = amount / (1.0 - amount) * trace / d
    floor = eigenvalues[-1] * len(eigenvalues) * float(xp.finfo(grouped.dtype).eps)
    kept = eigenvalues > floor
    offsets = grouped.class_means() * grouped.send(np.sqrt(grouped.counts))[:, None]
    if n > d:
        along = xp.matmul(offsets, vectors)
        scaled = np.where(kept, 1.0 / np.maximum(eigenvalues + ridge, floor), 0.0)
    else:  # right singular vectors are what rows make of the left ones
        along = xp.matmul(xp.matmul(offsets, xp.matrix_transpose(rows)), vectors)
        safe = np.maximum(eigenvalues, floor)
        scaled = np.where(kept, 1.0 / (safe * (safe + ridge)), 0.0)
    explained = float(xp.sum(along * along * grouped.send(scaled)[None, :]))
    return explained, amount > 0 or int(kept.sum()) < min(n, n - 1)


def _ledoit_wolf(grouped: GroupedRows, eigenvalues: np.ndarray) -> float:
    """Optimal weight of the scaled identity."""
    xp, weight, d = grouped.xp, float(grouped.counts.sum()), grouped.rows.shape[1]
    norm = float(np.sum((eigenvalues / weight) ** 2))
    spread = norm - (eigenvalues.sum() / weight) ** 2 / d
    if not spread > 0:
        return 0.0
    rows = grouped.rows if grouped.root is None else grouped.rows / grouped.root
    squares = xp.sum(rows * rows, axis=1)
    fourth = squares * squares
    if grouped.root is not None:
        fourth = fourth * grouped.root[:, 0] ** 2
    noise = (float(xp.sum(fourth)) / weight - norm) / weight
    return float(np.clip(min(noise, spread) / spread, 0.0, 1.0))


def spectrum_on_device(grouped: GroupedRows):
    """What `spectrum_of_classes` returns; d times K numbers come to the host."""
    xp, counts = grouped.xp, grouped.counts
    means = grouped.class_means() + grouped.mean + grouped.origin
    grouped.rows = grouped.weighted_features()
    n, d = grouped.rows.shape
    values, vectors = xp.linalg.eigh(grouped.gram())
    eigenvalues = np.asarray(to_host(values), dtype=np.float64)
    floor = eigenvalues[-1] * len(eigenvalues) * float(xp.finfo(grouped.dtype).eps)
    kept = eigenvalues > max(floor, 0.0)
    if n > d:
        sums = means * grouped.send(counts)[:, None]
        along = xp.matmul(xp.matrix_transpose(vectors), xp.matrix_transpose(sums))
        scales = np.where(kept, eigenvalues, 1.0)[:, None]
    else:
        hot = np.zeros((n, len(counts)))
        hot[np.arange(n), grouped.codes] = 1.0
        hot = grouped.send(hot)
        hot = hot if grouped.root is None else hot * grouped.root
        along = xp.matmul(xp.matrix_transpose(vectors), hot)
        scales = 1.0
    energies = np.asarray(to_host(along), dtype=np.float64) ** 2 / scales
    return eigenvalues[kept], energies[kept], counts
