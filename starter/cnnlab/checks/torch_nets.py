"""The steps for the three-layer ConvNet in PyTorch: bare tensors, a module, a sequence; weights."""

from __future__ import annotations

import copy
import functools
from typing import Any

import numpy as np

from cnnlab.checks import hand_worked, tensors
from cnnlab.checks.expect import array, parts, unchanged, value_error
from cnnlab.checks.nets import names_are, net_step, weights_are
from cnnlab.checks.steps import CheckFailed, step
from cnnlab.gradient_check import numeric_gradient

# A filter of 3x3 that moves an image down and to the right by one; the rest hands it through.
_MOVES = {
    "W1": [[[[1.0, 0, 0], [0, 0, 0], [0, 0, 0]]]],
    "b1": [0.0],
    "W2": [[1.0, 0], [0, 1]],
    "b2": [0.0, 0],
    "W3": [[1.0, 0], [0, 1]],
    "b3": [0.0, 0],
}
_WIDE = np.array([[[[1.0, 2, 3, 4], [5, 6, 7, 8]]]])
_LAYERS = ("conv", "fc1", "fc2")


def _drawn() -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    return hand_worked.drawn(hand_worked.SHAPES)


def _state(params: dict[str, Any], layers: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The numbers of the NumPy net under a module's names: nn.Linear stores (outputs, inputs)."""
    state = {}
    for number, layer in enumerate(layers, start=1):
        w = np.asarray(params[f"W{number}"])
        state[f"{layer}.weight"] = w if w.ndim == 4 else w.T
        state[f"{layer}.bias"] = np.asarray(params[f"b{number}"])
    return state


def _scores_are_right(scores: Any) -> None:
    """``scores(image, params)`` on the numbers that can be worked out by hand."""
    cause = "the padding is (filter_size − 1) / 2: of a filter of 1×1, none; then a 2×2 pooling."
    came = _attempt(scores, hand_worked.IMAGE, hand_worked.PARAMS, cause)
    hand_worked.image_scores(tensors.tensor, came)
    hand_worked.dark_scores(tensors.tensor, scores(0 * hand_worked.IMAGE, hand_worked.PARAMS))


def _attempt(scores: Any, X: np.ndarray, params: dict, cause: str) -> Any:
    try:
        return scores(X, params)
    except RuntimeError as error:
        if "cannot be multiplied" in str(error):
            cause += " And W2 and W3 are (inputs, outputs), where F.linear wants them transposed."
        raise CheckFailed(f"RuntimeError: {error}", "scores", cause) from error


def _padding_is_right(scores: Any) -> None:
    cause = (
        "with one row of zeros around it, the filter moves the image down and right: 0 0 0 0 over "
        "0 1 2 3; the pooling takes (1, 3). The padding is (filter_size − 1) / 2."
    )
    came = _attempt(scores, _WIDE, _MOVES, cause)
    tensors.tensor(came, [[1, 3]], "scores", cause, inputs={"x[0, 0]": _WIDE[0, 0]})


def _flattening_is_right(scores: Any) -> None:
    """Two filters make two channels: they are laid out one after the other."""
    params = {
        "W1": [[[[1.0]]], [[[10.0]]]],
        "b1": [0.0, 0],
        "W2": [[1.0, 0], [0, 1], [0, 0], [0, 0]],
        "b2": [0.0, 0],
        "W3": [[1.0, 0], [0, 1]],
        "b3": [0.0, 0],
    }
    cause = (
        "the pooling gives 6 8 in the first channel and 60 80 in the second: flat, 6 8 60 80. "
        "W2 takes the first two of them."
    )
    known = [([[6, 60]], "the numbers of a pixel side by side: the channels come before them.")]
    tensors.tensor(
        _attempt(scores, _WIDE, params, cause),
        [[6, 8]],
        "scores",
        cause,
        known=known,
        inputs={"x[0, 0]": _WIDE[0, 0]},
    )


# -- bare tensors ----------------------------------------------------------------------------------


def _bare(f: Any) -> Any:
    import torch

    return lambda X, params: f(torch.tensor(X), tensors.to_tensors(params))


@step("three_layer_convnet", "by hand: a filter of 1×1 with weight 2 and bias −1, an image of 2×2")
def _(f):
    _scores_are_right(_bare(f))


@step("three_layer_convnet", "by hand: the padding of a filter of 3×3, on an image of 2×4")
def _(f):
    _padding_is_right(_bare(f))


@step("three_layer_convnet", "by hand: two filters, whose channels are flattened one by one")
def _(f):
    _flattening_is_right(_bare(f))


@step("three_layer_convnet", "each image by itself, six that are not square")
def _(f):
    params, X, _ = _drawn()
    together = tensors.numbers(_bare(f)(X, params), "scores")
    alone = np.concatenate(
        [tensors.numbers(_bare(f)(X[n : n + 1], params), "scores") for n in range(6)]
    )
    cause = "the images are mixed: flatten all axes but the first, out.flatten(1)."
    array(together, alone, "scores of six images", cause, source="one by one")


@step("three_layer_convnet", "gradients can come back to every tensor in params")
def _(f):
    import torch

    params, X, _ = _drawn()
    own = {n: p.requires_grad_() for n, p in tensors.to_tensors(params).items()}

    def ask():
        total = f(torch.tensor(X), own).sum()
        return dict(zip(own, torch.autograd.grad(total, list(own.values()), allow_unused=True)))  # noqa: B905

    cause = "detach(), .data, .numpy() or torch.no_grad() cuts the graph."
    tensors.gradients_arrive(ask, own, cause)


@step("three_layer_convnet", "float32 stays, float64 too; x and params are left as they were")
def _(f):
    params, X, _ = _drawn()
    for dtype in ("float32", "float64"):
        given = tensors.to_tensors({"x": X, **params}, dtype)
        with tensors.tensors_unchanged(**given):
            scores = f(given["x"], {name: given[name] for name in params})
        tensors.numbers(scores, "scores")
        tensors.dtype_is(scores, dtype, "scores")
        for name in params:
            if given[name].requires_grad:
                cause = "params belong to the caller, who decides whether they get gradients."
                came = f"params['{name}'].requires_grad is True after the call"
                raise CheckFailed(came, "False, as it was before", cause)


_DETACH = "loss.detach() is the same number, outside of the graph."

# -- autograd --------------------------------------------------------------------------------------


def _autograd(name: str):
    return net_step("loss_and_gradients", name, ["three_layer_convnet"])


def _asked(f: Any, params: dict[str, Any], X: np.ndarray, y: np.ndarray) -> tuple[Any, dict]:
    import torch

    loss, grads = parts(f(torch.tensor(X), torch.tensor(y), params), ("loss", "grads"))
    names_are(grads, list(params), "grads")
    return loss, grads


@_autograd("by hand: scores (5, −10) and (3, −16), where class 1 is right")
def _(f):
    X = np.concatenate([hand_worked.IMAGE, 0 * hand_worked.IMAGE])
    loss, _ = _asked(f, tensors.to_tensors(hand_worked.PARAMS), X, np.array([1, 1]))
    tensors.numbers(loss, "loss", "a tensor without axes, not .item(): " + _DETACH)
    known = [
        (34.0, "that is the sum over the images: the loss is their mean."),
        (1.3132617, "the scores went through a softmax twice: F.cross_entropy takes one itself."),
    ]
    cause = "the losses of the two images are 15 and 19; their mean."
    tensors.number(loss.detach(), 17.0, "loss", cause, known)


@_autograd("numeric gradients: six images that are not square")
def _(f):
    params, X, y = _drawn()
    _, grads = _asked(f, tensors.to_tensors(params), X, y)
    for name, value in params.items():

        def moved(numbers, name=name):
            changed = tensors.to_tensors({**params, name: numbers})
            return float(_asked(f, changed, X, y)[0].detach())

        numeric = numeric_gradient(moved, value, np.array(1.0))
        tensors.tensor(
            grads[name],
            numeric,
            f"grads['{name}']",
            "the gradient of the loss that you return, for each tensor in params.",
            known=[
                (numeric * len(X), "the gradient of the sum; the loss is the mean."),
                (numeric / len(X), "divided by the number of images twice."),
            ],
            source=f"{name}, numeric",
        )


@_autograd("twice the same: gradients do not add up")
def _(f):
    params, X, y = _drawn()
    params = tensors.to_tensors(params)
    first = {n: tensors.numbers(g, n).copy() for n, g in _asked(f, params, X, y)[1].items()}
    _, second = _asked(f, params, X, y)
    for name, right in first.items():
        cause = "backward() adds to what is in .grad: begin with fresh tensors, or .grad = None."
        known = [(2 * right, cause)]
        what = f"grads['{name}'] of a second call"
        tensors.tensor(second[name], right, what, cause, known=known, source="of the first call")


@_autograd("loss and gradients are tensors that hold on to no graph")
def _(f):
    params, X, y = _drawn()
    loss, grads = _asked(f, tensors.to_tensors(params), X, y)
    tensors.no_graph(loss, "loss", _DETACH)
    for name, gradient in grads.items():
        tensors.numbers(gradient, f"grads['{name}']", "no .numpy(): on a GPU it waits and copies.")
        tensors.no_graph(gradient, f"grads['{name}']", ".detach().")


@_autograd("params are left as they were: values, requires_grad, .grad")
def _(f):
    params, X, y = _drawn()
    params = tensors.to_tensors(params, "float32")
    with tensors.tensors_unchanged(**params):
        _, grads = _asked(f, params, X.astype(np.float32), y)
    for name, value in params.items():
        cause = "work on tensors of your own: value.detach().requires_grad_()."
        if value.requires_grad or value.grad is not None:
            what = "requires_grad is True" if value.requires_grad else ".grad is set"
            raise CheckFailed(f"params['{name}']: {what} after the call", "as it was before", cause)
        tensors.dtype_is(grads[name], "float32", f"grads['{name}']")


# -- the module and the sequence -------------------------------------------------------------------


def _moduled(f: Any, layers: tuple[str, ...]) -> Any:
    """``scores(X, params)`` of a module that f makes and that gets these weights."""
    import torch

    def scores(X, params):
        filters, _, size, _ = np.shape(params["W1"])
        sizes = {"num_filters": filters, "filter_size": size, "hidden_dim": 2, "num_classes": 2}
        model = tensors.module(f(input_dim=X.shape[1:], **sizes), "the call").double()
        state = _state(params, layers)
        cause = "conv: (filters, C, size, size); linear: (outputs, inputs), after a 2x2 pooling."
        tensors.shapes_are(model, {n: a.shape for n, a in state.items()}, cause)
        return tensors.fill(model, state)(torch.tensor(X))

    return scores


def _names_and_shapes(f: Any, layers: tuple[str, ...]) -> None:
    model = tensors.module(f(**hand_worked.SMALL, num_classes=4), "the call")
    conv, hidden, out = layers
    shapes = {
        f"{conv}.weight": (3, 2, 3, 3), f"{conv}.bias": (3,),
        f"{hidden}.weight": (5, 18), f"{hidden}.bias": (5,),
        f"{out}.weight": (4, 5), f"{out}.bias": (4,),
    }  # fmt: skip
    tensors.shapes_are(model, shapes, "the pooling halves height and width: 3 · 2 · 3 inputs.")


def _graph(f: Any, layers: tuple[str, ...]) -> None:
    import torch

    from cnnlab.checks import probes

    params, X, y = _drawn()
    model = tensors.module(f(**hand_worked.SMALL, num_classes=4), "the call").double()
    tensors.fill(model, _state(params, layers))
    cause = "detach(), .data, .numpy() or torch.no_grad() in forward cuts the graph."
    tensors.gradients_arrive(
        lambda: probes.gradients(model, torch.tensor(X), torch.tensor(y)),
        list(_state(params, layers)),
        cause,
    )


@step("TorchConvNet", "names and shapes of the weights, for images of 2 × 4 × 6")
def _(f):
    _names_and_shapes(f, _LAYERS)


@step("TorchConvNet", "first values: He's standard deviation, sqrt(2 / inputs); biases 0")
def _(f):
    sizes = {"num_filters": 40, "filter_size": 5, "hidden_dim": 70, "num_classes": 60}
    model = tensors.module(f(input_dim=(2, 4, 6), **sizes), "the call")
    for layer, inputs, outputs in (("conv", 50, 1000), ("fc1", 240, 70), ("fc2", 70, 60)):
        weight, bias = (getattr(getattr(model, layer), n) for n in ("weight", "bias"))
        known = [
            (np.sqrt(1 / 3 / inputs), "so PyTorch's layers begin by themselves: overwrite them."),
            (np.sqrt(1 / inputs), "the 2 is missing: half of the numbers end in a ReLU."),
            (np.sqrt(2 / outputs), "count the inputs that one output sees, not the outputs."),
        ]
        cause = 'nn.init.kaiming_normal_(layer.weight, nonlinearity="relu").'
        w = weight.detach().numpy()
        weights_are(w, float(np.sqrt(2 / inputs)), f"{layer}.weight", cause, known)
        if bool(bias.detach().abs().sum() > 0):
            cause = "PyTorch draws biases at random: nn.init.zeros_(layer.bias)."
            raise CheckFailed(f"{layer}.bias is not 0 everywhere", "zeros", cause)


@step("TorchConvNet", "by hand: a filter of 1×1 with weight 2 and bias −1, an image of 2×2")
def _(f):
    _scores_are_right(_moduled(f, _LAYERS))


@step("TorchConvNet", "by hand: the padding of a filter of 3×3, on an image of 2×4")
def _(f):
    _padding_is_right(_moduled(f, _LAYERS))


@step("TorchConvNet", "by hand: two filters, whose channels are flattened one by one")
def _(f):
    _flattening_is_right(_moduled(f, _LAYERS))


@step("TorchConvNet", "gradients come back to all weights")
def _(f):
    _graph(f, _LAYERS)


@step("sequential_convnet", "seven layers, in their order")
def _(f):
    import torch

    model = tensors.module(f(), "the call")
    expected = ["Conv2d", "ReLU", "MaxPool2d", "Flatten", "Linear", "ReLU", "Linear"]
    if not isinstance(model, torch.nn.Sequential):
        raise CheckFailed(
            f"a {type(model).__name__}", "an nn.Sequential", "nn.Sequential(a, b, ...)"
        )
    came = [type(layer).__name__ for layer in model]
    if came != expected:
        cause = "the layers in the order in which an image meets them; no softmax at the end."
        raise CheckFailed(", ".join(came), ", ".join(expected), cause)


@step("sequential_convnet", "names and shapes of the weights, for images of 2 × 4 × 6")
def _(f):
    _names_and_shapes(f, ("0", "4", "6"))


@step("sequential_convnet", "by hand: a filter of 1×1 with weight 2 and bias −1, an image of 2×2")
def _(f):
    _scores_are_right(_moduled(f, ("0", "4", "6")))


@step("sequential_convnet", "by hand: the padding of a filter of 3×3, on an image of 2×4")
def _(f):
    _padding_is_right(_moduled(f, ("0", "4", "6")))


# -- copy_weights ----------------------------------------------------------------------------------


def _model(nested: bool = False) -> tuple[Any, tuple[str, ...]]:
    """A model whose weights are all 7, and the names of its layers."""
    import torch.nn as nn

    first, last = [nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)], [nn.Linear(5, 4)]
    middle = [nn.Flatten(), nn.Linear(18, 5), nn.ReLU()]
    if nested:
        model = nn.Sequential(nn.Sequential(*first), nn.Sequential(*middle), *last)
    else:
        model = nn.Sequential(*first, *middle, *last)
    state = {name: np.full(value.shape, 7.0) for name, value in model.state_dict().items()}
    return tensors.fill(model, state), ("0.0", "1.1", "2") if nested else ("0", "4", "6")


