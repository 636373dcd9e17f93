"""The hidden tests of assignment 2: the arithmetic of layers, convolution, pooling.

A test's docstring, and the id of each of its cases, are what students read about it. Each test
fails for a function that returns zeros, a constant or its input, and each needs one thing more than
the test before it, so that the share of passed tests says how far the work has come.
"""

import numpy as np
import pytest

from autograder.compare import assert_close, assert_equal_int, assert_equal_ints, unpack
from autograder.errors import StudentRaised, WrongAnswer
from autograder.hidden.inputs import SINGLE, assert_unchanged, own_cache
from autograder.questions import question
from solutions import arithmetic, convolution, pooling

# A backward pass by numeric differences is no backward pass. So far from zero, small steps drown in
# rounding; and loops over the lecture's image, twice for each of its numbers, take minutes.
LECTURE, FAR = (3, 32, 32), 1e7


# --- the lecture's arithmetic ---------------------------------------------------------------------


def raises_value_error(student, function, *args):
    """Call the function where it has to refuse."""
    try:
        getattr(student, function)(*args)
    except StudentRaised as error:
        if error.ename == "ValueError":
            return
        raise
    raise WrongAnswer("a filter that does not fit should raise a ValueError, but a value came back")


@question("conv_output_size", points=2)
class TestConvOutputSize:
    def check(self, student, *cases):
        for case in cases:
            expected = arithmetic.conv_output_size(*case)
            assert_equal_int(student.conv_output_size(*case), expected, name="the size")

    def test_counts_places(self, student, rng):
        """stride 1, no padding"""
        size = int(rng.integers(10, 40))
        self.check(student, (size, 3, 0, 1), (size + 3, 6, 0, 1), (size + 1, size + 1, 0, 1))

    def test_pads_both_ends(self, student, rng):
        """padding"""
        size, kernel = int(rng.integers(10, 40)), int(rng.integers(2, 8))
        self.check(student, (size, kernel, 1, 1), (size + 5, kernel, 3, 1))

    def test_steps(self, student, rng):
        """stride 2 and more"""
        places = int(rng.integers(5, 20))
        self.check(student, *((s * places + 3, 3, 0, s) for s in (2, 3, 5)))

    def test_strided_and_padded(self, student, rng):
        """stride and padding together"""
        places = int(rng.integers(5, 20))
        self.check(student, (2 * places + 1, 5, 2, 2), (3 * places, 7, 2, 3))

    def test_lecture(self, student, rng):
        """the lecture's examples, and one like them"""
        size = 2 * int(rng.integers(8, 20)) + 1
        self.check(student, (7, 3, 0, 1), (7, 3, 0, 2), (32, 5, 2, 1), (size, 3, 1, 2))

    def test_refuses_uneven_steps(self, student, rng):
        """ValueError when the steps do not come out even"""
        places = int(rng.integers(5, 20))
        self.check(student, (7, 3, 0, 2), (3 * places + 4, 4, 0, 3))
        raises_value_error(student, "conv_output_size", 7, 3, 0, 3)
        raises_value_error(student, "conv_output_size", 3 * places + 4, 3, 0, 3)

    def test_refuses_filters_that_are_too_large(self, student, rng):
        """ValueError when the filter is larger than the padded side, and only then"""
        size = int(rng.integers(4, 12))
        self.check(student, (size, size + 4, 2, 2), (size, size + 2, 2, 1))
        raises_value_error(student, "conv_output_size", size, size + 5, 2, 1)
        raises_value_error(student, "conv_output_size", size, size + 6, 2, 2)


