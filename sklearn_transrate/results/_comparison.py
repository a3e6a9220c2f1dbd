"""How far apart two candidates are."""

from __future__ import annotations

import math
from dataclasses import dataclass

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

    See Also
    --------
    TransferResults.compare : Makes it from a table.

    Examples
    --------
    >>> Comparison("vit", "resnet", "logme", 0.5, 0.375, 0.125, std_error=0.05)
    Comparison by logme: 'vit' minus 'resnet' is 0.1250 ± 0.0500 (0.5000 and 0.3750)
    """

    a: str
    b: str
    metric: str
    score_a: float
    score_b: float
    difference: float
    std_error: float = math.nan

    def __repr__(self) -> str:
        return (
            f"Comparison by {self.metric}: {self.a!r} minus {self.b!r} is "
            f"{format_with_error(self.difference, self.std_error)} "
            f"({format_number(self.score_a)} and {format_number(self.score_b)})"
        )
