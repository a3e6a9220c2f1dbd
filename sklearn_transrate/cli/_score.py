"""The command score: files of features and labels in, numbers out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from sklearn_transrate.cli._feature_sources import (
    FeatureSource,
    name_files,
    open_features,
    read_labels,
)
from sklearn_transrate.cli._messages import describe, tell
from sklearn_transrate.cli._options import (
    OutputFormat,
    check_metrics,
    feature_options,
    format_option,
    metric_option,
)
from sklearn_transrate.cli._tables import print_results

__all__ = ["add_command"]


def add_command(app: Any, typer: ModuleType) -> None:
    """Add the command to the program."""
    files_argument = typer.Argument(
        ...,
        metavar="FEATURES",
        exists=True,
        dir_okay=False,
        help="Files: .npz, .npy, .safetensors, or, with pandas, .csv and .parquet.",
    )
    metric_choice = metric_option(typer, ["transrate"])
    features_choice, labels_choice, name_choice = feature_options(typer)
    form_choice = format_option(typer)

    @app.command("score")
    def score(
        files: list[Path] = files_argument,
        metric: list[str] = metric_choice,
        labels: Path | None = labels_choice,
        features: list[str] | None = features_choice,
        label_name: str | None = name_choice,
        form: OutputFormat = form_choice,
    ) -> None:
        """Score features for their labels.

        Every array of features of every file is a row of the table. Labels are those
        in the same file, or those of --labels for all. Files are mapped, never
        unpickled. A file that cannot be scored is told, the others are written, and
        the exit status is 1.

        \b
        Examples:
          sklearn-transrate score features.npz
          sklearn-transrate score a.npy b.npy --labels y.npy --format csv
          sklearn-transrate score table.csv --label-name species \\
              --metric transrate logme
          sklearn-transrate score vit.npz --metric leep --features P
        """
        names = check_metrics(typer, metric)
        common = None if labels is None else read_labels(labels, label_name)
        records: list[dict[str, Any]] = []
        n_failed = 0
        for name, path in name_files(list(dict.fromkeys(files))).items():
            try:
                source = open_features(path, features or (), label_name)
                y = _labels_of(path, source, common)
                records += _score_layers(name, source, y, names)
            except Exception as error:
                n_failed += 1
                tell(f"{path}: {describe(error)}")
                records.append(_failure(name, error))
        if n_failed < len(records):
            from sklearn_transrate.results import TransferResults

            results = TransferResults.from_records(records, metrics=names)
            print_results(results, form)
        if n_failed:
            raise typer.Exit(1)


def _labels_of(path: Path, source: FeatureSource, common: Any) -> Any:
    labels = source.labels if common is None else common
    if labels is None:
        raise ValueError(
            "Expected labels beside the features, found none. Pass them with --labels, "
            "or say what they are called with --label-name."
        )
    if len(labels) != source.n_rows:
        raise ValueError(
            f"Expected one label per row, got {len(labels)} labels for "
            f"{source.n_rows} rows. Pass the labels of these rows."
        )
    return labels


def _score_layers(
    name: str, source: FeatureSource, y: Any, metrics: Sequence[str]
) -> Iterator[dict[str, Any]]:
    import numpy as np

    from sklearn_transrate.metrics import score_all

    rows = np.arange(source.n_rows)
    for layer in source.extractor.selected_layers_:
        features = source.extractor.with_layer(layer).transform(rows)
        begin = time.perf_counter()
        scores = score_all(features, y, metrics)
        yield {
            "candidate": f"{name} / {layer}",
            "extractor": name,
            "layer": layer,
            "n_samples": features.shape[0],
            "n_features": features.shape[1],
            "score_time": time.perf_counter() - begin,
            "status": "ok",
        } | {f"score_{metric}": score for metric, score in scores.items()}


def _failure(name: str, error: BaseException) -> dict[str, Any]:
    return {
        "candidate": name,
        "extractor": name,
        "status": "failed",
        "error": f"{type(error).__name__}: {error}",
    }
