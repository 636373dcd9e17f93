"""The steps for color_histogram_hsv and hog_feature."""

from __future__ import annotations

import numpy as np

from cnnlab.checks.expect import array, unchanged
from cnnlab.checks.steps import CheckFailed, step

# hues in the middle of a sixth of the circle: 0.5, 2.5, 3.5 and 5.5 sixths
_ORANGE, _GREEN, _BLUE, _ROSE = (200, 100, 0), (0, 200, 100), (0, 100, 200), (200, 0, 100)
_COLOURS = [[_ORANGE, _ORANGE, _GREEN, _ROSE], [_BLUE, _ORANGE, _ROSE, _GREEN]]
_COUNTS = np.array([3.0, 0, 2, 1, 0, 2])
_SHAPE = "one number for each bin."


@step("color_histogram_hsv", "three orange, two green, one blue, two rose pixels: counts")
def _(f):
    array(
        f(np.array(_COLOURS, dtype=float), nbin=6, normalized=False),
        _COUNTS,
        "the histogram",
        "orange (200, 100, 0): red is largest, (100 − 0) / 200 = 0.5 sixths, the first of 6 bins.",
        known=[
            ([1, 2, 0, 3, 2, 0], "red and blue are exchanged: the channels are red, green, blue."),
            ([3, 0, 2, 1, 0, 0], "rose has (0 − 100) / 200 = −0.5 sixths: add 6, once round."),
            ([5, 0, 2, 1, 0, 0], "rose has (0 − 100) / 200 = −0.5 sixths: add 6, once round."),
            ([3, 2, 0, 1, 0, 2], "where green is the largest: 2 + (B − R) / d, not (R − B)."),
            ([3, 0, 2, 0, 1, 2], "where blue is the largest: 4 + (R − G) / d, not (G − R)."),
            ([0, 0, 0, 0, 8, 0], "that is the lightness (the largest number), not the hue."),
            (_COUNTS / 8, "normalised, although normalized is False."),
        ],
        shape_cause=_SHAPE,
    )


@step("color_histogram_hsv", "normalised: the bins add up to 1")
def _(f):
    array(
        f(np.array(_COLOURS, dtype=float), nbin=6),
        _COUNTS / 8,
        "the histogram",
        "divide the counts by their sum.",
        known=[
            (_COUNTS, "these are counts: divide them by their sum."),
            (_COUNTS / 8 * 6 / 255, "divided by the width of a bin as well (density=True)."),
        ],
    )


@step("color_histogram_hsv", "the same from uint8")
def _(f):
    cause = "subtracted as uint8, where 0 − 100 is 156. Make floats first."
    array(
        f(np.array(_COLOURS, np.uint8), nbin=6, normalized=False), _COUNTS, "the histogram", cause
    )


@step("color_histogram_hsv", "grey pixels count as hue 0")
def _(f):
    im = np.array([[(77, 77, 77), (0, 0, 0), _BLUE]], dtype=float)
    cause = "for grey, largest and smallest are the same: take care of the division by 0."
    array(f(im, nbin=6, normalized=False), [2, 0, 0, 1, 0, 0], "the histogram", cause)


@step("color_histogram_hsv", "the upper half of the range: xmin = 127.5, three bins")
def _(f):
    array(
        f(np.array(_COLOURS, dtype=float), nbin=3, xmin=127.5, normalized=False),
        [1, 0, 2],
        "the histogram",
        "the three bins lie between 3 and 6 sixths; what is below is not counted.",
        known=[
            (
                [3, 3, 2],
                "xmin is not used, or the hues are squeezed between xmin and xmax. Hues run from "
                "0 to xmax all the same; only the bins begin at xmin.",
            )
        ],
    )


@step("color_histogram_hsv", "the upper half of the range, normalised")
def _(f):
    array(
        f(np.array(_COLOURS, dtype=float), nbin=3, xmin=127.5),
        [1 / 3, 0, 2 / 3],
        "the histogram",
        "divide by the sum of the counts.",
        known=[([1 / 8, 0, 2 / 8], "divided by the number of all pixels: only 3 were counted.")],
    )


@step("color_histogram_hsv", "colours from 0 to 1: xmax = 1")
def _(f):
    array(
        f(np.array(_COLOURS) / 255, nbin=3, xmax=1, normalized=False),
        [3, 3, 2],
        "the histogram",
        "a whole circle is xmax, here 1. Is 255 written out somewhere?",
    )


@step("color_histogram_hsv", "a batch of two images: a row each")
def _(f):
    images = np.array([[[_ORANGE, _ORANGE]], [[_BLUE, _ROSE]]], dtype=float)
    array(
        f(images, nbin=6, normalized=False),
        [[2, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 1]],
        "the histograms",
        "each image counts into its own row.",
        shape_cause="a batch (N, H, W, 3) gives (N, nbin).",
    )


