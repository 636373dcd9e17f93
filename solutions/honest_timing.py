"""How long work on a device takes, and not how long it takes to ask for it."""

import time

import numpy as np


def honest_time(work, synchronize, repeats=10, warmup=3, clock=time.perf_counter):
    """Time work on a device that runs beside the processor.

    A GPU is asked for work and the call returns at once: the work waits in a queue. A clock around
    the call measures the asking. And the first calls take longer: memory is fetched, kernels are
    compiled, clock rates rise. Now and then another program gets in between.

    Args:
        work: a function without arguments; a call queues the work, which may still be going on when
            the call returns
        synchronize: a function without arguments; it returns when all queued work is done
        repeats: int >= 1, how many calls of work are timed, each by itself
        warmup: int >= 0, how many calls come before, and are not timed
        clock: a function without arguments that returns the time in seconds

    Returns:
        seconds: float, the median of the times of the `repeats` calls. (Of an even number, the mean
            of the two in the middle.)

    work is called warmup + repeats times. A time starts when nothing is queued any more, and ends
    when the work is done.
    """
    ### BEGIN SOLUTION
    for _ in range(warmup):
        work()
    seconds = []
    for _ in range(repeats):
        synchronize()
        start = clock()
        work()
        synchronize()
        seconds.append(clock() - start)
    return float(np.median(seconds))
    ### END SOLUTION
