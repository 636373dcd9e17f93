"""The steps for the design questions: a net for toys, its file of weights, what it reaches."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cnnlab import data, design
from cnnlab.checks.nets import params_of
from cnnlab.checks.outside import data_from_outside
from cnnlab.checks.run import cause_in_a_list
from cnnlab.checks.steps import CheckFailed, step
from cnnlab.weights import WeightsError

_tried: dict[str, Any] = {}  # the net of the check that runs: made once, and loaded once


def _made(f: Callable, what: str, expected: str, is_one: Callable[[Any], bool]) -> Any:
    net = f()
    if isinstance(net, type):
        raise CheckFailed("a class", f"a {what}", "are the brackets of a call missing?")
    if not is_one(net):
        cause = f"return the {what} itself, and nothing else."
        raise CheckFailed(f"{net!r:.60}", expected, "a missing return." if net is None else cause)
    return net


def _net(f: Callable) -> Any:
    net = _made(f, "net", "a net, with params and loss(X)", lambda net: hasattr(net, "loss"))
    params_of(net)
    return net


def _module(f: Callable) -> Any:
    return _made(f, "module", "an nn.Module", design.is_module)


@step("design_net", "a net for images of 3 × 32 × 32 and ten classes")
def _(f):
    _tried["net"] = net = _net(f)
    cause = "input_dim=(3, 32, 32) and num_classes=10, which are ConvNet's defaults."
    try:
        scores = net.loss(design.prepared(data.load("toys").X_val[:5]))
    except NotImplementedError:  # a layer that is not written yet, which is told as such
        raise
    except Exception as error:  # whatever a student's net can raise
        came = f"{type(error).__name__}: {error}".removesuffix(": ")
        cause = cause_in_a_list(came) or cause
        raise CheckFailed(came, "scores for 5 images of 3 × 32 × 32", cause) from error
    _shape_is_right(scores, cause)


@step("design_resnet", "a module for images of 3 × 32 × 32 and ten classes")
def _(f):
    import torch

    _tried["net"] = net = _module(f).eval()
    with torch.no_grad():
        scores = net(torch.tensor(design.prepared(data.load("toys").X_val[:5])))
    if not isinstance(scores, torch.Tensor):
        cause = "the scores alone are the result of forward."
        raise CheckFailed(f"{type(scores).__name__} for 5 images", "a tensor of scores", cause)
    _shape_is_right(scores, "nn.Flatten() comes before the last nn.Linear, which has 10 outputs.")


def _shape_is_right(scores: Any, cause: str) -> None:
    shape = tuple(np.shape(scores))
    if shape != (5, 10):
        raise CheckFailed(f"scores of shape {shape} for 5 images", "(5, 10)", cause)


def _then_the_weights(
    question: str, what: str, made: Callable, inside: str, lines: tuple[float, ...]
) -> None:
    """The steps that follow the first, which are the same for both questions."""

    @step(question, f"a new {what} each time")
    def _(f):
        if made(f) is _tried["net"]:
            cause = f"make the {what} inside the function: return {inside}(...)."
            raise CheckFailed(f"the same {what} twice", "a new one each time", cause)
        if outside := data_from_outside(f):
            it = "it" if len(outside) == 1 else "them"
            warnings.warn(
                f"{question} reads {' and '.join(outside)} from another cell. The grader runs no "
                f"cell that trains or draws: set {it} inside {question}.",
                stacklevel=2,
            )

    @step(question, f"the weights fit the {what} and can be used, once they are saved")
    def _(f):
        _load(_tried["net"], what)

    @step(question, "the accuracy on the validation images")
    def _(f):
        _tell_lines(design.validation_accuracy(_tried.pop("net")), lines)


_then_the_weights("design_net", "net", _net, "ConvNet", design.LINES)
_then_the_weights("design_resnet", "module", _module, "nn.Sequential", design.RESNET_LINES)


def _load(net, what):
    """Give it the weights that lie in its file, or say what is wrong with that."""
    file = design.file_of(net)
    others = " and ".join(design.under_other_names(file))
    if not Path(file).exists():
        cause = (
            f"the {what} is not trained yet, or not saved: run the two cells above. Or the file "
            "has another name, or lies in another folder."
        )
        if others:
            cause = f"there is {others}. Only the name {file} counts: rename the file."
        raise CheckFailed(
            f"no {file} in {Path.cwd()}",
            f"a file with the trained {what}'s weights, which you hand in too",
            cause,
        )
    if others:
        warnings.warn(
            f"{others} lies here too. Only {file} is looked at: is it the one you mean?",
            stacklevel=2,
        )
    try:
        design.load(net)
    except WeightsError as error:
        cause = f"after each change of the {what}, train it and save again."
        raise CheckFailed(str(error), f"a {file} that belongs to this {what}", cause) from None


def _tell_lines(reached, all_lines):
    lines = sum(reached >= line for line in all_lines)
    warnings.warn(
        f"{reached:.3f} on the validation images: {lines} of {len(all_lines)} lines. The grader "
        "measures on new pictures, which can be a little less.",
        stacklevel=2,
    )
    if not lines:
        raise CheckFailed(
            f"accuracy {reached:.3f}",
            f"at least {all_lines[0]:.2f}",
            "the net was trained with other inputs than design.prepared makes, or hardly.",
        )
