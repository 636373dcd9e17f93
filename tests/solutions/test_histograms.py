"""The colour histogram against matplotlib's hue and NumPy's histogram."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import rgb_to_hsv

from solutions.histograms import color_histogram_hsv


def by_matplotlib(im, nbin, xmin=0, xmax=255):
    hue = rgb_to_hsv(im / xmax)[..., 0] * xmax
    return np.histogram(hue, bins=np.linspace(xmin, xmax, nbin + 1))[0]


@given(
    h=st.integers(1, 8), w=st.integers(1, 8), nbin=st.integers(1, 16), seed=st.integers(0, 2**32)
)
def test_counts_are_matplotlibs_and_numpys(h, w, nbin, seed):
    im = np.random.default_rng(seed).random((h, w, 3)) * 255  # floats: no hue on a bin's edge
    counts = color_histogram_hsv(im, nbin, normalized=False)
    np.testing.assert_array_equal(counts, by_matplotlib(im, nbin))
    np.testing.assert_allclose(color_histogram_hsv(im, nbin), counts / (h * w))


def test_other_ranges():
    im = np.random.default_rng(1).random((9, 8, 3))
    whole = color_histogram_hsv(im, 12, xmax=1, normalized=False)
    np.testing.assert_array_equal(whole, by_matplotlib(im, 12, xmax=1))
    upper = color_histogram_hsv(im, 6, xmin=0.5, xmax=1, normalized=False)
    np.testing.assert_array_equal(upper, by_matplotlib(im, 6, xmin=0.5, xmax=1))
    assert upper.sum() < 72
    assert color_histogram_hsv(im, 6, xmin=0.5, xmax=1).sum() == pytest.approx(1)


@pytest.mark.parametrize(
    "colour, sixth",
    [
        ([255, 0, 0], 0),
        ([200, 200, 0], 1),
        ([0, 9, 0], 2),
        ([0, 255, 255], 3),
        ([10, 10, 200], 4),
        ([255, 0, 255], 5),
        ([77, 77, 77], 0),
        ([255, 0, 1], 5),
    ],
)
def test_pure_colours(colour, sixth):
    im = np.full((2, 3, 3), colour, np.uint8)
    counts = color_histogram_hsv(im, nbin=6, normalized=False)
    assert counts.tolist() == [6 * (b == sixth) for b in range(6)]


def test_a_batch_is_its_images_one_by_one():
    images = np.random.default_rng(0).integers(0, 256, (5, 6, 7, 3), np.uint8)
    one_by_one = [color_histogram_hsv(im) for im in images]
    np.testing.assert_array_equal(color_histogram_hsv(images), one_by_one)
