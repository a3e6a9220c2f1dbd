"""Standard errors of a selection, from the rows of its one pass."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from sklearn_transrate import TransferResults, TransferSelector, TransRate
from sklearn_transrate.extractors import MLPExtractor
from sklearn_transrate.metrics import RidgeLOO
from sklearn_transrate.model_selection import _units
from sklearn_transrate.uncertainty import compare_scores, standard_error

# Close candidates are what these tests are about.
pytestmark = pytest.mark.filterwarnings("ignore:The first two candidates change")

X, y = (part[:600] for part in load_digits(return_X_y=True))


def candidates():
    return [("raw", "passthrough"), ("wide", exact(20)), ("narrow", exact(19))]


def exact(n_components):
    return PCA(n_components, svd_solver="full")


@pytest.fixture(scope="module")
def layered():
    network = MLPClassifier((12, 9), max_iter=15, random_state=0)
    with pytest.warns(match="Maximum iterations"):
        network.fit(X[:200], y[:200])
    return MLPExtractor(network)


def test_errors_and_comparisons_are_those_of_the_features():
    results = TransferSelector(candidates()).fit(X, y).results_
    wide, narrow = (exact(n).fit_transform(X) for n in (20, 19))
    expected = [standard_error("transrate", Z, y) for Z in (X, wide, narrow)]
    assert results["std_error_transrate"] == pytest.approx(expected)
    found = results.compare("wide", "narrow")
    wanted = compare_scores("transrate", wide, narrow, y)
    assert found.is_paired
    assert found.std_error == pytest.approx(wanted.std_error)
    assert found.p_value == pytest.approx(wanted.p_value)
    assert found.std_error < 0.3 * expected[1]


def test_every_metric_with_a_closed_form_has_its_own():
    scoring = ["transrate", "logme", RidgeLOO()]
    results = TransferSelector(candidates(), scoring=scoring).fit(X, y).results_
    assert results["std_error_logme"] == pytest.approx(
        [
            standard_error("logme", Z, y)
            for Z in (X, exact(20).fit_transform(X), exact(19).fit_transform(X))
        ]
    )
    # This one knows its own error, but not what it shares with others.
    assert np.all(results["std_error_ridge_loo"] > 0)
    assert not results.compare("raw", "wide", "ridge_loo").is_paired


def test_the_jackknife_is_for_all():
    scoring = ["transrate", RidgeLOO()]
    selector = TransferSelector(candidates(), scoring=scoring, std_error="jackknife")
    results = selector.fit(X, y).results_
    assert results.compare("raw", "wide", "ridge_loo").is_paired
    # Few rows of each class: leaving some out overstates what they add.
    closed = standard_error("transrate", exact(20).fit_transform(X), y)
    assert 0.8 < results["std_error_transrate"][1] / closed < 2.0
    assert results.compare("raw", "wide").n_units == _units.N_BLOCKS


def test_none_keeps_nothing():
    results = TransferSelector(candidates(), std_error=None).fit(X, y).results_
    assert np.isnan(results["std_error_transrate"]).all()
    assert "rank_low_transrate" not in results.columns
    assert np.isnan(results.compare("raw", "wide").p_value)


@pytest.mark.parametrize("std_error", ["auto", "jackknife"])
def test_layers_come_in_batches(layered, std_error):
    results = []
    for batch_size in (600, 70):
        selector = TransferSelector(
            [("mlp", layered)], std_error=std_error, batch_size=batch_size
        )
        results.append(selector.fit(X, y).results_)
    whole, batches = results
    assert whole["std_error_transrate"] == pytest.approx(batches["std_error_transrate"])
    assert np.all(whole["std_error_transrate"] > 0)
    a, b = whole["candidate"][:2]
    assert whole.compare(a, b).std_error == pytest.approx(
        batches.compare(a, b).std_error
    )


def test_the_largest_layer_goes_where_memory_ends(layered, monkeypatch):
    monkeypatch.setattr(_units, "MAX_KEPT_BYTES", 600 * 10 * 8)
    results = TransferSelector([("mlp", layered)]).fit(X, y).results_
    known = dict(
        zip(results["n_features"], results["std_error_transrate"], strict=True)
    )
    assert np.isnan(known[12.0])
    assert known[9.0] > 0


def test_folds_have_no_common_units():
    selector = TransferSelector([("pca", PCA(3)), ("raw", "passthrough")], cv=3)
    results = selector.fit(X, y).results_
    assert np.isnan(results["std_error_transrate"]).tolist() == [True, True]


def test_a_candidate_that_fails_has_no_error_and_stops_nobody():
    pairs = [*candidates(), ("broken", PCA(10_000))]
    with pytest.warns(match="'broken' failed"):
        results = TransferSelector(pairs).fit(X, y).results_
    assert np.isnan(results["std_error_transrate"][3])
    assert np.isnan(results["rank_low_transrate"][3])
    assert results.compare("raw", "wide").is_paired
    assert results["rank_high_transrate"][:3].max() <= 3


def test_weights_scale_what_a_row_does():
    weights = np.random.default_rng(0).uniform(0.0, 2.0, len(X))
    weights[:50] = 0.0
    selector = TransferSelector([("raw", "passthrough"), ("z", StandardScaler())])
    results = selector.fit(X, y, sample_weight=weights).results_
    assert results["std_error_transrate"][0] == pytest.approx(
        standard_error("transrate", X, y, sample_weight=weights)
    )
    assert results.compare("raw", "z").n_units == np.count_nonzero(weights)


@pytest.mark.parametrize("std_error", ["auto", "jackknife"])
def test_a_resumed_selection_has_the_same_errors(tmp_path, std_error, layered):
    def fit(scoring):
        pairs = [*candidates(), ("mlp", layered)]
        selector = TransferSelector(
            pairs, scoring=scoring, memory=tmp_path, std_error=std_error
        )
        return selector.fit(X, y).results_

    first, again = fit("transrate_relative"), fit("transrate_relative")
    column = "std_error_transrate_relative"
    assert again[column] == pytest.approx(first[column], rel=1e-5)
    found, wanted = again.compare("raw", "wide"), first.compare("raw", "wide")
    assert found.std_error == pytest.approx(wanted.std_error, rel=1e-4)
    # Values of a metric that was not scored then are not known now.
    other = fit({"other": TransRate(eps=1e-3)})
    assert np.isnan(other["std_error_other"]).all()
    assert np.isfinite(other["score_other"]).all()


def test_processes_hand_values_back():
    one = TransferSelector(candidates()).fit(X, y).results_
    both = TransferSelector(candidates(), n_jobs=2).fit(X, y).results_
    assert both.compare("raw", "wide").std_error == pytest.approx(
        one.compare("raw", "wide").std_error
    )


def test_a_table_keeps_its_errors_in_json():
    results = TransferSelector(candidates()).fit(X, y).results_
    again = TransferResults.from_json(results.to_json())
    assert again == results
    assert again.compare("raw", "wide") == results.compare("raw", "wide")


def test_equal_candidates_cannot_be_told_apart():
    pairs = [("a", "passthrough"), ("b", "passthrough"), ("c", StandardScaler())]
    results = TransferSelector(pairs).fit(X, y).results_
    assert results.compare("a", "b").p_value == 1.0
    assert results["rank_low_transrate"][0] == results["rank_low_transrate"][1]


def test_the_option_is_checked():
    with pytest.raises(ValueError, match="Expected 'std_error' to be one of"):
        TransferSelector(candidates(), std_error="bootstrap").fit(X, y)


def test_scikit_learns_names_hold_the_errors():
    table = TransferSelector(candidates()).fit(X, y).cv_results_
    assert np.all(table["std_test_score"] > 0)
