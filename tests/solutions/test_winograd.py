"""Winograd's convolution against torch, where fastest_layers would and would not choose it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from solutions import winograd


@pytest.mark.parametrize("m, r", [(1, 2), (2, 2), (2, 3), (3, 3), (4, 3), (6, 3), (2, 5), (4, 5)])
def test_transforms_slide_a_filter(m, r):
    rng = np.random.default_rng(0)
    A, B, G = winograd.transforms(m, r)
    d, g = rng.standard_normal(m + r - 1), rng.standard_normal(r)
    assert_allclose(A.T @ ((G @ g) * (B @ d)), np.correlate(d, g, "valid"), atol=1e-12)


def test_the_matrices_of_the_paper():
    """Lavin and Gray's F(2, 3), but for signs that cancel"""
    A, B, G = winograd.transforms(2, 3)
    assert_allclose(A.T, [[1, 1, 1, 0], [0, 1, -1, 1]])
    assert_allclose(np.abs(B), np.abs([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]))
    assert_allclose(np.abs(G), [[1, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0.5], [0, 0, 1]])


@st.composite
def layers(draw):
    """(x, w, b, pad, m)"""
    HH, WW = draw(st.integers(2, 5)), draw(st.integers(2, 5))
    m = draw(st.integers(1, winograd.LARGEST + 1 - max(HH, WW)))
    pad = draw(st.integers(0, 3))
    N, C, F = (draw(st.integers(1, 3)) for _ in range(3))
    H, W = (draw(st.integers(max(1, k - 2 * pad), 17)) for k in (HH, WW))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shapes = ((N, C, H, W), (F, C, HH, WW), (F,))
    return *(rng.standard_normal(shape) for shape in shapes), pad, m


@settings(max_examples=80)
@given(layers(), st.integers(1, 9), st.integers(1, 3))
def test_both_passes_are_torchs(layer, tiles, threads):
    x, w, b, pad, m = layer
    before, winograd.TILES = winograd.TILES, tiles  # bands of a row, and of several images
    try:
        leaves = [torch.tensor(a, requires_grad=True) for a in (x, w, b)]
        expected = torch.nn.functional.conv2d(*leaves, padding=pad)
        out = winograd.forward(x, w, b, pad, m, threads, np.float64)
        assert_allclose(out, expected.detach(), rtol=1e-9, atol=1e-9)
        dout = np.random.default_rng(0).standard_normal(out.shape)
        expected.backward(torch.tensor(dout))
        for gradient, leaf in zip(
            winograd.backward(dout, x, w, pad, m, threads, np.float64), leaves, strict=False
        ):
            assert_allclose(gradient, leaf.grad, rtol=1e-9, atol=1e-9)
    finally:
        winograd.TILES = before


def test_rounding_in_float32_stays_small():
    # how well plain sums do depends on the processor, so they are no yardstick
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 128, 16, 16)).astype(np.float32)
    w = rng.standard_normal((64, 128, 3, 3)).astype(np.float32)
    exact = torch.nn.functional.conv2d(torch.tensor(x).double(), torch.tensor(w).double()).numpy()
    out = winograd.forward(x, w, np.zeros(64, np.float32), 0, 4, 1, np.float32)
    error, size = np.sqrt(np.mean((out - exact) ** 2)), np.sqrt(np.mean(exact**2))
    assert error < 30 * np.finfo(np.float32).eps * size
