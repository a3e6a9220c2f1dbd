"""Data made for trying things out: transfer problems from images that are at hand."""

from sklearn_transrate.datasets._digits import (
    SourceTask,
    TargetTask,
    digits_source_names,
    load_digits_sources,
    load_digits_target,
)

__all__ = [
    "SourceTask",
    "TargetTask",
    "digits_source_names",
    "load_digits_sources",
    "load_digits_target",
]
