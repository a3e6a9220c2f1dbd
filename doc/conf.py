"""Sphinx settings. What is made from the package itself is made in ``_ext``."""

import re
import sys
from pathlib import Path

import sklearn_transrate

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
from example_needs import runnable

project = "sklearn-transrate"
author = "The sklearn-transrate developers"
copyright = author
release = version = sklearn_transrate.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "from_package",
    "mathml",
]
exclude_patterns = ["_build", "_ext", "_templates", "whats_new/upcoming"]
templates_path = ["_templates"]
default_role = "py:obj"
nitpicky = False

autodoc_default_options = {"show-inheritance": True}
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False

_examples = runnable(Path(__file__).parents[1] / "examples")
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "filename_pattern": rf"[/\\](?:{'|'.join(map(re.escape, _examples))})$",
    "gallery_dirs": "auto_examples",
    "within_subsection_order": "FileNameSortKey",
    "show_memory": False,
    "write_computation_times": False,
    "min_reported_time": 1,
    # An example that warns or fails breaks the build.
    "abort_on_example_error": True,
}

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = f"{project} {release}"
html_theme_options = {
    "header_links_before_dropdown": 5,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
}
html_static_path = ["_static"]
html_css_files = ["pages.css"]
# Pages without pages below them.
html_sidebars = {
    page: []
    for page in (
        "quickstart",
        "choosing",
        "evidence",
        "benchmarks",
        "transrate",
        "extending/*",
        "developers/*",
        "whats_new/*",
    )
}
html_show_sourcelink = False
