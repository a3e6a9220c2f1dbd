"""Linear probe: a linear head, really trained, cross-validated.

Alain, G., & Bengio, Y. (2016). Needs the rows; the heads are scikit-learn's.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from numbers import Integral, Real

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_transrate.metrics._base import MetricResult
from sklearn_transrate.metrics._row_metric import (
    LabelledRows,
    RowMetric,
    r2_of_predictions,
)

__all__ = ["LinearProbe", "linear_probe_score"]

# Ridges for values, on standardised features; each fit chooses its own.
ALPHAS = 10.0 ** np.arange(-3.0, 5.1, 1.0)
MAX_ITER = 1000
# Squared distances that agree to so many digits are equal.
DIGITS = 9


# -- kernels -------------------------------------------------------------------


def _in_own_order(rows: LabelledRows) -> LabelledRows:
    """Sort rows by what they are, and repeat weighted ones.

    Folds are drawn by position; sorted by their distance from the mean, rows get the
    same folds in whatever order they came, and however they were moved or scaled. A
    weight w becomes ceil(w) rows of equal weight.
    """
    X = rows.centred()
    squares = np.einsum("ij,ij->i", X, X)
    key = np.round(squares / (squares.max() or 1.0), DIGITS)
    order = np.argsort(key, kind="stable")
    ends = np.flatnonzero(np.diff(key[order], append=np.inf)) + 1
    start = 0
    for end in ends:
        if end - start > 1:
            tied = order[start:end]
            order[start:end] = sorted(tied, key=lambda i: tuple(X[i]))
        start = end
    times = np.ceil(rows.weights).astype(int)
    order = np.repeat(order, times[order])
    codes = values = None
    if rows.codes is not None:
        # Number the classes as they appear, not by their names.
        _, first, codes = np.unique(
            rows.codes[order], return_index=True, return_inverse=True
        )
        codes = np.argsort(np.argsort(first))[codes]
    else:
        values = rows.values[order]
    weights = (rows.weights / times)[order]
    return LabelledRows(X[order], codes, values, weights, rows.n_classes)


def _folds(rows: LabelledRows, cv: int, seed) -> Iterator:
    """Yield training and test rows; classes are spread evenly over the folds."""
    if rows.codes is None:
        folds = KFold(min(cv, len(rows.X)), shuffle=True, random_state=seed)
        yield from folds.split(rows.X)
        return
    n_splits = min(cv, np.bincount(rows.codes).max())
    folds = StratifiedKFold(n_splits, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # Small classes are dealt with; see the docstring of the function.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        splits = list(folds.split(rows.X, rows.codes))
    yield from splits


def _class_predictions(rows: LabelledRows, cv, C, seed) -> np.ndarray:
    """Predict the class of each row by a head that has not seen its fold."""
    predicted = np.full(len(rows.X), -1)
    for train, test in _folds(rows, cv, seed):
        codes = rows.codes[train]
        if (codes == codes[0]).all():
            predicted[test] = codes[0]
            continue
        head = make_pipeline(
            StandardScaler(), LogisticRegression(C=C, max_iter=MAX_ITER)
        )
        with warnings.catch_warnings():
            # Where the classes are separable, more steps change no prediction.
            warnings.simplefilter("ignore", ConvergenceWarning)
            head.fit(
                rows.X[train],
                codes,
                standardscaler__sample_weight=rows.weights[train],
                logisticregression__sample_weight=rows.weights[train],
            )
        predicted[test] = head.predict(rows.X[test])
    return predicted


def _value_predictions(rows: LabelledRows, cv, seed) -> np.ndarray:
    """Predict the values of each row by a head that has not seen its fold."""
    predicted = np.empty_like(rows.values)
    for train, test in _folds(rows, cv, seed):
        values, weights = rows.values[train], rows.weights[train]
        mean = weights @ values / weights.sum()
        if len(train) < 2:
            predicted[test] = mean
            continue
        head = make_pipeline(StandardScaler(), RidgeCV(ALPHAS, alpha_per_target=True))
        # Centred, since a mean far from zero costs the closed form its digits.
        head.fit(
            rows.X[train],
            values - mean,
            standardscaler__sample_weight=weights,
            ridgecv__sample_weight=weights,
        )
        predicted[test] = mean + head.predict(rows.X[test]).reshape(len(test), -1)
    return predicted


# -- function ------------------------------------------------------------------


def linear_probe_score(
    X, y, *, cv=5, C=1.0, random_state=0, task="auto", sample_weight=None
):
    """Cross-validated score of a linear head, trained by scikit-learn.

    How well does a linear classifier on frozen features really do? Higher is better.
    This is what many metrics stand in for, and costs more than they do.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Features from one layer of a source model.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Class labels, 0/1 indicators of several labels, or real values.
    cv : int, default=5
        Number of folds, at least 2; no more than the largest class has samples.
    C : float, default=1.0
        Inverse strength of the L2 penalty of logistic regression, as scikit-learn's.
    random_state : int or RandomState, default=0
        Deals the rows out to the folds. The default is a number, so that candidates
        are compared on equal terms.
    task : {"auto", "classification", "multilabel", "regression"}, default="auto"
        What `y` holds. "auto" takes whole numbers, strings and booleans as classes,
        0/1 matrices as labels, and anything else as values.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; a weight of 2 counts as two equal rows, which may come
        into different folds.

    Returns
    -------
    score : float
        For classes the accuracy, between 0 and 1; otherwise R2, averaged over
        targets, at most 1 and negative where the mean would have done better.

    Raises
    ------
    ValueError
        If arguments are swapped, empty, not finite or of different lengths, or if a
        parameter is not as described.

    Warns
    -----
    UndefinedMetricWarning
        If `y` holds one class or constant values only, or `X` a single row; the
        score is then NaN.

    See Also
    --------
    LinearProbe : The same as an object, for streams and selectors.
    ridge_loo_score : Leaves one row out at a time, in closed form and in less time.

    Notes
    -----
    Features are standardised in each fold. Classes are predicted by
    ``LogisticRegression`` and spread evenly over shuffled folds; values and
    indicators by ``RidgeCV``, which chooses the ridge of each by leaving one out.
    The score is taken over the held-out predictions of all folds. A class of fewer
    samples than folds is missing from some of them; a class of one sample is never
    in the training rows when it is tested, and counts as an error. The order of
    the rows does not matter: they are dealt out in an order of their own.

    Cost: that of `cv` fits, about O(cv n d n_classes) an iteration; memory O(n d).

    It misleads where rows come in near copies, which come into different folds; and
    where n is far below d its variance over folds exceeds the differences between
    good models.

    References
    ----------
    .. [1] Alain, G., & Bengio, Y. (2016). Understanding intermediate layers using
       linear classifier probes. https://doi.org/10.48550/arXiv.1610.01644

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_transrate.metrics import linear_probe_score
    >>> X, y = load_wine(return_X_y=True)
    >>> round(linear_probe_score(X, y), 4)
    0.9831
    """
    probe = LinearProbe(cv=cv, C=C, random_state=random_state, task=task)
    return probe.score(X, y, sample_weight)


# -- the object ----------------------------------------------------------------


class LinearProbe(RowMetric):
    """Cross-validated linear head as an object, for streams and selectors.

    Parameters
    ----------
    cv : int, default=5
        Number of folds.
    C : float, default=1.0
        Inverse strength of the L2 penalty of logistic regression.
    random_state : int or RandomState, default=0
        Deals the rows out to the folds.
    task : {"auto", "classification", "multilabel", "regression"}, default="auto"
        What `y` holds.

    Attributes
    ----------
    score_ : float
        Score of all rows seen.
    std_error_ : float
        Standard error of the accuracy, as of a mean over rows; NaN for R2.
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
    linear_probe_score : The same as a function.

    Notes
    -----
    Keeps all rows.

    References
    ----------
    .. [1] Alain, G., & Bengio, Y. (2016). Understanding intermediate layers using
       linear classifier probes. https://doi.org/10.48550/arXiv.1610.01644

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_transrate.metrics import LinearProbe
    >>> X, y = load_diabetes(return_X_y=True)
    >>> round(LinearProbe(task="regression").fit(X, y).score_, 4)
    0.4664
    """

    tasks = ("classification", "multilabel", "regression")
    invariances = frozenset({"padding", "scale", "translation"})

    def __init__(self, *, cv=5, C=1.0, random_state=0, task="auto"):
        self.cv = cv
        self.C = C
        self.random_state = random_state
        self.task = task

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest possible score."""
        return (0.0 if self.task == "classification" else -np.inf, 1.0)

    def _evaluate(self, rows) -> MetricResult:
        self._check_parameters()
        labelled = _in_own_order(self._labelled(rows))
        total = labelled.weights.sum()
        if len(labelled.X) == 1:
            return self._undefined("holds rows out, but there is one sample.")
        if labelled.codes is None:
            predicted = _value_predictions(labelled, self.cv, self.random_state)
            score = r2_of_predictions(labelled.values, predicted, labelled.weights)
            if np.isnan(score):
                return self._undefined("predicts targets, but they are constant.")
            return MetricResult(score)
        if np.bincount(labelled.codes).max() == 1:
            return MetricResult(0.0, 0.0)  # no class is both trained and tested
        predicted = _class_predictions(labelled, self.cv, self.C, self.random_state)
        hits = predicted == labelled.codes
        mean = float(labelled.weights @ hits / total)
        return MetricResult(mean, float(np.sqrt(mean * (1.0 - mean) / total)))

    def _check_parameters(self) -> None:
        if (
            not isinstance(self.cv, Integral)
            or isinstance(self.cv, bool)
            or self.cv < 2
        ):
            raise ValueError(
                f"Expected 'cv' to be a whole number of at least 2, got {self.cv!r}."
            )
        if not isinstance(self.C, Real) or not 0 < self.C < np.inf:
            raise ValueError(f"Expected 'C' to be a positive number, got {self.C!r}.")
