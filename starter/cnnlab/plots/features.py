"""What a feature sees: hues on the colour circle, and the directions of edges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import hsv_to_rgb

from cnnlab.plots.style import GREY, INK, WIDTH, bare, picture


@picture
def hue_histograms(images: Sequence[np.ndarray], histograms: Sequence[np.ndarray]) -> None:
    """Show images above their colour histograms; each bar has the colour that it counts.

    Args:
        images: up to 6 of (H, W, 3), uint8 or floats from 0 to 1.
        histograms: as many of (nbin,), over the whole circle.
    """
    count = len(images)
    _, grid = plt.subplots(
        2,
        count,
        figsize=(min(WIDTH, 2.6 * count), 3.6),
        layout="constrained",
        squeeze=False,
        height_ratios=(1.25, 1),
    )
    highest = max(np.max(h) for h in histograms) * 1.05 or 1
    for column, (image, histogram) in enumerate(zip(images, histograms, strict=True)):
        grid[0, column].imshow(image)
        bare(grid[0, column])
        bins = np.arange(len(histogram))
        hues = (bins + 0.5) / len(histogram)
        colours = hsv_to_rgb(np.stack([hues, 0 * hues + 0.85, 0 * hues + 0.85], axis=1))
        axes = grid[1, column]
        axes.bar(bins, histogram, width=0.92, color=colours)
        axes.set_ylim(0, highest)
        axes.set_xticks([])
        axes.set_xlabel("hue")
        if column:
            axes.set_yticks([])
        else:
            axes.set_ylabel("share of pixels")


@picture
def hog_glyphs(images: Mapping[str, np.ndarray], cells: Mapping[str, np.ndarray]) -> None:
    """Show images above their edges as HoG sees them: in each cell a star of lines.

    A line lies *along* the edge, so at a right angle to its gradient; the longer, the more of it
    (by the square root).

    Args:
        images: title -> (H, W, 3), uint8 or floats from 0 to 1.
        cells: the same titles -> (rows, columns, nbin), a histogram of directions for each cell.
    """
    count = len(images)
    side = min(WIDTH / count, 2.7)
    _, grid = plt.subplots(
        2, count, figsize=(side * count, 2 * side + 0.3), layout="constrained", squeeze=False
    )
    for column, (title, image) in enumerate(images.items()):
        upper, lower = grid[:, column]
        upper.imshow(image)
        upper.set_title(title, fontsize=10)
        bare(upper)
        histogram = np.asarray(cells[title], dtype=float)
        rows, columns, nbin = histogram.shape
        angles = (np.arange(nbin) + 0.5) * np.pi / nbin + np.pi / 2
        # the square root keeps faint edges in sight
        lengths = 0.48 * np.sqrt(histogram / (histogram.max() or 1))
        lines = []
        for r, c, k in np.argwhere(lengths > 0.06):
            dx, dy = lengths[r, c, k] * np.cos(angles[k]), lengths[r, c, k] * np.sin(angles[k])
            lines.append([(c + 0.5 - dx, r + 0.5 - dy), (c + 0.5 + dx, r + 0.5 + dy)])
        lower.add_collection(LineCollection(lines, colors=INK, linewidths=1.6))
        for edge in range(rows + 1):
            lower.axhline(edge, color=GREY, linewidth=0.4, alpha=0.5)
        for edge in range(columns + 1):
            lower.axvline(edge, color=GREY, linewidth=0.4, alpha=0.5)
        lower.set_xlim(0, columns)
        lower.set_ylim(rows, 0)
        lower.set_aspect("equal")
        bare(lower)
