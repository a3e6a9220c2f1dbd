"""What every selector is: candidates by name, and the winner as a transformer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.base import TransformerMixin, clone
from sklearn.pipeline import FeatureUnion
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_transrate._lib.sklearn_compat import (
    CallbackSupportMixin,
    _BaseComposition,
)
from sklearn_transrate.model_selection._scoring import resolve_scoring

__all__ = ["BaseTransferSelector"]


def _winner_has(attribute: str):
    """Check that the winner, or before fit every candidate, has an attribute."""

    def check(self):
        if hasattr(self, "best_estimator_"):
            getattr(self.best_estimator_, attribute)
        else:
            for _, extractor in self.extractors:
                if not isinstance(extractor, str):
                    getattr(extractor, attribute)
        return True

    return check


class BaseTransferSelector(CallbackSupportMixin, TransformerMixin, _BaseComposition):
    """Parameters, output, tags and routing; a subclass says how candidates compete.

    Subclasses have `extractors`, `scoring`, `refit` and `error_score` among their
    parameters, and set `results_`, `scorer_` and, with a winner, `best_estimator_`.
    """

    # -- parameters ------------------------------------------------------------

    def get_params(self, deep=True):
        """Return parameters, with ``deep`` those of the candidates by their names.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include candidates and their parameters.

        Returns
        -------
        params : dict
        """
        return self._get_params("extractors", deep=deep)

    def set_params(self, **params):
        """Set parameters; ``name="passthrough"`` replaces a candidate.

        Parameters
        ----------
        **params : dict
            Parameters, candidates by name, or ``name__parameter`` of a candidate.

        Returns
        -------
        self : TransferSelector
        """
        self._set_params("extractors", **params)
        return self

    @available_if(_winner_has("get_feature_names_out"))
    def get_feature_names_out(self, input_features=None):
        """Names of the features that `transform` returns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X.

        Returns
        -------
        names : ndarray of str
        """
        check_is_fitted(self)
        return self.best_estimator_.get_feature_names_out(input_features)

    def set_output(self, *, transform=None):
        """Choose the container of `transform`.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            None leaves it as it is.

        Returns
        -------
        self : TransferSelector
        """
        super().set_output(transform=transform)
        children = [t for _, t in self.extractors if not isinstance(t, str)]
        if hasattr(self, "best_estimator_"):
            children.append(self.best_estimator_)
        for child in children:
            # A frozen child is the user's own model; only our output is wrapped.
            if hasattr(child, "set_output") and clone(child) is not child:
                child.set_output(transform=transform)
        return self

    # -- using the winner ------------------------------------------------------

    def transform(self, X):
        """Return the features that the winner makes of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or any inputs
            What the extractors take.

        Returns
        -------
        X_transformed : array-like of shape (n_samples, n_features_out)
        """
        check_is_fitted(self)
        if self.refit is False:
            raise AttributeError(
                "There is no winner to transform with, because refit=False. Read "
                "results_, or fit with refit=True."
            )
        if not hasattr(self, "best_estimator_"):
            raise AttributeError(
                "There is no winner to transform with, because fit was interrupted. "
                "Read results_, or fit again."
            )
        if getattr(X, "ndim", 2) == 2 and not isinstance(X, Mapping):
            validate_data(self, X, reset=False, skip_check_array=True)
        return self.best_estimator_.transform(X)

    @available_if(_winner_has("inverse_transform"))
    def inverse_transform(self, X):
        """Return the inputs that the winner's features stand for.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_out)
            Features.

        Returns
        -------
        X_original : array-like of shape (n_samples, n_features)
        """
        check_is_fitted(self)
        return self.best_estimator_.inverse_transform(X)

    def score(self, X, y, sample_weight=None):
        """Return the winner's score on these rows, by the metric that decided.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or any inputs
            What the extractors take.
        y : array-like of shape (n_samples,)
            Target labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        score : float
        """
        check_is_fitted(self)
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        if hasattr(self.scorer_, "evaluate"):
            return self.scorer_.score(self.best_estimator_.transform(X), y, **weights)
        return float(self.scorer_(self.best_estimator_, X, y, **weights))

    @property
    def cv_results_(self) -> dict[str, Any]:
        """The table by the names that scikit-learn's searches use."""
        check_is_fitted(self)
        results, metrics = self.results_, self.results_.metrics
        columns = {
            "mean_fit_time": results["fit_time"] + results["transform_time"],
            "mean_score_time": results["score_time"],
            "param_extractor": results["extractor"],
            "param_layer": results["layer"],
            "params": [
                {"extractor": extractor, "layer": layer}
                for extractor, layer in zip(
                    results["extractor"], results["layer"], strict=True
                )
            ],
        }
        for metric in metrics:
            suffix = "score" if len(metrics) == 1 else metric
            columns[f"mean_test_{suffix}"] = results[f"score_{metric}"]
            columns[f"std_test_{suffix}"] = results[f"std_error_{metric}"]
            columns[f"rank_test_{suffix}"] = results[f"rank_{metric}"]
        return columns

    # -- scikit-learn's contract -----------------------------------------------

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "results_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.allow_nan = False
        tags.transformer_tags.preserves_dtype = []
        try:
            children = [
                get_tags(t) for _, t in self.extractors if not isinstance(t, str)
            ]
        except (TypeError, ValueError):  # not pairs: fit says so
            return tags
        if not children:
            return tags
        # With error_score, one candidate that takes an input is enough to go on.
        enough = all if isinstance(self.error_score, str) else any
        inputs = [child.input_tags for child in children]
        tags.input_tags.sparse = enough(child.sparse for child in inputs)
        for kind in ("string", "categorical", "one_d_array", "three_d_array", "dict"):
            everybody = all(getattr(child, kind) for child in inputs)
            setattr(tags.input_tags, kind, everybody)
        tags.input_tags.two_d_array = all(child.two_d_array for child in inputs)
        tags.input_tags.positive_only = any(child.positive_only for child in inputs)
        tags.input_tags.pairwise = any(child.pairwise for child in inputs)
        tags.non_deterministic = any(child.non_deterministic for child in children)
        return tags

    def get_metadata_routing(self):
        """Return how metadata reach the candidates and the metrics.

        Returns
        -------
        routing : MetadataRouter
        """
        router = MetadataRouter(owner=type(self).__name__)
        for name, extractor in self.extractors:
            if isinstance(extractor, str):
                continue
            mapping = MethodMapping()
            for caller in ("fit", "fit_transform"):
                for callee in ("fit", "fit_transform", "transform"):
                    mapping.add(caller=caller, callee=callee)
            mapping.add(caller="transform", callee="transform")
            router.add(method_mapping=mapping, **{name: extractor})
        for scoring in resolve_scoring(self.scoring):
            if not hasattr(scoring.consumer, "get_metadata_routing"):
                continue
            mapping = MethodMapping()
            for caller in ("fit", "fit_transform", "score"):
                mapping.add(caller=caller, callee="score")
            router.add(
                method_mapping=mapping, **{f"scoring_{scoring.name}": scoring.consumer}
            )
        return router

    def _sk_visual_block_(self):
        return FeatureUnion(
            [(name, t) for name, t in self.extractors if t is not None]
        )._sk_visual_block_()
