"""CUDA kernels written in Python: on the GPU if there is one, else in numba's simulator.

``cuda`` is numba's module, ``launch`` runs a kernel. Where there is no CUDA device, or the variable
CNNLAB_SIMULATE is 1, numba's simulator runs the threads on the processor: slowly, so keep arrays
small. It knows which thread made a mistake, which a device does not tell.
"""

from __future__ import annotations

import ctypes
import math
import os
import sys
import types
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from cnnlab.kernel_error import KernelError

TILE = 8  # a block of threads computes TILE x TILE outputs
LARGEST = 7  # rows and columns of the largest filter that a tiled kernel takes
PATCH = TILE + LARGEST - 1  # rows and columns of the pixels that a tile needs, at most
MOST_THREADS = 1024  # in a block, on every device
STRAYED = (700, 716, 719)  # the driver's numbers: illegal address, misaligned, launch failed


def device_count() -> int:
    """How many CUDA devices the driver shows, without numba or torch: 0 if there is no driver."""
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(name)
        found = ctypes.c_int(0)
        failed = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(found))
    except (OSError, AttributeError):
        return 0
    return 0 if failed else found.value


def _import_cuda() -> tuple[types.ModuleType, bool]:
    """numba.cuda, and whether it is the simulator: that is settled when numba.cuda is imported."""
    if os.environ.get("CNNLAB_SIMULATE") == "1":
        simulate = True
    elif "NUMBA_ENABLE_CUDASIM" in os.environ:
        simulate = os.environ["NUMBA_ENABLE_CUDASIM"] == "1"
    else:
        simulate = device_count() == 0
    if simulate:
        os.environ["NUMBA_ENABLE_CUDASIM"] = "1"
    late = "numba.cuda" in sys.modules
    try:
        from numba.core import config

        if simulate and not config.ENABLE_CUDASIM:
            if late:
                raise ImportError(
                    "numba.cuda was imported before cnnlab.simulator, and looks for a GPU, which "
                    "is not here. Restart the kernel, and import cnnlab.simulator first."
                )
            config.ENABLE_CUDASIM = 1  # numba itself may be in memory already, its cuda is not
        # grids that a person can follow are small: numba warns of each that keeps no device busy
        config.CUDA_LOW_OCCUPANCY_WARNINGS = 0
        from numba import cuda
    except ModuleNotFoundError as error:
        raise ImportError(
            f"The kernels need numba, and {error.name} is not installed here. Install it with: "
            "pip install 'numba>=0.61'"
        ) from None
    return cuda, bool(config.ENABLE_CUDASIM)


cuda, SIMULATED = _import_cuda()
if SIMULATED:
    from cnnlab import threads_in_turn

    threads_in_turn.install()

_compiled: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def launch(
    kernel: Callable, blocks: int | tuple[int, ...], threads: int | tuple[int, ...], *arguments: Any
) -> None:
    """Run a kernel: every thread of every block calls it once, with the same arguments.

    Args:
        kernel: a function that is written as a CUDA kernel, with or without @cuda.jit. It is
            compiled at its first launch for each set of types.
        blocks: how many blocks of threads, as (x, y, z); x alone if it is an int.
        threads: how many threads in each block, as (x, y, z), at most 1024 together.
        arguments: what the kernel takes: NumPy arrays and numbers. What the kernel writes into an
            array is in it afterwards: on a device, all arrays are copied there and back.

    Raises:
        KernelError: a thread failed, or threads wait for others that have ended; the message tells
            which. Or the device gave up.
        NotImplementedError: the kernel raises it, as one does that is not written yet.
        TypeError, ValueError: an argument is not an array or a number; blocks or threads are not
            whole numbers from 1, or too many.
    """
    blocks, threads = _size("blocks", blocks), _size("threads", threads)
    if math.prod(threads) > MOST_THREADS:
        raise ValueError(
            f"{threads} are {math.prod(threads)} threads in a block; a device runs at most "
            f"{MOST_THREADS}. Make the blocks smaller, and launch more of them."
        )
    for number, argument in enumerate(arguments, start=1):
        if not isinstance(argument, np.ndarray | np.generic | int | float):
            raise TypeError(
                f"argument {number} of the kernel is a {type(argument).__name__}; a kernel takes "
                "NumPy arrays and numbers. Of a tensor on the CPU, pass tensor.numpy()."
            )
    compiled = _jit(kernel)
    if SIMULATED:
        compiled[blocks, threads](*(_not_copied_back(argument) for argument in arguments))
    else:
        _launch_on_device(compiled, blocks, threads, arguments)


