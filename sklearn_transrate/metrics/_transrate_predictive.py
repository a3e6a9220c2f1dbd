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

__all__ = [
    "best_information",
    "class_factors",
    "class_numbers",
    "predictive_curve",
    "predictive_information",
]

# Distortions that are tried, in units of the mean non-zero eigenvalue: all of these,
# then the neighbours of the best at half the step.
GRID = 10.0 ** np.arange(-4.0, 2.25, 0.5)
HALF_STEP = 10.0**0.25
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
        The same samples, or some of them, over which the information is averaged.
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
    if moments.total_trace() == 0:
        return np.zeros(len(moments.counts)), np.inf, 0
    samples, rank = _samples_on_axes(moments, rows)
    if eps is not None:
        return samples.gains([eps])[0], eps, rank
    unit = moments.total_trace() / moments.total_weight / rank
    return *best_information(samples.gains, unit), rank


def best_information(gains_at, unit: float) -> tuple[np.ndarray, float]:
    """Gains by class at the distortion that codes best, and that distortion.

    Parameters
    ----------
    gains_at : callable
        Gains by distortion and class, of a sequence of distortions.
    unit : float
        Mean non-zero eigenvalue of the features' covariance.

    Returns
    -------
    gains : ndarray of shape (n_classes,)
    eps : float
        Infinite where no finite distortion gains anything.
    """
    grid = GRID * unit
    gains = gains_at(grid)
    best = grid[gains.sum(axis=1).argmax()]
    grid = np.concatenate([grid, [best / HALF_STEP, best * HALF_STEP]])
    gains = np.concatenate([gains, gains_at(grid[-2:])])
    winner = gains.sum(axis=1).argmax()
    if gains[winner].sum() <= 0:  # the limit of coarse coding: nothing is claimed
        return np.zeros(gains.shape[1]), np.inf
    return gains[winner], float(grid[winner])


def predictive_curve(
    moments: ClassMoments, rows: RowSample, grid: np.ndarray
) -> np.ndarray:
    """Information in nats a sample, out of sample, at each absolute distortion."""
    if moments.total_trace() == 0:
        return np.zeros(len(grid))
    return _samples_on_axes(moments, rows)[0].gains(grid).sum(axis=1)


def _samples_on_axes(moments: ClassMoments, rows: RowSample) -> tuple[_Samples, int]:
    """Return samples about their mean, on principal axes within classes; and a rank."""
    X = rows.features.astype(np.float64) - moments.mean
    centres = moments.between_rows() / np.sqrt(moments.counts)[:, None]
    total = moments.total()
    if total.is_dense:
        rank = linalg.effective_rank(total.triangle())
        within = moments.within().triangle()
    else:
        X, centres, within = _thin_coordinates(X, centres, moments)
        rank = X.shape[1]
    values, vectors = linalg.eigh_all(within)
    samples = _Samples(
        X @ vectors,
        class_numbers(rows, moments.classes),
        rows.weights,
        centres @ vectors,
        moments.counts,
        np.maximum(values, 0.0),
    )
    return samples, rank


def _thin_coordinates(X, centres, moments: ClassMoments) -> tuple[np.ndarray, ...]:
    """Return rows and class means in as few coordinates as all samples span.

    And the scatter within classes. With F the factor of the total and
    ``F F' = U w U'``, an orthonormal basis is ``F' U / sqrt(w)``, in which F itself
    is ``U sqrt(w)``.
    """
    inside = moments.within().factor()
    factor = np.concatenate([inside, moments.between_rows()])
    values, vectors = linalg.eigh_psd(linalg.gram_of_rows(factor))
    roots = np.sqrt(values)
    within = linalg.add_gram(
        linalg.empty_triangle(len(values)), vectors[: len(inside)] * roots
    )
    turned = vectors / roots
    return (X @ factor.T) @ turned, (centres @ factor.T) @ turned, within


def class_numbers(rows: RowSample, classes: list) -> np.ndarray:
    """Return the place of each row's label among the classes of all samples."""
    labels, codes = encode_labels(rows.targets)
    place = {label: k for k, label in enumerate(classes)}
    return np.array([place[label] for label in labels])[codes]


def class_factors(codes, weights, counts: np.ndarray) -> np.ndarray:
    """Return what a weight is multiplied by, so that those of each class add up.

    To its share of all samples, where `codes` and `weights` are of some of them: their
    mean stands for their class. Classes of which none is there are left out.
    """
    here = np.bincount(codes, weights, len(counts))
    known = counts * (here > 0)
    return known / np.where(here > 0, here, 1.0) / known.sum()


class _Samples:
    """Samples on the principal axes within classes.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_axes)
        Coordinates, about the mean.
    codes : ndarray of shape (n_samples,)
        Class numbers.
    weights : ndarray of shape (n_samples,) or None
        Weights; None means 1 for each.
    centres : ndarray of shape (n_classes, n_axes)
        Class means, about the same point.
    counts : ndarray of shape (n_classes,)
        Weight of each class, of all samples, also of those that are not here.
    values : ndarray of shape (n_axes,)
        Eigenvalues of the scatter within classes.
    """

    def __init__(self, X, codes, weights, centres, counts, values):
        self.X, self.codes, self.values = X, codes, values
        self.weights = np.ones(len(codes)) if weights is None else weights
        self.centres, self.counts = centres, counts

    def gains(self, grid) -> np.ndarray:
        """Nats of information by distortion and class; rows sum to the score."""
        counts = self.counts
        n, log_priors = counts.sum(), np.log(counts / counts.sum())
        gains = np.zeros((len(grid), len(counts)))
        for start in range(0, len(self.X), BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            rows, own, weights = self.X[block], self.codes[block], self.weights[block]
            squares = rows**2
            for number, eps in enumerate(grid):
                inverse = 1.0 / (self.values + (n - 1.0) * eps)
                log_odds = log_priors + _log_densities(
                    rows, squares @ inverse, self.centres, inverse, own, counts
                )
                top = log_odds.max(axis=1)
                evidence = top + np.log(np.exp(log_odds - top[:, None]).sum(axis=1))
                gained = log_odds[np.arange(len(own)), own] - evidence - log_priors[own]
                # Nothing is known of a class whose only sample is left out.
                gained[counts[own] <= 1.0] = 0.0
                gains[number] += np.bincount(own, weights * gained, len(counts))
        return gains * class_factors(self.codes, self.weights, counts)


def _log_densities(rows, squares, centres, inverse, own, counts) -> np.ndarray:
    """Log density of rows under each class, from scatters without the rows themselves.

    Up to a term that is the same for all classes. Leaving row z of class y out of the
    scatter takes ``f b b'`` away, with ``b = z - mean_y`` and ``f = n_y / (n_y - 1)``;
    Sherman and Morrison's formula does the rest, and the mean of class y moves away
    from z by the factor f.
    """
    index = np.arange(len(rows))
    scaled = centres * inverse
    inner = rows @ scaled.T
    between = centres @ scaled.T
    distances = squares[:, None] - 2.0 * inner + np.diagonal(between)
    leverages = np.maximum(distances[index, own], 0.0)
    # Products of (z - mean_k) with b, for all classes at once.
    products = squares[:, None] - inner[index, own][:, None] - inner + between[own]
    factors = counts[own] / np.maximum(counts[own] - 1.0, SMALLEST_REST)
    rest = np.maximum(1.0 - factors * leverages, SMALLEST_REST)
    distances += (factors / rest)[:, None] * products**2
    distances[index, own] = factors**2 * leverages / rest
    return -0.5 * (counts.sum() - 1.0) * distances
