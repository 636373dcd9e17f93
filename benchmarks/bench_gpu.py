"""How far a small residual network in torch comes on CIFAR-10, on a GPU and on the CPU.

    python benchmarks/bench_gpu.py [--quick] [--json FILE] [--data DIR] [--only PART ...]
        [--device cuda] [--minutes 15 | --epochs 10] [--picture FILE] [--beside FILE]

Three parts; --only leaves out the others:
    memory  what a training holds when the backward pass begins, counted, for a GPU too
    speed   seconds per epoch, by the layout of memory and the bytes of a number, in turns
    cifar   the training: test accuracy against time, and the time to the target

On a GPU, cifar is ten epochs; on a CPU, as much as fits in fifteen minutes, by the clock. The net
is the same but for its width: nine layers with weights, of solutions.residual_network's blocks.
What it takes to be quick is known (D. Page, "How to train your ResNet", 2018): a learning rate that
rises for a fifth of the time and then falls along a line to nothing, Nesterov's momentum, smoothed
labels, images that are shifted and mirrored, two bytes for a number. And for the first half of the
training the images are made smaller: the net ends in a maximum over all places, so it takes any
size, and such a step costs little more than half.

The clock stands while the test images are classified. They decide nothing: the training sees 45,000
images, as in bench_training.py. --beside draws that one's curve into the picture, from its --json.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table
from torch import nn

from cnnlab import data, device
from cnnlab.schedules import Linear
from cnnlab.training_memory import training_bytes
from solutions.module_cost import module_cost
from solutions.residual_network import ResidualBlock
from solutions.torch_training import crop_and_flip


@dataclass(frozen=True)
class Plan:
    """What a kind of device is asked to do."""

    widths: tuple[int, int, int, int]
    batch: int
    rate: float  # the highest learning rate, about as the batch
    precision: torch.dtype  # of what the net computes; the weights are float32
    target: float


PLANS = {
    "cuda": Plan((64, 128, 256, 512), 512, 0.4, torch.float16, 0.90),
    "mps": Plan((64, 128, 256, 512), 512, 0.4, torch.float32, 0.90),
    # the target: what the net in NumPy reaches in the same time
    "cpu": Plan((16, 48, 96, 192), 128, 0.15, torch.bfloat16, 0.834),
}
SCHEDULE = Linear(warmup=0.2)
SHIFT = 2  # pixels
SMALL, SMALL_UNTIL = 24, 0.5  # the side of the images in the first part of the training
SMOOTHING, DECAY = 0.1, 5e-4
CORES = os.cpu_count() or 1
LAYOUTS = {"N, C, H, W": torch.contiguous_format, "channels last": torch.channels_last}


# -- the net --------------------------------------------------------------------------------------


class ResidualNetwork(nn.Module):
    """conv - (conv - pool) - block - (conv - pool) - (conv - pool) - block - max - linear.

    Each convolution is 3x3 and followed by batch normalisation and relu; each pool is 2x2. Images
    of shape (N, 3, H, W), any H and W from 8 on; scores (N, classes).
    """

    def __init__(self, widths: tuple[int, int, int, int], classes: int = 10):
        super().__init__()
        first, second, third, fourth = widths
        self.features = nn.Sequential(
            *convolution(3, first),
            *convolution(first, second), nn.MaxPool2d(2), ResidualBlock(second, second),
            *convolution(second, third), nn.MaxPool2d(2),
            *convolution(third, fourth), nn.MaxPool2d(2), ResidualBlock(fourth, fourth),
            nn.AdaptiveMaxPool2d(1), nn.Flatten(),
        )  # fmt: skip
        self.scores = nn.Linear(fourth, classes, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # Maxima are large: an eighth keeps the softmax from being sure of itself at the start.
        return self.scores(self.features(x)) / 8


def convolution(channels: int, filters: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters),
        nn.ReLU(inplace=True),
    ]  # fmt: skip


# -- the training ---------------------------------------------------------------------------------


class Images:
    """One part of a data set on the device, as bytes: all of CIFAR-10 takes 0.2 GB there."""

    def __init__(self, dataset: data.Dataset, part: str, where: torch.device):
        statistics = data.channel_statistics(dataset.X_train)
        self.mean, self.std = (
            torch.tensor(np.ravel(a), dtype=torch.float32, device=where).reshape(1, -1, 1, 1)
            for a in statistics
        )
        self.X = torch.tensor(data.to_nchw(getattr(dataset, f"X_{part}")), device=where)
        self.y = torch.tensor(getattr(dataset, f"y_{part}"), dtype=torch.int64, device=where)

    def __len__(self) -> int:
        return len(self.y)

    def in_order(self, batch: int = 1000) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for X, y in zip(self.X.split(batch), self.y.split(batch), strict=True):
            yield self.standardised(X), y

    def shuffled(self, batch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """One epoch, shifted and mirrored; without the last batch where that is a smaller one."""
        where = self.y.device
        order = torch.randperm(len(self), device=where)
        for chosen in order[: len(self) // batch * batch].split(batch):
            # first standardised, then padded: the border is the mean colour, not black
            x = self.standardised(self.X[chosen])
            offsets = torch.randint(2 * SHIFT + 1, (batch, 2), device=where)
            flip = torch.rand(batch, device=where) < 0.5
            yield crop_and_flip(x, offsets, flip, SHIFT), self.y[chosen]

    def standardised(self, X: torch.Tensor) -> torch.Tensor:
        return (X.float() - self.mean) / self.std


class Training:
    """A net and its optimizer. ``done`` is how much of the training is over, from 0 to 1."""

    def __init__(self, plan: Plan, where: torch.device, layout=torch.channels_last, seed: int = 0):
        torch.manual_seed(seed)
        self.plan, self.where, self.layout = plan, where, layout
        self.net = ResidualNetwork(plan.widths).to(where, memory_format=layout)
        self.sgd = torch.optim.SGD(
            [  # batch normalisation's scales and shifts pay no penalty
                {"params": [p for p in self.net.parameters() if p.ndim > 1]},
                {"params": [p for p in self.net.parameters() if p.ndim <= 1], "weight_decay": 0},
            ],
            lr=plan.rate, momentum=0.9, nesterov=True, weight_decay=DECAY,
        )  # fmt: skip
        # float16 takes small gradients for 0, so they are made larger; bfloat16 has float32's range
        scaled = plan.precision is torch.float16
        self.scaler = torch.amp.GradScaler(where.type, enabled=scaled)

    def in_precision(self) -> AbstractContextManager:
        mixed = self.plan.precision is not torch.float32
        dtype = self.plan.precision if mixed else None
        return torch.autocast(self.where.type, dtype, enabled=mixed)

    def scores(self, x: torch.Tensor) -> torch.Tensor:
        with self.in_precision():
            return self.net(x.contiguous(memory_format=self.layout)).float()

    def step(self, x: torch.Tensor, y: torch.Tensor, done: float) -> torch.Tensor:
        for group in self.sgd.param_groups:
            group["lr"] = self.plan.rate * SCHEDULE(done)
        if done < SMALL_UNTIL:
            x = F.interpolate(x, size=SMALL, mode="bilinear", antialias=True)
        self.sgd.zero_grad()
        loss = F.cross_entropy(self.scores(x), y, label_smoothing=SMOOTHING)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.sgd)
        self.scaler.update()
        return loss.detach()

    def accuracy(self, images: Images, mirrored: bool = False) -> float:
        """How often it is right; mirrored: by the mean of an image's and its mirror image's scores.

        Always on whole images: little is to be expected while it learns from smaller ones.
        """
        self.net.eval()
        right = torch.zeros((), dtype=torch.int64, device=self.where)
        with torch.no_grad():
            for x, y in images.in_order():
                scores = self.scores(x)
                if mirrored:
                    scores += self.scores(x.flip(3))
                right += (scores.argmax(1) == y).sum()
        self.net.train()
        return int(right) / len(images)


class Clock:
    """Counts the seconds between start and stop, when the device is done."""

    def __init__(self, where: torch.device):
        self.synchronize, self.before, self.since = device.synchronizer(where), 0.0, None

    def start(self) -> None:
        self.synchronize()
        self.since = time.perf_counter()

    def stop(self) -> None:
        self.synchronize()
        self.before, self.since = self.seconds(), None

    def seconds(self) -> float:
        running = 0 if self.since is None else time.perf_counter() - self.since
        return self.before + running


def measure_cifar(cifar: data.Dataset, plan: Plan, options: argparse.Namespace) -> dict:
    """Train for so many epochs; or for so many minutes, and then the clock moves the schedule."""
    where = options.where
    images, test = Images(cifar, "train", where), Images(cifar, "test", where)
    training, clock = Training(plan, where, seed=options.seed), Clock(where)
    rows: list[dict] = []
    steps, done = 0, 0.0
    while done < 1:
        losses = []
        clock.start()
        for x, y in images.shuffled(plan.batch):
            losses.append(training.step(x, y, done))
            steps += 1
            if options.epochs:
                done = steps / (len(images) // plan.batch * options.epochs)
            else:
                done = clock.seconds() / (60 * options.minutes)
            if done >= 1:
                break
        clock.stop()
        row = {
            "epoch": steps * plan.batch / len(images),
            "seconds": clock.seconds(),
            "loss": float(torch.stack(losses).mean()),
            "test": training.accuracy(test),
            "load": os.getloadavg()[0],
        }
        rows.append(row)
        print(
            f"epoch {row['epoch']:4.1f}: {row['seconds']:6.1f} s, loss {row['loss']:.3f}, "
            f"test {row['test']:.4f}, load {row['load']:.1f}",
            flush=True,
        )
    result = {
        "epochs": steps * plan.batch / len(images),
        "rows": rows,
        "seconds": clock.seconds(),
        "test": rows[-1]["test"],
        "test_mirrored": training.accuracy(test, mirrored=True),
        "target": plan.target,
        "seconds_to_target": next((r["seconds"] for r in rows if r["test"] >= plan.target), None),
    }
    if where.type == "cuda":
        result["peak_gb"] = torch.cuda.max_memory_reserved(where) / 1e9
    return result


# -- the other parts ------------------------------------------------------------------------------


def measure_speed(plan: Plan, options: argparse.Namespace) -> list[dict]:
    """Seconds for an epoch of whole images: the quickest of some steps, taken in turns."""
    where = options.where
    x = torch.randn(plan.batch, 3, 32, 32, device=where)
    y = torch.randint(10, (plan.batch,), device=where)
    precisions = {torch.float32, torch.bfloat16 if where.type == "cpu" else torch.float16}
    cases: list[tuple[dict, Callable]] = []
    for name, layout in LAYOUTS.items():
        for precision in sorted(precisions, key=str, reverse=True):
            training = Training(replace(plan, precision=precision), where, layout)
            case = {"layout": name, "precision": str(precision).removeprefix("torch.")}
            cases.append((case, lambda training=training: training.step(x, y, done=1.0)))
    for turn in range(1 + options.turns):
        for case, step in cases:
            clock = Clock(where)
            clock.start()
            step()
            clock.stop()
            if turn:  # the first one warms up
                case["seconds"] = min(case.get("seconds", np.inf), clock.seconds())
    for case, _ in cases:
        case["epoch_seconds"] = case["seconds"] * 45_000 / plan.batch
    return [case for case, _ in cases]


def quicker_precision(plan: Plan, options: argparse.Namespace) -> torch.dtype:
    """bfloat16 halves the time of a CPU that has instructions for it, and slows others down."""
    few = argparse.Namespace(where=options.where, turns=3)
    cases = [c for c in measure_speed(plan, few) if c["layout"] == "channels last"]
    return getattr(torch, min(cases, key=lambda case: case["seconds"])["precision"])


def measure_memory() -> dict[str, dict]:
    """Bytes of a training, by the plans; two-byte numbers are bfloat16's on this CPU."""
    result = {}
    for kind, plan in PLANS.items():
        net = ResidualNetwork(plan.widths)
        parameters, multiply_adds = module_cost(net, (3, 32, 32))
        mixed = plan.precision is not torch.float32
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            parts = training_bytes(net, (3, 32, 32), plan.batch)
        parts["data set"] = 60_000 * 3 * 32 * 32
        result[kind] = {
            "batch": plan.batch,
            "parameters": parameters,
            "multiply_adds": multiply_adds,
            "bytes": parts,
            "gb": sum(parts.values()) / 1e9,
        }
    return result


