"""The replication runs as outsiders run it, and computes what it says."""

from __future__ import annotations

import csv
import importlib.util
import math
import re
import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import kendalltau
from sklearn.neural_network import MLPClassifier

from sklearn_transrate.datasets import load_digits_target
from tests.doc import DOC, EXAMPLES

SCRIPT = EXAMPLES / "replicate_selection.py"


@pytest.fixture(scope="module")
def module():
    spec = importlib.util.spec_from_file_location("replicate_selection", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    # Annotations of named tuples are looked up there.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    folder = tmp_path_factory.mktemp("replication")
    command = [sys.executable, "-W", "error", str(SCRIPT)]
    command += ["--quick", "--jobs", "1", "--csv", "table.csv"]
    if importlib.util.find_spec("matplotlib"):
        command += ["--plot", "picture.png"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with (folder / "table.csv").open(newline="", encoding="utf-8") as file:
        return done, list(csv.DictReader(file)), folder


def read_committed():
    with (DOC / "evidence" / "replication.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def check_rows(rows, module):
    names = [*module.METRICS, module.HEAD, module.AGAIN]
    assert [row["metric"] for row in rows] == 3 * names
    assert [row["question"] for row in rows] == [
        question for question in ("source", "model", "layer") for _ in names
    ]
    for row in rows:
        for truth in ("head", "tuned"):
            keys = [f"tau_{truth}{end}" for end in ("_low", "", "_high")]
            if any(row[key] for key in keys):
                low, mean, high = (float(row[key]) for key in keys)
                assert -1 <= low <= mean <= high <= 1
            else:  # Only what is the same for all candidates says nothing.
                assert row["metric"] == "n_features"
            assert 0 <= float(row[f"lost_{truth}"]) <= 1
        assert float(row["seconds"]) > 0
    # Trained heads agree with themselves, and choosing by them costs nothing.
    for row in rows:
        if row["metric"] == module.HEAD:
            assert float(row["tau_head"]) == 1
            assert float(row["lost_head"]) == 0


def test_quick_run_writes_every_metric_for_every_question(quick, module):
    check_rows(quick[1], module)


def test_table_goes_to_standard_output_and_progress_to_standard_error(quick, module):
    done, rows, _ = quick
    assert "2/2 done" in done.stderr
    assert "2/2 done" not in done.stdout
    for question in ("source", "model", "layer"):
        assert f"Which {question}, of " in done.stdout
    for metric in module.METRICS:
        assert done.stdout.count(f"  {metric} ") == 3
    first = rows[0]
    assert f"  transrate         {float(first['tau_head']):6.2f} [" in done.stdout
    assert "CPU seconds over 2 seeds" in done.stdout


def test_picture_is_drawn(quick):
    image = pytest.importorskip("matplotlib.image")
    pixels = image.imread(quick[2] / "picture.png")
    assert pixels.shape[1] > 1000
    assert np.ptp(pixels) > 0


def test_committed_table_is_of_this_script_and_in_full(module):
    rows = read_committed()
    check_rows(rows, module)
    settings = module.Settings()
    deepest = max(len(module.sizes_of(model)) for model in settings.models)
    counts = {row["question"]: int(row["n_candidates"]) for row in rows}
    assert counts == {
        "source": len(settings.sources) + 1,
        "model": len(settings.models),
        "layer": deepest,
    }


def test_committed_text_shows_the_committed_table(module):
    lines = [
        module.Line(
            row["question"],
            row["metric"],
            int(row["n_candidates"]),
            *(float(row[key] or "nan") for key in module.Line._fields[3:]),
        )
        for row in read_committed()
    ]
    text = (DOC / "evidence" / "replication.txt").read_text(encoding="utf-8")
    shown = text[: text.index("\n\nAccuracy on the target")].splitlines()
    computed = module.format_table(lines).splitlines()
    # The text was rounded once, the table and what is made of it twice.
    for one, other in zip(shown, computed, strict=True):
        assert_equal_but_for_the_last_digit(one, other)


def assert_equal_but_for_the_last_digit(one, other):
    number = r"-?\d+\.\d+"
    assert re.sub(rf" *{number}", "#", one) == re.sub(rf" *{number}", "#", other)
    pairs = zip(re.findall(number, one), re.findall(number, other), strict=True)
    for shown, computed in pairs:
        last_digit = 10.0 ** -len(shown.partition(".")[2])
        assert float(shown) == pytest.approx(float(computed), abs=1.01 * last_digit)


def pretrained(target):
    network = MLPClassifier((16, 16, 16), max_iter=3, tol=0, n_iter_no_change=3)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        return network.fit(target.X_train.astype("float32"), target.y_train)


def test_fine_tuning_moves_all_weights_and_leaves_the_pretrained_alone(module):
    target = load_digits_target(random_state=0)
    source = pretrained(target)
    before = [weights.copy() for weights in source.coefs_]
    tuned = module.fine_tune(source, 3, target, n_epochs=2, seed=0)
    for old, kept, new in zip(before, source.coefs_, tuned.coefs_, strict=True):
        np.testing.assert_array_equal(kept, old)
        assert not np.allclose(new, old)


def test_only_kept_layers_start_where_the_pretrained_network_ended(module, monkeypatch):
    target = load_digits_target(random_state=0)
    source = pretrained(target)
    monkeypatch.setattr(module, "train", lambda network, X, y: network)
    begun = module.fine_tune(source, 2, target, n_epochs=2, seed=0)
    for layer in (0, 1):
        np.testing.assert_array_equal(begun.coefs_[layer], source.coefs_[layer])
        assert begun.coefs_[layer] is not source.coefs_[layer]
    assert not np.allclose(begun.coefs_[2], source.coefs_[2])
    assert np.ptp(begun.coefs_[2]) > 0
    assert not begun.coefs_[3].any()


def test_untrained_network_keeps_the_weights_that_it_began_with(module):
    target = load_digits_target(random_state=0)
    pair = [
        module.untrained_network((8,), X, target.y_train, seed=3)
        for X in (target.X_train, 0 * target.X_train)
    ]
    for one, other in zip(pair[0].coefs_, pair[1].coefs_, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-30)


def test_agreement_weighs_the_top_and_is_nan_for_what_tells_nothing(module):
    accuracies = np.array([0.9, 0.8, 0.7, 0.6])
    swapped_top, swapped_end = np.array([[3, 4, 2, 1], [4, 3, 1, 2]])
    assert kendalltau(swapped_top, accuracies) == kendalltau(swapped_end, accuracies)
    assert module.agreement(swapped_top, accuracies) < module.agreement(
        swapped_end, accuracies
    )
    assert math.isnan(module.agreement(np.ones(4), accuracies))


def test_sharing_the_first_place_costs_the_mean(module):
    accuracies = np.array([0.9, 0.8, 0.4])
    assert module.accuracy_lost(np.array([1, 3, 2]), accuracies) == pytest.approx(0.1)
    assert module.accuracy_lost(np.ones(3), accuracies) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "1"], "at least 2"),
        (["--csv", "no_such_folder/table.csv"], "there is no folder"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_trained(
    module, arguments, message, capsys
):
    with pytest.raises(SystemExit) as raised:
        module.main(arguments)
    assert raised.value.code == 2
    assert message in capsys.readouterr().err
