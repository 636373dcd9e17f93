"""A picture that changes while a net is trained."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cnnlab.plots.style import BLUE, GREEN, INK, ORANGE, WIDTH, bare, common_style
from cnnlab.plots.tiles import stretched, tiled

if TYPE_CHECKING:
    from cnnlab.solver import Solver

SHARE = 0.05  # of the time, at most, goes into drawing
BARS = 3  # classes of which the probability is shown
MAPS = 32  # activation maps, at most


class TrainingPicture:
    """Shows how a training goes, and replaces the picture every few seconds.

    Above: the loss of every batch, and the mean of those around it; the accuracies; the filters of
    the first layer.
    Below: what these filters find in the first picture; and the classes that the net holds most
    likely for each picture, the right one in green.

        Solver(..., watch=TrainingPicture(X_test[:6], y_test[:6], class_names, images=...)).train()

    In a terminal nothing is shown. Inspired by ConvNetJS's demonstration on CIFAR-10 (A. Karpathy).
    """

    def __init__(
        self,
        X: np.ndarray,
        y: np.ndarray,
        class_names: Sequence[str],
        *,
        images: np.ndarray | None = None,
        activations: Callable[[Any, np.ndarray], np.ndarray] | None = None,
        seconds: float = 2.0,
    ):
        """Keep the pictures to look at.

        Args:
            X: (n, C, H, W), as the net takes them; 3 to 8 pictures that it does not learn from.
            y: (n,), their classes.
            class_names: class_names[y] is the word for class y.
            images: (n, H, W, 3), the same as people see them, uint8; None: X, stretched.
            activations: (model, X) -> (n, F, H', W'), what the first layer makes of pictures. None:
                the output of the first ReLU of a ``ConvNet``; of other nets nothing is shown.
            seconds: between two pictures, at least; more where drawing is slow.
        """
        self.X, self.y, self.class_names = X, y, class_names
        self.images = stretched(X.transpose(0, 2, 3, 1)) if images is None else images
        self.activations = activations or _first_relu
        self.seconds = seconds
        self._next = 0.0  # on the monotonic clock
        self._handle: Any = None

    def __call__(self, solver: Solver) -> None:
        """Draw anew, if it is time to. Solver calls this after every batch and at the end."""
        if solver.training and time.monotonic() < self._next:
            return
        if not _in_a_notebook():
            return
        start = time.monotonic()
        self._show(self.png(solver))
        if not solver.training:
            self._handle = None  # the next training gets a picture of its own
        taken = time.monotonic() - start
        self._next = start + taken + max(self.seconds, taken / SHARE)

    def png(self, solver: Solver) -> bytes:
        """The picture as it is now, as the bytes of a PNG file."""
        stream = io.BytesIO()
        with common_style():
            FigureCanvasAgg(self.figure(solver)).print_png(stream)
        return stream.getvalue()

    def figure(self, solver: Solver) -> Figure:
        """The picture as it is now, as matplotlib's Figure."""
        figure = Figure(figsize=(WIDTH, 5.2), layout="constrained")
        above, below = figure.subfigures(2, 1, height_ratios=(1, 1.15))
        losses, accuracies, filters = above.subplots(1, 3, width_ratios=(1, 1, 0.8))
        maps, predictions = below.subplots(1, 2, width_ratios=(1, 2.1))
        _draw_losses(losses, solver)
        _draw_accuracies(accuracies, solver)
        _draw_filters(filters, solver.model)
        _draw_maps(maps, self.activations(solver.model, self.X[:1]), self.images[0])
        self._draw_predictions(predictions, solver.model.loss(self.X))
        return figure

    def _draw_predictions(self, axes: Any, scores: np.ndarray) -> None:
        """Each picture with its likeliest classes, as bars."""
        scores = np.asarray(scores, dtype=np.float64)
        probabilities = np.exp(scores - np.logaddexp.reduce(scores, axis=1, keepdims=True))
        columns = 2
        rows = -(-len(self.X) // columns)
        bars, place, colours = [], [], []
        for n, (image, likely) in enumerate(zip(self.images, probabilities, strict=True)):
            left, top = 3.6 * (n // rows), float(n % rows)
            axes.imshow(image, extent=(left, left + 0.84, top + 0.84, top), zorder=2)
            for k, label in enumerate(np.argsort(-likely, kind="stable")[:BARS]):
                middle = top + 0.14 + 0.28 * k
                right = label == self.y[n]
                bars.append(2.4 * likely[label])
                place.append((left + 0.98, middle))
                colours.append(GREEN if right else ORANGE)
                axes.text(
                    left + 1.02,
                    middle,
                    f"{self.class_names[label]} {100 * likely[label]:.0f}%",
                    va="center_baseline",
                    fontsize=8,
                    fontweight="bold" if right else "normal",
                    color=INK,
                    zorder=3,
                )
        lefts, middles = zip(*place, strict=True)
        axes.barh(middles, bars, left=lefts, height=0.25, color=colours, alpha=0.45)
        axes.set_xlim(-0.05, 3.6 * columns)
        axes.set_ylim(rows, -0.05)
        axes.set_aspect("equal")
        axes.set_title("held for", loc="left")
        bare(axes)

    def _show(self, png: bytes) -> None:
        from IPython.display import Image, display

        if self._handle is None:
            self._handle = display(Image(png), display_id=True)
        else:
            self._handle.update(Image(png))


def _draw_losses(axes: Any, solver: Solver) -> None:
    losses = np.array(solver.loss_history or [np.nan])  # before the first batch: no line
    steps = np.arange(1, len(losses) + 1)
    thin = max(1, len(losses) // 2000)  # more points than pixels cost time
    axes.plot(steps[::thin], losses[::thin], color=BLUE, alpha=0.25, linewidth=0.8)
    window = max(1, min(100, len(losses) // 10))
    course = np.convolve(losses, np.ones(window) / window, mode="valid")
    middles = steps[: len(course)] + (window - 1) / 2  # at a window's end it would lag behind
    axes.plot(middles[::thin], course[::thin], color=BLUE, linewidth=1.8)
    axes.set_title("loss", loc="left")
    axes.set_xlabel("batches")
    axes.set_ylim(0, 1.1 * np.percentile(losses, 99) if solver.loss_history else None)
    axes.grid(alpha=0.3)


def _draw_accuracies(axes: Any, solver: Solver) -> None:
    epochs = np.arange(1, len(solver.val_acc_history) + 1)
    for history, name, colour, dash in (
        (solver.train_acc_history, "training", BLUE, "--"),
        (solver.val_acc_history, "validation", ORANGE, "-"),
    ):
        if len(history) != len(epochs):  # a Run does not measure it on the training images
            continue
        axes.plot(epochs, 100 * np.array(history), dash, marker=".", color=colour, label=name)
    axes.set_xlim(0, solver.num_epochs + 0.5)
    axes.set_ylim(0, 100)
    axes.set_title("accuracy in %", loc="left")
    axes.set_xlabel("epochs")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", frameon=False, fontsize=9)


def _draw_filters(axes: Any, model: Any) -> None:
    bare(axes)
    filters = next((w for w in model.params.values() if w.ndim == 4), None)
    if filters is None:
        return
    F, C, _, _ = filters.shape
    shown = filters if C == 3 else filters[:, :1]
    largest = np.abs(shown).max() or 1.0
    axes.imshow(tiled(0.5 + shown.transpose(0, 2, 3, 1) / (2 * largest)), cmap="gray")
    axes.set_title(f"{F} filters", loc="left")


def _draw_maps(axes: Any, maps: np.ndarray | None, image: np.ndarray) -> None:
    """The activation maps of one picture, each stretched by itself, and the picture below them."""
    bare(axes)
    if maps is None:
        axes.imshow(image)
        return
    axes.imshow(tiled(stretched(maps[0, :MAPS, :, :, None])), cmap="gray")
    axes.set_title("what they find", loc="left")


def _first_relu(model: Any, X: np.ndarray) -> np.ndarray | None:
    model = getattr(model, "model", model)  # of a DataParallel, the net
    names = [step[0] for step in getattr(model, "steps", ())]
    first = next((k for k, name in enumerate(names) if str(name).startswith("relu")), None)
    if first is None or not hasattr(model, "forward"):
        return None
    maps = model.forward(X)[0][first]
    return maps if np.ndim(maps) == 4 else None


def _in_a_notebook() -> bool:
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return hasattr(get_ipython(), "kernel")
