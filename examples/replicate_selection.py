"""
Does a score without training choose what training would choose?
================================================================

The claim of transferability metrics, checked from end to end by a script that needs
nothing but this package and the digits that come with scikit-learn: networks are really
pretrained, scored for a new task by features and labels, and then all of them are
transferred to it, by a linear head on frozen features and by fine-tuning all weights.
It asks the three questions of the paper: from which *source* task, which *model*, and
up to which *layer*.

.. code-block:: console

    $ python examples/replicate_selection.py --csv table.csv --plot picture.png

takes a few minutes on two cores; ``--quick`` takes seconds, and is for seeing that it
works. What a full run shows, and what it does not: :doc:`/replication`.
"""

# %%
# Every repeat draws which five digits are the source and which five the target, the
# networks' first weights, and the few labelled target samples. Nothing below was chosen
# by how well a metric does: the fine-tuning was set on other seeds (101, 102), such
# that candidates differ by more than a second fine-tuning does.

from __future__ import annotations

import argparse
import csv
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed
from scipy.stats import t as student_t
from scipy.stats import weightedtau
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sklearn_transrate import TransferSelector
from sklearn_transrate.datasets import (
    TargetTask,
    digits_source_names,
    load_digits_sources,
    load_digits_target,
)
from sklearn_transrate.extractors import MLPExtractor

METRICS = (
    "transrate",
    "transrate_listing",
    "transrate_relative",
    "logme",
    "shrunk_h_score",
    "ridge_loo",
    "n_features",
)
# What training itself says: a reference, and no metric.
HEAD, AGAIN = "(trained head)", "(fine-tuned again)"
STANDARD = "96 96 96"
SOURCE = "digits"
UNTRAINED = "untrained"


class Settings(NamedTuple):
    """How much is tried, and how long it is trained."""

    n_seeds: int = 8
    sources: tuple[str, ...] = tuple(digits_source_names())
    models: tuple[str, ...] = (
        "24 24 24",
        "48 48 48",
        STANDARD,
        "192 192 192",
        "96",
        "96 96",
        "128 64 32",
        "96 96 96 96 96",
    )
    n_copies: int = 10
    n_pretrain_epochs: int = 15
    n_train: int = 200
    n_tune_epochs: int = 50
    n_tunings: int = 2


QUICK = Settings(
    n_seeds=2,
    sources=(SOURCE, "turns", "random"),
    models=("24 24 24", STANDARD, "96 96 96 96"),
    n_copies=1,
    n_pretrain_epochs=8,
    n_tune_epochs=15,
)


class Candidate(NamedTuple):
    """A pretrained network, of which the first layers are kept."""

    seed: int
    question: str
    name: str
    scores: dict[str, float]
    score_seconds: dict[str, float]
    head_accuracy: float
    head_seconds: float
    tuned_accuracies: tuple[float, ...]
    tune_seconds: float

    @property
    def tuned_accuracy(self) -> float:
        return float(np.mean(self.tuned_accuracies))


# %%
# Networks
# --------
# scikit-learn's own. ``warm_start`` goes on with whatever weights are there, so that
# transferring is a matter of putting them there.


def sizes_of(model: str) -> tuple[int, ...]:
    return tuple(int(size) for size in model.split())


def train(network: MLPClassifier, X, y) -> MLPClassifier:
    """Train for a fixed number of epochs, in single precision: twice as fast."""
    with warnings.catch_warnings():
        # A fixed number of epochs is the plan, not an accident.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return network.fit(X.astype(np.float32), y)


def untrained_network(sizes: Sequence[int], X, y, seed: int) -> MLPClassifier:
    """A network with the weights that scikit-learn begins with."""
    # Weights are drawn when fitting begins; steps this small leave them as drawn.
    network = MLPClassifier(
        sizes,
        solver="sgd",
        momentum=0.0,
        learning_rate_init=np.finfo(np.float32).tiny,
        random_state=seed,
    )
    return network.partial_fit(X.astype(np.float32), y, classes=np.unique(y))


