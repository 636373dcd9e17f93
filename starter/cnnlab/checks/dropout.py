"""The steps for dropout. The draw is the student's own: they ask for what holds of every draw."""

from __future__ import annotations

import numpy as np

from cnnlab.checks.expect import (
    array,
    common_generator_kept,
    forward_works,
    moves_the_common_generator,
    own_forward,
    parts,
    same_dtype,
    unchanged,
    value_error,
)
from cnnlab.checks.steps import CheckFailed, step

_FORWARD = ("out", "cache")
_SHAPE = (50, 60)  # enough numbers for their share to be near p
_KEPT = "keep where a random number from 0 to 1 is smaller than p."


def _param(p: float, mode: str = "train", seed: int | None = 7) -> dict:
    return {"mode": mode, "p": p} | ({} if seed is None else {"seed": seed})


def _out(f, x, param) -> np.ndarray:
    return parts(f(x.copy(), dict(param)), _FORWARD)[0]


def _dropped(f, x, param) -> np.ndarray:
    """f's out, of x's shape, without NaN: only then its zeros can be counted."""
    out = _out(f, x, param)
    if _is_like(out, x) and np.isfinite(out).all():
        return np.asarray(out)
    array(out, x, "out", "out has x's shape: each of its numbers is 0 or x / p.")
    return np.asarray(out)


def _is_like(came, x: np.ndarray) -> bool:
    """Whether it is an array of floats, of x's shape; a list will do."""
    try:
        numbers = np.asarray(came)
    except ValueError:  # ragged lists
        return False
    return numbers.dtype.kind == "f" and numbers.shape == x.shape


@step("dropout_forward", "p = 0.8: four of five numbers are kept")
def _(f):
    share = np.mean(_dropped(f, np.ones(_SHAPE), _param(0.8)) != 0)
    if abs(share - 0.8) > 0.05:
        cause = f"p is the probability of keeping, not of dropping: {_KEPT}"
        if abs(share - 0.2) < 0.05:
            cause = f"p was taken for the probability of dropping: {_KEPT}"
        if share == 1:
            cause = f"nothing is dropped. In 'train', {_KEPT}"
        if abs(share - 0.788) < 0.03:  # P(N(0, 1) < 0.8): too near to be told apart by counting
            cause = "np.random.random draws from 0 to 1; np.random.randn does not."
        raise CheckFailed(f"{100 * share:.0f}% of the numbers are not 0", "about 80%", cause)


@step("dropout_forward", "p = 0.25: and here one of four")
def _(f):
    share = np.mean(_dropped(f, np.ones(_SHAPE), _param(0.25)) != 0)
    if abs(share - 0.25) > 0.05:
        cause = _KEPT
        if abs(share - 0.6) < 0.04:
            cause = "draw evenly from 0 to 1: np.random.random, not np.random.randn."
        raise CheckFailed(f"{100 * share:.0f}% of the numbers are not 0", "about 25%", cause)


@step("dropout_forward", "what is kept is divided by p")
def _(f):
    x = np.arange(1.0, 25).reshape(4, 6)
    out = _dropped(f, x, _param(0.5))
    kept = out != 0
    array(
        out,
        kept * x / 0.5,
        "out",
        "in training, a number that is kept becomes x / p: here twice as large.",
        known=[
            (kept * x, "what is kept is not divided by p."),
            (kept * x * 0.5, "multiplied by p. It has to become larger: divide."),
        ],
        source="0, or x / p",
    )
    mean = float(np.mean(_dropped(f, np.ones(_SHAPE), _param(0.25))))
    if abs(mean - 1) > 0.2:
        cause = "what is kept is divided by p, not by 1 − p."
        raise CheckFailed(f"of ones, with p = 0.25, the mean is {mean:.2f}", "about 1", cause)


@step("dropout_forward", "each number is dropped by itself, of images too")
def _(f):
    for seed, when in ((7, "with a seed"), (None, "without a seed")):
        with common_generator_kept():
            kept = _dropped(f, np.ones((5, 6, 7, 8)), _param(0.5, seed=seed)) != 0
        for axis, what in enumerate(("images", "channels", "rows", "columns")):
            slices = np.moveaxis(kept, axis, 0).reshape(kept.shape[axis], -1)
            if len(np.unique(slices, axis=0)) < len(slices):
                raise CheckFailed(
                    f"{when}, some {what} have their zeros in the same places",
                    "each number dropped by itself",
                    "one mask for many: draw as many random numbers as x has, x.shape.",
                )


