"""Cores that may be used, and all who share work among them."""

import os
import subprocess
import sys

import pytest

from cnnlab import forked
from cnnlab.cores import usable_cores
from cnnlab.parallel import DataParallel


class Net:
    params: dict = {}  # noqa: RUF012


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux pins a process")
def test_a_process_that_is_pinned_to_one_core_has_one_worker():
    code = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from cnnlab import forked
from cnnlab.parallel import DataParallel
class Net:
    params = {}
print(forked.CORES, DataParallel(Net()).workers)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["1", "1"]


def test_without_affinity_all_cores_of_the_machine_count(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert usable_cores() == 7 == DataParallel(Net()).workers
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores() == 1


def test_both_ways_of_sharing_work_count_alike():
    assert forked.CORES == DataParallel(Net()).workers == usable_cores()
