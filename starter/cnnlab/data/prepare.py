"""Pictures to numbers that learn well: centred, scaled, channels first.

What is subtracted and divided by is measured on the training pictures alone, then used for all
three parts. Measuring it on the test pictures would let them take part in the training.
"""

from __future__ import annotations

import numpy as np

from cnnlab.data.dataset import Dataset


def mean_image(X: np.ndarray) -> np.ndarray:
    """The average picture.

    Args:
        X: (N, H, W, C), N at least 1, any real dtype; training pictures.

    Returns:
        float32 (H, W, C), in X's units: 0..255 for pictures from ``load``. ``X - mean_image`` is
        float, also where X is uint8.

    Raises:
        ValueError: X is empty or has not four dimensions.
    """
    _check(X)
    return X.mean(axis=0, dtype=np.float64).astype(np.float32)


def channel_statistics(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel, over all pictures and pixels.

    Args:
        X: (N, H, W, C), N at least 1, any real dtype; training pictures.

    Returns:
        mean, std: float32 (C,) each, in X's units (0..255 for pictures from ``load``). The
        deviation divides by the number of pixels, not by one less.

    Raises:
        ValueError: X is empty or has not four dimensions.
    """
    _check(X)
    mean, std = [], []
    for channel in np.moveaxis(X, -1, 0):  # one at a time: in float64 all would need 8 times X
        mean.append(channel.mean(dtype=np.float64))
        std.append(channel.std(dtype=np.float64))
    return np.array(mean, dtype=np.float32), np.array(std, dtype=np.float32)


def standardize(X: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """(X - mean) / std, channel by channel.

    Args:
        X: (N, H, W, C), any real dtype.
        mean, std: (C,), in X's units, from ``channel_statistics`` of the training pictures; or a
            (H, W, C) ``mean_image`` as mean.

    Returns:
        float32 (N, H, W, C), without a unit: the training pictures' channels have mean 0 and
        standard deviation 1. X is not changed.

    Raises:
        ValueError: a standard deviation is 0 or less, or the shapes do not fit.
    """
    mean, std = np.asarray(mean, dtype=np.float32), np.asarray(std, dtype=np.float32)
    for name, value in (("mean", mean), ("std", std)):
        if value.shape not in (X.shape[-1:], X.shape[1:]):
            raise ValueError(
                f"{name} has shape {value.shape}; for pictures of shape {X.shape} it must be "
                f"{X.shape[-1:]}, one number a channel, or {X.shape[1:]}"
            )
    if not np.all(std > 0):
        raise ValueError(
            f"std must be above 0 everywhere, its smallest is {std.min()}: a channel "
            "that is the same in all training pictures tells nothing, leave it out"
        )
    result = np.subtract(X, mean, dtype=np.float32)
    result /= std
    return result


def to_nchw(X: np.ndarray) -> np.ndarray:
    """Channels before rows and columns, as convolution layers take them.

    Args:
        X: (N, H, W, C), any real dtype.

    Returns:
        float32 (N, C, H, W), in C order; the values and their unit stay as they are.

    Raises:
        ValueError: X has not four dimensions.
    """
    if X.ndim != 4:
        raise ValueError(f"X must have the shape (N, H, W, C), not {X.shape}")
    return np.ascontiguousarray(X.transpose(0, 3, 1, 2), dtype=np.float32)


def for_training(dataset: Dataset) -> dict[str, np.ndarray]:
    """All pictures of a dataset as a Solver takes them, and the test pictures likewise.

    Args:
        dataset: as ``load`` returns it.

    Returns:
        'X_train', 'X_val', 'X_test': float32 (N, C, H, W); each channel's mean over the training
            pictures is taken off, and it is divided by its standard deviation over them
        'y_train', 'y_val', 'y_test': the dataset's own classes, (N,)
    """
    mean, std = channel_statistics(dataset.X_train)
    made = {}
    for part in ("train", "val", "test"):
        pixels = standardize(getattr(dataset, f"X_{part}"), mean, std)
        made |= {f"X_{part}": to_nchw(pixels), f"y_{part}": getattr(dataset, f"y_{part}")}
    return made


def _check(X: np.ndarray) -> None:
    if X.ndim != 4 or not len(X):
        raise ValueError(
            f"X must have the shape (N, H, W, C) with at least one picture, not {X.shape}"
        )
