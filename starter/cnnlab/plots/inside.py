"""What a trained net looks for, and what it finds."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np

from cnnlab.plots.style import WIDTH, bare, picture
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
            numbers are, in their own order.
    """
    sheets = {}
    for title, layer in maps.items():
        strongest = np.argsort(-layer.max(axis=(1, 2)), kind="stable")[: rows * columns]
        shown = layer[np.sort(strongest)]
        sheets[title] = tiled(stretched(shown)[..., None], columns)
    _draw_sheets(sheets)


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
