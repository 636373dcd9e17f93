"""The steps for CUDA kernels: launched on tiny arrays, in the simulator or on the device.

numba is imported when a step runs: the other notebooks' checks do without it.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from cnnlab.checks.expect import array, dtype_of, unchanged
from cnnlab.checks.steps import CheckFailed, step

NEVER_WRITTEN = (
    "out held NaN before the launch. No thread wrote there; or one added to what was there."
)
NEVER_LOADED = (
    "no thread wrote there; or one read shared memory in which there was nothing yet: without "
    "cuda.syncthreads() between loading and adding up; or without the halo, which makes the patch "
    "TILE + HH − 1 rows by TILE + WW − 1 columns; or without the zeros beyond the image."
)


def _launched(
    f: Any,
    threads: tuple[int, int, int],
    arrays: dict,
    shape: tuple,
    *numbers: int,
    never_written: str = NEVER_WRITTEN,
):
    """out, after a launch with so many blocks as cover it."""
    from cnnlab.kernel_error import KernelError
    from cnnlab.simulator import launch

    dtype = next(iter(arrays.values())).dtype
    out = np.full(shape, np.nan, dtype)
    N, F, rows, columns = shape
    blocks = tuple(-(-n // t) for n, t in zip((columns, rows, N * F), threads, strict=True))
    try:
        with unchanged(**arrays):
            launch(f, blocks, threads, *arrays.values(), out, *numbers)
    except KernelError as error:
        where = f"blocks {blocks} of threads {threads}, for out of shape {shape}"
        cause = _why_it_failed(error, arrays, out)
        raise CheckFailed(f"with {where}: {error}", "no thread fails", cause) from error
    if np.isnan(out).any():
        many = f"{int(np.isnan(out).sum())} of {out.size} numbers of out are NaN"
        cause = never_written + _swapped(f, out)
        raise CheckFailed(many, "a number everywhere", cause)
    return out


def _why_it_failed(error: Any, arrays: dict, out: np.ndarray) -> str:
    if "syncthreads" in str(error):
        return "threads beyond the edge load and wait like all others; they only do not write."
    if error.array not in (None, "out", *arrays):
        return (
            f"{error.array} has to have room for the largest patch, of TILE + LARGEST − 1 rows "
            "and columns: cuda.shared.array((PATCH, PATCH), x.dtype)."
        )
    N, F, rows, columns = out.shape
    has_a_place = error.thread is not None and all(
        map(operator.lt, error.thread, (columns, rows, N * F))
    )
    if has_a_place and error.array == "x":
        window = (
            "Its window reaches beyond x: leave out what is below 0, and what is not below H or W "
            "of x."
            if "w" in arrays
            else "A window of a pooling lies inside of x: it begins at row * stride, "
            "column * stride, and has size rows and columns."
        )
        return (
            f"this thread has a number of out to compute, so it is not the grid. {window} Or n is "
            f"too large: plane counts to {N * F}, {F} for each image."
        )
    if has_a_place and error.array == "w":
        return "w has shape (F, C, HH, WW): HH rows and WW columns; and f = plane % F."
    return "compare column, row and plane with the shape of out, all three of them."


def _swapped(f: Any, out: np.ndarray) -> str:
    rows, columns = out.shape[2:]
    if rows == columns or not np.isnan(out).any(axis=(0, 1)).any():
        return ""
    return " cuda.grid(3) gives (x, y, z): x is the column, y the row, z the plane."


def _image(rows: int, columns: int) -> np.ndarray:
    return np.arange(1.0, rows * columns + 1).reshape(1, 1, rows, columns)


def _filters(*rows: list[float]) -> np.ndarray:
    return np.array(rows, dtype=float)[None, None]


# -- conv_kernel -----------------------------------------------------------------------------------

_ONE = np.array([1.0])


def _convolved(
    f: Any, threads: tuple, x, w, b, shape: tuple, stride: int = 1, pad: int = 0, **options: str
):
    return _launched(f, threads, {"x": x, "w": w, "b": b}, shape, stride, pad, **options)


@step("conv_kernel", "by hand: a filter 1 2 over 3 4 and a bias of 1, on an image of 2×3")
def _(f):
    x, w = _image(2, 3), _filters([1, 2], [3, 4])
    array(
        _convolved(f, (2, 1, 1), x, w, _ONE, (1, 1, 1, 2)),
        [[[[38, 48]]]],
        "out",
        "1·1 + 2·2 + 4·3 + 5·4 + 1, and the same one pixel to the right.",
        known=[
            ([[[[37, 47]]]], "b[f] is missing."),
            ([[[[24, 34]]]], "the filter is flipped: it is laid on as it is."),
        ],
        inputs={"x[0, 0]": x[0, 0], "w[0, 0]": w[0, 0]},
    )


@step("conv_kernel", "out of 2×5, in blocks of 4×2 threads: some have nothing to do")
def _(f):
    x, w = _image(2, 5), _filters([2])
    cause = "column, row, plane = cuda.grid(3); out[n, f, row, column]."
    array(_convolved(f, (4, 2, 1), x, w, _ONE, (1, 1, 2, 5)), 2 * x + 1, "out", cause)
    array(_convolved(f, (2, 4, 1), x, w, _ONE, (1, 1, 2, 5)), 2 * x + 1, "out", cause)


@step("conv_kernel", "two images, three filters, two channels: six planes, in blocks of four")
def _(f):
    x = np.array([[1.0, 10], [2, 20]]).reshape(2, 2, 1, 1)
    w = np.array([[1.0, 0], [0, 1], [1, 1]]).reshape(3, 2, 1, 1)
    right = [[1, 10, 11], [2, 20, 22]]
    planes = "plane = n * F + f, so n = plane // F and f = plane % F"
    empty = f"{NEVER_WRITTEN} Each of the six planes has its own n and f: {planes}."
    came = _convolved(f, (1, 1, 4), x, w, np.zeros(3), (2, 3, 1, 1), never_written=empty)
    cause = f"{planes}; and a sum over all channels."
    array(came[:, :, 0, 0], right, "out[:, :, 0, 0]", cause)


@step("conv_kernel", "by hand: filters of 1×2 and of 2×1")
def _(f):
    x, w = _image(2, 3), _filters([1, 10])
    cause = "w has shape (F, C, HH, WW): HH rows and WW columns."
    known = [([[[[1, 2], [4, 5]]]], "the filter's columns are WW, the last axis of w, not HH.")]
    came = _convolved(f, (2, 2, 1), x, w, np.zeros(1), (1, 1, 2, 2))
    array(came, [[[[21, 32], [54, 65]]]], "out for 1 10", cause, known=known)
    came = _convolved(f, (3, 1, 1), x, w.swapaxes(2, 3), np.zeros(1), (1, 1, 1, 3))
    known = [([[[[1, 2, 3]]]], "the filter's rows are HH, the third axis of w, not WW.")]
    array(came, [[[[41, 52, 63]]]], "out for 1 over 10", cause, known=known)


@step("conv_kernel", "by hand: stride 2")
def _(f):
    x = _image(3, 5)
    came = _convolved(f, (4, 2, 1), x, _filters([1]), np.zeros(1), (1, 1, 2, 3), 2)
    known = [([[[[1, 2, 3], [6, 7, 8]]]], "stride is not used.")]
    cause = "the window of out[row, column] begins at row * stride, column * stride."
    array(came, [[[[1, 3, 5], [11, 13, 15]]]], "out", cause, known=known, inputs={"x": x[0, 0]})


@step("conv_kernel", "by hand: pad 1, where beyond the edge is nothing")
def _(f):
    x = _image(2, 3)
    came = _convolved(f, (2, 2, 1), x, np.ones((1, 1, 3, 3)), np.zeros(1), (1, 1, 2, 3), 1, 1)
    cause = (
        "the window begins pad rows above and pad columns to the left; leave out products where "
        "the row or the column is below 0, or too large."
    )
    known = [
        (
            _wrapped(x),
            "x[n, c, -1, j] is the last row, and no error: leave out what is below 0.",
        )
    ]
    array(came, [[[[12, 21, 16], [12, 21, 16]]]], "out", cause, known=known, inputs={"x": x[0, 0]})


def _wrapped(x: np.ndarray) -> np.ndarray:
    """What comes where negative indices are not left out, for 3x3 ones and pad 1."""
    _, _, H, W = x.shape
    total = np.zeros((1, 1, H, W))
    for row in range(H):
        for column in range(W):
            rows = [r for r in range(row - 1, row + 2) if r < H]
            columns = [c for c in range(column - 1, column + 2) if c < W]
            total[0, 0, row, column] = x[0, 0][np.ix_(rows, columns)].sum()
    return total


@step("conv_kernel", "float32 stays float32")
def _(f):
    x, w = _image(2, 2).astype(np.float32), _filters([0.5]).astype(np.float32)
    came = _convolved(f, (2, 2, 1), x, w, np.zeros(1, np.float32), (1, 1, 2, 2))
    dtype_of(came, np.dtype(np.float32), "out", "x")
    array(came, x / 2, "out", "a sum in floats.")


# -- conv_tiled_kernel -----------------------------------------------------------------------------


def _tiled(f: Any, x: np.ndarray, w: np.ndarray, b: np.ndarray, pad: int) -> np.ndarray:
    """out, compared with the same convolution by whole arrays."""
    from cnnlab.simulator import TILE

    x, w, b = (array.astype(np.float32) for array in (x, w, b))
    N, _, H, W = x.shape
    F, _, HH, WW = w.shape
    shape = (N, F, H + 2 * pad - HH + 1, W + 2 * pad - WW + 1)
    arrays = {"x": x, "w": w, "b": b}
    return _launched(f, (TILE, TILE, 1), arrays, shape, pad, never_written=NEVER_LOADED)


def _spread(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """An image with single ones in it, and a filter of 1 … 9: each one shows the filter, turned."""
    x = np.zeros((1, 1, rows, columns))
    x[0, 0, 1::5, 1::6] = 1
    return x, np.arange(1.0, 10).reshape(1, 1, 3, 3)


def _shown(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """What comes of such an image, for pad 1."""
    out = np.zeros((1, 1, x.shape[2] + 2, x.shape[3] + 2))
    for row, column in np.argwhere(x[0, 0]):
        out[0, 0, row : row + 3, column : column + 3] += w[0, 0, ::-1, ::-1]
    return out[:, :, 1:-1, 1:-1]


def _compare_spread(f: Any, rows: int, columns: int) -> None:
    x, w = _spread(rows, columns)
    came = _tiled(f, x, w, np.zeros(1), 1)
    cause = (
        "the patch begins pad rows above the tile and pad columns to its left; the window of "
        "thread (across, down) begins at patch[down, across]."
    )
    array(came, _shown(x, w), "out", cause)


@step(
    "conv_tiled_kernel", "one tile: single ones in an image of zeros show the filter, turned round"
)
def _(f):
    _compare_spread(f, 8, 8)


@step("conv_tiled_kernel", "by hand: no padding; the windows at the edge reach into the halo")
def _(f):
    x = np.ones((1, 1, 10, 10))
    came = _tiled(f, x, np.ones((1, 1, 3, 3)), _ONE, 0)
    known = [(np.full((1, 1, 8, 8), 9.0), "b[f] is missing.")]
    cause = "the patch has TILE + HH − 1 rows and TILE + WW − 1 columns: more than one each."
    array(came, np.full((1, 1, 8, 8), 10.0), "out", cause, known=known)


@step("conv_tiled_kernel", "three channels, one after the other through the same shared memory")
def _(f):
    x = np.arange(1.0, 4)[None, :, None, None] * np.ones((1, 3, 8, 8))
    w = np.array([1.0, 10, 100]).reshape(1, 3, 1, 1) * np.ones((1, 3, 3, 3))
    came = _tiled(f, x, w, np.zeros(1), 1)[:, :, 1:-1, 1:-1]
    cause = (
        "the patch was overwritten while others still read it: cuda.syncthreads() after the sums, "
        "too, before the next channel is loaded."
    )
    right = np.full((1, 1, 6, 6), 9 * 321.0)
    known = [(0 * right + 9, "that is channel 0 alone: add up over all channels of x.")]
    array(came, right, "out, without its border", cause, known=known)


@step("conv_tiled_kernel", "many tiles, which stick out of an image of 6×13")
def _(f):
    _compare_spread(f, 6, 13)


@step("conv_tiled_kernel", "by hand: filters of 1×3 and of 3×1")
def _(f):
    x, w = _image(4, 5), _filters([1, 10, 100])
    cause = "w has shape (F, C, HH, WW): HH rows and WW columns, and the patch alike."
    right = x[..., :-2] + 10 * x[..., 1:-1] + 100 * x[..., 2:]
    array(_tiled(f, x, w, np.zeros(1), 0), right, "out for 1 10 100", cause)
    x, w, right = (each.swapaxes(2, 3) for each in (x, w, right))
    array(_tiled(f, x, w, np.zeros(1), 0), right, "out for 1 over 10 over 100", cause)


@step("conv_tiled_kernel", "the largest filter, 7×7; the size of shared memory is the same for all")
def _(f):
    from cnnlab.simulator import SIMULATED

    if not SIMULATED:  # a compiler refuses what is no constant
        _ones(f, 7)
        return
    from cnnlab.threads_in_turn import noting_traffic

    with noting_traffic() as traffic:
        _ones(f, 7)
        _ones(f, 1)
    shapes = traffic.shared
    if len(set(shapes)) > 1:
        cause = (
            "it is fixed when the kernel is compiled, which no launch and no w can change: "
            "cuda.shared.array((PATCH, PATCH), x.dtype)."
        )
        came = f"shared memory of {max(shapes)} for a filter of 7×7, of {min(shapes)} for 1×1"
        raise CheckFailed(came, "one size for all filters", cause)


def _ones(f: Any, size: int) -> None:
    came = _tiled(f, np.ones((1, 1, 8, 8)), np.ones((1, 1, size, size)), np.zeros(1), 0)
    right = np.full((1, 1, 9 - size, 9 - size), float(size * size))
    cause = "all pixels are 1, so each number counts those of a window."
    array(came, right, f"out for a filter of {size}×{size} ones", cause)


@step("conv_tiled_kernel", "each pixel is fetched once, into shared memory")
def _(f):
    from cnnlab.simulator import SIMULATED, TILE

    if not SIMULATED:  # a device does not count
        return
    from cnnlab.threads_in_turn import noting_traffic

    with noting_traffic() as traffic:
        _compare_spread(f, 8, 8)
    patch = (TILE + 2) ** 2
    if not traffic.shared:
        cause = "each thread reads its whole window from x, as in the question before."
        raise CheckFailed("no thread asks for shared memory", "cuda.shared.array(...)", cause)
    if traffic.reads[0] > patch:  # x is the first argument
        cause = "the threads share out the patch among them; the window is read out of it."
        raise CheckFailed(
            f"{traffic.reads[0]} numbers are read from x, for 8×8 outputs and a filter of 3×3",
            f"at most {patch}, the numbers of the patch",
            cause,
        )


@step("conv_tiled_kernel", "two images, two filters: a plane for each pair")
def _(f):
    x = np.array([1.0, 2])[:, None, None, None] * np.ones((2, 1, 3, 4))
    w = np.array([1.0, 10])[:, None, None, None] * np.ones((2, 1, 1, 1))
    came = _tiled(f, x, w, np.array([0.0, 5]), 0)
    cause = "plane = n * F + f, so n = plane // F and f = plane % F."
    array(came[:, :, 1, 2], [[1, 15], [2, 25]], "out[:, :, 1, 2]", cause)


# -- max_pool_kernel -------------------------------------------------------------------------------


def _pooled(f: Any, threads: tuple, x: np.ndarray, shape: tuple, size: int, stride: int):
    return _launched(f, threads, {"x": x}, shape, size, stride)


_HILLS = np.array([[[[1.0, 5, 2, 0, 3], [4, 2, 1, 8, 6], [7, 0, 1, 9, 2]]]])


@step("max_pool_kernel", "by hand: windows of 2×2, stride 2; the last row and column are left over")
def _(f):
    known = [
        ([[[[1, 2]]]], "that is the first number of each window."),
        ([[[[5, 5]]]], "stride is not used."),
    ]
    cause = "the largest of the window's four numbers."
    came = _pooled(f, (2, 1, 1), _HILLS, (1, 1, 1, 2), 2, 2)
    array(came, [[[[5, 8]]]], "out", cause, known=known, inputs={"x[0, 0]": _HILLS[0, 0]})


@step("max_pool_kernel", "negative numbers")
def _(f):
    known = [([[[[0, 0]]]], "the maximum begins with 0: begin with a number of the window.")]
    cause = "begin with a number of the window: any other may be larger than all of them."
    for scale in (1, 1e9):
        came = _pooled(f, (2, 2, 1), scale * (_HILLS - 10), (1, 1, 1, 2), 2, 2)
        array(came, scale * np.array([[[[-5, -2]]]]), "out", cause, known=known)


@step("max_pool_kernel", "windows that overlap, in blocks with threads that have nothing to do")
def _(f):
    right = [[[[5, 5, 8, 8], [7, 2, 9, 9]]]]
    cause = "the window of out[row, column] begins at row * stride, column * stride."
    for threads in ((3, 2, 1), (2, 4, 2)):
        array(_pooled(f, threads, _HILLS, (1, 1, 2, 4), 2, 1), right, "out", cause)


@step("max_pool_kernel", "by hand: gaps between the windows, stride 3 down and across")
def _(f):
    known = [([[[[10, 11, 12], [18, 19, 20]]]], "stride is not used.")]
    cause = "the window of out[row, column] begins at row * stride, column * stride."
    came = _pooled(f, (2, 2, 1), _image(5, 8), (1, 1, 2, 3), 2, 3)
    array(came, [[[[10, 13, 16], [34, 37, 40]]]], "out", cause, known=known)


@step("max_pool_kernel", "two images of three channels: six planes, in blocks of four")
def _(f):
    x = np.arange(1.0, 7).reshape(2, 3, 1, 1) * np.ones((2, 3, 2, 2))
    came = _pooled(f, (1, 1, 4), x, (2, 3, 1, 1), 2, 2)[:, :, 0, 0]
    cause = "plane = n * C + c, so n = plane // C and c = plane % C."
    array(came, [[1, 2, 3], [4, 5, 6]], "out[:, :, 0, 0]", cause)


# -- conv_on_device --------------------------------------------------------------------------------


def _on_device(f: Any, expected: np.ndarray, what: str, cause: str, *args: Any) -> None:
    with unchanged(**dict(zip("xwb", args, strict=False))):
        came = f(*args)
    if came is not None and not isinstance(came, np.ndarray):
        cause = "copy_to_host() brings the device's array back as one of NumPy's."
        raise CheckFailed(f"out is of type {type(came).__name__}", "an array", cause)
    if came is not None and came.shape == expected.shape and not np.isfinite(came).all():
        many = f"{int((~np.isfinite(came)).sum())} of {came.size} numbers of out were never written"
        raise CheckFailed(many, "a number everywhere", cause)
    array(came, expected, what, cause, known=[(0 * expected, "nothing came back from the device.")])


@step("conv_on_device", "by hand: a filter 1 2 over 3 4 and a bias of 1, on an image of 2×3")
def _(f):
    cause = "to_device, launch, copy_to_host."
    args = (_image(2, 3), _filters([1, 2], [3, 4]), _ONE)
    _on_device(f, np.array([[[[38.0, 48]]]]), "out", cause, *args)


@step("conv_on_device", "an output of 9×17 takes three blocks across and two down")
def _(f):
    x = _image(10, 17)
    cause = (
        "round the numbers of blocks up: (W_out + TILE - 1) // TILE. And a launch counts them as "
        "(x, y, z): first those across, then those down, then the planes."
    )
    _on_device(f, 2 * x[:, :, 1:] + 1, "out", cause, x, _filters([0], [2]), _ONE)


@step("conv_on_device", "by hand: stride 2, pad 1")
def _(f):
    args = (_image(3, 3), np.ones((1, 1, 3, 3)), np.zeros(1), 2, 1)
    cause = "H_out = 1 + (H + 2 * pad − HH) // stride; and hand stride and pad on."
    _on_device(f, np.array([[[[12.0, 16], [24, 28]]]]), "out", cause, *args)


@step("conv_on_device", "two images, three filters")
def _(f):
    x = np.array([1.0, 2]).reshape(2, 1, 1, 1)
    w = np.array([1.0, 10, 100]).reshape(3, 1, 1, 1)
    right = (x[:, 0, 0, 0, None] * w[:, 0, 0, 0]).reshape(2, 3, 1, 1)
    cause = "the grid's third axis is N * F planes."
    _on_device(f, right, "out", cause, x, w, np.zeros(3))
