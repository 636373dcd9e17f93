"""The steps for the convolution layers. The answers are literals, worked out by hand."""

from __future__ import annotations

import numpy as np

from cnnlab.checks.expect import (
    array,
    forward_works,
    gradient,
    own_forward,
    parts,
    unchanged,
)
from cnnlab.checks.steps import step

_IMAGE = [[1, 0, 2, 0, 1], [0, 3, 1, 1, 0], [2, 1, 0, 0, 1], [0, 0, 1, 4, 0], [1, 2, 0, 1, 3]]
_FILTER = [[1, 0, 2], [0, -1, 0], [0, 3, 0]]
_FLIPPED = (
    "the filter is flipped. A convolution layer lays it on the image as it is "
    "(signal processing calls that cross-correlation)."
)
_TRANSPOSED = "rows and columns of the filter are exchanged."


def _images(*pages) -> np.ndarray:
    """Matrices of shape (H, W) as one image, (1, channels, H, W), float64."""
    return np.array([pages], dtype=np.float64)


def _run(f, x, w, b=None, **conv_param) -> object:
    """f's out, on fresh copies: one step's mistakes should not leak into the next."""
    b = np.zeros(len(w)) if b is None else np.array(b, dtype=np.float64)
    out, _ = parts(f(x.copy(), w.copy(), b, conv_param), ("out", "cache"))
    return out


@step("conv_forward_naive", "a 5×5 image and a 3×3 filter, by hand")
def _(f):
    array(
        _run(f, _images(_IMAGE), _images(_FILTER), stride=1, pad=0),
        [[[[5, -1, 3], [1, 8, 13], [8, 0, 1]]]],
        "out",
        "work out the top left number with pencil: 1·1 + 2·2 − 1·3 + 3·1.",
        shape_cause="out is (N, F, H', W'); a 3×3 filter fits in 3×3 places of a 5×5 image.",
        known=[
            ([[[[1, 7, 0], [9, 7, 5], [5, 4, -1]]]], _FLIPPED),
            ([[[[5, 4, 1], [-1, 3, 6], [7, 16, -4]]]], _TRANSPOSED),
        ],
    )


@step("conv_forward_naive", "the same with pad 1: zeros around the image")
def _(f):
    array(
        _run(f, _images(_IMAGE), _images(_FILTER), stride=1, pad=1),
        [
            [
                [
                    [-1, 9, 1, 3, -1],
                    [6, 5, -1, 3, 3],
                    [4, 1, 8, 13, 0],
                    [5, 8, 0, 1, 9],
                    [-1, 0, 8, 0, 1],
                ]
            ]
        ],
        "out",
        "zeros belong on all four sides of height and width; not copies of the edge.",
        shape_cause="with pad 1 a 3×3 filter keeps the size; pad height and width only.",
    )


@step("conv_forward_naive", "stride 2 on an image that is not square")
def _(f):
    image = [[1, 2, 0, 1, 3, 0], [0, 1, 2, 2, 0, 1], [3, 0, 1, 1, 2, 0], [1, 1, 0, 2, 0, 4]]
    array(
        _run(f, _images(image), _images([[1, 2], [3, 4]]), stride=2, pad=1),
        [[[[4, 6, 15, 0], [12, 9, 13, 1], [2, 1, 2, 4]]]],
        "out",
        "output (i, j) starts at row i·stride, column j·stride of the padded image.",
        shape_cause="a 4×6 image gives 3 rows and 4 columns; H and W each have their own size.",
    )


@step("conv_forward_naive", "two images, three channels, two filters, and their biases")
def _(f):
    first = [[[1, 0], [0, 0]], [[0, 2], [0, 0]], [[0, 0], [3, 0]]]
    second = [[[0, 0], [0, 1]], [[1, 1], [1, 1]], [[0, 0], [0, 2]]]
    filters = [[[[1, 2], [3, 4]], [[1, 0], [0, 1]], [[0, 0], [2, 1]]]]
    filters.append([[[1, 0], [0, 0]], [[0, 1], [0, 0]], [[0, 0], [1, 0]]])
    array(
        _run(
            f,
            np.array([first, second], dtype=np.float64),
            np.array(filters, dtype=np.float64),
            [0.5, -10],
            stride=1,
            pad=0,
        ),
        [[[[7.5]], [[-2]]], [[[8.5]], [[-9]]]],
        "out",
        "a sum over all channels, then the filter's own bias, once.",
        shape_cause="channels are summed: out has one channel per filter, (2, 2, 1, 1) here.",
        known=[
            ([[[[7]], [[8]]], [[[8]], [[1]]]], "the bias is not added."),
            ([[[[8.5]], [[-22]]], [[[9.5]], [[-29]]]], "the bias is added once per channel."),
        ],
    )


