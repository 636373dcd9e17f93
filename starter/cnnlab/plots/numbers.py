"""Small matrices with their numbers, and boxes around parts of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.patches import Rectangle

from cnnlab.plots.style import COLOURS, GREY, INK, PALE, WIDTH, canvas, picture

_CELL = 0.48  # inches
_TINT = "2e"  # how much of a box's colour fills it, as the last two digits of an RGBA colour


@dataclass(frozen=True)
class Box:
    """A box around some rows and columns of a matrix.

    row, column: its upper left corner. height, width: how many rows and columns it holds.
    colour: its place in the list of colours, 0 to 5.
    """

    row: int
    column: int
    height: int = 1
    width: int = 1
    colour: int = 0


@picture
def matrices(
    numbers: Mapping[str, np.ndarray],
    boxes: Mapping[str, Sequence[Box]] | None = None,
    signs: str = "",
) -> None:
    """Show small matrices side by side, number by number.

    Args:
        numbers: title -> array of shape (rows, columns), or (columns,). NaN shows as a "?".
        boxes: title -> the boxes to draw into that matrix.
        signs: what stands between one matrix and the next, a character each: "*=" for two gaps.
    """
    pages = {name: np.atleast_2d(np.asarray(page, dtype=float)) for name, page in numbers.items()}
    boxes = boxes or {}
    gap = 1.3
    # a title needs about a quarter of a cell per character
    widths = [max(page.shape[1], 0.235 * len(name)) for name, page in pages.items()]
    across = sum(widths) + gap * (len(pages) - 1)
    down = max(page.shape[0] for page in pages.values())
    scale = min(_CELL, WIDTH / (across + 0.4))
    _, axes = canvas((across + 0.4) * scale, (down + 1.3) * scale)
    left = 0.0
    for place, ((name, page), width) in enumerate(zip(pages.items(), widths, strict=True)):
        start = left + (width - page.shape[1]) / 2
        top = (down - page.shape[0]) / 2
        _one(axes, page, start, top, boxes.get(name, ()))
        axes.text(left + width / 2, top - 0.3, name, ha="center", va="bottom", fontsize=11)
        if place < len(signs):
            middle = (left + width + gap / 2, down / 2)
            axes.text(*middle, signs[place], ha="center", va="center", fontsize=15)
        left += width + gap
    axes.set_xlim(-0.2, across + 0.2)
    axes.set_ylim(down + 0.2, -1.1)


def _one(axes, page: np.ndarray, start: float, top: float, boxes: Sequence[Box]) -> None:
    rows, columns = page.shape
    for row in range(rows):
        for column in range(columns):
            corner = (start + column, top + row)
            axes.add_patch(Rectangle(corner, 1, 1, facecolor="white", edgecolor=PALE))
            value = page[row, column]
            words = "?" if np.isnan(value) else f"{value + 0.0:g}".replace("-", "−")
            axes.text(
                corner[0] + 0.5,
                corner[1] + 0.5,
                words,
                ha="center",
                va="center",
                fontsize=12 if len(words) < 4 else 10,
                color=INK,
            )
    axes.add_patch(Rectangle((start, top), columns, rows, fill=False, edgecolor=GREY))
    for box in boxes:
        colour = COLOURS[box.colour]
        inset = 0.06
        axes.add_patch(
            Rectangle(
                (start + box.column + inset, top + box.row + inset),
                box.width - 2 * inset,
                box.height - 2 * inset,
                facecolor=colour + _TINT,
                edgecolor=colour,
                linewidth=2,
            )
        )
