"""What a table of results must say so that somebody else can make it again."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from sklearn_transrate._lib.engines import is_lazy
from sklearn_transrate._lib.labels import encode_labels
from sklearn_transrate._lib.sklearn_compat import _safe_indexing
from sklearn_transrate._lib.text import one_line, shorten

__all__ = ["describe_run", "fingerprint_data"]

# Scores depend on the first always, on the others if they were used.
PACKAGES = {
    "sklearn_transrate": "sklearn-transrate",
    "sklearn": "scikit-learn",
    "numpy": "numpy",
    "scipy": "scipy",
}
FRAMEWORKS = ("torch", "transformers", "timm", "sentence_transformers", "onnxruntime")
# Rows that stand for all, evenly spread: enough to tell data apart, few enough to read
# from a disk.
N_ROWS = 64
TEXT_LENGTH = 300


def describe_run(selector: Any, X: Any, y: np.ndarray) -> dict[str, Any]:
    """Parameters, versions and data of a selection, as texts and numbers.

    Parameters
    ----------
    selector : TransferSelector
        Its parameters are read.
    X : array-like or any inputs
        What was passed to `fit`.
    y : ndarray
        Checked targets.

    Returns
    -------
    facts : dict
        ``"parameters"``, ``"data"`` and ``"versions"``.
    """
    parameters = selector.get_params(deep=False)
    named = {name: _brief(item) for name, item in parameters.pop("extractors")}
    parameters = {name: _brief(value) for name, value in parameters.items()}
    return {
        "parameters": {"extractors": named, **parameters},
        "data": _describe_data(X, y),
        "versions": _versions(),
    }


def fingerprint_data(X: Any, y: np.ndarray) -> str:
    """The same 16 letters for the same data, and most likely others for others.

    Made of all targets, and of up to 64 rows of X where these are numbers or texts;
    images, and arrays on a cluster or an accelerator, do not count.

    Examples
    --------
    >>> fingerprint_data(np.eye(3), np.array([0, 1, 0]))
    'be69d43e41702f81'
    """
    digest = hashlib.sha256()
    for part in (y, _some_rows(X)):
        for piece in _pieces(part):
            digest.update(piece)
    return digest.hexdigest()[:16]


def _some_rows(X) -> np.ndarray | None:
    if is_lazy(X):
        return None
    try:
        n = X.shape[0] if hasattr(X, "shape") else len(X)
        rows = np.unique(np.linspace(0, n - 1, min(n, N_ROWS)).astype(int))
        chosen = _safe_indexing(X, rows)
        dense = chosen.toarray() if hasattr(chosen, "toarray") else chosen
        return np.asarray(dense)
    except (LookupError, TypeError, ValueError, RuntimeError):
        return None


def _pieces(values: np.ndarray | None) -> Iterable[bytes]:
    """Yield bytes that are the same on every machine."""
    if values is None:
        return
    if values.dtype.kind in "iufb":
        yield f"{values.shape} {values.dtype.str}".encode()
        yield np.ascontiguousarray(values).tobytes()
        return
    items = values.ravel().tolist()
    # What any other object is shown as may hold its place in memory.
    if all(isinstance(item, str | int | float | None) for item in items):
        yield f"{values.shape} {items!r}".encode("utf-8", "backslashreplace")


def _describe_data(X, y) -> dict[str, Any]:
    facts: dict[str, Any] = {"n_samples": len(y)}
    if hasattr(X, "shape") and not is_lazy(X):
        facts["shape"] = list(map(int, X.shape))
    facts["inputs"] = f"{type(X).__module__.partition('.')[0]}.{type(X).__name__}"
    if y.ndim == 1 and y.dtype.kind != "f":
        labels, codes = encode_labels(y)
        counts = np.bincount(codes)
        facts["n_classes"] = len(labels)
        facts["samples_per_class"] = f"{counts.min()} to {counts.max()}"
    facts["fingerprint"] = fingerprint_data(X, y)
    return facts


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    used = {name: name.replace("_", "-") for name in FRAMEWORKS if name in sys.modules}
    for module, package in (PACKAGES | used).items():
        try:
            found[module] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _brief(value: Any) -> str:
    return shorten(one_line(repr(value)), TEXT_LENGTH)
