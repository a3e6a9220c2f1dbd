"""Ranked results: tables, text and files."""

from sklearn_transrate.results._comparison import Comparison
from sklearn_transrate.results._ranking import rank_scores
from sklearn_transrate.results._table import TransferResults

__all__ = ["Comparison", "TransferResults", "rank_scores"]
