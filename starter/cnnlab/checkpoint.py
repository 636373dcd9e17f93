"""All that a Solver knows, in a file, and back: enough to go on as if nothing had happened.

Beside the weights there are what the update rule remembers of each array, the order of the images
in this epoch, both random generators, and what was measured.
"""

from __future__ import annotations

import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnlab.array_file import ArrayFileError, read_arrays, write_arrays
from cnnlab.weights import WeightsError, get_weights, set_weights

if TYPE_CHECKING:
    from cnnlab.solver import Solver

VERSION = 1
LARGEST = 2_000_000_000  # bytes
HISTORIES = ("loss_history", "train_acc_history", "val_acc_history", "seconds_history")
NUMBERS = ("steps_done", "seconds", "best_val_acc")


class CheckpointError(ValueError):
    """The checkpoint cannot be used by this solver. The message says why, and what to do."""


def save(path: str | Path, solver: Solver) -> None:
    """Write a checkpoint, whole or not at all.

    Raises:
        CheckpointError: the update rule's config holds something that is neither array nor number.
        OSError: the file cannot be written.
    """
    arrays = {f"weights/{name}": array for name, array in get_weights(solver.model).items()}
    arrays |= {f"best/{name}": array for name, array in solver.best_weights.items()}
    configs: dict[str, dict] = {}
    for name, config in solver.optim_configs.items():
        configs[name] = {}
        for key, value in config.items():
            if isinstance(value, (np.ndarray, np.generic)):  # NumPy's numbers keep their dtype
                arrays[f"config/{name}/{key}"] = np.asarray(value)
            else:
                configs[name][key] = _plain(name, key, value)
    common = np.random.get_state(legacy=False)
    arrays["common_generator"] = common["state"]["key"]
    arrays["order"] = solver.order
    about = {
        "version": VERSION,
        "settings": settings(solver),
        "configs": configs,
        "generator": solver.rng.bit_generator.state,
        "common_generator": {**common, "state": {"pos": common["state"]["pos"]}},
        **{name: getattr(solver, name) for name in (*HISTORIES, *NUMBERS)},
    }
    write_arrays(path, arrays, about)


def check_writable(path: Path) -> None:
    """Try the folder of a checkpoint, before an hour of training depends on it.

    Raises:
        CheckpointError: no file can be made there.
    """
    try:
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise CheckpointError(
            f"the checkpoint {path.name} cannot be written in {path.absolute().parent}: "
            f"{error.strerror}. Give the path of a folder of your own, or leave checkpoint out."
        ) from None


def load(path: str | Path, solver: Solver) -> None:
    """Put a solver where the one was that wrote this file.

    Raises:
        CheckpointError: the file is damaged, or that solver had other arguments, another net or
            other images. This solver is as it was.
    """
    try:
        arrays, about = read_arrays(path, LARGEST)
    except ArrayFileError as error:
        raise CheckpointError(f"{error} Or delete it, and begin anew.") from None
    if not isinstance(about, dict) or about.get("version") != VERSION:
        raise CheckpointError(f"{path} is no checkpoint of this version. Delete it to begin anew.")
    _check_settings(path, about["settings"], settings(solver))
    common, weights, best = about["common_generator"], {}, {}
    configs = {name: dict(config) for name, config in about["configs"].items()}
    for name, array in arrays.items():
        kind, _, rest = name.partition("/")
        if kind == "weights":
            weights[rest] = array
        elif kind == "best":
            best[rest] = array
        elif kind == "config":
            parameter, _, key = rest.rpartition("/")
            configs[parameter][key] = array if array.ndim else array[()]
    try:
        set_weights(solver.model, weights)
    except WeightsError as error:
        raise CheckpointError(f"{path}: {error} Or delete the file, and begin anew.") from None
    solver.optim_configs, solver.best_weights = configs, best
    solver.order = arrays["order"]
    solver.rng.bit_generator.state = about["generator"]
    state = {"key": arrays["common_generator"], "pos": common["state"]["pos"]}
    np.random.set_state({**common, "state": state})
    for name in (*HISTORIES, *NUMBERS):
        setattr(solver, name, about[name])


def settings(solver: Solver) -> dict[str, str]:
    """What has to be the same to go on: by name, as texts."""
    X, y = solver.data["X_train"], np.ascontiguousarray(solver.data["y_train"])
    return {
        "update_rule": _name(solver.update_rule),
        "optim_config": repr(solver.optim_config),
        "lr_decay": repr(solver.lr_decay),
        "schedule": _name(solver.schedule),
        "batch_size": repr(solver.batch_size),
        "num_epochs": repr(solver.num_epochs),
        "num_train_samples": repr(solver.num_train_samples),
        "num_val_samples": repr(solver.num_val_samples),
        "augment": repr([_name(change) for change in solver.augment]),
        "seed": repr(solver.seed),
        "workers": repr(getattr(solver.model, "workers", 1)),  # of a DataParallel
        "X_train": f"{X.shape} {X.dtype}",
        "y_train": f"{len(y)} classes, checksum {zlib.crc32(y.tobytes())}",
    }


def _check_settings(path: str | Path, then: dict[str, str], now: dict[str, str]) -> None:
    for name, value in now.items():
        if then.get(name) != value:
            raise CheckpointError(
                f"{path} was written with {name} = {then.get(name)}; this solver has {value}. Use "
                "the same arguments to go on, or delete the file to begin anew."
            )


def _name(function: Any) -> str:
    """A function's name; of an object that is called, what it was made from."""
    return getattr(function, "__name__", None) or repr(function)


def _plain(parameter: str, key: str, value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise CheckpointError(
        f"the config of {parameter} holds a {type(value).__name__} under {key!r}: a checkpoint "
        "takes arrays, numbers and texts."
    )
