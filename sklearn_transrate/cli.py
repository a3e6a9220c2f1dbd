"""The command line: arguments in, public functions called, tables out.

Tables go to standard output, everything else to standard error. The exit status is
0 if all went well, 1 if something failed, and 2 if the arguments make no sense.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Any

from sklearn_transrate import __version__
from sklearn_transrate._lib.optional import import_optional
from sklearn_transrate._lib.text import format_duration
from sklearn_transrate.exceptions import MissingDependencyError, UnknownMetricError

__all__ = ["main"]

PROGRAM = "sklearn-transrate"
# Options that take all values up to the next option, as in --metric transrate logme.
MANY_VALUES = ("--metric",)
MAX_JOBS = 8
SECONDS_BETWEEN_LINES = 5


class OutputFormat(StrEnum):
    """How a table is written to standard output."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, default=None
        Arguments without the program's name; None takes those of the process.

    Returns
    -------
    status : int
        0 if all went well, 1 if something failed, 2 if the arguments make no sense.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        typer = import_optional("typer", extra="cli", purpose="The command line")
        app = _make_app(typer)
        app(args=_repeat_options(arguments), prog_name=PROGRAM)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except (MissingDependencyError, OSError, ValueError) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 1
    return 0


def _make_app(typer: ModuleType) -> Any:
    app = typer.Typer(
        name=PROGRAM,
        help="Which pretrained model, and which of its layers, should I transfer?",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    _add_version(app, typer)
    for add_command in (_add_demo,):
        add_command(app, typer)
    return app


def _repeat_options(arguments: list[str]) -> list[str]:
    """Repeat an option before each of its values, which is how typer takes several.

    Examples
    --------
    >>> _repeat_options(["demo", "--metric", "transrate", "logme", "--seed", "1"])
    ['demo', '--metric', 'transrate', '--metric', 'logme', '--seed', '1']
    """
    repeated: list[str] = []
    option, n_values = None, 0
    for argument in arguments:
        if argument.startswith("-"):
            option, n_values = argument, 0
        elif option in MANY_VALUES:
            if n_values:
                repeated.append(option)
            n_values += 1
        repeated.append(argument)
    return repeated


# -- commands: each declares its options and calls one public function -----------------


def _add_version(app, typer) -> None:
    def show(wanted: bool) -> None:
        if wanted:
            typer.echo(f"{PROGRAM} {__version__}")
            raise typer.Exit

    option = typer.Option(
        False, "--version", callback=show, is_eager=True, help="Show the version."
    )

    @app.callback()
    def group(version: bool = option) -> None:
        """Which pretrained model, and which of its layers, should I transfer?"""


def _add_demo(app, typer) -> None:
    options = {
        "metric": typer.Option(
            ["transrate", "transrate_relative", "logme"],
            "--metric",
            help="Metrics to rank by; the first decides.",
            metavar="NAME ...",
        ),
        "plot": typer.Option(
            None,
            "--plot",
            help="Draw scores against accuracies to this file.",
            metavar="PATH",
        ),
        "seed": typer.Option(
            0, "--seed", min=0, max=2**32 - 1, help="Draws everything."
        ),
        "form": _format_option(typer),
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
        """
        from sklearn_transrate import demo as demonstration

        if plot is not None:
            demonstration.check_picture(plot)
        with _progress() as progress:
            try:
                result = demonstration.run_demo(
                    metric,
                    n_jobs=_n_jobs(jobs),
                    random_state=seed,
                    progress=progress,
                )
            except UnknownMetricError as error:
                raise typer.BadParameter(str(error), param_hint="'--metric'") from error
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


# -- shared by commands ----------------------------------------------------------------


def _format_option(typer) -> Any:
    return typer.Option(
        OutputFormat.TABLE, "--format", help="How to write to standard output."
    )


def _n_jobs(jobs: int) -> int:
    from joblib import cpu_count

    return jobs or min(cpu_count(), MAX_JOBS)


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show what is going on: bars in a terminal with rich, otherwise plain lines."""
    try:
        if not sys.stderr.isatty():
            raise MissingDependencyError
        rich = import_optional("rich.progress", extra="cli", purpose="The bar")
        console = import_optional("rich.console", extra="cli", purpose="The bar")
    except MissingDependencyError:
        yield _plain_progress()
        return
    columns = (
        rich.TextColumn("{task.description:<16}"),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TimeElapsedColumn(),
    )
    with rich.Progress(*columns, console=console.Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def show(stage: str, n_done: int, n_total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=n_total)
            bars.update(tasks[stage], completed=n_done)

        yield show


def _plain_progress() -> Callable[[str, int, int], None]:
    """A line when a stage begins, every few seconds, and when it ends."""
    begun: dict[str, float] = {}
    told = 0.0

    def show(stage: str, n_done: int, n_total: int) -> None:
        nonlocal told
        now = time.perf_counter()
        begun.setdefault(stage, now)
        if n_done in (0, n_total) or now - told >= SECONDS_BETWEEN_LINES:
            told = now
            took = f" ({format_duration(now - begun[stage])})" if n_done else ""
            print(f"{stage}: {n_done} of {n_total}{took}", file=sys.stderr, flush=True)

    return show