@step("color_histogram_hsv", "im is left as it was")
def _(f):
    im = np.array(_COLOURS, dtype=float)
    with unchanged(im=im):
        f(im)


def _grey(page) -> np.ndarray:
    """A page (H, W) as a grey image (H, W, 3), floats."""
    return np.repeat(np.asarray(page, dtype=float)[..., None], 3, axis=-1)


def _bins(**filled: float) -> np.ndarray:
    """Nine bins: _bins(b0=1.5) has 1.5 in the first."""
    row = np.zeros(9)
    for name, value in filled.items():
        row[int(name[1:])] = value
    return row


_ACROSS = np.broadcast_to(np.arange(8.0), (8, 8))
# 35 degrees: between 20 and 40 with nine directions, between 0 and 45 with four
_COS, _SIN = np.cos(np.radians(35)), np.sin(np.radians(35))
_SLANTED = _COS * _ACROSS + _SIN * _ACROSS.T
_MEAN = "the lengths are added up, but not divided by the 64 pixels of the cell."
_HALF = "the differences are halved (here they are not), or pixels are counted, not lengths."
_GRADIENT = (
    "np.gradient halves the differences, and has no zeros in the first and last column. Subtract "
    "slices: right minus left."
)
_TURNED = "turned by 90 degrees: np.arctan2 wants the difference down first, then across."
_BYTES = "subtracted as uint8, where 3 − 5 is 254. Make floats first."


@step("hog_feature", "a ramp that rises to the right: bin 0")
def _(f):
    array(
        f(_grey(3 * _ACROSS), block=0),
        _bins(b0=4.5),
        "the feature",
        "across is 6 in the six inner columns, 0 in the first and the last: 48 · 6 / 64.",
        known=[
            (_bins(b0=288), _MEAN),
            (_bins(b0=2.25), _HALF),
            (_bins(b0=3), _GRADIENT),
            (_bins(b0=0.75), "pixels are counted: add up the lengths of their gradients."),
            (_bins(b0=1), "pixels are counted instead of lengths, or block=0 is not heeded."),
            (_bins(b4=4.5), _TURNED),
        ],
        shape_cause="one cell, nine directions: 9 numbers.",
    )


@step("hog_feature", "a ramp that falls to the right counts the same")
def _(f):
    array(
        f(_grey(20 - _ACROSS), block=0),
        _bins(b0=1.5),
        "the feature",
        "the angle is 180 here: take it modulo 180.",
        known=[(_bins(b4=1.5), "the bins run over 360 degrees: take the angle modulo 180.")],
    )


@step("hog_feature", "a ramp that rises downwards: bin 4, 80 to 100 degrees")
def _(f):
    array(f(_grey(_ACROSS.T), block=0), _bins(b4=1.5), "the feature", "the angle is 90 degrees.")


@step("hog_feature", "a ramp along the diagonal: bin 2, and the borders")
def _(f):
    array(
        f(_grey(_ACROSS + _ACROSS.T), block=0),
        _bins(b0=24 / 64, b2=36 * 8**0.5 / 64, b4=24 / 64),
        "the feature",
        "36 inner pixels have (2, 2), length √8, 45 degrees. In the first and last row down is 0, "
        "in the first and last column across is 0; in the corners both are.",
        known=[
            (
                _bins(b0=24 / 64, b6=36 * 8**0.5 / 64, b4=24 / 64),
                "at 135 degrees: down is the pixel below minus the pixel above.",
            )
        ],
    )


@step("hog_feature", "a ramp at 35 degrees: bin 1, 20 to 40 degrees")
def _(f):
    borders = {"b0": 12 * 2 * _COS / 64, "b4": 12 * 2 * _SIN / 64}
    array(
        f(_grey(_SLANTED), block=0),
        _bins(b1=36 * 2 / 64, **borders),
        "the feature",
        "36 inner pixels have length 2 at 35 degrees.",
        known=[
            (_bins(b2=36 * 2 / 64, **borders), "35 / 20 is 1.75: that is bin 1, not rounded to 2."),
            (
                _bins(b2=36 * 2 / 64, b0=borders["b4"], b4=borders["b0"]),
                _TURNED,
            ),
        ],
    )


@step("hog_feature", "the same with 4 directions of 45 degrees")
def _(f):
    array(
        f(_grey(_SLANTED), nbin=4, block=0),
        [(36 * 2 + 12 * 2 * _COS) / 64, 0, 12 * 2 * _SIN / 64, 0],
        "the feature",
        "35 degrees is in the first of four bins. Is 20 (or 9) written out somewhere?",
        shape_cause="one cell, nbin = 4 directions: 4 numbers.",
    )


@step("hog_feature", "two channels disagree: the longer gradient counts")
def _(f):
    im = np.stack([_ACROSS, 30 - 3 * _ACROSS, np.zeros((8, 8))], axis=-1)
    array(
        f(im, block=0),
        _bins(b0=4.5),
        "the feature",
        "red has +2 across, green −6. Per pixel take the channel with the longest gradient.",
        known=[(_bins(b0=1), "the channels are averaged (made grey) first.")],
    )


