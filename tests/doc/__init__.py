"""Tests of the pages and the examples."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["DOC", "EXAMPLES", "ROOT", "example_needs", "package_text"]

ROOT = Path(__file__).parents[2]
DOC, EXAMPLES = ROOT / "doc", ROOT / "examples"

sys.path.insert(0, str(DOC / "_ext"))
import example_needs  # noqa: E402
import package_text  # noqa: E402
