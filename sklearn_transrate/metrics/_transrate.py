"""TransRate: how much of the features' coding rate the labels explain.

Huang, L.-K., Huang, J., Rong, Y., Yang, Q., & Wei, Y. (2022). Needs the moments of
each class; the authors' protocol, which normalises rows twice, needs the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np

from sklearn_transrate.metrics._array_api import DeviceScoreMixin
from sklearn_transrate.metrics._base import TransferMetric
from sklearn_transrate.metrics._transrate_curve import EpsCurveMixin
from sklearn_transrate.metrics._transrate_forms import FormsMixin
from sklearn_transrate.metrics._transrate_options import FORMS, PLUG_IN
from sklearn_transrate.statistics import ClassMoments, RowSample, Statistic

__all__ = ["TransRate", "transrate_score"]

# -- functions -----------------------------------------------------------------


def transrate_score(
    X,
    y,
    *,
    eps="auto",
    class_weight="prior",
    normalize="rank",
    row_norm=None,
    projection=None,
    eps_unit="absolute",
    covariance="class",
    estimate="auto",
    correction=None,
    max_samples=10_000,
    task="auto",
    random_state=None,
    sample_weight=None,
):
    """TransRate of features for a labelled task.

    How many nats fewer it takes to code the features when the classes are known.
    Higher is better: features spread widely as a whole and little within each class.
    By default each sample is coded by the others, so that few samples and wide
    features do not flatter the score; the published forms, which describe samples by
    themselves, are had by naming any of their parameters or by `TransRate.from_form`.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Features from one layer of a source model.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Target class labels, any hashable ones; or 0/1 indicators of several labels,
        or real values, whose linear prediction takes the place of the class means.
    eps : float or "auto", default="auto"
        Distortion. A float is absolute, as in the paper, unless `eps_unit` says
        otherwise. "auto" does not change with the features' scale: out of sample it
        is the distortion that codes best, for the plug-in 0.1 times the mean
        non-zero eigenvalue of the covariance.
    class_weight : {"prior", "uniform"}, default="prior"
        Weight of each class's rate: its share of the samples, as in the paper's
        definition, or the same for all, as in the paper's listing.
    normalize : {"rank", "n_features"} or None, default="rank"
        What to divide the plug-in rates by. The rank makes layers of different width
        comparable: the score is then a mean over directions.
    row_norm : {"l2"} or None, default=None
        "l2" scales each row to unit length before and after centring, as in the
        authors' experiments.
    projection : {"between"} or None, default=None
        "between" projects on the directions that separate class means first, as in
        the authors' experiments that compare sources and models.
    eps_unit : {"absolute", "trace", "mean_eigenvalue"}, default="absolute"
        What a float `eps` is measured in: squared units of the features, the trace
        of the covariance, or its mean non-zero eigenvalue.
    covariance : {"class", "pooled"} or float, default="class"
        "class" codes each class by itself, as published. "pooled" codes what a
        linear model of the labels leaves, with one covariance for all classes, which
        needs far fewer samples; always so for indicators and values. A number
        between 0 and 1 is the share of the pooled covariance in that of each class.
    estimate : {"auto", "plug_in", "leave_one_out"}, default="auto"
        "plug_in" describes the samples by their own moments, as published.
        "leave_one_out" codes each sample by the others, with its label by the
        Gaussian of its class, without by the mixture of all; pooled covariance,
        classes only. "auto" is the latter for classes as long as all parameters of
        the plug-in, those above and `correction`, are left as they are.
    correction : {"analytic", "permutation"} or None, default=None
        What the plug-in is expected to give for labels that have nothing to do with
        the features, to be subtracted: by formula, with ``covariance="pooled"``; or
        as the mean over 5 permutations of the labels, which takes the rows.
    max_samples : int or None, default=10_000
        Over how many samples at most, drawn at random, "leave_one_out" averages. All
        samples code them, whatever their number.
    task : {"auto", "classification", "multilabel", "regression"}, default="auto"
        What `y` holds. "auto" takes whole numbers, strings and booleans as classes,
        0/1 matrices as labels, and anything else as values.
    random_state : int, RandomState instance or None, default=None
        Which permutations.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; a weight of 2 counts as two equal rows.

    Returns
    -------
    score : float
        In nats per sample. By default between 0, when the features tell nothing of
        the classes, and the entropy of the classes. The plug-in is for each direction
        unless ``normalize=None``, at least 0 with class priors, and without upper
        bound.

    Raises
    ------
    ValueError
        If arguments are swapped, empty, not finite or of different lengths, or if
        a parameter is none of its options.

    Warns
    -----
    UndefinedMetricWarning
        If `y` has one class; the score is then 0.

    See Also
    --------
    TransRate : The same as an object, for streams and selectors.
    coding_rate : The rate of one set of features.

    Notes
    -----
    The plug-in: with :math:`\\Sigma` the covariance of all features and :math:`M_k`
    the second moment of class k about the global mean, the score is
    :math:`\\frac{1}{2r} [\\log\\det(I + \\Sigma/\\epsilon) - \\sum_k p_k
    \\log\\det(I + M_k/\\epsilon)]`. The pooled form takes, in place of all
    :math:`M_k`, the residual covariance :math:`\\Sigma_{zz} - \\Sigma_{zy}
    \\Sigma_{yy}^+ \\Sigma_{yz}`, which for classes is the covariance within them.
    Cost: O(n d min(n, d)). Values are comparable only for the same samples and the
    same parameters. The plug-in grows when n comes near d, also on noise.

    References
    ----------
    .. [1] Huang, L.-K., Huang, J., Rong, Y., Yang, Q., & Wei, Y. (2022).
       Frustratingly easy transferability estimation. ICML, PMLR 162, 9201-9225.
       https://doi.org/10.48550/arXiv.2106.09362

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate.metrics import transrate_score
    >>> X, y = load_iris(return_X_y=True)
    >>> round(transrate_score(X, y), 4)
    1.0464
    >>> round(transrate_score(X, y, eps=1e-4, normalize=None), 4)
    0.5894
    """
    metric = TransRate(
        eps=eps,
        class_weight=class_weight,
        normalize=normalize,
        row_norm=row_norm,
        projection=projection,
        eps_unit=eps_unit,
        covariance=covariance,
        estimate=estimate,
        correction=correction,
        max_samples=max_samples,
        task=task,
        random_state=random_state,
    )
    return metric.score(X, y, sample_weight)


# -- the object ----------------------------------------------------------------


class TransRate(FormsMixin, EpsCurveMixin, DeviceScoreMixin, TransferMetric):
    """TransRate as an object, for streams, selectors and its parts.

    Parameters
    ----------
    eps : float or "auto", default="auto"
        Distortion; see `transrate_score` for this and the others.
    class_weight : {"prior", "uniform"}, default="prior"
        Weight of each class's rate.
    normalize : {"rank", "n_features"} or None, default="rank"
        What to divide the plug-in rates by.
    row_norm : {"l2"} or None, default=None
        Whether to scale rows to unit length before and after centring.
    projection : {"between"} or None, default=None
        Whether to project on the directions that separate class means.
    eps_unit : {"absolute", "trace", "mean_eigenvalue"}, default="absolute"
        What a float `eps` is measured in.
    covariance : {"class", "pooled"} or float, default="class"
        Whether each class has a covariance of its own.
    estimate : {"auto", "plug_in", "leave_one_out"}, default="auto"
        Whether samples are coded by their own moments, or each by the others'.
    correction : {"analytic", "permutation"} or None, default=None
        What to expect of unrelated labels, to be subtracted from the plug-in.
    max_samples : int or None, default=10_000
        Over how many samples at most "leave_one_out" averages.
    task : {"auto", "classification", "multilabel", "regression"}, default="auto"
        What `y` holds; "auto" looks at the first batch.
    random_state : int, RandomState instance or None, default=None
        Which permutations ``correction="permutation"`` draws.

    Attributes
    ----------
    score_ : float
        TransRate of all rows seen, in nats.
    parts_ : dict
        "class_gains", what each class contributes, and "class_counts", in the order
        of `classes_`; "eps", the absolute distortion used; "rank", of the features.
        Of the plug-in: "rate", R(Z), and "conditional_rate", R(Z|Y), in place of
        the gains; "class_rates", where each class is coded by itself; and
        "correction", what was subtracted. Rates are divided as the score is.
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
    transrate_score : The same as a function.

    References
    ----------
    .. [1] Huang, L.-K., Huang, J., Rong, Y., Yang, Q., & Wei, Y. (2022).
       Frustratingly easy transferability estimation. ICML, PMLR 162, 9201-9225.
       https://doi.org/10.48550/arXiv.2106.09362

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_transrate.metrics import TransRate
    >>> X, y = load_digits(return_X_y=True)
    >>> metric = TransRate()
    >>> for start in range(0, len(X), 256):
    ...     _ = metric.partial_fit(X[start : start + 256], y[start : start + 256])
    >>> round(metric.score_, 4)
    2.1379
    >>> metric.parts_["rank"]
    61
    """

    requires = {"moments": ClassMoments.empty(scatter="class")}
    tasks = ("classification", "multilabel", "regression")
    accepts_sparse = True
    one_class_score = 0.0

    def __init__(
        self,
        *,
        eps="auto",
        class_weight="prior",
        normalize="rank",
        row_norm=None,
        projection=None,
        eps_unit="absolute",
        covariance="class",
        estimate="auto",
        correction=None,
        max_samples=10_000,
        task="auto",
        random_state=None,
    ):
        self.eps = eps
        self.class_weight = class_weight
        self.normalize = normalize
        self.row_norm = row_norm
        self.projection = projection
        self.eps_unit = eps_unit
        self.covariance = covariance
        self.estimate = estimate
        self.correction = correction
        self.max_samples = max_samples
        self.task = task
        self.random_state = random_state

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest possible score, with these parameters."""
        # The rate is concave, so only weights that make the class moments add up to
        # the total keep the difference from being negative.
        if self._is_left_out(self.task):
            return (0.0 if self.eps == "auto" else -np.inf, np.inf)
        proven = self.class_weight == "prior" and self.projection is None
        proven = proven and self.correction is None
        return (0.0 if proven else -np.inf, np.inf)

    @property
    def invariances(self) -> frozenset[str]:
        """What leaves the score as it is, with these parameters."""
        if self.correction == "permutation":  # up to which permutations are drawn
            return frozenset()
        kept = {"rotation"}
        if not self._is_left_out(self.task) and self.correction is None:
            kept.add("duplication")
        if self.normalize != "n_features":
            kept.add("padding")
        if self.row_norm is None:
            kept.add("translation")
        if self.eps == "auto" or self.eps_unit != "absolute" or self.row_norm == "l2":
            kept.add("scale")
        return frozenset(kept)

    @classmethod
    def from_form(cls, form, **params) -> Self:
        """Return TransRate in a form that has a name.

        Parameters
        ----------
        form : {"listing", "definition", "protocol", "projected", "relative", \
                "corrected", "predictive"}
            The paper's ten lines of code; its definition, with class priors; the
            authors' experiments, on rows of unit length; the same on between-class
            directions instead; the definition at a relative distortion, per rank;
            one covariance for all classes, with what unrelated labels would give
            subtracted; and out of sample, which is the default for classes.
        **params : dict
            Parameters to change, such as ``eps``, which the authors chose for each
            experiment.

        Returns
        -------
        metric : TransRate

        Examples
        --------
        >>> from sklearn_transrate.metrics import TransRate
        >>> TransRate.from_form("listing")
        TransRate(class_weight='uniform', eps=0.0001, normalize=None)
        """
        if form not in FORMS:
            raise ValueError(
                f"Expected 'form' to be one of {tuple(FORMS)}, got {form!r}."
            )
        return cls(**{**FORMS[form], **params})

    def required_statistics(
        self, task: str = "classification"
    ) -> Mapping[str, Statistic]:
        """Return the empty statistics that this metric needs for a task.

        Parameters
        ----------
        task : {"classification", "multilabel", "regression"}
            What kind of target y is.

        Returns
        -------
        statistics : mapping of {name: Statistic}
            Moments, and out of sample some of the rows. Only the rows with
            ``row_norm="l2"``, whose second scaling cannot be done before the mean of
            all is known, and for permutations.
        """
        moments = self._empty_moments(task)
        if self._is_left_out(task):
            rows = RowSample.empty(max_samples=self.max_samples)
            return {"moments": moments, "rows": rows}
        if self.row_norm is not None or self.correction == "permutation":
            return {"rows": RowSample.empty()}
        return {"moments": moments}

    def _is_left_out(self, task: str) -> bool:
        """Whether samples are coded by the others."""
        if self.estimate != "auto":
            return self.estimate == "leave_one_out"
        own = self.get_params(deep=False)
        return task in ("auto", "classification") and all(
            own[name] == value for name, value in PLUG_IN.items()
        )
