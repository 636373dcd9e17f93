"""The steps for im2col and col2im. The answers are literals, worked out by hand."""

from __future__ import annotations

import numpy as np

from cnnlab.checks.expect import array, own_forward, same_dtype, unchanged
from cnnlab.checks.steps import CheckFailed, step

_IMAGE = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]
_COLS = [[1, 2, 3, 5, 6, 7], [2, 3, 4, 6, 7, 8], [5, 6, 7, 9, 10, 11], [6, 7, 8, 10, 11, 12]]
_ALTERNATE = (
    "the images alternate. All windows of the first image come first, then those of the second."
)
_EVERY_PIXEL = "the stride is not used: window (p, q) starts at row p·stride, column q·stride."


def _images(*pages) -> np.ndarray:
    """Matrices of shape (H, W) as one image, (1, channels, H, W), float64."""
    return np.array([pages], dtype=np.float64)


@step("im2col", "one image of 3×4, windows of 2×2, by hand")
def _(f):
    right = np.array(_COLS, dtype=float)
    array(
        f(_images(_IMAGE), 2, 2, 0, 1),
        right,
        "cols",
        "column 0 is the first window, 1, 2, 5, 6; column 1 the window to the right of it.",
        shape_cause="2×2 numbers down a column, 2×3 windows along a row.",
        known=[
            (right[:, [0, 3, 1, 4, 2, 5]], "column 1 should be the window to the right."),
            (right[[0, 2, 1, 3]], "the windows are read column by column; read them row by row."),
        ],
        known_shapes={
            (6, 4): "the matrix is transposed: each window is a column.",
            (4, 2): "a place is missing down and across: count the first one too.",
        },
        inputs={"x[0, 0]": _IMAGE},
    )


@step("im2col", "two channels: first all of one, then all of the other")
def _(f):
    right = np.array([[1.0, 2, 3, 4, 10, 20, 30, 40]]).T
    array(
        f(_images([[1, 2], [3, 4]], [[10, 20], [30, 40]]), 2, 2, 0, 1),
        right,
        "cols",
        "channel by channel, each row by row, as w[f].reshape(-1) has them.",
        known=[
            (
                right[[0, 4, 1, 5, 2, 6, 3, 7]],
                "the channels of a pixel stand together: first all of channel 0, then channel 1.",
            ),
            (right[[0, 2, 1, 3, 4, 6, 5, 7]], "the windows are read column by column."),
        ],
        shape_cause="a column has C · HH · WW numbers, 2·2·2 = 8.",
    )


@step("im2col", "two images: the first one's windows come first")
def _(f):
    x = np.array([1.0, 2, 3, 10, 20, 30]).reshape(2, 1, 1, 3)
    array(
        f(x, 1, 2, 0, 1),
        [[1, 2, 10, 20], [2, 3, 20, 30]],
        "cols",
        "image by image: move the images' axis behind those of the window before you reshape.",
        known=[([[1, 10, 2, 20], [2, 20, 3, 30]], _ALTERNATE)],
        shape_cause="each image has 2 windows here, two images have 4; height and width differ.",
    )


@step("im2col", "pad 1: windows reach over the edge")
def _(f):
    rows = [[0, 0, 0, 1], [0, 0, 1, 2], [0, 0, 2, 0], [0, 1, 0, 3], [1, 2, 3, 4]]
    rows += [[2, 0, 4, 0], [0, 3, 0, 0], [3, 4, 0, 0], [4, 0, 0, 0]]
    array(
        f(_images([[1, 2], [3, 4]]), 3, 3, 1, 1),
        rows,
        "cols",
        "a frame of zeros on all four sides, then windows of 3×3.",
        shape_cause="the padding is not used for the number of places, or on two sides only: a "
        "3×3 window with pad 1 fits in as many places as there are pixels.",
    )


@step("im2col", "stride 2, windows 1 high and 2 wide")
def _(f):
    array(
        f(_images(_IMAGE), 1, 2, 0, 2),
        [[1, 3, 9, 11], [2, 4, 10, 12]],
        "cols",
        "the windows start at rows 0 and 2, columns 0 and 2.",
        known=[([[1, 2, 5, 6], [2, 3, 6, 7]], _EVERY_PIXEL)],
        known_shapes={(2, 9): _EVERY_PIXEL, (2, 2): "height and width of the window exchanged."},
        inputs={"x[0, 0]": _IMAGE},
    )


_PADDED_STEPS = [[0, 0, 0, 0, 6, 8], [0, 0, 0, 5, 7, 0], [0, 2, 4, 0, 0, 0], [1, 3, 0, 0, 0, 0]]


@step("im2col", "pad 1 and stride 2 together")
def _(f):
    array(
        f(_images([[1, 2, 3, 4], [5, 6, 7, 8]]), 2, 2, 1, 2),
        _PADDED_STEPS,
        "cols",
        "with its frame of zeros the image has 4 rows and 6 columns: 2 places down, 3 across.",
        shape_cause="the zeros are part of the way: (H + 2·pad − HH) // stride + 1 places.",
    )


@step("im2col", "cols has x's dtype")
def _(f):
    cause = "np.empty and np.zeros make float64 unless told: dtype=x.dtype."
    same_dtype(lambda dtype: f(_images(_IMAGE).astype(dtype), 2, 2, 1, 1), "cols", "x", cause)


