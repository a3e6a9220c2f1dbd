"""Metrics by name, ours and those of other packages."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from sklearn_transrate.exceptions import UnknownMetricError
from sklearn_transrate.metrics import (
    HScore,
    TransferMetric,
    TransRate,
    _registry,
    get_metric,
    get_metric_names,
)
from sklearn_transrate.metrics._registry import metric_name, resolve_metric
from sklearn_transrate.statistics import ClassMoments


class Trace(TransferMetric):
    """A metric of another package."""

    requires = {"moments": ClassMoments.empty(scatter="pooled")}

    def __init__(self, power=1.0):
        self.power = power

    def _evaluate(self, moments):
        return moments.total_trace() ** self.power


@pytest.fixture
def third_party(monkeypatch):
    """Pretend that a package with two entry points is installed."""
    points = [
        EntryPoint("trace", f"{__name__}:Trace", _registry.ENTRY_POINT_GROUP),
        EntryPoint("transrate", f"{__name__}:Trace", _registry.ENTRY_POINT_GROUP),
    ]

    def entry_points(*, group):
        return points if group == "sklearn_transrate.metrics" else []

    monkeypatch.setattr(_registry, "entry_points", entry_points)
    monkeypatch.setattr(EntryPoint, "load", lambda self: Trace)
    _registry._third_party.cache_clear()
    yield
    _registry._third_party.cache_clear()


def test_every_name_makes_a_metric_of_that_name():
    names = get_metric_names()
    assert names == sorted(names)
    for name in names:
        metric = get_metric(name)
        assert isinstance(metric, TransferMetric)
        assert metric_name(metric) == name


def test_parameters_are_passed_on():
    assert get_metric("transrate", eps=0.5).eps == 0.5
    assert get_metric("shrunk_h_score").shrinkage == "ledoit_wolf"
    assert metric_name(HScore(shrinkage="ledoit_wolf")) == "shrunk_h_score"
    assert metric_name(HScore(shrinkage=0.5)) == "h_score"


@pytest.mark.usefixtures("third_party")
def test_other_packages_register_by_entry_point():
    assert "trace" in get_metric_names()
    assert get_metric("trace", power=2.0).power == 2.0
    assert metric_name(Trace()) == "trace"


@pytest.mark.usefixtures("third_party")
def test_other_packages_do_not_replace_our_metrics():
    assert type(get_metric("transrate")) is TransRate


def test_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(UnknownMetricError, match=r"'logmee'.*Did you mean 'logme'"):
        get_metric("logmee")


@pytest.mark.parametrize(
    ("value", "message"), [(TransRate, r"Pass TransRate\(\)"), (3, "callable")]
)
def test_what_is_no_metric_is_refused(value, message):
    with pytest.raises(TypeError, match=message):
        resolve_metric(value)
