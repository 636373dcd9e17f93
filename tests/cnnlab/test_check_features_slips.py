"""Smaller slips that the visible checks of the image features once let through, or misnamed."""

import numpy as np
import pytest
from answers import Answers

from cnnlab.checks import check

ANSWERS = Answers("1_image_features")
REFERENCES, as_written, message = ANSWERS.references, ANSWERS.as_written, ANSWERS.message


def plain_hog(
    im, cell=8, nbin=9, block=1, *, to_bin=np.floor, down_sign=1, np_gradient=False, places=None
):
    """A plain HoG of one image, with room for slips; ``places`` lists the blocks' corners."""
    planes = np.asarray(im, dtype=float)
    down, across = np.zeros_like(planes), np.zeros_like(planes)
    down[1:-1] = planes[2:] - planes[:-2]
    across[:, 1:-1] = planes[:, 2:] - planes[:, :-2]
    if np_gradient:
        down, across = np.gradient(planes, axis=(0, 1))
    channel = np.argmax(down**2 + across**2, axis=-1)[..., None]
    down = down_sign * np.take_along_axis(down, channel, -1)[..., 0]
    across = np.take_along_axis(across, channel, -1)[..., 0]
    degrees = np.degrees(np.arctan2(down, across)) % 180
    bins = to_bin(degrees / 180 * nbin).astype(int) % nbin
    rows, columns = im.shape[0] // cell, im.shape[1] // cell
    cells = np.zeros((rows, columns, nbin))
    for i in range(rows * cell):
        for j in range(columns * cell):
            cells[i // cell, j // cell, bins[i, j]] += np.hypot(down[i, j], across[i, j]) / cell**2
    if block == 0:
        return cells.ravel()
    feature = []
    for i, j in (places or every_place)(rows, columns, block):
        v = cells[i : i + block, j : j + block].ravel()
        feature.append(v / np.sqrt(np.sum(v**2) + 1e-10))
    return np.concatenate([np.zeros(0), *feature])


def every_place(rows, columns, block):
    return [(i, j) for i in range(rows - block + 1) for j in range(columns - block + 1)]


def side_by_side(rows, columns, block):
    return [(i, j) for i, j in every_place(rows, columns, block) if i % block == j % block == 0]


def down_first(rows, columns, block):
    return sorted(every_place(rows, columns, block), key=lambda place: place[::-1])


def one_place_too_few(rows, columns, block):
    return [(i, j) for i in range(rows - block) for j in range(columns - block)]


def each_image(f, **slips):
    """As f, of one image or a batch."""

    def of_any(im, cell=8, nbin=9, block=1):
        if im.ndim == 3:
            return f(im, cell, nbin, block, **slips)
        return np.stack([f(one, cell, nbin, block, **slips) for one in im])

    return of_any


def nine_whatever(im, cell=8, nbin=9, block=1):
    return each_image(plain_hog)(im, cell, 9, block)


def normalized_over_the_batch(im, cell=8, nbin=9, block=1):
    came = each_image(plain_hog)(im, cell, nbin, block)
    if im.ndim == 3 or block == 0:
        return came
    v = REFERENCES["hog_feature"](im, cell, nbin, 0)
    return came * 0 + v / np.sqrt(np.sum(v**2) + 1e-10) if v.shape == came.shape else came


def plain_histogram(
    im, nbin=10, xmin=0, xmax=255, normalized=True, *, green=1, blue=1, circle=None, share=np.sum
):
    """A plain histogram of hues, with room for slips."""
    pixels = np.asarray(im, dtype=float)
    top = pixels.max(axis=-1)
    d = top - pixels.min(axis=-1)
    r, g, b = np.moveaxis(pixels, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        sixths = np.where(g == top, 2 + green * (b - r) / d, 4 + blue * (r - g) / d)
        sixths = np.where(r == top, (g - b) / d % 6, sixths)
    hue = np.where(d == 0, 0, sixths) / 6 * (circle or xmax)
    flat = hue.reshape(*im.shape[:-3], -1)
    edges = np.linspace(xmin, xmax, nbin + 1)
    counts = np.apply_along_axis(lambda h: np.histogram(h, bins=edges)[0], -1, flat).astype(float)
    if not normalized:
        return counts
    total = np.sum(counts, axis=-1, keepdims=True) if share is np.sum else flat.shape[-1]
    return counts / np.maximum(total, 1)


def hues(**slips):
    return lambda *args, **options: plain_histogram(*args, **options, **slips)


def whitening(patches, *, epsilon_counts=1, transposed=False, in_place=False, epsilon=0.1):
    mean = patches.mean(axis=0)
    if in_place:
        patches -= mean
        centred = patches
    else:
        centred = patches - mean
    variances, V = np.linalg.eigh(centred.T @ centred / len(patches))
    V = V.T if transposed else V
    return mean, V / np.sqrt(variances + epsilon_counts * epsilon) @ V.T


def white(**slips):
    return lambda patches, epsilon=0.1: whitening(patches, epsilon=epsilon, **slips)


def batches_of_5000(patches, words, num_iters=10):
    whole = patches[: max(len(patches) // 5000 * 5000, min(len(patches), 5000))]
    return REFERENCES["build_codebook"](whole, words, num_iters)


def encoding(patches, words, soft=True, *, axis=-1, drop=False, columns_by_rows=False):
    z = np.sqrt(np.sum((patches[..., None, :] - words) ** 2, axis=-1))
    if soft:
        answers = np.maximum(0, np.mean(z, axis=axis, keepdims=True) - z)
    else:
        answers = (np.argmin(z, axis=-1)[..., None] == np.arange(len(words))).astype(float)
    H, W = patches.shape[1:3]
    h, w = H // 2, (H if columns_by_rows else W) // 2
    low, right = (h + H % 2, w + W % 2) if drop else (h, w)
    quarters = answers[:, :h, :w], answers[:, :h, right:], answers[:, low:, :w]
    quarters += (answers[:, low:, right:],)
    return np.concatenate([q.sum(axis=(1, 2)) for q in quarters], axis=1)


def encoded(**slips):
    return lambda patches, words, soft=True: encoding(patches, words, soft, **slips)


def all_pairs_at_once(X, X_train):
    difference = X.astype(float)[:, None] - X_train.astype(float)
    return np.sqrt(np.sum(difference**2, axis=2))


def adds_twice_the_product(X, X_train):
    X, X_train = X.astype(float), X_train.astype(float)
    squares = np.sum(X**2, axis=1)[:, None] + np.sum(X_train**2, axis=1)
    return np.sqrt(squares + 2 * X @ X_train.T)


def floats(images, size, stride=1):
    return REFERENCES["extract_patches"](images.astype(float), size, stride)


def counts_strides(images, size, stride=1):
    """As many places as H // stride - size // stride + 1 says."""
    H, W, C = images.shape[1:]
    rows, columns = (n // stride - size // stride + 1 for n in (H, W))
    patches = np.zeros((len(images), rows, columns, size * size * C), images.dtype)
    right = REFERENCES["extract_patches"](images, size, stride)
    patches[:, : right.shape[1], : right.shape[2]] = right
    return patches


def bias_at_full_rate(w, b, x, d, learning_rate=1.0):
    new_w, _ = REFERENCES["perceptron_update"](w, b, x, d, learning_rate)
    return new_w, REFERENCES["perceptron_update"](w, b, x, d, 1.0)[1]


@pytest.mark.parametrize(
    "question, right",
    [
        ("hog_feature", each_image(plain_hog)),
        ("color_histogram_hsv", hues()),
        ("fit_whitening", white()),
        ("encode_images", encoded()),
    ],
)
def test_without_a_slip_the_plain_ones_are_right(question, right):
    check(as_written(question, right))


@pytest.mark.parametrize(
    "question, wrong, words",
    [
        ("hog_feature", each_image(plain_hog, to_bin=np.round), "not rounded"),
        ("hog_feature", each_image(plain_hog, down_sign=-1), "below minus the pixel above"),
        ("hog_feature", each_image(plain_hog, np_gradient=True), "np.gradient"),
        ("hog_feature", each_image(plain_hog, places=one_place_too_few), "too few"),
        ("hog_feature", each_image(plain_hog, places=side_by_side), "overlap"),
        ("hog_feature", each_image(plain_hog, places=down_first), "the blocks come row by row"),
        ("hog_feature", nine_whatever, "nbin = 4"),
        ("hog_feature", normalized_over_the_batch, "whatever else is in the batch"),
        ("color_histogram_hsv", hues(green=-1), "2 + (B − R)"),
        ("color_histogram_hsv", hues(blue=-1), "4 + (R − G)"),
        ("color_histogram_hsv", hues(circle=255), "255 written out"),
        ("color_histogram_hsv", hues(share=None), "number of all pixels"),
        ("fit_whitening", white(epsilon_counts=0), "epsilon is missing"),
        ("fit_whitening", white(transposed=True), "V and Vᵀ exchanged"),
        ("fit_whitening", white(in_place=True), "patches was changed"),
        ("build_codebook", batches_of_5000, "last, shorter batch"),
        ("encode_images", encoded(axis=(1, 2, 3)), "mean runs over all patches"),
        ("encode_images", encoded(drop=True), "left out"),
        ("encode_images", encoded(columns_by_rows=True), "W' // 2"),
        ("knn_distances", all_pairs_at_once, "matrix product"),
        ("knn_distances", adds_twice_the_product, "2ab is added"),
        ("extract_patches", floats, "an eighth of the memory"),
        ("extract_patches", counts_strides, "(H − size) // stride + 1"),
        ("perceptron_update", bias_at_full_rate, "in front of the bias"),
    ],
)
def test_a_slip_is_refused_and_named(question, wrong, words):
    assert words in message(question, wrong)
