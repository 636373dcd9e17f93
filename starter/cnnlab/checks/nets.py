"""The steps for the nets: ThreeLayerConvNet, and what its checks share with ConvNet's."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from cnnlab.checks.expect import array, parts, scalar, unchanged
from cnnlab.checks.run import run_steps
from cnnlab.checks.steps import STEPS, CheckFailed, step
from cnnlab.gradient_check import numeric_gradient

# What a net is made of: if one of these fails its own check, the net is not to blame.
LAYERS = [
    *("affine_forward", "affine_backward", "relu_forward", "relu_backward"),
    *("spatial_batchnorm_forward", "spatial_batchnorm_backward"),
    *("dropout_forward", "dropout_backward"),
]


def net_step(question: str, name: str, layers: list[str]):
    """A step that, when it fails, looks whether one of these layers of the notebook is wrong."""

    def register(run: Callable[[Callable], None]):
        def explained(f: Callable) -> None:
            try:
                run(f)
            except CheckFailed as failure:
                broken = [layer for layer in layers if _is_broken(f, layer)]
                if broken:
                    failure.cause = (
                        f"your {' and your '.join(broken)} fail{'s' * (len(broken) == 1)} the "
                        "check of the question before. Put that right first."
                    )
                raise

        return step(question, name)(explained)

    return register


def _is_broken(f: Callable, layer: str) -> bool:
    f = inspect.unwrap(f)
    namespace = getattr(f.__init__ if inspect.isclass(f) else f, "__globals__", {})
    return (
        layer in STEPS
        and callable(namespace.get(layer))
        and run_steps(namespace[layer], STEPS[layer])[0] is not None
    )


# -- looking at a net ------------------------------------------------------------------------------


def params_of(net: Any, what: str = "params") -> dict[str, np.ndarray]:
    params = getattr(net, "params", None)
    if not isinstance(params, dict):
        came = "no params" if params is None else f"params of type {type(params).__name__}"
        cause = "__init__ puts the dict into self.params; it returns nothing."
        raise CheckFailed(f"the net has {came}", "a dict of arrays, net.params", cause)
    return params


def names_are(came: Any, expected: list[str], what: str) -> None:
    if not isinstance(came, dict):
        cause = f'{what} is a dict of arrays: {{"W1": ..., "b1": ..., ...}}.'
        raise CheckFailed(f"{what} is of type {type(came).__name__}", "a dict of arrays", cause)
    if set(came) != set(expected):
        missing = [name for name in expected if name not in came]
        more = [str(name) for name in came if name not in expected]
        words = [f"without {', '.join(missing)}"] if missing else []
        words += [f"with {', '.join(more)}"] if more else []
        raise CheckFailed(
            f"{what} {' and '.join(words)}",
            f"the keys {', '.join(expected)}",
            "the names are capital W and small b, and the layers are counted from 1.",
        )


def shapes_are(params: dict, shapes: dict[str, tuple], known: dict[tuple, str], cause: str) -> None:
    names_are(params, list(shapes), "params")
    for name, shape in shapes.items():
        came = np.shape(params[name])
        if came != shape:
            raise CheckFailed(
                f"params['{name}'] has shape {came}", f"shape {shape}", known.get(came, cause)
            )


def weights_are(w: np.ndarray, std: float, what: str, cause: str, known=()) -> None:
    """Random numbers with mean 0 and this standard deviation, as far as so many can tell."""
    w = np.asarray(w, dtype=float)
    room = 6 / np.sqrt(w.size)
    if w.size > 1 and np.ptp(w) == 0:
        raise CheckFailed(
            f"all entries of {what} are {w.flat[0]:g}",
            "random ones",
            "equal weights get equal gradients, and stay equal: all filters learn the same.",
        )
    found = float(np.sqrt(np.mean(w**2)))
    if abs(w.mean()) > room * found:
        raise CheckFailed(
            f"{what} has the mean {w.mean():.3g}",
            "a mean near 0",
            "np.random.rand draws from 0 to 1; a normal distribution is np.random.randn.",
        )
    if abs(found / std - 1) > room:
        cause = next((why for wrong, why in known if abs(found / wrong - 1) < room), cause)
        raise CheckFailed(
            f"{what} has the standard deviation {found:.3g}", f"{std:.3g}, or very near it", cause
        )


def zeros_are(params: dict, names: list[str], value: float = 0) -> None:
    for name in names:
        if not np.all(np.asarray(params[name]) == value):
            cause = f"{'ones' if value else 'zeros'}: nothing random here."
            raise CheckFailed(f"params['{name}'] is not {value:g} everywhere", f"{value:g}", cause)


def loss_and_grads(net: Any, X: np.ndarray, y: np.ndarray) -> tuple[Any, dict]:
    loss, grads = parts(net.loss(X, y), ("loss", "grads"))
    names_are(grads, list(params_of(net)), "grads")
    return loss, grads


def gradients_are_numeric(net: Any, X: np.ndarray, y: np.ndarray, causes: dict[str, str]) -> None:
    """All gradients of the net's own loss; ``causes`` by the first letter of a param's name."""
    _, grads = loss_and_grads(net, X.copy(), y)
    for name, value in list(params_of(net).items()):

        def moved(numbers, name=name, value=value):
            net.params[name] = numbers.copy()
            loss, _ = parts(net.loss(X.copy(), y), ("loss", "grads"))
            net.params[name] = value
            return loss

        numeric = numeric_gradient(moved, value, np.array(1.0))
        array(
            grads[name],
            numeric,
            f"grads['{name}']",
            causes.get(name, "go back through the layers in the reverse order, each its cache."),
            known=[
                (numeric * len(X), "not divided by the number of images: softmax_loss's dx is."),
                (numeric / len(X), "divided by the number of images twice: it is in dx already."),
                (0 * numeric, "nothing arrives here."),
            ],
            shape_cause=f"a gradient has the shape of what it belongs to: {value.shape}.",
            source=f"{name}, numeric",
        )


def penalties_are(plain: dict, paid: dict, params: dict, reg: float) -> None:
    for name, w in params.items():
        pays = name[0] == "W"
        array(
            np.asarray(paid[name], float) - np.asarray(plain[name], float),
            reg * w if pays else 0 * w,
            f"what reg = {reg:g} adds to grads['{name}']",
            "reg / 2 · W² changes by reg · W." if pays else "only the weights W pay the penalty.",
            known=[
                (0 * w, "the penalty is missing."),
                (2 * reg * w, "twice too large: the 2 of the square cancels the half."),
                (reg / 2 * w, "half of it: the 2 of the square cancels the half."),
            ]
            if pays
            else [],
        )


def precision_is(values: dict[str, Any]) -> None:
    for name, value in values.items():
        if np.asarray(value).dtype != np.float32:
            raise CheckFailed(
                f"{name} has dtype {np.asarray(value).dtype}",
                "float32, the net's dtype",
                "X.astype(self.dtype) at the beginning; and params made with .astype(dtype).",
            )


# -- ThreeLayerConvNet -----------------------------------------------------------------------------

_OWN = LAYERS[:4]


def _three(name: str):
    return net_step("ThreeLayerConvNet", name, _OWN)


def _small(f, reg: float = 0.0, dtype=np.float64, **options) -> Any:
    """Two channels of 4x6, three filters of 3x3, a hidden layer of 5, 4 classes."""
    sizes = {"input_dim": (2, 4, 6), "num_filters": 3, "filter_size": 3, "hidden_dim": 5}
    return f(**{**sizes, "num_classes": 4, "reg": reg, "dtype": dtype, **options})


def _drawn(f, reg: float = 0.0, dtype=np.float64):
    """That net with weights of a sensible size, and six images."""
    net, rng = _small(f, reg, dtype), np.random.default_rng(6)
    for name, w in params_of(net).items():
        net.params[name] = (rng.standard_normal(w.shape) / 2).astype(dtype)
    return net, rng.standard_normal((6, 2, 4, 6)), np.arange(6) % 4


_HAND = {
    "W1": np.array([[[[2.0]]]]),
    "b1": np.array([-1.0]),
    "W2": np.array([[1.0, -1]]),
    "b2": np.array([0.0, 1]),
    "W3": np.array([[1.0, 2], [3, 4]]),
    "b3": np.array([0.0, -20]),
}


def _by_hand(f, reg: float = 0.0) -> Any:
    """A grey image of 2x2, one filter of 1x1, two hidden numbers, two classes."""
    net = f((1, 2, 2), 1, 1, 2, 2, reg=reg, dtype=np.float64)
    names_are(params_of(net), list(_HAND), "params")
    net.params = {name: w.copy() for name, w in _HAND.items()}
    return net


_IMAGE = np.array([[[[1.0, 2], [3, 0]]]])


@_three("params: names and shapes, for images of 2 × 4 × 6")
def _(f):
    shapes = {
        "W1": (3, 2, 3, 3), "b1": (3,), "W2": (18, 5), "b2": (5,), "W3": (5, 4), "b3": (4,),
    }  # fmt: skip
    known = {
        (72, 5): "the 2x2 pooling halves the height and the width before the affine layer.",
        (6, 5): "without padding the convolution's output is smaller; here it keeps the size.",
        (3, 5): "without padding the convolution's output is smaller; here it keeps the size.",
        (5, 18): "an affine layer's weights are (inputs, outputs).",
        (4, 5): "an affine layer's weights are (inputs, outputs).",
    }
    cause = "conv: (filters, C, size, size); affine: (inputs, outputs)."
    shapes_are(params_of(_small(f)), shapes, known, cause)


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
    array(
        _by_hand(f).loss(_IMAGE.copy()),
        [[5, -10]],
        "scores",
        "2x − 1, the largest is 5; times (1, −1), plus (0, 1): (5, −4); ReLU: (5, 0); times W3: "
        "(5, 10); plus b3.",
        known=[
            ([[5, 0]], "the scores are cut off at 0: the last layer has no ReLU."),
            ([[-7, -26]], "the ReLU between the two affine layers is missing."),
            ([[2.25, -15.5]], "that is average pooling."),
            ([[5, 10]], "b3 is missing."),
            ([[1, 0]], "these are the softmax's shares. Without y return the scores themselves."),
        ],
        shape_cause="scores has a row for each image, a column for each class.",
        inputs={"X[0, 0]": _IMAGE[0, 0]},
    )


@_three("by hand: an image of zeros")
def _(f):
    array(
        _by_hand(f).loss(0 * _IMAGE),
        [[3, -16]],
        "scores",
        "the convolution gives −1 everywhere, the ReLU 0. What is left comes from b2 and b3.",
        known=[([[6, -12]], "the ReLU after the convolution is missing.")],
    )


@_three("by hand: the loss, and the penalty for reg = 0.5")
def _(f):
    loss, _ = loss_and_grads(_by_hand(f), _IMAGE.copy(), np.array([1]))
    cause = "softmax_loss of the scores (5, −10), where class 1 is right."
    scalar(loss, 15.0, "loss", cause)
    loss, _ = loss_and_grads(_by_hand(f, 0.5), _IMAGE.copy(), np.array([1]))
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


@_three("X, y and params are left as they were")
def _(f):
    net, X, y = _drawn(f, reg=0.1)
    with unchanged(X=X, y=y, **{name: w for name, w in params_of(net).items()}):
        net.loss(X, y)
