"""How far apart two candidates are."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import stats

from sklearn_transrate._lib.text import format_number, format_with_error

__all__ = ["Comparison"]


@dataclass(frozen=True, repr=False)
class Comparison:
    """How far apart two candidates are by one metric.

    Parameters
    ----------
    a, b : str
        The two candidates.
    metric : str
        The metric whose scores are compared.
    score_a, score_b : float
        Their scores.
    difference : float
        ``score_a - score_b``: positive where `a` is better.
    std_error : float
        Standard error of the difference, nan where that of a score is unknown.
    is_paired : bool
        Whether the error is that of a difference on the same samples. Otherwise the
        two scores are taken as independent, which makes it too large rather than
        too small.
    confidence : float
        Of `interval`.
    n_units : float
        Rows, or blocks of rows, that the error was estimated from.

    Attributes
    ----------
    interval : tuple of (float, float)
        Where the difference lies with that confidence.
    p_value : float
        How often a difference at least as large would come up if there were none.

    See Also
    --------
    TransferResults.compare : Makes it from a table.

    Notes
    -----
    By Student's t distribution with ``n_units - 1`` degrees of freedom. The p-value
    is that of one comparison chosen beforehand; whoever looks through a table for
    differences reads its ranks' bounds, which allow for that.

    Examples
    --------
    >>> found = Comparison("vit", "resnet", "logme", 0.5, 0.375, 0.125, std_error=0.05)
    >>> found
    Comparison by logme: 'vit' minus 'resnet' is 0.1250 ± 0.0500 (0.5000 and 0.3750); 95 % from 0.02700 to 0.2230, p = 0.012
    >>> round(found.p_value, 4)
    0.0124
    """  # noqa: E501

    a: str
    b: str
    metric: str
    score_a: float
    score_b: float
    difference: float
    std_error: float = math.nan
    is_paired: bool = False
    confidence: float = 0.95
    n_units: float = math.inf

    def __post_init__(self) -> None:
        if not 0.0 < self.confidence < 1.0:
            raise ValueError(
                f"Expected 'confidence' between 0 and 1, got {self.confidence}. Pass "
                "0.95 for an interval that misses one time in twenty."
            )

    @property
    def interval(self) -> tuple[float, float]:
        """Where the difference lies with that confidence."""
        critical = float(stats.t.isf((1.0 - self.confidence) / 2.0, self._freedom))
        half = critical * self.std_error
        return self.difference - half, self.difference + half

    @property
    def p_value(self) -> float:
        """How often a difference at least as large would come up if there were none."""
        if self.difference == 0 and self.std_error == 0:
            return 1.0
        if self.std_error == 0:
            return 0.0
        ratio = abs(self.difference) / self.std_error
        return float(2.0 * stats.t.sf(ratio, self._freedom))

    @property
    def _freedom(self) -> float:
        return max(self.n_units - 1.0, 1.0)

    def __repr__(self) -> str:
        text = (
            f"Comparison by {self.metric}: {self.a!r} minus {self.b!r} is "
            f"{format_with_error(self.difference, self.std_error)} "
            f"({format_number(self.score_a)} and {format_number(self.score_b)})"
        )
        if math.isnan(self.std_error) or math.isnan(self.difference):
            return text
        low, high = map(format_number, self.interval)
        p = "p < 0.001" if self.p_value < 0.001 else f"p = {self.p_value:.2g}"
        return f"{text}; {self.confidence * 100:g} % from {low} to {high}, {p}"
