"""TransRate: the authors' numbers, the paper's definitions, its parts and its edges.

The form out of sample has its own tests, in `test_transrate_predictive`.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_transrate.exceptions import SwappedArgumentsError, UndefinedMetricWarning
from sklearn_transrate.metrics import TransRate, coding_rate, transrate_score
from sklearn_transrate.statistics import ClassMoments, RowSample
from tests.golden import golden, load_inputs
from tests.references import transrate as definition

INPUTS = load_inputs()
CLOSED_FORM = 1e-9
# The programs compute in the features' own precision, and keep float32 at that.
SINGLE_PRECISION = 1e-6
# Times d: what is left of log-determinants of the identity plus next to nothing. The
# programs subtract two of them, so this much of their small scores is rounding.
CANCELLATION = 1e-15

EPSILONS = (1e-4, 1e-2, 1)
DIVISORS = {"rank": "rank", "none": None, "dim": "n_features"}
# (eps, trace, divisor) of the programs run on every input.
PROTOCOLS = (
    (1e-4, 1, "rank"),
    (1e-2, 1, "rank"),
    (1e-4, 0, "rank"),
    (1e-4, 1, "none"),
    (1e-4, 1, "dim"),
)
PROGRAMS = {
    f"transrate_{program}_eps{eps}": TransRate.from_form(form, eps=eps)
    for program, form in (("listing", "listing"), ("prior_weighted", "definition"))
    for eps in EPSILONS
} | {
    f"transrate_protocol_{program}_eps{eps}_trace{trace}_{divisor}": (
        TransRate.from_form(
            form,
            eps=eps,
            eps_unit="trace" if trace else "absolute",
            normalize=DIVISORS[divisor],
        )
    )
    for program, form in (("centralized", "protocol"), ("proj", "projected"))
    for eps, trace, divisor in PROTOCOLS
}
# Where the numbers of the programs are made of rounding errors; shown below.
ROUNDED = {
    ("proj", "rank", "sklearn_breast_cancer"),
    ("proj", "trace0", "scale1e3_n200_d16_k5"),
}
GOLDEN = [
    pytest.param(program, name, id=f"{program}-{name}")
    for program in PROGRAMS
    for name in golden(program)
    if not any(
        name == spoilt and kind in program and mark in program
        for kind, mark, spoilt in ROUNDED
    )
]


def random_features(seed, n, d, n_classes=3):
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, n)])
    means = 0.5 * rng.standard_normal((n_classes, d))
    spread = np.linspace(0.2, 2.0, d)
    return means[y] + spread * rng.standard_normal((len(y), d)) + 1.0, y


# -- the authors' numbers --------------------------------------------------------------


@pytest.mark.parametrize(("program", "name"), GOLDEN)
def test_published_programs_give_the_same(program, name):
    X, y = INPUTS[name]["X"], INPUTS[name]["y"]
    rtol = SINGLE_PRECISION if X.dtype == np.float32 else CLOSED_FORM
    expected = golden(program)[name]
    score = PROGRAMS[program].score(X, y)
    assert score == pytest.approx(expected, rel=rtol, abs=CANCELLATION * X.shape[1])


@pytest.mark.parametrize("eps", [1e-4, 1e-2])
def test_the_projected_program_counts_a_rounding_error_as_a_direction(eps):
    # Two classes differ in one direction, so the score is over one, not two.
    case = INPUTS["sklearn_breast_cancer"]
    spectrum, _, _, _ = definition.between_class_spectra(case["X"], case["y"])
    assert spectrum[1] < 1e-14 * spectrum[0]
    program = f"transrate_protocol_proj_eps{eps}_trace1_rank"
    score = PROGRAMS[program].score(case["X"], case["y"])
    halved = golden(program)["sklearn_breast_cancer"]
    assert score == pytest.approx(2 * halved, rel=CLOSED_FORM)


def test_the_projected_program_adds_up_rounding_errors_beside_a_small_distortion():
    # Five classes span four directions. At this scale the other twelve eigenvalues,
    # zero but for rounding, are a visible part of eps, and the program sums them.
    case = INPUTS["scale1e3_n200_d16_k5"]
    total, classes, counts, rank = definition.between_class_spectra(
        case["X"], case["y"]
    )
    assert rank == 4
    assert 0 < total[4:].max() < 1e-14 * total[0]
    program = "transrate_protocol_proj_eps0.0001_trace0_rank"
    published = golden(program)["scale1e3_n200_d16_k5"]
    noisy = definition.transrate_from_eigenvalues(total, classes, counts, 1e-4, 4)
    clean = definition.transrate_from_eigenvalues(
        total[:4], [spectrum[:4] for spectrum in classes], counts, 1e-4, 4
    )
    score = PROGRAMS[program].score(case["X"], case["y"])
    assert score == pytest.approx(clean, rel=CLOSED_FORM)
    # The same noise, drawn again by another build of LAPACK.
    assert abs(noisy - clean) < 1e-5 * clean
    assert abs(published - clean) < 1e-5 * clean
    assert published != pytest.approx(clean, rel=CLOSED_FORM)


# -- the definitions -------------------------------------------------------------------

DEFINITIONS = {
    "listing": definition.transrate_listing,
    "definition": definition.transrate_definition,
    "protocol": definition.transrate_centralized,
    "projected": definition.transrate_projected,
}


@pytest.mark.parametrize("form", ["listing", "definition", "protocol"])
@given(
    st.integers(0, 2**16), st.integers(3, 40), st.integers(2, 12), st.floats(1e-3, 1.0)
)
def test_definition_gives_the_same(form, seed, n, d, eps):
    X, y = random_features(seed, n, d)
    expected = DEFINITIONS[form](X, y, eps)
    score = TransRate.from_form(form, eps=eps).score(X, y)
    assert score == pytest.approx(expected, rel=CLOSED_FORM, abs=1e-12 * d)


@given(
    st.integers(0, 2**16), st.integers(30, 60), st.integers(1, 6), st.floats(1e-3, 1.0)
)
def test_definition_of_the_projected_form_gives_the_same(seed, n, d, eps):
    # Of many samples: for few, the definition inverts rounding errors.
    X, y = random_features(seed, n, d)
    expected = definition.transrate_projected(X, y, eps, per_rank=False)
    metric = TransRate.from_form("projected", eps=eps, normalize=None).fit(X, y)
    assert metric.score_ == pytest.approx(expected, rel=CLOSED_FORM, abs=1e-12 * d)
    assert metric.parts_["rank"] == min(d, 2)


@pytest.mark.parametrize("shape", [(20, 60), (60, 60)])
def test_few_samples_leave_nothing_within_classes_after_projection(shape):
    # Every label is a linear function of that many features.
    X, y = random_features(1, *shape)
    X = X[: shape[0]]
    parts = TransRate.from_form("projected").fit(X, y[: shape[0]]).parts_
    assert parts["rank"] == 2
    assert parts["conditional_rate"] < 1e-6 * parts["rate"]


@pytest.mark.parametrize("form", ["listing", "definition", "protocol"])
@pytest.mark.parametrize("shape", [(20, 60), (60, 60), (61, 60), (200, 60)])
def test_the_thinner_side_gives_the_same(form, shape):
    X, y = random_features(1, *shape)
    expected = DEFINITIONS[form](X, y, 0.01)
    score = TransRate.from_form(form, eps=0.01).score(X, y)
    assert score == pytest.approx(expected, rel=CLOSED_FORM)


def test_a_large_class_among_small_ones_gives_the_same():
    # One class has more rows than features, the others have fewer.
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [100, 5, 1])
    X = rng.standard_normal((106, 20)) + y[:, None]
    expected = definition.transrate_definition(X, y, 0.01)
    score = transrate_score(X, y, eps=0.01, normalize=None)
    assert score == pytest.approx(expected, rel=CLOSED_FORM)


def test_two_points_by_hand():
    # Total variance 1; each class is one point at distance 1: R = (1/2) log 2 each.
    X, y = [[-1.0], [1.0]], ["left", "right"]
    assert transrate_score(X, y, eps=1.0) == 0.0
    # One class at both ends, one in the middle: variances 2/3, 1 and 0.
    X, y = [[-1.0], [1.0], [0.0]], ["ends", "ends", "middle"]
    by_hand = 0.5 * np.log(1 + 2 / 3) - 2 / 3 * 0.5 * np.log(2)
    assert transrate_score(X, y, eps=1.0) == pytest.approx(by_hand)


def test_a_tight_majority_can_make_the_listing_negative_but_not_the_definition():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [990, 10])
    X = rng.standard_normal((1000, 5)) * np.where(y == 0, 0.1, 3.0)[:, None]
    assert TransRate.from_form("listing", eps=1e-2).score(X, y) < -3
    assert TransRate.from_form("definition", eps=1e-2).score(X, y) > 3


# -- distortion, divisor, weights ------------------------------------------------------


@pytest.mark.parametrize("shape", [(40, 6), (10, 40)])
@pytest.mark.parametrize(
    "params",
    [{"estimate": "plug_in"}, {"class_weight": "uniform"}, {"projection": "between"}],
)
def test_auto_is_a_tenth_of_the_mean_eigenvalue(shape, params):
    X, y = random_features(2, *shape)
    auto = transrate_score(X, y, **params)
    spelt = transrate_score(X, y, eps=0.1, eps_unit="mean_eigenvalue", **params)
    assert auto == spelt


@pytest.mark.parametrize("shape", [(40, 6), (10, 40)])
def test_units_of_the_distortion_follow_from_the_covariance(shape):
    X, y = random_features(2, *shape)
    covariance = np.cov(X.T, bias=True)
    rank = np.linalg.matrix_rank(covariance)
    for unit, size in (
        ("trace", np.trace(covariance)),
        ("mean_eigenvalue", np.trace(covariance) / rank),
    ):
        absolute = transrate_score(X, y, eps=0.2 * size)
        relative = transrate_score(X, y, eps=0.2, eps_unit=unit)
        assert relative == pytest.approx(absolute, rel=CLOSED_FORM)


def test_divisors_are_the_rank_and_the_width():
    X, y = random_features(3, 40, 5)
    X = np.hstack([X, X[:, :2], np.ones((len(X), 1))])
    whole = transrate_score(X, y, eps=0.1, normalize=None)
    assert transrate_score(X, y, eps=0.1) == pytest.approx(whole / 5)
    by_width = transrate_score(X, y, eps=0.1, normalize="n_features")
    assert by_width == pytest.approx(whole / 8)


def test_equal_classes_make_both_weightings_equal():
    X, y = random_features(4, 27, 5)
    balanced = np.arange(len(X)) % 3
    prior = transrate_score(X, balanced, eps=0.1)
    uniform = transrate_score(X, balanced, eps=0.1, class_weight="uniform")
    assert prior == pytest.approx(uniform, rel=CLOSED_FORM)
    assert transrate_score(X, y, estimate="plug_in") != transrate_score(
        X, y, class_weight="uniform"
    )


# -- parts -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "params",
    [
        {"estimate": "plug_in"},
        {"normalize": None, "eps": 0.01},
        {"class_weight": "uniform"},
        {"row_norm": "l2"},
        {"projection": "between"},
        {"covariance": "pooled"},
    ],
    ids=str,
)
def test_parts_add_up_to_the_score(params):
    X, y = random_features(5, 40, 6)
    metric = TransRate(**params).fit(X, y)
    parts = metric.parts_
    left = parts["rate"] - parts["conditional_rate"]
    assert left == pytest.approx(metric.score_, rel=CLOSED_FORM)
    if "class_rates" in parts:
        weights = parts["class_counts"] / parts["class_counts"].sum()
        if metric.class_weight == "uniform":
            weights = np.full(3, 1 / 3)
        weighted = weights @ parts["class_rates"]
        assert weighted == pytest.approx(parts["conditional_rate"], rel=CLOSED_FORM)


def test_the_rate_is_the_coding_rate():
    X, y = random_features(5, 40, 6)
    parts = TransRate(normalize=None).fit(X, y).parts_
    assert parts["rate"] == pytest.approx(coding_rate(X), rel=CLOSED_FORM)
    assert parts["rate"] == pytest.approx(coding_rate(X, eps=parts["eps"]))
    assert parts["class_counts"].tolist() == np.bincount(y).tolist()
    assert parts["rank"] is not None


def test_the_rate_bounds_the_score():
    X, y = random_features(5, 40, 6)
    metric = TransRate.from_form("relative").fit(X, y)
    assert 0 <= metric.score_ <= metric.parts_["rate"]


def test_changing_parts_does_not_change_the_metric():
    X, y = random_features(5, 40, 6)
    metric = TransRate.from_form("relative").fit(X, y)
    score = metric.score_
    metric.parts_["class_counts"][:] = 0
    assert metric.partial_fit(X, y).score_ == pytest.approx(score)


# -- invariances -----------------------------------------------------------------------


@given(st.integers(0, 2**16), st.floats(1e-6, 1e6), st.floats(-1e3, 1e3))
def test_the_default_sees_neither_scale_nor_offset_nor_rotation(seed, scale, offset):
    X, y = random_features(seed, 30, 4)
    rotation = np.linalg.qr(np.random.default_rng(seed).standard_normal((4, 4)))[0]
    moved = scale * (X + offset) @ rotation
    assert transrate_score(moved, y, estimate="plug_in") == pytest.approx(
        transrate_score(X, y, estimate="plug_in"), rel=1e-7
    )


def test_an_absolute_distortion_sees_the_scale_and_says_so():
    X, y = random_features(6, 40, 5)
    metric = TransRate.from_form("definition")
    assert "scale" not in metric.invariances
    assert metric.score(1e-3 * X, y) < 0.1 * metric.score(X, y)


def test_normalised_rows_see_the_offset_and_say_so():
    X, y = random_features(6, 40, 5)
    metric = TransRate.from_form("protocol")
    assert "translation" not in metric.invariances
    assert metric.score(X + 1e3, y) != pytest.approx(metric.score(X, y), rel=1e-3)
    assert metric.score(1e3 * X, y) == pytest.approx(metric.score(X, y))


def test_columns_that_repeat_nothing_new_leave_the_rank():
    X, y = random_features(6, 40, 5)
    padded = np.hstack([X, np.zeros((len(X), 3))])
    assert transrate_score(padded, y, estimate="plug_in") == pytest.approx(
        transrate_score(X, y, estimate="plug_in")
    )


# -- streams ---------------------------------------------------------------------------


@pytest.mark.parametrize("form", [*DEFINITIONS, None])
def test_batches_give_the_same(form):
    X, y = random_features(7, 60, 8, n_classes=4)
    metric = (
        TransRate.from_form("relative") if form is None else TransRate.from_form(form)
    )
    for rows in np.array_split(np.arange(len(X)), 7):
        metric.partial_fit(X[rows], y[rows])
    assert metric.score_ == pytest.approx(metric.score(X, y), rel=CLOSED_FORM)
    assert metric.n_samples_seen_ == len(X)


def test_classes_may_appear_in_any_batch():
    X, y = random_features(7, 30, 4)
    order = np.argsort(-y, kind="stable")  # the last class comes first
    metric = TransRate.from_form("relative")
    for label in (2, 1, 0):
        rows = order[y[order] == label]
        if label == 2:
            with pytest.warns(UndefinedMetricWarning, match="one class"):
                assert metric.partial_fit(X[rows], y[rows]).score_ == 0.0
        else:
            metric.partial_fit(X[rows], y[rows])
    assert metric.classes_.tolist() == [0, 1, 2]
    assert metric.score_ == pytest.approx(
        transrate_score(X, y, estimate="plug_in"), rel=CLOSED_FORM
    )


def test_unexpected_classes_are_refused_where_classes_are_given():
    with pytest.raises(ValueError, match=r"Expected labels among 'classes', got \[2\]"):
        TransRate.from_form("relative").partial_fit(
            [[1.0], [2.0]], [0, 2], classes=[0, 1]
        )


def test_normalised_rows_are_kept_until_their_mean_is_known():
    X, y = random_features(7, 30, 4)
    metric = TransRate(row_norm="l2")
    required = metric.required_statistics()
    assert isinstance(required["rows"], RowSample)
    rows = RowSample.from_batch(X[:10], y[:10])
    rows.absorb(RowSample.from_batch(X[10:], y[10:]))
    assert metric.evaluate(rows).score == metric.score(X, y)


def test_a_row_of_zeros_stays_where_rows_are_normalised():
    # The published program divides zero by zero here.
    X, y = random_features(7, 30, 4)
    X[3] = 0.0
    expected = definition.transrate_centralized(X, y)
    score = TransRate.from_form("protocol").score(X, y)
    assert score == pytest.approx(expected, rel=CLOSED_FORM)


def test_merging_two_streams_is_seeing_both():
    X, y = random_features(8, 40, 5)
    left = TransRate.from_form("relative").fit(X[:15], y[:15])
    right = TransRate.from_form("relative").fit(X[15:], y[15:])
    before = left.score_, right.score_
    merged = left.merge(right)
    assert merged.score_ == pytest.approx(
        transrate_score(X, y, estimate="plug_in"), rel=CLOSED_FORM
    )
    assert (left.score_, right.score_) == before


def test_metrics_of_other_parameters_are_not_merged():
    X, y = random_features(8, 40, 5)
    left, right = TransRate(eps=1.0).fit(X, y), TransRate(eps=2.0).fit(X, y)
    with pytest.raises(ValueError, match=r"Expected another TransRate\(eps=1.0\)"):
        left.merge(right)


def test_a_statistic_that_knows_less_is_refused():
    X, y = random_features(8, 40, 5)
    pooled = ClassMoments.from_batch(X, y, scatter="pooled")
    with pytest.raises(ValueError, match="Expected a statistic that covers"):
        TransRate.from_form("relative").evaluate(pooled)
    assert TransRate(covariance="pooled").evaluate(pooled).score > 0


# -- edges -----------------------------------------------------------------------------


def test_one_class_scores_zero_with_a_warning():
    with pytest.warns(UndefinedMetricWarning, match=r"one class \('cat'\)"):
        assert transrate_score([[1.0], [2.0]], ["cat", "cat"]) == 0.0


@pytest.mark.parametrize("params", [{}, {"eps": 0.1}, {"projection": "between"}])
def test_constant_features_score_zero(params):
    assert transrate_score(np.full((4, 3), 7.0), [0, 0, 1, 1], **params) == 0.0


def test_classes_of_one_sample_are_points():
    X, y = random_features(9, 30, 4)
    y[0] = 99
    expected = definition.transrate_definition(X, y, 0.1)
    score = transrate_score(X, y, eps=0.1, normalize=None)
    assert score == pytest.approx(expected, rel=CLOSED_FORM)
    assert np.isfinite(transrate_score(X, y, projection="between"))


@pytest.mark.parametrize(
    "names", [["a", "b", "c"], [-5, 0, 7], [True, 2, "x"], [(0,), (1,), (2, 3)]]
)
def test_names_of_labels_do_not_matter(names):
    X, y = random_features(9, 30, 4)
    labels = np.empty(len(y), dtype=object)
    labels[:] = [names[k] for k in y]
    score = transrate_score(X, y, class_weight="uniform")
    named = transrate_score(X, labels, class_weight="uniform")
    assert named == pytest.approx(score, rel=1e-12)


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-6), (np.float16, 1e-2)])
def test_lower_precision_is_close_and_left_untouched(dtype, rtol):
    X, y = random_features(9, 60, 6)
    low = X.astype(dtype)
    low.flags.writeable = False
    assert transrate_score(low, y, estimate="plug_in") == pytest.approx(
        transrate_score(X, y, estimate="plug_in"), rel=rtol
    )


def test_an_offset_of_a_million_costs_no_digits():
    X, y = random_features(9, 60, 6)
    X = np.round(X, 3)
    moved = transrate_score(X + 2.0**20, y, estimate="plug_in")
    assert moved == pytest.approx(transrate_score(X, y, estimate="plug_in"), rel=1e-8)


def test_weights_count_as_repeated_rows():
    X, y = random_features(9, 20, 4)
    weights = np.arange(len(y)) % 3
    repeated = np.repeat(np.arange(len(y)), weights)
    expected = transrate_score(X[repeated], y[repeated])
    weighted = transrate_score(X, y, sample_weight=weights)
    assert weighted == pytest.approx(expected, rel=CLOSED_FORM)


# -- errors ----------------------------------------------------------------------------

GOOD_X, GOOD_Y = [[0.0, 1.0], [1.0, 3.0], [2.0, 1.0]], [0, 1, 0]


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (GOOD_X, [0, 1], r"inconsistent numbers of samples: \[3, 2\]"),
        ([[0.0], [np.nan], [1.0]], GOOD_Y, "contains NaN"),
        ([[0.0], [np.inf], [1.0]], GOOD_Y, "contains infinity"),
        (GOOD_X, [0.0, np.nan, 1.0], "y contains NaN"),
        (np.empty((0, 2)), [], r"0 sample\(s\)"),
        (np.empty((2, 0)), [0, 1], r"0 feature\(s\)"),
        (GOOD_X, None, "Pass one label per row of X"),
        ([1.0, 2.0, 3.0], GOOD_Y, "Expected 2D array"),
    ],
)
def test_features_and_labels_must_fit_together(X, y, message):
    with pytest.raises(ValueError, match=message):
        transrate_score(X, y, estimate="plug_in")


def test_labels_first_are_refused_with_the_remedy():
    with pytest.raises(SwappedArgumentsError, match=r"Swap the arguments.*y_first"):
        transrate_score(GOOD_Y, GOOD_X, estimate="plug_in")


@pytest.mark.parametrize("eps", [0, -1e-4, np.nan, np.inf, "large"])
def test_distortion_must_be_positive(eps):
    with pytest.raises(ValueError, match="Expected 'eps' to be positive or 'auto'"):
        transrate_score(GOOD_X, GOOD_Y, eps=eps)


@pytest.mark.parametrize(
    "name",
    [
        "class_weight",
        "normalize",
        "row_norm",
        "projection",
        "eps_unit",
        "covariance",
        "estimate",
    ],
)
def test_unknown_options_are_named_with_what_is_expected(name):
    with pytest.raises(ValueError, match=f"Expected '{name}' to be one of .*'odd'"):
        transrate_score(GOOD_X, GOOD_Y, **{name: "odd"})


def test_unknown_forms_and_tasks_are_refused():
    with pytest.raises(ValueError, match=r"Expected 'form' to be one of .*'paper'"):
        TransRate.from_form("paper")
    with pytest.raises(ValueError, match=r"'task' to be 'auto' or one of .*'ranking'"):
        transrate_score(GOOD_X, GOOD_Y, task="ranking")


@pytest.mark.parametrize("params", [{}, {"covariance": "pooled"}])
def test_the_projection_is_for_classes_only(params):
    y = [0.5, 1.5, 2.5] if not params else GOOD_Y
    with pytest.raises(ValueError, match="Use covariance='class' and class labels"):
        transrate_score(GOOD_X, y, projection="between", **params)


def test_nothing_can_be_read_before_fit():
    metric = TransRate.from_form("relative")
    assert not hasattr(metric, "score_")
    with pytest.raises(AttributeError, match="has seen no data yet"):
        metric.parts_  # noqa: B018


def test_sums_of_single_precision_features_are_not_single():
    # Sums in float32 take rounding errors for directions: here, for five more.
    rng = np.random.default_rng(0)
    y = np.arange(600) % 3
    turned = np.linalg.qr(rng.standard_normal((32, 32)))[0][:20]
    single = (rng.standard_normal((600, 20)) @ turned).astype(np.float32)
    metric = TransRate().fit(single, y)
    assert metric.parts_["rank"] == 20
    double = transrate_score(single.astype(np.float64), y)
    assert metric.score_ == pytest.approx(double, rel=1e-12)
