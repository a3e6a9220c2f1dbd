"""Stage 1: a model and inputs in, batches of features per layer out."""

from sklearn_transrate.extractors._base import FeatureExtractor, model_attribute
from sklearn_transrate.extractors._precomputed import PrecomputedFeatures
from sklearn_transrate.extractors.mlp import MLPExtractor

__all__ = [
    "FeatureExtractor",
    "MLPExtractor",
    "PrecomputedFeatures",
    "model_attribute",
]
