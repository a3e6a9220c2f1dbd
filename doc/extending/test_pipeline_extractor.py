"""The laws that bind every extractor, one test each."""

import numpy as np
from pipeline_extractor import PipelineExtractor
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_transrate.testing import parametrize_with_checks

X = np.random.default_rng(0).standard_normal((20, 5))
model = make_pipeline(StandardScaler(), PCA(2)).fit(X)


@parametrize_with_checks([PipelineExtractor(model)], X=X[:6])
def test_pipeline_extractor_keeps_the_laws(extractor, check):
    check(extractor)
