"""Which features a fitted estimator is scored by: what enters its last predictor."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.feature_selection import SelectorMixin
from sklearn.frozen import FrozenEstimator

from sklearn_transrate._lib.text import nearest_names

__all__ = ["as_matrix", "take_features"]


def take_features(
    estimator: Any,
    X: Any,
    features: str | int | Callable = "auto",
    layer: str | int | None = None,
) -> Any:
    """Compute the features that a fitted estimator is scored by.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    X : array-like
        Its input.
    features : {"auto", "input", "transform"}, str, int or callable, default="auto"
        As in `TransferScorer`.
    layer : str or int, default=None
        As in `TransferScorer`.

    Returns
    -------
    features : array-like, frame or sparse matrix
        As the last transformer made them.
    """
    if layer is not None and (features == "input" or callable(features)):
        raise ValueError(
            f"Expected 'layer' to be None with features={features!r}, got {layer!r}: "
            "no transformer of the estimator makes these features. Choose the layer "
            "where they are made."
        )
    if callable(features):
        return features(estimator, X)
    if features == "input":
        return X
    if features == "transform":
        chain = [estimator]
    elif features == "auto":
        chain = _before_last_predictor(estimator)
    elif isinstance(features, str):
        chain = _up_to_step(estimator, *_parse(features))
    elif isinstance(features, Integral) and not isinstance(features, bool):
        chain = _up_to_step(estimator, int(features))
    else:
        raise TypeError(
            "Expected 'features' to be 'auto', 'input', 'transform', the name or "
            "position of a pipeline step, or a callable (estimator, X) -> features, "
            f"got {features!r} of type {type(features).__name__}."
        )
    if layer is not None:
        chain = _at_layer(chain, layer)
    return _run(chain, X)


def as_matrix(features: Any, *, accept_sparse: bool = False) -> Any:
    """Return features as two-dimensional and, if need be, dense."""
    if sparse.issparse(features):
        return features if accept_sparse else features.toarray()
    shape = features.shape if hasattr(features, "shape") else np.shape(features)
    if len(shape) == 1:
        return np.asarray(features).reshape(-1, 1)
    return features


# -- finding the transformers --------------------------------------------------


def _unwrapped(estimator: Any) -> Any:
    """Return what a frozen estimator or a finished search holds."""
    while True:
        if isinstance(estimator, FrozenEstimator):
            estimator = estimator.estimator
        # A selector of layers (with 'best_layer_') is a transformer in its own right.
        elif hasattr(estimator, "best_estimator_") and not hasattr(
            estimator, "best_layer_"
        ):
            estimator = estimator.best_estimator_
        else:
            return estimator


def _changes_rows_only(step: Any) -> bool:
    """Whether a step leaves features alone: samplers act on training data only."""
    if step is None or isinstance(step, str):
        return True
    return hasattr(step, "fit_resample") and not hasattr(step, "transform")


def _before_last_predictor(estimator: Any) -> list:
    """Return the transformers between the input and the last predictor."""
    estimator = _unwrapped(estimator)
    if hasattr(estimator, "steps"):
        # Not estimator[:-1].transform: a pipeline that ends in a stateless step
        # passes for unfitted.
        steps = [step for _, step in estimator.steps if not _changes_rows_only(step)]
        return steps[:-1] + _before_last_predictor(steps[-1]) if steps else []
    # Recursive elimination holds its predictor, and hands it what it selects.
    if hasattr(estimator, "predict") and not isinstance(estimator, SelectorMixin):
        return []
    if hasattr(estimator, "transform"):
        return [estimator]
    raise TypeError(
        f"Expected an estimator with 'transform' or 'predict', got {estimator!r}. "
        "Say where the features come from: features='input', or a callable "
        "(estimator, X) -> features."
    )


def _parse(key: str) -> tuple[str, str]:
    """Split "outer__inner" into the step of a pipeline and the rest."""
    head, _, rest = key.partition("__")
    return head, rest


def _up_to_step(estimator: Any, key: str | int, rest: str = "") -> list:
    """Return the transformers up to a step and with it."""
    pipeline = _unwrapped(estimator)
    if not hasattr(pipeline, "steps"):
        raise ValueError(
            f"'features' names the pipeline step {key!r}, but the estimator is a "
            f"{type(pipeline).__name__}. Use features='auto' or 'transform'."
        )
    names = [name for name, _ in pipeline.steps]
    position = key if isinstance(key, int) else _position(key, names)
    if not -len(names) <= position < len(names):
        raise ValueError(
            f"Expected 'features' to be the position of one of {len(names)} steps, "
            f"got {position}. The steps are {names}."
        )
    chosen = range(len(names))[position]
    steps = [step for _, step in pipeline.steps[: chosen + 1]]
    chain = [step for step in steps if not _changes_rows_only(step)]
    if rest:
        return chain[:-1] + _up_to_step(steps[-1], *_parse(rest))
    return chain


def _position(key: str, names: list[str]) -> int:
    if key not in names:
        raise ValueError(
            f"'features' names the step {key!r}, which the pipeline does not have; "
            f"{nearest_names(key, names)}. Or pass 'auto', 'input' or 'transform'."
        )
    return names.index(key)


def _at_layer(chain: list, layer: str | int) -> list:
    """Return the transformers with the last one at one of its layers."""
    last = _unwrapped(chain[-1]) if chain else None
    if hasattr(last, "with_layer"):
        return [*chain[:-1], last.with_layer(layer)]
    if hasattr(last, "steps"):
        steps = [step for _, step in last.steps if not _changes_rows_only(step)]
        return chain[:-1] + _at_layer(steps, layer)
    subject = "the input itself is" if last is None else f"they come from {last!r},"
    raise TypeError(
        f"Expected features of an extractor with layers for layer={layer!r}, but "
        f"{subject} without. Leave 'layer' out, or name the extractor's step in "
        "'features'."
    )


def _run(chain: list, X: Any) -> Any:
    for transformer in chain:
        if not hasattr(transformer, "transform"):
            raise TypeError(
                f"Expected a transformer to take features from, got {transformer!r}, "
                "which has no 'transform'. Use features='auto' for what enters it."
            )
        X = transformer.transform(X)
    return X
