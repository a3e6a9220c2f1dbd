"""Pictures: what they show, and that it can be read in one column."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

from sklearn_transrate import TransferSelector, TransRate
from sklearn_transrate.exceptions import MissingDependencyError
from sklearn_transrate.metrics import LogME
from sklearn_transrate.results import (
    ClassRateDisplay,
    EpsCurveDisplay,
    LayerDisplay,
    MetricAgreementDisplay,
    RankingDisplay,
    SampleSizeDisplay,
    TransferResults,
)

DISPLAYS = (
    ClassRateDisplay,
    EpsCurveDisplay,
    LayerDisplay,
    MetricAgreementDisplay,
    RankingDisplay,
    SampleSizeDisplay,
)
LONG = "timm/vit_base_patch16_224.augreg_in21k_ft_in1k/{} / blocks.{}.attn.proj"
each_display = pytest.mark.parametrize("display", DISPLAYS)


@pytest.fixture(autouse=True)
def pyplot():
    matplotlib = pytest.importorskip("matplotlib", reason="needs the plot extra")
    matplotlib.use("Agg")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    yield pyplot
    pyplot.close("all")


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def selector(iris):
    candidates = [("raw", "passthrough"), ("pca", PCA(1)), ("petals", PCA(3))]
    scoring = ["transrate", "logme", "lfc"]
    return TransferSelector(candidates, scoring=scoring, random_state=0).fit(*iris)


def ranked(n, *, name="model {}", errors=0.1, failed=0, unknown=0):
    scores = np.linspace(1.0, 0.0, n)
    scores[n - failed - unknown :] = np.nan
    return TransferResults(
        {
            "candidate": [name.format(i, i) for i in range(n)],
            "score_x": scores,
            "std_error_x": np.where(np.isnan(scores), np.nan, errors),
            "error": [""] * (n - failed) + ["ValueError: no"] * failed,
        }
    )


def layered(n_models, n_layers, *, name="net{}"):
    rng = np.random.default_rng(0)
    records = [
        {
            "candidate": f"{name.format(model)} / {layer}",
            "extractor": name.format(model),
            "layer": f"block{layer}",
            "score_x": rng.normal(),
        }
        for model in range(n_models)
        for layer in range(n_layers + model % 3)
    ]
    return TransferResults.from_records(records)


def metrics_table(n_metrics, n=20):
    rng = np.random.default_rng(0)
    columns = {
        f"score_some_long_metric_{i}": rng.normal(size=n) for i in range(n_metrics)
    }
    return TransferResults({"candidate": [str(i) for i in range(n)]} | columns)


def boxes(display):
    """Everything written, as it stands after drawing, by group."""
    display.figure_.canvas.draw()
    axes = display.ax_
    groups = [
        # Ticks beyond the limits have labels as well, which are not drawn.
        [axis.label] + [tick.label1 for tick in axis._update_ticks()]
        for axis in (axes.xaxis, axes.yaxis)
    ]
    if getattr(display, "legend_", None) is not None:
        groups.append(display.legend_.get_texts())
    shown = [[text for text in group if text.get_text()] for group in groups]
    return [[text.get_window_extent() for text in group] for group in shown]


def assert_legible(display, *, rotated=False):
    """No two labels overlap, and none is cut off."""
    canvas = display.figure_.bbox.padded(1)
    for group in boxes(display):
        for box in group:
            assert canvas.x0 <= box.x0 <= box.x1 <= canvas.x1
            assert canvas.y0 <= box.y0 <= box.y1 <= canvas.y1
        if not rotated:
            assert not any(a.overlaps(b) for a, b in combinations(group, 2))


# -- what all displays have in common ------------------------------------------


@each_display
def test_displays_follow_scikit_learns_conventions(display):
    assert callable(display.plot)
    assert callable(getattr(display, "from_selector", None))
    others = {"from_results", "from_estimator"} & set(dir(display))
    assert others


def test_plot_returns_itself_and_keeps_its_artists(pyplot):
    _, ax = pyplot.subplots()
    display = RankingDisplay(candidates=["a", "b"], scores=[1.0, 0.5])
    assert not hasattr(display, "ax_")
    assert display.plot(ax) is display
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert len(display.points_.get_offsets()) == 2


def test_parameters_are_kept_as_they_are():
    scores = [0.5, 0.25]
    display = RankingDisplay(candidates=["a", "b"], scores=scores, score_name="logme")
    assert display.scores is scores
    assert display.score_name == "logme"


def test_new_figures_are_one_column_wide(selector):
    for display in (RankingDisplay, LayerDisplay, MetricAgreementDisplay):
        assert display.from_selector(selector).figure_.get_figwidth() == 3.5


def test_selectors_must_be_fitted():
    with pytest.raises(NotFittedError):
        RankingDisplay.from_selector(TransferSelector([("raw", "passthrough")]))


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    for name in [n for n in sys.modules if n.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingDependencyError, match=r"RankingDisplay.*\[plot\]"):
        RankingDisplay(candidates=["a"], scores=[1.0]).plot()


def test_importing_displays_does_not_import_matplotlib():
    code = (
        "import sys; from sklearn_transrate.results import RankingDisplay;"
        "RankingDisplay(candidates=['a'], scores=[1.0]);"
        "sys.exit('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_dollars_in_names_are_no_formulas():
    display = RankingDisplay(candidates=["a$_b$", "$\\frac"], scores=[1.0, 0.5]).plot()
    display.figure_.canvas.draw()
    assert display.ax_.get_yticklabels()[0].get_text() == "a$_b$"


# -- legible -------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 6, 50, 80])
@pytest.mark.parametrize("name", ["m{}", LONG, "{}" + 60 * "y"])
def test_rankings_of_any_length_are_legible(n, name):
    results = ranked(n, name=name, failed=n // 6, unknown=n // 6)
    display = RankingDisplay.from_results(results)
    assert_legible(display)
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert len(set(labels)) == len(labels) == min(n, 51)


def test_rankings_fit_axes_of_any_size(pyplot):
    _, ax = pyplot.subplots(layout="constrained")
    assert_legible(RankingDisplay.from_results(ranked(50, name=LONG), ax=ax))


@pytest.mark.parametrize(("n_models", "n_layers"), [(1, 1), (1, 12), (3, 40), (50, 6)])
@pytest.mark.parametrize("name", ["n{}", "organisation/some-pretrained-{}-of-a-model"])
def test_lines_of_many_models_are_legible(n_models, n_layers, name):
    display = LayerDisplay.from_results(layered(n_models, n_layers, name=name))
    turned = display.ax_.get_xticklabels()[0].get_rotation() != 0
    assert_legible(display, rotated=turned)


@pytest.mark.parametrize("n", [2, 8, 25])
def test_numbers_stay_in_their_cells(n):
    display = MetricAgreementDisplay.from_results(metrics_table(n))
    assert_legible(display, rotated=True)
    display.figure_.canvas.draw()
    cell = display.ax_.get_window_extent().width / n
    assert all(t.get_window_extent().width < 0.95 * cell for t in display.text_.flat)


def test_curves_of_several_candidates_are_legible(selector, iris):
    assert_legible(
        SampleSizeDisplay.from_selector(selector, *iris, sizes=[30, 60, 150])
    )
    assert_legible(EpsCurveDisplay.from_selector(selector, *iris))


@pytest.mark.parametrize("kind", ["classes", "pairs"])
def test_many_classes_with_long_names_are_legible(kind):
    X, _ = load_digits(return_X_y=True)
    y = np.arange(len(X)) % 30
    labels = np.array([f"a class with a long name, number {i}" for i in y])
    display = ClassRateDisplay.from_estimator(TransRate(), X, labels)
    assert_legible(display.plot(kind=kind))


# -- the ranking ---------------------------------------------------------------


def test_best_stands_on_top_and_the_failed_below():
    results = TransferResults(
        {
            "candidate": ["low", "broken", "high", "unknown"],
            "score_x": [0.1, None, 0.9, None],
            "error": ["", "ValueError: no", "", ""],
        }
    )
    display = RankingDisplay.from_results(results)
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels == ["high", "low", "unknown", "broken"]
    assert [text.get_text() for text in display.texts_] == ["no score", "failed"]
    assert display.ax_.yaxis_inverted()


def test_intervals_have_the_asked_confidence():
    display = RankingDisplay(candidates=["a"], scores=[1.0], std_errors=[0.1])
    (line,) = display.plot(confidence=0.6827).intervals_.get_segments()
    assert line[:, 0] == pytest.approx([0.9, 1.1], abs=1e-4)


def group_sizes(display):
    groups = display._groups(
        np.asarray(display.scores, dtype=float), display._errors(), 1.96
    )
    return [int((groups == g).sum()) for g in range(groups.max(initial=-1) + 1)]


def test_groups_end_where_the_first_can_be_told_apart():
    # The limit is 1.96 * hypot(0.1, 0.1) = 0.277 below each group's first.
    display = RankingDisplay(
        candidates=list("abcde"),
        scores=[1.0, 0.8, 0.7, 0.5, np.nan],
        std_errors=[0.1, 0.1, 0.1, 0.1, np.nan],
    )
    assert group_sizes(display) == [2, 2]
    faces = display.plot().points_.get_facecolors()
    assert [tuple(face) == tuple(faces[0]) for face in faces] == [1, 1, 0, 0]
    assert len(display.bands_) == 1


def test_bounds_of_ranks_decide_where_they_are_known():
    display = RankingDisplay(
        candidates=list("abcd"),
        scores=[4.0, 3.0, 2.0, 1.0],
        std_errors=[9.0, 9.0, 9.0, 9.0],
        rank_high=[1, 3, 3, 4],
    )
    assert group_sizes(display) == [1, 2, 1]


def test_without_standard_errors_there_are_no_groups():
    display = RankingDisplay(candidates=list("ab"), scores=[1.0, 0.5]).plot()
    assert display.bands_ == []
    assert not display.intervals_.get_segments()


def test_infinite_scores_are_written():
    display = RankingDisplay(candidates=list("ab"), scores=[1.0, -np.inf]).plot()
    assert display.texts_[0].get_text() == "minus infinite"


# -- layers --------------------------------------------------------------------


def test_the_best_layer_is_ringed_and_its_model_first():
    results = TransferResults(
        {
            "candidate": ["a1", "a2", "b1", "b2", "pixels"],
            "extractor": ["a", "a", "b", "b", "pixels"],
            "layer": ["l1", "l2", "l1", "l2", None],
            "score_x": [0.1, 0.2, 0.9, 0.3, 0.15],
        }
    )
    display = LayerDisplay.from_results(results)
    names = [text.get_text() for text in display.legend_.get_texts()]
    assert names == ["b", "a", "pixels"]
    assert display.best_.get_xydata().tolist() == [[1.0, 0.9]]
    assert display.lines_[0].get_ydata().tolist() == [0.9, 0.3]
    assert set(display.lines_[2].get_ydata()) == {0.15}


def test_models_of_different_depth_share_a_relative_axis():
    display = LayerDisplay.from_results(layered(3, 4))
    assert all(line.get_xdata()[[0, -1]].tolist() == [0, 1] for line in display.lines_)
    counted = LayerDisplay.from_results(layered(3, 4), depth="index")
    assert {line.get_xdata()[-1] for line in counted.lines_} == {4, 5, 6}


def test_models_without_a_score_have_no_line():
    display = LayerDisplay(
        extractors=["a", "a", "b"], layers=["1", "2", "1"], scores=[0.1, np.nan, np.nan]
    ).plot()
    assert len(display.lines_) == 1
    empty = LayerDisplay(extractors=["a"], layers=["1"], scores=[np.nan]).plot()
    assert empty.best_ is None


def test_few_models_look_the_same_whatever_the_metric():
    columns = {
        "candidate": ["a1", "a2", "b1", "b2"],
        "extractor": ["a", "a", "b", "b"],
        "score_x": [0.1, 0.2, 0.9, 0.3],
        "score_y": [0.9, 0.2, 0.1, 0.3],
    }
    looks = []
    for metric in ("x", "y"):
        display = LayerDisplay.from_results(TransferResults(columns), metric=metric)
        texts = [text.get_text() for text in display.legend_.get_texts()]
        colours = [line.get_color() for line in display.lines_]
        looks.append(dict(zip(texts, colours, strict=True)))
    assert looks[0] == looks[1]


def test_depth_is_one_of_three():
    with pytest.raises(ValueError, match=r"'depth'.*got 'deep'"):
        LayerDisplay.from_results(layered(1, 2), depth="deep")


# -- agreement -----------------------------------------------------------------


def test_agreement_is_over_the_rows_that_have_both():
    results = TransferResults(
        {
            "candidate": list("abcd"),
            "score_x": [1.0, 2.0, 3.0, None],
            "score_y": [1.0, 2.0, 3.0, -5.0],
            "score_flat": [1.0, 1.0, 1.0, 1.0],
            "accuracy": [0.9, 0.8, 0.7, 0.6],
        }
    )
    display = MetricAgreementDisplay.from_results(
        results, metrics=["x", "y", "flat", "accuracy"], statistic="kendall"
    )
    expected = np.full((4, 4), np.nan)
    expected[0, :2] = expected[:2, 0] = expected[1, 1] = expected[3, 3] = 1
    expected[0, 3] = expected[3, 0] = -1
    expected[1, 3] = expected[3, 1] = 0
    np.testing.assert_allclose(display.agreement, expected)
    written = [[text.get_text() for text in row] for row in display.text_]
    assert written[0] == ["1", "1", "-", "-1"]
    assert written[1][3] == "0"


def test_unknown_columns_and_statistics_are_refused():
    results = metrics_table(2)
    with pytest.raises(ValueError, match="no metric or column 'acuracy'"):
        MetricAgreementDisplay.from_results(results, metrics=["acuracy"])
    with pytest.raises(ValueError, match="holds text"):
        MetricAgreementDisplay.from_results(results, metrics=["candidate"])
    with pytest.raises(ValueError, match=r"'statistic'.*got 'cosine'"):
        MetricAgreementDisplay.from_results(results, statistic="cosine")


# -- samples -------------------------------------------------------------------


def test_tables_of_several_sizes_make_curves():
    small = TransferResults(
        {"candidate": ["a", "b"], "score_x": [0.1, 0.3], "n_samples": [10, 10]}
    )
    large = TransferResults(
        {"candidate": ["a"], "score_x": [0.2], "n_samples": [20], "std_error_x": [0.1]}
    )
    display = SampleSizeDisplay.from_results([small, large])
    assert display.names == ["a"]
    assert display.n_samples.tolist() == [10, 20]
    assert display.scores.tolist() == [[0.1, 0.2]]
    assert len(display.fill_between_) == 1


def test_tables_without_sizes_are_refused():
    with pytest.raises(ValueError, match="'n_samples' of these results is empty"):
        SampleSizeDisplay.from_results(ranked(3))


def test_all_samples_score_what_the_metric_says(iris):
    X, y = iris
    display = SampleSizeDisplay.from_estimator(LogME(), X, y, sizes=[60, 150])
    assert display.scores[0, 1] == LogME().score(X, y)
    assert display.std_errors[0, 0] > 0
    assert np.isnan(display.std_errors[0, 1])


def test_a_function_may_score_samples(iris):
    display = SampleSizeDisplay.from_estimator(
        lambda X, y: float(len(y)), *iris, sizes=[30, 60]
    )
    assert display.scores.tolist() == [[30.0, 60.0]]


@pytest.mark.parametrize("sizes", [[0, 10], [10, 151], [0.5], []])
def test_sizes_are_counts_of_samples(iris, sizes):
    with pytest.raises(ValueError, match="'sizes' as whole numbers from 1 to 150"):
        SampleSizeDisplay.from_estimator(LogME(), *iris, sizes=sizes)


# -- classes -------------------------------------------------------------------


@pytest.mark.parametrize(
    "metric",
    [
        TransRate.from_form("relative"),
        TransRate(class_weight="uniform"),
        *(
            TransRate.from_form(form)
            for form in ("definition", "protocol", "projected", "predictive")
        ),
    ],
    ids=lambda metric: repr(metric)[:40],
)
def test_contributions_add_up_to_the_score(metric, iris):
    X, y = iris
    metric = clone(metric)
    display = ClassRateDisplay(
        classes=range(3),
        contributions=_contributions_of(metric.fit(X, y)),
    )
    assert np.sum(display.contributions) == pytest.approx(metric.score_, abs=1e-12)


def _contributions_of(fitted):
    from sklearn_transrate.results._plot._classes import _contributions

    return _contributions(fitted)


def test_the_pair_that_overlaps_is_the_first(iris):
    X, y = iris
    display = ClassRateDisplay.from_estimator(TransRate(), X, y)
    assert display.pairs[0] == (1, 2)
    assert len(display.pairs) == 3
    assert np.all(np.diff(display.pair_scores) >= 0)


def test_metrics_without_classes_are_refused(iris):
    with pytest.raises(TypeError, match="each class is coded by itself, got LogME"):
        ClassRateDisplay.from_estimator(LogME(), *iris)


def test_bars_are_of_the_best_candidate(selector, iris):
    display = ClassRateDisplay.from_selector(selector, *iris)
    assert display.contributions.sum() == pytest.approx(selector.best_score_)
    with pytest.raises(ValueError, match=r"'kind'.*got 'bars'"):
        display.plot(kind="bars")


# -- distortion ----------------------------------------------------------------


def test_curves_are_those_of_the_metric(iris):
    X, y = iris
    grid = [0.01, 0.1, 1.0]
    display = EpsCurveDisplay.from_estimator(
        TransRate.from_form("relative"), {"a": X, "b": X * 5}, y, eps=grid
    )
    curve = TransRate.from_form("relative").fit(X, y).eps_curve(grid)
    np.testing.assert_array_equal(display.scores[0], curve.scores)
    np.testing.assert_allclose(display.scores[1], curve.scores)
    assert [marker.get_xdata()[0] for marker in display.defaults_] == [0.1, 0.1]
    assert display.ax_.get_xscale() == "log"


def test_selectors_that_decide_by_another_metric_are_refused(iris):
    chosen = TransferSelector([("raw", "passthrough")], scoring="logme").fit(*iris)
    with pytest.raises(TypeError, match=r"LogME.*no 'eps_curve'"):
        EpsCurveDisplay.from_selector(chosen, *iris)
