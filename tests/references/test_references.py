"""Every definition reproduces the numbers of the published programs.

Where a program departs from its paper by a known factor, the factor stands here, at
the comparison, and the definition stays the paper's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from sklearn.metrics import f1_score

from tests.golden import golden, load_inputs
from tests.references import (
    etran,
    gbc,
    hscore,
    leep,
    lfc,
    linear_probe,
    logme,
    ncti,
    nearest_neighbors,
    pactran,
    parc,
    ped,
    sfda,
    tmi,
    transrate,
)

# Closed forms differ by rounding only.
CLOSED_FORM = 1e-9
# Programs that keep float32 features, or their result, in float32.
SINGLE_PRECISION = 1e-5
# Programs that iterate and stop early.
EARLY_STOP = 1e-3
# The published LogME where n < d is two percent below the maximum.
EARLY_STOP_FEW_SAMPLES = 0.02
# A Gaussian mixture may settle elsewhere on another machine.
SEEDED = 0.1

INPUTS = load_inputs()


@dataclass
class Check:
    """A definition, the program's name in golden.json, and how close they are."""

    program: str
    definition: Callable
    rtol: float = CLOSED_FORM
    atol: float = 0.0
    # Inputs left out and why; inputs compared less strictly; the only inputs used.
    omit: dict = field(default_factory=dict)
    loose: dict = field(default_factory=dict)
    only: tuple = ()
    # Definitions that compare all pairs of samples are too slow on large inputs.
    max_samples: int = 2000

    def cases(self):
        for name in self.only or golden(self.program):
            if name not in self.omit and len(INPUTS[name]["y"]) <= self.max_samples:
                yield pytest.param(self, name, id=f"{self.program}-{name}")

    def tolerance(self, name):
        default = SINGLE_PRECISION if name.startswith("float32") else 0
        return max(self.rtol, default, self.loose.get(name, 0))


def features(case):
    return case["X"].astype(float)


def on_features(definition, *args, **kwargs):
    return lambda case: definition(features(case), case["y"], *args, **kwargs)


def on_columns(definition):
    return lambda case: definition(features(case), logme.target_columns(case["y"]))


def on_targets(definition):
    def evaluate(case):
        return definition(features(case), case["t"].reshape(len(case["t"]), -1))

    return evaluate


def on_source(definition):
    return lambda case: definition(case["probs"], case["y"])


def on_source_labels(definition):
    return lambda case: definition(case["probs"].argmax(axis=1), case["y"])


# TransRate ---------------------------------------------------------------------------


def divided_by_n_features(definition):
    """The authors' switch 'dim': divide by the number of features, not the rank."""

    def evaluate(case):
        X, y = features(case), case["y"]
        return definition(X, y, 1e-4, per_rank=False) / X.shape[1]

    return evaluate


def trace_one_over_n(case):
    """A public variant: features divided by the root of their total scatter."""
    Z = features(case) - features(case).mean(axis=0)
    return transrate.transrate_definition(Z / np.sqrt(np.sum(Z**2)), case["y"], 1e-4)


# The covariance has condition number 6e11, so that the projected covariance, of rank
# one, counts as rank two through rounding: the program halves the score.
ROUNDED_RANK = {"sklearn_breast_cancer": "rank two for a matrix of rank one"}
# Rounding errors of eigenvalues near 1e6 against eps = 1e-4.
ROUNDED_SPECTRUM = {"scale1e3_n200_d16_k5": 1e-6}
# Differences of log-determinants that agree in their first digits.
CANCELLATION = {"scale1e-3_n200_d16_k5": 1e-5}
SPECTRA = {
    "centralized": transrate.transrate_centralized,
    "proj": transrate.transrate_projected,
}
TRANSRATE = [
    Check(
        f"transrate_{form}_eps{eps}",
        on_features(definition, eps),
        loose=CANCELLATION,
    )
    for form, definition in (
        ("listing", transrate.transrate_listing),
        ("prior_weighted", transrate.transrate_definition),
    )
    for eps in (1e-4, 1e-2, 1)
]
TRANSRATE += [
    Check(
        f"transrate_protocol_{spectra}_eps{eps}_trace{int(trace)}_{norm}",
        on_features(definition, eps, trace, norm == "rank"),
        omit=ROUNDED_RANK if spectra == "proj" and norm == "rank" else {},
        loose={} if trace else ROUNDED_SPECTRUM,
    )
    for spectra, definition in SPECTRA.items()
    for eps, trace, norm in (
        (1e-4, True, "rank"),
        (1e-2, True, "rank"),
        (1e-4, False, "rank"),
        (1e-4, True, "none"),
    )
]
TRANSRATE += [
    Check(
        f"transrate_protocol_{spectra}_eps0.0001_trace1_dim",
        divided_by_n_features(definition),
    )
    for spectra, definition in SPECTRA.items()
]
TRANSRATE += [Check("transrate_secret_hammer", trace_one_over_n)]

