"""Layers of any torch module, all from one forward pass. Needs torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain
from typing import Any, Self

import joblib
import numpy as np

from sklearn_transrate._lib.optional import import_optional
from sklearn_transrate.exceptions import LayerNotFoundError
from sklearn_transrate.extractors._base import FeatureExtractor, model_attribute
from sklearn_transrate.extractors._batching import (
    count_rows,
    is_stream,
    iter_batches,
    take_rows,
)
from sklearn_transrate.extractors._pooling import resolve_pooling
from sklearn_transrate.extractors._torch_hooks import Point, Trace, capture, trace
from sklearn_transrate.extractors._torch_inputs import (
    Inputs,
    as_tensors,
    first_rows,
    repeat_rows,
    rows_or_batches,
)
from sklearn_transrate.extractors._torch_memory import Halving
from sklearn_transrate.extractors._torch_modules import (
    block_names,
    evaluating,
    float_type,
    function_digest,
    mixed_type,
    module_digest,
    named_layers,
    on_device,
    unwrap,
    where_is,
)
from sklearn_transrate.extractors._torch_tensors import (
    first_tensor,
    map_tensors,
    pool_tensor,
)

__all__ = ["TorchExtractor"]

# Few sizes inside models are three, so a layer with three rows has one per sample.
_ROWS_OF_A_TRACE = 3
_MASK = "attention_mask"


class TorchExtractor(FeatureExtractor):
    """Layers of any torch module, all from one forward pass.

    Hooks read the layers while the model runs, and pool them at once, where they lie:
    no more than the features of a batch is kept. The pass ends at the last layer that
    is asked for. The model is in evaluation mode without gradients meanwhile, and left
    as it was found: its training flags, hooks and device, also after an error.

    Parameters
    ----------
    module : torch.nn.Module
        The pretrained model. It is shared, never copied. Of a compiled or data
        parallel one, the module inside is used.
    layers : str, int, or list of these, default="all"
        Layers to extract: paths of modules as ``named_modules`` gives them, an index,
        or a glob; "output" for what the model returns, and "proba" for its softmax.
        "all" means every layer that gives values of its own, without output heads;
        "last" the last of them; "blocks" the outputs of its blocks, such as
        "layer2.0" or "encoder.layers.3".
    pooling : {"auto", "mean", "max", "cls", "last_token", "flatten"}, default="auto"
        How an activation becomes one vector per sample. "auto" is the mean over
        positions or tokens. Where a model is called with an ``attention_mask``,
        padding is left out.
    preprocess : callable, default=None
        Turns one sample into a tensor, as torchvision's transforms do, or into a dict
        of tensors. None stacks arrays and tensors, and turns images into floats
        between 0 and 1.
    batch_size : int or "auto", default=64
        Rows per forward pass. If the device runs out of memory, it is halved, with a
        warning.
    device : str or torch.device, default="auto"
        Where to run. "auto" is where the module is, or an accelerator if there is one
        and the module is on the CPU.
    dtype : {None, "auto", "float16", "bfloat16"} or torch.dtype, default=None
        Mixed precision: None computes as the weights are, "auto" in bfloat16 on
        devices that are made for it.

    Attributes
    ----------
    layers_ : list of str
        All layers. Before `fit`, all modules that could run; then those that gave a
        row of features per sample. The order is that of registration, parts before
        the whole, with "output" and "proba" at the end.
    selected_layers_ : list of str
        Those that `layers` chooses.
    pooling_ : dict of {layer: str}
        The rule that `pooling` came to, for each chosen layer. "flatten" where there
        was nothing to pool. Known after `fit`.
    n_features_in_ : int
        Width of the `X` that `fit` saw, only where that was two-dimensional.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Column names of that `X`, where it had any.

    Raises
    ------
    LayerNotFoundError
        If a chosen layer does not exist, did not run, or has no row per sample.
    MissingDependencyError
        If torch is not installed.
    TypeError
        If `module` is no module.

    See Also
    --------
    FeatureExtractor : What all extractors share.

    Notes
    -----
    `X` may be an array, a tensor, a frame, a list of arrays, PIL images or paths of
    images, a dict of arrays that the model takes by name, a torch ``Dataset`` with or
    without labels, or a stream of batches such as a ``DataLoader``.

    A head is a linear layer that makes the model's output of shape (b, k), with the
    softmax or sigmoid behind it. "proba" is the softmax of that output, for LEEP and
    NCE: two columns where the output has one. Where the model's last module makes
    probabilities already, "proba" takes them as they are. A name that the model uses
    itself gets an underscore at its end.

    A module that runs several times in a pass gives what it returned first. Features
    are float32, or float64 where the model is. Where a tensor has its features, on
    its second axis or its last, is learned in `fit` from the widths of the modules
    around it; three axes are otherwise read as tokens, and four as channels first.

    The first time that it sees data, the extractor runs the model on three rows to
    learn about its layers.

    Examples
    --------
    >>> import torch
    >>> from sklearn_transrate.extractors.torch import TorchExtractor
    >>> cnn = torch.nn.Sequential(
    ...     torch.nn.Conv2d(1, 8, 3), torch.nn.ReLU(),
    ...     torch.nn.Conv2d(8, 16, 3), torch.nn.ReLU(),
    ...     torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
    ...     torch.nn.Linear(16, 10),
    ... )
    >>> digits = torch.zeros(5, 1, 8, 8)
    >>> extractor = TorchExtractor(cnn, layers=["blocks", "proba"]).fit(digits)
    >>> features, _ = next(extractor.iter_features(digits))
    >>> {layer: rows.shape for layer, rows in features.items()}
    {'1': (5, 8), '5': (5, 16), 'proba': (5, 10)}
    >>> extractor.pooling_
    {'1': 'mean', '5': 'flatten', 'proba': 'flatten'}
    """

    _shared_params = ("module", "preprocess")

    def __init__(
        self,
        module,
        layers="all",
        pooling="auto",
        preprocess=None,
        batch_size=64,
        device="auto",
        dtype=None,
    ):
        self.module = module
        self.layers = layers
        self.pooling = pooling
        self.preprocess = preprocess
        self.batch_size = batch_size
        self.device = device
        self.dtype = dtype

    # -- for subclasses --------------------------------------------------------

    def _root(self) -> Any:
        """Return the model that runs."""
        torch = import_optional("torch", extra="torch", purpose="TorchExtractor")
        if not isinstance(self.module, torch.nn.Module):
            raise TypeError(
                "TorchExtractor expected a torch.nn.Module, got "
                f"{type(self.module).__name__}. Load the weights into a model first."
            )
        return unwrap(self.module)

    def _points(self, root: Any) -> dict[str, Point]:
        """Return where all layers can be read, in forward order."""
        points = {name: Point(part) for name, part in named_layers(root)}
        for name, pick in (("output", first_tensor), ("proba", self._proba)):
            while name in points:
                name += "_"
            points[name] = Point(root, pick)
        return points

    def _proba(self, output: Any) -> Any:
        """Return the probabilities of the classes in what a model returned."""
        import torch

        scores = first_tensor(output)
        if scores is None or scores.ndim != 2:
            return None
        scores = scores if scores.dtype == torch.float64 else scores.float()
        known = self._known()
        is_done = known is not None and known.ends_in_probabilities
        if scores.shape[1] == 1:
            scores = scores if is_done else scores.sigmoid()
            return torch.cat([1 - scores, scores], dim=1)
        return scores if is_done else scores.softmax(dim=1)

    def _rule(self) -> str:
        """Return how to pool."""
        return self.pooling

    def _tensors(self, root: Any, X_batch: Any) -> Any:
        """Turn a batch into tensors: one, or a mapping or tuple of them."""
        return as_tensors(X_batch, self.preprocess)

    def _token_mask(self, root: Any, kwargs: Mapping[str, Any]) -> np.ndarray | None:
        mask = kwargs.get(_MASK)
        if mask is None or mask.ndim != 2:
            return None
        return mask.cpu().numpy() != 0

    # -- layers ----------------------------------------------------------------

    @model_attribute
    def layers_(self) -> list[str]:
        """Names of all layers, in forward order."""
        names = list(self._points(self._root()))
        known = self._known()
        return names if known is None else [n for n in names if n in known.layers]

    @property
    def pooling_(self) -> dict[str, str]:
        """What was done to each chosen layer."""
        known = self._known()
        if known is None:
            raise AttributeError("'pooling_' is known after fit.")
        names = self.selected_layers_
        return {name: known.layers[name].pooling for name in names}

    def _feature_layers(self) -> list[str]:
        known = self._known()
        proba = list(self._points(self._root()))[-1]
        if known is None:
            return [n for n in self.layers_ if n != proba]
        own = [n for n, facts in known.layers.items() if facts.twin is None]
        own = [n for n in own if n != proba]
        features = [n for n in own if not known.layers[n].is_head]
        return features or own

    def _block_layers(self) -> list[str]:
        known = self._known()
        names = block_names(self._root())
        if known is None:
            return names
        usable = (n for n in names if n in known.layers)
        return [n for n in usable if not known.layers[n].is_head]

    def _select(self, selector: Any) -> list[str]:
        is_list = isinstance(selector, list | tuple | np.ndarray)
        items = list(selector) if is_list else [selector]
        chosen: list[Any] = []
        for item in items:
            # A word here, although many vision transformers call a module so, too:
            # its output is that of the last block.
            is_word = isinstance(item, str) and item == "blocks"
            chosen.extend(self._block_layers() if is_word else [item])
        known = self._known()
        for item in chosen if known is not None else ():
            if isinstance(item, str) and item in known.unusable:
                raise LayerNotFoundError(
                    f"Layer {item!r} gives no features: {known.unusable[item]}. See "
                    "extractor.layers_ for those that do."
                )
        if items and not chosen:
            raise LayerNotFoundError(
                "The model has no blocks for 'blocks' to choose. Name layers, or pass "
                "'all'."
            )
        return super()._select(chosen)

    # -- what a first pass tells -----------------------------------------------

    def _known(self) -> Trace | None:
        """Return what is known of this very model and pooling."""
        of, known = vars(self).get("_traced", (None, None))
        is_same = known is not None and of is getattr(self, self._shared_params[0])
        return known if is_same and known.pooling == self._rule() else None

    def _learn(self, X_batch: Any) -> None:
        """Run the model on a few rows, unless that has been done."""
        if self._known() is not None or first_rows(X_batch, 1) is None:
            return
        root = self._root()
        with on_device(root, self.device):
            inputs = self._inputs(root, first_rows(X_batch, _ROWS_OF_A_TRACE))
            inputs, n_rows = repeat_rows(inputs, _ROWS_OF_A_TRACE)
            points, call = (
                self._points(root),
                partial(root, *inputs.args, **inputs.kwargs),
            )
            with self._guarded(root, points):
                known = trace(call, points, root, n_rows, self._rule(), inputs.mask)
        self._traced = (getattr(self, self._shared_params[0]), known)

    def _try_one_row(self, X: Any, layers: list[str]) -> None:
        if count_rows(X) == 0:
            raise ValueError("Expected at least one row in X, got none.")
        self._learn(take_rows(X, 0, _ROWS_OF_A_TRACE))
        facts = self._known().layers
        self._widths = {n: facts[n].width for n in self._select(self.layers)}

    def fit(self, X, y=None) -> Self:
        """Check the inputs and learn which layers there are; no weight is changed.

        Parameters
        ----------
        X : array-like, list, mapping, torch Dataset, or stream of batches
            Inputs as the model takes them, one row per sample. The model runs on the
            first three rows; the batches of a stream are left alone.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : TorchExtractor
        """
        vars(self).pop("_traced", None)
        self._root()
        return super().fit(rows_or_batches(X, y, None), y)

    def iter_features(
        self, X, y=None, *, layers=None, batch_size=None
    ) -> Iterator[tuple[dict[str, np.ndarray], Any]]:
        """Yield the features of several layers batch by batch, in one pass.

        Parameters
        ----------
        X : array-like, list, mapping, torch Dataset, or stream of batches
            Inputs as the model takes them, one row per sample; or an iterable of
            pairs ``(X_batch, y_batch)``, such as a data loader.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Labels that travel with the rows. A dataset brings its own if None.
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
        """
        self._root()
        size = self.batch_size if batch_size is None else batch_size
        X = rows_or_batches(X, y, size)
        if self._known() is None:
            self._select(self.layers if layers is None else layers)  # Fails early.
            X = self._look_ahead(X)
        return super().iter_features(X, y, layers=layers, batch_size=batch_size)

    def _look_ahead(self, X: Any) -> Any:
        if not is_stream(X):
            self._learn(take_rows(X, 0, _ROWS_OF_A_TRACE))
            return X
        stream = iter(X)
        for first in stream:
            self._learn(next(iter_batches(iter([first])))[0])
            return chain([first], stream)
        return stream

    # -- a pass ----------------------------------------------------------------

    def _check_input(self, X: Any, layers: Sequence[str], *, reset: bool) -> None:
        resolve_pooling((1, 1), self.pooling)
        mixed_type(self.dtype, "cpu")
        self._check_preprocess()
        super()._check_input(X, layers, reset=reset)

    def _check_preprocess(self) -> None:
        if self.preprocess is not None and not callable(self.preprocess):
            raise TypeError(
                "Expected 'preprocess' to be a function of a sample, got "
                f"{type(self.preprocess).__name__}."
            )

    @contextmanager
    def _session(self, layers: Sequence[str]) -> Iterator[Callable]:
        root = self._root()
        with on_device(root, self.device):
            yield Halving(partial(self._run_batch, root, layers))

    def _forward(self, X_batch: Any, layers: Sequence[str]) -> Mapping[str, np.ndarray]:
        with self._session(layers) as forward:
            return forward(X_batch)

    def _run_batch(self, root: Any, layers: Sequence[str], X_batch: Any) -> dict:
        points, inputs = self._points(root), self._inputs(root, X_batch)
        known, rule = self._known(), self._rule()
        facts = {} if known is None else known.layers  # None where no row came yet.

        def take(layer: str, tensor: Any) -> Any:
            channels = facts[layer].channels if layer in facts else None
            return pool_tensor(tensor, rule, inputs.mask, channels)[0]

        wanted = {layer: points[layer] for layer in layers}
        for layer, point in wanted.items():
            if point.is_late and layer in facts and facts[layer].twin is not None:
                wanted[layer] = points[facts[layer].twin]
        with self._guarded(root, wanted):
            call = partial(root, *inputs.args, **inputs.kwargs)
            features = capture(call, wanted, take)
        return {layer: rows.cpu().numpy() for layer, rows in features.items()}

    @contextmanager
    def _guarded(self, root: Any, points: Mapping[str, Point]) -> Iterator[None]:
        """Compute as `dtype` says, and leave the model as it was.

        What must be set for `points` to be read is set meanwhile.
        """
        import torch

        with ExitStack() as stack:
            stack.enter_context(evaluating(root))
            device = where_is(root).type
            mixed = mixed_type(self.dtype, device)
            if mixed is not None:
                stack.enter_context(torch.autocast(device, dtype=mixed))
            yield

    def _inputs(self, root: Any, X_batch: Any) -> Inputs:
        """Put a batch where the model is, in the type that it computes in."""
        device, dtype = where_is(root), float_type(root)

        def move(tensor: Any) -> Any:
            return tensor.to(device, dtype if tensor.is_floating_point() else None)

        tensors = map_tensors(move, self._tensors(root, X_batch))
        if isinstance(tensors, Mapping):
            return Inputs((), tensors, self._token_mask(root, tensors))
        return Inputs(tensors if isinstance(tensors, tuple) else (tensors,))

    # -- identity --------------------------------------------------------------

    def fingerprint(self) -> str:
        """Return a hash of everything that decides the features.

        Returns
        -------
        fingerprint : str
            The same in every process, for the same structure, weights, layers,
            pooling, precision and preprocessing.
        """
        layers = self.layers
        layers = list(layers) if isinstance(layers, tuple | np.ndarray) else layers
        how = (layers, self.pooling, str(self.dtype), function_digest(self.preprocess))
        kind = type(self).__name__
        return joblib.hash((kind, self._digest(self._root()), how))

    def _digest(self, root: Any) -> str:
        """Return a hash of the model."""
        return module_digest(root)
