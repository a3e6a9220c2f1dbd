"""The architecture page says what the tests of the house enforce."""

from __future__ import annotations

import re

import pytest

from tests.conformance.test_import_rules import MAY_IMPORT, PACKAGE
from tests.doc import DOC

PAGE = (DOC / "developers" / "architecture.rst").read_text(encoding="utf-8")
# The command and what it shows use the package as its users do.
NOT_SHOWN = {"cli", "demo"}


def rules():
    """Read the table: folder, and what it may import."""
    table = re.search(r"may import, beside itself\n=+ +=+\n(.*?)\n=+ +=+", PAGE, re.S)[
        1
    ]
    rows = re.findall(r"^(\S.*(?:\n +.*)*)", table, re.MULTILINE)
    names = [re.findall(r"``(\w+)``", row) for row in rows]
    return {folder: set(allowed) for folder, *allowed in names}


def test_table_is_the_one_that_is_enforced():
    enforced = {
        folder: allowed - {folder}
        for folder, allowed in MAY_IMPORT.items()
        if folder not in NOT_SHOWN
    }
    assert rules() == enforced


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"``(\w+/\w+\.py)``", PAGE))), ids=str
)
def test_files_that_are_named_exist(path):
    assert (PACKAGE / path).is_file() or (DOC.parent / path).is_file()
