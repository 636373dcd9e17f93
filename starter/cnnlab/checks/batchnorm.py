"""The steps for batch normalisation. The answers are literals, worked out by hand."""

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
    value_error,
)
from cnnlab.checks.steps import CheckFailed, step

_FORWARD = ("out", "cache")
_ONE, _ZERO = np.ones(1), np.zeros(1)
# mean 4, variance 5: the root is 3 with eps 4, and 4 with eps 11
_X = np.array([1.0, 3, 5, 7]).reshape(2, 1, 1, 2)
_CENTRED = _X - 4
_GIVEN = {"x[0, 0]": _X[0, 0], "x[1, 0]": _X[1, 0]}
_AXES = "one mean and one variance per channel, over images, rows and columns: axis=(0, 2, 3)."


def _out(f, x, gamma, beta, param):
    return parts(f(x.copy(), gamma.copy(), beta.copy(), param), _FORWARD)[0]


def _averages(f, x, param) -> tuple:
    """What the running averages are after a step of training."""
    C = x.shape[1]
    f(x.copy(), np.ones(C), np.zeros(C), param)
    for name in ("running_mean", "running_var"):
        if name not in param:
            cause = f"assign it: bn_param['{name}'] = ... ; the dict is how you return it."
            raise CheckFailed(f"bn_param has no '{name}' after a step of training", "one", cause)
    return param["running_mean"], param["running_var"]


@step("spatial_batchnorm_forward", "four numbers, 1, 3, 5 and 7, by hand")
def _(f):
    array(
        # with eps 4, that of the images' variances, 1, would look like no eps at all
        _out(f, _X, _ONE, _ZERO, {"mode": "train", "eps": 11}),
        _CENTRED / 4,
        "out",
        f"the mean is 4, the variance 5; sqrt(5 + eps) is 4, as eps is 11 here. {_AXES}",
        shape_cause="out has the shape of x.",
        known=[
            (
                np.array([-2.0, -2, 2, 2]).reshape(_X.shape) / np.sqrt(15),
                f"over images only: {_AXES}",
            ),
            (
                np.array([-1.0, 1, -1, 1]).reshape(_X.shape) / np.sqrt(12),
                f"image by image: {_AXES}",
            ),
            (
                _CENTRED / np.sqrt(12),
                "the variance is the mean of the images' own variances, 1. The numbers differ from "
                "the mean of all images, 4: subtract that, then square.",
            ),
            (_CENTRED / 16, "divided by the variance: take the root, sqrt(var + eps)."),
            (_CENTRED / (np.sqrt(5) + 11), "eps belongs inside the root: sqrt(var + eps)."),
            (_CENTRED / np.sqrt(5 + 1e-5), "bn_param['eps'] is not used."),
            (_CENTRED / np.sqrt(5), "eps is not used."),
            (_CENTRED / np.sqrt(20 / 3 + 11), "the variance divides by one less: no ddof."),
            (_X / 4, "the mean is not taken off."),
            (_X / np.sqrt(11), "that is x with the running averages: training uses this batch's."),
        ],
        inputs=_GIVEN,
    )


@step("spatial_batchnorm_forward", "two channels: each by itself, with its own gamma and beta")
def _(f):
    x = np.array([[[[1.0, 3]], [[10, 30]]]])
    cause = f"normalised, both channels are −1 and 1; then times gamma, plus beta: {_AXES}"
    array(
        _out(f, x, np.array([2.0, 5]), np.array([100.0, 0]), {"mode": "train", "eps": 0.0}),
        [[[[98, 102]], [[-5, 5]]]],
        "out",
        cause,
        known=[
            (
                [[[[98, 5]], [[98, 5]]]],
                "gamma and beta went along the columns: reshape to (C, 1, 1).",
            ),
            ([[[[-2, 2]], [[-5, 5]]]], "beta is not added."),
            ([[[[99, 101]], [[-1, 1]]]], "gamma is not used."),
        ],
        inputs={"x[0, 0]": x[0, 0], "x[0, 1]": x[0, 1], "gamma": [2, 5], "beta": [100, 0]},
    )


