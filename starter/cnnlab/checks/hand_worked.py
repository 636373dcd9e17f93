"""The three-layer ConvNet on numbers that can be worked out by hand, whatever it is written in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

# A grey image of 2x2, one filter of 1x1, two hidden numbers, two classes.
PARAMS = {
    "W1": np.array([[[[2.0]]]]),
    "b1": np.array([-1.0]),
    "W2": np.array([[1.0, -1]]),
    "b2": np.array([0.0, 1]),
    "W3": np.array([[1.0, 2], [3, 4]]),
    "b3": np.array([0.0, -20]),
}
IMAGE = np.array([[[[1.0, 2], [3, 0]]]])
NO_RELU_AFTER_CONV = ([[6, -12]], "the ReLU after the convolution is missing.")  # of a dark image

# A smaller net than that of the question, on images that are not square; six of them.
SMALL = {"input_dim": (2, 4, 6), "num_filters": 3, "filter_size": 3, "hidden_dim": 5}
SHAPES = {"W1": (3, 2, 3, 3), "b1": (3,), "W2": (18, 5), "b2": (5,), "W3": (5, 4), "b3": (4,)}


def drawn(shapes: dict[str, tuple]) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Weights of a sensible size, six images of 2 x 4 x 6, and their classes."""
    rng = np.random.default_rng(6)
    params = {name: rng.standard_normal(shape) / 2 for name, shape in shapes.items()}
    return params, rng.standard_normal((6, 2, 4, 6)), np.arange(6) % 4


def image_scores(compare: Callable, came: Any, known: list[tuple] = ()) -> None:
    """``came`` must be what the net makes of IMAGE; ``compare`` is ``array``, or ``tensor``."""
    compare(
        came,
        [[5, -10]],
        "scores",
        "2x − 1, the largest is 5; times (1, −1), plus (0, 1): (5, −4); ReLU: (5, 0); times W3: "
        "(5, 10); plus b3.",
        known=[
            ([[5, 0]], "the scores are cut off at 0: the last layer has no ReLU."),
            ([[-7, -26]], "the ReLU between the two affine layers is missing."),
            ([[2.25, -15.5]], "that is average pooling."),
            ([[5, 10]], "b3 is missing."),
            ([[1, 0]], "these are the softmax's shares. Without y return the scores themselves."),
            *known,
        ],
        shape_cause="scores has a row for each image, a column for each class.",
        inputs={"the image": IMAGE[0, 0]},
    )


def dark_scores(compare: Callable, came: Any) -> None:
    """``came`` must be what the net makes of an image of zeros."""
    compare(
        came,
        [[3, -16]],
        "scores of an image of zeros",
        "the convolution gives −1 everywhere, the ReLU 0. What is left comes from b2 and b3.",
        known=[NO_RELU_AFTER_CONV],
    )
