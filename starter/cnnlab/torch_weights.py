"""A PyTorch module's weights in a file that can be handed in: arrays, as in cnnlab.weights.

torch.save would write a pickle, and reading a pickle can run anything. This file holds numbers
under the names of the module's state_dict, and no code. BatchNorm's running averages are among
them; its count of batches (num_batches_tracked), which nothing needs that only classifies, is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cnnlab.weights import check_weights, read_weights, write_weights


def get_weights(model: nn.Module) -> dict[str, np.ndarray]:
    """All that a module has learned: copies of its state_dict's tensors, as arrays.

    Floats that NumPy lacks (bfloat16) become float32.
    """
    weights = {}
    for name, tensor in _state(model).items():
        tensor = tensor.float() if tensor.dtype is torch.bfloat16 else tensor
        weights[name] = np.array(tensor.cpu().numpy())
    return weights


def set_weights(model: nn.Module, weights: Mapping[str, np.ndarray]) -> None:
    """Give a module these weights; they are copied, in the dtype and to the device that it has.

    Args:
        model: the module; its tensors are overwritten in place, so that an optimizer that knows
            them goes on with the new values.
        weights: as get_weights returned them, for a module with the same layers.

    Raises:
        cnnlab.weights.WeightsError: names are missing or too many, shapes differ, or a number is
            NaN or infinite. Nothing is changed then.
    """
    state = _state(model)
    check_weights(weights, state)
    with torch.no_grad():
        for name, tensor in state.items():
            tensor.copy_(torch.tensor(weights[name]))


def save_weights(path: str | Path, model: nn.Module) -> Path:
    """Write a module's weights to a file, whole or not at all.

    Args:
        path: ends in .npz. A file that is there already is replaced.
        model: the module, on any device.

    Returns:
        path, as a Path.

    Raises:
        cnnlab.weights.WeightsError: the weights take more than cnnlab.weights.LARGEST bytes, or
            cannot be used; or the file cannot be written.
    """
    return write_weights(path, get_weights(model))


def load_weights(path: str | Path, model: nn.Module) -> None:
    """Read a file that save_weights wrote, and give the module these weights.

    Raises:
        cnnlab.weights.WeightsError: the file cannot be used, or belongs to another net. The module
            is as it was.
    """
    set_weights(model, read_weights(path))


def _state(model: nn.Module) -> dict[str, torch.Tensor]:
    return {
        name: tensor
        for name, tensor in model.state_dict().items()
        if name.rpartition(".")[2] != "num_batches_tracked"
    }
