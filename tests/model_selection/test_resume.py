"""A ranking that was killed goes on where it stopped."""

from __future__ import annotations

import numpy as np
import pytest
from joblib import Memory
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA

from sklearn_transrate import TransferSelector
from sklearn_transrate.exceptions import TransRateWarning

X, y = load_iris(return_X_y=True)
# Powers of the same inputs are close by nature.
pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn_transrate.exceptions.UnstableRankingWarning"
)


class Recorded(TransformerMixin, BaseEstimator):
    """A candidate that records its passes, and may be pulled out by the roots."""

    passes: list = []
    killed_at: int | None = None

    def __init__(self, power=1):
        self.power = power

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        if self.power == type(self).killed_at:
            raise KeyboardInterrupt
        type(self).passes.append(self.power)
        return np.asarray(X) ** self.power


@pytest.fixture(autouse=True)
def _forget():
    Recorded.passes, Recorded.killed_at = [], None


def ranked(memory, **params):
    candidates = [(f"power{k}", Recorded(k)) for k in (1, 2, 3)]
    return TransferSelector(candidates, memory=memory, **params)


def test_a_killed_ranking_computes_only_what_was_not_saved(tmp_path):
    expected = ranked(None).fit(X, y).results_["score_transrate"]
    Recorded.passes, Recorded.killed_at = [], 3
    with pytest.raises(KeyboardInterrupt):
        ranked(tmp_path).fit(X, y)
    assert Recorded.passes == [1, 2]
    Recorded.passes, Recorded.killed_at = [], None
    selector = ranked(tmp_path).fit(X, y)
    assert Recorded.passes == [3]
    np.testing.assert_array_equal(selector.results_["score_transrate"], expected)
    assert selector.transform(X).shape == X.shape


def test_a_joblib_memory_names_the_folder(tmp_path):
    ranked(Memory(tmp_path, verbose=0)).fit(X, y)
    Recorded.passes = []
    ranked(tmp_path).fit(X, y)
    assert Recorded.passes == []


def test_other_data_or_parameters_are_other_work(tmp_path):
    ranked(tmp_path).fit(X, y)
    for rows, labels, params in (
        (X + 1.0, y, {}),
        (X, (y + 1) % 3, {}),
        (X, y, {"scoring": "logme"}),
        (X, y, {"max_samples": 90, "random_state": 0}),
        (X, y, {"cv": 3}),
    ):
        Recorded.passes = []
        ranked(tmp_path, **params).fit(rows, labels)
        assert set(Recorded.passes) == {1, 2, 3}


def test_metrics_that_read_the_same_statistics_share_them(tmp_path):
    ranked(tmp_path, scoring=["transrate", "logme"]).fit(X, y)
    Recorded.passes = []
    ranked(tmp_path, scoring="transrate").fit(X, y)
    assert Recorded.passes == []


def test_a_truncated_file_is_computed_again_with_a_warning(tmp_path):
    ranked(tmp_path).fit(X, y)
    victim = sorted(tmp_path.glob("*.npz"))[0]
    victim.write_bytes(victim.read_bytes()[:100])
    Recorded.passes = []
    with pytest.warns(TransRateWarning, match=rf"{victim.name}.*computed again"):
        ranked(tmp_path).fit(X, y)
    assert len(Recorded.passes) == 1


def test_a_resumed_winner_that_learns_is_fitted_again(tmp_path):
    candidates = [("pca", PCA(2)), ("one", PCA(1))]
    first = TransferSelector(candidates, memory=tmp_path).fit(X, y)
    second = TransferSelector(candidates, memory=tmp_path).fit(X, y)
    assert second.extractors_ == []
    np.testing.assert_allclose(second.transform(X), first.transform(X))


def test_labels_that_no_file_can_hold_only_lose_the_resume(tmp_path):
    labels = np.empty(len(y), dtype=object)
    labels[:] = [(int(label), "class") for label in y]
    with pytest.warns(TransRateWarning, match="cannot be resumed"):
        ranked(tmp_path).fit(X, labels)
