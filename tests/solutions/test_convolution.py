"""The convolutions against torch, SciPy, numeric gradients and a case worked out by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.signal import correlate

from solutions.convolution import conv_backward_naive, conv_forward_general, conv_forward_naive


@st.composite
def layers(draw, general=False):
    """Inputs of a layer whose windows fit evenly: (x, w, b, conv_param)."""
    stride, pad = draw(st.integers(1, 3)), draw(st.integers(0, 2))
    groups = draw(st.integers(1, 3)) if general else 1
    dilation = draw(st.integers(1, 3)) if general else 1
    sides, kernel = [], []
    for _ in range(2):
        length = draw(st.integers(1, 4))
        reach = dilation * (length - 1) + 1
        # at least one place, and an image of at least one pixel
        places = draw(st.integers(max(1, -(-(2 * pad + 1 - reach) // stride) + 1), 6))
        kernel.append(length)
        sides.append(reach + (places - 1) * stride - 2 * pad)
    N = draw(st.integers(1, 2))
    C, F = draw(st.integers(1, 3)) * groups, draw(st.integers(1, 3)) * groups
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.standard_normal((N, C, *sides))
    w = rng.standard_normal((F, C // groups, *kernel))
    param = {"stride": stride, "pad": pad}
    if general:
        param |= {"groups": groups, "dilation": dilation}
    return x, w, rng.standard_normal(F), param


def by_torch(x, w, b, conv_param):
    options = {k: v for k, v in conv_param.items() if k != "pad"}
    return torch.nn.functional.conv2d(x, w, b, padding=conv_param["pad"], **options)


def tensors(*arrays):
    return [torch.tensor(a, requires_grad=True) for a in arrays]


@settings(max_examples=300)
@given(layers())
def test_forward_is_torchs(layer):
    *arrays, param = layer
    out, _ = conv_forward_naive(*layer)
    assert_allclose(out, by_torch(*tensors(*arrays), param).detach(), rtol=1e-10, atol=1e-12)


@settings(max_examples=300)
@given(layers(general=True))
def test_general_is_torchs(layer):
    *arrays, param = layer
    out, _ = conv_forward_general(*layer)
    assert_allclose(out, by_torch(*tensors(*arrays), param).detach(), rtol=1e-10, atol=1e-12)


@settings(max_examples=300)
@given(layers(), st.integers(0, 2**32 - 1))
def test_backward_is_torchs(layer, seed):
    *arrays, param = layer
    out, cache = conv_forward_naive(*layer)
    dout = np.random.default_rng(seed).standard_normal(out.shape)
    leaves = tensors(*arrays)
    by_torch(*leaves, param).backward(torch.tensor(dout))
    for gradient, leaf in zip(conv_backward_naive(dout, cache), leaves, strict=True):
        assert gradient.shape == leaf.shape
        assert_allclose(gradient, leaf.grad, rtol=1e-10, atol=1e-12)


@settings(max_examples=30)
@given(layers())
def test_forward_is_scipys_correlation(layer):
    x, w, b, param = layer
    stride, pad = param["stride"], param["pad"]
    out, _ = conv_forward_naive(*layer)
    for n, image in enumerate(np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))):
        for f, filter_ in enumerate(w):
            dense = correlate(image, filter_, mode="valid", method="direct")[0]
            assert_allclose(out[n, f], dense[::stride, ::stride] + b[f], rtol=1e-10, atol=1e-12)


@settings(max_examples=25)
@given(layers(), st.integers(0, 2**32 - 1))
def test_backward_is_the_slope_of_forward(layer, seed):
    *arrays, param = layer
    rng = np.random.default_rng(seed)
    out, cache = conv_forward_naive(*layer)
    dout = rng.standard_normal(out.shape)
    h = 1e-4
    for k, gradient in enumerate(conv_backward_naive(dout, cache)):
        direction = rng.standard_normal(gradient.shape)
        losses = []
        for sign in (1, -1):
            moved = list(arrays)
            moved[k] = arrays[k] + sign * h * direction
            losses.append(np.sum(dout * conv_forward_naive(*moved, param)[0]))
        slope = (losses[0] - losses[1]) / (2 * h)
        assert_allclose(np.sum(gradient * direction), slope, rtol=1e-6, atol=1e-7)


def test_by_hand():
    x = np.arange(9.0).reshape(1, 1, 3, 3)
    w = np.array([[[[1.0, 0.0], [0.0, -2.0]]]])
    param = {"stride": 1, "pad": 0}
    out, cache = conv_forward_naive(x, w, np.array([10.0]), param)
    # 0 - 2*4, 1 - 2*5, 3 - 2*7, 4 - 2*8, all plus 10
    assert_array_equal(out, [[[[2, 1], [-1, -2]]]])
    dx, dw, db = conv_backward_naive(np.ones((1, 1, 2, 2)), cache)
    assert_array_equal(dx, [[[[1, 1, 0], [1, -1, -2], [0, -2, -2]]]])
    assert_array_equal(dw, [[[[8, 12], [20, 24]]]])
    assert_array_equal(db, [4])


def test_general_without_groups_and_dilation_is_the_naive_one():
    rng = np.random.default_rng(0)
    layer = (rng.standard_normal((2, 3, 5, 6)), rng.standard_normal((4, 3, 3, 2)), np.ones(4))
    param = {"stride": 2, "pad": 1}
    expected, _ = conv_forward_naive(*layer, param)
    out, _ = conv_forward_general(*layer, {**param, "groups": 1, "dilation": 1})
    assert_array_equal(out, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_keeps_the_dtype_and_its_inputs(dtype):
    rng = np.random.default_rng(0)
    shapes = ((2, 4, 5, 6), (4, 4, 3, 2), (4,))
    x, w, b = (rng.standard_normal(shape).astype(dtype) for shape in shapes)
    param = {"stride": 2, "pad": 1}
    general = {**param, "groups": 2, "dilation": 1}
    before = [a.copy() for a in (x, w, b)]
    for array in (x, w, b):
        array.flags.writeable = False
    out, cache = conv_forward_naive(x, w, b, param)
    dout = np.ones_like(out)
    dout.flags.writeable = False
    for result in (out, *conv_backward_naive(dout, cache)):
        assert result.dtype == dtype
    assert conv_forward_general(x, w[:, :2], b, general)[0].dtype == dtype
    for array, copy in zip((x, w, b), before, strict=True):
        assert_array_equal(array, copy)
    assert param == {"stride": 2, "pad": 1}


def test_integers_give_floats_where_the_filter_has_fractions():
    x = np.ones((1, 1, 2, 2), dtype=np.uint8)
    out, _ = conv_forward_naive(
        x, np.full((1, 1, 2, 2), 0.125), np.zeros(1), {"stride": 1, "pad": 0}
    )
    assert_array_equal(out, [[[[0.5]]]])