# LogME -------------------------------------------------------------------------------

# One of the authors' programs adds 1e-5 to denominators, and leaves terms out when
# the features have fewer directions than dimensions.
WRONG_LOGME = {
    "n40_d64_k4": "n < d",
    "scale1e3_n200_d16_k5": "1e-5 beside squares of 1e-3",
}


def displaced(case):
    """The features after potential energy descent from the program's general set."""
    X = features(case)
    general = np.random.default_rng(901).standard_normal((300, X.shape[1]))
    return dict(case, X=ped.descend(X, case["y"], general))


LOGME = [
    Check("logme_tllib", on_columns(logme.logme_published)),
    Check(
        "logme_tllib",
        on_columns(logme.logme_fixed_point),
        rtol=EARLY_STOP,
        loose={"n40_d64_k4": EARLY_STOP_FEW_SAMPLES},
    ),
    Check(
        "logme_fixed_point",
        on_columns(logme.logme_fixed_point),
        rtol=EARLY_STOP,
        omit=WRONG_LOGME,
    ),
    Check("logme_regression", on_targets(logme.logme), rtol=1e-6),
    Check("approxme", on_columns(logme.approxme)),
    Check(
        "ped_logme",
        lambda case: on_columns(logme.logme_fixed_point)(displaced(case)),
        rtol=EARLY_STOP,
        omit=WRONG_LOGME,
    ),
]

# The others --------------------------------------------------------------------------


def published_shrunk_h_score(case):
    """The program's S divides by n and its S_B by n - 1."""
    n = len(case["y"])
    return hscore.shrunk_h_score(features(case), case["y"]) * n / (n - 1)


def nleep_without_logarithm(case):
    responsibilities = leep.mixture_responsibilities(features(case), case["y"])
    return leep.expected_probability(responsibilities, case["y"])


def nleep_with_few_components(case):
    n, K = len(case["y"]), len(case["classes"])
    n_components = max(min(K, int(0.2 * n)), int(0.1 * n))
    return leep.nleep(features(case), case["y"], n_components)


def in_percent(definition):
    return lambda case: 100 * definition(case)


def three_neighbors(case):
    """The program reports micro-averaged F1, which for two classes is class one's."""
    y = case["y"]
    predictions = nearest_neighbors.leave_one_out_predictions(features(case), y, 3)
    return f1_score(y, predictions) if y.max() == 1 else np.mean(predictions == y)


def published_tmi(case):
    """The program does not count classes of two or three samples among the K."""
    counts = np.bincount(case["y"])
    counted = np.sum((counts == 1) | (counts > 3))
    return tmi.tmi(features(case), case["y"]) * len(counts) / counted


def gaussian(lam):
    return on_features(pactran.pactran_gaussian, lam)


def minimum(lam):
    def evaluate(case):
        return pactran.penalised_cross_entropy(features(case), case["y"], lam)[0]

    return evaluate


# On the other inputs the program breaks ties by rounding; see the definition.
WHOLE_TIES = (
    "n40_d64_k4",
    "k2_n150_d12",
    "rankdef_n120_d17_k4",
    "singleton_n90_d9_k4",
    "regression_n240_d14_q2",
)
# A hundred iterations do not reach the minimum of these ill-conditioned problems.
NOT_CONVERGED = {
    "scale1e3_n200_d16_k5": "features of size 1e3",
    "n40_d64_k4": "n < d",
    "sklearn_digits": "columns without variance",
    "sklearn_wine": "columns of very different sizes",
    "sklearn_breast_cancer": "columns of very different sizes",
}
OTHERS = [
    Check("hscore", on_features(hscore.h_score)),
    Check("hscore_regularized", published_shrunk_h_score),
    Check("nce", on_source_labels(leep.nce)),
    Check("leep", on_source(leep.leep)),
    Check("nleep_sfda_nolog_seed0", nleep_without_logarithm, rtol=SEEDED),
    Check("nleep_pactran_seed0", nleep_with_few_components, rtol=SEEDED, atol=1e-9),
    Check("lfc", on_features(lfc.lfc), max_samples=500),
    Check("gbc_spherical", on_features(gbc.gbc_spherical)),
    Check("gbc_diagonal", on_features(gbc.gbc_diagonal)),
    Check("parc", on_features(parc.parc), only=WHOLE_TIES),
    Check("tmi", published_tmi, max_samples=500),
    Check("knn3_loo_f1micro", three_neighbors, rtol=1e-7, max_samples=250),
    Check(
        "knn1_loo_percent",
        in_percent(on_features(nearest_neighbors.leave_one_out_accuracy, 1)),
        max_samples=250,
    ),
    Check("sfda", on_features(sfda.sfda)),
    Check("ped_sfda", lambda case: on_features(sfda.sfda)(displaced(case))),
    # The program shrinks the total covariance too, by a = 1.6e-6 at most.
    Check("ncti_triple", on_features(ncti.ncti_parts), rtol=1e-7),
    Check("etran_energy_bot", lambda case: etran.energy_score(features(case))),
    Check("etran_lda", on_features(etran.nearest_mean_score)),
    Check("pactran_dirichlet", on_source(pactran.pactran_dirichlet)),
    Check("pactran_gamma", on_source(pactran.pactran_gamma)),
]
OTHERS += [
    Check(
        f"pactran_gauss_lambda{lam:g}_{part}",
        definition(lam),
        rtol=EARLY_STOP,
        omit=NOT_CONVERGED,
        max_samples=250,
    )
    for lam in (10.0, 1.0, 0.1)
    for part, definition in (("s2hi", gaussian), ("opt", minimum))
]


