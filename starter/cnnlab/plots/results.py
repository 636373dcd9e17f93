"""How well classifiers do: their regions in the plane, losses, one table, confusions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap

from cnnlab.plots.style import COLOURS, GREY, INK, WIDTH, picture

_MARKERS = "os^Dv*"


@picture
def regions(
    classifiers: Mapping[str, Callable],
    points: np.ndarray,
    y: np.ndarray,
    marks: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Show which parts of the plane classifiers give to which class, and the points.

    Args:
        classifiers: title -> a function that takes (M, 2) and returns M classes.
        points: (N, 2). y: (N,), classes from 0 to 5.
        marks: title -> (K, 2), places to mark with a large cross; by their order, each in the
            colour of the class with that number.
    """
    low, high = points.min(axis=0) - 0.5, points.max(axis=0) + 0.5
    across, down = np.meshgrid(np.linspace(low[0], high[0], 160), np.linspace(low[1], high[1], 160))
    plane = np.stack([across.ravel(), down.ravel()], axis=1)
    count = len(classifiers)
    side = min(WIDTH / count, 4.0)
    _, grid = plt.subplots(
        1, count, figsize=(side * count, side + 0.3), layout="constrained", squeeze=False
    )
    pale = ListedColormap(COLOURS)
    for axes, (title, classify) in zip(grid[0], classifiers.items(), strict=True):
        classes = np.reshape(classify(plane), across.shape)
        extent = (low[0], high[0], low[1], high[1])
        axes.imshow(
            classes,
            origin="lower",
            extent=extent,
            cmap=pale,
            vmin=-0.5,
            vmax=len(COLOURS) - 0.5,
            alpha=0.3,
            aspect="auto",
        )
        for label in np.unique(y):
            axes.plot(
                *points[y == label].T,
                _MARKERS[label],
                color=COLOURS[label],
                markersize=5,
                markeredgecolor="white",
                markeredgewidth=0.6,
            )
        for label, place in enumerate((marks or {}).get(title, ())):
            axes.plot(*place, "X", color=INK, markersize=15, zorder=3)
            axes.plot(*place, "X", color=COLOURS[label], markersize=10, zorder=3)
        axes.set_title(title)
        axes.set_xticks([])
        axes.set_yticks([])


@picture
def losses(curves: Mapping[str, Sequence[float]], smooth: int = 20) -> None:
    """Draw how losses fall, step by step, each the mean of the last ``smooth`` batches."""
    _, axes = plt.subplots(figsize=(WIDTH * 0.75, 2.8), layout="constrained")
    for number, (name, curve) in enumerate(curves.items()):
        window = min(smooth, len(curve))
        mean = np.convolve(curve, np.ones(window) / window, mode="valid")
        axes.plot(
            np.arange(len(mean)) + window,
            mean,
            color=COLOURS[number],
            linestyle=("-", "--", "-.", ":")[number % 4],
            label=name,
        )
    axes.set_xlabel("steps")
    axes.set_ylabel("loss")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    if len(curves) > 1:
        axes.legend(frameon=False)


@picture
def results_table(
    accuracy: np.ndarray, seconds: np.ndarray, features: Sequence[str], classifiers: Sequence[str]
) -> None:
    """Show accuracy and time of every feature with every classifier; darker is better.

    Args:
        accuracy, seconds: (features, classifiers); NaN where nothing was measured.
        features, classifiers: their names.
    """
    high = 0.44 * len(features) + 0.7
    _, axes = plt.subplots(figsize=(WIDTH, high), layout="constrained")
    axes.imshow(np.nan_to_num(accuracy), cmap="Blues", vmin=0, vmax=1.15, aspect="auto")
    for (row, column), value in np.ndenumerate(accuracy):
        if np.isnan(value):
            continue
        axes.text(
            column,
            row,
            f"{100 * value:.1f}%   {seconds[row, column]:.1f} s",
            ha="center",
            va="center",
            color="white" if value > 0.7 else INK,
        )
    axes.set_xticks(range(len(classifiers)), classifiers)
    axes.set_yticks(range(len(features)), features)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


@picture
def results_chart(
    accuracy: np.ndarray, features: Sequence[str], classifiers: Sequence[str], chance: float
) -> None:
    """Draw the same accuracies as bars, a group for each feature.

    Args:
        accuracy: (features, classifiers), 0 to 1. chance: what guessing would reach.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 0.62 * len(features) + 1.2), layout="constrained")
    thick = 0.8 / len(classifiers)
    for number, name in enumerate(classifiers):
        places = np.arange(len(features)) + (number - (len(classifiers) - 1) / 2) * thick
        axes.barh(
            places,
            100 * accuracy[:, number],
            height=thick * 0.92,
            color=COLOURS[number],
            label=name,
            hatch=("", "//", "..")[number % 3],
            edgecolor="white",
        )
    axes.axvline(100 * chance, color=GREY, linestyle="--", label="guessing")
    axes.set_yticks(range(len(features)), features)
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("test accuracy in %")
    axes.tick_params(axis="y", length=0)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=4)


@picture
def confusions(counts: np.ndarray, names: Sequence[str]) -> None:
    """Show how often each class (row) was taken for which (column), in percent of the row.

    Args:
        counts: (C, C), [right class, predicted class].
        names: C of them.
    """
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 0.45 * len(names)
    longest = max(map(len, names))
    _, axes = plt.subplots(
        figsize=(min(WIDTH, side + 0.085 * longest + 0.8), side + 0.8), layout="constrained"
    )
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=115, aspect="auto")
    for (row, column), value in np.ndenumerate(shares):
        if value >= 0.5:
            dark = value > 70
            axes.text(
                column,
                row,
                f"{value:.0f}",
                ha="center",
                va="center",
                fontsize=10,
                color="white" if dark else INK,
            )
    axes.set_yticks(range(len(names)), [f"{name}  {i}" for i, name in enumerate(names)])
    axes.set_xticks(range(len(names)))
    axes.set_xlabel("taken for class")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
