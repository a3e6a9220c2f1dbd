"""TransRate of spectra: the authors' protocol, from eigenvalues alone.

Their published spectra are too large for the repository; with them,
`tests.benchmarks.test_official_experiments` goes on to the printed correlations.
"""

from __future__ import annotations

import numpy as np
import pytest

from sklearn_transrate.metrics import (
    TransRate,
    transrate_from_eigenvalues,
    transrate_score,
)
from tests.golden import golden, load_inputs
from tests.references import transrate as definition

INPUTS = load_inputs()
CLOSED_FORM = 1e-9
SINGLE_PRECISION = 1e-6
SPECTRA = {
    "centralized": definition.centralized_spectra,
    "proj": definition.between_class_spectra,
}
# Rank and distortion that hang on rounding errors; see `test_transrate`.
ROUNDED = ("sklearn_breast_cancer", "scale1e3_n200_d16_k5")
PROTOCOLS = [
    (1e-4, "trace", "rank"),
    (1e-2, "trace", "rank"),
    (1e-4, "absolute", "rank"),
    (1e-4, "trace", "none"),
]
GOLDEN = [
    (form, eps, unit, divisor, name)
    for form in SPECTRA
    for eps, unit, divisor in PROTOCOLS
    for name in golden(f"transrate_protocol_{form}_eps0.0001_trace1_rank")
    if not (form == "proj" and name in ROUNDED)
]
TOTAL, CLASSES, COUNTS = [1.0, 0.5], [[0.9, 0.1], [0.7, 0.3]], [50, 50]


def class_spectra(X, y):
    """Eigenvalues of the covariance and of each class about the global mean."""
    Z = X - X.mean(axis=0)
    rows = [Z, *(Z[y == label] for label in np.unique(y))]
    spectra = [np.linalg.eigvalsh(part.T @ part / len(part))[::-1] for part in rows]
    return spectra[0].clip(0), [spectrum.clip(0) for spectrum in spectra[1:]]


def random_features(seed, n, d):
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(3), rng.integers(0, 3, n)])
    means = rng.standard_normal((3, d))
    return means[y] + np.linspace(0.1, 2, d) * rng.standard_normal((len(y), d)), y


@pytest.mark.parametrize(("form", "eps", "unit", "divisor", "name"), GOLDEN)
def test_published_protocol_gives_the_same(form, eps, unit, divisor, name):
    X, y = INPUTS[name]["X"], INPUTS[name]["y"]
    total, classes, counts, rank = SPECTRA[form](X.astype(float), y)
    score = transrate_from_eigenvalues(
        total,
        classes,
        counts,
        eps=eps,
        eps_unit=unit,
        normalize="rank" if divisor == "rank" else None,
        rank=rank,
    )
    program = f"transrate_protocol_{form}_eps{eps}_trace{int(unit == 'trace')}_"
    rtol = SINGLE_PRECISION if X.dtype == np.float32 else CLOSED_FORM
    assert score == pytest.approx(golden(program + divisor)[name], rel=rtol, abs=1e-13)


@pytest.mark.parametrize("shape", [(60, 6), (12, 30)])
@pytest.mark.parametrize(
    "params",
    [
        {"eps": 0.1},
        {"eps": "auto", "estimate": "plug_in"},
        {"eps": 0.01, "eps_unit": "trace"},
        {"eps": 0.3, "eps_unit": "mean_eigenvalue"},
        {"eps": 0.1, "class_weight": "uniform"},
        {"eps": 0.1, "normalize": None},
    ],
    ids=str,
)
def test_features_give_the_same(shape, params):
    X, y = random_features(0, *shape)
    total, classes = class_spectra(X, y)
    rank = TransRate.from_form("relative").fit(X, y).parts_["rank"]
    expected = transrate_score(X, y, **params)
    options = {name: value for name, value in params.items() if name != "estimate"}
    score = transrate_from_eigenvalues(
        total, classes, np.bincount(y), rank=rank, **options
    )
    assert score == pytest.approx(expected, rel=CLOSED_FORM)


def test_zeros_may_be_left_out():
    padded = transrate_from_eigenvalues(
        [*TOTAL, 0.0, 0.0], [[*row, 0.0] for row in CLASSES], COUNTS, eps="auto"
    )
    assert padded == transrate_from_eigenvalues(TOTAL, CLASSES, COUNTS, eps="auto")


def test_by_hand():
    # One direction of variance 1, two classes at its ends: nothing is left of it.
    score = transrate_from_eigenvalues([1.0], [[1.0], [1.0]], [3, 3], eps=0.1)
    assert score == pytest.approx(0.0)
    score = transrate_from_eigenvalues([1.0], [[3.0], [0.0]], [1, 2], eps=1.0)
    assert score == pytest.approx(0.5 * np.log(2) - 1 / 3 * 0.5 * np.log(4))


def test_the_rank_that_is_given_counts():
    given = transrate_from_eigenvalues(TOTAL, CLASSES, COUNTS, eps=0.1, rank=4)
    counted = transrate_from_eigenvalues(TOTAL, CLASSES, COUNTS, eps=0.1)
    assert given == pytest.approx(counted / 2)


def test_unit_of_eigenvalues_is_the_unit_of_the_distortion():
    tenfold = [[10 * value for value in row] for row in CLASSES]
    scaled = transrate_from_eigenvalues([10.0, 5.0], tenfold, COUNTS, eps=1.0)
    plain = transrate_from_eigenvalues(TOTAL, CLASSES, COUNTS, eps=0.1)
    assert scaled == pytest.approx(plain)


@pytest.mark.parametrize("params", [{"eps": "auto"}, {"eps": 0.1, "eps_unit": "trace"}])
def test_no_variance_scores_zero(params):
    assert transrate_from_eigenvalues([0.0], [[0.0], [0.0]], [2, 2], **params) == 0.0


@pytest.mark.parametrize(
    ("classes", "counts", "found"),
    [
        (CLASSES, [50], "2 spectra and 1 counts"),
        (CLASSES[:1], COUNTS, "1 spectra and 2 counts"),
        ([], [], "0 spectra and 0 counts"),
    ],
)
def test_every_class_needs_a_spectrum_and_a_count(classes, counts, found):
    with pytest.raises(ValueError, match=f"one spectrum and one count .*got {found}"):
        transrate_from_eigenvalues(TOTAL, classes, counts, eps=0.1)


@pytest.mark.parametrize("eps", [0, -1e-4, np.nan, np.inf, "large"])
def test_distortion_must_be_positive(eps):
    with pytest.raises(ValueError, match="Expected 'eps' to be positive or 'auto'"):
        transrate_from_eigenvalues(TOTAL, CLASSES, COUNTS, eps=eps)


@pytest.mark.parametrize("name", ["class_weight", "normalize", "eps_unit"])
def test_unknown_options_are_named_with_what_is_expected(name):
    with pytest.raises(ValueError, match=f"Expected '{name}' to be one of .*'odd'"):
        transrate_from_eigenvalues(TOTAL, CLASSES, COUNTS, eps=0.1, **{name: "odd"})


def test_spectra_do_not_tell_the_width():
    with pytest.raises(ValueError, match="Spectra do not tell the number of features"):
        transrate_from_eigenvalues(
            TOTAL, CLASSES, COUNTS, eps=0.1, normalize="n_features"
        )
