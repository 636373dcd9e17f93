"""How far a ConvNet in pure NumPy comes on CIFAR-10, and how fast.

    OPENBLAS_NUM_THREADS=1 python benchmarks/bench_training.py [--quick] [--json FILE] [--data DIR]
        [--only PART ...] [--minutes 15] [--net NAME] [--picture FILE] [--clear]

Four parts; --only leaves out the others:
    speed   seconds per epoch, ours and torch's on the CPU with the same net, batches and number of
            threads, in turns in this process
    three   ThreeLayerConvNet, one epoch
    toys    a ConvNet on the embedded pictures
    cifar   a ConvNet for so many minutes: accuracy against time

All is ConvNet and Solver as students have them, with two additions: DataParallel, which gives each
core its part of a batch, and the layers of fastest_layers in the place of the clear ones (--clear
keeps those). The training sees 45,000 images; on the 5,000 validation images the best weights are
chosen; the test images are looked at after each epoch, for the curve, and decide nothing. The time
is that of the steps and of the validation, without the looks at the test images. Mirrored: the mean
of the scores of an image and of its mirror image.

On Linux, MALLOC_MMAP_THRESHOLD_=1000000000 MALLOC_TRIM_THRESHOLD_=10000000000 before the command
keep freed memory in the process, which otherwise goes back to the system and is fetched anew, page
by page: that can take a tenth of a step.

How a net for the minutes is found. A training step takes three times the multiply-adds of the
forward pass, and each is two operations. These nets reach 45 to 65 thousand million operations a
second on one core of a 2 to 3 GHz machine: in 15 minutes on two, 10^14, and with 34 million
multiply-adds for an image some 500,000 images, or 11 epochs. Images of 32x32 cost much and give
little (copies, normalisation and pooling there take a sixth of the time of the widest net, its
convolution the thirtieth part of the multiply-adds), so the first pooling comes soon, and channels
are spent where the images are small. What lets such a net learn in so few epochs is what the
DAWNBench entries found (D. Page, "How to train your ResNet", 2018): batch normalisation, a learning
rate that rises for a fifth of the time and then falls along a line to nothing, small shifts and
mirror images. --net compares the nets, --rate and --reg the settings.
"""

import argparse
import json
import resource
import time
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from cnnlab import data
from cnnlab.architectures import avg_pool, conv, fc, max_pool
from cnnlab.augmentation import Flip, Shift
from cnnlab.cores import usable_cores
from cnnlab.evaluation import accuracy
from cnnlab.parallel import DataParallel
from cnnlab.schedules import Linear
from cnnlab.solver import Solver
from solutions import fast_convolution, fast_pooling, fastest_layers
from solutions.convnet import ConvNet
from solutions.network_cost import network_cost
from solutions.three_layer_convnet import ThreeLayerConvNet
from solutions.update_rules import adam, sgd_momentum

# The side after the poolings is 16, 8, 4 pixels. In the comments: millions of multiply-adds, and
# milliseconds of one core for a step with 64 images, in which all of the first layer take 30.
NETS = {
    # 15 and 135
    "narrow": [
        conv(32, 3), max_pool(2), conv(48, 3), conv(48, 3), max_pool(2),
        conv(96, 3), max_pool(2), conv(192, 3), avg_pool(4),
    ],
    # 24 and 176
    "middle": [
        conv(32, 3), max_pool(2), conv(64, 3), conv(64, 3), max_pool(2),
        conv(128, 3), max_pool(2), conv(256, 3), avg_pool(4),
    ],
    # 34 and 194: many channels on small images are quicker than their multiply-adds tell
    "wide": [
        conv(32, 3), max_pool(2), conv(64, 3), conv(64, 3), max_pool(2),
        conv(128, 3), conv(128, 3), max_pool(2), conv(256, 3), avg_pool(4),
    ],
    # 43
    "deep": [
        conv(32, 3), max_pool(2), conv(64, 3), conv(64, 3), max_pool(2),
        conv(128, 3), conv(128, 3), max_pool(2), conv(256, 3), conv(256, 3), avg_pool(4),
    ],
}  # fmt: skip
TOYS_NET = [conv(32, 3), max_pool(2), conv(32, 3), max_pool(2), conv(64, 3), max_pool(2), fc(64)]
BATCH = 128
TARGETS = {"cifar": 0.75, "three": 0.50, "ratio": 1.5}
CORES = usable_cores()


