"""The laws that bind every metric, one test each."""

from variance_share import VarianceShare

from sklearn_transrate.testing import parametrize_with_checks


@parametrize_with_checks([VarianceShare()])
def test_variance_share_keeps_the_laws(metric, check):
    check(metric)
