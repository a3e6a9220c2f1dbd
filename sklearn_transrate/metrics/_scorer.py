"""Metrics wherever scikit-learn takes `scoring=`: (estimator, X, y) in, score out.

Plain classes rather than children of scikit-learn's private scorer: the four hooks
that searches look for (a name, `_accept_sample_weight`, and the two methods of
metadata routing) are the same in every supported version.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Self

from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import UNCHANGED, MetadataRequest

from sklearn_transrate._lib.signatures import has_parameter
from sklearn_transrate.metrics._base import TransferMetric
from sklearn_transrate.metrics._function import FunctionMetric
from sklearn_transrate.metrics._registry import metric_name, resolve_metric
from sklearn_transrate.metrics._scorer_features import as_matrix, take_features
from sklearn_transrate.metrics._transrate import TransRate

__all__ = ["TransRateScorer", "TransferScorer"]


# -- metrics by name -----------------------------------------------------------


def _label(metric: Any) -> str:
    """Name a metric as tables and plots do."""
    if isinstance(metric, FunctionMetric):
        return _label(metric.func)
    if isinstance(metric, (str, TransferMetric)):
        return metric_name(metric)
    function = metric.func if isinstance(metric, partial) else metric
    return getattr(function, "__name__", type(function).__name__)


def holds_several(metric: Any) -> bool:
    """Whether a user gave a collection of metrics."""
    return isinstance(metric, (list, tuple, Mapping))


def _named(metric: Any) -> dict[str, Any]:
    """Name every metric that a user gave."""
    if not holds_several(metric):
        return {_label(metric): metric}
    if not len(metric):
        raise ValueError("Expected at least one metric, got none.")
    if isinstance(metric, Mapping):
        return dict(metric)
    named = {_label(item): item for item in metric}
    if len(named) < len(metric):
        raise ValueError(
            f"Expected metrics of distinct names, got {[*map(_label, metric)]}. Name "
            "them yourself: {'tight': TransRate(eps=1e-4), ...}."
        )
    return named


def _as_metric(metric: Any) -> TransferMetric:
    metric = resolve_metric(metric)
    return metric if isinstance(metric, TransferMetric) else FunctionMetric(metric)


def _takes_weights(metric: TransferMetric) -> bool:
    if isinstance(metric, FunctionMetric):
        return has_parameter(metric.func, "sample_weight")
    return True


# -- scorers -------------------------------------------------------------------


class TransferScorer(BaseEstimator):
    """Scorer of the features that enter an estimator's last predictor.

    Takes the place of a scorer in `GridSearchCV`, `cross_validate`,
    `SequentialFeatureSelector` and the like, also for pipelines without predictor.

    Parameters
    ----------
    metric : str, TransferMetric, callable, list or dict, default="logme"
        A name (see `get_transfer_scorer_names`), a metric, or a function
        ``(X, y) -> float``. A list or a dict of them makes a scorer that returns a
        dict, for searches over several metrics at the price of one transform.
    features : {"auto", "input", "transform"}, str, int or callable, default="auto"
        Which features to score.

        - "auto": what enters the last predictor. Pipelines, frozen estimators and
          finished searches are looked into; a predictor alone is scored by its
          input; an estimator that does not predict, by its `transform`.
        - "input": X itself.
        - "transform": ``estimator.transform(X)``, also of one that predicts too, such
          as LinearDiscriminantAnalysis.
        - a string or an integer: what comes out of that step of the pipeline, by
          name ("outer__inner" in nested ones) or by position.
        - a callable ``(estimator, X) -> features``.
    layer : str or int, default=None
        Layer of the extractor that makes the features; None leaves its own choice.

    See Also
    --------
    TransRateScorer : The same with TransRate's parameters spelt out.
    make_transfer_scorer : The same with parameters of the metric.

    Notes
    -----
    Searches over transformers split without regard to classes unless told: pass
    ``cv=StratifiedKFold(shuffle=True, random_state=0)``. And they turn errors into
    NaN, then take the first candidate: pass ``error_score="raise"``.

    The score is of the rows given, so out of sample in cross-validation. Values are
    not comparable across metrics, sizes of samples, or parameters of the metric.

    References
    ----------
    .. [1] You, K., Liu, Y., Wang, J., & Long, M. (2021). LogME: Practical assessment
       of pre-trained models for transfer learning. ICML, PMLR 139, 12133-12143.
       https://doi.org/10.48550/arXiv.2102.11005

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.model_selection import GridSearchCV, StratifiedKFold
    >>> from sklearn_transrate.metrics import TransferScorer
    >>> X, y = load_digits(return_X_y=True)
    >>> search = GridSearchCV(
    ...     PCA(random_state=0), {"n_components": [2, 8, 32]},
    ...     scoring=TransferScorer("logme"), cv=StratifiedKFold(3),
    ...     error_score="raise",
    ... )
    >>> search.fit(X, y).best_params_
    {'n_components': 32}
    """

    def __init__(self, metric="logme", *, features="auto", layer=None):
        self.metric = metric
        self.features = features
        self.layer = layer

    def __call__(self, estimator, X, y=None, *, sample_weight=None):
        """Score a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted.
        X : array-like
            Its input.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets; the default is there for searches that have none, and refused.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, passed on to the metric.

        Returns
        -------
        score : float or dict of {str: float}
            Higher is better; a dict for several metrics.
        """
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is "
                "None. Pass y to the search: it measures features for a labelled task."
            )
        features = self.get_features(estimator, X)
        return self.score_features(features, y, sample_weight=sample_weight)

    def get_features(self, estimator, X):
        """Compute the features that the estimator is scored by.

        Parameters
        ----------
        estimator : estimator
            Fitted.
        X : array-like
            Its input.

        Returns
        -------
        features : array-like, frame or sparse matrix
            As the estimator made them.
        """
        return take_features(estimator, X, self.features, self.layer)

    def score_features(self, X, y, sample_weight=None):
        """Score features that are there already.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
            Features; one-dimensional ones become a column.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.

        Returns
        -------
        score : float or dict of {str: float}
            Higher is better; a dict for several metrics.
        """
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        scores = {}
        for name, metric in self.get_metrics().items():
            if weights and not _takes_weights(metric):
                raise TypeError(
                    f"The function {name!r} takes no sample_weight, but weights were "
                    "passed. Leave them out, or give the function that argument."
                )
            matrix = as_matrix(
                X, accept_sparse=getattr(metric, "accepts_sparse", False)
            )
            scores[name] = float(metric.score(matrix, y, **weights))
        several = holds_several(getattr(self, "metric", None))
        return scores if several else scores[name]

    def get_metrics(self) -> dict[str, TransferMetric]:
        """Return the metrics by name.

        Returns
        -------
        metrics : dict of {str: TransferMetric}
            One, unless the scorer was made with several.
        """
        return {name: _as_metric(item) for name, item in _named(self.metric).items()}

    def get_metric(self) -> TransferMetric:
        """Return the metric, for callers that have statistics instead of features.

        Returns
        -------
        metric : TransferMetric
            A function comes as `FunctionMetric`.

        Raises
        ------
        ValueError
            If the scorer has several.
        """
        metrics = self.get_metrics()
        if len(metrics) > 1:
            raise ValueError(
                f"This scorer has several metrics: {sorted(metrics)}. Use get_metrics."
            )
        return next(iter(metrics.values()))

    # -- what scikit-learn looks for -------------------------------------------

    @property
    def __name__(self) -> str:
        return ", ".join(_named(self.metric))

    def _accept_sample_weight(self) -> bool:
        return all(map(_takes_weights, self.get_metrics().values()))

    def get_metadata_routing(self) -> MetadataRequest:
        """Return what metadata the scorer asks for.

        Returns
        -------
        request : MetadataRequest
            Of `sample_weight` for the method "score".
        """
        request = MetadataRequest(owner=type(self).__name__)
        held = getattr(self, "_metadata_request", None)
        alias = held.score.requests.get("sample_weight") if held else None
        request.score.add_request(param="sample_weight", alias=alias)
        return request

    def set_score_request(
        self, *, sample_weight: bool | str | None = UNCHANGED
    ) -> Self:
        """Say whether sample weights are wanted, under metadata routing.

        Parameters
        ----------
        sample_weight : bool, str or None
            True to get them, False not to, None to raise if they are passed, a name
            if they are passed under another one.

        Returns
        -------
        self : TransferScorer
        """
        if not get_config().get("enable_metadata_routing", False):
            raise RuntimeError(
                "Requests are only used with metadata routing, which is off. Turn it "
                "on with sklearn.set_config(enable_metadata_routing=True)."
            )
        request = self.get_metadata_routing()
        if sample_weight != UNCHANGED:
            request.score.add_request(param="sample_weight", alias=sample_weight)
        self._metadata_request = request  # the name that sklearn's clone copies
        return self


class TransRateScorer(TransferScorer):
    """Scorer of features by TransRate, with its parameters spelt out.

    Parameters
    ----------
    eps : float or "auto", default="auto"
        Distortion; see `transrate_score` for this and the others.
    class_weight : {"prior", "uniform"}, default="prior"
        Weight of each class's rate.
    normalize : {"rank", "n_features"} or None, default="rank"
        What to divide the plug-in rates by.
    row_norm : {"l2"} or None, default=None
        Whether to scale rows to unit length before and after centring.
    projection : {"between"} or None, default=None
        Whether to project on the directions that separate class means.
    eps_unit : {"absolute", "trace", "mean_eigenvalue"}, default="absolute"
        What a float `eps` is measured in.
    covariance : {"class", "pooled"} or float, default="class"
        Whether each class has a covariance of its own.
    estimate : {"auto", "plug_in", "leave_one_out"}, default="auto"
        Whether samples are coded by their own moments, or each by the others'.
    correction : {"analytic", "permutation"} or None, default=None
        What to expect of unrelated labels, to be subtracted from the plug-in.
    max_samples : int or None, default=10_000
        Over how many samples at most "leave_one_out" averages.
    task : {"auto", "classification", "multilabel", "regression"}, default="auto"
        What `y` holds.
    random_state : int, RandomState instance or None, default=None
        Which permutations ``correction="permutation"`` draws.
    features : {"auto", "input", "transform"}, str, int or callable, default="auto"
        Which features to score, as in `TransferScorer`.
    layer : str or int, default=None
        Layer of the extractor that makes the features; None leaves its own choice.

    See Also
    --------
    TransferScorer : The same for any metric; its Notes hold here.
    transrate_score : The metric.

    Notes
    -----
    Values are not comparable across `eps`, scales of the features (with a float
    `eps`), sizes of the sample or other parameters. A search over ``scoring__eps``
    finds the smallest; small folds favour many features.

    References
    ----------
    .. [1] Huang, L.-K., Huang, J., Rong, Y., Yang, Q., & Wei, Y. (2022).
       Frustratingly easy transferability estimation. ICML, PMLR 162, 9201-9225.
       https://doi.org/10.48550/arXiv.2106.09362

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_transrate.metrics import TransRateScorer
    >>> X, y = load_iris(return_X_y=True)
    >>> pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    >>> round(TransRateScorer()(pipeline, X, y), 4)  # of the scaled features
    1.0452
    """

    __name__ = "transrate"

    def __init__(
        self,
        *,
        eps="auto",
        class_weight="prior",
        normalize="rank",
        row_norm=None,
        projection=None,
        eps_unit="absolute",
        covariance="class",
        estimate="auto",
        correction=None,
        max_samples=10_000,
        task="auto",
        random_state=None,
        features="auto",
        layer=None,
    ):
        self.eps = eps
        self.class_weight = class_weight
        self.normalize = normalize
        self.row_norm = row_norm
        self.projection = projection
        self.eps_unit = eps_unit
        self.covariance = covariance
        self.estimate = estimate
        self.correction = correction
        self.max_samples = max_samples
        self.task = task
        self.random_state = random_state
        self.features = features
        self.layer = layer

    def get_metrics(self) -> dict[str, TransferMetric]:
        """Return TransRate with these parameters, by its name.

        Returns
        -------
        metrics : dict of {str: TransferMetric}
        """
        params = self.get_params(deep=False)
        del params["features"], params["layer"]
        return {self.__name__: TransRate(**params)}
