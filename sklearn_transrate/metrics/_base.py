"""The contract of every metric: statistics in, one float out, higher is better."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple, Self

import joblib
import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import _check_sample_weight, validate_data

from sklearn_transrate._lib.arrays import release_pages
from sklearn_transrate._lib.engines import is_lazy, row_blocks
from sklearn_transrate._lib.labels import encode_labels, labels_to_array
from sklearn_transrate._lib.validation import (
    check_features,
    check_targets,
    infer_task,
    refuse_swapped,
)
from sklearn_transrate.exceptions import UndefinedMetricWarning
from sklearn_transrate.metrics._influence import InfluenceMixin
from sklearn_transrate.metrics._sparse import dense_equivalent
from sklearn_transrate.statistics import Statistic, find_covering
from sklearn_transrate.statistics._accumulate import merge_where_they_are

__all__ = ["MetricResult", "TransferMetric"]


class MetricResult(NamedTuple):
    """What a metric says of one candidate.

    Parameters
    ----------
    score : float
        The value; higher is better, NaN where it is undefined.
    std_error : float
        Its standard error; NaN where it is not known.
    parts : dict
        What the score is made of, by name.
    """

    score: float
    std_error: float = np.nan
    parts: dict[str, Any] = {}


class TransferMetric(InfluenceMixin, BaseEstimator):
    """Base class of transferability metrics.

    A subclass says in class attributes what it needs and what it promises, and
    implements one method, `_evaluate`. It gets `fit`, `partial_fit`, `score`,
    `merge` and `evaluate` from here, and the laws of `sklearn_transrate.testing`
    hold it to its promises.

    Attributes
    ----------
    requires : dict of {name: Statistic}
        Class attribute. Empty statistics that say what to accumulate; `_evaluate`
        receives them filled, by these names.
    bounds : tuple of (float, float)
        Class attribute. Smallest and largest possible score.
    tasks : tuple of str
        Class attribute. Some of "classification", "multilabel", "regression".
    invariances : frozenset of str
        Class attribute. What leaves the score as it is: some of "translation",
        "rotation", "scale" and "padding" with zeros (of the features) and
        "duplication" (of all rows). Order of the rows and names of the labels never
        matter.
    inputs : {"features", "source_proba", "source_labels"}
        Class attribute. What X holds: features, or what the source model predicts.
    accepts_sparse : bool
        Class attribute. Whether X may be a sparse matrix.
    n_passes : int
        Class attribute. How often each row is looked at.
    one_class_score : float
        Class attribute. The score where only one class is present.
    score_ : float
        The score of all rows seen, computed when read.
    parts_ : dict
        What the score is made of.
    classes_ : ndarray of shape (n_classes,)
        Labels seen, sorted; only for classification.
    n_samples_seen_ : int
        Number of rows seen.
    n_features_in_ : int
        Width of the features.
    """

    requires: Mapping[str, Statistic] = {}
    bounds: tuple[float, float] = (-np.inf, np.inf)
    tasks: tuple[str, ...] = ("classification",)
    invariances: frozenset[str] = frozenset()
    inputs: str = "features"
    accepts_sparse: bool = False
    n_passes: int = 1
    one_class_score: float = np.nan

    # -- for subclasses --------------------------------------------------------

    def _evaluate(self, **statistics: Statistic) -> MetricResult | float:
        """Compute the score from filled statistics, named as in `requires`."""
        raise NotImplementedError(f"{type(self).__name__} must define '_evaluate'.")

    def required_statistics(
        self, task: str = "classification"
    ) -> Mapping[str, Statistic]:
        """Return the empty statistics that this metric needs for a task.

        Parameters
        ----------
        task : {"classification", "multilabel", "regression"}
            What kind of target y is.

        Returns
        -------
        statistics : mapping of {name: Statistic}
        """
        return self.requires

    def resolve_task(self, y) -> str:
        """Decide what kind of target this metric takes y for.

        Parameters
        ----------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Checked targets.

        Returns
        -------
        task : {"classification", "multilabel", "regression"}

        Raises
        ------
        ValueError
            If the metric has no meaning for such a target.
        """
        wanted = getattr(self, "task", "auto")
        return infer_task(y, wanted, self.tasks, name=type(self).__name__)

    # -- the estimator ---------------------------------------------------------

    def fit(self, X, y, sample_weight=None) -> Self:
        """Summarise features and labels, forgetting what was seen before.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features from one layer of a source model.
        y : array-like of shape (n_samples,)
            Target labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; a weight of 2 counts as two equal rows.

        Returns
        -------
        self : TransferMetric
            Fitted; read `score_`.
        """
        return self._see(X, y, sample_weight, reset=True, whole=True)

    def partial_fit(self, X, y, classes=None, sample_weight=None) -> Self:
        """Add one batch to what was seen before.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features of the batch.
        y : array-like of shape (n_samples,)
            Its labels; new classes may appear in any batch.
        classes : array-like of shape (n_classes,), default=None
            Labels to expect. Not needed; if given, any other label is an error.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        self : TransferMetric
        """
        if classes is not None:
            unknown = set(encode_labels(y)[0]) - set(encode_labels(classes)[0])
            if unknown:
                raise ValueError(
                    "Expected labels among 'classes', got "
                    f"{sorted(unknown, key=repr)}. Add them, or leave 'classes' out: "
                    "new labels may appear at any time."
                )
        return self._see(X, y, sample_weight, reset=not hasattr(self, "_statistics"))

    def score(self, X, y, sample_weight=None) -> float:
        """Return the score of these rows alone; nothing learned is used.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Target labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        score : float
            Higher is better.
        """
        if is_lazy(X):
            return self._result(*self._summarise_blocks(X, y, sample_weight)).score
        X, y, weights = self._check(X, y, sample_weight)
        X = dense_equivalent(X, [self])
        return self._result(*self._summarise(X, y, weights)).score

    def evaluate(
        self, statistics: Mapping[Any, Statistic] | Iterable[Statistic] | Statistic
    ) -> MetricResult:
        """Compute the score from statistics that were accumulated elsewhere.

        Parameters
        ----------
        statistics : Statistic, or mapping or iterable of them
            Filled statistics, among them what `required_statistics` lists or
            something that covers it. They are not changed.

        Returns
        -------
        result : MetricResult
            Score, standard error and parts.
        """
        return self._result(*self._find(statistics))

    def _find(self, statistics) -> tuple[dict[str, Statistic], str]:
        """Return what this metric needs among statistics, by name, and the task."""
        if isinstance(statistics, Statistic):
            statistics = [statistics]
        elif isinstance(statistics, Mapping):
            statistics = list(statistics.values())
        else:
            statistics = list(statistics)
        for task in self.tasks:
            required = self.required_statistics(task)
            if all(
                any(s.covers(wanted) for s in statistics)
                for wanted in required.values()
            ):
                break
        else:  # what is missing is told of the most usual task
            task = self.tasks[0]
            required = self.required_statistics(task)
        found = {
            name: find_covering(statistics, wanted) for name, wanted in required.items()
        }
        return found, task

    def merge(self, other: Self) -> Self:
        """Return a new metric that has seen the rows of both.

        Parameters
        ----------
        other : TransferMetric
            A fitted metric of the same class and parameters.

        Returns
        -------
        merged : TransferMetric
            Shares no state with either.
        """
        # Hashes, because parameters that are arrays do not compare to a truth value.
        if type(other) is not type(self) or joblib.hash(
            other.get_params()
        ) != joblib.hash(self.get_params()):
            raise ValueError(
                f"Expected another {self!r} to merge with, got {other!r}. Merge "
                "metrics of the same class with the same parameters."
            )
        for metric in (self, other):
            metric._check_is_fitted()
            metric._refuse_turned_axes()
        merged = clone(self)
        merged._statistics = {
            name: statistic.merge(other._statistics[name])
            for name, statistic in self._statistics.items()
        }
        merged._task, merged._has_turned_axes = self._task, False
        merged.n_features_in_ = self.n_features_in_
        if hasattr(self, "feature_names_in_"):
            merged.feature_names_in_ = self.feature_names_in_
        return merged

    @property
    def score_(self) -> float:
        """The score of all rows seen."""
        return self._fitted_result().score

    @property
    def parts_(self) -> dict[str, Any]:
        """What the score is made of."""
        return self._fitted_result().parts

    @property
    def std_error_(self) -> float:
        """Standard error of the score; NaN where it is not known."""
        return self._fitted_result().std_error

    @property
    def classes_(self) -> np.ndarray:
        """Labels seen, sorted."""
        self._check_is_fitted()
        for statistic in self._statistics.values():
            if hasattr(statistic, "classes"):
                return labels_to_array(statistic.classes)
        raise AttributeError(f"A {self._task} target has no classes.")

    @property
    def n_samples_seen_(self) -> int:
        """Number of rows seen."""
        self._check_is_fitted()
        return next(iter(self._statistics.values())).n_samples

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_statistics")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.sparse = self.accepts_sparse
        tags.input_tags.positive_only = self.inputs == "source_proba"
        return tags

    # -- inside ----------------------------------------------------------------

    def _check(self, X, y, sample_weight):
        name = type(self).__name__
        refuse_swapped(X, y, name=name)
        X = check_features(X, name=name, accept_sparse=True)
        y = check_targets(y, X, name=name, multi_output=len(self.tasks) > 1)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
        return X, y, sample_weight

    def _summarise(self, X, y, weights, task=None):
        """Fill the required statistics from checked rows."""
        task = task or self.resolve_task(y)
        return {
            name: empty.from_batch(X, y, weights, **empty.config)
            for name, empty in self.required_statistics(task).items()
        }, task

    def _summarise_blocks(self, X, y, weights, task=None):
        """Fill the required statistics on the workers that hold a dask array."""
        refuse_swapped(X, y, name=type(self).__name__)
        task = task or self.resolve_task(y if hasattr(y, "dtype") else np.asarray(y))
        engine, blocks = row_blocks(X, y, weights)
        function = partial(_summarise_block, clone(self), task)
        handles = [engine.call(function, *block) for block in blocks]
        return merge_where_they_are(engine, handles)[None], task

    def _see(self, X, y, sample_weight, *, reset: bool, whole: bool = False) -> Self:
        task = None if reset else self._task
        if is_lazy(X):
            validate_data(self, X, reset=reset, skip_check_array=True, y=y)
            turned = False
            batch, task = self._summarise_blocks(X, y, sample_weight, task)
        else:
            checked, targets, weights = self._check(X, y, sample_weight)
            # Names and number of columns; the values are checked above.
            validate_data(self, X, reset=reset, skip_check_array=True, y=targets)
            seen = dense_equivalent(checked, [self], whole=whole)
            turned = seen.shape != checked.shape
            batch, task = self._summarise(seen, targets, weights, task)
            release_pages(X)
        if not reset:
            self._refuse_turned_axes()
        if reset:
            self._statistics, self._task = batch, task
            self._has_turned_axes = turned
        else:
            for name, statistic in self._statistics.items():
                statistic.absorb(batch[name])
        self.__dict__.pop("_cached_result", None)
        return self

    def _refuse_turned_axes(self) -> None:
        """Raise if what was fitted has axes of its own, which no batch shares."""
        if self._has_turned_axes:
            raise ValueError(
                "'fit' has turned the axes of sparse features that are wider than "
                "long, so nothing can be added to them. Stream them with "
                "'partial_fit' from the first batch on."
            )

    def _result(self, statistics: dict[str, Statistic], task: str) -> MetricResult:
        if all(statistic.n_samples == 0 for statistic in statistics.values()):
            raise ValueError(
                f"{type(self).__name__} expected at least one sample of positive "
                "weight, got none."
            )
        if task == "classification":
            classes = next(iter(statistics.values())).classes
            if len(classes) < 2:
                return self._one_class_result(classes)
        result = self._evaluate(**statistics)
        if not isinstance(result, MetricResult):
            result = MetricResult(float(result))
        return result

    def _one_class_result(self, classes) -> MetricResult:
        reason = (
            f"y has one class ({classes[0]!r}), but {type(self).__name__} compares "
            f"classes. The score is set to {self.one_class_score}. Pass at least two "
            "classes, or drop this split."
        )
        warnings.warn(reason, UndefinedMetricWarning, stacklevel=5)
        return MetricResult(self.one_class_score, parts={"reason": reason})

    def _fitted_result(self) -> MetricResult:
        self._check_is_fitted()
        if not hasattr(self, "_cached_result"):
            self._cached_result = self._result(self._statistics, self._task)
        return self._cached_result

    def _check_is_fitted(self) -> None:
        # Not scikit-learn's check: properties must raise an AttributeError, so that
        # hasattr(metric, "score_") is False before fit, and NotFittedError is one.
        if not self.__sklearn_is_fitted__():
            raise NotFittedError(
                f"This {type(self).__name__} has seen no data yet. Call 'fit' or "
                "'partial_fit' first, or 'score' for a value in one call."
            )


def _summarise_block(metric: TransferMetric, task: str, X, y, weights=None) -> dict:
    """Check and summarise one block, where it is; blocks may be empty."""
    if len(X) == 0:
        return {None: metric.required_statistics(task)}
    X, y, weights = metric._check(X, y, weights)
    X = dense_equivalent(X, [metric], whole=False)
    return {None: metric._summarise(X, y, weights, task)[0]}
