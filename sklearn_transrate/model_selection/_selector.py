"""The selector: which extractor, and which of its layers, to transfer."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
from sklearn.base import clone
from sklearn.utils import Bunch, check_random_state
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import validate_data

from sklearn_transrate._lib.labels import encode_labels, labels_to_array
from sklearn_transrate._lib.sklearn_compat import with_callbacks
from sklearn_transrate._lib.validation import check_targets
from sklearn_transrate.exceptions import CandidateFailedWarning
from sklearn_transrate.model_selection._base import BaseTransferSelector
from sklearn_transrate.model_selection._candidates import (
    check_extractors,
    make_sources,
)
from sklearn_transrate.model_selection._competition import (
    CompetitionMixin,
    read_only,
    take,
)
from sklearn_transrate.model_selection._evaluate import (
    Evaluation,
    cancelled,
    evaluate_source,
)
from sklearn_transrate.model_selection._plan import choose_rows, is_labels, make_plan
from sklearn_transrate.model_selection._progress import Progress, count_batches
from sklearn_transrate.model_selection._provenance import describe_run
from sklearn_transrate.model_selection._scoring import resolve_scoring
from sklearn_transrate.model_selection._stability import warn_if_unstable
from sklearn_transrate.model_selection._streams import (
    as_stream,
    check_stream,
    is_dataset,
    labels_of_passes,
)
from sklearn_transrate.model_selection._units import shared
from sklearn_transrate.results import TransferResults

__all__ = ["TransferSelector", "make_transfer_selector"]


class TransferSelector(CompetitionMixin, BaseTransferSelector):
    """Choose the feature extractor, and its layer, that transfers best.

    Scores the features that every candidate makes of the same labelled samples, and
    becomes the best one: a transformer that runs the winner, anywhere in a pipeline.

    Parameters
    ----------
    extractors : list of (str, transformer)
        Candidates. Each layer of a layered extractor is a candidate of its own. A
        transformer may be ``"passthrough"`` for the inputs as they are, or
        ``"drop"``. Pretrained ones go in as they are: layered extractors and
        scikit-learn's `FrozenEstimator` are never copied or refitted; any other
        transformer is cloned and fitted to the samples.
    scoring : str, TransferMetric, callable, or list or dict of them, \