def _copied(f: Any, nested: bool = False) -> tuple[Any, dict[str, np.ndarray]]:
    params, _, _ = _drawn()
    model, layers = _model(nested)
    try:
        with unchanged(**params):
            f(params, model)
    except (ValueError, RuntimeError) as error:
        cause = "nn.Linear stores (outputs, inputs), params have (inputs, outputs): transpose."
        if "in-place" in str(error) or "inplace" in str(error):
            cause = "the graph has no place for it: overwrite the weights under torch.no_grad()."
        raise CheckFailed(f"{type(error).__name__}: {error}", "weights that fit", cause) from error
    state = model.state_dict()
    for name, right in _state(params, layers).items():
        nothing = "nothing was copied here."
        if nested:
            nothing += " The model's children are blocks: model.modules() walks through them, too."
        wrong = [(np.full(right.shape, 7.0), nothing)]
        if name.endswith("weight") and right.ndim == 2:
            mixed = right.T.reshape(right.shape)
            wrong.append((mixed, "reshape keeps the order of the numbers: transpose, with .T."))
        cause = "params in the order W1, b1, ..., the layers in the order of model.modules()."
        what = f"{name} of the model"
        tensors.tensor(state[name], right, what, cause, known=wrong, source="params")
    return model, params


@step("copy_weights", "the weights arrive, transposed where nn.Linear wants it, and the biases")
def _(f):
    _copied(f)


