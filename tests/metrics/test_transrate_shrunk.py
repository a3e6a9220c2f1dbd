"""TransRate with covariances between those of the classes and one for all."""

from __future__ import annotations

import numpy as np
import pytest

from sklearn_transrate.metrics import TransRate, transrate_score
from sklearn_transrate.uncertainty import standard_error

ROUNDING = 1e-9
SHAPES = [(80, 6), (20, 50), (45, 20)]


def make(n_samples, n_features):
    rng = np.random.default_rng(0)
    y = rng.choice(3, size=n_samples, p=[0.6, 0.3, 0.1])
    y[:3] = [0, 1, 2]
    X = rng.standard_normal((n_samples, n_features))
    X[:, 0] += 2.0 * y
    return X, y


def defined(X, y, share, eps):
    """The definition, by covariances and determinants."""
    d, Z = X.shape[1], X - X.mean(axis=0)
    labels = np.unique(y)
    residuals = Z - np.array([Z[y == k].mean(axis=0) for k in labels])[y]
    within = residuals.T @ residuals / len(Z)

    def rate(covariance):
        return np.linalg.slogdet(np.eye(d) + covariance / eps)[1] / 2

    left = 0.0
    for k in labels:
        own = Z[y == k].T @ Z[y == k] / np.sum(y == k)
        left += np.mean(y == k) * rate((1 - share) * own + share * within)
    return rate(Z.T @ Z / len(Z)) - left


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_equals_the_definition(shape, share):
    X, y = make(*shape)
    score = transrate_score(X, y, eps=0.1, normalize=None, covariance=share)
    assert score == pytest.approx(defined(X, y, share, 0.1), rel=ROUNDING)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("share", "end"), [(0.0, "class"), (1.0, "pooled")])
def test_the_ends_are_the_other_forms(shape, share, end):
    X, y = make(*shape)
    plug_in = TransRate(estimate="plug_in", covariance=end)
    assert TransRate(covariance=share).score(X, y) == pytest.approx(
        plug_in.score(X, y), rel=ROUNDING
    )


def test_streams_and_string_labels_agree():
    X, y = make(80, 6)
    stream = TransRate(covariance=0.5)
    for start in range(0, 80, 13):
        stream.partial_fit(
            X[start : start + 13], np.array(list("abc"))[y][start : start + 13]
        )
    assert stream.score_ == pytest.approx(TransRate(covariance=0.5).score(X, y))


def test_its_standard_error_is_a_jackknife():
    X, y = make(80, 6)
    metric = TransRate(covariance=0.5)
    assert standard_error(metric, X, y) > 0
    with pytest.raises(ValueError, match="no closed form"):
        metric.fit(X, y).influence(X, y)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"covariance": 1.5}, "between 0 and 1"),
        ({"covariance": "tied"}, "'covariance' to be one of"),
        ({"covariance": 0.5, "row_norm": "l2"}, "row_norm=None"),
        ({"covariance": 0.5, "projection": "between"}, "projection=None"),
    ],
)
def test_other_shares_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        TransRate(**params).score(*make(20, 3))


def test_constant_features_are_worth_nothing():
    X, y = np.ones((20, 3)), np.arange(20) % 2
    assert TransRate(covariance=0.5).score(X, y) == 0.0
