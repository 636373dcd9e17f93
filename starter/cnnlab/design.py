"""The design question: what the net is given, where its weights lie, and which accuracies count."""

from __future__ import annotations

import functools

import numpy as np

from cnnlab import data

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
