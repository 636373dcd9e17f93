"""The design question: what the net is given, where its weights lie, and which accuracies count."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cnnlab import data
from cnnlab.evaluation import accuracy
from cnnlab.weights import WeightsError, load_weights, save_weights

FILE = "design_net.npz"  # beside the notebook, written by cnnlab.weights.save_weights
LINES = (0.40, 0.60, 0.70, 0.80, 0.84, 0.88, 0.92, 0.95)  # accuracies, worth the same each


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


def under_other_names() -> list[str]:
    """Files here that look as if they were FILE, but are not: a browser calls a second download of
    the same name design_net(1).npz, and nobody looks at that."""
    path = Path(FILE)
    found = path.parent.glob(f"{path.stem}*{path.suffix}")
    return sorted(each.name for each in found if each.name != path.name)


def validation_accuracy(net: Any) -> float:
    """How often a net is right on the toys' validation images, 0 to 1."""
    toys = data.load("toys")
    return accuracy(net, prepared(toys.X_val), toys.y_val, batch_size=50)


def save_if_better(net: Any, make: Callable[[], Any]) -> bool:
    """Save a net's weights in FILE, unless those that lie there are better; say which.

    So running a notebook anew does not lose the best of many attempts.

    Args:
        net: a trained net.
        make: design_net; of the file's weights only those count that fit into the net it makes.

    Returns:
        Whether it was saved.

    Raises:
        WeightsError: the weights are too large or not finite, or the file cannot be written.
    """
    if others := under_other_names():
        print(
            f"({' and '.join(others)} is not looked at: only {FILE} counts. Rename what you mean.)"
        )
    reached, there = validation_accuracy(net), _reached_by_the_file(make)
    if there is not None and there > reached:
        print(
            f"{reached:.3f} on the validation images. The weights in {FILE} reach {there:.3f}, so "
            f"they stay. (Delete the file if you do not want them.)"
        )
        return False
    save_weights(FILE, net)
    print(f"{reached:.3f} on the validation images: saved in {FILE}")
    return True


def _reached_by_the_file(make: Callable[[], Any]) -> float | None:
    """None: there is no file, or it belongs to another net."""
    if not Path(FILE).exists():
        return None
    try:
        net = make()
        load_weights(FILE, net)
    except WeightsError:
        return None
    return validation_accuracy(net)
