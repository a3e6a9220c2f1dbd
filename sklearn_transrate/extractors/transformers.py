"""Hidden states of transformers models for text, images and sound. Needs transformers.

The weights come from a model that is loaded already, from a folder, or by name from
the Hugging Face hub.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from sklearn_transrate._lib.optional import import_optional
from sklearn_transrate.extractors._torch_hooks import Point
from sklearn_transrate.extractors._torch_loading import LoadsByName
from sklearn_transrate.extractors._torch_modules import block_names, unwrap
from sklearn_transrate.extractors._transformers_inputs import model_inputs
from sklearn_transrate.extractors.torch import TorchExtractor

__all__ = ["TransformersExtractor", "n_hidden_states"]

_STATES = "hidden_states"
_INSTALLED = "_output_capturing_hooks_installed"


class TransformersExtractor(LoadsByName, TorchExtractor):
    """Hidden states of a transformers model for text, images or sound.

    All hidden states of a batch come from one forward pass, which ends at the last
    that is asked for.

    Parameters
    ----------
    model : transformers.PreTrainedModel or str
        The pretrained model: an object, which is shared and never copied, or a folder
        or a name on the Hugging Face hub, which is loaded when it is first needed. Of
        models with an encoder and a decoder, the encoder is used, unless they
        classify.
    layers : str, int, or list of these, default="all"
        Layers to extract: "hidden_states.0" for the embeddings, "hidden_states.1" for
        the first block, and so on, as the model's own `hidden_states`; paths of
        modules as ``named_modules`` gives them; "output" for what the model returns,
        and "proba" for the probabilities of a classifier. "all" means all hidden
        states, "last" the last of them, and "blocks" all but the embeddings.
    pooling : {"auto", "mean", "max", "cls", "last_token", "flatten"}, default="auto"
        How an activation becomes one vector per sample. "auto" is the mean. Padding
        enters no feature.
    preprocess : tokenizer, image processor, feature extractor, processor, \
