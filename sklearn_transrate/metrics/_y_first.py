"""Metrics for scikit-learn's own `make_scorer`: labels first, then features."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_transrate._lib.signatures import has_parameter
from sklearn_transrate.exceptions import SwappedArgumentsError
from sklearn_transrate.metrics._base import TransferMetric
from sklearn_transrate.metrics._registry import metric_name, resolve_metric

__all__ = ["FeaturesAsPredictions", "y_first"]


def y_first(score_func):
    """Metric with its arguments turned around, for scikit-learn's `make_scorer`.

    Metrics of this package take features first, as scikit-learn's own metrics of
    unlabelled clusterings do; `make_scorer` calls ``score_func(y_true, y_pred)``.

    Parameters
    ----------
    score_func : str, TransferMetric or callable (X, y, **kwargs) -> float
        A metric's name, a metric, or a function.

    Returns
    -------
    turned : callable (y_true, y_pred, **kwargs) -> float
        With a ``__name__``; picklable if `score_func` is. It refuses features that
        come first. Keyword arguments are passed on.

    Raises
    ------
    TypeError
        If `score_func` is none of these.
    UnknownMetricError
        If no metric of that name is registered.

    See Also
    --------
    FeaturesAsPredictions : Last step of a pipeline that makes features the
        predictions.
    make_transfer_scorer : A scorer that needs neither.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.metrics import make_scorer
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_transrate.metrics import (
    ...     FeaturesAsPredictions, transrate_score, y_first
    ... )
    >>> X, y = load_iris(return_X_y=True)
    >>> scorer = make_scorer(y_first(transrate_score), eps=0.01)
    >>> pipeline = make_pipeline(PCA(2), FeaturesAsPredictions()).fit(X, y)
    >>> round(scorer(pipeline, X, y), 4)
    0.1234
    """
    return _YFirst(resolve_metric(score_func))


class _YFirst:
    """A function of labels and features, made from one of features and labels."""

    def __init__(self, metric: TransferMetric | Callable) -> None:
        self._metric = metric

    @property
    def _score(self) -> Callable:
        is_metric = isinstance(self._metric, TransferMetric)
        return self._metric.score if is_metric else self._metric

    @property
    def __name__(self) -> str:
        if isinstance(self._metric, TransferMetric):
            return metric_name(self._metric)
        return getattr(self._metric, "__name__", type(self._metric).__name__)

    @property
    def __signature__(self) -> Signature:
        # scikit-learn takes parameters other than y_true and y_pred for metadata, so
        # only the weights are named, and only where the function takes them.
        kind = Parameter.POSITIONAL_OR_KEYWORD
        parameters = [Parameter("y_true", kind), Parameter("y_pred", kind)]
        if has_parameter(self._score, "sample_weight"):
            parameters.append(
                Parameter("sample_weight", Parameter.KEYWORD_ONLY, default=None)
            )
        return Signature([*parameters, Parameter("kwargs", Parameter.VAR_KEYWORD)])

    def __call__(self, y_true: Any, y_pred: Any, **kwargs: Any) -> float:
        if np.ndim(y_true) == 2 and np.ndim(y_pred) == 1:
            raise SwappedArgumentsError(
                f"{self!r} expected labels first and features of shape (n_samples, "
                f"n_features) second, got shapes {np.shape(y_true)} and "
                f"{np.shape(y_pred)}. Swap the arguments, or call the function that "
                "it was made from."
            )
        return float(self._score(y_pred, y_true, **kwargs))

    def __repr__(self) -> str:
        return f"y_first({self.__name__})"


class FeaturesAsPredictions(BaseEstimator):
    """Last step of a pipeline whose predictions are the features that reach it.

    With it, scorers that look at predictions look at features: scikit-learn's
    `make_scorer` works with `y_first`, on every supported version.

    Attributes
    ----------
    n_features_in_ : int
        Width of the features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where they all are strings.

    See Also
    --------
    y_first : Turn a metric's arguments around for `make_scorer`.
    TransRateScorer : A scorer that does not need this step.

    Examples
    --------
    >>> from sklearn_transrate.metrics import FeaturesAsPredictions
    >>> FeaturesAsPredictions().fit([[0.0, 1.0]]).predict([[2.0, 3.0]])
    [[2.0, 3.0]]
    """

    def fit(self, X, y=None) -> Self:
        """Remember the width of the features.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : None
            Ignored.

        Returns
        -------
        self : FeaturesAsPredictions
        """
        self._look(X, reset=True)
        return self

    def predict(self, X):
        """Return the features as they are.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        X : same object
        """
        check_is_fitted(self)
        self._look(X, reset=False)
        return X

    def _look(self, X, *, reset: bool) -> None:
        # Whether values may be missing is the metric's question.
        validate_data(self, X, reset=reset, accept_sparse=True, ensure_all_finite=False)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        return tags
