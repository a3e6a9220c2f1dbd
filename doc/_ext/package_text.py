"""Texts made from the package itself, so that pages cannot fall behind the code."""

from __future__ import annotations

import csv
import inspect
from functools import cache
from importlib import import_module
from pathlib import Path

from sklearn_transrate import extractors
from sklearn_transrate.metrics import get_metric, get_metric_names
from sklearn_transrate.statistics import RowSample

__all__ = [
    "PUBLIC_MODULES",
    "api_index",
    "api_page",
    "framework_list",
    "full_names",
    "metric_evidence",
    "metric_facts",
    "metric_list",
    "upcoming_changes",
]

# Importing one of these is how a framework is asked for, so nobody exports them again.
FRAMEWORKS = sorted(
    f"sklearn_transrate.extractors.{path.stem}"
    for path in Path(extractors.__file__).parent.glob("[a-z]*.py")
    if path.stem != "mlp"
)
# A name that several export belongs to the first of them here.
PUBLIC_MODULES = (
    "sklearn_transrate.metrics",
    "sklearn_transrate.model_selection",
    "sklearn_transrate.results",
    "sklearn_transrate.uncertainty",
    "sklearn_transrate.extractors",
    *FRAMEWORKS,
    "sklearn_transrate.statistics",
    "sklearn_transrate.datasets",
    "sklearn_transrate.testing",
    "sklearn_transrate.testing.strategies",
    "sklearn_transrate.exceptions",
    "sklearn_transrate",
)
DOC = Path(__file__).parents[1]


# -- the API -------------------------------------------------------------------


@cache
def full_names() -> dict[str, str]:
    """Return where each public name belongs, by its short name."""
    found: dict[str, str] = {}
    for module in PUBLIC_MODULES:
        for name in import_module(module).__all__:
            found.setdefault(name, f"{module}.{name}")
    return found


def api_index() -> str:
    """Return the modules, each with what it says of itself, and their tree."""
    rows, entries = [["Module", "What it holds"]], []
    for module in sorted(PUBLIC_MODULES):
        said = inspect.getdoc(import_module(module)).partition("\n")[0]
        rows.append([f":doc:`{module} <generated/{module}>`", said])
        short = module.removeprefix("sklearn_transrate.")
        entries.append(f"   {short} <generated/{module}>")
    tree = ".. toctree::\n   :hidden:\n   :maxdepth: 1\n\n" + "\n".join(entries)
    return f"{_list_table(rows)}\n\n{tree}"


def api_page(module: str) -> str:
    """Return a page that lists all public names of a module, by kind."""
    exported = import_module(module)
    groups: dict[str, list[str]] = {}
    for name in sorted(exported.__all__, key=str.lower):
        groups.setdefault(_kind(getattr(exported, name)), []).append(name)
    parts = [_heading(module, "="), inspect.getdoc(exported), f".. module:: {module}"]
    for kind in ("Classes", "Functions", "Errors and warnings"):
        if kind not in groups:
            continue
        parts.append(_heading(kind, "-"))
        own = [n for n in groups[kind] if full_names()[n] == f"{module}.{n}"]
        if own:
            entries = "\n".join(f"   {name}" for name in own)
            parts.append(f".. autosummary::\n   :toctree: .\n\n{entries}")
        parts += [f"* `{full_names()[n]}`" for n in groups[kind] if n not in own]
    return "\n\n".join(parts) + "\n"


def _kind(item: object) -> str:
    if not inspect.isclass(item):
        return "Functions"
    return "Errors and warnings" if issubclass(item, Exception) else "Classes"


def _heading(title: str, mark: str) -> str:
    return f"{title}\n{mark * len(title)}"


def framework_list() -> str:
    """Return a table of the extractors that need a framework, and of their extras."""
    rows = [["Class", "Module, and extra", "Reads"]]
    for module in FRAMEWORKS:
        exported = import_module(module)
        names = [name for name in exported.__all__ if name.endswith("Extractor")]
        reads = inspect.getdoc(exported).partition("\n")[0].partition(" Needs")[0]
        links = ", ".join(f"`~{module}.{name}`" for name in names)
        rows.append([links, f"``{module.rpartition('.')[2]}``", reads])
    return _list_table(rows)


def _list_table(rows: list[list[str]]) -> str:
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: auto", ""]
    for row in rows:
        lines += [f"   {'  -' if i else '* -'} {cell}" for i, cell in enumerate(row)]
    return "\n".join(lines)


# -- metrics -------------------------------------------------------------------

