"""HalvingTransferSelector: who runs in which round, on which rows, and what is told."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.frozen import FrozenEstimator

from sklearn_transrate import HalvingTransferSelector, TransferSelector
from sklearn_transrate.exceptions import CandidateFailedWarning
from sklearn_transrate.extractors import FeatureExtractor, PrecomputedFeatures
from sklearn_transrate.metrics import get_metric
from sklearn_transrate.uncertainty import standard_error

X, y = load_digits(return_X_y=True)
ROWS = np.arange(len(X))
FEATURES = {f"d{n}": PCA(n, random_state=0).fit_transform(X) for n in (2, 4, 8, 16)}


PAIR = ("d16 / features", "d2 / features")


def stored():
    return [(name, PrecomputedFeatures(Z)) for name, Z in FEATURES.items()]


def race(extractors=None, **params):
    params = {"random_state": 0, **params}
    return HalvingTransferSelector(extractors or stored(), **params)


def scores(selector, metric="logme"):
    return selector.results_[f"score_{metric}"]


class Counting(FeatureExtractor):
    """Two layers of pixels that remember which rows each was asked for."""

    layers_ = ["whole", "half"]

    def __init__(self, seen, layers="all", batch_size=64):
        self.seen = seen
        self.layers = layers
        self.batch_size = batch_size

    _shared_params = ("seen",)

    def fit(self, X, y=None):
        return self

    def _forward(self, X_batch, layers):
        self.seen.append((np.asarray(X_batch)[:, 0].tolist(), list(layers)))
        pixels = np.asarray(X_batch)[:, 1:]
        return {"whole": pixels, "half": pixels[:, ::2] * (pixels[:, ::2] > 8)}


class FailsLate(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.n_calls_ = 0
        return self

    def fit_transform(self, X, y=None):
        return self.fit(X).transform(X)

    def transform(self, X):
        self.n_calls_ += 1
        if self.n_calls_ > 1:
            raise RuntimeError("out of memory")
        return np.asarray(X)


# -- the same winner, for less -------------------------------------------------


@pytest.mark.parametrize("scoring", ["transrate", "logme", "h_score", "ncti"])
def test_the_winner_is_that_of_all_rows_for_a_part_of_the_passes(scoring):
    full = TransferSelector(stored(), scoring=scoring, std_error=None).fit(ROWS, y)
    selector = race(scoring=scoring).fit(ROWS, y)
    assert selector.best_name_ == full.best_name_
    assert selector.pass_share_ < 0.6


def test_what_runs_to_the_end_has_the_score_of_all_rows():
    extractors = [(n, PrecomputedFeatures(FEATURES["d16"])) for n in ("a", "b")]
    selector = race(extractors).fit(ROWS, y)
    full = TransferSelector(extractors).fit(ROWS, y)
    assert selector.n_resources_[-1] == len(X)
    for column in ("score_transrate", "std_error_transrate", "n_samples"):
        assert selector.results_[column] == pytest.approx(full.results_[column])


def test_no_row_passes_through_an_extractor_twice():
    seen: list = []
    rows = np.column_stack([ROWS, X])
    extractors = [("net", Counting(seen)), ("mean", FrozenEstimator(PCA(1).fit(rows)))]
    selector = race(extractors).fit(rows, y)
    passed = [row for numbers, _ in seen for row in numbers]
    assert len(passed) == len(set(passed))
    assert len(passed) in selector.n_resources_


def test_dropped_layers_are_not_asked_for_again():
    seen: list = []
    rows = np.column_stack([ROWS, X])
    selector = race([("net", Counting(seen))], scoring="logme").fit(rows, y)
    assert seen[0][1] == ["whole", "half"]
    gone = selector.results_["layer"][selector.results_["dropped_by"] != ""]
    assert len(gone) == 1
    assert selector.best_layer_ not in gone
    assert selector.transform(rows).shape[0] == len(rows)


def test_rounds_see_more_and_more_of_the_same_rows_and_each_class_in_its_share():
    seen: list = []
    rows = np.column_stack([ROWS, X])
    selector = race([("a", Counting(seen)), ("b", Counting([]))]).fit(rows, y)
    first = [row for numbers, _ in seen for row in numbers][: selector.min_resources_]
    shares = np.bincount(y[np.array(first, dtype=int)]) / len(first)
    assert shares == pytest.approx(np.bincount(y) / len(y), abs=1.0 / len(first))


# -- scikit-learn's conventions ------------------------------------------------


def test_attributes_tell_of_the_rounds():
    selector = race(scoring="logme").fit(ROWS, y)
    assert selector.n_iterations_ == len(selector.n_resources_)
    assert (
        len(selector.n_candidates_) == len(selector.rounds_) == selector.n_iterations_
    )
    assert selector.n_iterations_ <= selector.n_possible_iterations_
    assert selector.n_candidates_[0] == 4
    assert sorted(selector.n_candidates_, reverse=True) == selector.n_candidates_
    assert selector.min_resources_ == selector.n_resources_[0] == 100
    assert selector.max_resources_ == len(X)
    passed = np.diff([0, *selector.n_resources_]) @ selector.n_candidates_
    assert selector.pass_share_ == pytest.approx(passed / (4 * len(X)))


def test_records_say_when_a_candidate_was_dropped_and_by_whom():
    selector = race(scoring="logme").fit(ROWS, y)
    results = selector.results_
    for record in results.to_records():
        n = selector.n_resources_[int(record["iter"])]
        assert record["n_resources"] == record["n_samples"] == n
        own = selector.rounds_[int(record["iter"])]
        row = list(own["candidate"]).index(record["candidate"])
        assert own["score_logme"][row] == record["score_logme"]
        assert own["std_error_logme"][row] == record["std_error_logme"]
        assert own["dropped_by"][row] == record["dropped_by"]
    assert np.count_nonzero(results["dropped_by"] == "") == (
        selector.n_remaining_candidates_
    )
    columns = selector.cv_results_
    assert columns["iter"].tolist() == results["iter"].tolist()
    assert columns["mean_test_score"][selector.best_index_] == selector.best_score_


def test_whoever_ran_longer_ranks_first():
    selector = race(scoring="transrate_relative").fit(ROWS, y)
    results = selector.results_
    order = np.argsort(results["rank_transrate_relative"])
    assert np.all(np.diff(results["iter"][order]) <= 0)
    assert results.best_index() == selector.best_index_


def test_rounds_compare_candidates_on_the_same_rows():
    selector = race(scoring="logme").fit(ROWS, y)
    found = selector.rounds_[0].compare(*PAIR)
    assert found.is_paired
    assert found.n_units == 100


def test_one_candidate_ends_the_race():
    selector = race(stored()[:1]).fit(ROWS, y)
    assert selector.n_resources_ == [100]
    assert selector.best_name_ == "d2"


def test_the_same_seed_runs_the_same_race():
    one, other = (race(scoring="logme").fit(ROWS, y) for _ in range(2))
    assert scores(one).tolist() == scores(other).tolist()
    assert one.n_resources_ == other.n_resources_
    third = race(scoring="logme", random_state=1).fit(ROWS, y)
    assert not np.array_equal(
        third.results_["score_logme"], one.results_["score_logme"]
    )


def test_processes_run_the_same_race():
    alone = race(scoring="logme").fit(ROWS, y)
    together = race(scoring="logme", n_jobs=2).fit(ROWS, y)
    assert scores(alone) == pytest.approx(scores(together))
    # Another process has worked on a copy.
    assert together.named_extractors_["d2"].features is FEATURES["d2"]


def test_rows_are_bounded_by_max_samples():
    selector = race(max_samples=400).fit(ROWS, y)
    assert selector.max_resources_ == 400
    assert max(selector.n_resources_) <= 400


def test_many_classes_ask_for_a_longer_first_round():
    many = np.arange(len(X)) % 50
    assert race(scoring="logme").fit(ROWS, many).min_resources_ == 250


# -- errors --------------------------------------------------------------------


def test_errors_are_those_of_the_rows_seen():
    extractors = [(n, PrecomputedFeatures(FEATURES["d8"])) for n in ("a", "b")]
    selector = race(extractors, scoring="logme").fit(ROWS, y)
    expected = standard_error("logme", FEATURES["d8"], y)
    assert selector.results_["std_error_logme"] == pytest.approx(expected, rel=1e-6)


def test_metrics_without_a_closed_form_are_resampled_by_blocks():
    selector = race(scoring="ridge_loo").fit(ROWS, y)
    first = selector.rounds_[0]
    assert first.compare(*PAIR).is_paired
    assert first.compare(*PAIR).n_units == 32
    jackknife = race(scoring="logme", std_error="jackknife").fit(ROWS, y)
    assert jackknife.best_name_ == "d16"
    assert jackknife.rounds_[0].compare(*PAIR).n_units == 32


def test_weights_reach_the_metric():
    weight = np.where(y < 5, 2.0, 1.0)
    selector = race(stored()[:1], scoring="logme", min_samples=len(X))
    selector.fit(ROWS, y, sample_weight=weight)
    expected = get_metric("logme").score(FEATURES["d2"], y, sample_weight=weight)
    assert selector.best_score_ == pytest.approx(expected)
    assert race(scoring="logme").fit(ROWS, y, sample_weight=weight).best_name_ == "d16"


def test_numbers_as_targets_race_as_well():
    target = X @ np.linspace(-1, 1, X.shape[1])
    assert race(scoring="logme").fit(ROWS, target).best_name_ == "d16"


# -- what learns, and what fails -----------------------------------------------


def test_what_learns_is_fitted_to_the_first_round_and_the_winner_to_all():
    selector = race([("a", PCA(2)), ("b", PCA(20))]).fit(X, y)
    assert selector.best_name_ == "b"
    assert selector.named_extractors_["b"].n_samples_ == selector.min_resources_
    assert selector.best_estimator_.n_samples_ == len(X)
    assert selector.fit_transform(X, y).shape == (len(X), 20)


def test_what_learns_from_y_is_refused():
    selector = race([("lda", LinearDiscriminantAnalysis()), ("raw", "passthrough")])
    with pytest.raises(ValueError, match=r"do not learn from y, got 'lda'.*cv=5"):
        selector.fit(X, y)


def test_scorers_of_estimators_are_refused():
    def scorer(estimator, X, y):
        return 1.0

    with pytest.raises(ValueError, match=r"got 'scorer'.*Use TransferSelector"):
        race(scoring=scorer).fit(ROWS, y)


def test_a_candidate_that_fails_leaves_the_race_as_a_row():
    extractors = [
        ("late", FailsLate()),
        ("a", PCA(20, random_state=0)),
        ("b", PCA(19, random_state=0)),
        ("wide", PCA(64)),
    ]
    with pytest.warns(CandidateFailedWarning, match="failed in round [01]"):
        selector = race(extractors, scoring="transrate", min_samples=50).fit(X, y)
    results = selector.results_
    assert results["status"].tolist() == ["failed", "ok", "ok", "failed"]
    assert "RuntimeError: out of memory" in results["error"][0]
    assert results["iter"].tolist()[0] == 1
    assert results["iter"].tolist()[3] == 0
    assert np.isnan(results["score_transrate"][[0, 3]]).all()
    assert selector.best_name_ in "ab"


def test_the_first_failure_stops_everything_if_asked():
    extractors = [("late", FailsLate()), ("raw", "passthrough")]
    with pytest.raises(RuntimeError, match="out of memory"):
        race(extractors, error_score="raise").fit(X, y)


def test_if_all_fail_so_does_the_race():
    with pytest.raises(ValueError, match="n_components") as caught:
        race([("wide", PCA(80))]).fit(X, y)
    assert (
        "All 1 candidates failed in round 0, on 100 samples"
        in (caught.value.__notes__[0])
    )


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"factor": 1}, "'factor' to be a number above 1, got 1"),
        ({"factor": "3"}, "'factor' to be a number above 1, got '3'"),
        ({"confidence": 1.0}, "'confidence' to be between 0 and 1, got 1.0"),
        ({"min_samples": 1}, "'min_samples' to be 'auto' or an integer"),
        ({"min_samples": 0.5}, "'min_samples' to be 'auto' or an integer"),
        ({"std_error": None}, "nobody can be dropped"),
        ({"max_samples": -1}, "'max_samples' to be a positive number"),
        ({"refit": "nothing"}, "'refit' to be one of"),
    ],
)
def test_wrong_parameters_are_named(params, message):
    with pytest.raises(ValueError, match=message):
        race(**params).fit(ROWS, y)


def test_labels_are_needed():
    with pytest.raises(ValueError, match="requires y"):
        race().fit(ROWS, None)


def test_without_refit_there_is_only_a_table():
    selector = race(refit=False).fit(ROWS, y)
    assert selector.best_name_ == "d16"
    assert not hasattr(selector, "best_estimator_")
    with pytest.raises(ValueError, match="no winner to transform with"):
        selector.fit_transform(ROWS, y)


def test_an_interrupted_race_keeps_its_table():
    class Interrupting(Counting):
        def _forward(self, X_batch, layers):
            if len(self.seen) > 3:
                raise KeyboardInterrupt
            return super()._forward(X_batch, layers)

    rows = np.column_stack([ROWS, X])
    selector = race([("a", Interrupting([])), ("b", Counting([]))])
    with pytest.raises(KeyboardInterrupt):
        selector.fit(rows, y)
    assert len(selector.rounds_) >= 1
    assert not hasattr(selector, "best_name_")


def test_parameters_of_candidates_are_parameters():
    selector = clone(race([("pca", PCA(2)), ("raw", "passthrough")]))
    selector.set_params(pca__n_components=20, raw="drop")
    assert selector.fit(X, y).best_estimator_.n_components_ == 20


def test_progress_is_told(capsys):
    race(stored()[:2], verbose=1).fit(ROWS, y)
    assert "[HalvingTransferSelector] d2: ok" in capsys.readouterr().err
