"""Layers of timm's image models. Needs timm."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from sklearn_transrate._lib.optional import import_optional
from sklearn_transrate.extractors._torch_inputs import as_tensors
from sklearn_transrate.extractors._torch_loading import LoadsByName
from sklearn_transrate.extractors._torch_modules import unwrap
from sklearn_transrate.extractors.torch import TorchExtractor

__all__ = ["TimmExtractor"]

_CHANNELS = (1, 3)


class TimmExtractor(LoadsByName, TorchExtractor):
    """Layers of one of timm's image models.

    All layers of a batch come from one forward pass, which ends at the last that is
    asked for. Images are resized, cropped and normalised as the model was trained.

    Parameters
    ----------
    model : torch.nn.Module or str
        The pretrained model: an object from timm, which is shared and never copied,
        or a name, whose pretrained weights are loaded when they are first needed.
    layers : str, int, or list of these, default="all"
        Layers to extract: paths of modules as ``named_modules`` gives them, an index,
        or a glob; "output" for what the model returns, and "proba" for the
        probabilities of the classes it was trained on. "all" means every layer that
        gives values of its own, without output heads; "last" the last of them;
        "blocks" the outputs of its blocks, such as "layer2.0" or "blocks.3".
    pooling : {"auto", "mean", "max", "cls", "last_token", "flatten"}, default="auto"
        How an activation becomes one vector per sample. "auto" is the mean over
        positions or tokens.
    preprocess : callable, default=None
        Turns one image into a tensor. None takes the transform of the model's data
        configuration.
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
        All layers. Before `fit`, all modules that could run; then those that gave a
        row of features per sample.
    selected_layers_ : list of str
        Those that `layers` chooses.
    pooling_ : dict of {layer: str}
        The rule that `pooling` came to, for each chosen layer. Known after `fit`.

    Raises
    ------
    LayerNotFoundError
        If a chosen layer does not exist, did not run, or has no row per sample.
    MissingDependencyError
        If timm is not installed.
    TypeError
        If `model` is neither a module nor a name.

    See Also
    --------
    TorchExtractor : Any torch module.

    Notes
    -----
    `X` may be a list of PIL images, of paths of images or of arrays (height, width, 3)
    of whole numbers; rows of a Hugging Face dataset with images; a torch ``Dataset``;
    or a stream of batches of these. Arrays and tensors of floats of shape (b, 3,
    height, width) are taken as prepared already, unless `preprocess` is given.

    Examples
    --------
    >>> import numpy as np
    >>> import timm
    >>> from sklearn_transrate.extractors.timm import TimmExtractor
    >>> model = timm.create_model("resnet18", num_classes=7)
    >>> extractor = TimmExtractor(model, layers=["layer*", "proba"])
    >>> images = np.zeros((2, 50, 40, 3), dtype=np.uint8)
    >>> features, _ = next(extractor.fit(images).iter_features(images))
    >>> {layer: rows.shape[1] for layer, rows in features.items() if "." not in layer}
    {'layer1': 64, 'layer2': 128, 'layer3': 256, 'layer4': 512, 'proba': 7}
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

    def _root(self) -> Any:
        timm = _timm()
        torch = import_optional("torch", extra="timm", purpose="TimmExtractor")
        model = self.model
        if isinstance(model, str):
            load = partial(timm.create_model, pretrained=True)
            model = self._loaded("timm", model, load)
        if not isinstance(model, torch.nn.Module):
            raise TypeError(
                "TimmExtractor expected a model of timm, or the name of one, got "
                f"{type(model).__name__}."
            )
        return unwrap(model)

    def _feature_layers(self) -> list[str]:
        names = super()._feature_layers()
        root = self._root()
        if not getattr(root, "num_classes", 0):
            return names
        # Several heads, as of distilled models, are averaged to the output.
        heads = getattr(root, "default_cfg", {}).get("classifier") or ()
        heads = {heads} if isinstance(heads, str) else set(heads)
        return [n for n in names if n not in heads and not n.startswith("output")]

    def _proba(self, output: Any) -> Any:
        has_classes = getattr(self._root(), "num_classes", 0) > 0
        return super()._proba(output) if has_classes else None

    def _tensors(self, root: Any, X_batch: Any) -> Any:
        if self.preprocess is not None or _is_prepared(X_batch):
            return super()._tensors(root, X_batch)
        config = _data_config(root)
        transform = _timm().data.create_transform(**config, is_training=False)
        mode = "L" if config["input_size"][0] == 1 else "RGB"
        return as_tensors(X_batch, lambda sample: transform(_as_image(sample, mode)))

    def _digest(self, root: Any) -> str:
        config = _data_config(root) if self.preprocess is None else {}
        return f"{super()._digest(root)} {sorted(config.items())}"


def _timm() -> Any:
    return import_optional("timm", extra="timm", purpose="TimmExtractor")


def _data_config(root: Any) -> dict[str, Any]:
    """Return how the model was trained, for the images that this one really takes."""
    config = dict(_timm().data.resolve_model_data_config(root))
    channels, *size = config["input_size"]
    embedding = getattr(root, "patch_embed", None)
    if getattr(embedding, "strict_img_size", False) and embedding.img_size:
        size = embedding.img_size
    taken = _n_channels(root) or channels
    if taken != channels:
        for name in ("mean", "std"):
            config[name] = (float(np.mean(config[name])),) * taken
    return config | {"input_size": (taken, *size)}


def _n_channels(root: Any) -> int | None:
    from torch.nn import Conv2d

    convolutions = (part for part in root.modules() if isinstance(part, Conv2d))
    first = next(convolutions, None)
    return None if first is None else first.in_channels


def _is_prepared(X_batch: Any) -> bool:
    dtype = getattr(X_batch, "dtype", None)
    kind = getattr(dtype, "kind", None)
    return kind == "f" or bool(getattr(dtype, "is_floating_point", False))


def _as_image(sample: Any, mode: str) -> Any:
    """Return an image of the model's number of channels."""
    if hasattr(sample, "getbands"):
        return sample.convert(mode)
    image = import_optional("PIL.Image", extra="timm", purpose="TimmExtractor")
    pixels = np.asarray(sample)
    if pixels.dtype.kind not in "iu" or pixels.ndim not in (2, 3):
        raise TypeError(
            "Expected images, paths of images, or arrays of whole numbers from 0 to "
            f"255, got {pixels.dtype} of shape {pixels.shape}. Stack prepared samples "
            "to one array of floats, or pass 'preprocess'."
        )
    if pixels.ndim == 3:
        is_first = pixels.shape[0] in _CHANNELS and pixels.shape[-1] not in _CHANNELS
        pixels = pixels.transpose(1, 2, 0) if is_first else pixels
        pixels = pixels[:, :, 0] if pixels.shape[-1] == 1 else pixels
    return image.fromarray(pixels.astype(np.uint8)).convert(mode)
