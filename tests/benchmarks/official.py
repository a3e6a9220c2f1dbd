"""Spectra that the authors of TransRate published, and what follows from them.

Huang, L.-K., Huang, J., Rong, Y., Yang, Q., & Wei, Y. (2022). ICML 2022, PMLR 162,
9201-9225. Each file has the eigenvalues of one network's features of one target task,
in all and by class, and the number of samples of each class.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import kendalltau, pearsonr, weightedtau

from sklearn_transrate.metrics import transrate_from_eigenvalues
from tests.benchmarks.shared import shared_folder
from tests.golden import experiments

__all__ = [
    "Spectrum",
    "complete_experiments",
    "load_spectrum",
    "scores_and_accuracies",
    "spectra_folder",
    "triple",
]


class Spectrum(NamedTuple):
    """What `transrate_from_eigenvalues` needs of one network."""

    eigenvalues: np.ndarray
    class_eigenvalues: np.ndarray
    class_counts: np.ndarray
    rank: int


def spectra_folder() -> Path | None:
    """Return where the published spectra lie, or None."""
    return shared_folder("golden", "official_eigenvalues")


@cache
def load_spectrum(name: str) -> Spectrum:
    """Read one file. Eigenvalues below the rank's tolerance were cut off."""
    with np.load(spectra_folder() / f"{name}.npz") as arrays:
        return Spectrum(
            arrays["eig_Z"].astype(np.float64),
            arrays["eig_Zc"].astype(np.float64),
            arrays["n_Zc"],
            int(arrays["rank_Z"]),
        )


def complete_experiments() -> list[dict]:
    """Return the published experiments of which every spectrum is public."""
    return [found for found in experiments() if not found["missing_ids"]]


def scores_and_accuracies(experiment: dict, **options) -> tuple[list, list]:
    """Score every network of an experiment whose spectrum is public.

    Parameters
    ----------
    experiment : dict
        One of `tests.golden.experiments`.
    **options
        For `transrate_from_eigenvalues`.

    Returns
    -------
    scores, accuracies : list of float
    """
    pairs = [
        (transrate_from_eigenvalues(*spectrum[:3], rank=spectrum.rank, **options), hit)
        for name, hit in zip(experiment["ids"], experiment["accuracies"], strict=True)
        if name not in experiment["missing_ids"]
        for spectrum in (load_spectrum(name),)
    ]
    scores, accuracies = zip(*pairs, strict=True)
    return list(scores), list(accuracies)


def triple(scores, accuracies) -> dict[str, float]:
    """Return Pearson's, Kendall's and the weighted Kendall correlation."""
    return {
        "pearson": float(pearsonr(scores, accuracies)[0]),
        "kendall": float(kendalltau(scores, accuracies)[0]),
        "weighted_kendall": float(weightedtau(scores, accuracies)[0]),
    }
