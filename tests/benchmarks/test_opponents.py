"""The opponents compute what the published programs returned, by their algorithms.

Otherwise being faster than they are would mean nothing.
"""

from __future__ import annotations

import numpy as np
import pytest

from sklearn_transrate.metrics import TransRate
from tests.benchmarks import limits, opponents
from tests.benchmarks.data import labelled_batches, labelled_features
from tests.golden import golden, load_inputs

INPUTS = load_inputs()
CLOSED_FORM = 1e-9
# The opponents take float32 features to float64; the programs kept them.
SINGLE_PRECISION = 1e-6
# X'X has the square of the features' condition number.
SQUARED = 1e-6
PUBLISHED = [
    (opponents.logme_by_svd, "logme_tllib", CLOSED_FORM),
    (opponents.logme_by_gram_svd, "logme_tllib", SQUARED),
    (opponents.h_score_by_pinv, "hscore", CLOSED_FORM),
]
# Nearly singular covariances, of which a pseudo-inverse keeps the rounding errors.
SINGULAR = {"rankdef_n120_d17_k4", "sklearn_digits", "n40_d64_k4"}


@pytest.mark.parametrize(("opponent", "program", "rtol"), PUBLISHED)
@pytest.mark.parametrize("name", sorted(set(INPUTS) - SINGULAR))
def test_opponents_return_the_published_numbers(opponent, program, rtol, name):
    case = INPUTS[name]
    rtol = SINGLE_PRECISION if name.startswith("float32") else rtol
    score = opponent(case["X"].astype(float), case["y"])
    assert score == pytest.approx(golden(program)[name], rel=rtol)


@pytest.mark.parametrize("name", sorted(set(INPUTS) - SINGULAR))
def test_the_shrunk_opponent_returns_the_published_number(name):
    case = INPUTS[name]
    n = len(case["y"])
    published = golden("hscore_regularized")[name] * (n - 1) / n
    rtol = SINGLE_PRECISION if name.startswith("float32") else CLOSED_FORM
    score = opponents.shrunk_h_score_by_pinv(case["X"].astype(float), case["y"])
    assert score == pytest.approx(published, rel=rtol)


@pytest.mark.parametrize(
    "shape", [(60, 10, 3), (200, 10, 3), (20, 40, 4)], ids=["mixed", "dense", "thin"]
)
def test_the_limit_does_work_of_the_right_kind(shape):
    # Its factors are those of well-conditioned matrices: finite, whatever is repeated.
    X, y = labelled_features(*shape)
    for contestant in (
        limits.transrate_limit(X, y),
        limits.h_score_limit(X, y),
        limits.logme_limit(X),
    ):
        for _ in range(3):
            contestant.prepare()
            contestant.run()


def test_batches_are_the_same_whatever_is_asked_before():
    first = list(labelled_batches(100, 5, 3, batch_size=40))
    again = list(labelled_batches(200, 5, 3, batch_size=40))
    assert [len(y) for _, y in first] == [40, 40, 20]
    np.testing.assert_array_equal(first[1][0], again[1][0])


def test_features_have_classes_that_a_score_can_see():
    X, y = labelled_features(300, 10, 3)
    shuffled = np.random.default_rng(0).permutation(y)
    assert TransRate().score(X, y) > 1.5 * TransRate().score(X, shuffled)
