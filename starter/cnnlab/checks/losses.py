"""The steps for softmax_loss, svm_loss and linear_backward."""

from __future__ import annotations

import numpy as np

from cnnlab.checks.expect import array, parts, scalar, unchanged
from cnnlab.checks.steps import step

_BOTH = ("loss", "dx")
_ONE = np.log([[1.0, 2, 5]])  # probabilities 1/8, 2/8, 5/8
_TWO = np.array([[0, np.log(2), np.log(5)], [0, 0, 0]])


@step("softmax_loss", "probabilities 1/8, 2/8, 5/8: the loss of the last class")
def _(f):
    loss, _ = parts(f(_ONE.copy(), np.array([2])), _BOTH)
    right = -np.log(5 / 8)
    scalar(
        loss,
        right,
        "loss",
        "exp of the scores is 1, 2, 5; the right class gets 5/8 of the sum; minus its logarithm.",
        [
            (-right, "the minus sign is missing: the logarithm of a probability is negative."),
            (right / np.log(10), "that is the logarithm to base 10: np.log is the natural one."),
            (right / np.log(2), "that is the logarithm to base 2: np.log is the natural one."),
            (0, "summed over the images; sum over the classes: axis=1, keepdims=True."),
        ],
    )


@step("softmax_loss", "and its dx")
def _(f):
    _, dx = parts(f(_ONE.copy(), np.array([2])), _BOTH)
    array(
        dx,
        [[1 / 8, 2 / 8, -3 / 8]],
        "dx",
        "the probabilities, with 1 taken off at the right class.",
        known=[([[1 / 8, 2 / 8, 5 / 8]], "at the right class, 1 is to be taken off.")],
        shape_cause="dx has the shape of x.",
    )


@step("softmax_loss", "two images: the mean of their losses")
def _(f):
    loss, _ = parts(f(_TWO.copy(), np.array([2, 0])), _BOTH)
    total = np.log(8 / 5) + np.log(3)
    known = [(total, "the losses are added up: take their mean.")]
    scalar(loss, total / 2, "loss", "the mean of 0.47 and 1.099.", known)


@step("softmax_loss", "and dx, divided by the number of images")
def _(f):
    _, dx = parts(f(_TWO.copy(), np.array([2, 0])), _BOTH)
    right = np.array([[1 / 8, 2 / 8, -3 / 8], [-2 / 3, 1 / 3, 1 / 3]]) / 2
    known = [(2 * right, "dx is not divided by the number of images.")]
    array(dx, right, "dx", "each image's own gradient, divided by N.", known=known)


@step("softmax_loss", "scores of 1000 do no harm")
def _(f):
    loss, dx = parts(f(np.array([[1000.0, 0], [0, -1000]]), np.array([1, 0])), _BOTH)
    cause = "subtract each row's largest score before exp."
    scalar(loss, 500, "loss", cause)
    array(dx, [[0.5, -0.5], [0, 0]], "dx", cause)


@step("softmax_loss", "x and y are left as they were")
def _(f):
    x, y = _TWO.copy(), np.array([2, 0])
    with unchanged(x=x, y=y):
        f(x, y)


_CLOSE = np.array([[2.0, 3, -1]])
_CLOSER = np.array([[1, 1.5, 2]])


@step("svm_loss", "scores 2, 3, −1, the first class is right")
def _(f):
    loss, _ = parts(f(_CLOSE.copy(), np.array([0])), _BOTH)
    scalar(
        loss,
        2,
        "loss",
        "the second class costs 3 − 2 + 1, the third is far enough away.",
        [
            (3, "the right class is charged too: its margin is always 1. Leave it out."),
            (1, "the margin of 1 is missing."),
            (0, "the third class counts with −1 − 2 + 1: max with 0."),
            (4, "the margins are squared."),
        ],
    )


