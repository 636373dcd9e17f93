"""Whether the embedded pictures tell the course's story: each step on the way must pay.

    python benchmarks/bench_toys.py [--quick] [--more N] [--json FILE]

Test accuracy of (a) a linear classifier on pixels, (b) the same on hand-made features, HoG and a
histogram of hues, together and each alone, and (c) a small ConvNet; then of the ConvNet with fewer
training pictures, and with --more also with N that are drawn for it: if those help, it is not noise
that keeps the ConvNet from being right. Weight decay is chosen on the validation part. HoG is
scikit-image's, the rest PyTorch's. The promises that are checked are those of datasets/README.md.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from matplotlib.colors import rgb_to_hsv
from rich.console import Console
from rich.table import Table
from skimage.feature import hog
from torch import nn
from torch.nn import functional as F

from cnnlab.data import Dataset, channel_statistics, load, standardize, subset, to_nchw

STEP, CEILING = 0.15, 0.97  # what each step must add; what (c) must stay below
DECAYS = (1e-3, 1e-2, 1e-1)


@dataclass
class Row:
    name: str
    numbers: int  # what the classifier sees of a picture
    train: float
    val: float
    test: float
    seconds: float


# -- features ---------------------------------------------------------------------------------


def pixels(X: np.ndarray) -> np.ndarray:
    return X.reshape(len(X), -1).astype(np.float32)


def hogs(X: np.ndarray) -> np.ndarray:
    """9 unsigned orientations in each of 4x4 cells of 8x8 pixels: 144 numbers."""
    grey = X.mean(axis=3)
    settings = {"orientations": 9, "pixels_per_cell": (8, 8), "cells_per_block": (1, 1)}
    return np.array([hog(picture, **settings) for picture in grey])


def hues(X: np.ndarray, bins: int = 10) -> np.ndarray:
    """How many of the pixels are of which hue: 10 numbers."""
    hue = rgb_to_hsv(X / 255.0)[..., 0].reshape(len(X), -1)
    return np.array([np.histogram(h, bins, (0, 1))[0] / h.size for h in hue])


def hogs_and_hues(X: np.ndarray) -> np.ndarray:
    return np.hstack([hogs(X), hues(X)])


# -- classifiers ------------------------------------------------------------------------------


def linear(data: Dataset, feature: Callable, name: str, steps: int) -> Row:
    """Softmax regression on standardised features; the weight decay that is best on val."""
    start = time.perf_counter()
    raw = [feature(X) for X in (data.X_train, data.X_val, data.X_test)]
    mean, std = raw[0].mean(0), raw[0].std(0) + 1e-6
    x = [torch.from_numpy(((f - mean) / std).astype(np.float32)) for f in raw]
    y = [torch.from_numpy(labels) for labels in (data.y_train, data.y_val, data.y_test)]
    tried = [_fit_linear(x, y, decay, steps) for decay in DECAYS]
    train, val, test = max(tried, key=lambda accuracies: accuracies[1])
    return Row(name, raw[0].shape[1], train, val, test, time.perf_counter() - start)


def _fit_linear(x: list, y: list, decay: float, steps: int) -> list[float]:
    torch.manual_seed(0)
    model = nn.Linear(x[0].shape[1], 10)
    nn.init.zeros_(model.weight)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=steps, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = F.cross_entropy(model(x[0]), y[0]) + decay * model.weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    return [(model(a).argmax(1) == b).float().mean().item() for a, b in zip(x, y, strict=True)]


def convnet(data: Dataset, name: str, steps: int, seed: int = 0) -> Row:
    """conv-relu-pool three times, then a linear layer: 22,000 weights, Adam, batches of 50."""
    start = time.perf_counter()
    torch.manual_seed(seed)
    statistics = channel_statistics(data.X_train)
    x = [
        torch.from_numpy(to_nchw(standardize(X, *statistics)))
        for X in (data.X_train, data.X_val, data.X_test)
    ]
    y = [torch.from_numpy(labels) for labels in (data.y_train, data.y_val, data.y_test)]
    layers: list[nn.Module] = []
    for channels, filters in ((3, 16), (16, 32), (32, 32)):
        layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 4 * 4, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        batch = torch.randint(0, len(x[0]), (50,))
        optimizer.zero_grad()
        F.cross_entropy(model(x[0][batch]), y[0][batch]).backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        accuracies = [
            (model(a).argmax(1) == b).float().mean().item() for a, b in zip(x, y, strict=True)
        ]
    return Row(name, x[0][0].numel(), *accuracies, time.perf_counter() - start)


def learning_curve(data: Dataset, sizes: tuple, steps: int, full: Row, more: int) -> list[Row]:
    """The ConvNet with fewer pictures, as many steps each; then with ``more``, as many epochs."""
    rows = []
    for n in sizes:
        few = subset(data, n, len(data.X_val), len(data.X_test))
        rows.append(convnet(few, f"{n:,} pictures", steps))
    rows.append(replace(full, name=f"{len(data.X_train):,} pictures"))
    if more:
        enlarged = with_more(data, more)
        total = len(enlarged.X_train)
        longer = steps * total // len(data.X_train)
        rows.append(convnet(enlarged, f"{total:,} pictures, {longer:,} steps", longer))
    return rows


def with_more(data: Dataset, n: int) -> Dataset:
    """The set with n further training pictures, fresh from the generator."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "datasets"))
    import make_toys

    known = len(data.X_train) + len(data.X_val) + len(data.X_test)
    y = np.arange(n) % len(data.class_names)
    X = np.array([make_toys.draw(known + i, int(label)) for i, label in enumerate(y)])
    return replace(
        data, X_train=np.concatenate([data.X_train, X]), y_train=np.concatenate([data.y_train, y])
    )