@question("conv_cost", points=2)
class TestConvCost:
    LECTURE = ((3, 32, 32), 10, 5, 2, 1)

    def both(self, student, case):
        """The student's three results for a layer, and the right ones."""
        shape, parameters, multiply_adds = unpack(
            student.conv_cost(*case), "out_shape", "parameters", "multiply_adds"
        )
        if hasattr(shape, "type_name"):  # a tuple within a tuple stays in the kernel
            shape = student.get(shape)
        return (shape, parameters, multiply_adds), arithmetic.conv_cost(*case)

    def check(self, student, case):
        actual, expected = self.both(student, case)
        assert_equal_ints(actual[0], expected[0], name="the output shape")
        assert_equal_int(actual[1], expected[1], name="the number of parameters")
        assert_equal_int(actual[2], expected[2], name="the number of multiply-adds")

    def draw(self, rng, *, pad=0, stride=1, kernel=3):
        """A layer on an image that is wider than high; the filters fit evenly."""
        down, across = rng.integers(4, 9), rng.integers(10, 16)
        sides = [int(stride * n + kernel - 2 * pad) for n in (down, across)]
        channels, filters = int(rng.integers(2, 6)), int(rng.integers(7, 12))
        return (channels, *sides), filters, kernel, pad, stride

    def test_shape(self, student, rng):
        """the output's shape: channels, height, width"""
        for options in ({}, {"pad": 1}, {"stride": 2}):
            actual, expected = self.both(student, self.draw(rng, **options))
            assert_equal_ints(actual[0], expected[0], name="the output shape")

    def test_parameters(self, student, rng):
        """the number of parameters"""
        for kernel in (1, 3, 4):
            actual, expected = self.both(student, self.draw(rng, kernel=kernel))
            assert_equal_int(actual[1], expected[1], name="the number of parameters")

    def test_multiply_adds(self, student, rng):
        """the number of multiply-adds, stride 1 and no padding"""
        for kernel in (1, 3, 4):
            actual, expected = self.both(student, self.draw(rng, kernel=kernel))
            assert_equal_int(actual[2], expected[2], name="the number of multiply-adds")

    def test_lecture(self, student, rng):
        """the lecture's layer, and one like it"""
        self.check(student, self.LECTURE)
        self.check(student, self.draw(rng, kernel=5, pad=2))

    def test_strided_and_padded(self, student, rng):
        """stride and padding together"""
        self.check(student, self.draw(rng, kernel=3, pad=1, stride=2))
        self.check(student, self.draw(rng, kernel=7, pad=2, stride=3))


@question("receptive_field", points=2)
class TestReceptiveField:
    def check(self, student, *stacks):
        for layers in stacks:
            expected = arithmetic.receptive_field(layers)
            assert_equal_int(student.receptive_field(layers), expected, name="the field")

    def test_few_layers(self, student, rng):
        """one layer, or none"""
        self.check(student, [(int(rng.integers(3, 12)), 1)], [(2, 2)], [])

    def test_plain_layers(self, student, rng):
        """plain layers with stride 1, all alike"""
        depth, kernel = int(rng.integers(2, 7)), int(rng.integers(3, 6))
        self.check(student, [(kernel, 1)] * depth, [(kernel + 1, 1)] * (depth + 1))

    def test_different_kernels(self, student, rng):
        """plain layers with kernels of different sizes"""
        kernels = [int(k) for k in rng.permutation([1, 2, 3, 5, 7])]
        self.check(student, [(k, 1) for k in kernels], [(k, 1) for k in kernels[:3]])

    def test_one_stride(self, student, rng):
        """a stride in the first layer"""
        stride, kernel = int(rng.integers(2, 5)), int(rng.integers(3, 6))
        self.check(student, [(kernel, stride), (3, 1)], [(7, stride), (kernel, 1), (3, 1)])

    def test_several_strides(self, student, rng):
        """strides in several layers, convolution and pooling"""
        kernel = int(rng.integers(3, 6))
        self.check(
            student,
            [(kernel, 1), (2, 2), (kernel + 1, 1), (2, 2), (3, 1)],
            [(7, 2), (3, 3), (kernel, 1), (kernel, 2)],
        )


# --- convolution ----------------------------------------------------------------------------------


def draw_layer(rng, x_shape, w_shape, *, bias=True, dtype=np.float64):
    """Random images, filters and biases."""
    x = rng.standard_normal(x_shape).astype(dtype)
    w = rng.standard_normal(w_shape).astype(dtype)
    b = rng.uniform(1, 2, w_shape[0]).astype(dtype) if bias else np.zeros(w_shape[0], dtype)
    return x, w, b


@question("conv_forward_naive", points=6)
class TestConvForwardNaive:
    def check(self, student, x, w, b, stride, pad, **tolerance):
        param = {"stride": stride, "pad": pad}
        expected, _ = convolution.conv_forward_naive(x, w, b, param)
        out, _ = unpack(student.conv_forward_naive(x, w, b, param), "out", "cache")
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
        expected, _ = convolution.conv_forward_naive(x, w, b, param)
        held = {"x": student.put(x), "w": student.put(w), "b": student.put(b)}
        out, _ = unpack(student.conv_forward_naive(*held.values(), param), "out", "cache")
        assert_close(out, expected, name="out", **SINGLE)
        for (name, handle), before in zip(held.items(), (x, w, b), strict=True):
            assert_unchanged(student.get(handle), before, name)


