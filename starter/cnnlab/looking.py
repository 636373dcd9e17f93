"""Where to look in a trained net: the strongest answers, pieces of pictures, the worst mistakes.

All numbers come from your own net; nothing in here computes a layer or a gradient.
"""

from __future__ import annotations

import numpy as np


def strongest(maps: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """In which images one activation map is largest, and at which place.

    Args:
        maps: (N, H, W), what one filter makes of N images.
        count: how many images, 1 to N.

    Returns:
        (images, rows, columns): int64 (count,) each, the largest first; one place for each image.
    """
    flat = maps.reshape(len(maps), -1)
    images = np.argsort(-flat.max(axis=1), kind="stable")[:count]
    rows, columns = np.unravel_index(np.argmax(flat[images], axis=1), maps.shape[1:])
    return images, rows, columns


def pieces(
    images: np.ndarray, rows: np.ndarray, columns: np.ndarray, grid: int, size: int
) -> np.ndarray:
    """Cut out of each image the part around one place of an activation map.

    A map of grid x grid places lies evenly over the image, so that each place has a middle there.

    Args:
        images: (n, S, S, 3).
        rows, columns: (n,), a place of the map for each image, from 0 to grid - 1.
        grid: the side of the map.
        size: the side of the part, in pixels. What hangs over the edge is grey.

    Returns:
        (n, size, size, 3), of the images' dtype.
    """
    side = images.shape[1]
    grey = np.full((1, 1, 1, 3), 128 if images.dtype == np.uint8 else 0.5, images.dtype)
    room = np.broadcast_to(grey, (len(images), side + 2 * size, side + 2 * size, 3)).copy()
    room[:, size : size + side, size : size + side] = images
    result = np.empty((len(images), size, size, 3), images.dtype)
    for n, (row, column) in enumerate(zip(rows, columns, strict=True)):
        middle = (np.array([row, column]) + 0.5) * side / grid
        top, left = np.ceil(middle - size / 2).astype(int) + size
        result[n] = room[n, top : top + size, left : left + size]
    return result


def shifted(images: np.ndarray, down: int, across: int) -> np.ndarray:
    """Move images by whole pixels; the colours of the edge fill what becomes free.

    Args:
        images: (N, C, H, W).
        down, across: pixels; negative ones move up and to the left.

    Returns:
        A new array of the same shape and dtype.
    """
    H, W = images.shape[2:]
    rows = np.clip(np.arange(H) - down, 0, H - 1)
    columns = np.clip(np.arange(W) - across, 0, W - 1)
    return images[:, :, rows[:, None], columns]


def in_grey(gradients: np.ndarray) -> np.ndarray:
    """Pictures of how large gradients are: black is 0, white the largest of each image.

    Args:
        gradients: (N, C, H, W), with respect to images.

    Returns:
        (N, H, W, 3), 0 to 1: at each pixel, the largest size among the channels.

    Source: Simonyan, Vedaldi and Zisserman, "Deep inside convolutional networks"
    (arXiv:1312.6034), whose saliency maps these are.
    """
    size = np.abs(gradients).max(axis=1)
    size = size / np.maximum(size.max(axis=(1, 2), keepdims=True), 1e-12)
    return np.repeat(size[..., None], 3, axis=3)


def in_colour(gradients: np.ndarray) -> np.ndarray:
    """Pictures of gradients with their signs: grey is 0; a colour would raise the number.

    Args:
        gradients: (N, 3, H, W), with respect to images.

    Returns:
        (N, H, W, 3), 0 to 1, each image on its own scale.
    """
    largest = np.abs(gradients).max(axis=(1, 2, 3), keepdims=True)
    return (0.5 + gradients / (2 * np.maximum(largest, 1e-12))).transpose(0, 2, 3, 1)


def probabilities(scores: np.ndarray) -> np.ndarray:
    """Scores (N, classes) as numbers that are positive and add up to 1, for each image."""
    exps = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exps / exps.sum(axis=1, keepdims=True)


def worst(scores: np.ndarray, y: np.ndarray, count: int) -> np.ndarray:
    """Which images a net is most wrong about: it held the right class for the least likely.

    Args:
        scores: (N, classes). y: (N,), the right classes.

    Returns:
        int64, the places of at most count images that are classified wrongly, the worst first.
    """
    likely = probabilities(scores)
    right = likely[np.arange(len(y)), y]
    wrong = np.flatnonzero(np.argmax(scores, axis=1) != y)
    return wrong[np.argsort(right[wrong], kind="stable")][:count]
