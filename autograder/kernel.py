"""One kernel, its limits and its conversation: run a cell, ask the bridge, stop what does not end.

jupyter_client starts the process and signs the messages; the loop that reads them is our own,
because it has to hold against a kernel that floods, hangs, lies or dies: it has a deadline, a cap
on what it keeps, and looks at the process itself.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq
from jupyter_client import KernelManager
from traitlets import Any as AnyTrait
from traitlets import Bool

from .errors import GraderError, KernelDied, OverLimit, TimedOut
from .layers import Layers
from .limits import Limits
from .outputs import Outputs
from .sandbox import Scratch, check_sandbox, kernel_spec
from .watchdog import Watchdog, own_memory, piled_up

START_SECONDS = 60.0
INTERRUPT_GRACE = 1.5  # seconds between asking a call to stop and ending the process
MAX_WORDS = 2000  # characters of an exception's text
MAX_JSON = 8 << 20  # bytes of one message without its buffers; pictures come as base64
MAX_HEADERS = 64 << 10  # bytes of its headers, in which jupyter_client looks for dates, slowly
MAX_BRACKETS = 500_000  # of its content: seconds to parse, and a hundred bytes for each
SIGNATURE = 64  # bytes, as text; jupyter_client remembers each that it saw
MOST_WAITED = 2.0  # a limit grows to three times its length at most, on a machine that is busy
IDLE_GRACE = 2.0  # seconds to wait for the last outputs after a cell's reply


class SandboxKernelManager(KernelManager):
    """A KernelManager whose kernel is ours, not one that is installed or that a notebook names."""

    scratch = AnyTrait()
    limits = AnyTrait()
    sandboxed = Bool(True)
    door = AnyTrait()

    @property
    def kernel_spec(self):
        return kernel_spec(self.scratch, self.limits, self.sandboxed, self.door)


@dataclass
class CellRun:
    """What running one cell gave: notebook outputs, and how it ended."""

    status: str = "ok"  # ok, error, timeout, died
    ename: str = ""
    evalue: str = ""
    why: str = ""  # for a cell that was stopped
    outputs: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Took:
    """How long a request took, from outside, and in which share of that time the kernel's main
    thread stood in the queue for a processor.
    """

    seconds: float = 0.0
    waiting: float = 0.0


class Kernel:
    """A running kernel. ``files`` are copied to where it runs: relative name -> path.

    ``layers`` supplies what the assignment carries from earlier ones.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        sandboxed: bool = True,
        files: dict[str, Path] = (),
        layers: Layers | None = None,
    ):
        if sandboxed:
            check_sandbox()
        self.limits = self.limits_at_start = limits
        self.sandboxed, self.files, self.layers = sandboxed, dict(files), layers
        self.alive, self.undo = False, contextlib.ExitStack()
        self.room = limits.outputs  # what all cells together may still leave in the notebook
        self.waited = 0.0  # seconds of all requests in which the machine ran others instead
        self.last = 0.0, 0.0  # of the last request: how long it took, and waited before it
        self.start()

    # -- life ---------------------------------------------------------------------------------

    def start(self) -> None:
        with contextlib.ExitStack() as undo:  # what was done before a failure is undone
            self.scratch = Scratch()
            undo.callback(self.scratch.remove)
            self._copy_files()
            context = zmq.Context()
            undo.callback(context.destroy, linger=0)
            # defaults of every socket of this context: what a kernel may make us hold
            context.setsockopt(zmq.MAXMSGSIZE, self.limits.message)
            context.setsockopt(zmq.RCVHWM, 200)
            context.setsockopt(zmq.RECONNECT_IVL, 5)
            context.setsockopt(zmq.LINGER, 0)
            manager = SandboxKernelManager(
                scratch=self.scratch,
                limits=self.limits_at_start,
                sandboxed=self.sandboxed,
                door=None if self.layers is None else self.layers.door,
                context=context,
                transport="ipc",
                ip=str(self.scratch.sockets / "k"),
                connection_file=str(self.scratch.sockets / "connection.json"),
            )
            manager.start_kernel()
            self.process = manager.provisioner.process
            undo.callback(manager.cleanup_resources)
            undo.callback(self._kill)
            self.client = manager.client(context=context)
            self.client.start_channels(shell=True, iopub=True, stdin=False, hb=False, control=True)
            undo.callback(self.client.stop_channels)
            self.watchdog: Watchdog | None = None
            self.shell = self.client.shell_channel.socket
            self.iopub = self.client.iopub_channel.socket
            self.alive = True
            self.memory_at_start = own_memory()
            self.idle_after = ""  # the last request that the kernel said it was done with
            self._wait_until_ready()
            # ØMQ connects again by the path, where the student may since have put a link to any
            # socket of this machine's: so from now on there is no such path outside
            self.scratch.shut_sockets()
            if self.sandboxed:
                disks = (Path("/tmp"), Path("/dev/shm"))
                self.watchdog = Watchdog(
                    manager.provisioner.inside, disks, self.scratch.sockets, self.limits, self._end
                )
                undo.callback(self.watchdog.close)
                self.watchdog.start()
            self.undo = undo.pop_all()

    def close(self) -> None:
        """End the sandbox, and all that runs in it, at once."""
        self.alive = False
        self.undo.close()

    def _kill(self) -> None:
        self._end()
        self.process.wait()

    def _end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            # bubblewrap, and so all that it holds; without it, the kernel's process group
            os.killpg(self.process.pid, signal.SIGKILL)

    def hold_to(self, limits: Limits) -> None:
        """From now on these limits, as far as they are not set once and for all at the start."""
        self.limits = limits
        if self.watchdog is not None:
            self.watchdog.limits = limits

    def restart(self) -> None:
        self.close()
        self.start()

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.close()

    def _copy_files(self) -> None:
        for relative, path in self.files.items():
            target = self.scratch.files / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        self.client.kernel_info()
        welcomed = replied = False
        # the welcome comes once our subscription has arrived: from then on no output is lost
        while not (welcomed and replied):
            message = self._receive(self.iopub, 0) or self._receive(self.shell, 20)
            if message is not None:
                welcomed |= message["msg_type"] in ("iopub_welcome", "status")
                replied |= message["msg_type"] == "kernel_info_reply"
            elif self._dead() or time.monotonic() > deadline:
                code = self.process.poll()
                raise GraderError(
                    "The kernel did not start"
                    + (f" (exit code {code})" if code is not None else f" in {START_SECONDS:g} s")
                    + ". Look at what `autograder doctor` says about the sandbox."
                )

    def _dead(self) -> bool:
        return self.process.poll() is not None

    # -- conversation -------------------------------------------------------------------------

    def run_cell(self, code: str, seconds: float) -> CellRun:
        """Run a cell's code. Never raises for what the student's code does."""
        run = CellRun()
        if not self.alive:
            run.status = "died"
            return run
        outputs = Outputs(run.outputs, min(self.limits.output, self.room), self.room)
        waited = self._waited()
        message_id = self.client.execute(code, allow_stdin=False, stop_on_error=False)
        try:
            reply = self._wait_for(
                message_id, "execute_reply", seconds, "this cell", outputs, waited
            )
            run.status = "ok" if reply["content"].get("status") == "ok" else "error"
            ename = str(reply["content"].get("ename", ""))[:200]
            run.evalue = str(reply["content"].get("evalue", ""))[:MAX_WORDS]
            # IPython's private name for an unfinished cell
            run.ename = "SyntaxError" if ename == "_IncompleteInputError" else ename
            self._read_until_idle(message_id, outputs)
        except TimedOut as error:
            run.status, run.ename, run.why = "timeout", "TimedOut", "it ran too long"
            outputs.add_error("TimedOut", str(error))
        except OverLimit as error:
            run.status, run.ename, run.why = "died", "OverLimit", error.breach
            outputs.add_error("OverLimit", str(error))
        except KernelDied as error:
            run.status, run.ename, run.why = "died", "KernelDied", "it ended the Python process"
            outputs.add_error("KernelDied", str(error))
        self.room = max(0, self.room - outputs.used)
        return run

    def request(self, frames: list[bytes], seconds: float, what: str) -> list[bytes]:
        """Ask the bridge. Returns its frames; raises TimedOut or KernelDied."""
        if not self.alive:
            raise KernelDied(what, "it had already ended")
        session = self.client.session
        message = session.msg("grader_request", {})
        waited, start = self._waited(), time.perf_counter()
        session.send(self.shell, message, buffers=frames)
        message_id = message["header"]["msg_id"]
        reply = self._wait_for(message_id, "grader_reply", seconds, what, None, waited)
        self.last = time.perf_counter() - start, waited
        return [bytes(buffer) for buffer in reply["buffers"]]

    @property
    def took(self) -> Took:
        """By the last request: to be asked for at once, as the share of waiting is read only now.

        Most requests are not timed, and reading it takes system calls.
        """
        whole, waited = self.last
        return Took(whole, (self._waited() - waited) / whole) if whole else Took()

    def _wait_for(
        self,
        message_id: str,
        reply_type: str,
        seconds: float,
        what: str,
        outputs: Outputs | None,
        waited_before: float,
    ) -> dict:
        deadline, interrupted, waited = time.monotonic() + seconds, False, 0.0
        poller = zmq.Poller()
        poller.register(self.shell, zmq.POLLIN)
        poller.register(self.iopub, zmq.POLLIN)
        while True:
            breach = piled_up(self.memory_at_start, self.limits)
            if breach:
                self.alive = False  # the watchdog sees it too, where there is one
                self._kill()
                raise OverLimit(what, breach)
            poller.poll(100)
            if self.layers is not None:
                self.layers.keep_up()
            self._read_outputs(message_id, outputs, until=deadline)
            message = self._receive(self.shell, 0)
            if message is not None and _answers(message, message_id):
                if message["msg_type"] == reply_type:
                    if interrupted:
                        raise TimedOut(what, seconds)
                    return message
            elif self._dead():
                raise self._death(what)
            if time.monotonic() > deadline:
                more = min(self._waited() - waited_before, MOST_WAITED * seconds) - waited
                if more > 0.05 * seconds and not interrupted:
                    # the machine was busy with others: that is not the student's time
                    waited, deadline = waited + more, deadline + more
                    self.waited += more
                    continue
                if interrupted:
                    self.alive = False
                    raise TimedOut(what, seconds)
                interrupted = True
                deadline = time.monotonic() + INTERRUPT_GRACE
                self.client.session.send(self.client.control_channel.socket, "interrupt_request")

    def _waited(self) -> float:
        kernel = 0.0 if self.watchdog is None else self.watchdog.waited()
        return kernel + (0.0 if self.layers is None else self.layers.waited())

    def has_company(self) -> bool:
        """Whether cells have left something running, as far as that can be seen."""
        return self.watchdog is not None and self.alive and self.watchdog.has_company()

    def _death(self, what: str) -> KernelDied:
        self.alive = False
        code = self.process.wait()
        if self.watchdog is not None:
            self.watchdog.close()
            if self.watchdog.breach:
                return OverLimit(what, self.watchdog.breach)
        return KernelDied(what, _how_it_ended(code, self.limits))

    def _read_until_idle(self, message_id: str, outputs: Outputs) -> None:
        deadline = time.monotonic() + IDLE_GRACE
        while self.idle_after != message_id and time.monotonic() < deadline and not self._dead():
            self._read_outputs(message_id, outputs, wait=50, until=deadline)

    def _read_outputs(
        self,
        message_id: str,
        outputs: Outputs | None,
        wait: int = 0,
        until: float = float("inf"),
    ) -> bool:
        """Take what waits on iopub; True once the kernel says that it is idle again."""
        for _ in range(200):  # then look at the clock again: a flood must not hold us here
            message = self._receive(self.iopub, wait)
            if message is None or time.monotonic() > until:
                return False
            if not _answers(message, message_id):
                continue
            content = message["content"]
            if message["msg_type"] == "status" and content.get("execution_state") == "idle":
                self.idle_after = message_id
                return True
            if outputs is not None:
                outputs.add(message)
        return False

    def _receive(self, socket: zmq.Socket, wait: int) -> dict | None:
        """One message, or None. What does not parse, or is not signed, is nothing."""
        if wait and not socket.poll(wait):
            return None
        session = self.client.session
        try:
            frames = socket.recv_multipart(zmq.NOBLOCK)
            _, frames = session.feed_identities(frames)
            # signature, header, parent, metadata; then content: JSON, which grows when it is parsed
            headers, content = sum(map(len, frames[:4])), sum(map(len, frames[4:5]))
            if len(frames[0]) != SIGNATURE or headers > MAX_HEADERS or content > MAX_JSON:
                return None
            if sum(frames[4].count(bracket) for bracket in (b"[", b"{")) > MAX_BRACKETS:
                return None
            # ØMQ's limit is for each frame, and a message may have thousands
            if sum(map(len, frames)) > MAX_JSON + self.limits.message:
                return None
            message = session.deserialize(frames)
        except Exception:  # whatever the bytes were; they came from the student's side
            return None
        if not (
            isinstance(message, dict)
            and isinstance(message.get("content"), dict)
            and isinstance(message.get("msg_type"), str)
        ):
            return None
        return message


def _answers(message: dict, message_id: str) -> bool:
    parent = message.get("parent_header")
    return isinstance(parent, dict) and parent.get("msg_id") == message_id


def _how_it_ended(code: int | None, limits: Limits) -> str:
    if code in (137, -9):
        return "it was killed, perhaps for using too much memory"
    if code in (139, -11, 134, -6):
        return f"it crashed (exit code {code}), perhaps at its memory limit"
    if code in (152, -24):
        return f"it used more than {limits.notebook_seconds:g} s of processor time"
    return f"its exit code was {code}"
