"""The layers as fast as NumPy goes: the same results as fast_convolution and fast_pooling.

The questions' references stay the clear ones. These choose a way by the layer's shape, keep all
that is not input or output in the size of the cache, and share the work among threads:

- winograd for filters from 3x3 to 5x5 with stride 1: a quarter of the multiplications,
- banded_im2col for everything else,
- pooling as it is, in threads.

Threads help if the matrix products do not start their own. With more than one, start Python with
OPENBLAS_NUM_THREADS=1 in its environment. docs/benchmarks.md tells what each step gained.
"""

import numpy as np

from . import banded_im2col, winograd
from .bands import cut, share
from .fast_pooling import (
    avg_pool_backward_fast,
    avg_pool_forward_fast,
    max_pool_backward_fast,
    max_pool_forward_fast,
)

SIDE = 4  # results of a tile, down and across: best or nearly best for all the shapes measured


def conv_forward_fastest(x, w, b, conv_param, threads=1):
    """conv_forward_fast, quicker; the arguments and results are the same.

    Args:
        threads: among how many the images, or their rows, are shared. The result does not depend
            on it.
    """
    dtype = np.result_type(x, w, b)
    cache = (x, w, b, conv_param)
    if _suits_winograd(x, w, conv_param):
        return winograd.forward(x, w, b, conv_param["pad"], SIDE, threads, dtype), cache
    return banded_im2col.forward(x, w, b, conv_param, threads, dtype), cache


def conv_backward_fastest(dout, cache, threads=1):
    """conv_backward_fast, quicker; the arguments and results are the same.

    With more threads the sums of dw and db are rounded a little differently.
    """
    x, w, _, conv_param = cache
    dtype = np.result_type(dout, x, w)
    if _suits_winograd(x, w, conv_param):
        dx, dw = winograd.backward(dout, x, w, conv_param["pad"], SIDE, threads, dtype)
        return dx, dw, np.sum(dout, axis=(0, 2, 3), dtype=dtype)
    return banded_im2col.backward(dout, x, w, conv_param, threads, dtype)


def _suits_winograd(x, w, conv_param):
    """Whether fewer multiplications pay for transforming x, w and out."""
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    if conv_param["stride"] > 1 or min(HH, WW) < 3 or SIDE + max(HH, WW) - 1 > winograd.LARGEST:
        return False
    H_out, W_out = H + 2 * conv_param["pad"] - HH + 1, W + 2 * conv_param["pad"] - WW + 1
    tiles = N * -(-H_out // SIDE) * -(-W_out // SIDE)
    # the transforms of x and out need many channels to be shared by, that of w many tiles
    return C * F >= 512 and tiles >= 32


def max_pool_forward_fastest(x, pool_param, threads=1):
    """max_pool_forward_fast in threads."""
    out = _pooled(max_pool_forward_fast, x, pool_param, x.dtype, threads)
    return out, (x, out, pool_param)


def max_pool_backward_fastest(dout, cache, threads=1):
    """max_pool_backward_fast in threads."""
    x, out, pool_param = cache

    def part(images):
        small = (x[images], out[images], pool_param)
        return max_pool_backward_fast(dout[images], small)

    return _in_parts(part, x.shape, np.result_type(dout, x), threads)


def avg_pool_forward_fastest(x, pool_param, threads=1):
    """avg_pool_forward_fast in threads."""
    dtype = np.result_type(x, np.float32)
    return _pooled(avg_pool_forward_fast, x, pool_param, dtype, threads), (x, pool_param)


def avg_pool_backward_fastest(dout, cache, threads=1):
    """avg_pool_backward_fast in threads."""
    x, pool_param = cache

    def part(images):
        return avg_pool_backward_fast(dout[images], (x[images], pool_param))

    return _in_parts(part, x.shape, np.result_type(dout, x, np.float32), threads)


def _pooled(forward, x, pool_param, dtype, threads):
    N, C, H, W = x.shape
    H_out = 1 + (H - pool_param["pool_height"]) // pool_param["stride"]
    W_out = 1 + (W - pool_param["pool_width"]) // pool_param["stride"]

    def part(images):
        return forward(x[images], pool_param)[0]

    return _in_parts(part, (N, C, H_out, W_out), dtype, threads)


def _in_parts(function, shape, dtype, threads):
    """An array of this shape that function fills a few images at a time."""
    result = np.empty(shape, dtype)

    def work(bands):
        for images, _, _ in bands:
            result[images] = function(images)

    share(work, cut(len(result), 1, 4), threads)
    return result
