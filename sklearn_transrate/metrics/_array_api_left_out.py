"""TransRate out of sample of arrays on a device.

What `_transrate_predictive` does with NumPy, in terms of the array API standard. Class
numbers and counts stay in main memory, and one number a row and distortion comes back.
"""

from __future__ import annotations

import numpy as np

from sklearn_transrate._lib.array_api import GroupedRows, to_host
from sklearn_transrate.metrics._transrate_predictive import (
    SMALLEST_REST,
    best_information,
    class_factors,
)

__all__ = ["left_out_on_device"]

# Rows whose distances to all classes are held at a time.
BLOCK_ROWS = 4096


def left_out_on_device(
    grouped: GroupedRows, eps: float | None, max_samples: int | None
) -> float:
    """Information in nats a sample, out of sample.

    Parameters
    ----------
    grouped : GroupedRows
        All samples.
    eps : float or None
        Absolute distortion; None takes the one that codes best.
    max_samples : int or None
        Over how many samples at most the information is averaged: some that depend
        on nothing but their number, where it is exceeded.

    Returns
    -------
    information : float
    """
    xp = grouped.xp
    trace = float(xp.sum(grouped.rows * grouped.rows))
    if not trace > 0:
        return 0.0
    samples, rank = _samples_on_axes(grouped, max_samples)
    if eps is not None:
        return float(samples.gains([eps]).sum())
    unit = trace / float(grouped.counts.sum()) / rank
    return float(best_information(samples.gains, unit)[0].sum())


def _samples_on_axes(
    grouped: GroupedRows, max_samples: int | None
) -> tuple[_DeviceSamples, int]:
    """Return samples on principal axes within classes, and the rank of all."""
    xp = grouped.xp
    n, d = grouped.rows.shape
    centres = grouped.class_means()
    if n > d:
        rank = int(_is_present(grouped, xp.linalg.eigvalsh(grouped.gram())).sum())
        rows, within = grouped.rows, grouped.within_rows()
    else:
        rows, centres, within = _thin_coordinates(grouped, centres)
        rank = rows.shape[1]
    values, vectors = xp.linalg.eigh(xp.matmul(xp.matrix_transpose(within), within))
    codes, root = grouped.codes, grouped.root
    if max_samples is not None and n > max_samples:
        chosen = np.random.default_rng(0).choice(n, max_samples, replace=False)
        chosen.sort()
        index = xp.asarray(chosen, device=grouped.device)
        codes, rows = codes[chosen], xp.take(rows, index, axis=0)
        root = None if root is None else xp.take(root, index, axis=0)
    rows = xp.matmul(rows if root is None else rows / root, vectors)
    weights = np.ones(len(codes))
    if root is not None:
        weights = np.asarray(to_host(root[:, 0]), dtype=np.float64) ** 2
    values = np.maximum(np.asarray(to_host(values), dtype=np.float64), 0.0)
    centres = xp.matmul(centres, vectors)
    return _DeviceSamples(grouped, rows, codes, weights, centres, values), rank


def _thin_coordinates(grouped: GroupedRows, centres):
    """Return rows, class means and rows within classes on axes that all rows span.

    With F the weighted rows and ``F F' = U w U'``, an orthonormal basis is
    ``F' U / sqrt(w)``, in which F itself is ``U sqrt(w)``.
    """
    xp = grouped.xp
    values, vectors = xp.linalg.eigh(grouped.gram())
    kept = np.flatnonzero(_is_present(grouped, values))
    kept = xp.asarray(kept, device=grouped.device)
    vectors, values = xp.take(vectors, kept, axis=1), xp.take(values, kept, axis=0)
    roots = xp.sqrt(values)[None, :]
    rows = vectors * roots
    along = xp.matmul(centres, xp.matrix_transpose(grouped.rows))
    centres = xp.matmul(along, vectors) / roots
    own = xp.take(centres, xp.asarray(grouped.codes, device=grouped.device), axis=0)
    own = own if grouped.root is None else own * grouped.root
    return rows, centres, rows - own


