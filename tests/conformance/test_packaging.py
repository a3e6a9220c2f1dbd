"""What the files at the root promise to tools."""

from __future__ import annotations

import configparser
import tomllib
from pathlib import Path

import pytest

import sklearn_transrate

ROOT = Path(sklearn_transrate.__file__).parents[1]
pytestmark = pytest.mark.skipif(
    not (ROOT / "pyproject.toml").exists(), reason="not run from a checkout"
)


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_no_tool_has_settings_in_both_files():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    in_cfg = {section.removeprefix("tool:").split(":")[0] for section in parser}
    assert not in_cfg & set(project()["tool"])
    assert not in_cfg & {"metadata", "options"}


def test_setup_cfg_stays_short():
    assert len((ROOT / "setup.cfg").read_text().splitlines()) < 15


def test_core_needs_four_packages_only():
    names = {line.split(">")[0] for line in project()["project"]["dependencies"]}
    assert names == {"numpy", "scipy", "scikit-learn", "joblib"}


def test_typed_marker_is_installed():
    assert (Path(sklearn_transrate.__file__).parent / "py.typed").exists()


def test_every_extra_that_a_message_names_exists():
    extras = set(project()["project"]["optional-dependencies"])
    named = set()
    for path in Path(sklearn_transrate.__file__).parent.rglob("*.py"):
        for piece in path.read_text().split('extra="')[1:]:
            named.add(piece.partition('"')[0])
    assert named <= extras
