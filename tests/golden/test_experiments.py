"""The published correlations follow from the published scores and accuracies."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau, pearsonr, weightedtau

from tests.golden import experiments

# The authors print four decimals.
DECIMALS = 4

CASES = [
    pytest.param(experiment, metric, id=f"{experiment['name']}-{metric}")
    for experiment in experiments()
    for metric in experiment["scores"]
]


def triple(scores, accuracies):
    return {
        "pearson": pearsonr(scores, accuracies)[0],
        "kendall": kendalltau(scores, accuracies)[0],
        "weighted_kendall": weightedtau(scores, accuracies)[0],
    }


@pytest.mark.parametrize(("experiment", "metric"), CASES)
def test_triples_follow_from_scores(experiment, metric):
    scores = np.array(experiment["scores"][metric], dtype=float)
    known = np.isfinite(scores)
    expected = experiment["printed_triples"][metric]
    if not known.all():
        expected = experiment["available_triples"][metric]
    computed = triple(scores[known], np.array(experiment["accuracies"])[known])
    for name, value in expected.items():
        assert round(float(computed[name]), DECIMALS) == pytest.approx(value, abs=1e-12)


def test_missing_scores_are_those_of_the_missing_files():
    for experiment in experiments():
        scores = experiment["scores"]["TransRate"]
        pairs = zip(experiment["ids"], scores, strict=True)
        missing = [name for name, score in pairs if score is None]
        assert missing == experiment["missing_ids"]


def test_there_are_nineteen_experiments_and_each_scores_transrate():
    assert len(experiments()) == 19
    assert all("TransRate" in experiment["scores"] for experiment in experiments())
