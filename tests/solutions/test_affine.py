"""The affine layer against torch, and a numeric gradient."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layer_oracle import torch_gradients, untouched
from numpy.testing import assert_allclose

from cnnlab.gradient_check import numeric_gradient, relative_error
from solutions.affine import affine_backward, affine_forward


def draw(seed, shape, outputs, dtype=np.float64):
    rng = np.random.default_rng(seed)
    shapes = (shape, (int(np.prod(shape[1:])), outputs), (outputs,))
    return [rng.standard_normal(s).astype(dtype) for s in shapes]


@given(
    shape=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    outputs=st.integers(1, 5),
    seed=st.integers(0, 2**32),
)
def test_is_torchs(shape, outputs, seed):
    arrays = draw(seed, shape, outputs)
    dout = np.random.default_rng(seed + 1).standard_normal((shape[0], outputs))
    out, cache = affine_forward(*arrays)
    expected, gradients = torch_gradients(lambda x, w, b: x.flatten(1) @ w + b, arrays, dout)
    assert_allclose(out, expected, atol=1e-12)
    for mine, theirs in zip(affine_backward(dout, cache), gradients, strict=True):
        assert mine.shape == theirs.shape
        assert_allclose(mine, theirs, atol=1e-12)


def test_numeric_gradient():
    arrays = draw(0, (3, 2, 4), 5)
    out, cache = affine_forward(*arrays)
    dout = np.random.default_rng(1).standard_normal(out.shape)
    for k, gradient in enumerate(affine_backward(dout, cache)):

        def moved(numbers, k=k):
            return affine_forward(*arrays[:k], numbers, *arrays[k + 1 :])[0]

        assert relative_error(gradient, numeric_gradient(moved, arrays[k], dout)) < 1e-8


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_keeps_the_dtype_and_its_inputs(dtype):
    arrays = draw(0, (3, 2, 4), 5, dtype)
    dout = np.ones((3, 5), dtype)
    with untouched(*arrays, dout):
        out, cache = affine_forward(*arrays)
        results = [out, *affine_backward(dout, cache)]
    assert all(result.dtype == dtype for result in results)
