"""Lines, and bars of accuracies, times and ratios."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from cnnlab.plots.style import BLUE, COLOURS, GREY, ORANGE, WIDTH, picture, ticks_in_view


@picture
def curves(
    lines: Mapping[str, Mapping[float, float]],
    xlabel: str,
    ylabel: str,
    chance: float | None = None,
    logarithmic: bool = False,
) -> None:
    """Draw lines through points.

    Args:
        lines: name -> {x: y}.
        xlabel, ylabel: what the axes are.
        chance: a dashed line, at what guessing would reach.
        logarithmic: the y axis, for numbers that differ by powers of ten.
    """
    _, axes = plt.subplots(figsize=(WIDTH * 0.8, 3.2), layout="constrained")
    for number, (name, points) in enumerate(lines.items()):
        axes.plot(
            list(points),
            list(points.values()),
            marker="os^Dv*"[number % 6],
            markersize=4,
            color=COLOURS[number % len(COLOURS)],
            linestyle=("-", "--", "-.", ":")[number % 4],
            label=name,
        )
    if chance is not None:
        axes.axhline(chance, color=GREY, linestyle="--", linewidth=1, label="guessing")
    if logarithmic:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    if all(float(x).is_integer() for points in lines.values() for x in points):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.grid(alpha=0.3)
    ticks_in_view(axes)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))


@picture
def ladder(accuracy: Mapping[str, float], chance: float, ours: int = 1) -> None:
    """Draw one accuracy for each way to classify, as bars, in the order given.

    Args:
        accuracy: name -> 0 to 1; NaN where nothing was measured, which leaves a gap.
        chance: what guessing would reach.
        ours: so many of the last bars are in another colour.
    """
    names, values = list(accuracy), 100 * np.array(list(accuracy.values()))
    _, axes = plt.subplots(figsize=(WIDTH, 0.36 * len(names) + 0.9), layout="constrained")
    places = np.arange(len(names))
    colours = [ORANGE if k >= len(names) - ours else BLUE for k in places]
    axes.barh(places, np.nan_to_num(values), color=colours, height=0.72)
    for place, value in zip(places, values, strict=True):
        text = "not measured" if np.isnan(value) else f"{value:.1f}%"
        axes.text(np.nan_to_num(value) + 1, place, text, va="center", fontsize=10)
    axes.axvline(100 * chance, color=GREY, linestyle="--", zorder=0)
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set_xlim(0, 112)
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel("test accuracy in % (dashed: guessing)")
    axes.tick_params(axis="y", length=0)


@picture
def bars(values: Mapping[str, float], across: str, mark: float | None = None) -> None:
    """Draw numbers as bars, in the order given.

    Args:
        values: name -> 0 or more; NaN where nothing was measured, which leaves a gap.
        across: what the numbers are, for the axis.
        mark: a dashed line, at what the bars are compared with.
    """
    names, lengths = list(values), np.array(list(values.values()), dtype=float)
    _, axes = plt.subplots(figsize=(WIDTH, 0.36 * len(names) + 0.9), layout="constrained")
    places = np.arange(len(names))
    axes.barh(places, np.nan_to_num(lengths), color=BLUE, height=0.72)
    for place, value in zip(places, lengths, strict=True):
        text = "not measured" if np.isnan(value) else f"{value:.3g}"
        ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}  # the line passes behind
        axes.annotate(
            text,
            (np.nan_to_num(value), place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=10,
            bbox=ground,
        )
    if mark is not None:
        axes.axvline(mark, color=GREY, linestyle="--", zorder=0)
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.15 * max(np.nan_to_num(lengths).max(), mark or 0) or 1)
    axes.set_xlabel(across)
    axes.tick_params(axis="y", length=0)
