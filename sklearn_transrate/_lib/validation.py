"""Checks of features, labels and weights, with the remedy in the message."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import check_array, check_consistent_length, column_or_1d

from sklearn_transrate.exceptions import SwappedArgumentsError

__all__ = ["check_features", "check_targets", "infer_task", "refuse_swapped"]


def refuse_swapped(X: Any, y: Any, *, name: str) -> None:
    """Raise if features and labels came in the wrong order."""
    shape_X, shape_y = _shape(X), _shape(y)
    if len(shape_X) == 1 and len(shape_y) == 2:
        raise SwappedArgumentsError(
            f"{name} expected features of shape (n_samples, n_features) first and "
            f"labels second, got shapes {shape_X} and {shape_y}. Swap the arguments; "
            "for scikit-learn's make_scorer, which puts y first, wrap the function "
            "in sklearn_transrate.metrics.y_first."
        )


def check_features(X: Any, *, name: str, accept_sparse: bool = False):
    """Return features as a finite 2-d array of their own dtype, never a copy of one.

    float16 and float32 stay as they are: statistics accumulate in float64 anyway.
    """
    return check_array(
        X,
        accept_sparse="csr" if accept_sparse else False,
        dtype="numeric",
        estimator=name,
        input_name="X",
    )


def check_targets(y: Any, X: Any, *, name: str, multi_output: bool = False):
    """Return labels, or values of shape (n_samples, n_outputs), one row a sample."""
    if y is None:
        raise ValueError(
            f"{name} requires y to be passed, but the target y is None. Pass one "
            "label per row of X."
        )
    if multi_output and len(_shape(y)) == 2 and _shape(y)[1] > 1:
        y = check_array(y, estimator=name, input_name="y", dtype="numeric")
    else:
        y = column_or_1d(_object_column(y), warn=True)
        _refuse_missing(y)
    check_consistent_length(X, y)
    return y


def infer_task(y: np.ndarray, task: str, tasks: tuple[str, ...], *, name: str) -> str:
    """Decide between classification, multi-label and regression.

    Parameters
    ----------
    y : ndarray
        Checked targets.
    task : str
        What the user asked for, or "auto".
    tasks : tuple of str
        What the metric can do.
    name : str
        Subject of the error.
    """
    if task != "auto":
        if task not in tasks:
            raise ValueError(
                f"{name} expected 'task' to be 'auto' or one of {tasks}, got {task!r}."
            )
        return task
    found = _kind_of_target(y)
    if found in tasks:
        return found
    raise ValueError(
        f"{name} compares classes, but y looks like a {found} target "
        f"({y.dtype} of shape {y.shape}). Expected one label per sample; bin the "
        "values, or use a metric for that task, such as LogME."
    )


def _kind_of_target(y: np.ndarray) -> str:
    if y.ndim == 2:
        # Indicators of labels hold only 0 and 1.
        return "multilabel" if np.isin(y, (0, 1)).all() else "regression"
    if y.dtype.kind == "f" and (y != np.rint(y)).any():
        return "regression"
    return "classification"


def _shape(array: Any) -> tuple[int, ...]:
    if sparse.issparse(array) or hasattr(array, "shape"):
        return tuple(array.shape)
    try:
        return np.asarray(array).shape
    except ValueError:  # ragged: let the real check say so
        return (len(array),)


def _object_column(y: Any):
    """Keep a list of mixed labels as objects; numpy would turn them into strings."""
    if isinstance(y, list) and len({type(label) for label in y}) > 1:
        column = np.empty(len(y), dtype=object)
        column[:] = y
        return column
    return y


def _refuse_missing(y: np.ndarray) -> None:
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise ValueError(
            "Input y contains NaN or infinity. Expected finite labels; drop the rows "
            "without one."
        )
