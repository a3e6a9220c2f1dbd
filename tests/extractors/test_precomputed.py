from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from sklearn_transrate.exceptions import LayerNotFoundError
from sklearn_transrate.extractors import PrecomputedFeatures

N = 12
LAYERS = {
    "early": np.arange(N * 3, dtype=np.float16).reshape(N, 3),
    "late": np.arange(N * 2, dtype=np.float16).reshape(N, 2) / 8,
}
ROWS = np.array([7, 0, 11, 7])


@pytest.fixture(params=["dict", "npz", "compressed", "paths", "frames"])
def features(request, tmp_path):
    """The same two layers, kept in different ways."""
    if request.param == "dict":
        return LAYERS
    if request.param == "frames":
        return {layer: pd.DataFrame(array) for layer, array in LAYERS.items()}
    if request.param == "paths":
        paths = {layer: tmp_path / f"{layer}.npy" for layer in LAYERS}
        for layer, path in paths.items():
            np.save(path, LAYERS[layer])
        return paths
    save = np.savez if request.param == "npz" else np.savez_compressed
    save(tmp_path / "features.npz", **LAYERS, y=np.arange(N), ids=np.array([["a"]]))
    return str(tmp_path / "features.npz")


def test_rows_are_taken_by_number(features):
    extractor = PrecomputedFeatures(features)
    assert extractor.layers_ == ["early", "late"]
    expected = np.hstack([LAYERS["early"][ROWS], LAYERS["late"][ROWS]])
    found = extractor.fit(np.arange(N)).transform(ROWS)
    assert_array_equal(found, expected)
    assert found.dtype == np.float16
    assert list(extractor.get_feature_names_out()) == [
        "early_0",
        "early_1",
        "early_2",
        "late_0",
        "late_1",
    ]


@pytest.mark.parametrize("batch_size", [1, 3, "auto"])
def test_layers_come_batch_by_batch_with_labels(features, batch_size):
    extractor = PrecomputedFeatures(features, batch_size=batch_size)
    batches = list(extractor.iter_features(ROWS, ROWS * 10, layers="late"))
    assert_array_equal(
        np.concatenate([part["late"] for part, _ in batches]), LAYERS["late"][ROWS]
    )
    assert np.concatenate([y for _, y in batches]).tolist() == [70, 0, 110, 70]


def test_pickling_and_cloning_keep_the_features(features):
    extractor = PrecomputedFeatures(features, layers="late").fit(ROWS)
    assert clone(extractor).features is features
    copy = pickle.loads(pickle.dumps(extractor))
    assert_array_equal(copy.transform(ROWS), LAYERS["late"][ROWS])


def test_pickling_keeps_paths_as_paths(tmp_path):
    np.save(tmp_path / "big.npy", np.zeros((1000, 100)))
    extractor = PrecomputedFeatures(tmp_path / "big.npy").fit(ROWS)
    extractor.transform(ROWS)
    assert len(pickle.dumps(extractor)) < 2000


@given(st.lists(st.integers(0, N - 1), min_size=1), st.integers(1, 5))
def test_any_rows_in_any_order(rows, batch_size):
    extractor = PrecomputedFeatures(LAYERS["early"], batch_size=batch_size)
    assert_array_equal(extractor.transform(rows), LAYERS["early"][rows])


@pytest.mark.parametrize(
    "rows",
    [
        ROWS,
        ROWS[:, None],
        ROWS.tolist(),
        ROWS.astype(np.uint8),
        pd.Series(ROWS),
        pd.DataFrame({"row": ROWS}),
        pl.Series(ROWS),
        iter([(ROWS[:3], None), (ROWS[3:], None)]),
    ],
)
def test_row_numbers_may_come_in_any_container(rows):
    extractor = PrecomputedFeatures(LAYERS["late"])
    assert_array_equal(extractor.transform(rows), LAYERS["late"][ROWS])


def test_a_range_is_row_numbers():
    extractor = PrecomputedFeatures(LAYERS["late"])
    assert_array_equal(extractor.fit_transform(range(N)), LAYERS["late"])


def test_a_single_array_is_one_layer(tmp_path):
    np.save(tmp_path / "resnet.npy", LAYERS["early"])
    for source in (LAYERS["early"], LAYERS["early"].tolist(), tmp_path / "resnet.npy"):
        assert PrecomputedFeatures(source).layers_ == ["features"]


def test_activations_are_averaged():
    maps = np.random.default_rng(0).normal(size=(N, 3, 4, 4))
    tokens = np.random.default_rng(1).normal(size=(N, 5, 2))
    extractor = PrecomputedFeatures({"maps": maps, "tokens": tokens})
    expected = np.hstack([maps.mean(axis=(2, 3)), tokens.mean(axis=1)])
    assert_allclose(extractor.transform(ROWS), expected[ROWS])
    assert len(extractor.get_feature_names_out()) == 5


@pytest.mark.parametrize("kind", ["csr_matrix", "coo_array"])
def test_sparse_features_are_made_dense_batch_by_batch(kind):
    extractor = PrecomputedFeatures(getattr(sparse, kind)(np.eye(N)), batch_size=2)
    assert_array_equal(extractor.fit_transform(ROWS), np.eye(N)[ROWS])


def test_what_is_returned_may_be_written_to():
    stored = np.ones((N, 2))
    for features, _ in PrecomputedFeatures(stored).iter_features(np.arange(N)):
        features["features"][:] = 0
    assert_array_equal(stored, np.ones((N, 2)))


def test_auto_batches_fit_sixteen_mebibytes_of_features(tmp_path):
    np.lib.format.open_memmap(tmp_path / "a.npy", "w+", np.uint8, (99, 2**20))
    batches = PrecomputedFeatures(tmp_path / "a.npy").iter_features(np.arange(99))
    assert len(next(batches)[0]["features"]) == 16


