from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_transrate.extractors._pooling import pool, pooled_width, resolve_pooling

RULES = ["auto", "mean", "max", "cls", "last_token", "flatten"]
values = st.floats(-100, 100, width=32)


@st.composite
def tokens_and_mask(draw):
    b, t, d = (draw(st.integers(1, 4)) for _ in range(3))
    tokens = draw(hnp.arrays(np.float64, (b, t, d), elements=values))
    mask = draw(hnp.arrays(np.int64, (b, t), elements=st.integers(0, 1)))
    mask[np.arange(b), draw(hnp.arrays(np.intp, b, elements=st.integers(0, t - 1)))] = 1
    return tokens, mask


@pytest.mark.parametrize("how", RULES)
def test_features_are_left_as_they_are(how):
    features = np.arange(6.0).reshape(3, 2)
    assert_array_equal(pool(features, how), features)
    assert resolve_pooling((3, 2), how) == "flatten"


def test_one_number_per_sample_is_one_feature():
    assert_array_equal(pool(np.arange(3)), [[0], [1], [2]])


def test_auto_averages_positions_of_each_channel():
    images = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    expected = [[channel.sum() / 20 for channel in image] for image in images]
    assert_allclose(pool(images), expected)
    assert resolve_pooling(images.shape) == "mean"


def test_videos_are_averaged_over_time_and_space():
    videos = np.random.default_rng(0).normal(size=(2, 3, 2, 4, 5))
    assert_allclose(pool(videos), videos.reshape(2, 3, -1).mean(axis=2))


def test_max_takes_the_largest_position_of_each_channel():
    images = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    assert_array_equal(pool(images, "max"), images.reshape(2, 3, -1).max(axis=2))


@given(tokens_and_mask())
def test_masked_rules_equal_a_loop_over_real_tokens(case):
    tokens, mask = case
    real = [row[keep == 1] for row, keep in zip(tokens, mask, strict=True)]
    assert_allclose(pool(tokens, "auto", mask), [r.mean(axis=0) for r in real])
    assert_array_equal(pool(tokens, "max", mask), [r.max(axis=0) for r in real])
    assert_array_equal(pool(tokens, "cls", mask), [r[0] for r in real])
    assert_array_equal(pool(tokens, "last_token", mask), [r[-1] for r in real])


@given(tokens_and_mask())
def test_a_mask_of_ones_changes_nothing(case):
    tokens, _ = case
    ones = np.ones(tokens.shape[:2])
    for how in RULES:
        assert_allclose(pool(tokens, how, ones), pool(tokens, how), rtol=1e-12)


@pytest.mark.parametrize("how", ["mean", "max", "cls", "last_token"])
def test_what_stands_in_padding_does_not_matter(how):
    tokens = np.ones((1, 3, 2))
    tokens[0, 2] = np.nan
    assert_array_equal(pool(tokens, how, [[True, True, False]]), [[1.0, 1.0]])


@given(
    hnp.array_shapes(min_dims=1, max_dims=5, min_side=1, max_side=3),
    st.sampled_from(["auto", "mean", "max", "flatten"]),
)
def test_the_width_is_known_from_the_shape(shape, how):
    features = pool(np.zeros(shape), how)
    assert features.shape == (shape[0], pooled_width(shape, how))
    resolved = resolve_pooling(shape, how)
    assert resolved != "auto"
    assert_array_equal(pool(np.zeros(shape), resolved), features)


@pytest.mark.parametrize("how", RULES)
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("mask", [None, np.ones((2, 3))])
def test_the_type_of_the_model_stays(how, dtype, mask):
    assert pool(np.ones((2, 3, 4), dtype=dtype), how, mask).dtype == dtype


def test_half_precision_does_not_overflow_in_a_mean():
    tokens = np.full((1, 100, 1), 60000, dtype=np.float16)
    assert_allclose(pool(tokens), [[60000]])
    assert_allclose(pool(tokens, mask=np.ones((1, 100))), [[60000]])


@pytest.mark.parametrize("dtype", [np.int8, bool])
def test_largest_integers_and_booleans_are_found(dtype):
    tokens = np.array([[[0], [1], [1]]], dtype=dtype)
    assert_array_equal(pool(tokens, "max", [[1, 1, 0]]), [[1]])


def test_an_empty_batch_keeps_its_width():
    assert pool(np.empty((0, 5))).shape == (0, 5)
    assert pool(np.empty((0, 5, 7, 7))).shape == (0, 5)
    assert pool(np.empty((0, 2, 3)), "flatten").shape == (0, 6)


@pytest.mark.parametrize("how", ["cls", "last_token"])
def test_images_have_no_first_token(how):
    with pytest.raises(ValueError, match=rf"'{how}' needs .* got \(2, 3, 4, 4\)"):
        pool(np.zeros((2, 3, 4, 4)), how)


def test_unknown_rules_are_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="'last_token', 'flatten', got 'avg'"):
        resolve_pooling((2, 3), "avg")


def test_a_sample_without_tokens_is_refused():
    with pytest.raises(ValueError, match="Row 1 of the batch is all padding"):
        pool(np.zeros((2, 2, 1)), "mean", [[1, 0], [0, 0]])


@pytest.mark.parametrize("shape", [(2, 4, 1), (2, 3, 4, 4)])
def test_a_mask_must_fit_the_tokens(shape):
    with pytest.raises(ValueError, match="Expected a mask of shape"):
        pool(np.zeros(shape), "mean", np.ones((2, 3)))


def test_padding_cannot_be_flattened():
    with pytest.raises(ValueError, match="would keep the padding"):
        pool(np.zeros((1, 2, 1)), "flatten", [[1, 0]])


def test_a_single_number_is_no_activation():
    with pytest.raises(ValueError, match="one row per sample"):
        pool(np.float64(1.0))
