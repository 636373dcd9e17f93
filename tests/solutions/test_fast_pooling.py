"""Fast pooling against the loops and against torch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from solutions import fast_pooling, fastest_layers, pooling

TORCH = {"max": torch.nn.functional.max_pool2d, "avg": torch.nn.functional.avg_pool2d}
kinds = pytest.mark.parametrize("kind", TORCH)
# module, the functions' last word, and other arguments
WAYS = {
    "fast": (fast_pooling, "fast", {}),
    "fastest": (fastest_layers, "fastest", {}),
    "threads": (fastest_layers, "fastest", {"threads": 2}),
}
LOOPS = (pooling, "naive", {})
ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def forward(way, kind, x, param):
    module, word, options = way
    return getattr(module, f"{kind}_pool_forward_{word}")(x, param, **options)


def backward(way, kind, dout, cache):
    module, word, options = way
    return getattr(module, f"{kind}_pool_backward_{word}")(dout, cache, **options)


@st.composite
def layers(draw, ties=False):
    """Images, and windows that fit evenly: (x, pool_param)."""
    stride = draw(st.integers(1, 4))
    height, width = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    sides = [k + stride * draw(st.integers(0, 4)) for k in (height, width)]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 3)), *sides)
    if ties:
        x = rng.integers(-2, 2, shape).astype(float)
    else:
        x = rng.standard_normal(shape) + draw(st.sampled_from([-10, 0, 10]))
    return x, {"pool_height": height, "pool_width": width, "stride": stride}


@ways
@kinds
@settings(max_examples=80)
@given(layers() | layers(ties=True), st.integers(0, 2**32 - 1))
def test_both_passes_are_the_loops(way, kind, layer, seed):
    """with ties too: the first of the largest takes it all"""
    out, cache = forward(way, kind, *layer)
    expected, right = forward(LOOPS, kind, *layer)
    assert_allclose(out, expected, rtol=1e-12, atol=1e-15)
    dout = np.random.default_rng(seed).standard_normal(out.shape)
    dx = backward(way, kind, dout, cache)
    assert dx.shape == layer[0].shape
    assert_allclose(dx, backward(LOOPS, kind, dout, right), rtol=1e-10, atol=1e-12)


@ways
@kinds
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("height, width, stride", [(2, 2, 2), (3, 3, 2), (2, 3, 1), (2, 2, 3)])
@pytest.mark.parametrize("shape", [(37, 16, 23, 27), (2, 3, 65, 65)], ids=str)
def test_large_layers_are_torchs(way, kind, shape, height, width, stride, dtype):
    rng = np.random.default_rng(0)
    H = height + stride * ((shape[2] - height) // stride)
    W = width + stride * ((shape[3] - width) // stride)
    # distances between any two numbers: no ties
    x = rng.permutation(shape[0] * shape[1] * H * W).reshape(*shape[:2], H, W).astype(dtype)
    out, cache = forward(
        way, kind, x, {"pool_height": height, "pool_width": width, "stride": stride}
    )
    leaf = torch.tensor(x, requires_grad=True)
    expected = TORCH[kind](leaf, (height, width), stride=stride)
    assert out.dtype == dtype
    assert_allclose(out, expected.detach(), rtol=1e-6)
    dout = rng.standard_normal(out.shape).astype(dtype)
    expected.backward(torch.tensor(dout))
    dx = backward(way, kind, dout, cache)
    assert dx.dtype == dtype
    assert_allclose(dx, leaf.grad, rtol=1e-5, atol=1e-5)


PARAM = {"pool_height": 2, "pool_width": 2, "stride": 1}


@ways
@kinds
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_keeps_the_dtype_and_its_inputs(way, kind, stride, dtype):
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 6)).astype(dtype)
    before, param = x.copy(), {**PARAM, "stride": stride}
    x.flags.writeable = False
    out, cache = forward(way, kind, x, param)
    dout = np.ones_like(out)
    dout.flags.writeable = False
    dx = backward(way, kind, dout, cache)
    assert out.dtype == dx.dtype == dtype
    assert not np.shares_memory(out, x)
    assert not np.shares_memory(dx, dout)
    assert_array_equal(x, before)
    assert_array_equal(dout, 1)
    assert param == {**PARAM, "stride": stride}


@ways
@kinds
def test_a_window_of_one_pixel(way, kind):
    x = np.random.default_rng(0).standard_normal((1, 2, 3, 3))
    out, cache = forward(way, kind, x, {"pool_height": 1, "pool_width": 1, "stride": 1})
    assert_array_equal(out, x)
    assert not np.shares_memory(out, x)
    assert_array_equal(backward(way, kind, x, cache), x)


@ways
def test_infinities_are_numbers_too(way):
    x = np.array([[[[-np.inf, -np.inf], [-np.inf, -np.inf]]]])
    out, cache = forward(way, "max", x, PARAM)
    assert_array_equal(out, [[[[-np.inf]]]])
    assert_array_equal(backward(way, "max", np.ones_like(out), cache), [[[[1, 0], [0, 0]]]])


@ways
def test_what_is_not_a_number_stays_visible(way):
    x = np.array([[[[1, np.nan], [2, 3]]]])
    assert np.isnan(forward(way, "max", x, PARAM)[0]).all()
    assert np.isnan(forward(way, "avg", x, PARAM)[0]).all()


@ways
def test_the_mean_of_integers_is_not_rounded(way):
    x = np.array([[[[0, 1], [0, 1]]]], dtype=np.uint8)
    out, _ = forward(way, "avg", x, PARAM)
    assert_array_equal(out, [[[[0.5]]]])
