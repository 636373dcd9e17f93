"""Bands: every row once, whatever the sizes; copies with padding are NumPy's."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from solutions.bands import add_padded, copy_padded, cut, share

small = st.integers(1, 12)


@given(small, small, small)
def test_every_row_of_every_image_is_in_one_band(N, rows, rows_in_a_band):
    seen = np.zeros((N, rows), int)
    for images, first, last in cut(N, rows, rows_in_a_band):
        seen[images, first:last] += 1
        assert (images.stop - images.start) * (last - first) <= max(rows_in_a_band, 1)
    assert (seen == 1).all()


@given(small, st.integers(1, 4))
def test_all_bands_are_worked_on_in_order(N, threads):
    bands = cut(N, 1, 1)
    parts = share(list, bands, threads)
    assert [band for part in parts for band in part] == bands
    assert len(parts) == min(threads, N)


def test_threads_are_at_work_at_the_same_time():
    both = threading.Barrier(2, timeout=30)
    share(lambda bands: both.wait(), cut(2, 1, 1), 2)


FORKED = """
import os, threading, time
from solutions.bands import cut, share
both = threading.Barrier(2, timeout=10)
share(lambda bands: both.wait(), cut(2, 1, 1), 2)
time.sleep(0.2)  # until both wait for more work
if os.fork() == 0:
    share(list, cut(2, 1, 1), 2)
    os._exit(7)
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_has_threads_of_its_own():
    command = [sys.executable, "-c", FORKED]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout == "7\n"


@given(small, small, st.integers(0, 3), st.data())
def test_copies_are_parts_of_the_padded_image(H, W, pad, data):
    first = data.draw(st.integers(0, H + 2 * pad - 1))
    rows = data.draw(st.integers(1, H + 2 * pad - first))
    x = np.random.default_rng(0).standard_normal((2, 3, H, W))
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    target = np.full((2, 3, rows, W + 2 * pad), np.nan)
    copy_padded(target, x, first - pad, pad)
    assert_array_equal(target, padded[:, :, first : first + rows])

    dx, whole = np.zeros_like(x), np.zeros_like(padded)
    add_padded(dx, target, first - pad, pad, threading.Lock())
    whole[:, :, first : first + rows] += target
    assert_array_equal(dx, whole[:, :, pad : pad + H, pad : pad + W])
