"""The steps for max and average pooling. The answers are literals, worked out by hand."""

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

_IMAGE = [[3, 1, 4, 2], [5, 9, 2, 6], [8, 7, 1, 0], [4, 6, 3, 5]]
_WIDE = [
    [1, 7, 2, 9, 0, 3, 5],
    [4, 3, 8, 1, 6, 2, 1],
    [5, 2, 1, 3, 7, 4, 8],
    [0, 6, 4, 2, 5, 1, 9],
]
_NOT_SQUARE = (
    "H' comes from the height and pool_height, W' from the width and pool_width. Or the windows "
    "lie side by side: step by the stride."
)
_NO_WIDTH = "pool_width is not used: the windows are as wide as they are high."
_EVERY_PIXEL = "the windows start at every pixel: use i·stride and j·stride."


def _param(height: int, width: int, stride: int) -> dict:
    return {"pool_height": height, "pool_width": width, "stride": stride}


def _images(*pages) -> np.ndarray:
    return np.array([pages], dtype=np.float64)


def _run(f, x, *window) -> object:
    out, _ = parts(f(x.copy(), _param(*window)), ("out", "cache"))
    return out


def _backward(f, x, dout, *window):
    forward = own_forward(f, forward_of(f))
    _, cache = parts(forward(x.copy(), _param(*window)), ("out", "cache"))
    return f(dout.copy(), cache)


def _numeric(f, shape, window, out_shape, cause, seed, *, multiples=None):
    forward = own_forward(f, forward_of(f))
    rng = np.random.default_rng(seed)
    # no two numbers alike, nor close: at a tie, the maximum has no gradient
    x = rng.permutation(np.arange(float(np.prod(shape)))).reshape(shape) - 12
    dout = rng.integers(1, 9, out_shape) * 3.0
    dx = _backward(f, x, dout, *window)

    def out(moved):
        return forward(moved, _param(*window))[0]

    h = 0.25 if "max" in f.__name__ else 4.0  # large, for a forward function in float32
    gradient(dx, out, x, dout, "dx", cause, multiples=multiples, h=h)


# This step comes early. Who pools into a view of x spoils x while reading it: the windows that
# overlap come out wrong then, and the numbers do not tell why.
def _leaves_x(f):
    x = _images(_IMAGE)
    with unchanged(x=x):
        f(x, _param(2, 2, 2))


def _leaves_dout(f):
    forward = own_forward(f, forward_of(f))
    _, cache = parts(forward(_images(_IMAGE), _param(2, 2, 2)), ("out", "cache"))
    dout = np.ones((1, 1, 2, 2))
    with unchanged(dout=dout):
        first = np.array(f(dout, cache))
    cause = "something in the cache was changed by the first call: work on a copy."
    array(f(dout, cache), first, "dx of a second call", cause, source="dx of the first")


@step("max_pool_forward_naive", "a 4×4 image, 2×2 windows, stride 2, by hand")
def _(f):
    array(
        _run(f, _images(_IMAGE), 2, 2, 2),
        [[[[9, 6], [8, 5]]]],
        "out",
        "output (i, j) is the largest number of the window at row i·stride, column j·stride.",
        shape_cause="2×2 windows with stride 2 halve height and width.",
        known=[
            ([[[[4.5, 3.5], [6.25, 2.25]]]], "that is the mean, not the maximum."),
            ([[[[9, 9], [9, 9]]]], _EVERY_PIXEL),
        ],
        inputs={"x[0, 0]": _IMAGE},
    )


@step("max_pool_forward_naive", "x is left as it was")
def _(f):
    _leaves_x(f)


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
    right = [[[[2]], [[30]]], [[[60]], [[8]]]]
    known = [([[[[1]], [[30]]], [[[5]], [[7]]]], _NO_WIDTH)]
    array(_run(f, x, 1, 2, 2), right, "out", cause, shape_cause=_NOT_SQUARE, known=known)


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


