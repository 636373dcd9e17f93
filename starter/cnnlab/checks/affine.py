"""The steps for affine layers and the ReLU. The answers are literals, worked out by hand."""

from __future__ import annotations

import numpy as np

from cnnlab.checks.expect import (
    array,
    forward_of,
    forward_works,
    gradient,
    in_order,
    own_forward,
    parts,
    same_dtype,
    unchanged,
)
from cnnlab.checks.steps import step

_FORWARD = ("out", "cache")
_X = np.array([[1.0, 2, 3], [0, -1, 1]])
_W = np.array([[1.0, 0], [0, -2], [1, 1]])
_B = np.array([0.5, -10])
_GIVEN = {"x": _X, "w": _W, "b": _B}


def _out(f, x, w, b):
    """f's out, on fresh copies."""
    return parts(f(x.copy(), w.copy(), b.copy()), _FORWARD)[0]


@step("affine_forward", "two rows of three numbers, by hand")
def _(f):
    right = np.array([[4.5, -11], [1.5, -7]])
    array(
        _out(f, _X, _W, _B),
        right,
        "out",
        "work out the top left number with pencil: 1·1 + 2·0 + 3·1, plus 0.5.",
        known=[
            (right - _B, "the biases are not added."),
            (np.maximum(right, 0), "negative numbers became 0. There is no ReLU in this layer."),
            ([[0.5, -17], [3.5, -9]], "x.reshape(D, N).T mixes the rows: reshape to (N, D)."),
        ],
        shape_cause="out has a row for each image, a column for each output: rows @ w.",
        inputs=_GIVEN,
    )


_PAGES = np.array([[[[1.0, 2], [3, 4]], [[5, 6], [7, 8]]], [[[0, 0], [0, 0]], [[0, 0], [0, 1]]]])


@step("affine_forward", "images: each is laid out as one row first")
def _(f):
    digits = 10.0 ** np.arange(8)[:, None]
    array(
        _out(f, _PAGES, digits, np.zeros(1)),
        [[87654321], [10000000]],
        "out",
        "the weights are 1, 10, 100, ..., so that out shows the order of an image's numbers: "
        "x.reshape(len(x), -1).",
        known=[
            ([[84736251], [10000000]], "channels last: take the numbers in reshape's order."),
            ([[7531], [10008642]], "x.reshape(D, N).T mixes the images: reshape to (N, D)."),
        ],
        shape_cause="one number for each of the two images: (2, 1).",
        tolerance=1e-9,
    )


@step("affine_forward", "one image of 2×3 pixels, and two outputs")
def _(f):
    x = np.arange(6.0).reshape(1, 1, 2, 3)
    w = np.array([[1.0, 0]] * 3 + [[0, 1.0]] * 3)
    cause = "the first output adds up the upper row, the second the lower."
    array(_out(f, x, w, np.zeros(2)), [[3, 12]], "out", cause)


@step("affine_forward", "float32 in, float32 out")
def _(f):
    def run(dtype):
        return _out(f, _X.astype(dtype), _W.astype(dtype), _B.astype(dtype))

    same_dtype(run, "out", "x, w and b", "an array of float64 came in between: np.zeros?")


@step("affine_forward", "x, w and b are left as they were")
def _(f):
    x, w, b = _PAGES.copy(), np.ones((8, 3)), np.ones(3)
    with unchanged(x=x, w=w, b=b):
        f(x, w, b)


_GRADIENTS = ("dx", "dw", "db")
_AVERAGED = "divided by the number of images. The loss has averaged already, if at all: only sum."
_WHY = {
    "dx": "each output hands its gradient, times w, back to the numbers that it saw.",
    "dw": "each weight: the number that it saw, times the gradient of its output; add up.",
    "db": "every image uses the biases: add dout up over the images, axis 0.",
}


def _gradients(f, x, w, b, dout) -> list:
    """f's gradients, after the student's own forward pass, on fresh copies of all."""
    forward = own_forward(f, "affine_forward")
    _, cache = parts(forward(x.copy(), w.copy(), b.copy()), _FORWARD)
    return parts(f(dout.copy(), cache), _GRADIENTS)


@step("affine_backward", "your own affine_forward is there, and right")
def _(f):
    forward_works(f, "affine_forward")


