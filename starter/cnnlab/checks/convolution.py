"""The steps for the convolution layers. The answers are literals, worked out by hand."""

from __future__ import annotations

import numpy as np

from cnnlab.checks.expect import (
    array,
    forward_of,
    forward_works,
    gradient,
    own_forward,
    parts,
    unchanged,
)
from cnnlab.checks.steps import step

_IMAGE = [[1, 0, 2, 0, 1], [0, 3, 1, 1, 0], [2, 1, 0, 0, 1], [0, 0, 1, 4, 0], [1, 2, 0, 1, 3]]
_FILTER = [[1, 0, 2], [0, -1, 0], [0, 3, 0]]
_GIVEN = {"x[0, 0]": _IMAGE, "w[0, 0]": _FILTER}
# _IMAGE and _FILTER with pad 1, padded in three wrong ways
_PADDED_ABOVE = [[0, 3, 0, 6, 0], [0, -1, 9, 1, 3], [2, 6, 5, -1, 3], [0, 4, 1, 8, 13]]
_PADDED_ABOVE = [[[*_PADDED_ABOVE, [4, 5, 8, 0, 1]]]]
_PADDED_BELOW = [[5, -1, 3, 3, 1], [1, 8, 13, 0, 0], [8, 0, 1, 9, 1], [0, 8, 0, 1, 0]]
_PADDED_BELOW = [[[*_PADDED_BELOW, [1, 4, 6, 1, 3]]]]
_PADDED_EDGE = [[0, 14, 1, 7, 1], [7, 5, -1, 3, 5], [4, 1, 8, 13, 0], [7, 8, 0, 1, 11]]
_PADDED_EDGE = [[[*_PADDED_EDGE, [2, 6, 8, 3, 10]]]]
_PADS_ALL = (
    "np.pad(x, pad) pads the images and channels too; give one pair of widths per axis: "
    "((0, 0), (0, 0), (pad, pad), (pad, pad))."
)
_FLIPPED = (
    "the filter is flipped. A convolution layer lays it on the image as it is "
    "(signal processing calls that cross-correlation)."
)
_TRANSPOSED = "rows and columns of the filter are exchanged."


def _images(*pages) -> np.ndarray:
    """Matrices of shape (H, W) as one image, (1, channels, H, W), float64."""
    return np.array([pages], dtype=np.float64)


def out_of(f, x, w, b=None, **conv_param) -> object:
    """f's out, on fresh copies: one step's mistakes should not leak into the next."""
    b = np.zeros(len(w)) if b is None else np.array(b, dtype=np.float64)
    out, _ = parts(f(x.copy(), w.copy(), b, conv_param), ("out", "cache"))
    return out


@step("conv_forward_naive", "a 5×5 image and a 3×3 filter, by hand")
def by_hand(f, known=(), known_shapes=None):
    """The first step; with the wrong answers that only another way to convolve can give."""
    array(
        out_of(f, _images(_IMAGE), _images(_FILTER), stride=1, pad=0),
        [[[[5, -1, 3], [1, 8, 13], [8, 0, 1]]]],
        "out",
        "work out the top left number with pencil: 1·1 + 2·2 − 1·3 + 3·1.",
        shape_cause="out is (N, F, H', W'); a 3×3 filter fits in 3×3 places of a 5×5 image without "
        "padding: take conv_param['pad'], and count the first place too.",
        known=[
            ([[[[1, 7, 0], [9, 7, 5], [5, 4, -1]]]], _FLIPPED),
            ([[[[5, 4, 1], [-1, 3, 6], [7, 16, -4]]]], _TRANSPOSED),
            ([[[[5, 1, 8], [-1, 8, 0], [3, 13, 1]]]], "rows and columns of out are exchanged."),
            *known,
        ],
        known_shapes=known_shapes,
        inputs=_GIVEN,
    )


@step("conv_forward_naive", "the same with pad 1: zeros around the image")
def _(f):
    array(
        out_of(f, _images(_IMAGE), _images(_FILTER), stride=1, pad=1),
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
        "zeros belong on all four sides of height and width.",
        shape_cause="the padding is not used, or on one side only: a 3×3 filter with pad 1 keeps "
        "the size. Pad height and width, nothing else.",
        known=[
            (_PADDED_ABOVE, "all zeros are above and to the left. Half belong below and right."),
            (_PADDED_BELOW, "all zeros are below and to the right. Half belong above and left."),
            (_PADDED_EDGE, "padded with copies of the edge. Pad with zeros."),
            (np.zeros((1, 1, 5, 5)), _PADS_ALL),
        ],
        known_shapes={
            (n, c, *size): _PADS_ALL
            for n, c in [(3, 1), (1, 3), (3, 3)]
            for size in [(5, 5), (7, 7)]
        },
        inputs=_GIVEN,
    )


