"""The contract of every extractor: inputs in, features per layer out, in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial, wraps
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import validate_data

from sklearn_transrate.extractors._batching import (
    count_rows,
    is_stream,
    iter_batches,
    stack_batches,
    take_rows,
)
from sklearn_transrate.extractors._layers import select_layers
from sklearn_transrate.extractors._pooling import pool

__all__ = ["FeatureExtractor", "model_attribute"]


def model_attribute(method: Callable) -> property:
    """Make a property whose failure reads as an attribute that is not there.

    Notebooks and ``dir`` ask an estimator for everything it has; a parameter that
    does not fit the model must not break them. `fit` and `transform` still raise
    the error itself.

    Parameters
    ----------
    method : callable
        Computes the attribute from the extractor, such as its ``layers_``.

    Returns
    -------
    attribute : property
        Raises AttributeError, with the same message, where `method` raises an
        ImportError, OSError, TypeError or ValueError.

    See Also
    --------
    FeatureExtractor : The base class that reads ``layers_``.

    Examples
    --------
    >>> from sklearn_transrate.extractors import model_attribute
    >>> class Model:
    ...     @model_attribute
    ...     def layers_(self):
    ...         raise FileNotFoundError("model.onnx")
    >>> hasattr(Model(), "layers_")
    False
    """

    @wraps(method)
    def read(self):
        try:
            return method(self)
        except AttributeError:
            raise
        except (ImportError, OSError, TypeError, ValueError) as error:
            raise AttributeError(str(error)) from error

    return property(read)


class FeatureExtractor(TransformerMixin, BaseEstimator):
    """Base class of extractors: a pretrained model as a transformer with layers.

    A subclass says which layers there are and runs the model on one batch; batches,
    the choice of layers, pooling, feature names, cloning and scikit-learn's
    conventions come from here. Extractors learn nothing: `fit` checks the input and
    runs one row, and `transform` also works before it.

    A subclass must have the parameters `layers` and `batch_size`, and

    - ``layers_``, the names of all layers in forward order: an attribute, or a
      property made by `model_attribute`;
    - ``_forward(X_batch, layers)``, which returns a mapping from these names to
      arrays of shape (b, ...), from one run of the model. It must not write to
      `X_batch`, which may be a view of the caller's data.

    It may also define

    - ``_feature_layers()``: the layers among which "all" and "last" choose, where
      others are output heads;
    - ``_session(layers)``: a context manager around one pass that gives a function
      from `X_batch` to activations, to open files or register hooks only once;
    - ``_pool(layer, activation)``: by default `pool` by the rule in the parameter
      `pooling`, or "auto";
    - ``_layer_widths(layers)``: features per layer, where known without a run;
    - ``_check_input(X, layers, reset)``: what `X` must be.

    Attributes
    ----------
    layers_ : list of str
        All layers that the model offers, in forward order.
    selected_layers_ : list of str
        Those that the parameter `layers` chooses, in the order of `transform`.
    n_features_in_ : int
        Width of the `X` that `fit` saw, only where that was two-dimensional.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Column names of that `X`, where it had any.

    See Also
    --------
    MLPExtractor : Layers of scikit-learn's own neural networks.
    PrecomputedFeatures : Features that were computed before.

    Notes
    -----
    `clone` builds a new extractor around the *same* objects for the parameters named
    in the class attribute ``_shared_params``: weights are never copied, so fitted
    models stay fitted. The parameters of a shared model are not offered as
    ``model__...``, because setting them would change it for everybody.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_transrate.extractors import FeatureExtractor
    >>> class Moments(FeatureExtractor):
    ...     layers_ = ["mean", "spread"]
    ...
    ...     def __init__(self, layers="all", batch_size="auto"):
    ...         self.layers = layers
    ...         self.batch_size = batch_size
    ...
    ...     def _forward(self, X_batch, layers):
    ...         images = np.asarray(X_batch)
    ...         return {"mean": images.mean(axis=1), "spread": images.std(axis=1)}
    >>> images = np.arange(24.0).reshape(2, 3, 4)
    >>> Moments(layers="last").fit_transform(images).round(2)
    array([[3.27, 3.27, 3.27, 3.27],
           [3.27, 3.27, 3.27, 3.27]])
    >>> for features, y in Moments(batch_size=1).iter_features(images, ["a", "b"]):
    ...     print(features["mean"], y)
    [[4. 5. 6. 7.]] ['a']
    [[16. 17. 18. 19.]] ['b']
    """

    _shared_params: tuple[str, ...] = ("model",)

    # -- for subclasses --------------------------------------------------------

    def _forward(self, X_batch: Any, layers: Sequence[str]) -> Mapping[str, Any]:
        raise NotImplementedError(f"{type(self).__name__} must define '_forward'.")

    def _feature_layers(self) -> Sequence[str]:
        return self.layers_

    def _session(self, layers: Sequence[str]) -> AbstractContextManager[Callable]:
        return nullcontext(partial(self._forward, layers=layers))

    def _pool(self, layer: str, activation: Any) -> np.ndarray:
        return pool(activation, getattr(self, "pooling", "auto"))

    def _layer_widths(self, layers: Sequence[str]) -> Mapping[str, int] | None:
        return None

    def _check_input(self, X: Any, layers: Sequence[str], *, reset: bool) -> None:
        """Check what can be checked before the first batch.

        The width and the column names of two-dimensional inputs are kept by `fit`
        and compared later.
        """
        if reset:
            for name in ("n_features_in_", "feature_names_in_"):
                vars(self).pop(name, None)
        is_table = len(getattr(X, "shape", ())) == 2
        if is_table and (reset or hasattr(self, "n_features_in_")):
            validate_data(self, X, reset=reset, skip_check_array=True)

    # -- layers ----------------------------------------------------------------

    @model_attribute
    def selected_layers_(self) -> list[str]:
        """Names of the layers that the parameter `layers` chooses."""
        return self._select(self.layers)

    def with_layer(self, layer: str | int) -> Self:
        """Return an extractor of one layer that shares the model with this one.

        Parameters
        ----------
        layer : str or int
            A name from `layers_`, or what `layers` accepts for a single layer.

        Returns
        -------
        extractor : FeatureExtractor
            Of the same class, as fitted as this one, with ``layers=[name]``.
        """
        names = self._select(layer)
        if len(names) != 1:
            raise ValueError(f"Expected one layer, but {layer!r} chooses {names}.")
        restricted = clone(self).set_params(layers=names)
        for name, value in vars(self).items():
            vars(restricted).setdefault(name, value)
        return restricted

    def _select(self, selector: Any) -> list[str]:
        try:
            return select_layers(selector, self.layers_, self._feature_layers())
        except AttributeError as error:
            # What `model_attribute` hides from dir() is what a caller must know.
            raise (error.__cause__ or error) from None

    # -- the transformer -------------------------------------------------------

    def fit(self, X, y=None) -> Self:
        """Check the inputs and the choice of layers; nothing is learned.

        Parameters
        ----------
        X : array-like, list, or stream of batches
            Inputs as the model takes them, one row per sample. The model runs on the
            first row, to fail early and to learn the widths of its layers; the
            batches of a stream are left alone.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : FeatureExtractor
        """
        names = self._select(self.layers)
        self._check_input(X, names, reset=True)
        self._widths = {}
        if not is_stream(X):
            self._try_one_row(X, names)
        return self

    def transform(self, X) -> np.ndarray:
        """Return the features of the chosen layers, side by side.

        Parameters
        ----------
        X : array-like, list, or stream of batches
            Inputs as the model takes them, one row per sample.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features_out)
            Layers in the order of `selected_layers_`, from one pass over `X`, of the
            type that the model computes in.
        """
        batches = self.iter_features(X)
        rows = (np.concatenate(list(f.values()), axis=1) for f, _ in batches)
        return stack_batches(rows, None if is_stream(X) else count_rows(X))

    def iter_features(
        self, X, y=None, *, layers=None, batch_size=None
    ) -> Iterator[tuple[dict[str, np.ndarray], Any]]:
        """Yield the features of several layers batch by batch, in one pass.

        Parameters
        ----------
        X : array-like, list, or stream of batches
            Inputs as the model takes them, one row per sample; or an iterable of
            pairs ``(X_batch, y_batch)``, such as a data loader.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Labels that travel with the rows.
        layers : str, int, or list of these, default=None
            The choice of layers; None takes that of the extractor.
        batch_size : int or "auto", default=None
            Rows per batch; None takes that of the extractor.

        Yields
        ------
        features : dict of {layer: ndarray of shape (b, n_features)}
            All from one forward pass over the batch. Nothing larger is held.
        y_batch : ndarray, list or None
            Labels of these rows.

        Raises
        ------
        LayerNotFoundError
            If a chosen layer does not exist.
        ValueError
            If `X` and `y` differ in length, or `X` is not what the model takes. Like
            the above, raised by the call itself, not by the first batch.
        """
        names = self._select(self.layers if layers is None else layers)
        self._check_input(X, names, reset=False)
        size = self.batch_size if batch_size is None else batch_size
        batches = iter_batches(X, y, self._resolve_batch_size(size, names))
        return self._run(batches, names, countable=not is_stream(X))

    def _resolve_batch_size(self, batch_size: Any, layers: Sequence[str]) -> Any:
        """Return the batch size, or "auto" to leave it to the size of the inputs."""
        return batch_size

    def _run(self, batches: Iterator, layers: list[str], countable: bool) -> Iterator:
        with self._session(layers) as forward:
            for X_batch, y_batch in batches:
                features = self._features(forward(X_batch), layers)
                labelled = y_batch if y_batch is not None else X_batch
                if countable or y_batch is not None:
                    self._check_rows(features, count_rows(labelled))
                self._note_widths(features)
                yield features, y_batch

    def _features(self, activations: Mapping, layers: list[str]) -> dict:
        missing = [layer for layer in layers if layer not in activations]
        if missing:
            raise RuntimeError(
                f"{type(self).__name__}._forward returned {list(activations)}, but was "
                f"asked for {layers}: {missing} are missing."
            )
        return {layer: self._pool(layer, activations[layer]) for layer in layers}

    def _check_rows(self, features: Mapping[str, np.ndarray], n_rows: int) -> None:
        for layer, rows in features.items():
            if len(rows) != n_rows:
                raise ValueError(
                    f"Layer {layer!r} gave {len(rows)} rows for {n_rows} samples. "
                    "Choose a layer that keeps one row per sample."
                )

    def _note_widths(self, features: Mapping[str, np.ndarray]) -> None:
        widths = {layer: rows.shape[1] for layer, rows in features.items()}
        known = vars(self).get("_widths", {})
        if known | widths != known:  # Never so after fit: it changes nothing then.
            self._widths = known | widths

    def _try_one_row(self, X: Any, layers: list[str]) -> None:
        if count_rows(X) == 0:
            raise ValueError("Expected at least one row in X, got none.")
        for _ in self.iter_features(take_rows(X, 0, 1), layers=layers):
            pass

    # -- scikit-learn ----------------------------------------------------------

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Return names for the columns of `transform`, such as "layer3_0".

        Parameters
        ----------
        input_features : array-like of str, default=None
            Only compared with what `fit` saw.

        Returns
        -------
        names : ndarray of str of shape (n_features_out,)
            The layer's name, and the number of the feature in it.

        Raises
        ------
        NotFittedError
            If the widths of the layers are not known yet.
        """
        self._check_input_features(input_features)
        names = self._select(self.layers)
        widths = self._layer_widths(names) or vars(self).get("_widths", {})
        unknown = [layer for layer in names if layer not in widths]
        if unknown:
            raise NotFittedError(
                f"The number of features of {unknown} is not known yet. Call fit with "
                "an array or a list (it leaves the batches of a stream alone), or "
                "transform."
            )
        return np.asarray(
            [f"{layer}_{i}" for layer in names for i in range(widths[layer])],
            dtype=object,
        )

    def _check_input_features(self, input_features: Any) -> None:
        if input_features is None or not hasattr(self, "n_features_in_"):
            return
        if len(input_features) != self.n_features_in_:
            raise ValueError(
                "input_features should have length equal to number of features "
                f"({self.n_features_in_}), got {len(input_features)}."
            )
        seen = getattr(self, "feature_names_in_", None)
        if seen is not None and list(seen) != list(input_features):
            raise ValueError("input_features is not equal to feature_names_in_.")

    def get_params(self, deep=True) -> dict[str, Any]:
        """Return the parameters; those of a shared model are not among them.

        Parameters
        ----------
        deep : bool, default=True
            Also return the parameters of parameters that are estimators.

        Returns
        -------
        params : dict
        """
        params = super().get_params(deep=deep)
        return {name: value for name, value in params.items() if not self._inner(name)}

    def set_params(self, **params) -> Self:
        """Set parameters; those of a shared model are refused.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        self : FeatureExtractor
        """
        for name in filter(self._inner, params):
            raise ValueError(
                f"Parameter {name!r} belongs to a model that is shared by all copies "
                "of this extractor. Change a copy of the model, and pass that."
            )
        return super().set_params(**params)

    def _inner(self, name: str) -> bool:
        owner, nested, _ = name.partition("__")
        return bool(nested) and owner in self._shared_params

    def __sklearn_clone__(self) -> Self:
        # A shell without the shared objects is cloned as scikit-learn does it.
        names = [name for name in self._shared_params if hasattr(self, name)]
        shell = object.__new__(type(self))
        vars(shell).update(vars(self) | dict.fromkeys(names))
        copy = BaseEstimator.__sklearn_clone__(shell)
        vars(copy).update({name: getattr(self, name) for name in names})
        return copy

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.no_validation = True
        tags.transformer_tags.preserves_dtype = []
        return tags
