"""Targets along the singular vectors of the features: what linear models need.

LogME and the regression part of ETran are functions of these few numbers. From second
moments about the origin, by a symmetric eigendecomposition on the smaller side.
"""

from __future__ import annotations

import numpy as np

from sklearn_transrate._lib import linalg
from sklearn_transrate.statistics import ClassMoments, TargetMoments

__all__ = ["spectrum_of_classes", "spectrum_of_targets"]


def spectrum_of_classes(moments: ClassMoments):
    """Return what a linear model without intercept knows of one-hot targets.

    Parameters
    ----------
    moments : ClassMoments
        With a pooled or a class scatter.

    Returns
    -------
    eigenvalues : ndarray of shape (rank,)
        Those of Z'Z that are not zero, ascending.
    energies : ndarray of shape (rank, n_classes)
        Squared length of each target along each left singular vector of Z.
    lengths : ndarray of shape (n_classes,)
        Squared length of each target.
    """
    scatter = moments.within()
    sums = np.sqrt(moments.counts)[:, None] * moments.means
    if scatter.is_dense:
        gram = scatter.triangle().copy(order="F")
        linalg.add_gram(gram, sums)
        eigenvalues, vectors = linalg.eigh_psd(gram)
        along = vectors.T @ sums.T / np.sqrt(eigenvalues)[:, None]
    else:
        # Rows of [factor; sums] have the gram matrix of Z; a one-hot target is the
        # root of its count times the row of its class.
        rows = np.concatenate([sums, scatter.factor()])
        eigenvalues, vectors = linalg.eigh_psd(linalg.gram_of_rows(rows))
        along = vectors[: len(sums)].T
    return eigenvalues, along**2 * moments.counts, moments.counts


def spectrum_of_targets(moments: TargetMoments):
    """Return the same for numeric targets, from their joint moments."""
    d = moments.n_features
    mean, target_mean = moments.means
    root = np.sqrt(moments.total_weight)
    last = root * np.concatenate([mean, target_mean])
    joint = moments.joint()
    if joint.is_dense:
        gram = joint.triangle().copy(order="F")
        linalg.add_gram(gram, last[None])
        eigenvalues, vectors = linalg.eigh_psd(gram[:d, :d])
        along = vectors.T @ gram[d:, :d].T / np.sqrt(eigenvalues)[:, None]
        lengths = np.diagonal(gram)[d:]
    else:
        rows = np.concatenate([joint.factor(), last[None]])
        eigenvalues, vectors = linalg.eigh_psd(linalg.gram_of_rows(rows[:, :d]))
        along = vectors.T @ rows[:, d:]
        lengths = np.einsum("ij,ij->j", rows[:, d:], rows[:, d:])
    return eigenvalues, along**2, lengths
