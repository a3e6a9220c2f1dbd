"""Options that commands share, and what their values mean."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = [
    "OutputFormat",
    "check_metrics",
    "check_out",
    "feature_options",
    "format_option",
    "metric_option",
    "repeat_options",
]

# Options that take all values up to the next option, as in --metric transrate logme.
MANY_VALUES = ("--metric", "--layers", "--features")
NAMES = "NAME ..."


class OutputFormat(StrEnum):
    """How a table is written to standard output."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


def repeat_options(arguments: list[str]) -> list[str]:
    """Repeat an option before each of its values, which is how typer takes several.

    Examples
    --------
    >>> repeat_options(["demo", "--metric", "transrate", "logme", "--seed", "1"])
    ['demo', '--metric', 'transrate', '--metric', 'logme', '--seed', '1']
    """
    repeated: list[str] = []
    option, n_values = None, 0
    for argument in arguments:
        if argument.startswith("-") and not argument.lstrip("-").isdigit():
            option, n_values = argument, 0
        elif option in MANY_VALUES:
            if n_values:
                repeated.append(option)
            n_values += 1
        repeated.append(argument)
    return repeated


def format_option(typer: ModuleType) -> Any:
    """The option --format."""
    return typer.Option(
        OutputFormat.TABLE, "--format", help="How to write to standard output."
    )


def metric_option(typer: ModuleType, default: Sequence[str]) -> Any:
    """The option --metric, whose names the shell completes."""
    return typer.Option(
        list(default),
        "--metric",
        metavar=NAMES,
        help="Metrics; the first decides. One that is unknown names its neighbours.",
        autocompletion=_complete_metric,
    )


def _complete_metric(incomplete: str) -> list[str]:
    from sklearn_transrate.metrics import get_metric_names

    return [name for name in get_metric_names() if name.startswith(incomplete)]


def feature_options(typer: ModuleType) -> tuple[Any, Any, Any]:
    """The options --features, --labels and --label-name."""
    features = typer.Option(
        None,
        "--features",
        metavar=NAMES,
        help="Arrays of a file, or columns of a table, to take as features; '*' "
        "stands for anything. By default all rows of numbers but the labels, and but "
        "P, proba, probabilities and logits.",
    )
    labels = typer.Option(
        None,
        "--labels",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="File of labels: .npy, .npz, .safetensors, .csv, .parquet, or .txt with "
        "one a line. By default they are found beside the features.",
    )
    name = typer.Option(
        None,
        "--label-name",
        metavar="NAME",
        help="Array or column of the labels; by default y, label, labels, target or "
        "targets.",
    )
    return features, labels, name


def check_metrics(typer: ModuleType, names: Sequence[str]) -> list[str]:
    """Refuse names that no metric has, before any work."""
    from sklearn_transrate.exceptions import UnknownMetricError
    from sklearn_transrate.metrics import get_metric

    for name in names:
        try:
            get_metric(name)
        except UnknownMetricError as error:
            hint = " Files come before the options." if Path(name).exists() else ""
            raise typer.BadParameter(f"{error}{hint}", param_hint="--metric") from error
    return list(dict.fromkeys(names))


def check_out(typer: ModuleType, path: Path, endings: Sequence[str]) -> None:
    """Refuse a file that could not be written, before any work."""
    if path.suffix.lower() not in endings:
        raise typer.BadParameter(
            f"Expected a name that ends in {', '.join(endings)}, got {str(path)!r}.",
            param_hint="--out",
        )
    if not path.absolute().parent.is_dir():
        raise typer.BadParameter(
            f"There is no folder {str(path.parent)!r} for {path.name!r}. Make it.",
            param_hint="--out",
        )
