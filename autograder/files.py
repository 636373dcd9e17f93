"""Files that outlive a crash: written whole or not at all, held while their owner lives.

What is held is held by an flock, which the kernel lets go of when the process ends, however it
ends. Nothing has to be read from a pid, which another process may have by now.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from .errors import CourseInUse

# what only the person at the keyboard can mend, and what meets every submission alike
FULL = {errno.ENOSPC, errno.EDQUOT}
OF_THE_DISK = {*FULL, errno.EROFS, errno.EIO}


def write_whole(path: Path, text: str) -> None:
    """Write a file so that whoever reads it finds all of it, or what was there before."""
    unfinished = path.with_name(f".{path.name}.unfinished")  # always this name: none are left over
    if unfinished.is_dir() and not unfinished.is_symlink():
        shutil.rmtree(unfinished)
    unfinished.unlink(missing_ok=True)
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())  # a rename may reach the disk before what it names
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


# -- folders that are their owner's while it lives ---------------------------------------------


def held_folder(prefix: str, base: Path) -> tuple[Path, int]:
    """A new folder in ``base``, and the handle that holds it: close that to let go of it."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=base)).resolve()
        with contextlib.suppress(FileNotFoundError):
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            with contextlib.suppress(OSError):  # a file system without locks: never a leftover
                fcntl.flock(handle, fcntl.LOCK_EX)
            if folder.exists():
                return folder, handle
            # someone took it for a leftover, in the moment before it was held
            os.close(handle)


@contextlib.contextmanager
def left_over(folder: Path) -> Iterator[bool]:
    """Whether the folder is ours, and its owner dead. Nobody else can take it meanwhile."""
    handle = None
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ours = os.fstat(handle).st_uid == os.geteuid()
    except OSError:
        ours = False
    try:
        yield ours
    finally:
        if handle is not None:
            os.close(handle)


# -- one run at a time -------------------------------------------------------------------------


@contextlib.contextmanager
def alone(root: Path) -> Iterator[None]:
    """Hold the course for this process. Raises CourseInUse, which says who holds it."""
    path = root / ".cnnlab" / "lock"
    path.parent.mkdir(exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    with os.fdopen(handle, "r+", encoding="utf-8", errors="replace") as file:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CourseInUse(root, _who(file.read(1000))) from None
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
                raise
        about = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()}
        file.truncate(0)
        file.write(json.dumps(about) + "\n")
        file.flush()
        yield


def _who(text: str) -> str:
    """The lock's holder in words."""
    try:
        about = json.loads(text)
        pid, host, since = int(about["pid"]), str(about["host"]), float(about["since"])
        day = "%H:%M" if time.time() - since < 12 * 3600 else "%d %B, %H:%M"
        at = time.strftime(day, time.localtime(since))
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        return "another process"
    elsewhere = "" if host == socket.gethostname() else f" on {host}"
    return f"process {pid}{elsewhere}, since {at}"
