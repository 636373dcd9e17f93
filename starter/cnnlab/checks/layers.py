"""The steps for the two-layer network and the perceptron."""

from __future__ import annotations

import numpy as np

from cnnlab.checks.expect import array, forward_works, own_forward, parts, scalar, unchanged
from cnnlab.checks.steps import CheckFailed, step
from cnnlab.gradient_check import numeric_gradient

_FORWARD = ("scores", "cache")
_X = np.array([[1.0, 2]])
_NETWORK = {
    "W1": np.array([[1.0, -1, 0], [1, -1, 2]]),
    "b1": np.array([-1.0, 1, 0]),
    "W2": np.array([[1.0, 0], [5, 5], [-1, 1]]),
    "b2": np.array([0.5, 1]),
}


def _copy(params: dict) -> dict:
    return {name: value.copy() for name, value in params.items()}


@step("two_layer_forward", "one image, by hand")
def _(f):
    scores, _ = parts(f(_X.copy(), _copy(_NETWORK)), _FORWARD)
    array(
        scores,
        [[-1.5, 5]],
        "scores",
        "X @ W1 + b1 is (2, −2, 4), so hidden is (2, 0, 4); hidden @ W2 is (−2, 4); plus b2.",
        known=[
            ([[-11.5, -5]], "max(0, ...) is missing between the layers."),
            ([[0, 5]], "the scores are cut off at 0 as well: only the hidden numbers are."),
            ([[-0.5, 5]], "b1 is missing."),
            ([[-2, 4]], "b2 is missing."),
            ([[3.5, 10]], "b1 is added after max(0, ...); it belongs inside."),
        ],
        shape_cause="scores has a row for each image, a column for each class.",
        inputs={name: value for name, value in (("X", _X), *_NETWORK.items())},
    )


@step("two_layer_forward", "two images: each by itself")
def _(f):
    scores, _ = parts(f(np.array([[1.0, 2], [0, 0]]), _copy(_NETWORK)), _FORWARD)
    array(scores, [[-1.5, 5], [5.5, 6]], "scores", "of an image of zeros only b1 is left.")


@step("two_layer_forward", "the lecture's sizes: 3072 → 100 → 10")
def _(f):
    sizes = {"W1": (3072, 100), "b1": (100,), "W2": (100, 10), "b2": (10,)}
    params = {name: np.full(shape, 0.01) for name, shape in sizes.items()}
    scores, _ = parts(f(np.ones((2, 3072)), params), _FORWARD)
    array(scores, np.full((2, 10), 30.74), "scores", "all hidden numbers are 30.73.")


@step("two_layer_forward", "X and params are left as they were")
def _(f):
    X, params = _X.copy(), _copy(_NETWORK)
    with unchanged(X=X, **params):
        f(X, params)


_NAMES = ("W1", "b1", "W2", "b2")
_ONE_MORE = "once more divided by the number of images"


def _backward(f, X, params, dscores, reg=0.0) -> dict:
    """The student's gradients, after the student's forward pass."""
    forward = own_forward(f, "two_layer_forward")
    _, cache = parts(forward(X.copy(), _copy(params)), _FORWARD)
    grads = f(dscores.copy(), cache, reg)
    if not isinstance(grads, dict) or set(grads) != set(_NAMES):
        came = f"a dict with {', '.join(map(str, grads))}" if isinstance(grads, dict) else "no dict"
        kind = f"{came}: {type(grads).__name__}"
        cause = 'return {"W1": ..., "b1": ..., "W2": ..., "b2": ...}.'
        raise CheckFailed(f"grads is {kind}", f"a dict with the keys {', '.join(_NAMES)}", cause)
    return grads


@step("two_layer_backward", "your own two_layer_forward is there, and right")
def _(f):
    forward_works(f, "two_layer_forward")


@step("two_layer_backward", "by hand: W2 and b2")
def _(f):
    grads = _backward(f, _X, _NETWORK, np.array([[1.0, 2]]))
    array(
        grads["W2"],
        [[2, 4], [0, 0], [4, 8]],
        "grads['W2']",
        "each weight: the hidden number that it saw, times the gradient of its score.",
        shape_cause="a gradient has the shape of what it belongs to: (3, 2).",
    )
    array(grads["b2"], [1, 2], "grads['b2']", "add dscores up over the images.")


@step("two_layer_backward", "by hand: W1 and b1")
def _(f):
    grads = _backward(f, _X, _NETWORK, np.array([[1.0, 2]]))
    kink = "the second hidden number was cut off to 0: nothing passes there."
    array(
        grads["W1"],
        [[1, 0, 1], [2, 0, 2]],
        "grads['W1']",
        "dscores @ W2ᵀ is (1, 15, 1).",
        known=[([[1, 15, 1], [2, 30, 2]], kink)],
        shape_cause="a gradient has the shape of what it belongs to: (2, 3).",
    )
    array(grads["b1"], [1, 0, 1], "grads['b1']", kink)


