"""Where to look in a net: checked against loops, and by pictures whose answer is known."""

import numpy as np
import pytest
from scipy.special import softmax

from cnnlab import looking
from solutions.convolution import conv_forward_naive

RNG = np.random.default_rng(0)


def test_the_strongest_place_of_each_image():
    maps = RNG.permutation(5 * 12).reshape(5, 3, 4).astype(float)
    images, rows, columns = looking.strongest(maps, 3)
    order = sorted(range(5), key=lambda n: -maps[n].max())[:3]
    assert list(images) == order
    for n, row, column in zip(images, rows, columns, strict=True):
        assert maps[n, row, column] == maps[n].max()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_piece_is_what_the_place_sees(dtype):
    """by a convolution: 3x3 filters, pad 1, on an image shrunk to half its side by stride 2"""
    images = RNG.integers(0, 256, (2, 8, 8, 3)).astype(dtype)
    cut = looking.pieces(images, np.array([1, 2]), np.array([0, 3]), grid=4, size=4)
    assert cut.dtype == dtype
    # place (1, 0) of 4 has its middle at row 3, column 1: pixels 1 to 4 and -1 to 2
    np.testing.assert_array_equal(cut[0, :, 1:], images[0, 1:5, :3])
    grey = 128 if dtype == np.uint8 else 0.5
    assert (cut[0, :, 0] == grey).all()
    np.testing.assert_array_equal(cut[1, :, :3], images[1, 3:7, 5:8])
    assert (cut[1, :, 3] == grey).all()


def test_the_piece_of_a_place_in_a_layer_of_the_same_size_is_centred_on_it():
    image = np.zeros((1, 9, 9, 3))
    image[0, 4, 6] = 1
    found = conv_forward_naive(
        image.transpose(0, 3, 1, 2), np.ones((1, 3, 1, 1)), np.zeros(1), {"stride": 1, "pad": 0}
    )[0]
    which, row, column = looking.strongest(found[:, 0], 1)
    piece = looking.pieces(image[which], row, column, grid=9, size=5)[0]
    assert piece[2, 2, 0] == 1
    assert (piece[..., 0] == 1).sum() == 1


def test_a_move_takes_the_pixels_along_and_the_edge_fills_up():
    X = RNG.standard_normal((2, 3, 5, 6)).astype(np.float32)
    kept = X.copy()
    moved = looking.shifted(X, 2, -1)
    assert moved.dtype == np.float32
    np.testing.assert_array_equal(moved[:, :, 2:, :-1], X[:, :, :3, 1:])
    np.testing.assert_array_equal(moved[:, :, :2, :-1], X[:, :, [0, 0], 1:])
    np.testing.assert_array_equal(moved[:, :, 2:, -1], X[:, :, :3, -1])
    np.testing.assert_array_equal(looking.shifted(X, 0, 0), X)
    moved += 1
    np.testing.assert_array_equal(X, kept)


def test_gradients_as_pictures():
    gradients = np.zeros((2, 3, 2, 2))
    gradients[0, 1, 0, 1], gradients[0, 2, 1, 1] = -4, 2
    grey, colour = looking.in_grey(gradients), looking.in_colour(gradients)
    np.testing.assert_allclose(grey[0, ..., 0], [[0, 1], [0, 0.5]])
    assert (grey[..., 0] == grey[..., 2]).all()
    np.testing.assert_allclose(colour[0, 0, 1], [0.5, 0, 0.5])
    np.testing.assert_allclose(colour[0, 1, 1], [0.5, 0.5, 0.75])
    assert (grey[1] == 0).all()  # nothing there: no division by zero
    assert (colour[1] == 0.5).all()


def test_probabilities_are_the_softmax_even_of_huge_scores():
    scores = np.array([[1000.0, 999.0, -1000.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(looking.probabilities(scores), softmax(scores, axis=1))


def test_the_worst_mistakes_come_first_and_nothing_else():
    likely = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.05, 0.95]])
    y = np.array([1, 1, 1, 0])
    assert list(looking.worst(np.log(likely), y, 10)) == [3, 0, 2]
    assert list(looking.worst(np.log(likely), y, 2)) == [3, 0]
    assert list(looking.worst(np.log(likely), np.array([0, 1, 0, 1]), 5)) == []
