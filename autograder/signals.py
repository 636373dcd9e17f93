"""Requests to stop: Ctrl-C, SIGTERM, a closed terminal. All three end a run in the same order.

Python itself knows Ctrl-C only. The others become the same exception here, so that every
``finally`` is run: it ends the workers, and removes the sandboxes' folders.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """Somebody asked to stop. ``code`` is the exit code that shells expect."""

    def __init__(self, number: int):
        super().__init__()
        self.code = 128 + number


def _stop(number: int, _: object) -> None:
    raise Stopped(number)


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Within, each request raises Stopped."""
    with _handled_by(_stop):
        yield


@contextlib.contextmanager
def undisturbed(*numbers: int) -> Iterator[None]:
    """Within, these requests (all, if none is named) are ignored: for a few moments.

    Processes that are started meanwhile go on ignoring them.
    """
    with _handled_by(signal.SIG_IGN, numbers or REQUESTS):
        yield


@contextlib.contextmanager
def finishing() -> Iterator[None]:
    """Within, a first request waits for the end of the block; a second one does not."""
    asked: list[int] = []

    def wait(number: int, _: object) -> None:
        asked.append(number)
        if len(asked) > 1:
            raise Stopped(number)

    with _handled_by(wait):
        yield
    if asked:
        raise Stopped(asked[0])


@contextlib.contextmanager
def _handled_by(handler: object, numbers: tuple[int, ...] = REQUESTS) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # Python leaves signals to the main thread
        return
    # what is ignored stays so: SIGHUP under nohup, Ctrl-C for a command in the background
    wanted = [n for n in numbers if signal.getsignal(n) not in (signal.SIG_IGN, None)]
    before = {number: signal.signal(number, handler) for number in wanted}
    try:
        yield
    finally:
        for number, was in before.items():
            signal.signal(number, was)
