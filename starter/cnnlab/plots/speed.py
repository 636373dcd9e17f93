"""How long things take, and what the machine allows."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from cnnlab.plots.style import COLOURS, GREY, INK, WIDTH, picture

_MARKERS = "os^Dv*"


@picture
def times(
    curves: Mapping[str, Mapping[float, float]],
    across: str,
    floor: Mapping[float, float] | None = None,
) -> None:
    """Draw times against sizes, both on logarithmic axes.

    Args:
        curves: name -> {size: seconds}.
        across: what the sizes are, for the axis.
        floor: size -> the seconds below which this machine cannot go, if that is known.
    """
    _, axes = plt.subplots(figsize=(WIDTH * 0.85, 3.6), layout="constrained")
    for number, (name, curve) in enumerate(curves.items()):
        axes.loglog(
            list(curve),
            [1000 * seconds for seconds in curve.values()],
            color=COLOURS[number % len(COLOURS)],
            marker=_MARKERS[number % len(_MARKERS)],
            label=name,
        )
    if floor:
        low = [1000 * seconds for seconds in floor.values()]
        axes.loglog(list(floor), low, color=GREY, linestyle="--", label="the machine's limit")
    sizes = sorted({size for curve in curves.values() for size in curve})
    axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
    axes.minorticks_off()
    low, high = axes.get_ylim()
    # where 1, 10 and 100 are too far apart, the numbers between them are needed too
    between = (1, 1.5, 2, 3, 4, 6, 8) if high < 10 * low else (1, 2, 5)
    axes.yaxis.set_major_locator(LogLocator(subs=between if high < 100 * low else (1,)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel(across)
    axes.set_ylabel("milliseconds")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, bbox_to_anchor=(1.0, 1.0), loc="upper left")


@picture
def roofline(
    product_speed: float,
    copying_speed: float,
    layers: Mapping[str, tuple[float, float]],
    pairs: bool = False,
) -> None:
    """Draw layers under the roof that memory and arithmetic set.

    Args:
        product_speed: multiply-adds per second, at most.
        copying_speed: bytes per second between memory and processor.
        layers: name -> (multiply-adds per byte, multiply-adds per second).
        pairs: two points at a time are one layer in two sizes: they share colour and mark, and the
            first of them is hollow.
    """
    _, axes = plt.subplots(figsize=(WIDTH, 3.8), layout="constrained")
    corner = product_speed / copying_speed
    densities = [density for density, _ in layers.values()]
    low, high = min(*densities, corner) / 4, max(*densities, corner) * 4
    roof = np.array([low, corner, high])
    axes.loglog(roof, np.minimum(roof * copying_speed, product_speed) / 1e9, color=INK, linewidth=2)
    top = product_speed / 1e9
    # each word beside its own part of the roof
    axes.text(high, top * 1.12, "arithmetic is the limit", ha="right", va="bottom", fontsize=10)
    along = low**0.35 * corner**0.65
    axes.annotate(
        "memory is\nthe limit",
        (along, along * copying_speed / 1e9),
        xytext=(-6, 2),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=10,
    )
    axes.plot([corner, corner], [top / 1e6, top], color=GREY, linestyle=":", linewidth=1)
    axes.annotate(
        f"{corner:.2g} per byte",
        (corner, 0.02),
        xycoords=("data", "axes fraction"),
        xytext=(4, 0),
        textcoords="offset points",
        color=GREY,
        fontsize=10,
    )
    for number, (name, (density, speed)) in enumerate(layers.items()):
        layer = number // 2 if pairs else number
        axes.plot(
            density,
            speed / 1e9,
            _MARKERS[layer % len(_MARKERS)],
            color=COLOURS[layer % len(COLOURS)],
            fillstyle="none" if pairs and number % 2 == 0 else "full",
            markeredgewidth=2 if pairs else 1,
            markersize=9,
            label=name,
        )
    lowest = min(speed for _, speed in layers.values()) / 1e9
    axes.set_ylim(min(lowest, low * copying_speed / 1e9) / 3, top * 2.5)
    for axis in (axes.xaxis, axes.yaxis):
        wide = axis is axes.xaxis and high > 2000 * low  # then 1, 2 and 5 touch each other
        axis.set_major_locator(LogLocator(subs=(1, 3) if wide else (1, 2, 5), numticks=20))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()
    axes.set_xlabel("multiply-adds per byte")
    axes.set_ylabel("billion multiply-adds per second")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, bbox_to_anchor=(1.0, 1.0), loc="upper left")