def launch_counting(
    kernel: Callable, blocks: int | tuple[int, ...], threads: int | tuple[int, ...], *arguments: Any
) -> list[int] | None:
    """As ``launch``, and count what the threads read.

    Returns:
        for each argument, how many numbers the threads of all blocks read from it, 0 for what is no
        array; or None on a device, which does not count. What they read from shared memory is not
        in it.

    Raises:
        KernelError, TypeError, ValueError: as ``launch``.
    """
    if not SIMULATED:
        launch(kernel, blocks, threads, *arguments)
        return None
    with threads_in_turn.noting_traffic() as traffic:
        launch(kernel, blocks, threads, *arguments)
    return traffic.reads


def _size(what: str, size: int | tuple[int, ...]) -> tuple[int, int, int]:
    sides = tuple(size) if isinstance(size, tuple | list) else (size,)
    whole = all(isinstance(side, int | np.integer) and side >= 1 for side in sides)
    if not whole or not 1 <= len(sides) <= 3:
        raise ValueError(f"{what} is {size!r}; it has to be one to three ints from 1, (x, y, z)")
    return (*map(int, sides), 1, 1)[:3]


def _jit(kernel: Callable) -> Any:
    if not isinstance(kernel, types.FunctionType):
        if hasattr(kernel, "py_func"):  # @cuda.jit has been there
            return kernel
        raise TypeError(f"a kernel is a function, and this is a {type(kernel).__name__}")
    if kernel not in _compiled:
        _compiled[kernel] = cuda.jit(kernel)
    return _compiled[kernel]


def _not_copied_back(argument: Any) -> Any:
    """The argument; but an array that nobody may write to as one that is on the device already."""
    read_only = isinstance(argument, np.ndarray) and not argument.flags.writeable
    return cuda.to_device(argument) if read_only else argument


def _launch_on_device(compiled: Any, blocks: tuple, threads: tuple, arguments: tuple) -> None:
    from numba.cuda.cudadrv.driver import CudaAPIError, LinkerError
    from numba.cuda.cudadrv.error import NvvmSupportError

    there = [
        cuda.to_device(np.ascontiguousarray(argument))
        if isinstance(argument, np.ndarray)
        else argument
        for argument in arguments
    ]
    try:
        compiled[blocks, threads](*there)
        cuda.synchronize()
    except NvvmSupportError as error:
        raise KernelError(
            "There is a CUDA device, but numba does not find CUDA's compiler, libNVVM. Install it "
            "with pip install 'numba-cuda[cu13]' (cu12 for a driver before version 580) and "
            "restart; or set CNNLAB_SIMULATE=1 and restart, to use the simulator."
        ) from error
    except (CudaAPIError, LinkerError) as error:
        if getattr(error, "code", None) in STRAYED:
            raise KernelError(
                f"The device stopped the kernel: {error}. Most often a thread read or wrote beyond "
                "the end of an array. Restart, and run it with CNNLAB_SIMULATE=1 in the "
                "environment: the simulator names the thread."
            ) from error
        raise KernelError(
            f"The device did not run the kernel: {error}. If no kernel runs, CUDA's compiler may "
            "be newer than the driver: bring the driver up to date, or set CNNLAB_SIMULATE=1 and "
            "restart, to use the simulator."
        ) from error
    for array, copy in zip(arguments, there, strict=True):
        if isinstance(array, np.ndarray) and array.flags.writeable:
            np.copyto(array, copy.copy_to_host())
