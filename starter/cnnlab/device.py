"""Which device does the work, what it is called, and how much it is asked to do.

torch is imported with this module; ``import cnnlab`` does not need it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import torch

from cnnlab.pretend_device import PretendDevice

__all__ = ["Budget", "PretendDevice", "budget", "describe", "limit_memory", "pick", "synchronizer"]

MEMORY = 4 * 2**30  # bytes: what a small GPU has, and all that the notebook takes
# Kernels that a device compiled, and what its driver keeps, lie in its memory too.
DRIVERS_SHARE = 500 * 2**20
KINDS = ("cuda", "mps", "cpu")  # the fastest first


@dataclass(frozen=True)
class Budget:
    """How much a notebook asks of a device.

    Attributes:
        epochs: how often each image is shown in a training.
        large_batch: images at once where nothing is learned, to keep the device busy.
        products: rows and columns of the square matrices that are multiplied to find its speed.
    """

    epochs: int
    large_batch: int
    products: tuple[int, ...]

    def __str__(self) -> str:
        largest = self.products[-1]
        return (
            f"{self.epochs} epochs in a training; up to {self.large_batch} images at once where "
            f"nothing is learned; products of matrices up to {largest:,} x {largest:,}"
        )


BUDGETS = {
    "cpu": Budget(5, 32, (512, 1024)),
    "mps": Budget(10, 128, (1024, 2048)),
    "cuda": Budget(15, 256, (2048, 4096)),
}


def pick() -> torch.device:
    """Choose the device: CUDA if there is such a GPU, else Apple's MPS, else the CPU.

    The environment variable CNNLAB_DEVICE ("cpu", "mps", "cuda", or "cuda:1" for the second GPU)
    chooses in its place.

    Raises:
        ValueError: CNNLAB_DEVICE names no device, or one that is not here.
    """
    wanted = os.environ.get("CNNLAB_DEVICE", "").strip()
    if not wanted:
        return torch.device(next(kind for kind in KINDS if _available(kind)))
    try:
        device = torch.device(wanted)
    except RuntimeError:
        device = None
    if device is None or device.type not in KINDS:
        raise ValueError(
            f"CNNLAB_DEVICE is {wanted!r}; it has to be cpu, mps, cuda, or cuda:1 and so on. Set "
            "it before Python starts, or leave it out."
        )
    if not _available(device.type):
        raise ValueError(
            f"CNNLAB_DEVICE is {wanted!r}, and PyTorch can use no such device here. For a GPU, it "
            "has to be a PyTorch that was built for it, and for one as old as it is. Leave "
            "CNNLAB_DEVICE out, and the fastest device that is here is taken."
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"CNNLAB_DEVICE is {wanted!r}; there is no such GPU: they are counted from 0, and "
            f"there are {torch.cuda.device_count()}."
        )
    return device


def describe(device: torch.device | str) -> str:
    """A device in plain words, with its memory."""
    device = torch.device(device)
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return f"the GPU {properties.name} (CUDA), with {_gb(properties.total_memory)} of memory"
    if device.type == "mps":
        memory = _memory_of_computer()
        return f"Apple's GPU (MPS), which shares the computer's memory{memory and f' of {memory}'}"
    threads, memory = torch.get_num_threads(), _memory_of_computer()
    return (
        f"the CPU, with {threads} thread{'s' if threads != 1 else ''}"
        f"{memory and f' and {memory} of memory'}; no GPU is used"
    )


def synchronizer(device: torch.device | str) -> Callable[[], None]:
    """A function that waits until all work that was given to the device is done.

    On the CPU there is nothing to wait for: there, PyTorch returns when the work is done.
    """
    device = torch.device(device)
    if device.type == "cuda":
        return lambda: torch.cuda.synchronize(device)
    if device.type == "mps":
        return torch.mps.synchronize
    return lambda: None


def budget(device: torch.device | str) -> Budget:
    """How much to ask of a device, so that a notebook takes minutes and fits 4 GB of its memory."""
    device = torch.device(device)
    if device.type not in BUDGETS:
        raise ValueError(
            f"there is no budget for {device.type!r}, only for {', '.join(BUDGETS)}. Take that of "
            "the one that is most like it: device.budget('cpu')"
        )
    return BUDGETS[device.type]


def limit_memory(device: torch.device | str, memory: int = MEMORY) -> int | None:
    """Hold PyTorch to a part of the device's memory, so that what runs here runs on a small GPU.

    Whatever needs more then fails as on a device that is full (torch.OutOfMemoryError on CUDA, a
    RuntimeError on MPS), however large this one is.

    Args:
        device: on the CPU, nothing is limited.
        memory: bytes, of the whole device; what the driver takes of it is left out.

    Returns:
        The bytes that PyTorch may take, or None if there is no limit.
    """
    device = torch.device(device)
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        allowed = min(memory, total) - DRIVERS_SHARE
        # it takes no device without a number, as "cuda" is one
        number = torch.cuda.current_device() if device.index is None else device.index
        torch.cuda.set_per_process_memory_fraction(allowed / total, number)
        return allowed
    if device.type == "mps":
        total = torch.mps.recommended_max_memory()
        allowed = min(memory, total) - DRIVERS_SHARE
        torch.mps.set_per_process_memory_fraction(allowed / total)
        return allowed
    return None


def _available(kind: str) -> bool:
    if kind == "cpu":
        return True
    there = torch.cuda if kind == "cuda" else torch.backends.mps
    return there.is_available() and _computes(kind)


def _computes(kind: str) -> bool:
    """A GPU that is older than those a PyTorch was built for is available, and computes nothing."""
    try:
        return torch.ones(2, device=kind).sum().item() == 2
    except RuntimeError:
        return False


def _memory_of_computer() -> str:
    try:
        return _gb(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):  # Windows does not tell
        return ""


def _gb(size: int) -> str:
    return f"{size / 2**30:.1f} GB"
