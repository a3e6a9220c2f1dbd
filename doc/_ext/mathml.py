"""Formulas as MathML, which browsers draw themselves: pages need no network."""

from __future__ import annotations

import re

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx

__all__ = ["setup"]

SHORT_FRACTION = re.compile(r"(\\[td]?frac) ?(\w) ?(\w)")


def normalised(tex: str) -> str:
    """Put a formula on one line, and braces that TeX lets one leave out."""
    return SHORT_FRACTION.sub(r"\1{\2}{\3}", " ".join(tex.split()))


def visit_inline(writer, node) -> None:
    """Write a formula within a sentence, and nothing of its source."""
    writer.body.append(tex2mathml(normalised(node.astext())))
    raise nodes.SkipNode


def visit_block(writer, node) -> None:
    """Write a formula on lines of its own."""
    formula = tex2mathml(normalised(node.astext()), as_block=True)
    writer.body.append(f'<div class="formula">{formula}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict:
    """Register the renderer as "mathml"."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
