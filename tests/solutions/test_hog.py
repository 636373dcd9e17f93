"""hog_feature against scikit-image, and what the lecture says of it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.feature import hog

from solutions.hog import hog_feature


def by_skimage(im, cell, nbin, block):
    return hog(
        im.astype(np.float64),
        orientations=nbin,
        pixels_per_cell=(cell, cell),
        cells_per_block=(block, block),
        block_norm="L2",
        channel_axis=-1,
    )


@settings(max_examples=40)
@given(
    rows=st.integers(2, 4),
    columns=st.integers(2, 4),
    cell=st.integers(2, 8),
    nbin=st.integers(2, 12),
    block=st.integers(1, 2),
    seed=st.integers(0, 2**32),
)
def test_is_scikit_images(rows, columns, cell, nbin, block, seed):
    im = np.random.default_rng(seed).random((rows * cell, columns * cell, 3)) * 255
    theirs = by_skimage(im, cell, nbin, block)
    np.testing.assert_allclose(hog_feature(im, cell, nbin, block), theirs, atol=1e-7)


def test_pixels_from_a_file_too():
    images = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), np.uint8)
    theirs = [by_skimage(im, 8, 9, 1) for im in images]
    np.testing.assert_allclose(hog_feature(images), theirs, atol=1e-5)


def test_the_lectures_image_gives_10800_numbers():
    assert hog_feature(np.zeros((240, 320, 3), np.uint8)).shape == (10_800,)


@pytest.mark.parametrize("axis", [0, 1])
def test_rising_and_falling_ramps_count_the_same(axis):
    ramp = np.broadcast_to(np.arange(16)[:, None, None] * 10, (16, 16, 3)).swapaxes(0, axis)
    rising, falling = ramp.astype(np.uint8), (200 - ramp).astype(np.uint8)
    features = hog_feature(rising, block=0)
    np.testing.assert_allclose(hog_feature(falling, block=0), features)
    directions = features.reshape(4, 9).sum(axis=0)
    assert np.flatnonzero(directions).tolist() == [4 if axis == 0 else 0]


def test_cells_without_blocks_hold_mean_lengths():
    im = np.zeros((8, 8, 3))
    im[:, 4:] = 10  # one edge: columns 3 and 4 see a difference of 10
    features = hog_feature(im, block=0)
    np.testing.assert_allclose(features, [2 * 8 * 10 / 64, *[0] * 8])


def test_blocks_make_light_matter_less():
    im = np.random.default_rng(0).integers(0, 100, (32, 32, 3), np.uint8)
    for block in (1, 2):
        np.testing.assert_allclose(hog_feature(im, block=block), hog_feature(2 * im, block=block))
