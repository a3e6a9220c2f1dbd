"""Races count what they should, in turns, and no more."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.timing import Contestant, Race, race


class Clock:
    """Time that passes only when a contestant says so."""

    def __init__(self):
        self.now = 0.0
        self.log = []

    def __call__(self):
        return self.now

    def takes(self, name, seconds, **options):
        def run():
            self.now += seconds
            self.log.append(name)
            return name

        return Contestant(run, **options)


def test_contestants_take_turns_in_changing_order():
    clock = Clock()
    entered = {name: clock.takes(name, 1.0, warm_up=False) for name in "abc"}
    race(entered, repeats=3, clock=clock)
    assert "".join(clock.log) == "abcbcacab"


def test_a_contestant_over_its_budget_sits_out_but_runs_once():
    clock = Clock()
    found = race(
        {
            "fast": clock.takes("fast", 1.0),
            "slow": clock.takes("slow", 60.0, warm_up=False),
        },
        repeats=4,
        budget=50.0,
        clock=clock,
    )
    assert clock.log.count("slow") == 1
    assert np.isnan(found.times["slow"]).sum() == 3
    assert found.ratio("slow", "fast") == 60.0
    assert found.seconds("slow") == 60.0


def test_preparing_and_warming_up_do_not_count():
    clock = Clock()

    def prepare():
        clock.now += 100.0

    found = race(
        {"ours": clock.takes("ours", 2.0, prepare=prepare)}, repeats=3, clock=clock
    )
    assert clock.log == ["ours"] * 4
    assert found.times["ours"].tolist() == [2.0, 2.0, 2.0]


def test_plain_functions_may_run_and_results_are_kept():
    found = race({"ours": lambda: 7, "theirs": lambda: 8}, repeats=2)
    assert found.results == {"ours": 7, "theirs": 8}


def test_a_slow_round_does_not_change_the_ratio():
    times = {"ours": np.array([1.0, 9.0, 1.0]), "theirs": np.array([3.0, 27.0, 3.3])}
    found = Race(times)
    assert found.ratio("theirs", "ours") == pytest.approx(3.0)
    assert found.ratio_of_minima("theirs", "ours") == pytest.approx(3.0)
