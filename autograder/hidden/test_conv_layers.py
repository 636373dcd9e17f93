"""The hidden tests of assignment 2: the arithmetic of layers, convolution, pooling.

A test's docstring, and the id of each of its cases, are what students read about it. Each test
fails for a function that returns zeros, a constant or its input, and each needs one thing more than
the test before it, so that the share of passed tests says how far the work has come.
"""

import pytest

from autograder.compare import assert_close, assert_equal_int, assert_equal_ints, unpack
from autograder.errors import StudentRaised, WrongAnswer
from autograder.hidden.layers import (
    ConvBackward,
    ConvForward,
    MaxPoolBackward,
    MaxPoolForward,
    PoolBackward,
    PoolForward,
    draw_layer,
)
from autograder.questions import question
from solutions import arithmetic, convolution, pooling

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


# --- the layers -----------------------------------------------------------------------------------


@question("conv_forward_naive", points=6)
class TestConvForwardNaive(ConvForward):
    name, reference = "conv_forward_naive", staticmethod(convolution.conv_forward_naive)


@question("conv_backward_naive", points=8)
class TestConvBackwardNaive(ConvBackward):
    forward, name = "conv_forward_naive", "conv_backward_naive"
    references = (convolution.conv_forward_naive, convolution.conv_backward_naive)


@question("max_pool_forward_naive", points=4)
class TestMaxPoolForwardNaive(MaxPoolForward):
    name, reference = "max_pool_forward_naive", staticmethod(pooling.max_pool_forward_naive)


@question("max_pool_backward_naive", points=5)
class TestMaxPoolBackwardNaive(MaxPoolBackward):
    forward, name = "max_pool_forward_naive", "max_pool_backward_naive"
    references = (pooling.max_pool_forward_naive, pooling.max_pool_backward_naive)


@question("avg_pool_forward_naive", points=3)
class TestAvgPoolForwardNaive(PoolForward):
    name, reference = "avg_pool_forward_naive", staticmethod(pooling.avg_pool_forward_naive)


@question("avg_pool_backward_naive", points=4)
class TestAvgPoolBackwardNaive(PoolBackward):
    forward, name = "avg_pool_forward_naive", "avg_pool_backward_naive"
    references = (pooling.avg_pool_forward_naive, pooling.avg_pool_backward_naive)


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
