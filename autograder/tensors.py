"""Between PyTorch's tensors and NumPy's arrays, and the state of a module.

Runs on both sides, as ``wire`` does: in the kernel for what travels, and in the grader where a
diagnosis calls a reference. Nothing here imports torch before a tensor is wanted: an assignment
without it never pays for it. Nothing is ever pickled: neither torch.save nor torch.load is called.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

COUNTER = "num_batches_tracked"  # of a batch norm: no weight
# what NumPy has no number for; exact in single precision
WIDENED = ("bfloat16", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz")


def is_tensor(value: Any) -> bool:
    """By its real type: what an object says of its ``__class__`` does not count."""
    tensor = getattr(sys.modules.get("torch"), "Tensor", None)
    return isinstance(tensor, type) and issubclass(type(value), tensor)


def is_module(value: Any) -> bool:
    """Whether it is an nn.Module."""
    module = getattr(getattr(sys.modules.get("torch"), "nn", None), "Module", None)
    return isinstance(module, type) and issubclass(type(value), module)


def to_array(tensor: Any, most: int = 2**62) -> tuple[np.ndarray, bool, str]:
    """(its numbers as an array of the CPU, whether it asks for gradients, its dtype's name).

    Raises ValueError where a tensor has no numbers to show, and MemoryError where it would have
    more than ``most`` bytes: a tensor that was expanded is small until somebody writes it out.
    """
    import torch

    base = torch.Tensor
    # torch's own methods, called as functions: what a subclass overrides does not count
    with torch._C.DisableTorchFunctionSubclass(), torch.no_grad():
        dtype, layout = base.dtype.__get__(tensor), base.layout.__get__(tensor)
        name = str(dtype).removeprefix("torch.")
        if base.is_nested.__get__(tensor) or layout is not torch.strided:
            raise ValueError(
                "the result is a sparse or nested tensor: return an ordinary, dense one"
            )
        if base.is_quantized.__get__(tensor):
            raise ValueError("the result is a quantized tensor: return an ordinary one of floats")
        if base.is_meta.__get__(tensor):
            raise ValueError(
                "the result is a tensor on the meta device, which has a shape but no numbers"
            )
        size = base.numel(tensor) * base.element_size(tensor)
        if size > most:
            raise MemoryError(
                f"the result has {size / 1e6:.0f} MB; the grader takes {most / 1e6:.0f} MB, "
                "more than any right answer"
            )
        plain = base.detach(tensor)
        if name in WIDENED:
            plain = base.to(plain, torch.float32)
        plain = base.resolve_neg(base.resolve_conj(base.cpu(plain)))
        array = np.array(base.numpy(plain))  # a copy, which nobody else can change
        return array, bool(base.requires_grad.__get__(tensor)), name


def from_array(array: np.ndarray, grad: bool = False) -> Any:
    """A torch tensor on the CPU with these numbers, its own memory and its dtype.

    With ``grad`` it asks for gradients.
    """
    import torch

    return torch.from_numpy(np.array(array)).requires_grad_(grad)


def copied(tensor: Any) -> Any:
    """A tensor of its own with the same numbers, which asks for gradients if this one does."""
    array, grad, _ = to_array(tensor)
    return from_array(array, grad)


def state(module: Any) -> dict[str, np.ndarray] | None:
    """Copies of a module's weights and buffers by name; None for what is no nn.Module."""
    if not is_module(module):
        return None
    found = {name: value for name, value in module.state_dict().items() if is_tensor(value)}
    return {
        name: to_array(value)[0]
        for name, value in found.items()
        if name.rpartition(".")[2] != COUNTER
    }


def set_state(module: Any, values: Mapping[str, Any]) -> None:
    """Write tensors into a module's weights and buffers of these names, in place."""
    import torch

    there = module.state_dict()
    with torch.no_grad():
        for name, value in values.items():
            there[name].copy_(value)