def pretrain(model: str, task, settings: Settings, seed: int) -> MLPClassifier:
    network = MLPClassifier(
        sizes_of(model), max_iter=settings.n_pretrain_epochs, random_state=seed
    )
    return train(network, task.X, task.y)


def fine_tune(
    source: MLPClassifier, n_kept: int, target: TargetTask, n_epochs: int, seed: int
) -> MLPClassifier:
    """Train all weights, from the first `n_kept` hidden layers of `source` on.

    Hidden layers behind these begin at random, and the output layer at zero, so that
    it sends no noise into the layers that are kept.
    """
    network = untrained_network(
        source.hidden_layer_sizes, target.X_train, target.y_train, seed
    )
    for layer in range(n_kept):
        network.coefs_[layer] = source.coefs_[layer].copy()
        network.intercepts_[layer] = source.intercepts_[layer].copy()
    network.coefs_[-1][:] = 0
    network.intercepts_[-1][:] = 0
    network.set_params(
        solver="adam",
        learning_rate_init=1e-3,
        batch_size=20,
        max_iter=n_epochs,
        n_iter_no_change=n_epochs,
        warm_start=True,
    )
    return train(network, target.X_train, target.y_train)


# %%
# One repeat
# ----------


def run_seed(seed: int, settings: Settings) -> tuple[list[Candidate], float]:
    """Pretrain, score and transfer; return the candidates and seconds of pretraining.

    One thread, so that times can be compared.
    """
    with threadpool_limits(1):
        digits = np.random.RandomState(seed).permutation(10)
        target = load_digits_target(
            digits=digits[5:], n_train=settings.n_train, random_state=seed
        )
        start = time.process_time()
        networks = pretrain_all(digits[:5], settings, seed)
        seconds = time.process_time() - start
        found = [
            try_candidate(seed, question, name, network, n_kept, target, settings)
            for question, name, network, n_kept in candidates_of(networks, settings)
        ]
    return found, seconds


def pretrain_all(
    digits: Sequence[int], settings: Settings, seed: int
) -> dict[tuple[str, str], MLPClassifier]:
    """Return networks by source and model."""
    tasks = load_digits_sources(
        settings.sources, digits=digits, n_copies=settings.n_copies, random_state=seed
    )
    networks = {
        (source, STANDARD): pretrain(STANDARD, task, settings, seed)
        for source, task in tasks.items()
    }
    task = tasks[SOURCE]
    networks[UNTRAINED, STANDARD] = untrained_network(
        sizes_of(STANDARD), task.X, task.y, seed
    )
    for model in settings.models:
        if model != STANDARD:
            networks[SOURCE, model] = pretrain(model, task, settings, seed)
    return networks


def candidates_of(
    networks: dict[tuple[str, str], MLPClassifier], settings: Settings
) -> Iterator[tuple[str, str, MLPClassifier, int]]:
    """Yield question, name, network, and how many of its layers are kept."""
    for (source, model), network in networks.items():
        if model == STANDARD:
            yield "source", source, network, len(sizes_of(model))
    for model in settings.models:
        yield "model", model, networks[SOURCE, model], len(sizes_of(model))
    deepest = max(settings.models, key=lambda model: len(sizes_of(model)))
    for n_kept in range(1, len(sizes_of(deepest)) + 1):
        yield "layer", f"first {n_kept}", networks[SOURCE, deepest], n_kept


