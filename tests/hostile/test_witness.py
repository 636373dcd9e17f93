"""The witness sees who outlives a command, and leaves the other tests as they were."""

from __future__ import annotations

import os
import subprocess
import sys

from .witness import alive, processes, run_watched, until

# a process whose parent ends at once, and which says its own number
ORPHAN = "sh -c 'sleep {seconds} >/dev/null 2>&1 & echo $!'"


def test_whoever_outlives_a_watched_command_is_told_and_ended(tmp_path):
    ran = run_watched(["sh", "-c", ORPHAN.format(seconds=1000)], tmp_path, dict(os.environ), 60)
    assert ran.returncode == 0
    assert ran.survivors == [f"sleep ({ran.stdout.strip()})"]
    assert int(ran.stdout) not in processes()  # not even as a zombie


def test_a_later_orphan_is_none_of_this_processs_business(tmp_path):
    run_watched([sys.executable, "-c", ""], tmp_path, dict(os.environ), 60)
    started = subprocess.run(
        ORPHAN.format(seconds=2), shell=True, capture_output=True, text=True, check=True
    )
    orphan = int(started.stdout)
    assert alive([orphan]) == [orphan]
    assert processes()[orphan].parent != os.getpid()
    until(lambda: not alive([orphan]), 30)


def test_a_process_that_has_ended_is_not_alive_before_it_was_waited_for():
    child = subprocess.Popen(["true"])
    until(lambda: not alive([child.pid]), 30)
    assert processes()[child.pid].state == "Z"
    child.wait()
