"""One file of CIFAR-10, binary or Python: the same arrays, or a sentence."""

import numpy as np
import pytest
from cifar_files import binary, images, python2_pickle

from cnnlab.data import DataError
from cnnlab.data.batches import decode


@pytest.mark.parametrize(
    "name, write", [("test_batch.bin", binary), ("test_batch", python2_pickle)]
)
def test_pixels_are_read_plane_by_plane_row_by_row(name, write):
    data, labels = images("test_batch", 4)
    X, y = decode(name, write(data, labels), 4)
    assert X.shape == (4, 32, 32, 3) and X.dtype == np.uint8 and X.flags.c_contiguous
    assert y.dtype == np.int64 and y.tolist() == labels
    for n, row, column, channel in [(0, 0, 0, 0), (1, 0, 31, 1), (2, 31, 0, 2), (3, 17, 5, 1)]:
        assert X[n, row, column, channel] == data[n, channel * 1024 + row * 32 + column]


@pytest.mark.parametrize(
    "name, content, complaint",
    [
        ("test_batch.bin", b"", "holds 0 images and 0 labels, 2 of each belong there"),
        ("test_batch.bin", bytes(3073), "holds 1 images"),
        ("test_batch.bin", bytes(3 * 3073), "holds 3 images"),
        ("test_batch.bin", bytes(2 * 3073 - 1), "6,145 bytes do not divide into images of 3,073"),
        ("test_batch.bin", bytes(3073) + b"\x0a" + bytes(3072), "image 1 has the label 10"),
        ("test_batch", b"<html>", "is not a file of CIFAR-10: it cannot be read as a pickle"),
        ("test_batch", python2_pickle(images("test_batch", 2)[0], [1]), "2 images and 1 labels"),
        ("test_batch", python2_pickle(images("test_batch", 2)[0], [1, 12]), "has the label 12"),
    ],
)
def test_damage_is_told(name, content, complaint):
    with pytest.raises(DataError, match=complaint) as told:
        decode(name, content, 2)
    assert str(told.value).startswith(name)
