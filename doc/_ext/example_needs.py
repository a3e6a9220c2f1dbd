"""Examples that need a framework run where it is installed, and are shown elsewhere."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path

__all__ = ["missing_modules", "runnable"]

_PREFIX = "Needs: "


def missing_modules(script: Path) -> list[str]:
    """Return what the line "Needs: ..." of an example names and is not installed."""
    text = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8")))
    lines = [line for line in text.splitlines() if line.startswith(_PREFIX)]
    names = [name for line in lines for name in line[len(_PREFIX) :].split(", ")]
    return [name for name in names if find_spec(name) is None]


def runnable(folder: Path) -> list[str]:
    """Return the names of the examples that can run here, and say which cannot."""
    names = []
    for script in sorted(folder.glob("plot_*.py")):
        missing = missing_modules(script)
        if missing:
            print(f"{script.name} is shown but not run: needs {', '.join(missing)}")
        else:
            names.append(script.name)
    return names