def try_candidate(
    seed, question, name, network, n_kept, target: TargetTask, settings: Settings
) -> Candidate:
    """Score without training, then train."""
    features = MLPExtractor(network, layers=[f"hidden_{n_kept}"])
    scores, score_seconds = {}, {}
    for metric in METRICS:
        start = time.process_time()
        # One at a time, so that each is timed on its own, features included.
        selector = TransferSelector(
            [(name, features)], scoring=metric, std_error=None, error_score="raise"
        ).fit(target.X_train, target.y_train)
        score_seconds[metric] = time.process_time() - start
        scores[metric] = selector.best_score_
    start = time.process_time()
    head = make_pipeline(features, StandardScaler(), LogisticRegression(max_iter=1000))
    head.fit(target.X_train, target.y_train)
    head_seconds = time.process_time() - start
    start = time.process_time()
    tuned = [
        fine_tune(network, n_kept, target, settings.n_tune_epochs, 1000 * run + seed)
        for run in range(settings.n_tunings)
    ]
    tune_seconds = (time.process_time() - start) / settings.n_tunings
    return Candidate(
        seed,
        question,
        name,
        scores,
        score_seconds,
        head.score(target.X_test, target.y_test),
        head_seconds,
        tuple(each.score(target.X_test, target.y_test) for each in tuned),
        tune_seconds,
    )


# %%
# What it says
# ------------


class Line(NamedTuple):
    """How well one metric answers one question: means over seeds, with 95 % bounds."""

    question: str
    metric: str
    n_candidates: int
    tau_head: float
    tau_head_low: float
    tau_head_high: float
    tau_tuned: float
    tau_tuned_low: float
    tau_tuned_high: float
    lost_head: float
    lost_tuned: float
    seconds: float


