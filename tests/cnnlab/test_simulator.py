"""How kernels are launched, and what is told when they go wrong."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from cnnlab import simulator
from cnnlab.kernel_error import KernelError
from cnnlab.simulator import cuda, launch

STARTER = Path(simulator.__file__).parents[1]


def place(out):
    """Each thread writes where it is."""
    x, y, z = cuda.grid(3)
    if x < out.shape[2] and y < out.shape[1] and z < out.shape[0]:
        out[z, y, x] += 100 * z + 10 * y + x


def test_every_thread_runs_once_at_its_place():
    out = np.zeros((3, 4, 5))
    launch(place, (2, 2, 2), (3, 2, 2), out)
    z, y, x = np.indices(out.shape)
    assert_array_equal(out, 100 * z + 10 * y + x)


def test_jitted_kernels_are_taken_and_one_number_is_a_length():
    @cuda.jit
    def double(array):
        i = cuda.grid(1)
        if i < array.size:
            array[i] *= 2

    array = np.arange(10.0)
    launch(double, 3, 4, array)
    assert_array_equal(array, 2 * np.arange(10))


def test_a_kernel_is_compiled_once(monkeypatch):
    times = []
    jit = cuda.jit
    monkeypatch.setattr(cuda, "jit", lambda kernel: times.append(1) or jit(kernel))

    def nothing(array):
        pass

    for _ in range(3):
        launch(nothing, 1, 1, np.zeros(1))
    assert len(times) == 1


def test_arrays_need_not_be_contiguous():
    out = np.zeros((5, 4, 3)).T
    launch(place, (2, 2, 2), (3, 2, 2), out)
    assert out[2, 3, 4] == 234


def test_arrays_may_be_read_only():
    def copy(x, out):
        out[cuda.grid(1)] = x[cuda.grid(1)]

    x, out = np.arange(4.0), np.zeros(4)
    x.flags.writeable = False
    launch(copy, 1, 4, x, out)
    assert_array_equal(out, x)


def test_blocks_share_memory_among_their_threads_only():
    def reverse(x):
        shared = cuda.shared.array(4, np.float64)
        i = cuda.threadIdx.x
        shared[i] = x[cuda.grid(1)]
        cuda.syncthreads()
        x[cuda.grid(1)] = shared[3 - i]

    x = np.arange(8.0)
    launch(reverse, 2, 4, x)
    assert_array_equal(x, [3, 2, 1, 0, 7, 6, 5, 4])


def test_new_shared_memory_is_anything_but_zeros():
    def read(floats, ints):
        a = cuda.shared.array(2, np.float32)
        b = cuda.shared.array(2, np.int32)
        floats[cuda.grid(1)], ints[cuda.grid(1)] = a[0], b[0]
        a[0] = b[0] = 0  # which the next block does not see

    floats, ints = np.zeros(2, np.float32), np.zeros(2, np.int32)
    launch(read, 2, 1, floats, ints)
    assert np.isnan(floats).all() and (ints != 0).all()


def test_what_the_threads_read_is_counted():
    def sums(x, y, out, times):
        shared = cuda.shared.array(2, np.float64)
        i = cuda.grid(1)
        row = x[i]
        shared[cuda.threadIdx.x] = row[0] + row[1:][1] + x[i, 2]  # through views, too
        cuda.syncthreads()
        for _ in range(times):
            out[i] = shared[0]  # neither what is written counts, nor what is shared
        out[i] += y[0]

    x, y, out = np.ones((4, 3)), np.ones(5), np.zeros(4)
    reads = simulator.launch_counting(sums, 2, 2, x, y, out, 7)
    assert reads == [3 * 4, 4, 4, 0]
    assert_array_equal(out, 4)


def test_whole_arrays_count_as_all_their_numbers():
    def multiplies(x, w, out):
        out[0] = np.multiply(x[:2], w[:2])[0]  # the simulator's liberty: no device takes this

    reads = simulator.launch_counting(multiplies, 1, 1, np.ones(3), np.ones(4), np.zeros(1))
    assert reads == [2, 2, 0]


def test_a_launch_after_a_failed_one_counts_anew():
    def fails(x):
        x[x[0]] = x[7]

    with pytest.raises(KernelError):
        simulator.launch_counting(fails, 1, 1, np.zeros(2))
    assert simulator.launch_counting(place, 1, 1, np.zeros((1, 1, 1))) == [1]


def test_threads_can_count():
    def count(x, out):
        i = cuda.grid(1)
        out[i, 0] = cuda.syncthreads_count(x[i] > 2)
        out[i, 1] = cuda.syncthreads_or(x[i] > 2)
        out[i, 2] = cuda.syncthreads_and(x[i] > 2)

    out = np.zeros((4, 3), int)
    launch(count, 1, 4, np.arange(4), out)
    assert_array_equal(out, [[1, 1, 0]] * 4)


def test_functions_of_the_device_find_their_thread():
    @cuda.jit(device=True)
    def twice(x):
        return 2 * x + cuda.threadIdx.x

    def kernel(out):
        out[cuda.grid(1)] = twice(10)

    out = np.zeros(3)
    launch(kernel, 1, 3, out)
    assert_array_equal(out, [20, 21, 22])


def test_numbas_own_way_to_launch_takes_turns_too():
    @cuda.jit
    def unsynchronised(out):
        shared = cuda.shared.array(8, np.float64)
        i = cuda.threadIdx.x
        shared[i] = i
        out[i] = shared[(i + 1) % 8]

    out = np.zeros(8)
    unsynchronised[1, 8](out)
    assert_array_equal(out, [np.nan] * 7 + [0])


def test_the_thread_that_fails_is_named_and_nobody_stays_behind():
    def fails(x):
        cuda.syncthreads()
        if cuda.threadIdx.x == 2:
            x[99] = 1
        cuda.syncthreads()

    before = threading.active_count()
    with pytest.raises(
        KernelError, match=r"Thread \(2, 0, 0\) of block \(0, 0, 0\): Index"
    ) as told:
        launch(fails, 2, 4, np.zeros(4))
    assert isinstance(told.value.__cause__, IndexError)
    assert threading.active_count() == before
    launch(place, 1, 1, np.zeros((1, 1, 1)))  # and the next kernel runs


@pytest.mark.parametrize("waits", [0, 1])
def test_a_kernel_without_end_can_be_interrupted(waits):
    begun = []

    def endless(waits):
        if waits:
            cuda.syncthreads()
        begun.append(1)
        while True:
            pass

    def interrupt():
        while not begun:
            time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    before = threading.active_count()
    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        launch(endless, 1, 4, waits)
    deadline = time.monotonic() + 60
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_other_errors_are_told_as_they_are():
    def divides(x):
        x[0] = int(x[0]) // 0

    with pytest.raises(KernelError, match=r"ZeroDivisionError: [^.]*\.$"):
        launch(divides, 1, 1, np.ones(1))


def test_an_error_without_words_is_told_by_its_name_alone():
    def gives_up(x):
        raise ValueError()

    with pytest.raises(KernelError, match=r"block \(0, 0, 0\): ValueError\.$"):
        launch(gives_up, 1, 1, np.ones(1))


def test_a_kernel_that_is_not_written_says_just_that():
    def not_written(x):
        raise NotImplementedError()

    before = threading.active_count()
    with pytest.raises(NotImplementedError):
        launch(not_written, 2, 4, np.ones(1))
    assert threading.active_count() == before


def test_the_array_of_a_wrong_index_is_named():
    def reads_beyond(x, w, out):
        i = cuda.grid(1)
        out[i] = w[0] * x[i + 1]

    x, w, out = np.ones(4), np.ones(1), np.ones(4)
    with pytest.raises(KernelError, match=r"That is in x, of shape \(4,\)\. The grid") as failed:
        launch(reads_beyond, 2, 2, x, w, out)
    assert failed.value.array == "x" and failed.value.thread == (3, 0, 0)


def test_shared_memory_that_is_too_small_is_named_as_that():
    def fills(x):
        patch = cuda.shared.array(2, x.dtype)
        patch[cuda.threadIdx.x] = x[cuda.grid(1)]

    with pytest.raises(KernelError, match=r"in patch, of shape \(2,\)\. It is shared memory"):
        launch(fills, 1, 3, np.ones(3))


@pytest.mark.parametrize("when", ["at once", "after a wait"])
def test_threads_that_end_while_others_wait(when):
    def some_wait(late):
        if late:
            cuda.syncthreads()
        if cuda.threadIdx.x < 3:
            cuda.syncthreads()

    with pytest.raises(
        KernelError, match=r"3 threads wait .* and 2 have ended .* thread \([34], 0"
    ):
        launch(some_wait, 1, 5, int(when == "after a wait"))


@pytest.mark.parametrize(
    "blocks, threads, arguments, words",
    [
        ((0, 1, 1), 8, (), r"blocks is \(0, 1, 1\)"),
        (1, (1, 1, 1, 1), (), "threads is"),
        (1.0, 1, (), "blocks is 1.0"),
        (1, (32, 33), (), "1056 threads in a block"),
        (1, 1, ([1, 2],), "argument 1 of the kernel is a list"),
        (1, 1, (np.zeros(1), torch.zeros(1)), r"argument 2 .* is a Tensor.*tensor\.numpy"),
    ],
)
def test_what_cannot_be_launched(blocks, threads, arguments, words):
    with pytest.raises((ValueError, TypeError), match=words):
        launch(place, blocks, threads, *arguments)


def test_what_is_no_kernel():
    with pytest.raises(TypeError, match="a kernel is a function, and this is a int"):
        launch(3, 1, 1)


def run(code, **environment):
    settings = {
        k: v for k, v in os.environ.items() if k not in ("NUMBA_ENABLE_CUDASIM", "CNNLAB_SIMULATE")
    }
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**settings, "PYTHONPATH": str(STARTER), **environment},
        capture_output=True,
        text=True,
    )


def test_cnnlab_alone_imports_neither_torch_nor_numba():
    code = "import sys, cnnlab; print(sorted({'torch', 'numba'} & set(sys.modules)))"
    assert run(code).stdout == "[]\n"


def test_the_simulator_is_chosen_on_demand_though_numba_is_in_memory():
    code = "import numba; from cnnlab.simulator import SIMULATED; print(SIMULATED)"
    assert run(code, CNNLAB_SIMULATE="1").stdout == "True\n"


def test_numbas_cuda_came_first():
    result = run("import numba.cuda, cnnlab.simulator", CNNLAB_SIMULATE="1")
    assert "ImportError: numba.cuda was imported before cnnlab.simulator" in result.stderr
    assert "Restart the kernel" in result.stderr


def test_numba_is_missing():
    code = """
        import sys
        sys.modules["numba"] = None
        sys.modules["numba.core"] = None
        import cnnlab.simulator
    """
    result = run(code)
    assert "ImportError: The kernels need numba" in result.stderr and "pip install" in result.stderr


def test_a_driver_that_shows_devices_is_believed(monkeypatch):
    class Driver:
        def __init__(self, name):
            assert name in ("libcuda.so.1", "nvcuda.dll")

        def cuInit(self, flags):
            return 0

        def cuDeviceGetCount(self, pointer):
            pointer._obj.value = 2
            return 0

    monkeypatch.setattr(simulator.ctypes, "CDLL", Driver)
    assert simulator.device_count() == 2
    monkeypatch.setattr(Driver, "cuInit", lambda self, flags: 100)  # CUDA_ERROR_NO_DEVICE
    assert simulator.device_count() == 0
    monkeypatch.setattr(simulator.ctypes, "CDLL", lambda name: (_ for _ in ()).throw(OSError))
    assert simulator.device_count() == 0


# -- the way to a device, walked with the simulator's arrays and kernels ---------------------------


@pytest.fixture
def as_on_a_device(monkeypatch):
    """Kernels are launched as on a device: arrays are copied there and back."""
    from numba.cuda.simulator.cudadrv import error

    monkeypatch.setattr(simulator, "SIMULATED", False)
    # the simulator has no compiler that could be missing
    no_compiler = type("NvvmSupportError", (ImportError,), {})
    monkeypatch.setattr(error, "NvvmSupportError", no_compiler, raising=False)
    return no_compiler


def test_arrays_are_copied_to_the_device_and_back(as_on_a_device):
    def moves(x, out, by):
        i = cuda.grid(1)
        if i < x.size:
            out[i] = x[i] + by
            x[i] = 0

    x, seen = np.arange(6.0)[::2], np.arange(6.0)[::2]  # a device wants them contiguous
    seen.flags.writeable = False
    out = np.zeros((3, 2)).T[1]
    launch(moves, 1, 4, x, out, 10)
    assert_array_equal(out, [10, 12, 14])
    assert_array_equal(x, 0)
    launch(moves, 1, 4, seen, out, 20)
    assert_array_equal(out, [20, 22, 24])
    assert_array_equal(seen, [0, 2, 4])  # what nobody may write to comes not back
    assert simulator.launch_counting(moves, 1, 4, x, out, 1) is None


@pytest.mark.parametrize(
    "code, said",
    [
        (700, "the simulator names the thread"),
        (222, "newer than the driver"),
        (None, r"numba-cuda\[cu13\].*or set CNNLAB_SIMULATE=1 and restart"),
    ],
    ids=["a stray read", "a driver that is too old", "no compiler"],
)
def test_what_goes_wrong_on_a_device_is_told(as_on_a_device, monkeypatch, code, said):
    from numba.cuda.simulator.cudadrv.driver import CudaAPIError

    def stops(configuration):
        if code is None:
            raise as_on_a_device("libNVVM cannot be found")
        error = CudaAPIError(code, "told by the driver")
        error.code = code  # which the simulator's error does not keep
        raise error

    compiled = type("Compiled", (), {"__getitem__": lambda self, size: stops})()
    monkeypatch.setattr(simulator, "_jit", lambda kernel: compiled)
    with pytest.raises(KernelError, match=said):
        launch(place, 1, 1, np.zeros(1))
