"""Stage 2: feature batches in, mergeable summaries out."""

from sklearn_transrate.statistics._base import Statistic
from sklearn_transrate.statistics._moments import ClassMoments

__all__ = ["ClassMoments", "Statistic"]
