"""What the plug-in TransRate gives for labels that have nothing to do with features.

It is not 0: moments fitted to few samples find something in every labelling, the more
the wider the features.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import lapack
from sklearn.utils import check_random_state

from sklearn_transrate._lib import linalg
from sklearn_transrate.metrics._transrate_kernels import total_and_left, unit_rows
from sklearn_transrate.statistics import ClassMoments, RowSample, TargetMoments

__all__ = ["expected_rate", "mean_over_permutations"]

N_PERMUTATIONS = 5


def expected_rate(moments: ClassMoments | TargetMoments, eps: float) -> float:
    """Pooled rate that unrelated labels explain, in nats, to first order.

    With H the ridge hat matrix of the centred features and Q an orthonormal basis of
    the q independent centred targets, the pooled TransRate is
    ``-log det(I - Q' H Q) / 2``. Over all orders of the targets ``Q' H Q`` has the
    mean ``tr(H) / (n - 1)`` times the identity.
    """
    if eps == 0:
        return 0.0
    total, _ = total_and_left(moments)
    n = moments.total_weight
    share = min(_degrees_of_freedom(total, n * eps) / (n - 1.0), 1.0 - 1e-9)
    return -0.5 * _n_targets(moments) * float(np.log1p(-share))


def _degrees_of_freedom(triangle: np.ndarray, ridge: float) -> float:
    """Trace of ``S (S + ridge I)^-1``, for the lower triangle of S."""
    shifted = triangle.copy(order="F")
    shifted[np.diag_indices(len(shifted))] += ridge
    inverse, _ = lapack.dtrtri(linalg.cholesky(shifted), lower=1, overwrite_c=1)
    inverse = np.tril(inverse)
    return len(triangle) - ridge * float(np.vdot(inverse, inverse))


def _n_targets(moments: ClassMoments | TargetMoments) -> int:
    if isinstance(moments, ClassMoments):
        return len(moments.counts) - 1
    d, joint = moments.n_features, moments.joint()
    if joint.is_dense:
        return linalg.effective_rank(np.asfortranarray(joint.triangle()[d:, d:]))
    targets = np.ascontiguousarray(joint.factor()[:, d:].T)
    return linalg.effective_rank(linalg.gram_of_rows(targets))


def mean_over_permutations(
    score: Callable, rows: RowSample, row_norm: str | None, random_state
) -> float:
    """Mean score of the rows under permuted labels."""
    rng = check_random_state(random_state)
    Z = rows.features if row_norm is None else unit_rows(rows)
    if row_norm is None and len(Z) < Z.shape[1]:
        Z = _thin(Z)
    orders = [rng.permutation(len(Z)) for _ in range(N_PERMUTATIONS)]
    return float(
        np.mean([score(Z, rows.targets[order], rows.weights) for order in orders])
    )


def _thin(Z: np.ndarray) -> np.ndarray:
    """Return rows in as few coordinates as they span, about their mean."""
    Z = Z.astype(np.float64)
    values, vectors = linalg.eigh_psd(linalg.gram_of_rows(Z - Z.mean(axis=0)))
    return vectors * np.sqrt(values)
