"""What a trained net looks for, and what it finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np

from cnnlab.plots.style import ORANGE, WIDTH, bare, picture
from cnnlab.plots.tiles import stretched, tiled


@picture
def filters(weights: Mapping[str, np.ndarray], columns: int = 16) -> None:
    """Show the filters of a first layer as small colour pictures: 0 is grey.

    Args:
        weights: title -> (F, 3, k, k), colours, or (F, 1, k, k), grey. All filters of an array
            share one scale, so a pale one has small weights.
        columns: how many to a row.
    """
    sheets = {}
    for title, w in weights.items():
        largest = np.abs(w).max() or 1.0
        sheets[title] = tiled(0.5 + w.transpose(0, 2, 3, 1) / (2 * largest), columns)
    _draw_sheets(sheets)


@picture
def activation_maps(maps: Mapping[str, np.ndarray], columns: int = 16, rows: int = 2) -> None:
    """Show the maps that layers make of one picture, a block for each layer.

    Args:
        maps: title -> (C, H, W). Each map is stretched by itself: its smallest number is black, its
            largest white; one that is the same everywhere is black.
        columns, rows: how many maps of a layer are shown, at the most; those with the largest
            numbers are, in their own order, and the title says so.
    """
    sheets = {}
    for title, layer in maps.items():
        strongest = np.argsort(-layer.max(axis=(1, 2)), kind="stable")[: rows * columns]
        shown = layer[np.sort(strongest)]
        if len(shown) < len(layer):
            title = f"{title}, the {len(shown)} strongest"
        sheets[title] = tiled(stretched(shown)[..., None], columns)
    _draw_sheets(sheets)


@picture
def moves(sure: Mapping[str, tuple[np.ndarray, np.ndarray]], offsets: Sequence[int]) -> None:
    """Show pictures, and beside each how sure a net is of its class wherever it is moved to.

    Args:
        sure: class -> (picture, probabilities); (H, W, 3), and (k, k) from 0 to 1, whose rows are
            moves down and whose columns moves to the right. Black is 0%, white 100%, in all.
        offsets: the k moves in pixels, evenly spaced; a cross marks where nothing is moved.
    """
    figure, grid = plt.subplots(
        1,
        2 * len(sure),
        figsize=(WIDTH, 0.62 * WIDTH / len(sure)),
        layout="constrained",
        squeeze=False,
    )
    half = (offsets[1] - offsets[0]) / 2
    edges = (offsets[0] - half, offsets[-1] + half)
    ticks = (offsets[0], 0, offsets[-1])
    for pair, (name, (image, probabilities)) in zip(
        grid[0].reshape(-1, 2), sure.items(), strict=True
    ):
        pair[0].imshow(image)
        pair[0].set_title(name)
        bare(pair[0])
        shown = pair[1].imshow(
            100 * probabilities, cmap="gray", vmin=0, vmax=100, extent=(*edges, *edges[::-1])
        )
        pair[1].spines[:].set_visible(True)  # white on white would have no edge
        pair[1].plot(0, 0, "x", color=ORANGE, markersize=8, markeredgewidth=2)
        pair[1].set_xticks(ticks)
        pair[1].set_yticks(ticks)
        pair[1].set_xlabel("moved right")
        pair[1].set_ylabel("moved down", labelpad=0)
    figure.colorbar(shown, ax=list(grid[0]), shrink=0.6, aspect=12, label="sure, in %")


def _draw_sheets(sheets: Mapping[str, np.ndarray]) -> None:
    """Pages of tiles one under the other, each as wide as the picture."""
    heights = [WIDTH * len(sheet) / sheet.shape[1] for sheet in sheets.values()]
    _, grid = plt.subplots(
        len(sheets),
        1,
        figsize=(WIDTH, sum(heights) + 0.35 * len(sheets)),
        height_ratios=heights,
        layout="constrained",
        squeeze=False,
    )
    for axes, (title, sheet) in zip(grid[:, 0], sheets.items(), strict=True):
        axes.imshow(sheet, cmap="gray", vmin=0, vmax=1)
        axes.set_title(title, loc="left")
        bare(axes)
