"""How many times as fast as plain loops is a student's function? Measured so that it can be graded.

The function is called in the student's kernel and timed from here: from the moment in which the
call has been sent to its reply. Each call has new inputs, and its results are checked. So a clock
that was patched, a remembered answer, or a result that is worked out later gain nothing. The plain
loops run here, in the grader's process, where a student's code cannot slow them down; and what
counts of them is processor time, which no busy neighbour makes longer.

A busy machine can only make the student's calls longer: so the fastest of several counts, and as
long as the kernel had to wait for a processor, a ratio that is too low is measured again. That
waiting is not taken off. It would change little, and be worth a cheat: a kernel that spins in the
queue while its helpers work.

What comes out, by benchmarks/bench_speed_question.py in the sandbox, on 2 cores, for one third of the
points (TIMES[0]) and for all:

TABLE
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
CALLS = 3  # of the student's function in a round
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
