"""The steps for max and average pooling. The answers are literals, worked out by hand."""

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

_IMAGE = [[3, 1, 4, 2], [5, 9, 2, 6], [8, 7, 1, 0], [4, 6, 3, 5]]
_WIDE = [
    [1, 7, 2, 9, 0, 3, 5],
    [4, 3, 8, 1, 6, 2, 1],
    [5, 2, 1, 3, 7, 4, 8],
    [0, 6, 4, 2, 5, 1, 9],
]
_NOT_SQUARE = "H' comes from the height and pool_height, W' from the width and pool_width."


def _param(height: int, width: int, stride: int) -> dict:
    return {"pool_height": height, "pool_width": width, "stride": stride}


def _images(*pages) -> np.ndarray:
    return np.array([pages], dtype=np.float64)


def _run(f, x, *window) -> object:
    out, _ = parts(f(x.copy(), _param(*window)), ("out", "cache"))
    return out


def _backward(f, forward_name, x, dout, *window):
    forward = own_forward(f, forward_name)
    _, cache = parts(forward(x.copy(), _param(*window)), ("out", "cache"))
    return f(dout.copy(), cache)


def _numeric(f, forward_name, shape, window, out_shape, cause, seed):
    forward = own_forward(f, forward_name)
    rng = np.random.default_rng(seed)
    # no two numbers alike, nor close: at a tie, the maximum has no gradient
    x = rng.permutation(np.linspace(-2.0, 2.0, int(np.prod(shape)))).reshape(shape)
    dout = rng.standard_normal(out_shape)
    dx = _backward(f, forward_name, x, dout, *window)
    gradient(dx, lambda moved: forward(moved, _param(*window))[0], x, dout, "dx", cause)


def _leaves_x(f):
    x = _images(_IMAGE)
    with unchanged(x=x):
        f(x, _param(2, 2, 2))


def _leaves_dout(f, forward_name):
    forward = own_forward(f, forward_name)
    _, cache = parts(forward(_images(_IMAGE), _param(2, 2, 2)), ("out", "cache"))
    dout = np.ones((1, 1, 2, 2))
    with unchanged(dout=dout):
        f(dout, cache)


@step("max_pool_forward_naive", "a 4×4 image, 2×2 windows, stride 2, by hand")
def _(f):
    array(
        _run(f, _images(_IMAGE), 2, 2, 2),
        [[[[9, 6], [8, 5]]]],
        "out",
        "output (i, j) is the largest number of the window at row i·stride, column j·stride.",
        shape_cause="2×2 windows with stride 2 halve height and width.",
        known=[([[[[4.5, 3.5], [6.25, 2.25]]]], "that is the mean, not the maximum.")],
    )


@step("max_pool_forward_naive", "only negative numbers")
def _(f):
    array(
        _run(f, _images(_IMAGE) - 10, 2, 2, 2),
        [[[[-1, -4], [-2, -5]]]],
        "out",
        "a search for the largest that starts from 0: zero is larger than all of these.",
    )


@step("max_pool_forward_naive", "each channel of each image on its own")
def _(f):
    x = np.array([[[[1, 2]], [[30, 4]]], [[[5, 60]], [[7, 8]]]], dtype=np.float64)
    cause = "a maximum over the channels or the images too; take it over the window only."
    array(_run(f, x, 1, 2, 2), [[[[2]], [[30]]], [[[60]], [[8]]]], "out", cause)


@step("max_pool_forward_naive", "a 4×7 image, windows 2 high and 3 wide")
def _(f):
    cause = "height and width exchanged somewhere: image, window, or the step."
    array(
        _run(f, _images(_WIDE), 2, 3, 2),
        [[[[8, 9, 6], [6, 7, 9]]]],
        "out",
        cause,
        shape_cause=_NOT_SQUARE,
    )


@step("max_pool_forward_naive", "x is left as it was")
def _(f):
    _leaves_x(f)


_WHY_MAX = "the whole gradient goes to the place of the window's maximum, the rest gets 0."


@step("max_pool_backward_naive", "your own max_pool_forward_naive is there, and right")
def _(f):
    forward_works(f, "max_pool_forward_naive")


