"""What selectors do before and after their candidates compete."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import sparse
from sklearn import get_config
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.validation import _check_sample_weight

from sklearn_transrate._lib.sklearn_compat import _safe_indexing
from sklearn_transrate.model_selection._candidates import Source
from sklearn_transrate.model_selection._scoring import Scoring

__all__ = ["CompetitionMixin", "read_only", "take"]

_WINNER = ("best_estimator_", "best_index_", "best_layer_", "best_name_", "best_score_")


class CompetitionMixin:
    """Which metric decides, who gets which metadata, and who has won."""

    def _decisive(self, scorings: list[Scoring]) -> Scoring:
        if not isinstance(self.refit, str):
            return scorings[0]
        for scoring in scorings:
            if scoring.name == self.refit:
                return scoring
        raise ValueError(
            f"Expected 'refit' to be one of {[s.name for s in scorings]}, got "
            f"{self.refit!r}."
        )

    def _route(self, params, X, scorings):
        """Return each child's metadata, and the metrics' sample weight."""
        weight = params.get("sample_weight")
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", **params) if params else {}
            asked = [
                routed.get(f"scoring_{s.name}", {}).get("score", {}) for s in scorings
            ]
            # Statistics are shared, so one metric's request is every metric's.
            weight = next((a["sample_weight"] for a in asked if a), None)
        else:
            routed = {}
            unknown = set(params) - {"sample_weight"}
            if unknown:
                raise TypeError(
                    f"Expected only 'sample_weight' without metadata routing, got "
                    f"{sorted(unknown)}. Enable it with "
                    "sklearn.set_config(enable_metadata_routing=True)."
                )
        if weight is not None:
            weight = _check_sample_weight(
                weight, X, dtype=np.float64, ensure_non_negative=True
            )
        return routed, weight

    def _pass_output_on(self, sources: list[Source]) -> None:
        chosen = getattr(self, "_sklearn_output_config", None)
        for source in sources if chosen else ():
            if hasattr(source.extractor, "set_output") and not source.is_pretrained:
                source.extractor.set_output(**chosen)

    def _forget_winner(self) -> None:
        """Remove what an earlier fit has left."""
        for name in _WINNER:
            vars(self).pop(name, None)

    def _choose(self, decisive: Scoring) -> None:
        if callable(self.refit):
            index = int(self.refit(self.results_))
            if not 0 <= index < len(self.results_):
                raise IndexError(
                    f"Expected 'refit' to return the index of one of "
                    f"{len(self.results_)} candidates, got {index}."
                )
        else:
            index = self.results_.best_index(decisive.name)
        best = self.results_[index]
        self.best_index_ = index
        self.best_name_ = best["extractor"]
        self.best_layer_ = best["layer"]
        self.best_score_ = best[f"score_{decisive.name}"]
        self.scorer_ = decisive.metric or decisive.consumer


def take(part, rows):
    """Return some rows, also of inputs by name."""
    if isinstance(part, Mapping) and not hasattr(part, "shape"):
        return {name: _safe_indexing(values, rows) for name, values in part.items()}
    if sparse.issparse(part):
        part = part.tocsr()  # not every format has rows
    elif not hasattr(part, "__getitem__"):
        part = np.asarray(part)
    return _safe_indexing(part, rows)


def read_only(X):
    """Make candidates that work in place copy, so that each sees the same inputs."""
    if isinstance(X, np.ndarray) and X.flags.writeable:
        X = X.view()
        X.flags.writeable = False
    return X
