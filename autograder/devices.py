"""Whether this grader has a CUDA device, and what an assignment that may use one is given.

Nothing here imports torch or numba: the driver's own files and its tool say enough.
"""

from __future__ import annotations

import functools
import importlib.util
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

from .errors import NoDevice, NoPackages
from .limits import AUTO, CUDA, NO_DEVICE, Limits
from .questions import Assignment

CONTROL = ("/dev/nvidiactl", "/dev/dxg")  # the driver's; under WSL 2 there is but the second
TOOLKITS = ("/usr/local", "/opt")  # where CUDA's compiler lies, which numba needs: cuda, cuda-12.4
DRIVERS = ("/run/opengl-driver",)  # of systems that keep it neither in /usr/lib nor in /lib


@functools.cache
def cuda_devices() -> tuple[str, ...]:
    """The names and memory of this machine's CUDA devices, as nvidia-smi tells them."""
    tool = shutil.which("nvidia-smi")
    if tool is None or not any(Path(node).exists() for node in CONTROL):
        return ()
    try:
        seen = subprocess.run(
            [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):  # a driver that hangs is no device
        return ()
    lines = seen.stdout.strip().splitlines() if seen.returncode == 0 else ()
    return tuple(line.strip() for line in lines if line.strip())


def equipped(limits: Limits, assignment: Assignment) -> Limits:
    """The limits for grading an assignment: with the packages that it uses, and the device.

    Raises NoPackages where one of these is not installed, and NoDevice where a device is asked for
    that is not there. An assignment that uses nothing but NumPy is given no device.
    """
    uses = assignment.uses
    missing = [name for name in uses if importlib.util.find_spec(name) is None]
    if missing:
        raise NoPackages(assignment.name, missing)
    return replace(limits.using(uses), device=_device(limits.device) if uses else NO_DEVICE)


def _device(wanted: str) -> str:
    if wanted == AUTO:
        return CUDA if cuda_devices() else NO_DEVICE
    if wanted == CUDA and not cuda_devices():
        raise NoDevice()
    return wanted


def nodes() -> list[str]:
    """The driver's files in /dev that a sandbox with the device gets."""
    return sorted(map(str, [*Path("/dev").glob("nvidia*"), *Path("/dev").glob("dxg")]))


def folders() -> list[str]:
    """The driver's and the compiler's folders that no sandbox has otherwise."""
    toolkits = [path for root in TOOLKITS for path in Path(root).glob("cuda*") if path.is_dir()]
    return sorted(map(str, toolkits)) + [path for path in DRIVERS if Path(path).is_dir()]
