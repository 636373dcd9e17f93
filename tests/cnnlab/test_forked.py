"""Batches in several processes, or threads where there is no fork."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest

from cnnlab import forked

STARTS = range(0, 40, 4)


@pytest.fixture(params=["forked", "threads"])
def way(request, monkeypatch):
    if request.param == "threads":
        monkeypatch.setattr(forked, "CAN_FORK", False)
    elif not forked.CAN_FORK:
        pytest.skip("no fork here")
    monkeypatch.setattr(forked, "CORES", 2)
    return request.param


def test_every_batch_is_done_once_and_said(way):
    result = forked.empty_shared((40, 3))

    def fill(start):
        result[start : start + 4] += np.arange(start, start + 4)[:, None]

    assert len(list(forked.run_all(fill, STARTS))) == len(STARTS)
    np.testing.assert_array_equal(result, np.repeat(np.arange(40), 3).reshape(40, 3))


def test_several_take_part_at_the_same_time(way):
    seen = forked.empty_shared((len(STARTS), 1))
    meetings = {"forked": forked.multiprocessing, "threads": threading}
    together = meetings[way].Barrier(2, timeout=30)  # one alone would wait in vain

    def fill(start):
        together.wait()
        # two of them, each with its own
        seen[start // 4] = (os.getpid() if way == "forked" else threading.get_ident()) % 1_000_003

    list(forked.run_all(fill, STARTS))
    assert len(np.unique(seen)) == 2


def test_what_a_batch_raises_arrives(way):
    def fill(start):
        if start == 8:
            raise ValueError(f"no row {start}")

    with pytest.raises(ValueError, match="no row 8"):
        list(forked.run_all(fill, STARTS))


def test_no_rows_at_all(way):
    assert forked.empty_shared((0, 5)).shape == (0, 5)


@pytest.mark.skipif(not forked.CAN_FORK, reason="no fork here")
def test_a_process_that_was_killed_is_said_and_nothing_hangs():
    def fill(start):
        if start == 8:
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(BrokenProcessPool):
        list(forked.run_all(fill, STARTS))


@pytest.mark.skipif(not forked.CAN_FORK, reason="no fork here")
def test_the_stop_button_ends_all_of_it_with_one_message(tmp_path):
    program = tmp_path / "long.py"
    program.write_text(
        textwrap.dedent("""
            import os, signal, time
            signal.signal(signal.SIGINT, signal.default_int_handler)
            from cnnlab.forked import run_all

            def fill(start):
                os.write(1, b"begun\\n")  # in one piece: two write
                time.sleep(0.5)

            for _ in run_all(fill, range(1000)):
                pass
        """)
    )
    process = subprocess.Popen(
        [sys.executable, str(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline() == "begun\n"
    stopped = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C and Jupyter do
    _, errors = process.communicate(timeout=60)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert errors.count("Traceback") == 1
    assert time.monotonic() - stopped < 30
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