def _drawn() -> tuple[np.ndarray, dict, np.ndarray]:
    rng = np.random.default_rng(3)
    shapes = {"W1": (3, 4), "b1": (4,), "W2": (4, 3), "b2": (3,)}
    params = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    return rng.standard_normal((5, 3)), params, rng.standard_normal((5, 3))


@step("two_layer_backward", "numeric gradients: five images")
def _(f):
    X, params, dscores = _drawn()
    grads = _backward(f, X, params, dscores)
    forward = own_forward(f, "two_layer_forward")
    for name, value in params.items():

        def moved(numbers, name=name):
            return parts(forward(X.copy(), {**_copy(params), name: numbers.copy()}), _FORWARD)[0]

        numeric = numeric_gradient(moved, value, dscores)
        mean = f"{_ONE_MORE}: that mean is in dscores already."
        array(
            grads[name],
            numeric,
            f"grads['{name}']",
            "what counts for W1 and b1 is where the hidden number is larger than 0; "
            "the images' gradients add up.",
            known=[(numeric / 5, mean)],
            source=f"{name}, numeric",
        )


@step("two_layer_backward", "the penalty, reg = 0.5")
def _(f):
    X, params, dscores = _drawn()
    plain, paid = (_backward(f, X, params, dscores, reg) for reg in (0.0, 0.5))
    for name, value in params.items():
        came = np.asarray(paid[name], dtype=float) - np.asarray(plain[name], dtype=float)
        is_bias = name.startswith("b")
        array(
            came,
            0 * value if is_bias else value / 2,
            f"what reg = 0.5 adds to grads['{name}']",
            "the biases pay no penalty." if is_bias else "reg / 2 · W² changes by reg · W.",
            known=[]
            if is_bias
            else [
                (0 * value, "the penalty is missing."),
                (value, "twice too large: the 2 of the square cancels the half."),
            ],
        )


@step("two_layer_backward", "dscores is left as it was")
def _(f):
    X, params, dscores = _drawn()
    _, cache = parts(own_forward(f, "two_layer_forward")(X, params), _FORWARD)
    with unchanged(dscores=dscores):
        f(dscores, cache, 0.5)


def _update(f, w, b, x, d, right_w, right_b, cause, *, rate=1.0, known=()):
    new_w, new_b = parts(
        f(np.array(w, dtype=float), float(b), np.array(x, dtype=float), d, rate), ("w", "b")
    )
    array(new_w, right_w, "w", cause, known=known, shape_cause="w keeps its shape.")
    known = [(b + (right_b - b) / rate, "the learning rate is in front of the bias's too.")]
    cause = "the bias is corrected too: it is a weight of an input 1."
    scalar(new_b, right_b, "b", cause, known if rate != 1 else ())


_SUM = "the sum itself is used: compare d with what it says, 0 or 1."


@step("perceptron_update", "it said 0 and should have said 1: w grows by x")
def _(f):
    known = [
        ([-1, -2, -1.5], "the sign is wrong: d − y, not y − d."),
        ([1.5, 3, -0.25], _SUM),
    ]
    cause = "d − y is 1, so x is added."
    _update(f, [0, 0, -1], 0, [1, 2, 0.5], 1, [1, 2, -0.5], 1, cause, known=known)


@step("perceptron_update", "it said 1 and should have said 0: w shrinks by x")
def _(f):
    cause = "d − y is −1, so x is taken off."
    _update(f, [1, 2, 0], 1, [0, 1, 1], 0, [1, 1, -1], 0, cause, known=[([1, -1, -3], _SUM)])


@step("perceptron_update", "it was right: nothing changes")
def _(f):
    known = [([2, 4, 0], "corrected although it was right."), ([-4, -8, 0], _SUM)]
    cause = "d − y is 0."
    _update(f, [1, 2, 0], 1, [1, 2, 0], 1, [1, 2, 0], 1, cause, known=known)
    _update(f, [-1, 0], 0, [2, 0], 0, [-1, 0], 0, cause)


@step("perceptron_update", "a sum of exactly 0: it says 0")
def _(f):
    cause = "it says 1 only if the sum is larger than 0."
    _update(f, [0, 0], 0, [3, 1], 1, [3, 1], 1, cause)
    _update(f, [0, 0], 0, [3, 1], 0, [0, 0], 0, cause)


@step("perceptron_update", "the bias takes part in the decision")
def _(f):
    _update(f, [1, 0], -3, [2, 0], 1, [3, 0], -2, "2 − 3 is not larger than 0: it says 0.")


@step("perceptron_update", "learning rate 0.5")
def _(f):
    known = [([3, 1], "the learning rate is not used.")]
    _update(f, [0, 0], -1, [3, 1], 1, [1.5, 0.5], -0.5, "half of x.", rate=0.5, known=known)


@step("perceptron_update", "w and x are left as they were")
def _(f):
    w, x = np.zeros(3), np.ones(3)
    with unchanged(w=w, x=x):
        f(w, 0.0, x, 1, 1.0)
