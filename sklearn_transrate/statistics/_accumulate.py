"""One pass over feature batches, many statistics; here, or where the batches are."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from joblib import Parallel, delayed

from sklearn_transrate._lib.arrays import as_rows, release_pages
from sklearn_transrate._lib.engines import Engine, engine_of, is_lazy, row_blocks
from sklearn_transrate.statistics._base import Statistic

__all__ = ["accumulate", "cheapest_cover", "find_covering", "merge_where_they_are"]

Summary = dict[str | None, dict[Hashable, Statistic]]


def accumulate(
    batches: Iterable[tuple],
    statistics: Mapping[Hashable, Statistic],
    *,
    n_jobs: int | None = None,
) -> Summary:
    """Fill several statistics of several layers in one pass.

    Parameters
    ----------
    batches : iterable of (features, y) or (features, y, sample_weight)
        Features are an array of shape (batch_size, n_features), or a mapping from
        layer names to such arrays, as extractors yield them. What lies elsewhere is
        summarised there, and nothing but statistics travels: dask arrays, of which
        each block is a batch; a dask bag of batches; and batches that are delayed
        values or futures of dask, or references to objects of ray.
    statistics : mapping of name to Statistic
        Empty statistics that say what to keep, such as ``ClassMoments.empty()``.
        They are not changed.
    n_jobs : int, default=None
        Threads that summarise batches at the same time. Summaries are merged in the
        order of the batches, so the result does not depend on it. Only for batches
        in this process; dask and ray have workers of their own.

    Returns
    -------
    filled : dict of {layer: {name: Statistic}}
        The layer is None where batches hold plain arrays. Empty without batches.

    See Also
    --------
    ClassMoments : Counts, means and scatters per class.

    Notes
    -----
    Workers merge their summaries in a tree, in the order of the batches. The result
    differs from that of one process by rounding only, and a worker that is lost is
    made up for by whoever runs its tasks again.

    Examples
    --------
    >>> from sklearn_transrate.statistics import ClassMoments, accumulate
    >>> batches = [([[0.0], [1.0]], ["a", "b"]), ([[2.0]], ["a"])]
    >>> filled = accumulate(batches, {"moments": ClassMoments.empty()})
    >>> filled[None]["moments"].means.tolist()
    [[1.0], [1.0]]
    """
    if is_lazy(batches):
        raise TypeError(
            f"Expected batches, got a {type(batches).__name__}. Pass [(X, y)] for the "
            "blocks of dask arrays."
        )
    if engine := engine_of(batches):  # a bag
        handles = [
            engine.call(accumulate, partition, statistics)
            for partition in batches.to_delayed()
        ]
        return merge_where_they_are(engine, handles)
    batches = iter(batches)
    first = next(batches, None)
    batches = batches if first is None else chain([first], batches)
    if engine := _holder(first):
        handles = [
            _call_for(engine, batch, statistics) for batch in _blocks_of(batches)
        ]
        return merge_where_they_are(engine, handles)
    filled: Summary = {}
    if n_jobs in (None, 1):
        summaries = (_summarise(batch, statistics) for batch in batches)
    else:
        summaries = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")(
            delayed(_summarise)(batch, statistics) for batch in batches
        )
    for summary in summaries:
        _absorb(filled, summary)
    return filled


def merge_where_they_are(engine: Engine, handles: Iterable[Any]) -> Summary:
    """Merge summaries on the workers that made them, and fetch the result.

    Parameters
    ----------
    engine : Engine
        Whose workers.
    handles : iterable of handles
        Each stands for statistics by layer and name, as `accumulate` returns them.

    Returns
    -------
    filled : dict of {layer: {name: Statistic}}
        Empty without handles.
    """
    handles = list(handles)
    return engine.fold(_merged, handles) if handles else {}


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


def _holder(batch: Any) -> Engine | None:
    """Return who holds a batch, or the arrays in it; None if this process does."""
    if isinstance(batch, tuple | list) and len(batch):
        features = batch[0]
        if isinstance(features, Mapping):
            features = next(iter(features.values()), None)
        return engine_of(features)
    return engine_of(batch)


def _blocks_of(batches: Iterable[Any]) -> Iterator[Any]:
    """Cut batches of dask arrays into their blocks; pass on what is held whole."""
    for batch in batches:
        if isinstance(batch, tuple | list):
            features = batch[0]
            of_layers = isinstance(features, Mapping)
            if any(map(is_lazy, features.values() if of_layers else [features])):
                yield from row_blocks(*batch)[1]
                continue
        yield batch


def _call_for(engine: Engine, batch: Any, statistics: Mapping) -> Any:
    """Have one batch summarised by whoever holds it, or the arrays in it."""
    if not isinstance(batch, tuple | list):
        return engine.call(_summarise, batch, statistics)
    # Engines look for handles among the arguments, and not inside of them.
    features, *rest = batch
    if not isinstance(features, Mapping):
        return engine.call(_summarise_parts, statistics, None, features, *rest)
    names = list(features)
    return engine.call(_summarise_parts, statistics, names, *features.values(), *rest)


def _summarise_parts(statistics: Mapping, layers: list | None, *parts: Any) -> Summary:
    if layers is None:
        return _summarise(parts, statistics)
    features = dict(zip(layers, parts, strict=False))
    return _summarise((features, *parts[len(layers) :]), statistics)


def _absorb(filled: Summary, summary: Summary) -> None:
    """Add a summary in place; what is new goes in as it is."""
    for layer, parts in summary.items():
        if layer not in filled:
            filled[layer] = parts
            continue
        for name, part in parts.items():
            filled[layer][name].absorb(part)


def _merged(*summaries: Summary) -> Summary:
    """Return one summary of several, which stay as they are."""
    filled: Summary = {}
    for summary in summaries:
        for layer, parts in summary.items():
            if layer not in filled:
                filled[layer] = {
                    name: part.empty(**part.config) for name, part in parts.items()
                }
        _absorb(filled, summary)
    return filled


def _summarise(batch: tuple, statistics: Mapping) -> Summary:
    features, y, *weight = batch
    layers = features if isinstance(features, Mapping) else {None: features}
    summary = {
        layer: {
            name: empty.from_batch(as_rows(Z), y, *weight, **empty.config)
            for name, empty in statistics.items()
        }
        for layer, Z in layers.items()
    }
    for Z in layers.values():
        release_pages(Z)
    return summary
