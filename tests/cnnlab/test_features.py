"""extract and the other tools around features."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from cnnlab.features import extract, mirrored, normalize_contrast, standardized, tiles

IMAGES = np.random.default_rng(0).integers(0, 256, (23, 8, 6, 3), np.uint8)


def means(images):
    return images.mean(axis=(1, 2))


def corners(images):
    return images[:, 0, 0, :2]


@pytest.mark.parametrize("batch", [1, 5, 23, 100])
def test_batches_give_what_all_at_once_gives(batch):
    came = extract(IMAGES, means, corners, batch=batch)
    assert came.dtype == np.float32
    expected = np.concatenate([means(IMAGES), corners(IMAGES)], axis=1)
    np.testing.assert_allclose(came, expected, rtol=1e-6)


def test_a_bar_on_stdout_if_asked(capfd):
    extract(IMAGES, means, batch=2, progress=True)
    shown = capfd.readouterr()
    assert "images: 100%" in shown.out
    assert shown.err == ""
    extract(IMAGES, means, batch=2)
    assert capfd.readouterr().out == ""


def test_a_function_for_one_image_is_refused_by_name():
    def one_only(image):
        return image.mean(axis=(0, 1))

    with pytest.raises(ValueError, match=r"one_only returned shape .* Does yours take a batch"):
        extract(IMAGES, one_only)
    with pytest.raises(ValueError, match="needs images"):
        extract(IMAGES[:0], means)


def test_an_error_in_a_later_batch_comes_out():
    def fails(images):
        if len(images) < 10:
            raise ZeroDivisionError("the last batch")
        return means(images)

    with pytest.raises(ZeroDivisionError, match="last batch"):
        extract(IMAGES, fails, batch=10)


def test_tiles_row_by_row():
    pieces = tiles(IMAGES, 2)
    assert pieces.shape == (23 * 4, 4, 3, 3)
    np.testing.assert_array_equal(pieces[0], IMAGES[0, :4, :3])
    np.testing.assert_array_equal(pieces[1], IMAGES[0, :4, 3:])
    np.testing.assert_array_equal(pieces[6], IMAGES[1, 4:, :3])
    with pytest.raises(ValueError, match="8 x 6 pixels cannot be cut into 4 x 4"):
        tiles(IMAGES, 4)


def test_standardized_is_scikit_learns():
    rng = np.random.default_rng(0)
    train, other = rng.normal(3, 5, (40, 6)), rng.normal(size=(7, 6))
    scaler = StandardScaler().fit(train)
    for came, rows in zip(standardized(train, other), (train, other), strict=True):
        assert came.dtype == np.float32
        np.testing.assert_allclose(came, scaler.transform(rows), atol=1e-5)


def test_what_never_changes_becomes_zero():
    train = np.stack([np.full(5, 7.0), np.arange(5.0)], axis=1)
    (came,) = standardized(train)
    assert not came[:, 0].any() and came[:, 1].any()


def test_contrast():
    patches = np.array([[0, 10, 20, 10], [100, 110, 120, 110], [8, 8, 8, 8]], np.uint8)
    came = normalize_contrast(patches)
    np.testing.assert_allclose(came[0], np.array([-10, 0, 10, 0]) / np.sqrt(60), rtol=1e-5)
    np.testing.assert_allclose(came[1], came[0], atol=1e-6)
    assert not came[2].any()


def test_mirrored():
    np.testing.assert_array_equal(mirrored(IMAGES)[3, 2, 0], IMAGES[3, 2, 5])
    np.testing.assert_array_equal(mirrored(mirrored(IMAGES)), IMAGES)
