"""The experiment: pretrain, rank, then train on every candidate and compare."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import weightedtau
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.parallel import Parallel, delayed

from sklearn_transrate.datasets import (
    TargetTask,
    load_digits_sources,
    load_digits_target,
)
from sklearn_transrate.demo._networks import (
    NetworkSpec,
    network_specs,
    pretrain_network,
)
from sklearn_transrate.extractors import MLPExtractor
from sklearn_transrate.metrics import get_metric
from sklearn_transrate.model_selection import TransferSelector
from sklearn_transrate.results import TransferResults

__all__ = ["DEFAULT_METRICS", "Agreement", "DemoResult", "run_demo"]

PIXELS = "pixels"
# The first decides; the second is the published form that it departs from.
DEFAULT_METRICS = ("transrate", "transrate_relative", "logme")
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Agreement:
    """How well a metric's ranking agrees with the accuracies reached.

    Parameters
    ----------
    question : str
        "which candidate", "which source", "which model" or "which layer".
    metric : str
        Whose ranking it is.
    n_candidates : int
        How many candidates the question is about.
    weighted_tau : float
        Weighted Kendall tau of scores and accuracies, in which the top counts most;
        between -1 and 1. NaN for constant scores.
    first : str
        The candidate that the metric puts first.
    accuracy : float
        Its accuracy.
    best : str
        The candidate with the highest accuracy.
    best_accuracy : float
        That accuracy.
    """

    question: str
    metric: str
    n_candidates: int
    weighted_tau: float
    first: str
    accuracy: float
    best: str
    best_accuracy: float

    @property
    def accuracy_lost(self) -> float:
        """What taking the first instead of the best costs."""
        return self.best_accuracy - self.accuracy


@dataclass(frozen=True)
class DemoResult:
    """What came of the demonstration.

    Parameters
    ----------
    results : TransferResults
        The ranking by every metric, with the columns ``accuracy`` (of the head on
        samples that neither ranking nor training saw) and ``head_time`` (seconds).
    selector : TransferSelector
        Fitted: it transforms with the candidate that the first metric chose.
    specs : list of NetworkSpec
        What was pretrained.
    target : TargetTask
        What was transferred to.
    pretraining_time : float
        Seconds that it took to pretrain the networks.
    ranking_times : dict of str to float
        Seconds that it took to rank all candidates, by metric, features included.
    training_time : float
        Seconds that it took to train the heads of all candidates, features included.
    random_state : int
        What drew everything.
    """

    results: TransferResults
    selector: TransferSelector = field(repr=False)
    specs: list[NetworkSpec] = field(repr=False)
    target: TargetTask = field(repr=False)
    pretraining_time: float
    ranking_times: dict[str, float]
    training_time: float
    random_state: int

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics; the first decides."""
        return self.results.metrics

    def speedup(self, metric: str) -> float:
        """How many times longer training all heads took than ranking.

        Parameters
        ----------
        metric : str
            By which metric.

        Returns
        -------
        ratio : float
        """
        return self.training_time / self.ranking_times[metric]

    def questions(self) -> dict[str, TransferResults]:
        """The candidates of each question.

        Returns
        -------
        questions : dict of str to TransferResults
            "which candidate" is about all. Sources and models are compared by their
            last hidden layers, and layers within the deepest network; a question
            with fewer than two candidates is left out.
        """
        last = {
            spec: f"{spec.name} / hidden_{len(spec.hidden_layer_sizes)}"
            for spec in self.specs
        }
        base = self.specs[0]
        deepest = max(self.specs, key=lambda spec: len(spec.hidden_layer_sizes))
        sources = [
            last[spec]
            for spec in self.specs
            if spec.hidden_layer_sizes == base.hidden_layer_sizes
        ]
        models = [
            last[spec]
            for spec in self.specs
            if spec.source == base.source and spec.is_trained
        ]
        names = self.results["candidate"]
        rows = {
            "which candidate": np.ones(len(names), dtype=bool),
            "which source": np.isin(names, sources),
            "which model": np.isin(names, models),
            "which layer": self.results["extractor"] == deepest.name,
        }
        return {
            question: self.results[mask]
            for question, mask in rows.items()
            if mask.sum() > 1
        }

    def agreements(self) -> list[Agreement]:
        """How well each metric answers each question.

        Returns
        -------
        agreements : list of Agreement
            By question, then by metric.
        """
        return [
            _agreement(question, table, metric)
            for question, table in self.questions().items()
            for metric in self.metrics
        ]


