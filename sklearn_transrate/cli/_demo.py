"""The command demo: the main job on bundled real data."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from sklearn_transrate.cli._messages import show_progress
from sklearn_transrate.cli._options import (
    OutputFormat,
    check_metrics,
    format_option,
    metric_option,
)

__all__ = ["add_command"]

MAX_JOBS = 8


def add_command(app: Any, typer: ModuleType) -> None:
    """Add the command to the program."""
    options = {
        "metric": metric_option(typer, ["transrate", "transrate_relative", "logme"]),
        "plot": typer.Option(
            None,
            "--plot",
            help="Draw scores against accuracies to this file.",
            metavar="PATH",
        ),
        "seed": typer.Option(
            0, "--seed", min=0, max=2**32 - 1, help="Draws everything."
        ),
        "form": format_option(typer),
        "jobs": typer.Option(
            0, "--jobs", min=0, help="Networks pretrained at once; 0 is one a core."
        ),
    }

    @app.command("demo")
    def demo(
        metric: list[str] = options["metric"],
        plot: Path | None = options["plot"],
        seed: int = options["seed"],
        form: OutputFormat = options["form"],
        jobs: int = options["jobs"],
    ) -> None:
        """Rank pretrained networks for a new task, on real digits, and check it.

        Small networks learn tasks on the digits 0 to 4, each of their layers is
        ranked for telling the digits 5 to 9 apart, and then all of them are tried.
        Takes about half a minute and needs no network.

        \b
        Examples:
          sklearn-transrate demo
          sklearn-transrate demo --metric logme h_score --plot demo.png
        """
        from sklearn_transrate import demo as demonstration

        if plot is not None:
            demonstration.check_picture(plot)
        with show_progress() as progress:
            result = demonstration.run_demo(
                check_metrics(typer, metric),
                n_jobs=_n_jobs(jobs),
                random_state=seed,
                progress=progress,
            )
        if plot is not None:
            demonstration.save_picture(result, plot)
            typer.echo(f"Picture: {plot}", err=True)
        write = {
            OutputFormat.TABLE: demonstration.plain_report,
            OutputFormat.MARKDOWN: demonstration.markdown_report,
            OutputFormat.JSON: demonstration.json_report,
            OutputFormat.CSV: lambda result: result.results.to_csv(),
        }[form]
        typer.echo(write(result), nl=False)


def _n_jobs(jobs: int) -> int:
    from joblib import cpu_count

    return jobs or min(cpu_count(), MAX_JOBS)
