"""Streams of batches in a selector: data loaders, lists of batches, and generators."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from sklearn_transrate._lib.validation import check_targets
from sklearn_transrate.exceptions import TransRateWarning
from sklearn_transrate.extractors._batching import (
    count_rows,
    is_stream,
    iter_batches,
)

__all__ = [
    "LabelledStream",
    "as_stream",
    "check_stream",
    "is_dataset",
    "labels_of_passes",
]

_LABELS = ("label", "labels")


class LabelledStream:
    """Batches with their labels, as often as the source of them allows.

    Parameters
    ----------
    batches : iterable or callable
        Gives batches of inputs, or pairs of inputs and labels, or mappings with an
        entry "label" or "labels". A callable returns such an iterable.
    y : ndarray or None
        Checked labels of all rows in order. None where the batches bring them.

    Attributes
    ----------
    first_labels : ndarray
        `y`, or the labels of the first batch.
    is_one_shot : bool
        Whether there can be only one pass.
    """

    def __init__(self, batches: Iterable | Callable, y: np.ndarray | None) -> None:
        self._batches, self.y = batches, y
        self.is_one_shot = isinstance(batches, Iterator)
        self.first_labels = y
        if y is None:
            self.first_labels = self._look_at_first()

    @property
    def n_rows(self) -> int | None:
        """Number of rows, if that is known."""
        return None if self.y is None else len(self.y)

    def __iter__(self) -> Iterator[tuple[Any, np.ndarray]]:
        position = 0
        for batch in self._open():
            X_batch, labels = _split(batch)
            if labels is None and self.y is None:
                raise ValueError(
                    "Expected labels in every batch, or y beside them, got a batch of "
                    f"inputs alone ({type(X_batch).__name__}). Yield pairs (X_batch, "
                    "y_batch), or pass the labels of all rows as y."
                )
            if labels is not None:
                labels = _checked(labels)
            if self.y is not None:
                n_rows = _count(X_batch) if labels is None else len(labels)
                labels = self._known(labels, position, n_rows)
            position += len(labels)
            yield X_batch, labels
        if self.y is not None and position != len(self.y):
            raise ValueError(
                f"Expected one label per row, got {position} rows in the batches and "
                f"{len(self.y)} in y. Loaders with drop_last=True leave rows out."
            )

    def _open(self) -> Iterator:
        return iter(self._batches() if callable(self._batches) else self._batches)

    def _look_at_first(self) -> np.ndarray:
        stream = self._open()
        for batch in stream:
            if self.is_one_shot:
                self._batches = _resumed(batch, stream)
            labels = _split(batch)[1]
            if labels is None:
                raise ValueError(
                    "Expected labels in the batches where y is None, got batches of "
                    f"{type(batch).__name__} without any. Yield pairs (X_batch, "
                    "y_batch), or pass the labels of all rows as y."
                )
            return _checked(labels)
        raise ValueError("Expected at least one batch, got none.")

    def _known(self, labels, position: int, n_rows: int) -> np.ndarray:
        known = self.y[position : position + n_rows]
        if len(known) < n_rows:
            raise ValueError(
                f"Expected one label per row, got {len(self.y)} in y and more rows "
                "than that in the batches."
            )
        if labels is not None and not np.array_equal(labels, known):
            raise ValueError(
                "Expected y to hold the labels that the batches bring, got others "
                f"between rows {position} and {position + n_rows}. Leave y out where "
                "batches have labels, as you must with a loader that shuffles."
            )
        return known


def as_stream(X: Any, y: Any, batch_size: Any) -> LabelledStream | None:
    """Return X as a stream of labelled batches; None if it holds rows.

    Parameters
    ----------
    X : object
        What `fit` was given. A list is one of batches only where y is None and it
        holds pairs; so is a torch dataset.
    y : array-like or None
        What `fit` was given.
    batch_size : int or "auto"
        Rows that are taken from a dataset at a time; 64 for "auto".
    """
    if isinstance(X, LabelledStream):
        return X
    batches = X
    if is_dataset(X) and (y is None or not hasattr(X, "__getitem__")):
        from sklearn_transrate.extractors._torch_inputs import rows_or_batches

        batches = partial(rows_or_batches, X, None, batch_size)
    elif isinstance(X, list | tuple):
        if y is not None or not (len(X) and all(map(_is_labelled, X))):
            return None
    elif not (is_stream(X) or (callable(X) and not hasattr(X, "shape"))):
        return None
    return LabelledStream(batches, None if y is None else _checked(y))


def check_stream(selector: Any, stream: LabelledStream, scorings, sources) -> None:
    """Raise if a selector asks for what batches cannot give."""
    for name, remedy in (
        ("cv", "extractors with layers learn nothing that folds could hold out"),
        ("max_samples", "let the stream end earlier"),
        ("memory", "saved statistics are named by all inputs: pass these as an array"),
    ):
        if getattr(selector, name) is not None:
            raise ValueError(
                f"Expected {name}=None with a stream of batches, got "
                f"{getattr(selector, name)!r}: {remedy}."
            )
    if selector.std_error == "jackknife" and stream.n_rows is None:
        raise ValueError(
            "Expected y beside a stream of batches with std_error='jackknife', which "
            "must know how many rows there are. Pass y, or std_error='auto'."
        )
    whole = [source.name for source in sources if not source.is_layered]
    whole += [scoring.name for scoring in scorings if scoring.metric is None]
    if whole:
        raise ValueError(
            f"Expected layered extractors and metrics with a stream of batches, got "
            f"{whole}, which take all rows at once. Pass X as an array or a list."
        )
    if stream.is_one_shot and len(sources) > 1:
        raise ValueError(
            f"Expected one extractor with a generator, which can be read only once, "
            f"got {[source.name for source in sources]}. Pass a function that returns "
            "a new one for each, a list of batches, or a DataLoader."
        )


def labels_of_passes(evaluations, plan, stream: LabelledStream) -> np.ndarray:
    """Return the labels of all rows; forget what rows say where orders differ.

    Parameters
    ----------
    evaluations : sequence of Evaluation
        Of these, the values of each row are dropped if the stream was shuffled.
    plan : Plan
        The metrics; each must read all labels as it read the first.
    stream : LabelledStream
        Where the labels came from.
    """
    found = [e.labels for e in evaluations if e.labels is not None]
    labels = found[0]
    for metric in (scoring.metric for scoring in plan.scorings):
        first, whole = map(metric.resolve_task, (stream.first_labels, labels))
        if first != whole:
            raise ValueError(
                f"Expected targets of one kind, got {whole} where the first batch "
                f"looked like {first}. Pass a metric with task={whole!r}, or all "
                "targets as y."
            )
    if not all(np.array_equal(labels, other) for other in found):
        for evaluation in evaluations:
            evaluation.values = {}
        warnings.warn(
            "The batches came in another order for every extractor, so that nothing is "
            "known of how their errors go together, and there are no bounds of ranks. "
            "Pass a loader with shuffle=False.",
            TransRateWarning,
            stacklevel=6,
        )
    return labels


def _resumed(first: Any, rest: Iterator) -> Iterator:
    yield first
    yield from rest


def _split(batch: Any) -> tuple[Any, Any]:
    """Take a batch apart into inputs and labels."""
    if isinstance(batch, Mapping):
        labels = next((batch[key] for key in _LABELS if key in batch), None)
        return {k: v for k, v in batch.items() if k not in _LABELS}, labels
    return next(iter_batches(iter([batch])))


def _checked(labels: Any) -> np.ndarray:
    if hasattr(labels, "detach"):  # a tensor, maybe on another device
        labels = labels.detach().cpu().numpy()
    return check_targets(labels, labels, name="TransferSelector", multi_output=True)


def _count(X_batch: Any) -> int:
    """Return the number of rows of inputs, of which there may be several."""
    return count_rows(X_batch[0] if isinstance(X_batch, tuple) else X_batch)


def _is_labelled(batch: Any) -> bool:
    """Whether this is a pair of several rows and their labels."""
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        return False
    return all(_has_rows(part) for part in batch)


def _has_rows(part: Any) -> bool:
    is_row = isinstance(part, str | bytes) or getattr(part, "shape", (1,)) == ()
    return not is_row and isinstance(part, Sequence | Mapping | Iterable)


def is_dataset(X: Any) -> bool:
    """Whether X is a dataset of torch."""
    torch_data = sys.modules.get("torch.utils.data")
    return torch_data is not None and isinstance(X, torch_data.Dataset)
