"""Layers of sentence encoders. Needs sentence-transformers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from sklearn_transrate._lib.optional import import_optional
from sklearn_transrate.extractors._torch_hooks import Point
from sklearn_transrate.extractors._torch_inputs import Inputs, as_samples, open_image
from sklearn_transrate.extractors._torch_modules import unwrap, where_is
from sklearn_transrate.extractors._torch_tensors import map_tensors
from sklearn_transrate.extractors._transformers_inputs import raw_column
from sklearn_transrate.extractors.transformers import (
    TransformersExtractor,
    n_hidden_states,
)

__all__ = ["SentenceTransformerExtractor"]

_EMBEDDING = "sentence_embedding"
_ALL_STATES = "all_layer_embeddings"
_OWN_RULES = {"mean": "mean", "cls": "cls", "max": "max", "lasttoken": "last_token"}
# As versions before 6 call them.
_OLD_RULES = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_lasttoken": "lasttoken",
}


class SentenceTransformerExtractor(TransformersExtractor):
    """Layers of a sentence encoder.

    The hidden states of the transformer inside, pooled as the encoder pools its last
    one, and the finished embedding: all from one forward pass, which ends at the last
    layer that is asked for.

    Parameters
    ----------
    model : sentence_transformers.SentenceTransformer or str
        The encoder: an object, which is shared and never copied, or a folder or a
        name on the Hugging Face hub, which is loaded when it is first needed.
    layers : str, int, or list of these, default="all"
        Layers to extract: "hidden_states.0" for the embeddings of tokens,
        "hidden_states.1" for the first block, and so on; "sentence_embedding" for
        what ``model.encode`` gives; or paths of modules. "all" means all hidden
        states and the sentence embedding, "last" the embedding, and "blocks" all
        hidden states but the first.
    pooling : {"auto", "mean", "max", "cls", "last_token", "flatten"}, default="auto"
        How an activation becomes one vector per sample. "auto" is how the encoder
        itself pools, or the mean if it does so in another way than these. Padding
        enters no feature.
    preprocess : callable, default=None
        Called with one input, such as a text, before the encoder prepares it.
    batch_size : int or "auto", default=64
        Rows per forward pass. If the device runs out of memory, it is halved, with a
        warning.
    device : str or torch.device, default="auto"
        Where to run. "auto" is where the model is, or an accelerator if there is one
        and the model is on the CPU.
    dtype : {None, "auto", "float16", "bfloat16"} or torch.dtype, default=None
        Mixed precision: None computes as the weights are, "auto" in bfloat16 on
        devices that are made for it.
    prompt : str, default=None
        Put in front of every text, as some encoders were trained. None takes the
        encoder's default prompt, if it has one.

    Attributes
    ----------
    layers_ : list of str
        All layers: modules first, then hidden states and the sentence embedding.
        Before `fit`, all that the model could have; then those that gave a row of
        features per sample.
    selected_layers_ : list of str
        Those that `layers` chooses.
    pooling_ : dict of {layer: str}
        The rule that `pooling` came to, for each chosen layer. Known after `fit`.

    Raises
    ------
    LayerNotFoundError
        If a chosen layer does not exist, did not run, or has no row per sample.
    MissingDependencyError
        If sentence-transformers is not installed.
    TypeError
        If `model` is no sentence encoder.

    See Also
    --------
    TransformersExtractor : Models without a pooling of their own.

    Notes
    -----
    `X` may be a list, an array or a column of texts, rows of a Hugging Face dataset,
    a torch ``Dataset``, or a stream of batches of these; for encoders of images, lists
    of them or of their paths.

    Examples
    --------
    >>> from sklearn_transrate.extractors.sentence import SentenceTransformerExtractor
    >>> extractor = SentenceTransformerExtractor("all-MiniLM-L6-v2")
    >>> texts = ["book a table for two", "will it rain tomorrow"]
    >>> extractor.fit(texts).transform(texts).shape  # doctest: +SKIP
    (2, 3072)
    """

    def __init__(
        self,
        model,
        layers="all",
        pooling="auto",
        preprocess=None,
        batch_size=64,
        device="auto",
        dtype=None,
        *,
        prompt=None,
    ):
        super().__init__(model, layers, pooling, preprocess, batch_size, device, dtype)
        self.prompt = prompt

    # -- the model -------------------------------------------------------------

    def _root(self) -> Any:
        library = _sentence_transformers()
        model = self.model
        if isinstance(model, str):
            model = self._loaded("sentence", model, library.SentenceTransformer)
        model = unwrap(model)
        if not isinstance(model, library.SentenceTransformer):
            raise TypeError(
                "SentenceTransformerExtractor expected a SentenceTransformer, or the "
                f"name of one, got {type(model).__name__}. For models of transformers "
                "there is TransformersExtractor."
            )
        return model

    def _owner(self, root: Any) -> Any:
        """Return the transformer inside; None where the encoder has none."""
        from transformers import PreTrainedModel

        parts = (part for part in root.modules() if isinstance(part, PreTrainedModel))
        return next(parts, None)

    def _check_preprocess(self) -> None:
        super(TransformersExtractor, self)._check_preprocess()
        if self.prompt is not None and not isinstance(self.prompt, str):
            raise TypeError(f"Expected 'prompt' to be a text, got {self.prompt!r}.")

    # -- layers ----------------------------------------------------------------

    def _points(self, root: Any) -> dict[str, Point]:
        points = super(TransformersExtractor, self)._points(root)
        for name in list(points)[-2:]:
            del points[name]
        for name, part in root.named_children():
            if name in points:
                points[name] = Point(part, _embedding)
        owner = self._owner(root)
        for i in range(0 if owner is None else n_hidden_states(owner)):
            pick = partial(_state, i)
            points[f"hidden_states.{i}"] = Point(root[0], pick, is_late=True)
        finished = partial(_finished, getattr(root, "truncate_dim", None))
        return points | {_EMBEDDING: Point(root, finished)}

    def _states(self) -> list[str]:
        return [name for name in self.layers_ if name.startswith("hidden_states.")]

    def _feature_layers(self) -> list[str]:
        states = self._states()
        return states + [_EMBEDDING] if states else super()._feature_layers()

    def _rule(self) -> str:
        return _own_rule(self._root()) if self.pooling == "auto" else self.pooling

    # -- a pass ----------------------------------------------------------------

    def _inputs(self, root: Any, X_batch: Any) -> Inputs:
        features = self._features_of(root, self._samples(X_batch))
        device = where_is(root)
        features = map_tensors(lambda tensor: tensor.to(device), dict(features))
        return Inputs((features,), {}, self._token_mask(root, features))

    def _samples(self, X_batch: Any) -> list:
        if isinstance(X_batch, list) and X_batch and isinstance(X_batch[0], Mapping):
            X_batch = {key: [row[key] for row in X_batch] for key in X_batch[0]}
        if isinstance(X_batch, Mapping):
            X_batch = raw_column(X_batch, "input_ids")
        samples = [open_image(sample) for sample in as_samples(X_batch)]
        if self.preprocess is not None:
            samples = [self.preprocess(sample) for sample in samples]
        return [str(s) if isinstance(s, str) else s for s in samples]

    def _features_of(self, root: Any, samples: list) -> Mapping[str, Any]:
        prompt = self.prompt
        if prompt is None and root.default_prompt_name is not None:
            prompt = root.prompts.get(root.default_prompt_name)
        if hasattr(root, "preprocess"):
            return root.preprocess(samples, prompt=prompt)
        if not prompt:
            return root.tokenize(samples)
        features = root.tokenize([prompt + text for text in samples])
        length = root.tokenize([prompt])["input_ids"].shape[-1] - 1
        return features | {"prompt_length": length}

    def _token_mask(self, root: Any, kwargs: Mapping[str, Any]) -> np.ndarray | None:
        mask = kwargs.get("attention_mask")
        if mask is None or mask.ndim != 2:
            return None
        mask = mask.cpu().numpy() != 0
        pooling = _pooling_of(root)
        if getattr(pooling, "include_prompt", True) or "prompt_length" not in kwargs:
            return mask
        # The prompt is the beginning of what is real.
        return mask & (mask.cumsum(axis=1) > int(kwargs["prompt_length"]))

    @contextmanager
    def _guarded(self, root: Any, points: Mapping[str, Point]) -> Iterator[None]:
        with super()._guarded(root, points):
            owner = self._owner(root)
            needs_states = any(point.is_late for point in points.values())
            if owner is None or not needs_states:
                yield
                return
            before = owner.config.output_hidden_states
            owner.config.output_hidden_states = True
            try:
                yield
            finally:
                owner.config.output_hidden_states = before

    def _digest(self, root: Any) -> str:
        owner = self._owner(root)
        config = "" if owner is None else owner.config.to_json_string()
        prompt = self.prompt or (root.default_prompt_name, root.prompts)
        parts = super(TransformersExtractor, self)._digest(root), config, prompt
        return repr((*parts, root.max_seq_length, root.truncate_dim))


def _sentence_transformers() -> Any:
    return import_optional(
        "sentence_transformers",
        extra="sentence",
        purpose="SentenceTransformerExtractor",
    )


def _embedding(features: Any) -> Any:
    """Return what a module of an encoder made, among what it passes on."""
    for name in (_EMBEDDING, "token_embeddings"):
        if isinstance(features, Mapping) and name in features:
            return features[name]
    return None


def _finished(truncate_dim: int | None, features: Any) -> Any:
    return features[_EMBEDDING][:, :truncate_dim]


def _state(i: int, features: Any) -> Any:
    states = features.get(_ALL_STATES) if isinstance(features, Mapping) else None
    return states[i] if states is not None and i < len(states) else None


def _pooling_of(root: Any) -> Any:
    """Return the module that pools tokens; None where there is none."""
    kinds = ("pooling_mode", next(iter(_OLD_RULES)))
    parts = root.children()
    return next((p for p in parts if any(hasattr(p, name) for name in kinds)), None)


def _own_rule(root: Any) -> str:
    pooling = _pooling_of(root)
    modes = getattr(pooling, "pooling_mode", None)
    if modes is None:
        modes = [m for name, m in _OLD_RULES.items() if getattr(pooling, name, False)]
    modes = [modes] if isinstance(modes, str) else list(modes)
    return _OWN_RULES.get(modes[0], "mean") if len(modes) == 1 else "mean"
