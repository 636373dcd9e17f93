"""The hidden tests of assignment 3: im2col, and the layers of assignment 2 without their loops.

The fast layers are tested for all that the naive ones are (layers.py), and with larger batches.
That no loop runs over pixels is a question of its own, the last one (speed.py).
"""

import functools

import numpy as np
import pytest

from autograder.compare import assert_close, unpack
from autograder.hidden.inputs import SINGLE, assert_dtype, assert_unchanged, own_cache
from autograder.hidden.layers import (
    LECTURE,
    ConvBackward,
    ConvForward,
    MaxPoolBackward,
    MaxPoolForward,
    PoolBackward,
    PoolForward,
    draw_images,
    draw_layer,
    pool_param,
)
from autograder.hidden.speed import TIMES, Yardstick, arrays, assert_faster
from autograder.questions import question
from solutions import (
    convolution,
    fast_convolution,
    fast_pooling,
    fast_step,
    im2col,
    other_convolutions,
    pooling,
)

DTYPES = (np.float32, np.float64)

# --- windows as columns ---------------------------------------------------------------------------

WINDOWS = pytest.mark.parametrize(
    "hw, window, pad, stride",
    [
        pytest.param((5, 5), (3, 3), 1, 1, id="3x3, pad 1"),
        pytest.param((5, 7), (3, 3), 0, 2, id="3x3, stride 2, images that are not square"),
        pytest.param((4, 7), (2, 3), 2, 1, id="2x3, pad 2, nothing is square"),
        pytest.param((7, 4), (1, 1), 0, 3, id="1x1, stride 3: gaps between windows"),
    ],
)


@question("im2col", points=4)
class TestIm2col:
    def check(self, student, x, *window, **tolerance):
        expected = im2col.im2col(x, *window)
        assert_close(student.im2col(x, *window), expected, name="cols", **tolerance)

    def test_one_channel(self, student, rng):
        """one image with one channel, no padding, stride 1"""
        self.check(student, rng.standard_normal((1, 1, 4, 5)), 2, 3, 0, 1)

    def test_channels(self, student, rng):
        """three channels"""
        self.check(student, rng.standard_normal((1, 3, 4, 5)), 2, 3, 0, 1)

    @WINDOWS
    def test_windows(self, student, rng, hw, window, pad, stride):
        """many images and channels, windows of many kinds"""
        self.check(student, rng.standard_normal((3, 2, *hw)), *window, pad, stride)

    def test_leaves_its_input_alone(self, student, rng):
        """images in single precision, which are left as they were"""
        x = rng.standard_normal((2, 3, 5, 4)).astype(np.float32)
        held = student.put(x)
        expected = im2col.im2col(x, 3, 2, 1, 1)
        assert_close(student.im2col(held, 3, 2, 1, 1), expected, name="cols", **SINGLE)
        assert_unchanged(student.get(held), x, "x")

    def test_dtype(self, student, rng):
        """cols has x's dtype"""
        for dtype in DTYPES:
            x = rng.standard_normal((2, 3, 5, 4)).astype(dtype)
            cols = student.im2col(x, 3, 2, 1, 1)
            assert_close(cols, im2col.im2col(x, 3, 2, 1, 1), name="cols", **SINGLE)
            assert_dtype(cols, dtype, "cols", or_double=False)


