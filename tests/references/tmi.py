"""TMI, the mean entropy of features within classes.

Xu, H., & Kang, U. (2023). Fast and accurate transferability measurement by evaluating
intra-class feature variance. ICCV 2023, 11474-11482.
"""

from __future__ import annotations

import numpy as np
from scipy.special import digamma

__all__ = ["kozachenko_leonenko_entropy", "tmi"]


def tmi(Z, y, k=3, floor=1.0):
    """(1/K) sum_k (n_k/n) h_k with `kozachenko_leonenko_entropy` h_k, in nats.

    The factor 1/K is in the published program. Classes of at most k samples have no
    k-th neighbour and count as zero. (The program leaves classes of 2 to k samples
    out of K as well, but not classes of one sample.)
    """
    classes = np.unique(y)
    score = 0.0
    for label in classes:
        Z_k = Z[y == label]
        if len(Z_k) > k:
            entropy = kozachenko_leonenko_entropy(Z_k, k, floor)
            score += len(Z_k) / len(Z) * entropy
    return score / len(classes)


def kozachenko_leonenko_entropy(Z, k=3, floor=1.0):
    """psi(n) - psi(k) + (d/n) sum_i log(2 max(rho_i, floor)).

    rho_i is the distance of z_i from its k-th nearest other sample in the maximum
    norm; distances below `floor` count as `floor`, in the features' own units.
    """
    n, d = Z.shape
    logs = 0.0
    for i in range(n):
        distances = sorted(np.max(np.abs(Z[i] - Z[j])) for j in range(n) if j != i)
        logs += np.log(2 * max(distances[k - 1], floor))
    return digamma(n) - digamma(k) + d / n * logs