callable or str, default=None
        What makes the model's inputs: an object of transformers, the name or folder
        of one, or a function of one sample. None loads what belongs to the model.
    batch_size : int or "auto", default=64
        Rows per forward pass. If the device runs out of memory, it is halved, with a
        warning.
    device : str or torch.device, default="auto"
        Where to run. "auto" is where the model is, or an accelerator if there is one
        and the model is on the CPU.
    dtype : {None, "auto", "float16", "bfloat16"} or torch.dtype, default=None
        Mixed precision: None computes as the weights are, "auto" in bfloat16 on
        devices that are made for it.

    Attributes
    ----------
    layers_ : list of str
        All layers: modules first, then hidden states, "output" and "proba". Before
        `fit`, all that the model could have; then those that gave a row of features
        per sample.
    selected_layers_ : list of str
        Those that `layers` chooses.
    pooling_ : dict of {layer: str}
        The rule that `pooling` came to, for each chosen layer. Known after `fit`.

    Raises
    ------
    LayerNotFoundError
        If a chosen layer does not exist, did not run, or has no row per sample.
    MissingDependencyError
        If transformers is not installed.
    TypeError
        If `model` or `X` is of the wrong kind.
    ValueError
        If raw inputs come without anything to process them.

    See Also
    --------
    TorchExtractor : Any torch module.

    Notes
    -----
    `X` may be a list or a column of texts; a list of PIL images, of paths of images or
    of arrays (height, width, 3); a list of sounds, as arrays or as mappings with
    "array" and "sampling_rate"; a mapping of tensors as a tokenizer makes it; rows of
    a Hugging Face dataset; a torch ``Dataset``, or a stream of batches of these.

    Texts are cut to the length that the model takes. Sounds of different lengths are
    padded by batch: hidden states leave the padding out, but modules before the first
    state see it, and so does every layer of a model that takes no mask.

    "proba" is the softmax of a classifier's logits in the order of
    ``model.config.id2label``, or the sigmoid for problems with several labels.

    Examples
    --------
    >>> import numpy as np
    >>> from transformers import ViTConfig, ViTForImageClassification
    >>> from sklearn_transrate.extractors.transformers import TransformersExtractor
    >>> config = ViTConfig(
    ...     hidden_size=16, num_hidden_layers=3, num_attention_heads=2,
    ...     intermediate_size=32, image_size=32, patch_size=8, num_labels=5,
    ... )
    >>> model = ViTForImageClassification(config)
    >>> images = np.zeros((6, 3, 32, 32), dtype=np.float32)
    >>> extractor = TransformersExtractor(model, pooling="cls").fit(images)
    >>> extractor.selected_layers_[-2:]
    ['hidden_states.2', 'hidden_states.3']
    >>> extractor.transform(images).shape
    (6, 64)
    >>> extractor.with_layer("proba").transform(images).shape
    (6, 5)
    """

    _shared_params = ("model", "preprocess")

    def __init__(
        self,
        model,
        layers="all",
        pooling="auto",
        preprocess=None,
        batch_size=64,
        device="auto",
        dtype=None,
    ):
        self.model = model
        self.layers = layers
        self.pooling = pooling
        self.preprocess = preprocess
        self.batch_size = batch_size
        self.device = device
        self.dtype = dtype

    # -- the model and its processor -------------------------------------------

    def _root(self) -> Any:
        transformers = _transformers()
        model = self.model
        if isinstance(model, str):
            model = self._loaded("model", model, _load_model)
        model = unwrap(model)
        if not isinstance(model, transformers.PreTrainedModel):
            raise TypeError(
                "TransformersExtractor expected a PreTrainedModel of transformers, or "
                f"the name of one, got {type(model).__name__}. For other torch "
                "modules there is TorchExtractor."
            )
        has_both = getattr(model.config, "is_encoder_decoder", False)
        return model.get_encoder() if has_both and not _classifies(model) else model

    def _processor(self, root: Any) -> Any:
        if self.preprocess is not None:
            if not isinstance(self.preprocess, str):
                return self.preprocess
            return self._loaded("processor", self.preprocess, _load_processor)
        is_name = isinstance(self.model, str)
        name = self.model if is_name else unwrap(self.model).name_or_path
        return self._loaded("processor", name, _load_processor) if name else None

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        model = self.model if isinstance(self.model, str) else unwrap(self.model)
        if _is_parametrized(model):
            state["model"] = _Packed(type(model), model.config, model.state_dict())
            if "_traced" in state:
                state["_traced"] = (state["model"], state["_traced"][1])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        packed = state["model"]
        if isinstance(packed, _Packed):
            model = packed.unpack()
            of, known = state.get("_traced", (None, None))
            state = state | {"model": model}
            if of is packed:
                state["_traced"] = (model, known)
        super().__setstate__(state)

    def _check_preprocess(self) -> None:
        if not isinstance(self.preprocess, str):
            super()._check_preprocess()

    # -- layers ----------------------------------------------------------------

    def _points(self, root: Any) -> dict[str, Point]:
        points = super()._points(root)
        outputs = {name: points.pop(name) for name in list(points)[-2:]}
        owner = self._owner(root)
        asks = {"output_hidden_states": True}
        if not getattr(owner.config, "return_dict", True):
            asks["return_dict"] = True
        for states in _fields(owner):
            for i in range(n_hidden_states(owner)):
                pick = partial(_state, states, i)
                points[f"{states}.{i}"] = Point(owner, pick, asks, is_late=True)
        return points | outputs

    def _owner(self, root: Any) -> Any:
        """Return the part of the model that returns hidden states."""
        return root

    def _states(self) -> list[str]:
        names = tuple(f"{states}." for states in _fields(self._owner(self._root())))
        return [name for name in self.layers_ if name.startswith(names)]

    def _feature_layers(self) -> list[str]:
        return self._states() or super()._feature_layers()

    def _block_layers(self) -> list[str]:
        blocks = [name for name in self._states() if not name.endswith(".0")]
        return blocks or super()._block_layers()

    def _proba(self, output: Any) -> Any:
        root = self._root()
        if not _classifies(root):
            return None
        if getattr(root.config, "problem_type", "") != "multi_label_classification":
            return super()._proba(output)
        return output[0 if isinstance(output, tuple) else "logits"].float().sigmoid()

    # -- a pass ----------------------------------------------------------------

    def _tensors(self, root: Any, X_batch: Any) -> dict[str, Any]:
        inputs = model_inputs(X_batch, root, partial(self._processor, root))
        # Keys and values for generating text are of no use here.
        caches = "use_cache" in inspect.signature(root.forward).parameters
        return inputs | {"use_cache": False} if caches else inputs

    def _token_mask(self, root: Any, kwargs: Mapping[str, Any]) -> np.ndarray | None:
        mask = kwargs.get("attention_mask")
        shorten = getattr(root, "_get_feature_vector_attention_mask", None)
        if mask is None or shorten is None:
            return super()._token_mask(root, kwargs)
        # Convolutions over a sound leave fewer positions than it has numbers.
        n_positions = int(root._get_feat_extract_output_lengths(mask.shape[1]))
        return shorten(n_positions, mask).cpu().numpy() != 0

    @contextmanager
    def _guarded(self, root: Any, points: Mapping[str, Point]) -> Iterator[None]:
        with super()._guarded(root, points), _without_new_hooks(root):
            yield

    def _digest(self, root: Any) -> str:
        return super()._digest(root) + root.config.to_json_string()


@dataclass(frozen=True)
class _Packed:
    """A model as its weights, where torch refuses to pickle it whole."""

    kind: type
    config: Any
    weights: Mapping[str, Any]

    def unpack(self) -> Any:
        model = self.kind(self.config)
        model.load_state_dict(self.weights)
        return model.eval()


def _is_parametrized(model: Any) -> bool:
    from torch.nn.utils.parametrize import is_parametrized
    from transformers import PreTrainedModel

    is_known = isinstance(model, PreTrainedModel)
    return is_known and any(map(is_parametrized, model.modules()))


def _transformers() -> Any:
    return import_optional(
        "transformers", extra="transformers", purpose="TransformersExtractor"
    )


def _load_model(name: str) -> Any:
    """Load a model as it was saved, with its head if that classifies."""
    transformers = _transformers()
    config = transformers.AutoConfig.from_pretrained(name)
    for architecture in config.architectures or ():
        if "Classification" in architecture and hasattr(transformers, architecture):
            return getattr(transformers, architecture).from_pretrained(name)
    return transformers.AutoModel.from_pretrained(name)


def _load_processor(name: str) -> Any:
    transformers = _transformers()
    problem = None
    try:
        processor = transformers.AutoProcessor.from_pretrained(name)
        if not _knows_no_words(getattr(processor, "tokenizer", processor)):
            return processor
    except (OSError, ValueError) as error:
        problem = error
    raise ValueError(
        f"Found no tokenizer or processor in {name!r}. Pass one as 'preprocess', or a "
        "dict of tensors."
    ) from problem


def _knows_no_words(tokenizer: Any) -> bool:
    """Whether this is what transformers makes up where no tokenizer was saved."""
    if not hasattr(tokenizer, "all_special_ids"):
        return False
    return len(tokenizer) <= len(set(tokenizer.all_special_ids))


def _classifies(model: Any) -> bool:
    return "Classification" in type(model).__name__


def _fields(owner: Any) -> Sequence[str]:
    if getattr(owner.config, "is_encoder_decoder", False) and _classifies(owner):
        return _STATES, f"encoder_{_STATES}", f"decoder_{_STATES}"
    return (_STATES,)


def n_hidden_states(owner: Any) -> int:
    """Return how many hidden states there are at most, embeddings included."""
    config = owner.config
    names = ("num_hidden_layers", "encoder_layers", "decoder_layers")
    known = [getattr(config, name, None) or 0 for name in names]
    stages = getattr(config, "depths", None) or ()
    return (max(*known, len(stages)) or len(block_names(owner))) + 1


def _state(states: str, i: int, output: Any) -> Any:
    found = output.get(states) if isinstance(output, Mapping) else None
    return found[i] if found is not None and i < len(found) else None


@contextmanager
def _without_new_hooks(root: Any) -> Iterator[None]:
    """Remove the hooks by which transformers reads hidden states.

    It leaves them where they are, and a model that has them cannot be pickled.
    """
    before = {part: set(part._forward_hooks) for part in root.modules()}
    flagged = {part for part in before if _INSTALLED in vars(part)}
    try:
        yield
    finally:
        for part, hooks in before.items():
            for key in set(part._forward_hooks) - hooks:
                del part._forward_hooks[key]
            if part not in flagged:
                vars(part).pop(_INSTALLED, None)
