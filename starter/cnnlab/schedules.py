"""How the learning rate changes while a net is trained.

A schedule is a function of the progress, from 0 at the start to 1 at the end. It returns a factor;
the learning rate is the one in optim_config times this factor. Any function of your own will do.

All of these can begin with a warm-up: over the first part of the training, ``warmup`` (0.1: a tenth
of it), the factor grows along a line from 0 to what it then is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Constant:
    """The same rate all the time."""

    warmup: float = 0.0

    def __call__(self, progress: float) -> float:
        return _warmed_up(progress, self.warmup, 1.0)


@dataclass(frozen=True)
class Step:
    """A rate that falls at once, to ``factor`` of what it was, at each point of ``at``.

    Source: Krizhevsky et al. (2012) did it by hand, whenever the validation error stood still.
    """

    at: tuple[float, ...] = (0.5, 0.75)
    factor: float = 0.1
    warmup: float = 0.0

    def __call__(self, progress: float) -> float:
        steps = sum(progress >= point for point in self.at)
        return _warmed_up(progress, self.warmup, self.factor**steps)


@dataclass(frozen=True)
class Cosine:
    """A rate that falls along half a cosine, from 1 after the warm-up to ``final`` at the end.

    Source: Loshchilov and Hutter, "SGDR" (arXiv:1608.03983).
    """

    warmup: float = 0.0
    final: float = 0.0

    def __call__(self, progress: float) -> float:
        rest = _rest(progress, self.warmup)
        fall = self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * rest))
        return _warmed_up(progress, self.warmup, fall)


@dataclass(frozen=True)
class Linear:
    """A rate that falls along a line, from 1 after the warm-up to ``final`` at the end."""

    warmup: float = 0.0
    final: float = 0.0

    def __call__(self, progress: float) -> float:
        fall = 1 - (1 - self.final) * _rest(progress, self.warmup)
        return _warmed_up(progress, self.warmup, fall)


def _rest(progress: float, warmup: float) -> float:
    """How much of what comes after the warm-up is done, 0 to 1."""
    return max(0.0, progress - warmup) / (1 - warmup) if warmup < 1 else 0.0


def _warmed_up(progress: float, warmup: float, factor: float) -> float:
    return factor * min(1.0, progress / warmup) if warmup > 0 else factor
