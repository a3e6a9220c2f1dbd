"""PARC: do samples with like labels have like features?

Bolya, D., Mittapalli, R., & Hoffman, J. (2021). Needs the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from numbers import Integral

import numpy as np

from sklearn_transrate.metrics._base import MetricResult
from sklearn_transrate.metrics._row_metric import LabelledRows, RowMetric
from sklearn_transrate.statistics import RowSample, Statistic

__all__ = ["PARC", "parc_score"]

# Correlations at a time: 32 MB of them.
BLOCK_SIZE = 2**22
# Dissimilarities are compared as whole numbers of this size; rounding must not rank.
STEP = 1e-12
# A row whose length, relative to its size, is below this is constant.
CONSTANT = 1e-10


# -- kernels -------------------------------------------------------------------


def _profiles(rows: LabelledRows) -> np.ndarray:
    """Standardise features, then rows: inner products are Pearson correlations.

    Rows without variance become zero, and correlate with nothing.
    """
    Z = rows.centred()
    deviations = np.sqrt(rows.weights @ Z**2 / rows.weights.sum())
    Z /= np.where(deviations > 0, deviations, 1.0)
    return _unit_rows(Z)


def _unit_rows(Z: np.ndarray) -> np.ndarray:
    sizes = np.sqrt(np.einsum("ij,ij->i", Z, Z))
    Z = Z - Z.mean(axis=1, keepdims=True)
    lengths = np.sqrt(np.einsum("ij,ij->i", Z, Z))
    varying = lengths > CONSTANT * sizes
    Z /= np.where(varying, lengths, 1.0)[:, None]
    Z[~varying] = 0.0
    return Z


def _whole(correlations: np.ndarray) -> np.ndarray:
    """Dissimilarities as whole numbers, so that equal ones are equal."""
    return np.rint((1.0 - correlations) / STEP).astype(np.int64)


def _label_ranks(rows: LabelledRows):
    """Kind of each row, table of how unlike two kinds are (by rank), and its height."""
    if rows.codes is not None:
        return rows.codes, 1 - np.eye(rows.n_classes, dtype=np.int64), 2
    kinds, codes = np.unique(rows.values, axis=0, return_inverse=True)
    profiles = _unit_rows(kinds)
    correlations = profiles @ profiles.T
    np.fill_diagonal(correlations, 1.0)
    levels, table = np.unique(_whole(correlations), return_inverse=True)
    return codes.reshape(-1), table.reshape(correlations.shape), len(levels)


def _pairs(profiles, codes, table, weights) -> Iterator[tuple]:
    """Yield dissimilarities of features and labels, and weights, of pairs of rows.

    A row of weight w makes w (w - 1) / 2 pairs with itself.
    """
    n = len(profiles)
    step = max(1, BLOCK_SIZE // n)
    for start in range(0, n, step):
        block = slice(start, min(start + step, n))
        later = np.arange(start, n) > np.arange(start, block.stop)[:, None]
        alike = profiles[block] @ profiles[start:].T
        unlike = table[codes[block][:, None], codes[start:]]
        pair_weights = None
        if weights is not None:
            pair_weights = (weights[block, None] * weights[start:])[later]
        yield _whole(alike[later]), unlike[later], pair_weights
    if weights is not None:
        own = np.einsum("ij,ij->i", profiles, profiles)
        repeats = np.maximum(0.5 * weights * (weights - 1.0), 0.0)
        yield _whole(own), table[codes, codes], repeats


def _tabulated(pairs, height: int):
    """Distinct pairs of dissimilarities, ascending, and the weight of each."""
    keys, weights = [], []
    for unlike_features, unlike_labels, pair_weights in pairs:
        keys.append(unlike_features * height + unlike_labels)
        weights.append(pair_weights)
    if weights[0] is None:
        found, counts = np.unique(np.concatenate(keys), return_counts=True)
        return found // height, found % height, counts.astype(np.float64)
    found, place = np.unique(np.concatenate(keys), return_inverse=True)
    totals = np.bincount(place, np.concatenate(weights))
    return found // height, found % height, totals


def _mean_ranks(levels: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Rank of each entry among all, less the mean rank; equal levels share theirs."""
    _, place = np.unique(levels, return_inverse=True)
    sizes = np.bincount(place, totals)
    ranks = np.cumsum(sizes) - 0.5 * sizes
    return ranks[place] - 0.5 * totals.sum()


def _spearman(features, labels, totals) -> float:
    """Rank correlation of a table of pairs; NaN where either does not vary.

    Where labels are alike or not this is, up to a factor, the Mann-Whitney statistic:
    how often pairs of unlike labels are more unlike in their features.
    """
    x, y = _mean_ranks(features, totals), _mean_ranks(labels, totals)
    varying = (totals @ x**2) * (totals @ y**2)
    return float(totals @ (x * y) / np.sqrt(varying)) if varying > 0 else np.nan


# -- function ------------------------------------------------------------------


