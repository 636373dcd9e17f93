"""Group normalisation against torch, and a numeric gradient."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from layer_oracle import torch_gradients, untouched
from numpy.testing import assert_allclose

from cnnlab.gradient_check import numeric_gradient, relative_error
from solutions.groupnorm import spatial_groupnorm_backward, spatial_groupnorm_forward


def draw(seed, shape, dtype=np.float64):
    rng = np.random.default_rng(seed)
    per_channel = (1, shape[1], 1, 1)
    arrays = (3 * rng.standard_normal(shape) + 1, *(rng.standard_normal(per_channel) for _ in "gb"))
    return [array.astype(dtype) for array in (*arrays, rng.standard_normal(shape))]


@given(
    G=st.integers(1, 3),
    each=st.integers(1, 3),
    rest=st.tuples(st.integers(1, 3), st.integers(2, 4), st.integers(1, 4)),
    eps=st.sampled_from([1e-5, 0.1]),
    seed=st.integers(0, 2**32),
)
def test_is_torchs(G, each, rest, eps, seed):
    N, H, W = rest
    *arrays, dout = draw(seed, (N, G * each, H, W))
    out, cache = spatial_groupnorm_forward(*arrays, G, {"eps": eps})
    expected, gradients = torch_gradients(
        lambda x, g, b: torch.nn.functional.group_norm(x, G, g.flatten(), b.flatten(), eps),
        arrays,
        dout,
    )
    assert_allclose(out, expected, atol=1e-9)
    for mine, theirs in zip(spatial_groupnorm_backward(dout, cache), gradients, strict=True):
        assert mine.shape == theirs.shape
        assert_allclose(mine, theirs, atol=1e-7, rtol=1e-7)


def test_numeric_gradient():
    *arrays, dout = draw(1, (2, 6, 2, 3))
    _, cache = spatial_groupnorm_forward(*arrays, 3, {})
    for k, gradient in enumerate(spatial_groupnorm_backward(dout, cache)):

        def moved(numbers, k=k):
            return spatial_groupnorm_forward(*arrays[:k], numbers, *arrays[k + 1 :], 3, {})[0]

        assert relative_error(gradient, numeric_gradient(moved, arrays[k], dout)) < 1e-8


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_keeps_the_dtype_and_its_inputs(dtype):
    x, gamma, beta, dout = draw(0, (4, 4, 3, 3), dtype)
    param = {}
    with untouched(x, gamma, beta, dout):
        out, cache = spatial_groupnorm_forward(x, gamma, beta, 2, param)
        results = [out, *spatial_groupnorm_backward(dout, cache)]
    assert all(result.dtype == dtype for result in results)
    assert param == {}
