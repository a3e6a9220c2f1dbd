"""The candidates of a selection: their names, copies and fingerprints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import joblib
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import FunctionTransformer

__all__ = ["Source", "check_extractors", "fingerprint", "make_sources"]

SPECIAL = ("passthrough", "drop")


@dataclass(frozen=True)
class Source:
    """A named feature extractor, of which each layer is a candidate.

    Attributes
    ----------
    name : str
        Name that the user gave.
    extractor : transformer
        A copy that may be fitted; the user's own object if it is pretrained.
    """

    name: str
    extractor: Any

    @property
    def is_layered(self) -> bool:
        """Whether it offers layers, all from one pass."""
        return hasattr(self.extractor, "iter_features")

    @property
    def is_pretrained(self) -> bool:
        """Whether fitting learns nothing, so that it may be shared and never copied."""
        return self.is_layered or clone(self.extractor) is self.extractor

    def candidate(self, layer: str | None) -> str:
        """Name of the candidate that this layer is."""
        return self.name if layer is None else f"{self.name} / {layer}"


def check_extractors(extractors: Any) -> None:
    """Raise if this is no list of (name, transformer) pairs."""
    if not isinstance(extractors, Sequence) or isinstance(extractors, str):
        raise TypeError(
            "Expected 'extractors' to be a list of (name, transformer) pairs, got "
            f"{type(extractors).__name__}."
        )
    if len(extractors) == 0:
        raise ValueError(
            "Expected at least one (name, transformer) pair in 'extractors', got none."
        )
    for item in extractors:
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise ValueError(
                "Expected (name, transformer) pairs in 'extractors', got "
                f"{item!r}. For example: [('raw', 'passthrough'), ('pca', PCA(8))]."
            )
        _check_extractor(*item)
    if all(isinstance(t, str) and t == "drop" for _, t in extractors):
        raise ValueError("Expected at least one candidate that is not 'drop'.")


def _check_extractor(name: Any, extractor: Any) -> None:
    if not isinstance(name, str):
        raise TypeError(
            f"Expected the name of a candidate to be a string, got {name!r}."
        )
    if isinstance(extractor, str):
        if extractor not in SPECIAL:
            raise ValueError(
                f"Expected candidate {name!r} to be a transformer or one of {SPECIAL}, "
                f"got {extractor!r}."
            )
        return
    if isinstance(extractor, type):
        raise TypeError(
            f"Expected candidate {name!r} to be an instance, got the class "
            f"{extractor.__name__}. Pass {extractor.__name__}()."
        )
    fits = hasattr(extractor, "fit") or hasattr(extractor, "fit_transform")
    if not fits or not hasattr(extractor, "transform"):
        raise TypeError(
            f"Expected candidate {name!r} to have 'fit' and 'transform', got "
            f"{extractor!r}. Wrap a function in sklearn's FunctionTransformer, and "
            "features that you already have in PrecomputedFeatures."
        )


def make_sources(extractors: Sequence[tuple[str, Any]]) -> list[Source]:
    """Copy what may learn, keep what is pretrained, and leave out what is dropped."""
    sources = []
    for name, extractor in extractors:
        if isinstance(extractor, str):
            if extractor == "drop":
                continue
            extractor = FunctionTransformer(feature_names_out="one-to-one")
        sources.append(Source(name, clone(extractor)))
    return sources


def fingerprint(extractor: Any) -> str:
    """Return a hash of what an extractor would compute.

    Extractors whose parameters do not hash to the same value twice, such as modules
    of other frameworks, say what identifies them in a `fingerprint` method.
    """
    if isinstance(extractor, FrozenEstimator):
        extractor = extractor.estimator
    if hasattr(extractor, "fingerprint"):
        return str(extractor.fingerprint())
    kind = type(extractor)
    return joblib.hash((kind.__module__, kind.__qualname__, vars(extractor)))
