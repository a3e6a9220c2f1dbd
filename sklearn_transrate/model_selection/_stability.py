"""Whether the winner hangs on the distortion: scores half a decade to either side."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping

import numpy as np
from sklearn.base import clone

from sklearn_transrate.exceptions import UnstableRankingWarning
from sklearn_transrate.metrics import TransRate
from sklearn_transrate.metrics._coding_rate import AUTO_DISTORTION
from sklearn_transrate.model_selection._scoring import Scoring
from sklearn_transrate.statistics import Statistic

__all__ = ["nearby_scores", "warn_if_unstable"]

# Decades from the metric's own distortion; both sides together are one.
STEP = 0.5


def nearby_scores(
    scoring: Scoring, folds: Iterable[list[Statistic]]
) -> tuple[float, float] | None:
    """Return the scores at a lower and a higher distortion, or None.

    Parameters
    ----------
    scoring : Scoring
        What decides; only TransRate at a known distortion has neighbours.
    folds : iterable of list of Statistic
        Filled statistics of one candidate.
    """
    known = _own_distortion(scoring)
    if known is None:
        return None
    eps, unit = known
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the score itself has said it all
        for step in (-STEP, STEP):
            metric = clone(scoring.metric).set_params(
                eps=eps * 10.0**step, eps_unit=unit
            )
            try:
                scores = [metric.evaluate(statistics).score for statistics in folds]
            except ValueError:  # the candidate has no score to begin with
                return None
            found.append(float(np.mean(scores)))
    return found[0], found[1]


def warn_if_unstable(
    scoring: Scoring,
    candidates: Iterable[str],
    scores: np.ndarray,
    nearby: Mapping[str, tuple[float, float] | None],
) -> None:
    """Warn if the first two candidates change places near the metric's distortion.

    Parameters
    ----------
    scoring : Scoring
        What decides.
    candidates : iterable of str
        Their names.
    scores : ndarray of shape (n_candidates,)
        Their scores; NaN for those without one.
    nearby : mapping of str to tuple of float
        What `nearby_scores` found for each.
    """
    known = _own_distortion(scoring)
    names, scores = list(candidates), np.asarray(scores, dtype=np.float64)
    order = np.argsort(-scores, kind="stable")  # NaN last
    first, second = (names[k] for k in order[:2]) if len(order) > 1 else ("", "")
    if known is None or not np.isfinite(scores[order[:2]]).all():
        return
    if nearby.get(first) is None or nearby.get(second) is None:
        return
    low, high = np.subtract(nearby[first], nearby[second])
    step = _crossing(low, scores[order[0]] - scores[order[1]], high)
    if step is None:
        return
    eps, unit = known
    units = {
        "absolute": "",
        "trace": " traces of the covariance",
        "mean_eigenvalue": " mean eigenvalues",
    }
    warnings.warn(
        f"The first two candidates change places near eps={eps * 10.0**step:.2g}"
        f"{units[unit]}: {first!r} leads {second!r} at {eps:.2g}, where they were "
        "scored. Take them for equally good, or decide by more samples or another "
        "metric; TransRate.eps_curve shows both curves. Silence this with "
        "warnings.simplefilter('ignore', UnstableRankingWarning).",
        UnstableRankingWarning,
        stacklevel=5,
    )


def _own_distortion(scoring: Scoring) -> tuple[float, str] | None:
    """Return where the metric stands, and in which unit."""
    metric = scoring.metric
    if not isinstance(metric, TransRate):
        return None
    if metric.eps != "auto":
        return metric.eps, metric.eps_unit
    # Out of sample the best distortion is found for each candidate.
    if metric._is_left_out(metric.task):
        return None
    return AUTO_DISTORTION, "mean_eigenvalue"


def _crossing(low: float, here: float, high: float) -> float | None:
    """Return how many decades away a lead is lost, by a parabola; None if it is kept.

    `low`, `here` and `high` are the lead at -STEP, 0 and STEP.
    """
    if not (np.isfinite([low, high]).all() and min(low, high) < 0 < here):
        return None
    lead = np.polyfit([-STEP, 0.0, STEP], [low, here, high], 2)
    roots = np.roots(lead)
    # The parabola passes through all three, so a sign changes inside.
    inside = roots[np.isreal(roots) & (np.abs(roots) <= STEP * 1.001)].real
    return float(inside[np.abs(inside).argmin()])
