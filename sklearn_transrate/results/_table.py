"""The table that a selection ends in: one row per candidate, columns of NumPy arrays.

Ranking, choosing, comparing and bringing runs together live here. The table knows
columns only, so one that was saved last year does everything that a new one does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import index
from typing import Any

import numpy as np

from sklearn_transrate._lib.text import nearest_names
from sklearn_transrate.exceptions import UnknownMetricError
from sklearn_transrate.results import _files, _render
from sklearn_transrate.results._columns import (
    STATUSES,
    as_gain,
    bound_columns,
    find_metrics,
    merge_records,
    metric_columns,
    plain_cell,
    row_numbers,
    same_cells,
    tidy_columns,
)
from sklearn_transrate.results._comparing import ComparingMixin
from sklearn_transrate.results._errors import SharedErrors
from sklearn_transrate.results._exchange import ExchangeMixin
from sklearn_transrate.results._ranking import find_front, rank_scores

__all__ = ["TransferResults"]


class TransferResults(ComparingMixin, ExchangeMixin):
    """Scores, ranks, sizes and times of every candidate of a run.

    A table with one row per candidate, an (extractor, layer) pair, in the order in
    which they were listed. It prints best first.

    ==================================  ==============================================
    what you type                       what you get
    ==================================  ==============================================
    ``results["score_transrate"]``      a column, as an array
    ``results[0]``, ``results.best()``  a candidate's record, as a dict
    ``results[:3]``, ``results[mask]``  a smaller table
    ``len(results)``                    the number of candidates
    ``dict(results)``                   all columns
    ==================================  ==============================================

    Parameters
    ----------
    columns : mapping of str to sequence
        ``candidate`` (unique names) and a ``score_<metric>`` for at least one
        metric are required. Also known are ``extractor``, ``layer`` (None where the
        extractor has no layers), ``std_error_<metric>``, ``rank_<metric>``,
        ``n_samples``, ``n_features``, ``fit_time``, ``transform_time``,
        ``score_time`` (seconds), ``status`` (``"ok"``, ``"failed"``, or ``"cancelled"``
        where Ctrl-C came first) and ``error``. Those left out are filled: numbers with nan, texts with nothing,
        ranks from the scores. ``rank_low_<metric>`` and ``rank_high_<metric>``,
        between which a candidate's rank lies with 95 % confidence, are there where
        `shared_errors` are, or are given. Further columns stay, behind these.
    metadata : mapping, optional
        Facts about the run, such as versions and parameters, that JSON can hold.
    shared_errors : mapping of str to (ndarray, float), optional
        By metric, the covariance of the candidates' scores on the same samples, nan
        where it is unknown, and the number of units that it was estimated from.

    Attributes
    ----------
    metadata : dict
        The facts, as JSON holds them: tuples are lists, nan is ``"nan"``.

    Raises
    ------
    TypeError
        If a column is no sequence, or a fact is nothing that JSON can hold.
    ValueError
        If a required column is missing, lengths differ, a candidate is listed twice
        or a cell is not what its column holds.

    See Also
    --------
    rank_scores : How scores become ranks.

    Notes
    -----
    Scores are higher-is-better. Counts are floats, as scores and times are, so that
    an unknown one is nan, which no count can be taken for. Ranks that are passed
    are kept, because a strategy may know better than the scores: a race ranks
    those that it dropped early behind those that stayed. Smaller tables keep the
    ranks that their candidates had in the whole one; `merge` ranks anew.

    Examples
    --------
    >>> from sklearn_transrate.results import TransferResults
    >>> results = TransferResults({
    ...     "candidate": ["resnet / layer3", "resnet / layer4", "vit"],
    ...     "layer": ["layer3", "layer4", None],
    ...     "score_transrate": [0.2231, 0.1987, float("nan")],
    ...     "n_features": [256, 512, None],
    ...     "transform_time": [1.52, 1.61, None],
    ...     "error": ["", "", "RuntimeError: out of memory"],
    ... })
    >>> results
    TransferResults: 3 candidates (1 failed), 1 metric; best 'resnet / layer3' by transrate (0.2231)
    <BLANKLINE>
    rank  candidate        layer   transrate  samples  features    time
       1  resnet / layer3  layer3     0.2231        -       256  1.52 s
       2  resnet / layer4  layer4     0.1987        -       512  1.61 s
    <BLANKLINE>
    failed:
      vit: RuntimeError: out of memory
    >>> results["rank_transrate"]
    array([1, 2, 3])
    >>> results.best()["layer"]
    'layer3'
    >>> results.compare("resnet / layer3", "resnet / layer4").difference
    0.0244...
    """  # noqa: E501

    def __init__(
        self,
        columns: Mapping[str, Iterable[Any]],
        *,
        metadata: Mapping[str, Any] | None = None,
        shared_errors: Mapping[str, Any] | None = None,
    ) -> None:
        self._columns = tidy_columns(columns)
        for metric in find_metrics(self._columns):
            score, _, rank = metric_columns(metric)
            if self._columns[rank] is None:
                self._columns[rank] = rank_scores(self._columns[score])
        self.metadata: dict[str, Any] = _files.plain_facts(metadata or {})
        self._shared = {
            self._metric(metric): SharedErrors.of(errors)
            for metric, errors in (shared_errors or {}).items()
        }
        for metric, errors in self._shared.items():
            self._bound_ranks(metric, errors)

    @classmethod
    def from_records(
        cls,
        records: Iterable[Mapping[str, Any]],
        *,
        metrics: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        shared_errors: Mapping[str, Any] | None = None,
    ) -> TransferResults:
        """Table from one flat dict per candidate.

        Parameters
        ----------
        records : iterable of mappings
            Cells by column name. What a record does not have is unknown.
        metrics : sequence of str, optional
            Metrics in the order that their columns shall have; needed where every
            candidate may have failed, or none is listed. Metrics that only the
            records name follow.
        metadata : mapping, optional
            Facts about the run.
        shared_errors : mapping of str to (ndarray, float), optional
            By metric, the covariance of the scores, in the records' order, and the
            number of units that it was estimated from.

        Returns
        -------
        results : TransferResults
            Rows in the records' order.
        """
        records = list(records)
        names = ["candidate", *(metric_columns(metric)[0] for metric in metrics or ())]
        names += (name for record in records for name in record)
        columns = {
            name: [record.get(name) for record in records]
            for name in dict.fromkeys(names)
        }
        return cls(columns, metadata=metadata, shared_errors=shared_errors)

    def to_records(self) -> list[dict[str, Any]]:
        """Table as one dict per candidate.

        Returns
        -------
        records : list of dict
            In listing order, of plain Python values; a count is an int where it is
            known. `from_records` reads an equal table.
        """
        return [self[row] for row in range(len(self))]

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in order."""
        return list(self._columns)

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics; methods use the first where none is named."""
        return find_metrics(self._columns)

    def keys(self) -> list[str]:
        """Names of the columns, so that ``dict(results)`` holds them all."""
        return self.columns

    def best_index(self, metric: str | None = None) -> int:
        """Row of the best candidate; of tied ones, the first listed.

        Parameters
        ----------
        metric : str, optional
            Whose ranks to use; the first metric by default.

        Returns
        -------
        row : int
            Its place in the listing.

        Raises
        ------
        ValueError
            If no candidate has a score.
        """
        score, rank = self._score_and_rank(metric)
        known = np.flatnonzero(~np.isnan(score))
        if not known.size:
            raise ValueError(
                f"None of the {len(self)} candidates has a score by "
                f"{self._metric(metric)!r}, so none is best. Their 'error' column "
                "says why."
            )
        return int(known[np.argmin(rank[known])])

    def best(self, metric: str | None = None) -> dict[str, Any]:
        """Record of the best candidate; of tied ones, the first listed.

        Parameters
        ----------
        metric : str, optional
            Whose ranks to use; the first metric by default.

        Returns
        -------
        record : dict
            A plain value for every column.

        Raises
        ------
        ValueError
            If no candidate has a score.
        """
        return self[self.best_index(metric)]

    def sort(self, metric: str | None = None) -> TransferResults:
        """The same rows, best first.

        Parameters
        ----------
        metric : str, optional
            Whose ranks to use; the first metric by default.

        Returns
        -------
        ordered : TransferResults
            Candidates without a score come last, and of them failed and cancelled
            ones behind the others. Otherwise tied candidates keep their order.
        """
        score, rank = self._score_and_rank(metric)
        unknown = np.isnan(score)
        ended = unknown * [STATUSES.index(s) for s in self._columns["status"]]
        return self._take(np.lexsort((rank, ended, unknown)))

    def top(self, k: int, metric: str | None = None) -> TransferResults:
        """The best rows, best first.

        Parameters
        ----------
        k : int
            How many; all of them where the table has fewer.
        metric : str, optional
            Whose ranks to use; the first metric by default.

        Returns
        -------
        best : TransferResults
            With the ranks that they have in the whole table.
        """
        if index(k) < 0:
            raise ValueError(f"'k' must be 0 or larger, got {k}.")
        return self.sort(metric)[:k]

    def pareto(
        self,
        x: str,
        y: str,
        *,
        maximize: tuple[bool | None, bool | None] = (None, None),
    ) -> TransferResults:
        """Candidates that no other one beats in both of two columns.

        Parameters
        ----------
        x, y : str
            Columns of numbers, such as ``"score_transrate"`` and
            ``"transform_time"``.
        maximize : pair of bool or None, default=(None, None)
            For `x` and `y`, whether higher is better. None knows it for the
            table's own columns: higher for scores; lower for times, counts,
            standard errors and ranks.

        Returns
        -------
        front : TransferResults
            Those that are not dominated, in listing order. One dominates another
            if it is at least as good in both columns and better in one. A nan in
            either column keeps a candidate out.
        """
        gains = [
            as_gain(name, self._column(name), self.metrics, maximize=higher)
            for name, higher in zip((x, y), maximize, strict=True)
        ]
        return self._take(find_front(*gains))

    def merge(self, other: TransferResults) -> TransferResults:
        """The rows of this run and of a later one, ranked anew.

        Parameters
        ----------
        other : TransferResults
            The later run.

        Returns
        -------
        merged : TransferResults
            This run's candidates in their places, then those that only `other`
            has. A candidate that both have keeps the later row, unless only the
            earlier one succeeded; cells of columns that the kept row's run does
            not have come from the other row, so that a metric scored later
            completes the table. Further gaps are nan. The metadata hold the facts
            of both; where they differ, those of `other`.
        """
        if not isinstance(other, TransferResults):
            raise TypeError(
                "merge() takes the TransferResults of another run, "
                f"got {type(other).__name__}."
            )
        metrics = list(dict.fromkeys(self.metrics + other.metrics))
        derived = {metric_columns(metric)[2] for metric in metrics}
        derived.update(name for metric in metrics for name in bound_columns(metric))
        records = merge_records(
            self.to_records(), other.to_records(), leave_out=derived
        )
        return type(self).from_records(
            records,
            metrics=metrics,
            metadata=self.metadata | other.metadata,
            shared_errors=self._merged_errors(other, records),
        )

    def __len__(self) -> int:
        return len(self._columns["candidate"])

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return self._column(key).copy()
        if isinstance(key, slice):
            return self._take(np.arange(len(self))[key])
        if isinstance(key, list | np.ndarray):
            return self._take(row_numbers(key, len(self)))
        row = range(len(self))[index(key)]
        return {
            name: plain_cell(name, cells[row]) for name, cells in self._columns.items()
        }

    def __eq__(self, other: object) -> bool:
        """Whether all columns are equal, nan to nan; metadata are not compared."""
        if not isinstance(other, TransferResults):
            return NotImplemented
        return self.columns == other.columns and all(
            same_cells(cells, other._columns[name])
            for name, cells in self._columns.items()
        )

    def __repr__(self) -> str:
        return _render.plain_table(self)

    def _repr_html_(self) -> str:
        return _render.html_table(self, max_rows=_render.MAX_ROWS)

    def _ipython_key_completions_(self) -> list[str]:
        return self.columns

    def _take(self, rows: np.ndarray) -> TransferResults:
        columns = {name: cells[rows] for name, cells in self._columns.items()}
        shared = {name: errors.take(rows) for name, errors in self._shared.items()}
        return type(self)(columns, metadata=self.metadata, shared_errors=shared)

    def _column(self, name: str) -> np.ndarray:
        if name in self._columns:
            return self._columns[name]
        if name in self._columns["candidate"]:
            hint = f"it is a candidate, whose record is results[{self._row(name)}]"
        else:
            hint = nearest_names(name, self.columns)
        raise KeyError(f"There is no column {name!r}; {hint}.")

    def _row(self, candidate: str) -> int:
        names = self._columns["candidate"].tolist()
        if candidate not in names:
            raise ValueError(
                f"There is no candidate {candidate!r}; "
                f"{nearest_names(candidate, names)}."
            )
        return names.index(candidate)

    def _metric(self, metric: str | None) -> str:
        if metric is None:
            return self.metrics[0]
        if metric not in self.metrics:
            raise UnknownMetricError(
                f"There is no metric {metric!r} in these results; "
                f"{nearest_names(metric, self.metrics)}."
            )
        return metric

    def _score_and_rank(self, metric: str | None) -> tuple[np.ndarray, np.ndarray]:
        score, _, rank = metric_columns(self._metric(metric))
        return self._columns[score], self._columns[rank]