def run_demo(
    metrics: Sequence[str] = DEFAULT_METRICS,
    *,
    sources: Sequence[str] | None = None,
    models: Sequence[str] | None = None,
    n_train: int = 400,
    n_copies: int = 5,
    n_epochs: int = 25,
    n_jobs: int | None = None,
    random_state: int = 0,
    progress: Progress | None = None,
) -> DemoResult:
    """Pretrain networks, rank their layers for a new task, and check the ranking.

    Networks learn tasks on the digits 0 to 4. The target is to tell the digits 5 to
    9 apart, which none of them has seen, from few labelled samples. Every hidden
    layer of every network is a candidate, and so are the pixels themselves.

    Parameters
    ----------
    metrics : sequence of str
        Metrics to rank by; the first decides.
    sources : sequence of str, default=None
        Source tasks, some of `digits_source_names`; None takes all. Networks of
        other shapes learn the first.
    models : sequence of str, default=None
        Shapes beside the standard one: some of "narrow", "wide", "shallow", "deep"
        and "funnel"; None takes all.
    n_train : int, default=400
        Labelled target samples, for ranking and for training the heads alike.
    n_copies : int, default=5
        Places at which the sources show each image.
    n_epochs : int, default=25
        Passes of pretraining.
    n_jobs : int, default=None
        Networks pretrained at the same time. Ranking and training the heads, which
        are timed against each other, always run one after the other.
    random_state : int, default=0
        Draws everything.
    progress : callable (stage, n_done, n_total) -> None, default=None
        Told what is going on.

    Returns
    -------
    result : DemoResult
        Table, times and agreements.

    Raises
    ------
    UnknownMetricError
        If no metric of such a name is registered.

    See Also
    --------
    load_digits_sources, load_digits_target : The tasks.
    plain_report, save_picture : The result for reading.

    Notes
    -----
    The tasks were chosen so that candidates differ, by 25 to 30 points of accuracy,
    and not by how well any metric does: digits lie anywhere on a larger canvas, where
    pixels say little and pretraining helps. All layers of a network have one width
    (but for the shape "funnel"), so that later layers are not smaller ones as well.

    The head is a logistic regression on standardised features. With 496 test samples
    an accuracy has a standard error of about 0.02, so the order of close candidates
    is partly chance.

    Examples
    --------
    >>> from sklearn_transrate.demo import run_demo
    >>> result = run_demo(
    ...     ["logme"], sources=["digits", "random"], models=[], n_copies=1, n_epochs=5
    ... )
    >>> len(result.results)
    10
    >>> agreement = result.agreements()[0]
    >>> agreement.first, agreement.weighted_tau > 0
    ('digits / hidden_1', True)
    """
    progress = progress or (lambda stage, n_done, n_total: None)
    target = load_digits_target(n_train=n_train, random_state=random_state)
    _try_metrics(metrics, target)
    specs = network_specs(sources, models)
    start = time.perf_counter()
    networks = _pretrain(specs, n_copies, n_epochs, n_jobs, random_state, progress)
    pretraining_time = time.perf_counter() - start

    extractors = [(PIXELS, "passthrough")]
    extractors += [(name, MLPExtractor(network)) for name, network in networks.items()]
    rankings = _rank(extractors, metrics, target, progress)
    first = rankings[metrics[0]][0]
    table = first.results_
    for selector, _ in list(rankings.values())[1:]:
        table = table.merge(selector.results_)
    results, training_time = _train_heads(first.extractors_, table, target, progress)
    return DemoResult(
        results,
        first,
        specs,
        target,
        pretraining_time=pretraining_time,
        ranking_times={metric: seconds for metric, (_, seconds) in rankings.items()},
        training_time=training_time,
        random_state=random_state,
    )


