"""What a device can do at most, and where layers of PyTorch lie below it.

The NumPy yardsticks of the third assignment are in timing.py. torch is imported with this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

FLOAT = 4  # bytes of a float32 number
# numbers; the copy takes twice that: 512 MB, many times what caches hold, little of any memory
COPIED = 64_000_000
ROUNDS = 3  # what else the machine does can only make a product slower

Clock = Callable[[Callable[[], object]], float]
"""Takes a piece of work, and returns the seconds that one call of it takes on the device."""


def product_speed(
    device: torch.device, seconds: Clock, sizes: Sequence[int] = (512, 1024)
) -> float:
    """Measure the multiply-adds per second of a float32 matrix product: the flat roof.

    Args:
        device: where.
        seconds: how a piece of work is timed there, honestly.
        sizes: rows and columns of square matrices; the fastest counts. A GPU wants thousands.
    """
    best = 0.0
    for size in (*sizes,) * ROUNDS:
        a, b = torch.ones((2, size, size), device=device)
        out = torch.empty_like(a)
        spent = seconds(lambda a=a, b=b, out=out: torch.matmul(a, b, out=out))
        best = max(best, size**3 / spent)
    return best


def copy_speed(device: torch.device, seconds: Clock, numbers: int = COPIED) -> float:
    """Measure the bytes per second that a copy reads and writes in the device's memory.

    Args:
        device: where.
        seconds: how a piece of work is timed there.
        numbers: float32 numbers that are copied, too many for the caches.
    """
    source = torch.ones(numbers, device=device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / seconds(lambda: target.copy_(source))


def density(conv: nn.Conv2d, batch_size: int, side: int) -> tuple[int, float]:
    """Work out how much a convolution computes for each byte that it has to move at least.

    Args:
        conv: the layer; its output is as high and wide as its input has it, by the usual formula.
        batch_size: images. side: their height and width.

    Returns:
        (multiply_adds, multiply_adds_per_byte): images and weights are read once, the outputs
        written once, in float32. Biases are left out.
    """
    kernel, stride = conv.kernel_size, conv.stride
    out = [
        (side + 2 * pad - dilation * (k - 1) - 1) // step + 1
        for k, step, pad, dilation in zip(kernel, stride, conv.padding, conv.dilation, strict=True)
    ]
    outputs = batch_size * conv.out_channels * out[0] * out[1]
    multiply_adds = outputs * conv.weight[0].numel()
    inputs = batch_size * conv.in_channels * side * side
    return multiply_adds, multiply_adds / (FLOAT * (inputs + conv.weight.numel() + outputs))


def place(
    conv: nn.Conv2d, batch_size: int, side: int, device: torch.device, seconds: Clock
) -> tuple[float, float]:
    """Measure where a convolution's forward pass lies under the roof.

    Args:
        conv: the layer; it is moved to the device.
        batch_size, side: as for density.
        device: where. seconds: how a piece of work is timed there.

    Returns:
        (multiply-adds per byte, multiply-adds per second), a point for ``plots.roofline``.
    """
    multiply_adds, per_byte = density(conv, batch_size, side)
    conv = conv.to(device)
    images = torch.ones((batch_size, conv.in_channels, side, side), device=device)
    with torch.no_grad(), float32_in_full():
        return per_byte, multiply_adds / seconds(lambda: conv(images))


@contextmanager
def float32_in_full() -> Iterator[None]:
    """Inside, convolutions use all digits of their float32 numbers.

    PyTorch lets GPUs of NVIDIA's round what goes into a convolution to the 10 binary digits of
    TF32, but not what goes into a product of matrices. So layers could lie above the roof.
    """
    cudnn = torch.backends.cudnn
    before, cudnn.allow_tf32 = cudnn.allow_tf32, False
    try:
        yield
    finally:
        cudnn.allow_tf32 = before