@step("max_pool_forward_naive", "float32 in, floating point out")
def _(f):
    out = _run(f, _images(_IMAGE).astype(np.float32) / 8, 2, 2, 2)
    expected = np.array([[[[9, 6], [8, 5]]]]) / 8
    array(out, expected, "out", "fractions were lost on the way.", tolerance=1e-5)


_WHY_MAX = "the whole gradient goes to the place of the window's maximum, the rest gets 0."


@step("max_pool_backward_naive", "your own max_pool_forward_naive is there, and right")
def _(f):
    forward_works(f, forward_of(f))


@step("max_pool_backward_naive", "by hand: gradients 1, 2, 3, 4 for four windows")
def _(f):
    dout = _images([[1, 2], [3, 4]])
    array(
        _backward(f, _images(_IMAGE), dout, 2, 2, 2),
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
            (
                [[[[0.25, 0.25, 0.5, 0.5]] * 2 + [[0.75, 0.75, 1, 1]] * 2]],
                "the window shares the gradient, as in average pooling.",
            ),
            (
                [[[[3, 0, 0, 0], [0, 7, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]]],
                "a place within a window was taken for a place in the image.",
            ),
            ([[[[0, 0, 0, 0], [0, 10, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]]], _EVERY_PIXEL),
        ],
        inputs={"x[0, 0]": _IMAGE, "dout[0, 0]": dout[0, 0]},
    )


@step("max_pool_backward_naive", "a pixel that is the largest of four overlapping windows")
def _(f):
    x = _images([[1, 5, 2], [3, 9, 7], [8, 6, 4]])
    array(
        _backward(f, x, _images([[1, 2], [3, 4]]), 2, 2, 1),
        [[[[0, 0, 0], [0, 10, 0], [0, 0, 0]]]],
        "dx",
        "the gradients of overlapping windows add up.",
        known=[
            ([[[[0, 0, 0], [0, n, 0], [0, 0, 0]]]], "= in place of +=: they add up.")
            for n in (1, 4)
        ],
    )


@step("max_pool_backward_naive", "numeric gradient: windows that overlap, not square")
def _(f):
    why = f"{_WHY_MAX} Where windows overlap, gradients add up (+=)."
    _numeric(f, (1, 2, 3, 6), (2, 3, 1), (1, 2, 2, 4), why, seed=3)


@step("max_pool_backward_naive", "numeric gradient: two images, two channels")
def _(f):
    _numeric(f, (2, 2, 4, 4), (2, 2, 2), (2, 2, 2, 2), _WHY_MAX, seed=1)


@step("max_pool_backward_naive", "numeric gradient: a 2×9 image, windows 2 high and 3 wide")
def _(f):
    _numeric(f, (1, 2, 2, 9), (2, 3, 3), (1, 2, 1, 3), _WHY_MAX, seed=2)


@step("max_pool_backward_naive", "dout is left as it was")
def _(f):
    _leaves_dout(f)


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
            ([[[[4.5, 4], [7.25, 4.75]]]], _EVERY_PIXEL),
            ([[[[4, 3], [6, 2]]]], "fractions are cut off: //, or an array of whole numbers."),
        ],
        inputs={"x[0, 0]": _IMAGE},
    )


@step("avg_pool_forward_naive", "x is left as it was")
def _(f):
    _leaves_x(f)


@step("avg_pool_forward_naive", "each channel of each image on its own")
def _(f):
    x = np.array([[[[1, 2]], [[30, 4]]], [[[5, 60]], [[7, 8]]]], dtype=np.float64)
    cause = "a mean over the channels or the images too; take it over the window only."
    right = np.array([[[[1.5]], [[17]]], [[[32.5]], [[7.5]]]])
    pixels = "divide by the pixels of a window: pool_height times pool_width."
    fixed = f"divided by 4: a fixed number, or the stride twice. Instead, {pixels}"
    known = [(right * 2, pixels), (right / 2, fixed)]
    known.append(([[[[1]], [[30]]], [[[5]], [[7]]]], _NO_WIDTH))
    array(_run(f, x, 1, 2, 2), right, "out", cause, shape_cause=_NOT_SQUARE, known=known)


