"""What a statistic is: a mergeable summary of feature batches.

A statistic obeys four laws, which `sklearn_transrate.testing` checks:

* neutral element: merging with an empty statistic changes nothing;
* associativity: any tree of merges over the same batches gives the same values;
* symmetry: the order of the batches does not matter;
* no aliasing: a merged statistic shares no array with what it was made from.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

__all__ = ["Statistic"]


class Statistic(ABC):
    """Base class of mergeable summaries.

    Subclasses keep their state in float64 whatever the features' dtype, and
    describe how they were set up in `config`, so that an empty statistic is also
    the specification of what a metric needs. Those of classified rows have an
    attribute `classes`, the labels seen, in sorted order.

    Attributes
    ----------
    inputs : {"features", "source_proba", "source_labels"}
        What a batch holds beside the targets; says which data the laws are tried on.
    """

    inputs: str = "features"

    @property
    @abstractmethod
    def config(self) -> dict[str, Any]:
        """Keyword arguments of `empty` and `from_batch` that made this one."""

    @property
    @abstractmethod
    def n_samples(self) -> int:
        """Number of rows seen."""

    @classmethod
    @abstractmethod
    def empty(cls, **config: Any) -> Self:
        """Return the neutral element of `merge`."""

    @classmethod
    @abstractmethod
    def from_batch(
        cls, X: Any, y: Any, sample_weight: Any = None, **config: Any
    ) -> Self:
        """Summarise one batch of features and labels."""

    @abstractmethod
    def absorb(self, other: Self) -> None:
        """Add another statistic of the same kind to this one, in place."""

    @abstractmethod
    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the state as arrays, from which `from_arrays` rebuilds it."""

    @classmethod
    @abstractmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Rebuild a statistic from the result of `to_arrays`."""

    def summary(self) -> dict[str, Any]:
        """Return what this statistic knows, however it was put together.

        Two statistics of the same rows agree in it up to rounding, whatever the
        batches and the merges; the laws compare statistics by it. The state itself
        will do unless the same knowledge can be stored in several ways.

        Returns
        -------
        summary : dict of {str: array-like}
            Some names have a fixed meaning, which the laws check: "n_samples" (left
            out of account where a weight of 2 stands for two rows); "classes",
            "counts" (sums of weights) and "means" (n_classes, n_features);
            "scatters" (n_classes, n_features, n_features), "within" (their sum) and
            "variances" (n_classes, n_features), divided by the counts.
        """
        return self.to_arrays()

    def merge(self, other: Self) -> Self:
        """Return the summary of both sets of rows; neither argument changes."""
        merged = self.empty(**self.config)
        merged.absorb(self)
        merged.absorb(other)
        return merged

    def update(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Add one batch in place and return self."""
        self.absorb(self.from_batch(X, y, sample_weight, **self.config))
        return self

    def covers(self, other: Statistic) -> bool:
        """Whether everything that `other` would know can be read from this one."""
        return type(self) is type(other) and self.config == other.config

    def __repr__(self) -> str:
        config = ", ".join(f"{key}={value!r}" for key, value in self.config.items())
        return f"<{type(self).__name__}({config}) of {self.n_samples} samples>"
