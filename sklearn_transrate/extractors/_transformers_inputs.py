"""Texts, images and sounds become what a transformers model is called with."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from sklearn_transrate.extractors._torch_inputs import (
    as_samples,
    as_tensors,
    open_image,
    without_labels,
)

__all__ = ["is_processor", "model_inputs", "raw_column"]

# Names under which models take tensors that are ready.
_READY = (
    "input_ids",
    "inputs_embeds",
    "pixel_values",
    "input_values",
    "input_features",
)
# What raw inputs are called in datasets.
_COLUMNS = {
    "input_ids": ("text", "sentence"),
    "pixel_values": ("image", "img", "pixels"),
}
_SOUNDS = ("audio", "speech")
# Tokenizers without a limit say this or more.
_NO_LIMIT = 10**6


def is_processor(preprocess: Any) -> bool:
    """Whether this is a tokenizer or a processor of transformers, by what it has."""
    return hasattr(preprocess, "model_input_names")


def model_inputs(
    X_batch: Any, root: Any, processor: Callable[[], Any]
) -> dict[str, Any]:
    """Turn a batch into the tensors that a model takes by name.

    Parameters
    ----------
    X_batch : list of texts, images, paths or sounds, array, or mapping
        A mapping of tensors is passed on; one of raw inputs, such as rows of a
        dataset, must have one column of them, besides labels. Arrays are passed on,
        too, unless they look raw: images of whole numbers, sounds with one axis each.
    root : PreTrainedModel
        The model; its `main_input_name` says what it takes.
    processor : callable () -> tokenizer, processor, function or None
        Called only for raw inputs.

    Returns
    -------
    inputs : dict of {name: torch.Tensor}
    """
    name = root.main_input_name
    X_batch = _as_columns(X_batch)
    if isinstance(X_batch, Mapping):
        if any(key in X_batch for key in _READY):
            return as_tensors(dict(X_batch))
        X_batch = raw_column(X_batch, name)
    if _is_ready(X_batch, name):
        return {name: as_tensors(X_batch)}
    made = processor()
    if made is None:
        raise ValueError(_no_processor(root, name))
    if not is_processor(made):
        tensors = as_tensors(X_batch, made)
        return tensors if isinstance(tensors, Mapping) else {name: tensors}
    samples = as_samples(X_batch)
    if name == "input_ids":
        return _from_texts(samples, getattr(made, "tokenizer", made), root)
    if name == "pixel_values":
        return _from_images(samples, getattr(made, "image_processor", made))
    return _from_sounds(samples, getattr(made, "feature_extractor", made))


def _no_processor(root: Any, name: str) -> str:
    kind = {"input_ids": "a tokenizer", "pixel_values": "an image processor"}
    return (
        f"{type(root).__name__} takes {name!r}, and was not loaded from a place with "
        f"{kind.get(name, 'a feature extractor')}. Pass one as 'preprocess', or a dict "
        f"of tensors with {name!r}."
    )


def _as_columns(X_batch: Any) -> Any:
    """Return a list of rows of a dataset as lists by column; a sound is no row."""
    if not isinstance(X_batch, list | tuple) or not X_batch:
        return X_batch
    first = X_batch[0]
    if not isinstance(first, Mapping) or "array" in first:
        return X_batch
    return {key: [row[key] for row in X_batch] for key in first}


def raw_column(X_batch: Mapping[str, Any], name: str) -> Any:
    """Return the column of raw inputs of a dataset.

    Parameters
    ----------
    X_batch : mapping of columns
        Rows of a dataset, maybe with labels.
    name : str
        What the model takes, such as "input_ids" for texts.

    Returns
    -------
    column : array-like
        The only one, or the one with the usual name.
    """
    columns = without_labels(X_batch)
    if len(columns) == 1:
        return next(iter(columns.values()))
    for wanted in _COLUMNS.get(name, _SOUNDS):
        if wanted in columns:
            return columns[wanted]
    raise ValueError(
        f"Expected inputs named {name!r}, or one column of raw inputs, got "
        f"{sorted(columns)}. Leave out the others, or rename it "
        f"{_COLUMNS.get(name, _SOUNDS)[0]!r}."
    )


def _is_ready(X_batch: Any, name: str) -> bool:
    """Whether an array holds tensors for the model, rather than raw inputs."""
    is_array = isinstance(X_batch, np.ndarray) or hasattr(X_batch, "detach")
    dtype = getattr(X_batch, "dtype", None)
    if not is_array or getattr(dtype, "kind", "f") in "OUST":
        return False
    if name == "input_ids":
        return True
    is_float = getattr(dtype, "is_floating_point", getattr(dtype, "kind", "f") == "f")
    if name == "pixel_values":
        return bool(is_float)
    return X_batch.ndim > 2


# -- texts ---------------------------------------------------------------------


def _from_texts(texts: Sequence[str], tokenizer: Any, root: Any) -> dict[str, Any]:
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(
                f"Expected texts, got {text!r} of type {type(text).__name__}. Replace "
                "missing values by empty texts, or pass a dict of tensors."
            )
    texts = [str(text) for text in texts]
    limit = _longest(tokenizer, root)
    how = {"truncation": True, "max_length": limit} if limit else {}
    if tokenizer.pad_token is not None:
        encoded = tokenizer(texts, padding=True, return_tensors="pt", **how)
        if encoded["input_ids"].shape[1]:
            return _without_empty_rows(_accepted(dict(encoded), root))
    encoded = _padded_by_hand(tokenizer(texts, **how), tokenizer)
    return _without_empty_rows(_accepted(encoded, root))


def _longest(tokenizer: Any, root: Any) -> int | None:
    """Return how many tokens the model takes; None where there is no limit."""
    positions = getattr(root.config, "max_position_embeddings", None)
    limits = [tokenizer.model_max_length, positions]
    known = [limit for limit in limits if limit and 0 < limit < _NO_LIMIT]
    return min(known, default=None)


def _padded_by_hand(encoded: Mapping[str, Any], tokenizer: Any) -> dict[str, Any]:
    """Pad on the right for tokenizers that do not know how, such as GPT-2's.

    And where all texts are empty, of which others make tensors without positions.
    """
    import torch

    ends = (tokenizer.pad_token_id, tokenizer.eos_token_id, 0)
    fill = next(number for number in ends if number is not None)
    rows = encoded["input_ids"]
    length = max(1, *map(len, rows))
    padded = {}
    for key, values in encoded.items():
        tokens = torch.full((len(rows), length), fill if key == "input_ids" else 0)
        for i, row in enumerate(values):
            tokens[i, : len(row)] = torch.tensor(row, dtype=torch.long)
        padded[key] = tokens
    padded["attention_mask"] = torch.tensor(
        [[int(j < len(row)) for j in range(length)] for row in rows]
    )
    return padded


def _without_empty_rows(encoded: dict[str, Any]) -> dict[str, Any]:
    """Let an empty text be one token of padding, so that it has features."""
    mask = encoded.get("attention_mask")
    if mask is not None and mask.ndim == 2 and mask.shape[1]:
        mask[mask.sum(dim=1) == 0, 0] = 1
    return encoded


def _accepted(encoded: dict[str, Any], root: Any) -> dict[str, Any]:
    """Leave out what a tokenizer makes and the model does not take."""
    parameters = inspect.signature(root.forward).parameters.values()
    names = {parameter.name for parameter in parameters}
    # **kwargs take anything, but what a model reads from them, it names elsewhere.
    optional = {"token_type_ids"} - names
    return {key: value for key, value in encoded.items() if key not in optional}


# -- images and sounds ---------------------------------------------------------


def _from_images(samples: Sequence[Any], processor: Any) -> dict[str, Any]:
    images = []
    for sample in map(open_image, samples):
        if hasattr(sample, "getbands") and sample.mode != "RGB":
            sample = sample.convert("RGB")
        images.append(sample)
    return {"pixel_values": processor(images=images, return_tensors="pt").pixel_values}


def _from_sounds(samples: Sequence[Any], processor: Any) -> dict[str, Any]:
    rate = getattr(processor, "sampling_rate", None)
    waves = [_wave(sample, rate) for sample in samples]
    how = {} if rate is None else {"sampling_rate": rate}
    parameters = inspect.signature(type(processor).__call__).parameters
    padding = parameters.get("padding")
    if padding is not None and padding.default is False:
        how["padding"] = True  # Others pad to the length that their model needs.
    return dict(processor(waves, return_tensors="pt", **how))


def _wave(sample: Any, rate: int | None) -> np.ndarray:
    """Return the numbers of one sound, which datasets keep with their rate."""
    if isinstance(sample, Mapping):
        own = sample.get("sampling_rate", rate)
        if rate is not None and own != rate:
            raise ValueError(
                f"Expected sounds with {rate} samples a second, as the model was "
                f"trained on, got {own}. Resample them first."
            )
        sample = sample["array"]
    wave = np.asarray(sample, dtype=np.float32)
    if wave.ndim != 1:
        raise ValueError(
            f"Expected a sound as an array with one axis, got shape {wave.shape}. "
            "Average the channels first."
        )
    return wave
