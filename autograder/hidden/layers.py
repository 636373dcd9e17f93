"""Hidden tests of convolution and pooling layers, whoever writes them: naive or fast.

A question's class of tests is one of these, with the names of the functions and the references:

    @question("conv_forward_naive", points=6)
    class TestConvForwardNaive(ConvForward):
        name, reference = "conv_forward_naive", staticmethod(convolution.conv_forward_naive)
"""

import numpy as np
import pytest

from autograder.compare import assert_close, unpack
from autograder.hidden.inputs import SINGLE, assert_unchanged, own_cache

# A backward pass by numeric differences is no backward pass. So far from zero, small steps drown in
# rounding; and loops over the lecture's image, twice for each of its numbers, take minutes.
LECTURE, FAR = (3, 32, 32), 1e7


# --- convolution ----------------------------------------------------------------------------------


def draw_layer(rng, x_shape, w_shape, *, bias=True, dtype=np.float64):
    """Random images, filters and biases."""
    x = rng.standard_normal(x_shape).astype(dtype)
    w = rng.standard_normal(w_shape).astype(dtype)
    b = rng.uniform(1, 2, w_shape[0]).astype(dtype) if bias else np.zeros(w_shape[0], dtype)
    return x, w, b


class ConvForward:
    """The forward pass ``name``."""

    def check(self, student, x, w, b, stride, pad, **tolerance):
        param = {"stride": stride, "pad": pad}
        expected, _ = self.reference(x, w, b, param)
        out, _ = unpack(getattr(student, self.name)(x, w, b, param), "out", "cache")
        assert_close(out, expected, name="out", **tolerance)

    @pytest.mark.parametrize(
        "x_shape, w_shape, bias",
        [
            pytest.param((1, 1, 5, 5), (1, 1, 3, 3), False, id="one filter, one channel, no bias"),
            pytest.param((2, 3, 6, 6), (4, 3, 3, 3), True, id="many of each, with biases"),
        ],
    )
    def test_slides(self, student, rng, x_shape, w_shape, bias):
        """stride 1 and no padding"""
        self.check(student, *draw_layer(rng, x_shape, w_shape, bias=bias), stride=1, pad=0)

    @pytest.mark.parametrize(
        "hw, kernel, stride, pad",
        [
            pytest.param((5, 5), (3, 3), 1, 1, id="pad 1"),
            pytest.param((7, 7), (3, 3), 2, 0, id="stride 2"),
            pytest.param((5, 9), (3, 3), 2, 2, id="stride 2, pad 2, images that are not square"),
            pytest.param((8, 5), (2, 5), 1, 2, id="pad 2, filters that are not square"),
            pytest.param((7, 4), (1, 1), 3, 0, id="1x1 filters, stride 3: gaps between windows"),
        ],
    )
    def test_strides_and_pads(self, student, rng, hw, kernel, stride, pad):
        """stride and padding"""
        self.check(student, *draw_layer(rng, (2, 3, *hw), (4, 3, *kernel)), stride, pad)

    def test_leaves_its_inputs_alone(self, student, rng):
        """images in single precision, which are left as they were"""
        x, w, b = draw_layer(rng, (2, 3, 5, 6), (4, 3, 3, 2), dtype=np.float32)
        param = {"stride": 2, "pad": 1}
        expected, _ = self.reference(x, w, b, param)
        held = {"x": student.put(x), "w": student.put(w), "b": student.put(b)}
        out, _ = unpack(getattr(student, self.name)(*held.values(), param), "out", "cache")
        assert_close(out, expected, name="out", **SINGLE)
        for (name, handle), before in zip(held.items(), (x, w, b), strict=True):
            assert_unchanged(student.get(handle), before, name)


class ConvBackward:
    """The backward pass ``name`` of ``forward``; ``references`` are the two right ones."""

    def gradients(self, student, rng, x, w, b, stride, pad):
        """The student's gradients of a layer, by name, and the right ones."""
        param = {"stride": stride, "pad": pad}
        right_forward, right_backward = self.references
        out, right_cache = right_forward(x, w, b, param)
        dout = rng.standard_normal(out.shape)
        cache = own_cache(student, self.forward, x, w, b, param, otherwise=right_cache)
        names = ("dx", "dw", "db")
        actual = unpack(getattr(student, self.name)(dout, cache), *names)
        expected = right_backward(dout, right_cache)
        return dict(zip(names, actual, strict=True)), dict(zip(names, expected, strict=True))

    def check(self, student, rng, hw, kernel, stride, pad, name):
        layer = draw_layer(rng, (2, 3, *hw), (4, 3, *kernel))
        actual, expected = self.gradients(student, rng, *layer, stride, pad)
        assert_close(actual[name], expected[name], name=name)

    @pytest.mark.parametrize(
        "hw, kernel, stride, pad",
        [
            pytest.param((5, 5), (3, 3), 1, 1, id="stride 1, pad 1"),
            pytest.param((5, 5), (3, 3), 1, 0, id="stride 1, no padding"),
            pytest.param((7, 5), (3, 3), 2, 1, id="stride 2, pad 1, images that are not square"),
            pytest.param((5, 8), (3, 2), 1, 2, id="pad 2, filters that are not square"),
            pytest.param((7, 4), (1, 1), 3, 0, id="1x1 filters, stride 3: gaps between windows"),
        ],
    )
    def test_dx(self, student, rng, hw, kernel, stride, pad):
        """dx, the gradient of the images"""
        self.check(student, rng, hw, kernel, stride, pad, "dx")

    @pytest.mark.parametrize(
        "hw, kernel, stride, pad",
        [
            pytest.param((5, 5), (3, 3), 1, 0, id="stride 1, no padding"),
            pytest.param((5, 9), (3, 5), 2, 2, id="stride 2, pad 2, nothing is square"),
        ],
    )
    def test_dw(self, student, rng, hw, kernel, stride, pad):
        """dw, the gradient of the filters"""
        self.check(student, rng, hw, kernel, stride, pad, "dw")

    def test_db(self, student, rng):
        """db, the gradient of the biases"""
        self.check(student, rng, (5, 6), (3, 2), 1, 1, "db")

    def test_derived(self, student, rng):
        """an image of the lecture's size whose numbers are large: differences will not do"""
        x, w, b = draw_layer(rng, (1, *LECTURE), (1, 3, 3, 3))
        actual, expected = self.gradients(student, rng, x + FAR, w, b, 1, 1)
        for name in ("dx", "dw"):
            assert_close(actual[name], expected[name], name=name)


