"""Laws of extractors: the features of a row depend on the model and that row alone."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import clone

from sklearn_transrate.extractors import FeatureExtractor
from sklearn_transrate.extractors._batching import count_rows, take_rows
from sklearn_transrate.testing._law import declare

__all__ = ["EXTRACTOR_LAWS"]

EXTRACTOR_LAWS: list[Callable] = []
BATCH_SIZES = (1, 3, 10**6)


def _collected(batches) -> dict[str, np.ndarray]:
    """Put the features of all batches under each other, for each layer."""
    parts: dict[str, list] = {}
    for features, _ in batches:
        for layer, rows in features.items():
            parts.setdefault(layer, []).append(rows)
    return {layer: np.concatenate(rows) for layer, rows in parts.items()}


def _assert_features(got: np.ndarray, expected: np.ndarray, when: str) -> None:
    """Compare up to rounding in the type that the model computes in."""
    assert got.shape == expected.shape, (
        f"expected features of shape {expected.shape}, got {got.shape} {when}"
    )
    coarsest = max(
        (np.finfo(a.dtype).eps for a in (got, expected) if a.dtype.kind == "f"),
        default=0.0,
    )
    got, expected = got.astype(np.float64), expected.astype(np.float64)
    size = np.abs(expected).max(initial=0.0)
    apart = np.abs(got - expected).max(initial=0.0)
    assert apart <= np.sqrt(coarsest) * size, (
        f"expected features up to {size:.4g} to be the same, got a difference of "
        f"{apart:.4g} {when}"
    )


def _fresh(extractor: FeatureExtractor) -> FeatureExtractor:
    return clone(extractor)


# -- layers --------------------------------------------------------------------


@declare(EXTRACTOR_LAWS)
def check_layer_names(extractor, X, y, rng):
    """Layers have names of their own, and the chosen ones are among them.

    Catches index numbers for names, and names that occur twice.
    """
    layers = list(extractor.layers_)
    assert layers, "expected at least one layer, got none"
    wrong = [layer for layer in layers if not isinstance(layer, str)]
    assert not wrong, f"expected names, got {wrong}"
    assert len(set(layers)) == len(layers), f"expected each name once, got {layers}"
    chosen = extractor.selected_layers_
    assert chosen, "expected at least one chosen layer, got none"
    assert set(chosen) <= set(layers), f"expected layers among {layers}, got {chosen}"


@declare(EXTRACTOR_LAWS)
def check_one_pass(extractor, X, y, rng):
    """One pass over a stream, which cannot be read twice, gives all layers.

    Catches a forward pass for each layer, and features that depend on which other
    layers were asked for.
    """
    starts, layers = range(0, count_rows(X), 2), list(extractor.layers_)
    stream = ((take_rows(X, i, i + 2), y[i : i + 2]) for i in starts)
    together = _collected(_fresh(extractor).iter_features(stream, layers=layers))
    assert list(together) == layers, f"expected layers {layers}, got {list(together)}"
    for layer, rows in together.items():
        alone = _collected(_fresh(extractor).iter_features(X, layers=layer))
        assert list(alone) == [layer], f"expected {[layer]}, got {list(alone)}"
        _assert_features(alone[layer], rows, f"for layer {layer!r} on its own")


@declare(EXTRACTOR_LAWS)
def check_with_layer(extractor, X, y, rng):
    """`with_layer` gives the columns that the layer has among all.

    Catches layers that change places.
    """
    together = _collected(_fresh(extractor).iter_features(X))
    assert list(together) == extractor.selected_layers_, (
        f"expected layers {extractor.selected_layers_}, got {list(together)}"
    )
    whole = _fresh(extractor).transform(X)
    _assert_features(
        np.concatenate(list(together.values()), axis=1), whole, "layers side by side"
    )
    for layer, rows in together.items():
        one = extractor.with_layer(layer)
        assert one.selected_layers_ == [layer], (
            f"expected {[layer]}, got {one.selected_layers_}"
        )
        _assert_features(one.transform(X), rows, f"from with_layer({layer!r})")


# -- rows ----------------------------------------------------------------------


@declare(EXTRACTOR_LAWS)
def check_batch_sizes(extractor, X, y, rng):
    """Batches of any size give what `transform` gives, with the labels of their rows.

    Catches normalisation by the batch, models left in training mode, and a last
    batch that is dropped or filled up.
    """
    whole = _fresh(extractor).transform(X)
    for size in BATCH_SIZES:
        features, labels = [], []
        for batch, y_batch in _fresh(extractor).iter_features(X, y, batch_size=size):
            rows = np.concatenate(list(batch.values()), axis=1)
            assert len(rows) == len(y_batch) <= size, (
                f"expected at most {size} rows and as many labels, got {len(rows)} "
                f"rows and {len(y_batch)} labels"
            )
            features.append(rows)
            labels.extend(y_batch)
        assert labels == list(y), f"expected the labels in order, got {labels}"
        _assert_features(np.concatenate(features), whole, f"in batches of {size}")
    for _, labels in _fresh(extractor).iter_features(X):
        assert labels is None, f"expected None for labels, got {labels!r}"


@declare(EXTRACTOR_LAWS)
def check_widths(extractor, X, y, rng):
    """`transform` gives finite numbers, a row for each sample and a name a column.

    Catches activations that are not pooled, and widths that depend on the batch.
    """
    n = count_rows(X)
    fitted = _fresh(extractor).fit(X)
    features = fitted.transform(X)
    assert isinstance(features, np.ndarray), f"got {type(features).__name__}"
    assert features.ndim == 2, f"expected two axes, got shape {features.shape}"
    assert len(features) == n, f"expected {n} rows, got {len(features)}"
    assert np.isfinite(features).all(), "expected finite features, got NaN or infinity"
    names = list(fitted.get_feature_names_out())
    assert len(names) == features.shape[1], (
        f"expected {features.shape[1]} names, got {len(names)}"
    )
    assert len(set(names)) == len(names), f"expected each name once, got {names}"


@declare(EXTRACTOR_LAWS)
def check_features_deterministic(extractor, X, y, rng):
    """The same row gives the same features, whenever it comes and with whom.

    Catches dropout, and random weights that are drawn anew.
    """
    one = _fresh(extractor)
    whole = one.transform(X)
    _assert_features(one.transform(X), whole, "the second time")
    n = count_rows(X)
    tail = one.transform(take_rows(X, n // 2, n))
    _assert_features(tail, whole[n // 2 :], "without the rows before")


@declare(EXTRACTOR_LAWS)
def check_fit_learns_nothing(extractor, X, y, rng):
    """Fitting changes no feature.

    Catches statistics of one data set that travel to the next.
    """
    whole = _fresh(extractor).transform(X)
    fitted = _fresh(extractor).fit(take_rows(X, 0, max(count_rows(X) // 2, 1)))
    _assert_features(fitted.transform(X), whole, "after a fit to other rows")


@declare(EXTRACTOR_LAWS)
def check_inputs_not_changed(extractor, X, y, rng):
    """Read-only inputs are accepted, and none is changed.

    Catches preprocessing in place.
    """
    given = copy.deepcopy(X)
    if isinstance(given, np.ndarray):
        given.flags.writeable = False
    _fresh(extractor).transform(given)
    if isinstance(given, np.ndarray):
        given.flags.writeable = True
        _fresh(extractor).transform(given)
    assert _same(given, X), "expected the inputs as they were, got others"


def _same(left: Any, right: Any) -> bool:
    if hasattr(left, "shape"):
        return bool(np.array_equal(np.asarray(left), np.asarray(right)))
    if isinstance(left, dict):
        return all(_same(left[key], right[key]) for key in right)
    if isinstance(left, list | tuple):
        return all(map(_same, left, right))
    return left == right


# -- objects -------------------------------------------------------------------


@declare(EXTRACTOR_LAWS)
def check_clone_shares_model(extractor, X, y, rng):
    """A clone has the same parameters and the very same model.

    Catches copies of weights, and fitted models that come back untrained.
    """
    twin = clone(extractor)
    params = extractor.get_params(deep=False)
    assert twin.get_params(deep=False).keys() == params.keys(), (
        f"expected parameters {sorted(params)}, got {sorted(twin.get_params(False))}"
    )
    for name, value in params.items():
        if name in extractor._shared_params:
            assert getattr(twin, name) is value, f"expected the same {name}, got a copy"
        else:
            got = getattr(twin, name)
            assert repr(got) == repr(value), f"expected {name}={value!r}, got {got!r}"
    _assert_features(twin.transform(X), extractor.transform(X), "from a clone")


@declare(EXTRACTOR_LAWS)
def check_extractor_pickle(extractor, X, y, rng):
    """A pickled extractor gives the same features.

    Catches hooks and open files that travel with the object.
    """
    one = _fresh(extractor)
    whole = one.transform(X)
    twin = pickle.loads(pickle.dumps(one))
    assert list(twin.layers_) == list(one.layers_), (
        f"expected layers {list(one.layers_)}, got {list(twin.layers_)}"
    )
    _assert_features(twin.transform(X), whole, "from a pickle")