@step("affine_backward", "two rows of three numbers, by hand")
def _(f):
    dout = np.array([[1.0, 0], [10, 100]])
    dx, dw, db = came = _gradients(f, _X, _W, _B, dout)
    right = ([[1, 0, 1], [10, -200, 110]], [[1, 0], [-8, -100], [13, 100]], [11, 100])
    in_order(came, right, _GRADIENTS)
    given = {"dout": dout, **_GIVEN}
    array(
        db,
        [11, 100],
        "db",
        _WHY["db"],
        known=[([1, 110], "summed over the outputs; sum over the images, axis 0."),
               ([5.5, 50], _AVERAGED)],
        shape_cause="one number for each output, (2,). The order is dx, dw, db.",
        inputs=given,
    )  # fmt: skip
    array(
        dw,
        right[1],
        "dw",
        _WHY["dw"],
        known=[
            (np.array(right[1]) / 2, _AVERAGED),
            (
                [[21, 200], [3, 0], [9, 100]],
                "x.reshape(D, N) mixes the images: (N, D), then T.",
            ),
        ],
        known_shapes={(2, 3): "dw is transposed: it has the shape of w."},
        shape_cause="dw has the shape of w: (3, 2). The order is dx, dw, db.",
        inputs=given,
    )
    array(
        dx,
        right[0],
        "dx",
        _WHY["dx"],
        known=[
            (
                np.array(right[0]).T.reshape(2, 3),
                "transposed, then reshaped: that mixes the images.",
            )
        ],
        shape_cause="dx has the shape of x: (2, 3).",
        inputs=given,
    )


@step("affine_backward", "numeric gradients: three images of 2×2×3")
def _(f):
    # halves, and a layer that is linear in each of them: h = 0.5 makes no error
    rng = np.random.default_rng(1)
    shapes = {"x": (3, 2, 2, 3), "w": (12, 4), "b": (4,)}
    at = {name: rng.integers(-6, 7, shape) / 2 for name, shape in shapes.items()}
    dout = rng.integers(1, 9, (3, 4)) / 2
    came = dict(zip(at, _gradients(f, *at.values(), dout), strict=True))
    forward = own_forward(f, "affine_forward")
    flat = "dx is still in rows: it has the shape of x, reshape(x.shape)."
    for name in ("b", "w", "x"):

        def out(moved, name=name):
            return _out(forward, *{**at, name: moved}.values())

        what = f"d{name}"
        shape_cause = flat if name == "x" else ""
        multiples = {1 / 3: _AVERAGED}
        gradient(
            came[name],
            out,
            at[name],
            dout,
            what,
            _WHY[what],
            shape_cause,
            multiples=multiples,
            h=0.5,
        )


@step("affine_backward", "float32 in, float32 out")
def _(f):
    for i, name in enumerate(_GRADIENTS):

        def run(dtype, i=i):
            arrays = (_X, _W, _B, np.ones((2, 2)))
            return _gradients(f, *(a.astype(dtype) for a in arrays))[i]

        same_dtype(run, name, "dout, x, w and b", "an array of float64 came in between: np.zeros?")


@step("affine_backward", "dout, x and w are left as they were, and so is the cache")
def _(f):
    x, w, dout = _PAGES.copy(), np.ones((8, 3)), np.ones((2, 3))
    _, cache = parts(own_forward(f, "affine_forward")(x, w, np.zeros(3)), _FORWARD)
    with unchanged(dout=dout, x=x, w=w):
        first = [np.array(part) for part in parts(f(dout, cache), _GRADIENTS)]
    for name, one, two in zip(_GRADIENTS, first, parts(f(dout, cache), _GRADIENTS), strict=True):
        cause = "something in the cache was changed by the first call: work on a copy."
        array(two, one, f"{name} of a second call", cause, source=f"{name} of the first")


_SIGNED = np.array([[-2.0, 3, 0.5], [0, -0.25, 100]])


