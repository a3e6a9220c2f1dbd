"""PACTran: minus a PAC-Bayes bound of the loss that fine-tuning will reach.

Ding, N., et al. (2022). The Gaussian form needs the rows, for a logistic regression is
fitted to them; the other two stand in `_pactran_mixture`.
"""

from __future__ import annotations

import warnings
from numbers import Real

import numpy as np
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from sklearn_transrate._lib import linalg
from sklearn_transrate._lib.labels import encode_labels
from sklearn_transrate.metrics._base import MetricResult, TransferMetric
from sklearn_transrate.metrics._pactran_mixture import PACTranDirichlet, PACTranGamma
from sklearn_transrate.statistics import RowSample

__all__ = ["PACTranDirichlet", "PACTranGamma", "PACTranGaussian", "pactran_score"]

FORMS = ("gaussian", "dirichlet", "gamma")
# The published prior variance is this, times C, over the number of features.
SPREAD = 100.0
# Where the fit stops: largest component of the gradient, in units of the loss, which
# may be tiny. Beyond it the score moves by about as much of itself.
GRADIENT_TOLERANCE = 1e-7
# Where it may have stopped for good: rounding ends some descents earlier.
LARGEST_GRADIENT = 1e-3
MAX_ITERATIONS = 10_000


# -- kernels -------------------------------------------------------------------


def _principal_rows(rows: RowSample) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centred rows in their principal axes, scatter eigenvalues, weights."""
    X = rows.features.astype(np.float64)
    weights = np.ones(len(X)) if rows.weights is None else rows.weights
    # Distances to a row are as exact as the data, whatever the offset.
    X -= X[0].copy()
    X -= weights @ X / weights.sum()
    root = np.sqrt(weights)[:, None]
    if X.shape[1] <= len(X):
        triangle = linalg.empty_triangle(X.shape[1])
        eigenvalues, vectors = linalg.eigh_psd(linalg.add_gram(triangle, X * root))
        return X @ vectors, eigenvalues, weights
    eigenvalues, vectors = linalg.eigh_psd(linalg.gram_of_rows(X * root))
    return vectors * np.sqrt(eigenvalues) / root, eigenvalues, weights


def _confusion(logits, picked) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Minus the log likelihoods, other classes' probabilities, and their sums.

    All are exact to the last digits where a sample is nearly certain, unlike one minus
    the probability of its own class. Overwrites the logits; own classes get 0.
    """
    logits -= logits[picked][:, None]
    top = logits.max(axis=1)
    others = np.exp(logits - top[:, None], out=logits)
    others[picked] = 0.0
    wrong = others.sum(axis=1)
    total = wrong + np.exp(-top)
    surprise = np.where(top > 0, top + np.log(total), np.log1p(wrong))
    others /= total[:, None]
    return surprise, others, wrong / total


def _fit(A, penalties, codes, shares, n_classes) -> tuple[float, np.ndarray]:
    """Least penalised cross-entropy, and each sample's variance sum_k p_k (1 - p_k).

    Starts at zero weights, so it is deterministic and treats all classes alike.
    """
    n, r = A.shape
    picked = np.arange(n), codes

    def predict(parameters):
        W = parameters[: r * n_classes].reshape(r, n_classes)
        return W, *_confusion(A @ W + parameters[r * n_classes :], picked)

    def objective(parameters):
        W, surprise, residual, wrong = predict(parameters)
        loss = shares @ surprise + 0.5 * penalties @ np.einsum("rk,rk->r", W, W)
        residual[picked] = -wrong
        residual *= shares[:, None]
        gradient = A.T @ residual + penalties[:, None] * W
        return loss, np.concatenate([gradient.ravel(), residual.sum(axis=0)])

    parameters = _minimise(objective, np.zeros((r + 1) * n_classes))
    _, _, others, wrong = predict(parameters)
    variance = wrong * (2.0 - wrong) - np.einsum("ik,ik->i", others, others)
    return float(objective(parameters)[0]), variance


