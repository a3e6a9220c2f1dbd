"""Stage 2: feature batches in, mergeable summaries out."""

from sklearn_transrate.statistics._accumulate import (
    accumulate,
    cheapest_cover,
    find_covering,
)
from sklearn_transrate.statistics._base import Statistic
from sklearn_transrate.statistics._files import load_statistics, save_statistics
from sklearn_transrate.statistics._joint import JointTable
from sklearn_transrate.statistics._moments import ClassMoments
from sklearn_transrate.statistics._rows import RowSample
from sklearn_transrate.statistics._scatter import Scatter
from sklearn_transrate.statistics._targets import TargetMoments

__all__ = [
    "ClassMoments",
    "JointTable",
    "RowSample",
    "Scatter",
    "Statistic",
    "TargetMoments",
    "accumulate",
    "cheapest_cover",
    "find_covering",
    "load_statistics",
    "save_statistics",
]
