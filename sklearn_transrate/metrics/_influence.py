"""How single rows move a score: the second pass of metrics with a closed form.

The influence of a row is the derivative of the score with respect to the row's share
of the samples: adding a share h of rows like it moves the score by h times that. Its
mean over the rows is 0 and its standard deviation, over the root of their number, is
the standard error of the score (the infinitesimal jackknife).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_transrate._lib.labels import encode_labels
from sklearn_transrate._lib.validation import check_features, check_targets
from sklearn_transrate.statistics import Statistic

__all__ = ["InfluenceMixin", "spread_values"]


class InfluenceMixin:
    """The influence of rows, for metrics that define `_influence`."""

    def _influence(self, X, y, parts, **statistics: Statistic) -> np.ndarray:
        """Influence of rows on the score of filled statistics.

        Parameters
        ----------
        X : ndarray or CSR matrix of shape (n_samples, n_features)
            Checked rows.
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Positions of the labels among the sorted classes, or values.
        parts : dict
            What the score of these statistics is made of.
        **statistics : Statistic
            Filled, named as in `required_statistics`.

        Returns
        -------
        influence : ndarray of shape (n_samples,)
        """
        raise NotImplementedError

    @property
    def _has_influence(self) -> bool:
        """Whether there is a closed form."""
        return type(self)._influence is not InfluenceMixin._influence

    def influence(self, X, y) -> np.ndarray:
        """How much each row moves the score of the rows seen.

        A second pass: call it after `fit`, or after the last `partial_fit`, with the
        same rows or batches of them. New rows tell what adding them would do.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their labels, all of which were seen, or values.

        Returns
        -------
        influence : ndarray of shape (n_samples,)
            Derivative of the score with respect to the share that a row has of the
            samples. Over all rows seen, weighted as they were, the mean is 0 up to
            terms in ``1 / n_samples``; the standard deviation over the root of
            `n_samples` is the standard error of the score.

        Raises
        ------
        ValueError
            If the metric has no closed form, or a label was not seen.

        See Also
        --------
        sklearn_transrate.uncertainty.standard_error : For any metric, in one call.

        Notes
        -----
        What jumps is taken as fixed: the rank of the features, and the distortion
        that codes best out of sample. Where single rows make up a direction, as in
        rarely active units, the jackknife sees the rank change, and is larger.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import load_iris
        >>> from sklearn_transrate import TransRate
        >>> X, y = load_iris(return_X_y=True)
        >>> influence = TransRate().fit(X, y).influence(X, y)
        >>> round(float(influence.std() / np.sqrt(len(X))), 4)
        0.02
        """
        name = type(self).__name__
        check_is_fitted(self)
        if not self._has_influence:
            raise ValueError(
                f"{name} has no closed form for the influence of a row. Use "
                "sklearn_transrate.uncertainty.pseudo_values(method='jackknife')."
            )
        self._refuse_turned_axes()
        X = check_features(X, name=name, accept_sparse=self.accepts_sparse)
        y = check_targets(y, X, name=name, multi_output=len(self.tasks) > 1)
        if X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {X.shape[1]} features, but {name} is expecting "
                f"{self.n_features_in_} features as input."
            )
        result = self._fitted_result()
        return self._influence_of(self._statistics, self._task, result.parts, X, y)

    def _influence_of(
        self, found: Mapping[str, Statistic], task: str, parts, X, y
    ) -> np.ndarray:
        """Influence of checked rows with their targets as they came."""
        if task != "classification":
            values = np.asarray(y, dtype=np.float64)
            return self._influence(X, values.reshape(len(values), -1), parts, **found)
        classes = next(iter(found.values())).classes
        if len(classes) < 2:
            return np.zeros(X.shape[0])
        return self._influence(X, _positions(y, classes), parts, **found)

    def _evaluate_by_row(self, statistics, X, y, weights=None):
        """Score of statistics, and values of their rows whose mean is the score."""
        found, task = self._find(statistics)
        result = self._result(found, task)
        influence = self._influence_of(found, task, result.parts, X, y)
        return result, spread_values(result.score, influence, weights)


def spread_values(score: float, influence: np.ndarray, weights=None) -> np.ndarray:
    """Score plus what each row moves it by, centred so that the mean is the score.

    Rows are the units whatever their weights: a weight scales a row's influence.
    """
    if weights is not None:
        influence = influence * (weights / weights.mean())
    return score + (influence - influence.mean())


def _positions(y, classes) -> np.ndarray:
    """Position of each label among the classes."""
    labels, codes = encode_labels(y)
    place = {label: k for k, label in enumerate(classes)}
    unknown = [label for label in labels if label not in place]
    if unknown:
        raise ValueError(
            f"Expected labels that were seen in fit, got {unknown[0]!r}. Pass rows of "
            "the classes that the score is about."
        )
    return np.array([place[label] for label in labels], dtype=np.intp)[codes]
