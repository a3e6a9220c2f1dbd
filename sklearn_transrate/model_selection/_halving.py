"""The race: all candidates on few samples, and those that may still win on more."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
from sklearn.base import clone
from sklearn.utils import Bunch, check_random_state
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import validate_data

from sklearn_transrate._lib.labels import encode_labels, labels_to_array
from sklearn_transrate._lib.sampling import nested_order
from sklearn_transrate._lib.sklearn_compat import with_callbacks
from sklearn_transrate._lib.validation import check_targets
from sklearn_transrate.exceptions import CandidateFailedWarning
from sklearn_transrate.model_selection._base import BaseTransferSelector
from sklearn_transrate.model_selection._candidates import check_extractors, make_sources
from sklearn_transrate.model_selection._competition import (
    CompetitionMixin,
    read_only,
    take,
)
from sklearn_transrate.model_selection._plan import Plan, is_labels
from sklearn_transrate.model_selection._progress import Progress, count_batches
from sklearn_transrate.model_selection._provenance import describe_run
from sklearn_transrate.model_selection._race_rules import (
    make_rules,
    metrics_of_features,
    refuse_supervised,
    rows_of,
)
from sklearn_transrate.model_selection._racer import Racer
from sklearn_transrate.model_selection._rounds import Lap, final_table
from sklearn_transrate.statistics import cheapest_cover

__all__ = ["HalvingTransferSelector"]


class HalvingTransferSelector(CompetitionMixin, BaseTransferSelector):
    """Choose the feature extractor that transfers best, by a race on growing samples.

    All candidates are scored on few samples. Those that can no longer be the best of
    all samples are dropped, and what remains goes on with more. Statistics are merged,
    so that no sample passes through a model twice. What a large model costs is its
    forward passes; a race saves most of them, and keeps the winner.

    Parameters
    ----------
    extractors : list of (str, transformer)
        Candidates, as in `TransferSelector`. Those that learn are fitted to the
        samples of the first round; those that learn from y are refused.
    scoring : str, TransferMetric, callable, or list or dict of them, \