@question("col2im", points=4)
class TestCol2im:
    def check(self, student, rng, x_shape, window, pad, stride):
        cols = im2col.im2col(rng.standard_normal(x_shape), *window, pad, stride)
        cols = rng.standard_normal(cols.shape)
        expected = im2col.col2im(cols, x_shape, *window, pad, stride)
        actual = student.col2im(cols, x_shape, *window, pad, stride)
        assert_close(actual, expected, name="x")

    def test_windows_side_by_side(self, student, rng):
        """one image, windows side by side: nothing is added up yet"""
        x = rng.standard_normal((1, 2, 4, 6))
        cols = im2col.im2col(x, 2, 2, 0, 2)
        assert_close(student.col2im(cols, x.shape, 2, 2, 0, 2), x, name="x")

    def test_adds_up(self, student, rng):
        """windows that overlap: each pixel's copies add up"""
        self.check(student, rng, (1, 1, 4, 5), (2, 3), 0, 1)

    @WINDOWS
    def test_windows(self, student, rng, hw, window, pad, stride):
        """many images and channels, windows of many kinds"""
        self.check(student, rng, (3, 2, *hw), window, pad, stride)

    def test_leaves_its_input_alone(self, student, rng):
        """columns in single precision, which are left as they were"""
        cols = rng.standard_normal((3 * 2 * 2, 2 * 4 * 3)).astype(np.float32)
        held = student.put(cols)
        expected = im2col.col2im(cols, (2, 3, 5, 4), 2, 2, 0, 1)
        actual = student.col2im(held, (2, 3, 5, 4), 2, 2, 0, 1)
        assert_close(actual, expected, name="x", **SINGLE)
        assert_unchanged(student.get(held), cols, "cols")

    def test_dtype(self, student, rng):
        """x has cols's dtype"""
        for dtype in DTYPES:
            cols = rng.standard_normal((3 * 2 * 2, 2 * 4 * 3)).astype(dtype)
            x = student.col2im(cols, (2, 3, 5, 4), 2, 2, 0, 1)
            assert_close(x, im2col.col2im(cols, (2, 3, 5, 4), 2, 2, 0, 1), name="x", **SINGLE)
            assert_dtype(x, dtype, "x", or_double=False)


# --- the layers -----------------------------------------------------------------------------------

BATCH = (9, *LECTURE)  # more than go through a cache at once, and no multiple of anything


class KeepsDtype:
    """A forward pass: what it returns is as exact as what it got."""

    def test_dtype(self, student, rng):
        """out has x's dtype, or float64"""
        for dtype in DTYPES:
            args = draw_arguments(rng, self.name, dtype)
            out, _ = unpack(getattr(student, self.name)(*args), "out", "cache")
            assert_close(out, self.reference(*args)[0], name="out", **SINGLE)
            assert_dtype(out, dtype, "out")


class GradientsKeepDtype:
    """A backward pass, likewise."""

    def test_dtype(self, student, rng):
        """gradients have dout's dtype, or float64"""
        names = ("dx",) if "pool" in self.name else ("dx", "dw", "db")
        forward, backward = self.references
        for dtype in DTYPES:
            args = draw_arguments(rng, self.name, dtype)
            out, right_cache = forward(*args)
            dout = rng.uniform(0.5, 2, out.shape).astype(dtype)
            cache = own_cache(student, self.forward, *args, otherwise=right_cache)
            came, right = getattr(student, self.name)(dout, cache), backward(dout, right_cache)
            came, right = ((came,), (right,)) if len(names) == 1 else (unpack(came, *names), right)
            for value, expected, name in zip(came, right, names, strict=True):
                assert_close(value, expected, name=name, **SINGLE)
                assert_dtype(value, dtype, name)


def draw_arguments(rng, name, dtype):
    """Of a forward pass, all of one dtype."""
    if "pool" in name:
        return draw_images(rng, (6, 5), low=0.5, high=2, dtype=dtype), pool_param((2, 3), 2)
    layer = draw_layer(rng, (2, 3, 5, 6), (4, 3, 3, 2), dtype=dtype)
    return *layer, {"stride": 2, "pad": 1}


@question("conv_forward_fast", points=6)
class TestConvForwardFast(ConvForward, KeepsDtype):
    name, reference = "conv_forward_fast", staticmethod(fast_convolution.conv_forward_fast)

    def test_batch(self, student, rng):
        """nine images of the lecture's size"""
        self.check(student, *draw_layer(rng, BATCH, (2, 3, 5, 5)), stride=1, pad=2)


@question("conv_backward_fast", points=8)
class TestConvBackwardFast(ConvBackward, GradientsKeepDtype):
    forward, name = "conv_forward_fast", "conv_backward_fast"
    references = (fast_convolution.conv_forward_fast, fast_convolution.conv_backward_fast)

    def test_batch(self, student, rng):
        """nine images of the lecture's size"""
        layer = draw_layer(rng, BATCH, (2, 3, 5, 5))
        actual, expected = self.gradients(student, rng, *layer, stride=1, pad=2)
        for name in expected:
            assert_close(actual[name], expected[name], name=name)


