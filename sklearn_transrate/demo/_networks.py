"""The networks that the demonstration pretrains."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from sklearn_transrate.datasets import SourceTask, digits_source_names

__all__ = ["MODELS", "NetworkSpec", "network_specs", "pretrain_network"]

# One width for all layers, so that a later layer is not a smaller one as well.
STANDARD = (96, 96, 96)
MODELS = {
    "narrow": (24, 24, 24),
    "wide": (192, 192, 192),
    "shallow": (96,),
    "deep": (96, 96, 96, 96, 96),
    "funnel": (128, 64, 32),
}
UNTRAINED = "untrained"


class NetworkSpec(NamedTuple):
    """What to pretrain, and on what.

    Parameters
    ----------
    name : str
        Its name as a candidate.
    source : str
        Name of its source task.
    hidden_layer_sizes : tuple of int
        Width of each hidden layer.
    is_trained : bool
        Whether it learns at all, or keeps its random weights.
    """

    name: str
    source: str
    hidden_layer_sizes: tuple[int, ...]
    is_trained: bool = True


def network_specs(
    sources: Sequence[str] | None = None, models: Sequence[str] | None = None
) -> list[NetworkSpec]:
    """One network of a standard shape for each source, and other shapes on the first.

    Parameters
    ----------
    sources : sequence of str, default=None
        Some of `digits_source_names`; None takes all.
    models : sequence of str, default=None
        Some of "narrow", "wide", "shallow", "deep" and "funnel"; None takes all.

    Returns
    -------
    specs : list of NetworkSpec
        With one that stays untrained behind the sources.

    Examples
    --------
    >>> from sklearn_transrate.demo import network_specs
    >>> for spec in network_specs(["digits", "turns"], ["deep"]):
    ...     print(spec.name, spec.hidden_layer_sizes)
    digits (96, 96, 96)
    turns (96, 96, 96)
    untrained (96, 96, 96)
    digits (deep) (96, 96, 96, 96, 96)
    """
    sources = digits_source_names() if sources is None else list(sources)
    models = list(MODELS if models is None else models)
    if not sources:
        raise ValueError(
            f"Expected at least one source, got none. Some of {digits_source_names()}."
        )
    unknown = [model for model in models if model not in MODELS]
    if unknown:
        raise ValueError(f"Expected 'models' among {list(MODELS)}, got {unknown}.")
    first = sources[0]
    return [
        *(NetworkSpec(source, source, STANDARD) for source in sources),
        NetworkSpec(UNTRAINED, first, STANDARD, is_trained=False),
        *(NetworkSpec(f"{first} ({name})", first, MODELS[name]) for name in models),
    ]


def pretrain_network(
    spec: NetworkSpec, task: SourceTask, *, n_epochs: int = 25, random_state=None
) -> MLPClassifier:
    """Train a network on its source task.

    Parameters
    ----------
    spec : NetworkSpec
        What to train.
    task : SourceTask
        What to train it on.
    n_epochs : int, default=25
        Passes over the samples, the same for all.
    random_state : int, RandomState instance or None, default=None
        Draws the first weights and the order of the samples.

    Returns
    -------
    network : MLPClassifier
        Fitted.
    """
    if not spec.is_trained:
        # Weights are drawn when fitting begins; steps this small leave them as drawn.
        network = MLPClassifier(
            spec.hidden_layer_sizes,
            solver="sgd",
            momentum=0.0,
            learning_rate_init=np.finfo(np.float64).tiny,
            random_state=random_state,
        )
        return network.partial_fit(task.X, task.y, classes=np.unique(task.y))
    network = MLPClassifier(
        spec.hidden_layer_sizes, max_iter=n_epochs, random_state=random_state
    )
    with warnings.catch_warnings():
        # A fixed number of epochs is the plan, not an accident.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # Exact for these images, and twice as fast.
        return network.fit(task.X.astype(np.float32), task.y)