@step("dropout_forward", "'test': x comes out as it is")
def _(f):
    x = np.arange(1.0, 25).reshape(4, 6)
    array(
        _out(f, x, _param(0.5, "test")),
        x,
        "out",
        "numbers are dropped when testing too. Ask for the mode: in 'test' out is x.",
        known=[
            (x * 0.5, "multiplied by p. Training has divided by p already: in 'test' out is x."),
            (x / 0.5, "divided by p. Nothing was dropped, so in 'test' out is x."),
        ],
    )


@step("dropout_forward", "another mode: a ValueError")
def _(f):
    call = "with the mode 'testing', dropout_forward"
    cause = "an else that takes every other word for 'train' or 'test': raise ValueError(...)."
    param = _param(0.5, "testing")

    def run():
        return "a result" if f(np.ones((2, 3)), param) is not None else None

    value_error(run, call, "the mode is 'train' or 'test'", cause)


@step("dropout_forward", "the same seed drops the same; without one, each call drops others")
def _(f):
    x = np.ones((8, 9))
    one, two, other = (_dropped(f, x, _param(0.5, seed=seed)) for seed in (3, 3, 4))
    if not np.array_equal(one, two):
        cause = "the seed is not used: np.random.default_rng(seed) makes a generator of its own."
        raise CheckFailed("two calls with seed 3 dropped different numbers", "the same", cause)
    if np.array_equal(one, other):
        cause = "the generator has one and the same seed, whatever dropout_param['seed'] says."
        raise CheckFailed("seeds 3 and 4 dropped the same numbers", "others", cause)
    with common_generator_kept():
        one, two = (_dropped(f, x, _param(0.5, seed=0)) for _ in range(2))
    if not np.array_equal(one, two):
        cause = "0 is a seed, too: `if seed` takes it for none. Ask whether it is None."
        raise CheckFailed("two calls with seed 0 dropped different numbers", "the same", cause)
    with common_generator_kept():
        one, two = (_dropped(f, x, _param(0.5, seed=None)) for _ in range(2))
    if np.array_equal(one, two):
        cause = "a generator that starts anew in every call. Without a seed: np.random.random."
        raise CheckFailed("two calls without a seed dropped the same numbers", "others", cause)


@step("dropout_forward", "NumPy's common generator: used without a seed, not touched with one")
def _(f):
    x = np.ones((8, 9))
    with common_generator_kept():
        np.random.seed(1)
        one = _dropped(f, x, _param(0.5, seed=None))
        np.random.seed(1)
        two = _dropped(f, x, _param(0.5, seed=None))
    if not np.array_equal(one, two):
        cause = "np.random.default_rng() is another generator. Without a seed: np.random.random."
        came = "after np.random.seed(1), two calls differ"
        raise CheckFailed(came, "the same numbers dropped", cause)
    if moves_the_common_generator(lambda: f(x, _param(0.5))):
        cause = "np.random.seed(seed) sets the generator of everybody. Make one of your own: "
        cause += "np.random.default_rng(seed)."
        raise CheckFailed("with a seed, np.random gives other numbers after it", "none", cause)


@step("dropout_forward", "how many of six are kept is chance, too")
def _(f):
    with common_generator_kept():
        outs = [_dropped(f, np.ones(6), _param(0.5, seed=seed)) for seed in range(1, 41)]
    counts = [int(np.sum(out != 0)) for out in outs]
    if len(set(counts)) == 1:
        raise CheckFailed(
            f"{counts[0]} of 6 numbers were kept, with each of 40 seeds",
            "sometimes more, sometimes fewer",
            "a permutation, or a choice without replacement, always keeps as many. Each number is "
            "kept with probability p, whatever becomes of the others.",
        )