def _minimise(objective, parameters: np.ndarray) -> np.ndarray:
    """Descend until the gradient is small beside the loss."""
    loss, n_iterations = 1.0, 0
    while n_iterations < MAX_ITERATIONS:
        found = minimize(
            objective,
            parameters,
            jac=True,
            method="L-BFGS-B",
            options={
                "maxiter": MAX_ITERATIONS - n_iterations,
                "maxfun": 2 * MAX_ITERATIONS,
                "maxcor": 20,
                "ftol": 0.0,
                "gtol": GRADIENT_TOLERANCE * loss,
            },
        )
        parameters, n_iterations = found.x, n_iterations + found.nit
        previous, (loss, gradient) = loss, objective(parameters)
        largest = np.abs(gradient).max()
        if largest <= GRADIENT_TOLERANCE * loss or loss > 0.5 * previous:
            break
    if largest > LARGEST_GRADIENT * loss:
        warnings.warn(
            f"The logistic regression of PACTran did not converge in {n_iterations} "
            "iterations, so the score is approximate. Use a smaller C.",
            ConvergenceWarning,
            stacklevel=7,
        )
    return parameters


def _gaussian_loss(rows: RowSample, C: float, spread: float) -> dict[str, float]:
    """The fitted loss, and what its curvature adds to the bound."""
    classes, codes = encode_labels(rows.targets)
    n_classes, d = len(classes), rows.features.shape[1]
    A, eigenvalues, weights = _principal_rows(rows)
    n = weights.sum()
    lengths = np.einsum("ij,ij->i", A, A)
    # Weights in units of their curvature: at most half the variance, and the penalty.
    curvature = eigenvalues / (2.0 * n) + 1.0 / (C * n)
    A /= np.sqrt(curvature)
    penalties = 1.0 / (C * n * curvature)
    loss, variance = _fit(A, penalties, codes, weights / n, n_classes)
    # Diagonal of the Hessian of the summed loss, summed over weights and biases, but
    # for what the penalty adds to it: that is the one in log(1 + ...).
    trace = weights @ ((lengths + 1.0) * variance)
    flatness = np.log1p(C * n / (n_classes * d) * trace)
    return {
        "cross_entropy": loss,
        "flatness": float(n_classes * spread / (2.0 * C * n) * flatness),
    }


# -- function ------------------------------------------------------------------


def pactran_score(
    X,
    y,
    *,
    form="gaussian",
    alpha=1.0,
    n_sweeps=10,
    C=1.0,
    spread=None,
    sample_weight=None,
):
    """Minus a PAC-Bayes bound of the loss after transfer.

    How low a loss the data allow a classifier on top to promise, for samples that it
    has not seen. Higher is better (the published losses have the other sign).

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Features, for the Gaussian form; else probabilities of the source classes, one
        distribution a row.
    y : array-like of shape (n_samples,)
        Target class labels. Any hashable labels; at least two classes.
    form : {"gaussian", "dirichlet", "gamma"}, default="gaussian"
        Prior of the classifier: of a linear model's weights, or of the probability or
        rate of each target class given the source class.
    alpha : float, default=1.0
        Strength of a Dirichlet or Gamma prior, in samples for each source class.
    n_sweeps : int, default=10
        Updates of a Dirichlet or Gamma posterior, 10 as published.
    C : float, default=1.0
        Inverse strength of the penalty on a linear model's weights, as in
        scikit-learn's LogisticRegression. Published with 0.1, 1 and 10.
    spread : float or None, default=None
        Prior variance of each weight, times the number of features; None is ``100 C``.
        Published with ``10 C`` as well.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; a weight of 2 counts as two equal rows.

    Returns
    -------
    score : float
        At most 0 but for the Gamma form, whose constants are as published. Nats a
        sample for the Gaussian form, nats a sample and class for the others; comparable
        only for the same samples and labels.

    Raises
    ------
    ValueError
        If rows should be probabilities and are not, if a parameter is out of range, or
        if arguments are swapped, empty, not finite or of different lengths.

    Warns
    -----
    ConvergenceWarning
        If the linear model's loss is still falling after 10,000 iterations.
    UndefinedMetricWarning
        If `y` has one class; the score is then NaN.

    See Also
    --------
    PACTranGaussian, PACTranDirichlet, PACTranGamma : The same as objects.

    Notes
    -----
    *Gaussian*: ``F + K s / (2 C n) log(C n / (K d) tr h)`` with n samples, d features,
    K classes and `spread` s. F is the minimum over weights W and biases of the mean
    cross-entropy plus ``|W|^2 / (2 C n)`` for centred features, and h the diagonal of
    the Hessian of the sum that it is the mean of. The fit starts at zero and
    runs to the minimum. Cost: O(n d min(n, d)), and O(n K min(n, d)) an iteration.

    *Dirichlet*: the free energy, over n K, of a model that draws a source class z from
    the source probabilities and then y from P(. | z), whose prior is Dirichlet with
    parameters alpha times the class shares; *Gamma*: the same with rates
    in place of probabilities, normalised for each sample. Cost: O(n s) a sweep for
    s source classes.

    The Gaussian form depends on the features' scale, as published; it misleads where
    candidates differ in it. All forms mislead where samples are so few that the second
    term, or the prior, outweighs the data.

    References
    ----------
    .. [1] Ding, N., Chen, X., Levinboim, T., Changpinyo, S., & Soricut, R. (2022).
       PACTran: PAC-Bayesian metrics for estimating the transferability of pretrained
       models to classification tasks. ECCV, 252-268.
       https://doi.org/10.1007/978-3-031-19830-4_15

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate.metrics import pactran_score
    >>> X, y = load_iris(return_X_y=True)
    >>> round(pactran_score(X, y), 3)
    -7.103
    >>> proba = [[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8]]
    >>> round(pactran_score(proba, ["a", "a", "b", "b"], form="dirichlet"), 4)
    -0.3802
    """
    if form not in FORMS:
        raise ValueError(f"Expected 'form' to be one of {FORMS}, got {form!r}.")
    if form == "gaussian":
        metric = PACTranGaussian(C=C, spread=spread)
    else:
        prior = PACTranDirichlet if form == "dirichlet" else PACTranGamma
        metric = prior(alpha=alpha, n_sweeps=n_sweeps)
    return metric.score(X, y, sample_weight)


