"""Each law of statistics catches the mistake that it says it catches."""

from __future__ import annotations

import numpy as np
import pytest

from sklearn_transrate._lib.labels import encode_labels, sorted_labels
from sklearn_transrate.statistics import ClassMoments, RowSample, Statistic
from sklearn_transrate.testing import assert_statistics_equal, check_statistic
from sklearn_transrate.testing._checks import STATISTIC_LAWS, fitting_cases


class ClassSums(Statistic):
    """Weight and sum of features of each class: keeps every law."""

    config: dict = {}

    def __init__(self):
        self.n_seen = 0
        self.sums: dict = {}  # label: [weight, sum of rows]

    @property
    def n_samples(self):
        return self.n_seen

    @property
    def classes(self):
        return sorted_labels(self.sums)

    @classmethod
    def empty(cls):
        return cls()

    @classmethod
    def from_batch(cls, X, y, sample_weight=None):
        new = cls()
        labels, codes = encode_labels(y)
        weights = np.ones(len(X)) if sample_weight is None else sample_weight
        if len(X) != len(codes) or len(weights) != len(X) or np.any(weights < 0):
            raise ValueError("One label and one weight a row.")
        new.n_seen = int(np.count_nonzero(weights))
        for k, label in enumerate(labels):
            rows, own = X[codes == k], weights[codes == k]
            if own.any():
                new.sums[label] = [own.sum(), cls.total(rows, own)]
        return new

    @staticmethod
    def total(rows, weights):
        return weights @ rows.astype(float)

    def absorb(self, other):
        widths = {len(s) for _, s in [*self.sums.values(), *other.sums.values()]}
        if len(widths) > 1:
            raise ValueError("Another width.")
        self.n_seen += other.n_seen
        for label, (weight, total) in list(other.sums.items()):
            old_weight, old_total = self.sums.get(label, (0.0, np.zeros(len(total))))
            self.sums[label] = [old_weight + weight, old_total + total]

    def to_arrays(self):
        classes = np.empty(len(self.sums), dtype=object)
        for i, label in enumerate(self.classes):
            classes[i] = label
        parts = [self.sums[label] for label in self.classes]
        return {
            "n_seen": np.array(self.n_seen),
            "classes": classes,
            "weights": np.array([weight for weight, _ in parts]),
            "sums": np.array([total for _, total in parts]),
        }

    @classmethod
    def from_arrays(cls, arrays):
        new = cls()
        new.n_seen = int(arrays["n_seen"])
        parts = zip(arrays["weights"], arrays["sums"].copy(), strict=True)
        new.sums = {
            label: [float(weight), total]
            for label, (weight, total) in zip(arrays["classes"], parts, strict=True)
        }
        return new

    def summary(self):
        parts = [self.sums[label] for label in self.classes]
        return {
            "n_samples": self.n_seen,
            "classes": self.classes,
            "counts": np.array([weight for weight, _ in parts]),
            "means": np.array([total / weight for weight, total in parts]),
        }


# -- merging -------------------------------------------------------------------


class StartsWithAPhantomRow(ClassSums):
    @classmethod
    def empty(cls):
        new = cls()
        new.sums["nobody"] = [1.0, np.zeros(1)]
        return new


class NeedsRows(ClassSums):
    @classmethod
    def from_batch(cls, X, y, sample_weight=None):
        X.max()
        return super().from_batch(X, y, sample_weight)


class AveragesMeans(ClassSums):
    """Means of batches are averaged, as if batches were equally large."""

    def absorb(self, other):
        old = {label: list(part) for label, part in self.sums.items()}
        super().absorb(other)
        for label in old.keys() & other.sums.keys():
            (n, left), (m, right) = old[label], other.sums[label]
            self.sums[label][1] = (n + m) * (left / n + right / m) / 2


class AddsScattersOnly(ClassSums):
    """Sums of squares are added without the distance between the means."""

    @staticmethod
    def total(rows, weights):
        rows = rows.astype(float)
        mean = weights @ rows / weights.sum()
        return np.concatenate([weights @ rows, weights @ (rows - mean) ** 2])


class FirstComeFirstServed(ClassSums):
    @property
    def classes(self):
        return list(self.sums)

    @classmethod
    def from_batch(cls, X, y, sample_weight=None):
        new = super().from_batch(X, y, sample_weight)
        order = dict.fromkeys(np.asarray(y, dtype=object).tolist())
        new.sums = {label: new.sums[label] for label in order if label in new.sums}
        return new


class ReadsWhatItWrites(ClassSums):
    def absorb(self, other):
        self.n_seen += other.n_seen
        for label, (_, total) in list(other.sums.items()):
            mine = self.sums.setdefault(label, [0.0, np.zeros(len(total))])
            mine[0] += other.sums[label][0]
            mine[1] += other.sums[label][1]
            if other is self:
                mine[0] += other.sums[label][0]


class ReturnsItsArgument(ClassSums):
    def merge(self, other):
        return other if self.n_seen == 0 else super().merge(other)


