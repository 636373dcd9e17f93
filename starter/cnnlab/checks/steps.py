"""What a step of a visible check is, and how it fails."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Step:
    """One small, named thing that a check looks at."""

    name: str
    run: Callable[[Callable], None]


STEPS: dict[str, list[Step]] = {}


def step(question: str, name: str, after: str = ""):
    """Add a function to a question's steps. Steps run in the order in which they are written.

    The function takes the student's function, and raises CheckFailed if it does not like what it
    sees. With ``after``, the name of a step that is there, it runs right behind that one: so that
    a mistake is named before a later step merely refuses it.
    """

    def register(run: Callable[[Callable], None]):
        steps = STEPS.setdefault(question, [])
        names = [each.name for each in steps]
        steps.insert(names.index(after) + 1 if after else len(steps), Step(name, run))
        return run

    return register


DIGITS = 4  # significant ones of a number that is shown


@dataclass(frozen=True)
class Grid:
    """A small matrix to show: numbers of shape (rows, columns), and which of them are wrong."""

    title: str
    numbers: np.ndarray
    wrong: np.ndarray
    digits: int = DIGITS


class CheckFailed(AssertionError):
    """A visible check failed. ``str()`` of it says what came, what was expected, and why.

    ``grids`` are matrices to show beside it.
    """

    def __init__(
        self, came: str, expected: str = "", cause: str = "", grids: tuple[Grid, ...] = ()
    ):
        self.came, self.expected, self.cause, self.grids = came, expected, cause, grids
        self.heading = ""
        super().__init__(came)

    def __str__(self) -> str:
        lines = [self.heading] if self.heading else []
        if self.expected:
            lines += [_wrapped("came:", self.came), _wrapped("expected:", self.expected)]
        else:
            lines.append(f"  {self.came}")
        if self.cause:
            lines.append(_wrapped("usually:", self.cause))
        return "\n".join(lines)

    def _render_traceback_(self) -> list[str]:
        """What IPython prints in place of a traceback: our own frames would teach nobody."""
        return [f"\x1b[31mCheckFailed\x1b[0m: {self}"]


def _wrapped(label: str, text: str) -> str:
    """The text beside its label, in lines that a notebook's error box does not break in words."""
    return textwrap.fill(
        f"{label:<10} {text}",
        width=88,
        initial_indent="  ",
        subsequent_indent=" " * 13,
        break_long_words=False,
        break_on_hyphens=False,
    )
