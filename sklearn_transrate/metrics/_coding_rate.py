"""Coding rate: nats needed per sample to code features up to a distortion.

Ma, Y., Derksen, H., Hong, W., & Wright, J. (2007); in the form used by Huang et al.
(2022). Needs second moments only.
"""

from __future__ import annotations

import numpy as np

from sklearn_transrate._lib import linalg
from sklearn_transrate._lib.array_api import device_namespace
from sklearn_transrate._lib.validation import check_features
from sklearn_transrate.statistics import ClassMoments

__all__ = ["AUTO_DISTORTION", "coding_rate", "rate_of_spectrum", "rate_of_triangle"]

# eps="auto" is this share of the mean non-zero eigenvalue. On the spectra published
# with TransRate, shares from 0.025 to 1 rank alike, and this one as well as a
# distortion tuned for each experiment.
AUTO_DISTORTION = 0.1


def rate_of_triangle(triangle: np.ndarray, weight: float, eps: float) -> float:
    """Rate of a scatter over `weight` samples; the triangle is overwritten."""
    return 0.5 * linalg.log_det_identity_plus(triangle, weight * eps)


def rate_of_spectrum(eigenvalues: np.ndarray, eps: float) -> float:
    """Rate of a covariance with these eigenvalues."""
    return 0.5 * float(np.log1p(np.asarray(eigenvalues) / eps).sum())


def coding_rate(X, *, eps="auto", assume_centered=False):
    """Coding rate of a set of features.

    How many nats a sample takes, on average, if features are coded up to a squared
    error of `eps` in each direction. It grows with the spread of the features and
    with the number of directions that they spread in.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Features. Those on an accelerator (torch, CuPy, JAX) are summarised there.
    eps : float or "auto", default="auto"
        Distortion, in squared units of the features. "auto" is 0.1 times the mean
        non-zero eigenvalue of the covariance, so that the rate does not change with
        the scale of the features.
    assume_centered : bool, default=False
        Whether to take the features as they are rather than around their mean.

    Returns
    -------
    rate : float
        In nats; 0 for constant features, without upper bound.

    Raises
    ------
    ValueError
        If `eps` is not positive, or `X` is empty or not finite.

    See Also
    --------
    transrate_score : The rate that knowing the class saves.

    Notes
    -----
    With :math:`\\Sigma` the covariance (divided by n), the rate is
    :math:`\\frac12 \\log\\det(I + \\Sigma / \\epsilon)`. Cost: O(n d min(n, d)), by
    Cholesky on the smaller side.

    References
    ----------
    .. [1] Ma, Y., Derksen, H., Hong, W., & Wright, J. (2007). Segmentation of
       multivariate mixed data via lossy data coding and compression. IEEE TPAMI,
       29(9), 1546-1562. https://doi.org/10.1109/TPAMI.2007.1085

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_transrate.metrics import coding_rate
    >>> X, y = load_iris(return_X_y=True)
    >>> round(coding_rate(X, eps=0.01), 4)
    6.3256
    """
    xp = device_namespace(X, purpose="coding_rate")
    if xp is not None:
        # Its kernels read distortions, as this module says how.
        from sklearn_transrate.metrics._array_api import coding_rate_on_device

        return coding_rate_on_device(xp, X, eps, assume_centered)
    X = check_features(X, name="coding_rate")
    labels = np.zeros(len(X), dtype=int)
    moments = ClassMoments.from_batch(X, labels, scatter="pooled")
    scatter = moments.within() if not assume_centered else moments.within().copy()
    if assume_centered:
        scatter.add(np.sqrt(len(X)) * moments.means)
    if scatter.is_dense:
        triangle = scatter.triangle().copy(order="F")
    else:
        triangle = linalg.gram_of_rows(scatter.factor())
    eps = distortion(eps, "absolute", triangle, len(X))
    return 0.0 if eps == 0 else rate_of_triangle(triangle, len(X), eps)


def distortion(eps, unit: str, triangle: np.ndarray, weight: float, rank=None):
    """Return the absolute distortion that `eps` means for a scatter.

    Zero, if a relative distortion meets features without any variance.
    """
    if isinstance(eps, str):
        if eps != "auto":
            raise ValueError(f"Expected 'eps' to be positive or 'auto', got {eps!r}.")
        eps, unit = AUTO_DISTORTION, "mean_eigenvalue"
    elif not eps > 0 or not np.isfinite(eps):
        raise ValueError(f"Expected 'eps' to be positive or 'auto', got {eps!r}.")
    if unit == "absolute":
        return float(eps)
    trace = float(np.trace(triangle)) / weight
    if unit == "trace":
        return float(eps) * trace
    if rank is None:
        rank = linalg.effective_rank(triangle)
    return float(eps) * trace / max(rank, 1)
