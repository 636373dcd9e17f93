"""Many small pictures on one sheet of numbers."""

from __future__ import annotations

import math

import numpy as np


def tiled(images: np.ndarray, columns: int | None = None) -> np.ndarray:
    """Side by side on a white ground, row by row.

    Args:
        images: (n, H, W, C), from 0 to 1.
        columns: how many to a row; None: about as many as there are rows.

    Returns:
        (height, width, C).
    """
    n, H, W, C = images.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = -(-n // columns)
    edge = max(1, H // 8)
    sheet = np.ones((rows * (H + edge) - edge, columns * (W + edge) - edge, C))
    for k, image in enumerate(images):
        top, left = k // columns * (H + edge), k % columns * (W + edge)
        sheet[top : top + H, left : left + W] = image
    return sheet


def stretched(images: np.ndarray) -> np.ndarray:
    """Each image (n, ...) from 0 to 1; one that is the same everywhere is 0."""
    axes = tuple(range(1, images.ndim))
    low = images.min(axis=axes, keepdims=True)
    high = images.max(axis=axes, keepdims=True)
    return (images - low) / np.maximum(high - low, 1e-8)
