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
# Distances of rows to all classes that are held at a time: as many as the cache holds,
# but of no fewer rows than make a product of matrices efficient.
BLOCK_NUMBERS = 2**17
LEAST_ROWS = 512
# Of more than four times so many samples, so many say which distortions to try on all.
PILOT_ROWS = 1024
# Standard errors behind the best of these samples that rule a distortion out.
RULED_OUT = 5.0
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
    promising = samples.promising(GRID * unit)
    return *best_information(samples.gains, unit, promising), rank


def best_information(gains_at, unit: float, promising=None) -> tuple[np.ndarray, float]:
    """Gains by class at the distortion that codes best, and that distortion.

    Parameters
    ----------
    gains_at : callable
        Gains by distortion and class, of a sequence of distortions.
    unit : float
        Mean non-zero eigenvalue of the features' covariance.
    promising : sequence of int, default=None
        Places of the grid to begin with; None means all. It goes on until the
        neighbours of the best are known to be no better.

    Returns
    -------
    gains : ndarray of shape (n_classes,)
    eps : float
        Infinite where no finite distortion gains anything.
    """
    found = {}
    waiting = set(range(len(GRID)) if promising is None else promising)
    while waiting:
        places = sorted(waiting)
        found.update(zip(places, gains_at(GRID[places] * unit), strict=True))
        best = max(sorted(found), key=lambda place: found[place].sum())
        waiting = {best - 1, best + 1}.intersection(range(len(GRID))) - found.keys()
    eps = GRID[best] * unit
    grid = np.array([eps, eps / HALF_STEP, eps * HALF_STEP])
    gains = np.stack([found[best], *gains_at(grid[1:])])
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
    X = rows.features.astype(np.float64)
    X -= moments.mean
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
        sums = [
            np.bincount(self.codes, self.weights * gained, len(self.counts))
            for gained in self._gained(grid)
        ]
        return np.stack(sums) * class_factors(self.codes, self.weights, self.counts)

    def promising(self, grid) -> np.ndarray:
        """Places of the distortions that some of the samples do not rule out."""
        n = len(self.X)
        if n <= 4 * PILOT_ROWS:
            return np.arange(len(grid))
        chosen = np.random.default_rng(0).permutation(n)[:PILOT_ROWS]
        shares = class_factors(self.codes, self.weights, self.counts)[self.codes]
        shares = (shares * self.weights)[chosen]
        pilot = _Samples(
            self.X[chosen], self.codes[chosen], None, self.centres, self.counts,
            self.values,
        )  # fmt: skip
        gained = shares * pilot._gained(grid)
        behind = gained[gained.sum(axis=1).argmax()] - gained
        error = behind.std(axis=1) / np.sqrt(len(chosen))
        return np.flatnonzero(behind.mean(axis=1) <= RULED_OUT * error)

    def _gained(self, grid) -> np.ndarray:
        """Nats that each row gains of its label, at each distortion."""
        counts, gained = self.counts, np.empty((len(grid), len(self.X)))
        inverses = self._inverses(grid)
        step = max(BLOCK_NUMBERS // len(counts), LEAST_ROWS)
        blocks = [slice(at, at + step) for at in range(0, len(self.X), step)]
        squares = np.concatenate([self.X[block] ** 2 @ inverses.T for block in blocks])
        log_priors = np.log(counts / counts.sum())
        for number, inverse in enumerate(inverses):
            scaled = self.centres * inverse
            between = self.centres @ scaled.T
            for block in blocks:
                own = self.codes[block]
                log_odds = _log_densities(
                    self.X[block], squares[block, number], scaled, between, own, counts
                )
                log_odds += log_priors
                of_own = log_odds[np.arange(len(own)), own]
                top = log_odds.max(axis=1)
                log_odds -= top[:, None]
                chances = np.exp(log_odds, out=log_odds).sum(axis=1)
                gained[number, block] = of_own - top - np.log(chances) - log_priors[own]
        # Nothing is known of a class whose only sample is left out.
        gained[:, counts[self.codes] <= 1.0] = 0.0
        return gained

    def _inverses(self, grid) -> np.ndarray:
        """Inverses of scatter plus (n - 1) eps, which is diagonal on these axes."""
        ridges = (self.counts.sum() - 1.0) * np.asarray(grid)[:, None]
        return 1.0 / (self.values + ridges)


def _log_densities(rows, squares, scaled, between, own, counts) -> np.ndarray:
    """Log density of rows under each class, from scatters without the rows themselves.

    Up to a term that is the same for all classes. Leaving row z of class y out of the
    scatter takes ``f b b'`` away, with ``b = z - mean_y`` and ``f = n_y / (n_y - 1)``;
    Sherman and Morrison's formula does the rest, and the mean of class y moves away
    from z by the factor f.
    """
    index = np.arange(len(rows))
    inner = rows @ scaled.T
    inner_own = inner[index, own]
    leverages = squares - 2.0 * inner_own + np.diagonal(between)[own]
    leverages = np.maximum(leverages, 0.0)
    factors = counts[own] / np.maximum(counts[own] - 1.0, SMALLEST_REST)
    rest = np.maximum(1.0 - factors * leverages, SMALLEST_REST)
    # Products of (z - mean_k) with b, for all classes at once.
    products = between[own]
    products -= inner
    products += (squares - inner_own)[:, None]
    np.square(products, out=products)
    products *= (factors / rest)[:, None]
    distances = np.multiply(inner, -2.0, out=inner)
    distances += squares[:, None]
    distances += np.diagonal(between)
    distances += products
    distances[index, own] = factors**2 * leverages / rest
    distances *= -0.5 * (counts.sum() - 1.0)
    return distances
