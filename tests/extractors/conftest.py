"""Lets torchvision import where it was compiled for another build of torch.

timm and transformers import it for its transforms, which are plain Python; of the
operators that are compiled, its import wants no more than the names of two.
"""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec

_SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_libraries = []


def _import_torchvision() -> None:
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        library = importlib.import_module("torch").library.Library
        named = library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            named.define(name + _SIGNATURE)
        _libraries.append(named)  # Its names last as long as it does.
        for name in [n for n in sys.modules if n.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        importlib.import_module("torchvision")


if find_spec("torch") and find_spec("torchvision"):
    _import_torchvision()
