"""How far the speed question's ratio wanders: honest answers, loops, and cheats, in the sandbox.

    python benchmarks/bench_speed_question.py [rounds] [cheats]

The question (autograder/hidden/test_fast_layers.py, conv_pool_step) gives its first points and its
last at FIRST and LAST times as fast as plain loops. Each round measures every variant as a hidden
test does that does not stop at the first good call (three rounds of calls, the fastest counts), and
then runs the hidden tests for those two as they are: they go on for longer on a busy machine.
"""

import inspect
import sys
import time
from pathlib import Path

import numpy as np

from autograder.errors import WrongAnswer
from autograder.hidden import test_fast_layers as hidden
from autograder.hidden.speed import CALLS
from autograder.kernel import Kernel
from autograder.limits import Limits
from autograder.student import Session, Student
from solutions import convolution, fast_convolution, fast_pooling, fast_step, im2col, pooling

FIRST, LAST = hidden.TIMES[0], hidden.TIMES[-1]

# ruff: noqa: F821 (the functions below are pasted into a kernel, beside the references)


def sizes(x, w, conv_param):
    stride, pad = conv_param["stride"], conv_param["pad"]
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    H_out = 1 + (padded.shape[2] - w.shape[2]) // stride
    W_out = 1 + (padded.shape[3] - w.shape[3]) // stride
    return stride, pad, padded, H_out, W_out


def unpadded(dx, x, pad):
    return dx[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]]


def whole_batch():
    """im2col of the whole batch, columns kept for the backward pass"""

    def conv_forward_fast(x, w, b, conv_param):
        stride, pad, _, H_out, W_out = sizes(x, w, conv_param)
        cols = im2col(x, *w.shape[2:], pad, stride)
        out = w.reshape(len(w), -1) @ cols + b[:, None]
        out = out.reshape(len(w), len(x), H_out, W_out).transpose(1, 0, 2, 3)
        return out, (x, w, cols, pad, stride)

    def conv_backward_fast(dout, cache):
        x, w, cols, pad, stride = cache
        flat = dout.transpose(1, 0, 2, 3).reshape(len(w), -1)
        dx = col2im(w.reshape(len(w), -1).T @ flat, x.shape, *w.shape[2:], pad, stride)
        return dx, (flat @ cols.T).reshape(w.shape), flat.sum(axis=1)


def indices_and_add_at():
    """im2col by arrays of indices, col2im by np.add.at"""

    def places(x, w, conv_param):
        stride, _, _, H_out, W_out = sizes(x, w, conv_param)
        C, (HH, WW) = x.shape[1], w.shape[2:]
        rows = np.tile(np.repeat(np.arange(HH), WW), C)[:, None]
        columns = np.tile(np.arange(WW), HH * C)[:, None]
        rows = rows + stride * np.repeat(np.arange(H_out), W_out)
        columns = columns + stride * np.tile(np.arange(W_out), H_out)
        return np.repeat(np.arange(C), HH * WW)[:, None], rows, columns

    def conv_forward_fast(x, w, b, conv_param):
        _, _, padded, H_out, W_out = sizes(x, w, conv_param)
        cols = padded[:, *places(x, w, conv_param)].transpose(1, 2, 0).reshape(w[0].size, -1)
        out = w.reshape(len(w), -1) @ cols + b[:, None]
        out = out.reshape(len(w), H_out, W_out, len(x)).transpose(3, 0, 1, 2)
        return out, (x, w, conv_param, cols)

    def conv_backward_fast(dout, cache):
        x, w, conv_param, cols = cache
        _, pad, padded, _, _ = sizes(x, w, conv_param)
        flat = dout.transpose(1, 2, 3, 0).reshape(len(w), -1)
        dcols = w.reshape(len(w), -1).T @ flat
        dx = np.zeros(padded.shape)
        dcols = dcols.reshape(w[0].size, -1, len(x)).transpose(2, 0, 1)
        np.add.at(dx, (slice(None), *places(x, w, conv_param)), dcols)
        return unpadded(dx, x, pad), (flat @ cols.T).reshape(w.shape), flat.sum(axis=1)


