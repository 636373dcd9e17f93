"""Pooling against torch, numeric gradients and cases worked out by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from solutions import pooling

TORCH = {"max": torch.nn.functional.max_pool2d, "avg": torch.nn.functional.avg_pool2d}
kinds = pytest.mark.parametrize("kind", TORCH)


def forward(kind, x, param):
    return getattr(pooling, f"{kind}_pool_forward_naive")(x, param)


def backward(kind, dout, cache):
    return getattr(pooling, f"{kind}_pool_backward_naive")(dout, cache)


def by_torch(kind, x, param):
    return TORCH[kind](x, (param["pool_height"], param["pool_width"]), stride=param["stride"])


@st.composite
def layers(draw):
    """Images without ties, and windows that fit evenly: (x, pool_param)."""
    stride = draw(st.integers(1, 4))
    height, width = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    sides = [k + stride * draw(st.integers(0, 4)) for k in (height, width)]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.standard_normal((draw(st.integers(1, 2)), draw(st.integers(1, 3)), *sides))
    x += draw(st.sampled_from([-10, 0, 10]))  # all negative, mixed, all positive
    return x, {"pool_height": height, "pool_width": width, "stride": stride}


@kinds
@settings(max_examples=100)
@given(layers())
def test_forward_is_torchs(kind, layer):
    x, param = layer
    out, _ = forward(kind, x, param)
    assert_allclose(out, by_torch(kind, torch.tensor(x), param), rtol=1e-12)


@kinds
@settings(max_examples=100)
@given(layers(), st.integers(0, 2**32 - 1))
def test_backward_is_torchs(kind, layer, seed):
    x, param = layer
    out, cache = forward(kind, x, param)
    dout = np.random.default_rng(seed).standard_normal(out.shape)
    leaf = torch.tensor(x, requires_grad=True)
    by_torch(kind, leaf, param).backward(torch.tensor(dout))
    dx = backward(kind, dout, cache)
    assert dx.shape == x.shape
    assert_allclose(dx, leaf.grad, rtol=1e-10, atol=1e-12)


@kinds
@settings(max_examples=25)
@given(layers(), st.integers(0, 2**32 - 1))
def test_backward_is_the_slope_of_forward(kind, layer, seed):
    x, param = layer
    rng = np.random.default_rng(seed)
    # distances of 1 between any two numbers: no step of h changes which is largest
    x = rng.permutation(x.size).reshape(x.shape).astype(float)
    out, cache = forward(kind, x, param)
    dout, direction = rng.standard_normal(out.shape), rng.standard_normal(x.shape)
    h = 1e-3
    up, down = (forward(kind, x + s * h * direction, param)[0] for s in (1, -1))
    slope = np.sum(dout * (up - down)) / (2 * h)
    assert_allclose(np.sum(backward(kind, dout, cache) * direction), slope, rtol=1e-6, atol=1e-7)


PARAM = {"pool_height": 2, "pool_width": 2, "stride": 1}
IMAGE = np.array([[[[-1.0, -2, -3], [-4, -9, -5], [-6, -7, -8]]]])


def test_max_by_hand():
    out, cache = forward("max", IMAGE, PARAM)
    assert_array_equal(out, [[[[-1, -2], [-4, -5]]]])
    dx = backward("max", np.array([[[[1.0, 2], [3, 4]]]]), cache)
    assert_array_equal(dx, [[[[1, 2, 0], [3, 0, 4], [0, 0, 0]]]])


def test_one_pixel_can_win_several_windows():
    x = np.zeros((1, 1, 3, 3))
    x[0, 0, 1, 1] = 1
    _, cache = forward("max", x, PARAM)
    dx = backward("max", np.array([[[[1.0, 2], [3, 4]]]]), cache)
    assert_array_equal(dx, [[[[0, 0, 0], [0, 10, 0], [0, 0, 0]]]])


def test_average_by_hand():
    out, cache = forward("avg", IMAGE, PARAM)
    assert_array_equal(out, [[[[-4, -4.75], [-6.5, -7.25]]]])
    dx = backward("avg", np.array([[[[4.0, 8], [12, 16]]]]), cache)
    assert_array_equal(dx, [[[[1, 3, 2], [4, 10, 6], [3, 7, 4]]]])


@kinds
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_keeps_the_dtype_and_its_inputs(kind, dtype):
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(dtype)
    before, param = x.copy(), dict(PARAM)
    x.flags.writeable = False
    out, cache = forward(kind, x, param)
    dout = np.ones_like(out)
    dout.flags.writeable = False
    dx = backward(kind, dout, cache)
    assert out.dtype == dx.dtype == dtype
    assert_array_equal(x, before)
    assert param == PARAM


def test_the_mean_of_integers_is_not_rounded():
    x = np.array([[[[0, 1], [0, 1]]]], dtype=np.uint8)
    out, _ = forward("avg", x, PARAM)
    assert_array_equal(out, [[[[0.5]]]])
