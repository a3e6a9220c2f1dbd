"""Hidden layers of scikit-learn's own neural networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import validate_data

from sklearn_transrate.extractors._base import FeatureExtractor, model_attribute
from sklearn_transrate.extractors._batching import is_stream

__all__ = ["MLPExtractor"]


class MLPExtractor(FeatureExtractor):
    """Hidden layers of a fitted MLPClassifier or MLPRegressor.

    All layers of a batch come from one forward pass, which ends at the deepest layer
    that is asked for. Values are those that the network itself computes.

    Parameters
    ----------
    model : MLPClassifier, MLPRegressor, or Pipeline that ends in one
        Fitted on the source task. The earlier steps of a pipeline transform `X`
        first. It is shared, never copied or changed.
    layers : str, int, or list of these, default="all"
        Layers to extract: "hidden_1", "hidden_2", ... after their activation, and
        "output". "all" means the hidden layers, "last" the last of them; "output"
        comes only by its name, its index or a glob.
    batch_size : int or "auto", default="auto"
        Rows per batch. "auto" fits 16 MiB of inputs, and at most 4096 rows.

    Attributes
    ----------
    layers_ : list of str
        All layers, "output" last. Known before `fit`.
    selected_layers_ : list of str
        Those that `layers` chooses.
    n_features_in_ : int
        Width of the `X` that `fit` saw.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Column names of that `X`, where it had any.

    Raises
    ------
    TypeError
        By `fit` and `transform`, if `model` is nothing of the above.
    NotFittedError
        By `fit` and `transform`, if `model` is not fitted.

    See Also
    --------
    PrecomputedFeatures : Features that were computed before.

    Notes
    -----
    The layer "output" is what the network predicts: probabilities in the order of
    ``model.classes_`` for a classifier, with two columns for two classes, so that
    LEEP and NCE can read it; predicted values for a regressor. Cost: that of
    ``model.predict``, up to the deepest layer.

    Examples
    --------
    >>> import warnings
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.neural_network import MLPClassifier
    >>> from sklearn_transrate.extractors import MLPExtractor
    >>> X, y = load_digits(return_X_y=True)
    >>> mlp = MLPClassifier((32, 16), max_iter=5, random_state=0)
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     _ = mlp.fit(X[y < 5], y[y < 5])
    >>> extractor = MLPExtractor(mlp, layers="last").fit(X)
    >>> extractor.layers_, extractor.transform(X[y >= 5]).shape
    (['hidden_1', 'hidden_2', 'output'], (896, 16))
    >>> features, _ = next(extractor.iter_features(X, layers="all", batch_size=100))
    >>> {layer: rows.shape for layer, rows in features.items()}
    {'hidden_1': (100, 32), 'hidden_2': (100, 16)}
    """

    def __init__(self, model, layers="all", batch_size="auto"):
        self.model = model
        self.layers = layers
        self.batch_size = batch_size

    @model_attribute
    def layers_(self) -> list[str]:
        """Names of all layers, in forward order."""
        n_hidden = len(_network_of(self.model).coefs_) - 1
        return [f"hidden_{i}" for i in range(1, n_hidden + 1)] + ["output"]

    def _feature_layers(self) -> list[str]:
        return self.layers_[:-1]

    def _layer_widths(self, layers: Sequence[str]) -> dict[str, int]:
        network = _network_of(self.model)
        widths = [coefs.shape[1] for coefs in network.coefs_]
        if _is_binary(network):
            widths[-1] = 2
        return dict(zip(self.layers_, widths, strict=True))

    def _check_input(self, X: Any, layers: Sequence[str], *, reset: bool) -> None:
        network = _network_of(self.model)
        super()._check_input(X, layers, reset=reset)
        # A pipeline's first step knows better what it takes: texts, frames, NaN.
        if reset and network is self.model and not is_stream(X):
            validate_data(self, X, accept_sparse=("csr", "csc"))
            validate_data(network, X, reset=False, skip_check_array=True)

    def _forward(self, X_batch: Any, layers: Sequence[str]) -> Mapping[str, np.ndarray]:
        network = _network_of(self.model)
        if network is not self.model:
            X_batch = _transform_by_steps(self.model, X_batch)
        X_batch = validate_data(
            network, X_batch, accept_sparse=("csr", "csc"), reset=False
        )
        found: dict[str, np.ndarray] = {}
        for layer, activation in zip(self.layers_, _run(network, X_batch), strict=True):
            if layer in layers:
                found[layer] = activation
            if len(found) == len(layers):
                break
        return found

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64"]
        if isinstance(self.model, Pipeline):
            tags.input_tags = get_tags(self.model).input_tags
        else:
            tags.no_validation = False
            tags.input_tags.sparse = True
        return tags


def _network_of(model: Any) -> MLPClassifier | MLPRegressor:
    network = model
    while isinstance(network, Pipeline):
        network = network.steps[-1][1]
    if not isinstance(network, MLPClassifier | MLPRegressor):
        raise TypeError(
            "MLPExtractor expected a fitted MLPClassifier or MLPRegressor, or a "
            f"Pipeline that ends in one, got {type(network).__name__}. Of a search, "
            "pass best_estimator_."
        )
    if not hasattr(network, "coefs_"):
        raise NotFittedError(
            "MLPExtractor reads the weights of a fitted model, but this "
            f"{type(network).__name__} is not fitted. Fit it on the source task first."
        )
    return network


def _transform_by_steps(pipeline: Pipeline, X: Any) -> Any:
    """Apply all steps before the network, also of a pipeline that ends in another."""
    if isinstance(X, np.ndarray):
        # Steps with copy=False write to what they get; from this they cannot.
        X = X.view()
        X.flags.writeable = False
    while isinstance(pipeline, Pipeline):
        if len(pipeline.steps) > 1:
            X = pipeline[:-1].transform(X)
        pipeline = pipeline.steps[-1][1]
    return X


def _is_binary(network: MLPClassifier | MLPRegressor) -> bool:
    return isinstance(network, MLPClassifier) and network.n_outputs_ == 1


def _run(network: MLPClassifier | MLPRegressor, X: Any) -> Iterator[np.ndarray]:
    """Yield the activation of each layer, each computed when it is asked for."""
    depth = len(network.coefs_)
    for i in range(depth):
        X = X @ network.coefs_[i]
        X += network.intercepts_[i]
        name = network.activation if i < depth - 1 else network.out_activation_
        X = _ACTIVATIONS[name](X)
        if i == depth - 1 and _is_binary(network):
            X = np.concatenate([1 - X, X], axis=1)
        yield X


def _relu(values: np.ndarray) -> np.ndarray:
    return np.maximum(values, 0, out=values)


def _softmax(values: np.ndarray) -> np.ndarray:
    values -= values.max(axis=1, keepdims=True)
    np.exp(values, out=values)
    values /= values.sum(axis=1, keepdims=True)
    return values


# All in place: each layer's values are a fresh array.
_ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "identity": lambda values: values,
    "logistic": lambda values: expit(values, out=values),
    "tanh": lambda values: np.tanh(values, out=values),
    "relu": _relu,
    "softmax": _softmax,
    "exp": lambda values: np.exp(values, out=values),
}