@step("relu_forward", "six numbers, by hand")
def _(f):
    out, _ = parts(f(_SIGNED.copy()), _FORWARD)
    array(
        out,
        [[0, 3, 0.5], [0, 0, 100]],
        "out",
        "what is negative becomes 0, all else stays.",
        known=[
            (np.minimum(_SIGNED, 0), "the wrong side: what is negative becomes 0."),
            (np.abs(_SIGNED), "the negative numbers changed their sign. They should become 0."),
            (_SIGNED, "x came back as it was."),
            ([[-0.02, 3, 0.5], [0, -0.0025, 100]], "that is a leaky ReLU; here it is 0."),
            ([[0, 1, 1], [0, 0, 1]], "0 and 1: that tells where x is positive. Keep the number."),
        ],
        shape_cause="out has the shape of x. np.maximum goes number by number, np.max does not.",
        inputs={"x": _SIGNED},
    )


@step("relu_forward", "a batch of images keeps its shape")
def _(f):
    x = np.arange(-12.0, 12).reshape(2, 3, 2, 2)
    right = np.concatenate([np.zeros(12), np.arange(12.0)]).reshape(x.shape)
    out, _ = parts(f(x.copy()), _FORWARD)
    array(out, right, "out", "number by number, whatever the shape.", known=[(x, "x came back.")])


@step("relu_forward", "float32 in, float32 out")
def _(f):
    cause = "an array of float64 came in between: np.zeros?"
    same_dtype(lambda dtype: parts(f(_SIGNED.astype(dtype)), _FORWARD)[0], "out", "x", cause)


@step("relu_forward", "x is left as it was")
def _(f):
    x = _SIGNED.copy()
    with unchanged(x=x):
        f(x)


def _relu_dx(f, x, dout):
    forward = own_forward(f, forward_of(f))
    _, cache = parts(forward(x.copy()), _FORWARD)
    return f(dout.copy(), cache)


@step("relu_backward", "your own relu_forward is there, and right")
def _(f):
    forward_works(f, "relu_forward")


@step("relu_backward", "six numbers, by hand")
def _(f):
    x = np.array([[-2.0, 3, 0.5], [-7, -0.25, 100]])
    dout = np.array([[1.0, -2, 3], [-4, 5, 6]])
    right = np.array([[0.0, -2, 3], [0, 0, 6]])
    array(
        _relu_dx(f, x, dout),
        right,
        "dx",
        "the gradient passes where x was positive; elsewhere it is 0.",
        known=[
            (np.maximum(dout, 0), "the sign of dout decided. That of x does."),
            (dout, "everything passed. Where x was negative, nothing does."),
            (right != 0, "0 and 1: that is the slope. Multiply it with dout."),
            ([[0, -6, 1.5], [0, 0, 600]], "multiplied with x. The slope is 1, however large x is."),
            ([[1, 0, 0], [-4, 5, 0]], "the wrong side: it passes where x was positive."),
            ([[0, 0, 3], [0, 0, 6]], "negative gradients were dropped too. The sign of x decides."),
        ],
        inputs={"x": x, "dout": dout},
    )


@step("relu_backward", "numeric gradient: images")
def _(f):
    rng = np.random.default_rng(2)
    x = (rng.integers(0, 6, (2, 2, 3, 2)) + 0.5) * rng.choice([-1, 1], (2, 2, 3, 2))  # no kink near
    dout = rng.integers(-8, 9, x.shape) / 2
    forward = own_forward(f, "relu_forward")

    def out(moved):
        return parts(forward(moved), _FORWARD)[0]

    cause = "the gradient passes where x was positive; elsewhere it is 0."
    gradient(_relu_dx(f, x, dout), out, x, dout, "dx", cause, h=0.25)


@step("relu_backward", "float32 in, float32 out")
def _(f):
    def run(dtype):
        return _relu_dx(f, _SIGNED.astype(dtype), np.ones_like(_SIGNED, dtype))

    same_dtype(run, "dx", "x and dout", "an array of float64 came in between: np.zeros?")


@step("relu_backward", "dout and x are left as they were, and so is the cache")
def _(f):
    x, dout = _SIGNED.copy(), np.ones((2, 3))
    _, cache = parts(own_forward(f, "relu_forward")(x), _FORWARD)
    with unchanged(dout=dout, x=x):
        first = np.array(f(dout, cache))
    cause = "the cache was changed by the first call: work on a copy."
    array(f(dout, cache), first, "dx of a second call", cause, source="dx of the first")