def mean_and_bounds(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean over seeds and Student's 95 % interval of it; NaN where it says nothing."""
    values = np.asarray(values)
    mean = float(values.mean())
    half = student_t.ppf(0.975, len(values) - 1) * values.std(ddof=1)
    half = float(half / np.sqrt(len(values)))
    # No mean of Kendall's tau lies beyond.
    return mean, max(mean - half, -1.0), min(mean + half, 1.0)


def agreement(scores: np.ndarray, accuracies: np.ndarray) -> float:
    """Weighted Kendall tau; NaN for a score that tells no two candidates apart."""
    return float(weightedtau(scores, accuracies).statistic)


def accuracy_lost(scores: np.ndarray, accuracies: np.ndarray) -> float:
    """What the first choice costs, by the mean of those that share the first place."""
    return float(accuracies.max() - accuracies[scores == scores.max()].mean())


def summarize(candidates: Sequence[Candidate]) -> list[Line]:
    lines = []
    for question in dict.fromkeys(each.question for each in candidates):
        own = [each for each in candidates if each.question == question]
        seeds = sorted({each.seed for each in own})
        groups = [[each for each in own if each.seed == seed] for seed in seeds]
        for metric in (*METRICS, HEAD, AGAIN):
            lines.append(line_of(question, metric, groups))
    return lines


def line_of(question: str, metric: str, groups: list[list[Candidate]]) -> Line:
    taus_head, taus_tuned, lost_head, lost_tuned = [], [], [], []
    for group in groups:
        scores = np.array([score_of(metric, each) for each in group])
        head = np.array([each.head_accuracy for each in group])
        tuned = np.array(
            [
                # A second fine-tuning is compared with the first, others with the mean.
                each.tuned_accuracies[0] if metric == AGAIN else each.tuned_accuracy
                for each in group
            ]
        )
        taus_head.append(agreement(scores, head))
        taus_tuned.append(agreement(scores, tuned))
        lost_head.append(accuracy_lost(scores, head))
        lost_tuned.append(accuracy_lost(scores, tuned))
    return Line(
        question,
        metric,
        len(groups[0]),
        *mean_and_bounds(taus_head),
        *mean_and_bounds(taus_tuned),
        float(np.mean(lost_head)),
        float(np.mean(lost_tuned)),
        float(np.mean([sum(seconds_of(metric, each) for each in g) for g in groups])),
    )


def score_of(metric: str, candidate: Candidate) -> float:
    if metric == HEAD:
        return candidate.head_accuracy
    if metric == AGAIN:
        return candidate.tuned_accuracies[-1]
    return candidate.scores[metric]


def seconds_of(metric: str, candidate: Candidate) -> float:
    if metric == HEAD:
        return candidate.head_seconds
    if metric == AGAIN:
        return candidate.tune_seconds
    return candidate.score_seconds[metric]


def format_table(lines: Sequence[Line]) -> str:
    """The lines for reading, a block for each question."""
    head = (
        f"{'':20}{'weighted Kendall tau with':^46}{'accuracy lost':^16}{'CPU':>8}\n"
        f"{'':20}{'trained head':^23}{'fine-tuning':^23}{'head':>7}{'tuned':>8}"
        f"{'seconds':>9}"
    )
    rows = [head]
    for line in lines:
        if line.metric == METRICS[0]:
            rows.append(f"\nWhich {line.question}, of {line.n_candidates}?")
        rows.append(
            f"  {line.metric:18}"
            + format_tau(line.tau_head, line.tau_head_low, line.tau_head_high)
            + format_tau(line.tau_tuned, line.tau_tuned_low, line.tau_tuned_high)
            + f"{line.lost_head:7.3f}{line.lost_tuned:8.3f}{line.seconds:9.3f}"
        )
    return "\n".join(rows)


def format_tau(mean: float, low: float, high: float) -> str:
    if np.isnan(mean):
        return f"{'all the same':^23}"
    return f"{mean:6.2f} [{low:5.2f}, {high:5.2f}] "


def describe_accuracies(candidates: Sequence[Candidate]) -> str:
    """How far candidates lie apart: there must be something to choose."""
    rows = ["Accuracy on the target, mean over seeds: worst and best candidate"]
    for question in dict.fromkeys(each.question for each in candidates):
        own = [each for each in candidates if each.question == question]
        text = []
        for truth in ("head_accuracy", "tuned_accuracy"):
            means = {
                name: np.mean([getattr(e, truth) for e in own if e.name == name])
                for name in dict.fromkeys(each.name for each in own)
            }
            worst, best = min(means, key=means.get), max(means, key=means.get)
            text.append(f"{worst} {means[worst]:.3f}, {best} {means[best]:.3f}")
        rows.append(f"  {question:8}head: {text[0]:42}tuned: {text[1]}")
    again = [abs(e.tuned_accuracies[0] - e.tuned_accuracies[-1]) for e in candidates]
    rows.append(
        f"  A second fine-tuning differs from the first by {np.mean(again):.3f}."
    )
    return "\n".join(rows)


def draw(lines: Sequence[Line], path: Path) -> None:
    """Agreement with both ways of transferring, a panel for each question."""
    from matplotlib.figure import Figure

    questions = list(dict.fromkeys(line.question for line in lines))
    figure = Figure(figsize=(3.1 * len(questions) + 1.4, 3.9), layout="constrained")
    panels = figure.subplots(1, len(questions), sharex=True, sharey=True, squeeze=False)
    names = [*METRICS, HEAD, AGAIN]
    for panel, question in zip(panels[0], questions, strict=True):
        own = [line for line in lines if line.question == question]
        # Okabe and Ito's colours, and markers that say the same in grey.
        for truth, label, color, marker, shift in (
            ("head", "a trained head", "#0072B2", "o", -0.14),
            ("tuned", "fine-tuning", "#D55E00", "s", 0.14),
        ):
            mean, low, high = (
                np.array([getattr(line, f"tau_{truth}{end}") for line in own])
                for end in ("", "_low", "_high")
            )
            known = np.array(
                [
                    np.isfinite(value) and not (truth == "head" and line.metric == HEAD)
                    for value, line in zip(mean, own, strict=True)
                ]
            )
            panel.errorbar(
                mean[known],
                np.arange(len(own))[known] + shift,
                xerr=[(mean - low)[known], (high - mean)[known]],
                fmt=marker,
                color=color,
                markersize=5,
                linewidth=1.2,
                label=label,
            )
        panel.axvline(0, color="#999999", linewidth=0.8)
        panel.axhline(len(METRICS) - 0.5, color="#999999", linewidth=0.8)
        panel.set_title(f"Which {question}, of {own[0].n_candidates}?", fontsize=10)
        panel.grid(axis="x", alpha=0.3)
    panels[0, 0].set_yticks(range(len(names)), names)
    panels[0, 0].invert_yaxis()
    panels[0, 0].set_xlim(-1.05, 1.05)
    figure.supxlabel("weighted Kendall tau, mean over seeds with 95 % interval")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, title="agreement with", loc="outside upper center", ncols=2
    )
    figure.savefig(path, dpi=130)


