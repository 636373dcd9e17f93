"""Images and signals side by side."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np

from cnnlab.plots.style import BLUE, WIDTH, picture


@picture
def gallery(
    images: Mapping[str, np.ndarray],
    columns: int = 4,
    signed: bool = False,
    same_scale: bool = False,
    true_size: bool = False,
    title: str = "",
) -> None:
    """Show images side by side, each under its own title.

    Args:
        images: title -> array of shape (H, W) or (1, H, W), grey, or (3, H, W), red, green and
            blue. Grey images are stretched: their smallest number is black, their largest white.
            Colours are cut off at 0 and 1.
        columns: how many images to a row.
        signed: for numbers of both signs, on one scale for all: 0 is white, positive orange,
            negative purple. With a colour bar.
        same_scale: grey images share one scale: the smallest number of all is black, the largest
            white.
        true_size: one pixel is as large in every image, so a smaller image looks smaller.
        title: over all of them.
    """
    pixels = {name: _as_picture(image) for name, image in images.items()}
    columns = min(columns, len(pixels))
    rows = -(-len(pixels) // columns)
    side = WIDTH / max(columns, 3)
    figure, grid = plt.subplots(
        rows, columns, figsize=(side * columns, (side + 0.35) * rows), layout="constrained"
    )
    axes = np.atleast_1d(grid).ravel()
    largest = max((np.abs(p).max() for p in pixels.values()), default=1.0) or 1.0
    room = np.max([p.shape[:2] for p in pixels.values()], axis=0)
    darkest = min((p.min() for p in pixels.values()), default=0.0)
    brightest = max((p.max() for p in pixels.values()), default=1.0)
    shown = None
    for ax, (name, image) in zip(axes, pixels.items(), strict=False):
        if signed:
            shown = ax.imshow(image, cmap="PuOr_r", vmin=-largest, vmax=largest)
        elif same_scale:
            ax.imshow(image, cmap="gray", vmin=darkest, vmax=brightest)
        else:
            ax.imshow(image, cmap="gray")
        ax.set_title(name)
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_visible(not true_size)
        if true_size:
            height, width = image.shape[:2]
            ax.set_xlim((width - room[1]) / 2 - 0.5, (width + room[1]) / 2 - 0.5)
            ax.set_ylim((height + room[0]) / 2 - 0.5, (height - room[0]) / 2 - 0.5)
    for ax in axes[len(pixels) :]:
        ax.axis("off")
    if shown is not None:
        figure.colorbar(shown, ax=list(axes), shrink=0.8, aspect=12)
    if title:
        figure.suptitle(title, fontsize=12)


def _as_picture(image: np.ndarray) -> np.ndarray:
    """What imshow wants: (H, W), or (H, W, 3) between 0 and 1."""
    image = np.asarray(image, dtype=np.float64)
    if image.ndim == 3 and image.shape[0] == 1:
        return image[0]
    if image.ndim == 3 and image.shape[0] == 3:
        return np.clip(image.transpose(1, 2, 0), 0, 1)
    if image.ndim == 2:
        return image
    raise ValueError(f"an image has shape (H, W), (1, H, W) or (3, H, W), not {image.shape}")


@picture
def signals(lines: Mapping[str, np.ndarray], xlabel: str = "time") -> None:
    """Draw signals one under the other, on the same scales.

    Args:
        lines: title -> array of shape (T,). The lengths may differ; shorter ones are centred.
        xlabel: what runs along.
    """
    figure, axes = plt.subplots(
        len(lines),
        1,
        figsize=(WIDTH, 1.6 * len(lines)),
        sharex=True,
        sharey=True,
        layout="constrained",
        squeeze=False,
    )
    longest = max(len(line) for line in lines.values())
    for ax, (name, line) in zip(axes[:, 0], lines.items(), strict=True):
        ax.plot((longest - len(line)) / 2 + np.arange(len(line)), line, color=BLUE, linewidth=1.5)
        ax.set_title(name, loc="left")
        ax.grid(alpha=0.3)
    axes[-1, 0].set_xlabel(xlabel)
    figure.supylabel("value", fontsize=11)
