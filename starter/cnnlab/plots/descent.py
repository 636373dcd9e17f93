"""The paths of update rules down a ravine."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import matplotlib.pyplot as plt
import numpy as np

from cnnlab.plots.style import BLUE, INK, ORANGE, WIDTH, picture, ticks_in_view


@picture
def ravine(
    loss: Callable[[np.ndarray, np.ndarray], np.ndarray],
    paths: Mapping[str, np.ndarray],
) -> None:
    """Show the paths of weights on maps of the loss, seen from above, one under the other.

    A step of 1 is as long across as up, so the gradient stands at right angles to the lines.

    Args:
        loss: takes two arrays, the first and the second weight, and returns the loss at each pair.
        paths: title -> (steps + 1, 2), the two weights after each step. What leaves the map, which
            all of them share, is cut off. The square is where it starts, the star the lowest place.
    """
    starts = np.array([path[0] for path in paths.values()])
    far = 1.15 * np.abs(starts).max(axis=0)
    x, y = np.meshgrid(np.linspace(-far[0], far[0], 241), np.linspace(-far[1], far[1], 121))
    height = loss(x, y)
    lowest = np.unravel_index(np.argmin(height), height.shape)
    levels = height.min() + (height.max() - height.min()) * np.linspace(0, 1, 15)[1:] ** 2.5
    _, grid = plt.subplots(
        len(paths),
        1,
        figsize=(WIDTH, (WIDTH * far[1] / far[0] + 0.35) * len(paths) + 0.2),
        sharex=True,
        layout="constrained",
        squeeze=False,
    )
    for axes, (title, path) in zip(grid.ravel(), paths.items(), strict=False):
        axes.contour(x, y, height, levels=levels, cmap="Greys_r", linewidths=0.7, alpha=0.7)
        axes.plot(*path.T, "-o", color=BLUE, markersize=2.5, linewidth=1.1)
        axes.plot(*path[0], "s", color=ORANGE, markersize=7)
        axes.plot(x[lowest], y[lowest], "*", color=INK, markersize=11)
        axes.set_title(title, loc="left")
        axes.set_aspect("equal")
        axes.set_xlim(-far[0], far[0])
        axes.set_ylim(-far[1], far[1])
        ticks_in_view(axes)