@step("spatial_batchnorm_forward", "images that are not square: rows and columns count too")
def _(f):
    x = np.zeros((2, 2, 1, 4))
    x[0, 0], x[1, 0], x[1, 1] = 8, 4, [[0, 0, 0, 8]]
    right = np.zeros_like(x)
    right[0, 0], right[1, 0] = 1, -1
    right[:, 1] = -1 / np.sqrt(7)
    right[1, 1, 0, 3] = np.sqrt(7)
    cause = (
        f"channel 0 has the mean 6 and the root 2, channel 1 the mean 1 and the root √7. {_AXES}"
    )
    images = (x - np.array([4, 3]).reshape(2, 1, 1)) / np.array([4, np.sqrt(7)]).reshape(2, 1, 1)
    ones, param = np.ones(2), {"mode": "train", "eps": 0.0}
    array(
        _out(f, x, ones, 0 * ones, param),
        right,
        "out",
        cause,
        known=[(images, "x.reshape(C, -1) puts images into its rows: average over axes 0, 2, 3.")],
    )


@step("spatial_batchnorm_forward", "eps is 1e-5 if it is missing, inside the root")
def _(f):
    x = np.array([-1e-3, 1e-3]).reshape(1, 1, 1, 2)
    right = x / np.sqrt(1.1e-5)
    array(
        _out(f, x, _ONE, _ZERO, {"mode": "train"}),
        right,
        "out",
        "the variance is 1e-6 here, and sqrt(1e-6 + 1e-5) is 0.0033.",
        known=[
            (x / (1e-3 + 1e-5), "eps belongs inside the root: sqrt(var + eps)."),
            (x / 1e-3, "eps is missing."),
            (x / np.sqrt(1e-6 + 1e-8), "eps is 1e-8: here it is 1e-5 if it is missing."),
        ],
    )
    same = _out(f, np.full((2, 1, 1, 2), 7.0), _ONE, _ZERO, {"mode": "train"})
    array(same, np.zeros((2, 1, 1, 2)), "out", "the same number everywhere: it becomes 0.")


@step("spatial_batchnorm_forward", "one step of training: the running averages, by hand")
def _(f):
    param = {"mode": "train", "momentum": 0.75}
    param |= {"running_mean": np.array([10.0]), "running_var": np.array([1.0])}
    mean, var = _averages(f, _X, param)
    stale = "it was not updated: momentum · old + (1 − momentum) · new, back into bn_param."
    swapped = "momentum and 1 − momentum are exchanged: momentum is the share of the old."
    new = "that is this batch's alone: average it with what was there."
    fixed = "bn_param['momentum'] is not used."
    array(
        mean,
        [8.5],
        "running_mean",
        "0.75·10 + 0.25·4.",
        known=[([10], stale), ([5.5], swapped), ([4], new), ([9.4], fixed)],
        shape_cause="one number per channel: (C,), here (1,).",
    )
    array(
        var,
        [2],
        "running_var",
        "0.75·1 + 0.25·5.",
        known=[
            ([1], stale),
            ([4], swapped),
            ([5], new),
            ([1.4], fixed),
            ([0.75 + 0.25 * 20 / 3], "the variance divides by one less (ddof=1): here by N·H·W."),
            ([0.75 + 0.25 * np.sqrt(5)], "that averages standard deviations: no root here."),
            ([0.75 + 0.25 * 5.00001], "eps is in it: that belongs into the root only."),
        ],
        shape_cause="one number per channel: (C,), here (1,).",
    )


@step("spatial_batchnorm_forward", "from nothing: they start from 0, and momentum is 0.9")
def _(f):
    param = {"mode": "train"}
    mean, var = _averages(f, _X, param)
    array(mean, [0.4], "running_mean", "0.9·0 + 0.1·4.")
    array(var, [0.5], "running_var", "0.9·0 + 0.1·5.")
    mean, var = _averages(f, _X, param)
    array(mean, [0.76], "running_mean", "and again: 0.9·0.4 + 0.1·4.")
    array(var, [0.95], "running_var", "and again: 0.9·0.5 + 0.1·5.")


_TEST = {"mode": "test", "eps": 4, "running_mean": np.array([10.0]), "running_var": np.array([5.0])}


@step("spatial_batchnorm_forward", "testing: with the running averages, which stay as they are")
def _(f):
    param = dict(_TEST)
    array(
        _out(f, _X, _ONE, _ZERO, param),
        (_X - 10) / 3,
        "out",
        "the running mean is 10, sqrt(running_var + eps) is 3.",
        known=[
            (_CENTRED / 3, "the batch's own mean was taken: in 'test' use the running averages."),
            ((_X - 10) / 9, "divided by the variance: take the root, sqrt(var + eps)."),
            ((_X - 10) / (np.sqrt(5) + 4), "eps belongs inside the root: sqrt(var + eps)."),
            ((_X - 10) / 5, "the root is missing."),
        ],
        inputs={**_GIVEN, "running_mean": [10], "running_var": [5]},
    )
    for name, value in _TEST.items():
        if not np.array_equal(param[name], value):
            cause = "testing only reads bn_param: update the averages in 'train'."
            raise CheckFailed(f"bn_param['{name}'] changed in 'test'", "as it was", cause)


