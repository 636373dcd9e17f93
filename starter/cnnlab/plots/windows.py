"""Where a filter fits along one side of an image; a layer as boxes of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.patches import Polygon, Rectangle

from cnnlab.plots.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    PINK,
    WIDTH,
    canvas,
    picture,
)


@picture
def grids(side: int, kernel: int, starts: Mapping[str, Sequence[int]]) -> None:
    """Draw square images as grids, each with windows along its upper edge.

    Args:
        side: pixels along each side of the image.
        kernel: the windows' side.
        starts: title -> the first column of each window, up to three. A window that hangs over
            the edge is drawn dashed.
    """
    hang = max(0, max(s for row in starts.values() for s in row) + kernel - side)
    gap = 1.6
    across = len(starts) * (side + hang) + (len(starts) - 1) * gap
    scale = min(0.42, WIDTH / across)
    _, axes = canvas(across * scale, (side + 1.5) * scale)
    for number, (title, row) in enumerate(starts.items()):
        left = number * (side + hang + gap)
        for i in range(side * side):
            corner = (left + i % side, i // side)
            axes.add_patch(Rectangle(corner, 1, 1, facecolor="white", edgecolor=PALE))
        axes.add_patch(Rectangle((left, 0), side, side, fill=False, edgecolor=GREY))
        axes.text(left + side / 2, -0.35, title, ha="center", va="bottom", fontsize=11)
        for count, start in enumerate(row):
            fits = start + kernel <= side
            colour = (BLUE, GREEN, PINK)[count] if fits else ORANGE
            inset = 0.05 + 0.08 * count  # so that windows that overlap can be told apart
            axes.add_patch(
                Rectangle(
                    (left + start + inset, inset),
                    kernel - 2 * inset,
                    kernel - 2 * inset,
                    facecolor=colour + "26",
                    edgecolor=colour,
                    linewidth=2.2,
                    linestyle="-" if fits else "--",
                )
            )
    axes.set_xlim(-0.1, across + 0.1)
    axes.set_ylim(side + 0.2, -1.3)


@picture
def places(side: int, kernel: int, starts: Mapping[str, Sequence[int]], pad: int = 0) -> None:
    """Draw one side of an image as a row of pixels, and the filter at given places below it.

    Args:
        side: pixels of the image along this side.
        kernel: the filter's length.
        starts: title -> the first pixel that the filter covers at each place, counted from the
            first pixel of the padding. A place that hangs over the edge is drawn dashed.
        pad: zeros at each end.
    """
    total = side + 2 * pad
    hang = max(0, max(s for row in starts.values() for s in row) + kernel - total)
    gap, each = 1.6, total + hang
    across = len(starts) * each + (len(starts) - 1) * gap
    down = 2.9 + 0.62 * max(len(row) for row in starts.values())
    scale = min(0.42, WIDTH / across)
    _, axes = canvas(across * scale, down * scale)
    for number, (title, row) in enumerate(starts.items()):
        left = number * (each + gap)
        for i in range(total):
            zero = not pad <= i < pad + side
            axes.add_patch(
                Rectangle((left + i, 0), 1, 1, facecolor=PALE if zero else "white", edgecolor=GREY)
            )
            label = "0" if zero else str(i - pad + 1)
            axes.text(
                left + i + 0.5,
                0.5,
                label,
                ha="center",
                va="center",
                fontsize=10,
                color=GREY if zero else INK,
            )
        axes.text(left + total / 2, -0.35, title, ha="center", va="bottom", fontsize=11)
        for count, start in enumerate(row):
            y = 1.35 + 0.62 * count
            fits = start + kernel <= total
            axes.add_patch(
                Rectangle(
                    (left + start + 0.08, y),
                    kernel - 0.16,
                    0.42,
                    facecolor=BLUE if fits else "white",
                    edgecolor=BLUE if fits else ORANGE,
                    linestyle="-" if fits else "--",
                    linewidth=1.8,
                )
            )
        fitting = sum(start + kernel <= total for start in row)
        words, colour = f"{fitting} places", INK
        if fitting < len(row):
            words, colour = "hangs over the edge", ORANGE
        y = 1.5 + 0.62 * len(row)
        axes.text(left + total / 2, y, words, ha="center", va="top", fontsize=11, color=colour)
    axes.set_xlim(-0.1, across + 0.1)
    axes.set_ylim(down - 1.1, -1.3)


@picture
def layer(
    in_shape: tuple[int, int, int], filter_shape: tuple[int, int, int], out_shape: tuple
) -> None:
    """Draw a convolution layer: the input, one of its filters, the output, as boxes.

    Args:
        in_shape, filter_shape: (channels, height, width).
        out_shape: (filters, height, width). With None for height and width they are written as
            "?", and the box is dashed.
    """
    _, axes = canvas(WIDTH, 2.9)
    parts = [
        (0.0, in_shape, BLUE, "input image"),
        (6.0, filter_shape, ORANGE, f"one of {out_shape[0]} filters"),
        (11.4, out_shape, GREEN, "output"),
    ]
    for left, shape, colour, name in parts:
        depth, height = shape[0], shape[1] or 0
        tall = 3.6 if height >= 16 else 1.0
        style = "-"
        if shape[1] is None:
            tall, style = 2.6, "--"
        _box(axes, left, (3.6 - tall) / 2, tall, 0.35 + 0.11 * depth, colour, style)
        words = " x ".join("?" if n is None else str(n) for n in shape)
        centre = left + (tall + 0.35 + 0.11 * depth) / 2
        axes.text(centre, -0.35, f"{name}\n{words}", ha="center", va="top", fontsize=11)
    axes.text(5.1, 1.9, "*", ha="center", va="center", fontsize=20)
    axes.text(10.0, 1.9, "→", ha="center", va="center", fontsize=20)
    axes.set_xlim(-0.6, 17.2)
    axes.set_ylim(-1.9, 5.2)


def _box(axes, left: float, bottom: float, tall: float, deep: float, colour: str, style: str):
    """A box seen from the front and above: tall x tall in front, going deep to the back."""
    right, top = left + tall, bottom + tall
    back = deep * 0.8
    faces = [
        ([(left, bottom), (right, bottom), (right, top), (left, top)], "40"),
        ([(left, top), (right, top), (right + deep, top + back), (left + deep, top + back)], "20"),
        (
            [
                (right, bottom),
                (right, top),
                (right + deep, top + back),
                (right + deep, bottom + back),
            ],
            "60",
        ),
    ]
    for corners, tint in faces:
        axes.add_patch(
            Polygon(
                corners, facecolor=colour + tint, edgecolor=colour, linewidth=1.5, linestyle=style
            )
        )
