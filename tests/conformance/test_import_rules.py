"""Who may import whom, and what importing the package may load."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import sklearn_transrate

PACKAGE = Path(sklearn_transrate.__file__).parent
FOLDERS = {path.name for path in PACKAGE.iterdir() if path.is_dir()} - {"__pycache__"}
GROUND = {"_lib", "exceptions"}
# Folder: the folders and modules of the package that it may import.
MAY_IMPORT = {
    "_lib": GROUND,
    "exceptions": set(),
    "datasets": GROUND,
    "statistics": GROUND,
    "metrics": GROUND | {"statistics"},
    "results": GROUND,
    "extractors": GROUND,
    "uncertainty": GROUND | {"statistics", "metrics", "results"},
    # What a batch is, extractors know; candidates themselves are asked, not imported.
    "model_selection": GROUND
    | {"statistics", "metrics", "results", "uncertainty", "extractors"},
    "testing": GROUND | {"statistics", "metrics", "extractors"},
    # The command and what it shows use the package as its users do.
    "cli": {"*"},
    "demo": {"*"},
}
OPTIONAL = {
    "torch", "transformers", "sentence_transformers", "timm", "onnxruntime", "onnx",
    "keras", "tensorflow", "ai_edge_litert", "matplotlib", "pandas", "polars",
    "hypothesis", "pytest", "dask", "distributed", "ray", "typer", "rich",
}  # fmt: skip


def imported_modules(path: Path, *, only_at_import_time: bool = False):
    """Yield the absolute names that a module imports."""
    tree = ast.parse(path.read_text())
    inside = set()
    if only_at_import_time:
        for node in ast.walk(tree):
            lazy = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(
                node.test
            )
            if lazy or typing_only:
                inside |= set(ast.walk(node))
    for node in ast.walk(tree):
        if node in inside:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide who is imported"
            yield node.module


def modules_of(folder: str):
    path = PACKAGE / folder
    return sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]


def test_every_folder_has_a_rule():
    assert set(MAY_IMPORT) >= FOLDERS


@pytest.mark.parametrize("folder", sorted(MAY_IMPORT))
def test_folders_import_only_what_the_house_allows(folder):
    allowed = MAY_IMPORT[folder] | {folder}
    broken = []
    for path in modules_of(folder):
        for name in imported_modules(path):
            top, _, rest = name.partition(".")
            target = rest.partition(".")[0]
            foreign = target not in allowed and "*" not in allowed
            if top == "sklearn_transrate" and foreign:
                broken.append(f"{path.relative_to(PACKAGE)} imports {name}")
    assert not broken


def test_optional_packages_are_imported_inside_functions():
    # The modules of testing that are made of Hypothesis, and the command line, which
    # is nothing without its parser, are themselves imported only when used.
    broken = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.parent.name != "testing"
        for name in imported_modules(path, only_at_import_time=True)
        if name.partition(".")[0] in OPTIONAL
    ]
    assert not broken


def test_private_names_of_scikit_learn_come_from_one_place():
    broken = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.name == "sklearn_compat.py":
            continue
        for name in imported_modules(path):
            parts = name.split(".")
            if parts[0] == "sklearn" and any(part.startswith("_") for part in parts):
                broken.append(f"{path.relative_to(PACKAGE)} imports {name}")
    assert not broken


def test_importing_the_package_loads_nothing_optional():
    code = (
        "import json, sys\n"
        "import sklearn.base, sklearn.pipeline, sklearn.model_selection\n"
        "import sklearn.frozen, sklearn.preprocessing\n"
        "before = set(sys.modules)\n"
        "import sklearn_transrate, sklearn_transrate.extractors\n"
        "import sklearn_transrate.testing, sklearn_transrate.datasets\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in json.loads(run.stdout)}
    assert not loaded & OPTIONAL