HEADS = ("image layers", "image models", "text layers", "text models")
INPUTS = {
    "features": "features, one row a sample",
    "source_proba": "probabilities of the source model's classes",
    "source_labels": "labels that the source model gives, or its probabilities",
}
TASKS = {"classification": "classes", "multilabel": "labels", "regression": "values"}


def metric_facts(name: str) -> str:
    """Return what a registered metric says of itself, as a list of fields."""
    metric = get_metric(name)
    required = metric.required_statistics().values()
    low, high = metric.bounds
    facts = {
        "Name": f'``"{name}"``',
        "Object": f"`{type(metric).__name__}`, as ``{_one_line(metric)}``",
        "X": INPUTS[metric.inputs],
        "y": ", ".join(TASKS[task] for task in metric.tasks),
        "Between": f"{_number(low)} and {_number(high)}",
        "Unchanged by": ", ".join(sorted(metric.invariances)) or "nothing but order",
        "Keeps": ", ".join(f"``{_specification(each)}``" for each in required),
        "Looks at a row": _looks(metric),
        "Sparse X": "yes" if metric.accepts_sparse else "no",
        "Predicts": metric_predicts(name),
    }
    return "\n".join(f":{key}: {value}" for key, value in facts.items())


def _looks(metric) -> str:
    if metric.n_passes > 1:
        return f"{metric.n_passes} times"
    kept = [
        statistic.config["max_samples"]
        for statistic in metric.required_statistics().values()
        if isinstance(statistic, RowSample)
    ]
    return f"once, and again at {kept[0]:,} at most" if any(kept) else "once"


def metric_predicts(name: str) -> str:
    """Return which of two ways of training a metric was measured to rank better."""
    measured = _measured(name)
    columns = {"linear probe": "linear heads", "fine-tuning": "fine-tuning"}
    known = {k: float(measured[v]) for k, v in columns.items() if v in measured}
    if not known:
        return "not measured"
    return max(known, key=known.get)


def _measured(name: str) -> dict[str, str]:
    """Return the filled cells of a metric's row in the measured table."""
    with (DOC / "evidence" / "zoo.csv").open(encoding="utf-8") as file:
        found = {row["metric"]: row for row in csv.DictReader(file)}
    return {k: v for k, v in found.get(name, {}).items() if v}


def metric_evidence(name: str) -> str:
    """Return how a metric ranks real networks, from the measured table."""
    measured = _measured(name)
    heads = [f"{k} {measured[k]}" for k in HEADS if k in measured]
    if not heads:
        return "Not measured yet on the real networks of :ref:`evidence`."
    text = (
        "On real networks and about 1000 labelled samples (:ref:`evidence`), its mean "
        "weighted Kendall correlation with the accuracy of a linear head is, over "
        f"{', '.join(heads)}"
    )
    if "fine-tuning" in measured:
        text += f"; with that of fine-tuning, {measured['fine-tuning']}"
    return f"{text}."


def metric_list() -> str:
    """Return a table of all registered metrics, each linked to its page."""
    heads = ["Name", "X", "y", "Rows", "Sparse"]
    return _list_table([heads, *map(_metric_row, get_metric_names())])


def _metric_row(name: str) -> list[str]:
    metric = get_metric(name)
    keeps_rows = metric.n_passes > 1
    return [
        f":doc:`{name} </metrics/{name}>`",
        metric.inputs.replace("_", " "),
        ", ".join(TASKS[task] for task in metric.tasks),
        "kept" if keeps_rows else "seen once",
        "yes" if metric.accepts_sparse else "no",
    ]


def _specification(statistic) -> str:
    config = ", ".join(f"{k}={v!r}" for k, v in statistic.config.items())
    return f"{type(statistic).__name__}({config})"


def _number(value: float) -> str:
    if value in (float("inf"), float("-inf")):
        return "+∞" if value > 0 else "-∞"
    return f"{value:g}"


def _one_line(item: object) -> str:
    return " ".join(repr(item).split())


# -- what's new ----------------------------------------------------------------


def upcoming_changes(folder: str | Path = DOC / "whats_new" / "upcoming") -> str:
    """Return the fragments as lists, by part: ``metrics-leep.rst`` is of metrics."""
    parts: dict[str, list[str]] = {}
    for path in sorted(Path(folder).glob("*.rst")):
        sentence = " ".join(path.read_text(encoding="utf-8").split())
        parts.setdefault(path.stem.partition("-")[0], []).append(sentence)
    blocks = []
    for part, sentences in parts.items():
        title = part.replace("_", " ").capitalize()
        blocks.append(_heading(title, "~"))
        blocks += [f"* {sentence}" for sentence in sentences]
    return "\n\n".join(blocks)
