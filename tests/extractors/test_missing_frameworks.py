"""What people read who have not installed a framework."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_transrate.exceptions import MissingDependencyError
from sklearn_transrate.extractors.sentence import SentenceTransformerExtractor
from sklearn_transrate.extractors.timm import TimmExtractor
from sklearn_transrate.extractors.torch import TorchExtractor
from sklearn_transrate.extractors.transformers import TransformersExtractor

CASES = [
    (TorchExtractor, "torch", "torch"),
    (TransformersExtractor, "transformers", "transformers"),
    (SentenceTransformerExtractor, "sentence_transformers", "sentence"),
    (TimmExtractor, "timm", "timm"),
]


@pytest.mark.parametrize(("kind", "package", "extra"), CASES)
def test_the_remedy_is_in_the_message(kind, package, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    extractor = clone(kind("resnet18"))
    message = (
        rf"{kind.__name__} needs {package}\. "
        rf"Install it with: pip install 'sklearn-transrate\[{extra}\]'"
    )
    for method in (extractor.fit, extractor.transform, extractor.iter_features):
        with pytest.raises(MissingDependencyError, match=message):
            method(np.zeros((2, 3)))
    assert not hasattr(extractor, "layers_")
    assert repr(extractor) == f"{kind.__name__}({kind._shared_params[0]}='resnet18')"
