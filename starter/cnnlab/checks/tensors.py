"""Comparisons of PyTorch's tensors and modules, for the checks of 5_gpu.

PyTorch is imported when a step runs: the other notebooks' checks do without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from cnnlab.checks.expect import array, scalar
from cnnlab.checks.steps import CheckFailed


def to_tensors(arrays: Mapping[str, Any], dtype: str = "float64") -> dict[str, Any]:
    import torch

    return {name: torch.tensor(np.asarray(value, dtype)) for name, value in arrays.items()}


def numbers(came: Any, what: str, cause: str = "return the tensor itself.") -> np.ndarray:
    """The numbers of a tensor; anything else is refused."""
    import torch

    if came is None:
        raise CheckFailed(f"{what} is None", "a tensor", "a missing return.")
    if not isinstance(came, torch.Tensor):
        raise CheckFailed(
            f"{what} is of type {type(came).__name__}: {came!r:.40}", "a tensor", cause
        )
    return came.detach().cpu().numpy()


def tensor(came: Any, expected: Any, what: str, cause: str, **options: Any) -> np.ndarray:
    """came must be a tensor with the shape and numbers of expected; options as for ``array``."""
    return array(numbers(came, what), expected, what, cause, **options)


def number(came: Any, expected: float, what: str, cause: str, known=()) -> None:
    """came must be this number: a plain one, or a tensor of no axes that holds on to no graph."""
    import torch

    if isinstance(came, torch.Tensor):
        no_graph(came, what)
        came = came.cpu().numpy()
    scalar(came, expected, what, cause, known)


def no_graph(came: Any, what: str, how: str = ".detach(), or .item().") -> None:
    if came.requires_grad:
        raise CheckFailed(
            f"{what} still holds on to its graph (requires_grad is True)",
            f"{what} without it",
            f"the graph keeps all that the forward pass computed in memory: {how}",
        )


def dtype_is(came: Any, name: str, what: str, cause: str = "") -> None:
    """The dtype of a tensor, as "float32"."""
    found = str(came.dtype).removeprefix("torch.")
    if found != name:
        cause = (
            cause or "a tensor that was made with a fixed dtype: take the dtype of what came in."
        )
        raise CheckFailed(f"{what} has dtype {found}", name, cause)


def module(came: Any, what: str) -> Any:
    """came must be an nn.Module."""
    import torch

    if isinstance(came, type):
        raise CheckFailed(f"{what} gave a class", "a module", "are the brackets of a call missing?")
    if not isinstance(came, torch.nn.Module):
        cause = "a missing return." if came is None else "a class is one by class Name(nn.Module):"
        raise CheckFailed(
            f"{what} gave {came!r:.40}, of type {type(came).__name__}", "an nn.Module", cause
        )
    return came


def shapes_are(
    model: Any,
    shapes: Mapping[str, tuple],
    cause: str,
    known: Mapping[tuple[str, str], str] | None = None,
) -> None:
    """The names and shapes in a module's state_dict, without the counts of batches.

    ``known`` maps ("missing", how a name begins), or "too many", to what is usually behind it.
    """
    came = {
        name: tuple(value.shape)
        for name, value in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    if set(came) != set(shapes):
        missing = sorted(set(shapes) - set(came))
        more = sorted(set(came) - set(shapes))
        differ = {"missing": missing, "too many": more}
        words = [f"{word}: {', '.join(names)}" for word, names in differ.items() if names]
        why = next(
            (
                why
                for (word, begin), why in (known or {}).items()
                if any(name.startswith(begin) for name in differ[word])
            ),
            _why_names_differ(missing, more),
        )
        raise CheckFailed(f"of the weights, {'; '.join(words)}", ", ".join(shapes), why)
    for name, shape in shapes.items():
        if came[name] != shape:
            raise CheckFailed(f"{name} has shape {came[name]}", f"shape {shape}", cause)


def _why_names_differ(missing: list[str], more: list[str]) -> str:
    if not missing and all(name.endswith("bias") for name in more):
        return "these layers have a bias, and should not: nn.Conv2d(..., bias=False)."
    if not more and all(name.endswith("bias") for name in missing):
        return "these layers have no bias, and should: leave out bias=False."
    if not missing:
        return "a layer that the description does not name, or one that is there twice."
    return (
        "the names come from the attributes: self.conv = nn.Conv2d(...) makes conv.weight and "
        "conv.bias. Layers in a plain list are not found, and do not learn."
    )


def fill(model: Any, values: Mapping[str, Any]) -> Any:
    """Write numbers into a module's weights, in place. Returns the module."""
    import torch

    there = model.state_dict()
    with torch.no_grad():
        for name, value in values.items():
            there[name].copy_(torch.tensor(np.asarray(value)))
    return model


@contextmanager
def tensors_unchanged(**tensors: Any) -> Iterator[None]:
    """Inside the with block, nobody may write into these tensors."""
    before = {name: values.detach().clone() for name, values in tensors.items()}
    yield
    for name, values in tensors.items():
        if not np.array_equal(values.detach().numpy(), before[name].numpy()):
            raise CheckFailed(
                f"{name} was changed by the call",
                f"{name} as it was before",
                "+=, inplace=True, or a method whose name ends in _, writes into the tensor.",
            )


def gradients_arrive(ask: Callable[[], dict[str, Any]], names, cause: str) -> None:
    """``ask()`` gives gradients by name: each has to be there, and not be zero."""
    try:
        found = ask()
    except RuntimeError as error:
        raise CheckFailed(f"backward() raised: {error}", "gradients", cause) from error
    for name in names:
        if found.get(name) is None or not bool(found[name].abs().sum() > 0):
            raise CheckFailed(f"no gradient comes back to {name}", "a gradient", cause)