default="transrate"
        What to score by: names as `get_metric_names` lists them, metrics, functions
        ``(features, y) -> float``, or scorers ``(estimator, X, y) -> float``. Of
        several, the first decides unless `refit` says otherwise.
    refit : bool, str or callable, default=True
        The name of the scoring that decides, or a function from `results_` to the
        index of the winner. False only ranks: there is no `transform` then.
    cv : int, splitter or iterable, default=None
        Folds for transformers that learn from y: each scores on rows that it was
        not fitted to, averaged over folds. Class folds are stratified. None scores
        the rows that were fitted, which is what pretrained extractors need.
    max_samples : int or float, default=None
        Score on a stratified subsample of at most so many rows, or that share of
        them; the winner is then fitted to all rows.
    batch_size : int or "auto", default="auto"
        Rows that layered extractors take at a time; "auto" leaves it to them.
    n_jobs : int, default=None
        Candidates evaluated at the same time.
    memory : str, path-like or joblib.Memory, default=None
        A folder that keeps the statistics of finished candidates. A ranking that was
        killed takes them from there when it is started again.
    std_error : {"auto", "jackknife"} or None, default="auto"
        How to find the standard errors of the scores, and with them the bounds of
        the ranks. "auto" takes the closed form of TransRate, the H-score and LogME,
        and keeps the features of layered extractors for it, up to 256 MiB; scores
        of other metrics have none unless they know their own. The closed form takes
        one to four times as long as the score. "jackknife" is for every metric:
        statistics of 32 blocks of rows, and as many evaluations. Neither takes
        another pass of an extractor. None keeps nothing.
    error_score : "raise" or numeric, default=np.nan
        What a candidate that fails scores; it stays in the table with its error.
        "raise" stops at the first failure.
    random_state : int, RandomState instance or None, default=None
        Chooses the subsample. Pass an int for the same table every time.
    verbose : int, default=0
        What to tell on standard error: with 1, which candidate runs and how it
        ended; with 2, how many rows of a layered one are done, too.

    Attributes
    ----------
    results_ : TransferResults
        The table: one row for each candidate.
    cv_results_ : dict of ndarray
        The same by the names that scikit-learn's searches use.
    best_index_ : int
        Row of the winner.
    best_name_ : str
        Name of the winning extractor.
    best_layer_ : str or None
        Its winning layer; None if it has no layers.
    best_score_ : float
        Its score by the metric that decided.
    best_estimator_ : transformer
        The winner, fitted, restricted to its layer. Not with ``refit=False``.
    extractors_ : list of (str, transformer)
        All extractors that were evaluated here, fitted.
    named_extractors_ : Bunch
        The same by name.
    scorer_ : TransferMetric or callable
        What decided.
    classes_ : ndarray of shape (n_classes,)
        Labels seen, sorted; only for classification.
    n_features_in_ : int
        Width of X, where X is two-dimensional.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns of X, where they all are strings.

    See Also
    --------
    TransRateScorer : The metric inside scikit-learn's own searches.
    make_transfer_selector : Names the candidates by itself.

    Notes
    -----
    Ctrl-C leaves `results_` with the candidates that were done, and the others as
    cancelled, and no winner; the KeyboardInterrupt goes on to the caller.

    Of candidates that tie to nine digits, the first listed wins. Cost: one pass of
    every extractor over the samples, whatever the number of layers and metrics, and
    the metrics' own. An `UnstableRankingWarning` says that the first two by TransRate
    change places at a distortion within half a decade of the one that was used.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.preprocessing import Normalizer
    >>> from sklearn_transrate import TransferSelector
    >>> X, y = load_digits(return_X_y=True)
    >>> selector = TransferSelector(
    ...     [("raw", "passthrough"), ("pca", PCA(8)), ("unit", Normalizer())]
    ... ).fit(X, y)
    >>> selector.best_name_, round(selector.best_score_, 4)
    ('unit', 2.1409)
    >>> selector.transform(X).shape
    (1797, 64)
    """

    def __init__(
        self,
        extractors,
        *,
        scoring="transrate",
        refit=True,
        cv=None,
        max_samples=None,
        batch_size="auto",
        n_jobs=None,
        memory=None,
        std_error="auto",
        error_score=np.nan,
        random_state=None,
        verbose=0,
    ):
        self.extractors = extractors
        self.scoring = scoring
        self.refit = refit
        self.cv = cv
        self.max_samples = max_samples
        self.batch_size = batch_size
        self.n_jobs = n_jobs
        self.memory = memory
        self.std_error = std_error
        self.error_score = error_score
        self.random_state = random_state
        self.verbose = verbose

    # -- fitting ---------------------------------------------------------------

    @with_callbacks
    def fit(self, X, y=None, **params):
        """Score all candidates and become the best.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), any inputs, or batches
            What the extractors take: arrays, frames, texts, images. Layered extractors
            also take batches: a ``DataLoader``, a list of pairs ``(X_batch, y_batch)``,
            a function that returns an iterator of them, or, for a single extractor, a
            generator.
        y : array-like of shape (n_samples,), default=None
            Target labels. None where the batches bring them.
        **params : dict
            Metadata for the candidates and the metric. Without metadata routing,
            only `sample_weight`, which goes to the metric.

        Returns
        -------
        self : TransferSelector
        """
        self._fit(X, y, params, keep_features=False)
        return self

    @with_callbacks
    def fit_transform(self, X, y=None, **params):
        """Score all candidates and return the features of the best.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), any inputs, or batches
            What the extractors take; as in `fit`, but no generator.
        y : array-like of shape (n_samples,), default=None
            Target labels. None where the batches bring them.
        **params : dict
            As in `fit`.

        Returns
        -------
        X_transformed : array-like of shape (n_samples, n_features_out)
            What the winner made of X when it was fitted.
        """
        if self.refit is False:
            raise ValueError(
                "Expected 'refit' to name what decides, got False: there is no winner "
                "to transform with. Use fit, or refit=True."
            )
        stream = as_stream(X, y, self.batch_size)
        if stream is not None and stream.is_one_shot:
            raise ValueError(
                "Expected inputs that can be read twice, got a generator. Use fit, or "
                "pass a list of batches or a function that returns a generator."
            )
        X = X if stream is None else stream
        features = self._fit(X, y, params, keep_features=True)
        return self.best_estimator_.transform(X) if features is None else features

    def _fit(self, X, y, params, *, keep_features):
        check_extractors(self.extractors)
        self._validate_names([name for name, _ in self.extractors])
        stream = as_stream(X, y, self.batch_size)
        if stream is not None:
            return self._fit_stream(X, stream, params)
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but "
                "the target y is None."
            )
        is_named = isinstance(X, Mapping) and not hasattr(X, "shape")
        counted = next(iter(X.values()), ()) if is_named else X
        if not (is_named or is_dataset(X)):  # A dataset's items are no rows of numbers.
            validate_data(self, X, skip_check_array=True)
        y = check_targets(y, counted, name=type(self).__name__, multi_output=True)
        scorings = resolve_scoring(self.scoring)
        decisive = self._decisive(scorings)
        routed, weight = self._route(params, counted, scorings)
        rng = check_random_state(self.random_state)
        rows = choose_rows(y, self.max_samples, rng)
        X_scored, y_scored, weight = (
            part if rows is None or part is None else take(part, rows)
            for part in (X, y, weight)
        )
        plan = make_plan(
            self,
            scorings,
            X_scored,
            y_scored,
            weight,
            routed,
            keep_features=keep_features and rows is None,
            decisive=decisive,
        )
        sources = make_sources(self.extractors)
        self._pass_output_on(sources)
        scored = (read_only(X_scored), y_scored)
        evaluations, y = self._compete(sources, scored, plan, routed, X, y)
        if self.refit is not False:
            return self._become_best(X, y, rows, sources, evaluations, routed)
        return None

    def _fit_stream(self, X, stream, params) -> None:
        """Take batches as they come; every pass has the labels of its own rows."""
        for name in ("n_features_in_", "feature_names_in_"):
            vars(self).pop(name, None)
        scorings = resolve_scoring(self.scoring)
        if params.get("sample_weight") is not None and stream.y is None:
            raise ValueError(
                "Expected y beside a stream of batches with sample_weight, whose order "
                "it says, got None."
            )
        routed, weight = self._route(params, stream.first_labels, scorings)
        sources = make_sources(self.extractors)
        check_stream(self, stream, scorings, sources)
        plan = make_plan(
            self,
            scorings,
            stream,
            stream.first_labels,
            weight,
            routed,
            keep_features=False,
            decisive=self._decisive(scorings),
        )
        evaluations, y = self._compete(sources, (stream, None), plan, routed, X, None)
        if self.refit is not False:
            self._become_best(stream, y, None, sources, evaluations, routed)

    def _compete(self, sources, scored, plan, routed, X, y):
        """Fill the table and name the winner; return evaluations and targets."""
        scorings, decisive = plan.scorings, plan.decisive
        root = self._init_callback_context(
            max_subtasks=len(sources), sequential_subtasks=False
        ).call_on_fit_task_begin(estimator=self, X=X, y=y)
        done: dict[int, Evaluation] = {}
        try:
            done.update(self._evaluate(sources, *scored, plan, routed, root))
        except KeyboardInterrupt as interrupt:
            if y is None:
                y = scored[0].first_labels
            self._keep_what_is_done(sources, done, scorings, y, interrupt)
            raise
        evaluations = [done[number] for number in range(len(sources))]
        self._raise_if_all_failed(sources, evaluations)
        if y is None:
            y = labels_of_passes(evaluations, plan, scored[0])
        self._collect(sources, evaluations, scorings, y)
        self.results_.metadata |= describe_run(self, X, y)
        self._choose(decisive)
        warn_if_unstable(
            decisive,
            self.results_["candidate"],
            self.results_[f"score_{decisive.name}"],
            {name: near for e in evaluations for name, near in e.nearby.items()},
        )
        root.call_on_fit_task_end(estimator=self, X=X, y=y)
        return evaluations, y

    def _evaluate(self, sources, X, y, plan, routed, root):
        """Yield the number of each source and what came of it, as they finish."""
        tasks = []
        for number, source in enumerate(sources):
            n_rows = None if y is None else len(y)
            n_batches = count_batches(source, n_rows, plan.batch_size)
            context = root.subcontext(
                task_name=source.name, task_id=number, max_subtasks=n_batches
            )
            fit_params = routed.get(source.name, {})
            args = (self, number, source, X, y, plan, fit_params, context)
            tasks.append(delayed(_evaluate_one)(*args))
        # A single one needs no other process, to which no generator can be sent.
        n_jobs = self.n_jobs if len(tasks) > 1 else 1
        try:
            parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered")
        except ValueError:  # ray's backend hands everything back at the end
            parallel = Parallel(n_jobs=n_jobs)
        return parallel(tasks)

    def _keep_what_is_done(self, sources, done, scorings, y, interrupt) -> None:
        """Leave a table of what an interrupted ranking has so far, and no winner."""
        evaluations = [
            done.get(number) or Evaluation([cancelled(source)])
            for number, source in enumerate(sources)
        ]
        self._collect(sources, evaluations, scorings, y)
        interrupt.add_note(
            f"{len(done)} of {len(sources)} extractors were ranked before: see "
            "results_. With memory=, the next fit goes on from there."
        )

    @staticmethod
    def _raise_if_all_failed(sources, evaluations) -> None:
        failed = [e for e in evaluations if e.error is not None]
        if len(failed) == len(evaluations):
            error = failed[0].error
            error.add_note(
                f"All {len(failed)} candidates failed; this is the error of the first, "
                f"{sources[0].name!r}."
            )
            raise error
        for source, evaluation in zip(sources, evaluations, strict=True):
            if evaluation.error is not None:
                warnings.warn(
                    f"Candidate {source.name!r} failed and is left without a score: "
                    f"{evaluation.records[0]['error']}. Pass error_score='raise' to "
                    "stop at the first failure.",
                    CandidateFailedWarning,
                    stacklevel=5,
                )

    def _collect(self, sources, evaluations, scorings, y) -> None:
        self._forget_winner()
        records = [record for e in evaluations for record in e.records]
        for record in records:
            if record["status"] == "failed" and not isinstance(self.error_score, str):
                for scoring in scorings:
                    record[f"score_{scoring.name}"] = float(self.error_score)
        self.results_ = TransferResults.from_records(
            records,
            metrics=[scoring.name for scoring in scorings],
            metadata={"scoring": {s.name: repr(s.consumer) for s in scorings}},
            shared_errors=shared(
                scorings,
                [record["candidate"] for record in records],
                {key: cells for e in evaluations for key, cells in e.values.items()},
            ),
        )
        for source, evaluation in zip(sources, evaluations, strict=True):
            if source.is_pretrained and evaluation.extractor is not None:
                # Another process hands back a copy of the user's model.
                evaluation.extractor = source.extractor
        self.extractors_ = [
            (source.name, evaluation.extractor)
            for source, evaluation in zip(sources, evaluations, strict=True)
            if evaluation.extractor is not None
        ]
        self.named_extractors_ = Bunch(**dict(self.extractors_))
        if is_labels(y):
            self.classes_ = labels_to_array(encode_labels(y)[0])

    def _become_best(self, X, y, rows, sources, evaluations, routed):
        """Set the winner, fitted to all rows; return its features if they are known."""
        names = [source.name for source in sources]
        number = names.index(self.best_name_)
        source, evaluation = sources[number], evaluations[number]
        extractor, features = evaluation.extractor, evaluation.features
        resumed = extractor is None
        if (resumed or rows is not None) and not source.is_pretrained:
            extractor = clone(source.extractor)
            fit_params = routed.get(source.name, {}).get("fit", {})
            extractor.fit(read_only(X), y, **fit_params)
            features = None
        elif resumed:
            extractor = source.extractor.fit(X, y)
        if source.is_layered:
            extractor = extractor.with_layer(self.best_layer_)
        self.best_estimator_ = extractor
        return features


def make_transfer_selector(*extractors, **params) -> TransferSelector:
    """Selector of candidates that are named after their classes.

    Parameters
    ----------
    *extractors : transformer
        Candidates.
    **params : dict
        Parameters of `TransferSelector`.

    Returns
    -------
    selector : TransferSelector

    See Also
    --------
    TransferSelector : Takes names as well.

    Examples
    --------
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_transrate import make_transfer_selector
    >>> selector = make_transfer_selector(PCA(2), PCA(3), StandardScaler())
    >>> [name for name, _ in selector.extractors]
    ['pca-1', 'pca-2', 'standardscaler']
    """
    names = [
        item if isinstance(item, str) else type(item).__name__.lower()
        for item in extractors
    ]
    unique = [
        f"{name}-{names[: i + 1].count(name)}" if names.count(name) > 1 else name
        for i, name in enumerate(names)
    ]
    return TransferSelector(list(zip(unique, extractors, strict=True)), **params)


def _evaluate_one(selector, number, source, X, y, plan, fit_params, context):
    with Progress(selector, source.name, context, X, y) as progress:
        evaluation = evaluate_source(source, X, y, plan, fit_params, progress)
        progress.conclude(evaluation.records[0]["status"])
    return number, evaluation
