"""What any useful metric shows on features of real networks.

Needs the zoo, which is not part of the repository; see `shared`.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.shared import SHARED
from tests.benchmarks.zoo import Agreement, agreements, tabulate, zoo_folder

needs_zoo = pytest.mark.skipif(
    zoo_folder() is None, reason=f"needs features of real networks in ${SHARED}/zoo"
)


@pytest.fixture(scope="module")
def image_models():
    """Mean agreement of fast metrics over the data sets of image models."""
    found = list(agreements(["logme", "ridge_loo", "n_features"], ["image-models"]))
    return {
        metric: np.mean([a.weighted_kendall for a in found if a.metric == metric])
        for metric in {one.metric for one in found}
    }


@needs_zoo
@pytest.mark.parametrize("metric", ["logme", "ridge_loo"])
def test_linear_metrics_rank_image_models_better_than_their_width(image_models, metric):
    assert image_models[metric] > image_models["n_features"]


@needs_zoo
@pytest.mark.parametrize("metric", ["logme", "ridge_loo"])
def test_linear_metrics_agree_with_the_accuracy_of_a_linear_head(image_models, metric):
    # Rankings of 18 candidates by chance stay within 0.3 of zero on the mean of three.
    assert image_models[metric] > 0.5


def test_means_are_over_data_sets_and_then_over_tracks():
    found = [
        Agreement("good", "images", "cats", "linear", 0.9, 1.0),
        Agreement("good", "images", "dogs", "linear", 0.7, 1.0),
        Agreement("good", "texts", "mail", "linear", 0.4, 1.0),
        Agreement("blind", "images", "cats", "linear", np.nan, 0.5),
        Agreement("blind", "images", "dogs", "linear", 0.1, 0.5),
        Agreement("blind", "texts", "mail", "linear", np.nan, 0.5),
    ]
    table = tabulate(found[3:] + found[:3])
    assert table.columns[1:-2] == ["images (linear)", "texts (linear)"]
    assert [row[0] for row in table.rows] == ["good", "blind"]
    assert table.rows[0][1:] == pytest.approx([0.8, 0.4, 0.6, 3.0])
    assert table.rows[1][1:] == [0.1, None, 0.1, 1.5]