@step("conv_forward_naive", "stride 2 on an image that is not square")
def _(f):
    image = [[1, 2, 0, 1, 3, 0], [0, 1, 2, 2, 0, 1], [3, 0, 1, 1, 2, 0], [1, 1, 0, 2, 0, 4]]
    array(
        out_of(f, _images(image), _images([[1, 2], [3, 4]]), stride=2, pad=1),
        [[[[4, 6, 15, 0], [12, 9, 13, 1], [2, 1, 2, 4]]]],
        "out",
        "output (i, j) starts at row i·stride, column j·stride of the padded image.",
        shape_cause="the stride is not used for the size of out, or height and width are mixed up: "
        "a 4×6 image gives 3 rows and 4 columns here.",
        known=[
            (
                [[[[4, 11, 6, 4], [2, 9, 13, 16], [12, 11, 9, 13]]]],
                "the windows start at every pixel: use i·stride and j·stride.",
            )
        ],
        inputs={"x[0, 0]": image, "w[0, 0]": [[1, 2], [3, 4]]},
    )


@step("conv_forward_naive", "a filter that is not square: 2 high and 3 wide")
def _(f):
    image, filter_ = [[1, 2, 0, 1], [0, 1, 3, 2], [2, 0, 1, 0]], [[1, 0, 2], [0, 1, -1]]
    cause = "a window is as high as the filter (HH) and as wide as the filter (WW)."
    array(
        out_of(f, _images(image), _images(filter_), stride=1, pad=0),
        [[[[-1, 5], [5, 6]]]],
        "out",
        cause,
        shape_cause="H' comes from the height of image and filter, W' from their width.",
        inputs={"x[0, 0]": image, "w[0, 0]": filter_},
    )


@step("conv_forward_naive", "two images, three channels, two filters, and their biases")
def _(f):
    first = [[[1, 0], [0, 0]], [[0, 2], [0, 0]], [[0, 0], [3, 0]]]
    second = [[[0, 0], [0, 1]], [[1, 1], [1, 1]], [[0, 0], [0, 2]]]
    filters = [[[[1, 2], [3, 4]], [[1, 0], [0, 1]], [[0, 0], [2, 1]]]]
    filters.append([[[1, 0], [0, 0]], [[0, 1], [0, 0]], [[0, 0], [1, 0]]])
    array(
        out_of(
            f,
            np.array([first, second], dtype=np.float64),
            np.array(filters, dtype=np.float64),
            [0.5, -10],
            stride=1,
            pad=0,
        ),
        [[[[7.5]], [[-4]]], [[[8.5]], [[-9]]]],
        "out",
        "a sum over all channels, then the filter's own bias, once.",
        shape_cause="channels are summed: out has one channel per filter, (2, 2, 1, 1) here.",
        known=[
            ([[[[7]], [[6]]], [[[8]], [[1]]]], "the bias is not added."),
            ([[[[8.5]], [[-24]]], [[[9.5]], [[-29]]]], "the bias is added once per channel."),
            ([[[[13]], [[-114]]], [[[14]], [[-119]]]], "the bias is added inside the sum."),
            ([[[[7.5]], [[-4]]], [[[7.5]], [[-4]]]], "every output is of the first image."),
            (
                [[[[7.5]], [[-4]]], [[[0]], [[0]]]],
                "the second image is 0 everywhere: loop over all N images.",
            ),
            ([[[[1.5]], [[-9]]], [[[4.5]], [[-10]]]], "only the first channel is used."),
            (
                [[[[7.5]], [[8.5]]], [[[-4]], [[-9]]]],
                "images and filters are exchanged. A product w_rows @ cols has a row for each "
                "filter: reshape it to (F, N, H', W'), then transpose.",
            ),
        ],
    )


@step("conv_forward_naive", "the lecture's layer: 3×32×32 in, ten 5×5 filters, pad 2")
def _(f):
    out = out_of(f, np.ones((1, 3, 32, 32)), np.ones((10, 3, 5, 5)), stride=1, pad=2)
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


@step("conv_forward_naive", "float32 in, floating point out")
def _(f):
    x, w = (_images(page).astype(np.float32) / 8 for page in (_IMAGE, _FILTER))
    out, _ = parts(f(x, w, np.array([0.5], np.float32), {"stride": 1, "pad": 0}), ("out", "cache"))
    expected = np.array([[[[5, -1, 3], [1, 8, 13], [8, 0, 1]]]]) / 64 + 0.5
    array(out, expected, "out", "fractions were lost on the way.", tolerance=1e-5)


@step("conv_forward_naive", "x, w and b are left as they were")
def _(f):
    x, w, b = _images(_IMAGE), _images(_FILTER), np.array([2.0])
    with unchanged(x=x, w=w, b=b):
        f(x, w, b, {"stride": 1, "pad": 1})


