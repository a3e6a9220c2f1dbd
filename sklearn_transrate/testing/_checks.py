"""Which laws bind whom, all of them at once, and as tests one by one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from sklearn_transrate.extractors import FeatureExtractor
from sklearn_transrate.extractors._batching import count_rows
from sklearn_transrate.metrics import TransferMetric
from sklearn_transrate.statistics import Statistic
from sklearn_transrate.testing._contract_laws import CONTRACT_LAWS
from sklearn_transrate.testing._data import Case, made_cases
from sklearn_transrate.testing._extractor_laws import EXTRACTOR_LAWS
from sklearn_transrate.testing._metric_laws import SCORE_LAWS
from sklearn_transrate.testing._statistic_laws import STATISTIC_LAWS

__all__ = [
    "METRIC_LAWS",
    "binding_laws",
    "check_extractor",
    "check_statistic",
    "check_transfer_metric",
    "fitting_cases",
    "parametrize_with_checks",
]

METRIC_LAWS = [*SCORE_LAWS, *CONTRACT_LAWS]


def check_transfer_metric(metric: TransferMetric, X=None, y=None) -> None:
    """Check that a metric keeps the laws, and what it promises of itself.

    Parameters
    ----------
    metric : TransferMetric
        With the parameters that are to be checked; it is not changed.
    X : ndarray of shape (n_samples, n_features), default=None
        What to check it on; made up for its `inputs` and `tasks` if None.
    y : ndarray of shape (n_samples,) or (n_samples, n_targets), default=None
        The targets that go with it.

    Raises
    ------
    AssertionError
        If a law does not hold; it names the law, what was expected and what came.

    See Also
    --------
    parametrize_with_checks : The same as one test a law.
    check_statistic : Laws of statistics.

    Notes
    -----
    The laws read `tasks`, `inputs`, `bounds`, `invariances`, `one_class_score` and
    `n_passes`. All metrics: rows in any order and in batches of any sizes, metrics
    and statistics merged in any tree, and labels of any names give the same score; a
    weight counts as repetitions; small dtypes lose nothing more; inputs stay as they
    are; wrong ones are refused; nothing learned is used by `score`, and nothing is
    drawn without `random_state`. Rotation, translation, scale, duplication and
    padding with zeros leave the score as it is, where that is claimed.

    Examples
    --------
    >>> from sklearn_transrate.metrics import HScore
    >>> from sklearn_transrate.testing import check_transfer_metric
    >>> check_transfer_metric(HScore(shrinkage="ledoit_wolf"))
    """
    _check_all(metric, X, y)


def check_statistic(statistic: Statistic | type[Statistic], X=None, y=None) -> None:
    """Check that a statistic keeps the laws of mergeable summaries.

    Parameters
    ----------
    statistic : Statistic or subclass
        An empty statistic, which says how it is set up, or its class.
    X : ndarray of shape (n_samples, n_features), default=None
        Features to check it on; made up for its `inputs` if None.
    y : ndarray of shape (n_samples,) or (n_samples, n_targets), default=None
        Labels or values that go with them.

    Raises
    ------
    AssertionError
        If a law does not hold; it names the law, what was expected and what came.

    See Also
    --------
    parametrize_with_checks : The same as one test a law.
    check_transfer_metric : Laws of metrics.

    Notes
    -----
    Statistics with an attribute `classes` are checked with labels of all kinds, others
    with numeric targets. The laws: empty is neutral; any tree of merges over any
    batches in any order gives the same; nothing is shared with inputs or arguments;
    arrays and pickles give it back; classes may come late; labels may be of any
    hashable kind; small dtypes lose nothing more; a weight counts as repetitions; and
    moments are right, also a million spreads away from zero.

    Examples
    --------
    >>> from sklearn_transrate.statistics import ClassMoments
    >>> from sklearn_transrate.testing import check_statistic
    >>> check_statistic(ClassMoments.empty(scatter="pooled"))
    """
    _check_all(statistic.empty() if isinstance(statistic, type) else statistic, X, y)


def check_extractor(extractor: FeatureExtractor, X, y=None) -> None:
    """Check that an extractor keeps the laws of rows, layers and models.

    Parameters
    ----------
    extractor : FeatureExtractor
        With the parameters that are to be checked; it is not changed.
    X : array-like or list
        A few inputs, as the model takes them; five or so, all different.
    y : array-like of shape (n_samples,), default=None
        Labels that travel with them; numbers of the rows if None.

    Raises
    ------
    AssertionError
        If a law does not hold; it names the law, what was expected and what came.

    See Also
    --------
    parametrize_with_checks : The same as one test a law.

    Notes
    -----
    The laws: layers have names of their own; one pass gives all of them, and each what
    it is on its own; the batch size and the company of a row do not matter, nor what
    was fitted before; labels travel with their rows; inputs stay as they are; clones
    share the model; pickles give the same features.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_transrate.extractors import PrecomputedFeatures
    >>> from sklearn_transrate.testing import check_extractor
    >>> features = {"conv": np.eye(6), "head": np.arange(12.0).reshape(6, 2)}
    >>> check_extractor(PrecomputedFeatures(features), np.arange(6))
    """
    _check_all(extractor, X, y)


def parametrize_with_checks(
    subjects: Iterable[Any],
    *,
    X=None,
    y=None,
    expected_failed_checks: Callable[[Any], Mapping[str, str]] | None = None,
) -> Callable:
    """Parametrize a pytest function with the laws that bind each subject.

    Parameters
    ----------
    subjects : iterable of TransferMetric, Statistic or FeatureExtractor
        What is to be checked; statistics are given empty.
    X : array-like or list, default=None
        Inputs to check all of them on; extractors need some, for the others they are
        made up if None.
    y : array-like, default=None
        The targets that go with them.
    expected_failed_checks : callable, default=None
        Takes a subject and returns a mapping from names of laws that it may break to
        the reason; these tests are marked as expected failures, strictly.

    Returns
    -------
    decorator : callable
        For a function of two arguments, of any names: the subject and a check that
        takes it.

    See Also
    --------
    check_transfer_metric : All laws of a metric in one call.
    check_statistic : All laws of a statistic in one call.
    check_extractor : All laws of an extractor in one call.

    Examples
    --------
    >>> from sklearn_transrate.metrics import HScore, LogME
    >>> from sklearn_transrate.testing import parametrize_with_checks
    >>> @parametrize_with_checks([LogME(), HScore()])
    ... def test_laws(metric, check):
    ...     check(metric)
    """
    import pytest

    parameters = []
    for subject in subjects:
        excused = expected_failed_checks(subject) if expected_failed_checks else {}
        cases = _cases(subject, X, y)
        for law in binding_laws(subject, cases):
            marks = ()
            if law.__name__ in excused:
                marks = pytest.mark.xfail(reason=excused[law.__name__], strict=True)
            name = f"{_one_line(subject)}-{law.__name__.removeprefix('check_')}"
            check = partial(_check_law, law, cases)
            parameters.append(pytest.param(subject, check, id=name, marks=marks))

    def decorate(function: Callable) -> Callable:
        names = [n for n in inspect.signature(function).parameters if n != "self"]
        return pytest.mark.parametrize(names[:2], parameters)(function)

    return decorate


def binding_laws(subject: Any, cases: Sequence[Case]) -> list[Callable]:
    """Return the laws that bind a subject for some of these data."""
    tasks = {case.task for case in cases}
    claims = getattr(subject, "invariances", ())
    return [
        law
        for law in _laws_of(subject)
        if (not law.tasks or tasks & set(law.tasks))
        and (law.claim is None or law.claim in claims)
    ]


def fitting_cases(subject: TransferMetric | Statistic) -> list[Case]:
    """Return the made data that a metric or a statistic can take."""
    cases = made_cases(subject.inputs)
    return [case for case in cases if _fits(subject, case)]


def _laws_of(subject: Any) -> list[Callable]:
    for kind, laws in (
        (TransferMetric, METRIC_LAWS),
        (Statistic, STATISTIC_LAWS),
        (FeatureExtractor, EXTRACTOR_LAWS),
    ):
        if isinstance(subject, kind):
            return laws
    raise TypeError(
        "Expected an instance of TransferMetric, Statistic or FeatureExtractor, got "
        f"{subject!r}."
    )


def _task_of(subject: Any, y: Any, task: str = "regression") -> str:
    """Return what a subject takes targets for, or raise if it cannot take them."""
    if isinstance(subject, TransferMetric):
        return subject.resolve_task(y)
    if hasattr(subject, "classes"):
        return "classification"
    return task if task != "classification" else ""


def _fits(subject: Any, case: Case) -> bool:
    try:
        return _task_of(subject, case.y, case.task) == case.task
    except ValueError:
        return False


def _cases(subject: Any, X: Any, y: Any) -> list[Case]:
    """Return the data to check a subject on: those given, or made ones."""
    if isinstance(subject, FeatureExtractor):
        if X is None:
            raise ValueError(
                f"Expected inputs for {subject!r}, got none. Pass some as X: nobody "
                "else knows what the model takes."
            )
        return [Case("given", "", X, np.arange(count_rows(X)) if y is None else y)]
    if X is None:
        return fitting_cases(subject)
    X, y = np.asarray(X), np.asarray(y)
    return [Case("given", _task_of(subject, y), X, y)]


def _check_all(subject: Any, X: Any, y: Any) -> None:
    cases = _cases(subject, X, y)
    for law in binding_laws(subject, cases):
        _check_law(law, cases, subject)


def _check_law(law: Callable, cases: Sequence[Case], subject: Any) -> None:
    """Check one law on all data that it is about."""
    for case in cases:
        if not law.tasks or case.task in law.tasks:
            law(subject, case.X, case.y)


def _one_line(subject: Any) -> str:
    if isinstance(subject, Statistic):
        config = ", ".join(f"{key}={value!r}" for key, value in subject.config.items())
        return f"{type(subject).__name__}({config})"
    return " ".join(repr(subject).split())
