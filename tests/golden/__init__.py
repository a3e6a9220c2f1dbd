"""Values returned by the authors' own programs, and the inputs they were run on."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path

from tests.golden.inputs import digest, load_inputs

__all__ = ["digest", "experiments", "golden", "load_inputs", "provenance"]

_HERE = Path(__file__).parent


def golden(name):
    """The finite numbers of one program.

    Parameters
    ----------
    name : str
        A key of ``metrics`` in ``golden.json``, such as ``"leep"``.

    Returns
    -------
    values : dict of str to float
        By input name; lists of floats for programs that return several numbers.
    """
    values = _read("golden.json")["metrics"][name]["values"]
    return {key: value for key, value in values.items() if _is_finite(value)}


def provenance(name=None):
    """Where the numbers of `name` come from: repository, commit, file, function, note.

    Without a name: the digests and sizes of the inputs, by input name.
    """
    document = _read("golden.json")
    return document["metrics"][name] if name else document["inputs"]


def experiments():
    """The nineteen published TransRate experiments, as a list of dicts.

    Each has ``name``, ``ids``, ``eps``, the switches ``projected``, ``unit_trace`` and
    ``per_rank``, ``accuracies``, ``scores`` by metric (None where a published file is
    missing) and ``printed_triples`` (Pearson, Kendall, weighted Kendall) by metric.
    Where scores are missing, ``available_triples`` has the triples over the others.
    """
    return _read("experiments.json")["experiments"]


@cache
def _read(filename):
    return json.loads((_HERE / filename).read_text(encoding="utf-8"))


def _is_finite(value):
    numbers = value if isinstance(value, list) else [value]
    return all(math.isfinite(number) for number in numbers)
