"""What can be asked of a net, of whatever layers: its params, its loss, its gradients."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from cnnlab.checks import hand_worked
from cnnlab.checks.expect import array, parts
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
        near = [(abs(found / wrong - 1), why) for wrong, why in known]
        cause = min([*near, (room, cause)], key=lambda pair: pair[0])[1]
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
    _keeps_double_precision(net, X)
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


def precision_is(values: dict[str, Any], dtype: Any = np.float32) -> None:
    for name, value in values.items():
        if np.asarray(value).dtype != dtype:
            raise CheckFailed(
                f"{name} has dtype {np.asarray(value).dtype}",
                f"{np.dtype(dtype)}, the net's dtype",
                "X.astype(self.dtype) at the beginning; and params made with .astype(dtype).",
            )


def _keeps_double_precision(net: Any, X: np.ndarray) -> None:
    """A net of float64 does not round: neither its params nor the images that it is given."""
    precision_is({f"params['{name}']": w for name, w in params_of(net).items()}, np.float64)
    rounded = X.astype(np.float32).astype(np.float64)
    if np.array_equal(net.loss(X.copy()), net.loss(rounded)):
        raise CheckFailed(
            "the scores are those of images that are rounded to float32",
            "those of the images, since this net's dtype is float64",
            "X.astype(self.dtype), where self.dtype is the dtype that __init__ was given.",
        )


@contextmanager
def dtype_by_name() -> Iterator[None]:
    """Inside the with block a net has its dtype as a text; a text cannot be called."""
    try:
        yield
    except TypeError as error:
        cause = "dtype may be the type's name: write X.astype(self.dtype), not self.dtype(X)."
        raise CheckFailed(f"with dtype='float32', TypeError: {error}", "scores", cause) from error


# what a net says that has put the arrays of __init__ away, and works with those
OLD_WEIGHTS = (
    "the net got other weights, net.params = {...}, and its scores are still those of the first: "
    "read self.params anew in each call, and keep none of its arrays elsewhere."
)


def if_numbers(scores: Any, cause: str) -> list[tuple]:
    """For ``known``: the two scores of a first answer, which may be anything at all."""
    return [(scores, cause)] if getattr(scores, "shape", None) == (1, 2) else []


def given_by_hand(net: Any) -> Any:
    """The net, with the weights of the hand-worked one."""
    net.params = {name: w.copy() for name, w in hand_worked.PARAMS.items()}
    return net
