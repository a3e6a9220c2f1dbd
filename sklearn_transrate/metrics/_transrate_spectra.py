"""TransRate of spectra instead of features: published ones, or cached ones."""

from __future__ import annotations

import numpy as np

from sklearn_transrate.metrics._coding_rate import distortion, rate_of_spectrum
from sklearn_transrate.metrics._transrate_options import check_options, class_weights

__all__ = ["transrate_from_eigenvalues"]


def transrate_from_eigenvalues(
    eigenvalues,
    class_eigenvalues,
    class_counts,
    *,
    eps,
    class_weight="prior",
    normalize="rank",
    rank=None,
    eps_unit="absolute",
):
    """TransRate of spectra that were published or cached.

    Parameters
    ----------
    eigenvalues : array-like of shape (n_eigenvalues,)
        Of the covariance of all features; zeros may be left out.
    class_eigenvalues : sequence of array-like
        Of each class's second moment about the global mean.
    class_counts : array-like of shape (n_classes,)
        Number of samples of each class.
    eps : float or "auto"
        Distortion, as in `transrate_score`.
    class_weight : {"prior", "uniform"}, default="prior"
        Weight of each class's rate.
    normalize : {"rank"} or None, default="rank"
        Whether to divide both rates by the rank.
    rank : int, default=None
        The rank of the features; None counts the non-zero eigenvalues.
    eps_unit : {"absolute", "trace", "mean_eigenvalue"}, default="absolute"
        What a float `eps` is measured in.

    Returns
    -------
    score : float
        In nats, per direction if `normalize` is "rank".

    See Also
    --------
    transrate_score : The same from features and labels.

    References
    ----------
    .. [1] Huang, L.-K., Huang, J., Rong, Y., Yang, Q., & Wei, Y. (2022).
       Frustratingly easy transferability estimation. ICML, PMLR 162, 9201-9225.
       https://doi.org/10.48550/arXiv.2106.09362

    Examples
    --------
    >>> from sklearn_transrate.metrics import transrate_from_eigenvalues
    >>> score = transrate_from_eigenvalues(
    ...     [1.0, 0.5], [[0.9, 0.1], [0.7, 0.3]], [50, 50], eps=0.1
    ... )
    >>> round(score, 4)
    0.2397
    """
    check_options(eps_unit=eps_unit, class_weight=class_weight, normalize=normalize)
    if normalize == "n_features":
        raise ValueError(
            "Spectra do not tell the number of features. Use normalize='rank', or "
            "None and divide the result."
        )
    eigenvalues = np.asarray(eigenvalues, dtype=np.float64)
    counts = np.asarray(class_counts, dtype=np.float64)
    if len(class_eigenvalues) != len(counts) or len(counts) == 0:
        raise ValueError(
            f"Expected one spectrum and one count for each class, got "
            f"{len(class_eigenvalues)} spectra and {len(counts)} counts."
        )
    if rank is None:
        rank = int(np.count_nonzero(eigenvalues))
    # The trace is all that the conversion of eps reads from a matrix.
    eps = distortion(eps, eps_unit, np.diag(eigenvalues), 1.0, rank)
    if eps == 0:
        return 0.0
    rates = np.array([rate_of_spectrum(values, eps) for values in class_eigenvalues])
    left = class_weights(counts, class_weight) @ rates
    divisor = max(rank, 1) if normalize == "rank" else 1
    return float((rate_of_spectrum(eigenvalues, eps) - left) / divisor)
