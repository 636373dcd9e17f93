"""Every exception of the grader, with the words that people read.

Three families, by whose turn it is to act:

* ``StudentError``: the student's code did something wrong; the message goes into the feedback.
* ``WrongAnswer``: a comparison failed; the message goes into the feedback.
* ``GraderError``: the person who runs the grader has to do something; the message says what.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

GOES_ON = "What was graded is remembered: the same command goes on."


def how_to_install(*packages: str) -> str:
    """The command that installs packages for this grader, from whatever folder it is run in."""
    pins = Path(__file__).resolve().parent.parent / "constraints.txt"
    return shlex.join([sys.executable, "-m", "pip", "install", "-c", str(pins), *packages])


class WrongAnswer(AssertionError):
    """A comparison in a hidden test failed. The message is for the student."""


class StudentError(Exception):
    """The student's function raised, died, or does not exist. The message is for the student."""

    status = "error"


class NotDefined(StudentError):
    """The function is not in the kernel."""

    def __init__(self, name: str, because: str = ""):
        self.name = name
        super().__init__(
            f"{name} is not defined. "
            + (because or "Its cell may be missing, or may have failed when it ran.")
        )


class StudentRaised(StudentError):
    """The student's function raised an exception.

    ``ename`` and ``evalue`` are what the kernel said: text from the student, to be escaped.
    """

    def __init__(self, name: str, ename: str, evalue: str, where: str = ""):
        self.name, self.ename, self.evalue, self.where = name, ename, evalue, where
        place = f", at the line: {where}" if where else ""
        super().__init__(
            f"{name} raised {ename}: {evalue}{place}" if evalue else f"{name} raised {ename}{place}"
        )


class TimedOut(StudentError):
    """The student's function, or cell, ran longer than its limit."""

    status = "timeout"

    def __init__(self, what: str, seconds: float):
        super().__init__(
            f"{what} took longer than its limit of {seconds:g} s and was stopped. "
            "Look for a loop that never ends, or for work that is done again and again."
        )


class KernelDied(StudentError):
    """The kernel's process ended while it ran the student's code."""

    def __init__(self, what: str, reason: str = ""):
        super().__init__(
            f"the Python process died while running {what}{': ' + reason if reason else ''}."
        )


class OverLimit(KernelDied):
    """All of the submission's processes together used more than a limit, and were ended."""

    def __init__(self, what: str, breach: str):
        self.breach = breach
        StudentError.__init__(self, f"{what} was stopped: {breach}.")


class GivenUp(StudentError):
    """The function hung or crashed before, and is not tried again."""

    def __init__(self, name: str, times: int):
        super().__init__(
            f"{name} was not tried again: it hung or crashed in {times} tests before this one."
        )


class UnreadableResult(StudentError):
    """What came back is not what the bridge writes: the student's code broke the kernel."""

    def __init__(self, name: str, why: str):
        super().__init__(f"what {name} returned could not be read ({why}).")


class GraderError(Exception):
    """Something that the person at the keyboard has to put right."""


class NoSandbox(GraderError):
    def __init__(self, why: str, remedy: str):
        super().__init__(
            f"Students' code cannot be locked in on this machine: {why}\n{remedy}\n"
            "To grade work that you trust as your own, add --no-sandbox."
        )


class NoTorch(GraderError):
    def __init__(self, names):
        super().__init__(
            f"This assignment carries layers of earlier ones ({', '.join(names)}). The grader "
            "supplies them, by torch, and torch is not installed here. Install it, and grade "
            f"again:\n    {how_to_install('torch')}"
        )


class NoPackages(GraderError):
    def __init__(self, assignment: str, names: list[str]):
        super().__init__(
            f"{assignment} is about packages that are not installed here: {', '.join(names)}. "
            "Install them, and run this again:\n"
            f"    {how_to_install(*names)}\n"
            "The other assignments need none of that."
        )


class NoDevice(GraderError):
    def __init__(self):
        super().__init__(
            "--device cuda: this machine has no CUDA device (nvidia-smi lists none). Without the "
            "option, or with --device none, what needs one is skipped; all else is graded on the "
            "CPU."
        )


class BadLimit(GraderError):
    """A limit that does not exist, or a value that it cannot have."""


class CourseInUse(GraderError):
    def __init__(self, root, holder: str):
        super().__init__(
            f"Another run of `autograder grade` is at work in {root}: {holder}. Wait until it is "
            "done, or stop it. What it has graded is remembered, so this command can go on there."
        )


class UnknownAssignment(GraderError):
    def __init__(self, name: str, known: list[str]):
        super().__init__(
            f"There is no assignment {name!r}. Known: {', '.join(known) or 'none'}. "
            "An assignment is a folder in assignments/ with a Markdown notebook in it."
        )


class NotReleased(GraderError):
    def __init__(self, path):
        super().__init__(f"{path} does not exist. Make it with: autograder release")


class BadSource(GraderError):
    """A source notebook, a reference or a hidden test contradicts the others."""


class BadSubmission(GraderError):
    """The file given is not a notebook that can be graded."""
