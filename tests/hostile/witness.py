"""Watches a run of the grader from beside it: what was reached, changed, left behind, used up."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import select
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
EVERY = 0.3  # seconds between two looks at the processes


class Listener:
    """A TCP port, a UDP port and two Unix sockets, abstract and a file, that nobody is to reach."""

    def __init__(self, abstract: str, path: Path):
        self.abstract = abstract
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.unix = socket.socket(socket.AF_UNIX)
        self.unix.bind("\0" + abstract)
        self.unix.listen()
        self.file = socket.socket(socket.AF_UNIX)
        with contextlib.chdir(path.parent):  # such a socket's path has 107 bytes at most
            self.file.bind(path.name)
        self.file.listen()
        self.reached: list[str] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def port(self, name: str) -> int:
        return getattr(self, name).getsockname()[1]

    def _listen(self) -> None:
        sockets = {self.tcp: "tcp", self.udp: "udp", self.unix: "abstract", self.file: "file"}
        while not self._done.is_set():
            for ready in select.select(list(sockets), [], [], 0.2)[0]:
                if ready is self.udp:
                    self.reached.append(f"udp: {ready.recv(1000)!r}")
                    continue
                connection, _ = ready.accept()
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(1)
                    self.reached.append(f"{sockets[ready]}: {connection.recv(1000)!r}")

    def close(self) -> None:
        self._done.set()
        self._thread.join()
        for open_socket in (self.tcp, self.udp, self.unix, self.file):
            open_socket.close()


def digest(root: Path, without: tuple[str, ...] = ()) -> dict[str, str]:
    """Every file, folder and link below ``root`` -> what it is, and a hash of what it holds."""
    found = {}
    for parent, folders, names in os.walk(root):
        folders[:] = [f for f in folders if f not in without]
        for name in [*folders, *names]:
            path = os.path.join(parent, name)
            with contextlib.suppress(FileNotFoundError):
                found[os.path.relpath(path, root)] = _digest_one(path)
    return found


def _digest_one(path: str) -> str:
    status = os.lstat(path)
    kind = f"{stat.filemode(status.st_mode)}"
    if stat.S_ISLNK(status.st_mode):
        return f"{kind} {os.readlink(path)}"
    if not stat.S_ISREG(status.st_mode):
        return kind
    if status.st_size > 8 << 20:
        return f"{kind} {status.st_size} {status.st_mtime_ns}"
    return f"{kind} {hashlib.sha256(Path(path).read_bytes()).hexdigest()}"


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for it; an AssertionError if it does not come true in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds:g} s in vain"
        time.sleep(0.05)


# -- processes ------------------------------------------------------------------------------------


@dataclass
class Process:
    pid: int
    parent: int
    name: str
    state: str  # as in /proc/PID/stat: R runs, S sleeps, Z has ended and was not waited for yet
    memory: int  # bytes that it holds


def processes() -> dict[int, Process]:
    found = {}
    page = os.sysconf("SC_PAGE_SIZE")
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):
            text = Path("/proc", entry, "stat").read_text()
            name = text[text.index("(") + 1 : text.rindex(")")]
            fields = text[text.rindex(")") + 2 :].split()
            found[int(entry)] = Process(
                int(entry), int(fields[1]), name, fields[0], int(fields[21]) * page
            )
    return found


def alive(pids: Iterable[int]) -> list[int]:
    """Which of them have not ended."""
    table = processes()
    return [pid for pid in pids if pid in table and table[pid].state != "Z"]


def below(pid: int, table: dict[int, Process]) -> set[int]:
    """The process's descendants."""
    children: dict[int, list[int]] = {}
    for process in table.values():
        children.setdefault(process.parent, []).append(process.pid)
    found, todo = set(), [pid]
    while todo:
        for child in children.get(todo.pop(), []):
            if child not in found:
                found.add(child)
                todo.append(child)
    return found


def workers(pid: int) -> list[int]:
    """Of those, the grader's own workers."""
    found = []
    for child in below(pid, processes()):
        with contextlib.suppress(OSError):
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
    return found


@dataclass
class Ran:
    """How a command ended, and what it used."""

    returncode: int
    stdout: str
    stderr: str
    seconds: float
    grader_memory: int = 0  # of the largest of the grader's own processes
    sandbox_memory: int = 0  # of all that ran in the largest sandbox together
    sandbox_tasks: int = 0
    survivors: list[str] = field(default_factory=list)


def run_watched(command: list, cwd: Path, environment: dict[str, str], seconds: float) -> Ran:
    """Run the command to its end, and watch all that it starts."""
    with adopting_orphans():
        return _watch(command, cwd, environment, seconds)


@contextlib.contextmanager
def adopting_orphans() -> Iterator[None]:
    """What loses its parent becomes a child of this process, so that nothing can slip away. Only
    for as long as somebody looks after them: an orphan that has ended stays until it is waited for.
    """
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def _watch(command: list, cwd: Path, environment: dict[str, str], seconds: float) -> Ran:
    before = below(os.getpid(), processes())
    start = time.monotonic()
    out, err = cwd / "stdout.txt", cwd / "stderr.txt"
    ran = Ran(0, "", "", 0)
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
        while process.poll() is None:
            _measure(process.pid, ran)
            if time.monotonic() - start > seconds:
                process.kill()
                err.open("a").write(f"\nended by the test after {seconds:g} s")
            time.sleep(EVERY)
    ran.returncode, ran.seconds = process.returncode, time.monotonic() - start
    ran.survivors = _survivors(before)
    ran.stdout, ran.stderr = out.read_text("utf-8", "replace"), err.read_text("utf-8", "replace")
    return ran


def _measure(pid: int, ran: Ran) -> None:
    table = processes()
    inside: set[int] = set()
    tree = below(pid, table) | {pid}
    for one in tree:
        if one in table and table[one].name == "bwrap" and table[one].parent not in inside:
            sandbox = below(one, table) | {one}
            inside |= sandbox
            used = _used([table[p].memory for p in sorted(sandbox)])
            ran.sandbox_memory = max(ran.sandbox_memory, used)
            ran.sandbox_tasks = max(ran.sandbox_tasks, sum(map(_threads, sandbox)))
    own = [table[p].memory for p in tree - inside if p in table]
    ran.grader_memory = max([ran.grader_memory, *own])


def _used(memories: list[int]) -> int:
    """Bytes of one sandbox's processes, the oldest first: what forked children share with the
    kernel, which is the third after bubblewrap's two, counted once."""
    kernel = memories[2] if len(memories) > 2 else 0
    return sum(memories[:3]) + sum(max(0, memory - kernel) for memory in memories[3:])


def _threads(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return 0


def _survivors(before: set[int], patience: float = 10) -> list[str]:
    """What is still there of all that was started; each is ended."""
    deadline = time.monotonic() + patience
    while True:
        table = processes()
        left = below(os.getpid(), table) - before
        for pid in left:
            with contextlib.suppress(OSError):
                os.waitpid(pid, os.WNOHANG)  # an orphan that has ended waits for its parent: us
        left = {p for p in left if p in table and os.path.exists(f"/proc/{p}")}
        if not left or time.monotonic() > deadline:
            break
        time.sleep(0.3)
    for pid in left:
        with contextlib.suppress(OSError):
            os.kill(pid, 9)
            os.waitpid(pid, 0)
    return [f"{table[p].name} ({p})" for p in sorted(left)]
