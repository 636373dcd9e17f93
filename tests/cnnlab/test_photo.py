"""The photograph for the filters."""

import numpy as np
import pytest

from cnnlab.photo import photograph


@pytest.mark.parametrize("grey, channels", [(False, 3), (True, 1)])
@pytest.mark.parametrize("size", [1, 32, 96, 288])
def test_shape_dtype_and_range(size, grey, channels):
    picture = photograph(size, grey=grey)
    assert picture.shape == (channels, size, size)
    assert picture.dtype == np.float64
    assert picture.flags.writeable
    assert 0 <= picture.min() <= picture.max() <= 1


def test_it_shows_something():
    assert photograph().std() > 0.1
    grey, colours = photograph(64, grey=True)[0], photograph(64)
    assert np.abs(grey - np.tensordot([0.299, 0.587, 0.114], colours, axes=1)).max() < 0.01


def test_the_same_every_time_and_a_new_array_each():
    one = photograph(16)
    kept = one.copy()
    one[:] = 0
    assert np.array_equal(photograph(16), kept)


@pytest.mark.parametrize("size", [0, -1, 289])
def test_size_out_of_range(size):
    with pytest.raises(ValueError, match=str(size)):
        photograph(size)
