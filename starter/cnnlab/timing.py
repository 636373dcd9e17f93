"""How long things take: clocks for experiments, and yardsticks to compare with."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np


def seconds(f: Callable[[], object], budget: float = 0.3) -> float:
    """Time a function: the shortest of several calls.

    The machine does other things too, and they can only make a call longer. So the shortest time
    is the best guess.

    Args:
        f: takes nothing. A ``lambda: your_function(x, w)`` will do.
        budget: seconds for all calls together. There are two calls at least.
    """
    best, end = float("inf"), time.perf_counter() + budget
    for call in range(1000):
        start = time.perf_counter()
        f()
        stop = time.perf_counter()
        best = min(best, stop - start)
        if stop > end and call:
            break
    return best


def plain_loop(steps: int, numbers: int) -> float:
    """Multiply two small arrays and add up, again and again: a layer that is nothing but a loop.

    A naive convolution takes such a step for each of its outputs, and more around it. (One product,
    ``weights @ window``, would do both in less than half the time: still a loop.)

    Args:
        steps: how often. numbers: how many products are added up in a step.

    Returns:
        The sum of all, which is steps times numbers.
    """
    window, weights, total = np.ones(numbers), np.ones(numbers), 0.0
    for _ in range(steps):
        total += np.sum(window * weights)
    return total


def matrix_product_speed(
    sizes: Sequence[int] = (128, 256, 512, 768), dtype: type = np.float64
) -> float:
    """Measure what this machine can do at most: multiply-adds per second of a matrix product.

    Args:
        sizes: rows and columns of square matrices; the fastest of them counts.
        dtype: of their numbers.
    """
    best = 0.0
    for size in sizes:
        a, b = np.ones((size, size), dtype), np.ones((size, size), dtype)
        out = np.empty((size, size), dtype)
        best = max(best, size**3 / seconds(lambda a=a, b=b, out=out: np.matmul(a, b, out=out), 0.2))
    return best


def copying_speed(numbers: int = 4_000_000) -> float:
    """Measure how many bytes per second come and go between memory and processor.

    Args:
        numbers: float64 numbers that are copied, too many for the caches.
    """
    a, b = np.ones(numbers), np.empty(numbers)
    return 2 * a.nbytes / seconds(lambda: np.copyto(b, a))  # each is read once and written once
