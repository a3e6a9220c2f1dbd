"""The guide's page on the command line shows what the commands really write."""

from __future__ import annotations

import doctest
import re
import shutil
import subprocess
import sys

import pytest

from tests.doc import DOC

PAGE = DOC / "guide" / "command_line.rst"


def shown_commands(text):
    """Each command of the console blocks, and the lines that are shown below it."""
    for block in re.findall(r"code-block:: console\n\n((?:   .*\n|\n)+)", text):
        lines = [line.removeprefix("   ") for line in block.rstrip().splitlines()]
        for part in re.split(r"^\$ ", "\n".join(lines), flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


@pytest.mark.skipif(not shutil.which("cut"), reason="needs a Unix shell")
def test_commands_write_what_is_shown(tmp_path, monkeypatch):
    pytest.importorskip("typer", reason="needs the cli extra")
    pytest.importorskip("rich", reason="needs the cli extra")
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    blocks = doctest.DocTestParser().get_doctest(text, {}, "page", str(PAGE), 0)
    doctest.DocTestRunner(verbose=False).run(blocks)
    commands = list(shown_commands(text))
    assert len(commands) >= 4
    for command, output in commands:
        assert command.startswith("sklearn-transrate ")
        done = subprocess.run(
            command.replace(
                "sklearn-transrate", f"{sys.executable} -m sklearn_transrate"
            ),
            shell=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        lines = [line.rstrip() for line in done.stdout.splitlines()]
        assert lines == output.splitlines(), command
    assert (tmp_path / "ranking.html").stat().st_size > 10_000
