"""Arrays and the memory that they lie in."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.patches import Rectangle

from cnnlab.plots.style import COLOURS, GREY, INK, WIDTH, canvas, picture

_TINT = "38"


@picture
def memory(arrays: Mapping[str, np.ndarray]) -> None:
    """Draw small matrices, and below each the row of bytes in which its numbers lie.

    Each row of the first matrix has a colour, which its numbers keep wherever they go. An array
    that shares memory with an earlier one has no bytes of its own: it says so.

    Args:
        arrays: title -> array of shape (rows, columns), all with the same numbers, each number
            once. Up to six rows in the first, and 24 numbers.
    """
    first = next(iter(arrays.values()))
    row_of = {value: row for row in range(len(first)) for value in first[row]}
    blocks, left = [], 0.0
    for name, array in arrays.items():
        shared = next((other for other, seen, _ in blocks if np.shares_memory(seen, array)), None)
        blocks.append((name, array, shared))
    count, gap = max(array.size for array in arrays.values()), 1.2
    widths = [max(array.shape[1], 0.25 * len(name)) for name, array, _ in blocks]
    strips = [(name, array) for name, array, shared in blocks if shared is None]
    tall = max(array.shape[0] for _, array, _ in blocks)
    down = tall + 1.5 + 2.2 * len(strips)
    across = max(sum(widths) + gap * (len(widths) - 1), count + 0.2)
    scale = min(0.48, WIDTH / (across + 0.4))
    _, axes = canvas((across + 0.4) * scale, (down + 1.2) * scale)
    for (name, array, shared), width in zip(blocks, widths, strict=True):
        begin = left + (width - array.shape[1]) / 2
        for (row, column), value in np.ndenumerate(array):
            _number(axes, begin + column, row, value, row_of[value])
        axes.text(left + width / 2, -0.3, name, ha="center", va="bottom", fontsize=11)
        words = f"strides {array.strides}"
        words += f"\nmemory of {shared}" if shared else "\nmemory of its own"
        axes.text(left + width / 2, array.shape[0] + 0.2, words, ha="center", va="top", fontsize=10)
        left += width + gap
    for place, (name, array) in enumerate(strips):
        top = tall + 2.3 + 2.2 * place
        axes.text(0, top - 0.15, f"memory of {name}:", ha="left", va="bottom", fontsize=10)
        for number, value in enumerate(_in_memory(array)):
            _number(axes, number, top, value, row_of[value])
            byte = str(number * array.itemsize)
            axes.text(number, top + 1.1, byte, ha="center", va="top", fontsize=10, color=GREY)
    axes.set_xlim(-0.4, across + 0.2)
    axes.set_ylim(down + 0.2, -1.1)


def _in_memory(array: np.ndarray) -> np.ndarray:
    """The numbers in the order in which they lie in memory."""
    places = sum(
        stride * index for stride, index in zip(array.strides, np.indices(array.shape), strict=True)
    )
    return array.ravel()[np.argsort(places, axis=None)]


def _number(axes, left: float, top: float, value: float, row: int) -> None:
    colour = COLOURS[row % len(COLOURS)]
    axes.add_patch(Rectangle((left, top), 1, 1, facecolor=colour + _TINT, edgecolor="white"))
    axes.add_patch(Rectangle((left, top), 1, 1, fill=False, edgecolor=GREY, linewidth=0.6))
    axes.text(left + 0.5, top + 0.5, f"{value:g}", ha="center", va="center", fontsize=11, color=INK)


@picture
def product(parts: Mapping[str, tuple[int, int]], signs: str = "@=") -> None:
    """Draw matrices as boxes with their sides written on them, to a scale that is not linear.

    Args:
        parts: name -> (rows, columns).
        signs: what stands between one box and the next.
    """
    sides = {name: (rows**0.5 / 4, columns**0.5 / 4) for name, (rows, columns) in parts.items()}
    gap = 1.5
    across = sum(wide for _, wide in sides.values()) + gap * (len(parts) - 1)
    tall = max(high for high, _ in sides.values())
    scale = min(0.45, WIDTH / (across + 1.4))
    _, axes = canvas((across + 1.4) * scale, (tall + 2.6) * scale)
    left = 0.0
    for place, ((name, (rows, columns)), (high, wide)) in enumerate(
        zip(parts.items(), sides.values(), strict=True)
    ):
        colour, top = COLOURS[place], (tall - high) / 2
        axes.add_patch(
            Rectangle((left, top), wide, high, facecolor=colour + "30", edgecolor=colour, lw=1.6)
        )
        middle = left + wide / 2
        axes.text(middle, top - 0.15, f"{columns:,}", ha="center", va="bottom", fontsize=10)
        axes.text(left - 0.1, top + high / 2, f"{rows:,}", ha="right", va="center", fontsize=10)
        axes.text(middle, tall + 0.35, name, ha="center", va="top", fontsize=11)
        if place < len(signs):
            at = (left + wide + gap / 2 - 0.25, tall / 2)
            axes.text(*at, signs[place], ha="center", va="center", fontsize=15)
        left += wide + gap
    axes.set_xlim(-0.9, across + 0.5)
    axes.set_ylim(tall + 1.3, -0.9)
