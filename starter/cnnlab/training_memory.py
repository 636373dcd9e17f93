"""What a training keeps in memory, part by part, before it fails for want of it.

torch is imported with this module: only the GPU's notebook needs it.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import nn


def training_bytes(
    model: nn.Module, image_shape: Sequence[int], batch_size: int, *, momentum: bool = True
) -> dict[str, int]:
    """Count the bytes that a training step holds at the moment when the backward pass begins.

    Two and four images of zeros go through a copy of the net, on the CPU, and what autograd keeps
    for the backward pass is counted; from the difference follows what each image adds. What the
    libraries take besides (workspaces, the allocator's gaps, the driver: some hundred MB on a GPU)
    is not in it.

    Args:
        model: the net; it is left as it is.
        image_shape: (C, H, W) of one image.
        batch_size: how many images go through at once.
        momentum: whether the optimizer keeps one number for each parameter (SGD with momentum).
            Adam keeps two.

    Returns:
        "weights" (parameters, and the running averages), "gradients", "momentum", "activations"
        (the images too): bytes.
    """
    probe = copy.deepcopy(model).cpu().train()
    parameters = sum(parameter.nbytes for parameter in probe.parameters())
    buffers = sum(buffer.nbytes for buffer in probe.buffers())
    two, four = (_kept_bytes(probe, image_shape, count) for count in (2, 4))
    each = (four - two) / 2
    return {
        "weights": parameters + buffers,
        "gradients": parameters,
        "momentum": parameters if momentum else 0,
        "activations": round(two - 2 * each + batch_size * each),
    }


def _kept_bytes(model: nn.Module, image_shape: Sequence[int], count: int) -> int:
    """What autograd keeps for the backward pass of so many images, each memory counted once."""
    own = {t.untyped_storage().data_ptr() for t in (*model.parameters(), *model.buffers())}
    kept: dict[int, torch.UntypedStorage] = {}  # held, so that no address is given out twice

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage
        return tensor

    images = torch.zeros((count, *image_shape), dtype=next(model.parameters()).dtype)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = model(images)
    keep(images)
    del result
    return sum(storage.nbytes() for storage in kept.values())
