"""How fast the layers are, in NumPy and in torch: time, GFLOP/s and memory.

    python benchmarks/bench_layers.py [--quick] [--json FILE] [--threads N]

All in one process, on the same arrays, with the same number of threads: torch's own, BLAS's for the
reference; fastest_layers takes its own threads and leaves BLAS one. Each contestant gets its turn
again and again, and the shortest time counts, so a busy moment costs nobody more than others. torch
has its usual settings (oneDNN on), and gradients by autograd for x, w and b.

GFLOP/s count the multiplications and additions of the plain sum, whoever needs fewer of them; the
peak is that of the fastest matrix product of NumPy in the same run. Memory is what NumPy
allocates at the most while a layer runs, without its results: of the reference and of
fastest_layers, beside the column matrix of one image. SciPy and the loops do one image and one
filter, and are scaled up; they are compared with the reference.
"""

import argparse
import functools
import json
import os
import platform
import time
import tracemalloc
from pathlib import Path

import numpy as np
import scipy
import torch
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table
from scipy.signal import correlate
from threadpoolctl import ThreadpoolController

from solutions.convolution import conv_backward_naive, conv_forward_naive
from solutions.fast_convolution import conv_backward_fast, conv_forward_fast
from solutions.fast_pooling import (
    avg_pool_backward_fast,
    avg_pool_forward_fast,
    max_pool_backward_fast,
    max_pool_forward_fast,
)
from solutions.fastest_layers import (
    avg_pool_backward_fastest,
    avg_pool_forward_fastest,
    conv_backward_fastest,
    conv_forward_fastest,
    max_pool_backward_fastest,
    max_pool_forward_fastest,
)
from solutions.other_convolutions import conv_forward_fft, conv_forward_strides

# name: N, C, H, W, F, side of the filters, stride, pad
CONVOLUTIONS = {
    "CIFAR 3x3, first": (128, 3, 32, 32, 32, 3, 1, 1),
    "CIFAR 3x3": (128, 32, 16, 16, 64, 3, 1, 1),
    "CIFAR 5x5": (64, 32, 32, 32, 32, 5, 1, 2),
    "CIFAR 3x3, deep": (64, 128, 8, 8, 128, 3, 1, 1),
    "7x7/2, first": (8, 3, 224, 224, 64, 7, 2, 3),
    "3x3 at 112": (1, 64, 112, 112, 64, 3, 1, 1),
    "3x3 at 56": (8, 64, 56, 56, 64, 3, 1, 1),
    "3x3 at 28": (8, 128, 28, 28, 128, 3, 1, 1),
    "3x3 at 14": (16, 256, 14, 14, 256, 3, 1, 1),
    "3x3/2": (8, 128, 28, 28, 256, 3, 2, 1),
    "1x1": (8, 256, 56, 56, 64, 1, 1, 0),
    "1x1/2": (8, 256, 28, 28, 512, 1, 2, 0),
    "patches 16x16/16": (8, 3, 224, 224, 192, 16, 16, 0),
}
LARGE_3X3 = ("3x3 at 112", "3x3 at 56", "3x3 at 28", "3x3 at 14")
# name: kind, N, C, H, W, side of a window, stride
POOLS = {
    "max 2x2/2, CIFAR": ("max", 128, 32, 32, 32, 2, 2),
    "max 2x2/2, deep": ("max", 64, 128, 8, 8, 2, 2),
    "max 2x2/2 at 112": ("max", 8, 64, 112, 112, 2, 2),
    "max 3x3/2 at 113": ("max", 8, 64, 113, 113, 3, 2),
    "average 2x2/2, CIFAR": ("avg", 128, 32, 32, 32, 2, 2),
    "average 3x3/2 at 113": ("avg", 8, 64, 113, 113, 3, 2),
}
SIDES = (1, 3, 5, 7, 11, 15)  # of filters, where strides, FFT and im2col meet
TARGETS = {"float64": 1.0, "float32": 1.3}  # conv, forward + backward; geometric mean of ratios
LIMIT, POOL_TARGET, PEAK_TARGET = 3.0, 1.5, 0.60
DTYPES = (np.float32, np.float64)
REST = 0.04  # seconds until the threads of the one before have stopped to wait for work