def parc_score(
    X, y, *, max_samples=None, random_state=None, task="auto", sample_weight=None
):
    """Pairwise annotation representation comparison.

    Are samples whose labels differ also further apart in their features than samples
    whose labels agree? Higher is better.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Features from one layer of a source model; at least two of them.
    y : array-like of shape (n_samples,) or (n_samples, n_labels)
        Class labels, or 0/1 indicators of several labels.
    max_samples : int, default=None
        Compare at most this many samples, drawn by their content, so that neither
        order nor batches of the rows matter; None compares all.
    random_state : int, default=None
        Chooses among the samples; None is 0.
    task : {"auto", "classification", "multilabel"}, default="auto"
        What `y` holds. "auto" takes whole numbers, strings and booleans as classes
        and 0/1 matrices as labels.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; a weight of 2 counts as two equal rows.

    Returns
    -------
    score : float
        100 times a rank correlation: between -100 and 100, best 100, about 0 for
        features that say nothing.

    Raises
    ------
    ValueError
        If arguments are swapped, empty, not finite or of different lengths, if `y`
        is continuous, or if a parameter is not as described.

    Warns
    -----
    UndefinedMetricWarning
        If all pairs are equally unlike, in features or labels, as where `y` has one
        class or no two samples of a class; the score is then NaN.

    See Also
    --------
    PARC : The same as an object, for streams and selectors.
    lfc_score : Inner products in the place of ranks.

    Notes
    -----
    Features are standardised. For each pair of samples, 1 - Pearson's correlation of
    their features is compared with that of their one-hot labels (or indicators) by
    Spearman's correlation over all pairs, equal values sharing their mean rank; for
    classes that is a Mann-Whitney statistic. The published program leaves it to
    rounding which of two pairs of equal labels comes first, so that its value depends
    on the integers that stand for the labels, by up to three points. Its optional
    projection on 32 principal components is left to the caller: Pearson's correlation
    between rows depends on the signs of the components, which are arbitrary. A row
    without variance correlates with nothing.

    Cost: O(n^2 (d + log n)) time; 8 bytes a pair of memory, twice while they are
    sorted. With ten thousand samples or more, use `max_samples`.

    It misleads where few features carry the class and many do not: standardised, each
    counts as much.

    References
    ----------
    .. [1] Bolya, D., Mittapalli, R., & Hoffman, J. (2021). Scalable diverse model
       selection for accessible transfer learning. NeurIPS 34.
       https://doi.org/10.48550/arXiv.2111.06977

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate.metrics import parc_score
    >>> X, y = load_iris(return_X_y=True)
    >>> round(parc_score(X, y), 2)
    58.68
    """
    metric = PARC(max_samples=max_samples, random_state=random_state, task=task)
    return metric.score(X, y, sample_weight)


# -- the object ----------------------------------------------------------------


class PARC(RowMetric):
    """Pairwise annotation representation comparison as an object.

    Parameters
    ----------
    max_samples : int, default=None
        Compare at most this many samples; None keeps and compares all.
    random_state : int, default=None
        Chooses among the samples; None is 0.
    task : {"auto", "classification", "multilabel"}, default="auto"
        What `y` holds.

    Attributes
    ----------
    score_ : float
        PARC of all rows seen, or of the sample.
    classes_ : ndarray of shape (n_classes,)
        Labels seen, sorted; only for classification.
    n_samples_seen_ : int
        Number of rows seen.
    n_features_in_ : int
        Width of the features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where they all are strings.

    See Also
    --------
    parc_score : The same as a function.

    References
    ----------
    .. [1] Bolya, D., Mittapalli, R., & Hoffman, J. (2021). Scalable diverse model
       selection for accessible transfer learning. NeurIPS 34.
       https://doi.org/10.48550/arXiv.2111.06977

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_transrate.metrics import PARC
    >>> X, y = load_digits(return_X_y=True)
    >>> round(PARC(max_samples=300).fit(X, y).score_, 1)
    40.0
    """

    bounds = (-100.0, 100.0)
    tasks = ("classification", "multilabel")

    def __init__(self, *, max_samples=None, random_state=None, task="auto"):
        self.max_samples = max_samples
        self.random_state = random_state
        self.task = task

    @property
    def invariances(self) -> frozenset[str]:
        """What leaves the score as it is; rows are drawn by their content."""
        if self.max_samples is not None:
            return frozenset()
        return frozenset({"scale", "translation"})

    def required_statistics(
        self, task: str = "classification"
    ) -> Mapping[str, Statistic]:
        """Return the empty statistics that this metric needs.

        Parameters
        ----------
        task : {"classification", "multilabel"}
            What kind of target y is.

        Returns
        -------
        statistics : mapping of {name: Statistic}
        """
        bound, seed = self.max_samples, self.random_state
        is_count = isinstance(bound, Integral) and not isinstance(bound, bool)
        if bound is not None and not (is_count and bound >= 2):
            raise ValueError(
                "Expected 'max_samples' to be None or a whole number of at least 2, "
                f"got {bound!r}."
            )
        if seed is not None and not isinstance(seed, Integral):
            raise ValueError(
                f"Expected 'random_state' to be None or a whole number, got {seed!r}: "
                "rows that arrive later must be drawn by the same rule."
            )
        return {"rows": RowSample.empty(max_samples=bound, seed=int(seed or 0))}

    def _evaluate(self, rows) -> MetricResult:
        labelled = self._labelled(rows)
        codes, table, height = _label_ranks(labelled)
        weights = labelled.weights if labelled.is_weighted else None
        pairs = _pairs(_profiles(labelled), codes, table, weights)
        score = 100.0 * _spearman(*_tabulated(pairs, height))
        if np.isnan(score):
            return self._undefined(
                "ranks pairs of samples, but all are equally unlike, in their features "
                "or their labels."
            )
        return MetricResult(score)
