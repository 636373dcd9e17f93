"""The steps for the design question: a net for toys, its file of weights, what it reaches."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from cnnlab import data, design
from cnnlab.checks.nets import params_of
from cnnlab.checks.steps import CheckFailed, step
from cnnlab.weights import WeightsError, load_weights

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
    others = " and ".join(design.under_other_names())
    if not Path(design.FILE).exists():
        cause = (
            "the net is not trained yet, or not saved: run the two cells above. Or the file has "
            "another name, or lies in another folder."
        )
        if others:
            cause = f"there is {others}. Only the name {design.FILE} counts: rename the file."
        raise CheckFailed(
            f"no {design.FILE} in {Path.cwd()}",
            "a file with the trained net's weights, which you hand in too",
            cause,
        )
    if others:
        warnings.warn(
            f"{others} lies here too. Only {design.FILE} is looked at: is it the one you mean?",
            stacklevel=1,
        )
    try:
        load_weights(design.FILE, _tried["net"])
    except WeightsError as error:
        cause = "save the weights again after each change of the net."
        raise CheckFailed(str(error), f"a {design.FILE} that belongs to this net", cause) from None


@step("design_net", "the accuracy on the validation images")
def _(f):
    reached = design.validation_accuracy(_tried.pop("net"))
    lines = sum(reached >= line for line in design.LINES)
    warnings.warn(
        f"{reached:.3f} on the validation images: {lines} of {len(design.LINES)} lines. The grader "
        "measures on new pictures, which can be a little less.",
        stacklevel=1,
    )
    if not lines:
        raise CheckFailed(
            f"accuracy {reached:.3f}",
            f"at least {design.LINES[0]:.2f}",
            "the net was trained with other inputs than design.prepared makes, or hardly.",
        )
