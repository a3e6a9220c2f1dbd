"""Laws for anybody's metrics, statistics and extractors."""

from sklearn_transrate.testing._statistic_laws import (
    assert_statistics_equal,
    check_statistic,
)

__all__ = ["assert_statistics_equal", "check_statistic"]