@step("conv_forward_naive", "the lecture's layer: 3×32×32 in, ten 5×5 filters, pad 2")
def _(f):
    out = _run(f, np.ones((1, 3, 32, 32)), np.ones((10, 3, 5, 5)), stride=1, pad=2)
    expected = np.full((1, 10, 32, 32), 75.0)
    rows = np.array([45.0, 60, 75, 60, 45])  # along the top edge, the filter hangs over by two
    expected[:, :, 0], expected[:, :, 1] = 45, 60
    expected[:, :, -1], expected[:, :, -2] = 45, 60
    expected[:, :, 2:-2, 0] = expected[:, :, 2:-2, -1] = rows[0]
    expected[:, :, 2:-2, 1] = expected[:, :, 2:-2, -2] = rows[1]
    corner = np.array([[27.0, 36], [36, 48]])
    expected[:, :, :2, :2] = corner
    expected[:, :, :2, -2:] = corner[:, ::-1]
    expected[:, :, -2:, :2] = corner[::-1]
    expected[:, :, -2:, -2:] = corner[::-1, ::-1]
    cause = "ones everywhere: inside, 3·5·5 = 75; in a corner, 3·3·3 = 27 pixels are not padding."
    array(out, expected, "out", cause)


@step("conv_forward_naive", "x, w and b are left as they were")
def _(f):
    x, w, b = _images(_IMAGE), _images(_FILTER), np.array([2.0])
    with unchanged(x=x, w=w, b=b):
        f(x, w, b, {"stride": 1, "pad": 1})


_GRADIENTS = ("dx", "dw", "db")
_WHY_DX = "each output hands dout times the filter to the pixels it saw; add up (+=)."
_WHY_DW = "each output hands dout times its window of the padded image to its filter; add up."
_WHY_DB = "b[f] is added to every output of filter f, in every image: sum over all of them."
_WHY_DX_SHAPE = "dx has the shape of x, without the padding: (N, C, H, W)."


def _backward(f, x, w, b, dout, **conv_param) -> list:
    forward = own_forward(f, "conv_forward_naive")
    _, cache = parts(forward(x.copy(), w.copy(), b.copy(), conv_param), ("out", "cache"))
    return parts(f(dout.copy(), cache), _GRADIENTS)


def _numeric(f, x_shape, w_shape, out_shape, seed, **conv_param):
    """Compare all three gradients with those of the student's own forward function."""
    forward = own_forward(f, "conv_forward_naive")
    rng = np.random.default_rng(seed)
    x, w, b = (rng.standard_normal(shape) for shape in (x_shape, w_shape, w_shape[:1]))
    dout = rng.standard_normal(out_shape)
    dx, dw, db = _backward(f, x, w, b, dout, **conv_param)
    gradient(
        db, lambda moved: forward(x.copy(), w.copy(), moved, conv_param)[0], b, dout, "db", _WHY_DB
    )
    gradient(
        dw, lambda moved: forward(x.copy(), moved, b.copy(), conv_param)[0], w, dout, "dw", _WHY_DW
    )
    gradient(
        dx,
        lambda moved: forward(moved, w.copy(), b.copy(), conv_param)[0],
        x,
        dout,
        "dx",
        _WHY_DX,
        _WHY_DX_SHAPE,
    )


@step("conv_backward_naive", "your own conv_forward_naive is there, and right")
def _(f):
    forward_works(f, "conv_forward_naive")


@step("conv_backward_naive", "three gradients, each of its own shape")
def _(f):
    x, w, b = np.ones((2, 3, 4, 5)), np.ones((4, 3, 3, 3)), np.zeros(4)
    dx, dw, db = _backward(f, x, w, b, np.zeros((2, 4, 4, 5)), stride=1, pad=1)
    for came, what, like in [(dx, "dx", x), (dw, "dw", w), (db, "db", b)]:
        cause = "no gradient came in (dout is 0), so none goes out; start from np.zeros."
        why_shape = _WHY_DX_SHAPE if what == "dx" else f"{what} has the shape of {what[1]}."
        array(came, np.zeros(like.shape), what, cause, shape_cause=why_shape)