def windows_and_einsum():
    """sliding_window_view and np.einsum, not optimized"""

    def conv_forward_fast(x, w, b, conv_param):
        stride, pad, padded, _, _ = sizes(x, w, conv_param)
        view = np.lib.stride_tricks.sliding_window_view(padded, w.shape[2:], axis=(2, 3))
        view = view[:, :, ::stride, ::stride]
        out = np.einsum("nchwij,fcij->nfhw", view, w) + b[:, None, None]
        return out, (x, w, view, pad, stride)

    def conv_backward_fast(dout, cache):
        x, w, view, pad, stride = cache
        dcols = np.einsum("nfhw,fcij->cijnhw", dout, w).reshape(w[0].size, -1)
        dx = col2im(dcols, x.shape, *w.shape[2:], pad, stride)
        return dx, np.einsum("nfhw,nchwij->fcij", dout, view), dout.sum(axis=(0, 2, 3))


def offsets():
    """a loop over the filter's HH * WW places, np.einsum for each"""

    def conv_forward_fast(x, w, b, conv_param):
        stride, _, padded, H_out, W_out = sizes(x, w, conv_param)
        out = np.zeros((len(x), len(w), H_out, W_out)) + b[:, None, None]
        for i, j in np.ndindex(w.shape[2:]):
            part = padded[:, :, i : i + stride * H_out : stride, j : j + stride * W_out : stride]
            out += np.einsum("nchw,fc->nfhw", part, w[:, :, i, j])
        return out, (x, w, conv_param)

    def conv_backward_fast(dout, cache):
        x, w, conv_param = cache
        stride, pad, padded, H_out, W_out = sizes(x, w, conv_param)
        dx, dw = np.zeros(padded.shape), np.zeros(w.shape)
        for i, j in np.ndindex(w.shape[2:]):
            rows = slice(i, i + stride * H_out, stride)
            columns = slice(j, j + stride * W_out, stride)
            dw[:, :, i, j] = np.einsum("nfhw,nchw->fc", dout, padded[:, :, rows, columns])
            dx[:, :, rows, columns] += np.einsum("nfhw,fc->nchw", dout, w[:, :, i, j])
        return unpadded(dx, x, pad), dw, dout.sum(axis=(0, 2, 3))


def pixels_in_convolution():
    """a loop over pixels in the convolution; images, filters and channels at once"""

    def conv_forward_fast(x, w, b, conv_param):
        stride, _, padded, H_out, W_out = sizes(x, w, conv_param)
        HH, WW = w.shape[2:]
        rows = w.reshape(len(w), -1).T
        out = np.empty((len(x), len(w), H_out, W_out))
        for i in range(H_out):
            for j in range(W_out):
                top, left = i * stride, j * stride
                window = padded[:, :, top : top + HH, left : left + WW]
                out[:, :, i, j] = window.reshape(len(x), -1) @ rows
        return out + b[:, None, None], (x, w, conv_param)

    def conv_backward_fast(dout, cache):
        x, w, conv_param = cache
        stride, pad, padded, H_out, W_out = sizes(x, w, conv_param)
        HH, WW = w.shape[2:]
        rows = w.reshape(len(w), -1)
        dx, dw = np.zeros(padded.shape), np.zeros(rows.shape)
        for i in range(H_out):
            for j in range(W_out):
                top, left = i * stride, j * stride
                place = (slice(None), slice(None), slice(top, top + HH), slice(left, left + WW))
                gradient = dout[:, :, i, j]
                dw += gradient.T @ padded[place].reshape(len(x), -1)
                dx[place] += (gradient @ rows).reshape(len(x), -1, HH, WW)
        return unpadded(dx, x, pad), dw.reshape(w.shape), dout.sum(axis=(0, 2, 3))


