"""Sparse features, made dense no further than the metrics need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from scipy import sparse

from sklearn_transrate._lib.linalg import isometric_rows
from sklearn_transrate.statistics import ClassMoments

if TYPE_CHECKING:
    from sklearn_transrate.metrics._base import TransferMetric

__all__ = ["dense_equivalent"]

ISOMETRY = {"rotation", "padding"}


def dense_equivalent(X, metrics: Sequence[TransferMetric], *, whole: bool = True):
    """Return features that give every metric what the sparse ones would.

    With fewer rows than columns, metrics that see neither rotations nor columns of
    zeros get dense rows with the same inner products, at most n x n numbers.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        Dense features come back as they are.
    metrics : sequence of TransferMetric
        Who reads them.
    whole : bool, default=True
        Whether these are all rows, so that the axes may turn; a batch keeps them.

    Returns
    -------
    X : ndarray or CSR matrix
        Sparse where only moments are read, which turn rows dense in blocks.
    """
    if not sparse.issparse(X):
        return X
    n_samples, n_features = X.shape
    for metric in metrics:
        if not metric.accepts_sparse:
            raise TypeError(
                f"{type(metric).__name__} expected dense features, got a sparse matrix "
                f"of shape {X.shape}. Pass X.toarray(), or reduce it with "
                "sklearn.decomposition.TruncatedSVD."
            )
    if (
        n_samples < n_features
        and whole
        and all(m.invariances >= ISOMETRY for m in metrics)
    ):
        return isometric_rows(X)
    return X if _read_in_blocks(metrics) else X.toarray()


def _read_in_blocks(metrics: Sequence[TransferMetric]) -> bool:
    """Whether all statistics take sparse rows, which they turn dense in blocks."""
    return all(
        isinstance(statistic, ClassMoments)
        for metric in metrics
        for statistic in metric.required_statistics().values()
    )
