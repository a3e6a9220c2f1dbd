"""The demonstration: its experiment, its texts and its picture."""

from __future__ import annotations

import math
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import weightedtau
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_transrate.datasets import load_digits_sources
from sklearn_transrate.demo import (
    check_picture,
    draw_picture,
    json_report,
    markdown_report,
    network_specs,
    plain_report,
    pretrain_network,
    run_demo,
    save_picture,
)
from sklearn_transrate.exceptions import MissingDependencyError, UnknownMetricError
from sklearn_transrate.metrics import logme_score, transrate_score
from sklearn_transrate.results import TransferResults

SMALL = {"n_copies": 1, "n_epochs": 4}


@pytest.fixture(scope="module")
def stages():
    return []


@pytest.fixture(scope="module")
def result(stages):
    return run_demo(
        ["transrate", "logme"],
        sources=["digits", "turns", "random"],
        models=["deep", "narrow"],
        progress=lambda *told: stages.append(told),
        **SMALL,
    )


def without_times(results):
    drop = ("fit_time", "transform_time", "score_time", "head_time")
    return TransferResults({k: v for k, v in dict(results).items() if k not in drop})


# -- networks --------------------------------------------------------------------------


def test_every_source_has_the_standard_shape_and_other_shapes_learn_the_first():
    specs = network_specs()
    standard = specs[0].hidden_layer_sizes
    by_source = [s for s in specs if s.hidden_layer_sizes == standard]
    others = [s for s in specs if s.hidden_layer_sizes != standard]
    assert len(by_source) == 13
    assert [s.name for s in by_source if not s.is_trained] == ["untrained"]
    assert {s.source for s in others} == {"digits"}
    assert len({s.name for s in specs}) == len(specs)


def test_pretraining_learns_the_source_task():
    source = load_digits_sources(["digits"], n_copies=1, random_state=0)["digits"]
    trained, untrained, *_ = network_specs(["digits"], [])
    learned = pretrain_network(trained, source, random_state=0).score(
        source.X, source.y
    )
    as_drawn = pretrain_network(untrained, source, random_state=0)
    assert learned > 0.9
    assert as_drawn.score(source.X, source.y) < 0.5


def test_the_untrained_network_keeps_the_weights_it_was_drawn_with():
    spec = network_specs(["digits"], [])[1]
    source = load_digits_sources(["digits"], n_copies=1, random_state=0)["digits"]
    network = pretrain_network(spec, source, random_state=3)
    # The same draw, seen through another task of as many inputs and classes.
    other = source._replace(X=source.X[::-1])
    again = pretrain_network(spec, other, random_state=3)
    assert isinstance(network, MLPClassifier)
    for weights, same in zip(network.coefs_, again.coefs_, strict=True):
        np.testing.assert_array_equal(weights, same)
        assert weights.std() > 0.01


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["digits"], ["huge"]), "Expected 'models' among .*'narrow'.*'huge'"),
        (([], None), "at least one source"),
    ],
)
def test_networks_that_do_not_exist_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        network_specs(*arguments)


# -- the experiment --------------------------------------------------------------------


def test_every_hidden_layer_and_the_pixels_are_candidates(result):
    names = result.results["candidate"].tolist()
    expected = ["pixels"]
    for spec in result.specs:
        depth = len(spec.hidden_layer_sizes)
        expected += [f"{spec.name} / hidden_{i}" for i in range(1, depth + 1)]
    assert names == expected
    assert len(names) == 1 + 4 * 3 + 5 + 3
    assert set(result.results["status"]) == {"ok"}


def test_scores_and_accuracies_are_what_a_user_would_get_by_hand(result):
    target = result.target
    extractor = dict(result.selector.extractors_)["turns"].with_layer("hidden_2")
    Z, Z_test = extractor.transform(target.X_train), extractor.transform(target.X_test)
    head = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    head.fit(Z, target.y_train)
    row = result.results["candidate"].tolist().index("turns / hidden_2")
    record = result.results[row]
    assert record["accuracy"] == head.score(Z_test, target.y_test)
    assert record["score_transrate"] == pytest.approx(
        transrate_score(Z, target.y_train)
    )
    assert record["score_logme"] == pytest.approx(logme_score(Z, target.y_train))


def test_the_first_metric_decides(result):
    assert result.metrics == ["transrate", "logme"]
    best = result.results.best("transrate")
    assert result.selector.best_name_ == best["extractor"]
    assert result.selector.best_layer_ == best["layer"]


def test_pretraining_makes_a_difference(result):
    accuracy = result.results["accuracy"]
    assert accuracy.max() - accuracy.min() > 0.15
    assert accuracy.min() > 0.2  # the share of one class


