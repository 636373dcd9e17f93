"""The steps for the fast layers: those of the naive ones, and what only they can get wrong."""

from __future__ import annotations

import numpy as np

from cnnlab.checks import convolution, pooling  # noqa: F401  (pooling's steps come first)
from cnnlab.checks.expect import (
    array,
    dtype_of,
    forward_of,
    gradient,
    own_forward,
    parts,
    unchanged,
)
from cnnlab.checks.steps import STEPS, CheckFailed, Step, step
from cnnlab.timing import plain_loop, seconds

for _kind in ("conv", "max_pool", "avg_pool"):
    for _way in ("forward", "backward"):
        STEPS[f"{_kind}_{_way}_fast"] = [
            Step(each.name.replace("_naive", "_fast"), each.run)
            for each in STEPS[f"{_kind}_{_way}_naive"]
        ]

# --- other ways to convolve: the first step knows what goes wrong with them -----------------------

_BY_HAND = STEPS["conv_forward_naive"][0].name
_FILTERS_LAST = "the filters' axis is the last one: transpose to (N, F, H', W')."
_NO_S = "irfft2 was not told the shape, and took the width for even: s=(height, width), padded."


@step("conv_forward_strides", _BY_HAND)
def _(f):
    convolution.by_hand(f, known_shapes={(1, 3, 3, 1): _FILTERS_LAST})


@step("conv_forward_fft", _BY_HAND)
def _(f):
    no_conj = "the filter's transform lacks its np.conj: without it, the filter is flipped."
    no_s = [[5.595492, -0.296520, 5.213525], [2.422746, 13.395463, 8.231763]]
    no_s.append([8.131966, -1.247915, 9.604102])
    cut = "with np.conj the windows that do not wrap around come first: cut out from row 0 on."
    wrapped = "the windows that wrap around are still there: keep the first H' rows, W' columns."
    convolution.by_hand(
        f,
        known=[
            ([[[[-2, 1, 2], [10, 5, 7], [5, 6, 1]]]], no_conj),
            ([[no_s]], _NO_S),
            ([[[[1, 13, 6], [0, 4, 2], [9, 2, 6]]]], cut),
        ],
        known_shapes={
            (1, 1, 5, 5): wrapped,
            (1, 1, 5, 4): f"{wrapped} And {_NO_S}",
            (1, 3, 3, 1): _FILTERS_LAST,
        },
    )


for _name in ("conv_forward_strides", "conv_forward_fft"):
    STEPS[_name] += STEPS["conv_forward_naive"][1:]

# --- the fast layers ------------------------------------------------------------------------------

_PARAM = {"stride": 1, "pad": 1}
_NINE = "each image of a batch as if it were alone: when you take a few at a time, the last few too"