def write_csv(lines: Sequence[Line], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Line._fields)
        for line in lines:
            writer.writerow(
                # Nothing, rather than "nan", where there is no number.
                "" if value != value else round(value, 4) if n > 2 else value
                for n, value in enumerate(line)
            )


# %%
# The command
# -----------


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Check metrics against really training, on scikit-learn's digits."
    )
    parser.add_argument("--quick", action="store_true", help="seconds, and no evidence")
    parser.add_argument("--seeds", type=int, help="number of repeats, at least 2")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--csv", type=Path, help="write the table to this file")
    parser.add_argument("--plot", type=Path, help="draw a picture; needs matplotlib")
    chosen = parser.parse_args(arguments)
    if chosen.seeds is not None and chosen.seeds < 2:
        parser.error(f"an interval needs at least 2 --seeds, got {chosen.seeds}")
    for path in (chosen.csv, chosen.plot):
        if path is not None and not path.absolute().parent.is_dir():
            parser.error(f"there is no folder {path.parent} to write {path.name} to")
    if chosen.plot is not None:
        try:
            import matplotlib.figure  # noqa: F401
        except ImportError:
            parser.error(
                "--plot needs matplotlib: pip install 'sklearn-transrate[plot]'"
            )
    return chosen


def run_all(settings: Settings, n_jobs: int) -> tuple[list[Candidate], float]:
    """Run every seed, and say on standard error how far it is."""
    candidates, pretraining, start = [], 0.0, time.perf_counter()
    work = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(run_seed)(seed, settings) for seed in range(settings.n_seeds)
    )
    say(f"{settings.n_seeds} repeats, on {n_jobs} processes ...")
    for n_done, (found, seconds) in enumerate(work, start=1):
        candidates += found
        pretraining += seconds
        passed = time.perf_counter() - start
        left = passed / n_done * (settings.n_seeds - n_done)
        say(
            f"{n_done}/{settings.n_seeds} done, {passed:.0f} s; about {left:.0f} s left"
        )
    return candidates, pretraining


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = parse_arguments(arguments)
    settings = QUICK if chosen.quick else Settings()
    if chosen.seeds is not None:
        settings = settings._replace(n_seeds=chosen.seeds)
    candidates, pretraining = run_all(settings, chosen.jobs)
    lines = summarize(candidates)
    print(format_table(lines))
    print()
    print(describe_accuracies(candidates))
    seconds = {
        "pretraining": pretraining,
        "heads": sum(each.head_seconds for each in candidates),
        "fine-tuning": sum(
            each.tune_seconds * settings.n_tunings for each in candidates
        ),
        f"scoring by {METRICS[0]}": sum(
            each.score_seconds[METRICS[0]] for each in candidates
        ),
    }
    times = ", ".join(f"{what} {spent:.1f}" for what, spent in seconds.items())
    print(f"CPU seconds over {settings.n_seeds} seeds: {times}.")
    if chosen.csv is not None:
        write_csv(lines, chosen.csv)
    if chosen.plot is not None:
        draw(lines, chosen.plot)


if __name__ == "__main__":
    main()
