"""The command report: a table from an earlier run in, a page out."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from sklearn_transrate.cli._messages import tell
from sklearn_transrate.cli._options import OutputFormat, check_out, format_option
from sklearn_transrate.cli._tables import (
    REPORT_ENDINGS,
    print_results,
    save_results,
)

__all__ = ["add_command"]


def add_command(app: Any, typer: ModuleType) -> None:
    """Add the command to the program."""
    results_argument = typer.Argument(
        ...,
        metavar="RESULTS",
        exists=True,
        dir_okay=False,
        help="A .json or .csv file that rank, score, demo or TransferResults wrote.",
    )
    out_choice = typer.Option(
        None,
        "--out",
        metavar="FILE",
        help="Write to a .html, .csv, .json or .md file, instead of standard output.",
    )
    form_choice = format_option(typer)

    @app.command("report")
    def report(
        results: Path = results_argument,
        out: Path | None = out_choice,
        form: OutputFormat = form_choice,
    ) -> None:
        """Make a page, or another table, of results that were saved.

        The page has the table, the pictures if matplotlib is there, and how it was
        made, of which JSON keeps more than CSV. It needs nothing beside itself.

        \b
        Examples:
          sklearn-transrate report ranking.json --out report.html
          sklearn-transrate report ranking.csv --format markdown
        """
        if out is not None:
            check_out(typer, out, REPORT_ENDINGS)
        table = _read(typer, results)
        if out is None:
            print_results(table, form)
        else:
            save_results(table, out)
            tell(f"wrote {out}")


def _read(typer: ModuleType, path: Path) -> Any:
    from sklearn_transrate.results import TransferResults

    if path.suffix.lower() == ".json":
        return TransferResults.from_json(path)
    if path.suffix.lower() == ".csv":
        return TransferResults.from_csv(path)
    raise typer.BadParameter(
        f"Expected a name that ends in .json or .csv, got {str(path)!r}.",
        param_hint="RESULTS",
    )
