"""Label-feature correlation.

Deshpande, A., Achille, A., Ravichandran, A., Li, H., Zancato, L., Fowlkes, C.,
Bhotika, R., Soatto, S., & Perona, P. (2021). A linearized framework and a new
benchmark for model selection for fine-tuning. arXiv:2102.00084.
"""

from __future__ import annotations

import numpy as np

__all__ = ["dot_products", "lfc"]


def dot_products(z, w):
    """The published similarity: the features are not centred."""
    return np.dot(z, w)


def lfc(Z, y, similarity=dot_products):
    """The correlation of two n x n matrices over all their entries.

    G_ij = similarity(z_i, z_j), the dot product; L_ij = 1 if y_i = y_j, else -1. Each
    matrix loses the mean of its entries; the score is the cosine between them.
    """
    n = len(y)
    G, L = np.zeros((n, n)), np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            G[i, j] = similarity(Z[i], Z[j])
            L[i, j] = 1 if y[i] == y[j] else -1
    G, L = G - G.mean(), L - L.mean()
    return np.sum(G * L) / np.sqrt(np.sum(G**2) * np.sum(L**2))
