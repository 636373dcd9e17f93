"""A net's weights: out of it, into it, and in a file that can be handed in.

A net is any object with a dict of arrays, ``params``. If it normalises batches, it has a list
``bn_params`` too, whose dicts hold 'running_mean' and 'running_var': they are part of the weights,
under names like "bn_params.0.running_mean".
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

import numpy as np

from cnnlab.array_file import ArrayFileError, read_arrays, write_arrays

LARGEST = 25_000_000  # bytes of all weights together: 6 million numbers in float32
RUNNING = ("running_mean", "running_var")


class WeightsError(ValueError):
    """These weights do not belong to this net, or cannot be used. The message says why."""


def get_weights(model: Any) -> dict[str, np.ndarray]:
    """All that a net has learned: copies of its params, and of its running averages."""
    weights = {name: np.array(array) for name, array in model.params.items()}
    for number, param in enumerate(getattr(model, "bn_params", ())):
        for which in RUNNING:
            if which in param:
                weights[f"bn_params.{number}.{which}"] = np.array(param[which])
    return weights


def set_weights(model: Any, weights: Mapping[str, np.ndarray]) -> None:
    """Give a net these weights; they are copied, in the dtype that the net has.

    Args:
        model: the net; its params and bn_params are changed.
        weights: as get_weights returned them, for a net with the same layers.

    Raises:
        WeightsError: names are missing or too many, shapes differ, or a number is NaN or infinite.
            Nothing is changed then.
    """
    expected = get_weights(model)
    may_be_missing = {
        f"bn_params.{number}.{which}"
        for number, _ in enumerate(getattr(model, "bn_params", ()))
        for which in RUNNING
    }  # of a net that has seen no batch yet
    check_weights(weights, expected, may_be_missing)
    some = next(iter(model.params.values()), np.zeros(0, np.float32))
    for name, array in weights.items():
        array = np.array(array, dtype=expected.get(name, some).dtype)
        if name in model.params:
            model.params[name] = array
        else:
            _, number, which = name.split(".")
            model.bn_params[int(number)][which] = array


def check_weights(
    weights: Mapping[str, np.ndarray],
    expected: Mapping[str, Any],
    may_be_missing: Set[str] = frozenset(),
) -> None:
    """Compare weights with those of the net that is to have them.

    Args:
        weights: name -> array.
        expected: name -> array or tensor, whose shape is the right one.
        may_be_missing: names that the net would take too.

    Raises:
        WeightsError: names are missing or too many, shapes differ, or a number is NaN or infinite.
    """
    missing = sorted(set(expected) - set(weights))
    unknown = sorted(set(weights) - set(expected) - may_be_missing)
    if missing or unknown:
        problem = [f"{_listed(missing)} missing"] if missing else []
        problem += [f"the net has no {_listed(unknown)}"] if unknown else []
        raise WeightsError(
            f"These weights belong to another net: {', and '.join(problem)}. Make the net with the "
            "same layers and options as the one whose weights were saved."
        )
    for name, array in weights.items():
        shape = np.shape(array)
        if name in expected and shape != tuple(expected[name].shape):
            raise WeightsError(
                f"These weights belong to another net: {name} has the shape {shape}, and in this "
                f"net {tuple(expected[name].shape)}."
            )
        if not np.isfinite(array).all():
            raise WeightsError(
                f"{name} holds NaN or infinity: a net with it classifies nothing. Train it anew, "
                "with a smaller learning rate."
            )


def save_weights(path: str | Path, model: Any) -> Path:
    """Write a net's weights to a file, whole or not at all.

    Args:
        path: ends in .npz. A file that is there already is replaced.
        model: the net.

    Returns:
        path, as a Path.

    Raises:
        WeightsError: the weights take more than LARGEST bytes, or cannot be used; running averages
            are missing, as the net has seen no batch yet; or the file cannot be written.
    """
    weights = get_weights(model)
    if without_averages(model, weights):
        raise WeightsError(
            "The net normalises batches, and has no running averages yet: train it, then save it."
        )
    return write_weights(path, weights)


def write_weights(path: str | Path, weights: Mapping[str, np.ndarray]) -> Path:
    """Write a dict of arrays as save_weights does, with the same limits and errors."""
    size = sum(array.nbytes for array in weights.values())
    if size > LARGEST:
        largest = max(weights, key=lambda name: weights[name].nbytes)
        raise WeightsError(
            f"The weights take {size / 1e6:.1f} MB; at most {LARGEST / 1e6:.0f} MB can be handed "
            f"in. The most, {weights[largest].nbytes / 1e6:.1f} MB, are {largest}'s, of shape "
            f"{weights[largest].shape}."
        )
    for name, array in weights.items():
        if not np.isfinite(array).all():
            raise WeightsError(f"{name} holds NaN or infinity, so it is not saved.")
    try:
        return write_arrays(path, weights)
    except OSError as error:
        where = Path(path).absolute().parent
        raise WeightsError(
            f"{Path(path).name} cannot be written in {where}: {error.strerror}. Save it in a "
            "folder of your own that has room."
        ) from None


def read_weights(path: str | Path, largest: int = LARGEST) -> dict[str, np.ndarray]:
    """Read a file of weights. Nothing in it is run, and nothing larger than ``largest`` read.

    Raises:
        WeightsError: there is no such file, it is damaged, too large, or holds something else.
    """
    try:
        return read_arrays(path, largest)[0]
    except ArrayFileError as error:
        raise WeightsError(str(error)) from None


def load_weights(path: str | Path, model: Any) -> None:
    """Read a file that save_weights wrote, and give the net these weights.

    Raises:
        WeightsError: the file cannot be used, belongs to another net, or lacks the running averages
            of a net that normalises batches. The net is as it was.
    """
    weights = read_weights(path)
    if without_averages(model, weights) and set(model.params) <= set(weights):
        raise WeightsError(
            f"{Path(path).name} holds no running averages, and this net normalises batches: its "
            "answers would be nonsense. Write the file by save_weights(path, net), after the "
            "training. (np.savez(path, **net.params) leaves out what stands in net.bn_params.)"
        )
    set_weights(model, weights)


def without_averages(model: Any, weights: Mapping[str, np.ndarray]) -> bool:
    """Whether a net normalises batches, and these weights hold nothing to do it with in 'test'.

    (set_weights itself takes them: a net that has seen no batch yet has none, and goes on.)
    """
    normalises = len(getattr(model, "bn_params", ())) > 0
    return normalises and not any(name.startswith("bn_params.") for name in weights)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
