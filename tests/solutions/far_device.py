"""A second device for tests where there is none: tensors that know that they lie elsewhere.

Each is computed with on the processor, so its numbers are real. But as on a GPU, it works together
with those on the same device only, has to be brought back before NumPy can have it, and
``float(x)`` waits. As on Apple's, there is no float64. All that is decided below autograd: modules,
optimizers and gradients work as ever.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map

FAR = torch.device("mps:0")
MOVES = ("_to_copy", "copy_")
TAKE_INDICES = ("index", "index_put", "index_put_", "_index_put_impl_")  # from the processor, too


class FarTensor(torch.Tensor):
    """A tensor on FAR. Its numbers are those of ``near``."""

    __torch_function__ = torch._C._disabled_torch_function_impl
    device = property(lambda self: FAR)

    @staticmethod
    def __new__(cls, near: torch.Tensor) -> FarTensor:
        # "meta", as PyTorch for the processor knows nothing of the other devices' streams
        return torch.Tensor._make_wrapper_subclass(
            cls,
            near.shape,
            strides=near.stride(),
            storage_offset=near.storage_offset(),
            dtype=near.dtype,
            device="meta",
        )

    def __init__(self, near: torch.Tensor) -> None:
        if near.dtype is torch.float64:
            raise TypeError("there is no float64 on this device")
        self.near = near

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        raise RuntimeError("a tensor of FarDevice is used outside of it")


class FarDevice(TorchDispatchMode):
    """Inside, tensors can be made on FAR, and moved there and back.

    Attributes:
        waits: how often the processor asked for a number that lay on FAR.
        moves: how often tensors were copied from one device to the other.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits = self.moves = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = [x for x in tree_iter((args, kwargs)) if isinstance(x, torch.Tensor)]
        far = [x for x in tensors if isinstance(x, FarTensor)]
        name = function.overloadpacket.__name__
        if far and name not in (*MOVES, *TAKE_INDICES):
            _refuse_mixed(function, tensors)
        result = function(*tree_map(_near, args), **tree_map(_near, kwargs))
        self.waits += name == "_local_scalar_dense"
        goes_far = _goes_far(name, args, kwargs, bool(far))
        self.moves += (
            name in MOVES and bool(tensors) and goes_far != isinstance(tensors[-1], FarTensor)
        )
        if not goes_far:
            return result
        known = {id(x.near): x for x in far}  # what was changed in place comes back as it is

        def put_far(x: Any) -> Any:
            if not isinstance(x, torch.Tensor):
                return x
            return known[id(x)] if id(x) in known else FarTensor(x)

        return tree_map(put_far, result)


def _refuse_mixed(function: Any, tensors: list[torch.Tensor]) -> None:
    """Numbers without axes may lie anywhere, as PyTorch has it."""
    devices = Counter(x.device for x in tensors if x.ndim or isinstance(x, FarTensor))
    if len(devices) > 1:
        found = " and ".join(map(str, devices))
        raise RuntimeError(f"{function} of tensors on the same device only, and not on {found}")


def _near(x: Any) -> Any:
    if isinstance(x, FarTensor):
        return x.near
    return torch.device("cpu") if isinstance(x, torch.device) else x


def _goes_far(name: str, args: tuple, kwargs: dict, any_far: bool) -> bool:
    if name == "copy_":
        return isinstance(args[0], FarTensor)
    wanted = kwargs.get("device")
    if wanted is None or wanted.type == "meta":  # it stays where it was
        return any_far
    return wanted.type == FAR.type