# --- pooling --------------------------------------------------------------------------------------


def draw_images(rng, hw, *, low=-1.0, high=1.0, dtype=np.float64):
    """Random images (2, 3, H, W) in which no two numbers are alike: maxima are never tied."""
    shape = (2, 3, *hw)
    size = int(np.prod(shape))
    ranks = (rng.permutation(size) + 0.5) / size
    return (low + (high - low) * ranks).reshape(shape).astype(dtype)


def pool_param(window, stride):
    return {"pool_height": window[0], "pool_width": window[1], "stride": stride}


POOLS = pytest.mark.parametrize(
    "hw, window, stride",
    [
        pytest.param((6, 6), (2, 2), 2, id="2x2, stride 2"),
        pytest.param((5, 5), (3, 3), 1, id="3x3, stride 1: they overlap"),
        pytest.param((7, 4), (1, 1), 3, id="1x1, stride 3: there are gaps"),
        pytest.param((4, 8), (2, 4), 2, id="2x4, stride 2: they are not square"),
        pytest.param((9, 5), (5, 3), 2, id="5x3, stride 2: not square, and they overlap"),
    ],
)


class PoolForward:
    """The forward pass ``name``."""

    low = -1.0  # of the images' numbers

    def check(self, student, x, param, **tolerance):
        expected, _ = self.reference(x, param)
        out, _ = unpack(getattr(student, self.name)(x, param), "out", "cache")
        assert_close(out, expected, name="out", **tolerance)

    @POOLS
    def test_windows(self, student, rng, hw, window, stride):
        """windows of many kinds"""
        x = draw_images(rng, hw, low=self.low, high=2)
        self.check(student, x, pool_param(window, stride))

    def test_leaves_its_input_alone(self, student, rng):
        """images in single precision, which are left as they were"""
        x = draw_images(rng, (6, 5), low=0.5, high=2, dtype=np.float32)
        param = pool_param((2, 3), 2)
        held = student.put(x)
        expected, _ = self.reference(x, param)
        out, _ = unpack(getattr(student, self.name)(held, param), "out", "cache")
        assert_close(out, expected, name="out", **SINGLE)
        assert_unchanged(student.get(held), x, "x")


class MaxPoolForward(PoolForward):
    low = 0.5

    def test_negative(self, student, rng):
        """all numbers negative"""
        x = draw_images(rng, (4, 6), low=-2, high=-1)
        self.check(student, x, pool_param((2, 2), 2))


class PoolBackward:
    """The backward pass ``name`` of ``forward``; ``references`` are the two right ones."""

    spread = 1.0  # of numbers that are FAR from zero

    def check(self, student, rng, x, param):
        right_forward, right_backward = self.references
        out, right_cache = right_forward(x, param)
        dout = rng.uniform(0.5, 2, out.shape) * rng.choice([-1, 1], out.shape)
        cache = own_cache(student, self.forward, x, param, otherwise=right_cache)
        dx = getattr(student, self.name)(dout, cache)
        assert_close(dx, right_backward(dout, right_cache), name="dx")

    @POOLS
    def test_windows(self, student, rng, hw, window, stride):
        """windows of many kinds"""
        self.check(student, rng, draw_images(rng, hw), pool_param(window, stride))

    def test_derived(self, student, rng):
        """images of the lecture's size, of numbers that are large and close: differences fail"""
        x = draw_images(rng, LECTURE[1:], low=FAR, high=FAR + self.spread)
        self.check(student, rng, x, pool_param((2, 2), 2))


class MaxPoolBackward(PoolBackward):
    spread = 1e-3

    def test_negative(self, student, rng):
        """all numbers negative"""
        x = draw_images(rng, (4, 6), low=-2, high=-1)
        self.check(student, rng, x, pool_param((2, 2), 2))
