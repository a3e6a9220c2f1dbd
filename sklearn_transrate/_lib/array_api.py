"""Arrays that are not NumPy's: which library computes, and what comes back.

Features on an accelerator are summarised there. Labels, which are few and may be
strings, are read on the host, and so are single numbers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
from sklearn import get_config

from sklearn_transrate._lib.optional import import_optional

__all__ = ["GroupedRows", "device_namespace", "log_det_identity_plus", "to_host"]

# Libraries whose arrays may live elsewhere; nothing of them is imported here.
LIBRARIES = ("array_api_strict", "cupy", "jax", "jaxlib", "torch")
# Numbers in the rows, or matrices, of the classes that are put through at a time.
BLOCK_NUMBERS = 2**26


def device_namespace(X: Any, *, purpose: str) -> ModuleType | None:
    """Return the namespace that computes on an array, or None for NumPy.

    Arrays on an accelerator are computed on there, by their own library. Those in
    main memory are NumPy's work, on the same memory, unless scikit-learn is set to
    ``array_api_dispatch=True``.

    Parameters
    ----------
    X : object
        Features as the user gave them.
    purpose : str
        Who asks; the subject of the message if `array-api-compat` is missing.
    """
    if isinstance(X, np.ndarray):
        return None
    top = type(X).__module__.partition(".")[0]
    if top not in LIBRARIES or top not in sys.modules:
        return None
    if not get_config()["array_api_dispatch"] and _is_in_main_memory(X):
        return None
    compat = import_optional(
        "array_api_compat", extra="array-api", purpose=f"{purpose} of {top} arrays"
    )
    return compat.array_namespace(X)


def to_host(array: Any) -> Any:
    """Return labels or weights in main memory; what is there already stays."""
    if type(array).__module__.partition(".")[0] == "cupy":
        return array.get()
    if hasattr(array, "detach"):  # torch
        return array.detach().cpu().numpy()
    if not hasattr(array, "__array_namespace__"):
        return array
    try:
        return np.asarray(array)
    except RuntimeError:  # libraries that refuse to copy between devices unasked
        info = array.__array_namespace__().__array_namespace_info__()
        return np.asarray(array.to_device(info.default_device()))


def log_det_identity_plus(xp: ModuleType, matrices: Any, scales: Any) -> Any:
    """Return log det(I + matrix / scale) of each of a stack of matrices."""
    size = matrices.shape[-1]
    shifted = matrices / scales[:, None, None] + xp.eye(
        size, dtype=matrices.dtype, device=_device(matrices)
    )
    diagonals = xp.linalg.diagonal(xp.linalg.cholesky(shifted))
    return 2.0 * xp.sum(xp.log(diagonals), axis=-1)


class GroupedRows:
    """Rows of an array by class, about their common mean.

    Parameters
    ----------
    xp : module
        Namespace of `X`.
    X : array of shape (n_samples, n_features)
        Finite features; integers and half floats are taken to single precision.
    codes : ndarray of shape (n_samples,)
        Class numbers, in main memory.
    weights : ndarray of shape (n_samples,) or None
        Positive weights, in main memory.

    Attributes
    ----------
    rows : array of shape (n_samples, n_features)
        Features less their mean, times the root of their weights.
    counts : ndarray of shape (n_classes,)
        Weight of each class, in main memory.
    """

    def __init__(self, xp, X, codes, weights=None):
        self.xp, self.device = xp, _device(X)
        self.dtype = working_dtype(xp, X)
        X = xp.astype(X, self.dtype)
        self.codes = np.asarray(codes)
        self.sizes = np.bincount(self.codes)
        self.counts = np.bincount(self.codes, weights).astype(float)
        self.root = None
        if weights is not None:
            self.root = self.send(np.sqrt(weights))[:, None]
        # By way of one row: a mean far from zero has no digits to spare.
        self.origin = X[:1, :]
        rows = X - self.origin
        self.mean = self._weighted_sum(rows) / float(self.counts.sum())
        self.rows = self._weighted(rows - self.mean)

    def send(self, array: np.ndarray) -> Any:
        """Return floats from main memory on the device."""
        return self.xp.asarray(array, dtype=self.dtype, device=self.device)

    def weighted_features(self) -> Any:
        """Return the features as they came, not centred."""
        root = 1.0 if self.root is None else self.root
        return self.rows + (self.mean + self.origin) * root

    def _weighted(self, rows):
        return rows if self.root is None else rows * self.root

    def _weighted_sum(self, rows):
        rows = rows if self.root is None else rows * self.root**2
        return self.xp.sum(rows, axis=0, keepdims=True)

    def unit_rows(self) -> None:
        """Scale rows to unit length before and after centring; zero rows stay."""
        xp = self.xp
        rows = self.rows if self.root is None else self.rows / self.root
        rows = _unit(xp, rows + self.mean + self.origin)
        rows = rows - self._weighted_sum(rows) / float(self.counts.sum())
        self.rows = self._weighted(_unit(xp, rows))

    def gram(self, rows=None) -> Any:
        """Return the matrix of inner products, on the smaller of the two sides."""
        rows = self.rows if rows is None else rows
        xp = self.xp
        if rows.shape[-2] > rows.shape[-1]:
            return xp.matmul(xp.matrix_transpose(rows), rows)
        return xp.matmul(rows, xp.matrix_transpose(rows))

    def blocks(self) -> Iterator[tuple[np.ndarray, Any]]:
        """Yield class numbers and their rows, filled up with rows of zeros.

        Classes of like size together, so that little is filled up.
        """
        xp, d = self.xp, self.rows.shape[1]
        order = np.argsort(self.codes, kind="stable")
        starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        by_size = np.argsort(-self.sizes, kind="stable")
        while len(by_size):
            longest = int(self.sizes[by_size[0]])
            numbers = longest * d + min(longest, d) ** 2
            classes = by_size[: max(1, BLOCK_NUMBERS // numbers)]
            by_size = by_size[len(classes) :]
            places = np.arange(longest)
            real = places < self.sizes[classes][:, None]
            index = order[np.where(real, starts[classes][:, None] + places, 0)]
            index = xp.asarray(index.ravel(), device=self.device)
            taken = xp.take(self.rows, index, axis=0)
            rows = xp.reshape(taken, (len(classes), longest, d))
            yield classes, rows * self.send(real.astype(float))[:, :, None]

    def class_means(self) -> Any:
        """Return class means from the common mean, of shape (n_classes, d)."""
        xp = self.xp
        rows = self.rows if self.root is None else self.rows * self.root
        parts, numbers = [], []
        kept, self.rows = self.rows, rows
        try:
            for classes, block in self.blocks():
                parts.append(xp.sum(block, axis=1))
                numbers.append(classes)
        finally:
            self.rows = kept
        back = np.argsort(np.concatenate(numbers))
        sums = xp.take(
            xp.concat(parts, axis=0), xp.asarray(back, device=self.device), axis=0
        )
        return sums / self.send(self.counts)[:, None]

    def within_rows(self) -> Any:
        """Return rows less the means of their classes."""
        index = self.xp.asarray(self.codes, device=self.device)
        own = self.xp.take(self.class_means(), index, axis=0)
        return self.rows - self._weighted(own)


def working_dtype(xp: ModuleType, X: Any) -> Any:
    """Return the precision to compute in: the array's own, at least single."""
    if X.dtype in (xp.float32, xp.float64):
        return X.dtype
    if xp.isdtype(X.dtype, "real floating"):
        return xp.float32
    if xp.isdtype(X.dtype, ("integral", "bool")):
        return xp.asarray(0.0).dtype
    raise ValueError(f"Expected real features, got an array of {X.dtype}.")


def _unit(xp, rows):
    lengths = xp.sqrt(xp.sum(rows * rows, axis=1, keepdims=True))
    return rows / xp.where(lengths > 0, lengths, xp.ones_like(lengths))


def _device(array: Any) -> Any:
    compat = import_optional(
        "array_api_compat", extra="array-api", purpose="Computing on devices"
    )
    return compat.device(array)


def _is_in_main_memory(X: Any) -> bool:
    if type(X).__module__.partition(".")[0] == "cupy":
        return False
    device = getattr(X, "device", "cpu")
    device = getattr(device, "platform", device)  # jax
    return "cpu" in str(device).lower()
