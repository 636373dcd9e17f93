"""Stacks of layers, and what one output sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cnnlab.plots.style import BLUE, GREY, INK, WIDTH, canvas, picture


@picture
def stacks(positions: Mapping[str, Sequence[Sequence[float]]], kernel: int = 3) -> None:
    """Draw stacks of layers along one side: dots are numbers, lines say what sees what.

    Args:
        positions: title -> the layers from the image up; a layer is the list of the places of its
            numbers, counted in pixels of the image. Each number sees the ``kernel`` nearest ones
            of the layer below.
        kernel: odd.
    """
    spans = {name: max(layers[0]) - min(layers[0]) for name, layers in positions.items()}
    gap = 3.2
    across = sum(spans.values()) + gap * (len(spans) - 1)
    high = max(len(layers) for layers in positions.values())
    scale = min(0.5, WIDTH / (across + 2))
    _, axes = canvas((across + 2) * scale, (1.6 * (high - 1) + 2.6) * scale)
    left = 0.0
    for name, layers in positions.items():
        start = left - min(layers[0])
        for level, layer in enumerate(layers):
            for place in layer:
                if level:
                    below = sorted(layers[level - 1], key=lambda p, at=place: abs(p - at))[:kernel]
                    for other in below:
                        ends = ([start + other, start + place], [1.6 * (level - 1), 1.6 * level])
                        axes.plot(*ends, color=GREY, linewidth=1.2, zorder=1)
                top = level == len(layers) - 1
                axes.plot(
                    start + place,
                    1.6 * level,
                    "o",
                    markersize=11,
                    zorder=2,
                    markerfacecolor=BLUE if top else "white",
                    markeredgecolor=BLUE,
                    markeredgewidth=1.8,
                )
        words = f"sees {len(layers[0])} pixels"
        middle = left + spans[name] / 2
        axes.text(middle, -0.55, words, ha="center", va="top", fontsize=11, color=INK)
        axes.text(middle, 1.6 * (high - 1) + 0.6, name, ha="center", va="bottom", fontsize=11)
        left += spans[name] + gap
    axes.set_xlim(-1, across + 1)
    axes.set_ylim(-1.2, 1.6 * (high - 1) + 1.4)
