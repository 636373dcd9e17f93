"""The colour histogram: which hues an image has, wherever they are."""

import numpy as np


def color_histogram_hsv(im, nbin=10, xmin=0, xmax=255, normalized=True):
    """Count the hues of an image: the colour histogram of the lecture.

    Hue is the colour's place on the colour circle, whatever its lightness: red 0, yellow 1/6, green
    2/6, cyan 3/6, blue 4/6, magenta 5/6, and back to red. With M the largest and m the smallest of
    a pixel's three numbers, and d = M - m, a pixel lies at

        (G - B) / d       sixths of the circle if red is the largest (add 6 if that is negative),
        2 + (B - R) / d   sixths if green is,
        4 + (R - G) / d   sixths if blue is.

    If two are the largest, both formulas agree. A grey pixel (d = 0) has no hue, and counts as 0.

    Args:
        im: one image, shape (H, W, 3), or a batch, shape (N, H, W, 3): red, green, blue, from 0
            to xmax. uint8 or floats.
        nbin: int >= 1, the number of bins, all equally wide
        xmin, xmax: hues are scaled to run from 0 to xmax (a whole circle), and the bins cover the
            range from xmin to xmax. A bin holds its lower edge, the last one its upper edge too.
            Hues below xmin are not counted.
        normalized: if True the counts of an image are divided by their sum, so that they add up to
            1 (all zeros if nothing was counted); if False they are returned as counts

    Returns:
        shape (nbin,) for one image, (N, nbin) for a batch, floats

    im is left as it was. Take care with uint8, in which 3 - 5 is 254.
    Source: Swain and Ballard, "Color indexing" (1991); hue as in matplotlib's rgb_to_hsv.
    """
    ### BEGIN SOLUTION
    H, W = im.shape[-3:-1]
    dtype = np.float32 if im.dtype == np.uint8 else np.float64
    # a plane per colour: each (N, H * W), in one stretch of memory
    red, green, blue = np.moveaxis(im.reshape(-1, H * W, 3), 2, 0).astype(dtype, order="C")
    largest = np.maximum(np.maximum(red, green), blue)
    spread = largest - np.minimum(np.minimum(red, green), blue)
    spread[spread == 0] = np.inf  # so that grey gets hue 0
    # exactly one of these is 1, the others are 0
    is_red = (red == largest).astype(dtype)
    is_green = (green == largest) * (1 - is_red)
    is_blue = 1 - is_red - is_green
    difference = is_red * (green - blue) + is_green * (blue - red) + is_blue * (red - green)
    sixths = difference / spread + dtype(2) * is_green + dtype(4) * is_blue
    sixths += dtype(6) * (sixths < 0)
    places = np.floor((sixths * dtype(xmax / 6) - dtype(xmin)) * dtype(nbin / (xmax - xmin)))
    # one bin more, the first, for what lies below xmin; each image counts into its own stretch
    bins = np.clip(places, -1, nbin - 1).astype(np.int32) + 1
    bins += np.arange(len(bins), dtype=np.int32)[:, None] * (nbin + 1)
    histograms = np.bincount(bins.ravel(), minlength=len(bins) * (nbin + 1))
    histograms = histograms.reshape(-1, nbin + 1)[:, 1:].astype(float)
    if normalized:
        histograms /= np.maximum(np.sum(histograms, axis=1, keepdims=True), 1)
    return histograms.reshape(*im.shape[:-3], nbin)
    ### END SOLUTION