def test_times_are_those_of_ranking_and_of_training(result):
    assert set(result.ranking_times) == {"transrate", "logme"}
    assert min(result.ranking_times.values()) > 0
    head_times = result.results["head_time"]
    assert (head_times > 0).all()
    # Making the features is the rest.
    assert result.training_time > head_times.sum()
    expected = result.training_time / result.ranking_times["logme"]
    assert result.speedup("logme") == expected


def test_each_question_is_about_its_candidates(result):
    questions = {
        question: table["candidate"].tolist()
        for question, table in result.questions().items()
    }
    assert questions["which candidate"] == result.results["candidate"].tolist()
    last = "hidden_3"
    assert questions["which source"] == [
        f"{name} / {last}" for name in ("digits", "turns", "random", "untrained")
    ]
    assert questions["which model"] == [
        f"digits / {last}",
        "digits (deep) / hidden_5",
        f"digits (narrow) / {last}",
    ]
    assert questions["which layer"] == [
        f"digits (deep) / hidden_{i}" for i in range(1, 6)
    ]


def test_agreement_is_that_of_scores_and_accuracies(result):
    agreements = {(a.question, a.metric): a for a in result.agreements()}
    assert len(agreements) == 4 * 2
    for (question, metric), agreement in agreements.items():
        table = result.questions()[question]
        score, accuracy = table[f"score_{metric}"], table["accuracy"]
        tau = weightedtau(accuracy, score).statistic
        assert agreement.weighted_tau == pytest.approx(tau)
        assert agreement.n_candidates == len(table)
        assert agreement.first == table["candidate"][np.argmax(score)]
        assert agreement.accuracy == accuracy[np.argmax(score)]
        assert agreement.best_accuracy == accuracy.max()
        assert agreement.accuracy_lost == accuracy.max() - agreement.accuracy


def test_a_question_of_one_candidate_is_not_asked():
    result = run_demo(["transrate"], sources=["turns"], models=[], **SMALL)
    assert list(result.questions()) == [
        "which candidate",
        "which source",
        "which layer",
    ]


def test_progress_tells_each_stage_from_its_begin_to_its_end(result, stages):
    totals = {"pretraining": 6, "ranking": 2, "training heads": 21}
    assert list(dict.fromkeys(stage for stage, *_ in stages)) == list(totals)
    for name, total in totals.items():
        told = [(done, of) for stage, done, of in stages if stage == name]
        assert told == [(i, total) for i in range(total + 1)]


def test_the_same_seed_gives_the_same_table_also_in_two_processes():
    arguments = {"sources": ["digits", "noisy"], "models": [], **SMALL}
    one, two, other = (
        run_demo(["transrate"], n_jobs=n_jobs, random_state=seed, **arguments)
        for n_jobs, seed in ((1, 5), (2, 5), (1, 6))
    )
    assert without_times(one.results) == without_times(two.results)
    assert without_times(one.results) != without_times(other.results)


@pytest.mark.parametrize(
    ("metrics", "error", "message"),
    [
        (["transrat"], UnknownMetricError, "Did you mean 'transrate'"),
        ([], ValueError, "at least one metric"),
        (["logme", "logme"], ValueError, "distinct metrics"),
    ],
)
def test_metrics_that_cannot_rank_are_refused_before_the_work(metrics, error, message):
    told = []
    with pytest.raises(error, match=message):
        run_demo(metrics, progress=lambda *stage: told.append(stage), **SMALL)
    assert told == []


# -- texts -----------------------------------------------------------------------------


@pytest.mark.parametrize("n_shown", [1, 3, 100])
def test_text_lists_the_first_and_always_the_best(result, n_shown):
    text = plain_report(result, n_shown=n_shown)
    ranked = text.split("\n\n")[1].splitlines()[1:]
    ordered = result.results.sort()["candidate"].tolist()
    best = result.agreements()[0].best
    named = [line for line in ranked if not line.startswith("...")]
    expected = ordered[:n_shown]
    expected += [best] if best not in expected else []
    for line, name in zip(named, expected, strict=True):
        assert f" {name} " in line
    n_hidden = sum(int(line.split()[1]) for line in ranked if line.startswith("..."))
    assert n_hidden + len(named) == len(ordered)


def test_text_fits_a_terminal_and_says_what_it_cost(result):
    text = plain_report(result)
    assert max(map(len, text.splitlines())) <= 100
    for metric in result.metrics:
        assert f"Ranking by {metric} took" in text
    for agreement in result.agreements():
        assert f"{agreement.question}?" in text
        assert f"{agreement.weighted_tau:.2f}" in text