class KeepsTheOthersArrays(ClassSums):
    def absorb(self, other):
        new = {k: v for k, v in other.sums.items() if k not in self.sums}
        super().absorb(other)
        self.sums |= new


class KeepsTheBatch(ClassSums):
    @classmethod
    def from_batch(cls, X, y, sample_weight=None):
        new = super().from_batch(X, y, sample_weight)
        new.last_batch = X
        return new


class CutsToTheNarrower(ClassSums):
    def absorb(self, other):
        widths = [len(s) for _, s in [*self.sums.values(), *other.sums.values()]]
        cut = ClassSums()
        cut.n_seen = other.n_seen
        cut.sums = {k: [w, s[: min(widths)]] for k, (w, s) in other.sums.items()}
        super().absorb(cut)


class CutsToTheShorter(ClassSums):
    @classmethod
    def from_batch(cls, X, y, sample_weight=None):
        return super().from_batch(X[: len(y)], y, sample_weight)


class TakesNegativeWeights(ClassSums):
    @classmethod
    def from_batch(cls, X, y, sample_weight=None):
        weights = None if sample_weight is None else np.abs(sample_weight)
        return super().from_batch(X, y, weights)


# -- storing -------------------------------------------------------------------


class ForgetsHowMany(ClassSums):
    @classmethod
    def from_arrays(cls, arrays):
        return super().from_arrays({**arrays, "n_seen": np.array(0)})


class LabelsBecomeText(ClassSums):
    def to_arrays(self):
        arrays = super().to_arrays()
        return {**arrays, "classes": np.array([str(v) for v in self.classes])}


class HandsOutItsArrays(RowSample):
    def to_arrays(self):
        return {**super().to_arrays(), "features": self.features}


class KeepsTheArraysGiven(RowSample):
    @classmethod
    def from_arrays(cls, arrays):
        new = super().from_arrays(arrays)
        if new._chunks:
            new._chunks[0] = (arrays["features"], *new._chunks[0][1:])
        return new


class NoArrays(ClassSums):
    def to_arrays(self):
        return {**super().to_arrays(), "n_seen": self.n_seen}


class PickledWithoutState(ClassSums):
    def __reduce__(self):
        return (type(self), ())


class CoversNothing(ClassSums):
    def covers(self, other):
        return False


class CoversAnything(ClassSums):
    def covers(self, other):
        return True


# -- rows and labels -----------------------------------------------------------


class CentresInPlace(ClassSums):
    @classmethod
    def from_batch(cls, X, y, sample_weight=None):
        if X.flags.writeable and X.dtype == float:
            X -= 1.0
            return super().from_batch(X + 1.0, y, sample_weight)
        return super().from_batch(X, y, sample_weight)


class NeedsWriteableInputs(ClassSums):
    @classmethod
    def from_batch(cls, X, y, sample_weight=None):
        X[:0] = 0
        return super().from_batch(X, y, sample_weight)


class ClassesOfTheFirstBatch(ClassSums):
    def absorb(self, other):
        kept = ClassSums()
        kept.n_seen = other.n_seen
        known = self.sums or other.sums
        kept.sums = {k: v for k, v in other.sums.items() if k in known}
        super().absorb(kept)


class LabelsAsIndices(ClassSums):
    @classmethod
    def from_batch(cls, X, y, sample_weight=None):
        y = np.asarray(y)
        if y.dtype == object or y.dtype.kind == "i":
            np.bincount(y.astype(int))
        return super().from_batch(X, y, sample_weight)


class LabelsAsText(ClassSums):
    @classmethod
    def from_batch(cls, X, y, sample_weight=None):
        if np.asarray(y).dtype == object:
            y = np.array([str(label) for label in y])
        return super().from_batch(X, y, sample_weight)


class SumsInTheFeaturesType(ClassSums):
    @staticmethod
    def total(rows, weights):
        return rows.sum(axis=0, dtype=rows.dtype).astype(float)


class IntegersOverflow(ClassSums):
    @staticmethod
    def total(rows, weights):
        if rows.dtype.kind == "u":
            return (rows + rows).astype(float).sum(axis=0)
        return ClassSums.total(rows + rows, weights)


# -- weights and moments -------------------------------------------------------


class WeightsForCountsOnly(ClassSums):
    @classmethod
    def from_batch(cls, X, y, sample_weight=None):
        new = super().from_batch(X, y, sample_weight)
        plain = super().from_batch(X, y)
        for label, part in new.sums.items():
            part[1] = plain.sums[label][1]
        return new


class KeepsClassesOfNoWeight(ClassSums):
    @classmethod
    def from_batch(cls, X, y, sample_weight=None):
        new = super().from_batch(X, y, sample_weight)
        for label in encode_labels(y)[0]:
            new.sums.setdefault(label, [1e-300, np.zeros(X.shape[1])])
        return new


