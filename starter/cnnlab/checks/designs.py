"""The steps for the design questions: a net for toys, its file of weights, what it reaches."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from cnnlab import data, design
from cnnlab.checks.nets import params_of
from cnnlab.checks.steps import CheckFailed, step
from cnnlab.weights import WeightsError

_tried: dict[str, Any] = {}  # the net of the check that runs: made once, and loaded once


def _made(f):
    net = f()
    if isinstance(net, type):
        raise CheckFailed("a class", "a net", "are the brackets of a call missing?")
    if not hasattr(net, "loss"):
        cause = "a missing return." if net is None else "return the net itself, and nothing else."
        raise CheckFailed(f"{net!r:.60}", "a net, with params and loss(X)", cause)
    params_of(net)
    return net


@step("design_net", "a net for images of 3 × 32 × 32 and ten classes")
def _(f):
    _tried["net"] = net = _made(f)
    scores = net.loss(design.prepared(data.load("toys").X_val[:5]))
    if np.shape(scores) != (5, 10):
        cause = "input_dim=(3, 32, 32) and num_classes=10, which are ConvNet's defaults."
        raise CheckFailed(f"scores of shape {np.shape(scores)} for 5 images", "(5, 10)", cause)


@step("design_net", "a new net each time")
def _(f):
    if _made(f) is _tried["net"]:
        cause = "make the net inside the function: return ConvNet(...)."
        raise CheckFailed("the same net twice", "a new one each time", cause)


@step("design_net", "the weights fit the net and can be used, once they are saved")
def _(f):
    _load(_tried["net"], "net")


@step("design_net", "the accuracy on the validation images")
def _(f):
    _tell_lines(design.validation_accuracy(_tried.pop("net")), design.LINES)


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
        cause = f"save the weights again after each change of the {what}."
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


# -- the same for a torch module -------------------------------------------------------------------


def _module(f):
    net = f()
    if isinstance(net, type):
        raise CheckFailed("a class", "a module", "are the brackets of a call missing?")
    if not design.is_module(net):
        cause = "a missing return." if net is None else "return the module itself, nothing else."
        raise CheckFailed(f"{net!r:.60}", "an nn.Module", cause)
    return net


@step("design_resnet", "a module for images of 3 × 32 × 32 and ten classes")
def _(f):
    import torch

    _tried["net"] = net = _module(f).eval()
    with torch.no_grad():
        scores = net(torch.tensor(design.prepared(data.load("toys").X_val[:5])))
    if not isinstance(scores, torch.Tensor):
        cause = "the scores alone are the result of forward."
        raise CheckFailed(f"{type(scores).__name__} for 5 images", "a tensor of scores", cause)
    if tuple(scores.shape) != (5, 10):
        cause = "nn.Flatten() comes before the last nn.Linear, and that has 10 outputs."
        raise CheckFailed(f"scores of shape {tuple(scores.shape)} for 5 images", "(5, 10)", cause)


@step("design_resnet", "a new module each time")
def _(f):
    if _module(f) is _tried["net"]:
        cause = "make the module inside the function: return nn.Sequential(...)."
        raise CheckFailed("the same module twice", "a new one each time", cause)


@step("design_resnet", "the weights fit the module and can be used, once they are saved")
def _(f):
    _load(_tried["net"], "module")


@step("design_resnet", "the accuracy on the validation images")
def _(f):
    _tell_lines(design.validation_accuracy(_tried.pop("net")), design.RESNET_LINES)
