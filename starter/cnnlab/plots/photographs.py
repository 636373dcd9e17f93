"""Many small colour images: sheets, neighbours, templates, visual words, mistakes."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

from cnnlab.plots.style import GREEN, GREY, ORANGE, WIDTH, bare, picture


@picture
def sheet(
    images: np.ndarray,
    titles: Sequence[str] = (),
    columns: int = 10,
    right: Sequence[bool | None] = (),
    row_names: Sequence[str] = (),
) -> None:
    """Show colour images in rows.

    Args:
        images: (N, H, W, 3), uint8 from 0 to 255 or floats from 0 to 1.
        titles: one for each image, or none.
        columns: how many images to a row.
        right: for each image True (a green frame), False (an orange, dashed one) or None (none).
        row_names: one for each row, written to its left.
    """
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    lines = max((title.count("\n") + 1 for title in titles), default=0)
    left = 0.09 * max((len(name) for name in row_names), default=0)
    side = min((WIDTH - left) / columns, 1.4)
    height = rows * (side + 0.19 * lines)
    figure = plt.figure(figsize=(left + side * columns, height))
    for i, image in enumerate(images):
        row, column = divmod(i, columns)
        top = 1 - row * (side + 0.19 * lines) / height
        axes = figure.add_axes(
            (
                (left + side * (column + 0.04)) / (left + side * columns),
                top - (0.19 * lines + side * 0.96) / height,
                side * 0.92 / (left + side * columns),
                side * 0.92 / height,
            )
        )
        axes.imshow(image)
        bare(axes)
        if i < len(titles):
            axes.set_title(titles[i], fontsize=10, pad=3)
        if i < len(right) and right[i] is not None:
            axes.add_patch(
                Rectangle(
                    (0, 0),
                    1,
                    1,
                    transform=axes.transAxes,
                    fill=False,
                    edgecolor=GREEN if right[i] else ORANGE,
                    linestyle="-" if right[i] else (0, (2, 1)),
                    linewidth=5,
                )
            )
        if column == 0 and row < len(row_names):
            middle = (axes.get_position().y0 + axes.get_position().y1) / 2
            figure.text(0, middle, row_names[row], fontsize=10, va="center")


@picture
def templates(weights: np.ndarray, names: Sequence[str], shape=(32, 32, 3)) -> None:
    """Show what each class of a linear classifier looks for, as a colour image.

    Args:
        weights: (D, C), a column for each class; D is the product of shape.
        names: C of them.
        shape: (H, W, 3) of the images.
    """
    columns = 5
    rows = -(-len(names) // columns)
    side = WIDTH / columns
    _, grid = plt.subplots(
        rows, columns, figsize=(WIDTH, rows * (side + 0.25)), layout="constrained", squeeze=False
    )
    for axes in grid.ravel():
        bare(axes)
    for axes, column, name in zip(grid.ravel(), weights.T, names, strict=False):
        limit = np.percentile(np.abs(column), 99.5) or 1
        axes.imshow(np.clip(0.5 + column.reshape(shape) / (2 * limit), 0, 1))
        axes.set_title(_wrapped(name), fontsize=10)


@picture
def patches(
    pieces: np.ndarray, size: int, columns: int = 20, title: str = "", apart: int = 0
) -> None:
    """Show small colour patches side by side, each with its own contrast: 0 is grey.

    Args:
        pieces: (K, size * size * 3), numbers of both signs.
        size: the side of a patch in pixels.
        columns: how many to a row.
        title: over all of them.
        apart: so many patches of each row stand apart, at its left.
    """
    columns = min(columns, len(pieces))
    rows = -(-len(pieces) // columns)
    gap = size if apart else 0
    page = np.ones((rows * (size + 1) + 1, columns * (size + 1) + 1 + gap, 3))
    for i, piece in enumerate(pieces):
        row, column = divmod(i, columns)
        limit = np.abs(piece).max() or 1
        down, across = row * (size + 1) + 1, column * (size + 1) + 1 + gap * (column >= apart)
        square = 0.5 + piece.reshape(size, size, 3) / (2 * limit)
        page[down : down + size, across : across + size] = square
    scale = min(WIDTH / page.shape[1], 0.07)
    room = 0.35 if title else 0
    figure = plt.figure(figsize=(page.shape[1] * scale, page.shape[0] * scale + room))
    axes = figure.add_axes((0, 0, 1, 1 - room / (page.shape[0] * scale + room)))
    axes.imshow(page)
    bare(axes)
    axes.set_title(title, color=GREY)


def _wrapped(name: str, width: int = 16) -> str:
    """A long class name in two lines."""
    if len(name) <= width:
        return name
    words = name.split()
    cut = min(range(1, len(words)), key=lambda n: abs(len(" ".join(words[:n])) - len(name) / 2))
    return " ".join(words[:cut]) + "\n" + " ".join(words[cut:])
