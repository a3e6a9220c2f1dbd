"""Errors that candidates share: paired comparisons, and ranks that are sure."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sklearn_transrate.results import TransferResults
from sklearn_transrate.results._errors import SharedErrors


@pytest.fixture(scope="module")
def values():
    rng = np.random.default_rng(0)
    means = np.array([0.99, 0.2, 1.0, 0.5])
    noise = rng.standard_normal(400) + 0.3 * rng.standard_normal((4, 400))
    return means[:, None] + noise


@pytest.fixture
def results(values):
    return TransferResults(
        {"candidate": list("abcd"), "score_x": values.mean(axis=1)},
        shared_errors={"x": (np.cov(values) / 400, 400)},
    )


def test_standard_errors_are_filled_from_the_covariance(results, values):
    expected = stats.sem(values, axis=1)
    assert results["std_error_x"] == pytest.approx(expected)


def test_comparisons_are_paired(results, values):
    comparison = results.compare("a", "c")
    expected = stats.ttest_rel(values[0], values[2])
    assert comparison.is_paired
    assert comparison.p_value == pytest.approx(expected.pvalue)
    assert comparison.interval == pytest.approx(expected.confidence_interval(0.95))
    narrow = results.compare("a", "c", confidence=0.5).interval
    assert narrow == pytest.approx(expected.confidence_interval(0.5))


def test_a_candidate_does_not_differ_from_itself(results):
    comparison = results.compare("b", "b")
    assert (comparison.std_error, comparison.p_value) == (0.0, 1.0)


def test_ranks_have_bounds_beside_them(results):
    place = results.columns.index("rank_x")
    assert results.columns[place + 1 : place + 3] == ["rank_low_x", "rank_high_x"]
    assert results["rank_low_x"].tolist() == [1, 4, 1, 3]
    assert results["rank_high_x"].tolist() == [2, 4, 2, 3]


def test_the_best_set_is_what_may_be_best(results):
    assert results.best_set()["candidate"].tolist() == sorted(
        "ac", key=lambda name: -results["score_x"]["abcd".index(name)]
    )


def test_without_errors_there_is_no_best_set():
    results = TransferResults({"candidate": ["a"], "score_x": [1.0]})
    assert "rank_low_x" not in results.columns
    with pytest.raises(ValueError, match="errors of the scores by 'x' are not known"):
        results.best_set()


def test_smaller_tables_keep_bounds_and_pairs(results):
    smaller = results[[2, 0]]
    assert smaller["rank_high_x"].tolist() == [2, 2]
    assert smaller.compare("a", "c") == results.compare("a", "c")


def test_json_keeps_comparisons_and_csv_keeps_bounds(results):
    again = TransferResults.from_json(results.to_json())
    assert again == results
    assert again.compare("a", "d") == results.compare("a", "d")
    again = TransferResults.from_csv(results.to_csv())
    assert again == results
    apart = again.compare("a", "d")
    assert not apart.is_paired
    assert apart.std_error > results.compare("a", "d").std_error
    assert len(again.best_set()) == 2


def test_unknown_errors_survive_json(results):
    matrix = np.diag([1.0, np.nan, 2.0])
    matrix[0, 2] = matrix[2, 0] = np.nan
    shared = {"x": SharedErrors(matrix, 10)}
    columns = {"candidate": list("abc"), "score_x": [3.0, 2.0, 1.0]}
    again = TransferResults.from_json(
        TransferResults(columns, shared_errors=shared).to_json()
    )
    assert not again.compare("a", "c").is_paired
    assert again.compare("a", "c").std_error == pytest.approx(np.sqrt(3.0))
    assert np.isnan(again.compare("a", "b").std_error)
    assert np.isnan(again["rank_low_x"][1])


def test_a_merge_pairs_candidates_of_one_run_only(results):
    merged = results[:2].merge(results[2:])
    assert merged.compare("a", "b") == results.compare("a", "b")
    assert merged.compare("c", "d") == results.compare("c", "d")
    assert not merged.compare("a", "c").is_paired
    assert merged.compare("a", "c").std_error > results.compare("a", "c").std_error
    assert np.all(merged["rank_high_x"] >= results["rank_high_x"])


def test_a_merge_takes_errors_with_the_score_that_counts(results, values):
    later = TransferResults(
        {"candidate": ["c", "e"], "score_x": [7.0, 8.0], "score_y": [1.0, 2.0]},
        shared_errors={"x": (0.25 * np.eye(2), 10)},
    )
    merged = results.merge(later)
    assert merged.compare("a", "b").is_paired
    assert not merged.compare("a", "c").is_paired
    assert merged.compare("c", "e").std_error == pytest.approx(np.sqrt(0.5))
    assert merged["rank_low_x"].tolist()[:2] == [3, 5]


def test_merging_with_a_table_without_errors(results):
    plain = TransferResults({"candidate": ["e"], "score_x": [9.0]})
    merged = results.merge(plain)
    assert np.isnan(merged["rank_low_x"][4])
    assert merged["rank_high_x"][:4].tolist() == [3, 5, 3, 4]
    assert "rank_low_x" not in plain.merge(plain).columns


def test_a_covariance_has_a_row_for_each_candidate():
    columns = {"candidate": ["a", "b"], "score_x": [1.0, 2.0]}
    with pytest.raises(ValueError, match="covariance of 2 candidates by 'x', got one"):
        TransferResults(columns, shared_errors={"x": (np.eye(3), 10)})
    with pytest.raises(ValueError, match="covariance of shape"):
        TransferResults(columns, shared_errors={"x": (np.ones(3), 10)})


def test_bounds_of_one_metric_are_not_ranks_of_another():
    results = TransferResults(
        {"candidate": ["a", "b"], "score_x": [1.0, 2.0], "score_low_x": [1.0, 2.0]},
        shared_errors={"low_x": (np.eye(2), 10)},
    )
    assert results["rank_low_x"].tolist() == [2, 1]
    assert results["rank_low_low_x"].tolist() == [1, 1]


def test_who_cannot_be_told_apart_is_marked(results):
    text = repr(results)
    assert "2* " in text
    assert "1-2" in text
    assert text.endswith("* cannot be told apart from the best (95 % confidence)")
    for page in (results._repr_html_(), results.to_html()):
        assert "<td" in page
        assert "cannot be told apart" in page
    assert "from-to" in results.to_markdown()


def test_nothing_is_marked_where_the_best_is_sure(results):
    assert "told apart" not in repr(results[[1, 3]].merge(results[[1]]))
    assert "told apart" not in repr(results[[0, 1]].merge(results[[0]]))