def _is_present(grouped: GroupedRows, eigenvalues) -> np.ndarray:
    """Which ascending eigenvalues are above rounding noise, in main memory."""
    found = np.asarray(to_host(eigenvalues), dtype=np.float64)
    return found > found[-1] * len(found) * float(grouped.xp.finfo(grouped.dtype).eps)


class _DeviceSamples:
    """Samples on the principal axes within classes; rows and means on the device."""

    def __init__(self, grouped, X, codes, weights, centres, values):
        self.xp, self.grouped = grouped.xp, grouped
        self.X, self.codes, self.weights = X, codes, weights
        self.centres, self.values, self.counts = centres, values, grouped.counts

    def gains(self, grid) -> np.ndarray:
        """Nats of information by distortion and class; rows sum to the score."""
        gained = np.stack([self._gained(eps) for eps in grid])
        # Nothing is known of a class whose only sample is left out.
        gained[:, self.counts[self.codes] <= 1.0] = 0.0
        sums = [
            np.bincount(self.codes, self.weights * row, len(self.counts))
            for row in gained
        ]
        return np.stack(sums) * class_factors(self.codes, self.weights, self.counts)

    def _gained(self, eps: float) -> np.ndarray:
        """Gain of each row, in main memory."""
        xp, n = self.xp, self.counts.sum()
        inverse = self.grouped.send(1.0 / (self.values + (n - 1.0) * eps))
        scaled = self.centres * inverse[None, :]
        between = xp.matmul(scaled, xp.matrix_transpose(self.centres))
        starts = range(0, len(self.codes), BLOCK_ROWS)
        parts = [self._gained_by(start, inverse, scaled, between) for start in starts]
        return np.asarray(to_host(xp.concat(parts)), dtype=np.float64)

    def _gained_by(self, start: int, inverse, scaled, between):
        """Gain of the rows of one block, by the formulas of `_log_densities`."""
        xp, send, counts = self.xp, self.grouped.send, self.counts
        codes = self.codes[start : start + BLOCK_ROWS]
        rows = self.X[start : start + len(codes), :]
        is_own = codes[:, None] == np.arange(len(counts))
        is_own = xp.asarray(is_own, device=self.grouped.device)
        zeros = xp.zeros_like(between[:1, :1])

        def of_own(matrix):
            return xp.sum(xp.where(is_own, matrix, zeros), axis=1, keepdims=True)

        squares = xp.matmul(rows * rows, inverse[:, None])
        inner = xp.matmul(rows, xp.matrix_transpose(scaled))
        distances = squares - 2.0 * inner + xp.linalg.diagonal(between)[None, :]
        leverages = of_own(distances)
        leverages = xp.where(leverages > 0, leverages, xp.zeros_like(leverages))
        index = xp.asarray(codes, device=self.grouped.device)
        between = xp.take(between, index, axis=0)
        products = squares - of_own(inner) - inner + between
        own = counts[codes][:, None]
        factors = send(own / np.maximum(own - 1.0, SMALLEST_REST))
        rest = 1.0 - factors * leverages
        smallest = xp.full_like(rest, SMALLEST_REST)
        rest = xp.where(rest > SMALLEST_REST, rest, smallest)
        distances = distances + factors / rest * products**2
        distances = xp.where(is_own, factors**2 * leverages / rest, distances)
        log_priors = send(np.log(counts / counts.sum()))[None, :]
        log_odds = log_priors - 0.5 * (float(counts.sum()) - 1.0) * distances
        top = xp.max(log_odds, axis=1, keepdims=True)
        rest_of_all = xp.sum(xp.exp(log_odds - top), axis=1, keepdims=True)
        evidence = top + xp.log(rest_of_all)
        return (of_own(log_odds) - evidence - of_own(log_priors + zeros))[:, 0]
