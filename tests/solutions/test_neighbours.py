"""knn_distances and knn_predict against SciPy and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.neighbors import KNeighborsClassifier

from solutions.neighbours import knn_distances, knn_predict

sizes = st.integers(1, 12)


@given(n=sizes, m=sizes, d=sizes, seed=st.integers(0, 2**32 - 1))
def test_distances_are_scipys(n, m, d, seed):
    rng = np.random.default_rng(seed)
    X, X_train = rng.standard_normal((n, d)), rng.standard_normal((m, d))
    np.testing.assert_allclose(knn_distances(X, X_train), cdist(X, X_train), atol=1e-9)


def test_pixels_do_not_wrap_around():
    X, X_train = np.array([[3, 0]], np.uint8), np.array([[255, 0], [3, 4]], np.uint8)
    np.testing.assert_allclose(knn_distances(X, X_train), [[252, 4]])


def test_same_images_are_at_distance_zero_not_nan():
    X = np.random.default_rng(0).standard_normal((50, 300)) * 100
    assert np.all(np.diag(knn_distances(X, X)) < 1e-3)


@pytest.mark.parametrize("k", [1, 3, 10])
def test_votes_are_scikit_learns(k):
    rng = np.random.default_rng(k)
    X, X_train = rng.standard_normal((60, 4)), rng.standard_normal((200, 4))
    y_train = rng.integers(0, 5, 200)
    theirs = KNeighborsClassifier(k, algorithm="brute").fit(X_train, y_train).predict(X)
    np.testing.assert_array_equal(knn_predict(knn_distances(X, X_train), y_train, k), theirs)


def test_the_smallest_class_wins_a_tie():
    distances = np.array([[1.0, 2.0, 3.0, 4.0]])
    assert knn_predict(distances, np.array([7, 2, 2, 7]), k=4) == [2]
