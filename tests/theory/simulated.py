"""Populations to draw from, scores of many draws, and how well errors foretell them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import stats

from sklearn_transrate.uncertainty import standard_error

__all__ = ["Coverage", "coverage", "gaussian_classes"]


def gaussian_classes(n_features: int, n_classes: int, seed: int = 0) -> Callable:
    """Return a function that draws rows of a Gaussian mixture, as correlated features.

    Classes differ in mean and in spread, so that no term of a score is constant.
    """
    rng = np.random.default_rng(seed)
    means = rng.standard_normal((n_classes, n_features)) / np.sqrt(n_features) * 2.0
    spreads = rng.uniform(0.7, 1.3, n_classes)
    mixing = rng.standard_normal((n_features, n_features)) / np.sqrt(n_features)
    mixing += np.eye(n_features)
    priors = rng.dirichlet(np.full(n_classes, 20.0))

    def draw(n_samples: int, random: np.random.Generator):
        y = random.choice(n_classes, n_samples, p=priors)
        noise = random.standard_normal((n_samples, n_features))
        return (means[y] + spreads[y][:, None] * noise) @ mixing, y

    return draw


class Coverage(NamedTuple):
    """How errors compare with the spread of the scores that they are about."""

    spread: float
    std_error: float  # root mean square
    covered: dict[float, float]  # of the expected score, by confidence

    @property
    def ratio(self) -> float:
        """Standard error over spread: above 1 is cautious."""
        return self.std_error / self.spread


def coverage(
    metric, draw, n_samples: int, n_draws: int, *, method="auto", seed: int = 0
) -> Coverage:
    """Score many draws, each with its standard error.

    Intervals are asked to hold the mean score of samples of this size, so that the
    bias of a score, which no standard error knows, is left out.
    """
    random = np.random.default_rng(seed)
    scores, errors = np.empty((2, n_draws))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i in range(n_draws):
            X, y = draw(n_samples, random)
            scores[i] = metric.score(X, y)
            errors[i] = standard_error(metric, X, y, method=method)
    apart = np.abs(scores - scores.mean())
    covered = {
        level: float(np.mean(apart <= stats.norm.isf((1.0 - level) / 2.0) * errors))
        for level in (0.9, 0.95)
    }
    return Coverage(
        float(scores.std(ddof=1)), float(np.sqrt(np.mean(errors**2))), covered
    )
