"""Which laws bind whom, and how they become tests."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from sklearn_transrate.extractors import PrecomputedFeatures
from sklearn_transrate.metrics import HScore, LogME, TransferMetric
from sklearn_transrate.statistics import ClassMoments, RowSample, TargetMoments
from sklearn_transrate.testing import (
    check_extractor,
    check_statistic,
    check_transfer_metric,
    parametrize_with_checks,
)
from sklearn_transrate.testing._checks import (
    EXTRACTOR_LAWS,
    METRIC_LAWS,
    STATISTIC_LAWS,
    binding_laws,
    fitting_cases,
)

ALL_LAWS = [*METRIC_LAWS, *STATISTIC_LAWS, *EXTRACTOR_LAWS]


def names_of(subject):
    return {law.__name__ for law in binding_laws(subject, fitting_cases(subject))}


def parameters_of(decorated):
    (mark,) = decorated.pytestmark
    return mark.args


# -- which laws bind -----------------------------------------------------------


def test_only_claimed_invariances_are_checked():
    class Rotates(HScore):
        invariances = frozenset({"rotation"})

    assert "check_rotation" in names_of(Rotates())
    assert not names_of(Rotates()) & {"check_scale", "check_translation"}


def test_laws_of_classes_do_not_bind_a_metric_of_values():
    of_values = names_of(LogME(task="regression"))
    assert not of_values & {"check_label_names", "check_one_class", "check_silence"}
    assert {"check_label_names", "check_one_class"} <= names_of(LogME())


def test_metrics_are_tried_on_every_task_that_they_have():
    assert {case.task for case in fitting_cases(LogME())} == {
        "classification",
        "multilabel",
        "regression",
    }
    assert {case.task for case in fitting_cases(HScore())} == {"classification"}


def test_statistics_without_classes_get_numbers_for_targets():
    assert all(
        case.y.dtype.kind in "if" for case in fitting_cases(TargetMoments.empty())
    )
    assert "check_label_kinds" not in names_of(TargetMoments.empty())
    assert "check_label_kinds" in names_of(RowSample.empty())


def test_data_may_be_given():
    X, y = np.random.default_rng(0).standard_normal((20, 3)), np.arange(20) % 2
    check_transfer_metric(HScore(), X, y)
    check_transfer_metric(HScore(), X.tolist(), y.tolist())
    check_statistic(ClassMoments, X, y)
    check_statistic(TargetMoments.empty(), X, y.astype(float))
    with pytest.raises(ValueError, match="HScore compares classes"):
        check_transfer_metric(HScore(), X, X[:, 0])


def test_a_metric_is_not_changed_by_its_checks():
    metric = HScore(shrinkage=0.5)
    check_transfer_metric(metric)
    assert vars(metric) == {"shrinkage": 0.5}


@pytest.mark.parametrize("subject", [HScore, "h_score", None])
def test_other_things_have_no_laws(subject):
    with pytest.raises((TypeError, AttributeError)):
        check_transfer_metric(subject)


def test_extractors_need_inputs():
    extractor = PrecomputedFeatures(np.eye(4))
    with pytest.raises(ValueError, match="Pass some as X"):
        parametrize_with_checks([extractor])
    with pytest.raises(TypeError, match="missing"):
        check_extractor(extractor)


# -- as tests ------------------------------------------------------------------


def test_each_law_becomes_a_test_with_a_readable_name():
    metric, statistic = HScore(shrinkage=0.5), ClassMoments.empty()

    @parametrize_with_checks([metric, statistic])
    def check_them(subject, check):
        check(subject)

    names, parameters = parameters_of(check_them)
    assert names == ["subject", "check"]
    ids = [parameter.id for parameter in parameters]
    assert len(set(ids)) == len(ids)
    assert len(ids) == len(names_of(metric)) + len(names_of(statistic))
    assert "HScore(shrinkage=0.5)-row_order" in ids
    assert "ClassMoments(scatter='class', norms=False)-merge_trees" in ids
    for parameter in parameters[:3]:
        check_them(*parameter.values)


def test_argument_names_are_free_and_methods_work():
    class TestThem:
        @parametrize_with_checks([HScore()])
        def test(self, metric, law):
            law(metric)

    assert parameters_of(TestThem.test)[0] == ["metric", "law"]


def test_a_failing_check_fails_its_test():
    class NoScore(TransferMetric):
        requires = {"rows": RowSample.empty()}

    @parametrize_with_checks([NoScore()])
    def check_them(metric, check):
        check(metric)

    by_name = {p.id: p.values for p in parameters_of(check_them)[1]}
    with pytest.raises(AssertionError, match="must define '_evaluate'"):
        check_them(*by_name["NoScore()-row_order"])


def test_expected_failures_are_marked_strictly_with_their_reason():
    def excuses(metric):
        return {"check_scale": "by design"} if metric.shrinkage else {}

    metrics = [HScore(), HScore(shrinkage=0.1)]

    @parametrize_with_checks(metrics, expected_failed_checks=excuses)
    def check_them(metric, check):
        check(metric)

    marked = {p.id: p.marks for p in parameters_of(check_them)[1] if p.marks}
    ((name, (mark,)),) = marked.items()
    assert name == "HScore(shrinkage=0.1)-scale"
    assert mark.name == "xfail"
    assert mark.kwargs == {"reason": "by design", "strict": True}


# -- the laws themselves -------------------------------------------------------


def test_every_law_has_a_name_of_its_own_and_says_what_it_catches():
    names = [law.__name__ for law in METRIC_LAWS]
    assert len(set(names)) == len(names)
    for law in ALL_LAWS:
        assert law.__name__.startswith("check_")
        promise, _, rest = law.__doc__.partition("\n\n")
        assert promise.endswith(".")
        assert "Catches" in rest


def test_importing_the_laws_imports_no_test_framework():
    code = (
        "import sys, sklearn_transrate.testing, sklearn_transrate.testing.strategies\n"
        "print([m for m in ('hypothesis', 'pytest') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