def places_in_pooling_forward():
    """the pooling's forward pass in a loop over places, images and channels at once"""

    def max_pool_forward_fast(x, pool_param):
        height, width, stride = (pool_param[k] for k in ("pool_height", "pool_width", "stride"))
        H_out, W_out = 1 + (x.shape[2] - height) // stride, 1 + (x.shape[3] - width) // stride
        out = np.empty((*x.shape[:2], H_out, W_out))
        for i in range(H_out):
            for j in range(W_out):
                top, left = i * stride, j * stride
                window = x[:, :, top : top + height, left : left + width]
                out[:, :, i, j] = window.max(axis=(2, 3))
        return out, (x, out, pool_param)


def places_in_pooling_backward():
    """the pooling's backward pass, likewise"""

    def max_pool_backward_fast(dout, cache):
        x, out, pool_param = cache
        height, width, stride = (pool_param[k] for k in ("pool_height", "pool_width", "stride"))
        dx = np.zeros(x.shape)
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                top, left = i * stride, j * stride
                place = (slice(None), slice(None), slice(top, top + height))
                place = (*place, slice(left, left + width))
                won = x[place] == out[:, :, i : i + 1, j : j + 1]
                dx[place] += won * dout[:, :, i : i + 1, j : j + 1]
        return dx


def naive_pooling_forward():
    """the naive pooling's forward pass, all else without loops: the shortest loop that is left"""

    def max_pool_forward_fast(x, pool_param):
        height, width, stride = (pool_param[k] for k in ("pool_height", "pool_width", "stride"))
        H_out, W_out = 1 + (x.shape[2] - height) // stride, 1 + (x.shape[3] - width) // stride
        out = np.empty((*x.shape[:2], H_out, W_out))
        for n, c, i, j in np.ndindex(out.shape):
            top, left = i * stride, j * stride
            out[n, c, i, j] = x[n, c, top : top + height, left : left + width].max()
        return out, (x, out, pool_param)


def windows_in_im2col():
    """im2col in a loop over windows"""

    def im2col(x, kernel_height, kernel_width, pad, stride):
        N, C, H, W = x.shape
        H_out = 1 + (H + 2 * pad - kernel_height) // stride
        W_out = 1 + (W + 2 * pad - kernel_width) // stride
        padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
        cols = np.empty((C * kernel_height * kernel_width, N, H_out, W_out))
        for n in range(N):
            for i in range(H_out):
                for j in range(W_out):
                    rows = slice(i * stride, i * stride + kernel_height)
                    columns = slice(j * stride, j * stride + kernel_width)
                    cols[:, n, i, j] = padded[n, :, rows, columns].ravel()
        return cols.reshape(len(cols), -1)


def naive():
    """the naive layers as they are"""


def burners():
    """...and processes that keep all processors busy while the yardstick runs"""
    import os
    import time

    for _ in range(2 * os.cpu_count()):
        if os.fork() == 0:
            until = time.monotonic() + 600
            while time.monotonic() < until:
                pass
            os._exit(0)


def helpers():
    """...and each call done by a helper, while the kernel itself stands in the queue"""

    def conv_pool_step(*args):
        import os
        import time

        pids = []
        for _ in range(8):  # they keep the processors busy, and their parent waiting
            pids.append(os.fork())
            if pids[-1] == 0:
                until = time.monotonic() + 0.6
                while time.monotonic() < until:
                    pass
                os._exit(0)
        result = slow_step(*args)
        for pid in pids:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
        return result


