"""Scores of one feature matrix: against the published programs, and the hardware."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sklearn_transrate.metrics import HScore, LogME, TransRate
from tests.benchmarks import opponents
from tests.benchmarks.claims import Claim, at_least, at_most, over, speed_up
from tests.benchmarks.data import labelled_features
from tests.benchmarks.limits import h_score_limit, logme_limit, transrate_limit
from tests.benchmarks.settings import Settings
from tests.benchmarks.timing import Contestant
from tests.references.transrate import transrate_listing

__all__ = [
    "eps_curve_speed",
    "float32_speed",
    "h_score_speed",
    "logme_speed",
    "transrate_speed",
]

# (n, d, K): how many times faster than the listing.
LISTING_SHAPES = {
    (10_000, 2048, 100): 20,
    (2000, 4096, 50): 100,
    (10_000, 512, 10): 4,
}
OTHER_SHAPES = ((10_000, 2048, 100), (50_000, 768, 10))
EXACT = 1e-9
# Share of the speed-up of BLAS and LAPACK alone that a whole program should reach.
OF_THE_CEILING = 0.6
# The published fixed point stops within a percent of its ratio of precisions.
EARLY_STOP = 1e-3


def transrate_speed(settings: Settings) -> Iterator[Claim]:
    """TransRate with the listing's settings, against the listing and the limit."""
    metric = TransRate.from_form("listing")
    what = "TransRate, listing"
    for full, factor in LISTING_SHAPES.items():
        shape = settings.shape(*full)
        settings.tell(f"{what} {shape}")
        X, y = labelled_features(*shape)
        race = settings.race(
            ours=lambda X=X, y=y: metric.score(X, y),
            limit=transrate_limit(X, y),
            listing=_slow(transrate_listing, X, y),
        )
        bound = settings.bound(at_least(factor))
        yield speed_up(what, "ten-line listing", shape, race, "listing", bound)
        bound = settings.bound(at_most(1.5))
        yield over(what, "BLAS, LAPACK alone", shape, race, "limit", bound)
        # What the first ratio would be if nothing but these calls took time.
        ceiling = race.ratio("listing", "limit")
        yield Claim("the limit itself", "ten-line listing", shape, ceiling)
        yield _difference(what, "ten-line listing", shape, race, "listing", EXACT)


def float32_speed(settings: Settings) -> Iterator[Claim]:
    """The default TransRate of float32 features, against the same in float64."""
    metric = TransRate()
    for full in LISTING_SHAPES:
        shape = settings.shape(*full)
        settings.tell(f"TransRate of float32 {shape}")
        single, y = labelled_features(*shape, dtype=np.float32)
        double = single.astype(np.float64)
        race = settings.race(
            ours=lambda X=single, y=y: metric.score(X, y),
            double=lambda X=double, y=y: metric.score(X, y),
        )
        yield over("TransRate, float32", "float64", shape, race, "double")
        yield _difference("TransRate, float32", "float64", shape, race, "double", 1e-6)


def eps_curve_speed(settings: Settings) -> Iterator[Claim]:
    """Fifty distortions, against one score; features to numbers, both of them."""
    metric = TransRate()
    for full in LISTING_SHAPES:
        shape = settings.shape(*full)
        settings.tell(f"TransRate at 50 distortions {shape}")
        X, y = labelled_features(*shape)
        race = settings.race(
            ours=lambda X=X, y=y: TransRate().fit(X, y).eps_curve(),
            score=lambda X=X, y=y: metric.score(X, y),
        )
        bound = settings.bound(at_most(3))
        yield over("TransRate, 50 distortions", "one", shape, race, "score", bound)


def logme_speed(settings: Settings) -> Iterator[Claim]:
    """LogME against the authors' decomposition of the features, and of X'X."""
    for full in OTHER_SHAPES:
        shape = settings.shape(*full)
        settings.tell(f"LogME {shape}")
        X, y = labelled_features(*shape)
        race = settings.race(
            ours=lambda X=X, y=y: LogME().score(X, y),
            limit=logme_limit(X),
            svd=_slow(opponents.logme_by_svd, X, y),
            gram=_slow(opponents.logme_by_gram_svd, X, y),
        )
        bound = settings.bound(at_least(3))
        yield speed_up("LogME", "SVD of X, fixed point", shape, race, "svd", bound)
        yield speed_up("LogME", "SVD of X'X, fixed point", shape, race, "gram")
        yield over("LogME", "BLAS, LAPACK alone", shape, race, "limit")
        yield _difference("LogME", "fixed point", shape, race, "svd", EARLY_STOP)


def h_score_speed(settings: Settings) -> Iterator[Claim]:
    """H-score and its shrunk form against the authors' pseudo-inverse."""
    forms = {
        "H-score": (HScore(), opponents.h_score_by_pinv, EXACT),
        # The published program shrinks a covariance made in another order.
        "H-score, shrunk": (
            HScore(shrinkage="ledoit_wolf"),
            opponents.shrunk_h_score_by_pinv,
            EXACT,
        ),
    }
    for full in OTHER_SHAPES:
        shape = settings.shape(*full)
        X, y = labelled_features(*shape)
        for what, (metric, opponent, tolerance) in forms.items():
            settings.tell(f"{what} {shape}")
            race = settings.race(
                ours=lambda metric=metric, X=X, y=y: metric.score(X, y),
                limit=h_score_limit(X, y),
                pinv=_slow(opponent, X, y),
            )
            # Tenfold, unless the BLAS calls that no program can do without, made by
            # the published one as well, leave room for less.
            ceiling = race.ratio("pinv", "limit")
            bound = settings.bound(at_least(min(10, OF_THE_CEILING * ceiling)))
            yield speed_up(what, "pinv", shape, race, "pinv", bound)
            yield over(what, "BLAS, LAPACK alone", shape, race, "limit")
            yield Claim("the limit itself", "pinv", shape, ceiling)
            yield _difference(what, "pinv", shape, race, "pinv", tolerance)


def _slow(function, X, y) -> Contestant:
    return Contestant(lambda: function(X, y), warm_up=False)


def _difference(what, against, shape, race, other, tolerance) -> Claim:
    ours, theirs = race.results["ours"], race.results[other]
    return Claim(
        f"{what}: relative difference",
        against,
        shape,
        abs(ours - theirs) / abs(theirs),
        unit="",
        bound=at_most(tolerance),
    )
