"""Each law of metrics catches the mistake that it says it catches."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_transrate.exceptions import SaturatedScoreWarning
from sklearn_transrate.metrics import MetricResult, TransferMetric
from sklearn_transrate.statistics import ClassMoments, RowSample
from sklearn_transrate.testing import check_transfer_metric
from sklearn_transrate.testing._checks import METRIC_LAWS, fitting_cases
from sklearn_transrate.testing._metric_laws import INVARIANCES


class Share(TransferMetric):
    """Share of the variance that lies between classes: keeps every law."""

    requires = {"moments": ClassMoments.empty(scatter="pooled")}
    bounds = (0.0, 1.0)
    invariances = frozenset(INVARIANCES)
    one_class_score = 0.0

    def _evaluate(self, moments):
        rows = moments.between_rows()
        total = moments.total_trace()
        return float((rows**2).sum() / total) if total > 0 else 0.0


class ShareOfRows(Share):
    """The same from kept rows."""

    requires = {"rows": RowSample.empty()}

    def _evaluate(self, rows):
        return self.share(rows.features.astype(float), rows.targets, rows.weights)

    def share(self, X, y, weights):
        moments = ClassMoments.from_batch(X, y, weights, scatter="diagonal")
        return Share._evaluate(self, moments)


# -- what is said --------------------------------------------------------------


class MisspeltInvariance(Share):
    invariances = frozenset({"translations"})


class BoundsInTheWrongOrder(Share):
    bounds = (1.0, 0.0)


class FilledRequirement(Share):
    requires = {"moments": ClassMoments.from_batch([[0.0]], [0], scatter="pooled")}


class NumpyScalar(Share):
    def _evaluate(self, moments):
        return MetricResult(np.float64(super()._evaluate(moments)))


class TooNarrowBounds(Share):
    bounds = (0.0, 0.1)


class SilentNaN(Share):
    def _evaluate(self, moments):
        return float("nan")


class CryingWolf(Share):
    def _evaluate(self, moments):
        warnings.warn("n < d, perhaps", SaturatedScoreWarning, stacklevel=2)
        return super()._evaluate(moments)


# -- rows, names and columns ---------------------------------------------------


class FirstRowsOnly(ShareOfRows):
    def share(self, X, y, weights):
        half = len(X) // 2
        return super().share(X[:half], y[:half], None)


class FirstFeatureOnly(ShareOfRows):
    def share(self, X, y, weights):
        return super().share(X[:, :1], y, weights)


class CountsUpToTheLargestLabel(ShareOfRows):
    def share(self, X, y, weights):
        return super().share(X, y, weights) / (y.max() + 1)


class LabelsAsText(ShareOfRows):
    def share(self, X, y, weights):
        first = sorted(map(str, y.tolist()))[0]
        return super().share(X, np.array([str(v) == first for v in y]), weights)


class NeedsArrays(Share):
    def score(self, X, y, sample_weight=None):
        return super().score(X - X.mean(axis=0), y, sample_weight)


# -- invariances ---------------------------------------------------------------


class MeanOfColumns(Share):
    requires = {"moments": ClassMoments.empty(scatter="class")}

    def _evaluate(self, moments):
        between = (moments.between_rows() ** 2).sum(axis=0)
        total = between + np.diagonal(moments.within().dense())
        return float((between[total > 0] / total[total > 0]).mean())


class RawSecondMoments(ShareOfRows):
    def share(self, X, y, weights):
        weights = np.ones(len(X)) if weights is None else weights
        n, sums = weights.sum(), weights @ X
        total = weights @ (X**2).sum(axis=1) - sums @ sums / n
        between = -sums @ sums / n
        for label in set(y.tolist()):
            own = weights * np.array([other == label for other in y.tolist()])
            between += (own @ X) @ (own @ X) / own.sum()
        return float(np.clip(between / total, 0.0, 1.0)) if total > 0 else 0.0


class AbsoluteFloor(Share):
    def _evaluate(self, moments):
        between = (moments.between_rows() ** 2).sum() / moments.total_weight
        return float(between / (moments.total_trace() / moments.total_weight + 1e-3))


class FloorThatIsAdmitted(AbsoluteFloor):
    invariances = Share.invariances - {"scale"}


class DegreesOfFreedom(Share):
    bounds = (-np.inf, 1.0)

    def _evaluate(self, moments):
        share, n = super()._evaluate(moments), moments.total_weight
        return 1.0 - (1.0 - share) * (n - 1) / n


class PerFeature(Share):
    def _evaluate(self, moments):
        return super()._evaluate(moments) / moments.n_features


# -- one pass ------------------------------------------------------------------


class StaleResult(Share):
    @property
    def score_(self):
        if not hasattr(self, "_first"):
            self._first = super().score_
        return self._first


class ClassesOfTheFirstBatch(Share):
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        if hasattr(self, "_statistics"):
            known = [label in self.classes_.tolist() for label in y.tolist()]
            X, y = X[known], y[known]
            if len(y) == 0:
                return self
        return super().partial_fit(X, y, classes, sample_weight)


class MergesInPlace(Share):
    def merge(self, other):
        for name, statistic in self._statistics.items():
            statistic.absorb(other._statistics[name])
        self.__dict__.pop("_cached_result", None)
        return self


class ForgetsAHalf(Share):
    def merge(self, other):
        return super().merge(clone(self).fit([[0.0] * self.n_features_in_], [0]))


class ReadsOneKindOnly(Share):
    def _evaluate(self, moments):
        rows = moments.between_rows()
        between, within = (rows**2).sum(), moments._scatters[0].trace()
        return float(between / (between + within)) if between + within > 0 else 0.0


class ChangesWhatItReads(ShareOfRows):
    def _evaluate(self, rows):
        score = super()._evaluate(rows)
        rows.features[:] = 0.0
        return score


# -- inputs --------------------------------------------------------------------


class IgnoresWeights(Share):
    def _check(self, X, y, sample_weight):
        return *super()._check(X, y, sample_weight)[:2], None


class HalfPrecisionSums(ShareOfRows):
    def _evaluate(self, rows):
        X = rows.features
        # Rounded once more in the features' own type, as its sums would be.
        X = (X - X.mean(axis=0, dtype=X.dtype)).astype(X.dtype)
        return self.share(X.astype(float), rows.targets, rows.weights)


class IntegerOverflow(ShareOfRows):
    def _evaluate(self, rows):
        squares = rows.features * rows.features
        return self.share(squares.astype(float), rows.targets, rows.weights)


class CentresInPlace(Share):
    def score(self, X, y, sample_weight=None):
        X = np.asarray(X)
        if X.flags.writeable and X.dtype == float:
            X -= X.mean(axis=0)
        return super().score(X, y, sample_weight)


class NeedsWriteableInputs(Share):
    def score(self, X, y, sample_weight=None):
        np.asarray(X)[:1] += 0
        return super().score(X, y, sample_weight)


class SilentZeroForOneClass(Share):
    def _one_class_result(self, classes):
        return MetricResult(0.0)


class ErrorForOneClass(Share):
    def _one_class_result(self, classes):
        raise ValueError("one class")


class FillsInMissingFeatures(Share):
    def _check(self, X, y, sample_weight):
        return super()._check(np.nan_to_num(X), y, sample_weight)


class CutsToTheShorter(Share):
    def _check(self, X, y, sample_weight):
        if y is not None:
            X = X[: len(y)]
        return super()._check(X, y, sample_weight)


class TakesAnythingForClasses(Share):
    def resolve_task(self, y):
        return "classification"


class SwapsArguments(Share):
    def score(self, X, y, sample_weight=None):
        if np.ndim(X) == 1 and np.ndim(y) == 2:
            X, y = y, X
        return super().score(X, y, sample_weight)


# -- objects -------------------------------------------------------------------


class ChangesItsParameter(Share):
    def __init__(self, power=2):
        self.power = power + 1


class ForgetsItsParameter(Share):
    def __init__(self, power=2):
        self.power = power

    def __sklearn_clone__(self):
        return type(self)()


class CloneStaysFitted(Share):
    def __sklearn_clone__(self):
        return copy.deepcopy(self)


class LeavesStateBehind(Share):
    def __getstate__(self):
        state = super().__getstate__()
        state.pop("_statistics", None)
        return state


class ScoresWhatItLearned(Share):
    def score(self, X, y, sample_weight=None):
        if self.__sklearn_is_fitted__():
            return self.score_
        return super().score(X, y, sample_weight)


class ScoreIsFit(Share):
    def score(self, X, y, sample_weight=None):
        return self.fit(X, y, sample_weight).score_


class FitsAddUp(Share):
    def fit(self, X, y, sample_weight=None):
        return self.partial_fit(X, y, sample_weight=sample_weight)


class Random(Share):
    bounds = (-1.0, 2.0)

    def _evaluate(self, moments):
        # Too little for any law that allows for rounding.
        noise = 1e-9 * np.random.default_rng().standard_normal()
        return super()._evaluate(moments) + noise


CAUGHT = {
    "check_declarations": [
        MisspeltInvariance(),
        BoundsInTheWrongOrder(),
        FilledRequirement(),
    ],
    "check_value": [NumpyScalar(), TooNarrowBounds(), SilentNaN()],
    "check_silence": [CryingWolf()],
    "check_row_order": [FirstRowsOnly()],
    "check_feature_order": [FirstFeatureOnly()],
    "check_label_names": [CountsUpToTheLargestLabel(), LabelsAsText()],
    "check_containers": [NeedsArrays()],
    "check_rotation": [MeanOfColumns()],
    "check_translation": [RawSecondMoments()],
    "check_scale": [AbsoluteFloor()],
    "check_duplication": [DegreesOfFreedom()],
    "check_padding": [PerFeature()],
    "check_batches": [StaleResult(), ClassesOfTheFirstBatch()],
    "check_merge": [MergesInPlace(), ForgetsAHalf()],
    "check_evaluate": [ReadsOneKindOnly(), ChangesWhatItReads()],
    "check_sample_weight": [IgnoresWeights()],
    "check_dtypes": [HalfPrecisionSums(), IntegerOverflow()],
    "check_inputs_untouched": [CentresInPlace(), NeedsWriteableInputs()],
    "check_one_class": [SilentZeroForOneClass(), ErrorForOneClass()],
    "check_bad_features_refused": [FillsInMissingFeatures()],
    "check_bad_targets_refused": [CutsToTheShorter(), TakesAnythingForClasses()],
    "check_swapped_arguments_refused": [SwapsArguments()],
    "check_clone": [ChangesItsParameter(), ForgetsItsParameter(3), CloneStaysFitted()],
    "check_pickle": [LeavesStateBehind()],
    "check_stateless_score": [ScoresWhatItLearned(), ScoreIsFit()],
    "check_refit": [FitsAddUp()],
    "check_deterministic": [Random()],
}
LAWS = {law.__name__: law for law in METRIC_LAWS}


def raises(law, metric, case):
    try:
        law(metric, case.X, case.y)
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize("metric", [Share(), ShareOfRows()], ids=repr)
def test_a_metric_that_keeps_the_laws_passes(metric):
    check_transfer_metric(metric)


@pytest.mark.parametrize(
    ("law", "metric"),
    [
        pytest.param(LAWS[name], metric, id=f"{name}-{type(metric).__name__}")
        for name, metrics in CAUGHT.items()
        for metric in metrics
    ],
)
def test_the_mistake_is_caught(law, metric):
    assert any(raises(law, metric, case) for case in fitting_cases(metric))


def test_all_laws_in_one_call_find_it_too():
    with pytest.raises(AssertionError, match="check_merge fails for MergesInPlace"):
        check_transfer_metric(MergesInPlace())


def test_every_law_is_seen_to_fail():
    assert set(CAUGHT) == set(LAWS)


def test_the_message_names_law_metric_and_values():
    X, y = np.arange(24.0).reshape(12, 2), np.arange(12) % 3
    with pytest.raises(AssertionError) as caught:
        LAWS["check_sample_weight"](IgnoresWeights(), X, y)
    message = str(caught.value)
    assert message.startswith(
        "check_sample_weight fails for IgnoresWeights(): expected"
    )
    assert "The law: A whole weight counts as so many equal rows" in message
    assert "shape (12, 2)" in message


def test_an_error_inside_a_metric_is_named_and_chained():
    X, y = np.arange(24.0).reshape(12, 2), np.array(["a", "b", "c"] * 4)
    with pytest.raises(AssertionError, match=r"raised .*UFunc") as caught:
        LAWS["check_row_order"](CountsUpToTheLargestLabel(), X, y)
    assert isinstance(caught.value.__cause__, TypeError)


def test_claims_that_are_not_made_are_not_checked():
    check_transfer_metric(FloorThatIsAdmitted())