def test_rank_by_accuracy_counts_the_candidates_that_are_better(result):
    lines = markdown_report(result).split("\n\n")[1].splitlines()
    header = [cell.strip() for cell in lines[0].strip("| ").split(" | ")]
    rows = [line.strip("| ").split(" | ") for line in lines[2:]]
    accuracy = result.results["accuracy"]
    names = result.results["candidate"].tolist()
    assert len(rows) == len(names)
    for row in rows:
        cells = dict(zip(header, row, strict=True))
        own = accuracy[names.index(cells["candidate"])]
        assert int(cells["rank by accuracy"]) == 1 + (accuracy > own).sum()
        assert cells["accuracy"] == f"{own:.3f}"


def test_json_reads_back_as_the_table_with_the_agreements(result):
    again = TransferResults.from_json(json_report(result))
    assert again == result.results
    facts = again.metadata["demo"]
    assert facts["random_state"] == 0
    assert facts["ranking_times"] == result.ranking_times
    first, agreement = facts["agreements"][0], result.agreements()[0]
    assert first["weighted_tau"] == pytest.approx(agreement.weighted_tau)
    assert first["accuracy_lost"] == agreement.accuracy_lost


def test_agreement_of_scores_that_are_all_alike_is_a_dash(result):
    columns = dict(result.results) | {"score_logme": np.zeros(len(result.results))}
    flat = replace(result, results=TransferResults(columns))
    assert math.isnan(flat.agreements()[1].weighted_tau)
    answers = plain_report(flat).split("\n\n")[2].splitlines()
    line = next(line for line in answers if line.split()[0] == "logme")
    assert line.split()[1] == "-"


# -- the picture -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def figure(result):
    pytest.importorskip("matplotlib")
    return draw_picture(result)


def test_picture_has_a_panel_for_each_metric(result, figure):
    assert len(figure.axes) == 2
    for panel, agreement in zip(figure.axes, result.agreements(), strict=False):
        assert panel.get_xlabel() == f"{agreement.metric} score"
        assert f"{agreement.weighted_tau:.2f}" in panel.get_title(loc="left")


def test_picture_shows_every_candidate_once_and_rings_the_first(result, figure):
    for panel, agreement in zip(figure.axes, result.agreements(), strict=False):
        *kinds, ring = panel.collections
        drawn = np.concatenate([points.get_offsets() for points in kinds])
        score = result.results[f"score_{agreement.metric}"]
        pairs = np.column_stack([score, result.results["accuracy"]])
        np.testing.assert_array_equal(
            drawn[np.lexsort(drawn.T)], pairs[np.lexsort(pairs.T)]
        )
        assert ring.get_offsets().tolist() == [[score.max(), agreement.accuracy]]


def test_labels_cover_neither_each_other_nor_the_frame(figure):
    figure.draw_without_rendering()
    for panel in figure.axes:
        frame = panel.get_window_extent()
        boxes = [t.get_window_extent() for t in panel.texts if t.get_text()]
        assert len(boxes) >= 4
        for i, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[i + 1 :])
            assert frame.x0 <= box.x0
            assert box.x1 <= frame.x1


def test_kinds_of_layers_differ_in_colour_and_in_marker(figure):
    *kinds, _ = figure.axes[0].collections
    colours = {tuple(points.get_facecolor()[0]) for points in kinds}
    markers = {points.get_paths()[0].vertices.tobytes() for points in kinds}
    assert len(colours) == len(markers) == len(kinds) == 4


@pytest.mark.parametrize(
    ("name", "beginning"), [("demo.png", b"\x89PNG"), ("demo.svg", b"<?xml")]
)
def test_picture_is_written_in_the_format_of_its_name(
    result, tmp_path, name, beginning
):
    pytest.importorskip("matplotlib")
    save_picture(result, tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(beginning)


def test_picture_of_unknown_format_is_refused(tmp_path):
    pytest.importorskip("matplotlib")
    with pytest.raises(ValueError, match=r"'demo.png', got 'demo.doc'. Formats: .*svg"):
        check_picture(tmp_path / "demo.doc")


def test_picture_in_no_folder_is_refused(tmp_path):
    pytest.importorskip("matplotlib")
    with pytest.raises(FileNotFoundError, match=r"no folder '.*nowhere'"):
        check_picture(tmp_path / "nowhere" / "demo.png")


def test_without_matplotlib_the_remedy_is_told(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    with pytest.raises(MissingDependencyError, match=r"sklearn-transrate\[plot\]"):
        check_picture(tmp_path / "demo.png")
