"""The table of candidates: ranking, choosing, comparing, merging."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_transrate.exceptions import UnknownMetricError
from sklearn_transrate.results import TransferResults, rank_scores


def record(candidate, **cells):
    """What a selection writes down about one candidate."""
    extractor, _, layer = candidate.partition(" / ")
    scores = {f"score_{name}": value for name, value in cells.pop("scores", {}).items()}
    times = {"fit_time": 0.0, "transform_time": 1.0, "score_time": 0.1}
    known = {"candidate": candidate, "extractor": extractor, "layer": layer or None}
    known |= scores | {"n_samples": 100, "n_features": 64} | times
    return known | {"status": "ok", "error": ""} | cells


@pytest.fixture
def results():
    return TransferResults.from_records(
        [
            record("r50 / layer2", scores={"transrate": 0.2, "logme": 1.5}),
            record("r50 / layer3", scores={"transrate": 0.3, "logme": 0.5}),
            {"candidate": "vit", "status": "failed", "error": "ValueError: no"},
            record("bert", scores={"transrate": 0.3, "logme": math.nan}),
        ],
        metadata={"seed": 0},
    )


@st.composite
def runs(draw):
    names = draw(st.lists(st.sampled_from("abcdef"), unique=True))
    states = st.sampled_from(["ok", "failed", "cancelled"])
    return TransferResults.from_records(
        [
            {
                "candidate": name,
                "status": draw(states),
                "score_x": draw(st.one_of(st.none(), st.integers(0, 4))),
            }
            for name in names
        ],
        metrics=["x"],
    )


# Making a table


def test_records_become_columns_in_listing_order(results):
    assert results.columns == [
        "candidate",
        "extractor",
        "layer",
        "score_transrate",
        "std_error_transrate",
        "rank_transrate",
        "score_logme",
        "std_error_logme",
        "rank_logme",
        "n_samples",
        "n_features",
        "fit_time",
        "transform_time",
        "score_time",
        "status",
        "error",
    ]
    assert results["candidate"].tolist() == [
        "r50 / layer2",
        "r50 / layer3",
        "vit",
        "bert",
    ]
    assert results["layer"].tolist() == ["layer2", "layer3", None, None]


def test_what_a_failed_record_does_not_have_is_unknown(results):
    failed = results[2]
    for name in ("score_transrate", "n_samples", "n_features", "fit_time"):
        assert math.isnan(failed[name])
    assert failed["layer"] is None


def test_metrics_may_be_named_where_no_record_has_one():
    failed = [{"candidate": "a", "error": "ValueError: no"}]
    results = TransferResults.from_records(failed, metrics=["leep", "nce"])
    assert results.metrics == ["leep", "nce"]
    assert results["rank_nce"].tolist() == [1]


def test_named_metrics_come_first_and_others_follow(results):
    again = TransferResults.from_records(results.to_records(), metrics=["logme"])
    assert again.metrics == ["logme", "transrate"]


def test_records_without_any_score_are_refused():
    with pytest.raises(ValueError, match=r"from_records takes the names as metrics="):
        TransferResults.from_records([{"candidate": "a"}])


def test_a_table_may_be_empty():
    results = TransferResults.from_records([], metrics=["logme"])
    assert len(results) == 0
    assert len(results.sort()) == len(results.top(3)) == len(results[:2]) == 0
    assert len(results.pareto("score_logme", "n_features")) == 0
    assert results.to_records() == []


def test_the_table_shares_no_array_with_its_input():
    scores = np.array([0.5, 0.25])
    results = TransferResults({"candidate": ["a", "b"], "score_x": scores})
    scores[:] = 0
    assert results["score_x"].tolist() == [0.5, 0.25]


# Ranks


def test_ranks_follow_the_scores(results):
    assert results["rank_transrate"].tolist() == [3, 1, 4, 1]
    assert results["rank_logme"].tolist() == [1, 2, 3, 3]
    assert (
        results["rank_logme"].tolist() == rank_scores(results["score_logme"]).tolist()
    )


def test_given_ranks_are_kept_and_decide():
    # A race ranks those that it dropped early last, whatever their score then was.
    results = TransferResults(
        {"candidate": ["dropped", "b", "c"], "score_x": [9, 1, 2], "rank_x": [3, 2, 1]}
    )
    assert results.best()["candidate"] == "c"
    assert results.sort()["candidate"].tolist() == ["c", "b", "dropped"]


def test_the_first_listed_of_tied_candidates_is_best(results):
    assert results.best_index() == 1
    assert results.best("logme")["candidate"] == "r50 / layer2"


def test_best_is_a_record_of_plain_values(results):
    best = results.best()
    assert best["candidate"] == "r50 / layer3"
    assert list(best) == results.columns
    assert {type(value) for value in best.values()} == {str, int, float}
    assert best["n_features"] == 64
    assert type(best["n_features"]) is int


def test_a_candidate_without_a_score_is_never_best():
    results = TransferResults(
        {"candidate": ["a", "b"], "score_x": [None, -math.inf], "rank_x": [1, 2]}
    )
    assert results.best_index() == 1
    assert results.sort()["candidate"].tolist() == ["b", "a"]


def test_without_any_score_none_is_best(results):
    with pytest.raises(ValueError, match=r"None of the 1 candidates.*'transrate'"):
        results[2:3].best()


def test_sorting_puts_failed_candidates_last(results):
    order = results.sort("logme")["candidate"].tolist()
    assert order == ["r50 / layer2", "r50 / layer3", "bert", "vit"]
    assert results.sort()["candidate"].tolist()[:2] == ["r50 / layer3", "bert"]


def test_top_takes_the_best(results):
    assert results.top(2)["candidate"].tolist() == ["r50 / layer3", "bert"]
    assert results.top(1, "logme")["candidate"].tolist() == ["r50 / layer2"]
    assert len(results.top(99)) == 4
    with pytest.raises(ValueError, match="got -1"):
        results.top(-1)


@given(runs())
def test_sorting_is_a_reordering_with_ranks_ascending(run):
    ordered = run.sort()
    known = ordered["rank_x"][~np.isnan(ordered["score_x"])]
    assert (np.diff(known) >= 0).all()
    assert sorted(ordered["candidate"]) == sorted(run["candidate"])
    assert ordered.sort() == ordered


@pytest.mark.parametrize("method", ["best", "sort", "best_index"])
def test_an_unknown_metric_is_named_with_its_neighbours(results, method):
    with pytest.raises(UnknownMetricError, match=r"'logm'.*nearest of 2: 'logme'"):
        getattr(results, method)("logm")


# Looking inside


def test_a_column_is_a_copy(results):
    results["score_transrate"][:] = 0
    assert results["score_transrate"].tolist()[:2] == [0.2, 0.3]


def test_the_table_is_a_mapping_of_columns(results):
    assert list(results) == results.keys() == results.columns
    assert list(dict(results)) == results.columns
    assert "score_logme" in results
    assert results._ipython_key_completions_() == results.columns


def test_a_number_takes_a_record(results):
    assert results[0]["candidate"] == "r50 / layer2"
    assert results[-1]["candidate"] == "bert"
    assert results[np.int64(1)]["candidate"] == "r50 / layer3"
    with pytest.raises(IndexError):
        results[4]


def test_slices_masks_and_lists_take_rows(results):
    assert results[:2]["candidate"].tolist() == ["r50 / layer2", "r50 / layer3"]
    assert results[::-1]["candidate"].tolist()[0] == "bert"
    chosen = results[results["score_transrate"] > 0.25]
    assert chosen["candidate"].tolist() == ["r50 / layer3", "bert"]
    assert results[[3, 0]]["candidate"].tolist() == ["bert", "r50 / layer2"]
    assert len(results[[]]) == 0


def test_smaller_tables_keep_ranks_and_metadata(results):
    assert results[:1]["rank_transrate"].tolist() == [3]
    assert results[:1].metadata == {"seed": 0}


def test_a_column_that_is_not_there_is_named_with_its_neighbours(results):
    with pytest.raises(KeyError, match="'score_logm'; nearest of 16: 'score_logme'"):
        results["score_logm"]


def test_a_candidate_taken_for_a_column_is_explained(results):
    with pytest.raises(KeyError, match=r"record is results\[3\]"):
        results["bert"]


def test_several_columns_at_once_are_the_frames_business(results):
    with pytest.raises(TypeError, match="to_frame"):
        results[["candidate", "score_logme"]]


# Equality


def test_equal_tables_are_equal_whatever_their_metadata(results):
    same = TransferResults(dict(results), metadata={"seed": 1})
    assert results == same
    assert results == copy.deepcopy(results) == pickle.loads(pickle.dumps(results))


def test_one_cell_makes_a_difference(results):
    columns = dict(results)
    for name in ("score_logme", "error", "layer", "rank_logme", "n_features"):
        cells = columns[name].copy()
        cells[0] = "other" if cells.dtype == object else 77
        assert results != TransferResults(columns | {name: cells}), name
    assert results != TransferResults(columns | {"size_mb": [1, 2, 3, 4]})
    assert results != results[:3]
    assert results != "results"


def test_tables_are_not_hashable(results):
    with pytest.raises(TypeError, match="unhashable"):
        hash(results)


# The Pareto front


@pytest.fixture
def trade():
    return TransferResults(
        {
            "candidate": ["small", "waste", "large", "huge", "broken"],
            "score_x": [0.2, 0.1, 0.5, 0.5, math.nan],
            "n_features": [64, 128, 512, 1024, 32],
            "accuracy": [0.5, 0.9, 0.7, 0.6, 0.8],
        }
    )


def test_the_front_trades_score_against_cost(trade):
    front = trade.pareto("score_x", "n_features")
    assert front["candidate"].tolist() == ["small", "large"]
    assert trade.pareto("n_features", "score_x") == front


def test_the_front_of_two_scores_and_of_two_ranks_agree(results):
    scores = results[[0, 1]].pareto("score_transrate", "score_logme")
    assert scores["candidate"].tolist() == ["r50 / layer2", "r50 / layer3"]
    assert results[[0, 1]].pareto("rank_transrate", "rank_logme") == scores


def test_directions_of_other_columns_must_be_said(trade):
    with pytest.raises(ValueError, match=r"'accuracy' is not known.*maximize="):
        trade.pareto("score_x", "accuracy")
    best = trade.pareto("score_x", "accuracy", maximize=(None, True))
    assert best["candidate"].tolist() == ["waste", "large"]


def test_directions_may_be_turned(trade):
    front = trade.pareto("score_x", "n_features", maximize=(False, True))
    assert front["candidate"].tolist() == ["waste", "huge"]


def test_fronts_are_of_numbers(trade):
    with pytest.raises(ValueError, match="'error' holds text"):
        trade.pareto("score_x", "error")
    with pytest.raises(KeyError, match="no column 'time'"):
        trade.pareto("score_x", "time")


# Comparing


def test_a_comparison_is_the_difference_of_two_scores():
    results = TransferResults(
        {
            "candidate": ["a", "b", "c"],
            "score_x": [0.5, 0.75, math.inf],
            "std_error_x": [0.03, 0.04, None],
        }
    )
    comparison = results.compare("b", "a")
    assert comparison.difference == 0.25
    assert comparison.std_error == pytest.approx(0.05)
    assert (comparison.a, comparison.b, comparison.metric) == ("b", "a", "x")
    assert math.isnan(results.compare("a", "c").std_error)
    assert results.compare("a", "c").difference == -math.inf


def test_a_comparison_may_be_by_another_metric(results):
    comparison = results.compare("r50 / layer2", "r50 / layer3", "logme")
    assert comparison.difference == 1.0
    assert math.isnan(comparison.std_error)


def test_an_unknown_candidate_is_named_with_its_neighbours(results):
    with pytest.raises(
        ValueError, match="no candidate 'r50 / layer'; nearest of 4: 'r50"
    ):
        results.compare("bert", "r50 / layer")


# Bringing runs together


def test_merging_adds_rows_and_ranks_anew(results):
    later = TransferResults.from_records(
        [record("dino", scores={"transrate": 0.25, "logme": 2.0})]
    )
    merged = results.merge(later)
    assert merged["candidate"].tolist() == [*results["candidate"], "dino"]
    assert merged["rank_transrate"].tolist() == [4, 1, 5, 1, 3]
    assert merged.best("logme")["candidate"] == "dino"


def test_a_repeated_candidate_keeps_its_place_and_the_later_success():
    columns = {"candidate": ["a", "b", "c"], "score_x": [1, 2, None]}
    earlier = TransferResults(columns | {"error": ["", "", "first"]})
    columns = {"candidate": ["c", "b", "a"], "score_x": [5, None, 4]}
    later = TransferResults(columns | {"error": ["", "second", ""]})
    merged = earlier.merge(later)
    assert merged["candidate"].tolist() == ["a", "b", "c"]
    assert merged["score_x"].tolist() == [4, 2, 5]
    assert merged["status"].tolist() == ["ok", "ok", "ok"]


def test_of_two_failures_the_later_is_kept():
    first, second = (
        TransferResults({"candidate": ["a"], "score_x": [None], "error": [error]})
        for error in ("first", "second")
    )
    assert first.merge(second)["error"].tolist() == ["second"]


def test_a_metric_scored_later_completes_the_table():
    earlier = TransferResults({"candidate": ["a", "b"], "score_x": [1, 2]})
    later = TransferResults({"candidate": ["b", "c"], "score_y": [3, 4], "mb": [5, 6]})
    merged = earlier.merge(later)
    assert merged.metrics == ["x", "y"]
    np.testing.assert_array_equal(merged["score_x"], [1, 2, np.nan])
    np.testing.assert_array_equal(merged["score_y"], [np.nan, 3, 4])
    np.testing.assert_array_equal(merged["mb"], [np.nan, 5, 6])
    assert merged["rank_x"].tolist() == [2, 1, 3]


def test_metadata_of_both_runs_are_kept_and_the_later_ones_decide(results):
    later = TransferResults(dict(results), metadata={"seed": 1, "cv": 5})
    assert results.merge(later).metadata == {"seed": 1, "cv": 5}
    assert later.merge(results).metadata == {"seed": 0, "cv": 5}
    assert results.metadata == {"seed": 0}


def test_merging_takes_tables_only(results):
    with pytest.raises(TypeError, match="got dict"):
        results.merge({})


@given(runs())
def test_merging_with_empty_changes_nothing(run):
    empty = TransferResults.from_records([], metrics=["x"])
    assert run.merge(empty) == empty.merge(run) == run


@given(runs())
def test_merging_with_itself_changes_nothing(run):
    assert run.merge(run) == run


@given(runs(), runs(), runs())
def test_merging_may_be_grouped_in_any_way(first, second, third):
    assert first.merge(second).merge(third) == first.merge(second.merge(third))


@given(runs(), runs())
def test_a_success_is_never_lost_in_a_merge(first, second):
    def succeeded(run):
        return {r["candidate"] for r in run.to_records() if r["status"] == "ok"}

    assert succeeded(first.merge(second)) == succeeded(first) | succeeded(second)
