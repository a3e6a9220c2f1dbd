"""How many examples property tests try; chosen by ``HYPOTHESIS_PROFILE``."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Arrays are built from drawn seeds, so examples are cheap to draw and differ in cost:
# a deadline would measure the machine.
settings.register_profile("quick", max_examples=25, deadline=None)
settings.register_profile(
    "ci", parent=settings.get_profile("quick"), derandomize=True, print_blob=True
)
# An hour on two cores; laws of statistics are cheap and take five times as many.
settings.register_profile(
    "long",
    parent=settings.get_profile("quick"),
    max_examples=2_000,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "quick")
)
