"""What autograd writes down: numbers on their way forward, gradients on their way back."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.patches import FancyBboxPatch

from cnnlab.plots.style import BLUE, INK, ORANGE, WIDTH, canvas, picture


@picture
def tape(steps: Sequence[tuple[str, str, str]]) -> None:
    """Draw a chain of steps: above the arrows the values, below them the gradients.

    Args:
        steps: (the step's name, what comes out of it, the gradient of that), the input first.
    """
    gap, wide = 4.2, 2.2
    across = gap * len(steps)
    scale = min(0.5, WIDTH / across)
    _, axes = canvas(across * scale, 3.0 * scale)
    for number, (name, value, gradient) in enumerate(steps):
        left = gap * number
        axes.add_patch(
            FancyBboxPatch(
                (left, -0.5),
                wide,
                1.0,
                boxstyle="round,pad=0.05,rounding_size=0.2",
                facecolor="white",
                edgecolor=INK,
                linewidth=1.4,
            )
        )
        axes.text(left + wide / 2, 0, name, ha="center", va="center", fontsize=11)
        middle, start, end = left + (wide + gap) / 2, left + wide + 0.15, left + gap - 0.15
        forth = {"arrowstyle": "-|>", "color": BLUE, "linewidth": 1.5}
        back = {"arrowstyle": "-|>", "color": ORANGE, "linewidth": 1.5}
        axes.annotate("", (end, 0.18), (start, 0.18), arrowprops=forth)
        axes.annotate("", (start, -0.18), (end, -0.18), arrowprops=back)
        axes.text(middle, 0.35, value, ha="center", va="bottom", fontsize=11, color=BLUE)
        axes.text(middle, -0.35, gradient, ha="center", va="top", fontsize=11, color=ORANGE)
    axes.set_xlim(-0.2, across + 0.1)
    axes.set_ylim(-1.4, 1.4)