@step("conv_backward_naive", "by hand: only one output gets a gradient, 1")
def _(f):
    x, w = _images([[1, 2, 3], [4, 5, 6], [7, 8, 9]]), _images([[1, 2], [3, 4]])
    dout = np.zeros((1, 1, 4, 4))
    dout[0, 0, 1, 2] = 1.0
    dx, dw, db = _backward(f, x, w, np.zeros(1), dout, stride=1, pad=1)
    array(db, [1], "db", _WHY_DB)
    array(dw, [[[[2, 3], [5, 6]]]], "dw", "dw is the window that this output saw.")
    array(
        dx,
        [[[[0, 1, 2], [0, 3, 4], [0, 0, 0]]]],
        "dx",
        "dx is the filter, laid where this output's window was.",
        shape_cause=_WHY_DX_SHAPE,
        known=[
            ([[[[0, 4, 3], [0, 2, 1], [0, 0, 0]]]], "the filter is flipped."),
            ([[[[0, 0, 0], [0, 1, 2], [0, 3, 4]]]], "the padding is cut off at the wrong place."),
        ],
    )


@step("conv_backward_naive", "numeric gradient: two images, two channels, three filters, pad 1")
def _(f):
    _numeric(f, (2, 2, 4, 4), (3, 2, 3, 3), (2, 3, 4, 4), seed=1, stride=1, pad=1)


@step("conv_backward_naive", "numeric gradient: stride 2, not square")
def _(f):
    _numeric(f, (1, 2, 5, 7), (2, 2, 3, 3), (1, 2, 3, 4), seed=2, stride=2, pad=1)


@step("conv_backward_naive", "dout is left as it was")
def _(f):
    forward = own_forward(f, "conv_forward_naive")
    x, w = _images(_IMAGE), _images(_FILTER)
    _, cache = parts(forward(x, w, np.zeros(1), {"stride": 1, "pad": 1}), ("out", "cache"))
    dout = np.ones((1, 1, 5, 5))
    with unchanged(dout=dout):
        f(dout, cache)


@step("conv_forward_general", "groups 1, dilation 1: the layer that you know")
def _(f):
    array(
        _run(f, _images(_IMAGE), _images(_FILTER), stride=1, pad=0, groups=1, dilation=1),
        [[[[5, -1, 3], [1, 8, 13], [8, 0, 1]]]],
        "out",
        "with groups 1 and dilation 1 it does what conv_forward_naive does.",
    )


@step("conv_forward_general", "dilation 2: a 3×3 filter reaches over 5×5 pixels")
def _(f):
    array(
        _run(f, _images(_IMAGE), _images(_FILTER), stride=1, pad=0, groups=1, dilation=2),
        [[[[3]]]],
        "out",
        "the weights fall on rows and columns 0, 2 and 4: 1·1 + 2·1 − 1·0 + 3·0.",
        shape_cause="a filter of 3 with dilation 2 takes up 5 pixels: it fits in one place.",
    )


@step("conv_forward_general", "dilation 2, a 2×2 filter")
def _(f):
    array(
        _run(f, _images(_IMAGE), _images([[1, 2], [3, 4]]), stride=1, pad=0, groups=1, dilation=2),
        [[[[11, 3, 8], [6, 21, 4], [5, 11, 14]]]],
        "out",
        "neighbouring weights look at pixels that are 2 apart.",
        shape_cause="a filter of 2 with dilation 2 takes up 3 pixels.",
    )


@step("conv_forward_general", "two groups: each filter sees its own half of the channels")
def _(f):
    x = np.array([1.0, 10, 100, 1000]).reshape(1, 4, 1, 1)
    w = np.array([[1.0, 2], [3, 4], [5, 6], [7, 8]]).reshape(4, 2, 1, 1)
    array(
        _run(f, x, w, [0, 0, 0, 0.5], stride=1, pad=0, groups=2, dilation=1),
        [[[[21]], [[43]], [[6500]], [[8700.5]]]],
        "out",
        "filters 0 and 1 see channels 0 and 1; filters 2 and 3 see channels 2 and 3.",
        shape_cause="out has one channel per filter: 4.",
        known=[
            (
                [[[[21]], [[4300]], [[65]], [[8700.5]]]],
                "the filters are dealt out in turn; they should be cut in order.",
            )
        ],
    )