# -- timing -----------------------------------------------------------------------------------


class Clock:
    """Times contestants in turns. ``threads`` is how many each may use."""

    def __init__(self, threads: int, seconds: float):
        self.threads, self.seconds = threads, seconds
        self._blas = ThreadpoolController()
        torch.set_num_threads(threads)

    def race(self, contestants: dict) -> dict[str, float]:
        """The shortest time of each; names that begin with 'fastest' leave BLAS one thread."""
        best = dict.fromkeys(contestants, float("inf"))
        end, turns = time.perf_counter() + self.seconds, 0
        while turns < 2 or time.perf_counter() < end:
            for name, run in contestants.items():
                blas = 1 if name.startswith("fastest") else self.threads
                time.sleep(REST)
                with self._blas.limit(limits=blas, user_api="blas"):
                    for _ in range(2):  # the first finds the caches cold
                        best[name] = min(best[name], timed(run))
            turns += 1
        return best

    def peak(self, dtype) -> float:
        """GFLOP/s of NumPy's best matrix product."""
        best = 0.0
        for n in (768, 1536):
            a, b = (np.random.default_rng(k).standard_normal((n, n)).astype(dtype) for k in (0, 1))
            out = np.empty_like(a)
            run = functools.partial(np.matmul, a, b, out=out)
            best = max(best, 2e-9 * n**3 / self.race({"GEMM": run})["GEMM"])
        return best


def timed(run) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def extra_memory(run) -> float:
    """MB that NumPy has allocated at the most while it ran, without the results."""
    tracemalloc.start()
    results = run()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    arrays = results if isinstance(results, tuple) else (results,)
    return (peak - sum(a.nbytes for a in arrays if isinstance(a, np.ndarray))) / 1e6


def agree(name: str, one, other, dtype) -> None:
    """Stop if two contestants do not compute the same."""
    error = np.abs(one - other).max() / np.abs(other).max()
    assert error < {np.float32: 1e-4, np.float64: 1e-12}[dtype], (name, error)


def geometric_mean(numbers) -> float:
    return float(np.exp(np.mean(np.log(list(numbers)))))


# -- convolutions -----------------------------------------------------------------------------