def _try_metrics(metrics: Sequence[str], target: TargetTask) -> None:
    """Raise now what would otherwise be raised after all the pretraining."""
    if not metrics:
        raise ValueError("Expected at least one metric to rank by, got none.")
    if len(set(metrics)) < len(metrics):
        raise ValueError(f"Expected distinct metrics, got {list(metrics)}.")
    for metric in metrics:
        get_metric(metric).score(target.X_train, target.y_train)


def _pretrain(
    specs, n_copies, n_epochs, n_jobs, random_state, progress
) -> dict[str, MLPClassifier]:
    names = list(dict.fromkeys(spec.source for spec in specs))
    tasks = load_digits_sources(names, n_copies=n_copies, random_state=random_state)
    work = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(pretrain_network)(
            spec, tasks[spec.source], n_epochs=n_epochs, random_state=random_state
        )
        for spec in specs
    )
    networks = {}
    progress("pretraining", 0, len(specs))
    for spec, network in zip(specs, work, strict=True):
        networks[spec.name] = network
        progress("pretraining", len(networks), len(specs))
    return networks


def _rank(
    extractors, metrics, target, progress
) -> dict[str, tuple[TransferSelector, float]]:
    """Rank by each metric on its own, so that each is timed on its own."""
    rankings = {}
    progress("ranking", 0, len(metrics))
    for metric in metrics:
        selector = TransferSelector(
            extractors, scoring=metric, std_error=None, error_score="raise"
        )
        start = time.perf_counter()
        selector.fit(target.X_train, target.y_train)
        rankings[metric] = selector, time.perf_counter() - start
        progress("ranking", len(rankings), len(metrics))
    return rankings


def _train_heads(extractors, table, target, progress) -> tuple[TransferResults, float]:
    """Train on every candidate; return the table with accuracies, and the seconds."""
    records = {
        (record["extractor"], record["layer"]): record for record in table.to_records()
    }
    seconds = n_done = 0
    progress("training heads", 0, len(records))
    for name, extractor in extractors:
        start = time.perf_counter()
        train = dict(_features(extractor, target.X_train))
        seconds += time.perf_counter() - start
        for layer, Z_test in _features(extractor, target.X_test):
            start = time.perf_counter()
            head = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
            head.fit(train[layer], target.y_train)
            head_time = time.perf_counter() - start
            records[name, layer] |= {
                "accuracy": head.score(Z_test, target.y_test),
                "head_time": head_time,
            }
            seconds += head_time
            n_done += 1
            progress("training heads", n_done, len(records))
    results = TransferResults.from_records(
        records.values(), metrics=table.metrics, metadata=table.metadata
    )
    return results, seconds


def _features(extractor, X) -> Iterator[tuple[str | None, np.ndarray]]:
    """Yield every layer's name and features, from one pass."""
    if hasattr(extractor, "iter_features"):
        ((features, _),) = extractor.iter_features(X, batch_size=len(X))
        yield from features.items()
    else:
        yield None, extractor.transform(X)


def _agreement(question: str, table: TransferResults, metric: str) -> Agreement:
    accuracy, score = table["accuracy"], table[f"score_{metric}"]
    known = ~np.isnan(score)
    first, best = table.best_index(metric), int(np.argmax(accuracy))
    return Agreement(
        question,
        metric,
        n_candidates=len(table),
        weighted_tau=float(weightedtau(accuracy[known], score[known]).statistic),
        first=table["candidate"][first],
        accuracy=float(accuracy[first]),
        best=table["candidate"][best],
        best_accuracy=float(accuracy[best]),
    )