def _batch() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nine images: more than go through a cache at once, and an odd number."""
    rng = np.random.default_rng(5)
    return rng.standard_normal((9, 3, 32, 32)), rng.standard_normal((2, 3, 3, 3)), np.ones(2)


# Two images, two filters, two places: the least in which all orders differ. Of the two mistakes,
# one takes the matrix (F, N·H'·W') for (N, F, H', W'), the other has CS231n's order.
_NO_TRANSPOSE = (
    "a row of the matrix holds all images for one filter. A reshape cannot exchange axes: "
    "between (N, F, H', W') and (F, N, H', W') goes a transpose(1, 0, 2, 3)."
)
_ALTERNATE = (
    "along a row of the matrix the images were taken to alternate, as in CS231n. Here all places "
    "of the first image come first: (F, N, H', W')."
)


def _two_of_all() -> tuple[np.ndarray, np.ndarray]:
    """Two images of two pixels, 1, 10 and 100, 1000, and two filters of 1×1, 1 and 2."""
    x = np.array([1.0, 10, 100, 1000]).reshape(2, 1, 1, 2)
    return x, np.array([1.0, 2]).reshape(2, 1, 1, 1)


@step("conv_forward_fast", "two images, two filters, two places, by hand")
def _(f):
    x, w = _two_of_all()
    array(
        convolution.out_of(f, x, w, stride=1, pad=0),
        [[[[1, 10]], [[2, 20]]], [[[100, 1000]], [[200, 2000]]]],
        "out",
        "filter 0 copies the images, filter 1 doubles them.",
        known=[
            ([[[[1, 10]], [[100, 1000]]], [[[2, 20]], [[200, 2000]]]], _NO_TRANSPOSE),
            ([[[[1, 100]], [[2, 200]]], [[[10, 1000]], [[20, 2000]]]], _ALTERNATE),
        ],
        inputs={"x[0, 0]": x[0, 0], "x[1, 0]": x[1, 0]},
    )


@step(
    "conv_backward_fast",
    "two images, two filters, two places, by hand",
    after="three gradients, each of its own shape",
)
def _(f):
    x, w = _two_of_all()
    dout = np.arange(1.0, 9).reshape(2, 2, 1, 2)
    dx, dw, db = convolution.gradients_of(f, x, w, np.zeros(2), dout, stride=1, pad=0)
    array(
        np.ravel(dw),
        [6521, 8743],
        "dw",
        "filter 0 gets 1·1 + 2·10 from the first image, 5·100 + 6·1000 from the second.",
        known=[
            ([4321, 8765], _NO_TRANSPOSE),
            ([6251, 8473], _ALTERNATE),
            ([6500, 8700], "of the last image only. All images use the filters: add up (+=)."),
            ([3260.5, 4371.5], "divided by the number of images. The loss has averaged: only sum."),
        ],
        inputs={f"dout[{n}, {i}]": dout[n, i] for n in (0, 1) for i in (0, 1)},
    )
    array(
        dx,
        [[[[7, 10]]], [[[19, 22]]]],
        "dx",
        "each pixel gets dout of filter 0 times 1, plus dout of filter 1 times 2.",
        known=[
            ([[[[11, 14]]], [[[17, 20]]]], _NO_TRANSPOSE),
            ([[[[7, 19]]], [[[10, 22]]]], _ALTERNATE),
        ],
    )
    array(db, [14, 22], "db", "filter 0: 1 + 2 + 5 + 6.", known=[([10, 26], _NO_TRANSPOSE)])


@step("conv_forward_fast", "a batch of nine images")
def _(f):
    x, w, b = _batch()
    out = convolution.out_of(f, x, w, b, **_PARAM)
    alone = [convolution.out_of(f, x[n : n + 1], w, b, **_PARAM) for n in range(len(x))]
    array(out, np.concatenate(alone), "out", f"{_NINE}.", source="one by one")


@step("conv_forward_fast", "conv_param is left as it was")
def _(f):
    x, w, b = _batch()
    param = dict(_PARAM)
    f(x[:1], w, b, param)
    if param != _PARAM:
        cause = "pop takes a number out of the dict: read it with conv_param['stride']."
        raise CheckFailed(f"conv_param is {param} after the call", f"{_PARAM}", cause)


@step("conv_backward_fast", "a batch of nine images")
def _(f):
    x, w, b = _batch()
    dout = np.random.default_rng(6).standard_normal((9, 2, 32, 32))

    def gradients(first, last):
        few = slice(first, last)
        return convolution.gradients_of(f, x[few], w, b, dout[few], **_PARAM)

    together, alone = gradients(0, 9), [gradients(n, n + 1) for n in range(9)]
    dx, dw, db = zip(*alone, strict=True)
    array(together[0], np.concatenate(dx), "dx", f"{_NINE}.", source="one by one")
    array(together[1], sum(dw), "dw", "all images use the filters: their gradients add up (+=).")
    array(together[2], sum(db), "db", "all images use the biases: their gradients add up (+=).")


# --- dtypes ---------------------------------------------------------------------------------------

_WINDOW = {"pool_height": 2, "pool_width": 2, "stride": 2}


def _arguments(question: str, dtype: np.dtype) -> tuple:
    """Of a forward pass: all arrays of one dtype."""
    x = (np.arange(16.0).reshape(1, 1, 4, 4) / 16).astype(dtype)
    if "pool" in question:
        return x, dict(_WINDOW)
    return x, np.ones((1, 1, 3, 3), dtype), np.ones(1, dtype), dict(_PARAM)


def _out_keeps_dtype(f) -> None:
    for dtype in map(np.dtype, (np.float32, np.float64)):
        out, _ = parts(f(*_arguments(f.__name__, dtype)), ("out", "cache"))
        dtype_of(out, dtype, "out", "x")


def _gradients_keep_dtype(f) -> None:
    forward = own_forward(f, forward_of(f))
    names = ("dx",) if "pool" in f.__name__ else ("dx", "dw", "db")
    for dtype in map(np.dtype, (np.float32, np.float64)):
        out, cache = parts(forward(*_arguments(f.__name__, dtype)), ("out", "cache"))
        came = f(np.ones(np.shape(out), dtype), cache)
        for gradient_, name in zip([came] if names == ("dx",) else came, names, strict=True):
            dtype_of(gradient_, dtype, name, "dout")


for _question in [q for q in STEPS if q.endswith("_forward_fast")] + [
    *("conv_forward_strides", "conv_forward_fft"),
]:
    step(_question, "out has x's dtype, or float64")(_out_keeps_dtype)
for _question in [q for q in STEPS if q.endswith("_backward_fast")]:
    step(_question, "gradients have dout's dtype, or float64")(_gradients_keep_dtype)

# --- a whole step, and its time -------------------------------------------------------------------

_STEP = ("out", "dx", "dw", "db")
_IMAGE = [[3, 1, 4, 2], [5, 9, 2, 6], [8, 7, 1, 0], [4, 6, 3, 5]]
_DOUT = [[1, 2], [3, 4]]
_POOL = {"pool_height": 2, "pool_width": 2, "stride": 2}


def _small_step(f, bias: float) -> list:
    """One image of 4×4, one filter of 1×1 with weight 2, and 2×2 pooling."""
    x, dout = np.array([[_IMAGE]], dtype=float), np.array([[_DOUT]], dtype=float)
    param = {"stride": 1, "pad": 0}
    result = f(x, np.full((1, 1, 1, 1), 2.0), np.array([bias]), param, dict(_POOL), dout)
    return parts(result, _STEP)


@step("conv_pool_step", "by hand: a filter of 1×1 with weight 2 and bias 1, then 2×2 pooling")
def _(f):
    out, dx, dw, db = _small_step(f, bias=1)
    array(
        out,
        [[[[19, 13], [17, 11]]]],
        "out",
        "the convolution gives 2x + 1; the pooling takes the largest of each 2×2 window.",
        known=[([[[[10, 8], [13.5, 5.5]]]], "that is average pooling.")],
        known_shapes={(1, 1, 4, 4): "that is what goes into the pooling."},
        inputs={"x[0, 0]": _IMAGE, "dout[0, 0]": _DOUT},
    )
    won = np.array([[[[0, 0, 0, 0], [0, 2, 0, 4], [6, 0, 0, 0], [0, 0, 0, 8]]]])
    whole = np.repeat(np.repeat([[_DOUT]], 2, axis=2), 2, axis=3) * 2
    array(
        dx,
        won,
        "dx",
        "backward through the pooling first: 1, 2, 3, 4 go to the winners. Then times the weight.",
        shape_cause="dx has the shape of x; the order is out, dx, dw, db.",
        known=[
            (whole, "the whole window gets the gradient; only the largest number should."),
            (whole / 4, "the window shares the gradient, as in average pooling."),
        ],
    )
    array(dw, [[[[65]]]], "dw", "each winner times its gradient: 9·1 + 6·2 + 8·3 + 5·4.")
    array(db, [10], "db", "1 + 2 + 3 + 4.")


@step("conv_pool_step", "negative numbers go through")
def _(f):
    out, *_ = _small_step(f, bias=-20)
    right = [[[[-2, -8], [-4, -10]]]]
    known = [(np.zeros((1, 1, 2, 2)), "negative numbers became 0. There is no ReLU in this step.")]
    array(out, right, "out", "2x − 20, then the largest.", known=known)


@step("conv_pool_step", "numeric gradients: two images, two channels, three filters")
def _(f):
    # small fractions, exact in float32 too, and in each pooling window one that is well ahead
    rng = np.random.default_rng(2235)
    at = {
        "x": rng.permutation(np.arange(2.0 * 2 * 4 * 5)).reshape(2, 2, 4, 5) / 8,
        "w": rng.integers(-8, 9, (3, 2, 3, 2)) / 4,
        "b": rng.integers(-8, 9, 3) / 4,
    }
    conv, dout = {"stride": 1, "pad": 1}, rng.integers(1, 9, (2, 3, 2, 3)) / 2

    def run(x, w, b):
        return parts(f(x.copy(), w.copy(), b.copy(), dict(conv), dict(_POOL), dout.copy()), _STEP)

    came = dict(zip(at, run(**at)[1:], strict=True))
    half = {0.5: "divided by the number of images. The loss has averaged already: only sum."}
    for name, value in at.items():

        def out(moved, name=name):
            return run(**{**at, name: moved})[0]

        why = "backward in the reverse order: first the pooling, with its own cache."
        gradient(came[name], out, value, dout, f"d{name}", why, multiples=half, h=2**-6)


@step("conv_pool_step", "x, w, b and dout are left as they were")
def _(f):
    x, w, b = np.ones((1, 1, 4, 4)), np.ones((1, 1, 1, 1)), np.ones(1)
    dout = np.ones((1, 1, 2, 2))
    with unchanged(x=x, w=w, b=b, dout=dout):
        f(x, w, b, {"stride": 1, "pad": 0}, dict(_POOL), dout)


# The grader's own yardstick, the naive layers, takes about as long as this loop: one step for each
# output of the two layers, forward and backward.
_STEPS = 2 * (2 * 96 * 96 + 2 * 94 * 94)
TIMES = 25  # in-process; whoever comes this far has all the grader's points (a test compares them)


@step("conv_pool_step", "fast: many times as fast as a loop")
def _(f):
    rng = np.random.default_rng(9)
    x, w, b = rng.random((1, 1, 96, 96)), rng.random((2, 1, 3, 3)), rng.random(2)
    conv, pool = dict(_PARAM), {"pool_height": 3, "pool_width": 3, "stride": 1}
    dout = rng.random((1, 2, 94, 94))
    loop = seconds(lambda: plain_loop(_STEPS // 8, 9), budget=0.1) * 8
    yours = seconds(lambda: f(x, w, b, conv, pool, dout), budget=0.5)
    if loop < TIMES * yours:
        raise CheckFailed(
            f"your step took {1000 * yours:.0f} ms, a loop that takes as many steps as there are "
            f"outputs {1000 * loop:.0f} ms: {loop / yours:.2g} times as fast",
            f"at least {TIMES} times as fast",
            "a loop over pixels in one of the four functions that it calls. If there is none: is "
            "the machine busy? Run the check again.",
        )
