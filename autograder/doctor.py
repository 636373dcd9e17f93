"""What works on this machine, and what to do about what does not."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from dataclasses import dataclass

from .devices import cuda_devices, equipped
from .errors import GraderError, NoPackages, NoSandbox, how_to_install
from .kernel import CellRun, Kernel
from .layers import Layers, carried
from .limits import Limits
from .questions import Assignment, find_assignments
from .sandbox import check_sandbox
from .submission import read_release

PACKAGES = ("numpy", "matplotlib", "nbgrader", "jupytext", "ipykernel", "pytest", "cnnlab")


@dataclass(frozen=True)
class Finding:
    """``state``: ok, note (something optional is not there) or bad (grading will not work)."""

    state: str
    what: str
    words: str


def examine() -> list[Finding]:
    """Look at everything that the kit uses."""
    return [
        *(_python(), *_packages(), _sandbox(), _kernel(), _torch(), _gpu(), *_uses()),
        *(_data(), _machine()),
    ]


def _python() -> Finding:
    return Finding("ok", "Python", f"{platform.python_version()} ({sys.prefix})")


def _packages() -> list[Finding]:
    versions, missing = [], []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    findings = [Finding("ok", "packages", ", ".join(versions))]
    if missing:
        findings.append(
            Finding("bad", "packages", f"missing: {', '.join(missing)}. Run: make demo")
        )
    return findings


def _sandbox() -> Finding:
    try:
        return Finding("ok", "sandbox", f"{check_sandbox()}: students' code can be locked in")
    except NoSandbox as error:
        return Finding("bad", "sandbox", str(error))


def _kernel() -> Finding:
    try:
        with Kernel(Limits()) as kernel:
            run = kernel.run_cell("import numpy, matplotlib.pyplot, cnnlab", 60)
    except Exception as error:
        return Finding("bad", "kernel", f"does not start in the sandbox: {error}")
    if run.status != "ok":
        return Finding("bad", "kernel", f"cannot import what the notebooks need: {run.ename}")
    return Finding("ok", "kernel", "starts in the sandbox, with NumPy, Matplotlib and cnnlab")


def _torch() -> Finding:
    """Whether the layers that assignments carry from earlier ones can be supplied."""
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return _no_torch([a.name for a in find_assignments().values() if _carries(a)])
    try:
        Layers(("relu_forward",), Limits()).close()
    except NoSandbox:  # which is told elsewhere
        return Finding("ok", "torch", version)
    except GraderError as error:
        return Finding("bad", "torch", f"{version}, but it cannot supply layers: {error}")
    return Finding("ok", "torch", f"{version}: supplies the layers that assignments carry")


def _no_torch(carrying: list[str]) -> Finding:
    what = f"Grading {', '.join(carrying)} needs it: their layers of earlier assignments. "
    todo = f"Run: {how_to_install('torch')}"
    if carrying:
        return Finding("bad", "torch", f"not installed. {what}{todo}")
    return Finding("note", "torch", f"not installed. Only make test and 5_gpu need it. {todo}")


def _carries(assignment: Assignment) -> bool:
    return assignment.release.exists() and bool(carried(read_release(assignment)))


def _gpu() -> Finding:
    devices = cuda_devices()
    if devices:
        return Finding("ok", "GPU", "; ".join(devices))
    return Finding(
        "note",
        "GPU",
        "no CUDA device found. None is needed: what could use one is graded on the CPU, CUDA "
        "kernels in numba's simulator; extra credit that needs one is skipped",
    )


def _uses() -> list[Finding]:
    """Whether the assignments that are about more than NumPy can be graded, and on what."""
    return [_packages_of(a) for a in find_assignments().values() if a.uses]


A_LAUNCH = """
import numpy as np
from cnnlab.simulator import SIMULATED, launch

def write(out):
    out[0] = 1

out = np.zeros(1, np.float32)
launch(write, 1, 1, out)
if SIMULATED or out[0] != 1:
    raise RuntimeError("the driver shows none there.")
"""


def _packages_of(assignment: Assignment) -> Finding:
    try:
        limits = equipped(Limits(), assignment)
    except NoPackages as error:
        return Finding("note", assignment.name, str(error))
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in assignment.uses)
    on_device = limits.has_cuda and "numba" in assignment.uses
    try:
        with Kernel(limits) as kernel:
            run = kernel.run_cell(f"import {', '.join(assignment.uses)}", 60)
            launched = kernel.run_cell(A_LAUNCH, 60) if on_device else run
    except NoSandbox:  # which is told elsewhere
        return Finding("ok", assignment.name, versions)
    except GraderError as error:
        return Finding("bad", assignment.name, f"{versions}: {error}")
    if run.status != "ok":
        why = _why(run, limits)
        return Finding(
            "bad", assignment.name, f"{versions} cannot be imported in the sandbox: {why}"
        )
    if launched.status != "ok":
        words = (
            "there is a CUDA device, but no kernel runs on it in the sandbox: "
            f"{_why(launched, limits)} Extra credit that needs it would be lost: grade with "
            "--device none until this is mended."
        )
        return Finding("bad", assignment.name, words)
    extra = "; extra credit that needs the CUDA device, on it" if on_device else ""
    return Finding("ok", assignment.name, f"{versions}: graded on the CPU{extra}")


def _why(run: CellRun, limits: Limits) -> str:
    return f"{run.ename}: {run.evalue}{limits.explain(run.ename, run.evalue)}"


def _data() -> Finding:
    return Finding(
        "ok", "data sets", "the toys come with cnnlab; no submission is graded on any other"
    )


def _machine() -> Finding:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return Finding(
        "ok",
        "machine",
        f"{os.cpu_count()} cores, {memory:.0f} GiB of memory, "
        f"{platform.system()} {platform.release()}",
    )
