"""Subsets of rows that keep the share of each class."""

from __future__ import annotations

import numpy as np

__all__ = ["nested_order", "resolve_n_samples", "stratified_subset"]


def resolve_n_samples(max_samples, n_samples: int) -> int:
    """Turn a count, a share or None into a number of rows.

    Parameters
    ----------
    max_samples : int, float or None
        At most so many rows; a float in (0, 1] is a share; None is all.
    n_samples : int
        Rows available.

    Returns
    -------
    n : int
    """
    if max_samples is None:
        return n_samples
    if isinstance(max_samples, bool) or not max_samples > 0:
        raise ValueError(
            f"Expected 'max_samples' to be a positive number, got {max_samples!r}. "
            "Pass a count, a share of the rows such as 0.2, or None for all."
        )
    if isinstance(max_samples, int | np.integer):
        return min(int(max_samples), n_samples)
    if max_samples > 1:
        raise ValueError(
            f"Expected a float 'max_samples' to be a share of at most 1, got "
            f"{max_samples!r}. Pass an integer for a count."
        )
    return max(1, round(max_samples * n_samples))


def stratified_subset(
    codes: np.ndarray, n: int, rng: np.random.RandomState
) -> np.ndarray:
    """Choose n rows, each class in proportion but with at least one if they fit.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,)
        Class numbers.
    n : int
        Rows to choose.
    rng : RandomState
        Source of randomness.

    Returns
    -------
    rows : ndarray of shape (n,)
        Sorted row numbers.
    """
    sizes = np.bincount(codes)
    exact = sizes * (n / len(codes))
    take = np.floor(exact).astype(int)
    if n >= np.count_nonzero(sizes):
        take = np.maximum(take, sizes > 0)
    # Largest remainders make up the difference, or give back what the minimum took.
    while take.sum() < n:
        take[np.argmax(np.where(take < sizes, exact - take, -np.inf))] += 1
    while take.sum() > n:
        take[np.argmax(np.where(take > 1, take - exact, -np.inf))] -= 1
    order = rng.permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    starts = np.cumsum(sizes) - sizes
    return np.sort(
        np.concatenate([order[s : s + t] for s, t in zip(starts, take, strict=True)])
    )


def nested_order(codes: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Order rows so that however many are taken first, each class has its share.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,)
        Class numbers.
    rng : RandomState
        Source of randomness. The rows of a class come in random order.

    Returns
    -------
    rows : ndarray of shape (n_samples,)
        All row numbers. Of any number of them taken from the front, each class has
        what is proportionate, to less than one row.
    """
    shuffled = rng.permutation(len(codes))
    shuffled = shuffled[np.argsort(codes[shuffled], kind="stable")]
    sizes = np.bincount(codes)
    places = np.arange(len(codes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    offsets = rng.uniform(size=len(sizes))
    moments = (places + np.repeat(offsets, sizes)) / np.repeat(sizes, sizes)
    return shuffled[np.argsort(moments, kind="stable")]
