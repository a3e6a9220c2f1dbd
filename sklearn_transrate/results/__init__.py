"""Ranked results: tables, text, files and pictures."""

from sklearn_transrate.results._comparison import Comparison
from sklearn_transrate.results._plot import (
    ClassRateDisplay,
    EpsCurveDisplay,
    LayerDisplay,
    MetricAgreementDisplay,
    RankingDisplay,
    SampleSizeDisplay,
)
from sklearn_transrate.results._ranking import rank_scores
from sklearn_transrate.results._table import TransferResults

__all__ = [
    "ClassRateDisplay",
    "Comparison",
    "EpsCurveDisplay",
    "LayerDisplay",
    "MetricAgreementDisplay",
    "RankingDisplay",
    "SampleSizeDisplay",
    "TransferResults",
    "rank_scores",
]
