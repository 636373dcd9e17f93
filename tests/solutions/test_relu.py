"""The ReLU against torch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from layer_oracle import torch_gradients, untouched
from numpy.testing import assert_array_equal

from solutions.relu import relu_backward, relu_forward

numbers = arrays(np.float64, array_shapes(max_dims=4, max_side=4), elements=st.floats(-9, 9))


@given(numbers, st.integers(0, 2**32))
def test_is_torchs(x, seed):
    dout = np.random.default_rng(seed).standard_normal(x.shape)
    out, cache = relu_forward(x)
    expected, (gradient,) = torch_gradients(lambda t: t.relu(), [x], dout)
    assert_array_equal(out, expected)
    assert_array_equal(relu_backward(dout, cache), gradient)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_keeps_the_dtype_and_its_inputs(dtype):
    x, dout = np.array([-1, 0, 2], dtype), np.array([3, 4, 5], dtype)
    with untouched(x, dout):
        out, cache = relu_forward(x)
        dx = relu_backward(dout, cache)
    assert out.dtype == dx.dtype == dtype
    assert not np.shares_memory(out, x) and not np.shares_memory(dx, dout)
    assert_array_equal(out, [0, 0, 2])
    assert_array_equal(dx, [0, 0, 5])