@question("max_pool_forward_fast", points=3)
class TestMaxPoolForwardFast(MaxPoolForward, KeepsDtype):
    name, reference = "max_pool_forward_fast", staticmethod(fast_pooling.max_pool_forward_fast)


@question("max_pool_backward_fast", points=4)
class TestMaxPoolBackwardFast(MaxPoolBackward, GradientsKeepDtype):
    forward, name = "max_pool_forward_fast", "max_pool_backward_fast"
    references = (fast_pooling.max_pool_forward_fast, fast_pooling.max_pool_backward_fast)


@question("avg_pool_forward_fast", points=2)
class TestAvgPoolForwardFast(PoolForward, KeepsDtype):
    name, reference = "avg_pool_forward_fast", staticmethod(fast_pooling.avg_pool_forward_fast)


@question("avg_pool_backward_fast", points=3)
class TestAvgPoolBackwardFast(PoolBackward, GradientsKeepDtype):
    forward, name = "avg_pool_forward_fast", "avg_pool_backward_fast"
    references = (fast_pooling.avg_pool_forward_fast, fast_pooling.avg_pool_backward_fast)


# --- speed ----------------------------------------------------------------------------------------

# Many places and little to do at each: here a loop over places costs most, compared with all else.
SPEED_X, SPEED_W = (1, 1, 96, 96), (2, 1, 3, 3)
SPEED_CONV, SPEED_POOL = {"stride": 1, "pad": 1}, pool_param((3, 3), 1)
STEP = ("out", "dx", "dw", "db")


def draw_step(rng, x_shape, w_shape, conv_param, pool):
    """Arguments of conv_pool_step, and the right results."""
    x, w, b = draw_layer(rng, x_shape, w_shape)
    features, _ = fast_convolution.conv_forward_fast(x, w, b, conv_param)
    out, _ = fast_pooling.max_pool_forward_fast(features, pool)
    args = (x, w, b, conv_param, pool, rng.uniform(0.5, 2, out.shape))
    return args, fast_step.conv_pool_step(*args)


def naive_step(x, w, b, conv_param, pool, dout):
    """What conv_pool_step does, in plain loops."""
    features, conv_cache = convolution.conv_forward_naive(x, w, b, conv_param)
    out, pool_cache = pooling.max_pool_forward_naive(features, pool)
    dfeatures = pooling.max_pool_backward_naive(dout, pool_cache)
    return out, *convolution.conv_backward_naive(dfeatures, conv_cache)


@functools.cache
def yardstick():
    rng = np.random.default_rng(0)
    args, _ = draw_step(rng, SPEED_X, SPEED_W, SPEED_CONV, SPEED_POOL)
    return Yardstick(functools.partial(naive_step, *args))


@question("conv_pool_step", points=6, limits={"test_seconds": 60})
class TestConvPoolStep:
    def call(self, student, rng, *layer):
        """One call with new inputs, whose results are checked: how long it took."""
        args, expected = draw_step(rng, *layer)
        result, took = student.timed("conv_pool_step", *args)
        actual = unpack(result, *STEP)
        arrays(actual, STEP)
        for value, right, name in zip(actual, expected, STEP, strict=True):
            assert_close(value, right, name=name)
        return took

    @pytest.mark.parametrize("times", TIMES, ids="{} times as fast as plain loops".format)
    def test_speed(self, student, rng, times):
        """right, and fast"""
        # nothing is square, and 2x2 pooling
        self.call(
            student, rng, (2, 3, 8, 6), (4, 3, 3, 5), {"stride": 1, "pad": 2}, pool_param((2, 2), 2)
        )
        layer = (SPEED_X, SPEED_W, SPEED_CONV, SPEED_POOL)
        assert_faster(
            lambda: self.call(student, rng, *layer), yardstick(), times, name="conv_pool_step"
        )


# --- extra credit ---------------------------------------------------------------------------------


@question("conv_forward_strides", points=3, extra_credit=True)
class TestConvForwardStrides(ConvForward, KeepsDtype):
    name = "conv_forward_strides"
    reference = staticmethod(other_convolutions.conv_forward_strides)


@question("conv_forward_fft", points=4, extra_credit=True)
class TestConvForwardFft(ConvForward, KeepsDtype):
    name, reference = "conv_forward_fft", staticmethod(other_convolutions.conv_forward_fft)
