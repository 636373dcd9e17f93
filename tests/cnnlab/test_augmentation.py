"""Augmentation: what may change, and how often it does."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cnnlab.augmentation import Flip, Shift

X = np.random.default_rng(0).standard_normal((200, 2, 5, 6)).astype(np.float32)


def test_flips_about_half_and_whole_images_only():
    out = Flip()(X, np.random.default_rng(1))
    mirrored = (out == X[..., ::-1]).all(axis=(1, 2, 3))
    same = (out == X).all(axis=(1, 2, 3))
    assert (mirrored ^ same).all()
    assert 70 < mirrored.sum() < 130
    assert_array_equal(Flip(1)(X, np.random.default_rng(1)), X[..., ::-1])
    assert_array_equal(Flip(0)(X, np.random.default_rng(1)), X)


def test_shifts_by_every_amount_and_fills_with_zeros():
    out = Shift(2)(X, np.random.default_rng(1))
    padded = np.pad(X, ((0, 0), (0, 0), (2, 2), (2, 2)))
    seen = set()
    for image, source in zip(out, padded, strict=True):
        places = [
            (i, j)
            for i in range(5)
            for j in range(5)
            if (image == source[:, i : i + 5, j : j + 6]).all()
        ]
        assert len(places) == 1
        seen.add(places[0])
    assert len(seen) == 25


@pytest.mark.parametrize("change", [Flip(), Shift(1)], ids=repr)
def test_repeats_by_its_generator_and_leaves_the_images(change):
    before = X.copy()
    one, other = (change(X, np.random.default_rng(3)) for _ in range(2))
    assert_array_equal(one, other)
    assert one.dtype == np.float32
    assert not np.shares_memory(one, X)
    assert_array_equal(X, before)
