"""Colours, sizes, and what all pictures have in common."""

from __future__ import annotations

import functools
from collections.abc import Callable

import matplotlib.pyplot as plt

# Okabe and Ito's colours: people with any of the usual colour blindnesses can tell them apart.
BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
SKY, YELLOW = "#56B4E9", "#E69F00"
COLOURS = (BLUE, ORANGE, GREEN, PINK, YELLOW, SKY)
INK, GREY, PALE = "#1f2328", "#6e7781", "#e4e8ec"

WIDTH = 8.2  # inches: a notebook's column shows it without making it smaller

_SETTINGS = {
    "figure.dpi": 100,
    "figure.facecolor": "white",  # also in a notebook with a dark theme
    "savefig.facecolor": "white",
    "axes.facecolor": "white",
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.labelsize": 11,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.fontsize": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "image.interpolation": "nearest",
}


def common_style():
    """Within ``with common_style():`` figures get the common settings."""
    return plt.rc_context(_SETTINGS)


def picture(draw: Callable) -> Callable:
    """Make draw use the common settings, and show what it drew. The result is None."""

    @functools.wraps(draw)
    def drawn(*arguments, **named) -> None:
        with common_style():
            draw(*arguments, **named)
            plt.show()

    return drawn


def canvas(width: float, height: float):
    """A figure with one axes without frame or ticks, one unit as long across as up.

    Args:
        width, height: in inches.

    Returns:
        matplotlib's (figure, axes).
    """
    figure, axes = plt.subplots(figsize=(width, height), layout="constrained")
    axes.set_aspect("equal")
    axes.axis("off")
    return figure, axes


def bare(axes) -> None:
    """Take the frame and the ticks off matplotlib's axes."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.axis("off")


def ticks_in_view(axes) -> None:
    """Keep only those ticks that lie within the limits of matplotlib's axes, as they are now."""
    for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        low, high = sorted(limits)
        axis.set_ticks([tick for tick in axis.get_ticklocs() if low <= tick <= high])