@question("conv_backward_naive", points=8)
class TestConvBackwardNaive:
    def gradients(self, student, rng, hw, kernel, stride, pad):
        """The student's gradients of a random layer, by name, and the right ones."""
        x, w, b = draw_layer(rng, (2, 3, *hw), (4, 3, *kernel))
        param = {"stride": stride, "pad": pad}
        out, right_cache = convolution.conv_forward_naive(x, w, b, param)
        dout = rng.standard_normal(out.shape)
        args = (x, w, b, param)
        cache = own_cache(student, "conv_forward_naive", *args, otherwise=args)
        names = ("dx", "dw", "db")
        actual = unpack(student.conv_backward_naive(dout, cache), *names)
        expected = convolution.conv_backward_naive(dout, right_cache)
        return dict(zip(names, actual, strict=True)), dict(zip(names, expected, strict=True))

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
        actual, expected = self.gradients(student, rng, hw, kernel, stride, pad)
        assert_close(actual["dx"], expected["dx"], name="dx")

    @pytest.mark.parametrize(
        "hw, kernel, stride, pad",
        [
            pytest.param((5, 5), (3, 3), 1, 0, id="stride 1, no padding"),
            pytest.param((5, 9), (3, 5), 2, 2, id="stride 2, pad 2, nothing is square"),
        ],
    )
    def test_dw(self, student, rng, hw, kernel, stride, pad):
        """dw, the gradient of the filters"""
        actual, expected = self.gradients(student, rng, hw, kernel, stride, pad)
        assert_close(actual["dw"], expected["dw"], name="dw")

    def test_db(self, student, rng):
        """db, the gradient of the biases"""
        actual, expected = self.gradients(student, rng, (5, 6), (3, 2), 1, 1)
        assert_close(actual["db"], expected["db"], name="db")

    def test_derived(self, student, rng):
        """an image of the lecture's size whose numbers are large: differences will not do"""
        x, w, b = draw_layer(rng, (1, *LECTURE), (1, 3, 3, 3))
        x += FAR
        param = {"stride": 1, "pad": 1}
        out, right_cache = convolution.conv_forward_naive(x, w, b, param)
        dout = rng.standard_normal(out.shape)
        cache = own_cache(student, "conv_forward_naive", x, w, b, param, otherwise=right_cache)
        dx, dw, _ = unpack(student.conv_backward_naive(dout, cache), "dx", "dw", "db")
        right_dx, right_dw, _ = convolution.conv_backward_naive(dout, right_cache)
        assert_close(dx, right_dx, name="dx")
        assert_close(dw, right_dw, name="dw")


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


def check_pool_forward(student, function, reference, x, param, **tolerance):
    expected, _ = reference(x, param)
    out, _ = unpack(getattr(student, function)(x, param), "out", "cache")
    assert_close(out, expected, name="out", **tolerance)


def check_pool_leaves_its_input_alone(student, function, reference, x, param):
    expected, _ = reference(x, param)
    held = student.put(x)
    out, _ = unpack(getattr(student, function)(held, param), "out", "cache")
    assert_close(out, expected, name="out", **SINGLE)
    assert_unchanged(student.get(held), x, "x")


def check_pool_backward(student, kind, references, rng, x, param):
    forward, backward = references
    out, right_cache = forward(x, param)
    dout = rng.uniform(0.5, 2, out.shape) * rng.choice([-1, 1], out.shape)
    cache = own_cache(student, f"{kind}_pool_forward_naive", x, param, otherwise=(x, param))
    dx = getattr(student, f"{kind}_pool_backward_naive")(dout, cache)
    assert_close(dx, backward(dout, right_cache), name="dx")


