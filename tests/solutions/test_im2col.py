"""im2col and col2im against torch's unfold and fold, their formula, and each other."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from solutions.im2col import col2im, im2col


@st.composite
def windows(draw):
    """Images, and windows that fit evenly: (x, kernel_height, kernel_width, pad, stride)."""
    stride, pad = draw(st.integers(1, 3)), draw(st.integers(0, 2))
    kernel, sides = [], []
    for _ in range(2):
        length = draw(st.integers(1, 4))
        # at least one place, and an image of at least one pixel
        places = draw(st.integers(max(1, -(-(2 * pad + 1 - length) // stride) + 1), 6))
        kernel.append(length)
        sides.append(length + (places - 1) * stride - 2 * pad)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.standard_normal((draw(st.integers(1, 3)), draw(st.integers(1, 3)), *sides))
    return x, *kernel, pad, stride


def unfold(x, height, width, pad, stride):
    """torch's columns: one matrix for each image, (N, C * HH * WW, H' * W')."""
    return torch.nn.functional.unfold(
        torch.tensor(x), (height, width), padding=pad, stride=stride
    ).numpy()


@settings(max_examples=200)
@given(windows())
def test_columns_are_torchs_one_image_after_the_other(args):
    assert_array_equal(im2col(*args), np.concatenate(unfold(*args), axis=1))


@settings(max_examples=50)
@given(windows(), st.data())
def test_the_formula_of_the_docstring(args, data):
    x, height, width, pad, stride = args
    x_padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    N, C, H, W = x_padded.shape
    shape = (C, height, width, N, 1 + (H - height) // stride, 1 + (W - width) // stride)
    c, i, j, n, p, q = index = tuple(data.draw(st.integers(0, size - 1)) for size in shape)
    expected = x_padded[n, c, p * stride + i, q * stride + j]
    assert im2col(*args).reshape(shape)[index] == expected


@settings(max_examples=200)
@given(windows(), st.integers(0, 2**32 - 1))
def test_back_is_torchs_fold(args, seed):
    x, height, width, pad, stride = args
    each = unfold(*args)
    each = np.random.default_rng(seed).standard_normal(each.shape)
    expected = torch.nn.functional.fold(
        torch.tensor(each), x.shape[2:], (height, width), padding=pad, stride=stride
    )
    back = col2im(np.concatenate(each, axis=1), x.shape, *args[1:])
    assert back.shape == x.shape
    assert_allclose(back, expected, rtol=1e-12, atol=1e-12)


@settings(max_examples=100)
@given(windows(), st.integers(0, 2**32 - 1))
def test_col2im_is_the_transpose_of_im2col(args, seed):
    x = args[0]
    cols = im2col(*args)
    other = np.random.default_rng(seed).standard_normal(cols.shape)
    assert_allclose(np.sum(cols * other), np.sum(x * col2im(other, x.shape, *args[1:])), atol=1e-9)


def test_there_and_back_counts_the_windows_over_each_pixel():
    x = np.ones((1, 1, 3, 4))
    back = col2im(im2col(x, 2, 2, 0, 1), x.shape, 2, 2, 0, 1)
    assert_array_equal(back[0, 0], [[1, 2, 2, 1], [2, 4, 4, 2], [1, 2, 2, 1]])


def test_by_hand():
    x = np.arange(1, 10).reshape(1, 1, 3, 3)
    assert_array_equal(
        im2col(x, 2, 2, 0, 1), [[1, 2, 4, 5], [2, 3, 5, 6], [4, 5, 7, 8], [5, 6, 8, 9]]
    )


def test_pixels_under_no_window_are_zero():
    cols = np.ones((1, 4))
    back = col2im(cols, (1, 1, 3, 3), 1, 1, 0, 2)
    assert_array_equal(back[0, 0], [[1, 0, 1], [0, 0, 0], [1, 0, 1]])


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 2])
def test_keeps_the_dtype_and_its_inputs_and_shares_no_memory(dtype, size):
    x = np.arange(24).reshape(1, 2, 3, 4).astype(dtype)
    before = x.copy()
    x.flags.writeable = False
    cols = im2col(x, size, size, 0, 1)
    assert cols.dtype == dtype
    assert not np.shares_memory(cols, x)
    cols.flags.writeable = False
    assert col2im(cols, x.shape, size, size, 0, 1).dtype == dtype
    assert_array_equal(x, before)
