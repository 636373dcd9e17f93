"""The fast convolutions, all of them, against the loops and against torch."""

import functools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from solutions.convolution import conv_backward_naive, conv_forward_naive
from solutions.fast_convolution import conv_backward_fast, conv_forward_fast
from solutions.fastest_layers import conv_backward_fastest, conv_forward_fastest
from solutions.other_convolutions import conv_forward_fft, conv_forward_strides

forward_threads = functools.partial(conv_forward_fastest, threads=2)
backward_threads = functools.partial(conv_backward_fastest, threads=2)
PAIRS = [
    (conv_forward_fast, conv_backward_fast),
    (conv_forward_fastest, conv_backward_fastest),
    (forward_threads, backward_threads),
]
FORWARD = [*(forward for forward, _ in PAIRS), conv_forward_strides, conv_forward_fft]
forwards = pytest.mark.parametrize("forward", FORWARD)
pairs = pytest.mark.parametrize("forward, backward", PAIRS)


@st.composite
def layers(draw):
    """Inputs of a layer whose windows fit evenly: (x, w, b, conv_param)."""
    stride, pad = draw(st.integers(1, 3)), draw(st.integers(0, 2))
    sides, kernel = [], []
    for _ in range(2):
        length = draw(st.integers(1, 5))
        # at least one place, and an image of at least one pixel
        places = draw(st.integers(max(1, -(-(2 * pad + 1 - length) // stride) + 1), 7))
        kernel.append(length)
        sides.append(length + (places - 1) * stride - 2 * pad)
    N, C, F = (draw(st.integers(1, 3)) for _ in range(3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    arrays = [rng.standard_normal(s) for s in ((N, C, *sides), (F, C, *kernel), (F,))]
    return *arrays, {"stride": stride, "pad": pad}


def by_torch(x, w, b, conv_param):
    """out and the leaves, for backward."""
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, w, b)]
    stride, pad = conv_param["stride"], conv_param["pad"]
    return torch.nn.functional.conv2d(*leaves, stride=stride, padding=pad), leaves


@forwards
@settings(max_examples=80)
@given(layers())
def test_forward_is_the_loops(forward, layer):
    out, _ = forward(*layer)
    assert_allclose(out, conv_forward_naive(*layer)[0], rtol=1e-10, atol=1e-12)


@pairs
@settings(max_examples=80)
@given(layers(), st.integers(0, 2**32 - 1))
def test_backward_is_the_loops(forward, backward, layer, seed):
    out, cache = forward(*layer)
    dout = np.random.default_rng(seed).standard_normal(out.shape)
    expected = conv_backward_naive(dout, conv_forward_naive(*layer)[1])
    for gradient, right in zip(backward(dout, cache), expected, strict=True):
        assert gradient.shape == right.shape
        assert_allclose(gradient, right, rtol=1e-10, atol=1e-12)


# as large as real layers: (N, C, H, W), (F, HH, WW), stride, pad. Several chunks, an odd one last
LARGE = [
    ((7, 3, 32, 32), (16, 3, 3), 1, 1),
    ((5, 16, 30, 34), (24, 3, 5), 1, 2),
    ((13, 32, 8, 8), (8, 1, 1), 1, 0),
    ((3, 32, 15, 15), (8, 1, 1), 2, 0),
    ((2, 3, 59, 61), (16, 7, 7), 2, 3),
    ((3, 8, 32, 32), (16, 4, 4), 4, 0),
    ((33, 64, 8, 8), (64, 3, 3), 1, 1),
    ((2, 64, 30, 30), (64, 3, 3), 1, 1),
    ((2, 32, 27, 35), (32, 5, 4), 1, 0),
    ((1, 24, 500, 7), (24, 3, 3), 1, 1),
    ((40, 32, 6, 7), (16, 3, 3), 1, 3),
    ((1, 3, 11, 1200), (8, 1, 3), 1, 1),
    ((2, 64, 90, 90), (4, 1, 1), 1, 0),
]
TOLERANCE = {np.float32: 2e-5, np.float64: 2e-14}


def large(shape, kernel, stride, pad, dtype):
    rng = np.random.default_rng(0)
    filters = (kernel[0], shape[1], *kernel[1:])
    arrays = (rng.standard_normal(s).astype(dtype) for s in (shape, filters, kernel[:1]))
    return *arrays, {"stride": stride, "pad": pad}


def assert_near(actual, expected, dtype):
    """The error in units of the largest number: sums of many terms round."""
    assert actual.dtype == dtype
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= TOLERANCE[dtype] * np.abs(expected).max()


@forwards
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sizes", LARGE, ids=str)
def test_large_layers_forward_are_torchs(forward, sizes, dtype):
    layer = large(*sizes, dtype)
    out, _ = forward(*layer)
    assert_near(
        out, by_torch(*(np.float64(a) for a in layer[:3]), layer[3])[0].detach().numpy(), dtype
    )


@pairs
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sizes", LARGE, ids=str)
def test_large_layers_backward_are_torchs(forward, backward, sizes, dtype):
    layer = large(*sizes, dtype)
    out, cache = forward(*layer)
    dout = np.random.default_rng(1).standard_normal(out.shape).astype(dtype)
    expected, leaves = by_torch(*(np.float64(a) for a in layer[:3]), layer[3])
    expected.backward(torch.tensor(np.float64(dout)))
    for gradient, leaf in zip(backward(dout, cache), leaves, strict=True):
        assert_near(gradient, leaf.grad.numpy(), dtype)


def backward_of(forward):
    return dict(PAIRS).get(forward)


@forwards
@pytest.mark.parametrize("kernel, stride, pad", [((3, 2), 2, 1), ((1, 1), 1, 0), ((2, 2), 2, 0)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_keeps_the_dtype_and_its_inputs(forward, kernel, stride, pad, dtype):
    rng = np.random.default_rng(0)
    shapes = ((2, 4, 6, 6), (4, 4, *kernel), (4,))
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    param = {"stride": stride, "pad": pad}
    before = [a.copy() for a in arrays]
    for array in arrays:
        array.flags.writeable = False
    out, cache = forward(*arrays, param)
    assert out.dtype == dtype
    if backward := backward_of(forward):
        dout = np.ones_like(out)
        dout.flags.writeable = False
        for result in backward(dout, cache):
            assert result.dtype == dtype
            assert not any(np.shares_memory(result, a) for a in (dout, *arrays))
    for array, copy in zip(arrays, before, strict=True):
        assert_array_equal(array, copy)
    assert param == {"stride": stride, "pad": pad}


@forwards
def test_integers_give_floats_where_the_filter_has_fractions(forward):
    x = np.ones((1, 1, 2, 2), dtype=np.uint8)
    out, _ = forward(x, np.full((1, 1, 2, 2), 0.125), np.zeros(1), {"stride": 1, "pad": 0})
    assert_allclose(out, [[[[0.5]]]])


@pairs
def test_whole_numbers_stay_exact(forward, backward):
    rng = np.random.default_rng(0)
    shapes = (2, 32, 17, 17), (32, 32, 3, 3), (32,)
    x, w, b = (rng.integers(-99, 99, shape) for shape in shapes)
    out, cache = forward(x, w, b, {"stride": 1, "pad": 1})
    expected, leaves = by_torch(*(np.float64(a) for a in (x, w, b)), {"stride": 1, "pad": 1})
    assert_array_equal(out, expected.detach())
    dout = rng.integers(-9, 9, out.shape)
    expected.backward(torch.tensor(dout, dtype=torch.float64))
    for gradient, leaf in zip(backward(dout, cache), leaves, strict=True):
        assert_array_equal(gradient, leaf.grad)


@pairs
def test_an_empty_batch_is_no_error(forward, backward):
    x, w, b = np.zeros((0, 32, 9, 9)), np.ones((32, 32, 3, 3)), np.ones(32)
    out, cache = forward(x, w, b, {"stride": 1, "pad": 1})
    assert out.shape == (0, 32, 9, 9)
    dx, dw, db = backward(out, cache)
    assert dx.shape == x.shape
    assert not dw.any()
    assert not db.any()


@pairs
def test_large_inputs_need_not_be_contiguous(forward, backward):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((32, 17, 19, 3)).transpose(3, 0, 2, 1)
    w = rng.standard_normal((3, 3, 32, 32)).transpose(2, 3, 1, 0)
    b = rng.standard_normal(32)
    out, cache = forward(x, w, b, {"stride": 1, "pad": 1})
    expected, leaves = by_torch(*(a.copy() for a in (x, w, b)), {"stride": 1, "pad": 1})
    assert_near(out, expected.detach().numpy(), np.float64)
    dout = rng.standard_normal(out.shape[::-1]).transpose(3, 2, 1, 0)
    expected.backward(torch.tensor(dout.copy()))
    for gradient, leaf in zip(backward(dout, cache), leaves, strict=True):
        assert_near(gradient, leaf.grad.numpy(), np.float64)


@forwards
def test_inputs_need_not_be_contiguous(forward):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6, 7, 4, 3)).transpose(3, 2, 1, 0)[:, :, ::-1]
    w = rng.standard_normal((3, 3, 4, 5)).transpose(3, 2, 1, 0)
    b, param = rng.standard_normal(10)[::2], {"stride": 1, "pad": 1}
    out, cache = forward(x, w, b, param)
    expected, right = conv_forward_naive(x, w, b, param)
    assert_allclose(out, expected, rtol=1e-10, atol=1e-12)
    if backward := backward_of(forward):
        dout = rng.standard_normal(out.shape[::-1]).transpose(3, 2, 1, 0)
        for gradient, other in zip(
            backward(dout, cache), conv_backward_naive(dout, right), strict=True
        ):
            assert_allclose(gradient, other, rtol=1e-10, atol=1e-12)
