"""Every registered metric keeps every law that binds it, on made and on drawn data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_transrate.metrics import LogME, TransRate, get_metric, get_metric_names
from sklearn_transrate.testing import check_transfer_metric, parametrize_with_checks
from sklearn_transrate.testing._checks import (
    METRIC_LAWS,
    binding_laws,
    fitting_cases,
)
from sklearn_transrate.testing._data import as_inputs, make_labelled_features
from sklearn_transrate.testing.strategies import labelled_features

# Metrics that fit many models, a score taking a tenth of a second and more.
COSTLY = {"linear_probe", "nleep", "pactran_gaussian"}
# What a metric is known to break, and why. Expected failures are strict, so that an
# entry has to go when the metric is mended.
KNOWN = {
    ("LogME", "check_sample_weight"): "scores rounding errors of targets that are "
    "fitted perfectly",
}


def known_failures(metric):
    kind = type(metric).__name__
    return {law: why for (name, law), why in KNOWN.items() if name == kind}


def settled(metric):
    """Fix the task of a form of TransRate that refuses values once it sees them."""
    if isinstance(metric, TransRate) and (
        metric.projection
        or metric.row_norm
        or metric.estimate == "leave_one_out"
        or metric.covariance == 0.5
    ):
        metric.set_params(task="classification")
    return metric


FORMS = ("listing", "definition", "protocol", "projected")
METRICS = [
    *(settled(get_metric(name)) for name in get_metric_names() if name not in COSTLY),
    *(settled(TransRate.from_form(form)) for form in FORMS),
    settled(TransRate(covariance=0.5)),
    LogME(task="regression"),
]


# -- made data -----------------------------------------------------------------


@parametrize_with_checks(METRICS, expected_failed_checks=known_failures)
def test_made_data(metric, check):
    check(metric)


def few_rows(metric):
    """As little as has classes, so that costly metrics take seconds and not minutes."""
    X, y = make_labelled_features(0, 24, 3, 2)
    return as_inputs(metric.inputs, X), y


@pytest.mark.parametrize("name", sorted(COSTLY & set(get_metric_names())))
def test_few_rows(name):
    metric = get_metric(name)
    check_transfer_metric(metric, *few_rows(metric))


@pytest.mark.slow
@parametrize_with_checks(
    [get_metric(name) for name in sorted(COSTLY & set(get_metric_names()))]
)
def test_made_data_at_any_cost(metric, check):
    check(metric)


# -- drawn data ----------------------------------------------------------------


def targets_for(task, y, seed):
    """Turn labels into targets of a task, that features have something to do with."""
    if task == "classification":
        return y
    codes = np.unique(y, return_inverse=True)[1]
    values = codes[:, None] + np.random.default_rng(seed).standard_normal((len(y), 2))
    if task == "multilabel":
        return (values > values.mean(axis=0)).astype(int)
    return values if seed % 2 else values[:, 0]


@st.composite
def inputs_for(draw, metric, tasks, **limits):
    """Draw data for one of the tasks of a metric."""
    task = draw(st.sampled_from(tasks))
    X, y = draw(
        labelled_features(
            offsets=[0.0, 1.0, 10.0],
            # Next to features of a thousand, an absolute distortion is all rounding.
            scales=[1.0, 1e-3, 1e3] if "scale" in metric.invariances else [1.0],
            labels=["integers"] if task != "classification" else ["integers", "mixed"],
            inputs=metric.inputs,
            **limits,
        )
    )
    return X, targets_for(task, y, draw(SEEDS))


@st.composite
def bound_metrics_and_data(draw, law):
    """Draw a metric that a law binds, and data for one of its tasks."""
    metric, tasks = draw(st.sampled_from(BOUND[law.__name__]))
    return metric, *draw(inputs_for(metric, tasks))


def bound_metrics(law):
    """Pairs of a metric that a law binds, and the tasks that it is bound for."""
    pairs = []
    for metric in METRICS:
        cases = fitting_cases(metric)
        known = law.__name__ in known_failures(metric)
        if law in binding_laws(metric, cases) and not known:
            tasks = sorted({case.task for case in cases})
            pairs.append(
                (metric, [t for t in tasks if not law.tasks or t in law.tasks])
            )
    return pairs


SEEDS = st.integers(0, 2**32 - 1)
BOUND = {law.__name__: bound_metrics(law) for law in METRIC_LAWS}


@pytest.mark.parametrize(
    "law", METRIC_LAWS, ids=[law.__name__.removeprefix("check_") for law in METRIC_LAWS]
)
@settings(max_examples=50)  # two or so for each metric that a law binds
@given(st.data())
def test_drawn_data(law, draw):
    metric, X, y = draw.draw(bound_metrics_and_data(law))
    law(metric, X, y, random_state=draw.draw(SEEDS))


# Every metric through all of its laws, the long profile's number of times. In parts,
# so that they can be run side by side.
PARTS = 4
# The laws hold for any parameters; these keep an example below half a second.
QUICK = {"linear_probe": {"cv": 2}, "nleep": {"n_components": 2}}
ALL_METRICS = [
    *METRICS,
    *(get_metric(name, **QUICK.get(name, {})) for name in sorted(COSTLY)),
]


def laws_by_task(metric):
    """Return the laws that a metric is to keep, for each task that it has."""
    cases, known = fitting_cases(metric), known_failures(metric)
    return {
        task: [
            law
            for law in binding_laws(metric, [c for c in cases if c.task == task])
            if law.__name__ not in known
        ]
        for task in sorted({case.task for case in cases})
    }


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize(
    ("metric", "laws"),
    [
        pytest.param(metric, laws_by_task(metric), id=" ".join(repr(metric).split()))
        for metric in ALL_METRICS
    ],
)
@settings(max_examples=max(1, settings.default.max_examples // PARTS))
@given(st.data())
def test_all_laws(metric, laws, part, draw):
    task = draw.draw(st.sampled_from(list(laws)))
    X, y = draw.draw(inputs_for(metric, [task], max_samples=24, max_features=12))
    seed = draw.draw(SEEDS)
    for law in laws[metric.resolve_task(y)]:
        law(metric, X, y, random_state=seed)