def make_layer(shape, dtype):
    N, C, H, W, F, side, stride, pad = shape
    rng = np.random.default_rng(0)
    x = rng.standard_normal((N, C, H, W)).astype(dtype)
    w = (rng.standard_normal((F, C, side, side)) / np.sqrt(C * side * side)).astype(dtype)
    b = rng.standard_normal(F).astype(dtype)
    H_out, W_out = (1 + (size + 2 * pad - side) // stride for size in (H, W))
    dout = rng.standard_normal((N, F, H_out, W_out)).astype(dtype)
    return (x, w, b, {"stride": stride, "pad": pad}), dout


def torch_passes(function, arrays, dout):
    """Two functions: forward, and backward of the last forward."""
    leaves = [torch.tensor(a, requires_grad=True) for a in arrays]
    gradient, last = torch.tensor(dout), {}

    def forward():
        last["out"] = function(*leaves)
        return last["out"].detach().numpy()

    def backward():
        grads = torch.autograd.grad(last["out"], leaves, gradient, retain_graph=True)
        return tuple(g.numpy() for g in grads)

    return forward, backward


def measure_convolution(name, shape, dtype, clock, peak) -> dict:
    layer, dout = make_layer(shape, dtype)
    x, w, _, param = layer
    by_torch = functools.partial(
        torch.nn.functional.conv2d, stride=param["stride"], padding=param["pad"]
    )
    torch_forward, torch_backward = torch_passes(by_torch, layer[:3], dout)
    runs = {
        "torch forward": torch_forward,
        "torch backward": torch_backward,
        "reference forward": lambda: conv_forward_fast(*layer)[0],
        "reference backward": lambda: conv_backward_fast(dout, layer),
        "fastest forward": lambda: conv_forward_fastest(*layer, threads=clock.threads)[0],
        "fastest backward": lambda: conv_backward_fastest(dout, layer, threads=clock.threads),
    }
    for who in ("reference", "fastest"):
        agree(name, runs[f"{who} forward"](), torch_forward(), dtype)
        for ours, theirs in zip(runs[f"{who} backward"](), torch_backward(), strict=True):
            agree(name, ours, theirs, dtype)
    seconds = clock.race(runs)
    flops = 2 * dout.size * w[0].size
    row = {"name": name, "dtype": np.dtype(dtype).name, "shape": shape, "seconds": seconds}
    for who in ("torch", "reference", "fastest"):
        both = seconds[f"{who} forward"] + seconds[f"{who} backward"]
        row[f"{who} both"] = both
        row[f"{who} ratio"] = both / row["torch both"]
        row[f"{who} gflops"] = 3e-9 * flops / both
        row[f"{who} share"] = 1e-9 * flops / seconds[f"{who} forward"] / peak
    for who in ("reference", "fastest"):
        passes = (runs[f"{who} {which}"] for which in ("forward", "backward"))
        row[f"{who} extra MB"] = max(extra_memory(run) for run in passes)
    row["column MB"] = dout[0, 0].size * w[0].size * x.itemsize / 1e6
    row |= measure_slow_ones(layer, dout)
    return row


def measure_slow_ones(layer, dout) -> dict:
    """Seconds of SciPy's forward, where it has one, and of the loops; scaled up."""
    x, w, b, param = layer
    once = (x[:1], w[:1], b[:1], param)
    small = dout[:1, :1].copy()
    runs = {
        "naive forward": lambda: conv_forward_naive(*once),
        "naive backward": lambda: conv_backward_naive(small, once),
    }
    if param["stride"] == 1:
        pad = param["pad"]
        image = np.pad(x[0], ((0, 0), (pad, pad), (pad, pad)))
        runs["scipy forward"] = lambda: correlate(image, w[0], mode="valid")
    seconds = {}
    for name, run in runs.items():  # these are so slow that two turns each will do
        seconds[name] = min(timed(run), timed(run)) * len(x) * len(w)
    naive = seconds["naive forward"] + seconds["naive backward"]
    return {"naive both": naive, "scipy forward": seconds.get("scipy forward")}


def convolution_table(rows, dtype, peak) -> Table:
    title = f"convolution, {dtype}: times torch's, forward + backward (peak: {peak:.0f} GFLOP/s)"
    table = Table(title=title, box=MARKDOWN)
    for column in ("layer", "N, C, H, W -> F", "torch", "reference", "fastest"):
        table.add_column(column, justify="left" if column[0] in "lN" else "right")
    for column in ("forward: % of peak", "extra MB", "columns, MB", "SciPy", "loops"):
        table.add_column(column, justify="right")
    for row in rows:
        N, C, H, W, F, *_ = row["shape"]
        seconds = row["seconds"]
        scipy_ratio = (row["scipy forward"] or 0) / seconds["reference forward"]
        shares = (f"{row[f'{who} share']:.0%}"[:-1] for who in ("torch", "reference", "fastest"))
        table.add_row(
            row["name"],
            f"{N}, {C}, {H}, {W} -> {F}",
            f"{1e3 * seconds['torch forward']:.1f} + {1e3 * seconds['torch backward']:.1f} ms",
            *(f"{row[f'{who} ratio']:.2f}" for who in ("reference", "fastest")),
            ", ".join(shares),
            f"{row['reference extra MB']:.1f}, {row['fastest extra MB']:.1f}",
            f"{row['column MB']:.1f} x {N}",
            f"{scipy_ratio:.0f}x" if scipy_ratio else "",
            f"{row['naive both'] / row['reference both']:.0f}x",
        )
    return table


def judge_convolutions(rows, dtype) -> list[str]:
    lines = []
    for who in ("reference", "fastest"):
        ratios = [row[f"{who} ratio"] for row in rows]
        ahead = [row[f"{who} share"] for row in rows if row["name"] in LARGE_3X3]
        lines.append(
            f"{dtype}, {who}: geometric mean {geometric_mean(ratios):.2f} of torch's time "
            f"(target {TARGETS[dtype]}), at the most {max(ratios):.2f} (target {LIMIT}); "
            f"large 3x3 forward at {min(ahead):.0%} of GEMM's peak or more "
            f"(target {PEAK_TARGET:.0%}), {geometric_mean(ahead):.0%} in the mean"
        )
    return lines


def memory_by_batch(dtype) -> str:
    """Extra memory of one layer with 8 and with 32 images."""
    parts = []
    _, *rest = CONVOLUTIONS["3x3 at 28"]
    for who, forward, backward in (
        ("reference", conv_forward_fast, conv_backward_fast),
        ("fastest", conv_forward_fastest, conv_backward_fastest),
    ):
        sizes = []
        for N in (8, 32):
            layer, dout = make_layer((N, *rest), dtype)
            runs = (
                functools.partial(forward, *layer),
                functools.partial(backward, dout, layer),
            )
            sizes.append(max(extra_memory(run) for run in runs))
        parts.append(f"{who} {sizes[0]:.1f} and {sizes[1]:.1f} MB")
    return "extra memory with 8 and with 32 images, 3x3 at 28, float32: " + "; ".join(parts)


# -- strides, FFT, im2col ---------------------------------------------------------------------


def measure_sides(clock) -> list[dict]:
    """Forward passes, by the side of the filters."""
    rows = []
    for side in SIDES:
        layer, dout = make_layer((4, 16, 64, 64, 16, side, 1, side // 2), np.float32)
        x, w, b, param = layer
        tensors = [torch.tensor(a) for a in (x, w, b)]
        runs = {
            "im2col": lambda layer=layer: conv_forward_fast(*layer)[0],
            "strides": lambda layer=layer: conv_forward_strides(*layer)[0],
            "FFT": lambda layer=layer: conv_forward_fft(*layer)[0],
            "fastest": lambda layer=layer: conv_forward_fastest(*layer, threads=clock.threads)[0],
            "torch": lambda t=tensors, p=param["pad"]: torch.nn.functional.conv2d(*t, padding=p),
        }
        for name in ("strides", "FFT", "fastest"):
            agree(name, runs[name](), runs["im2col"](), np.float32)
        row = {"side": side, "seconds": clock.race(runs)}
        row["scipy"] = measure_slow_ones(layer, dout)["scipy forward"]
        rows.append(row)
    return rows


def sides_table(rows) -> Table:
    title = "forward, milliseconds: 4 images of 16 x 64 x 64, 16 filters, float32"
    table = Table(title=title, box=MARKDOWN, min_width=len(title))
    names = list(rows[0]["seconds"])
    for column in ("filter", *names, "SciPy"):
        table.add_column(column, justify="right")
    for row in rows:
        times = (f"{1e3 * row['seconds'][name]:.1f}" for name in names)
        table.add_row(f"{row['side']}x{row['side']}", *times, f"{1e3 * row['scipy']:.0f}")
    return table


# -- pools ------------------------------------------------------------------------------------


def measure_pool(name, shape, dtype, clock) -> dict:
    kind, N, C, H, W, side, stride = shape
    rng = np.random.default_rng(0)
    x = rng.standard_normal((N, C, H, W)).astype(dtype)
    param = {"pool_height": side, "pool_width": side, "stride": stride}
    ours = {
        "reference": {
            "max": (max_pool_forward_fast, max_pool_backward_fast),
            "avg": (avg_pool_forward_fast, avg_pool_backward_fast),
        },
        "fastest": {
            "max": (max_pool_forward_fastest, max_pool_backward_fastest),
            "avg": (avg_pool_forward_fastest, avg_pool_backward_fastest),
        },
    }
    out, _ = ours["reference"][kind][0](x, param)
    dout = rng.standard_normal(out.shape).astype(dtype)
    torchs = {"max": torch.nn.functional.max_pool2d, "avg": torch.nn.functional.avg_pool2d}
    by_torch = functools.partial(torchs[kind], kernel_size=side, stride=stride)
    torch_forward, torch_backward = torch_passes(by_torch, [x], dout)
    runs = {"torch forward": torch_forward, "torch backward": torch_backward}
    for who, options in (("reference", {}), ("fastest", {"threads": clock.threads})):
        forward, backward = ours[who][kind]
        cache = forward(x, param)[1]
        # bound now: the loop goes on
        runs[f"{who} forward"] = functools.partial(forward, x, param, **options)
        runs[f"{who} backward"] = functools.partial(backward, dout, cache, **options)
        agree(name, runs[f"{who} forward"]()[0], torch_forward(), dtype)
        agree(name, runs[f"{who} backward"](), torch_backward()[0], dtype)
    seconds = clock.race(runs)
    row = {"name": name, "dtype": np.dtype(dtype).name, "shape": shape, "seconds": seconds}
    for who in ("torch", "reference", "fastest"):
        row[f"{who} both"] = seconds[f"{who} forward"] + seconds[f"{who} backward"]
        row[f"{who} ratio"] = row[f"{who} both"] / row["torch both"]
    passes = (lambda: runs["reference forward"]()[0], runs["reference backward"])
    row["reference extra MB"] = max(extra_memory(run) for run in passes)
    return row


def pool_table(rows) -> Table:
    table = Table(title="pools: times torch's, forward + backward", box=MARKDOWN)
    for column in ("layer", "N, C, H, W", "dtype"):
        table.add_column(column)
    for column in ("torch", "reference", "fastest", "extra MB"):
        table.add_column(column, justify="right")
    for row in rows:
        seconds = row["seconds"]
        table.add_row(
            row["name"],
            ", ".join(map(str, row["shape"][1:5])),
            row["dtype"],
            f"{1e3 * seconds['torch forward']:.1f} + {1e3 * seconds['torch backward']:.1f} ms",
            f"{row['reference ratio']:.2f}",
            f"{row['fastest ratio']:.2f}",
            f"{row['reference extra MB']:.1f}",
        )
    return table


def judge_pools(rows) -> list[str]:
    lines = []
    for who in ("reference", "fastest"):
        ratios = [
            row[f"{who} ratio"] for row in rows if "2x2/2" in row["name"] and "max" in row["name"]
        ]
        lines.append(
            f"max pool 2x2/2, {who}: geometric mean {geometric_mean(ratios):.2f}, at the most "
            f"{max(ratios):.2f} of torch's time (target {POOL_TARGET})"
        )
    return lines


# -- all of it --------------------------------------------------------------------------------


def machine(threads: int) -> str:
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return (
        f"{os.cpu_count()} cores, {threads} in use; {platform.machine()}; Python "
        f"{platform.python_version()}, NumPy {np.__version__} with {blas['name']} "
        f"{blas['version']}, SciPy {scipy.__version__}, torch {torch.__version__}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few turns each: a trial run")
    parser.add_argument("--json", type=Path, help="write the rows here too")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="all cores")
    options = parser.parse_args()
    clock = Clock(options.threads, 0.0 if options.quick else 4.0)
    console = Console(width=160)
    result = {"machine": machine(options.threads), "peak": {}, "convolutions": [], "pools": []}
    print(result["machine"], flush=True)
    verdicts = []
    for dtype in DTYPES:
        name = np.dtype(dtype).name
        peak = result["peak"][name] = clock.peak(dtype)
        rows = [measure_convolution(*c, dtype, clock, peak) for c in CONVOLUTIONS.items()]
        console.print(convolution_table(rows, name, peak))
        result["convolutions"] += rows
        verdicts += judge_convolutions(rows, name)
    result["pools"] = [measure_pool(*p, dtype, clock) for dtype in DTYPES for p in POOLS.items()]
    console.print(pool_table(result["pools"]))
    result["sides"] = measure_sides(clock)
    console.print(sides_table(result["sides"]))
    verdicts += [*judge_pools(result["pools"]), memory_by_batch(np.float32)]
    print("\n".join(verdicts))
    if options.json:
        options.json.write_text(json.dumps(result | {"verdicts": verdicts}, indent=2))


if __name__ == "__main__":
    main()
