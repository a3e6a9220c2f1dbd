"""What a metric must beat: scores that hardly look at the features.

Wider features, and larger models, transfer better more often than not, so a metric
that only reflects them has shown nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real

import numpy as np

from sklearn_transrate.metrics._base import MetricResult, TransferMetric
from sklearn_transrate.statistics import ClassMoments, Statistic, TargetMoments

__all__ = ["Constant", "FeatureWidth", "ModelSize"]


class _Baseline(TransferMetric):
    """Reads no more than the shape of the features, for every kind of target."""

    requires = {"moments": ClassMoments.empty(scatter="diagonal")}
    tasks = ("classification", "multilabel", "regression")
    accepts_sparse = True

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
        if task == "classification":
            return self.requires
        return {"moments": TargetMoments.empty()}


class Constant(_Baseline):
    """The same score for every candidate: 0.

    What does a metric that knows nothing achieve? Candidates that tie on it are ranked
    as they came, so any measure of agreement between scores and accuracies should be
    undefined or 0 for it; one that is not rewards the order of the candidates.

    Attributes
    ----------
    score_ : float
        0.0, without unit.
    parts_ : dict
        Empty.
    classes_ : ndarray of shape (n_classes,)
        Labels seen, sorted; only for classification.
    n_samples_seen_ : int
        Number of rows seen.
    n_features_in_ : int
        Width of the features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where they all are strings.

    See Also
    --------
    FeatureWidth : A baseline that often agrees with accuracy.

    Notes
    -----
    Cost: O(n d) for checking the features.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate.metrics import Constant
    >>> Constant().score(*load_iris(return_X_y=True))
    0.0
    """

    bounds = (-1.0, 1.0)
    invariances = frozenset(
        {"translation", "rotation", "scale", "padding", "duplication"}
    )
    one_class_score = 0.0

    def _evaluate(self, moments) -> MetricResult:
        return MetricResult(0.0)


class FeatureWidth(_Baseline):
    """Number of features.

    Would choosing the widest layer do as well? Higher is taken to be better, as for
    any metric; a metric whose ranking agrees with this one may only measure width.

    Attributes
    ----------
    score_ : float
        Number of columns, at least 1, without unit. Columns of zeros count.
    parts_ : dict
        Empty.
    classes_ : ndarray of shape (n_classes,)
        Labels seen, sorted; only for classification.
    n_samples_seen_ : int
        Number of rows seen.
    n_features_in_ : int
        Width of the features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where they all are strings.

    See Also
    --------
    ModelSize : For candidates of one width.

    Notes
    -----
    Cost: O(n d) for checking the features. It misleads wherever width comes from
    pooling or padding rather than from the model.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_transrate.metrics import FeatureWidth
    >>> FeatureWidth().score(*load_digits(return_X_y=True))
    64.0
    """

    bounds = (1.0, np.inf)
    invariances = frozenset({"translation", "rotation", "scale", "duplication"})

    def _evaluate(self, moments) -> MetricResult:
        return MetricResult(float(moments.n_features))


class ModelSize(_Baseline):
    """Size of the source model, as the user gives it.

    Would choosing the largest model do as well? Features do not tell, so every
    candidate needs a metric of its own with its number; all layers of one model tie.

    Parameters
    ----------
    n_parameters : float
        Number of weights, or any other measure of size; positive.

    Attributes
    ----------
    score_ : float
        `n_parameters`, in its own unit.
    parts_ : dict
        Empty.
    classes_ : ndarray of shape (n_classes,)
        Labels seen, sorted; only for classification.
    n_samples_seen_ : int
        Number of rows seen.
    n_features_in_ : int
        Width of the features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where they all are strings.

    See Also
    --------
    FeatureWidth : The baseline that features do tell.

    Notes
    -----
    Cost: O(n d) for checking the features. It misleads across architectures, where
    the smaller model is often the newer and better one.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_transrate.metrics import ModelSize
    >>> X, y = load_digits(return_X_y=True)
    >>> sizes = {"resnet18": 11.7e6, "resnet50": 25.6e6}
    >>> {name: ModelSize(size).score(X, y) for name, size in sizes.items()}
    {'resnet18': 11700000.0, 'resnet50': 25600000.0}
    """

    bounds = (0.0, np.inf)
    invariances = frozenset({"translation", "rotation", "scale", "duplication"})

    def __init__(self, n_parameters):
        self.n_parameters = n_parameters

    def _evaluate(self, moments) -> MetricResult:
        size = self.n_parameters
        if not (isinstance(size, Real) and 0.0 < size < np.inf):
            raise ValueError(
                "Expected 'n_parameters' to be a positive number, such as the number "
                f"of weights of the source model, got {size!r}."
            )
        return MetricResult(float(size))