@question("max_pool_forward_naive", points=4)
class TestMaxPoolForwardNaive:
    name, reference = "max_pool_forward_naive", staticmethod(pooling.max_pool_forward_naive)

    @POOLS
    def test_windows(self, student, rng, hw, window, stride):
        """windows of many kinds"""
        x = draw_images(rng, hw, low=0.5, high=2)
        check_pool_forward(student, self.name, self.reference, x, pool_param(window, stride))

    def test_negative(self, student, rng):
        """all numbers negative"""
        x = draw_images(rng, (4, 6), low=-2, high=-1)
        check_pool_forward(student, self.name, self.reference, x, pool_param((2, 2), 2))

    def test_leaves_its_input_alone(self, student, rng):
        """images in single precision, which are left as they were"""
        x = draw_images(rng, (6, 5), low=0.5, high=2, dtype=np.float32)
        check_pool_leaves_its_input_alone(
            student, self.name, self.reference, x, pool_param((2, 3), 2)
        )


@question("max_pool_backward_naive", points=5)
class TestMaxPoolBackwardNaive:
    references = (pooling.max_pool_forward_naive, pooling.max_pool_backward_naive)

    @POOLS
    def test_windows(self, student, rng, hw, window, stride):
        """windows of many kinds"""
        x = draw_images(rng, hw)
        check_pool_backward(student, "max", self.references, rng, x, pool_param(window, stride))

    def test_negative(self, student, rng):
        """all numbers negative"""
        x = draw_images(rng, (4, 6), low=-2, high=-1)
        check_pool_backward(student, "max", self.references, rng, x, pool_param((2, 2), 2))

    def test_derived(self, student, rng):
        """images of the lecture's size, of numbers that are large and close: differences fail"""
        x = draw_images(rng, LECTURE[1:], low=FAR, high=FAR + 1e-3)
        check_pool_backward(student, "max", self.references, rng, x, pool_param((2, 2), 2))


@question("avg_pool_forward_naive", points=3)
class TestAvgPoolForwardNaive:
    name, reference = "avg_pool_forward_naive", staticmethod(pooling.avg_pool_forward_naive)

    @POOLS
    def test_windows(self, student, rng, hw, window, stride):
        """windows of many kinds"""
        x = draw_images(rng, hw)
        check_pool_forward(student, self.name, self.reference, x, pool_param(window, stride))

    def test_leaves_its_input_alone(self, student, rng):
        """images in single precision, which are left as they were"""
        x = draw_images(rng, (6, 5), low=0.5, high=2, dtype=np.float32)
        check_pool_leaves_its_input_alone(
            student, self.name, self.reference, x, pool_param((2, 3), 2)
        )


@question("avg_pool_backward_naive", points=4)
class TestAvgPoolBackwardNaive:
    references = (pooling.avg_pool_forward_naive, pooling.avg_pool_backward_naive)

    @POOLS
    def test_windows(self, student, rng, hw, window, stride):
        """windows of many kinds"""
        x = draw_images(rng, hw)
        check_pool_backward(student, "avg", self.references, rng, x, pool_param(window, stride))

    def test_derived(self, student, rng):
        """images of the lecture's size whose numbers are large: differences will not do"""
        x = draw_images(rng, LECTURE[1:], low=FAR, high=FAR + 1)
        check_pool_backward(student, "avg", self.references, rng, x, pool_param((2, 2), 2))


# --- extra credit ---------------------------------------------------------------------------------


@question("conv_forward_general", points=4, extra_credit=True)
class TestConvForwardGeneral:
    @pytest.mark.parametrize(
        "hw, kernel, options",
        [
            pytest.param((6, 5), (3, 2), {"pad": 1}, id="one group, dilation 1"),
            pytest.param((5, 6), (3, 3), {"groups": 2}, id="2 groups"),
            pytest.param((5, 6), (2, 3), {"groups": 4, "pad": 1}, id="4 groups: depthwise"),
            pytest.param((7, 8), (3, 3), {"dilation": 2}, id="dilation 2"),
            pytest.param(
                (9, 8),
                (3, 2),
                {"groups": 2, "dilation": 3, "stride": 2, "pad": 1},
                id="2 groups, dilation 3, stride 2, pad 1, nothing is square",
            ),
        ],
    )
    def test_matches(self, student, rng, hw, kernel, options):
        """groups and dilation"""
        param = {"stride": 1, "pad": 0, "groups": 1, "dilation": 1} | options
        x, w, b = draw_layer(rng, (2, 4, *hw), (8, 4 // param["groups"], *kernel))
        expected, _ = convolution.conv_forward_general(x, w, b, param)
        out, _ = unpack(student.conv_forward_general(x, w, b, param), "out", "cache")
        assert_close(out, expected, name="out")
