"""How each form of `TransRate` is read from statistics."""

from __future__ import annotations

import numpy as np

from sklearn_transrate.metrics._array_api import transrate_on_device
from sklearn_transrate.metrics._base import MetricResult
from sklearn_transrate.metrics._coding_rate import distortion
from sklearn_transrate.metrics._influence_forms import transrate_influence
from sklearn_transrate.metrics._transrate_kernels import (
    Distortion,
    Rates,
    class_rates,
    pooled_rates,
    projected_rates,
    unit_rows,
)
from sklearn_transrate.metrics._transrate_null import (
    expected_rate,
    mean_over_permutations,
)
from sklearn_transrate.metrics._transrate_options import (
    check_left_out,
    check_parameters,
    class_weights,
    is_share,
)
from sklearn_transrate.metrics._transrate_predictive import predictive_information
from sklearn_transrate.metrics._transrate_shrunk import shrunk_rates
from sklearn_transrate.statistics import ClassMoments, Statistic, TargetMoments

__all__ = ["FormsMixin"]


class FormsMixin:
    """What `TransRate` makes of statistics, by its parameters."""

    def _empty_moments(self, task: str) -> Statistic:
        if task != "classification":
            return TargetMoments.empty()
        pooled = self.covariance == "pooled" or self._is_left_out(task)
        kind = "pooled" if pooled else "class"
        return ClassMoments.empty(scatter=kind)

    def _score_on_device(self, grouped) -> float:
        check_parameters(self)
        return transrate_on_device(self, grouped)

    def _evaluate(self, moments=None, rows=None) -> MetricResult:
        check_parameters(self)
        if moments is not None and rows is not None:
            return self._evaluate_left_out(moments, rows)
        moments, origin = self._moments_in_form(moments, rows)
        result = self._plug_in(moments, origin)
        if self.correction is None:
            return result
        if self.correction == "analytic":
            null = expected_rate(moments, result.parts["eps"])
            null /= self._divisor(result.parts["rank"], moments.n_features)
        else:
            null = mean_over_permutations(
                self._plug_in_of_rows, rows, self.row_norm, self.random_state
            )
        parts = {**result.parts, "correction": null}
        return MetricResult(result.score - null, parts=parts)

    def _plug_in(self, moments, origin: bool) -> MetricResult:
        distort = Distortion(self.eps, self.eps_unit, self.normalize == "rank")
        if self._is_pooled(moments):
            rates, weights, counts = pooled_rates(moments, distort), np.ones(1), None
        else:
            rates, counts = self._rates(moments, distort, origin), moments.counts
            weights = class_weights(counts, self.class_weight)
        return self._combined(rates, weights, counts, moments.n_features)

    def _rates(self, moments, distort: Distortion, origin: bool) -> Rates:
        if is_share(self.covariance):
            return shrunk_rates(moments, self.covariance, distort)
        kernel = class_rates if self.projection is None else projected_rates
        return kernel(moments, distort, origin=origin)

    def _plug_in_of_rows(self, Z, y, weights) -> float:
        empty = self._empty_moments(self.resolve_task(y))
        moments = empty.from_batch(Z, y, weights, **empty.config)
        return self._plug_in(moments, self.row_norm is not None).score

    @property
    def _has_influence(self) -> bool:
        return self.correction is None and not is_share(self.covariance)

    def _influence(self, X, y, parts, **statistics) -> np.ndarray:
        return transrate_influence(self, X, y, parts, **statistics)

    def _moments_in_form(self, moments, rows) -> tuple[Statistic, bool]:
        """Return the moments to read, and whether they are about the origin."""
        if rows is None:
            return moments, False
        origin = self.row_norm is not None
        Z, y = unit_rows(rows) if origin else rows.features, rows.targets
        empty = self._empty_moments(self.resolve_task(y))
        return empty.from_batch(Z, y, rows.weights, **empty.config), origin

    def _is_pooled(self, moments) -> bool:
        """Whether one covariance stands for what all labels leave."""
        by_class = isinstance(moments, ClassMoments) and moments.scatter == "class"
        if by_class and self.covariance != "pooled":
            return False
        if self.projection is not None:
            raise ValueError(
                "Expected classes with covariances of their own for "
                "projection='between'. Use covariance='class' and class labels."
            )
        return True

    def _evaluate_left_out(self, moments, rows) -> MetricResult:
        check_left_out(self, moments)
        fixed = None
        if self.eps != "auto":
            fixed = distortion(self.eps, "absolute", np.empty((0, 0)), 1.0)
        gains, eps, rank = predictive_information(moments, rows, fixed)
        parts = {
            "class_gains": gains,
            "class_counts": moments.counts.copy(),
            "eps": eps,
            "rank": rank,
        }
        return MetricResult(float(gains.sum()), parts=parts)

    def _combined(self, rates, weights, counts, n_features) -> MetricResult:
        """Total rate minus the mean of the others, and what it is made of."""
        divisor = self._divisor(rates.rank, n_features)
        left = float(weights @ rates.classes)
        parts = {
            "rate": rates.total / divisor,
            "conditional_rate": left / divisor,
            "eps": rates.eps,
            "rank": rates.rank,
        }
        if counts is not None:
            parts["class_rates"] = rates.classes / divisor
            parts["class_counts"] = counts.copy()
        return MetricResult((rates.total - left) / divisor, parts=parts)

    def _divisor(self, rank: int | None, n_features: int) -> int:
        divisors = {"rank": rank, "n_features": n_features, None: 1}
        return max(divisors[self.normalize], 1)