class CountsRowsOfNoWeight(ClassSums):
    @classmethod
    def from_batch(cls, X, y, sample_weight=None):
        new = super().from_batch(X, y, sample_weight)
        new.n_seen = len(X)
        return new


class RawSecondMoments(ClassSums):
    """Sums of squares about zero, from which the means are taken off at the end."""

    @staticmethod
    def total(rows, weights):
        rows = rows.astype(float)
        return np.concatenate([weights @ rows, weights @ rows**2])

    def summary(self):
        known = super().summary()
        if known["means"].size:
            mean, square = np.split(known["means"], 2, axis=1)
            known |= {"means": mean, "variances": square - mean**2}
        return known


CAUGHT = {
    "check_neutral_element": [StartsWithAPhantomRow.empty()],
    "check_empty_batch": [NeedsRows()],
    "check_merge_trees": [AveragesMeans(), AddsScattersOnly()],
    "check_row_order": [FirstComeFirstServed()],
    "check_self_merge": [ReadsWhatItWrites()],
    "check_no_aliasing": [
        ReturnsItsArgument(),
        KeepsTheOthersArrays(),
        KeepsTheBatch(),
    ],
    "check_other_kinds_refused": [
        CutsToTheNarrower(),
        CutsToTheShorter(),
        TakesNegativeWeights(),
    ],
    "check_round_trip": [
        ForgetsHowMany(),
        LabelsBecomeText(),
        HandsOutItsArrays(),
        KeepsTheArraysGiven(),
        NoArrays(),
        PickledWithoutState(),
    ],
    "check_covers_itself": [CoversNothing(), CoversAnything()],
    "check_inputs_untouched": [CentresInPlace(), NeedsWriteableInputs()],
    "check_new_classes": [ClassesOfTheFirstBatch()],
    "check_label_kinds": [LabelsAsIndices(), LabelsAsText()],
    "check_dtypes": [SumsInTheFeaturesType(), IntegersOverflow()],
    "check_sample_weight": [WeightsForCountsOnly(), KeepsClassesOfNoWeight()],
    "check_zero_weight": [CountsRowsOfNoWeight()],
    "check_moments": [RawSecondMoments()],
}
LAWS = {law.__name__: law for law in STATISTIC_LAWS}


def raises(law, statistic, case):
    try:
        law(statistic, case.X, case.y)
    except AssertionError:
        return True
    return False


def test_a_statistic_that_keeps_the_laws_passes():
    check_statistic(ClassSums)
    check_statistic(ClassSums.empty())


@pytest.mark.parametrize(
    ("law", "statistic"),
    [
        pytest.param(LAWS[name], statistic, id=f"{name}-{type(statistic).__name__}")
        for name, statistics in CAUGHT.items()
        for statistic in statistics
    ],
)
def test_the_mistake_is_caught(law, statistic):
    assert any(raises(law, statistic, case) for case in fitting_cases(statistic))


def test_every_law_is_seen_to_fail():
    assert set(CAUGHT) == set(LAWS)


def test_all_laws_in_one_call_find_it_too():
    with pytest.raises(AssertionError, match="check_merge_trees fails for <ClassesOf"):
        check_statistic(ClassesOfTheFirstBatch)


def test_the_message_names_what_differs():
    statistic = RawSecondMoments()
    X = np.random.default_rng(0).standard_normal((20, 2))
    with pytest.raises(AssertionError, match=r"expected 'variances' to agree within"):
        LAWS["check_moments"](statistic, X, np.arange(20) % 2)


# -- comparing -----------------------------------------------------------------


def of(rows, labels, **config):
    return ClassMoments.from_batch(np.array(rows, dtype=float), labels, **config)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (RowSample.from_batch([[0.0], [1.0]], [0, 1]), "expected <RowSample"),
        (of([[0], [1]], [0, 1], scatter="pooled"), "expected the parts"),
        (of([[0, 0], [1, 1]], [0, 1]), "'means' of shape|'scatters' of shape"),
        (of([[0], [1]], [0, 2]), "expected 'classes'"),
        (of([[0], [1.001]], [0, 1]), "expected 'means' to agree"),
    ],
)
def test_statistics_that_differ_are_told_apart(other, message):
    with pytest.raises(AssertionError, match=message):
        assert_statistics_equal(of([[0], [1]], [0, 1]), other)


def test_tolerance_and_parts_can_be_chosen():
    left, right = of([[0], [1]], [0, 1]), of([[0], [1.001]], [0, 1])
    assert_statistics_equal(left, right, rtol=0.01)
    assert_statistics_equal(left, right, ignore=("means",))


def test_thin_and_dense_storage_are_equal():
    X = np.random.default_rng(0).standard_normal((8, 8))
    thin = ClassMoments.from_batch(X, np.zeros(8, int))
    dense = ClassMoments.from_batch(np.vstack([X, X.mean(axis=0)]), np.zeros(9, int))
    assert_statistics_equal(thin, dense, ignore=("n_samples", "counts"), rtol=1e-12)
