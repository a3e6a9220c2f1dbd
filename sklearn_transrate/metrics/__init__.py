"""Stage 3: statistics in, one float out, higher is better."""

from sklearn_transrate.metrics._base import MetricResult, TransferMetric
from sklearn_transrate.metrics._coding_rate import coding_rate
from sklearn_transrate.metrics._function import FunctionMetric
from sklearn_transrate.metrics._hscore import HScore, h_score
from sklearn_transrate.metrics._logme import LogME, logme_score
from sklearn_transrate.metrics._registry import get_metric, get_metric_names
from sklearn_transrate.metrics._transrate import (
    TransRate,
    transrate_from_eigenvalues,
    transrate_score,
)

__all__ = [
    "FunctionMetric",
    "HScore",
    "LogME",
    "MetricResult",
    "TransRate",
    "TransferMetric",
    "coding_rate",
    "get_metric",
    "get_metric_names",
    "h_score",
    "logme_score",
    "transrate_from_eigenvalues",
    "transrate_score",
]
