"""The command rank: files of features of the same samples in, the best first out."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from sklearn_transrate.cli._feature_sources import (
    FeatureSource,
    list_feature_files,
    name_files,
    open_features,
    read_labels,
)
from sklearn_transrate.cli._messages import describe, tell
from sklearn_transrate.cli._options import (
    OutputFormat,
    check_metrics,
    check_out,
    feature_options,
    format_option,
    metric_option,
)
from sklearn_transrate.cli._tables import (
    REPORT_ENDINGS,
    print_results,
    save_results,
)

__all__ = ["add_command"]


def add_command(app: Any, typer: ModuleType) -> None:
    """Add the command to the program."""
    places_argument = typer.Argument(
        ...,
        metavar="ZOO_DIR_OR_FILES",
        exists=True,
        help="Folders, of which all files of features are taken, or files.",
    )
    metric_choice = metric_option(typer, ["transrate"])
    features_choice, labels_choice, name_choice = feature_options(typer)
    form_choice = format_option(typer)
    options = _own_options(typer)

    @app.command("rank")
    def rank(
        places: list[Path] = places_argument,
        labels: Path | None = labels_choice,
        metric: list[str] = metric_choice,
        out: Path | None = options["out"],
        features: list[str] | None = features_choice,
        label_name: str | None = name_choice,
        max_samples: str | None = options["max_samples"],
        memory: Path | None = options["memory"],
        jobs: int = options["jobs"],
        seed: int = options["seed"],
        quiet: bool = options["quiet"],
        form: OutputFormat = form_choice,
    ) -> None:
        """Rank features of the same samples, best first.

        Each file is a model, and each of its arrays a layer; together they are a
        candidate. A candidate that fails is a row with its error; the exit status is
        0 if at least one was ranked. Labels are those of --labels, or those in the
        files, which must agree.

        \b
        Examples:
          sklearn-transrate rank zoo/ --labels y.npy --out report.html
          sklearn-transrate rank resnet.npz vit.npz --metric logme transrate \\
              --format csv > ranking.csv
          sklearn-transrate rank zoo/ --max-samples 500 --n-jobs 4 --memory cache/
        """
        names = check_metrics(typer, metric)
        if out is not None:
            check_out(typer, out, REPORT_ENDINGS)
        rows = None if max_samples is None else _parse_samples(typer, max_samples)
        common = None if labels is None else read_labels(labels, label_name)
        sources = _open_all(places, labels, features or (), label_name)
        y = _common_labels(sources) if common is None else common

        from sklearn_transrate.model_selection import TransferSelector

        results = _fit(
            TransferSelector(
                _candidates(sources, y),
                scoring=names,
                refit=False,
                max_samples=rows,
                memory=memory,
                n_jobs=jobs,
                random_state=seed,
                verbose=0 if quiet else 1,
            ),
            y,
        )
        if out is not None:
            save_results(results, out)
            tell(f"wrote {out}")
        print_results(results, form)


def _own_options(typer: ModuleType) -> dict[str, Any]:
    return {
        "out": typer.Option(
            None,
            "--out",
            metavar="FILE",
            help="Write a report to a .html, .csv, .json or .md file as well.",
        ),
        "max_samples": typer.Option(
            None,
            "--max-samples",
            metavar="N",
            help="Score a stratified subsample: so many rows, or a share such as 0.2.",
        ),
        "memory": typer.Option(
            None,
            "--memory",
            metavar="DIR",
            help="Keep statistics there, so that a ranking goes on where it stopped.",
        ),
        "jobs": typer.Option(
            1, "--n-jobs", metavar="N", help="Files scored at once; -1 is one a core."
        ),
        "seed": typer.Option(
            0, "--seed", min=0, max=2**32 - 1, help="Draws the subsample."
        ),
        "quiet": typer.Option(False, "--quiet", help="Tell no progress."),
    }


def _parse_samples(typer: ModuleType, text: str) -> int | float:
    try:
        number = int(text)
    except ValueError:
        try:
            number = float(text)
        except ValueError:
            number = 0
    if (isinstance(number, int) and number > 0) or 0 < number <= 1:
        return number
    raise typer.BadParameter(
        f"Expected a number of rows, or a share from 0 to 1, got {text!r}.",
        param_hint="--max-samples",
    )


def _open_all(
    places: Sequence[Path],
    labels: Path | None,
    features: Sequence[str],
    label_name: str | None,
) -> dict[str, FeatureSource | Exception]:
    """Open every file; what went wrong with one stands in its place."""
    paths = list_feature_files(places, leave_out=labels)
    if not paths:
        raise ValueError(
            f"Expected files of features in {', '.join(map(str, places))}, found none. "
            "They end in .npz, .npy, .safetensors, .csv or .parquet."
        )
    opened: dict[str, FeatureSource | Exception] = {}
    for name, path in name_files(paths).items():
        try:
            opened[name] = open_features(path, features, label_name)
        except Exception as error:
            opened[name] = error
    return opened


def _common_labels(sources: Mapping[str, FeatureSource | Exception]) -> Any:
    """Return the labels of the first file that has some; others are compared later."""
    for source in sources.values():
        if isinstance(source, FeatureSource) and source.labels is not None:
            return source.labels
    broken = [s for s in sources.values() if isinstance(s, Exception)]
    if len(broken) == len(sources):
        raise broken[0]
    raise ValueError(
        "Expected labels, found none beside the features. Pass them with --labels, or "
        "say what they are called with --label-name."
    )


def _candidates(sources: Mapping[str, FeatureSource | Exception], y: Any) -> list:
    from sklearn_transrate.cli._unreadable import UnreadableFile

    candidates = []
    for name, source in sources.items():
        reason = _what_is_wrong(source, y)
        broken = reason is not None
        # The selector keeps two underscores for itself.
        candidates.append(
            (
                name.replace("__", "_"),
                UnreadableFile(reason) if broken else source.extractor,
            )
        )
    return candidates


def _what_is_wrong(source: FeatureSource | Exception, y: Any) -> str | None:
    import numpy as np

    if isinstance(source, Exception):
        return describe(source)
    if source.n_rows != len(y):
        return (
            f"Expected one row per label, got {source.n_rows} rows for {len(y)} labels."
        )
    if source.labels is not None and not np.array_equal(source.labels, y):
        return (
            "Expected the labels in this file to be those of the ranking, in the same "
            "order, but they differ."
        )
    return None


def _fit(selector: Any, y: Any) -> Any:
    import numpy as np

    from sklearn_transrate.exceptions import CandidateFailedWarning

    with warnings.catch_warnings():
        # Told below, without advice that is for programs.
        warnings.simplefilter("ignore", CandidateFailedWarning)
        results = selector.fit(np.arange(len(y)), y).results_
    for record in results.to_records():
        if record["status"] == "failed":
            tell(f"{record['candidate']} failed: {record['error']}")
    return results
