"""Names of metrics: ours, and those that other packages register.

A package adds its own under the entry point group ``sklearn_transrate.metrics``::

    [project.entry-points."sklearn_transrate.metrics"]
    mymetric = "mypackage.module:MyMetric"
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from sklearn_transrate.exceptions import UnknownMetricError
from sklearn_transrate.metrics._base import TransferMetric
from sklearn_transrate.metrics._transrate_options import FORMS

__all__ = [
    "ENTRY_POINT_GROUP",
    "get_metric",
    "get_metric_names",
    "metric_name",
    "resolve_metric",
]

ENTRY_POINT_GROUP = "sklearn_transrate.metrics"
# Name: module, class, and the parameters that make the named form.
_BUILTIN: dict[str, tuple[str, str, dict]] = {
    "constant": ("_baselines", "Constant", {}),
    "etran": ("_etran", "ETran", {}),
    "gbc": ("_gbc", "GBC", {}),
    "gbc_spherical": ("_gbc", "GBC", {"covariance": "spherical"}),
    "h_score": ("_hscore", "HScore", {}),
    "leep": ("_leep", "LEEP", {}),
    "lfc": ("_lfc", "LFC", {}),
    "linear_probe": ("_linear_probe", "LinearProbe", {}),
    "logme": ("_logme", "LogME", {}),
    "n_features": ("_baselines", "FeatureWidth", {}),
    "nce": ("_nce", "NCE", {}),
    "nearest_neighbors": ("_knn", "NearestNeighborsProbe", {}),
    "nleep": ("_nleep", "NLEEP", {"random_state": 0}),
    "pactran_dirichlet": ("_pactran", "PACTranDirichlet", {}),
    "pactran_gamma": ("_pactran", "PACTranGamma", {}),
    "pactran_gaussian": ("_pactran", "PACTranGaussian", {}),
    "ped": ("_ped", "PED", {}),
    "ridge_loo": ("_ridge_loo", "RidgeLOO", {}),
    "sfda": ("_sfda", "SFDA", {}),
    "shrunk_h_score": ("_hscore", "HScore", {"shrinkage": "ledoit_wolf"}),
    "transrate": ("_transrate", "TransRate", {}),
    "transrate_corrected": ("_transrate", "TransRate", FORMS["corrected"]),
    "transrate_listing": ("_transrate", "TransRate", FORMS["listing"]),
    "transrate_relative": ("_transrate", "TransRate", FORMS["relative"]),
    "ncti": ("_ncti", "NCTI", {}),
    "parc": ("_parc", "PARC", {"random_state": 0}),
    "tmi": ("_tmi", "TMI", {}),
}


def _builtin_class(module: str, attribute: str) -> type[TransferMetric]:
    return getattr(import_module(f"sklearn_transrate.metrics.{module}"), attribute)


@cache
def _third_party() -> dict[str, EntryPoint]:
    # The first distribution on the path wins a name; ours are never replaced.
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.name not in _BUILTIN:
            found.setdefault(point.name, point)
    return found


def get_metric_names() -> list[str]:
    """Names that `get_metric` knows.

    Returns
    -------
    names : list of str
        Sorted; this package's metrics and those of installed packages that
        register theirs.

    Examples
    --------
    >>> from sklearn_transrate.metrics import get_metric_names
    >>> "transrate" in get_metric_names()
    True
    """
    return sorted({*_BUILTIN, *_third_party()})


def get_metric(name: str, **params) -> TransferMetric:
    """Make a metric by its name.

    Parameters
    ----------
    name : str
        One of `get_metric_names`.
    **params : dict
        Parameters of the metric.

    Returns
    -------
    metric : TransferMetric
        A new, unfitted metric.

    Raises
    ------
    UnknownMetricError
        If no metric of that name is registered.

    Examples
    --------
    >>> from sklearn_transrate.metrics import get_metric
    >>> get_metric("transrate", eps=0.01)
    TransRate(eps=0.01)
    """
    if name in _BUILTIN:
        module, attribute, form = _BUILTIN[name]
        params = {**form, **params}
        factory = _builtin_class(module, attribute)
    elif name in _third_party():
        factory = _third_party()[name].load()
    else:
        close = get_close_matches(str(name), get_metric_names(), n=3)
        hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise UnknownMetricError(
            f"No metric is named {name!r}.{hint} Expected one of {get_metric_names()}."
        )
    return factory(**params)


def metric_name(metric: str | TransferMetric) -> str:
    """Return a metric's registered name, or that of its class in lower case.

    Parameters
    ----------
    metric : str or TransferMetric
        A name is returned as it is.

    Returns
    -------
    name : str
        Of several forms of one class, the most specific that fits the parameters.
    """
    if isinstance(metric, str):
        return metric
    kind = type(metric)
    forms = {
        name: form
        for name, (module, attribute, form) in _BUILTIN.items()
        if kind.__name__ == attribute
        and kind is _builtin_class(module, attribute)
        and all(getattr(metric, key) == value for key, value in form.items())
    }
    return max(forms, key=lambda name: len(forms[name]), default=kind.__name__.lower())


def resolve_metric(
    metric: str | TransferMetric | Callable,
) -> TransferMetric | Callable:
    """Return the metric of a name; anything else as it is, after a check.

    Parameters
    ----------
    metric : str, TransferMetric or callable (X, y) -> float
        What a user gave.

    Returns
    -------
    metric : TransferMetric or callable
    """
    if isinstance(metric, str):
        return get_metric(metric)
    if isinstance(metric, type) and issubclass(metric, TransferMetric):
        raise TypeError(
            f"Expected an instance, got the class {metric.__name__}. Pass "
            f"{metric.__name__}() instead."
        )
    if isinstance(metric, TransferMetric) or callable(metric):
        return metric
    raise TypeError(
        "Expected a metric's name, a TransferMetric or a callable (X, y) -> float, got "
        f"{metric!r} of type {type(metric).__name__}."
    )
