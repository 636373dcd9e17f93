"""The lecture's worked numbers, and torch counting for itself."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from solutions.arithmetic import conv_cost, conv_output_size, receptive_field


@pytest.mark.parametrize(
    "args, size",
    [
        ((7, 3, 0, 1), 5),
        ((7, 3, 0, 2), 3),
        ((32, 5, 2, 1), 32),
        ((32, 5, 0, 1), 28),
        ((28, 5, 0, 1), 24),
        ((227, 11, 0, 4), 55),
        ((5, 5, 0, 1), 1),
        ((5, 5, 0, 3), 1),
    ],
)
def test_output_sizes_of_the_lecture(args, size):
    assert conv_output_size(*args) == size
    assert type(conv_output_size(*args)) is int


@pytest.mark.parametrize("args", [(7, 3, 0, 3), (2, 5, 1, 1), (2, 6, 1, 2), (8, 3, 0, 2)])
def test_refuses_what_does_not_fit_and_names_the_numbers(args):
    with pytest.raises(ValueError) as error:
        conv_output_size(*args)
    for number in args if args[3] > 1 and args[1] <= args[0] else args[:3]:
        assert str(number) in str(error.value)


@given(st.integers(1, 30), st.integers(1, 9), st.integers(0, 4), st.integers(1, 4))
def test_output_size_is_what_torch_makes_of_it(size, kernel, pad, stride):
    fits = kernel <= size + 2 * pad and (size + 2 * pad - kernel) % stride == 0
    if not fits:
        with pytest.raises(ValueError):
            conv_output_size(size, kernel, pad, stride)
        return
    out = torch.nn.functional.conv1d(
        torch.zeros(1, 1, size), torch.zeros(1, 1, kernel), padding=pad, stride=stride
    )
    assert conv_output_size(size, kernel, pad, stride) == out.shape[-1]


def test_cost_of_the_lectures_layer():
    assert conv_cost((3, 32, 32), 10, 5, 2, 1) == ((10, 32, 32), 760, 768000)


@given(
    st.tuples(st.integers(1, 4), st.integers(3, 9), st.integers(3, 9)),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(0, 2),
    st.integers(1, 3),
)
def test_cost_is_what_torch_counts(in_shape, num_filters, kernel, pad, stride):
    C, H, W = in_shape
    assume((H + 2 * pad - kernel) % stride == 0 and (W + 2 * pad - kernel) % stride == 0)
    layer = torch.nn.Conv2d(C, num_filters, kernel, padding=pad, stride=stride)
    with FlopCounterMode(display=False) as counter:
        out = layer(torch.zeros(1, *in_shape))
    out_shape, parameters, multiply_adds = conv_cost(in_shape, num_filters, kernel, pad, stride)
    assert out_shape == tuple(out.shape[1:])
    assert parameters == sum(p.numel() for p in layer.parameters())
    assert 2 * multiply_adds == counter.get_total_flops()


def test_receptive_fields_of_the_lecture():
    assert receptive_field([]) == 1
    for depth in range(1, 6):
        for kernel in (1, 3, 5):
            assert receptive_field([(kernel, 1)] * depth) == 1 + depth * (kernel - 1)
    # three 3x3 layers see as much as one of 7x7
    assert receptive_field([(3, 1)] * 3) == receptive_field([(7, 1)]) == 7


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 3)), max_size=5))
def test_receptive_field_is_where_the_gradient_reaches(layers):
    # work back from a single output to the least length of input that has it
    length = 1
    for kernel, stride in reversed(layers):
        length = (length - 1) * stride + kernel
    x = torch.zeros(1, 1, length + 4, dtype=torch.float64, requires_grad=True)
    y = x
    for kernel, stride in layers:
        weights = torch.ones(1, 1, kernel, dtype=torch.float64)
        y = torch.nn.functional.conv1d(y, weights, stride=stride)
    y[0, 0, 0].backward()
    reached = np.flatnonzero(x.grad.numpy())
    assert reached[0] == 0
    # a stride larger than the next kernel leaves holes, so look at how far it reaches
    assert receptive_field(layers) == reached[-1] + 1
