"""One pass over feature batches, many statistics."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from joblib import Parallel, delayed

from sklearn_transrate._lib.arrays import as_rows
from sklearn_transrate.statistics._base import Statistic

__all__ = ["accumulate", "cheapest_cover", "find_covering"]


def accumulate(
    batches: Iterable[tuple],
    statistics: Mapping[Hashable, Statistic],
    *,
    n_jobs: int | None = None,
) -> dict[str | None, dict[Hashable, Statistic]]:
    """Fill several statistics of several layers in one pass.

    Parameters
    ----------
    batches : iterable of (features, y) or (features, y, sample_weight)
        Features are an array of shape (batch_size, n_features), or a mapping from
        layer names to such arrays, as extractors yield them.
    statistics : mapping of name to Statistic
        Empty statistics that say what to keep, such as ``ClassMoments.empty()``.
        They are not changed.
    n_jobs : int, default=None
        Threads that summarise batches at the same time. Summaries are merged in the
        order of the batches, so the result does not depend on it.

    Returns
    -------
    filled : dict of {layer: {name: Statistic}}
        The layer is None where batches hold plain arrays. Empty without batches.

    See Also
    --------
    ClassMoments : Counts, means and scatters per class.

    Examples
    --------
    >>> from sklearn_transrate.statistics import ClassMoments, accumulate
    >>> batches = [([[0.0], [1.0]], ["a", "b"]), ([[2.0]], ["a"])]
    >>> filled = accumulate(batches, {"moments": ClassMoments.empty()})
    >>> filled[None]["moments"].means.tolist()
    [[1.0], [1.0]]
    """
    filled: dict[str | None, dict[Hashable, Statistic]] = {}
    if n_jobs in (None, 1):
        summaries = (_summarise(batch, statistics) for batch in batches)
    else:
        summaries = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")(
            delayed(_summarise)(batch, statistics) for batch in batches
        )
    for summary in summaries:
        for layer, parts in summary.items():
            if layer not in filled:
                filled[layer] = parts
                continue
            for name, part in parts.items():
                filled[layer][name].absorb(part)
    return filled


def cheapest_cover(statistics: Iterable[Statistic]) -> list[Statistic]:
    """Fewest of these statistics from which all others can be read.

    Parameters
    ----------
    statistics : iterable of Statistic
        What metrics require; empty or filled.

    Returns
    -------
    chosen : list of Statistic
        Some of them, each covered by no other.

    See Also
    --------
    find_covering : Finds the one to read from.

    Examples
    --------
    >>> from sklearn_transrate.statistics import ClassMoments, cheapest_cover
    >>> wanted = [ClassMoments.empty(scatter=kind) for kind in ("pooled", "class")]
    >>> cheapest_cover(wanted)
    [<ClassMoments(scatter='class', norms=False) of 0 samples>]
    """
    chosen: list[Statistic] = []
    for statistic in statistics:
        if any(other.covers(statistic) for other in chosen):
            continue
        chosen = [other for other in chosen if not statistic.covers(other)]
        chosen.append(statistic)
    return chosen


def find_covering(filled: Iterable[Statistic], wanted: Statistic) -> Statistic:
    """Statistic from which another one can be read.

    Parameters
    ----------
    filled : iterable of Statistic
        What was accumulated.
    wanted : Statistic
        An empty statistic that says what is needed.

    Returns
    -------
    statistic : Statistic
        The first that covers it.

    Raises
    ------
    ValueError
        If none does.

    See Also
    --------
    cheapest_cover : What to accumulate in the first place.
    """
    for statistic in filled:
        if statistic.covers(wanted):
            return statistic
    raise ValueError(
        f"Expected a statistic that covers {wanted!r}, got {list(filled)!r}. "
        "Accumulate what the metric's required_statistics() lists."
    )


def _summarise(batch: tuple, statistics: Mapping) -> dict[Any, dict]:
    features, y, *weight = batch
    layers = features if isinstance(features, Mapping) else {None: features}
    return {
        layer: {
            name: empty.from_batch(as_rows(Z), y, *weight, **empty.config)
            for name, empty in statistics.items()
        }
        for layer, Z in layers.items()
    }