@step("spatial_batchnorm_forward", "another mode: a ValueError")
def _(f):
    call = "with the mode 'testing', spatial_batchnorm_forward"
    cause = "an else that takes every other word for 'train' or 'test': raise ValueError(...)."

    def run():
        return "a result" if f(_X.copy(), _ONE, _ZERO, {**_TEST, "mode": "testing"}) else None

    value_error(run, call, "the mode is 'train' or 'test'", cause)


@step("spatial_batchnorm_forward", "float32 in, float32 out, and float32 averages")
def _(f):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((2, 3, 4, 5))

    def run(dtype):
        one = np.ones(3, dtype)
        return _out(f, x.astype(dtype), one, 0 * one, {"mode": "train"})

    cause = "np.zeros makes float64 unless told: dtype=x.dtype."
    same_dtype(run, "out", "x", cause)
    for i, name in enumerate(("running_mean", "running_var")):

        def average(dtype, i=i):
            return _averages(f, x.astype(dtype), {"mode": "train"})[i]

        same_dtype(average, name, "x", cause)


@step("spatial_batchnorm_forward", "x, gamma and beta are left as they were, and the old averages")
def _(f):
    rng = np.random.default_rng(4)
    x, gamma, beta = rng.standard_normal((2, 3, 4, 5)), np.ones(3), np.zeros(3)
    mean, var = np.ones(3), np.ones(3)
    for mode in ("train", "test"):
        before = {"mode": mode, "eps": 0.1, "momentum": 0.5}
        param = {**before, "running_mean": mean, "running_var": var}
        with unchanged(x=x, gamma=gamma, beta=beta, running_mean=mean, running_var=var):
            f(x, gamma, beta, param)
        changed = [name for name in before if param.get(name) != before[name]]
        if changed:
            cause = "pop takes a number out of the dict: read it with bn_param.get(...)."
            raise CheckFailed(f"bn_param['{changed[0]}'] was changed", "as it was", cause)
        more = [name for name in param if name not in (*before, "running_mean", "running_var")]
        if more:
            cause = "what the backward pass needs belongs into the cache: bn_param lives on."
            raise CheckFailed(f"bn_param has a new entry, {more[0]!r}", "none", cause)


_GRADIENTS = ("dx", "dgamma", "dbeta")
_SUM = "sum over images, rows and columns: axis=(0, 2, 3)."
_WHY = {
    "dx": "three ways lead from x to out: directly, through the mean, through the variance.",
    "dgamma": f"dout times what gamma was multiplied with, the normalised numbers; {_SUM}",
    "dbeta": f"beta is added to every number of its channel: {_SUM}",
}


def _gradients(f, x, gamma, beta, dout, param) -> list:
    """f's gradients, after the student's own forward pass, on fresh copies of all."""
    forward = own_forward(f, "spatial_batchnorm_forward")
    _, cache = parts(forward(x.copy(), gamma.copy(), beta.copy(), dict(param)), _FORWARD)
    return parts(f(dout.copy(), cache), _GRADIENTS)


@step("spatial_batchnorm_backward", "your own spatial_batchnorm_forward is there, and right")
def _(f):
    forward_works(f, "spatial_batchnorm_forward")


_DX = np.array([3.0, -2, -1, 0]).reshape(_X.shape) / 6


@step("spatial_batchnorm_backward", "four numbers, by hand: dbeta and dgamma")
def _(f):
    dout = np.array([1.0, 0, 0, 0]).reshape(_X.shape)
    param = {"mode": "train", "eps": 4}
    _, dgamma, dbeta = came = _gradients(f, _X, 3 * _ONE, _ZERO, dout, param)
    in_order(came, (_DX, [-1], [1]), _GRADIENTS)
    shape_cause = f"one number for each channel, (1,). {_SUM} The order is dx, dgamma, dbeta."
    mean = "that is a mean. The loss has averaged already: only sum."
    array(dbeta, [1], "dbeta", _WHY["dbeta"], known=[([0.25], mean)], shape_cause=shape_cause)
    array(
        dgamma,
        [-1],
        "dgamma",
        _WHY["dgamma"],
        known=[
            ([1], "the sum of dout alone: multiply it with the normalised numbers first."),
            ([-3], "dout times x − mean: x − mean has to be divided by the root too."),
            ([-0.25], mean),
        ],
        shape_cause=shape_cause,
        inputs={**_GIVEN, "dout[0, 0]": dout[0, 0], "dout[1, 0]": dout[1, 0]},
    )