# -- pictures and nets ----------------------------------------------------------------------------


def quickened(net: ConvNet) -> ConvNet:
    """The same net with the layers of fastest_layers."""
    instead = {}
    for module in (fast_convolution, fast_pooling):
        for name, function in vars(module).items():
            if name.endswith("_fast"):
                instead[function] = getattr(fastest_layers, f"{name}est")
    net.steps = [
        (name, instead.get(forward, forward), instead.get(backward, backward), *rest)
        for name, forward, backward, *rest in net.steps
    ]
    return net


def make_net(layers: list, clear: bool, **options) -> DataParallel:
    net = ConvNet(layers, batchnorm=True, seed=0, **options)
    return DataParallel(net if clear else quickened(net), CORES)


def in_torch(net: ConvNet) -> nn.Sequential:
    """The same net in torch, with torch's own start."""
    steps: list[nn.Module] = []
    for name, _, _, names, settings in net.steps:
        kind = name.rstrip("0123456789")
        if kind == "conv":
            F, C, kernel, _ = net.params[names[0]].shape
            steps.append(nn.Conv2d(C, F, kernel, settings[0]["stride"], settings[0]["pad"]))
        elif kind == "batchnorm":
            steps.append(nn.BatchNorm2d(len(net.params[names[0]])))
        elif kind == "relu":
            steps.append(nn.ReLU())
        elif kind == "fc":
            steps += [nn.Flatten(), nn.Linear(*net.params[names[0]].shape)]
        else:
            pool = nn.MaxPool2d if kind == "max_pool" else nn.AvgPool2d
            steps.append(pool(settings[0]["pool_height"], settings[0]["stride"]))
    return nn.Sequential(*steps)


# -- the parts ------------------------------------------------------------------------------------


def measure_speed(made: dict, options: argparse.Namespace) -> dict:
    """Seconds per epoch of the same training in NumPy and in torch, taken in turns."""
    torch.set_num_threads(CORES)
    net = make_net(NETS[options.net], options.clear, reg=5e-4)
    rules = {"update_rule": sgd_momentum, "optim_config": {"learning_rate": 0.05}}
    solver = Solver(net, made, **rules, batch_size=BATCH, num_epochs=100, verbose=False)
    theirs = in_torch(net.model)
    sgd = torch.optim.SGD(theirs.parameters(), 0.05, momentum=0.9, weight_decay=5e-4)
    X, y = made["X_train"][:BATCH], torch.tensor(made["y_train"][:BATCH])

    def step_in_torch() -> None:
        sgd.zero_grad()
        nn.functional.cross_entropy(theirs(torch.tensor(X)), y).backward()
        sgd.step()

    times: dict[str, list[float]] = {"ours": [], "torch": []}
    turns, steps = (3, 2) if options.quick else (15, 5)
    for turn in range(turns + 1):
        for name, step in (("ours", solver._step), ("torch", step_in_torch)):
            start = time.perf_counter()
            for _ in range(steps):
                step()
            if turn:  # the first one warms up
                times[name].append((time.perf_counter() - start) / steps)
    per_epoch = 45_000 // BATCH
    ours, torchs = (min(times[name]) * per_epoch for name in ("ours", "torch"))
    cost = sum(row[3] for row in network_cost(NETS[options.net]))
    return {
        "net": options.net,
        "multiply_adds": cost,
        "ours_epoch_seconds": ours,
        "torch_epoch_seconds": torchs,
        "ratio": ours / torchs,
        "median_ratio": float(np.median(np.divide(times["ours"], times["torch"]))),
        "gflops": 6 * cost * per_epoch * BATCH / ours / 1e9,
    }


