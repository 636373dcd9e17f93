"""How the simulator runs a block's threads: one after the other, each until it has to wait.

numba's own simulator lets all threads of a block run at once, as Python's threads. Then what a
missing cuda.syncthreads() does depends on chance, and is often right. Here, a thread runs until it
waits at a cuda.syncthreads() or ends, and then the next one does; after each wait they run in the
opposite order. New shared memory holds NaN. So a thread that reads what another has yet to write,
or overwrites what another has yet to read, gets a wrong result, each time the same. It is also
faster: a kernel in which nobody waits takes one of Python's threads for a whole block.
"""

from __future__ import annotations

import ctypes
import linecache
import re
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import numpy as np
from numba.core import types
from numba.cuda.simulator import kernel as numba_kernel
from numba.cuda.simulator.cudadrv.devicearray import FakeWithinKernelCUDAArray
from numba.cuda.simulator.kernelapi import Dim3, FakeCUDAShared
from numba.np import numpy_support

from cnnlab.kernel_error import KernelError

STACK = 512 * 1024  # bytes for each of Python's threads: the usual 8 MB, by 64, is half a gigabyte


def install() -> None:
    """Let numba's simulator run every kernel in this way, however it is launched."""
    numba_kernel.BlockManager = Block


class Block:
    """Runs the threads of one block in turn. It stands in for numba's BlockManager."""

    def __init__(self, kernel: Callable, grid_dim: tuple, block_dim: tuple, debug: bool) -> None:
        self.kernel, self.shape = kernel, block_dim
        self.votes = np.zeros(block_dim, dtype=np.bool_)  # of syncthreads_count, _and, _or
        self.turn = threading.Semaphore(0)  # released when a worker waits, or has nothing to do
        self.to_start: deque[Dim3] = deque()
        self.running: Worker | None = None
        self.waiting: list[Worker] = []
        self.resumed: list[Worker] = []  # those that waited, and have yet to go on
        self.ended: list[Dim3] = []
        self.failed: tuple[BaseException, Dim3] | None = None
        self.stopped = False

    def run(self, index: tuple[int, int, int], *arguments: Any) -> None:
        """Run all threads of the block with this index in the grid.

        Raises KernelError; of a kernel that is not written, its NotImplementedError.
        """
        context = numba_kernel._get_kernel_context()
        context._shared = Shared(context._shared._dynshared_size)  # each block has its own
        self.index, self.arguments = Dim3(*index), _counted(arguments)
        sides = (range(length) for length in reversed(self.shape))
        self.to_start.extend(Dim3(x, y, z) for z, y, x in product(*sides))  # x is the fastest
        try:
            while self.to_start and not self.failed:
                self._start_worker()
            while self.waiting and not self.failed:
                self._check_that_all_wait()
                self.resumed, self.waiting = self.waiting, []
                while self.resumed and not self.failed:
                    worker = self.resumed.pop()  # the last first
                    self._run(worker, worker.go.release)
            if self.failed:
                error, thread = self.failed
                if isinstance(error, NotImplementedError):  # no thread's fault: it is not written
                    raise error
                raise self._kernel_error(error, thread) from error
        except KeyboardInterrupt:  # a thread that never ends would go on in the background
            self.running.interrupt()
            raise
        finally:
            self.stopped = True
            for worker in (*self.resumed, *self.waiting):
                worker.go.release()
                worker.join(1)

    def _kernel_error(self, error: BaseException, thread: Dim3) -> KernelError:
        within, indexed = _indexed(error)
        told = _told(error, thread, self.index, within, indexed)
        sides = zip(self.index, self.shape, thread, strict=True)
        return KernelError(told, tuple(b * side + t for b, side, t in sides), indexed)

    def _run(self, worker: Worker, go: Callable[[], object]) -> None:
        """Let a worker run until it waits or is done."""
        self.running = worker
        go()
        self.turn.acquire()

    def _start_worker(self) -> None:
        worker = Worker(self)

        def start() -> None:
            usual = threading.stack_size(STACK)
            try:
                worker.start()
            finally:
                threading.stack_size(usual)

        self._run(worker, start)

    def _check_that_all_wait(self) -> None:
        if self.ended:
            raise KernelError(
                f"In block {_words(self.index)}, {len(self.waiting)} threads wait at "
                f"cuda.syncthreads(), and {len(self.ended)} have ended without coming there, "
                f"thread {_words(self.ended[0])} first. On a device, such a kernel may wait for "
                "ever. All threads of a block have to reach each cuda.syncthreads(): no return "
                "before it, and no if around it."
            )


class Worker(threading.Thread):
    """One of Python's threads. It runs threads of the block until one of them has to wait.

    numba's simulator finds threadIdx, blockIdx and syncthreads here, on the current thread.
    """

    def __init__(self, block: Block) -> None:
        super().__init__(daemon=True)
        self.block, self.blockIdx = block, block.index
        self.go = threading.Semaphore(0)

    def run(self) -> None:
        block = self.block
        try:
            while block.to_start and not block.stopped:
                self.threadIdx = block.to_start.popleft()
                block.kernel(*block.arguments)
                block.ended.append(self.threadIdx)
        except _Stopped:
            pass
        except BaseException as error:
            block.failed = error, self.threadIdx
        block.turn.release()

    def interrupt(self) -> None:
        """Raise _Stopped wherever this thread is."""
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(self.ident), ctypes.py_object(_Stopped)
        )

    @property
    def thread_id(self) -> int:
        width, height, _ = self.block.shape
        return self.threadIdx.x + width * (self.threadIdx.y + height * self.threadIdx.z)

    def syncthreads(self) -> None:
        self.block.waiting.append(self)
        self.block.turn.release()
        self.go.acquire()
        if self.block.stopped:
            raise _Stopped

    def syncthreads_count(self, value: Any) -> int:
        return int(np.count_nonzero(self._votes(value)))

    def syncthreads_and(self, value: Any) -> int:
        return int(np.all(self._votes(value)))

    def syncthreads_or(self, value: Any) -> int:
        return int(np.any(self._votes(value)))

    def _votes(self, value: Any) -> np.ndarray:
        self.block.votes[tuple(self.threadIdx)] = value
        self.syncthreads()
        votes = self.block.votes.copy()
        self.syncthreads()
        return votes