@step("dropout_forward", "float32 in, float32 out")
def _(f):
    cause = "the mask is of float64, and makes the product so: astype(x.dtype)."
    same_dtype(lambda dtype: _out(f, np.ones((4, 5), dtype), _param(0.7)), "out", "x", cause)


@step("dropout_forward", "x and dropout_param are left as they were")
def _(f):
    for mode in ("train", "test"):
        x, param = np.ones((4, 5)), _param(0.5, mode)
        with unchanged(x=x):
            f(x, param)
        if param != _param(0.5, mode):
            cause = "keep the mask in the cache; read the dict, and write nothing into it."
            raise CheckFailed("dropout_param was changed by the call", "as it was", cause)


def _backward(f, x, dout, param) -> tuple[np.ndarray, object]:
    """What x was multiplied with in the student's own forward pass, and dx."""
    forward = own_forward(f, "dropout_forward")
    out, cache = parts(forward(x.copy(), dict(param)), _FORWARD)
    return np.asarray(out, dtype=float) / x, f(dout.copy(), cache)


def _pages() -> tuple[np.ndarray, np.ndarray]:
    x = np.arange(1.0, 25).reshape(4, 6)
    return x, np.arange(24.0, 0, -1).reshape(4, 6) - 12.5  # neither has a 0


@step("dropout_backward", "your own dropout_forward is there, and right")
def _(f):
    forward_works(f, "dropout_forward")


@step("dropout_backward", "the gradient goes where the numbers went, p = 0.5")
def _(f):
    x, dout = _pages()
    for seed in (7, None):
        mask, dx = _backward(f, x, dout, _param(0.5, seed=seed))
        kept, cause = mask != 0, "dx is dout times what x was multiplied with: 0, or 1 / p."
        passed = np.asarray(dx) != 0 if _is_like(dx, x) else kept
        if not passed.all() and not np.array_equal(passed, kept):
            cause = "a new mask was drawn. Keep that of the forward pass in the cache."
        array(
            dx,
            dout * mask,
            "dx",
            cause,
            known=[
                (dout, "the mask is missing: what was dropped gets no gradient."),
                (dout / 0.5, "the mask is missing: what was dropped gets no gradient."),
                (dout * kept, "it is not divided by p, as the numbers were."),
                (dout * kept / 0.25, "divided by p twice: the mask does it already."),
                (dout * ~kept / 0.5, "it passes where numbers were dropped: the other way round."),
                (x * mask, "that is out; multiply dout."),
                (mask, "that is the slope, 0 or 1 / p: multiply it with dout."),
            ],
            shape_cause="dx has the shape of x.",
            source="dout where x was kept, / p",
        )


@step("dropout_backward", "images, p = 0.8")
def _(f):
    x, dout = (a.reshape(2, 3, 2, 2) for a in _pages())
    mask, dx = _backward(f, x, dout, _param(0.8))
    array(dx, dout * mask, "dx", "as before, whatever the shape: divided by p, 0.8 here.")


@step("dropout_backward", "'test': dx is dout")
def _(f):
    x, dout = _pages()
    try:
        _, dx = _backward(f, x, dout, _param(0.5, "test"))
    except TypeError as error:
        if "NoneType" not in str(error):
            raise
        cause = (
            "in 'test' your forward pass keeps no mask: it is None. Ask for the mode, which is in "
            "the cache, before you use the mask."
        )
        raise CheckFailed(f"TypeError: {error}", "dx = dout", cause) from error
    array(dx, dout, "dx", "nothing was dropped. Keep the mode in the cache, and ask for it.")


@step("dropout_backward", "float32 in, float32 out")
def _(f):
    def run(dtype):
        return _backward(f, np.ones((4, 5), dtype), np.ones((4, 5), dtype), _param(0.7))[1]

    same_dtype(run, "dx", "x and dout", "the mask is of float64: astype(x.dtype).")


@step("dropout_backward", "dout is left as it was, and so is the cache")
def _(f):
    x, dout = _pages()
    _, cache = parts(own_forward(f, "dropout_forward")(x, _param(0.5)), _FORWARD)
    with unchanged(dout=dout):
        first = np.array(f(dout, cache))
    cause = "the mask was changed by the first call: work on a copy."
    array(f(dout, cache), first, "dx of a second call", cause, source="dx of the first")
