"""What a trained net says of pictures, and how often it is right."""

from __future__ import annotations

from typing import Any

import numpy as np


def scores(model: Any, X: np.ndarray, *, batch_size: int = 250, mirrored: bool = False):
    """The scores of many images, a batch at a time.

    Args:
        model: ``model.loss(X)`` returns the scores of a batch, (N, C).
        X: (N, C, H, W).
        batch_size: how many images at a time, which bounds the memory.
        mirrored: look at each image a second time, mirrored, and take the mean of both scores.

    Returns:
        (N, classes), of the net's dtype.
    """
    parts = []
    for start in range(0, len(X), batch_size):
        part = X[start : start + batch_size]
        result = model.loss(part)
        if mirrored:
            result = (result + model.loss(np.ascontiguousarray(part[..., ::-1]))) / 2
        parts.append(result)
    return np.concatenate(parts)


def predictions(model: Any, X: np.ndarray, **options: Any) -> np.ndarray:
    """The class with the largest score for each image: int64 (N,). Options as for ``scores``."""
    return np.argmax(scores(model, X, **options), axis=1)


def accuracy(model: Any, X: np.ndarray, y: np.ndarray, **options: Any) -> float:
    """Which share of the images is classified rightly, 0 to 1. Options as for ``scores``."""
    return float(np.mean(predictions(model, X, **options) == y))
