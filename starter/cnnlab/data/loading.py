"""load: a data set by its name."""

from __future__ import annotations

import os
from pathlib import Path

from cnnlab.data.dataset import Dataset
from cnnlab.data.errors import DataError

NAMES = ("toys", "cifar10")
VARIABLE = "CNNLAB_DATA"


def load(name: str, *, source: str | Path | None = None) -> Dataset:
    """A data set, as arrays.

    Args:
        name: "toys", which is part of cnnlab: ten classes of drawn toys, 4,000 training, 500
            validation and 1,000 test pictures. Or "cifar10": ten classes of photographs, 45,000,
            5,000 and 10,000. The first time it is downloaded (170 MB) and kept in your cache
            folder; its validation part is the last 5,000 of the official training pictures.
        source: for "cifar10", where to take it from instead: a folder with the official files
            (unpacked; binary or Python version), an official archive that you downloaded, or the
            address of a mirror. The environment variable CNNLAB_DATA says the same for all calls.

    Returns:
        A Dataset; its docstring says what the arrays hold.

    Raises:
        DataError: the data cannot be had. The message says why, and what to do.
        ValueError: there is no data set of this name.

    Source of CIFAR-10: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
    """
    if name == "toys":
        if source is not None:
            raise DataError('load("toys") takes no source: the pictures are part of cnnlab.')
        from cnnlab.data.toys import load_toys

        return load_toys()
    if name == "cifar10":
        from cnnlab.data.cifar10 import load_cifar10

        given = f"source={str(source)!r}"
        if source is None and os.environ.get(VARIABLE):
            source, given = os.environ[VARIABLE], f"{VARIABLE}={os.environ[VARIABLE]}"
        return load_cifar10(source, given)
    raise ValueError(f"there is no data set {name!r}. There are: {', '.join(map(repr, NAMES))}")
