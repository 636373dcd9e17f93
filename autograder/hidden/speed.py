"""How many times as fast as plain loops is a student's function? Measured so that it can be graded.

The function is called in the student's kernel and timed from here: from the moment in which the
call has been sent to its reply. Each call has new inputs, and its results are checked. So a clock
that was patched, a remembered answer, or a result that is worked out later gain nothing. The plain
loops run here, in the grader's process, where a student's code cannot slow them down; and what
counts of them is processor time, which no busy neighbour makes longer.

A busy machine can only make the student's calls longer: so the fastest of many counts, as many as
fit into the time of the plain loops, and as long as the kernel had to wait for a processor, a ratio
that is too low is measured again. That waiting is not taken off. It would change little, and be
worth a cheat: a kernel that spins in the queue while its helpers work.

What comes out, by benchmarks/bench_speed_question.py in the sandbox on 2 cores, with a load of 2
to 3, and who wins the first points and all points (still with three calls in a round):

                                        lowest  middle  highest   first   all
    the reference                         85.5     101      108   3 of 3  3 of 3
    im2col of the whole batch             92.8    95.9      109   3 of 3  3 of 3
    arrays of indices, np.add.at          46.2    47.8     49.8   3 of 3  3 of 3
    sliding_window_view, einsum           73.8    84.5     96.8   3 of 3  3 of 3
    a loop over the filter's places       82.9      97      101   3 of 3  3 of 3
    windows in im2col only                  11    11.1     11.4   0 of 3  0 of 3
    places in the pooling forward only    12.1    12.2     12.5   0 of 3  0 of 3
    naive pooling forward only             8.5    8.53     8.62   0 of 3  0 of 3
    pixel loop in the pooling only         4.1    4.15      4.2   0 of 3  0 of 3
    pixel loop in the convolution only    3.62    3.71     3.76   0 of 3  0 of 3
    pixel loops everywhere                1.96    1.98     2.03   0 of 3  0 of 3
    the naive layers                     0.917    0.97    0.987   0 of 3  0 of 3

Where other processes wanted those 2 cores all the time, a load of 10 to 12, and where cheats keep
them busy:

                                        lowest  middle  highest   first   all
    the reference                         73.7    75.1     86.9   3 of 3  3 of 3
    im2col of the whole batch             23.8    44.8     76.6   3 of 3  3 of 3
    arrays of indices, np.add.at          11.3    32.4     50.5   3 of 3  3 of 3
    sliding_window_view, einsum           67.7      78     83.5   3 of 3  3 of 3
    a loop over the filter's places       16.9    77.7     87.3   3 of 3  3 of 3
    pixel loops, processors kept busy    0.192   0.197    0.202   0 of 2  0 of 2
    pixel loops, helpers in each call    0.415   0.449    0.484   0 of 2  0 of 2

(The lowest are single measurements; the tests go on where the kernel had to wait.)

All points lie 2.3 times below the slowest honest code of a quiet machine, and four times below the
usual im2col; the first points 1.3 times above the fastest step with a loop that is left in one
function. Inside a notebook, without the way to the grader and back (some 3 ms of the 4 that a good
step takes here), such a loop can come to 20 times the naive layers, and good code to hundreds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from autograder.errors import WrongAnswer
from autograder.kernel import Took

TIMES = (16, 18, 20)  # as fast as the loops: a third of the points for each
AT_LEAST, AT_MOST = 3, 12  # rounds before a ratio is final, and on a machine that is busy
CALLS = 20  # of the student's function in a round, if they take no longer than the plain loops
BUSY = 0.1  # of the time of a call, in which the kernel waited for a processor
KEPT_SECONDS = 20.0  # how long a measured yardstick holds for the next test, too


@dataclass
class Yardstick:
    """The time that plain loops take on this machine, right now."""

    run: Callable[[], object]
    seconds: float = float("inf")
    measured: float = float("-inf")  # when, on the monotonic clock

    def measure(self) -> None:
        """Once more; the shortest of the last seconds counts, for a machine's speed changes."""
        if time.monotonic() - self.measured > KEPT_SECONDS:
            self.seconds = float("inf")
        start = time.thread_time()
        self.run()
        self.seconds = min(self.seconds, time.thread_time() - start)
        self.measured = time.monotonic()

    def now(self) -> float:
        if time.monotonic() - self.measured > KEPT_SECONDS:
            self.measure()
        return self.seconds


def assert_faster(call: Callable[[], Took], yardstick: Yardstick, times: float, name: str) -> None:
    """Raise WrongAnswer unless the student's function is so many times as fast as the yardstick.

    ``call()`` makes one call with new inputs, checks what came, and says how long it took.
    """
    fastest, longest_wait = float("inf"), 0.0
    for round_number in range(1, AT_MOST + 1):
        begin = time.monotonic()
        for _ in range(CALLS):
            took = call()
            fastest = min(fastest, took.seconds)
            longest_wait = max(longest_wait, took.waiting)
            if yardstick.now() >= times * fastest:
                return
            if time.monotonic() - begin > yardstick.seconds:
                break
        if round_number >= AT_LEAST and longest_wait < BUSY:
            break
        yardstick.measure()
    ratio = yardstick.seconds / fastest
    hint = "No loop over pixels is left, it seems. But what is copied, and how often?"
    if ratio < times / 2:
        hint = "Does a loop still run over pixels, in the convolution or the pooling, or backward?"
    raise WrongAnswer(
        f"{name} took {_milliseconds(fastest)}, the plain loops "
        f"{_milliseconds(yardstick.seconds)}: {ratio:.2g} times as fast. This test wants "
        f"{times:g} times. {hint}"
    )


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms"


def arrays(values: tuple, names: tuple[str, ...]) -> None:
    """Raise WrongAnswer unless all values are arrays: nothing that is still to be worked out."""
    for value, name in zip(values, names, strict=True):
        if not isinstance(value, np.ndarray):
            raise WrongAnswer(f"{name} has to be a NumPy array here.")