POOLING = (places_in_pooling_forward, places_in_pooling_backward)
PIXELS = (pixels_in_convolution, *POOLING)
VARIANTS = {
    "the reference": (),
    "im2col of the whole batch": (whole_batch,),
    "arrays of indices, np.add.at": (indices_and_add_at,),
    "sliding_window_view, einsum": (windows_and_einsum,),
    "a loop over the filter's places": (offsets,),
    "windows in im2col only": (windows_in_im2col,),
    "places in the pooling forward only": (places_in_pooling_forward,),
    "naive pooling forward only": (naive_pooling_forward,),
    "pixel loop in the pooling only": POOLING,
    "pixel loop in the convolution only": (pixels_in_convolution,),
    "pixel loops everywhere": PIXELS,
    "the naive layers": (naive,),
}
CHEATS = {  # only when asked for: they are no good neighbours
    "pixel loops, processors kept busy": (*PIXELS, burners),
    "pixel loops, helpers in each call": (*PIXELS, helpers),
}


def body(variant) -> str:
    """The inside of a variant, as code of a cell."""
    lines = inspect.getsource(variant).splitlines()[2:]
    return "\n".join(line.removeprefix("    ") for line in lines)


def cells(variants) -> str:
    modules = (im2col, fast_convolution, fast_pooling, fast_step)
    if naive in variants:
        modules = (convolution, pooling, fast_step)
    code = "\n".join(Path(inspect.getsourcefile(module)).read_text() for module in modules)
    code = "\n".join(line for line in code.splitlines() if not line.startswith("from ."))
    code += "\n" + inspect.getsource(sizes) + inspect.getsource(unpadded)
    if naive in variants:
        code += "".join(
            f"\n{name.replace('naive', 'fast')} = {name}"
            for layer in ("conv", "max_pool")
            for name in (f"{layer}_forward_naive", f"{layer}_backward_naive")
        )
    if helpers in variants:
        code += "\nslow_step = conv_pool_step"
    return code + "\n" + "\n".join(body(v) for v in variants if v is not naive)


def measure(variants, seed: int) -> tuple[float, bool, bool]:
    """(the ratio, whether the first points were won, and the last)."""
    question = hidden.TestConvPoolStep()
    rng = np.random.default_rng(seed)
    yardstick = hidden.yardstick()
    yardstick.seconds = float("inf")
    layer = (hidden.SPEED_X, hidden.SPEED_W, hidden.SPEED_CONV, hidden.SPEED_POOL)
    with Kernel(Limits(test_seconds=300.0)) as kernel:
        run = kernel.run_cell(cells(variants), 60)
        assert run.status == "ok", run.outputs
        session = Session(kernel, kernel.restart)
        session.begin_test()
        student = Student(session)
        fastest = float("inf")
        for _ in range(3):
            yardstick.measure()
            begin = time.monotonic()
            for _ in range(CALLS):
                fastest = min(fastest, question.call(student, rng, *layer).seconds)
                if time.monotonic() - begin > yardstick.seconds:
                    break
        ratio = yardstick.seconds / fastest
        return ratio, *(passes(question, session, rng, times) for times in (FIRST, LAST))


def passes(question, session, rng, times: int) -> bool:
    session.begin_test()
    try:
        question.test_speed(Student(session), rng, times)
    except WrongAnswer:
        return False
    return True


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    chosen = CHEATS if "cheats" in sys.argv else VARIANTS
    found = {name: [] for name in chosen}
    try:
        for number in range(rounds):
            for name, variants in chosen.items():
                found[name].append(measure(variants, number))
                ratio, first, last = found[name][-1]
                won = "all points" if last else "first points" if first else "no points"
                print(f"round {number + 1}: {name}, {ratio:.3g}, {won}", flush=True)
    except KeyboardInterrupt:  # what there is
        rounds = min(map(len, found.values()))
    print(f"times as fast as plain loops, {rounds} rounds")
    print(f"{'':<36}  lowest  middle  highest   first points  all points")
    for name, values in found.items():
        ratios, first, last = zip(*values, strict=True)
        low, middle, high = np.percentile(ratios, [0, 50, 100])
        won = f"{sum(first):>5} of {len(first):<5} {sum(last):>5} of {len(last)}"
        print(f"{name:<36} {low:>7.3g} {middle:>7.3g} {high:>8.3g}  {won}", flush=True)


if __name__ == "__main__":
    main()