class Traffic:
    """What the threads of all blocks asked of the memory.

    Attributes:
        reads: for each argument of the kernel, how many numbers were read from it; 0 for what is
            no array.
        shared: the shape of each array in shared memory, as often as a thread came by.
    """

    def __init__(self) -> None:
        self.reads: list[int] = []
        self.shared: list[tuple[int, ...]] = []


_noted: Traffic | None = None


@contextmanager
def noting_traffic() -> Iterator[Traffic]:
    """Inside, what the kernels read, and what they share, is noted. One kernel at a time."""
    global _noted
    before, _noted = _noted, Traffic()
    try:
        yield _noted
    finally:
        _noted = before


class Counted(FakeWithinKernelCUDAArray):
    """An argument of a kernel that counts how many of its numbers are read, through views too."""

    def __init__(self, array: FakeWithinKernelCUDAArray, traffic: Traffic, number: int) -> None:
        super().__init__(array._item)
        self.__dict__.update(_traffic=traffic, _number=number)  # setting writes into the array

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        if isinstance(found, FakeWithinKernelCUDAArray):
            return Counted(found, self._traffic, self._number)
        self._traffic.reads[self._number] += 1
        return found

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Any, **options: Any) -> Any:
        for array in args:
            if isinstance(array, Counted):
                array._traffic.reads[array._number] += array.size
        return super().__array_ufunc__(ufunc, method, *args, **options)


def _counted(arguments: tuple) -> tuple:
    if _noted is None:
        return arguments
    _noted.reads.extend([0] * (len(arguments) - len(_noted.reads)))
    return tuple(
        Counted(argument, _noted, number)
        if isinstance(argument, FakeWithinKernelCUDAArray)
        else argument
        for number, argument in enumerate(arguments)
    )


class Shared(FakeCUDAShared):
    """Shared memory that holds NaN at first; of integers, the largest: anything but zeros."""

    def array(self, shape: int | tuple[int, ...], dtype: Any) -> np.ndarray:
        if shape == 0:  # the memory whose size is given at the launch
            return super().array(shape, dtype)
        code = sys._getframe(1)
        where = code.f_code, code.f_lineno  # one array for all threads that come by this line
        if _noted is not None:
            _noted.shared.append(tuple(np.atleast_1d(shape).tolist()))
        if where not in self._allocations:
            dtype = numpy_support.as_dtype(dtype) if isinstance(dtype, types.Type) else dtype
            self._allocations[where] = np.full(shape, _anything(np.dtype(dtype)), dtype)
        return self._allocations[where]


def _anything(dtype: np.dtype) -> Any:
    if dtype.kind in "iu":
        return np.iinfo(dtype).max
    return np.nan if dtype.kind in "fc" else True


class _Stopped(BaseException):
    """Ends a thread that waits when another has failed."""


def _indexed(error: BaseException) -> tuple[dict[str, Any], str | None]:
    """The variables of the kernel that failed, and the name of the array with the wrong index.

    The name is None where it cannot be found out: it is read in the line of code that failed.
    """
    if not isinstance(error, IndexError):
        return {}, None
    came_by = error.__traceback__
    steps = zip(traceback.walk_tb(came_by), traceback.extract_tb(came_by), strict=False)
    for (frame, _), place in reversed(list(steps)):
        if frame.f_globals.get("__name__", "").partition(".")[0] in ("numba", "numpy"):
            continue
        line = linecache.getline(place.filename, place.lineno or 0, frame.f_globals).encode()
        found = re.match(rb"(\w+)\s*\[", line[place.colno :]) if place.colno is not None else None
        name = found[1].decode() if found else None
        return frame.f_locals, name if hasattr(frame.f_locals.get(name), "shape") else None
    return {}, None


def _told(
    error: BaseException, thread: Dim3, block: Dim3, within: dict[str, Any], indexed: str | None
) -> str:
    what = f"{type(error).__name__}: {error}".removesuffix(": ")
    told = f"Thread {_words(thread)} of block {_words(block)}: {what}."
    if indexed:
        told += f" That is in {indexed}, of shape {tuple(within[indexed].shape)}."
    if isinstance(within.get(indexed), np.ndarray):  # arguments come wrapped, shared memory not
        told += " It is shared memory: it needs room for all that the threads of a block put there."
    elif isinstance(error, IndexError):
        told += (
            " The grid is often larger than the output. If this thread is beyond its edge, it has "
            "nothing to do: compare with the shape before you read or write."
        )
    return told


def _words(index: Dim3) -> str:
    return f"({index.x}, {index.y}, {index.z})"
