"""What TransRate can be told, and what the choices mean."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from sklearn_transrate.statistics import ClassMoments

__all__ = [
    "FORMS",
    "PLUG_IN",
    "check_left_out",
    "check_options",
    "check_parameters",
    "check_plug_in_unused",
    "class_weights",
    "is_share",
]

OPTIONS: dict[str, tuple] = {
    "eps_unit": ("absolute", "trace", "mean_eigenvalue"),
    "class_weight": ("prior", "uniform"),
    "normalize": ("rank", "n_features", None),
    "row_norm": ("l2", None),
    "projection": ("between", None),
    "covariance": ("class", "pooled"),
    "estimate": ("auto", "plug_in", "leave_one_out"),
    "correction": ("analytic", "permutation", None),
}

# Forms by name: four published ones and three of our own.
FORMS: dict[str, dict[str, Any]] = {
    "listing": {"eps": 1e-4, "class_weight": "uniform", "normalize": None},
    "definition": {"eps": 1e-4, "normalize": None},
    "protocol": {"eps": 1e-4, "eps_unit": "trace", "row_norm": "l2"},
    "projected": {"eps": 1e-4, "eps_unit": "trace", "projection": "between"},
    "relative": {"estimate": "plug_in"},
    "corrected": {"covariance": "pooled", "normalize": None, "correction": "analytic"},
    "predictive": {"estimate": "leave_one_out"},
}


# Parameters that describe the plug-in alone, as they are if nobody says anything.
PLUG_IN: dict[str, Any] = {
    "eps": "auto",
    "class_weight": "prior",
    "normalize": "rank",
    "row_norm": None,
    "projection": None,
    "eps_unit": "absolute",
    "covariance": "class",
    "correction": None,
}


def check_options(**given) -> None:
    """Raise if an option is none of those that there are."""
    for name, value in given.items():
        if value not in OPTIONS[name]:
            raise ValueError(
                f"Expected {name!r} to be one of {OPTIONS[name]}, got {value!r}."
            )


def is_share(covariance) -> bool:
    """Whether `covariance` is a share of the pooled one."""
    return isinstance(covariance, Real) and not isinstance(covariance, bool)


def check_parameters(metric) -> None:
    """Raise if a parameter of TransRate, or two together, make no sense."""
    given = {name: getattr(metric, name) for name in OPTIONS}
    if is_share(metric.covariance):
        _check_share(metric)
        del given["covariance"]
    check_options(**given)
    if metric.correction == "analytic" and metric.covariance != "pooled":
        raise ValueError(
            "correction='analytic' expected covariance='pooled', got "
            f"{metric.covariance!r}. Use correction='permutation' for classes with "
            "covariances of their own."
        )


def _check_share(metric) -> None:
    if not 0.0 <= metric.covariance <= 1.0:
        raise ValueError(
            f"Expected a 'covariance' between 0 and 1, got {metric.covariance}."
        )
    if metric.row_norm is not None or metric.projection is not None:
        raise ValueError(
            "A share of the pooled covariance expected row_norm=None and "
            f"projection=None, got {metric.row_norm!r} and {metric.projection!r}."
        )


def check_left_out(metric, moments) -> None:
    """Raise if parameters or labels make no sense out of sample."""
    check_plug_in_unused(metric)
    if not isinstance(moments, ClassMoments):
        raise ValueError(
            "estimate='leave_one_out' expected class labels. Use 'plug_in' for "
            "indicators and values."
        )


def check_plug_in_unused(metric) -> None:
    """Raise if parameters of the plug-in are set, which make no sense out of sample."""
    used = {
        name: getattr(metric, name)
        for name in ("class_weight", "row_norm", "projection", "eps_unit", "correction")
    }
    used = {name: value for name, value in used.items() if value != PLUG_IN[name]}
    if used:
        raise ValueError(
            f"estimate='leave_one_out' expected nothing that describes the plug-in, "
            f"got {used}. Leave it out, or use estimate='plug_in'."
        )


def class_weights(counts: np.ndarray, class_weight: str) -> np.ndarray:
    """Return the weight of each class's rate; they sum to 1."""
    if class_weight == "uniform":
        return np.full(len(counts), 1.0 / len(counts))
    return counts / counts.sum()
