"""What it costs that the grader supplies layers while it grades: starting, and each call.

    python benchmarks/bench_supplied.py [--runs N]

Times in milliseconds, the least of N, in one run: the server's first start and a door for the next
submission; then, in the student's sandboxed kernel, a convolution of 64 images of CIFAR-10's size
(64×3×32×32, 32 filters of 3×3, float32), against the same call by torch in this process on as many
threads, one.
"""

import argparse
import os
import time

os.environ["OMP_NUM_THREADS"] = "1"  # before torch: the server has one thread too

from autograder.kernel import Kernel
from autograder.layers import Layers
from autograder.limits import Limits

NAMES = ("conv_forward_fast", "conv_backward_fast")
CALLS = """
import time
import numpy as np

def least(f):
    times = []
    for _ in range({runs}):
        start = time.perf_counter()
        f()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times), 1e3 * times[0]

rng = np.random.default_rng(0)
x, w = (rng.standard_normal(s).astype(np.float32) for s in [(64, 3, 32, 32), (32, 3, 3, 3)])
b, param = np.zeros(32, np.float32), {{"stride": 1, "pad": 1}}
tiny = x[:1, :, :4, :4]
forward = least(lambda: conv_forward_fast(x, w, b, param))
out, cache = conv_forward_fast(x, w, b, param)
backward = least(lambda: conv_backward_fast(out, cache))
smallest = least(lambda: conv_forward_fast(tiny, w, b, param))
"""
ROWS = ("forward", "backward", "smallest")


def in_the_kernel(layers: Layers, runs: int) -> dict[str, tuple[float, float]]:
    with Kernel(Limits(cell_seconds=120), layers=layers) as kernel:
        names = ", ".join(NAMES)
        kernel.run_cell(f"from cnnlab.carry import carry\n{names} = carry{NAMES}", 60)
        run = kernel.run_cell(CALLS.format(runs=runs) + f"\n[{', '.join(ROWS)}]", 120)
        text = run.outputs[-1]["data"]["text/plain"]
    return dict(zip(ROWS, eval(text, {"__builtins__": {}}), strict=True))  # our own code's output


def in_this_process(runs: int) -> dict[str, tuple[float, float]]:
    from cnnlab.carry.layers import LAYERS

    space = {name: LAYERS[name] for name in NAMES}
    exec(CALLS.format(runs=runs), space)
    return {name: space[name] for name in ROWS}


def milliseconds(start: float) -> str:
    return f"{1e3 * (time.perf_counter() - start):8.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=30)
    runs = parser.parse_args().runs
    start = time.perf_counter()
    layers = Layers(NAMES, Limits())
    print(f"first start, torch and all       {milliseconds(start)}")
    start = time.perf_counter()
    layers.close()
    layers = Layers(NAMES, Limits())
    print(f"a door for the next submission   {milliseconds(start)}")
    rows = in_the_kernel(layers, runs)
    layers.close()
    plain = in_this_process(runs)
    words = {"forward": "64 images, forward", "backward": "64 images, backward"}
    for name in ROWS:
        what = words.get(name, "one image of 4×4, forward")
        least, first = rows[name]
        print(f"{what:<32} {least:8.1f} ms (first {first:.1f}); here {plain[name][0]:.1f} ms")


if __name__ == "__main__":
    main()
