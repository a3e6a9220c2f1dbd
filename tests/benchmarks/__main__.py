"""Command line of the benchmarks."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from threadpoolctl import threadpool_info, threadpool_limits

from tests.benchmarks import (
    growth,
    memory,
    racing,
    speed,
    startup,
    streaming,
    torch_layers,
    zoo,
)
from tests.benchmarks.attempt import attempt
from tests.benchmarks.claims import Claim, claims_table
from tests.benchmarks.plot import plot_series
from tests.benchmarks.settings import Settings
from tests.benchmarks.tables import FORMATS, Table, render, show
from tests.benchmarks.timing import CLOCKS
from tests.benchmarks.written import write_evidence

# What counts most comes first: where time is limited, the last are left out.
BENCHMARKS: dict[str, Callable[[Settings], Iterable[Claim]]] = {
    "transrate": speed.transrate_speed,
    "float32": speed.float32_speed,
    "eps_curve": speed.eps_curve_speed,
    "growth": growth.growth,
    "memory": memory.memory,
    "startup": startup.startup,
    "streaming": streaming.streaming,
    "logme": speed.logme_speed,
    "h_score": speed.h_score_speed,
    "torch_layers": torch_layers.torch_layers,
    "racing": racing.racing,
}
TABLES: dict[str, Callable[[Settings], Table]] = {"zoo": zoo.zoo_table}


def main(argv: list[str] | None = None) -> int:
    """Run benchmarks, print their table; 1 if a requirement is not met."""
    options = _parser().parse_args(argv)
    settings = Settings(
        repeats=options.repeats,
        budget=options.budget,
        clock=options.clock,
        scale=options.scale,
        large=options.large,
        quiet=options.quiet,
    )
    claims, tables = [], []
    deadline = time.monotonic() + options.limit
    with threadpool_limits(options.threads):
        machine = describe_machine()
        settings.tell(machine)
        for name in options.names or BENCHMARKS:
            if name in BENCHMARKS:
                claims += attempt(name, BENCHMARKS[name], settings, deadline)
            else:
                tables.append(TABLES[name](settings))
    if claims:
        title = f"Speed and memory ({machine}; {options.clock} time)"
        tables.insert(0, claims_table(title, claims))
    if options.format == "json":
        print(_as_json(tables, machine))
    else:
        show(tables, options.format)
    for path in options.out:
        _write(path, tables, machine)
    if options.plot:
        plot_series(claims, options.plot)
    if options.evidence:
        words = sys.argv[1:] if argv is None else argv
        command = " ".join(["python -m tests.benchmarks", *words])
        write_evidence(options.evidence, claims, machine, command)
    return int(any(table.failures for table in tables))


def describe_machine() -> str:
    """Return what the times depend on, in one line."""
    versions = [
        f"{name} {importlib.metadata.version(name)}" for name in ("numpy", "scipy")
    ]
    blas = {
        f"{pool['internal_api']} {pool['version']}, {pool['num_threads']} thread"
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    }
    return ", ".join([platform.machine(), *versions, *sorted(blas)])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests.benchmarks", description=__doc__)
    names = [*BENCHMARKS, *TABLES]
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        choices=[*names, []],
        help=f"one of {', '.join(names)}; all but {', '.join(TABLES)} by default",
    )
    parser.add_argument("--format", choices=FORMATS, default="table")
    parser.add_argument(
        "--out",
        type=Path,
        action="append",
        default=[],
        help="also write here: .json, or .md for Markdown; may be repeated",
    )
    parser.add_argument("--plot", type=Path, help="draw growth and memory here")
    parser.add_argument(
        "--evidence",
        type=Path,
        metavar="DOC",
        help="write the table and the pictures that the documentation in DOC shows",
    )
    parser.add_argument(
        "--limit",
        type=float,
        default=float("inf"),
        help="seconds after which no further measurement is begun",
    )
    parser.add_argument("--clock", choices=CLOCKS, default="cpu")
    parser.add_argument("--repeats", type=int, default=Settings.repeats)
    parser.add_argument(
        "--budget",
        type=float,
        default=Settings.budget,
        help="seconds for all runs of a slow opponent",
    )
    parser.add_argument("--threads", type=int, default=1, help="BLAS threads")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="factor on all sizes, for a dry run"
    )
    parser.add_argument(
        "--large", action="store_true", help="also rank a file of 3 GB (written first)"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress")
    return parser


def _as_json(tables: list[Table], machine: str) -> str:
    document = {"machine": machine, "tables": [table.to_dict() for table in tables]}
    return json.dumps(document, indent=1, ensure_ascii=False)


def _write(path: Path, tables: list[Table], machine: str) -> None:
    if path.suffix == ".json":
        text = _as_json(tables, machine)
    else:
        text = "\n\n".join(render(table, "markdown") for table in tables)
    path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
