"""Which pretrained model, and which of its layers, should I transfer?

Scores features for a labelled task, in one pass and without training, and makes the
choice a scikit-learn transformer.
"""

from sklearn_transrate.metrics import (
    TransferMetric,
    TransferScorer,
    TransRate,
    TransRateScorer,
    coding_rate,
    get_metric,
    get_metric_names,
    make_transfer_scorer,
    transrate_score,
)
from sklearn_transrate.model_selection import (
    HalvingTransferSelector,
    TransferSelector,
    make_transfer_selector,
)
from sklearn_transrate.results import TransferResults

__version__ = "0.1.0"

__all__ = [
    "HalvingTransferSelector",
    "TransRate",
    "TransRateScorer",
    "TransferMetric",
    "TransferResults",
    "TransferScorer",
    "TransferSelector",
    "coding_rate",
    "get_metric",
    "get_metric_names",
    "make_transfer_scorer",
    "make_transfer_selector",
    "transrate_score",
]
