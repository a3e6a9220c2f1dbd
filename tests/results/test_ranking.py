"""Ranks, ties and fronts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sklearn_transrate.results import rank_scores
from sklearn_transrate.results._ranking import find_front

# Multiples of 1/8 tie exactly or not at all, whatever the tolerance.
coarse = st.one_of(
    st.integers(-80, 80).map(lambda k: k / 8),
    st.sampled_from([math.inf, -math.inf, math.nan]),
)


def test_the_highest_score_has_rank_one():
    assert rank_scores([0.1, 0.3, 0.2]).tolist() == [3, 1, 2]


def test_ranks_are_whole_numbers():
    assert rank_scores([0.1]).dtype == np.int64
    assert rank_scores([]).tolist() == []


def test_equal_scores_share_the_first_rank_of_their_group():
    assert rank_scores([0.5, 0.7, 0.5, 0.1]).tolist() == [2, 1, 2, 4]


def test_rounding_errors_do_not_separate_scores():
    assert rank_scores([0.1 + 0.2, 0.3, 0.4]).tolist() == [2, 2, 1]
    assert rank_scores([1e6, 1e6 + 1e-4]).tolist() == [1, 1]


def test_the_tolerance_is_absolute_below_one_and_relative_above():
    assert rank_scores([0.5, 0.5 + 2e-9]).tolist() == [2, 1]
    assert rank_scores([1000.0, 1000.0 + 2e-6]).tolist() == [2, 1]
    assert rank_scores([1000.0, 1000.0 + 0.5e-6]).tolist() == [1, 1]


def test_ties_do_not_chain():
    # Neighbours are tied with the best of their group, not with each other.
    step = 0.7e-9
    assert rank_scores([0.0, -step, -2 * step, -3 * step]).tolist() == [1, 1, 3, 3]


def test_unknown_scores_share_the_last_rank():
    assert rank_scores([math.nan, 0.1, math.nan, -math.inf]).tolist() == [3, 1, 3, 2]
    assert rank_scores([math.nan, math.nan]).tolist() == [1, 1]


def test_infinities_tie_with_themselves_only():
    scores = [math.inf, 1.0, -math.inf, math.inf, -math.inf]
    assert rank_scores(scores).tolist() == [1, 3, 4, 1, 4]


@given(st.lists(coarse))
def test_rank_is_one_more_than_the_number_of_better_scores(scores):
    def better(a, b):
        return a > b or (math.isnan(b) and not math.isnan(a))

    expected = [1 + sum(better(a, b) for a in scores) for b in scores]
    assert rank_scores(scores).tolist() == expected


@given(st.lists(coarse), st.randoms())
def test_the_order_of_listing_does_not_change_a_rank(scores, random):
    order = list(range(len(scores)))
    random.shuffle(order)
    shuffled = rank_scores([scores[row] for row in order])
    assert shuffled.tolist() == rank_scores(scores)[order].tolist()


@given(st.lists(st.tuples(coarse, coarse)))
@example([(-math.inf, -math.inf), (-math.inf, -math.inf)])
@example([(1.0, 1.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)])
def test_the_front_holds_exactly_what_nothing_dominates(pairs):
    def dominates(a, b):
        return a[0] >= b[0] and a[1] >= b[1] and a != b

    known = [row for row, pair in enumerate(pairs) if not any(map(math.isnan, pair))]
    expected = [
        row
        for row in known
        if not any(dominates(pairs[other], pairs[row]) for other in known)
    ]
    x, y = np.array(pairs, dtype=float).reshape(-1, 2).T
    assert find_front(x, y).tolist() == expected


@pytest.mark.parametrize("n_rows", [0, 1])
def test_small_tables_have_small_fronts(n_rows):
    assert find_front(np.zeros(n_rows), np.zeros(n_rows)).tolist() == list(
        range(n_rows)
    )
