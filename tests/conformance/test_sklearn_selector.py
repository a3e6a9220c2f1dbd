"""scikit-learn's own checks on selectors, and those it keeps for itself."""

from __future__ import annotations

import pytest
from sklearn.decomposition import PCA
from sklearn.kernel_approximation import Nystroem
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_transrate import HalvingTransferSelector, TransferSelector

VALIDATING = TransferSelector(
    [("pca", PCA(1)), ("map", Nystroem(n_components=1, random_state=0))]
)
TRANSPARENT = TransferSelector([("scaled", StandardScaler()), ("pca", PCA(1))])

RACE = HalvingTransferSelector(
    [("pca", PCA(1)), ("map", Nystroem(n_components=1, random_state=0))],
    min_samples=8,
    random_state=0,
)

# Checks that check_estimator leaves out and that hold for transformers.
MORE_CHECKS = [
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_dataframe_column_names_consistency",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_get_feature_names_out_error",
    "check_inplace_ensure_writeable",
]


def expected_failures(selector):
    if any(isinstance(t, StandardScaler) for _, t in selector.extractors):
        reason = "the winner passes NaN on, and transform is its own"
        return {"check_estimators_nan_inf": reason}
    return {}


@parametrize_with_checks(
    [VALIDATING, TRANSPARENT, RACE], expected_failed_checks=expected_failures
)
@pytest.mark.filterwarnings("ignore::sklearn_transrate.exceptions.TransRateWarning")
def test_selector_passes_scikit_learns_checks(estimator, check):
    check(estimator)


# These checks fit frames and transform arrays, which is worth a warning.
@pytest.mark.filterwarnings("ignore:X .*feature names")
@pytest.mark.parametrize("selector", [VALIDATING, RACE], ids=["all", "race"])
@pytest.mark.parametrize("name", MORE_CHECKS)
def test_selector_passes_the_checks_scikit_learn_keeps_for_itself(name, selector):
    check = getattr(estimator_checks, name, None)
    if check is None:
        pytest.skip("not in this version of scikit-learn")
    check(type(selector).__name__, selector)
