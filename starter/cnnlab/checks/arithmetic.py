"""The steps for conv_output_size, conv_cost and receptive_field: the lecture's worked numbers."""

from __future__ import annotations

import numpy as np

from cnnlab.checks.expect import parts, value_error, whole_number
from cnnlab.checks.steps import CheckFailed, step


def _size(f, size, kernel, pad, stride, expected, cause, known=None):
    call = f"conv_output_size(size={size}, kernel={kernel}, pad={pad}, stride={stride})"
    whole_number(f(size, kernel, pad, stride), expected, call, cause, known)


@step("conv_output_size", "a side of 7, a filter of 3, stride 1: it fits in 5 places")
def _(f):
    known = {4: "the first place counts too: a filter that can move 4 times stands in 5 places."}
    _size(f, 7, 3, 0, 1, 5, "draw 7 cells, and count the places of a filter of 3.", known)


@step("conv_output_size", "with stride 2: 3 places")
def _(f):
    known = {
        2: "the first place counts too: mind the brackets, the stride divides only the steps.",
        5: "the stride is not used.",
    }
    _size(f, 7, 3, 0, 2, 3, "the stride divides the room that the filter has to move in.", known)


@step("conv_output_size", "with stride 3 it does not fit: a ValueError")
def _(f):
    value_error(
        lambda: f(7, 3, 0, 3),
        "conv_output_size(size=7, kernel=3, pad=0, stride=3)",
        "after two places, one cell is left over",
    )


@step("conv_output_size", "a side of 32, a filter of 5, pad 2: still 32")
def _(f):
    known = {
        28: "the padding is not in the sum.",
        30: "the padding is counted once, but zeros are added at both ends.",
        31: "the first place counts too.",
    }
    _size(f, 32, 5, 2, 1, 32, "padding makes the side longer, at both ends.", known)


@step("conv_output_size", "a side of 227, a filter of 11, stride 4 (AlexNet's first layer): 55")
def _(f):
    _size(f, 227, 11, 0, 4, 55, "the numbers that you saw so far were special: go back to pencil.")


@step("conv_output_size", "a side of 2, a filter of 3, pad 1: it fits in 2 places")
def _(f):
    cause = "the filter fits on the padded side, 2 + 2. Compare it with that, not with size."
    try:
        came = f(2, 3, 1, 1)
    except ValueError as error:
        call = "conv_output_size(size=2, kernel=3, pad=1, stride=1)"
        raise CheckFailed(f"{call} raised a ValueError", "2", cause) from error
    _size(lambda *_: came, 2, 3, 1, 1, 2, cause)


@step("conv_output_size", "a filter larger than the padded side: a ValueError")
def _(f):
    value_error(
        lambda: f(3, 6, 1, 1),
        "conv_output_size(size=3, kernel=6, pad=1, stride=1)",
        "6 pixels do not fit on 3 + 2",
        "negative numbers divide evenly too: compare the lengths before you divide.",
    )


@step("conv_cost", "the lecture's layer puts out (10, 32, 32)")
def _(f):
    known = {
        (3, 32, 32): "out has a channel for each filter, not for each channel of the input.",
        (32, 32, 10): "the channels come first: (filters, height, width).",
        (10, 28, 28): "the padding is not used.",
        (10, 30, 30): "the padding is counted once, but zeros are added at both ends.",
        (10, 31, 31): "the first place counts too.",
    }
    out_shape, _, _ = parts(f((3, 32, 32), 10, 5, 2, 1), _COST)
    _shape(out_shape, (10, 32, 32), "the order is (filters, height, width).", known)


@step("conv_cost", "it learns 760 numbers")
def _(f):
    _, parameters, _ = parts(f((3, 32, 32), 10, 5, 2, 1), _COST)
    known = {
        750: "each filter has a bias too.",
        260: "a filter spans all 3 channels: 3 × 5 × 5 weights.",
        751: "there is one bias per filter, not one for the layer.",
    }
    whole_number(parameters, 760, "parameters", "count one filter's numbers first.", known)


@step("conv_cost", "it takes 768,000 multiply-adds")
def _(f):
    _, _, multiply_adds = parts(f((3, 32, 32), 10, 5, 2, 1), _COST)
    known = {
        256_000: "each output looks at all 3 channels.",
        1_536_000: "a multiplication and its addition count as one.",
        778_240: "adding the biases is not counted.",
        76_800: "there are 10 filters.",
        588_000: "the products with the zeros of the padding count too.",
    }
    cause = "how many outputs are there, and how many products does each one need?"
    whole_number(multiply_adds, 768_000, "multiply_adds", cause, known)


