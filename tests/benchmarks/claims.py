"""One line of the table: what was measured, against what, and what is required."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np

from tests.benchmarks.tables import Table
from tests.benchmarks.timing import Race

__all__ = ["Bound", "Claim", "at_least", "at_most", "claims_table", "over", "speed_up"]

COLUMNS = (
    "what", "against", "n", "d", "K", "ours", "other", "value", "of minima",
    "required", "ok", "peak MB",
)  # fmt: skip


@dataclass(frozen=True)
class Bound:
    """A number that a value must reach, or must not exceed."""

    limit: float
    is_upper: bool

    def holds(self, value: float) -> bool:
        """Whether a value does what is required; NaN never does."""
        return value <= self.limit if self.is_upper else value >= self.limit


def at_least(limit: float) -> Bound:
    """Require a value of `limit` or more."""
    return Bound(limit, is_upper=False)


def at_most(limit: float) -> Bound:
    """Require a value of `limit` or less."""
    return Bound(limit, is_upper=True)


@dataclass(frozen=True)
class Claim:
    """One measurement.

    Attributes
    ----------
    what, against : str
        What was measured and what it is compared with.
    shape : tuple of int
        Numbers of samples, features and classes; shorter where they have no meaning.
    value : float or None
        The number that counts, in `unit`; None for a point of a series.
    unit : str
        "x" for ratios, "s", "MB", or "" for slopes and differences.
    bound : Bound or None
        What the value must keep.
    ours, other : float or None
        Shortest times in seconds.
    of_minima : float or None
        Ratio of the shortest times, where the value is a median of ratios.
    peak : float or None
        Largest resident memory in MB.
    series, at : str, float
        The curve that this is a point of, and where it stands on it.
    """

    what: str
    against: str = ""
    shape: tuple[int, ...] = ()
    value: float | None = None
    unit: str = "x"
    bound: Bound | None = None
    ours: float | None = None
    other: float | None = None
    of_minima: float | None = None
    peak: float | None = None
    series: str = ""
    at: float | None = None

    @property
    def ok(self) -> bool | None:
        """Whether the bound holds; None without one."""
        if self.bound is None:
            return None
        return self.value is not None and bool(self.bound.holds(self.value))

    def cells(self) -> list:
        """Return what stands in the table, in the order of its columns."""
        sizes = [*self.shape, None, None, None][:3]
        sign = "" if self.bound is None else "≤ " if self.bound.is_upper else "≥ "
        required = "" if self.bound is None else sign + self._text(self.bound.limit)
        verdict = {None: "", True: "yes", False: "NO"}[self.ok]
        return [
            self.what, self.against, *sizes, _seconds(self.ours), _seconds(self.other),
            self._text(self.value), _plain(self.of_minima, "x"), required, verdict,
            None if self.peak is None else round(self.peak),
        ]  # fmt: skip

    def _text(self, value: float | None) -> str:
        return _plain(value, self.unit)


def speed_up(
    what: str, against: str, shape, race: Race, other: str, bound=None
) -> Claim:
    """Claim that ours is so many times faster than another contestant."""
    return Claim(
        what,
        against,
        shape,
        race.ratio(other, "ours"),
        bound=bound,
        ours=race.seconds("ours"),
        other=race.seconds(other),
        of_minima=race.ratio_of_minima(other, "ours"),
    )


def over(what: str, against: str, shape, race: Race, other: str, bound=None) -> Claim:
    """Claim that ours takes only so many times as long as another contestant."""
    return Claim(
        what,
        against,
        shape,
        race.ratio("ours", other),
        bound=bound,
        ours=race.seconds("ours"),
        other=race.seconds(other),
        of_minima=race.ratio_of_minima("ours", other),
    )


def claims_table(title: str, claims: Iterable[Claim]) -> Table:
    """Put claims under each other, leaving out columns that none of them fills."""
    claims = list(claims)
    rows = [claim.cells() for claim in claims]
    filled = [
        j for j in range(len(COLUMNS)) if any(row[j] not in (None, "") for row in rows)
    ]
    return Table(
        title,
        [COLUMNS[j] for j in filled],
        [[row[j] for j in filled] for row in rows],
        failures=sum(claim.ok is False for claim in claims),
        records=[asdict(claim) | {"ok": claim.ok} for claim in claims],
    )


def _seconds(value: float | None) -> str:
    return _plain(value, " s")


def _plain(value: float | None, unit: str) -> str:
    """Write a number so that its size can be seen at a glance."""
    if value is None:
        return ""
    if not np.isfinite(value):
        return f"{value}"
    if unit == "MB":
        return f"{value:,.0f} MB"
    digits = f"{value:.3g}" if abs(value) < 100 or unit == "" else f"{value:.0f}"
    return f"{digits}{unit}" if unit in ("", "x") else f"{digits} {unit.strip()}"
