"""One output as a neuron; shared weights; gradients handed back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.patches import Circle

from cnnlab.plots.style import BLUE, COLOURS, GREY, INK, ORANGE, WIDTH, canvas, picture


def _factor(value: float) -> str:
    """A number as it stands after a multiplication sign."""
    return f"({_short(value)})" if value < 0 else _short(value)


def _short(value: float) -> str:
    return f"{value + 0.0:g}".replace("-", "−")  # + 0.0 makes -0.0 a plain 0


@picture
def neuron(inputs: Sequence[float], weights: Sequence[float], bias: float) -> None:
    """Draw one output as a neuron: inputs, times weights, added up, plus the bias.

    Args:
        inputs, weights: shape (n,), n up to 12.
        bias: one number.
    """
    inputs, weights = np.ravel(inputs), np.ravel(weights)
    n = len(inputs)
    step = 0.72
    middle = (n - 1) * step / 2
    _, axes = canvas(WIDTH, 0.5 * (n * step + 1.4))
    products = inputs * weights
    for i, (x, w, product) in enumerate(zip(inputs, weights, products, strict=True)):
        y = (n - 1 - i) * step
        axes.plot([0.33, 7.25], [y, middle], color=GREY, linewidth=1 + abs(w) / 2, zorder=1)
        axes.text(0, y, _short(x), ha="center", va="center", fontsize=11, zorder=3)
        axes.add_patch(Circle((0, y), 0.33, facecolor="white", edgecolor=BLUE, linewidth=1.6))
        axes.text(
            2.3,
            y + (middle - y) * 1.5 / 6.4,
            f"× {_factor(w)} = {_short(product)}",
            ha="center",
            va="center",
            fontsize=10,
            color=INK,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.2},
            zorder=2,
        )
    axes.add_patch(Circle((8.1, middle), 0.9, facecolor=BLUE + "30", edgecolor=BLUE, linewidth=2))
    axes.text(8.1, middle, f"sum\n{_short(products.sum())}", ha="center", va="center", fontsize=11)
    arrow = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.5}
    axes.annotate("", (12.1, middle), (9.0, middle), arrowprops=arrow)
    axes.text(10.5, middle + 0.25, f"+ bias {_short(bias)}", ha="center", va="bottom", fontsize=11)
    total = _short(products.sum() + bias)
    axes.text(12.4, middle, f"{total}", ha="left", va="center", fontsize=14, weight="bold")
    axes.text(12.4, middle - 0.45, "one output", ha="left", va="top", fontsize=11)
    axes.text(0, n * step - 0.15, "window", ha="center", va="bottom", fontsize=11)
    axes.text(2.6, n * step - 0.15, "weights", ha="center", va="bottom", fontsize=11)
    axes.set_xlim(-0.9, 15.0)
    axes.set_ylim(-0.6, n * step + 0.6)


@picture
def shared_weights(inputs: int = 7, kernel: int = 3) -> None:
    """Draw a fully connected layer beside a convolution layer, in one dimension.

    Lines of one colour and style are one and the same weight.

    Args:
        inputs: how many inputs each has.
        kernel: weights of the filter, up to 4.
    """
    outputs = inputs - kernel + 1
    shift = inputs + 2.0
    _, axes = canvas(WIDTH, 2.9)
    styles = ["-", "--", ":", "-."]
    for i in range(outputs):
        x = i + (kernel - 1) / 2
        for j in range(inputs):
            axes.plot([j, x], [0, 3], color=GREY, linewidth=0.9, zorder=1)
        for k in range(kernel):
            axes.plot(
                [shift + i + k, shift + x],
                [0, 3],
                color=COLOURS[k],
                linestyle=styles[k],
                linewidth=2,
                zorder=1,
            )
    for left in (0, shift):
        for j in range(inputs):
            axes.plot(left + j, 0, "o", markersize=12, mfc="white", mec=INK, mew=1.6, zorder=2)
        for i in range(outputs):
            x = left + i + (kernel - 1) / 2
            axes.plot(x, 3, "o", markersize=12, mfc=INK, mec=INK, mew=1.6, zorder=2)
    names = [
        f"fully connected: {inputs} × {outputs} = {inputs * outputs} weights",
        f"convolution: {kernel} weights, used {outputs} times",
    ]
    for left, name in zip((0, shift), names, strict=True):
        axes.text(left + (inputs - 1) / 2, 3.6, name, ha="center", va="bottom", fontsize=11)
        axes.text(left + (inputs - 1) / 2, -0.5, "inputs", ha="center", va="top", fontsize=11)
    axes.set_xlim(-0.8, shift + inputs - 0.2)
    axes.set_ylim(-1.2, 4.4)


@picture
def hand_back(dout: Sequence[float], weights: Sequence[float], dx: Sequence[float]) -> None:
    """Draw how the outputs of a 1-D convolution hand their gradients back to the inputs.

    Args:
        dout: shape (n,), the gradient that arrives at each output.
        weights: shape (k,), the filter. Output i has used the inputs i to i + k - 1.
        dx: shape (n + k - 1,), what each input has collected.
    """
    wide, high = 3.4, 3.2
    _, axes = canvas(WIDTH, 3.5)
    arrow = {"arrowstyle": "-|>", "color": GREY, "linewidth": 1.5, "shrinkA": 20, "shrinkB": 20}
    for i, gradient in enumerate(dout):
        x = (i + (len(weights) - 1) / 2) * wide
        for k, weight in enumerate(weights):
            end = (i + k) * wide
            axes.annotate("", (end, 0), (x, high), arrowprops=arrow)
            axes.text(
                (x + end) / 2,
                high / 2,
                f"{_short(gradient)} × {_factor(weight)}",
                ha="center",
                va="center",
                fontsize=11,
                color=ORANGE if weight < 0 else BLUE,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
            )
        axes.add_patch(Circle((x, high), 0.48, facecolor=BLUE + "30", edgecolor=BLUE, lw=1.8))
        axes.text(x, high, _short(gradient), ha="center", va="center", fontsize=12)
    for j, gradient in enumerate(dx):
        axes.add_patch(Circle((j * wide, 0), 0.48, facecolor="white", edgecolor=INK, lw=1.8))
        axes.text(j * wide, 0, _short(gradient), ha="center", va="center", fontsize=12)
    axes.text(-0.9, high, "dout", ha="right", va="center", fontsize=12)
    axes.text(-0.9, 0, "dx", ha="right", va="center", fontsize=12)
    axes.set_xlim(-2.4, (len(dx) - 1) * wide + 0.7)
    axes.set_ylim(-0.7, high + 0.7)
