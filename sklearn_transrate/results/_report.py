"""One page that holds the table, the pictures and how they were made.

The page is put together by `string.Template` from the files in ``_page``: that is all
it takes, and needs no dependency. It loads nothing from anywhere, and a policy in its
head forbids it to.
"""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Iterator, Mapping
from html import escape
from importlib import resources
from string import Template
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sklearn_transrate._lib.optional import import_optional
from sklearn_transrate.exceptions import MissingDependencyError
from sklearn_transrate.results import _render
from sklearn_transrate.results._columns import metric_columns
from sklearn_transrate.results._plot import (
    LayerDisplay,
    MetricAgreementDisplay,
    RankingDisplay,
)

if TYPE_CHECKING:
    from sklearn_transrate.results._table import TransferResults

__all__ = ["html_page"]

# Sections of what is known of a run, in their order; other facts come first.
SECTIONS = {
    "scoring": "Metrics",
    "parameters": "Parameters",
    "data": "Data",
    "versions": "Versions",
}
# What `pip install` calls a module, where that is another name.
PACKAGES = {"sklearn_transrate": "sklearn-transrate", "sklearn": "scikit-learn"}
# Read again, glyph by glyph, on machines without the font.
SVG_STYLE = {"svg.fonttype": "path", "svg.hashsalt": "sklearn-transrate"}


class _Picture(NamedTuple):
    title: str
    alt: str
    display: Any
    width: float
    height: float


def html_page(results: TransferResults, *, pictures: bool = True) -> str:
    """A page that needs nothing beside itself.

    Parameters
    ----------
    results : TransferResults
        The table.
    pictures : bool, default=True
        Whether to draw, where matplotlib is installed.

    Returns
    -------
    text : str
        HTML. Sorting and filtering need scripts, reading does not.
    """
    return Template(_part("page.html")).substitute(
        style=_part("page.css"),
        script=_part("page.js"),
        table=_render.html_table(results, sortable=True),
        pictures=_pictures_section(results) if pictures else "",
        facts=_facts_section(results.metadata),
        reproduce=_reproduce_section(results),
    )


def _part(name: str) -> str:
    folder = resources.files("sklearn_transrate.results") / "_page"
    return (folder / name).read_text(encoding="utf-8")


# -- pictures ------------------------------------------------------------------


def _pictures_section(results: TransferResults) -> str:
    try:
        figures = import_optional(
            "matplotlib.figure", extra="plot", purpose="A page with pictures"
        )
    except MissingDependencyError:
        return ""
    shown = "".join(_figure(figures, picture) for picture in _pictures(results))
    if not shown:
        return ""
    return (
        '<section>\n<h2>Pictures</h2>\n<div class="pictures">\n'
        f"{shown}</div>\n</section>\n"
    )


def _pictures(results: TransferResults) -> Iterator[_Picture]:
    scores = [results[metric_columns(metric)[0]] for metric in results.metrics]
    if not len(results) or np.isnan(scores[0]).all():
        return
    ranking = _displays(RankingDisplay, results)
    yield _Picture(
        "Ranking",
        "Scores of all candidates with their intervals, best first; the table has "
        "the same numbers.",
        ranking,
        width=4.5,
        height=0.85 + 0.15 * min(len(results), 51),
    )
    _, sizes = np.unique(results["extractor"].astype(str), return_counts=True)
    if (sizes > 1).any() and (results["extractor"] != "").any():
        yield _Picture(
            "Layers",
            "Score along the depth of each model; the best layer is ringed.",
            _displays(LayerDisplay, results),
            width=4.5,
            height=3.6,
        )
    if len(scores) > 1 and len(results) > 2:
        side = max(4.5, 0.24 * len(scores) + 1.6)
        yield _Picture(
            "Agreement of the metrics",
            "Weighted Kendall correlations between the rankings by each metric.",
            _displays(MetricAgreementDisplay, results),
            width=side,
            height=side - 0.6,
        )


def _displays(display, results):
    """Draw onto axes that are given later, when there is a figure."""
    return lambda ax: display.from_results(results, ax=ax)


def _figure(figures, picture: _Picture) -> str:
    image = base64.b64encode(_svg(figures, picture)).decode("ascii")
    return (
        f'<figure>\n<img alt="{escape(picture.alt)}" width="{96 * picture.width:.0f}" '
        f'height="{96 * picture.height:.0f}" '
        f'src="data:image/svg+xml;base64,{image}">\n'
        f"<figcaption>{escape(picture.title)}. {escape(picture.alt)}</figcaption>\n"
        "</figure>\n"
    )


def _svg(figures, picture: _Picture) -> bytes:
    matplotlib = import_optional("matplotlib", extra="plot", purpose="A picture")
    out = io.BytesIO()
    with matplotlib.rc_context(SVG_STYLE), warnings.catch_warnings():
        # A name may have letters that the font has not; the table shows them.
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        size = picture.width, picture.height
        figure = figures.Figure(figsize=size, layout="constrained")
        picture.display(figure.subplots())
        # Without a date the same table makes the same page.
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


# -- facts ---------------------------------------------------------------------


def _facts_section(facts: Mapping[str, Any]) -> str:
    others = {name: fact for name, fact in facts.items() if name not in SECTIONS}
    parts = [("Run", others)]
    parts += [(title, facts.get(name)) for name, title in SECTIONS.items()]
    shown = "".join(
        f"<h3>{title}</h3>\n<dl>\n{_definitions(fact)}</dl>\n"
        for title, fact in parts
        if fact
    )
    if not shown:
        return ""
    return f"<section>\n<h2>How it was made</h2>\n{shown}</section>\n"


def _definitions(fact: Any) -> str:
    return "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>\n"
        for name, text in _flat(fact)
    )


def _flat(fact: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield a nested fact as lines: names joined by dots, and a text."""
    if isinstance(fact, Mapping):
        for key, value in fact.items():
            yield from _flat(value, f"{name}.{key}" if name else str(key))
    elif isinstance(fact, list):
        yield name or "value", ", ".join(map(str, fact))
    else:
        yield name or "value", str(fact)


def _reproduce_section(results: TransferResults) -> str:
    links = ", ".join(
        f'<a download="results.{kind}" href="data:{mime};base64,{_encoded(text)}">'
        f"results.{kind}</a>"
        for kind, mime, text in (
            ("json", "application/json", results.to_json()),
            ("csv", "text/csv", results.to_csv()),
        )
    )
    lines = ["from sklearn_transrate.results import TransferResults"]
    lines += ['results = TransferResults.from_json("results.json")']
    versions = results.metadata.get("versions")
    text = (
        f"<section>\n<h2>How to reproduce it</h2>\n<p>All numbers, unrounded: {links}. "
        f"To read them again:</p>\n<pre>{escape(chr(10).join(lines))}</pre>\n"
    )
    if isinstance(versions, Mapping):
        pins = " ".join(
            f"{PACKAGES.get(name, name)}=={version}"
            for name, version in versions.items()
            if name != "python"
        )
        text += (
            "<p>The same versions, and then the same call on data with the same "
            f"fingerprint:</p>\n<pre>pip install {escape(pins)}</pre>\n"
        )
    return f"{text}</section>\n"


def _encoded(text: str) -> str:
    # An error's text may hold bytes of a path that no encoding can write.
    return base64.b64encode(text.encode("utf-8", "backslashreplace")).decode("ascii")