# -- the object ----------------------------------------------------------------


class PACTranGaussian(TransferMetric):
    """PACTran with a Gaussian prior, as an object for streams and selectors.

    Parameters
    ----------
    C : float, default=1.0
        Inverse strength of the penalty on the weights.
    spread : float or None, default=None
        Prior variance of each weight, times the number of features; None is ``100 C``.

    Attributes
    ----------
    score_ : float
        Minus the bound on all rows seen, in nats a sample.
    parts_ : dict
        "cross_entropy", the least penalised loss, and "flatness", what the curvature at
        the minimum adds; minus their sum is the score.
    classes_ : ndarray of shape (n_classes,)
        Labels seen, sorted.
    n_samples_seen_ : int
        Number of rows seen.
    n_features_in_ : int
        Width of the features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where they all are strings.

    See Also
    --------
    pactran_score : The same as a function, with formulas.

    References
    ----------
    .. [1] Ding, N., Chen, X., Levinboim, T., Changpinyo, S., & Soricut, R. (2022).
       PACTran: PAC-Bayesian metrics for estimating the transferability of pretrained
       models to classification tasks. ECCV, 252-268.
       https://doi.org/10.1007/978-3-031-19830-4_15

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate.metrics import PACTranGaussian
    >>> X, y = load_iris(return_X_y=True)
    >>> metric = PACTranGaussian(C=10.0).fit(X, y)
    >>> round(metric.parts_["cross_entropy"], 4)
    0.0838
    """

    requires = {"rows": RowSample.empty()}
    bounds = (-np.inf, 0.0)
    invariances = frozenset({"translation", "rotation"})
    n_passes = 2

    def __init__(self, *, C=1.0, spread=None):
        self.C = C
        self.spread = spread

    def _evaluate(self, rows) -> MetricResult:
        spread = SPREAD * self.C if self.spread is None else self.spread
        for name, value in (("C", self.C), ("spread", spread)):
            if not (isinstance(value, Real) and 0.0 < value < np.inf):
                raise ValueError(
                    f"Expected {name!r} to be a positive number, got {value!r}."
                )
        parts = _gaussian_loss(rows, self.C, spread)
        return MetricResult(-sum(parts.values()), parts=parts)
