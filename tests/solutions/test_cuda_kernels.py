"""The CUDA kernels, in numba's simulator, against torch; and compiled for a device."""

import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from torch.nn import functional

from cnnlab.kernel_error import KernelError
from cnnlab.simulator import LARGEST, TILE, launch
from solutions import cuda_convolution
from solutions.cuda_convolution import conv_kernel, conv_on_device, conv_tiled_kernel
from solutions.cuda_pooling import max_pool_kernel

few = settings(deadline=None, max_examples=15)
seeds = st.integers(0, 2**32 - 1)


def blocks_for(out, more=0):
    """As many blocks of TILE x TILE threads as cover out, and some more."""
    N, F, H, W = out.shape
    return (-(-W // TILE) + more, -(-H // TILE) + more, N * F + more)


def numbers(seed, *shapes, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def convolved(x, w, b, stride=1, pad=0):
    return functional.conv2d(*map(torch.tensor, (x, w, b)), stride=stride, padding=pad).numpy()


def filled(array):
    """Room for the output, of which every number has to be written."""
    return np.full_like(array, np.nan)


@st.composite
def layers(draw, largest_stride=3):
    """Images, filters, biases, stride and pad; neither images nor filters need to be square."""
    stride, pad = draw(st.integers(1, largest_stride)), draw(st.integers(0, 2))
    HH, WW = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    sides = [draw(st.integers(max(1, k - 2 * pad), 7)) for k in (HH, WW)]
    N, C, F = draw(st.integers(1, 2)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    x, w, b = numbers(draw(seeds), (N, C, *sides), (F, C, HH, WW), F)
    return x, w, b, stride, pad


@few
@given(layers(), st.integers(0, 1))
def test_convolution_is_torchs(layer, more):
    """with a grid that is larger than the output, too"""
    expected = convolved(*layer)
    out, before = filled(expected), [array.copy() for array in layer[:3]]
    x, w, b, stride, pad = layer
    launch(conv_kernel, blocks_for(out, more), (TILE, TILE, 1), x, w, b, out, stride, pad)
    assert_allclose(out, expected, rtol=1e-12, atol=1e-12)
    for array, old in zip(layer, before, strict=False):
        assert_array_equal(array, old)


@few
@given(layers(largest_stride=1))
def test_tiled_convolution_is_torchs(layer):
    x, w, b, _, pad = layer
    expected = convolved(*layer)
    out = filled(expected)
    launch(conv_tiled_kernel, blocks_for(out), (TILE, TILE, 1), x, w, b, out, pad)
    assert_allclose(out, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size, kernel", [((9, 17), 3), ((8, 10), LARGEST)])
def test_tiles_meet_at_their_edges_and_take_the_largest_filter(size, kernel):
    x, w, b = numbers(0, (1, 2, *size), (1, 2, kernel, kernel), 1)
    expected = convolved(x, w, b, pad=kernel // 2)
    out = filled(expected)
    launch(conv_tiled_kernel, blocks_for(out), (TILE, TILE, 1), x, w, b, out, kernel // 2)
    assert_allclose(out, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kernel, rest", [(conv_kernel, (1, 1)), (conv_tiled_kernel, (1,))])
def test_float32(kernel, rest):
    x, w, b = numbers(1, (2, 3, 4, 5), (2, 3, 3, 3), 2, dtype=np.float32)
    expected = convolved(x, w, b, pad=1)
    out = filled(expected)
    launch(kernel, blocks_for(out), (TILE, TILE, 1), x, w, b, out, *rest)
    assert_allclose(out, expected, rtol=1e-5, atol=1e-5)


@few
@given(st.data())
def test_max_pooling_is_torchs(data):
    size, stride, more = (data.draw(st.integers(1, 3)), data.draw(st.integers(1, 4)), 1)
    sides = [size + data.draw(st.integers(0, 6)) for _ in "HW"]
    (x,) = numbers(data.draw(seeds), (data.draw(st.integers(1, 2)), 2, *sides))
    x -= data.draw(st.sampled_from([0, 10]))  # all negative, too
    expected = functional.max_pool2d(torch.tensor(x), size, stride).numpy()
    out = filled(expected)
    launch(max_pool_kernel, blocks_for(out, more), (TILE, TILE, 1), x, out, size, stride)
    assert_array_equal(out, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_on_the_device_and_back(dtype):
    x, w, b = numbers(2, (2, 2, 9, 5), (3, 2, 3, 3), 3, dtype=dtype)
    for stride, pad in ((1, 0), (2, 1)):
        out = conv_on_device(x, w, b, stride, pad)
        assert type(out) is np.ndarray and out.dtype == dtype
        assert_allclose(out, convolved(x, w, b, stride, pad), rtol=1e-4, atol=1e-4)


# -- what the simulator shows of wrong kernels --------------------------------------------------


def changed(kernel, old, new, count):
    """The kernel with a mistake in its source."""
    source = inspect.getsource(kernel)
    assert source.count(old) >= count, f"{kernel.__name__} has no {old!r} any more"
    parts = source.split(old)
    source = old.join(parts[:count]) + new + old.join(parts[count:])
    module = sys.modules[kernel.__module__]
    namespace = dict(vars(module))
    exec(compile(source, module.__file__, "exec"), namespace)
    return namespace[kernel.__name__]


@pytest.mark.parametrize("size", [(4, 5), (9, 8)])
@pytest.mark.parametrize("which", [1, 2], ids=["before the sum", "before the next patch"])
def test_a_missing_syncthreads_gives_wrong_sums_each_time(which, size):
    """in small images too, in which a block has one tile, and more threads than outputs"""
    wrong = changed(conv_tiled_kernel, "cuda.syncthreads()\n", "pass\n", which)
    x, w, b = numbers(3, (1, 2, *size), (2, 2, 3, 3), 2)
    expected = convolved(x, w, b, pad=1)
    out, again = filled(expected), filled(expected)
    for room in (out, again):
        launch(wrong, blocks_for(out), (TILE, TILE, 1), x, w, b, room, 1)
    assert not np.allclose(out, expected)
    assert_array_equal(out, again)


def test_shared_memory_is_not_zeros():
    """so the zeros of the padding have to be written"""
    wrong = changed(conv_tiled_kernel, "patch[i, j] = 0", "pass", 1)
    x, w, b = numbers(4, (1, 1, 4, 4), (1, 1, 3, 3), 1)
    out = filled(x)
    launch(wrong, blocks_for(out), (TILE, TILE, 1), x, w, b, out, 1)
    assert np.isnan(out).sum() == 12


@pytest.mark.parametrize(
    "kernel, old",
    [
        (conv_kernel, "plane >= N * F"),
        (conv_kernel, "row >= H_out"),
        (max_pool_kernel, "column >= W_out"),
    ],
)
def test_a_missing_bounds_check_names_the_thread(kernel, old):
    wrong = changed(kernel, old, "False", 1)
    x, w, b = numbers(5, (1, 1, 4, 4), (1, 1, 1, 1), 1)
    out, arguments = filled(x), (x, w, b) if kernel is conv_kernel else (x,)
    last = {
        "plane": r"\(0, 0, 0\) of block \(0, 0, 1\)",
        "row": r"\(0, 4, 0\)",
        "column": r"\(4, 0, 0\)",
    }
    with pytest.raises(KernelError, match=f"Thread {last[old.split()[0]]}.*IndexError.*beyond"):
        launch(wrong, blocks_for(out, 1), (TILE, TILE, 1), *arguments, out, 1, 1)


def test_a_return_before_syncthreads_is_told():
    wrong = changed(
        conv_tiled_kernel, "total = b[f]\n", "total = b[f]\n    if not inside: return\n", 1
    )
    x, w, b = numbers(6, (1, 1, 4, 4), (1, 1, 3, 3), 1)
    out = filled(x)
    with pytest.raises(
        KernelError, match=r"16 threads wait at cuda.syncthreads.., and 48 have ended"
    ):
        launch(wrong, blocks_for(out), (TILE, TILE, 1), x, w, b, out, 1)


# -- what a device would run --------------------------------------------------------------------


@pytest.fixture(scope="module", params=["float32", "float64"])
def for_devices(request):
    project = Path(cuda_convolution.__file__).parents[1]
    result = subprocess.run(
        [sys.executable, Path(__file__).with_name("kernels_for_devices.py"), request.param],
        env={
            **os.environ,
            "NUMBA_ENABLE_CUDASIM": "0",
            "CNNLAB_SIMULATE": "0",
            "PYTHONPATH": os.pathsep.join([str(project), str(project / "starter")]),
        },
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer["told"] == []  # small grids, as the notebook has them, are nothing to warn of
    return request.param, answer["kernels"]


def test_the_kernels_compile_for_a_device(for_devices):
    """the references, and those that the notebook shows"""
    _, kernels = for_devices
    of_the_text = {"add", "add_unchecked"}
    assert kernels.keys() == {"conv_kernel", "conv_tiled_kernel", "max_pool_kernel"} | of_the_text
    for kernel in kernels.values():
        assert ".target sm_70" in kernel["assembler"] and "%ctaid.x" in kernel["assembler"]


def test_sums_are_kept_in_the_arrays_own_type(for_devices):
    """a GPU computes float64 many times slower than float32"""
    dtype, kernels = for_devices
    for name, variable in (
        ("conv_kernel", "total"),
        ("conv_tiled_kernel", "total"),
        ("max_pool_kernel", "best"),
    ):
        found = {t for n, t in kernels[name]["variables"].items() if n.split(".")[0] == variable}
        assert found == {dtype}
        if dtype == "float32":
            assert ".f64" not in kernels[name]["assembler"]


def test_the_tiled_kernel_shares_memory_and_waits(for_devices):
    dtype, kernels = for_devices
    assembler = kernels["conv_tiled_kernel"]["assembler"]
    assert assembler.count("bar.sync") == 2
    size = (TILE + LARGEST - 1) ** 2 * np.dtype(dtype).itemsize
    assert re.search(rf"\.shared .*\.b8 \w+\[{size}\];", assembler)
    assert "bar.sync" not in kernels["conv_kernel"]["assembler"]
