"""Where material lies that is too large, or not ours, to be part of the repository."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["SHARED", "shared_folder"]

# The folder, instead of the one beside the repository.
SHARED = "SKLEARN_TRANSRATE_SHARED"


def shared_folder(*parts: str) -> Path | None:
    """Return a folder of shared material, or None where there is none."""
    root = Path(os.environ.get(SHARED) or Path(__file__).parents[3] / "shared")
    folder = root.joinpath(*parts)
    return folder if folder.is_dir() else None