# -- what comes out -------------------------------------------------------------------------------


def draw(rows: list[dict], plan: Plan, options: argparse.Namespace) -> None:
    """Accuracy against time, and that of the net in NumPy."""
    import matplotlib.pyplot as plt

    from cnnlab.plots.style import BLUE, GREY, ORANGE, common_style

    curves = [("residual network, torch", BLUE, rows)]
    if options.beside:
        theirs = json.loads(options.beside.read_text())["cifar"]["rows"]
        curves.append(("ConvNet, NumPy", ORANGE, theirs))
    with common_style():
        figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
        for name, color, curve in curves:
            minutes = [row["seconds"] / 60 for row in curve]
            axes.plot(minutes, [100 * row["test"] for row in curve], color=color, marker=".")
            axes.annotate(
                f"{name}: {100 * curve[-1]['test']:.1f}%", (minutes[-1], 100 * curve[-1]["test"]),
                xytext=(0, 8), textcoords="offset points", ha="right", color=color,
            )  # fmt: skip
        if not options.beside:
            axes.axhline(100 * plan.target, color=GREY, linestyle="--")
            axes.annotate(
                f"to reach: {100 * plan.target:.1f}%", (0.1, 100 * plan.target),
                xytext=(0, -12), textcoords="offset points", color=GREY,
            )  # fmt: skip
        axes.set_xlabel("minutes of training")
        axes.set_ylabel("test accuracy in %")
        where = f"{CORES} cores" if options.where.type == "cpu" else str(options.where)
        axes.set_title(f"CIFAR-10, {where}", loc="left")
        axes.set_xlim(left=0)
        axes.grid(alpha=0.3)
        figure.savefig(options.picture)
        plt.close(figure)