_DOTS = np.zeros((16, 16))
_DOTS[3, 11], _DOTS[12, 4] = 10, 20


def _four(upper_right: float, lower_left: float) -> np.ndarray:
    """Four cells; two of them have as much across as down."""
    cells = (_bins(b0=v, b4=v) for v in (0, upper_right, lower_left, 0))
    return np.concatenate(list(cells))


@step("hog_feature", "four cells, row by row: a dot upper right, a brighter one lower left")
def _(f):
    array(
        f(_grey(_DOTS), block=0),
        _four(20 / 64, 40 / 64),
        "the feature",
        "upper left, upper right, lower left, lower right; 9 numbers each.",
        known=[(_four(40 / 64, 20 / 64), "column by column: the cells come row by row.")],
        shape_cause="2 x 2 cells with 9 directions: 36 numbers.",
    )


@step("hog_feature", "block = 1: each cell by itself has length 1")
def _(f):
    array(
        f(_grey(_DOTS)),
        _four(0.5**0.5, 0.5**0.5),
        "the feature",
        "divide a cell's nine numbers by the root of the sum of their squares.",
        known=[
            (_four(20 / 64, 40 / 64), "not normalised."),
            (_four(0.1**0.5, 0.4**0.5), "all cells are normalised together: each by itself."),
        ],
        known_shapes={(9,): "blocks too few: blocks of 1 have 2 − 1 + 1 = 2 places on 2 cells."},
    )


@step("hog_feature", "block = 2: the four cells together")
def _(f):
    array(
        f(_grey(_DOTS), block=2),
        _four(0.1**0.5, 0.4**0.5),
        "the feature",
        "one block of 2 x 2 cells fits; its 36 numbers are normalised together.",
        known_shapes={
            (0,): "one block too few: blocks of 2 have 2 − 2 + 1 = 1 place on 2 rows of cells.",
        },
        shape_cause="one block of four cells with 9 directions: 36 numbers.",
    )


@step("hog_feature", "block = 2 on 3 x 3 cells: four blocks, which overlap")
def _(f):
    dots = np.zeros((24, 24))
    dots[12, 12], dots[4, 20] = 10, 20  # in the middle, and in the upper right cell
    one, dim, bright = 0.5**0.5, 0.1**0.5, 0.4**0.5

    def block(*sizes: float) -> np.ndarray:
        return np.concatenate([_bins(b0=v, b4=v) for v in sizes])

    blocks = [
        block(0, 0, 0, one),
        block(0, bright, dim, 0),
        block(0, one, 0, 0),
        block(one, 0, 0, 0),
    ]
    array(
        f(_grey(dots), block=2),
        np.concatenate(blocks),
        "the feature",
        "a block starts at every cell where it fits: upper left, upper right, lower left, lower "
        "right. In each its four cells come row by row.",
        known=[(np.concatenate([blocks[k] for k in (0, 2, 1, 3)]), "the blocks come row by row.")],
        known_shapes={
            (36,): "one block only: they overlap, and one starts at every cell where it fits.",
        },
        shape_cause="2 x 2 places for a block, with 4 cells of 9 directions each: 144 numbers.",
    )


@step("hog_feature", "normalised in a batch: each image by itself")
def _(f):
    images = np.stack([_grey(_DOTS), _grey(_DOTS[::-1, ::-1] / 2)])
    array(
        f(images, block=2),
        np.stack([_four(0.1**0.5, 0.4**0.5), _four(0.4**0.5, 0.1**0.5)]),
        "the features",
        "each block of each image has length 1, whatever else is in the batch.",
        shape_cause="a batch (N, H, W, 3) gives (N, F).",
    )


@step("hog_feature", "uint8, in a batch")
def _(f):
    falling = _grey(20 - _ACROSS).astype(np.uint8)
    came = f(np.stack([falling, np.zeros_like(falling)]), block=0)
    right = np.array([_bins(b0=1.5), _bins()])
    known = [([_bins(b0=254 * 48 / 64), _bins()], _BYTES)]
    shape = "a batch (N, H, W, 3) gives (N, F)."
    array(came, right, "the features", _BYTES, known=known, shape_cause=shape)


@step("hog_feature", "the lecture's image, 320 x 240, gives 10,800 numbers")
def _(f):
    came = np.shape(f(np.zeros((240, 320, 3), np.uint8)))
    if came != (10_800,):
        cause = "240 / 8 = 30 rows of 320 / 8 = 40 cells, 9 numbers each."
        raise CheckFailed(f"the feature has shape {came}", "shape (10800,)", cause)


@step("hog_feature", "im is left as it was")
def _(f):
    im = _grey(_DOTS)
    with unchanged(im=im):
        f(im)
