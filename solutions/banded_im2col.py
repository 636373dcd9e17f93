"""Convolution by im2col once more, with everything that makes it quicker: any filter and stride.

What differs from fast_convolution, and needs more lines:
- A band of rows at a time, not only a few images: the column matrix fits the cache.
- One matrix for each image. Their products are out as it lies in memory: nothing to transpose.
- The bias is one more weight, of a pixel that is always 1: one more row of the column matrix. It is
  added without another pass over out, and its gradient comes out with that of the weights.
- A 1x1 filter of stride 1 needs no columns: the image is its own column matrix.
- Where windows do not overlap, col2im has nothing to add up: it is a copy.
"""

import threading

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .bands import add_padded, copy_padded, cut, share

NUMBERS = 2**19  # in the column matrix of a band: two megabytes of float32


class Plan:
    """The sizes of a layer, and the bands of rows of out that it is done in."""

    def __init__(self, x_shape, w_shape, conv_param, dtype):
        self.stride, self.pad = conv_param["stride"], conv_param["pad"]
        self.N, self.C, H, self.W = x_shape
        self.F, _, self.HH, self.WW = w_shape
        self.H_out = 1 + (H + 2 * self.pad - self.HH) // self.stride
        self.W_out = 1 + (self.W + 2 * self.pad - self.WW) // self.stride
        self.dtype = dtype
        self.weights = self.C * self.HH * self.WW  # of one filter
        self.is_pixelwise = (self.HH, self.WW, self.stride, self.pad) == (1, 1, 1, 0)
        self.overlap = self.stride < max(self.HH, self.WW)
        rows = max(1, NUMBERS // (self.weights * self.W_out))
        self.bands = cut(self.N, self.H_out, rows)

    def columns(self, x, band):
        """The column matrices of a band of x, (n, C * HH * WW + 1, places): the last row is 1."""
        _, first, last = band
        windows = self._windows(self._load(x, band), last - first)
        n, places = len(windows), (last - first) * self.W_out
        cols = np.empty((n, self.weights + 1, places), self.dtype)
        cols[:, -1] = 1
        cols[:, :-1].reshape(windows.shape)[:] = windows
        return cols

    def columns_back(self, dx, band, dcols, lock):
        """Add dcols, (n, C * HH * WW, places), to the pixels of dx that they come from."""
        images, first, last = band
        padded = np.zeros(self._padded_shape(band), self.dtype)
        windows = self._windows(padded, last - first)
        dcols = dcols.reshape(windows.shape)
        if self.overlap:
            for i in range(self.HH):
                for j in range(self.WW):
                    windows[:, :, i, j] += dcols[:, :, i, j]
        else:
            windows[:] = dcols
        add_padded(dx[images], padded, first * self.stride - self.pad, self.pad, lock)

    def _load(self, x, band):
        images, first, last = band
        top = first * self.stride - self.pad
        if self.pad == 0:
            return x[images, :, top : (last - 1) * self.stride + self.HH]
        padded = np.empty(self._padded_shape(band), self.dtype)
        copy_padded(padded, x[images], top, self.pad)
        return padded

    def _padded_shape(self, band):
        images, first, last = band
        rows = (last - first - 1) * self.stride + self.HH
        return images.stop - images.start, self.C, rows, self.W + 2 * self.pad

    def _windows(self, padded, rows):
        """(n, C, HH, WW, rows, W'): a view."""
        n, C, _, _ = padded.shape
        image, channel, row, column = padded.strides
        strides = (image, channel, row, column, row * self.stride, column * self.stride)
        return as_strided(padded, (n, C, self.HH, self.WW, rows, self.W_out), strides)


def places(images, band):
    """A band of images, (N, C, H, W), with rows and columns as one axis: a view where it can."""
    part = images[band[0], :, band[1] : band[2]]
    return part.reshape(*part.shape[:2], -1)


def forward(x, w, b, conv_param, threads, dtype):
    """out, (N, F, H', W')"""
    plan = Plan(x.shape, w.shape, conv_param, dtype)
    out = np.empty((plan.N, plan.F, plan.H_out, plan.W_out), dtype)
    w_rows = np.column_stack([w.reshape(plan.F, -1), b]).astype(dtype, copy=False)

    def work(bands):
        for band in bands:
            target = places(out, band)
            if plan.is_pixelwise:
                np.matmul(w_rows[:, :-1], places(x, band), out=target)
                target += b[:, None]
            else:
                np.matmul(w_rows, plan.columns(x, band), out=target)

    share(work, plan.bands, threads)
    return out


def backward(dout, x, w, conv_param, threads, dtype):
    """(dx, dw, db)"""
    plan = Plan(x.shape, w.shape, conv_param, dtype)
    w_columns = np.ascontiguousarray(w.reshape(plan.F, -1).T, dtype)
    dx = np.empty(x.shape, dtype) if plan.is_pixelwise else np.zeros(x.shape, dtype)
    lock = threading.Lock()

    def work(bands):
        dw_rows = np.zeros((plan.F, plan.weights + 1), dtype)
        for band in bands:
            douts = places(dout, band)
            if plan.is_pixelwise:
                for d, cols in zip(douts, places(x, band), strict=True):
                    dw_rows[:, :-1] += d @ cols.T
                dw_rows[:, -1] += np.sum(douts, axis=(0, 2))
                np.matmul(w_columns, douts, out=places(dx, band))
                continue
            cols = plan.columns(x, band)
            for k in range(len(cols)):
                dw_rows += douts[k] @ cols[k].T
            del cols  # its memory is free for the next product
            plan.columns_back(dx, band, w_columns @ douts, lock)
        return dw_rows

    dw_rows = sum(share(work, plan.bands, threads))
    return dx, dw_rows[:, :-1].reshape(w.shape), dw_rows[:, -1]