def measure_three(made: dict, options: argparse.Namespace) -> dict:
    np.random.seed(0)
    net = DataParallel(ThreeLayerConvNet(weight_scale=1e-2, reg=1e-3), CORES)
    solver = Solver(
        net, made, update_rule=adam, optim_config={"learning_rate": 1e-3}, batch_size=50,
        num_epochs=1, schedule=Linear(warmup=0.1), verbose=options.verbose,
    )  # fmt: skip
    solver.train()
    test = accuracy(net, made["X_test"], made["y_test"])
    return {"test": test, "val": solver.best_val_acc, "seconds": solver.seconds}


def measure_toys(options: argparse.Namespace) -> dict:
    toys = data.load("toys")
    made = data.for_training(data.subset(toys, 400, 100, 100) if options.quick else toys)
    net = make_net(TOYS_NET, options.clear, reg=1e-3)
    solver = Solver(
        net, made, update_rule=adam, optim_config={"learning_rate": 4e-3}, batch_size=50,
        num_epochs=2 if options.quick else 12, schedule=Linear(warmup=0.1),
        augment=(Shift(2),), verbose=options.verbose,
    )  # fmt: skip
    solver.train()
    test = accuracy(net, made["X_test"], made["y_test"])
    return {"test": test, "val": solver.best_val_acc, "seconds": solver.seconds}


def measure_cifar(made: dict, options: argparse.Namespace) -> dict:
    """Train for the given minutes: first see how long an epoch takes, then do as many as fit."""
    settings = {
        "update_rule": sgd_momentum,
        "optim_config": {"learning_rate": options.rate, "momentum": 0.9},
        "batch_size": BATCH,
        "augment": (Flip(), Shift(2)),
    }
    epochs = options.epochs or epochs_that_fit(made, settings, options)
    net = make_net(NETS[options.net], options.clear, reg=options.reg)
    rows: list[dict] = []

    def look(solver: Solver) -> None:
        if len(solver.seconds_history) == len(rows):
            return
        test = accuracy(net, made["X_test"], made["y_test"])
        rows.append({"seconds": solver.seconds, "val": solver.val_acc_history[-1], "test": test})
        print(
            f"epoch {solver.epoch:3} of {epochs}: {solver.seconds:6.1f} s, "
            f"loss {solver._recent_loss():.3f}, train {solver.train_acc_history[-1]:.3f}, "
            f"val {rows[-1]['val']:.3f}, test {test:.3f}",
            flush=True,
        )

    solver = Solver(
        net, made, **settings, num_epochs=epochs, schedule=Linear(warmup=0.2), watch=look,
        verbose=False,
    )  # fmt: skip
    solver.train()
    return {
        "net": options.net,
        "epochs": epochs,
        "rows": rows,
        "seconds": solver.seconds,
        "test": accuracy(net, made["X_test"], made["y_test"]),
        "test_mirrored": accuracy(net, made["X_test"], made["y_test"], mirrored=True),
        "seconds_to_target": next(
            (row["seconds"] for row in rows if row["test"] >= TARGETS["cifar"]), None
        ),
    }


