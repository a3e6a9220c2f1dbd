"""Every statistic keeps every law, on made data and on drawn ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_transrate.statistics import (
    ClassMoments,
    JointTable,
    RowSample,
    TargetMoments,
)
from sklearn_transrate.testing import parametrize_with_checks
from sklearn_transrate.testing._statistic_laws import STATISTIC_LAWS
from sklearn_transrate.testing.strategies import labelled_features

CLASSIFIED = [
    ClassMoments.empty(scatter="class"),
    ClassMoments.empty(scatter="pooled"),
    ClassMoments.empty(scatter="diagonal"),
    ClassMoments.empty(scatter="class", norms=True),
    ClassMoments.empty(scatter="pooled", norms=True),
    RowSample.empty(),
    RowSample.empty(max_samples=7, seed=3),
]
SOURCES = [JointTable.empty(source="proba"), JointTable.empty(source="labels")]
NUMERIC = [TargetMoments.empty()]
# The long profile has 10,000 for each law.
IS_LONG = settings.default.max_examples >= 1000
as_often_as_a_law = settings(
    max_examples=settings.default.max_examples * (1 + 4 * IS_LONG)
)


@parametrize_with_checks([*CLASSIFIED, *SOURCES, *NUMERIC])
def test_made_data(statistic, check):
    check(statistic)


def name_of_law(law):
    return law.__name__.removeprefix("check_")


@pytest.mark.parametrize("law", STATISTIC_LAWS, ids=name_of_law)
@as_often_as_a_law
@given(
    st.sampled_from(CLASSIFIED),
    labelled_features(offsets=[0.0, 1.0, 1e4]),
    st.integers(0, 2**32 - 1),
)
def test_classified_features(law, statistic, data, seed):
    law(statistic, *data, random_state=seed)


@pytest.mark.parametrize("law", STATISTIC_LAWS, ids=name_of_law)
@as_often_as_a_law
@given(st.data(), st.integers(0, 2**32 - 1))
def test_source_outputs(law, draw, seed):
    statistic = draw.draw(st.sampled_from(SOURCES))
    data = draw.draw(labelled_features(inputs=statistic.inputs))
    law(statistic, *data, random_state=seed)


@pytest.mark.parametrize(
    "law",
    [law for law in STATISTIC_LAWS if "classification" not in law.tasks],
    ids=name_of_law,
)
@as_often_as_a_law
@given(
    labelled_features(labels=["integers"]),
    st.integers(0, 3),
    st.integers(0, 2**32 - 1),
)
def test_numeric_targets(law, data, n_targets, seed):
    X, y = data
    noise = np.random.default_rng(seed).standard_normal((len(y), n_targets))
    targets = y[:, None] + noise if n_targets else y
    law(TargetMoments.empty(), X, targets, random_state=seed)
