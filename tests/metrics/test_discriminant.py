"""Linear discriminant analysis: scikit-learn's, on either side, and its limits."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from sklearn_transrate.metrics._discriminant import Discriminant, Rows
from sklearn_transrate.statistics import ClassMoments, RowSample


def made(n, d, n_classes, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    return rng.standard_normal((n_classes, d))[y] + rng.standard_normal((n, d)), y


def rows_of(X, y, weights=None):
    moments = ClassMoments.from_batch(X, y, weights, scatter="pooled")
    return moments, Rows.from_sample(RowSample.from_batch(X, y, weights), moments.mean)


@pytest.mark.parametrize("shrinkage", [1e-3, 0.2, 0.9])
@pytest.mark.parametrize(("n", "d"), [(60, 8), (20, 50)])
def test_posterior_is_that_of_scikit_learn(n, d, shrinkage):
    X, y = made(n, d, 3)
    lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(X, y)
    moments, _ = rows_of(X, y)
    got = Discriminant.from_moments(moments, shrinkage).posterior(X)
    np.testing.assert_allclose(got, lda.predict_proba(X), rtol=1e-7, atol=1e-12)


def test_no_shrinkage_takes_the_pseudo_inverse():
    X, y = made(60, 5, 3)
    padded = np.hstack([X, X[:, :2], np.ones((60, 1))])
    lda = LinearDiscriminantAnalysis(solver="lsqr").fit(X, y)
    for features in (X, padded):
        moments, _ = rows_of(features, y)
        got = Discriminant.from_moments(moments, 0.0).posterior(features)
        np.testing.assert_allclose(got, lda.predict_proba(X), rtol=1e-7)


def test_rows_are_read_about_their_origin():
    X, y = made(50, 4, 2)
    moments, rows = rows_of(X + 1e6, y)
    assert np.abs(rows.read(slice(None))).max() < 10
    discriminant = Discriminant.from_moments(moments, 0.1, rows.origin)
    plain = Discriminant.from_moments(rows_of(X, y)[0], 0.1).posterior(X)
    np.testing.assert_allclose(
        discriminant.own_class(rows), plain[np.arange(50), y], rtol=1e-6
    )


def test_weights_count_as_rows():
    X, y = made(30, 4, 3)
    times = 1 + np.arange(30) % 2
    moments, rows = rows_of(X, y, times)
    again, _ = rows_of(np.repeat(X, times, axis=0), np.repeat(y, times))
    weighted = Discriminant.from_moments(moments, 0.1)
    repeated = Discriminant.from_moments(again, 0.1)
    np.testing.assert_allclose(weighted.slopes, repeated.slopes, rtol=1e-9)
    np.testing.assert_allclose(weighted.intercepts, repeated.intercepts, rtol=1e-9)
    assert rows.mean(np.arange(30.0)) == pytest.approx(
        np.average(np.arange(30.0), weights=times)
    )


def test_changed_rows_have_changed_moments():
    X, y = made(30, 4, 3)
    moments, rows = rows_of(X, y)
    doubled = rows.mapped(lambda Z, block: 2.0 * Z)
    got = doubled.moments()
    np.testing.assert_allclose(
        got.within().dense(), 4.0 * moments.within().dense(), rtol=1e-12
    )
    np.testing.assert_allclose(
        got.means, 2.0 * (moments.means - moments.mean), rtol=1e-9, atol=1e-12
    )
