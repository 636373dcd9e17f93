"""Rows of a large array, computed batch by batch by several processes.

Threads would do, if NumPy's functions were long: but each of them takes Python's lock when it ends,
and threads wait for each other there. Processes made by fork have all that this one has: arrays are
not copied, and functions that were written in a notebook need not be sent.
"""

from __future__ import annotations

import mmap
import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from cnnlab.cores import usable_cores
from cnnlab.progress import interrupts_kept

# Not on macOS, whose own libraries may not be used after a fork; and Windows has none.
CAN_FORK = sys.platform == "linux" and "fork" in multiprocessing.get_all_start_methods()
CORES = usable_cores()

_fill: Callable[[int], None] | None = None  # in a worker: what it does


def empty_shared(shape: tuple[int, ...]) -> np.ndarray:
    """A float32 array of zeros, which processes that are forked later fill in together."""
    size = int(np.prod(shape)) * np.dtype(np.float32).itemsize
    memory = mmap.mmap(-1, max(size, 1)) if CAN_FORK else bytearray(size)
    return np.frombuffer(memory, np.float32, count=int(np.prod(shape))).reshape(shape)


def run_all(fill: Callable[[int], None], starts: range) -> Iterator[None]:
    """Call ``fill(start)`` for all starts, several at the same time; yield whenever one is done.

    Args:
        fill: writes into arrays of ``empty_shared``. Whatever else it changes is lost. Once
            something was raised, here or in it, the calls that have begun are the last.
        starts: what to call it with.

    Raises:
        BrokenProcessPool: a process was killed, most likely since memory ran out.
        Whatever fill raises.
    """
    stopped = empty_shared((1,))

    def unless_stopped(start: int) -> None:
        if not stopped[0]:
            fill(start)

    # one batch for each core: so NumPy's matrix products need no threads of their own
    with threadpool_limits(1), _workers(unless_stopped) as workers:
        # several batches for each message to a process; few enough for a bar to move
        some = max(1, len(starts) // (25 * CORES))
        try:
            # between a fork and what makes a worker of it, KeyboardInterrupt would leave a wreck
            with interrupts_kept() as interrupt:
                done = workers.map(_do if CAN_FORK else unless_stopped, starts, chunksize=some)
            if interrupt:
                raise KeyboardInterrupt
            yield from done
        except BaseException:  # Ctrl-C too, at any moment
            stopped[0] = 1
            workers.shutdown(cancel_futures=True)
            raise


def _workers(fill: Callable[[int], None]):
    if not CAN_FORK:
        return ThreadPoolExecutor(CORES)
    # fork hands initargs on as they are; the tasks themselves are numbers
    context = multiprocessing.get_context("fork")
    return ProcessPoolExecutor(CORES, context, initializer=_begin, initargs=(fill,))


def _begin(fill: Callable[[int], None]) -> None:
    global _fill
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the stop button is for the first process
    _fill = fill


def _do(start: int) -> None:
    _fill(start)