@step("im2col", "the lecture's layer: 75 rows, 1024 columns")
def _(f):
    cols = array(
        f(np.ones((1, 3, 32, 32)), 5, 5, 2, 1),
        np.ones((75, 1024)),
        "cols",
        "",
        shape_cause="3·5·5 numbers in a window, 32·32 windows.",
        tolerance=1.0,  # only the shape, so far
    )
    corner = [0.0] * 10 + [0, 0, 1, 1, 1] * 3
    array(cols[:, 0], corner * 3, "cols[:, 0]", "the first window: two rows and columns are zeros.")
    array(cols[:, 500], np.ones(75), "cols[:, 500]", "a window in the middle sees no padding.")


@step("im2col", "x is left as it was, also by who writes into cols")
def _(f):
    x = np.ones((1, 2, 3, 3))
    with unchanged(x=x):
        f(x, 2, 2, 1, 1)
    cols = np.asarray(f(x, 1, 1, 0, 1))
    if np.shares_memory(cols, x):
        raise CheckFailed(
            "cols shares its memory with x",
            "a new array",
            "a reshape without a copy: here cols is a view of x. Fill an array from np.empty.",
        )


@step("col2im", "windows side by side: the image comes back")
def _(f):
    array(
        f(np.array([[1.0, 3], [2, 4], [5, 7], [6, 8]]), (1, 1, 2, 4), 2, 2, 0, 2),
        [[[[1, 2, 3, 4], [5, 6, 7, 8]]]],
        "x",
        "each column goes back to where im2col took it from.",
        known=[([[[[1, 5, 4, 0], [5, 13, 8, 0]]]], _EVERY_PIXEL)],
        shape_cause="x has the shape x_shape.",
        known_shapes={
            (1, 1, 0, 0): "a slice pad:-pad is empty when pad is 0. Cut from pad to pad + H.",
        },
        inputs={"cols": [[1, 3], [2, 4], [5, 7], [6, 8]]},
    )


@step("col2im", "windows that overlap: what comes back to a pixel adds up")
def _(f):
    array(
        f(np.array([[1.0, 2], [10, 20]]), (1, 1, 1, 3), 1, 2, 0, 1),
        [[[[1, 12, 20]]]],
        "x",
        "the middle pixel gets 10 from the first window and 2 from the second.",
        known=[
            ([[[[1, 10, 20]]]], "= in place of +=: they add up."),
            ([[[[1, 2, 20]]]], "= in place of +=: they add up."),
            ([[[[1, 6, 20]]]], "the copies are averaged; they add up."),
        ],
        inputs={"cols": [[1, 2], [10, 20]]},
    )


@step("col2im", "pad 1: what falls on the padding is dropped")
def _(f):
    window = np.arange(1.0, 10)
    array(
        f(np.stack([window, 10 * window], axis=1), (1, 1, 1, 2), 3, 3, 1, 1),
        [[[[45, 56]]]],
        "x",
        "the middle row of the windows falls on the image: 4, 5, 6 and 40, 50, 60.",
        shape_cause="x has the shape x_shape.",
        known=[([[[[1, 12]]]], "cut off below and on the right only; skip the first pad rows.")],
        known_shapes={(1, 1, 3, 4): "the padding is still there: cut it off on all four sides."},
    )


@step("col2im", "stride 2: pixels that no window covers are 0")
def _(f):
    array(
        f(np.array([[1.0, 2, 3]]), (1, 1, 1, 5), 1, 1, 0, 2),
        [[[[1, 0, 2, 0, 3]]]],
        "x",
        "the windows start at columns 0, 2 and 4.",
        known=[([[[[1, 2, 3, 0, 0]]]], _EVERY_PIXEL)],
    )


@step("col2im", "pad 1 and stride 2 together")
def _(f):
    array(
        f(np.array(_PADDED_STEPS, dtype=float), (1, 1, 2, 4), 2, 2, 1, 2),
        [[[[1, 2, 3, 4], [5, 6, 7, 8]]]],
        "x",
        "these windows lie side by side, so the image comes back: 2 places down, 3 across.",
    )


@step("col2im", "x has cols's dtype")
def _(f):
    cause = "np.zeros makes float64 unless told: dtype=cols.dtype."
    ones = np.ones((1, 3))
    same_dtype(lambda dtype: f(ones.astype(dtype), (1, 1, 1, 3), 1, 1, 0, 1), "x", "cols", cause)


@step("col2im", "two images, two channels")
def _(f):
    right = np.array([[[[1.0, 2]], [[5, 6]]], [[[3, 4]], [[7, 8]]]])
    array(
        f(np.array([[1.0, 2, 3, 4], [5, 6, 7, 8]]), (2, 2, 1, 2), 1, 1, 0, 1),
        right,
        "x",
        "a row of cols is a channel of all images: reshape to (C, HH, WW, N, H', W') first.",
        known=[
            ([[[[1, 3]], [[5, 7]]], [[[2, 4]], [[6, 8]]]], _ALTERNATE),
            (
                np.arange(1.0, 9).reshape(2, 2, 1, 2),
                "images and channels are exchanged: in cols the channels come first.",
            ),
        ],
    )


@step("col2im", "col2im(im2col(x)), with x all ones: how many windows cover each pixel?")
def _(f):
    columns = own_forward(f, "im2col")
    cols = columns(np.ones((1, 1, 3, 3)), 2, 2, 0, 1)
    array(
        f(cols, (1, 1, 3, 3), 2, 2, 0, 1),
        [[[[1, 2, 1], [2, 4, 2], [1, 2, 1]]]],
        "x",
        "each pixel comes back once for each window that it is in. (Does check(im2col) pass?)",
        known=[(np.ones((1, 1, 3, 3)), "the copies are averaged, or overwritten; they add up.")],
    )


@step("col2im", "cols is left as it was")
def _(f):
    cols = np.ones((4, 4))
    with unchanged(cols=cols):
        f(cols, (1, 1, 3, 3), 2, 2, 0, 1)
