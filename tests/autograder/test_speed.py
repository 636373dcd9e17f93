"""How speed is measured: from outside, against loops of our own, and without being fooled."""

import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import pytest

from autograder.errors import WrongAnswer
from autograder.hidden.speed import (
    AT_LEAST,
    AT_MOST,
    CALLS,
    TIMES,
    Yardstick,
    arrays,
    assert_faster,
)
from autograder.kernel import Kernel, Took
from autograder.limits import Limits
from autograder.student import Session, Student
from cnnlab.checks import fast_layers as check
from solutions.fast_step import conv_pool_step

NOTEBOOK = Path(__file__).parents[2] / "assignments/3_fast_layers/fast_layers.md"

CODE = """
import os, time
import numpy as np
def spin(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until: pass
    return np.zeros(3)
def spin_with_helpers(seconds):
    pids = []
    for _ in range(6 * os.cpu_count()):
        pids.append(os.fork())
        if pids[-1] == 0:
            while True: pass
    spin(seconds)
    for pid in pids:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
def fast(x): return x + 1
time.perf_counter = time.monotonic = time.time = lambda: 0.0
"""


@pytest.fixture(scope="module")
def student():
    with Kernel(Limits(call_seconds=30, test_seconds=300)) as kernel:
        assert kernel.run_cell(CODE, 10).status == "ok"
        session = Session(kernel, lambda calm=False: kernel.restart())
        session.begin_test()
        yield Student(session)


def spinning(seconds):
    """A yardstick that takes so many seconds of processor time."""

    def spin():
        until = time.thread_time() + seconds
        while time.thread_time() < until:
            pass

    return Yardstick(spin)


def test_a_call_takes_as_long_as_it_takes_whatever_the_clocks_inside_say(student):
    value, took = student.timed("spin", 0.2)
    np.testing.assert_array_equal(value, np.zeros(3))
    assert 0.19 < took.seconds < 2
    assert student.timed("fast", np.ones(3))[1].seconds < 0.15


def test_waiting_for_a_processor_is_seen(student):
    def spin_alone():
        os.setsid()  # Linux shares processors out by session, so that all of these count
        spinning(3.0).run()

    count = 3 * os.cpu_count()
    neighbours = [
        multiprocessing.get_context("fork").Process(target=spin_alone) for _ in range(count)
    ]
    for neighbour in neighbours:
        neighbour.start()
    _, took = student.timed("spin", 0.3)
    for neighbour in neighbours:
        neighbour.kill()
        neighbour.join()
    assert took.waiting > 0.2


def test_helpers_win_nothing(student):
    start = time.perf_counter()
    _, took = student.timed("spin_with_helpers", 0.2)
    # their time counts: alone, it would be a small part of this; the grader may wait, too
    assert took.seconds > 0.6 * (time.perf_counter() - start) > 0.12


def calls_of(*took):
    """A call() for assert_faster: one Took after the other, the last one for ever."""
    left = list(took)

    def call():
        made.append(1)
        return left.pop(0) if len(left) > 1 else left[0]

    made = []
    return call, made


def test_the_first_call_that_is_fast_enough_ends_it():
    call, made = calls_of(Took(0.05), Took(0.001))
    assert_faster(call, spinning(0.02), times=10, name="f")
    assert len(made) == 2


def test_what_is_too_slow_is_told_with_its_numbers():
    call, _ = calls_of(Took(0.01))
    with pytest.raises(WrongAnswer, match=r"f took 10 ms, .* times as fast\. .* wants 10 times"):
        assert_faster(call, spinning(0.02), times=10, name="f")


def test_a_busy_machine_is_given_more_time():
    calm, few = calls_of(Took(0.01))
    busy, many = calls_of(Took(0.01, waiting=0.5))
    for call in (calm, busy):
        with pytest.raises(WrongAnswer):
            assert_faster(call, spinning(0.005), times=10, name="f")
    assert len(few) <= CALLS * AT_LEAST < len(many) <= CALLS * AT_MOST
    late, _ = calls_of(*[Took(0.01, waiting=0.5)] * (CALLS * AT_LEAST + 5), Took(0.0001))
    assert_faster(late, spinning(0.005), times=10, name="f")


def test_the_yardstick_counts_processor_time_and_its_fastest_run():
    pauses = iter([0.05, 0.0])
    yardstick = Yardstick(lambda: time.sleep(next(pauses)))
    assert yardstick.now() == yardstick.now() < 0.03
    yardstick.measure()
    assert yardstick.seconds < 0.03


def test_results_have_to_be_there():
    arrays((np.ones(2), np.zeros(1)), ("out", "dx"))
    with pytest.raises(WrongAnswer, match="dx has to be a NumPy array"):
        arrays((np.ones(2), [1.0]), ("out", "dx"))


def test_students_read_the_numbers_that_count():
    words = " ".join(conv_pool_step.__doc__.split())
    assert f"{TIMES[0]} times as fast gives the first points" in words
    assert f"{TIMES[-1]} times as fast gives all" in words
    assert f"It wants {check.TIMES} times as fast." in NOTEBOOK.read_text()


def test_who_passes_the_visible_check_has_all_points():
    """It measures in the kernel: the way to the grader and back comes on top, a fifth."""
    asked = 1.2 * TIMES[-1]
    assert asked <= check.TIMES
