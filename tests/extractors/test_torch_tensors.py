from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.testing import assert_allclose, assert_array_equal

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from sklearn_transrate.extractors._pooling import pool  # noqa: E402
from sklearn_transrate.extractors._torch_tensors import (  # noqa: E402
    first_tensor,
    map_tensors,
    pool_tensor,
)

RULES = ("auto", "mean", "max", "cls", "last_token", "flatten")
# Sums are taken in another order.
RTOL = 1e-12

activations = arrays(
    np.float64,
    array_shapes(min_dims=1, max_dims=5, max_side=4),
    elements=st.integers(-1000, 1000),
)
masks = arrays(np.bool_, st.just((4, 5))).map(lambda mask: mask | (np.arange(5) == 2))


@given(activations, st.sampled_from(RULES))
def test_pooling_is_that_of_arrays(activation, how):
    tensor = torch.from_numpy(activation)
    if how in ("cls", "last_token") and activation.ndim > 3:
        with pytest.raises(ValueError, match=f"Pooling '{how}' needs an activation"):
            pool_tensor(tensor, how)
        return
    features, rule = pool_tensor(tensor, how)
    assert_allclose(features.numpy(), pool(activation, how), rtol=RTOL)
    assert rule == ("flatten" if activation.ndim < 3 else rule) != "auto"


@given(masks, st.sampled_from(RULES[:-1]))
def test_padding_is_that_of_arrays(mask, how):
    activation = np.random.default_rng(0).normal(size=(4, 5, 3))
    activation[~mask] = np.nan
    features, _ = pool_tensor(torch.from_numpy(activation), how, mask)
    assert_allclose(features.numpy(), pool(activation, how, mask), rtol=RTOL)


def test_integers_are_averaged_as_numbers():
    ids = np.arange(12).reshape(2, 3, 2)
    for dtype in (torch.int64, torch.uint8, torch.bool):
        tensor = torch.from_numpy(ids).to(dtype)
        mask = np.array([[1, 1, 0], [0, 1, 1]], dtype=bool)
        for how in ("mean", "max"):
            wanted = pool(tensor.numpy(), how, mask)
            assert_array_equal(pool_tensor(tensor, how, mask)[0].numpy(), wanted)


@pytest.mark.parametrize(
    ("shape", "how"),
    [
        *product([(3, 4), (3, 5, 4)], RULES),
        *product([(3, 4, 2, 2), (3, 1, 1, 1)], ["mean", "max", "flatten"]),
    ],
)
def test_features_do_not_change_with_the_activation(shape, how):
    activation = torch.ones(shape)
    features, _ = pool_tensor(activation, how)
    activation.zero_()
    assert (features == 1).all()


def test_the_axis_of_the_features_may_be_told():
    activation = torch.arange(24.0).reshape(2, 3, 4)
    assert_array_equal(
        pool_tensor(activation, channels="first")[0], activation.mean(dim=2)
    )
    grid = torch.arange(48.0).reshape(2, 2, 4, 3)
    assert_array_equal(
        pool_tensor(grid, "max", channels="last")[0], grid.amax(dim=(1, 2))
    )


def test_a_mask_of_other_tokens_is_left_out_of_account():
    activation = torch.ones(2, 3, 4)
    mask = np.ones((2, 7), dtype=bool)
    assert_array_equal(pool_tensor(activation, "mean", mask)[0], np.ones((2, 4)))


def test_padding_cannot_be_flattened():
    mask = np.array([[1, 1, 0], [1, 1, 1]], dtype=bool)
    with pytest.raises(ValueError, match="would keep the padding"):
        pool_tensor(torch.ones(2, 3, 4), "flatten", mask)
    with pytest.raises(ValueError, match="Row 0 of the batch is all padding"):
        pool_tensor(torch.ones(2, 3, 4), "mean", mask & [[False], [True]])


def test_the_first_tensor_of_an_output_counts():
    tensor, other = torch.ones(2, 3), torch.zeros(2)
    loss = torch.tensor(1.0)
    for output in (
        tensor,
        (tensor, other),
        [None, (loss, tensor)],
        {"loss": loss, "states": tensor, "more": other},
        {"nested": {"none": None, "states": [tensor]}},
    ):
        assert first_tensor(output) is tensor
    for output in (None, loss, "text", (), {"loss": loss}, 3):
        assert first_tensor(output) is None


def test_nested_and_sparse_tensors_have_no_rows_to_take():
    assert first_tensor(torch.eye(3).to_sparse()) is None
    nested = torch.nested.nested_tensor([torch.ones(2)], layout=torch.jagged)
    assert first_tensor(nested) is None


def test_functions_reach_all_tensors():
    value = {"a": torch.ones(1), "b": (torch.ones(1), [3, "text"])}
    doubled = map_tensors(lambda tensor: tensor * 2, value)
    assert doubled == {"a": 2, "b": (2, [3, "text"])}