@step("spatial_batchnorm_backward", "four numbers, by hand: dx")
def _(f):
    dout = np.array([1.0, 0, 0, 0]).reshape(_X.shape)
    dx, _, _ = _gradients(f, _X, 3 * _ONE, _ZERO, dout, {"mode": "train", "eps": 4})
    images = "the means divide by N. A channel has N·H·W numbers, 4 here."
    array(
        dx,
        _DX,
        "dx",
        f"{_WHY['dx']} gamma / root is 1 here; dx sums to 0.",
        known=[
            (dout, "only the direct way: the mean and the variance are made from x too."),
            (dout - 0.25, "the way through the variance is missing."),
            (_DX + 0.25, "the way through the mean is missing: dx has to sum to 0."),
            (np.array([0.0, -4, -2, 0]).reshape(_X.shape) / 6, images),
            (_DX / 3, "gamma is missing."),
            (3 * _DX, "not divided by sqrt(var + eps)."),
        ],
        shape_cause="dx has the shape of x. The order is dx, dgamma, dbeta.",
        inputs={**_GIVEN, "dout[0, 0]": dout[0, 0], "dout[1, 0]": dout[1, 0]},
    )


def _numeric(f, mode: str) -> None:
    """Compare all three gradients with those of the student's own forward function."""
    rng = np.random.default_rng(5)
    at = {
        "x": rng.standard_normal((2, 2, 3, 2)),
        "gamma": rng.uniform(0.5, 2, 2),
        "beta": rng.standard_normal(2),
    }
    dout = rng.standard_normal((2, 2, 3, 2))
    param = {"mode": mode, "eps": 0.5, "running_mean": np.ones(2), "running_var": np.full(2, 0.5)}
    came = dict(zip(at, _gradients(f, *at.values(), dout, param), strict=True))
    forward = own_forward(f, "spatial_batchnorm_forward")
    for name in ("beta", "gamma", "x"):

        def out(moved, name=name):
            return _out(forward, *{**at, name: moved}.values(), dict(param))

        cause = _WHY[f"d{name}"]
        if mode == "test" and name == "x":
            cause = "in 'test' the averages are constants: only the direct way is left."
        gradient(came[name], out, at[name], dout, f"d{name}", cause)


@step("spatial_batchnorm_backward", "numeric gradients: two images, two channels, not square")
def _(f):
    _numeric(f, "train")


@step("spatial_batchnorm_backward", "numeric gradients after a forward pass in 'test'")
def _(f):
    _numeric(f, "test")


def _some(dtype=np.float64) -> tuple:
    x = np.random.default_rng(6).standard_normal((2, 3, 4, 5)).astype(dtype)
    return x, 2 * np.ones(3, dtype), np.zeros(3, dtype), np.ones_like(x)


@step("spatial_batchnorm_backward", "float32 in, float32 out")
def _(f):
    for i, name in enumerate(_GRADIENTS):

        def run(dtype, i=i):
            return _gradients(f, *_some(dtype), {"mode": "train"})[i]

        same_dtype(run, name, "dout and x", "an array of float64 came in between: np.zeros?")


@step("spatial_batchnorm_backward", "dout and x are left as they were, and so is the cache")
def _(f):
    x, gamma, beta, dout = _some()
    forward = own_forward(f, "spatial_batchnorm_forward")
    _, cache = parts(forward(x, gamma, beta, {"mode": "train"}), _FORWARD)
    with unchanged(dout=dout, x=x, gamma=gamma):
        first = [np.array(part) for part in parts(f(dout, cache), _GRADIENTS)]
    for name, one, two in zip(_GRADIENTS, first, parts(f(dout, cache), _GRADIENTS), strict=True):
        cause = "something in the cache was changed by the first call: work on a copy."
        array(two, one, f"{name} of a second call", cause, source=f"{name} of the first")
