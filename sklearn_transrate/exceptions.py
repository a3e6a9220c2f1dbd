"""Every error and warning class of the package."""

from __future__ import annotations

from sklearn.exceptions import UndefinedMetricWarning

__all__ = [
    "CandidateFailedWarning",
    "CorruptStatisticsError",
    "LayerNotFoundError",
    "MissingDependencyError",
    "SaturatedScoreWarning",
    "SwappedArgumentsError",
    "TransRateWarning",
    "UndefinedMetricWarning",
    "UnknownMetricError",
    "UnstableRankingWarning",
]


class TransRateWarning(UserWarning):
    """Base of the warnings that are the package's own."""


class CandidateFailedWarning(TransRateWarning):
    """A candidate raised an error and stays in the table without a score."""


class SaturatedScoreWarning(TransRateWarning):
    """A score sits at its bound whatever the labels say."""


class UnstableRankingWarning(TransRateWarning):
    """The first two candidates change places at a slightly different distortion."""


class SwappedArgumentsError(ValueError):
    """Features and labels came in the wrong order."""


class UnknownMetricError(ValueError):
    """No metric of that name is registered, or in these results."""


class LayerNotFoundError(ValueError):
    """The model has no layer of that name."""


class CorruptStatisticsError(ValueError):
    """A saved statistic cannot be read."""


class MissingDependencyError(ImportError):
    """An optional package is not installed."""
