"""Processes that grade, one submission at a time each.

A pool of our own, because that of ``concurrent.futures`` breaks as a whole when one of its
processes dies, and cannot tell who was at work on what. Here each worker has a pipe to itself: its
death, or its hanging, is known at once, and costs the submission that it had.
"""

from __future__ import annotations

import collections
import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from .errors import GraderError
from .signals import undisturbed

Work = Callable[[Path, str], str]  # where the submission is, whose it is -> the result as text
Running = Callable[[dict[str, float]], None]  # student -> for how many seconds

ENDING_SECONDS = 5.0  # for a worker's clean-up, before it is killed
LONELY_SECONDS = 10.0  # the same, where the main process is gone


@dataclass(frozen=True)
class Answer:
    """What came of one submission: a result, or the reason why there is none."""

    result: str | None = None
    problem: str = ""
    again: bool = False  # worth another try: it was none of the grader's orderly errors


def in_workers(
    submissions: dict[str, Path],
    work: Work,
    count: int,
    seconds: float,
    running: Running = lambda _: None,
) -> Iterator[tuple[str, Answer]]:
    """Student -> answer, as they come. A worker that takes longer than ``seconds`` is ended.

    A submission whose worker died, or failed in an unforeseen way, is tried once more, when all
    others are done and with the machine to itself. ``running`` hears about every second who is
    being graded, and for how long.
    """
    again = []
    for student, answer in _round(submissions, work, count, seconds, running):
        if answer.again:
            again.append(student)
        else:
            yield student, answer
    for student in again:
        yield from _round({student: submissions[student]}, work, 1, seconds, running)


def _round(
    submissions: dict[str, Path],
    work: Work,
    count: int,
    seconds: float,
    running: Running,
) -> Iterator[tuple[str, Answer]]:
    waiting = collections.deque(submissions.items())
    workers: list[_Worker] = []
    done = False
    try:
        while waiting or any(worker.student for worker in workers):
            _hand_out(waiting, workers, work, count)
            running({worker.student: worker.seconds for worker in workers if worker.student})
            wait([end for worker in workers for end in worker.ends], timeout=1.0)
            for worker in list(workers):
                student, answer = worker.student, worker.answer(seconds)
                if worker.gone:
                    workers.remove(worker)
                if answer is not None:
                    yield student, answer
        done = True
    finally:
        _end(workers, at_once=not done)


def _hand_out(waiting: collections.deque, workers: list[_Worker], work: Work, count: int) -> None:
    """Give each idle worker a submission; start new ones while there are fewer than ``count``."""
    while waiting:
        idle = next((w for w in workers if not w.student), None)
        if idle is None:
            if len(workers) >= count:
                return
            taken = {worker.slot for worker in workers}
            try:
                idle = _Worker(work, min(set(range(count)) - taken))
            except OSError:  # no process or memory to be had: go on with those that there are
                if workers:
                    return
                raise
            workers.append(idle)
        idle.give(*waiting.popleft())


# -- a worker, from outside --------------------------------------------------------------------


@dataclass
class _Worker:
    work: Work
    slot: int  # which of the workers it is: 0, 1, …
    student: str = ""
    gone: bool = False
    since: float = 0.0
    process: Any = field(init=False)
    pipe: Connection = field(init=False)

    def __post_init__(self) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would share sockets and threads
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(
            target=_serve, args=(theirs, self.work, self.slot), daemon=True
        )
        # what a terminal sends to all of its processes is for this one, which ends the others
        with undisturbed(signal.SIGINT, signal.SIGHUP):
            self.process.start()
        theirs.close()  # so that the pipe ends with the worker

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.since

    @property
    def ends(self) -> tuple[Any, ...]:
        return self.pipe, self.process.sentinel

    def give(self, student: str, path: Path) -> None:
        self.student, self.since = student, time.monotonic()
        with contextlib.suppress(OSError):  # it has just died: ``answer`` will find that out
            self.pipe.send((path, student))

    def answer(self, seconds: float) -> Answer | None:
        """Its answer, if there is one by now. It has no submission afterwards."""
        found = None
        try:
            if self.pipe.poll():
                found = Answer(*self.pipe.recv())
            elif not self.process.is_alive():
                raise EOFError
            elif self.student and self.seconds > seconds:
                self.end()
                found = Answer(problem=f"the grader hung: it was ended after {seconds:.0f} s")
        except (EOFError, OSError):
            self.end()
            found = Answer(problem=_how_it_ended(self.process.exitcode), again=True)
        if not self.student:
            return None
        if found is not None:
            self.student = ""
        return found

    def end(self) -> None:
        _end([self], at_once=True)
        self.gone = True


def _how_it_ended(code: int | None) -> str:
    how = f"exit code {code}"
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            how = signal.Signals(-code).name
    return f"the grader's own process died while it graded this submission ({how})"


def _end(workers: list[_Worker], at_once: bool) -> None:
    """End them and wait for it. Idle ones end by themselves once their pipe is closed."""
    with undisturbed():  # a second Ctrl-C has nothing to add: this takes seconds at most
        for worker in workers:
            if at_once:
                worker.process.terminate()
            worker.pipe.close()
        until = time.monotonic() + ENDING_SECONDS
        for worker in workers:
            worker.process.join(max(0.0, until - time.monotonic()))
        for worker in workers:
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()


# -- a worker, from inside ---------------------------------------------------------------------


def _serve(pipe: Connection, work: Work, slot: int) -> None:
    _stay_on_one_core(slot)
    # by way of every "finally", which remove the sandbox's folder
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_end_with_the_main_process, daemon=True).start()
    while True:
        try:
            path, student = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer = (work(path, student),)
        except GraderError as error:
            answer = (None, str(error))
        except SystemExit:  # _leave
            raise
        except BaseException as error:
            answer = (None, _in_words(error), True)
        try:
            pipe.send(answer)  # text only: an exception may not survive being pickled
        except OSError:
            return


def _stay_on_one_core(slot: int) -> None:
    """And so does every submission that is graded here: one with hundreds of busy threads takes no
    time away from those that are graded beside it. The sandbox does not let it change that."""
    if hasattr(os, "sched_setaffinity"):  # Linux
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[slot % len(cores)]})


def _leave(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once: the clean-up must not be interrupted
    sys.exit(1)


def _end_with_the_main_process() -> None:
    """Nobody waits for the result of an orphan, and it would hold the machine up."""
    multiprocessing.parent_process().join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(LONELY_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def _in_words(error: BaseException) -> str:
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:  # an exception that cannot even say what it is
        text = type(error).__name__
    return f"the grader itself failed: {text.encode('utf-8', 'replace').decode()[:500]}"
