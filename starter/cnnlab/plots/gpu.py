"""What happens when, on which lane; which thread makes which output; what fills a memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Patch, Rectangle

from cnnlab.plots.style import COLOURS, GREY, INK, ORANGE, PALE, WIDTH, canvas, picture

_TINT = "38"
Span = tuple[float, float, str]


@picture
def timeline(panels: Mapping[str, Sequence[tuple[str, Sequence[Span]]]], across: str) -> None:
    """Draw what is done when: a bar for each piece of work, a row for each who does it.

    Args:
        panels: title -> rows; a row is (its name, its bars), a bar (start, end, what is done).
            The same work has the same colour everywhere. Rows without a name are thin.
        across: the unit of time, for the axis.
    """
    every = [span for rows in panels.values() for _, spans in rows for span in spans]
    works = list(dict.fromkeys(work for _, _, work in every))
    heights = [sum(0.34 if name else 0.13 for name, _ in rows) + 0.2 for rows in panels.values()]
    figure, grid = plt.subplots(
        len(panels),
        1,
        figsize=(WIDTH, sum(heights) + 0.33 * len(panels) + 0.9),
        height_ratios=heights,
        sharex=True,
        layout="constrained",
        squeeze=False,
    )
    for axes, (title, rows) in zip(grid[:, 0], panels.items(), strict=True):
        for place, (_, spans) in enumerate(rows):
            for start, end, work in spans:
                colour = COLOURS[works.index(work) % len(COLOURS)]
                axes.barh(place, end - start, left=start, height=0.76, color=colour, ec="white")
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        axes.set_ylim(len(rows) - 0.45, -0.55)
        axes.tick_params(axis="y", length=0)
        axes.set_title(title, loc="left")
        axes.grid(axis="x", alpha=0.3)
        axes.set_axisbelow(True)
    grid[-1, 0].set_xlabel(across)
    grid[-1, 0].set_xlim(0, 1.02 * max(end for _, end, _ in every))
    if len(works) > 1:
        patches = [Patch(color=COLOURS[k % len(COLOURS)], label=w) for k, w in enumerate(works)]
        figure.legend(handles=patches, loc="outside lower center", ncols=4, frameon=False)


@picture
def threads(
    rows: int, columns: int, block: int, marked: tuple[tuple[int, int], tuple[int, int]]
) -> None:
    """Draw a grid of square blocks of threads over an output: one thread for each number.

    Args:
        rows, columns: of the output. The grid has as many blocks as cover it.
        block: threads along each side of a block.
        marked: one thread whose place is worked out beside the picture, as
            ((block's x, block's y), (thread's x, thread's y)).
    """
    across, down = -(-columns // block), -(-rows // block)
    wide, high = across * block, down * block
    scale = 0.36
    _, axes = canvas(WIDTH, (high + 2.4) * scale)
    for row, column in np.ndindex(high, wide):
        colour = COLOURS[(row // block * across + column // block) % len(COLOURS)]
        inside = row < rows and column < columns
        axes.add_patch(
            Rectangle(
                (column, row),
                1,
                1,
                facecolor=colour + _TINT if inside else "white",
                edgecolor=PALE,
            )
        )
        if not inside:  # a thread without a number to make
            axes.plot(column + 0.5, row + 0.5, "x", color=GREY, markersize=5)
    for column in range(wide):
        axes.text(column + 0.5, -0.2, str(column), ha="center", va="bottom", fontsize=10)
    for row in range(high):
        axes.text(-0.2, row + 0.5, str(row), ha="right", va="center", fontsize=10)
    for y, x in np.ndindex(down, across):
        corner = (x * block, y * block)
        axes.add_patch(Rectangle(corner, block, block, fill=False, edgecolor=INK, lw=1.4))
    axes.add_patch(Rectangle((0, 0), columns, rows, fill=False, edgecolor=ORANGE, lw=3))
    (block_x, block_y), (x, y) = marked
    place = (block_x * block + x, block_y * block + y)
    axes.add_patch(Rectangle(place, 1, 1, facecolor=INK))
    lines = [
        "the black thread:",
        f"column = blockIdx.x · blockDim.x + threadIdx.x = {block_x} · {block} + {x} = {place[0]}",
        f"row = blockIdx.y · blockDim.y + threadIdx.y = {block_y} · {block} + {y} = {place[1]}",
        "",
        f"orange: the output, {rows} x {columns}",
        f"{across} x {down} blocks of {block} x {block} threads",
        f"×: {wide * high - rows * columns} threads that have nothing to do",
    ]
    axes.text(wide + 0.6, high / 2, "\n".join(lines), ha="left", va="center", fontsize=10)
    axes.set_xlim(-0.9, WIDTH / scale - 0.9)
    axes.set_ylim(high + 0.3, -1.2)


@picture
def stacked(
    bars: Mapping[str, Mapping[str, float]], across: str, limit: float | None = None
) -> None:
    """Draw sums as bars, with what they consist of.

    Args:
        bars: name -> {part: how much}, from the left to the right.
        across: what is counted, for the axis.
        limit: a line at what must not be passed.
    """
    parts = list(dict.fromkeys(part for bar in bars.values() for part in bar))
    figure, axes = plt.subplots(figsize=(WIDTH, 0.4 * len(bars) + 1.3), layout="constrained")
    for place, bar in enumerate(bars.values()):
        left = 0.0
        for part, value in bar.items():
            colour = COLOURS[parts.index(part) % len(COLOURS)]
            axes.barh(place, value, left=left, height=0.7, color=colour)
            left += value
        axes.text(left, place, f" {left:.2g}", va="center", fontsize=10)
    total = max(sum(bar.values()) for bar in bars.values())
    if limit is not None:
        axes.axvline(limit, color=INK, linestyle="--")
        total = max(total, limit)
    axes.set_xlim(0, 1.12 * total)
    axes.set_yticks(range(len(bars)), list(bars))
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(across)
    patches = [Patch(color=COLOURS[k % len(COLOURS)], label=part) for k, part in enumerate(parts)]
    figure.legend(handles=patches, loc="outside upper center", ncols=4, frameon=False)