@step("max_pool_backward_naive", "by hand: gradients 1, 2, 3, 4 for four windows")
def _(f):
    dout = _images([[1, 2], [3, 4]])
    array(
        _backward(f, "max_pool_forward_naive", _images(_IMAGE), dout, 2, 2, 2),
        [[[[0, 0, 0, 0], [0, 1, 0, 2], [3, 0, 0, 0], [0, 0, 0, 4]]]],
        "dx",
        _WHY_MAX,
        shape_cause="dx has the shape of x.",
        known=[
            (
                [[[[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]]],
                "every pixel of the window gets the gradient; only the largest should.",
            ),
            (
                [[[[0, 0, 0, 0], [0, 9, 0, 12], [24, 0, 0, 0], [0, 0, 0, 20]]]],
                "the gradient is multiplied by the maximum; the slope of max is 1 there.",
            ),
            (
                [[[[0, 0, 0, 0], [0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 1]]]],
                "dout is not used: that is the slope of max alone.",
            ),
        ],
    )


@step("max_pool_backward_naive", "numeric gradient: two images, two channels")
def _(f):
    _numeric(
        f, "max_pool_forward_naive", (2, 2, 4, 4), (2, 2, 2), (2, 2, 2, 2), _WHY_MAX, seed=1
    )


@step("max_pool_backward_naive", "numeric gradient: a 2×9 image, windows 2 high and 3 wide")
def _(f):
    _numeric(f, "max_pool_forward_naive", (1, 2, 2, 9), (2, 3, 3), (1, 2, 1, 3), _WHY_MAX, seed=2)


@step("max_pool_backward_naive", "dout is left as it was")
def _(f):
    _leaves_dout(f, "max_pool_forward_naive")


@step("avg_pool_forward_naive", "a 4×4 image, 2×2 windows, stride 2, by hand")
def _(f):
    array(
        _run(f, _images(_IMAGE), 2, 2, 2),
        [[[[4.5, 3.5], [6.25, 2.25]]]],
        "out",
        "output (i, j) is the mean of the window at row i·stride, column j·stride.",
        shape_cause="2×2 windows with stride 2 halve height and width.",
        known=[
            ([[[[18, 14], [25, 9]]]], "that is the sum; divide by the pixels of a window."),
            ([[[[9, 6], [8, 5]]]], "that is the maximum."),
        ],
    )


@step("avg_pool_forward_naive", "each channel of each image on its own")
def _(f):
    x = np.array([[[[1, 2]], [[30, 4]]], [[[5, 60]], [[7, 8]]]], dtype=np.float64)
    cause = "a mean over the channels or the images too; take it over the window only."
    array(_run(f, x, 1, 2, 2), [[[[1.5]], [[17]]], [[[32.5]], [[7.5]]]], "out", cause)


@step("avg_pool_forward_naive", "a 4×7 image, windows 2 high and 3 wide")
def _(f):
    expected = np.array([[[[25, 26, 17], [18, 22, 34]]]]) / 6
    cause = "a window has 2 × 3 = 6 pixels; or height and width are exchanged."
    array(_run(f, _images(_WIDE), 2, 3, 2), expected, "out", cause, shape_cause=_NOT_SQUARE)


@step("avg_pool_forward_naive", "x is left as it was")
def _(f):
    _leaves_x(f)


_WHY_AVG = "each pixel of a window has an equal part in its mean, so it gets that part of dout."


@step("avg_pool_backward_naive", "your own avg_pool_forward_naive is there, and right")
def _(f):
    forward_works(f, "avg_pool_forward_naive")


@step("avg_pool_backward_naive", "by hand: gradients 4, 8, 12, 16 for four windows")
def _(f):
    dout = _images([[4, 8], [12, 16]])
    array(
        _backward(f, "avg_pool_forward_naive", _images(_IMAGE), dout, 2, 2, 2),
        [[[[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]]],
        "dx",
        _WHY_AVG,
        shape_cause="dx has the shape of x.",
        known=[
            (
                [[[[4, 4, 8, 8], [4, 4, 8, 8], [12, 12, 16, 16], [12, 12, 16, 16]]]],
                "each pixel gets all of it; a mean divides by the pixels of the window.",
            ),
        ],
    )


@step("avg_pool_backward_naive", "numeric gradient: two images, two channels")
def _(f):
    _numeric(
        f, "avg_pool_forward_naive", (2, 2, 4, 4), (2, 2, 2), (2, 2, 2, 2), _WHY_AVG, seed=1
    )


@step("avg_pool_backward_naive", "numeric gradient: a 2×9 image, windows 2 high and 3 wide")
def _(f):
    _numeric(f, "avg_pool_forward_naive", (1, 2, 2, 9), (2, 3, 3), (1, 2, 1, 3), _WHY_AVG, seed=2)


@step("avg_pool_backward_naive", "dout is left as it was")
def _(f):
    _leaves_dout(f, "avg_pool_forward_naive")