@step("avg_pool_forward_naive", "a 4×7 image, windows 2 high and 3 wide")
def _(f):
    expected = np.array([[[[25, 26, 17], [18, 22, 34]]]]) / 6
    cause = "a window has 2 × 3 = 6 pixels; or height and width are exchanged."
    known = [(expected * 1.5, "divided by pool_height twice. Count the pixels of a window.")]
    out = _run(f, _images(_WIDE), 2, 3, 2)
    array(out, expected, "out", cause, shape_cause=_NOT_SQUARE, known=known)


@step("avg_pool_forward_naive", "float32 in, floating point out")
def _(f):
    out = _run(f, _images(_IMAGE).astype(np.float32) / 8, 2, 2, 2)
    expected = np.array([[[[4.5, 3.5], [6.25, 2.25]]]]) / 8
    array(out, expected, "out", "fractions were lost on the way.", tolerance=1e-5)


_WHY_AVG = "each pixel of a window has an equal part in its mean, so it gets that part of dout."


@step("avg_pool_backward_naive", "your own avg_pool_forward_naive is there, and right")
def _(f):
    forward_works(f, forward_of(f))


@step("avg_pool_backward_naive", "by hand: gradients 4, 8, 12, 16 for four windows")
def _(f):
    dout = _images([[4, 8], [12, 16]])
    array(
        _backward(f, _images(_IMAGE), dout, 2, 2, 2),
        [[[[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]]],
        "dx",
        _WHY_AVG,
        shape_cause="dx has the shape of x.",
        known=[
            (
                [[[[4, 4, 8, 8], [4, 4, 8, 8], [12, 12, 16, 16], [12, 12, 16, 16]]]],
                "each pixel gets all of it; a mean divides by the pixels of the window.",
            ),
            (
                [[[[0, 0, 0, 0], [0, 4, 0, 8], [12, 0, 0, 0], [0, 0, 0, 16]]]],
                "only the largest pixel gets it, as in max pooling.",
            ),
            ([[[[1, 3, 2, 0], [4, 10, 6, 0], [3, 7, 4, 0], [0, 0, 0, 0]]]], _EVERY_PIXEL),
        ],
    )


@step("avg_pool_backward_naive", "windows that overlap, by hand")
def _(f):
    x = _images([[1, 5, 2], [3, 9, 7], [8, 6, 4]])
    array(
        _backward(f, x, _images([[4, 8], [12, 16]]), 2, 2, 1),
        [[[[1, 3, 2], [4, 10, 6], [3, 7, 4]]]],
        "dx",
        "the shares of overlapping windows add up.",
        known=[
            ([[[[1, 2, 2], [3, 4, 4], [3, 4, 4]]]], "= in place of +=: they add up."),
            ([[[[1, 1, 2], [1, 1, 2], [3, 3, 4]]]], "= in place of +=: they add up."),
            (
                [[[[4, 12, 8], [16, 40, 24], [12, 28, 16]]]],
                "divided by the stride twice, which is 1 here. Count the pixels of a window.",
            ),
        ],
    )


@step("avg_pool_backward_naive", "numeric gradient: two images, two channels")
def _(f):
    _numeric(f, (2, 2, 4, 4), (2, 2, 2), (2, 2, 2, 2), _WHY_AVG, seed=1)


@step("avg_pool_backward_naive", "numeric gradient: a 2×9 image, windows 2 high and 3 wide")
def _(f):
    multiples = {
        1.5: "divided by 4: a fixed number, or pool_height twice. Count the pixels of a window.",
        2 / 3: "divided by 9: the stride twice, or pool_width twice. Count the pixels of a window.",
        2.0: "divided by the number of windows. Count the pixels of a window.",
    }
    _numeric(
        f,
        (1, 2, 2, 9),
        (2, 3, 3),
        (1, 2, 1, 3),
        _WHY_AVG,
        seed=2,
        multiples=multiples,
    )


@step("avg_pool_backward_naive", "dout is left as it was")
def _(f):
    _leaves_dout(f)
