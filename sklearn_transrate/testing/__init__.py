"""Laws for anybody's metrics, statistics and extractors."""

from sklearn_transrate.testing._checks import (
    check_extractor,
    check_statistic,
    check_transfer_metric,
    parametrize_with_checks,
)
from sklearn_transrate.testing._comparing import assert_statistics_equal

__all__ = [
    "assert_statistics_equal",
    "check_extractor",
    "check_statistic",
    "check_transfer_metric",
    "parametrize_with_checks",
]
