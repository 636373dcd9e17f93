"""The steps for the fast layers: those of the naive ones, and what only they can get wrong."""

from __future__ import annotations

import numpy as np

from cnnlab.checks import convolution, pooling  # noqa: F401  (pooling's steps come first)
from cnnlab.checks.expect import array, gradient, parts, unchanged
from cnnlab.checks.steps import STEPS, CheckFailed, Step, step
from cnnlab.timing import plain_loop, seconds

for _kind in ("conv", "max_pool", "avg_pool"):
    for _way in ("forward", "backward"):
        STEPS[f"{_kind}_{_way}_fast"] = [
            Step(each.name.replace("_naive", "_fast"), each.run)
            for each in STEPS[f"{_kind}_{_way}_naive"]
        ]
for _name in ("conv_forward_strides", "conv_forward_fft"):
    STEPS[_name] = list(STEPS["conv_forward_naive"])

_PARAM = {"stride": 1, "pad": 1}
_NINE = "each image of a batch as if it were alone: when you take a few at a time, the last few too"


def _batch() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nine images: more than go through a cache at once, and an odd number."""
    rng = np.random.default_rng(5)
    return rng.standard_normal((9, 3, 32, 32)), rng.standard_normal((2, 3, 3, 3)), np.ones(2)


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
_TIMES = 25  # more than gives all points: loops that are left in one function come to 7 to 15


@step("conv_pool_step", "fast: many times as fast as a loop")
def _(f):
    rng = np.random.default_rng(9)
    x, w, b = rng.random((1, 1, 96, 96)), rng.random((2, 1, 3, 3)), rng.random(2)
    conv, pool = dict(_PARAM), {"pool_height": 3, "pool_width": 3, "stride": 1}
    dout = rng.random((1, 2, 94, 94))
    loop = seconds(lambda: plain_loop(_STEPS // 8, 9), budget=0.1) * 8
    yours = seconds(lambda: f(x, w, b, conv, pool, dout), budget=0.5)
    if loop < _TIMES * yours:
        raise CheckFailed(
            f"your step took {1000 * yours:.0f} ms, a loop that takes as many steps as there are "
            f"outputs {1000 * loop:.0f} ms: {loop / yours:.2g} times as fast",
            f"at least {_TIMES} times as fast",
            "a loop over pixels in one of the four functions that it calls. If there is none: is "
            "the machine busy? Run the check again.",
        )
