"""The steps for ThreeLayerConvNet."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnlab.checks import hand_worked
from cnnlab.checks.expect import array, scalar, unchanged
from cnnlab.checks.nets import (
    LAYERS,
    OLD_WEIGHTS,
    dtype_by_name,
    given_by_hand,
    gradients_are_numeric,
    if_numbers,
    loss_and_grads,
    names_are,
    net_step,
    params_of,
    penalties_are,
    precision_is,
    shapes_are,
    weights_are,
    zeros_are,
)
from cnnlab.checks.steps import CheckFailed

_OWN = LAYERS[:4]


def _three(name: str):
    return net_step("ThreeLayerConvNet", name, _OWN)


def _small(f, reg: float = 0.0, dtype=np.float64, **options) -> Any:
    """Two channels of 4x6, three filters of 3x3, a hidden layer of 5, 4 classes."""
    return f(**{**hand_worked.SMALL, "num_classes": 4, "reg": reg, "dtype": dtype, **options})


def _drawn(f, reg: float = 0.0, dtype=np.float64):
    """That net with weights of a sensible size, and six images."""
    net = _small(f, reg, dtype)
    shapes = {name: w.shape for name, w in params_of(net).items()}
    params, X, y = hand_worked.drawn(shapes)
    for name, w in params.items():
        net.params[name] = w.astype(dtype)
    return net, X, y


def _by_hand(f, reg: float = 0.0, given: bool = True) -> Any:
    """A grey image of 2x2, one filter of 1x1, two hidden numbers, two classes."""
    net = f((1, 2, 2), 1, 1, 2, 2, weight_scale=1.0, reg=reg, dtype=np.float64)
    names_are(params_of(net), list(hand_worked.PARAMS), "params")
    return given_by_hand(net) if given else net


@_three("params: names and shapes, for images of 2 × 4 × 6")
def _(f):
    known = {
        (72, 5): "the 2x2 pooling halves the height and the width before the affine layer.",
        (6, 5): "without padding the convolution's output is smaller; here it keeps the size.",
        (3, 5): "without padding the convolution's output is smaller; here it keeps the size.",
        (5, 18): "an affine layer's weights are (inputs, outputs).",
        (4, 5): "an affine layer's weights are (inputs, outputs).",
    }
    cause = (
        "conv: (filters, C, size, size); affine: (inputs, outputs). The first affine layer's "
        "inputs are num_filters · (H // 2) · (W // 2), whatever H and W are."
    )
    shapes_are(params_of(_small(f)), hand_worked.SHAPES, known, cause)


@_three("first values: random weights of size weight_scale, biases 0")
def _(f):
    for scale in (1e-3, 0.5):
        net = _small(f, hidden_dim=60, weight_scale=scale)
        params = params_of(net)
        for name in ("W1", "W2", "W3"):
            known = [(1, "it is not multiplied with weight_scale."), (1e-3, "it is 1e-3 always.")]
            weights_are(
                params[name], scale, f"params['{name}']", "randn times weight_scale.", known
            )
        zeros_are(params, ["b1", "b2", "b3"])


@_three("by hand: a filter of 1×1 with weight 2 and bias −1, one image of 2×2")
def _(f):
    net = _by_hand(f, given=False)
    before = net.loss(hand_worked.IMAGE.copy())
    known = if_numbers(before, OLD_WEIGHTS)
    hand_worked.image_scores(array, given_by_hand(net).loss(hand_worked.IMAGE.copy()), known)


@_three("by hand: an image of zeros")
def _(f):
    hand_worked.dark_scores(array, _by_hand(f).loss(0 * hand_worked.IMAGE))


@_three("by hand: the loss, and the penalty for reg = 0.5")
def _(f):
    loss, _ = loss_and_grads(_by_hand(f), hand_worked.IMAGE.copy(), np.array([1]))
    cause = "softmax_loss of the scores (5, −10), where class 1 is right."
    scalar(loss, 15.0, "loss", cause)
    loss, _ = loss_and_grads(_by_hand(f, 0.5), hand_worked.IMAGE.copy(), np.array([1]))
    known = [
        (15.0, "the penalty is missing."),
        (33.0, "twice the penalty: it is reg / 2 times the sum of squares."),
        (124.5, "the biases pay too: only W1, W2 and W3 do."),
        (16.0, "only W1 pays: W2 and W3 do as well."),
    ]
    cause = "reg / 2 · (4 + 2 + 30), on top of 15."
    scalar(loss, 24.0, "loss for reg = 0.5", cause, known)


@_three("a new net's loss: log(number of classes)")
def _(f):
    X = np.random.default_rng(0).standard_normal((10, 3, 8, 8))
    net = f((3, 8, 8), 4, 3, 10, 10, dtype=np.float64)
    loss, _ = loss_and_grads(net, X, np.arange(10))
    if np.ndim(loss) or not abs(float(loss) - np.log(10)) < 0.01:
        raise CheckFailed(
            f"loss = {loss}",
            f"about log(10) = {np.log(10):.3f}",
            "with small weights all scores are near 0, and each class gets a tenth.",
        )


@_three("numeric gradients: six images that are not square")
def _(f):
    causes = {
        "W1": "back through the pooling, then the ReLU where its input was positive, then the "
        "convolution.",
        "W2": "the hidden layer's: its ReLU comes first.",
    }
    gradients_are_numeric(*_drawn(f), causes)


@_three("what reg = 0.5 adds to the gradients")
def _(f):
    net, X, y = _drawn(f)
    params = {name: w.copy() for name, w in params_of(net).items()}

    def grads_for(reg):
        one = _small(f, reg)
        one.params = {name: w.copy() for name, w in params.items()}
        return loss_and_grads(one, X.copy(), y)[1]

    plain, paid = grads_for(0.0), grads_for(0.5)
    penalties_are(plain, paid, params, 0.5)


@_three("single precision: float32 goes through, whatever X is")
def _(f):
    net, X, y = _drawn(f, dtype=np.float32)
    scores, (_, grads) = net.loss(X), loss_and_grads(net, X, y)
    precision_is({"scores": scores, **{f"grads['{n}']": g for n, g in grads.items()}})
    precision_is({f"params['{n}']": w for n, w in params_of(_small(f, dtype=np.float32)).items()})
    with dtype_by_name():
        net, X, y = _drawn(f, dtype="float32")
        net.loss(X, y)


@_three("X, y and params are left as they were")
def _(f):
    net, X, y = _drawn(f, reg=0.1)
    with unchanged(X=X, y=y, **{name: w for name, w in params_of(net).items()}):
        net.loss(X, y)
