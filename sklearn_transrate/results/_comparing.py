"""Comparing the candidates of a results table, by the errors that they share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sklearn_transrate._lib.comparisons import rank_bounds
from sklearn_transrate.results._columns import bound_columns, metric_columns
from sklearn_transrate.results._comparison import Comparison
from sklearn_transrate.results._errors import SharedErrors

if TYPE_CHECKING:
    from sklearn_transrate.results._table import TransferResults

__all__ = ["ComparingMixin"]

# Of the ranks' bounds.
RANK_CONFIDENCE = 0.95


class ComparingMixin:
    """Differences and ranks that are sure, for `TransferResults`."""

    def best_set(self, metric: str | None = None) -> TransferResults:
        """Candidates that cannot be told apart from the best, best first.

        Parameters
        ----------
        metric : str, optional
            Whose errors to use; the first metric by default.

        Returns
        -------
        candidates : TransferResults
            Those that none is significantly better than. With 95 % confidence the
            one that is truly the best is among them, however many were compared.

        Raises
        ------
        ValueError
            If the errors of the scores are not known.
        """
        metric = self._metric(metric)
        low = self._columns.get(bound_columns(metric)[0])
        if low is None or np.isnan(low).all():
            raise ValueError(
                f"The errors of the scores by {metric!r} are not known, so none can be "
                "told apart. Select with std_error='auto' or 'jackknife'."
            )
        return self._take(np.flatnonzero(low == 1)).sort(metric)

    def compare(
        self, a: str, b: str, metric: str | None = None, *, confidence: float = 0.95
    ) -> Comparison:
        """How far apart two candidates are.

        Parameters
        ----------
        a, b : str
            Names of candidates.
        metric : str, optional
            The first metric by default.
        confidence : float, default=0.95
            Of the interval.

        Returns
        -------
        comparison : Comparison
            The difference of their scores, positive where `a` is better, with its
            standard error, interval and p-value.

        Notes
        -----
        The standard error is that of the difference on the same samples, on which
        scores tend to rise and fall together. Where that is not known, as in a table
        from a CSV file or between two runs, it is :math:`\\sqrt{s_a^2 + s_b^2}`, as
        for independent scores: too large rather than too small.
        """
        metric = self._metric(metric)
        score, std_error, _ = (
            self._columns[n].tolist() for n in metric_columns(metric)
        )
        i, j = self._row(a), self._row(b)
        shared = self._shared.get(metric)
        paired = math.nan if shared is None else shared.difference_error(i, j)
        is_paired = not math.isnan(paired)
        apart = math.sqrt(std_error[i] ** 2 + std_error[j] ** 2)
        return Comparison(
            a,
            b,
            metric,
            score_a=score[i],
            score_b=score[j],
            difference=score[i] - score[j],
            std_error=paired if is_paired else apart,
            is_paired=is_paired,
            confidence=confidence,
            n_units=math.inf if shared is None else shared.n_units,
        )

    def _bound_ranks(self, metric: str, errors: SharedErrors) -> None:
        """Check shared errors, and add the ranks' bounds where they are not given."""
        if len(errors.matrix) != len(self):
            raise ValueError(
                f"Expected a covariance of {len(self)} candidates by {metric!r}, got "
                f"one of {len(errors.matrix)}."
            )
        score, std_error, rank = metric_columns(metric)
        names = bound_columns(metric)
        if all(name in self._columns for name in names):
            return
        own = np.sqrt(np.diagonal(errors.matrix))
        known = self._columns[std_error]
        self._columns[std_error] = np.where(np.isnan(known), own, known)
        bounds = rank_bounds(
            self._columns[score],
            errors.matrix,
            confidence=RANK_CONFIDENCE,
            n_units=errors.n_units,
        )
        columns = {}
        for name, cells in self._columns.items():
            columns[name] = cells
            if name == rank:
                columns |= dict(zip(names, bounds, strict=True))
        self._columns = columns

    def _merged_errors(self, other, records) -> dict[str, SharedErrors]:
        """Shared errors of the rows of a merge, each from the run it came from."""
        merged = {}
        for metric in {**self._shared, **other._shared}:
            score = metric_columns(metric)[0]
            left, parts = dict(enumerate(records)), []
            for run in (other, self):
                if metric not in run._shared:
                    continue
                rows = {name: row for row, name in enumerate(run["candidate"])}
                places = [
                    place
                    for place, record in left.items()
                    if record["candidate"] in rows
                    and record[score] == run[rows[record["candidate"]]][score]
                ]
                chosen = [rows[left.pop(place)["candidate"]] for place in places]
                parts.append((run._shared[metric], chosen, places))
            joined = SharedErrors.joined(len(records), parts)
            if joined is not None:
                merged[metric] = joined
        return merged
