"""The filter of system calls: what it refuses, and that ordinary work does not notice it."""

import platform
import subprocess

import pytest

from autograder import seccomp
from autograder.kernel import Kernel
from autograder.limits import Limits

pytestmark = pytest.mark.skipif(seccomp.program() is None, reason="no filter for this machine")


def said(code: str) -> list[str]:
    with Kernel(Limits(cell_seconds=10)) as kernel:
        run = kernel.run_cell(code, 10)
    assert run.status == "ok", run
    return run.outputs[0]["text"].splitlines()


def test_each_forbidden_call_is_refused():
    column = seccomp.ARCHITECTURES[platform.machine()][1]
    numbers = {name: both[column] for name, both in seccomp.FORBIDDEN.items()}
    code = f"""
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
for name, number in {numbers!r}.items():
    if libc.syscall(number, -1, -1, -1, -1, -1) != -1 or ctypes.get_errno() != errno.EPERM:
        print("allowed:", name, ctypes.get_errno())
print("done")
"""
    assert said(code) == ["done"]


def test_the_numbers_are_those_of_this_system():
    """against the C library's own header, where there is one"""
    header = "#include <sys/syscall.h>\n" + "".join(
        f"#ifdef SYS_{name}\n{name} SYS_{name}\n#endif\n" for name in seccomp.FORBIDDEN
    )
    try:
        expanded = subprocess.run(
            ["cc", "-E", "-P", "-"], input=header, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no C compiler here")
    column = seccomp.ARCHITECTURES[platform.machine()][1]
    known = [line.split() for line in expanded.splitlines() if len(line.split()) == 2]
    theirs = {name: int(number) for name, number in known if number.isdecimal()}
    assert len(theirs) > 20
    assert theirs == {name: seccomp.FORBIDDEN[name][column] for name in theirs}


def test_only_ordinary_sockets_can_be_made():
    code = """
import errno, socket
for family in range(50):
    try:
        socket.socket(family, socket.SOCK_STREAM).close()
        print(family)
    except OSError as error:
        pass
    try:
        socket.socketpair(family, socket.SOCK_STREAM)
    except OSError as error:
        if family not in (1, 2, 10, 16) and error.errno != errno.EAFNOSUPPORT:
            print("a pair of", family)
"""
    assert set(said(code)) <= {"1", "2", "10"}


def test_no_new_namespace_by_clone():
    code = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
NEWUSER, SIGCHLD = 0x10000000, 17
number = 56 if os.uname().machine == "x86_64" else 220
print(libc.syscall(number, NEWUSER | SIGCHLD, 0, 0, 0, 0), ctypes.get_errno() == errno.EPERM)
"""
    assert said(code) == ["-1 True"]


def test_threads_and_processes_work_as_ever():
    code = """
import subprocess, threading
thread = threading.Thread(target=print, args=("thread",)); thread.start(); thread.join()
print(subprocess.run(["echo", "process"], capture_output=True, text=True).stdout.strip())
"""
    assert said(code) == ["thread", "process"]


def test_a_machine_without_a_table_has_no_filter():
    assert seccomp.program("riscv64") is None
    assert len(seccomp.program("aarch64")) % 8 == 0


def test_memory_that_no_process_has_is_refused():
    """Its pages would stay after it is unmapped; the usual ways to share memory work."""
    code = """
import mmap
for flags in (mmap.MAP_SHARED | mmap.MAP_ANONYMOUS, 3 | mmap.MAP_ANONYMOUS):
    try:
        mmap.mmap(-1, 4096, flags=flags)
    except OSError as error:
        print(type(error).__name__)
mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
try:
    mmap.mmap(open("/dev/zero", "r+b").fileno(), 4096)
except OSError as error:
    print("no map of zero:", isinstance(error, OSError))
with open("/tmp/file", "w+b") as file:
    file.truncate(4096)
    mmap.mmap(file.fileno(), 4096)[:4] = b"mine"
import multiprocessing
from multiprocessing import shared_memory
block = shared_memory.SharedMemory(create=True, size=100)
block.unlink()
value = multiprocessing.get_context("fork").Value("i", 7)
print(value.value)
"""
    assert said(code) == ["PermissionError", "PermissionError", "no map of zero: True", "7"]
