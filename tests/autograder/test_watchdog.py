"""Limits on all of a submission's processes together, each breach called by its name."""

import time

import numpy as np
import pytest

from autograder import wire
from autograder.errors import OverLimit
from autograder.kernel import Kernel
from autograder.limits import GB, MB, Limits

TIGHT = Limits(cell_seconds=10, memory=1 * GB, tasks=60, disk=32 * MB, files=300)


@pytest.fixture
def kernel():
    with Kernel(TIGHT) as running:
        yield running


def stopped_by(kernel, code: str) -> str:
    """Why this cell was stopped, after checking that nothing of the sandbox goes on."""
    run = kernel.run_cell(code, 10)
    assert (run.status, run.ename) == ("died", "OverLimit"), run
    assert kernel.process.poll() is not None and not kernel.alive
    assert kernel.watchdog.breach == run.why
    return run.why


# each of these is bounded by itself, so that a failing defence fails a test and not the machine
CHILDREN_WITH_MEMORY = """
import os, time
for _ in range(8):
    if os.fork() == 0:
        block = b"x" * 300_000_000
        time.sleep(20)
        os._exit(0)
time.sleep(20)
"""
CHILDREN = """
import os, time
for _ in range(400):
    if os.fork() == 0:
        time.sleep(20)
        os._exit(0)
time.sleep(20)
"""
THREADS = """
import threading, time
threading.stack_size(65536)
for _ in range(200):
    threading.Thread(target=time.sleep, args=(20,), daemon=True).start()
time.sleep(20)
"""
FILES = """
import os
for n in range(20_000):
    open(f"/tmp/{n}", "w").close()
"""
# which is over the limit of memory first, as each child seems to have all of its parent's
BOMB = """
import os, time
end = time.time() + 10
while time.time() < end:
    try:
        os.fork()
    except OSError:
        time.sleep(0.01)
"""
INTO_THE_SOCKETS = """
import glob, os, time
[folder] = glob.glob("/tmp/cnnlab-*/ipc")
with open(os.path.join(folder, "mine"), "wb") as file:
    for _ in range(50):
        file.write(bytes(1_000_000))
time.sleep(20)
"""
# Linux shows no memory for a process whose main thread has ended, though the others go on
HEADLESS_CHILDREN = """
import ctypes, os, platform, threading, time
def eat():
    block = b"x" * 300_000_000
    time.sleep(20)
    os._exit(0)
for _ in range(5):
    if os.fork() == 0:
        threading.Thread(target=eat).start()
        ctypes.CDLL(None).syscall(60 if platform.machine() == "x86_64" else 93, 0)
time.sleep(20)
"""
INTO_THE_LOCKED_SOCKETS = INTO_THE_SOCKETS.replace(
    "with open", "os.chmod(folder, 0o300)\nwith open"
)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (CHILDREN_WITH_MEMORY, "it used more than 1 GB of memory"),
        (HEADLESS_CHILDREN, "it used more than 1 GB of memory"),
        (CHILDREN, "it made more than 60 processes and threads"),
        (THREADS, "it made more than 60 processes and threads"),
        (FILES, "it made more than 300 files"),
        (INTO_THE_SOCKETS, "it wrote into the folder of the kernel's sockets"),
        (INTO_THE_LOCKED_SOCKETS, "it wrote into the folder of the kernel's sockets"),
        (INTO_THE_SOCKETS.replace("time.sleep(20)", "os.mkdir(folder + '/d'); time.sleep(20)"),
         "it wrote into the folder of the kernel's sockets"),
    ],
    ids=["memory", "headless", "processes", "threads", "files", "sockets", "locked", "folder"],
)  # fmt: skip
def test_a_breach_ends_the_sandbox_and_is_named(kernel, code, words):
    start = time.monotonic()
    assert stopped_by(kernel, code) == words
    assert time.monotonic() - start < 15  # what it does would take 20


def test_a_fork_bomb_is_ended_at_once(kernel):
    start = time.monotonic()
    assert stopped_by(kernel, BOMB) in (
        "it used more than 1 GB of memory",
        "it made more than 60 processes and threads",
    )
    assert time.monotonic() - start < 15  # what it does would take 20


def test_a_breach_in_a_call_names_the_function(kernel):
    kernel.run_cell("def hungry():" + CHILDREN_WITH_MEMORY.replace("\n", "\n    "), 5)
    request = {"op": "call", "target": "hungry", "number": 0, "args": [], "kwargs": {}}
    with pytest.raises(
        OverLimit, match=r"^hungry was stopped: it used more than 1 GB of memory\.$"
    ):
        kernel.request(wire.dumps(request), 10, "hungry")
    kernel.restart()
    assert kernel.run_cell("1", 5).status == "ok"


