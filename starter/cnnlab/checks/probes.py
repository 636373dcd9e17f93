"""What can be found out about a PyTorch module from outside, and batches that lie elsewhere.

The visible checks use these, and so do the hidden tests. PyTorch is imported when it is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any


def gradients(model: Any, x: Any, y: Any) -> dict[str, Any]:
    """The gradients of the mean cross-entropy of ``model(x)``, by the parameters' names.

    Args:
        model: a module that makes scores, (N, classes). Its ``.grad`` are left as they were.
        x: a tensor of N images. y: (N,) their classes.
    """
    import torch

    named = dict(model.named_parameters())
    loss = torch.nn.functional.cross_entropy(model(x), y)
    found = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    return {
        name: torch.zeros_like(parameter) if gradient is None else gradient
        for (name, parameter), gradient in zip(named.items(), found, strict=True)
    }


def descend(model: Any, optimizer: Any, x: Any, y: Any) -> None:
    """One step of gradient descent."""
    import torch

    model.zero_grad()
    torch.nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()


def hooks(model: Any) -> int:
    """How many hooks there are on a module and on all that are in it."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(module, kind)) for module in model.modules() for kind in kinds)


class Witness:
    """Notes at each forward pass of a model whether gradients are recorded, and the mode.

    ``recorded`` and ``training`` are lists of truth values, one for each forward pass.
    """

    def __init__(self, model: Any):
        import torch

        self.recorded: list[bool] = []
        self.training: list[bool] = []

        def note(module: Any, inputs: tuple) -> None:
            self.recorded.append(torch.is_grad_enabled())
            self.training.append(module.training)

        model.register_forward_pre_hook(note)


class FarBatches:
    """Batches whose tensors behave as if they lay on another device, until they are moved.

    A real second device is not at hand everywhere. All that such a tensor can do is ``x.to(...)``,
    and tell its shape; anything else raises the error that PyTorch raises for two devices.
    """

    def __init__(self, batches: Sequence[tuple[Any, Any]]):
        self.batches = list(batches)

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        kind = _far_tensor()
        for x, y in self.batches:
            yield x.as_subclass(kind), y.as_subclass(kind)


def _far_tensor() -> type:
    import torch

    near = {
        *(torch.Tensor.size, torch.Tensor.dim, torch.Tensor.numel, torch.Tensor.__len__),
        *(torch.Tensor.shape.__get__, torch.Tensor.ndim.__get__, torch.Tensor.dtype.__get__),
        *(torch.Tensor.device.__get__, torch.Tensor.requires_grad.__get__),
    }

    class FarTensor(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            with torch._C.DisableTorchFunctionSubclass():
                if function is torch.Tensor.to:
                    moved = function(*args, **(kwargs or {}))
                    return moved.as_subclass(torch.Tensor)
                if function in near:
                    return function(*args, **(kwargs or {}))
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two devices: a "
                "batch was not moved with .to(device)"
            )

    return FarTensor