_GRADIENTS = ("dx", "dw", "db")
_WHY_DX = (
    "each output hands dout times the filter to the pixels it saw, at i·stride and j·stride; add "
    "up (+=). Or dx was cut out of its padding at the wrong place."
)
_WHY_DW = (
    "each output hands dout times its window of the padded image, at i·stride and j·stride, to its "
    "filter; add up (+=)."
)
_WHY_DB = "b[f] is added to every output of filter f, in every image: sum over all of them."
_WHY_DX_SHAPE = "dx has the shape of x, without the padding: (N, C, H, W)."
_AVERAGED = "divided by the number of images. The loss has averaged already, if at all: only sum."


def gradients_of(f, x, w, b, dout, **conv_param) -> list:
    """f's gradients, after the student's own forward pass, on fresh copies of all."""
    forward = own_forward(f, forward_of(f))
    _, cache = parts(forward(x.copy(), w.copy(), b.copy(), conv_param), ("out", "cache"))
    return parts(f(dout.copy(), cache), _GRADIENTS)


def _numeric(f, x_shape, w_shape, out_shape, seed, **conv_param):
    """Compare all three gradients with those of the student's own forward function.

    Its numbers are halves and the layer is linear in each of them, so h = 0.5 makes no error.
    """
    forward = own_forward(f, forward_of(f))
    rng = np.random.default_rng(seed)
    at = {
        "x": rng.integers(-6, 7, x_shape) / 2,
        "w": rng.integers(-6, 7, w_shape) / 2,
        "b": rng.integers(-6, 7, w_shape[:1]) / 2,
    }
    dout = rng.integers(1, 9, out_shape) / 2
    dx, dw, db = gradients_of(f, *at.values(), dout, **conv_param)
    averaged = {1 / len(at["x"]): _AVERAGED} if len(at["x"]) > 1 else None

    def compare(came, name, cause, shape_cause=""):
        def out(moved):
            x, w, b = (v.copy() for v in {**at, name: moved}.values())
            return forward(x, w, b, dict(conv_param))[0]

        what = f"d{name}"
        gradient(came, out, at[name], dout, what, cause, shape_cause, multiples=averaged, h=0.5)

    compare(db, "b", _WHY_DB)
    compare(dw, "w", _WHY_DW)
    compare(dx, "x", _WHY_DX, _WHY_DX_SHAPE)


@step("conv_backward_naive", "your own conv_forward_naive is there, and right")
def _(f):
    forward_works(f, forward_of(f))


@step("conv_backward_naive", "three gradients, each of its own shape")
def _(f):
    x, w, b = np.ones((2, 3, 4, 5)), np.ones((4, 3, 3, 3)), np.zeros(4)
    dx, dw, db = gradients_of(f, x, w, b, np.zeros((2, 4, 4, 5)), stride=1, pad=1)
    for came, what, like in [(dx, "dx", x), (dw, "dw", w), (db, "db", b)]:
        cause = "no gradient came in (dout is 0), so none goes out; start from np.zeros."
        why_shape = {"dx": _WHY_DX_SHAPE, "db": _WHY_DB}.get(what, "dw has the shape of w.")
        order = {a.shape: "the order is dx, dw, db." for a in (x, w, b)}
        zeros = np.zeros(like.shape)
        array(came, zeros, what, cause, shape_cause=why_shape, known_shapes=order)


@step("conv_backward_naive", "by hand: only one output gets a gradient, 1")
def _(f):
    x, w = _images([[1, 2, 3], [4, 5, 6], [7, 8, 9]]), _images([[1, 2], [3, 4]])
    dout = np.zeros((1, 1, 4, 4))
    dout[0, 0, 1, 2] = 1.0
    inputs = {"x[0, 0]": x[0, 0], "w[0, 0]": w[0, 0], "dout[0, 0]": dout[0, 0]}
    dx, dw, db = gradients_of(f, x, w, np.zeros(1), dout, stride=1, pad=1)
    array(db, [1], "db", _WHY_DB)
    array(
        dw,
        [[[[2, 3], [5, 6]]]],
        "dw",
        "dw is the window of the padded image that this output saw; other places add 0 (+=).",
        inputs=inputs,
    )
    array(
        dx,
        [[[[0, 1, 2], [0, 3, 4], [0, 0, 0]]]],
        "dx",
        "dx is the filter, laid where this output's window was. The other places add 0 to it (+=), "
        "and then the padding is cut off on all four sides.",
        shape_cause=_WHY_DX_SHAPE,
        known=[
            ([[[[0, 4, 3], [0, 2, 1], [0, 0, 0]]]], "the filter is flipped."),
            ([[[[0, 0, 0], [0, 1, 2], [0, 3, 4]]]], "the padding is cut off at the wrong place."),
        ],
        inputs=inputs,
    )