@step("conv_cost", "an image that is not square: (2, 6, 9), four filters of 3, stride 3")
def _(f):
    out_shape, parameters, multiply_adds = parts(f((2, 6, 9), 4, 3, 0, 3), _COST)
    _shape(out_shape, (4, 2, 3), "height and width exchanged, or one of them used twice.")
    whole_number(parameters, 76, "parameters", "4 filters of 2 × 3 × 3 weights and a bias each.")
    cause = "the size of the output counts here, and a stride makes it smaller than the input."
    known = {3888: "one output for each pixel of the input: count the output's places instead."}
    whole_number(multiply_adds, 432, "multiply_adds", cause, known)


@step("receptive_field", "no layer at all sees 1 pixel: itself")
def _(f):
    known = {0: "start from the one pixel that an output sees without any layer."}
    whole_number(f([]), 1, "receptive_field([])", "an empty list has no first layer.", known)


@step("receptive_field", "one 3-wide layer sees 3 pixels; two see 5; three see 7")
def _(f):
    causes = {
        9: "the second layer's neighbours see almost the same pixels: fields overlap.",
        6: "the second layer's neighbours see almost the same pixels: fields overlap.",
        2: "an output sees at least its own pixel: start from 1.",
    }
    for layers, expected in [(1, 3), (2, 5), (3, 7)]:
        call = f"receptive_field([(3, 1)] * {layers})"
        cause = "each layer adds a little on both sides; it does not multiply."
        whole_number(f([(3, 1)] * layers), expected, call, cause, causes)


@step("receptive_field", "different filters: 5, then 1, then 3")
def _(f):
    cause = "use each layer's own kernel; a 1-wide filter sees nothing new."
    whole_number(f([(5, 1), (1, 1), (3, 1)]), 7, "receptive_field([(5, 1), (1, 1), (3, 1)])", cause)


@step("receptive_field", "a stride in the first layer: (3, 2), then (3, 1)")
def _(f):
    known = {
        5: "the first layer's outputs are 2 pixels apart, so the second layer reaches further.",
        6: "a stride does not widen its own layer's field; it pushes its outputs apart.",
        9: "a stride does not widen its own layer's field; it pushes its outputs apart.",
        8: "a stride does not widen its own layer's field; it pushes its outputs apart.",
    }
    cause = "draw the first layer's outputs: how many pixels apart are their centres?"
    whole_number(f([(3, 2), (3, 1)]), 7, "receptive_field([(3, 2), (3, 1)])", cause, known)


@step("receptive_field", "a stride in the last layer changes nothing: (3, 1), then (3, 2)")
def _(f):
    cause = "a stride pushes the outputs of its own layer apart: only later layers feel it."
    known = {
        7: "a stride widens the layers after its own, not itself and not those before. The first "
        "layer of the list is the one next to the image."
    }
    whole_number(f([(3, 1), (3, 2)]), 5, "receptive_field([(3, 1), (3, 2)])", cause, known)


@step("receptive_field", "two strides: (3, 2), then (3, 3), then (3, 1)")
def _(f):
    known = {
        13: "only the stride of the layer just before is used.",
        17: "the strides are added.",
    }
    call, cause = "receptive_field([(3, 2), (3, 3), (3, 1)])", "2 and then 3: 6 pixels apart."
    whole_number(f([(3, 2), (3, 3), (3, 1)]), 19, call, cause, known)


@step("receptive_field", "LeNet: filters of 5 and pooling, twice")
def _(f):
    layers = [(5, 1), (2, 2), (5, 1), (2, 2)]
    cause = "pooling counts in the same way as convolution."
    whole_number(f(list(layers)), 16, f"receptive_field({layers})", cause)


_COST = ("out_shape", "parameters", "multiply_adds")


def _shape(came, expected, cause, known=None):
    if not isinstance(came, tuple | list | np.ndarray) or np.ndim(came) != 1:
        raise CheckFailed(f"out_shape is {came!r}", f"{expected}", cause)
    if tuple(came) != expected:
        cause = (known or {}).get(tuple(came), cause)
        raise CheckFailed(f"out_shape is {came!r}", f"{expected}", cause)
    for side in came:
        if isinstance(side, float | np.floating):
            raise CheckFailed(f"out_shape is {came!r}", f"ints: {expected}", "use //, not /.")
