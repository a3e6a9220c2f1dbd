"""PACTran: the losses of the definition with the other sign, and at their minimum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import digamma, gammaln
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from sklearn_transrate.exceptions import UndefinedMetricWarning
from sklearn_transrate.metrics import (
    PACTranDirichlet,
    PACTranGamma,
    PACTranGaussian,
    get_metric,
    pactran_score,
)
from sklearn_transrate.metrics import _pactran as module
from tests.golden import golden, load_inputs
from tests.references import pactran

INPUTS = load_inputs()
# The published program adds 1e-10 to probabilities and to the prior.
PUBLISHED_OFFSET = 1e-8
# Two minimisers of one strictly convex function.
MINIMUM = 1e-5
# The published minimiser stops after 100 iterations, far away where classes are nearly
# separable and where the scale is large.
STOPPED_EARLY = ("scale1e3", "sklearn_digits", "sklearn_wine", "sklearn_breast_cancer")
FORMS = {"dirichlet": PACTranDirichlet, "gamma": PACTranGamma}
DEFINITIONS = {
    "dirichlet": pactran.pactran_dirichlet,
    "gamma": pactran.pactran_gamma,
}


def random_proba(seed, n=20, n_source=5, concentration=0.3):
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.full(n_source, concentration), n)
    return proba, np.concatenate([[0, 1], rng.integers(0, 3, n - 2)])


def random_features(seed, n=30, d=4):
    rng = np.random.default_rng(seed)
    y = np.concatenate([[0, 1, 2], rng.integers(0, 3, n - 3)])
    return rng.standard_normal((n, d)) + rng.standard_normal((3, d))[y], y


# -- source probabilities ------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", golden("pactran_dirichlet"))
def test_published_program_gives_the_negative(form, name):
    case = INPUTS[name]
    expected = -golden(f"pactran_{form}")[name]
    score = pactran_score(case["probs"], case["y"], form=form)
    assert score == pytest.approx(expected, rel=PUBLISHED_OFFSET)


@pytest.mark.parametrize("form", FORMS)
@given(
    seed=st.integers(0, 2**16),
    alpha=st.sampled_from([0.1, 1.0, 7.0]),
    n_sweeps=st.integers(1, 12),
)
def test_definition_gives_the_negative(form, seed, alpha, n_sweeps):
    proba, y = random_proba(seed, concentration=1.0)
    expected = -DEFINITIONS[form](proba, y, alpha, n_sweeps)
    score = pactran_score(proba, y, form=form, alpha=alpha, n_sweeps=n_sweeps)
    assert score == pytest.approx(expected, rel=1e-6)


def test_sweeps_descend_to_a_stationary_point_of_the_free_energy():
    proba, y = random_proba(1, n=60)
    score = pactran_score(proba, y, form="dirichlet", n_sweeps=2000)
    # The assignment that the sweeps leave in place, found by plain iteration.
    q, prior = proba, np.bincount(y) / 60
    one_hot = np.eye(3)[y]
    for _ in range(2000):
        A = prior[:, None] + one_hot.T @ q
        q = proba * np.exp(digamma(A) - digamma(A.sum(axis=0)))[y]
        q /= q.sum(axis=1, keepdims=True)

    def free_energy(q):
        A = prior[:, None] + one_hot.T @ q
        log_beta = gammaln(A).sum(axis=0) - gammaln(A.sum(axis=0))
        divergence = np.sum(q * np.log(q / proba, where=q > 0, out=np.zeros_like(q)))
        prior_beta = gammaln(prior).sum() - gammaln(prior.sum())
        return (divergence + np.sum(prior_beta - log_beta)) / 180

    assert -score == pytest.approx(free_energy(q), rel=1e-9)
    rng = np.random.default_rng(2)
    for _ in range(20):
        other = 0.98 * q + 0.02 * rng.dirichlet(np.ones(5), 60)
        assert free_energy(other) > free_energy(q)


@pytest.mark.parametrize("form", FORMS)
def test_an_absent_source_class_does_no_harm(form):
    proba, y = random_proba(3)
    padded = np.hstack([proba, np.zeros((20, 2))])
    expected = pactran_score(proba, y, form=form)
    assert pactran_score(padded, y, form=form) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("form", FORMS)
@given(st.integers(0, 2**16), st.integers(2, 30), st.integers(2, 300))
@example(0, 2, 3000)
def test_sparse_probabilities_of_many_source_classes_stay_finite(
    form, seed, n, n_source
):
    proba, y = random_proba(seed, n, n_source, concentration=0.05)
    proba = np.where(proba < 1e-3, 0.0, proba)
    proba /= proba.sum(axis=1, keepdims=True)
    score = pactran_score(proba, y, form=form)
    assert np.isfinite(score)
    if form == "dirichlet":
        assert score <= 0.0


def test_a_row_alone_with_its_source_classes_stays_finite():
    # Its share in each of them is so small that exp(digamma) of it is no float.
    n_source, n_classes = 5000, 40
    proba = np.zeros((200, n_source))
    proba[:, 0] = 1.0
    proba[0, 0], proba[0, 1:] = 0.0, 1.0 / (n_source - 1)
    y = np.arange(200) % n_classes
    for form in FORMS:
        assert np.isfinite(pactran_score(proba, y, form=form, alpha=1e-3))


@pytest.mark.parametrize("form", FORMS)
def test_names_and_order_of_classes_do_not_matter(form):
    case = INPUTS["n200_d16_k5"]
    names = np.array(["z", "a", "m", "b", "y"])[case["y"]]
    expected = pactran_score(case["probs"], case["y"], form=form)
    shuffled = case["probs"][:, [3, 1, 6, 0, 2, 5, 4]]
    assert pactran_score(shuffled, names, form=form) == pytest.approx(expected)


@pytest.mark.parametrize("form", FORMS)
def test_source_classes_that_tell_target_classes_apart_score_higher(form):
    y = np.arange(40) % 2
    apart = np.where(y[:, None] == np.arange(2), 0.9, 0.1)
    assert pactran_score(apart, y, form=form) > pactran_score(
        np.full((40, 2), 0.5), y, form=form
    )


@pytest.mark.parametrize("form", FORMS)
def test_weights_count_as_rows_and_batches_stream(form):
    proba, y = random_proba(4)
    weights = np.arange(20) % 3 + 1
    metric = FORMS[form]()
    weighted = metric.score(proba, y, sample_weight=weights)
    for start in range(0, 20, 6):
        rows = slice(start, start + 6)
        repeats = weights[rows]
        metric.partial_fit(
            np.repeat(proba[rows], repeats, axis=0), np.repeat(y[rows], repeats)
        )
    assert metric.score_ == pytest.approx(weighted, rel=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_logits_are_refused_with_the_remedy(form):
    with pytest.raises(ValueError, match=r"scipy\.special\.softmax"):
        pactran_score([[2.0, -1.0], [0.5, 0.5]], [0, 1], form=form)


# -- features ------------------------------------------------------------------


@pytest.mark.parametrize("C", [0.1, 1.0, 10.0])
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if name == "sklearn_digits" else name
        for name in golden("pactran_dirichlet")
    ],
)
def test_published_minimum_is_never_below_ours(name, C):
    case = INPUTS[name]
    metric = PACTranGaussian(C=C).fit(case["X"], case["y"])
    loss = metric.parts_["cross_entropy"]
    published = golden(f"pactran_gauss_lambda{C:g}_opt")[name]
    assert loss <= published * (1 + 1e-6)
    if not name.startswith(STOPPED_EARLY):
        assert loss == pytest.approx(published, rel=1e-3)
        expected = golden(f"pactran_gauss_lambda{C:g}_s2hi")[name]
        assert -metric.score_ == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("C", [0.1, 10.0])
@pytest.mark.parametrize(
    "name", ["n40_d64_k4", "rankdef_n120_d17_k4", "singleton_n90_d9_k4", "sklearn_iris"]
)
def test_definition_of_the_gaussian_form_gives_the_negative(name, C):
    X, y = INPUTS[name]["X"], INPUTS[name]["y"]
    expected = -pactran.pactran_gaussian(X, y, C)
    assert pactran_score(X, y, C=C) == pytest.approx(expected, rel=MINIMUM)
    expected = -pactran.pactran_gaussian(X, y, C, spread=3.0)
    assert pactran_score(X, y, C=C, spread=3.0) == pytest.approx(expected, rel=MINIMUM)


@settings(max_examples=25)
@given(st.integers(0, 2**16), st.integers(4, 25), st.integers(1, 30))
def test_gaussian_form_is_finite_and_at_most_zero(seed, n, d):
    X, y = random_features(seed, n, d)
    metric = PACTranGaussian().fit(X, y)
    assert np.isfinite(metric.score_)
    assert metric.score_ <= 0.0
    assert metric.score_ == pytest.approx(-sum(metric.parts_.values()))


def test_the_penalty_is_that_of_logistic_regression():
    X, y = random_features(5)
    X -= X.mean(axis=0)
    model = LogisticRegression(C=2.0, tol=1e-10, max_iter=10_000).fit(X, y)
    log_p = model.predict_log_proba(X)[np.arange(30), y]
    expected = -log_p.mean() + np.sum(model.coef_**2) / (2 * 2.0 * 30)
    loss = PACTranGaussian(C=2.0).fit(X, y).parts_["cross_entropy"]
    assert loss == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("name", ["n200_d16_k5", "n40_d64_k4"])
def test_offset_and_rotation_do_not_matter(name):
    X, y = INPUTS[name]["X"], INPUTS[name]["y"]
    expected = pactran_score(X, y)
    assert pactran_score(X + 1e5, y) == pytest.approx(expected, rel=MINIMUM)
    d = X.shape[1]
    rotation, _ = np.linalg.qr(np.random.default_rng(6).standard_normal((d, d)))
    assert pactran_score(X @ rotation, y) == pytest.approx(expected, rel=MINIMUM)


def test_repetition_and_names_of_labels_do_not_matter():
    # The published program starts at random: the fourth digit moves from run to run.
    X, y = INPUTS["n200_d16_k5"]["X"], INPUTS["n200_d16_k5"]["y"]
    names = np.array(["z", "a", "m", "b", "y"])[y]
    assert pactran_score(X, y) == pactran_score(X, y)
    assert pactran_score(X, names) == pytest.approx(pactran_score(X, y), rel=MINIMUM)


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e3])
def test_the_fit_is_a_minimum_at_any_scale(scale):
    # At 1e3 the published program stops 50 times above the minimum.
    X, y = random_features(7)
    metric = PACTranGaussian().fit(X * scale, y)
    # The same problem in other units: smaller features under a weaker penalty.
    same = PACTranGaussian(C=scale**2).fit(X, y)
    loss, expected = (m.parts_["cross_entropy"] for m in (metric, same))
    assert loss == pytest.approx(expected, rel=1e-6)


def test_nearly_certain_fits_keep_their_digits():
    # Losses of 1e-6, probabilities as close to one, and features as far apart as that.
    rng = np.random.default_rng(11)
    X, y = 1e3 * random_features(11, n=20, d=12)[0], np.arange(20) % 4
    metric = PACTranGaussian().fit(X, y)
    assert metric.parts_["cross_entropy"] < 1e-4
    order = rng.permutation(20)
    assert metric.score(X[order], y[order]) == pytest.approx(metric.score_, rel=1e-6)
    loss, _ = pactran.penalised_cross_entropy(X / 1e3, y, 1e6)
    assert metric.parts_["cross_entropy"] == pytest.approx(loss, rel=1e-4)


def test_constant_features_leave_the_class_shares():
    y = np.array([0, 0, 0, 1])
    metric = PACTranGaussian().fit(np.full((4, 3), 2.0), y)
    shares = np.array([0.75, 0.25])
    entropy = -np.sum(shares * np.log(shares))
    assert metric.parts_["cross_entropy"] == pytest.approx(entropy, rel=1e-9)


def test_gaussian_weights_count_as_rows_and_batches_stream():
    X, y = random_features(8)
    weights = np.arange(30) % 3
    weights[:3] = 1
    metric = PACTranGaussian()
    weighted = metric.score(X, y, sample_weight=weights)
    for start in range(0, 30, 8):
        rows = slice(start, start + 8)
        repeats = weights[rows]
        metric.partial_fit(
            np.repeat(X[rows], repeats, axis=0), np.repeat(y[rows], repeats)
        )
    assert metric.score_ == pytest.approx(weighted, rel=MINIMUM)


def test_a_fit_that_does_not_settle_is_reported(monkeypatch):
    monkeypatch.setattr(module, "MAX_ITERATIONS", 2)
    X, y = random_features(9)
    with pytest.warns(ConvergenceWarning, match="did not converge in 2 iterations"):
        pactran_score(X, y)


def test_features_are_not_overwritten():
    X, y = random_features(10)
    before = X.copy()
    pactran_score(X, y)
    np.testing.assert_array_equal(X, before)


# -- both ----------------------------------------------------------------------


@pytest.mark.parametrize("form", ["gaussian", *FORMS])
def test_one_class_has_no_score(form):
    with pytest.warns(UndefinedMetricWarning, match="compares classes"):
        assert np.isnan(pactran_score([[0.5, 0.5], [0.2, 0.8]], ["a", "a"], form=form))


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"form": "laplace"}, "'form' to be one of"),
        ({"form": "dirichlet", "alpha": 0.0}, "'alpha' to be a positive number"),
        ({"form": "gamma", "n_sweeps": 0}, "'n_sweeps' to be a positive integer"),
        ({"C": -1.0}, "'C' to be a positive number"),
        ({"spread": np.inf}, "'spread' to be a positive number"),
    ],
)
def test_parameters_out_of_range_are_refused(params, match):
    with pytest.raises(ValueError, match=match):
        pactran_score([[0.5, 0.5], [0.2, 0.8]], [0, 1], **params)


def test_the_names_make_the_metrics():
    assert isinstance(get_metric("pactran_dirichlet"), PACTranDirichlet)
    assert isinstance(get_metric("pactran_gamma"), PACTranGamma)
    assert isinstance(get_metric("pactran_gaussian"), PACTranGaussian)
    assert PACTranDirichlet.inputs == PACTranGamma.inputs == "source_proba"
