"""Leave-one-out nearest neighbours."""

from __future__ import annotations

import numpy as np

__all__ = [
    "cosine",
    "euclidean",
    "leave_one_out_accuracy",
    "leave_one_out_predictions",
]


def euclidean(z, w):
    """||z - w||."""
    return np.sqrt(np.sum((z - w) ** 2))


def cosine(z, w):
    """1 - z.w / (||z|| ||w||)."""
    return 1 - np.dot(z, w) / np.sqrt(np.dot(z, z) * np.dot(w, w))


def leave_one_out_accuracy(Z, y, n_neighbors, distance=euclidean):
    """The share of samples whose label wins the vote of their nearest others."""
    return np.mean(leave_one_out_predictions(Z, y, n_neighbors, distance) == y)


def leave_one_out_predictions(Z, y, n_neighbors, distance=euclidean):
    """The label with most votes among the nearest other samples.

    Among equally near samples the earlier one is nearer; among labels with equally
    many votes the smaller one wins, as in the published programs.
    """
    n = len(y)
    winners = []
    for i in range(n):
        distances = [distance(Z[i], Z[j]) if j != i else np.inf for j in range(n)]
        nearest = np.argsort(distances, kind="stable")[:n_neighbors]
        labels, votes = np.unique(y[nearest], return_counts=True)
        winners.append(labels[np.argmax(votes)])
    return np.array(winners)
