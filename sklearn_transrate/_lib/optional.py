"""Optional dependencies: imported when used, with the remedy in the message."""

from __future__ import annotations

import importlib
from types import ModuleType

__all__ = ["import_optional"]


def import_optional(name: str, *, extra: str, purpose: str) -> ModuleType:
    """Import a module that belongs to an extra.

    Parameters
    ----------
    name : str
        Module to import, such as ``"matplotlib.pyplot"``.
    extra : str
        The extra of this package that installs it.
    purpose : str
        What needs it; the subject of the error's sentence.

    Returns
    -------
    module : module
        The imported module.

    Raises
    ------
    MissingDependencyError
        If the package is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        top = name.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != top:
            raise  # The package is there; something that it needs is not.
        # Only now, so that the help of the command line need not wait for scikit-learn.
        from sklearn_transrate.exceptions import MissingDependencyError

        raise MissingDependencyError(
            f"{purpose} needs {top}. Install it with: "
            f"pip install 'sklearn-transrate[{extra}]'."
        ) from error
