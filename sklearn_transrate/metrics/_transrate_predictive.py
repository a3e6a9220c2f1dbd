"""TransRate out of sample: nats that the label of a sample gains from the others.

The plug-in rates describe a sample by moments that it took part in, which flatters
wide features. Here each sample is coded by the rest: with its label by the Gaussian of
its class, without by the mixture of all classes. The difference is the information
that its features carry of its label, and leverages give it in closed form.
"""

from __future__ import annotations

import numpy as np

from sklearn_transrate._lib import linalg
from sklearn_transrate._lib.labels import encode_labels
from sklearn_transrate.statistics import ClassMoments, RowSample

__all__ = ["predictive_information"]

# Distortions that are tried, in units of the mean non-zero eigenvalue.
GRID = 10.0 ** np.arange(-4.0, 2.25, 0.25)
# Rows whose distances to all classes are held at a time.
BLOCK_ROWS = 4096
# Smallest share of itself that removing a sample may leave of a direction.
SMALLEST_REST = 1e-10


def predictive_information(
    moments: ClassMoments, rows: RowSample, eps: float | None
) -> tuple[np.ndarray, float, int]:
    """Information about each class, out of sample, at one distortion.

    Parameters
    ----------
    moments : ClassMoments
        With the scatter within classes.
    rows : RowSample
        The same samples.
    eps : float or None
        Absolute distortion; None takes the one that codes best, out of sample.

    Returns
    -------
    gains : ndarray of shape (n_classes,)
        Nats by class; they sum to the information in nats a sample.
    eps : float
        Absolute distortion used; infinite where no finite one gains anything.
    rank : int
        Rank of the features.
    """
    codes = encode_labels(rows.targets)[1]
    weights = np.ones(len(codes)) if rows.weights is None else rows.weights
    X, means = _coordinates(moments, rows, codes, weights)
    scatter = np.zeros((X.shape[1], X.shape[1]), order="F")
    residuals = (X - means[codes]) * np.sqrt(weights)[:, None]
    scatter = linalg.add_gram(scatter, residuals)
    values, vectors = linalg.eigh_all(scatter)
    X, means = X @ vectors, means @ vectors
    energy = float(weights @ np.einsum("ij,ij->i", X, X))
    total = linalg.add_gram(
        linalg.empty_triangle(X.shape[1]), X * np.sqrt(weights)[:, None]
    )
    rank = linalg.effective_rank(total)
    mean_eigenvalue = energy / weights.sum() / max(rank, 1)
    grid = GRID * mean_eigenvalue if eps is None else np.array([eps])
    best = np.zeros(len(moments.counts)), np.inf
    for distortion in grid if energy > 0 else ():
        gains = _gains(X, means, codes, weights, np.maximum(values, 0.0), distortion)
        if eps is not None or gains.sum() > best[0].sum():
            best = gains, float(distortion)
    return *best, rank


def _coordinates(moments, rows, codes, weights) -> tuple[np.ndarray, np.ndarray]:
    """Centred features and class means, in at most as many coordinates as rows."""
    X = rows.features.astype(np.float64) - moments.mean
    if len(X) <= X.shape[1]:
        values, vectors = linalg.eigh_psd(linalg.gram_of_rows(X))
        X = vectors * np.sqrt(values)
    hot = np.zeros((len(moments.counts), len(X)))
    hot[codes, np.arange(len(X))] = weights
    return X, (hot @ X) / moments.counts[:, None]


def _gains(X, means, codes, weights, values, eps) -> np.ndarray:
    """Information about each class at one distortion, in nats, over all samples."""
    counts = np.bincount(codes, weights)
    n = counts.sum()
    root = np.sqrt(values + (n - 1.0) * eps)
    log_priors = np.log(counts / n)
    centres = means / root
    gains = np.zeros(len(counts))
    for start in range(0, len(X), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        own = codes[block]
        log_odds = _log_densities(X[block] / root, centres, own, counts, n) + log_priors
        top = log_odds.max(axis=1)
        evidence = top + np.log(np.exp(log_odds - top[:, None]).sum(axis=1))
        gained = log_odds[np.arange(len(own)), own] - evidence - log_priors[own]
        # Nothing is known of a class whose only sample is left out.
        gained[counts[own] <= 1.0] = 0.0
        gains += np.bincount(own, weights[block] * gained, minlength=len(counts))
    return gains / n


def _log_densities(rows, centres, own, counts, n) -> np.ndarray:
    """Log density of whitened rows under each class, without the rows themselves.

    Up to a term that is the same for all classes. Leaving row z of class y out of the
    scatter takes ``f b b'`` away, with ``b = z - mean_y`` and ``f = n_y / (n_y - 1)``;
    Sherman and Morrison's formula does the rest, and the mean of class y moves away
    from z by the factor f.
    """
    index = np.arange(len(rows))
    squares = np.einsum("ij,ij->i", rows, rows)
    inner = rows @ centres.T
    sizes = np.einsum("ij,ij->i", centres, centres)
    distances = squares[:, None] - 2.0 * inner + sizes
    leverages = np.maximum(distances[index, own], 0.0)
    # Products of (z - mean_k) with b, for all classes at once.
    products = (
        squares[:, None] - inner[index, own][:, None] - inner + centres[own] @ centres.T
    )
    factors = counts[own] / np.maximum(counts[own] - 1.0, SMALLEST_REST)
    rest = np.maximum(1.0 - factors * leverages, SMALLEST_REST)
    distances += (factors / rest)[:, None] * products**2
    distances[index, own] = factors**2 * leverages / rest
    return -0.5 * (n - 1.0) * distances
