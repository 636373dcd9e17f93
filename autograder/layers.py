"""The layers that an assignment carries from earlier ones: which, and the server that has them.

When a later assignment is graded, they are not the student's earlier code but the grader's own, so
that a broken convolution costs points once. They run neither here nor in the student's kernel, but
in a third place: ``layer_server``, in a sandbox of its own, where torch and ``cnnlab`` are and
nothing else. The student's kernel reaches it by a *door*, a Unix socket whose folder it sees
read-only. The socket is opened here and handed to the server; this process never reads from it.

One server lives as long as this process, because it takes seconds to import torch; each submission
gets a door of its own, and each connection a forked process of its own. What a submission does to
those ends with them.
"""

from __future__ import annotations

import ast
import atexit
import contextlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from nbformat import NotebookNode

from .errors import BadSource, GraderError, NoTorch
from .files import held_folder
from .limits import OURS, Limits
from .questions import SKIP
from .restore import without_magics
from .sandbox import (
    SCRATCH,
    Door,
    Reins,
    bubblewrap_command,
    check_sandbox,
    delete,
    environment_of,
    temporary_folder,
)

SERVER_FILES = ("layer_server.py", "wire.py")
START_SECONDS = 120.0  # torch, from a cold disk
ANSWER_SECONDS = 10.0
WAITING = 4  # connections that are not yet let in
MOST_REVIVALS = 3  # for one submission: a server that always dies is not asked again
OF_A_CONNECTION = 2  # of a submission's memory, the part that each of its two connections may use
VARIANTS = ("_naive", "_fast", "_strides", "_fft", "_general")  # names of one and the same layer


# -- which layers an assignment carries ------------------------------------------------------------


def carried(release: NotebookNode) -> tuple[str, ...]:
    """The names in the release's own ``carry(…)`` lines, outside of demonstrations.

    Raises BadSource if one cannot be supplied, or would answer a question of the same notebook.
    """
    names: dict[str, None] = {}
    questions = set()
    for cell in release.cells:
        marks = cell.metadata.get("nbgrader", {})
        questions |= {marks["grade_id"]} if marks.get("solution") else set()
        if cell.cell_type == "code" and not marks and SKIP not in cell.metadata.get("tags", []):
            names |= dict.fromkeys(_names(cell.source))
    if names:
        _check_names(names, questions)
    return tuple(names)


def _names(source: str) -> Iterable[str]:
    if "carry" not in source:
        return
    for node in ast.walk(ast.parse(without_magics(source))):
        match node:
            case ast.Call(func=ast.Name(id="carry") | ast.Attribute(attr="carry"), args=args):
                for arg in args:
                    if not (isinstance(arg, ast.Constant) and isinstance(arg.value, str)):
                        raise BadSource(
                            f"{ast.unparse(node)}: name the functions one by one, as texts, so "
                            "that the grader knows what to supply"
                        )
                    yield arg.value


def _check_names(names: Iterable[str], questions: set[str]) -> None:
    from cnnlab.carry.layers import LAYERS

    asked = {_layer(question): question for question in questions}
    for name in names:
        if name not in LAYERS:
            raise BadSource(
                f'carry("{name}"): there is no such layer in cnnlab.carry.layers, so the grader '
                "could not supply it. Enter it there, or tag the cell skip-execution."
            )
        if _layer(name) in asked:
            raise BadSource(
                f'carry("{name}") would hand students the answer to {asked[_layer(name)]} while '
                "they are graded. If only demonstrations use it, tag its cell skip-execution."
            )


def _layer(name: str) -> str:
    """The same for all variants of a layer."""
    return next((name.removesuffix(v) for v in VARIANTS if name.endswith(v)), name)


def check_torch(names: Iterable[str]) -> None:
    """Raises NoTorch if layers have to be supplied and cannot."""
    if names and importlib.util.find_spec("torch") is None:
        raise NoTorch(names)


# -- the server ------------------------------------------------------------------------------------


