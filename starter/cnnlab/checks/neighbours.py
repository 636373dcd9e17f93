"""The steps for knn_distances and knn_predict."""

from __future__ import annotations

import tracemalloc

import numpy as np

from cnnlab.checks.expect import array, integers, unchanged
from cnnlab.checks.steps import CheckFailed, step


@step("knn_distances", "3 across and 4 up is 5 away")
def _(f):
    array(
        f(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]])),
        [[5]],
        "distances",
        "Pythagoras: the square root of 3² + 4².",
        known=[
            ([[25]], "that is the squared distance: the square root is missing."),
            ([[7]], "that is 3 + 4, the L1 distance. Square first, add up, then the root."),
            ([[12.5**0.5]], "the squares are averaged; add them up."),
        ],
        shape_cause="one image and one training image give one row with one column.",
    )


@step("knn_distances", "three images, two training images")
def _(f):
    X, X_train = np.array([[0.0, 0], [3, 4], [6, 8]]), np.array([[0.0, 0], [6, 0]])
    once = "the product is taken off once only: (a − b)² = a² − 2ab + b²."
    sign = "2ab is added: (a − b)² = a² − 2ab + b²."
    array(
        f(X, X_train),
        [[0, 6], [5, 5], [10, 8]],
        "distances",
        "distances[i, j] belongs to X[i] and X_train[j].",
        known=[
            ([[0, 6], [5, 43**0.5], [10, 10]], once),
            ([[0, 6], [5, 97**0.5], [10, 208**0.5]], sign),
        ],
        known_shapes={(2, 3): "transposed: a row for each image of X."},
        inputs={"X": X, "X_train": X_train},
    )


@step("knn_distances", "pixels: whole numbers from 0 to 255 (uint8)")
def _(f):
    X, X_train = np.array([[10, 0]], np.uint8), np.array([[40, 40]], np.uint8)
    bytes_ = "computed as uint8, where 20 · 20 is 144. Make floats first: X.astype(float)."
    array(f(X, X_train), [[50]], "distances", bytes_, known=[([[14]], bytes_)])


@step("knn_distances", "an image that is in the training set: 0, not NaN")
def _(f):
    X = np.linspace(-3, 5, 400).reshape(8, 50) ** 3
    came = np.asarray(f(X.copy(), X.copy()))
    if came.shape != (8, 8) or not np.all(np.abs(np.diag(came)) < 1e-3):
        raise CheckFailed(
            f"the distances of eight images to themselves are {np.diag(np.atleast_2d(came))}",
            "0, up to rounding",
            "rounding makes a² − 2ab + b² a tiny negative number: np.maximum(..., 0) before the "
            "root. And compute in float64: float32 has too few digits for the difference.",
        )


@step("knn_distances", "100 images and 400: no array of 100 x 400 x 200 numbers")
def _(f):
    X, X_train = np.linspace(0, 1, 20_000).reshape(100, 200), np.ones((400, 200))
    tracemalloc.start()
    try:
        f(X, X_train)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    if peak >= 8 * 100 * 400 * 200 / 2:  # half of it, so that float32 counts
        raise CheckFailed(
            f"your function took {peak / 1e6:.0f} MB",
            "a few MB",
            "X[:, None] − X_train subtracts all pairs at once. With 4,000 training images that "
            "would be 50 GB: use the matrix product X @ X_train.T.",
        )


@step("knn_distances", "X and X_train are left as they were")
def _(f):
    X, X_train = np.array([[1.0, 2]]), np.array([[3.0, 5], [0, 1]])
    with unchanged(X=X, X_train=X_train):
        f(X, X_train)


_DISTANCES = np.array([[1.0, 5, 3, 2], [9, 1, 2, 4]])
_Y = np.array([2, 0, 2, 1])


@step("knn_predict", "k = 1: the class of the nearest")
def _(f):
    integers(
        f(_DISTANCES.copy(), _Y.copy(), 1),
        [2, 0],
        "y",
        "np.argsort along axis 1 gives the places of the nearest; y_train gives their classes.",
        known=[
            ([0, 2], "those are the classes of the farthest."),
            ([0, 1], "those are the places of the nearest; look their classes up in y_train."),
            ([1, 2], "the nearest is left out."),
        ],
    )


@step("knn_predict", "k = 3: the nearest three vote")
def _(f):
    distances = np.array([[1.0, 2, 3, 9, 8], [9, 8, 7, 1, 2]])
    integers(
        f(distances, np.array([3, 1, 1, 0, 1]), 3),
        [1, 1],
        "y",
        "take the first k of each row's order, and count the classes.",
        known=[
            ([3, 0], "only the nearest is asked."),
            ([2, 1], "the classes are averaged: let them vote instead."),
        ],
    )


@step("knn_predict", "a tie: the smallest class")
def _(f):
    integers(
        f(np.array([[1.0, 2, 3, 4]]), np.array([4, 2, 2, 4]), 4),
        [2],
        "y",
        "np.argmax takes the first of several largest, so np.bincount and np.argmax will do.",
    )


@step("knn_predict", "distances and y_train are left as they were")
def _(f):
    distances, y_train = _DISTANCES.copy(), _Y.copy()
    with unchanged(distances=distances, y_train=y_train):
        f(distances, y_train, 3)