@step("conv_backward_naive", "numeric gradient: two images, two channels, three filters, pad 1")
def _(f):
    _numeric(f, (2, 2, 4, 4), (3, 2, 3, 3), (2, 3, 4, 4), seed=1, stride=1, pad=1)


@step("conv_backward_naive", "numeric gradient: stride 2, not square")
def _(f):
    _numeric(f, (1, 2, 5, 7), (2, 2, 3, 3), (1, 2, 3, 4), seed=2, stride=2, pad=1)


@step("conv_backward_naive", "numeric gradient: pad 0, filters 2 high and 3 wide")
def _(f):
    _numeric(f, (2, 2, 4, 6), (3, 2, 2, 3), (2, 3, 3, 4), seed=4, stride=1, pad=0)


@step("conv_backward_naive", "dout, x and w are left as they were, and so is the cache")
def _(f):
    forward = own_forward(f, forward_of(f))
    x, w = _images(_IMAGE), _images(_FILTER)
    _, cache = parts(forward(x, w, np.zeros(1), {"stride": 1, "pad": 1}), ("out", "cache"))
    dout = np.ones((1, 1, 5, 5))
    with unchanged(dout=dout, x=x, w=w):
        first = [np.array(part) for part in parts(f(dout, cache), _GRADIENTS)]
    for name, one, two in zip(_GRADIENTS, first, parts(f(dout, cache), _GRADIENTS), strict=True):
        cause = "something in the cache was changed by the first call: work on a copy."
        array(two, one, f"{name} of a second call", cause, source=f"{name} of the first")


@step("conv_forward_general", "groups 1, dilation 1: the layer that you know")
def _(f):
    array(
        out_of(f, _images(_IMAGE), _images(_FILTER), stride=1, pad=0, groups=1, dilation=1),
        [[[[5, -1, 3], [1, 8, 13], [8, 0, 1]]]],
        "out",
        "with groups 1 and dilation 1 it does what conv_forward_naive does.",
        shape_cause="dilation 1 is the usual filter, without gaps between its weights.",
    )


@step("conv_forward_general", "dilation 2: a 3×3 filter reaches over 5×5 pixels")
def _(f):
    array(
        out_of(f, _images(_IMAGE), _images(_FILTER), stride=1, pad=0, groups=1, dilation=2),
        [[[[3]]]],
        "out",
        "the weights fall on rows and columns 0, 2 and 4: 1·1 + 2·1 − 1·0 + 3·0.",
        shape_cause="a filter of 3 with dilation 2 takes up 5 pixels: it fits in one place.",
    )


@step("conv_forward_general", "dilation 2, a 2×2 filter")
def _(f):
    array(
        out_of(
            f, _images(_IMAGE), _images([[1, 2], [3, 4]]), stride=1, pad=0, groups=1, dilation=2
        ),
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
        out_of(f, x, w, [0, 0, 0, 0.5], stride=1, pad=0, groups=2, dilation=1),
        [[[[21]], [[43]], [[6500]], [[8700.5]]]],
        "out",
        "filters 0 and 1 see channels 0 and 1; filters 2 and 3 see channels 2 and 3.",
        shape_cause="out has one channel per filter: 4.",
        known=[
            (
                [[[[21]], [[4300]], [[65]], [[8700.5]]]],
                "the filters are dealt out in turn; they should be cut in order.",
            ),
            (
                [[[[201]], [[403]], [[6050]], [[8070.5]]]],
                "the channels are dealt out in turn; they should be cut in order.",
            ),
            (
                [[[[21]], [[43]], [[65]], [[87.5]]]],
                "all filters see the channels of the first group.",
            ),
        ],
    )


@step("conv_forward_general", "as many groups as channels: depthwise")
def _(f):
    cause = "each filter has one channel, and sees the one channel of its own group."
    x = np.array([[[[1, 2]], [[10, 20]], [[100, 200]]]], dtype=np.float64)
    w = np.array([2.0, 3, 4]).reshape(3, 1, 1, 1)
    out = out_of(f, x, w, stride=1, pad=0, groups=3, dilation=1)
    array(out, [[[[2, 4]], [[30, 60]], [[400, 800]]]], "out", cause)


@step("conv_forward_general", "groups, dilation, padding, stride and bias together")
def _(f):
    x = np.arange(15.0).reshape(1, 1, 5, 3)
    w = _images([[1, 2], [3, -1]])
    array(
        out_of(
            f,
            np.concatenate([x, -x], axis=1),
            np.concatenate([w, 2 * w]),
            [0, 100],
            stride=2,
            pad=1,
            groups=2,
            dilation=2,
        ),
        [[[[-4, 12], [-2, 34], [20, 10]], [[108, 76], [104, 32], [60, 80]]]],
        "out",
        "pad first, then step by the stride, then look at pixels that are dilation apart.",
    )
