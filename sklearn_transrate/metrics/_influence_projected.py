"""Influence of rows on TransRate between classes.

With C the total covariance, B the one between classes and Q = C^+ B, the spectrum of
class k are the singular values of N_k = M_k Q. Where N_k = U s V', half the sum of
log(1 + s / eps) has the gradient U diag(1 / (2 (eps + s))) V'; the rest is the product
rule. All ranks are below the number of classes, so gradients are kept as thin factors.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sklearn_transrate._lib import linalg
from sklearn_transrate.metrics._influence_resolvent import blocks_of
from sklearn_transrate.metrics._influence_transrate import Moved
from sklearn_transrate.metrics._transrate_options import class_weights
from sklearn_transrate.statistics import ClassMoments

__all__ = ["projected_influence"]


class _Gradients(NamedTuple):
    """Derivatives of the score, each a product of thin factors.

    By M_k minus ``left_k @ right_k.T``, by C ``of_total @ project.T``, by B
    ``of_between @ basis.T`` less `relative` times the identity.
    """

    lefts: list[np.ndarray]
    rights: list[np.ndarray]
    of_total: np.ndarray
    of_between: np.ndarray
    project: np.ndarray
    basis: np.ndarray
    covariance: np.ndarray
    relative: float


def projected_influence(
    moments: ClassMoments,
    X,
    codes,
    *,
    eps,
    is_relative: bool,
    rates,
    class_weight: str,
    origin: bool = False,
    gradients: bool = False,
) -> Moved:
    """Influence on the rates of projected features.

    Parameters
    ----------
    moments, X, codes, eps, is_relative, rates, class_weight, origin, gradients
        As in `class_influence`.
    """
    priors = moments.priors
    values = np.zeros(X.shape[0])
    slopes = np.zeros(X.shape) if gradients else None
    if class_weight == "prior":
        values[:] = rates @ priors - rates[codes]
    centre = 0.0 if origin else moments.mean
    offsets = moments.means - centre
    g = _gradients(moments, offsets, eps, is_relative, class_weight)
    inner = np.einsum("kj,kj->k", offsets @ g.of_between, offsets @ g.basis)
    inner -= g.relative * np.einsum("kj,kj->k", offsets, offsets)
    values += (inner - inner @ priors)[codes]
    # Rows k: the symmetric gradient by B, times the offset of class k.
    turned = (offsets @ g.of_between) @ g.basis.T + (offsets @ g.basis) @ g.of_between.T
    turned -= 2.0 * g.relative * offsets
    mean_total = float(np.vdot(g.of_total, g.covariance @ g.project))
    for k, (left, right) in enumerate(zip(g.lefts, g.rights, strict=True)):
        scatter, count = moments.class_scatter(k), moments.counts[k]
        mean_own = float(np.vdot(left, scatter.dot(right))) / count
        for index, rows in blocks_of(X, np.flatnonzero(codes == k)):
            own = rows - moments.means[k]
            rows -= centre
            by_left, by_right = own @ left, own @ right
            by_total, by_project = rows @ g.of_total, rows @ g.project
            values[index] += np.einsum("ij,ij->i", by_total, by_project) - mean_total
            values[index] += own @ turned[k]
            spread = np.einsum("ij,ij->i", by_left, by_right) - mean_own
            values[index] -= spread / priors[k]
            if gradients:
                slopes[index] = by_total @ g.project.T + by_project @ g.of_total.T
                slopes[index] += turned[k]
                slopes[index] -= (by_left @ right.T + by_right @ left.T) / priors[k]
    return Moved(values, slopes)


def _gradients(moments, offsets, eps, is_relative, class_weight) -> _Gradients:
    priors, d = moments.priors, moments.n_features
    covariance, half = _covariance(moments, offsets)
    basis, triangular = np.linalg.qr((np.sqrt(priors)[:, None] * offsets).T)
    between = triangular @ triangular.T
    project = half @ (half.T @ basis) @ between  # Q = project @ basis.T
    lefts, rights, by_q, surplus = [], [], 0.0, 0.0
    shares = class_weights(moments.counts, class_weight)
    for k, (share, count) in enumerate(zip(shares, moments.counts, strict=True)):
        scatter = moments.class_scatter(k)
        U, s, Vt = np.linalg.svd(scatter.dot(project) / count, full_matrices=False)
        kept = s > linalg.rank_tolerance(s.max(initial=0.0), d)
        U, s, Vt = U[:, kept], s[kept], Vt[kept]
        lefts.append(U * (share / (2.0 * (eps + s))))
        rights.append(project @ Vt.T)
        by_q = by_q + scatter.dot(lefts[-1]) @ Vt / count
        surplus -= share * float((s / (eps + s)).sum())
    eigenvalues = np.maximum(np.linalg.eigvalsh(between), 0.0)
    surplus += float((eigenvalues / (eps + eigenvalues)).sum())
    inverse = np.linalg.inv(between + eps * np.eye(len(between)))
    # d Q = C^+ dB - C^+ dC Q.
    of_total = half @ (half.T @ by_q)
    return _Gradients(
        lefts,
        rights,
        of_total,
        0.5 * basis @ inverse - of_total,
        project,
        basis,
        covariance,
        0.5 * surplus / float(np.trace(between)) if is_relative else 0.0,
    )


def _covariance(moments, offsets) -> tuple[np.ndarray, np.ndarray]:
    """Return the covariance about the reference point, and a root of its inverse."""
    covariance = moments.total().dense() / moments.total_weight
    mean = moments.priors @ offsets  # zero unless rows are measured from the origin
    covariance += np.multiply.outer(mean, mean)
    values, vectors = linalg.eigh_psd(np.asfortranarray(np.tril(covariance)))
    return covariance, vectors / np.sqrt(values)