# -- the table --------------------------------------------------------------------------------


def show(title: str, rows: list[Row]) -> None:
    table = Table(title=title)
    table.add_column("")
    for column in ("numbers", "train", "val", "test", "seconds"):
        table.add_column(column, justify="right")
    for row in rows:
        accuracies = (f"{a:.1%}" for a in (row.train, row.val, row.test))
        table.add_row(row.name, f"{row.numbers:,}", *accuracies, f"{row.seconds:.0f}")
    Console().print(table)


def verdicts(rows: dict[str, Row]) -> dict[str, bool]:
    """What the set promises, and whether it holds."""
    a, b, c = (rows[step].test for step in "abc")
    alone = max(rows["HoG"].test, rows["hues"].test)
    return {
        f"(b) is {STEP:.0%} above (a): {b - a:+.1%}": b - a >= STEP,
        f"(c) is {STEP:.0%} above (b): {c - b:+.1%}": c - b >= STEP,
        f"(c) is not above {CEILING:.0%}: {c:.1%}": c <= CEILING,
        f"(b) is {STEP:.0%} above HoG alone and hues alone: {b - alone:+.1%}": b - alone >= STEP,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="train less, two steps of the curve")
    parser.add_argument("--more", type=int, metavar="N", default=0, help="draw N more pictures")
    parser.add_argument("--json", type=Path, help="write the rows here too")
    options = parser.parse_args()
    steps, sizes = (400, (1000,)) if options.quick else (800, (500, 1000, 2000))
    iterations = 40 if options.quick else 100
    data = load("toys")
    steps_up = {
        "a": lambda: linear(data, pixels, "(a) linear on pixels", iterations),
        "HoG": lambda: linear(data, hogs, "    linear on HoG alone", iterations),
        "hues": lambda: linear(data, hues, "    linear on hues alone", iterations),
        "b": lambda: linear(data, hogs_and_hues, "(b) linear on HoG and hues", iterations),
        "c": lambda: convnet(data, "(c) small ConvNet", steps),
    }
    with Console(stderr=True).status("the steps") as status:
        rows = {key: measure() for key, measure in steps_up.items()}
        status.update("the ConvNet's learning curve")
        curve = learning_curve(data, sizes, steps, rows["c"], options.more)
    show(f"{data}"[1:-1], list(rows.values()))
    show(f"the ConvNet's learning curve, {steps:,} steps each", curve)
    held = verdicts(rows)
    for promise, holds in held.items():
        print(f"{'yes' if holds else 'NO '}  {promise}")
    if options.json:
        everything = {key: vars(row) for key, row in rows.items()}
        everything["curve"] = [vars(row) for row in curve]
        options.json.write_text(json.dumps(everything | {"promises": held}, indent=2))


if __name__ == "__main__":
    main()
