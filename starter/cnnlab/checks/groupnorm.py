"""The steps for group normalisation. The answers are literals, worked out by hand."""

from __future__ import annotations

import numpy as np

from cnnlab.checks.expect import (
    array,
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
_CUT = "x.reshape(N, G, -1) cuts the channels into groups; normalise along the last axis."


def _column(*numbers) -> np.ndarray:
    """One number per channel, as x, gamma and beta have them: shape (1, C, 1, 1)."""
    return np.array(numbers, dtype=float).reshape(1, -1, 1, 1)


def _out(f, x, gamma, beta, G, param):
    return parts(f(x.copy(), gamma.copy(), beta.copy(), G, dict(param)), _FORWARD)[0]


def _plain(f, x, G, **param):
    """out, with scales of 1 and shifts of 0."""
    ones = np.ones((1, x.shape[1], 1, 1))
    return _out(f, x, ones, 0 * ones, G, param)


@step("spatial_groupnorm_forward", "six channels of one pixel in three groups, by hand")
def _(f):
    x = _column(1, 3, 10, 30, 200, 600)
    array(
        _plain(f, x, 3, eps=1e-12),
        _column(-1, 1, -1, 1, -1, 1),
        "out",
        f"the pairs 1 and 3, 10 and 30, 200 and 600 each become −1 and 1. {_CUT}",
        shape_cause="out has the shape of x.",
        known=[
            (
                _column(-1, -1, -1, 1, 1, 1),
                "dealt out in turn: a group is a block of neighbouring channels.",
            ),
            (_thirds(x), "groups of three: G is the number of groups, not their size."),
            (0 * x, "each channel alone became 0: average over the group's channels."),
            (
                _column(-1, 1, -1, 1, -1, 1) / np.sqrt(2),
                "the variance divides by one less: no ddof.",
            ),
        ],
        inputs={"x[0, :, 0, 0]": x.ravel()},
    )


def _thirds(x: np.ndarray) -> np.ndarray:
    """What two groups of three channels would give."""
    groups = x.reshape(2, 3)
    centred = groups - groups.mean(axis=1, keepdims=True)
    return (centred / np.sqrt(np.mean(centred**2, axis=1, keepdims=True))).reshape(x.shape)


_X = np.array([1.0, 3, 5, 7]).reshape(1, 2, 1, 2)  # mean 4, variance 5; with eps 4 the root is 3
_CENTRED = _X - 4
_GIVEN = {"x[0, 0]": _X[0, 0], "x[0, 1]": _X[0, 1]}


@step("spatial_groupnorm_forward", "two channels of two pixels in one group; eps is 4")
def _(f):
    array(
        _plain(f, _X, 1, eps=4),
        _CENTRED / 3,
        "out",
        "the mean is 4, the variance 5, and sqrt(5 + 4) is 3.",
        known=[
            (_CENTRED / (np.sqrt(5) + 4), "eps belongs inside the root: sqrt(var + eps)."),
            (_CENTRED / np.sqrt(20 / 3 + 4), "the variance divides by one less: no ddof."),
            (_CENTRED / np.sqrt(5), "gn_param['eps'] is not used."),
            (_CENTRED / np.sqrt(5 + 1e-5), "gn_param['eps'] is not used."),
            (_CENTRED / 9, "divided by the variance: take the root, sqrt(var + eps)."),
            (
                np.array([-1.0, 1, -1, 1]).reshape(_X.shape) / np.sqrt(5),
                "each channel alone: the channels of a group share one mean and variance.",
            ),
        ],
        inputs=_GIVEN,
    )


@step("spatial_groupnorm_forward", "gamma and beta: one for each channel")
def _(f):
    right = np.array([98.0, 98 + 4 / 3, 5 / 3, 5]).reshape(_X.shape)
    array(
        _out(f, _X, _column(2, 5), _column(100, 0), 1, {"eps": 4}),
        right,
        "out",
        "−1, −1/3, 1/3, 1 become 2·(−1) + 100, ...: gamma has the shape (1, C, 1, 1) already.",
        known=[
            (_CENTRED / 3, "gamma and beta are not used."),
            (right - _column(100, 0), "beta is not added."),
            (_CENTRED / 3 + _column(100, 0), "gamma is not used."),
        ],
    )


@step("spatial_groupnorm_forward", "two images: each by itself")
def _(f):
    x = np.concatenate([_X, 100 * _X])
    cause = (
        "the mean or the variance was taken over the images: each image is normalised by itself."
    )
    right = np.concatenate([_CENTRED, _CENTRED]) / np.sqrt(5)
    array(_plain(f, x, 1, eps=0.0), right, "out", cause)


@step("spatial_groupnorm_forward", "eps is 1e-5 if it is missing")
def _(f):
    x = np.array([-1e-3, 1e-3]).reshape(1, 1, 1, 2)
    cause = "the variance is 1e-6 here, and sqrt(1e-6 + 1e-5) is 0.0033."
    array(_plain(f, x, 1), x / np.sqrt(1.1e-5), "out", cause)


@step("spatial_groupnorm_forward", "as many groups as channels, on images that are not square")
def _(f):
    x = np.random.default_rng(1).integers(0, 9, (2, 3, 2, 4)).astype(float)
    mean = x.mean(axis=(2, 3), keepdims=True)
    var = np.mean((x - mean) ** 2, axis=(2, 3), keepdims=True)
    cause = "each channel of each image has its own mean: that is instance normalisation."
    array(
        _plain(f, x, 3, eps=0.5),
        (x - mean) / np.sqrt(var + 0.5),
        "out",
        cause,
        known=[(_each_gth(x, 3, 0.5), f"the sizes of the reshape are exchanged. {_CUT}")],
    )


def _each_gth(x: np.ndarray, G: int, eps: float) -> np.ndarray:
    """What comes out if each G-th number goes into the same group, and stays there."""
    groups = x.reshape(len(x), -1, G).transpose(0, 2, 1)
    mean, var = groups.mean(axis=2, keepdims=True), groups.var(axis=2, keepdims=True)
    return ((groups - mean) / np.sqrt(var + eps)).reshape(x.shape)


def _some(dtype=np.float64) -> tuple:
    x = np.random.default_rng(2).standard_normal((2, 4, 3, 5)).astype(dtype)
    gamma = 2 * np.ones((1, 4, 1, 1), dtype)
    return x, gamma, 0 * gamma, np.ones_like(x)


_TO_FLOAT64 = "an array of float64 came in between: np.zeros?"


@step("spatial_groupnorm_forward", "float32 in, float32 out")
def _(f):
    same_dtype(lambda dtype: _out(f, *_some(dtype)[:3], 2, {}), "out", "x", _TO_FLOAT64)


@step("spatial_groupnorm_forward", "x, gamma and beta are left as they were")
def _(f):
    x, gamma, beta, _ = _some()
    with unchanged(x=x, gamma=gamma, beta=beta):
        f(x, gamma, beta, 2, {})


_GRADIENTS = ("dx", "dgamma", "dbeta")
_SUM = "sum over images, rows and columns: axis=(0, 2, 3), keepdims=True."
_WHY = {
    "dx": "three ways lead from x to out: directly, through the mean, through the variance, each "
    "within a group of an image; begin with dout · gamma.",
    "dgamma": f"dout times the normalised numbers; {_SUM}",
    "dbeta": f"beta is added to every number of its channel: {_SUM}",
}


def _gradients(f, x, gamma, beta, dout, G=2, param=None) -> list:
    """f's gradients, after the student's own forward pass, on fresh copies of all."""
    forward = own_forward(f, "spatial_groupnorm_forward")
    _, cache = parts(forward(x.copy(), gamma.copy(), beta.copy(), G, param or {}), _FORWARD)
    return parts(f(dout.copy(), cache), _GRADIENTS)


@step("spatial_groupnorm_backward", "your own spatial_groupnorm_forward is there, and right")
def _(f):
    forward_works(f, "spatial_groupnorm_forward")


@step("spatial_groupnorm_backward", "two channels in one group, by hand")
def _(f):
    dout = np.array([1.0, 0, 0, 1]).reshape(_X.shape)
    right = np.array([3.0, -4, -5, 6]).reshape(_X.shape) / 6
    came = _gradients(f, _X, _column(3, 6), _column(0, 0), dout, 1, {"eps": 4})
    in_order(came, (right, _column(-1, 1), _column(1, 1)), _GRADIENTS)
    dx, dgamma, dbeta = came
    given = {**_GIVEN, "dout[0, 0]": dout[0, 0], "dout[0, 1]": dout[0, 1], "gamma": [3, 6]}
    shape_cause = f"one number for each channel, of gamma's shape (1, 2, 1, 1). {_SUM}"
    array(dbeta, _column(1, 1), "dbeta", _WHY["dbeta"], shape_cause=shape_cause)
    array(
        dgamma,
        _column(-1, 1),
        "dgamma",
        _WHY["dgamma"],
        known=[
            (
                _column(1, 1),
                "the sum of dout alone: multiply it with the normalised numbers first.",
            ),
            (_column(-3, 3), "dout times x − mean: x − mean has to be divided by the root too."),
        ],
        shape_cause=shape_cause,
        inputs=given,
    )
    array(
        dx,
        right,
        "dx",
        f"{_WHY['dx']} It sums to 0 over a group.",
        known=[
            (np.array([1.0, 0, 0, 2]).reshape(_X.shape), "only the direct way: two are missing."),
            (
                np.array([1.0, -1, -2, 2]).reshape(_X.shape) / 2,
                "gamma came last. The channels of a group differ in it: begin with dout · gamma.",
            ),
            (np.array([1.0, -1, -1, 1]).reshape(_X.shape) / 6, "gamma is missing."),
            (
                np.array([1.0, -3, -3, 5]).reshape(_X.shape) / 4,
                "the way through the variance is missing.",
            ),
            (3 * right, "not divided by sqrt(var + eps)."),
        ],
        shape_cause="dx has the shape of x. The order is dx, dgamma, dbeta.",
        inputs=given,
    )


@step("spatial_groupnorm_backward", "numeric gradients: two images, four channels in two groups")
def _(f):
    rng = np.random.default_rng(5)
    at = {
        "x": rng.standard_normal((2, 4, 3, 2)),
        "gamma": rng.uniform(0.5, 2, (1, 4, 1, 1)),
        "beta": rng.standard_normal((1, 4, 1, 1)),
    }
    dout, param = rng.standard_normal((2, 4, 3, 2)), {"eps": 0.5}
    came = dict(zip(at, _gradients(f, *at.values(), dout, 2, param), strict=True))
    forward = own_forward(f, "spatial_groupnorm_forward")
    for name in ("beta", "gamma", "x"):

        def out(moved, name=name):
            return _out(forward, *{**at, name: moved}.values(), 2, param)

        gradient(came[name], out, at[name], dout, f"d{name}", _WHY[f"d{name}"])


@step("spatial_groupnorm_backward", "float32 in, float32 out")
def _(f):
    for i, name in enumerate(_GRADIENTS):

        def run(dtype, i=i):
            return _gradients(f, *_some(dtype))[i]

        same_dtype(run, name, "dout and x", _TO_FLOAT64)


@step("spatial_groupnorm_backward", "dout and x are left as they were, and so is the cache")
def _(f):
    x, gamma, beta, dout = _some()
    _, cache = parts(own_forward(f, "spatial_groupnorm_forward")(x, gamma, beta, 2, {}), _FORWARD)
    with unchanged(dout=dout, x=x, gamma=gamma):
        first = [np.array(part) for part in parts(f(dout, cache), _GRADIENTS)]
    for name, one, two in zip(_GRADIENTS, first, parts(f(dout, cache), _GRADIENTS), strict=True):
        cause = "something in the cache was changed by the first call: work on a copy."
        array(two, one, f"{name} of a second call", cause, source=f"{name} of the first")
