"""Pairwise annotation representation comparison.

Bolya, D., Mittapalli, R., & Hoffman, J. (2021). Scalable diverse model selection for
accessible transfer learning. NeurIPS 2021. arXiv:2111.06977.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

__all__ = ["parc"]


def parc(Z, y):
    """100 times Spearman's correlation of feature with label dissimilarities.

    Features are standardised; D_f(i, j) = 1 - Pearson(z_i, z_j). Label dissimilarity
    is 1 - Pearson of the one-hot rows: 0 for equal labels, else K/(K - 1); only the
    order matters, so 0 and 1 serve. Pairs i < j; equal values share their mean rank.

    The published program computes Pearson's correlation of two equal one-hot rows,
    which rounds to 1 for some labels and to 1 - 2^-53 for others; where both occur it
    ranks one kind of equal pairs before the other, and its score depends on which
    integers code the labels (up to three points).
    """
    feature_distances, label_distances = _pairs(_standardize(Z), y)
    return 100 * _pearson(rankdata(feature_distances), rankdata(label_distances))


def _standardize(Z):
    deviations = Z.std(axis=0)
    deviations[deviations == 0] = 1
    return (Z - Z.mean(axis=0)) / deviations


def _pairs(Z, y):
    feature_distances, label_distances = [], []
    for i in range(len(y)):
        for j in range(i + 1, len(y)):
            feature_distances.append(1 - _pearson(Z[i], Z[j]))
            label_distances.append(0 if y[i] == y[j] else 1)
    return feature_distances, label_distances


def _pearson(a, b):
    a, b = a - np.mean(a), b - np.mean(b)
    return np.sum(a * b) / np.sqrt(np.sum(a**2) * np.sum(b**2))
