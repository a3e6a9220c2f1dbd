"""What TransRate can be told, and what the choices mean."""

from __future__ import annotations

import numpy as np

__all__ = ["check_options", "class_weights"]

CLASS_WEIGHTS = ("prior", "uniform")
NORMALIZATIONS = ("rank", "n_features", None)
EPS_UNITS = ("absolute", "trace", "mean_eigenvalue")
COVARIANCES = ("class", "pooled")
ESTIMATES = ("plug_in", "leave_one_out")


def check_options(**given) -> None:
    """Raise if an option is none of those that there are."""
    options = {
        "eps_unit": EPS_UNITS,
        "class_weight": CLASS_WEIGHTS,
        "normalize": NORMALIZATIONS,
        "row_norm": ("l2", None),
        "projection": ("between", None),
        "covariance": COVARIANCES,
        "estimate": ESTIMATES,
    }
    for name, value in given.items():
        if value not in options[name]:
            raise ValueError(
                f"Expected {name!r} to be one of {options[name]}, got {value!r}."
            )


def class_weights(counts: np.ndarray, class_weight: str) -> np.ndarray:
    """Return the weight of each class's rate; they sum to 1."""
    if class_weight == "uniform":
        return np.full(len(counts), 1.0 / len(counts))
    return counts / counts.sum()
