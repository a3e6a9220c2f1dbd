"""Every public name is documented, by numpydoc's rules."""

from __future__ import annotations

import importlib
import inspect

import pytest

validate = pytest.importorskip("numpydoc.validate", reason="needs numpydoc").validate

MODULES = (
    "sklearn_transrate",
    "sklearn_transrate.datasets",
    "sklearn_transrate.extractors",
    "sklearn_transrate.metrics",
    "sklearn_transrate.model_selection",
    "sklearn_transrate.results",
    "sklearn_transrate.statistics",
    "sklearn_transrate.testing",
    "sklearn_transrate.uncertainty",
)
# GL01: text may start on the opening line, as everywhere in the ecosystem.
# ES01, EX01, SA01: extended text, examples and links are for those who need them;
# public functions and classes must have examples, which a test below asks for.
# RT02, RT03: a return value may be named, and need no more words than its name.
# SS03, SS05, SS06: questions, nouns and two-line summaries are welcome.
# PR01, PR02: **params of scikit-learn's conventions.
IGNORED = {
    "GL01", "ES01", "EX01", "SA01", "RT02", "RT03", "SS03", "SS05", "SS06", "GL08",
    "PR07", "SA04",
}  # fmt: skip


def public_objects():
    seen = {}
    for name in MODULES:
        module = importlib.import_module(name)
        for attribute in module.__all__:
            item = getattr(module, attribute)
            if inspect.isclass(item) or inspect.isfunction(item):
                seen.setdefault(item, f"{name}.{attribute}")
    return sorted(seen.values())


@pytest.mark.parametrize("name", public_objects())
def test_docstring_follows_numpydoc(name):
    errors = [
        f"{code}: {message}"
        for code, message in validate(name)["errors"]
        if code not in IGNORED
    ]
    assert not errors


@pytest.mark.parametrize("name", public_objects())
def test_public_name_has_a_docstring(name):
    module, _, attribute = name.rpartition(".")
    assert inspect.getdoc(getattr(importlib.import_module(module), attribute))
