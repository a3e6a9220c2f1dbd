"""The program: its commands, and how it ends."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from sklearn_transrate._lib.optional import import_optional
from sklearn_transrate.cli._messages import PROGRAM, describe, tell, tell_warnings
from sklearn_transrate.cli._options import repeat_options

__all__ = ["main"]

COMMANDS = ("demo", "score", "rank", "extract", "report")
INTERRUPTED = 130  # What shells report of a program that Ctrl-C ended.


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, default=None
        Arguments without the program's name; None takes those of the process.

    Returns
    -------
    status : int
        0 if all went well, 1 if something failed, 2 if the arguments make no sense,
        130 if it was interrupted.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # Old terminals know no plus-minus sign.
            stream.reconfigure(errors="replace")
    try:
        typer = import_optional("typer", extra="cli", purpose="The command line")
        with tell_warnings():
            return _run(typer, arguments)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        tell("interrupted")
        return INTERRUPTED
    except Exception as error:
        if "--traceback" in arguments:
            raise
        tell(describe(error))
        return 1


def _run(typer: ModuleType, arguments: list[str]) -> int:
    # The names of what typer raises depend on whether it brings click along.
    usage_error, parser_error = typer.BadParameter.__mro__[1:3]
    command = typer.main.get_command(_make_app(typer))
    try:
        # Without standalone mode the errors come here, to be told in one line.
        status = command.main(
            repeat_options(arguments), prog_name=PROGRAM, standalone_mode=False
        )
    except parser_error as error:
        context = getattr(error, "ctx", None)
        place = context.command_path if context else PROGRAM
        hint = f" See '{place} --help'." if isinstance(error, usage_error) else ""
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()
        else:
            tell(f"{error.format_message()}{hint}")
        return error.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None
    return status if isinstance(status, int) else 0


def _make_app(typer: ModuleType) -> Any:
    app = typer.Typer(
        name=PROGRAM,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        # Plain help keeps the line breaks of examples, and is there at once.
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    _add_group(app, typer)
    for name in COMMANDS:
        module = importlib.import_module(f"sklearn_transrate.cli._{name}")
        module.add_command(app, typer)
    return app


def _add_group(app: Any, typer: ModuleType) -> None:
    def show(wanted: bool) -> None:
        if wanted:
            from sklearn_transrate import __version__

            typer.echo(f"{PROGRAM} {__version__}")
            raise typer.Exit

    version_option = typer.Option(
        False, "--version", callback=show, is_eager=True, help="Show the version."
    )
    traceback_option = typer.Option(
        False, "--traceback", help="Show where in the code an error came from."
    )

    @app.callback(
        epilog=(
            "Tables go to standard output, progress and messages to standard error. "
            "The exit status is 0 if all went well, 1 if something failed, and 2 if "
            "the arguments make no sense. NO_COLOR=1 turns colours off."
        )
    )
    def group(
        version: bool = version_option, traceback: bool = traceback_option
    ) -> None:
        """Which pretrained model, and which of its layers, should I transfer?

        \b
        Examples:
          sklearn-transrate demo
          sklearn-transrate extract timm:resnet18 photos/ --layers blocks \\
              --out features/resnet18.npz
          sklearn-transrate rank features/ --metric transrate logme \\
              --out report.html
        """
