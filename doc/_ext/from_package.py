"""What Sphinx makes from the package itself: API pages, facts of metrics, changes.

The texts are written by `package_text`, which needs no Sphinx, so that tests read
what readers will.
"""

from __future__ import annotations

import re
from pathlib import Path

import package_text
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

__all__ = ["setup"]

# Earlier than autosummary looks for pages to make, and numpydoc for sections.
BEFORE_OTHERS = 400
# What reStructuredText reads as links and stress.
MARKUP = re.compile(r"_(?!\w)|\*+")
LAST_UNDERSCORE = re.compile(r"_$")
ABSOLUTE_VALUE = re.compile(r"\|(?=\S)")


class FromPackage(SphinxDirective):
    """Insert a text: ``.. from-package:: metric_facts logme``."""

    required_arguments = 1
    optional_arguments = 1
    final_argument_whitespace = False

    def run(self) -> list[nodes.Node]:
        name, *arguments = self.arguments
        text = getattr(package_text, name)(*arguments)
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def write_api_pages(app: Sphinx) -> None:
    """Write one page a module; leave alone what has not changed."""
    folder = Path(app.srcdir) / "api" / "generated"
    folder.mkdir(parents=True, exist_ok=True)
    for module in package_text.PUBLIC_MODULES:
        page, text = folder / f"{module}.rst", package_text.api_page(module)
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")
    # By name, since Sphinx has not found the new ones yet.
    app.config.autosummary_generate = [
        f"api/generated/{module}.rst" for module in package_text.PUBLIC_MODULES
    ]


def resolve_short_name(app, env, node, contnode):
    """Link a public name, or a member of one, that stands without its module."""
    if node.get("refdomain") != "py":
        return None
    name, _, member = node.get("reftarget", "").partition(".")
    full = package_text.full_names().get(name)
    if full is None:
        return None
    target = ".".join(filter(None, (full, member)))
    domain = env.get_domain("py")
    if target not in domain.objects:
        return None
    return domain.resolve_xref(
        env, node["refdoc"], app.builder, "obj", target, node, contnode
    )


def skip_scikit_learn(app, what, name, obj, skip, options) -> bool | None:
    """Leave out what scikit-learn gives to every estimator, and documents itself."""
    return True if str(getattr(obj, "__module__", "")).startswith("sklearn.") else None


def hide_private_bases(app, name, obj, options, bases: list) -> None:
    """Leave out the classes that only divide a long class among files."""
    own = [base for base in bases if base.__module__.startswith("sklearn_transrate.")]
    hidden = {base for base in own if base.__name__ not in package_text.full_names()}
    bases[:] = [base for base in bases if base not in hidden] or [object]


def escape_types(app, what, name, obj, options, lines: list[str]) -> None:
    """Take types such as ``shape (n_features_in_,)``, and sizes as |z|, literally."""
    for i, line in enumerate(lines):
        if "`" in line:
            continue
        attribute, colon, kind = line.partition(" : ")
        if colon:
            # An escaped name also keeps what the class says of its attribute, where
            # numpydoc would put the first line of an inherited property.
            attribute = LAST_UNDERSCORE.sub(r"\\_", attribute)
        line = attribute + colon + MARKUP.sub(r"\\\g<0>", kind)
        lines[i] = ABSOLUTE_VALUE.sub(r"\\\g<0>", line)


def setup(app: Sphinx) -> dict:
    """Register the directive and the hooks."""
    app.add_directive("from-package", FromPackage)
    app.connect("builder-inited", write_api_pages, priority=BEFORE_OTHERS)
    app.connect("autodoc-process-docstring", escape_types, priority=BEFORE_OTHERS)
    app.connect("autodoc-process-bases", hide_private_bases)
    app.connect("autodoc-skip-member", skip_scikit_learn)
    app.connect("missing-reference", resolve_short_name)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
