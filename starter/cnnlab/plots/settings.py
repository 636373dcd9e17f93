"""The settings of a convolution layer: which pixels a filter touches, which channels it sees."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.patches import Rectangle

from cnnlab.plots.style import BLUE, COLOURS, GREY, INK, ORANGE, PALE, WIDTH, canvas, picture

_TINT = "45"


@picture
def taps(layers: Mapping[str, Mapping[str, int]]) -> None:
    """Draw which pixels a filter touches at its first place, and at the next one.

    Args:
        layers: title -> {"size", "kernel", "stride", "pad", "dilation"}: all of squares; stride and
            dilation are 1, and pad 0, where they are not given.
    """
    settings = [{"stride": 1, "pad": 0, "dilation": 1, **layer} for layer in layers.values()]
    sides = [s["size"] + 2 * s["pad"] for s in settings]
    gap = 2.0
    across = sum(sides) + gap * (len(sides) - 1)
    tall = max(sides)
    scale = min(0.3, WIDTH / (across + 0.4))
    _, axes = canvas((across + 0.4) * scale, (tall + 4.6) * scale)
    left = 0.0
    for title, s, side in zip(layers, settings, sides, strict=True):
        top = (tall - side) / 2
        for place in range(side * side):
            row, column = divmod(place, side)
            image = s["pad"] <= min(row, column) and max(row, column) < s["pad"] + s["size"]
            axes.add_patch(
                Rectangle(
                    (left + column, top + row),
                    1,
                    1,
                    facecolor="white" if image else PALE,
                    edgecolor=GREY if image else "white",
                    linewidth=0.6,
                )
            )
        for number, colour in enumerate((BLUE, ORANGE)):
            _draw_taps(axes, (left + number * s["stride"], top), s, colour, 0.08 + 0.16 * number)
        span = (s["kernel"] - 1) * s["dilation"] + 1
        out = (side - span) // s["stride"] + 1
        words = f"{out} x {out} out"
        axes.text(left + side / 2, -0.4, title, ha="center", va="bottom", fontsize=11)
        axes.text(left + side / 2, tall + 0.4, words, ha="center", va="top", fontsize=11)
        left += side + gap
    axes.set_xlim(-0.2, across + 0.2)
    axes.set_ylim(tall + 2.0, -2.4)


def _draw_taps(axes, corner: tuple[float, float], s: Mapping, colour: str, inset: float) -> None:
    for place in range(s["kernel"] ** 2):
        row, column = divmod(place, s["kernel"])
        at = (
            corner[0] + column * s["dilation"] + inset,
            corner[1] + row * s["dilation"] + inset,
        )
        side = 1 - 2 * inset
        axes.add_patch(
            Rectangle(at, side, side, facecolor=colour + _TINT, edgecolor=colour, linewidth=1.6)
        )


@picture
def groups(layers: Mapping[str, tuple[int, int, int]]) -> None:
    """Draw which input channels each output channel is made from.

    Args:
        layers: title -> (input channels, output channels, groups).
    """
    widest = max(max(inputs, outputs) for inputs, outputs, _ in layers.values())
    each, gap = widest, 2.0
    across = len(layers) * each + (len(layers) - 1) * gap
    scale = min(0.42, WIDTH / (across + 0.6))
    _, axes = canvas((across + 0.6) * scale, 5.6 * scale)
    for number, (title, (inputs, outputs, count)) in enumerate(layers.items()):
        middle = number * (each + gap) + each / 2
        ends = [middle - inputs / 2 + 0.5 + i for i in range(inputs)]
        starts = [middle - outputs / 2 + 0.5 + f for f in range(outputs)]
        for f, x in enumerate(starts):
            group = f // (outputs // count)
            colour = COLOURS[group % len(COLOURS)]
            wide = inputs // count
            for end in ends[group * wide : (group + 1) * wide]:
                axes.plot([x, end], [2.6, 0], color=colour, linewidth=1.5, zorder=1)
            axes.plot(x, 2.6, "s", markersize=12, mfc="white", mec=colour, mew=2, zorder=2)
        for x in ends:
            axes.plot(x, 0, "s", markersize=12, mfc="white", mec=INK, mew=1.6, zorder=2)
        axes.text(middle, 3.3, title, ha="center", va="bottom", fontsize=11)
        words = f"{inputs // count} channels for each filter"
        words = words.replace("1 channels", "1 channel")
        axes.text(middle, -0.6, words, ha="center", va="top", fontsize=10)
    axes.set_xlim(-0.3, across + 0.3)
    axes.set_ylim(-1.4, 4.2)