def test_a_replaced_file_is_read_anew(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((N, 2)))
    extractor = PrecomputedFeatures(path).fit(ROWS)
    np.save(tmp_path / "b.npy", np.ones((N, 3)))
    (tmp_path / "b.npy").replace(path)
    assert_array_equal(extractor.transform(ROWS), np.ones((4, 3)))


def test_a_grid_search_chooses_among_stored_layers():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    features = {
        "noise": rng.normal(size=(60, 3)),
        "signal": rng.normal(size=(60, 3)) + 3 * y[:, None],
    }
    pipeline = make_pipeline(PrecomputedFeatures(features), LogisticRegression())
    grid = {"precomputedfeatures__layers": ["noise", "signal"]}
    search = GridSearchCV(pipeline, grid, cv=3, error_score="raise")
    search.fit(np.arange(60), y)
    assert search.best_params_ == {"precomputedfeatures__layers": "signal"}
    assert search.best_estimator_[0].features is features
    scores = cross_val_score(search.best_estimator_, np.arange(60)[:, None], y)
    assert scores.mean() > 0.9


# -- what is refused -----------------------------------------------------------


@pytest.mark.parametrize(
    "X", [LAYERS["early"], np.array([0.0, 1.0]), np.array([True, False]), ["a", "b"]]
)
def test_anything_but_integers_gets_the_remedy(X):
    extractor = PrecomputedFeatures(LAYERS["late"])
    for method in (extractor.fit, extractor.transform, extractor.iter_features):
        with pytest.raises(TypeError, match=r"row numbers as X.*np\.arange\(12\)"):
            method(X)


def test_a_table_of_integers_is_no_row_numbers():
    with pytest.raises(ValueError, match=r"int64 of shape \(12, 2\).*np\.arange\(12\)"):
        PrecomputedFeatures(LAYERS["late"]).fit(np.zeros((N, 2), dtype=np.int64))


@pytest.mark.parametrize("row", [-1, N, 10**9])
def test_rows_that_are_not_there_are_refused(row):
    extractor = PrecomputedFeatures(LAYERS["late"])
    for method in (extractor.fit, extractor.transform, extractor.iter_features):
        with pytest.raises(ValueError, match=f"from 0 to 11, got {row}"):
            method([0, row])
    with pytest.raises(ValueError, match=f"from 0 to 11, got {row}"):
        extractor.transform(iter([([0, row], None)]))


def test_an_archive_of_two_splits_serves_each_of_them(tmp_path):
    np.savez(tmp_path / "a.npz", train=np.eye(9), test=np.eye(3, 9))
    extractor = PrecomputedFeatures(tmp_path / "a.npz", layers="test")
    assert_array_equal(extractor.transform([2, 0]), np.eye(3, 9)[[2, 0]])
    assert_array_equal(extractor.with_layer("train").transform([8]), np.eye(9)[[8]])
    with pytest.raises(ValueError, match=r"\{'train': 9, 'test': 3\}"):
        extractor.set_params(layers="all").fit([0])


@pytest.mark.parametrize(
    ("features", "error", "message"),
    [
        (np.arange(3), ValueError, r"'features' to have shape \(n, n_features\), got"),
        ({"a": np.array([["x"]])}, TypeError, "'a' to hold real numbers, got <U1"),
        ({"a": np.array([[1j]])}, TypeError, "'a' to hold real numbers, got complex"),
        ({}, ValueError, "at least one layer"),
        ("features.pkl", ValueError, r"ending in \.npy, \.npz"),
        ("nowhere.npy", FileNotFoundError, "nowhere"),
    ],
)
def test_features_that_cannot_be_used_are_named(features, error, message):
    extractor = PrecomputedFeatures(features)
    with pytest.raises(error, match=message):
        extractor.fit(ROWS)
    with pytest.raises(AttributeError, match=message):
        _ = extractor.layers_
    assert dir(extractor)


def test_an_archive_of_labels_only_has_no_layers(tmp_path):
    np.savez(tmp_path / "a.npz", y=np.arange(3))
    with pytest.raises(ValueError, match="at least one layer"):
        PrecomputedFeatures(tmp_path / "a.npz").fit([0])


def test_an_archive_for_one_layer_must_hold_one(tmp_path):
    np.savez(tmp_path / "a.npz", **LAYERS)
    with pytest.raises(ValueError, match=r"for layer 'x', got \['early', 'late'\]"):
        PrecomputedFeatures({"x": tmp_path / "a.npz"}).fit([0])
    np.savez(tmp_path / "b.npz", Z=LAYERS["late"], y=np.arange(N))
    extractor = PrecomputedFeatures({"x": tmp_path / "b.npz"})
    assert_array_equal(extractor.transform(ROWS), LAYERS["late"][ROWS])


def test_pickles_are_never_loaded(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    bombs = np.array([[Bomb()]], dtype=object)
    np.save(tmp_path / "a.npy", bombs, allow_pickle=True)
    with pytest.raises(TypeError, match="to hold real numbers, got object"):
        PrecomputedFeatures(tmp_path / "a.npy").fit([0])
    np.savez(tmp_path / "a.npz", bombs=bombs, Z=np.eye(2))
    assert PrecomputedFeatures(tmp_path / "a.npz").fit([0]).layers_ == ["Z"]


def test_unknown_layers_are_answered_with_the_nearest():
    with pytest.raises(LayerNotFoundError, match="Nearest names: 'late'"):
        PrecomputedFeatures(LAYERS, layers="latest").fit(ROWS)
