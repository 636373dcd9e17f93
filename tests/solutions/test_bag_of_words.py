"""Visual words against scikit-image, scikit-learn, SciPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from skimage.util import view_as_windows
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from solutions.bag_of_words import build_codebook, encode_images, extract_patches, fit_whitening


@given(
    h=st.integers(4, 9),
    w=st.integers(4, 9),
    channels=st.integers(1, 3),
    size=st.integers(1, 4),
    stride=st.integers(1, 3),
)
def test_patches_are_scikit_images_windows(h, w, channels, size, stride):
    images = np.random.default_rng(0).integers(0, 256, (2, h, w, channels), np.uint8)
    patches = extract_patches(images, size, stride)
    for image, cut in zip(images, patches, strict=True):
        theirs = view_as_windows(image, (size, size, channels), (stride, stride, 1))
        assert cut.shape == (*theirs.shape[:2], size * size * channels)
        np.testing.assert_array_equal(cut, theirs.reshape(cut.shape))
    assert patches.dtype == np.uint8


def test_whitened_patches_have_no_correlations():
    rng = np.random.default_rng(0)
    patches = rng.standard_normal((5000, 6)) @ rng.standard_normal((6, 6)) + 3
    mean, P = fit_whitening(patches, epsilon=1e-9)
    white = (patches - mean) @ P
    np.testing.assert_allclose(white.T @ white / len(white), np.eye(6), atol=1e-6)
    np.testing.assert_allclose(P, P.T)  # zero-phase: that is what tells it from PCA


def test_whitening_is_scikit_learns_up_to_a_rotation():
    rng = np.random.default_rng(1)
    patches = rng.standard_normal((400, 5)) @ rng.standard_normal((5, 5))
    mean, P = fit_whitening(patches, epsilon=0.3)
    fitted = PCA().fit(patches)
    variances = fitted.explained_variance_ * (399 / 400)  # theirs divides by M - 1
    directions = fitted.components_
    expected = directions.T @ np.diag(1 / np.sqrt(variances + 0.3)) @ directions
    np.testing.assert_allclose(P, expected)
    np.testing.assert_allclose(mean, fitted.mean_)


def test_the_codebook_is_scikit_learns():
    rng = np.random.default_rng(0)
    patches = rng.standard_normal((4500, 4))  # more than a batch
    start = patches[:7].copy()
    theirs = KMeans(7, init=start, n_init=1, max_iter=5, tol=0, algorithm="lloyd").fit(patches)
    ours = build_codebook(patches, start, num_iters=5)
    # scikit-learn's last assignment is not followed by a move; it takes the means before it
    np.testing.assert_allclose(ours, theirs.cluster_centers_, atol=1e-9)
    np.testing.assert_array_equal(start, patches[:7])


def test_a_word_that_nobody_joins_stays():
    patches = np.array([[0.0, 0.0], [0.0, 2.0]])
    words = build_codebook(patches, np.array([[0.0, 0.5], [9.0, 9.0]]), num_iters=3)
    np.testing.assert_allclose(words, [[0, 1], [9, 9]])


@pytest.mark.parametrize("rows, columns", [(2, 2), (3, 5), (4, 1)])
def test_encodings_from_scipys_distances(rows, columns):
    rng = np.random.default_rng(0)
    patches, words = rng.standard_normal((3, rows, columns, 6)), rng.standard_normal((5, 6))
    distances = cdist(patches.reshape(-1, 6), words).reshape(3, rows, columns, 5)
    triangle = np.maximum(0, distances.mean(axis=-1, keepdims=True) - distances)
    hard = (distances == distances.min(axis=-1, keepdims=True)).astype(float)
    for answers, soft in ((triangle, True), (hard, False)):
        quarters = [
            answers[:, r, c].sum(axis=(1, 2))
            for r in (slice(0, rows // 2), slice(rows // 2, None))
            for c in (slice(0, columns // 2), slice(columns // 2, None))
        ]
        expected = np.concatenate(quarters, axis=1)
        np.testing.assert_allclose(encode_images(patches, words, soft), expected, atol=1e-9)
    counted = encode_images(patches, words, soft=False).sum(axis=1)
    np.testing.assert_allclose(counted, rows * columns)


def test_single_precision_stays_single():
    rng = np.random.default_rng(0)
    patches = rng.standard_normal((2, 4, 4, 3)).astype(np.float32)
    words = patches[0, 0].copy()
    assert build_codebook(patches.reshape(-1, 3), words, 2).dtype == np.float32
    assert encode_images(patches, words).dtype == np.float32