@pytest.mark.parametrize(
    ("check", "name"),
    [case for check in TRANSRATE + LOGME + OTHERS for case in check.cases()],
)
def test_definition_reproduces_the_program(check, name):
    expected = golden(check.program)[name]
    computed = check.definition(INPUTS[name])
    np.testing.assert_allclose(
        computed, expected, rtol=check.tolerance(name), atol=check.atol
    )


# What the programs get wrong ---------------------------------------------------------


def test_the_published_projected_score_is_halved_by_a_rounded_rank():
    name = "sklearn_breast_cancer"
    computed = on_features(transrate.transrate_projected)(INPUTS[name])
    published = golden("transrate_protocol_proj_eps0.0001_trace1_rank")[name]
    assert computed == pytest.approx(2 * published, rel=CLOSED_FORM)


def test_a_class_of_one_sample_has_a_projected_score():
    # The published program returns NaN here.
    computed = on_features(transrate.transrate_projected)(INPUTS["singleton_n90_d9_k4"])
    assert np.isfinite(computed)


@pytest.mark.parametrize("program", ["logme_icml", "logme_tllib", "approxme"])
def test_no_program_exceeds_the_maximum_evidence(program):
    for name, value in golden(program).items():
        maximum = on_columns(logme.logme_fixed_point)(INPUTS[name])
        assert value <= maximum + SINGLE_PRECISION * abs(maximum)


@pytest.mark.parametrize("name", ["sklearn_wine", "n40_d64_k4"])
def test_no_program_goes_below_the_minimum_of_the_penalised_loss(name):
    for lam in (1.0, 0.1):
        published = golden(f"pactran_gauss_lambda{lam:g}_opt")[name]
        assert minimum(lam)(INPUTS[name]) <= published * (1 + CLOSED_FORM)


def test_parc_does_not_depend_on_the_names_of_the_labels():
    case = INPUTS["sklearn_iris"]
    renamed = dict(case, y=np.array([2, 0, 1])[case["y"]])
    score = on_features(parc.parc)(case)
    assert on_features(parc.parc)(renamed) == pytest.approx(score, rel=1e-12)
    assert score != pytest.approx(golden("parc")["sklearn_iris"], abs=1)


# Definitions against one another -----------------------------------------------------


@pytest.mark.parametrize(
    "name", ["n40_d64_k4", "singleton_n90_d9_k4", "rankdef_n120_d17_k4", "sklearn_iris"]
)
def test_the_logme_iteration_finds_the_maximum(name):
    searched = on_columns(logme.logme)(INPUTS[name])
    iterated = on_columns(logme.logme_fixed_point)(INPUTS[name])
    assert iterated == pytest.approx(searched, abs=1e-9)


@pytest.mark.parametrize(
    "evaluate",
    [
        on_features(transrate.transrate_listing),
        on_features(transrate.transrate_definition),
        on_features(transrate.transrate_centralized),
        on_features(transrate.transrate_projected),
        on_columns(logme.logme_fixed_point),
        on_features(hscore.h_score),
        on_features(hscore.shrunk_h_score),
        on_source_labels(leep.nce),
        on_source(leep.leep),
        on_features(leep.nleep),
        on_features(lfc.lfc),
        on_features(gbc.gbc_spherical),
        on_features(gbc.gbc_diagonal),
        on_features(parc.parc),
        on_features(tmi.tmi),
        on_features(nearest_neighbors.leave_one_out_accuracy, 5),
        on_features(linear_probe.leave_one_out_accuracy, 1.0),
        on_features(sfda.sfda),
        lambda case: on_features(sfda.sfda)(displaced(case)),
        on_features(ncti.ncti_parts),
        on_features(etran.lda_score),
        on_source(pactran.pactran_dirichlet),
        on_source(pactran.pactran_gamma),
        gaussian(1.0),
    ],
)
def test_definitions_take_labels_of_any_sortable_kind(evaluate):
    case = INPUTS["string_labels_n120_d10_k3"]
    named = dict(case, y=np.array(case["classes"])[case["y"]])
    np.testing.assert_allclose(evaluate(named), evaluate(case), rtol=CLOSED_FORM)