@step("svm_loss", "and its dx")
def _(f):
    _, dx = parts(f(_CLOSE.copy(), np.array([0])), _BOTH)
    array(
        dx,
        [[-1, 1, 0]],
        "dx",
        "each class that costs something gets +1, and the right one −1 for it.",
        known=[([[0, 1, 0]], "a higher right score would make the loss smaller: −1.")],
        shape_cause="dx has the shape of x.",
    )


@step("svm_loss", "two classes too close: both are charged")
def _(f):
    loss, dx = parts(f(_CLOSER.copy(), np.array([1])), _BOTH)
    known = [(1.5, "only the worst class is charged: add up all that come too close.")]
    scalar(loss, 2, "loss", "0.5 for the first class, 1.5 for the last.", known)
    once = "the right class takes part in both margins: −2."
    array(dx, [[1, -2, 1]], "dx", once, known=[([[1, -1, 1]], once)])


@step("svm_loss", "two images: means")
def _(f):
    loss, dx = parts(f(np.concatenate([_CLOSE, _CLOSER]), np.array([0, 1])), _BOTH)
    scalar(loss, 2, "loss", "the mean of 2 and 2.", [(4, "added up: take the mean.")])
    right = np.array([[-1, 1, 0], [1, -2, 1]]) / 2
    known = [(2 * right, "dx is not divided by the number of images.")]
    array(dx, right, "dx", "each image's own gradient, divided by N.", known=known)


@step("svm_loss", "x and y are left as they were")
def _(f):
    x, y = np.concatenate([_CLOSE, _CLOSER]), np.array([0, 1])
    with unchanged(x=x, y=y):
        f(x, y)


_DSCORES = np.array([[1.0, 0, -1], [0, 2, 1]])
_X = np.array([[1.0, 2], [3, 4]])
_W = np.array([[1.0, 2, 3], [4, 5, 6]])
_GIVEN = {"dscores": _DSCORES, "X": _X, "W": _W}


def _backward(f, reg: float) -> list:
    return parts(f(_DSCORES.copy(), _X.copy(), _W.copy(), reg), ("dW", "db"))


@step("linear_backward", "dW without a penalty")
def _(f):
    dW, _ = _backward(f, 0.0)
    right = np.array([[1.0, 6, 2], [2, 8, 2]])
    array(
        dW,
        right,
        "dW",
        "dW[d, c] adds up, over the images, number d of the image times dscores at class c.",
        known=[(right / 2, "divided by the number of images: that mean is in dscores already.")],
        known_shapes={(3, 2): "transposed: dW has the shape of W."},
        shape_cause="dW has the shape of W: (2, 3).",
        inputs=_GIVEN,
    )


@step("linear_backward", "db")
def _(f):
    _, db = _backward(f, 0.0)
    array(
        db,
        [1, 2, 0],
        "db",
        "every image used the bias: add dscores up over the images.",
        known=[([0.5, 1, 0], "a mean; add up over the images.")],
        shape_cause="one number for each of the 3 classes: sum over the images, axis 0.",
        inputs={"dscores": _DSCORES},
    )


@step("linear_backward", "the penalty, reg = 0.5")
def _(f):
    dW, db = _backward(f, 0.5)
    plain = np.array([[1.0, 6, 2], [2, 8, 2]])
    array(
        dW,
        plain + _W / 2,
        "dW",
        "reg / 2 · W² changes by reg · W.",
        known=[
            (plain, "the penalty is missing."),
            (plain + _W, "twice too large: the 2 of the square cancels the half."),
            (plain + 91 / 4, "that is the penalty itself; add its gradient."),
        ],
    )
    array(db, [1, 2, 0], "db", "the bias pays no penalty.")


@step("linear_backward", "dscores, X and W are left as they were")
def _(f):
    dscores, X, W = _DSCORES.copy(), _X.copy(), _W.copy()
    with unchanged(dscores=dscores, X=X, W=W):
        f(dscores, X, W, 0.5)
