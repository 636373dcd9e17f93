"""The steps for modules: what one costs, and the residual block."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from cnnlab.checks import tensors
from cnnlab.checks.expect import parts, whole_number
from cnnlab.checks.steps import CheckFailed, step

# -- module_cost -----------------------------------------------------------------------------------


def _cost(f: Any, model: Any, shape: tuple, expected: tuple, what: str, causes: tuple, known=()):
    """The two numbers of a model; ``causes`` and ``known`` for each of them."""
    came = parts(f(model, shape), ("parameters", "multiply_adds"))
    known = known or ({}, {})
    for number, name in enumerate(("parameters", "multiply_adds")):
        call = f"{name} of {what}"
        whole_number(came[number], expected[number], call, causes[number], known[number])


@step("module_cost", "the lecture's convolution: ten filters of 5×5, pad 2, on 3 × 32 × 32")
def _(f):
    import torch.nn as nn

    known = (
        {750: "the biases are missing: they are learned too."},
        {
            778_240: "the biases' additions are not counted.",
            1_536_000: "a multiplication and its addition count as one.",
            256_000: "each place takes 3 · 5 · 5 of them: all channels.",
            750: "so many for each of the 32 · 32 places of the output.",
        },
    )
    causes = ("(3 · 5 · 5 + 1) · 10.", "750 for each of the 32 · 32 places of the output.")
    model = nn.Conv2d(3, 10, 5, padding=2)
    _cost(f, model, (3, 32, 32), (760, 768_000), "the convolution", causes, known)


@step("module_cost", "stride, groups, dilation, a filter that is not square")
def _(f):
    import torch.nn as nn

    known = ({}, {72 * 77: "count the places of the output, 3 · 5, not of the input."})
    causes = ("(2 · 3 · 3 + 1) · 4.", "72 for each of 3 · 5 places of the output.")
    model = nn.Conv2d(2, 4, 3, stride=2)
    _cost(f, model, (2, 7, 11), (76, 72 * 15), "a convolution of stride 2", causes, known)
    known = ({}, {216 * 9: "groups is not used: a filter sees 6 / 2 channels."})
    causes = ("(6 / 2 · 3 · 3 + 1) · 4.", "108 for each of 3 · 3 places.")
    model = nn.Conv2d(6, 4, 3, groups=2)
    _cost(f, model, (6, 5, 5), (112, 108 * 9), "a convolution with 2 groups", causes, known)
    causes = ("3 · 2 and no bias.", "6 for each of 2 · 5 places: dilation makes the window wider.")
    model = nn.Conv2d(1, 1, (3, 2), dilation=(2, 1), bias=False)
    _cost(f, model, (1, 6, 6), (6, 60), "a dilated convolution", causes)


@step(
    "module_cost", "affine layers; batch normalisation has parameters, and multiplies nothing here"
)
def _(f):
    import torch.nn as nn

    layers = [nn.Conv2d(1, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
    model = nn.Sequential(*layers, nn.Linear(24, 5))
    known = (
        {133: "the scales and shifts of batch normalisation are learned too."},
        {96 + 96 + 120: "batch normalisation's products are not counted."},
    )
    causes = ("8 + 8 + 125.", "4 for each of 4 · 6 places, and 24 · 5.")
    _cost(f, model, (1, 4, 6), (141, 96 + 120), "conv, batch normalisation, linear", causes, known)


@step("module_cost", "a layer that is used twice: learned once, computed twice")
def _(f):
    import torch.nn as nn

    layer = nn.Conv2d(3, 3, 3, padding=1)
    known = (
        {168: "its parameters are counted twice."},
        {81 * 20: "its multiply-adds are counted once: a forward hook runs at each use."},
    )
    causes = ("(27 + 1) · 3.", "81 for each of 4 · 5 places, twice.")
    model = nn.Sequential(layer, nn.ReLU(), layer)
    _cost(f, model, (3, 4, 5), (84, 2 * 81 * 20), "a layer used twice", causes, known)


@step("module_cost", "the model is as it was: its mode, its running averages, no hooks")
def _(f):
    import torch.nn as nn

    from cnnlab.checks import probes

    for training in (True, False):
        layers = [nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 2)]
        model = nn.Sequential(*layers).train(training)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        try:
            f(model, (1, 3, 3))
        except ValueError as error:
            cause = "batch normalisation in train mode, with a batch of one: call model.eval()."
            raise CheckFailed(f"ValueError: {error}", "two numbers", cause) from error
        if model.training is not training:
            cause = "remember model.training, and put it back with model.train(...)."
            mode = "train" if training else "eval"
            raise CheckFailed(
                f"model.training is {model.training} afterwards", f"{mode} mode", cause
            )
        for name, value in model.state_dict().items():
            if not bool((value == before[name]).all()):
                cause = "the image of zeros went through in train mode: call model.eval() first."
                raise CheckFailed(f"{name} was changed by the call", "as it was before", cause)
        if probes.hooks(model):
            cause = "register_forward_hook returns a handle: handle.remove(), for each of them."
            raise CheckFailed(f"{probes.hooks(model)} hooks are left on the model", "none", cause)


@step("module_cost", "also after an image that the model cannot take: no hooks, the same mode")
def _(f):
    import torch.nn as nn

    from cnnlab.checks import probes

    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU())
    cause = "try: ... finally: cleans up whatever happens."
    with contextlib.suppress(RuntimeError):
        f(model, (1, 5, 6))
    if probes.hooks(model):
        raise CheckFailed(f"{probes.hooks(model)} hooks are left on the model", "none", cause)
    if not model.training:
        raise CheckFailed("model.training is False afterwards", "train mode", cause)


@step("module_cost", "in double precision: two layers that share their weight")
def _(f):
    import torch.nn as nn

    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 4), nn.Linear(4, 4)).double()
    model[2].weight = model[1].weight
    known = ({40: "the shared weight is counted twice."}, {16: "both layers work."})
    causes = ("16 that both layers share, and 4 biases each.", "16 for each of the two.")
    try:
        _cost(f, model, (1, 2, 2), (24, 32), "two layers that share their weight", causes, known)
    except RuntimeError as error:
        cause = "the image of zeros has another dtype than the model's parameters."
        raise CheckFailed(f"RuntimeError: {error}", "(24, 32)", cause) from error


# -- ResidualBlock ---------------------------------------------------------------------------------


def _block(f: Any, *args: int) -> Any:
    block = tensors.module(f(*args), "the call")
    C, F, stride = (*args, 1)[:3]
    shapes = {"conv1.weight": (F, C, 3, 3), "conv2.weight": (F, F, 3, 3)}
    norms = ["bn1", "bn2"]
    if C != F or stride != 1:
        shapes["shortcut.0.weight"] = (F, C, 1, 1)
        norms.append("shortcut.1")
    for norm in norms:
        names = ("weight", "bias", "running_mean", "running_var")
        shapes |= {f"{norm}.{name}": (F,) for name in names}
    cause = "3x3 convolutions without a bias; the second one sees what the first one makes."
    what = f"ResidualBlock{args}"
    if norms[-1] == "shortcut.1":
        why = (
            f"{what} changes the shape: its shortcut is an nn.Sequential of Conv2d and BatchNorm2d."
        )
    else:
        why = f"{what} leaves the shape as it is: its shortcut is nn.Identity()."
    known = {("missing", "shortcut.0.weight"): why, ("too many", "shortcut.0.weight"): why}
    tensors.shapes_are(block, shapes, cause, known)
    return block


@step("ResidualBlock", "names and shapes of the weights; the shortcut has some where x changes")
def _(f):
    for args in ((4, 4), (3, 6), (4, 4, 2), (4, 6, 2)):
        _block(f, *args)


@step("ResidualBlock", "the shape of the output: stride 2 halves it, rounded up")
def _(f):
    import torch

    for args, shape, right in (
        ((2, 3), (2, 2, 4, 5), (2, 3, 4, 5)),
        ((2, 4, 2), (1, 2, 6, 8), (1, 4, 3, 4)),
        ((2, 2, 2), (1, 2, 5, 7), (1, 2, 3, 4)),
    ):
        what = f"out of ResidualBlock{args}, for x of shape {shape}"
        try:
            came = tensors.numbers(_block(f, *args)(torch.zeros(shape)), what)
        except RuntimeError as error:
            cause = "add self.shortcut(x); it has conv1's stride; the 3x3 have padding=1."
            raise CheckFailed(f"{what}: RuntimeError: {error}", f"shape {right}", cause) from error
        if came.shape != right:
            cause = "conv1 and the shortcut have the stride; the 3x3 convolutions have padding=1."
            raise CheckFailed(f"{what} has shape {came.shape}", f"{right}", cause)


def _by_hand(f: Any, stride: int = 1) -> Any:
    """conv1 hands x through, bn1 adds 1; conv2 turns the sign, bn2 adds 2."""
    args = (1, 1) if stride == 1 else (1, 1, stride)
    block = _block(f, *args).double().eval()
    one = np.zeros((1, 1, 3, 3))
    one[0, 0, 1, 1] = 1
    values = {"conv1.weight": one, "conv2.weight": -one, "bn1.bias": [1.0], "bn2.bias": [2.0]}
    if stride > 1:  # conv2 takes the number to the left
        values["conv2.weight"] = np.roll(-one, -1, axis=3)
        values["shortcut.0.weight"] = np.full((1, 1, 1, 1), 10.0)
    for name, layer in block.named_modules():
        if hasattr(layer, "eps"):
            layer.eps = 0.0
            values |= {f"{name}.running_mean": [0.0], f"{name}.running_var": [1.0]}
    return tensors.fill(block, values)


_X = np.array([[[[1.0, -2], [3, -4]]]])


@step("ResidualBlock", "by hand: conv1 hands x through, conv2 turns the sign, in eval mode")
def _(f):
    import torch

    x = torch.tensor(_X)
    with tensors.tensors_unchanged(x=x):
        came = _by_hand(f)(x)
    tensors.tensor(
        came,
        [[[[1, 0], [1, 0]]]],
        "out",
        "bn1 adds 1: (2, −1, 4, −3); ReLU: (2, 0, 4, 0); conv2, bn2: (0, 2, −2, 2); plus x: "
        "(1, 0, 1, −2); ReLU.",
        known=[
            ([[[[0, 2], [0, 2]]]], "the shortcut is not added."),
            ([[[[1, 0], [3, -2]]]], "the second ReLU comes after the addition, not before it."),
            ([[[[1, 0], [1, -2]]]], "the ReLU after the addition is missing."),
            ([[[[1, 1], [1, 1]]]], "the ReLU between the convolutions is missing."),
            ([[[[0, 0], [0, 0]]]], "bn1 is used twice: conv2 has a batch normalisation, bn2."),
        ],
        inputs={"x[0, 0]": _X[0, 0]},
    )


@step(
    "ResidualBlock",
    "by hand: stride 2; conv2 takes the number to the left; the shortcut is 10 times x",
)
def _(f):
    import torch

    x = np.arange(1.0, 13).reshape(1, 1, 3, 4)
    tensors.tensor(
        _by_hand(f, 2)(torch.tensor(x)),
        [[[[12, 30], [92, 102]]]],
        "out",
        "conv1 takes 1 and 3 of the first row; plus 1: 2 and 4. What is to the left of them is "
        "0 and 2; turned, plus 2: 2 and 0. The shortcut adds 10 and 30.",
        known=[([[[[12, 29], [92, 101]]]], "the stride stands in conv2: it belongs to conv1.")],
        inputs={"x[0, 0]": x[0, 0]},
    )


@step("ResidualBlock", "in train mode each convolution's batch normalisation learns its averages")
def _(f):
    import torch

    block = _by_hand(f).train()
    block.bn1.eps = block.bn2.eps = 1e-5  # in training PyTorch wants one
    block(torch.tensor(_X))
    for name, right in (("bn1", -0.05), ("bn2", -0.1075)):
        came = float(getattr(block, name).running_mean[0])
        if abs(came - right) > 1e-3:
            cause = "bn1 sees x, whose mean is −0.5; bn2 what conv2 makes. A tenth of each counts."
            what = f"{name}.running_mean is {came:.4g} after one batch"
            raise CheckFailed(what, f"{right:.4g}", cause)