def test_children_that_share_their_parents_memory_are_counted_once(kernel):
    code = """
import os, time
import numpy
block = numpy.ones(25_000_000)  # 200 MB
children = []
for _ in range(8):
    child = os.fork()
    if child == 0:
        time.sleep(0.5)
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
"""
    run = kernel.run_cell(code, 10)
    assert run.status == "ok", run


def test_the_disk_is_full_before_the_machines_is(kernel):
    code = """
import os
for folder in ("/tmp/work", "/tmp", "/dev/shm", os.path.expanduser("~")):
    try:
        with open(os.path.join(folder, "large"), "wb") as file:
            for _ in range(60): file.write(bytes(1_000_000))
        print("wrote", folder)
    except OSError as error:
        print(error.strerror)
    os.remove(os.path.join(folder, "large"))
"""
    run = kernel.run_cell(code, 10)
    assert run.status == "ok"
    said = run.outputs[0]["text"].splitlines()
    assert len(said) == 4 and set(said) <= {"No space left on device", "File too large"}


def test_memory_that_no_process_maps_cannot_be_had(kernel):
    """memfd, System V shared memory: what is written there belongs to no process's count"""
    code = """
import ctypes, os
try:
    os.memfd_create("mine")
except OSError as error:
    print(error.strerror)
libc = ctypes.CDLL(None, use_errno=True)
print(libc.shmget(0, 1 << 20, 0o1600), os.strerror(ctypes.get_errno()))
"""
    run = kernel.run_cell(code, 5)
    assert run.outputs[0]["text"].splitlines() == [
        "Operation not permitted",
        "-1 Operation not permitted",
    ]


def test_a_question_may_have_its_own_limit(kernel):
    forks = CHILDREN.replace("400", "80").replace("sleep(20)", "sleep(1)")
    kernel.hold_to(TIGHT.but({"tasks": 200}))
    assert kernel.run_cell(forks, 10).status == "ok"
    kernel.hold_to(TIGHT)
    assert "more than 60 processes" in stopped_by(kernel, forks)


def test_an_honest_notebook_is_far_from_every_limit():
    """plots, threads, a pool of processes and some hundred MB are ordinary"""
    code = """
import multiprocessing, threading
import matplotlib.pyplot as plt
import numpy as np
block = np.ones((50, 1_000_000))
plt.plot(block[:, 0]); plt.savefig("plot.png"); plt.close()
with multiprocessing.get_context("fork").Pool(4) as pool:
    print(pool.map(abs, range(-3, 0)))
threads = [threading.Thread(target=np.sum, args=(block,)) for _ in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
"""
    with Kernel(Limits()) as kernel:
        run = kernel.run_cell(code, 20)
    assert run.status == "ok", run
    assert run.outputs[0]["text"] == "[3, 2, 1]\n"


def test_time_in_which_the_machine_ran_others_is_not_the_students(kernel):
    """twice the processes that there are cores, and a call that needs most of its limit"""
    busy = """
import os, time
def work(seconds):
    "Computes for so long, by the clock of its own processor time."
    end = time.process_time() + seconds
    while time.process_time() < end: pass
    return 1
"""
    kernel.run_cell(busy, 5)
    rivals = """
import os, time
for _ in range(2 * os.cpu_count()):
    if os.fork() == 0:
        end = time.time() + 12
        while time.time() < end: pass
        os._exit(0)
"""
    with Kernel(TIGHT) as other:
        before = kernel.waited
        other.run_cell(rivals, 5)
        request = {"op": "call", "target": "work", "number": 0, "args": [1.0], "kwargs": {}}
        answer = wire.loads(kernel.request(wire.dumps(request), 1.2, "work"), lambda r: r)
    assert answer == {"value": 1}
    assert kernel.waited >= before


def test_a_sleeper_gets_no_more_time(kernel):
    kernel.run_cell("import time\ndef sleep(): time.sleep(30)", 5)
    start = time.monotonic()
    with pytest.raises(Exception, match=r"longer than its limit of 0\.5 s"):
        kernel.request(
            wire.dumps({"op": "call", "target": "sleep", "number": 0, "args": [], "kwargs": {}}),
            0.5,
            "sleep",
        )
    assert time.monotonic() - start < 15


def test_what_all_cells_leave_in_the_notebook_is_bounded():
    with Kernel(Limits(output=100_000, outputs=250_000)) as kernel:
        runs = [kernel.run_cell("print('x' * 200_000)", 5) for _ in range(5)]
    kept = [sum(len(out.get("text", "")) for out in run.outputs) for run in runs]
    assert kept[0] >= 100_000 and sum(kept) < 260_000
    assert np.all(np.array(kept[3:]) < 100)
