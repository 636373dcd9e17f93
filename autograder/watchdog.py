"""Looks at what a sandbox uses while it runs, and ends it when that is more than a limit.

The limits that Linux sets for a process hold for each process alone, and some do not bind root, as
whom a class is often graded in a container. So the sum over all of a submission's processes is
watched from outside: memory, processes and threads, what is written to the sandbox's disk.

What is looked at is the sandbox's own /proc, held open since before the student's code ran. So the
cost is that of the submission's processes, however many others this machine runs.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

from .errors import GraderError
from .limits import Limits, size

PAGE = resource.getpagesize()
INTERVAL = 0.05  # seconds between two looks
LOOK_SECONDS = 0.5  # for a look at shared memory
IN_SOCKETS_FOLDER = 16  # entries: five sockets and the connection file


class Watchdog(threading.Thread):
    """Watches the sandbox with the process ``inside`` until ``close``.

    ``end()`` is called at the first breach, which is kept, in words, in ``breach``. ``limits`` may
    be replaced at any time: a question may have its own.
    """

    def __init__(
        self,
        inside: int,
        writable: tuple[Path, ...],
        sockets: Path,
        limits: Limits,
        end: Callable[[], None],
    ):
        super().__init__(daemon=True, name="watchdog")
        self.inside, self.limits, self.end = inside, limits, end
        self.breach: str | None = None
        self.closing = threading.Event()
        self.open = contextlib.ExitStack()
        root = Path(f"/proc/{inside}/root")
        try:
            with contextlib.ExitStack() as undo:
                self.proc = self._hold(undo, root / "proc")
                self.disks = [
                    self._hold(undo, root / folder.relative_to("/")) for folder in writable
                ]
                # held too: its owner inside may forbid to open it, but not to go on reading
                self.sockets = self._hold(undo, sockets)
                self.open = undo.pop_all()
        except OSError as error:
            raise GraderError(
                f"The grader cannot see into the sandbox that it made ({error}), so it could not "
                "hold a submission to its limits. Is /proc mounted here as usual (hidepid=0)?"
            ) from None
        self.own_memory_at_start = own_memory()
        self.files_at_start = sum(self._files(disk) for disk in self.disks)
        self.kernel = min((pid for pid in self._pids() if pid > 1), default=1)
        self.tasks_at_start = self._sum(self._pids(), self._threads)

    @staticmethod
    def _hold(undo: contextlib.ExitStack, folder: Path) -> int:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        undo.callback(os.close, handle)
        return handle

    def run(self) -> None:
        # hundreds of busy processes must not keep this thread from its turn; root may ask for more
        # than they can have, and for others Linux itself bounds their number (see the bridge)
        with contextlib.suppress(OSError, AttributeError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        while not self.closing.wait(INTERVAL):
            breach = self._look()
            if breach:
                self.breach = breach
                self._end()
                return

    def _end(self) -> None:
        # all processes inside end with their first one; which has to get its turn for that, too
        with contextlib.suppress(OSError, AttributeError):
            os.sched_setscheduler(self.inside, os.SCHED_RR, os.sched_param(1))
        with contextlib.suppress(OSError):
            os.kill(self.inside, signal.SIGKILL)
        self.end()

    def close(self) -> None:
        """Stop watching. What was found stays in ``breach``."""
        self.closing.set()
        if self.is_alive():
            self.join()
        self.open.close()

    def waited(self) -> float:
        """Seconds that the kernel was ready to run, and the machine ran others instead."""
        try:
            return int(self._read(f"{self.kernel}/schedstat").split()[1]) / 1e9
        except (OSError, IndexError, ValueError):
            return 0.0

    def has_company(self) -> bool:
        """Whether threads or processes run beside the kernel's own: a cell has left them."""
        with contextlib.suppress(OSError):
            return self._sum(self._pids(), self._threads) > self.tasks_at_start
        return False

    # -- one look -------------------------------------------------------------------------------

    def _look(self) -> str | None:
        limits = self.limits
        try:
            pids = self._pids()
        except OSError:  # the sandbox is gone
            return None
        if len(pids) > limits.tasks:
            return f"it made more than {limits.tasks} processes and threads"
        if self._sum(pids, self._threads) > limits.tasks:
            return f"it made more than {limits.tasks} processes and threads"
        memory = self._sum(pids, self._resident)
        written = sum(self._bytes(disk) for disk in self.disks)
        if memory + written > limits.memory and self._is_used(pids, limits.memory - written):
            return f"it used more than {size(limits.memory)} of memory"
        if sum(self._files(disk) for disk in self.disks) - self.files_at_start > limits.files:
            return f"it made more than {limits.files} files"
        return piled_up(self.own_memory_at_start, limits) or self._look_at_sockets()

    def _look_at_sockets(self) -> str | None:
        """The one folder of the machine's that a submission can write to: only sockets belong."""
        try:
            with os.scandir(self.sockets) as entries:
                is_touched = any(map(_is_strange, entries, range(IN_SOCKETS_FOLDER + 1)))
        except OSError:  # it was made unreadable
            is_touched = True
        return "it wrote into the folder of the kernel's sockets" if is_touched else None

    def _pids(self) -> list[int]:
        return [int(name) for name in os.listdir(self.proc) if name.isdecimal()]

    def _read(self, path: str) -> str:
        handle = os.open(path, os.O_RDONLY, dir_fd=self.proc)
        try:
            return os.read(handle, 4096).decode("ascii", "replace")
        finally:
            os.close(handle)

    @staticmethod
    def _sum(pids: list[int], measure: Callable[[int], int]) -> int:
        total = 0
        for pid in pids:
            with contextlib.suppress(OSError, IndexError, ValueError):  # it ended meanwhile
                total += measure(pid)
        return total

    def _threads(self, pid: int) -> int:
        # the second field is the program's name, which may hold anything, ")" too
        return int(self._read(f"{pid}/stat").rpartition(")")[2].split()[17])

    def _resident(self, pid: int) -> int:
        pages = int(self._read(f"{pid}/statm").split()[1])
        if pages == 0 and (thread := self._living_thread(pid)):
            pages = int(self._read(f"{thread}/statm").split()[1])
        return pages * PAGE

    def _living_thread(self, pid: int) -> int | None:
        """Of a process whose main thread has ended, and which therefore shows no memory."""
        handle = os.open(f"{pid}/task", os.O_RDONLY | os.O_DIRECTORY, dir_fd=self.proc)
        try:
            return next((int(name) for name in os.listdir(handle) if int(name) != pid), None)
        finally:
            os.close(handle)

    def _is_used(self, pids: list[int], most: float) -> bool:
        """Whether it is too much even with what processes share counted once.

        Forked children share nearly all. But to find that out takes Linux a millisecond for each,
        and a minute for those of a fork bomb, which meanwhile goes on: so there is an end to it.
        """
        total, until = 0, time.monotonic() + LOOK_SECONDS
        for pid in pids:
            with contextlib.suppress(OSError, IndexError, ValueError):
                whole = self._read(f"{pid}/smaps_rollup")
                if not whole and (thread := self._living_thread(pid)):
                    whole = self._read(f"{thread}/smaps_rollup")
                lines = whole.splitlines()
                shares = (line.split() for line in lines if line.startswith(("Pss:", "SwapPss:")))
                total += sum(int(words[1]) * 1024 for words in shares)
            if total > most or time.monotonic() > until:
                return True
        return False

    @staticmethod
    def _bytes(disk: int) -> int:
        about = os.fstatvfs(disk)
        return (about.f_blocks - about.f_bfree) * about.f_frsize

    @staticmethod
    def _files(disk: int) -> int:
        about = os.fstatvfs(disk)
        return about.f_files - about.f_ffree


def _is_strange(entry: os.DirEntry, number: int) -> bool:
    """Whether this is no socket of the kernel's, nor its connection file."""
    try:
        kind = entry.stat(follow_symlinks=False)
    except FileNotFoundError:  # it went away meanwhile: the next one counts
        return False
    # a link there would make the grader knock at a door of the student's choice
    usual = stat.S_ISSOCK(kind.st_mode) or stat.S_ISREG(kind.st_mode)
    return number >= IN_SOCKETS_FOLDER or not usual or kind.st_size > 1 << 16


def piled_up(memory_before: int, limits: Limits) -> str | None:
    """Whether the kernel has sent more than the grader should hold; ``memory_before``: its own.

    ØMQ holds what was sent and not yet read; only ending the sender stops it.
    """
    if own_memory() - memory_before > limits.backlog:
        return f"it sent more than {size(limits.backlog)} of messages"
    return None


def own_memory() -> int:
    """Bytes of memory that the grader's own process holds; 0 where there is no /proc."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
    except OSError:
        return 0
