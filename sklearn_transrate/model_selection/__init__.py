"""Stage 4: candidates in, scores and a winner out."""

from sklearn_transrate.model_selection._halving import HalvingTransferSelector
from sklearn_transrate.model_selection._selector import (
    TransferSelector,
    make_transfer_selector,
)

__all__ = ["HalvingTransferSelector", "TransferSelector", "make_transfer_selector"]
