"""Pictures of results: columns in, matplotlib artists out."""

from sklearn_transrate.results._plot._agreement import MetricAgreementDisplay
from sklearn_transrate.results._plot._classes import ClassRateDisplay
from sklearn_transrate.results._plot._eps import EpsCurveDisplay
from sklearn_transrate.results._plot._layers import LayerDisplay
from sklearn_transrate.results._plot._ranking import RankingDisplay
from sklearn_transrate.results._plot._samples import SampleSizeDisplay

__all__ = [
    "ClassRateDisplay",
    "EpsCurveDisplay",
    "LayerDisplay",
    "MetricAgreementDisplay",
    "RankingDisplay",
    "SampleSizeDisplay",
]
