"""The command extract: a model and inputs in, a file of features out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Any

from sklearn_transrate.cli._feature_sources import read_labels
from sklearn_transrate.cli._messages import show_progress, tell
from sklearn_transrate.cli._model_sources import Inputs, make_extractor, read_inputs
from sklearn_transrate.cli._options import OutputFormat, check_out, format_option
from sklearn_transrate.cli._tables import print_records

__all__ = ["add_command"]


class StoredType(StrEnum):
    """What features may be stored as."""

    FLOAT16 = "float16"
    FLOAT32 = "float32"
    FLOAT64 = "float64"


def add_command(app: Any, typer: ModuleType) -> None:
    """Add the command to the program."""
    model_argument = typer.Argument(
        ...,
        metavar="MODEL",
        help="timm:NAME, transformers:NAME, sentence:NAME, onnx:FILE, litert:FILE, "
        "keras:FILE, or a file that ends in .onnx, .tflite or .keras. NAME may be a "
        "folder.",
    )
    inputs_argument = typer.Argument(
        ...,
        metavar="INPUTS",
        exists=True,
        help="A folder of images, whose subfolders are classes; a .txt of one text a "
        "line; an .npy, .npz or .safetensors file of arrays; or, with pandas, a .csv "
        "or .parquet table.",
    )
    form_choice = format_option(typer)
    options = _own_options(typer)

    @app.command("extract")
    def extract(
        model: str = model_argument,
        inputs: Path = inputs_argument,
        out: Path = options["out"],
        layers: list[str] = options["layers"],
        labels: Path | None = options["labels"],
        label_name: str | None = options["label_name"],
        column: str | None = options["column"],
        pooling: str | None = options["pooling"],
        batch_size: int | None = options["batch_size"],
        device: str | None = options["device"],
        dtype: StoredType | None = options["dtype"],
        form: OutputFormat = form_choice,
    ) -> None:
        """Store features of a pretrained model, layer by layer.

        All layers come from one pass, and go to disk batch by batch; labels, if there
        are some, go with them as y. What was stored is listed on standard output.

        \b
        Examples:
          sklearn-transrate extract timm:resnet18 photos/ --layers blocks \\
              --out resnet18.npz
          sklearn-transrate extract sentence:all-MiniLM-L6-v2 texts.csv \\
              --column text --layers 'hidden_states.*' --out minilm.npz
          sklearn-transrate extract model.onnx images.npy --labels y.npy \\
              --layers all --dtype float16 --out model.safetensors
        """
        from sklearn_transrate.cli._feature_files import FEATURE_ENDINGS

        check_out(typer, out, FEATURE_ENDINGS)
        extractor = make_extractor(
            typer,
            model,
            images=inputs.is_dir(),
            layers=_parse_layers(layers),
            pooling=pooling,
            batch_size=batch_size,
            device=device,
        )
        samples = read_inputs(inputs, column, label_name)
        y = samples.labels if labels is None else read_labels(labels, label_name)
        _check_labels(samples, y, out)
        # Frameworks that write to standard output must not get between the lines.
        with redirect_stdout(sys.stderr):
            stored = _store(extractor, samples.X, y, out, dtype)
        tell(f"wrote {out}")
        print_records(stored, form)


def _own_options(typer: ModuleType) -> dict[str, Any]:
    return {
        "out": typer.Option(
            ...,
            "--out",
            metavar="FILE",
            help="An .npz or .safetensors file, or .npy for a single layer.",
        ),
        "layers": typer.Option(
            ["last"],
            "--layers",
            metavar="NAME ...",
            help="Layers: names, patterns, numbers, last, all, or blocks.",
        ),
        "labels": typer.Option(
            None,
            "--labels",
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="File of labels, as score takes it.",
        ),
        "label_name": typer.Option(
            None, "--label-name", metavar="NAME", help="Array or column of the labels."
        ),
        "column": typer.Option(
            None, "--column", metavar="NAME", help="Array or column of the inputs."
        ),
        "pooling": typer.Option(
            None,
            "--pooling",
            metavar="NAME",
            help="How tokens or pixels become one row: auto, mean, max, cls, flatten "
            "and others.",
        ),
        "batch_size": typer.Option(None, "--batch-size", min=1, help="Rows at a time."),
        "device": typer.Option(
            None, "--device", metavar="NAME", help="Such as cpu or cuda; torch only."
        ),
        "dtype": typer.Option(
            None, "--dtype", help="Type of the stored numbers; by default the model's."
        ),
    }


def _parse_layers(names: Sequence[str]) -> Any:
    layers = [int(n) if n.lstrip("-").isdigit() else n for n in names]
    return layers[0] if len(layers) == 1 else layers


def _check_labels(samples: Inputs, y: Any, out: Path) -> None:
    """Refuse labels that do not fit, before the model runs."""
    if y is None:
        return
    if len(y) != len(samples.X):
        raise ValueError(
            f"Expected one label per sample, got {len(y)} labels for "
            f"{len(samples.X)} samples. Pass the labels of these samples."
        )
    if out.suffix.lower() == ".safetensors" and y.dtype.kind not in "fiub":
        raise ValueError(
            f"Expected numbers as labels in a .safetensors file, got {y.dtype}. Use "
            "--out with an .npz file, which holds texts, too."
        )
    if out.suffix.lower() == ".npy":
        tell("warning: an .npy file has no place for labels. Use --out with .npz.")


def _store(extractor: Any, X: Any, y: Any, out: Path, dtype: str | None) -> list:
    import numpy as np

    from sklearn_transrate.cli._feature_files import FeatureWriter

    if y is not None and y.dtype.kind == "O":
        y = np.array([str(label) for label in y])
    n_rows = len(X)
    n_layers = len(extractor.selected_layers_)
    if out.suffix.lower() == ".npy" and n_layers != 1:
        raise ValueError(
            f"Expected one layer for an .npy file, got {n_layers}. Use --out with an "
            ".npz file, or choose with --layers."
        )
    with show_progress() as progress, FeatureWriter(out, n_rows, dtype) as writer:
        progress("extracting", 0, n_rows)
        for features, _ in extractor.iter_features(X):
            progress("extracting", writer.write(features), n_rows)
        writer.finish(y)
    return writer.layers
