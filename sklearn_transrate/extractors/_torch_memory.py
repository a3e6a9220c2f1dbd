"""Batches that shrink when the device runs out of memory."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sklearn_transrate.exceptions import TransRateWarning
from sklearn_transrate.extractors._batching import count_rows, take_rows

__all__ = ["Halving"]

# What backends say in a plain RuntimeError.
_PHRASES = (
    "out of memory", "can't allocate memory", "not enough memory", "alloc_failed",
)  # fmt: skip


class Halving:
    """Run batches, in smaller parts once one does not fit into memory.

    Parameters
    ----------
    run : callable (X_batch) -> {layer: features}
        Runs the model.
    """

    def __init__(self, run: Callable[[Any], Mapping[str, np.ndarray]]) -> None:
        self._run = run
        self._most: int | None = None

    def __call__(self, X_batch: Any) -> Mapping[str, np.ndarray]:
        """Return the features of a batch, by layer, with no row missing."""
        if self._most is None:
            features = self._attempt(X_batch, X_batch)
            if features is not None:
                return features
        n_rows, start, parts = count_rows(X_batch), 0, []
        while start < n_rows:
            rows = take_rows(X_batch, start, min(start + self._most, n_rows))
            features = self._attempt(rows, X_batch)
            if features is not None:
                parts.append(features)
                start += count_rows(rows)
        return {
            layer: np.concatenate([part[layer] for part in parts]) for layer in parts[0]
        }

    def _attempt(self, rows: Any, X_batch: Any) -> Mapping[str, np.ndarray] | None:
        """Run these rows; with too little memory, halve and return None."""
        try:
            return self._run(rows)
        except (RuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error):
                raise
            n_rows = count_rows(rows)
            if n_rows < 2:
                error.add_note("A single row is too much: choose a larger device.")
                raise
        # Here the error and its frames, which hold tensors, are gone.
        self._most = n_rows // 2
        _free_memory()
        warnings.warn(
            f"The model ran out of memory on {n_rows} rows at a time and goes on with "
            f"{self._most}; no row is lost. Pass batch_size={self._most} to begin so.",
            TransRateWarning,
            stacklevel=2,
        )
        return None


def _is_out_of_memory(error: BaseException) -> bool:
    import torch

    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return any(phrase in str(error).lower() for phrase in _PHRASES)


def _free_memory() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
