"""Potential energy descent: classes repel one another before a metric is taken.

Li, X., Hu, Z., Ge, Y., Shan, Y., & Duan, L.-Y. (2023). Exploring model transferability
through the lens of potential energy. ICCV 2023.
arXiv:2308.15074.
"""

from __future__ import annotations

import numpy as np

__all__ = ["class_displacements", "descend"]


def descend(
    X, y, general, n_sigma=0.6, time_step=0.1, exit_ratio=0.5, max_steps=6, floor=1e-3
):
    """The features after the classes have moved apart.

    Each step standardises the features with the mean and the deviation (at least
    `floor`) of a general set, moves every sample by its class's displacement, and
    undoes the standardisation. A step counts only while the sum of the absolute
    displacements exceeds `exit_ratio` times that of the first step; the step that
    does not is discarded.
    """
    mean = general.mean(axis=0)
    deviation = np.maximum(general.std(axis=0), floor)
    classes = np.unique(y)
    first = None
    for _ in range(max_steps):
        Z = (X - mean) / deviation
        moves = class_displacements(Z, y, n_sigma, time_step)
        length = np.sum(np.abs(moves))
        first = length if first is None else first
        if length == 0 or length / first <= exit_ratio:
            break
        for label, move in zip(classes, moves, strict=True):
            Z[y == label] += move
        X = Z * deviation + mean
    return X


def class_displacements(Z, y, n_sigma, time_step):
    """How far every class is pushed by the classes that overlap with it.

    Class k is a ball about its mean with radius n_sigma sqrt(sum_j Var_kj); variances
    divide by n_k. Two balls that overlap by o = max(r_k + r_l - ||m_k - m_l||, 0) push
    each other along the line between their means by min(time_step^2 o/2, o).
    """
    classes = np.unique(y)
    means = [Z[y == label].mean(axis=0) for label in classes]
    radii = [n_sigma * np.sqrt(np.sum(Z[y == label].var(axis=0))) for label in classes]
    moves = np.zeros((len(classes), Z.shape[1]))
    for k in range(len(classes)):
        for j in range(len(classes)):
            if j == k:
                continue
            line = means[k] - means[j]
            distance = np.sqrt(np.sum(line**2))
            overlap = max(radii[k] + radii[j] - distance, 0.0)
            moves[k] += line / distance * min(time_step**2 * overlap / 2, overlap)
    return moves
