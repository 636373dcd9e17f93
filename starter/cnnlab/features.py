"""From images to rows of numbers that a classifier can take: the tools around your own features.

A feature function takes a batch of images, (N, H, W, 3), and returns (N, F): your hog_feature and
color_histogram_hsv do.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

from cnnlab.forked import empty_shared, run_all

SLOW = 20_000  # images; from here on a bar shows how far it is
# Pixels in a batch: what is computed of them fits into the processor's own memory, which is much
# faster than the computer's.
BATCH = 2**17


def extract(
    images: np.ndarray,
    *functions: Callable[[np.ndarray], np.ndarray],
    batch: int | None = None,
    progress: bool | None = None,
) -> np.ndarray:
    """Apply feature functions to all images, and put their results side by side.

    The images go through in batches, one for each core at the same time. On Linux that happens in
    processes: all that counts of a function is what it returns.

    Args:
        images: (N, H, W, 3).
        functions: each takes (n, H, W, 3) and returns (n, F) for any n from 1 to batch.
        batch: how many images at a time. None: 128 of 32 x 32 pixels, fewer of larger ones.
        progress: show a bar. None: only if there are many images.

    Returns:
        float32 (N, sum of all F).

    Raises:
        ValueError: no functions, no images, or a result that is not (n, F).
    """
    if not functions or not len(images):
        raise ValueError("extract needs images, and one feature function at least")
    batch = batch or max(1, BATCH // (images.shape[1] * images.shape[2]))
    starts = range(0, len(images), batch)

    def one(start: int) -> np.ndarray:
        part = images[start : start + batch]
        return np.concatenate([_row_each(f, part) for f in functions], axis=1)

    first = one(0)
    result = empty_shared((len(images), first.shape[1]))
    result[: len(first)] = first

    def fill(start: int) -> None:
        result[start : start + batch] = one(start)

    if len(starts) > 1:
        batches = run_all(fill, starts[1:])
        for _ in _with_bar(batches, len(starts) - 1, progress, len(images)):
            pass
    return result


def _row_each(function: Callable, images: np.ndarray) -> np.ndarray:
    rows = np.asarray(function(images))
    if rows.ndim != 2 or len(rows) != len(images):
        name = getattr(function, "__name__", "the function")
        raise ValueError(
            f"{name} returned shape {rows.shape} for {len(images)} images; a feature function "
            f"returns a row for each: ({len(images)}, F). Does yours take a batch?"
        )
    return rows


def _with_bar(rows, total: int, progress: bool | None, images: int):
    if progress is None:
        progress = images >= SLOW
    if not progress:
        return rows
    from tqdm import tqdm

    # on stdout: in a notebook stderr is red
    return tqdm(rows, total=total, file=sys.stdout, desc="images", unit="batch", mininterval=1)


def tiles(images: np.ndarray, across: int) -> np.ndarray:
    """Cut every image into across x across equal tiles.

    Args:
        images: (N, H, W, C); across divides H and W.

    Returns:
        (N * across * across, H // across, W // across, C): an image's tiles one after the other,
        row by row. So ``feature(tiles(images, 2)).reshape(len(images), -1)`` describes each
        quarter by itself.

    Raises:
        ValueError: the images cannot be cut evenly.
    """
    N, H, W, C = images.shape
    if H % across or W % across:
        raise ValueError(f"images of {H} x {W} pixels cannot be cut into {across} x {across} tiles")
    cut = images.reshape(N, across, H // across, across, W // across, C).swapaxes(2, 3)
    return cut.reshape(-1, H // across, W // across, C)


def standardized(train: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """Give every number of a feature the mean 0 and the standard deviation 1.

    So a number that runs from 0 to 3000 does not drown one that runs from 0 to 1. Mean and
    deviation are those of the training images, for all: nothing may be learned from the others.

    Args:
        train, others: (N, F) each; N may differ.

    Returns:
        A float32 array for each. A number that is the same for all training images becomes 0.
    """
    mean, std = train.mean(axis=0, dtype=np.float64), train.std(axis=0, dtype=np.float64)
    scale = np.where(std > 1e-8, 1 / np.maximum(std, 1e-8), 0)
    mean, scale = mean.astype(np.float32), scale.astype(np.float32)
    results = []
    for rows in (train, *others):
        result = np.subtract(rows, mean, dtype=np.float32)
        result *= scale
        results.append(result)
    return results


def normalize_contrast(patches: np.ndarray, epsilon: float = 10.0) -> np.ndarray:
    """Make patches of different light alike: mean 0, and about the same contrast.

    Args:
        patches: (..., D), 0..255; each row of D numbers is treated by itself.
        epsilon: added to a patch's variance, so that an even patch is not blown up to noise.

    Returns:
        float32 (..., D): (patch - its mean) / sqrt(its variance + epsilon).

    Source: Coates, Lee and Ng (2011), who take epsilon 10 for pixels from 0 to 255.
    """
    result = np.subtract(patches, patches.mean(axis=-1, keepdims=True), dtype=np.float32)
    variance = np.mean(result**2, axis=-1, keepdims=True)
    result /= np.sqrt(variance + np.float32(epsilon))
    return result


def mirrored(images: np.ndarray) -> np.ndarray:
    """Every image seen in a mirror, left and right exchanged: (N, H, W, C) -> (N, H, W, C).

    A mirrored cat is a cat, so a training set can be doubled for nothing.
    """
    return images[:, :, ::-1]