class Server:
    """The process of ``layer_server``, which may be started again at any time."""

    def __init__(self, sandboxed: bool):
        self.sandboxed = sandboxed
        self.root, self._held = held_folder(SCRATCH, temporary_folder())
        self.code = self.root / "server"
        self.code.mkdir()
        for name in SERVER_FILES:
            shutil.copy(Path(__file__).with_name(name), self.code)
        self.process: subprocess.Popen | None = None
        self.control: socket.socket | None = None
        self.owed = 0  # answers that it has not given yet
        self.inside: int | None = None
        self.delays: dict[str, int] = {}

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start it, without waiting until it is ready."""
        self.end()
        self.control, theirs = socket.socketpair()
        self.words = tempfile.TemporaryFile()  # noqa: SIM115 (what it complains of at its start)
        with theirs, Reins() as reins:
            command = [sys.executable, "-s", str(self.code / SERVER_FILES[0]), str(theirs.fileno())]
            home = Path("/tmp") if self.sandboxed else self.root
            limits = replace(Limits(), without=OURS, disk=1 << 20)
            environment, handles = environment_of(home, limits), [theirs.fileno()]
            if self.sandboxed:
                command = bubblewrap_command(command, limits, environment, readable=[self.code])
                command[1:1] = reins.options
                handles += reins.handles
            self.process = subprocess.Popen(
                command,
                env=environment,
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self.words,
                pass_fds=handles,
                start_new_session=True,
            )
            self.inside = reins.inside() if self.sandboxed else None
        self.owed = 1

    def tell(self, door: dict | None, listening: socket.socket | None) -> None:
        """Have it open this door in place of the one before, or none. Does not wait for it."""
        handles = [] if listening is None else [listening.fileno()]
        with contextlib.suppress(OSError):  # it has died: who waits for its answer hears of it
            socket.send_fds(self.control, [json.dumps(door).encode()], handles)
        self.owed += 1

    def answered(self, seconds: float) -> bool:
        """Whether it has done all that it was told to, within that time."""
        self.control.settimeout(seconds)
        with contextlib.suppress(OSError):
            while self.owed > 0:
                came = len(self.control.recv(self.owed))
                if not came:
                    break
                self.owed -= came
        return self.owed == 0

    def complaint(self) -> str:
        """Its last words at its start."""
        self.words.seek(0)
        lines = self.words.read(100_000).decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:300] if lines else "it said nothing"

    def waited(self) -> float:
        """Seconds that its processes were ready to run, and the machine ran others instead."""
        with contextlib.suppress(OSError):
            folder = f"/proc/{self.inside}/root/proc" if self.inside else "/nowhere"
            for pid in filter(str.isdecimal, os.listdir(folder)):
                with contextlib.suppress(OSError, IndexError, ValueError):  # it ended meanwhile
                    text = Path(folder, pid, "schedstat").read_text("ascii")
                    self.delays[pid] = int(text.split()[1])
        return sum(self.delays.values()) / 1e9

    def end(self) -> None:
        """End the process, if there is one, and all that it has forked."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.control.close()
            self.words.close()
            self.process = None

    def close(self) -> None:
        self.end()
        delete(self.root)
        os.close(self._held)


_servers: dict[bool, Server] = {}


def _server(sandboxed: bool) -> Server:
    """This process's own, which ends with it."""
    if sandboxed not in _servers:
        _servers[sandboxed] = Server(sandboxed)
        atexit.register(_servers[sandboxed].close)
    return _servers[sandboxed]


# -- one submission's layers -----------------------------------------------------------------------


class Layers:
    """Layers for one submission, until ``close``. ``door`` is what its kernel has to know."""

    def __init__(self, names: tuple[str, ...], limits: Limits, *, sandboxed: bool = True):
        check_torch(names)
        if sandboxed:
            check_sandbox()
        self.server = _server(sandboxed)
        self.about = {
            "names": names,
            "memory": limits.memory // OF_A_CONNECTION,
            "message": limits.message,
            "cpu_seconds": limits.notebook_seconds,
        }
        self.revivals = 0
        folder = Path(tempfile.mkdtemp(prefix="door-", dir=self.server.root))
        self.door = Door(folder / "layers", names)
        self.listening = socket.socket(socket.AF_UNIX)
        try:
            self.listening.bind(str(self.door.socket))
            self.listening.listen(WAITING)
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        # what an earlier submission may have broken, or stopped, is started anew
        if self.server.is_running():
            self.server.tell(self.about, self.listening)
            if self.server.answered(ANSWER_SECONDS):
                return
        self.server.start()
        self.server.tell(self.about, self.listening)
        if not self.server.answered(START_SECONDS):
            why = self.server.complaint()
            self.server.end()
            raise GraderError(
                f"The server of the carried layers did not start: {why}. Try: "
                'python -c "import torch", and look at what `autograder doctor` says.'
            )

    def keep_up(self) -> None:
        """Start the server again if it has died. Its door stays, and who waits there is let in."""
        if self.server.is_running() or self.revivals > MOST_REVIVALS:
            return
        self.revivals += 1
        if self.revivals > MOST_REVIVALS:
            self.listening.close()  # so that nobody waits in vain
            return
        self.server.start()
        self.server.tell(self.about, self.listening)

    def waited(self) -> float:
        return self.server.waited()

    def close(self) -> None:
        """Close the door. The server stays, without a trace of this submission."""
        if self.server.is_running():
            self.server.tell(None, None)
            if not self.server.answered(ANSWER_SECONDS):
                self.server.end()
        self.listening.close()
        delete(self.door.socket.parent)

    def __enter__(self) -> Layers:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
