"""Runs in a sandbox of its own: computes cnnlab's layers for the submission that is being graded.

A later assignment builds on earlier layers. When it is graded they come from here, so the student's
kernel holds neither torch nor an answer, and the grader's process computes nothing on a student's
arrays. Nothing here is secret.

This process imports torch once, then waits for doors: sockets that listen, each of which the grader
opens for one submission. It never reads what comes through them. For each connection it forks a
process, which answers requests until the other side hangs up: so what a submission sends or breaks
ends with it, and the next one finds everything as new. A request is a function's name and its
arguments. There is no state: in place of a cache, a backward pass is told what its forward pass
was given.

Started as a script with the number of the socket to the grader as its argument.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np
import wire  # beside this file

from cnnlab.carry.layers import LAYERS, Cache

NICE = 10  # after the grader, as the kernels
MOST = 2  # connections at a time: if a third comes, the oldest ends
MAX_WORDS = 500  # characters of an exception's text
MAX_COMMAND = 1 << 16
OPEN_FILES = 32


# -- one connection, in a process of its own ------------------------------------------------------


def serve(connection: Connection, door: dict) -> None:
    """Answer until the other side hangs up."""
    while True:
        request = wire.receive(connection, door["message"])
        frames = answer(request, door["names"])
        if sum(map(len, frames)) > door["message"]:
            frames = _problem(ValueError("the result is larger than the grader takes"))
        wire.send(connection, frames)


def answer(frames: list[bytes], names: list[str]) -> list[bytes]:
    """The answer to one request, whatever it asks."""
    try:
        request = wire.loads(frames)
        result = _call(request["name"], request["args"], names)
        # the cache of a forward pass stays here: its backward pass will be told how it came about
        if isinstance(result, tuple) and isinstance(result[-1], Cache):
            result = result[0]
        return wire.dumps({"value": result})
    except Exception as error:
        return _problem(error)


def _call(name: str, args: list, names: list[str]) -> object:
    if name not in names:
        raise ValueError(f"{str(name)[:100]!r} is not supplied for this assignment")
    return LAYERS[name](*(_with_cache(arg, names) for arg in args))


def _with_cache(arg: object, names: list[str]) -> object:
    """An argument; in place of the note that stands for it, the cache of a forward pass."""
    match arg:
        case {"cache of": str(name), "given": list(given)} if len(arg) == 2:
            return _call(name, given, names)[1]
    return arg


def _problem(error: Exception) -> list[bytes]:
    return wire.dumps({"problem": type(error).__name__, "words": str(error)[:MAX_WORDS]})


def _hold_to(door: dict) -> None:
    """Linux's limits for the process of one connection."""
    torchs_own = _data_in_use()
    for which, most in (
        (resource.RLIMIT_DATA, torchs_own + int(door["memory"])),
        (resource.RLIMIT_CPU, int(door["cpu_seconds"])),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
    ):
        hard = resource.getrlimit(which)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(ValueError, OSError):  # not every system has every limit
            resource.setrlimit(which, (most, most))


def _data_in_use() -> int:
    with contextlib.suppress(OSError, IndexError, ValueError), open("/proc/self/statm") as file:
        return int(file.read().split()[5]) * resource.getpagesize()
    return 1 << 30


# -- the process that waits -----------------------------------------------------------------------


class Visit:
    """A connection and the process that answers it, as the waiting process sees them."""

    def __init__(self, connection: socket.socket, run: Callable[[Connection], None]):
        self.connection = connection
        self.alive, mark = os.pipe()  # its end is that of the process
        try:
            self.pid = os.fork()
        except OSError:
            os.close(self.alive)
            os.close(mark)
            raise
        if self.pid == 0:
            try:
                os.close(self.alive)
                run(Connection(os.dup(connection.fileno())))
            except BaseException:  # the other side hung up, or sent what is no request
                os._exit(1)
            os._exit(0)
        os.close(mark)

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.alive)
        self.connection.close()  # only now does the other side see the end


class Porter:
    """Opens doors, lets visitors in, and shows them out."""

    def __init__(self, control: socket.socket):
        self.control = control
        self.door: dict = {}
        self.listening: socket.socket | None = None
        self.visits: list[Visit] = []

    def work(self) -> None:
        """Until the grader is gone."""
        while True:
            poll = select.poll()
            poll.register(self.control, select.POLLIN)
            if self.listening is not None:
                poll.register(self.listening, select.POLLIN)
            for visit in self.visits:
                poll.register(visit.connection, 0)  # the end of it is told without being asked for
                poll.register(visit.alive, 0)
            ready = {number for number, _ in poll.poll()}
            for visit in [v for v in self.visits if {v.connection.fileno(), v.alive} & ready]:
                self._show_out(visit)
            if self.control.fileno() in ready:
                self._obey()
            elif self.listening is not None and self.listening.fileno() in ready:
                self._let_in()

    def _show_out(self, visit: Visit) -> None:
        self.visits.remove(visit)
        visit.end()

    def _obey(self) -> None:
        """Close the door that there is; open the next, if the grader sent one."""
        command, handles, _, _ = socket.recv_fds(self.control, MAX_COMMAND, 1)
        if not command:
            sys.exit()
        for visit in list(self.visits):
            self._show_out(visit)
        if self.listening is not None:
            self.listening.close()
            self.listening = None
        if handles:
            self.door = json.loads(command)
            self.listening = socket.socket(fileno=handles[0])
            self.listening.setblocking(False)
        self.control.send(b"+")

    def _let_in(self) -> None:
        with contextlib.suppress(OSError):  # hung up already; no process to be had
            connection, _ = self.listening.accept()
            while len(self.visits) >= MOST:
                self._show_out(self.visits[0])
            connection.setblocking(True)
            self.visits.append(Visit(connection, self._receive))

    def _receive(self, connection: Connection) -> None:
        """In the visitor's own process: close what is not theirs, and serve."""
        for theirs in (self.control, self.listening, *(v.connection for v in self.visits)):
            theirs.close()
        for visit in self.visits:
            os.close(visit.alive)
        _hold_to(self.door)
        serve(connection, self.door)


def warm_up() -> None:
    """What torch does once in a process is done here, and not in each that is forked."""
    x = np.ones((1, 1, 4, 4))
    for dtype in (np.float32, np.float64):
        x = x.astype(dtype)
        out, cache = LAYERS["conv_forward_fast"](x, x, x[0, 0, 0, :1], {"stride": 1, "pad": 0})
        LAYERS["conv_backward_fast"](out, cache)


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    os.nice(NICE)
    warm_up()
    quiet = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(quiet, number)
    control.send(b"+")
    Porter(control).work()


if __name__ == "__main__":
    main()
