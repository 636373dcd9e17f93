"""Slips that a new student made in the fast layers: each is refused, and its cause is named."""

import numpy as np
import pytest
from answers import Answers

from cnnlab.checks import check

ANSWERS = Answers("3_fast_layers")
REFERENCES, as_written, message = ANSWERS.references, ANSWERS.as_written, ANSWERS.message


def poor_param(x, w, b, conv_param):
    out = REFERENCES["conv_forward_fast"](x, w, b, conv_param)
    conv_param.pop("stride")
    return out


def knows_square_filters_only(dout, cache):
    dx, dw, db = REFERENCES["conv_backward_fast"](dout, cache)
    return dx, dw * (dw.shape[2] == dw.shape[3]), db


def spoils_its_cache(dout, cache):
    dx = REFERENCES["max_pool_backward_fast"](dout, cache)
    cache[1][:] = np.inf
    return dx


def pads_after_counting(x, kernel_height, kernel_width, pad, stride):
    _, _, H, W = x.shape
    rows, columns = (
        (n - k) // stride + 1 + 2 * pad for n, k in ((H, kernel_height), (W, kernel_width))
    )
    right = REFERENCES["im2col"](x, kernel_height, kernel_width, pad, stride)
    if right.shape[1] == len(x) * rows * columns:
        return right
    return np.zeros((right.shape[0], len(x) * rows * columns))


def slices(x, pool_param):
    """The views of x that hold the numbers of each place in the windows."""
    height, width, stride = (pool_param[k] for k in ("pool_height", "pool_width", "stride"))
    H_out, W_out = 1 + (x.shape[2] - height) // stride, 1 + (x.shape[3] - width) // stride
    return [
        x[:, :, i : i + stride * H_out : stride, j : j + stride * W_out : stride]
        for i, j in np.ndindex(height, width)
    ]


def takes_the_maximum_in_a_view(x, pool_param):
    out, *others = slices(x, pool_param)
    for other in others:
        np.maximum(out, other, out=out)
    return out, (x, out, pool_param)


def adds_up_in_a_view(x, pool_param):
    out, *others = slices(x, pool_param)
    for other in others:
        out += other
    out /= len(others) + 1
    return out, (x, pool_param)


def transforms_back_to_complex_numbers(x, w, b, conv_param):
    out, cache = REFERENCES["conv_forward_fft"](x, w, b, conv_param)
    return out + 0j, cache


@pytest.mark.parametrize(
    "question, wrong, words",
    [
        ("conv_forward_fast", poor_param, "conv_param['stride']"),
        ("conv_backward_fast", knows_square_filters_only, "filters 2 high and 3 wide"),
        ("max_pool_backward_fast", spoils_its_cache, "changed by the first call"),
        ("im2col", pads_after_counting, "the zeros are part of the way"),
        ("max_pool_forward_fast", takes_the_maximum_in_a_view, "slice of it, which is a view"),
        ("avg_pool_forward_fast", adds_up_in_a_view, "slice of it, which is a view"),
        ("conv_forward_fft", transforms_back_to_complex_numbers, "irfft2 come back to real"),
    ],
)
def test_a_slip_is_refused_and_named_and_does_no_harm_to_the_next(question, wrong, words):
    assert words in message(question, wrong)
    check(as_written(question, REFERENCES[question]))


def cast(question, dtype):
    """The reference, with all that it returns in another dtype."""

    def changed(value):
        floats = isinstance(value, np.ndarray) and value.dtype.kind == "f"
        return value.astype(dtype) if floats else value

    def answer(*args, **options):
        result = REFERENCES[question](*args, **options)
        return tuple(map(changed, result)) if isinstance(result, tuple) else changed(result)

    return answer


@pytest.mark.parametrize("question", [q for q in REFERENCES if q != "conv_pool_step"])
def test_double_precision_must_not_become_single(question):
    text = message(question, cast(question, np.float32))
    assert "dtype float32" in text and "expected: float64" in text


@pytest.mark.parametrize("question", [q for q in REFERENCES if q != "conv_pool_step"])
def test_single_precision_may_become_double_but_in_columns(question):
    if question in ("im2col", "col2im"):  # half of what they are about is memory
        assert "dtype float64" in message(question, cast(question, np.float64))
    else:
        check(as_written(question, cast(question, np.float64)))


@pytest.mark.parametrize("question", [q for q in REFERENCES if "forward" in q])
def test_lists_pass(question):
    def in_lists(*args):
        out, cache = REFERENCES[question](*args)
        return out.tolist(), cache

    check(as_written(question, in_lists))
