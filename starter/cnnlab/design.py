"""The design questions: what a net is given, where its weights lie, and which accuracies count.

design_net of 4_convnet is a net in NumPy, with params and loss(X). design_resnet of 5_gpu is a
torch module. What is written for both asks the net itself which of them it is.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from cnnlab import data, weights
from cnnlab.evaluation import accuracy
from cnnlab.weights import WeightsError

FILE = "design_net.npz"  # beside the notebook, written by cnnlab.weights.save_weights
LINES = (0.40, 0.60, 0.70, 0.80, 0.84, 0.88, 0.92, 0.95)  # accuracies, worth the same each
RESNET_FILE = "design_resnet.npz"  # the same for a module, by cnnlab.torch_weights.save_weights
RESNET_LINES = (0.50, 0.70, 0.85, 0.92, 0.95, 0.97)


def prepared(X: np.ndarray) -> np.ndarray:
    """Pictures as the grader gives them to your net: train with the same.

    Args:
        X: uint8 (N, 32, 32, 3), as in data.load("toys").

    Returns:
        float32 (N, 3, 32, 32), with each channel's mean over the training pictures taken off, and
        divided by its standard deviation.
    """
    return data.to_nchw(data.standardize(X, *_statistics()))


@functools.cache
def _statistics() -> tuple[np.ndarray, np.ndarray]:
    return data.channel_statistics(data.load("toys").X_train)


def is_module(net: Any) -> bool:
    """Whether a net is a torch module. Without torch, none is."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(net, torch.nn.Module)


def file_of(net: Any) -> str:
    """The name that the file with this net's weights has to have."""
    return RESNET_FILE if is_module(net) else FILE


def under_other_names(file: str) -> list[str]:
    """Files here that look as if they were ``file``, but are not: a browser calls a second download
    of the same name design_net(1).npz, and nobody looks at that."""
    path = Path(file)
    found = path.parent.glob(f"{path.stem}*{path.suffix}")
    return sorted(each.name for each in found if each.name != path.name)


def validation_accuracy(net: Any) -> float:
    """How often a net is right on the toys' validation images, 0 to 1.

    Args:
        net: with loss(X), or a torch module, on any device; that is asked in eval mode, and put
            back into the mode that it was in.
    """
    toys = data.load("toys")
    if is_module(net):
        from cnnlab.torch_run import AsNumpys  # imports torch, which 1_ to 4_ do without

        net = AsNumpys(net)
    return accuracy(net, prepared(toys.X_val), toys.y_val, batch_size=50)


def load(net: Any) -> None:
    """Give a net the weights that lie in its file.

    Raises:
        WeightsError: there is no such file, or it belongs to another net. The net is as it was.
    """
    _filing(net).load_weights(file_of(net), net)


def _filing(net: Any) -> ModuleType:
    """The module that writes this kind of net into a file, and reads it."""
    if is_module(net):
        from cnnlab import torch_weights  # imports torch, which 1_ to 4_ do without

        return torch_weights
    return weights


def save_if_better(net: Any, make: Callable[[], Any]) -> bool:
    """Save a net's weights in its file, unless those that lie there are better; say which.

    So running a notebook anew does not lose the best of many attempts.

    Args:
        net: a trained net: its file is design_net.npz, or a torch module's design_resnet.npz.
        make: design_net or design_resnet; of the file's weights only those count that fit into the
            net it makes.

    Returns:
        Whether it was saved.

    Raises:
        WeightsError: the weights are too large or not finite, do not fit the net that make() makes,
            or the file cannot be written. What lay there is as it was.
        TypeError: net is no net, or make no function.
    """
    _are_net_and_function(net, make)
    file = file_of(net)
    if others := under_other_names(file):
        print(
            f"({' and '.join(others)} is not looked at: only {file} counts. Rename what you mean.)"
        )
    _fits(net, make)
    reached, there = validation_accuracy(net), _reached_by_the_file(make)
    if there is not None and there > reached:
        print(
            f"{reached:.3f} on the validation images. The weights in {file} reach {there:.3f}, so "
            f"they stay. (Delete the file if you do not want them.)"
        )
        return False
    if there is None and Path(file).exists():
        earlier = _free_name(file)
        with contextlib.suppress(OSError):  # in a folder that cannot be written, saving says so
            Path(file).replace(earlier)
            print(f"(The {file} that was here belongs to another net. It is now {earlier}.)")
    _filing(net).save_weights(file, net)
    print(f"{reached:.3f} on the validation images: saved in {file}")
    return True


def _are_net_and_function(net: Any, make: Any) -> None:
    """Raises TypeError for what is easily handed over instead."""
    if hasattr(net, "model") and hasattr(net, "train") and not is_module(net):
        raise TypeError("the net itself is wanted, and not the Solver that has trained it.")
    if not (is_module(net) or hasattr(net, "params")):
        raise TypeError(f"first comes the trained net, with its params: not {net!r:.60}")
    if is_module(make) or not callable(make):
        raise TypeError(
            "second comes the function that makes the net, without brackets: "
            "save_if_better(mine, design_net)"
        )


def _free_name(file: str) -> Path:
    """Where weights of another net are kept: earlier_design_net.npz, then earlier_2_..., and so on:
    of many attempts, any may have been the best."""
    names = itertools.chain(("earlier_",), (f"earlier_{k}_" for k in itertools.count(2)))
    places = (Path(file).with_name(f"{name}{Path(file).name}") for name in names)
    return next(place for place in places if not place.exists())


def _fits(net: Any, make: Callable[[], Any]) -> None:
    """Raises WeightsError where the grader could not give these weights to the net it makes."""
    name = getattr(make, "__name__", "your function")
    try:
        made = make()
        if is_module(made) != is_module(net):
            raise WeightsError(f"it makes a {type(made).__name__}.")
        _filing(net).set_weights(made, _filing(net).get_weights(net))
    except WeightsError as error:
        raise WeightsError(
            f"Nothing was saved: these weights do not fit the net that {name}() makes. {error} "
            f"Train what {name}() returns, as it is: nothing around it, and not another net."
        ) from None


def _reached_by_the_file(make: Callable[[], Any]) -> float | None:
    """None: there is no file, or it belongs to another net."""
    net = make()
    if not Path(file_of(net)).exists():
        return None
    try:
        load(net)
    except WeightsError:
        return None
    return validation_accuracy(net)