default="transrate"
        What to score by: metrics of features. Of several, the first decides who is
        dropped, unless `refit` names another one.
    factor : float, default=2
        By how much the ratio of samples seen to samples not seen grows with each
        round; at first that is the number of samples. Smaller ones look more often:
        fewer forward passes, and more evaluations of the metric. On real networks
        and a thousand samples, 3 passed 35 % of the rows and 2 passed 33 %.
    min_samples : int or "auto", default="auto"
        Samples of the first round. "auto" takes 5 for each class, and at least 100.
    max_samples : int or float, default=None
        Samples of the last round at most, or that share of them; None takes all.
    confidence : float, default=0.95
        With which the candidate that scores best on all samples is still there at
        the end.
    refit : bool, str or callable, default=True
        The name of the scoring that decides, or a function from `results_` to the
        index of the winner. False only ranks: there is no `transform` then.
    batch_size : int or "auto", default="auto"
        Rows that layered extractors take at a time; "auto" leaves it to them.
    n_jobs : int, default=None
        Candidates evaluated at the same time.
    std_error : {"auto", "jackknife"}, default="auto"
        How to find the errors of differences. "auto" takes the closed form of
        TransRate, the H-score and LogME, for which it keeps features, up to 256 MiB
        an extractor; other metrics are scored without each of 32 blocks of samples in
        turn, as "jackknife" does for all.
    error_score : "raise" or numeric, default=np.nan
        What a candidate that fails scores; it stays in the table with its error.
        "raise" stops at the first failure.
    random_state : int, RandomState instance or None, default=None
        Chooses the order in which samples are seen. Pass an int for the same race
        every time.
    verbose : int, default=0
        What to tell on standard error: with 1, which candidate runs and how it
        ended; with 2, how many rows of a layered one are done, too.

    Attributes
    ----------
    results_ : TransferResults
        The table: one row for each candidate, from the last round that it ran in.
        Columns ``iter`` and ``n_resources`` say which one that was and how many
        samples had been seen, ``dropped_by`` who was better by too much. Whoever ran
        longer ranks first.
    rounds_ : list of TransferResults
        The tables of the rounds, each of candidates that saw the same samples:
        ``rounds_[0].compare(a, b)``.
    cv_results_ : dict of ndarray
        `results_` by the names that scikit-learn's searches use.
    n_iterations_ : int
        Rounds that were run. The race ends when one candidate is left.
    n_possible_iterations_ : int
        Rounds that there would have been at most.
    n_resources_ : list of int
        Samples that each candidate had seen after each round.
    n_candidates_ : list of int
        Candidates that ran in each round.
    n_remaining_candidates_ : int
        Those left at the end.
    min_resources_, max_resources_ : int
        Samples of the first round, and of a last one.
    pass_share_ : float
        Rows that passed through extractors, as a share of all rows through all.
    best_index_ : int
        Row of the winner in `results_`.
    best_name_ : str
        Name of the winning extractor.
    best_layer_ : str or None
        Its winning layer; None if it has no layers.
    best_score_ : float
        Its score by the metric that decided, on the samples of its last round.
    best_estimator_ : transformer
        The winner, restricted to its layer; if it learns, fitted to all rows. Not
        with ``refit=False``.
    extractors_ : list of (str, transformer)
        All extractors as they ran.
    named_extractors_ : Bunch
        The same by name.
    scorer_ : TransferMetric
        What decided.
    classes_ : ndarray of shape (n_classes,)
        Labels seen, sorted; only for classification.
    n_features_in_ : int
        Width of X, where X is two-dimensional.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns of X, where they all are strings.

    See Also
    --------
    TransferSelector : Scores all candidates on all samples.
    sklearn.model_selection.HalvingGridSearchCV : Drops a fixed share in each round.

    Notes
    -----
    After n of N samples, drawn at random and in even shares of each class, the
    difference of two scores is off by about :math:`s \\sqrt{1/n - 1/N}`, where s is
    the spread of its values by sample: the closer to the end, the surer. A candidate
    is dropped when another one leads it by more than c times that. The deviations of
    all candidates in all rounds are drawn together from a normal distribution, and c
    is what the largest of them stays below with the given confidence: comparisons with
    the best, with the rounds as part of the multiplicity. Ties are the worst case; the
    winner of a real zoo is kept more often than promised.

    That is about chance. Scores also change with n on average: scores out of sample
    rise, plug-in scores fall, and both the more the wider the features. So a lead must
    hold also after both scores have moved on as they did from half of the samples to
    all that were seen, to the same limit in 1/n. It is a good description once there
    are more samples than features; far below, plug-in scores of features of different
    width cross in ways that no half foretells, and the first round should be larger.

    A candidate without a score or an error is not dropped.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_transrate import HalvingTransferSelector
    >>> X, y = load_digits(return_X_y=True)
    >>> selector = HalvingTransferSelector(
    ...     [(f"pca{n}", PCA(n, random_state=0)) for n in (2, 4, 8, 16, 32)],
    ...     random_state=0,
    ... ).fit(X, y)
    >>> selector.best_name_
    'pca32'
    >>> selector.n_resources_, selector.n_candidates_
    ([100, 189, 343], [5, 2, 2])
    >>> round(selector.pass_share_, 2)
    0.11
    """

    def __init__(
        self,
        extractors,
        *,
        scoring="transrate",
        factor=2,
        min_samples="auto",
        max_samples=None,
        confidence=0.95,
        refit=True,
        batch_size="auto",
        n_jobs=None,
        std_error="auto",
        error_score=np.nan,
        random_state=None,
        verbose=0,
    ):
        self.extractors = extractors
        self.scoring = scoring
        self.factor = factor
        self.min_samples = min_samples
        self.max_samples = max_samples
        self.confidence = confidence
        self.refit = refit
        self.batch_size = batch_size
        self.n_jobs = n_jobs
        self.std_error = std_error
        self.error_score = error_score
        self.random_state = random_state
        self.verbose = verbose

    # -- fitting ---------------------------------------------------------------

    @with_callbacks
    def fit(self, X, y, **params):
        """Race all candidates and become the best.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or any inputs
            What the extractors take: arrays, frames, texts, images.
        y : array-like of shape (n_samples,)
            Target labels.
        **params : dict
            Metadata for the candidates and the metric. Without metadata routing,
            only `sample_weight`, which goes to the metric.

        Returns
        -------
        self : HalvingTransferSelector
        """
        check_extractors(self.extractors)
        self._validate_names([name for name, _ in self.extractors])
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but "
                "the target y is None."
            )
        is_named = isinstance(X, Mapping) and not hasattr(X, "shape")
        counted = next(iter(X.values()), ()) if is_named else X
        if not is_named:
            validate_data(self, X, skip_check_array=True)
        y = check_targets(y, counted, name=type(self).__name__, multi_output=True)
        scorings = metrics_of_features(self.scoring)
        routed, weight = self._route(params, counted, scorings)
        sources = make_sources(self.extractors)
        refuse_supervised(sources)
        self._pass_output_on(sources)
        rules = make_rules(self, scorings, self._decisive(scorings), y)
        order = nested_order(
            encode_labels(y)[1] if is_labels(y) else np.zeros(len(y), dtype=int),
            check_random_state(self.random_state),
        )
        plan = Plan(
            scorings,
            cheapest_cover(w for scoring in scorings for w in scoring.required(y)),
            batch_size=self.batch_size,
            raise_errors=isinstance(self.error_score, str),
            decisive=rules.decisive,
            std_error=self.std_error,
        )
        racers = [Racer(source, plan, rules.sizes[-1]) for source in sources]
        rows = (read_only(X), y, weight, order)
        root = self._init_callback_context(
            max_subtasks=len(rules.sizes), sequential_subtasks=False
        ).call_on_fit_task_begin(estimator=self, X=X, y=y)
        laps: list[Lap] = []
        try:
            self._run(racers, rows, rules, routed, root, laps)
        except KeyboardInterrupt:
            if laps:
                self._collect(racers, laps, rules, y)
            raise
        self._collect(racers, laps, rules, y)
        self.results_.metadata |= describe_run(self, X, y)
        self._choose(rules.decisive)
        if self.refit is not False:
            self._become_best(X, y, racers, routed)
        root.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    @with_callbacks
    def fit_transform(self, X, y, **params):
        """Race all candidates and return the features of the best.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or any inputs
            What the extractors take.
        y : array-like of shape (n_samples,)
            Target labels.
        **params : dict
            As in `fit`.

        Returns
        -------
        X_transformed : array-like of shape (n_samples, n_features_out)
            What the winner makes of X, by one more pass.
        """
        if self.refit is False:
            raise ValueError(
                "Expected 'refit' to name what decides, got False: there is no winner "
                "to transform with. Use fit, or refit=True."
            )
        return self.fit(X, y, **params).transform(X)

    # -- the race --------------------------------------------------------------

    def _run(self, racers, rows, rules, routed, root, laps) -> None:
        """Run round after round, until one candidate or no row is left."""
        sizes = rules.sizes
        for iteration, stop in enumerate(sizes):
            start = sizes[iteration - 1] if iteration else 0
            running = [racer for racer in racers if racer.is_running]
            round_ = root.subcontext(
                task_name=f"round {iteration}",
                task_id=iteration,
                max_subtasks=len(running),
                sequential_subtasks=False,
            ).call_on_fit_task_begin(estimator=self, X=rows[0], y=rows[1])
            part = slice(start, stop)
            is_last = stop == sizes[-1]
            standings = self._advance(
                running, racers, rows, part, routed, round_, is_last=is_last
            )
            round_.call_on_fit_task_end(estimator=self, X=rows[0], y=rows[1])
            lap = Lap(iteration, stop, standings)
            laps.append(lap)
            _report_failures(lap)
            if is_last:
                return
            lap.eliminate(rules)
            self._drop(racers, lap)
            if sum(len(racer.layers) for racer in racers) <= 1:
                return

    def _advance(self, running, racers, rows, part, routed, context, *, is_last):
        """Pass new rows through all extractors that run; return who stands where."""
        X, y, weight, order = rows
        chosen = order[part]
        X_new, y_new = take(X, chosen), y[chosen]
        weight = None if weight is None else weight[chosen]
        tasks = []
        for number, racer in enumerate(running):
            name = racer.source.name
            own = context.subcontext(
                task_name=name,
                task_id=number,
                max_subtasks=count_batches(racer.source, len(y_new), self.batch_size),
            )
            metadata = rows_of(routed.get(name, {}), chosen, len(y))
            tasks.append(
                delayed(_advance_one)(
                    self, racer, X_new, y_new, weight, metadata, own, is_last
                )
            )
        standings = []
        done = Parallel(n_jobs=self.n_jobs)(tasks)
        for racer, (advanced, found) in zip(running, done, strict=True):
            if advanced is not racer and racer.source.is_pretrained:
                # Another process hands back a copy of the user's model.
                advanced.source = racer.source
                if advanced.extractor is not None:
                    advanced.extractor = racer.source.extractor
            racers[racers.index(racer)] = advanced
            standings += found
        return standings

    @staticmethod
    def _drop(racers, lap) -> None:
        for racer in racers:
            for layer in list(racer.layers):
                if racer.source.candidate(layer) in lap.dropped:
                    racer.drop(layer)

    # -- afterwards ------------------------------------------------------------

    def _collect(self, racers, laps, rules, y) -> None:
        self._forget_winner()
        order = [racer.source.name for racer in racers]
        self.results_ = final_table(laps, rules, order, self.error_score)
        self.results_.metadata["scoring"] = {
            s.name: repr(s.consumer) for s in rules.scorings
        }
        self.rounds_ = [lap.table(rules) for lap in laps]
        self.n_iterations_ = len(laps)
        self.n_possible_iterations_ = len(rules.sizes)
        self.n_resources_ = [lap.n_rows for lap in laps]
        self.n_candidates_ = [len(lap.standings) for lap in laps]
        self.n_remaining_candidates_ = self.n_candidates_[-1] - len(laps[-1].dropped)
        self.min_resources_, self.max_resources_ = rules.sizes[0], rules.sizes[-1]
        passed = sum(racer.n_rows for racer in racers)
        self.pass_share_ = passed / (len(racers) * self.max_resources_)
        self.extractors_ = [
            (racer.source.name, racer.extractor)
            for racer in racers
            if racer.extractor is not None
        ]
        self.named_extractors_ = Bunch(**dict(self.extractors_))
        if is_labels(y):
            self.classes_ = labels_to_array(encode_labels(y)[0])

    def _become_best(self, X, y, racers, routed) -> None:
        """Set the winner; if it learns, fitted to all rows."""
        (racer,) = [r for r in racers if r.source.name == self.best_name_]
        extractor = racer.extractor
        if not racer.source.is_pretrained:
            extractor = clone(extractor)
            fit_params = routed.get(self.best_name_, {}).get("fit", {})
            extractor.fit(read_only(X), y, **fit_params)
        if racer.source.is_layered:
            extractor = extractor.with_layer(self.best_layer_)
        self.best_estimator_ = extractor

    @property
    def cv_results_(self):
        """The table by the names that scikit-learn's searches use."""
        columns = super().cv_results_
        return columns | {
            name: self.results_[name].astype(np.int64)
            for name in ("iter", "n_resources")
        }


def _report_failures(lap: Lap) -> None:
    """Warn of candidates that failed; raise if nobody is left."""
    failed = [s for s in lap.standings if s.error is not None]
    if failed and len(failed) == len(lap.standings):
        error = failed[0].error
        error.add_note(
            f"All {len(failed)} candidates failed in round {lap.iteration}, on "
            f"{lap.n_rows} samples; this is the error of the first, "
            f"{failed[0].record['candidate']!r}."
        )
        raise error
    for standing in failed:
        warnings.warn(
            f"Candidate {standing.record['candidate']!r} failed in round "
            f"{lap.iteration}, on {lap.n_rows} samples, and is left without a score: "
            f"{standing.record['error']}. Pass error_score='raise' to stop at the "
            "first failure.",
            CandidateFailedWarning,
            stacklevel=5,
        )


def _advance_one(selector, racer, X, y, weight, metadata, context, is_last):
    with Progress(selector, racer.source.name, context, X, y) as progress:
        standings = racer.advance(X, y, weight, metadata, progress, is_last=is_last)
        progress.conclude(standings[0].record["status"])
    return racer, standings
