"""What a submission may use: every limit by its name, with its default. The one place for them.

A run sets others with ``--limit memory=4GB``, a course with ``c.Execute.limits`` in its
nbgrader_config.py, a question with ``@question(…, limits={"call_seconds": 30})``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace

from .errors import BadLimit

KB, MB, GB = 10**3, 10**6, 10**9
UNITS = {"": 1, "B": 1, "KB": KB, "MB": MB, "GB": GB, "S": 1, "MIN": 60}

# What NumPy exercises do without: a question that is about writing a convolution must not import
# one. Masked in the sandbox, and refused by name on import.
WITHOUT = (
    "torch",
    "torchvision",
    "scipy",
    "skimage",
    "sklearn",
    "numba",
    "jax",
    "tensorflow",
    "keras",
    "cv2",
    "cupy",
    "autograd",
    "solutions",
    "autograder",
)
OURS = ("solutions", "autograder")  # of those: the answers, which no assignment can use
DEVICE_CHOICES = AUTO, CUDA, NO_DEVICE = "auto", "cuda", "none"  # auto: what the grader finds
PER_QUESTION = ("call_seconds", "test_seconds", "memory", "tasks")


@dataclass(frozen=True)
class Limits:
    """What a submission may use. Times in seconds, sizes in bytes."""

    call_seconds: float = 10.0  # one call of a student's function
    test_seconds: float = 20.0  # one hidden test, with all of its calls
    cell_seconds: float = 20.0
    notebook_seconds: float = 600.0  # all cells and tests together
    memory: int = 2 * GB  # of all the submission's processes together
    tasks: int = 256  # processes and threads; a kernel has about 15
    disk: int = 128 * MB  # all that it writes, the files handed in included
    files: int = 5_000  # files and folders that it makes
    message: int = 64 * MB  # one result, or one message, from the kernel
    backlog: int = 512 * MB  # what the kernel has sent, and the grader not yet read
    output: int = 1 * MB  # text that one cell may print; images count apart
    outputs: int = 32 * MB  # text and images that all cells together may leave
    stops: int = 2  # a function that hung or crashed so often is not called again
    without: tuple[str, ...] = field(default=WITHOUT)
    uses: tuple[str, ...] = ()  # packages that the assignment is about, besides NumPy
    device: str = AUTO  # whether an assignment that uses packages may use the CUDA device

    def but(self, changes: Mapping[str, float | str]) -> Limits:
        """These limits with some of them changed: {"memory": "4GB", "cell_seconds": 60}."""
        return replace(self, **{name: _value(name, value) for name, value in changes.items()})

    def using(self, packages: Iterable[str]) -> Limits:
        """These limits for an assignment that is about some of the packages in ``without``."""
        packages = tuple(packages)
        without = tuple(name for name in self.without if name not in packages)
        return replace(self, without=without, uses=packages)

    def on(self, device: str) -> Limits:
        """These limits with that device: auto, cuda or none. Raises BadLimit."""
        if device not in DEVICE_CHOICES:
            raise BadLimit(
                f"The device is auto (what this grader has), cuda or none, not {device!r}."
            )
        return replace(self, device=device)

    @property
    def has_cuda(self) -> bool:
        return bool(self.uses) and self.device == CUDA

    def explain(self, ename: str, evalue: str) -> str:
        """Which limit an exception of the student's code ran into, to be put behind its text."""
        if ename in ("MemoryError", "_ArrayMemoryError"):
            return f" (a submission may use {size(self.memory)} of memory)"
        if "No space left on device" in evalue or "File too large" in evalue:
            return f" (a submission may write {size(self.disk)})"
        if "can't start new thread" in evalue or "Resource temporarily unavailable" in evalue:
            return f" (a submission may have {self.tasks} processes and threads)"
        return ""


def settings(texts: Iterable[str]) -> dict[str, str]:
    """The --limit options of a command: ["memory=4GB"] -> {"memory": "4GB"}. Raises BadLimit."""
    changes = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise BadLimit(f"--limit {text}: write name=value, like --limit memory=4GB.")
        _value(name.strip(), value)
        changes[name.strip()] = value.strip()
    return changes


def _value(name: str, value: float | str) -> float | int:
    kinds = {f.name: f.type for f in fields(Limits) if f.type in ("int", "float")}
    if name not in kinds:
        raise BadLimit(f"There is no limit {name!r}. There are: {', '.join(kinds)}.")
    if isinstance(value, str):
        match = re.fullmatch(r"([\d_]*\.?\d+)\s*([a-z]*)", value.strip().lower())
        if match is None or match[2].upper() not in UNITS:
            raise BadLimit(
                f"{name}={value}: a limit is a number, with or without a unit: "
                "30, 90s, 5min, 500MB, 2GB."
            )
        value = float(match[1].replace("_", "")) * UNITS[match[2].upper()]
    if not (isinstance(value, (int, float)) and 0 < value < 1e15):
        raise BadLimit(f"{name}={value!r}: a limit is a number above 0.")
    return int(value) if kinds[name] == "int" else float(value)


def size(number: float) -> str:
    """Bytes for people: 2000000000 -> 2 GB"""
    for unit, name in ((GB, "GB"), (MB, "MB"), (KB, "kB")):
        if number >= unit:
            return f"{number / unit:.3g} {name}"
    return f"{number:.0f} bytes"