def epochs_that_fit(made: dict, settings: dict, options: argparse.Namespace) -> int:
    """How many epochs the minutes are enough for, a twentieth of them kept in reserve."""
    net = make_net(NETS[options.net], options.clear, reg=options.reg)
    solver = Solver(net, made, **settings, num_epochs=1, verbose=False)
    times = []
    for _ in range(min(solver.steps, 60)):
        start = time.perf_counter()
        solver._step()
        times.append(time.perf_counter() - start)
    step = np.mean(times[len(times) // 3 :])
    start = time.perf_counter()
    solver._measure_accuracy()
    epoch = step * solver.steps_per_epoch + time.perf_counter() - start
    fitting = int(0.95 * 60 * options.minutes / epoch)
    print(f"an epoch takes {epoch:.1f} s: {fitting} in {options.minutes:g} minutes", flush=True)
    return max(1, fitting)


# -- what comes out -------------------------------------------------------------------------------


def draw(rows: list[dict], path: Path, title: str) -> None:
    """Accuracy against time."""
    import matplotlib.pyplot as plt

    from cnnlab.plots.style import BLUE, GREY, common_style

    with common_style():
        figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
        minutes = [row["seconds"] / 60 for row in rows]
        axes.plot(minutes, [100 * row["test"] for row in rows], color=BLUE, marker=".")
        axes.axhline(100 * TARGETS["cifar"], color=GREY, linestyle="--")
        axes.annotate(
            f"{100 * rows[-1]['test']:.1f}%", (minutes[-1], 100 * rows[-1]["test"]),
            xytext=(-6, 8), textcoords="offset points", ha="right", color=BLUE,
        )  # fmt: skip
        axes.set_xlabel("minutes of training")
        axes.set_ylabel("test accuracy in %")
        axes.set_title(title, loc="left")
        axes.set_xlim(left=0)
        axes.grid(alpha=0.3)
        figure.savefig(path)
        plt.close(figure)


def show(result: dict) -> None:
    table = Table(title="training in NumPy")
    for heading in ("", "came out", "target"):
        table.add_column(heading, justify="right" if heading else "left")
    if speed := result.get("speed"):
        table.add_row(
            f"seconds per epoch, {speed['net']}", f"{speed['ours_epoch_seconds']:.1f}", ""
        )
        table.add_row("the same in torch", f"{speed['torch_epoch_seconds']:.1f}", "")
        table.add_row("ratio", f"{speed['ratio']:.2f}", f"<= {TARGETS['ratio']}")
    if three := result.get("three"):
        table.add_row("ThreeLayerConvNet, one epoch: test", f"{three['test']:.3f}", ">= 0.50")
        table.add_row("its seconds", f"{three['seconds']:.0f}", "")
    if toys := result.get("toys"):
        table.add_row("toys: test", f"{toys['test']:.3f}", "")
        table.add_row("their seconds", f"{toys['seconds']:.0f}", "")
    if cifar := result.get("cifar"):
        reached = cifar["seconds_to_target"]
        table.add_row(
            f"CIFAR-10, {cifar['epochs']} epochs: test", f"{cifar['test']:.3f}", ">= 0.75"
        )
        table.add_row("mirrored too", f"{cifar['test_mirrored']:.3f}", "")
        table.add_row("seconds", f"{cifar['seconds']:.0f}", "<= 900")
        table.add_row("seconds to 0.75", f"{reached:.0f}" if reached else "never", "")
    table.add_row("GB of memory, at the most", f"{result['peak_gb']:.1f}", "<= 4")
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = ("speed", "three", "toys", "cifar")
    parser.add_argument("--quick", action="store_true", help="few images: a trial run")
    parser.add_argument("--json", type=Path, help="write what came out here too")
    parser.add_argument("--data", type=Path, help="a folder with CIFAR-10's official files")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    parser.add_argument("--minutes", type=float, default=15, help="for the part cifar, 15")
    parser.add_argument("--epochs", type=int, help="instead of as many as fit in the minutes")
    parser.add_argument("--net", choices=NETS, default="wide")
    parser.add_argument("--rate", type=float, default=0.1, help="the highest learning rate")
    parser.add_argument("--reg", type=float, default=5e-4, help="the penalty's strength")
    parser.add_argument("--clear", action="store_true", help="with the clear layers only")
    parser.add_argument("--picture", type=Path, help="draw accuracy against time into this file")
    parser.add_argument("--verbose", action="store_true", help="bars, and a line for each epoch")
    options = parser.parse_args()
    result: dict = {"cores": CORES}
    if set(options.only) & {"speed", "three", "cifar"}:
        cifar = data.load("cifar10", source=options.data)
        if options.quick:
            cifar = data.subset(cifar, 1500, 200, 200)
            options.epochs = options.epochs or 2
        made = data.for_training(cifar)
        del cifar
    if "speed" in options.only:
        result["speed"] = measure_speed(made, options)
        print(result["speed"], flush=True)
    if "three" in options.only:
        result["three"] = measure_three(made, options)
        print("three:", result["three"], flush=True)
    if "toys" in options.only:
        result["toys"] = measure_toys(options)
        print("toys:", result["toys"], flush=True)
    if "cifar" in options.only:
        result["cifar"] = measure_cifar(made, options)
    result["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    show(result)
    if options.picture and "cifar" in result:
        title = f"CIFAR-10 in pure NumPy, {CORES} cores"
        draw(result["cifar"]["rows"], options.picture, title)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