@step("copy_weights", "a model in blocks: model.modules() walks through all of them")
def _(f):
    _copied(f, nested=True)


@step("copy_weights", "in place: the same Parameters, their dtype, their requires_grad")
def _(f):
    params, _, _ = _drawn()
    model, _ = _model()
    before = dict(model.named_parameters())
    f(params, model)
    for name, parameter in model.named_parameters():
        if parameter is not before[name]:
            cause = "an optimizer holds the old ones: write into them, parameter.copy_(...)."
            raise CheckFailed(f"{name} is another Parameter than before", "the same one", cause)
        tensors.dtype_is(parameter, "float32", name, "copy_ keeps the model's dtype.")
        if not parameter.requires_grad:
            raise CheckFailed(f"{name}.requires_grad is False", "True", "it has to go on learning.")


@step("copy_weights", "a copy: what the model learns does not change params")
def _(f):
    params, _, _ = _drawn()
    model, _ = _model()
    model.double()
    before = copy.deepcopy(params)
    f(params, model)
    tensors.fill(model, {n: 0 * v.detach().numpy() for n, v in model.state_dict().items()})
    for name, value in params.items():
        if not np.array_equal(value, before[name]):
            cause = "torch.from_numpy shares its memory, and so does .data = ...: use copy_."
            raise CheckFailed(f"params['{name}'] moved with the model", "a copy", cause)


@step("copy_weights", "ValueError where a shape does not fit, and the model stays as it was")
def _(f):
    for name, cut in (("W1", np.s_[:, :1]), ("b1", np.s_[:1]), ("W3", np.s_[:, :2])):
        params, _, _ = _drawn()
        model, _ = _model()
        params[name] = params[name][cut]
        call = f"copy_weights, where {name} has shape {params[name].shape},"
        cause = (
            "copy_ stretches one channel over all of them, in silence: compare the shapes first."
        )
        try:
            value_error(functools.partial(f, params, model), call, "it does not fit.", cause)
        except RuntimeError as error:
            why = "raise ValueError(...) before PyTorch complains."
            raise CheckFailed(f"{call} gave RuntimeError: {error}", "a ValueError", why) from error
        if any(bool((value != 7).any()) for value in model.state_dict().values()):
            cause = "look at all shapes before you copy anything."
            raise CheckFailed("a part of the weights was copied", "none of them", cause)