def show(result: dict) -> None:
    table = Table(title=f"a residual network in torch, on {result['device']}")
    for heading in ("", "came out", "target"):
        table.add_column(heading, justify="right" if heading else "left")
    for kind, row in result.get("memory", {}).items():
        table.add_row(f"GB, plan for {kind}, batches of {row['batch']}", f"{row['gb']:.2f}", "<= 4")
    for row in result.get("speed", ()):
        name = f"seconds per epoch, {row['layout']}, {row['precision']}"
        table.add_row(name, f"{row['epoch_seconds']:.1f}", "")
    if cifar := result.get("cifar"):
        reached = cifar["seconds_to_target"]
        target = f"{cifar['target']:.3f}"
        name = f"CIFAR-10, {cifar['epochs']:.1f} epochs in {cifar['seconds']:.0f} s: test"
        table.add_row(name, f"{cifar['test']:.4f}", target)
        table.add_row("mirrored too", f"{cifar['test_mirrored']:.4f}", "")
        table.add_row(f"seconds to {target}", f"{reached:.0f}" if reached else "never", "")
        if "peak_gb" in cifar:
            table.add_row("GB of the GPU, at the most", f"{cifar['peak_gb']:.2f}", "<= 4")
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = ("memory", "speed", "cifar")
    parser.add_argument("--quick", action="store_true", help="few images: a trial run")
    parser.add_argument("--json", type=Path, help="write what came out here too")
    parser.add_argument("--data", type=Path, help="a folder with CIFAR-10's official files")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    parser.add_argument("--device", choices=PLANS, help="instead of the fastest one")
    parser.add_argument("--minutes", type=float, default=15, help="for cifar on a CPU, 15")
    parser.add_argument("--epochs", type=float, help="instead of minutes; on a GPU 10")
    parser.add_argument("--widths", type=int, nargs=4, help="filters, instead of the plan's")
    parser.add_argument("--batch", type=int, help="images in a step, instead of the plan's")
    parser.add_argument("--rate", type=float, help="the highest learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--picture", type=Path, help="draw accuracy against time into this file")
    parser.add_argument("--beside", type=Path, help="what bench_training.py --json wrote")
    options = parser.parse_args()
    torch.set_num_threads(CORES)
    options.where = torch.device(options.device) if options.device else device.pick()
    options.turns = 2 if options.quick else 10
    kind = options.where.type
    device.limit_memory(options.where)
    if options.quick:
        options.epochs = options.epochs or 2
    elif kind != "cpu":
        options.epochs = options.epochs or 10
    given = {name: getattr(options, name) for name in ("widths", "batch", "rate")}
    plan = replace(PLANS[kind], **{name: value for name, value in given.items() if value})
    result: dict = {"device": device.describe(options.where), "plan": {**vars(plan)}}
    if "memory" in options.only:
        result["memory"] = measure_memory()
    if "speed" in options.only:
        result["speed"] = measure_speed(plan, options)
        print("speed:", result["speed"], flush=True)
    if "cifar" in options.only:
        cifar = data.load("cifar10", source=options.data)
        if options.quick:
            cifar = data.subset(cifar, 1500, 200, 200)
        if kind == "cpu":
            plan = replace(plan, precision=quicker_precision(plan, options))
        result["plan"] = vars(plan)
        result["cifar"] = measure_cifar(cifar, plan, options)
    show(result)
    if options.picture and "cifar" in result:
        draw(result["cifar"]["rows"], plan, options)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2, default=str))


if __name__ == "__main__":
    main()
