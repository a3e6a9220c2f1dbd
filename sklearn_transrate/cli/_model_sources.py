"""What MODEL and INPUTS mean on the command line of extract."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from sklearn_transrate._lib.text import nearest_names
from sklearn_transrate.cli._feature_sources import (
    FRAMES,
    find_label_name,
    read_frame,
)

__all__ = ["Inputs", "make_extractor", "read_inputs"]

# Prefix of MODEL: module of extractors, class, and whether it names a file.
KINDS = {
    "timm": ("timm", "TimmExtractor", False),
    "transformers": ("transformers", "TransformersExtractor", False),
    "sentence": ("sentence", "SentenceTransformerExtractor", False),
    "onnx": ("onnx", "OnnxExtractor", True),
    "litert": ("litert", "LiteRTExtractor", True),
    "keras": ("keras", "KerasExtractor", True),
}
SUFFIXES = {".onnx": "onnx", ".tflite": "litert", ".keras": "keras"}
TAKE_IMAGE_FILES = ("timm", "transformers", "sentence")
IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
INPUT_NAMES = ("x", "inputs", "input", "images", "texts", "text", "sentence")


class Inputs(NamedTuple):
    """Samples for a model.

    Attributes
    ----------
    X : array or list
        One item per sample.
    labels : ndarray or None
        Labels that came with them.
    """

    X: Any
    labels: Any


def make_extractor(
    typer: ModuleType, model: str, *, images: bool, **options: Any
) -> Any:
    """Make the extractor that MODEL stands for.

    Parameters
    ----------
    typer : module
        For errors in the arguments.
    model : str
        KIND:NAME, or a file whose ending tells its kind.
    images : bool
        Whether its inputs are files of images.
    **options : dict
        Parameters of the extractor; those that are None keep their defaults.

    Returns
    -------
    extractor : FeatureExtractor
    """
    kind, name = _kind_and_name(typer, model)
    module, class_name, is_file = KINDS[kind]
    if is_file and not Path(name).is_file():
        raise typer.BadParameter(
            f"Expected a file of a model, found none at {name!r}.", param_hint="MODEL"
        )
    if images and kind not in TAKE_IMAGE_FILES:
        raise typer.BadParameter(
            f"Expected an array for a model of kind {kind!r}, which does not say how "
            "its images are prepared, got a folder. Save prepared images with "
            "numpy.save.",
            param_hint="INPUTS",
        )
    extractors = importlib.import_module(f"sklearn_transrate.extractors.{module}")
    factory = getattr(extractors, class_name)
    given = {key: value for key, value in options.items() if value is not None}
    unknown = set(given) - set(inspect.signature(factory).parameters)
    if unknown:
        raise typer.BadParameter(
            f"A model of kind {kind!r} has no such option. Leave it out.",
            param_hint=", ".join(f"--{option}" for option in sorted(unknown)),
        )
    return factory(name, **given)


def _kind_and_name(typer: ModuleType, model: str) -> tuple[str, str]:
    kind, colon, name = model.partition(":")
    if colon and name and kind in KINDS:
        return kind, name
    suffix = Path(model).suffix.lower()
    if suffix in SUFFIXES:
        return SUFFIXES[suffix], model
    raise typer.BadParameter(
        f"Expected {', '.join(f'{kind}:NAME' for kind in KINDS)}, or a file ending in "
        f"{', '.join(SUFFIXES)}, got {model!r}.",
        param_hint="MODEL",
    )


def read_inputs(
    path: Path, column: str | None = None, label_name: str | None = None
) -> Inputs:
    """Read, or list, the samples that INPUTS stands for.

    Parameters
    ----------
    path : Path
        A folder of images, with one subfolder per class or without; text with one
        sample a line; an .npy, .npz or .safetensors file; or a table.
    column : str, default=None
        Array or column of the samples.
    label_name : str, default=None
        Array or column of the labels.

    Returns
    -------
    inputs : Inputs
        Arrays and images stay on disk until they are needed.
    """
    if path.is_dir():
        return _list_images(path)
    if path.suffix == ".txt":
        return Inputs(path.read_text(encoding="utf-8-sig").splitlines(), None)
    if path.suffix in FRAMES:
        return _from_frame(path, column, label_name)
    from sklearn_transrate._lib.array_files import list_arrays

    arrays = list_arrays(path)
    label = find_label_name(path, arrays, label_name)
    name = _input_name(path, [n for n in arrays if n != label], column)
    labels = None if label is None else arrays[label].open()
    X = arrays[name].open()
    return Inputs(X.tolist() if X.dtype.kind == "U" else X, labels)


def _from_frame(path: Path, column: str | None, label_name: str | None) -> Inputs:
    frame = read_frame(path)
    label = find_label_name(path, frame, label_name)
    names = [name for name in frame if name != label]
    labels = None if label is None else frame[label].to_numpy()
    if column is None and all(frame[name].dtype.kind in "fiub" for name in names):
        return Inputs(frame[names].to_numpy(), labels)
    return Inputs(frame[_input_name(path, names, column)].tolist(), labels)


def _input_name(path: Path, names: Sequence[str], wanted: str | None) -> str:
    if wanted in names:
        return wanted
    if wanted is not None:
        raise ValueError(
            f"Found no inputs {wanted!r} in {str(path)!r}: "
            f"{nearest_names(wanted, names)}. Name them with --column."
        )
    usual = [name for name in names if name.lower() in INPUT_NAMES]
    if len(names) == 1 or len(usual) == 1:
        return (usual or names)[0]
    raise ValueError(
        f"Expected one array or column of inputs in {str(path)!r}, found "
        f"{list(names)}. Choose with --column."
    )


def _list_images(folder: Path) -> Inputs:
    import numpy as np

    def images_in(place: Path) -> list[Path]:
        return sorted(p for p in place.iterdir() if p.suffix.lower() in IMAGES)

    classes = sorted(place for place in folder.iterdir() if place.is_dir())
    found = {place.name: images_in(place) for place in classes}
    paths = [path for inside in found.values() for path in inside]
    loose = images_in(folder)
    if loose and paths:
        raise ValueError(
            f"Expected images in {str(folder)!r} or in its subfolders, one per class, "
            f"found {len(loose)} and {len(paths)} of them. Move those without a class."
        )
    if not loose and not paths:
        raise ValueError(
            f"Expected images ({', '.join(IMAGES)}) in {str(folder)!r} or in its "
            "subfolders, one per class, found none."
        )
    labels = [name for name, inside in found.items() for _ in inside]
    return Inputs(loose or paths, np.array(labels) if paths else None)
